"""What a model's folder holds: the model, its data, and what lies beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sealift_registry.intake.formats import ModelFormat, recognise
from sealift_registry.intake.side_files import is_side_file
from sealift_registry.intake.staging import walk
from sealift_signing.errors import RefusedError


@dataclass(frozen=True)
class Survey:
    """The files of a folder by what they are for; paths are relative to it.

    Attributes:
        format: of the model.
        model_files: the model; more than one only where the format allows it to be split.
        data_files: an ONNX model's external data, if the scanner finds it to be that.
        side_files: known by name; their content is still to be looked at.
    """

    format: ModelFormat
    model_files: tuple[str, ...]
    data_files: tuple[str, ...]
    side_files: tuple[str, ...]

    @property
    def model(self) -> str:
        """The path of the model, or of its first part."""
        return self.model_files[0]


def survey(folder: Path) -> Survey:
    """Sort the files in `folder` by what they are for.

    Raises:
        RefusedError: a pickle, no model, several models, or a file that belongs to none.
    """
    formats = {path: recognise(file) for path, file in walk(folder)}
    models = {path: found for path, found in formats.items() if found.allowed}
    others = [path for path in formats if path not in models]
    kinds = set(models.values())
    # An ONNX model's external data is raw numbers, which may look like anything.
    data = kinds == {ModelFormat.ONNX} and len(models) == 1
    for path in others:
        if formats[path] is ModelFormat.PICKLE and not data:
            raise _pickle(path)
    if not models:
        raise _no_model(others)
    if len(models) > 1 and kinds != {ModelFormat.SAFETENSORS}:
        raise _several(models)
    strangers = tuple(path for path in others if not is_side_file(path))
    if strangers and not data:
        raise _stranger(strangers[0])
    side = tuple(path for path in others if is_side_file(path))
    return Survey(kinds.pop(), tuple(models), strangers, side)


def _pickle(path: str) -> RefusedError:
    if is_side_file(path):
        return RefusedError(
            "pickle",
            f"{path} would run as a pickle: whoever loads it as one runs what its lines name.",
            subject=path,
            next_step="Where it is a list of words, begin it otherwise, such as with a capital "
            "letter or an empty line; else remove it from the model's folder. Ingest again.",
        )
    return RefusedError(
        "pickle",
        f"{path} is a pickle: loading it runs whatever code its author put in, so Sealift does "
        "not take it in.",
        subject=path,
        next_step="Save the model in a format without code and ingest that: skops for "
        "scikit-learn (in MLflow: serialization_format='skops'), .ubj for XGBoost, the text file "
        "for LightGBM, ONNX or safetensors for the rest.",
    )


def _no_model(others: list[str]) -> RefusedError:
    shown = ", ".join(others[:3]) or "nothing"
    return RefusedError(
        "format",
        f"No model of a known format is there; found: {shown}.",
        subject=others[0] if others else "",
        next_step="Known are ONNX, skops, XGBoost (.ubj, .json), LightGBM's text file and "
        "safetensors, told by their content.",
    )


def _several(models: dict[str, ModelFormat]) -> RefusedError:
    shown = " and ".join(f"{path} ({found})" for path, found in list(models.items())[:2])
    return RefusedError(
        "format",
        f"There is more than one model: {shown}.",
        subject=next(iter(models)),
        next_step="Ingest each as a model of its own.",
    )


def _stranger(path: str) -> RefusedError:
    return RefusedError(
        "side-files",
        f"{path} is neither a model nor a file that is known to lie beside one.",
        subject=path,
        next_step="Remove it from the model's folder, and ingest again.",
    )
