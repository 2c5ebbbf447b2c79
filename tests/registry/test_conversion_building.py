"""From real sources to variants that answer alike, and what is refused on the way."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.conversion import hardware
from sealift_registry.conversion.convert import Conversion, convert
from sealift_registry.conversion.recipe import Recipe
from sealift_registry.intake.goldens import from_file
from sealift_registry.proof.models import SourceModel, VariantModel, model_file
from sealift_registry.proof.proof_report import ProofReport
from sealift_registry.proof.prove import How, prove
from sealift_signing import shape
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.statements import Check
from sealift_sync import check_rows

X86, ARM = hardware.get("cpu-x86_64"), hardware.get("cpu-aarch64")
FORMATS = {
    "logreg.skops": "skops",
    "unconvertible.skops": "skops",
    "untrusted.skops": "skops",
    "xgboost.ubj": "xgboost-ubj",
    "xgboost.json": "xgboost-json",
    "lightgbm.txt": "lightgbm",
    "tiny.onnx": "onnx",
}
Trained = Callable[[str], Path]


def source(trained: Trained, name: str) -> SourceModel:
    path = trained(name)
    return SourceModel(path.parent, FORMATS[name], (path.name,))


Built = Callable[[str], Conversion]


@pytest.fixture(scope="module")
def built(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The variant of a model by its name, converted the first time that it is asked for."""
    made: dict[str, Conversion] = {}

    def conversion(name: str) -> Conversion:
        if name not in made:
            made[name] = convert(
                source(trained, name), X86, tmp_path_factory.mktemp("built") / "it"
            )
        return made[name]

    return conversion


@pytest.fixture
def goldens(trained: Trained, tmp_path: Path) -> Path:
    from_file(trained("digits.npz"), tmp_path / "goldens.npz")
    return tmp_path / "goldens.npz"


@pytest.fixture
def tiny_goldens(trained: Trained, tmp_path: Path) -> Path:
    from_file(trained("tiny.npz"), tmp_path / "tiny-goldens.npz")
    return tmp_path / "tiny-goldens.npz"


def refused(model: SourceModel, into: Path) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        convert(model, X86, into)
    return caught.value


# -------------------------------------------------------------------- rows for a site


@pytest.mark.parametrize("name", ["logreg.skops", "xgboost.ubj", "lightgbm.txt", "tiny.onnx"])
def test_p0_207_a_runtime_answers_the_check_rows_of_a_trained_model(
    trained: Trained, built: Built, goldens: Path, tiny_goldens: Path, tmp_path: Path, name: str
) -> None:
    """As a site does it: each input by its own name, and nothing but the file to compare with."""
    made, rows = built(name), tmp_path / "rows"
    given = tiny_goldens if name.startswith("tiny") else goldens
    report = prove(source(trained, name), made.variant, X86, given, how=How(check_rows=rows))
    assert report.check_rows is not None
    data = rows.read_bytes()
    content = check_rows.unpack(data)
    assert report.check_rows.rows == content.rows == 64
    assert len(data) < 4 * 1024**2
    model = made.variant.folder / made.variant.model
    there = _answered(model, content)
    assert not check_rows.differences(content, there)
    off = {n: replace(one, data=_moved(one)) for n, one in there.items() if one.dtype == "float32"}
    told = check_rows.differences(content, there | off)
    assert len({one.row for one in told}) >= 16, "a hundredth is seen, but in rows far away"


def _moved(one: check_rows.Tensor) -> bytes:
    return (np.frombuffer(one.data, np.float32) + np.float32(0.01)).tobytes()


