"""One record for each framework: what is made of them, and what stays as it was signed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from sealift_registry import frameworks
from sealift_registry.conversion import convert_worker, hardware
from sealift_registry.conversion.convert import convert
from sealift_registry.conversion.recipe import recipe_for
from sealift_registry.frameworks import supported
from sealift_registry.frameworks.framework import Converter, ModelFacts
from sealift_registry.intake import scan
from sealift_registry.intake.formats import recognise
from sealift_registry.intake.model_folder import survey
from sealift_registry.proof import prove, prove_worker
from sealift_registry.proof.models import SourceModel, VariantModel
from sealift_registry.workers.runner import Worker
from sealift_signing import shape
from sealift_signing.errors import RefusedError

FOLDER = Path(frameworks.__file__).parent

# -------------------------------------------------------------------- the list


def test_f1_20_every_module_that_has_a_record_is_listed() -> None:
    """A forgotten line would leave a framework out without a word."""
    having = {
        file.stem
        for file in FOLDER.glob("*.py")
        if re.search(r"^FRAMEWORK\b", file.read_text(), flags=re.MULTILINE)
    }
    assert having == set(supported.MODULES)
    assert len(supported.MODULES) == len(set(supported.MODULES))


def test_f1_21_no_two_frameworks_have_one_name() -> None:
    formats = [form.name for one in supported.FRAMEWORKS for form in one.formats]
    assert len(formats) == len(set(formats)) == len(supported.IN_ORDER)
    assert not set(formats) & {"pickle", "unknown"}
    converters = [one.converter.name for one in supported.FRAMEWORKS if one.converter]
    assert len(converters) == len(set(converters))
    checks = [check for one in supported.FRAMEWORKS for check in one.checks]
    assert len(checks) == len(set(checks))
    assert not set(checks) & {"format", "one-format", "side-files", "pickle"}


POLICIES = {"portable", "as is", "prebuilt", "ahead of time", "build at site"}


def test_f1_22_what_is_portable_has_a_converter_and_nothing_else_has() -> None:
    for one in supported.FRAMEWORKS:
        assert ("portable" in one.policies) == (one.converter is not None), one.name
        assert one.policies, one.name
        assert one.policies <= POLICIES, one.name


def test_f1_23_the_records_load_no_framework() -> None:
    """The hub's own process reads them, for every command that takes a model in or converts it."""
    script = (
        "import pkgutil, sys\n"
        "from importlib import import_module\n"
        "from sealift_registry import frameworks\n"
        "for one in pkgutil.iter_modules(frameworks.__path__, frameworks.__name__ + '.'):\n"
        "    import_module(one.name)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "sealift_registry" in loaded
    heavy = {"google", "lightgbm", "numpy", "onnx", "onnxmltools", "onnxruntime", "pandas"}
    assert not loaded & (heavy | {"skl2onnx", "skops", "sklearn", "sqlalchemy", "xgboost"})


# -------------------------------------------------------------------- telling formats apart


def test_f1_24_a_file_that_is_onnx_as_well_is_what_has_a_mark(tmp_path: Path) -> None:
    """ONNX begins with any number. The scanner of the other then finds what is wrong with it."""
    both = b"\x12\x07" + bytes(6) + b"{" + b"\x08\x08\x3a\x00\x42\x00"
    doc = b" " * 2000
    both += b"\x32" + bytes([len(doc) & 0x7F | 0x80, len(doc) >> 7]) + doc
    (tmp_path / "model").write_bytes(both)
    told = [form.name for form in supported.IN_ORDER if _is(form.told, tmp_path / "model")]
    assert sorted(told) == ["onnx", "safetensors"]
    assert recognise(tmp_path / "model") == "safetensors"


def _is(told: Callable[..., bool], path: Path) -> bool:
    with path.open("rb") as data:
        head = data.read(4096)
        data.seek(0)
        return told(head, data)


def test_f1_25_refusals_name_every_framework(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("nothing")
    with pytest.raises(RefusedError) as unknown:
        survey(tmp_path)
    assert unknown.value.next_step == (
        "The known formats are ONNX, skops, XGBoost (.ubj, .json), LightGBM's text file and "
        "safetensors, told by their content."
    )
    (tmp_path / "notes").write_bytes(b"\x80\x04N.")
    with pytest.raises(RefusedError) as pickle:
        survey(tmp_path)
    assert pickle.value.next_step == (
        "Save the model in a format without code and ingest that: skops for scikit-learn (in "
        "MLflow: serialization_format='skops'), .ubj for XGBoost, the text file for LightGBM, ONNX "
        "or safetensors for the rest."
    )


# -------------------------------------------------------------------- what documents say

TABLE = {"inputs": ["rows", "features"]}
SIGNED: dict[str, dict[str, Any]] = {
    "onnx": {
        "checks": ["external-data", "operator-domains", "onnx-checker"],
        "tools": {"onnx"},
        "recipe": ("none", {}, {}),
        "pins": {"onnx"},
        "reference": "onnx's reference evaluator",
    },
    "skops": {
        "checks": ["skops-archive", "skops-types"],
        "tools": {"skops", "scikit-learn"},
        "recipe": ("sklearn", TABLE, {"zipmap": False}),
        "pins": {"skl2onnx", "onnx", "scikit-learn", "skops", "numpy"},
        "reference": "scikit-learn",
    },
    "xgboost-ubj": {
        "checks": ["xgboost-model"],
        "tools": {"xgboost-cpu", "xgboost"},
        "recipe": ("xgboost", TABLE, {}),
        "pins": {"onnxmltools", "onnx", "xgboost|xgboost-cpu", "numpy"},
        "reference": "XGBoost",
    },
    "lightgbm": {
        "checks": ["lightgbm-model"],
        "tools": {"lightgbm"},
        "recipe": ("lightgbm", TABLE, {"zipmap": False}),
        "pins": {"onnxmltools", "onnx", "lightgbm", "numpy"},
        "reference": "LightGBM",
    },
}
SIGNED["xgboost-json"] = SIGNED["xgboost-ubj"]


@pytest.mark.parametrize("form", SIGNED)
def test_f1_26_what_stands_in_signed_documents_stays(form: str) -> None:
    """Of a variant that was built before, scan, recipe and parity would be said otherwise."""
    framework, converter = supported.BY_FORMAT[form], supported.CONVERTERS[form]
    said = SIGNED[form]
    assert list(framework.checks) == said["checks"]
    assert set(framework.packages) == said["tools"]
    assert set(converter.packages) == said["pins"]
    assert (framework.reference or framework.name) == said["reference"]
    recipe = shape.to_json(recipe_for(framework, converter, form, {}))
    assert (recipe["converter"], recipe["shapes"], recipe["options"]) == said["recipe"]
    assert recipe["source_format"] == form


def test_f1_27_every_format_of_before_is_known_and_the_same_software_is_named() -> None:
    assert set(supported.BY_FORMAT) >= {*SIGNED, "safetensors"}
    assert set(prove_worker.SOFTWARE) >= {
        *("lightgbm", "numpy", "onnx", "onnxruntime", "scikit-learn", "skops", "xgboost"),
        "xgboost-cpu",
    }


# -------------------------------------------------------------------- what workers find


def test_f1_28_a_worker_finds_scikit_learn_only_where_its_framework_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes long to load, and the others load it only where they find it."""
    started: dict[str, tuple[str, ...]] = {}

    def ask(worker: Worker, *_: object, **__: object) -> None:
        started[source.format] = worker.absent
        raise RefusedError("stop", "That was all.")

    monkeypatch.setattr(prove, "ask", ask)
    monkeypatch.setattr(prove, "_hashed", lambda *_: {"goldens": "", "source_files": []})
    for form in supported.CONVERTERS:
        source = SourceModel(tmp_path, form, ("model",))
        with pytest.raises(RefusedError, match="That was all"):
            prove.prove(source, _variant(tmp_path), hardware.get("cpu-x86_64"), tmp_path)
    both, one = ("pandas", "sklearn"), ("pandas",)
    plain = dict.fromkeys(["lightgbm", "onnx", "xgboost-json", "xgboost-ubj"], both)
    assert started == plain | {"skops": one}
    assert scan.WORKER.absent == one, "before a file is looked at, it may be of any"


def _variant(folder: Path) -> VariantModel:
    return VariantModel(folder, "model.onnx", ())


# -------------------------------------------------------------------- what a converter honours


def test_f1_29_an_objective_that_lightgbm_s_record_does_not_have_is_named(tmp_path: Path) -> None:
    import lightgbm

    rows = np.random.default_rng(1).normal(size=(60, 3))
    given = {"objective": "cross_entropy", "num_threads": 1, "verbose": -1, "min_data_in_leaf": 5}
    model = lightgbm.train(given, lightgbm.Dataset(rows, rows[:, 0] > 0), 2)
    (tmp_path / "model").mkdir()
    model.save_model(tmp_path / "model/model.txt")
    source = SourceModel(tmp_path / "model", "lightgbm", ("model.txt",))
    with pytest.raises(RefusedError) as caught:
        convert(source, hardware.get("cpu-x86_64"), tmp_path / "variant")
    assert caught.value.code == "converter-unknown"
    assert caught.value.what == (
        "There is no converter for “LightGBM's objective cross_entropy” (known to be right: "
        "binary, gamma, huber, multiclass, poisson, quantile, regression, regression_l1, tweedie)."
    )


class Odd:
    """A model with a parameter that no record has."""

    def answer(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def facts(self) -> ModelFacts:
        raise NotImplementedError

    def parameters(self) -> list[tuple[str, str]]:
        return [("objective", "regression"), ("calibration", "isotonic")]

    def to_onnx(self, opsets: Mapping[str, int], options: Mapping[str, Any]) -> object:
        raise NotImplementedError("it would be left out")


def test_f1_36_a_parameter_that_the_record_does_not_have_refuses_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    framework = supported.BY_FORMAT["lightgbm"]
    converter = replace(supported.CONVERTERS["lightgbm"], load=lambda _path: Odd())
    monkeypatch.setitem(cast("dict[str, Converter]", supported.CONVERTERS), "lightgbm", converter)
    recipe = shape.to_json(recipe_for(framework, converter, "lightgbm", {}))
    request = {"recipe": recipe, "source": str(tmp_path / "m"), "target": str(tmp_path / "n")}
    with pytest.raises(RefusedError) as caught:
        convert_worker.convert(request, lambda *_: None)
    assert caught.value.what == ("There is no converter for “LightGBM's calibration isotonic”.")


def test_f1_37_a_recipe_of_another_converter_than_the_format_s_is_not_run(tmp_path: Path) -> None:
    framework, converter = supported.BY_FORMAT["skops"], supported.CONVERTERS["skops"]
    recipe = shape.to_json(recipe_for(framework, converter, "skops", {}))
    for change in ({"source_format": "lightgbm"}, {"source_format": "safetensors"}):
        request = {"recipe": recipe | change, "source": "absent", "target": str(tmp_path / "n")}
        with pytest.raises(RefusedError) as caught:
            convert_worker.convert(request, lambda *_: None)
        assert caught.value.code == "converter-unknown"
