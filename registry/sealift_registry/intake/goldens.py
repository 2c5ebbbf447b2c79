"""Goldens: inputs, and what is expected where known, on which variant and source are compared.

They are kept as one `.npz` file of a known layout: an array called `inputs`, or one array for each
of an ONNX model's inputs by its name, and `expected` (labels, or a number or more a row) where the
right answers are known; `labels` is an older name of it. The first axis of every array counts the
rows. The same goldens make the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from sealift_registry.workers.channel import Document
from sealift_registry.workers.runner import GIB, Worker, WorkerLimits, ask
from sealift_signing import shape
from sealift_signing.errors import RefusedError
from sealift_signing.shape import Distinct
from sealift_signing.vocabulary import Count, Sentence, Sha256

LEAST_ROWS = 5
LABELS = "labels"
EXPECTED = "expected"
ANSWERS = (EXPECTED, LABELS)
"""What the right answers may be called."""
INPUTS = "inputs"

WORKER = Worker(
    module="sealift_registry.intake.goldens_worker",
    name="the goldens' reader",
    limits=WorkerLimits(seconds=300, file_bytes=2 * GIB),
)


@dataclass(frozen=True)
class GoldenArray:
    """One array: its name, its NumPy type, and its lengths along each axis."""

    name: Sentence
    dtype: Sentence
    shape: tuple[Count, ...]


@dataclass(frozen=True)
class GoldensRecord:
    """A document: what goldens there are for one version.

    Attributes:
        format: of this document.
        requires: features that a reader must know.
        origin: the model's own input example, or a file that somebody gave.
        rows: how many; at least five.
        arrays: by name, `expected` or `labels` among them where the right answers are known.
        sha256: of the `.npz` file.
        size: of that file, in bytes.
    """

    DOCUMENT: ClassVar[str] = "goldens"

    format: Literal[1]
    requires: tuple[str, ...]
    origin: Literal["input example", "file"]
    rows: Count
    arrays: Annotated[tuple[GoldenArray, ...], Distinct(by="name")]
    sha256: Sha256
    size: Count

    @property
    def words(self) -> str:
        """What they are: how many rows, and whether the right answers are known."""
        said = f"{self.rows:,} rows"
        known = next((name for name in ANSWERS if self._has(name)), None)
        if known is None:
            return f"{said}; the right answers are not known (`{EXPECTED}`)"
        if self.origin == "file":
            return f"{said}; `{known}` is what is expected of them"
        return (
            f"{said}; `{known}` is taken for what is expected, if it is not an input of the model"
        )

    def _has(self, name: str) -> bool:
        return any(array.name == name for array in self.arrays)

    @property
    def has_answers(self) -> bool:
        """Whether the right answers are known, so that accuracy or error can be told."""
        return any(array.name in ANSWERS for array in self.arrays)


def from_file(given: Path, target: Path) -> GoldensRecord:
    """Read goldens from the `.npz` file `given`, and keep them as `target`.

    Raises:
        NotFoundError: there is no such file.
        RefusedError: it is no such file, has too few rows, or holds something besides numbers.
    """
    if given.exists() and not given.is_file():
        raise RefusedError(
            "goldens-no-file",
            f"{given} is a folder, a pipe or a device, and not a file of goldens.",
            subject=str(given),
            next_step="Give a file that numpy.savez wrote.",
        )
    return _ask("from_file", {"file": str(given.absolute())}, target)


def from_input_example(model_folder: Path, target: Path) -> GoldensRecord:
    """Take the input example that MLflow keeps with the model in `model_folder` as goldens.

    Raises:
        NotFoundError: there is none, or it has too few rows, or is not only numbers: the version
            has no goldens yet.
    """
    return _ask("from_input_example", {"folder": str(model_folder.absolute())}, target)


def _ask(verb: str, request: Document, target: Path) -> GoldensRecord:
    request = request | {"target": str(target.absolute())}
    answer = ask(WORKER, verb, request, work=target.parent)
    content = target.read_bytes()
    answer |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return shape.from_json(GoldensRecord, answer, what="the goldens' record")