def _answered(model: Path, content: check_rows.CheckRowsContent) -> dict[str, check_rows.Tensor]:
    """What ONNX Runtime answers to check rows."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    given = {
        one.name: np.frombuffer(one.tensor.data, one.tensor.dtype).reshape(one.tensor.shape)
        for one in content.inputs
    }
    names = [one.name for one in session.get_outputs()]
    found = dict(zip(names, session.run(None, given), strict=True))
    return {
        one.name: check_rows.Tensor(
            one.tensor.dtype, found[one.name].shape, found[one.name].tobytes()
        )
        for one in content.outputs
    }


# -------------------------------------------------------------------- what can be converted


@pytest.mark.parametrize(
    "name, converter, reference",
    [
        ("logreg.skops", "sklearn", "scikit-learn"),
        ("xgboost.ubj", "xgboost", "XGBoost"),
        ("xgboost.json", "xgboost", "XGBoost"),
        ("lightgbm.txt", "lightgbm", "LightGBM"),
    ],
)
def test_a_trained_model(
    trained: Trained, built: Built, goldens: Path, name: str, converter: str, reference: str
) -> None:
    model = source(trained, name)
    made = built(name)
    assert made.recipe.converter == converter
    assert made.recipe.opsets == {"ai.onnx": 15, "ai.onnx.ml": 3}
    assert made.recipe.toolchain["onnx"]
    assert made.variant.model == "model.onnx"
    report = prove(model, made.variant, X86, goldens)
    assert report.refusal() is None
    found = report.findings
    assert (report.rows, found.probes[0].kind, found.probes[0].ran) == (20, "goldens", 20)
    assert sum(one.wrong for one in found.probes) == 0
    assert sum(one.ran for one in found.probes) > 500
    assert found.expected is not None
    assert found.expected.source == found.expected.variant
    assert float(found.expected.source) > 0.5
    assert report.reference == reference
    assert {one.name: one.kind for one in found.outputs} == {
        "label": "labels",
        "probabilities": "numbers",
    }
    assert shape.read(ProofReport, shape.write(report), what="it") == report
    _check_interface(made.variant.folder / "model.onnx")


def _check_interface(path: Path) -> None:
    """One table in; a label and a row of numbers out, for any number of rows."""
    import onnx

    model = onnx.load(path)
    assert [one.name for one in model.graph.input] == ["inputs"]
    assert [one.name for one in model.graph.output] == ["label", "probabilities"]
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "rows"
    domains = [opset.domain for opset in model.opset_import]
    assert domains == sorted(set(domains))


@pytest.mark.parametrize("name", ["logreg.skops", "xgboost.ubj", "lightgbm.txt"])
def test_the_same_source_makes_the_same_bytes(
    trained: Trained, built: Built, tmp_path: Path, name: str
) -> None:
    one, two = built(name), convert(source(trained, name), ARM, tmp_path / "again")
    assert one.variant.files == two.variant.files
    assert one.recipe.digest() == two.recipe.digest()


def test_t1_09_onnx_is_written_anew_and_stays_the_model(
    trained: Trained, tiny_goldens: Path, tmp_path: Path
) -> None:
    """What is no field of ONNX stays behind, in the model and deep in it."""
    import onnx

    hidden = b"\xfa\xff\x01\x04evil"  # the field 4095, a text
    loaded = onnx.load(trained("tiny.onnx"))
    loaded.graph.MergeFromString(hidden)
    (tmp_path / "tiny.onnx").write_bytes(loaded.SerializeToString() + hidden)
    model = SourceModel(tmp_path, "onnx", ("tiny.onnx",))
    made = convert(model, ARM, tmp_path / "variant")
    written = (tmp_path / "variant" / "tiny.onnx").read_bytes()
    assert b"evil" not in written
    loaded.DiscardUnknownFields()
    assert onnx.load_from_string(written) == loaded
    assert made.recipe.converter == "none"
    assert set(made.recipe.toolchain) == {"onnx", "python"}
    report = prove(model, made.variant, ARM, tiny_goldens)
    assert report.verdict == "pass"
    assert report.reference == "onnx's reference evaluator"
    assert report.findings.expected is None
    assert shape.read(Recipe, shape.write(made.recipe), what="it") == made.recipe


def test_onnx_with_external_data(trained: Trained, tiny_goldens: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    loaded = onnx.load(trained("tiny.onnx"))
    for tensor in loaded.graph.initializer:
        content = numpy_helper.to_array(tensor).tobytes()
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=f"data/{tensor.name}")
        (folder / "data" / tensor.name).write_bytes(content)
    (folder / "tiny.onnx").write_bytes(loaded.SerializeToString())
    model = SourceModel(folder, "onnx", ("tiny.onnx",), ("data/W", "data/b"))
    made = convert(model, X86, tmp_path / "variant")
    assert [file.path for file in made.variant.files] == ["tiny.onnx", "data/W", "data/b"]
    assert prove(model, made.variant, X86, tiny_goldens).verdict == "pass"


HIDDEN = {
    "a pickle": pickle.dumps(["a"]),
    "zlib": zlib.compress(pickle.dumps(["a"])),
    "tar": tarfile.TarInfo("pickle").tobuf(),
}


@pytest.mark.parametrize("kind", ["a pickle", "zlib", "tar"])
def test_t1_65_no_data_file_of_a_variant_begins_as_one_of_another_kind(
    trained: Trained, tiny_goldens: Path, tmp_path: Path, kind: str
) -> None:
    """Also of what the scanner does not know: the variant's own page stands before all of it."""
    import joblib  # type: ignore[import-untyped]
    import onnx
    from onnx import numpy_helper

    (tmp_path / "model").mkdir()
    hidden = HIDDEN[kind]
    loaded, data = onnx.load(trained("tiny.onnx")), hidden + bytes(-len(hidden) % 64)
    for tensor in loaded.graph.initializer:
        content = numpy_helper.to_array(tensor).tobytes()
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        place = {"location": "data.bin", "offset": len(data), "length": len(content)}
        for key, value in (place | {"checksum": "0" * 40}).items():
            tensor.external_data.add(key=key, value=str(value))
        data += content
    (tmp_path / "model" / "tiny.onnx").write_bytes(loaded.SerializeToString())
    (tmp_path / "model" / "data.bin").write_bytes(data)
    model = SourceModel(tmp_path / "model", "onnx", ("tiny.onnx",), ("data.bin",))
    made = convert(model, X86, tmp_path / "variant")
    written = tmp_path / "variant" / "data.bin"
    with pytest.raises(KeyError, match="255"):  # which is no opcode
        joblib.load(written)
    assert not tarfile.is_tarfile(written)
    assert written.read_bytes().endswith(data)
    assert prove(model, made.variant, X86, tiny_goldens).verdict == "pass"


