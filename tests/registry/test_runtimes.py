"""Releases of a runtime: what a range says, what is known of them, and environments of others."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.cli.run import run
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.proof.model_runs import HasBatch, HasInputs
from sealift_registry.runtimes import environments, installing
from sealift_registry.runtimes.environments import MADE, Environments
from sealift_registry.runtimes.piped_model import STARTS, PipedModel
from sealift_registry.runtimes.ranges import Promise, Release, promise
from sealift_registry.runtimes.releases import KnownReleases, known
from sealift_signing.errors import RefusedError, SealiftError
from tests import models
from tests.registry import a_runtime

NOTHING = KnownReleases({}, {}, {})
BAD = KnownReleases({}, {}, {"1.26.0": "it answers forests wrongly"})
Capsys = pytest.CaptureFixture[str]


def release(text: str) -> Release:
    found = Release.parse(text)
    assert found is not None
    return found


def promised(asked: str, about: KnownReleases = NOTHING) -> Promise:
    return promise("line", asked, release("1.31.1"), about)


def refused(action: Callable[[], object], code: str) -> SealiftError:
    with pytest.raises(SealiftError) as caught:
        action()
    assert caught.value.code == code, caught.value
    assert caught.value.advice
    return caught.value


# -------------------------------------------------------------------- what is promised


@pytest.mark.parametrize(
    "asked, ends",
    [
        ("installed", ["1.31.1"]),
        ("==1.17.3", ["1.17.3"]),
        (">=1.17.3,<=1.31.1", ["1.17.3", "1.31.1"]),
        ("<=1.31.1, >=1.9.0", ["1.9.0", "1.31.1"]),
        (">=1.17,<=1.17.0", ["1.17.0"]),
        (">=1.17.3,!=1.26.0,<=1.31.1", ["1.17.3", "1.31.1"]),
    ],
)
def test_p0_100_a_range_has_two_ends(asked: str, ends: list[str]) -> None:
    found = promised(asked)
    assert [str(one) for one in found.ends] == ends
    assert found.asked == asked


@pytest.mark.parametrize(
    "asked, why",
    [
        (">=1.17", "it has no two ends"),
        ("<=1.31.1", "it has no two ends"),
        ("==1.17.3,<=1.31.1", "it has no two ends"),
        (">=1.17.3,>=1.18.0,<=1.31.1", "it has no two ends"),
        (">=1.31.1,<=1.17.3", "its oldest release is newer than its newest"),
        (">=1.17.3,<=1.31.1,!=1.31.1", "it leaves out one of its own ends"),
        (">1.17.3,<=1.31.1", "“>1.17.3” is not a release"),
        ("~=1.17", "is not a release"),
        (">=1.17.3;<=1.31.1", "is not a release"),
        ("", "is not a release"),
        ("1.17.3", "1.17.3 is not a release"),
        (">=1.17.3rc1,<=1.31.1", "is not a release"),
        (">=01.17.3,<=1.31.1", "is not a release"),
    ],
)
def test_p0_100_what_has_no_two_ends_is_refused_by_name(asked: str, why: str) -> None:
    bad = refused(lambda: promised(asked), "runtime-range")
    assert bad.what.startswith("The hardware target line asks for onnxruntime ")
    assert why in bad.what
    assert ">=1.17.3,<=1.31.1" in bad.advice


def test_p0_101_a_bad_release_between_the_ends_is_excluded_with_its_reason() -> None:
    found = promised(">=1.17.3,!=1.20.0,<=1.31.1", BAD)
    assert {str(one): why for one, why in found.without.items()} == {
        "1.20.0": "line leaves it out",
        "1.26.0": "it answers forests wrongly",
    }
    assert promised(">=1.17.3,<=1.25.0", BAD).without == {}


@pytest.mark.parametrize("asked", [">=1.26.0,<=1.31.1", ">=1.17.3,<=1.26", "==1.26.0"])
def test_p0_101_a_bad_release_at_an_end_is_refused(asked: str) -> None:
    bad = refused(lambda: promised(asked, BAD), "runtime-known-bad")
    assert "1.26.0 as an end" in bad.what
    assert "it answers forests wrongly" in bad.what


def test_p0_101_so_is_the_installed_one() -> None:
    refused(lambda: promise("line", "installed", release("1.26.0"), BAD), "runtime-known-bad")


# -------------------------------------------------------------------- what is known


def test_p0_102_what_comes_with_sealift() -> None:
    ours = known()
    own = environments.own()
    assert str(own) in ours.releases, "the release that is installed with Sealift"
    assert ours.releases["1.17.3"].numpy.startswith("1.")
    assert "binary forests" in ours.bad["1.26.0"]
    for pins in ours.releases.values():
        assert pins.sha256
        assert ours.numpy[pins.numpy]
    assert ours.of("1.17.3") == ours.releases["1.17.3"]
    assert ours.of("1.17") is None


def test_p0_102_the_pinned_release_is_the_installed_one_of_the_requirements() -> None:
    pinned = Path(__file__).parents[2] / "requirements/demo.txt"
    assert f"\nonnxruntime=={environments.own()} " in pinned.read_text()


def told(home: Path, name: str, text: str) -> KnownReleases:
    (home / "runtimes").mkdir(exist_ok=True)
    (home / "runtimes" / name).write_text(text)
    return known(home)


def test_p0_103_a_hub_adds_bad_releases_and_pins_of_its_own(tmp_path: Path) -> None:
    more = '[[onnxruntime]]\nrelease = "1.22.0"\nreason = "our camera line saw it hang"\n'
    found = told(tmp_path, "known-bad.toml", more)
    assert found.bad["1.22.0"] == "our camera line saw it hang"
    assert "1.26.0" in found.bad
    assert promised(">=1.21.1,<=1.23.0", found).without == {
        release("1.22.0"): "our camera line saw it hang"
    }
    digest = "a" * 64
    found = told(
        tmp_path,
        "releases.toml",
        f'[onnxruntime."1.22.0"]\nnumpy = "2.2.6"\nir = 10\nopsets = {{}}\nsha256 = ["{digest}"]\n',
    )
    assert found.releases["1.22.0"].sha256 == (digest,)
    assert "1.17.3" in found.releases


@pytest.mark.parametrize(
    "name, text, why",
    [
        ("known-bad.toml", "[[onnxruntime", "known-bad.toml is not understood"),
        ("known-bad.toml", '[[onnxruntime]]\nrelease = "1.2.3"\n', "lacks 'reason'"),
        ("known-bad.toml", "[[tensorrt]]\n", "'tensorrt' that is not known"),
        ("releases.toml", '[onnxruntime."1.2.3"]\nnumpy = "2.2.6"\n', "lacks"),
        (
            "releases.toml",
            '[onnxruntime."1.2.3"]\nnumpy = "9.9"\nir = 1\nopsets = {}\nsha256 = []\n',
            "it names NumPy 9.9 and no sha256 of it",
        ),
    ],
)
def test_p0_103_a_file_that_is_not_understood(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    bad = refused(lambda: told(tmp_path, name, text), "runtime-data-malformed")
    assert why in bad.what


# -------------------------------------------------------------------- a model, here and elsewhere


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return models.tiny_onnx(tmp_path / "tiny.onnx")


Either = RuntimeModel | PipedModel


@pytest.fixture(params=["here", "elsewhere"])
def model(request: pytest.FixtureRequest, tiny: Path) -> Iterator[Either]:
    """One contract: Sealift's own runtime, and the same in a process of another interpreter."""
    if request.param == "here":
        yield RuntimeModel(tiny)
        return
    made = PipedModel("1.31.1", Path(sys.executable), tiny)
    yield made
    made.close()


