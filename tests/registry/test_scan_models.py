"""The scanner on real and on hostile models, each in its subprocess."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto

from sealift_registry.frameworks import onnx_graph
from sealift_registry.intake.incoming_folder import take_stock
from sealift_registry.intake.scan import WORKER, ScanReport, scan
from sealift_registry.workers.runner import WorkerLimits
from sealift_signing import shape
from sealift_signing.errors import FailedError, RefusedError
from tests.benchmarks import weights


def silent(_path: str, _done: int, _total: int) -> None: ...


def scanned(folder: Path) -> ScanReport:
    return scan(folder, tuple(take_stock(folder, silent)))


def refused(folder: Path) -> RefusedError:
    report = scanned(folder)
    refusal = report.refusal()
    assert refusal is not None
    assert report.verdict == "fail"
    return refusal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


# -------------------------------------------------------------------- what passes


@pytest.mark.parametrize(
    "name, model_format, last",
    [
        ("tiny.onnx", "onnx", "onnx-checker"),
        ("logreg.skops", "skops", "skops-types"),
        ("xgboost.ubj", "xgboost-ubj", "xgboost-model"),
        ("xgboost.json", "xgboost-json", "xgboost-model"),
        ("lightgbm.txt", "lightgbm", "lightgbm-model"),
    ],
)
def test_real_models_pass(
    trained: Callable[[str], Path], folder: Path, name: str, model_format: str, last: str
) -> None:
    shutil.copy(trained(name), folder / "model")
    (folder / "README.md").write_text("A model.")
    report = scanned(folder)
    assert (report.verdict, report.model_format) == ("pass", model_format)
    assert report.refusal() is None
    assert report.model_files == ("model",)
    assert report.checks[-1].name == last
    assert {file.path for file in report.files} == {"model", "README.md"}
    assert report.tools["sealift-registry"]
    assert shape.read(ScanReport, shape.write(report), what="it") == report


def test_safetensors_in_two_parts(folder: Path) -> None:
    for part in ("one", "two"):
        _safetensors(folder / f"{part}.safetensors", {"w": _tensor(0, 8)}, bytes(8))
    (folder / "config.json").write_text("{}")
    report = scanned(folder)
    assert report.verdict == "pass"
    assert report.model_files == ("one.safetensors", "two.safetensors")


def test_external_data_in_the_folder(trained: Callable[[str], Path], folder: Path) -> None:
    _external(trained("tiny.onnx"), folder, "weights.bin")
    report = scanned(folder)
    assert report.refusal() is None
    assert report.data_files == ("weights.bin",)


def test_functions_of_the_model_itself(trained: Callable[[str], Path], folder: Path) -> None:
    _with_node(trained("tiny.onnx"), folder / "model.onnx", "own.domain", "Same", own=True)
    assert scanned(folder).refusal() is None


# -------------------------------------------------------------------- what is refused


def test_nothing_at_all(folder: Path) -> None:
    assert refused(folder).code == "scan-format"


def test_a_pickle_says_why_and_what_to_do(folder: Path) -> None:
    import joblib  # type: ignore[import-untyped]

    joblib.dump({"weights": [1]}, folder / "model.onnx", compress=("zlib", 3))
    refusal = refused(folder)
    assert refusal.code == "scan-pickle"
    assert refusal.subject == "model.onnx"
    assert "runs whatever code its author put in" in refusal.what
    assert "skops" in refusal.next_step


def test_a_pickle_beside_a_good_model(trained: Callable[[str], Path], folder: Path) -> None:
    import joblib

    for good in ("tiny.onnx", "xgboost.ubj"):
        shutil.copy(trained(good), folder)
        joblib.dump({"weights": [1]}, folder / "preprocessor.bin")
        refusal = refused(folder)
        assert refusal.subject == "preprocessor.bin"
        assert "is a pickle" in refusal.what
        (folder / good).unlink()


def test_a_stranger_is_refused_by_name(trained: Callable[[str], Path], folder: Path) -> None:
    for good in ("tiny.onnx", "xgboost.ubj"):
        shutil.copy(trained(good), folder)
        (folder / "setup.py").write_text("import os")
        assert refused(folder).subject == "setup.py"
        (folder / good).unlink()


def test_a_side_file_of_other_content(trained: Callable[[str], Path], folder: Path) -> None:
    shutil.copy(trained("tiny.onnx"), folder)
    (folder / "config.json").write_bytes(b"\x00")
    refusal = refused(folder)
    assert (refusal.code, refusal.subject) == ("scan-side-files", "config.json")


def test_two_models(trained: Callable[[str], Path], folder: Path) -> None:
    shutil.copy(trained("tiny.onnx"), folder)
    shutil.copy(trained("xgboost.ubj"), folder)
    assert "more than one model" in refused(folder).what


def test_an_unknown_operator_domain(trained: Callable[[str], Path], folder: Path) -> None:
    _with_node(trained("tiny.onnx"), folder / "model.onnx", "com.example", "Backdoor")
    refusal = refused(folder)
    assert refusal.code == "scan-operator-domains"
    assert refusal.subject == "com.example.Backdoor"


def test_an_unknown_operator_in_a_subgraph(trained: Callable[[str], Path], folder: Path) -> None:
    _with_branch(trained("tiny.onnx"), folder / "model.onnx")
    assert refused(folder).subject == "com.example.Backdoor"


def test_an_unknown_operator_of_a_known_domain(
    trained: Callable[[str], Path], folder: Path
) -> None:
    _with_node(trained("tiny.onnx"), folder / "model.onnx", "", "NoSuchOperator")
    refusal = refused(folder)
    assert refusal.code == "scan-onnx-checker"
    assert "NoSuchOperator" in refusal.what


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret", "..\\secret"])
def test_external_data_from_elsewhere(
    trained: Callable[[str], Path], folder: Path, location: str
) -> None:
    (folder.parent / "secret").write_bytes(bytes(1000))
    _external(trained("tiny.onnx"), folder, "weights.bin", location)
    refusal = refused(folder)
    assert refusal.code == "scan-external-data"
    assert refusal.subject == location


def test_t1_09_external_data_that_is_a_pickle_too(
    trained: Callable[[str], Path], folder: Path
) -> None:
    """It was taken: raw numbers may look like anything, but they call nothing."""
    _external(trained("tiny.onnx"), folder, "weights.bin")
    data = folder / "weights.bin"
    code = b"cbuiltins\nlist\n)R."
    data.write_bytes(code + data.read_bytes()[len(code) :])
    refusal = refused(folder)
    assert (refusal.code, refusal.subject) == ("scan-one-format", "weights.bin")


PACKED = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("code", [b"cbuiltins\nlist\n)R.", pickle.dumps(["a"], 4)])
@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_t1_64_external_data_that_is_a_compressed_pickle(
    trained: Callable[[str], Path], folder: Path, packed: Callable[[bytes], bytes], code: bytes
) -> None:
    """`joblib.load` decompresses whatever it is given, and unpickles that."""
    _external(trained("tiny.onnx"), folder, "weights.bin")
    data = folder / "weights.bin"
    hidden = packed(code)
    data.write_bytes(hidden + data.read_bytes() * 9)
    refusal = refused(folder)
    assert (refusal.code, refusal.subject) == ("scan-one-format", "weights.bin")


def test_t1_09_a_model_that_is_an_archive_too(trained: Callable[[str], Path], folder: Path) -> None:
    """An archive is read from its end, which here is a field that nobody looks at."""
    content = trained("tiny.onnx").read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("archive/data.pkl", b"cposix\nsystem\n")
    hidden = archive.getvalue()
    key = bytes([6 << 3 | 2, len(hidden) & 0x7F | 0x80, len(hidden) >> 7])  # doc_string
    (folder / "model.onnx").write_bytes(content + key + hidden)
    assert zipfile.is_zipfile(folder / "model.onnx")
    assert refused(folder).code == "scan-one-format"


@pytest.mark.parametrize("at", [0, 512, 4096, 8192])
def test_t1_92_external_data_that_is_hdf5_too(
    trained: Callable[[str], Path], folder: Path, at: int
) -> None:
    """A Keras model in HDF5 may hold code; HDF5's readers look for it at 0, 512, 1024 and so on.

    Behind the page that our own variants' data begins with, a tensor lies at 4096.
    """
    _external(trained("tiny.onnx"), folder, "weights.bin")
    data = folder / "weights.bin"
    content = data.read_bytes().ljust(at, b"\0")
    data.write_bytes(content[:at] + b"\x89HDF\r\n\x1a\n" + content[at:])
    refusal = refused(folder)
    assert (refusal.code, refusal.subject) == ("scan-one-format", "weights.bin")


def test_t1_93_a_model_that_is_a_tar_too(trained: Callable[[str], Path], folder: Path) -> None:
    """torch.load opens a file as an archive of its first kind, and unpickles what lies in it."""
    member = tarfile.TarInfo("n")
    member.size = 1
    header = bytearray(member.tobuf(tarfile.USTAR_FORMAT))
    # It begins as ONNX does: the version of the format, then a text of what is left of the header.
    header[:5] = bytes([1 << 3, 8, 2 << 3 | 2, 0x80 | (1024 - 5) & 0x7F, (1024 - 5) >> 7])
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(b" " * 8) + sum(header[156:]))
    rest = onnx.load(trained("tiny.onnx"))
    rest.ClearField("ir_version")
    rest.ClearField("producer_name")
    path = folder / "model.onnx"
    path.write_bytes(bytes(header).ljust(1024, b"\0") + rest.SerializeToString())
    assert tarfile.is_tarfile(path)
    assert onnx.load(path).ir_version == 8
    assert refused(folder).code == "scan-one-format"


@pytest.mark.parametrize("name", ["a.onnx", "weights.ONNX"])
def test_p0_274_external_data_that_is_called_as_a_model_is(
    trained: Callable[[str], Path], folder: Path, name: str
) -> None:
    """It would be taken for the model where files are told by their endings: at sites, too."""
    _external(trained("tiny.onnx"), folder, name)
    refusal = refused(folder)
    assert refusal.code == "scan-external-data"
    assert f"The model's external data lies in {name}" in refusal.what


def test_external_data_that_is_not_there(trained: Callable[[str], Path], folder: Path) -> None:
    _external(trained("tiny.onnx"), folder, "weights.bin")
    (folder / "weights.bin").unlink()
    assert refused(folder).code == "scan-external-data"


def test_external_data_that_is_too_short(trained: Callable[[str], Path], folder: Path) -> None:
    _external(trained("tiny.onnx"), folder, "weights.bin")
    (folder / "weights.bin").write_bytes(bytes(4))
    assert refused(folder).subject == "weights.bin"


@pytest.mark.parametrize("missing", [0, 1])
def test_external_data_of_which_nobody_says_how_much_it_is(
    folder: Path, tmp_path: Path, missing: int
) -> None:
    """Its shape does: many programs write no length, and one that is shorter is found too late."""
    made = weights.make(tmp_path / "made", [weights.ROW * 3] * 5)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    file = folder / "weights-00002-of-00005.bin"
    file.write_bytes(file.read_bytes()[: file.stat().st_size - missing])
    if missing:
        assert refused(folder).subject == file.name
        return
    (check,) = (one for one in scanned(folder).checks if one.name == "external-data")
    assert check.words == (
        "All external tensors lie in the model's folder: weights-00000-of-00005.bin, "
        "weights-00001-of-00005.bin, weights-00002-of-00005.bin and 2 more files."
    )


def test_every_type_that_onnx_knows_has_its_size() -> None:
    """Of the two that have six bits, no runtime here says how they lie in a file."""
    known = {kind for name, kind in TensorProto.DataType.items() if "FLOAT6" not in name}
    assert known - onnx_graph.BITS.keys() == {TensorProto.UNDEFINED, TensorProto.STRING}


def test_an_untrusted_skops_type_is_named(trained: Callable[[str], Path], folder: Path) -> None:
    shutil.copy(trained("untrusted.skops"), folder)
    refusal = refused(folder)
    assert refusal.code == "scan-skops-types"
    assert refusal.subject.endswith("predictor.TreePredictor")
    assert "answers of the trained model itself" in refusal.next_step


def test_a_skops_file_that_names_a_function(trained: Callable[[str], Path], folder: Path) -> None:
    _edit_schema(trained("logreg.skops"), folder / "model.skops", "os", "system")
    refusal = refused(folder)
    assert refusal.code == "scan-skops-types"
    assert "system" in refusal.subject


def test_a_skops_archive_with_a_passenger(trained: Callable[[str], Path], folder: Path) -> None:
    shutil.copy(trained("logreg.skops"), folder / "model.skops")
    with zipfile.ZipFile(folder / "model.skops", "a") as archive:
        archive.writestr("run.sh", "#!/bin/sh")
    refusal = refused(folder)
    assert refusal.code == "scan-skops-archive"
    assert "run.sh" in refusal.what


@pytest.mark.parametrize("name", ["xgboost.ubj", "xgboost.json", "lightgbm.txt", "logreg.skops"])
def test_models_that_are_cut_off(trained: Callable[[str], Path], folder: Path, name: str) -> None:
    content = trained(name).read_bytes()
    (folder / name).write_bytes(content[: len(content) * 2 // 3])
    try:
        assert refused(folder).subject == name
    except FailedError as crashed:  # native code met bytes it did not expect: nothing was let in
        assert crashed.code == "worker-crashed"  # noqa: PT017 - either is closed


@pytest.mark.parametrize(
    "tensors, data",
    [
        ({"w": ("F32", [3], 0, 8)}, 8),
        ({"w": ("F32", [2], 0, 8)}, 9),
        ({"w": ("F32", [2], 0, 8), "v": ("F32", [2], 4, 12)}, 12),
        ({"w": ("F32", [2], 8, 16)}, 16),
        ({"w": ("F32", [-2], 0, -8)}, 0),
        ({"w": ("PY", [2], 0, 8)}, 8),
    ],
)
def test_safetensors_headers_that_lie(
    folder: Path, tensors: dict[str, tuple[str, list[int], int, int]], data: int
) -> None:
    header = {
        name: {"dtype": dtype, "shape": lengths, "data_offsets": [begin, end]}
        for name, (dtype, lengths, begin, end) in tensors.items()
    }
    _safetensors(folder / "model.safetensors", header, bytes(data))
    assert refused(folder).code == "scan-safetensors-header"


# -------------------------------------------------------------------- failing closed


def test_no_time(trained: Callable[[str], Path], folder: Path) -> None:
    shutil.copy(trained("tiny.onnx"), folder)
    hurried = replace(WORKER, limits=WorkerLimits(seconds=0.01))
    with pytest.raises(FailedError) as caught:
        scan(folder, tuple(take_stock(folder, silent)), worker=hurried)
    assert caught.value.code == "worker-timeout"


def test_no_memory(trained: Callable[[str], Path], folder: Path) -> None:
    shutil.copy(trained("logreg.skops"), folder)
    starved = replace(WORKER, limits=WorkerLimits(memory_bytes=40 * 1024**2))
    with pytest.raises(FailedError):
        scan(folder, tuple(take_stock(folder, silent)), worker=starved)


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "pass"},
        {"model_format": "pickle-of-some-kind"},
        {"checks": []},
        {"more": 1},
        {"files": []},
        {"verdict": "maybe"},
    ],
)
def test_a_scanner_that_talks_rubbish(
    trained: Callable[[str], Path],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
) -> None:
    shutil.copy(trained("tiny.onnx"), folder)
    (folder / "setup.py").touch()
    answer = shape.to_json(scanned(folder)) | change
    monkeypatch.setattr("sealift_registry.intake.scan.ask", lambda *_, **__: answer)
    with pytest.raises(FailedError):
        scanned(folder)


def test_bytes_that_change_after_they_were_fetched(
    trained: Callable[[str], Path], folder: Path
) -> None:
    shutil.copy(trained("tiny.onnx"), folder / "model.onnx")
    fetched = tuple(take_stock(folder, silent))
    shutil.copy(trained("xgboost.ubj"), folder / "model.onnx")
    with pytest.raises(FailedError) as caught:
        scan(folder, fetched)
    assert caught.value.code == "scan-other-bytes"


# -------------------------------------------------------------------- making hostile models


def _external(model: Path, folder: Path, name: str, location: str = "") -> None:
    """Save `model` in `folder` with its tensors in the file `name`, said to be at `location`."""
    import onnx
    from onnx import numpy_helper

    loaded, data = onnx.load(model), b""
    for tensor in loaded.graph.initializer:
        content = numpy_helper.to_array(tensor).tobytes()
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        place = {"location": location or name, "offset": len(data), "length": len(content)}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        data += content
    (folder / "model.onnx").write_bytes(loaded.SerializeToString())
    if not location:
        (folder / name).write_bytes(data)


def _with_node(model: Path, target: Path, domain: str, operator: str, *, own: bool = False) -> None:
    """Add a node, and with `own` also the function that it calls, to a copy of `model`."""
    import onnx
    from onnx import helper

    loaded = onnx.load(model)
    loaded.graph.node.append(helper.make_node(operator, ["X"], ["more"], domain=domain))
    if domain:
        loaded.opset_import.append(helper.make_opsetid(domain, 1))
    if own:
        body = [helper.make_node("Identity", ["a"], ["b"])]
        opsets = [helper.make_opsetid("", 21)]
        function = helper.make_function(domain, operator, ["a"], ["b"], body, opsets)
        loaded.functions.append(function)
    target.write_bytes(loaded.SerializeToString())


def _with_branch(model: Path, target: Path) -> None:
    """Hide the node in the branch of an If."""
    import onnx
    from onnx import TensorProto, helper

    loaded = onnx.load(model)
    hidden = helper.make_node("Backdoor", ["X"], ["out"], domain="com.example")
    value = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    branch = helper.make_graph([hidden], "branch", [], [value])
    loaded.graph.initializer.append(helper.make_tensor("c", TensorProto.BOOL, [], [True]))
    node = helper.make_node("If", ["c"], ["more"], then_branch=branch, else_branch=branch)
    loaded.graph.node.append(node)
    loaded.opset_import.append(helper.make_opsetid("com.example", 1))
    target.write_bytes(loaded.SerializeToString())


def _edit_schema(model: Path, target: Path, module: str, function: str) -> None:
    """Have a skops file ask for a function where it asked for its estimator."""
    with zipfile.ZipFile(model) as theirs, zipfile.ZipFile(target, "w") as ours:
        for name in theirs.namelist():
            content = theirs.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                schema |= {"__module__": module, "__class__": function}
                content = json.dumps(schema).encode()
            ours.writestr(name, content)


def _tensor(begin: int, end: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [(end - begin) // 4], "data_offsets": [begin, end]}


def _safetensors(path: Path, header: dict[str, Any], data: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


# -------------------------------------------------------------------- trees


@pytest.mark.parametrize("column, takes", [(1, True), (2, False), (-1, False)])
def test_p0_174_a_tree_asks_for_columns_that_there_are(
    folder: Path, column: int, takes: bool
) -> None:
    """A runtime reads what lies behind the row."""
    tree = onnx.helper.make_node(
        "TreeEnsembleRegressor",
        ["X"],
        ["Y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[column, 9, 9],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 0],
        target_weights=[1.0, 2.0],
    )
    graph = onnx.helper.make_graph(
        [tree],
        "tree",
        [onnx.helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", 2])],
        [onnx.helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["rows", 1])],
    )
    sets = [onnx.helper.make_opsetid("", 15), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(
        onnx.helper.make_model(graph, ir_version=8, opset_imports=sets), folder / "model.onnx"
    )
    if takes:
        assert scanned(folder).verdict == "pass"
    else:
        said = refused(folder)
        assert said.code == "scan-onnx-checker"
        assert f"a tree asks for column {column}" in said.what
