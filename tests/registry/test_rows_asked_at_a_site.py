"""Check rows from end to end: the hub's own proof makes them, and a site's own runtime answers."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.frameworks.onnx_runs import ReferenceModel, RuntimeModel
from sealift_registry.proof import prove_worker
from sealift_registry.proof.chosen_check_rows import answerable
from sealift_registry.proof.proving import ProofScope, proved
from sealift_sync import answering
from sealift_sync.check_rows import differences, unpack
from sealift_sync.site.running.runtime import Runtime
from tests.registry.hub_fixture import GROUP, Acme
from tests.registry.test_letting_rows_out import lets
from tests.site_on_paper import SiteOnPaper

OTHERWISE = """import importlib.util, sys
import numpy as np

found = importlib.util.spec_from_file_location("answering", sys.argv[1])
answering = importlib.util.module_from_spec(found)
found.loader.exec_module(answering)
plain = answering._plain
answering._plain = lambda output: np.roll(plain(output), 1)
answering.main()
"""
"""A runtime that gives each row the answer of the one before it."""


@pytest.fixture
def plant(ready: Acme) -> SiteOnPaper:
    lets(ready)
    return SiteOnPaper(ready.folder / "site", datetime.now(UTC))


def configure(plant: SiteOnPaper, *runtime: str) -> None:
    settings = f"[groups.{GROUP}]\nruntime = {json.dumps(runtime)}\n"
    (plant.root / "settings.toml").write_text(settings)


def test_p0_193_rows_of_a_real_proof_are_answered_by_the_sites_own_runtime(
    ready: Acme, plant: SiteOnPaper
) -> None:
    configure(plant, sys.executable)
    (told,) = plant.take(ready.export().folder).activations
    assert told.outcome == "activated"
    assert told.checked is not None
    assert told.checked.outcome == "passed", told.checked


def test_p0_193_one_that_mixes_rows_up_is_found_out_and_the_hub_hears_of_it(
    ready: Acme, plant: SiteOnPaper, tmp_path: Path
) -> None:
    assert Path(answering.__file__).is_file()
    (tmp_path / "otherwise.py").write_text(OTHERWISE)
    configure(plant, sys.executable, str(tmp_path / "otherwise.py"))
    (told,) = plant.take(ready.export().folder).activations
    assert told.outcome == "switched-back"
    assert "did not answer as expected: row " in told.words
    accepted, refused = ready.app.returns.receive(ready.returned(plant))
    assert (len(accepted), refused) == (1, [])
    with ready.app.hub.engine.connect() as connection:
        query = "SELECT body FROM site_entry ORDER BY seq DESC LIMIT 1"
        (body,) = connection.exec_driver_sql(query).one()
    assert json.loads(body)["data"]["checked"]["outcome"] == "failed"


def squeezed(nodes: list[tuple[str, list[str], dict[str, object]]], size: list[int]) -> bytes:
    """A model of one row alone, whose answer counts no rows."""
    from onnx import TensorProto, checker, helper

    made, given = [], "x"
    for number, (kind, more, options) in enumerate(nodes):
        made.append(helper.make_node(kind, [given, *more], [f"y{number}"], **options))
        given = f"y{number}"
    weights = np.arange(12, dtype=np.float32) / 7 - 0.5
    graph = helper.make_graph(
        made,
        "squeezed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, size)],
        [
            helper.make_tensor("w", TensorProto.FLOAT, [4, 3], weights),
            helper.make_tensor("first", TensorProto.INT64, [1], [0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    "nodes, size",
    [
        ([("MatMul", ["w"], {}), ("Squeeze", ["first"], {})], [3]),
        ([("ReduceMean", [], {"keepdims": 0})], []),
    ],
    ids=["a row", "a number"],
)
def test_p0_260_an_answer_that_counts_no_rows_is_asked_as_the_proof_asked_it(
    nodes: list[tuple[str, list[str], dict[str, object]]], size: list[int], tmp_path: Path
) -> None:
    """Each of 64 rows has its answer; else every site would refuse such a model."""
    file = tmp_path / "model.onnx"
    file.write_bytes(squeezed(nodes, size))
    inputs = {"x": np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32)}
    kept: list[bytes] = []
    plan = ProofScope(b"s", check_rows=kept.append)
    found = proved(ReferenceModel(file), RuntimeModel(file), inputs, plan=plan)
    assert found.verdict == "pass"
    assert answerable(RuntimeModel(file).session, kept[0])
    content = unpack(kept[0])
    assert content.alone
    runtime = Runtime((sys.executable,), 60, dict(os.environ), tmp_path)
    assert differences(content, runtime.ask(file, content, time.monotonic() + 60).outputs) == ()


def asked_of_the_worker(file: Path, goldens: Path) -> dict[str, Any]:
    return {
        "source_format": "onnx",
        **dict.fromkeys(("source", "variant"), str(file)),
        "goldens": str(goldens),
        "elsewhere": None,
        "hardware_target": "cpu-x86_64",
        "arch": "x86_64",
        "seed": "07",
        "seconds": 30.0,
        "check_rows": True,
    }


def test_p0_261_rows_that_a_site_would_be_answered_otherwise_are_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the two ways of asking differ in, it is found before a site meets it."""
    file, goldens = tmp_path / "model.onnx", tmp_path / "goldens.npz"
    file.write_bytes(squeezed([("MatMul", ["w"], {}), ("Squeeze", ["first"], {})], [3]))
    np.savez(goldens, x=np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32))
    asked = asked_of_the_worker(file, goldens)
    assert "check_rows" in prove_worker.prove(asked, lambda *_: None)

    def as_it_was(session: Any, rows: dict[str, Any], number: int) -> list[Any]:  # noqa: ANN401 - as the original
        alone = {name: array[number : number + 1] for name, array in rows.items()}
        return [answering._plain(one) for one in session.run(None, alone)]

    monkeypatch.setattr(answering, "_row", as_it_was)
    assert "check_rows" not in prove_worker.prove(asked, lambda *_: None)