def test_p0_104_a_model_elsewhere_answers_as_one_here(model: Either, tiny: Path) -> None:
    assert isinstance(model, HasInputs)
    assert isinstance(model, HasBatch)
    assert dict(model.inputs) == {"X": "tensor(float)"}
    assert model.batch is None
    rows = np.random.default_rng(1).normal(size=(50, 4))
    expected = RuntimeModel(tiny).answer({"inputs": rows})
    for _ in range(3):  # the process is kept for many batches
        found = model.answer({"inputs": rows})
        assert list(found) == ["label", "probabilities"]
        for name, one in expected.items():
            assert found[name].dtype == one.dtype
            np.testing.assert_array_equal(found[name], one)
    assert model.answer({"X": rows[:0].astype(np.float32)})["label"].shape == (0,)
    assert model.facts().trees == ()


def test_p0_104_what_does_not_fit_is_refused_and_the_next_rows_are_answered(
    model: Either,
) -> None:
    with pytest.raises(RefusedError) as caught:
        model.answer({"inputs": np.zeros((3, 7))})
    assert caught.value.code == "goldens-unfit"
    with pytest.raises(RefusedError) as caught:
        model.answer({"Y": np.zeros((3, 4)), "Z": np.zeros((3, 4))})
    assert caught.value.code == "goldens-inputs"
    assert model.answer({"inputs": np.zeros((3, 4))})["label"].shape == (3,)