def test_onnx_under_another_name(trained: Trained, tiny_goldens: Path, tmp_path: Path) -> None:
    shutil.copy(trained("tiny.onnx"), tmp_path / "model")
    model = SourceModel(tmp_path, "onnx", ("model",))
    made = convert(model, X86, tmp_path / "variant")
    assert [file.path for file in made.variant.files] == ["model.onnx"]
    assert prove(model, made.variant, X86, tiny_goldens).verdict == "pass"


def test_labels_that_are_words(tmp_path: Path) -> None:
    import skops.io
    from sklearn.linear_model import LogisticRegression

    rows = np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32)
    words = np.array(["red", "green", "blue"])[rows.argmax(axis=1)]
    (tmp_path / "model").mkdir()
    skops.io.dump(LogisticRegression().fit(rows, words), tmp_path / "model" / "model.skops")
    np.savez(tmp_path / "given.npz", inputs=rows[:9].astype(np.float64), labels=words[:9])
    from_file(tmp_path / "given.npz", tmp_path / "goldens.npz")
    found = SourceModel(tmp_path / "model", "skops", ("model.skops",))
    made = convert(found, X86, tmp_path / "variant")
    report = prove(found, made.variant, X86, tmp_path / "goldens.npz")
    assert report.verdict == "pass"
    assert report.findings.expected is not None
    assert float(report.findings.expected.variant) > 0.5


