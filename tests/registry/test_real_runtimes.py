"""Real releases of ONNX Runtime, installed as their pins say: the oldest known, and a bad one.

This takes packages from where pip finds them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_registry.catalog.reference import ModelRef
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.runtimes.environments import Environments
from sealift_registry.runtimes.piped_model import PipedModel
from sealift_registry.runtimes.ranges import Release
from sealift_registry.runtimes.releases import known
from tests.registry.hub_fixture import MODEL, Acme, founded, taken_in
from tests.registry.test_hub_cli import Capsys
from tests.registry.test_promised_runtimes import LINE, OWN, asks, evidence, refused, report
from tests.registry.test_runtimes import says

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]
__all__ = ["founded"]

OLD, BAD = "1.17.3", "1.26.0"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the releases are installed, once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _there(cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for number in (OLD, BAD):
        made = says(capsys, "add", number)
        assert made["pinned"]
        assert made["software"]["onnxruntime"] == number


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random forest of two classes as ONNX, and rows with their labels."""
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier

    folder = tmp_path_factory.mktemp("forest")
    rows, labels = make_classification(500, 8, n_informative=5, random_state=0)
    rows = rows.astype(np.float32)
    trained = RandomForestClassifier(n_estimators=10, max_depth=5, random_state=0)
    model = to_onnx(
        trained.fit(rows, labels),
        rows[:1],
        target_opset={"": 15, "ai.onnx.ml": 3},
        options={"zipmap": False},
    )
    model.ir_version = 8
    (folder / "forest.onnx").write_bytes(model.SerializeToString())
    np.savez(folder / "forest.npz", inputs=rows[:40])
    np.savez(folder / "all.npz", inputs=rows)
    return folder / "forest.onnx"


@pytest.fixture
def line(acme: Acme, forest: Path) -> Acme:
    source, ref = OnnxSource(forest), ModelRef.parse(MODEL)
    taken_in(acme.app, source, ref, forest.with_suffix(".npz"))
    return acme


def test_p0_120_they_are_there_and_start(capsys: Capsys) -> None:
    states = {one["release"]: one for one in says(capsys, "check")["releases"]}
    assert {states[OLD]["state"], states[BAD]["state"]} == {"ready"}
    assert states[OLD]["numpy"] == known().releases[OLD].numpy


def test_p0_120_the_bad_release_answers_a_forest_wrongly(cache: Path, forest: Path) -> None:
    import numpy as np

    rows = dict(np.load(forest.with_name("all.npz")))
    expected = RuntimeModel(forest).answer(rows)["label"]
    wrong = {}
    for number in (OLD, BAD):
        release = Release.parse(number)
        assert release is not None
        there = Environments(cache / "sealift/runtimes").get(release)
        assert there is not None
        model = PipedModel(number, there.interpreter, forest)
        wrong[number] = int((model.answer(rows)["label"] != expected).sum())
        model.close()
    assert wrong[OLD] == 0
    assert wrong[BAD] > 100


def test_p0_121_both_ends_run_the_proof_and_the_bad_release_is_excluded(line: Acme) -> None:
    asks(line, f">={OLD},<={OWN}")
    built = line.convert(1, LINE)
    found = report(built)
    assert [(one.release, one.verdict) for one in found.tried] == [(OLD, "pass"), (OWN, "pass")]
    assert found.tried[0].rows > 150
    assert found.tried[0].software["numpy"] == known().releases[OLD].numpy
    assert "binary forests" in found.without[BAD]
    assert str(line.folder) not in json.dumps([one.predicate.details for one in built.evidence])
    line.request(1)


def test_p0_121_the_bad_release_as_an_end_is_refused(line: Acme) -> None:
    asks(line, f">={BAD},<={OWN}")
    assert "binary forests" in refused(lambda: line.convert(1, LINE), "runtime-known-bad").what


def test_p0_121_if_nobody_knew_the_proof_would_find_it(line: Acme) -> None:
    asks(line, f">={BAD},<={OWN}")
    runtimes = line.app.runtimes
    vars(runtimes)["known"] = replace(runtimes.known, bad={})
    built = line.convert(1, LINE)
    parity, tried = evidence(built, "parity"), evidence(built)
    assert parity is not None
    assert tried is not None
    assert (parity.verdict, tried.verdict) == ("pass", "fail")
    assert [one.name for one in tried.failures] == [f"onnxruntime-{BAD}"]
    stopped = refused(lambda: line.request(1), "runtime-failed")
    assert f"failed on {BAD}" in stopped.what


def test_p0_122_without_a_network_it_is_said_that_there_is_none(tmp_path: Path) -> None:
    main = "from sealift_registry.cli import main; main()"
    command = ["unshare", "-rn", sys.executable, "-c", main, "runtime", "add"]
    given = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, "1.21.1", "--home", str(tmp_path / "no-hub"), "--json"],
        capture_output=True,
        env=given,
        check=False,
    )
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, error["code"]) == (4, "runtime-no-network")
    assert "--from" in error["next"]
    assert Environments(tmp_path / "sealift/runtimes").all() == []
