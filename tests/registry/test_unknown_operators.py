"""ONNX files that onnx's own evaluator cannot run are refused in whole sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealift_registry.frameworks.onnx_runs import ReferenceModel
from sealift_signing.errors import RefusedError


def _refused(path: Path) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        ReferenceModel(path).answer({"X": np.zeros((3, 4), np.float32)})
    assert caught.value.code == "reference-evaluator"
    return caught.value


def test_p0_305_what_skl2onnx_exports_of_itself_is_told_how_to_export_again(tmp_path: Path) -> None:
    import skl2onnx
    from sklearn.linear_model import LogisticRegression

    rows = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32)
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)
    path = tmp_path / "m.onnx"
    onnx.save(skl2onnx.to_onnx(model, rows[:1], target_opset={"": 18, "ai.onnx.ml": 3}), str(path))
    bad = _refused(path)
    assert bad.what.startswith(
        "m.onnx answers with a dictionary for each row (the operator ZipMap)"
    )
    assert 'options={"zipmap": False}' in bad.next_step


@pytest.mark.parametrize(
    "operator, domain", [("Oddity", "ai.onnx.ml"), ("Oddity", "com.example"), ("Oddity", "")]
)
def test_p0_305_an_operator_that_the_evaluator_does_not_have_is_named(
    operator: str, domain: str, tmp_path: Path
) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(operator, ["X"], ["Y"], domain=domain)],
        "g",
        [value("X", TensorProto.FLOAT, ["rows", 4])],
        [value("Y", TensorProto.FLOAT, ["rows", 4])],
    )
    sets = [helper.make_opsetid(one, 1 if one else 18) for one in {"", domain}]
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=8), str(path))
    bad = _refused(path)
    assert f"it has no operator {operator} of {domain or 'ai.onnx'}." in bad.what