def test_rounds_after_the_best_one_do_not_answer(tmp_path: Path) -> None:
    """As XGBClassifier answers after stopping early, so does the variant."""
    import onnxruntime
    import xgboost

    draw = np.random.default_rng(1)
    rows, labels = draw.normal(size=(200, 3)).astype(np.float32), draw.integers(0, 2, 200)
    model = xgboost.XGBClassifier(n_estimators=30, early_stopping_rounds=3, n_jobs=1)
    model.fit(rows[:100], labels[:100], eval_set=[(rows[100:], labels[100:])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    (tmp_path / "model").mkdir()
    model.save_model(tmp_path / "model" / "model.ubj")
    found = SourceModel(tmp_path / "model", "xgboost-ubj", ("model.ubj",))
    made = convert(found, X86, tmp_path / "variant")
    session = onnxruntime.InferenceSession(tmp_path / "variant" / made.variant.model)
    _, probabilities = session.run(None, {"inputs": rows})
    assert np.abs(probabilities - model.predict_proba(rows)).max() < 1e-5


def test_regression(tmp_path: Path) -> None:
    import xgboost

    draw = np.random.default_rng(1)
    rows = draw.normal(size=(200, 3)).astype(np.float32)
    model = xgboost.XGBRegressor(n_estimators=5, max_depth=3, n_jobs=1)
    model.fit(rows, 1e6 * rows[:, 0])
    (tmp_path / "model").mkdir()
    model.save_model(tmp_path / "model" / "model.ubj")
    np.savez(tmp_path / "given.npz", inputs=rows[:9])
    from_file(tmp_path / "given.npz", tmp_path / "goldens.npz")
    found = SourceModel(tmp_path / "model", "xgboost-ubj", ("model.ubj",))
    made = convert(found, X86, tmp_path / "variant")
    report = prove(found, made.variant, X86, tmp_path / "goldens.npz")
    assert report.verdict == "pass"
    assert {one.kind for one in report.findings.outputs} == {"numbers"}


# -------------------------------------------------------------------- what cannot


def test_a_class_without_a_converter_is_named(trained: Trained, tmp_path: Path) -> None:
    error = refused(source(trained, "unconvertible.skops"), tmp_path / "variant")
    assert error.code == "converter-unknown"
    assert error.what == "There is no converter for “scikit-learn's class LabelPropagation”."
    assert "ONNX" in error.next_step


def test_an_untrusted_type_is_not_loaded(trained: Trained, tmp_path: Path) -> None:
    error = refused(source(trained, "untrusted.skops"), tmp_path / "variant")
    assert error.code == "skops-untrusted"
    assert error.subject.endswith("TreePredictor")


def test_a_function_in_a_skops_file_is_not_called(trained: Trained, tmp_path: Path) -> None:
    mark = tmp_path / "called"
    (tmp_path / "model").mkdir()
    hostile = tmp_path / "model" / "model.skops"
    with zipfile.ZipFile(trained("logreg.skops")) as theirs, zipfile.ZipFile(hostile, "w") as ours:
        schema = json.loads(theirs.read("schema.json"))
        schema |= {"__class__": "touch", "__module__": "pathlib", "__loader__": "FunctionNode"}
        schema["content"] = {"module_path": "os", "function": "system", "mark": str(mark)}
        ours.writestr("schema.json", json.dumps(schema))
    model = SourceModel(tmp_path / "model", "skops", ("model.skops",))
    with pytest.raises((RefusedError, FailedError)):
        convert(model, X86, tmp_path / "variant")
    assert not mark.exists()


@pytest.mark.parametrize("unknown", ["safetensors", "tflite"])
def test_formats_without_a_converter(tmp_path: Path, unknown: str) -> None:
    error = refused(SourceModel(tmp_path, unknown, ("model",)), tmp_path / "variant")
    assert error.what == f"There is no converter yet for {unknown}."


def test_an_objective_without_a_converter_is_named(tmp_path: Path) -> None:
    import xgboost

    rows = np.random.default_rng(1).normal(size=(50, 3))
    model = xgboost.train(
        {"objective": "rank:pairwise", "nthread": 1}, xgboost.DMatrix(rows, rows[:, 0] > 0), 2
    )
    (tmp_path / "model").mkdir()
    model.save_model(tmp_path / "model" / "model.ubj")
    found = SourceModel(tmp_path / "model", "xgboost-ubj", ("model.ubj",))
    assert "rank:pairwise" in refused(found, tmp_path / "variant").what


def test_a_hardware_target_that_is_not_built_for(trained: Trained, tmp_path: Path) -> None:
    engine = replace(X86, artifact_policy="prebuilt")
    with pytest.raises(RefusedError) as caught:
        convert(source(trained, "tiny.onnx"), engine, tmp_path / "variant")
    assert caught.value.code == "policy-unbuildable"


def test_a_variant_that_does_not_fit(trained: Trained, tmp_path: Path) -> None:
    small = replace(X86, limits=hardware.HardwareLimits(model_bytes=100))
    with pytest.raises(RefusedError) as caught:
        convert(source(trained, "tiny.onnx"), small, tmp_path / "variant")
    assert caught.value.code == "variant-too-big"


def test_a_toolchain_that_differs(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sealift_registry.conversion import toolchains

    monkeypatch.setattr(toolchains, "installed", lambda names: dict.fromkeys(names, "0.0.1"))
    with pytest.raises(FailedError) as caught:
        convert(source(trained, "lightgbm.txt"), X86, tmp_path / "variant")
    assert caught.value.code == "toolchain-differs"


# -------------------------------------------------------------------- proofs that fail


@pytest.fixture
def tiny(trained: Trained, built: Built, tmp_path: Path) -> tuple[SourceModel, Conversion]:
    """A model and its variant, which a test may change."""
    made, mine = built("tiny.onnx"), tmp_path / "variant"
    shutil.copytree(made.variant.folder, mine)
    return source(trained, "tiny.onnx"), replace(made, variant=replace(made.variant, folder=mine))


def altered(made: Conversion, change: Callable[[Any], None]) -> VariantModel:
    """The variant with its graph changed in place."""
    import onnx

    path = made.variant.folder / made.variant.model
    model = onnx.load(path)
    change(model.graph)
    path.write_bytes(model.SerializeToString())
    file = model_file(made.variant.folder, made.variant.model)
    return replace(made.variant, files=(file,))


def _bias(by: float) -> Callable[[Any], None]:
    def change(graph: Any) -> None:  # noqa: ANN401 - onnx is Any to us
        graph.initializer[1].float_data[0] += by

    return change


def test_other_numbers(tiny: tuple[SourceModel, Conversion], tiny_goldens: Path) -> None:
    model, made = tiny
    report = prove(model, altered(made, _bias(0.01)), X86, tiny_goldens)
    failed = {one.name for one in report.findings.outputs if one.verdict == "fail"}
    assert "probabilities" in failed
    refusal = report.refusal()
    assert refusal is not None
    assert re.search(
        r"not kept: goldens: .* in row \d+ of goldens, probabilities, column \d, is ", refusal.what
    )
    assert "Leave out the part" in refusal.next_step
    of_one_file = report.refusal(as_it_is=True)
    assert of_one_file is not None
    assert (
        "as onnx's reference evaluator does on the same file, and the variant is not kept: "
        in of_one_file.what
    )
    assert "goldens that hold `expected`" in of_one_file.next_step
    checks = (Check("goldens", "fail", "the same. Signed by all"),)
    said = replace(report, findings=replace(report.findings, checks=checks)).refusal()
    assert said is not None
    assert said.what.endswith("source does, and is not kept: goldens: “the same. Signed by all”")
    # What tells the reason is told, though others come before it.
    several = (Check("goldens", "fail", "Many."), Check("batches", "fail", "Others."))
    said = replace(report, findings=replace(report.findings, checks=several)).refusal()
    assert said is not None
    assert said.what.endswith("source does, and is not kept: batches: “Others.”")
    assert "axis that counts the rows" in said.next_step


def test_p0_292_what_32_bits_hold_too_little_of_is_to_be_trained_otherwise(
    tiny: tuple[SourceModel, Conversion], tiny_goldens: Path
) -> None:
    model, made = tiny
    report = prove(model, altered(made, _bias(0.01)), X86, tiny_goldens)
    worst = report.findings.worst
    assert worst is not None
    steps = replace(worst, source="1000000.2", variant="1000000.4", allowed="0.01")
    for near, advised in ((steps, "Subtract the mean"), (worst, "Leave out the part")):
        refusal = replace(report, findings=replace(report.findings, worst=near)).refusal()
        assert refusal is not None
        assert advised in refusal.next_step


def test_other_labels(tiny: tuple[SourceModel, Conversion], tiny_goldens: Path) -> None:
    model, made = tiny
    report = prove(model, altered(made, _bias(100)), X86, tiny_goldens)
    assert report.verdict == "fail"
    assert next(one for one in report.findings.outputs if one.name == "label").wrong > 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_finite_number(
    tiny: tuple[SourceModel, Conversion], tiny_goldens: Path, value: float
) -> None:
    model, made = tiny
    report = prove(model, altered(made, _bias(value)), X86, tiny_goldens)
    assert report.verdict == "fail"
    assert {one.largest_difference for one in report.findings.outputs} == {None}


def test_p0_23_not_a_number_in_both_is_told_first(
    tiny: tuple[SourceModel, Conversion], tiny_goldens: Path
) -> None:
    _, made = tiny
    variant = altered(made, _bias(float("nan")))
    same = SourceModel(variant.folder, "onnx", (variant.model,))
    report = prove(same, variant, X86, tiny_goldens)
    assert report.verdict == "pass"
    assert report.evidence()[0].name == "told-first"
    assert "probabilities IS NOT A NUMBER on any row" in report.evidence()[0].words


def test_other_outputs(tiny: tuple[SourceModel, Conversion], tiny_goldens: Path) -> None:
    model, made = tiny

    def rename(graph: Any) -> None:  # noqa: ANN401 - onnx is Any to us
        graph.node[2].output[0] = graph.output[0].name = "class"

    with pytest.raises(RefusedError) as caught:
        prove(model, altered(made, rename), X86, tiny_goldens)
    assert caught.value.code == "parity-outputs"


@pytest.mark.parametrize("name", ["tiny.onnx", "logreg.skops", "lightgbm.txt"])
def test_goldens_that_do_not_fit(trained: Trained, built: Built, tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "given.npz", inputs=np.zeros((5, 7)))
    from_file(tmp_path / "given.npz", tmp_path / "goldens.npz")
    model = source(trained, name)
    made = built(name)
    with pytest.raises(RefusedError) as caught:
        prove(model, made.variant, X86, tmp_path / "goldens.npz")
    assert caught.value.code in {"goldens-unfit", "reference-evaluator"}


def test_the_machine_is_named(tiny: tuple[SourceModel, Conversion], tiny_goldens: Path) -> None:
    model, made = tiny
    elsewhere = replace(ARM, arch="s390x")
    report = prove(model, made.variant, elsewhere, tiny_goldens)
    assert not report.measured_on_target
    assert report.machine.arch in report.words
    assert "which is not the hardware target's" in report.words
    assert report.machine.software["onnxruntime"]


def test_p0_45_what_ran_the_variant_is_said(
    tiny: tuple[SourceModel, Conversion], tiny_goldens: Path
) -> None:
    model, made = tiny
    (runtime,) = prove(model, made.variant, X86, tiny_goldens).runtimes
    assert runtime.version == version("onnxruntime")
    assert (runtime.ir, runtime.opsets) == (10, {"ai.onnx": 21})
    assert {(one.operator, one.provider, one.nodes) for one in runtime.operators} == {
        (name, "CPUExecutionProvider", 1) for name in ("ArgMax", "Gemm", "Softmax")
    }


def test_rubbish_is_no_parity(
    tiny: tuple[SourceModel, Conversion], tiny_goldens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, made = tiny
    report = shape.to_json(prove(model, made.variant, X86, tiny_goldens))
    changes: list[dict[str, Any]]
    found: Any = report["findings"]
    inner: list[dict[str, Any]]
    inner = [{"outputs": []}, {"verdict": "fail"}, {"verdict": "yes"}, {"checks": []}]
    inner += [{"probes": []}, {"rows": 7}]
    changes = [{"findings": found | one} for one in inner] + [{"rows": "8"}, {"rows": 7}]
    for change in changes:
        answer = report | change
        monkeypatch.setattr("sealift_registry.proof.prove.ask", lambda *_, a=answer, **__: a)
        with pytest.raises(FailedError):
            prove(model, made.variant, X86, tiny_goldens)


# -------------------------------------------------------------------- the server's own process


def test_no_model_library_is_imported_here(trained: Trained, goldens: Path, tmp_path: Path) -> None:
    """Fetch, scan, convert and compare, in a fresh interpreter, and look at what it has loaded."""
    script = tmp_path / "journey.py"
    script.write_text(_JOURNEY)
    shutil.copy(trained("xgboost.ubj"), tmp_path / "model.ubj")
    command = [sys.executable, "-P", str(script), str(tmp_path / "model.ubj"), str(goldens)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    heavy = {"dvc", "lightgbm", "mlflow", "numpy", "onnx", "onnxruntime", "skl2onnx", "sklearn"}
    assert not (heavy | {"skops", "xgboost", "joblib"}) & loaded


_JOURNEY = """
import sys
from pathlib import Path
from sealift_registry.conversion import convert, hardware
from sealift_registry.proof import models, prove
from sealift_registry.intake import dvc_source, mlflow_source, onnx_source, scan

model, goldens = map(Path, sys.argv[1:])
folder = model.parent / "staging"
record = onnx_source.OnnxSource(model).fetch(folder, lambda *_: None)
found = scan.scan(folder, record.files)
source = models.SourceModel(folder, found.model_format, found.model_files)
target = hardware.get("cpu-x86_64")
made = convert.convert(source, target, model.parent / "made")
assert prove.prove(source, made.variant, target, goldens).verdict == "pass"
print(*sorted(name.partition(".")[0] for name in sys.modules))
"""
