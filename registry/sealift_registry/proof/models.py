"""What is proved of what: a model's files in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sealift_signing.vocabulary import Count, MediumPath, Sha256

ENDING = ".onnx"
"""Of the model, among the files of a variant."""


@dataclass(frozen=True)
class ModelFile:
    """One file of a model: its path in the model's folder, its size in bytes, its digest."""

    path: MediumPath
    size: Count
    sha256: Sha256


@dataclass(frozen=True)
class SourceModel:
    """A scanned model, as it came.

    Attributes:
        folder: in which its files lie.
        format: what the scanner found it to be: `skops`, `onnx` …
        model_files: the model itself, relative to the folder; the first is the file to open.
        data_files: an ONNX model's external data.
    """

    folder: Path
    format: str
    model_files: tuple[str, ...]
    data_files: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """The file to open."""
        return self.model_files[0]


@dataclass(frozen=True)
class VariantModel:
    """A built variant: an ONNX file, and its external data where it has any.

    Attributes:
        folder: in which its files lie.
        model: the ONNX file, relative to the folder.
        files: all of them.
    """

    folder: Path
    model: str
    files: tuple[ModelFile, ...]


def model_file(folder: Path, path: str) -> ModelFile:
    """The file at `path` in `folder`, hashed now."""
    with (folder / path).open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
        return ModelFile(path, data.tell(), digest)


def model_of(paths: Iterable[str]) -> str:
    """The model among the files of a variant; empty where none is ONNX.

    The scan refuses external data of that ending: there is one at most.
    """
    return next((path for path in paths if path.endswith(ENDING)), "")