def test_p0_104_labels_of_text_and_maps_come_back_as_arrays(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    scores = helper.make_node("Gemm", ["file", "W"], ["scores"])
    zipmap = helper.make_node(
        "ZipMap", ["scores"], ["names/1"], domain="ai.onnx.ml", classlabels_strings=["b", "a"]
    )
    best = helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0)
    text = helper.make_node(
        "LabelEncoder",
        ["best"],
        ["text"],
        domain="ai.onnx.ml",
        keys_int64s=[0, 1],
        values_strings=["bä", "a"],
    )
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(
            TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        )
    )
    graph = helper.make_graph(
        [scores, zipmap, best, text],
        "it",
        [helper.make_tensor_value_info("file", TensorProto.FLOAT, ["rows", 2])],
        [
            helper.make_tensor_value_info("text", TensorProto.STRING, ["rows"]),
            helper.make_value_info("names/1", kind),
        ],
        [helper.make_tensor("W", TensorProto.FLOAT, [2, 2], [1, 0, 0, 1])],
    )
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
    path = tmp_path / "text.onnx"
    path.write_bytes(
        helper.make_model(graph, ir_version=8, opset_imports=opsets).SerializeToString()
    )
    rows = {"file": np.array([[1.0, 2.0], [4.0, 3.0]], dtype=np.float32)}
    made = PipedModel("1.31.1", Path(sys.executable), path)
    found, here = made.answer(rows), RuntimeModel(path).answer(rows)
    made.close()
    assert found["text"].tolist() == here["text"].tolist() == ["a", "bä"]
    assert found["names/1"].tolist() == here["names/1"].tolist() == [[2.0, 1.0], [3.0, 4.0]]


def test_p0_105_a_release_that_cannot_load_the_model_is_told_by_name(
    tmp_path: Path, tiny: Path
) -> None:
    python = a_runtime.python_of(tmp_path / "old", "1.17.3", "refuses")
    bad = refused(lambda: PipedModel("1.17.3", python, tiny), "runtime-refuses")
    assert bad.what.startswith("onnxruntime 1.17.3 cannot load tiny.onnx: ")
    assert "max supported IR version: 9" in bad.what


def test_p0_105_one_that_crashes_is_started_again_so_often_and_no_more(
    tmp_path: Path, tiny: Path
) -> None:
    python = a_runtime.python_of(tmp_path / "old", "1.17.3", "crashes")
    model = PipedModel("1.17.3", python, tiny)
    for _ in range(STARTS):
        bad = refused(lambda: model.answer({"inputs": np.zeros((3, 4))}), "runtime-crashed")
        assert "onnxruntime 1.17.3 ended with status 3" in bad.what
    bad = refused(lambda: model.answer({"inputs": np.zeros((3, 4))}), "runtime-crashed")
    assert "again and again" in bad.what


def test_p0_105_no_such_interpreter_is_a_sentence(tmp_path: Path, tiny: Path) -> None:
    gone = tmp_path / "gone" / "python"
    bad = refused(lambda: PipedModel("1.17.3", gone, tiny), "runtime-crashed")
    assert str(tmp_path) not in bad.what


