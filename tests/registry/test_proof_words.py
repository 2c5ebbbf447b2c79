"""What the proof says of rows and outputs that it cannot take, and what it lets nobody else say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.frameworks.supported import CONVERTERS
from sealift_registry.proof import prove_worker
from sealift_registry.proof.proof_report import Findings
from sealift_registry.proof.proving import ProofScope, proved
from sealift_signing.errors import RefusedError

WORD = "Grünspan"
"""A value of somebody's rows."""
PLAN = ProofScope(seed=b"x" * 32, most_rows=0, as_it_is=True)


def written(folder: Path, nodes: list[Any], given: tuple[Any, ...], answer: int) -> Path:
    """An ONNX file with one input and one output `y`."""
    weights = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*given)],
        [helper.make_tensor_value_info("y", answer, [None, None])],
        [weights],
    )
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "m.onnx")
    return folder / "m.onnx"


def told_by_itself(path: Path, rows: np.ndarray[Any, Any]) -> Findings:
    return proved(CONVERTERS["onnx"].load(path), RuntimeModel(path), {"x": rows}, None, PLAN)


def test_p0_257_goldens_of_text_are_refused_by_name_and_not_quoted(tmp_path: Path) -> None:
    """NumPy's own words said which value it could not read."""
    lookup = helper.make_node(
        *("LabelEncoder", ["x"], ["y"]),
        domain="ai.onnx.ml",
        keys_strings=[WORD, "b"],
        values_floats=[1.0, 2.0],
        default_float=-1.0,
    )
    path = written(tmp_path, [lookup], ("x", onnx.TensorProto.STRING, [None, 1]), 1)
    with pytest.raises(RefusedError) as caught:
        told_by_itself(path, np.array([[WORD], ["b"]] * 4))
    assert caught.value.code == "goldens-inputs"
    assert caught.value.subject == "x"
    assert "takes text cannot be proved" in caught.value.what
    assert WORD not in caught.value.what


def test_p0_258_an_output_that_no_runtime_hands_out_is_refused_by_name(tmp_path: Path) -> None:
    """It was said of the goldens that they are of another shape."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["s"]),
        helper.make_node("Cast", ["s"], ["y"], to=onnx.TensorProto.BFLOAT16),
    ]
    path = written(tmp_path, nodes, ("x", 1, [None, 4]), onnx.TensorProto.BFLOAT16)
    with pytest.raises(RefusedError) as caught:
        told_by_itself(path, np.ones((5, 4), np.float32))
    assert caught.value.code == "parity-outputs"
    assert "output y is of the type bfloat16" in caught.value.what
    assert "cast to float32" in caught.value.next_step


@pytest.mark.parametrize("place", ["read", "proved"])
def test_p0_259_no_librarys_words_about_rows_leave_the_proof(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        float(WORD)

    goldens = tmp_path / "goldens.npz"
    np.savez(goldens, x=np.ones((5, 4), np.float32))
    path = written(
        tmp_path, [helper.make_node("MatMul", ["x", "w"], ["y"])], ("x", 1, [None, 4]), 1
    )
    asked = {
        "source_format": "onnx",
        "source": str(path),
        "variant": str(path),
        "goldens": str(goldens),
        "elsewhere": None,
        "seed": "00",
        "seconds": 1.0,
        "check_rows": False,
        "hardware_target": "cpu-x86_64",
        "arch": "x86_64",
    }
    monkeypatch.setattr(prove_worker, place, broken)
    with pytest.raises(RuntimeError) as caught:
        prove_worker.prove(asked, lambda *_: None)
    assert str(caught.value) == "it broke off with ValueError"
    assert caught.value.__suppress_context__