def test_p0_105_it_ends_with_whoever_asked(tiny: Path) -> None:
    script = (
        "import sys, os, pathlib\n"
        "from sealift_registry.runtimes.piped_model import PipedModel\n"
        f"made = PipedModel('it', pathlib.Path(sys.executable), pathlib.Path({str(tiny)!r}))\n"
        "print(made._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    for _ in range(200):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return
        if state == "Z":
            return
        signal.sigtimedwait([], 0.05)
    pytest.fail("it is still there")


def test_p0_105_the_answering_file_needs_nothing_of_sealift() -> None:
    """It runs where NumPy and ONNX Runtime are, and no more."""
    import ast

    from sealift_registry.runtimes import answer_process

    tree = ast.parse(Path(answer_process.__file__).read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"numpy", "onnxruntime"}


# -------------------------------------------------------------------- environments of others


def wheel(folder: Path, name: str, number: str, body: str = "", tag: str = "py3-none-any") -> Path:
    """A wheel of one module that knows its number."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{number}-{tag}.whl"
    info = f"{name}-{number}.dist-info"
    texts = {
        f"{name}/__init__.py": f"__version__ = {number!r}\n{body}",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    lines = []
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in texts.items():
            archive.writestr(zipfile.ZipInfo(file), text)
            digest = hashlib.sha256(text.encode()).digest()
            coded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            lines.append(f"{file},sha256={coded},{len(text.encode())}\n")
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "".join([*lines, f"{info}/RECORD,,\n"]))
    return path


def house(folder: Path, number: str = "1.21.1", body: str = "", numpy: str = "2.2.6") -> Path:
    """A wheelhouse with a release of ONNX Runtime and a NumPy; both are empty."""
    wheel(folder, "onnxruntime", number, body)
    wheel(folder, "numpy", numpy)
    return folder


def pinned(house: Path, number: str = "1.21.1") -> KnownReleases:
    """What is known, with the pins of the wheels in `house`."""
    digests = {
        one.name.partition("-")[0]: (hashlib.sha256(one.read_bytes()).hexdigest(),)
        for one in house.iterdir()
    }
    ours = known()
    pins = ours.releases["1.21.1"]
    mine = {number: type(pins)(pins.numpy, 10, pins.opsets, digests["onnxruntime"])}
    return KnownReleases({**ours.releases, **mine}, {pins.numpy: digests["numpy"]}, {})


@pytest.fixture
def where(tmp_path: Path) -> Environments:
    return Environments(tmp_path / "cache")


def add(
    where: Environments, number: str, about: KnownReleases, wheelhouse: Path | None
) -> tuple[environments.Environment, bool]:
    return installing.add(where, release(number), about, wheelhouse, lambda *_: None)


def test_p0_106_an_environment_is_made_by_hashes_and_then_there(
    where: Environments, tmp_path: Path
) -> None:
    wheels = house(tmp_path / "wheels")
    made, new = add(where, "1.21.1", pinned(wheels), wheels)
    assert new
    assert made.pinned
    assert made.software["onnxruntime"] == "1.21.1"
    assert made.software["numpy"] == "2.2.6"
    digest = hashlib.sha256((wheels / "numpy-2.2.6-py3-none-any.whl").read_bytes()).hexdigest()
    assert made.wheels["numpy"] == digest
    assert where.all() == [made]
    again, new = add(where, "1.21.1", pinned(wheels), wheels)
    assert (again, new) == (made, False)
    assert not list(made.folder.glob("pip-*"))
    done = subprocess.run(
        [made.interpreter, "-c", "import sealift_registry"], capture_output=True, check=False
    )
    assert b"No module named 'sealift_registry'" in done.stderr


def test_p0_106_a_wheel_that_is_not_the_pinned_one_is_not_installed(
    where: Environments, tmp_path: Path
) -> None:
    wheels = house(tmp_path / "wheels")
    about = pinned(wheels)
    wheel(wheels, "onnxruntime", "1.21.1", body="print('other')\n")
    bad = refused(lambda: add(where, "1.21.1", about, wheels), "runtime-wheel-differs")
    assert "onnxruntime 1.21.1" in bad.what
    assert where.get(release("1.21.1")) is None


@pytest.mark.parametrize("number, numpy", [("1.25.0", "2.2.6"), ("1.15.0", "1.26.4")])
def test_p0_106_a_release_of_which_nothing_is_known_comes_from_a_wheelhouse_alone(
    where: Environments, tmp_path: Path, number: str, numpy: str
) -> None:
    bad = refused(lambda: add(where, number, known(), None), "runtime-release-unknown")
    assert "1.17.3" in bad.what
    wheels = house(tmp_path / "wheels", number, numpy=numpy)
    wheel(wheels, "numpy", "2.3.0")
    made, new = add(where, number, known(), wheels)
    assert (new, made.pinned) == (True, False)
    expected = "2.3.0" if number == "1.25.0" else "1.26.4"
    assert made.software["numpy"] == expected, "an old release needs a NumPy of before 2"


def test_p0_107_there_is_no_wheel_for_this_python(where: Environments, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheel(wheels, "onnxruntime", "1.25.0", tag="cp27-none-any")
    wheel(wheels, "numpy", "2.2.6")
    bad = refused(lambda: add(where, "1.25.0", known(), wheels), "runtime-no-wheel")
    assert f"Python {sys.version_info[0]}.{sys.version_info[1]} on " in bad.what
    refused(lambda: add(where, "1.25.0", known(), tmp_path / "none"), "no-wheelhouse")


def test_p0_107_what_does_not_start_is_no_environment(where: Environments, tmp_path: Path) -> None:
    body = "raise ImportError('A module that was compiled using NumPy 1.x cannot be run')\n"
    wheels = house(tmp_path / "wheels", "1.25.0", body)
    bad = refused(lambda: add(where, "1.25.0", known(), wheels), "runtime-broken")
    assert "onnxruntime 1.25.0 does not start" in bad.what
    assert "compiled using NumPy 1.x" in bad.what
    assert "sealift runtime add 1.25.0" in bad.advice
    assert where.get(release("1.25.0")) is None
    assert where.half_made() == [release("1.25.0")]


def test_p0_107_what_calls_itself_something_else_is_none(
    where: Environments, tmp_path: Path
) -> None:
    wheels = house(tmp_path / "wheels", "1.25.0", "__version__ = '1.24.0'\n")
    bad = refused(lambda: add(where, "1.25.0", known(), wheels), "runtime-not-installed")
    assert "1.24.0" in bad.what
    assert where.all() == []


NO_NETWORK = """\
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'
ERROR: Could not find a version that satisfies onnxruntime==1.17.3 (from versions: none)
ERROR: No matching distribution found for onnxruntime==1.17.3
"""
NEARLY_NO_NETWORK = NO_NETWORK.replace("versions: none", "versions: 1.30.0")
"""Some lie on this machine."""
CUT_OFF = """\
WARNING: Connection timed out while downloading, and connection broken by 'ReadTimeoutError'
ERROR: Could not install packages due to an OSError: the connection ended
"""
NO_WHEEL = """\
ERROR: Could not find a version that satisfies onnxruntime==1.17.3 (from versions: 1.20.0, 1.31.1)
ERROR: No matching distribution found for onnxruntime==1.17.3
"""
NO_SPACE = "ERROR: Could not install packages due to an OSError: No space left\n"


@pytest.mark.parametrize(
    "said, code",
    [
        (NO_NETWORK, "runtime-no-network"),
        (NEARLY_NO_NETWORK, "runtime-no-network"),
        (CUT_OFF, "runtime-no-network"),
        (NO_WHEEL, "runtime-no-wheel"),
        (NO_SPACE, "runtime-not-installed"),
    ],
)
def test_p0_107_what_pip_says_becomes_a_sentence(said: str, code: str) -> None:
    bad = installing._refused(said, release("1.17.3"), None)
    assert bad.code == code
    assert "onnxruntime" in bad.what
    assert bad.advice


def test_p0_108_a_half_made_one_is_not_taken_for_one_and_is_made_anew(
    where: Environments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes it is killed at each step."""
    wheels = house(tmp_path / "wheels")
    about = pinned(wheels)
    stops = ("venv.create", "_installed", "environments.software_of", "durable.write")
    for step in stops:

        def stopped(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(f"sealift_registry.runtimes.installing.{step}", stopped)
            with pytest.raises(KeyboardInterrupt):
                add(where, "1.21.1", about, wheels)
        assert where.get(release("1.21.1")) is None
        assert where.all() == []
    left = where.place(release("1.21.1")) / "left"
    left.write_text("by whoever was killed")
    made, new = add(where, "1.21.1", about, wheels)
    assert new
    assert not left.exists()
    (made.folder / MADE).write_text('{"software": ')
    assert where.get(release("1.21.1")) is None


def test_p0_108_two_at_once(where: Environments, tmp_path: Path) -> None:
    wheels = house(tmp_path / "wheels")
    where.folder.mkdir()
    place = where.place(release("1.21.1"))
    with place.with_name(f"{place.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused(lambda: add(where, "1.21.1", pinned(wheels), wheels), "runtime-busy")
    assert add(where, "1.21.1", pinned(wheels), wheels)[1]


def test_p0_109_they_lie_in_the_users_cache_and_never_in_a_home(tmp_path: Path) -> None:
    given = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert Environments.located(given).folder == tmp_path / "cache/sealift/runtimes"
    assert Environments.located({}).folder == Path.home() / ".cache/sealift/runtimes"
    refused(lambda: Environments.located(given, tmp_path), "runtime-cache-in-home")


# -------------------------------------------------------------------- commands


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def says(capsys: Capsys, *words: object, code: int = 0) -> Any:  # noqa: ANN401 - an answer
    capsys.readouterr()
    found = run(["runtime", *map(str, words), "--home", "no-hub-is-there", "--json"])
    out, err = capsys.readouterr()
    assert found == code, err
    return json.loads(out or err)


def test_p0_110_add_list_and_check_without_a_hub(
    cache: Path, tmp_path: Path, capsys: Capsys
) -> None:
    wheels = house(tmp_path / "wheels", "1.25.0")
    made = says(capsys, "add", "1.25.0", "--from", wheels)
    assert made["schema"] == "sealift/runtime-add/1"
    assert (made["release"], made["new"], made["pinned"]) == ("1.25.0", True, False)
    assert not says(capsys, "add", "1.25.0", "--from", wheels)["new"]
    own = environments.own()
    assert not says(capsys, "add", own)["new"]
    states = {one["release"]: one for one in says(capsys, "list")["releases"]}
    assert states["1.25.0"]["state"] == "ready"
    assert states["1.17.3"]["state"] == "can be added"
    assert states[str(own)]["state"] == "came with Sealift"
    assert "binary forests" in states["1.26.0"]["known_bad"]
    checked = says(capsys, "check")
    assert {one["hardware_target"] for one in checked["promises"]} == {"cpu-aarch64", "cpu-x86_64"}
    assert all(one["ends"][0]["can_be_tried"] for one in checked["promises"])
    assert str(cache) not in json.dumps(checked)


def test_p0_110_check_tells_what_does_not_start(
    cache: Path, tmp_path: Path, capsys: Capsys
) -> None:
    wheels = house(tmp_path / "wheels", "1.25.0")
    says(capsys, "add", "1.25.0", "--from", wheels)
    (found,) = cache.glob("sealift/runtimes/*/lib/python3*/site-packages/onnxruntime/__init__.py")
    found.write_text("raise RuntimeError('gone')\n")
    capsys.readouterr()
    code = run(["runtime", "check", "--home", "no-hub-is-there"])
    out, err = capsys.readouterr()
    assert code == 4
    assert "does not start: add it again" in out
    assert "The environment of onnxruntime 1.25.0 does not start: “gone”." in err
    made = says(capsys, "add", "1.25.0", "--from", wheels)
    assert made["new"], "what does not start any more is made anew"


@pytest.mark.parametrize("text", ["latest", "1", "1.2.3.4", "../1.2.3", "", "-1.2"])
def test_p0_110_what_is_no_release(cache: Path, capsys: Capsys, text: str) -> None:
    words = ("add", "--", text) if text.startswith("-") else ("add", text)
    capsys.readouterr()
    code = run(["runtime", *words[:1], "--home", "no-hub", "--json", *words[1:]])
    error = json.loads(capsys.readouterr().err)["error"]
    assert (code, error["code"]) == (2, "bad-release")


@pytest.mark.parametrize("file", [{}, {"archive_info": {}}, {"archive_info": {"hashes": {}}}])
def test_p0_110_a_wheel_of_which_pip_says_nothing_is_not_taken_in(
    tmp_path: Path, file: dict[str, Any]
) -> None:
    report = tmp_path / "report.json"
    said = {"metadata": {"name": "onnxruntime"}, "download_info": file}
    report.write_text(json.dumps({"install": [said]}))
    with pytest.raises(SealiftError, match="does not say which wheel of onnxruntime") as caught:
        installing._wheels(report)
    assert caught.value.code == "runtime-no-hash"


def test_p0_110_nothing_names_where_packages_come_from() -> None:
    folder = Path(installing.__file__).parent
    for file in (*folder.glob("*.py"), *folder.glob("*.toml")):
        assert "://" not in file.read_text(), file
