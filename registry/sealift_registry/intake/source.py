"""Where a version came from: its files, and a record exact enough to find them again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol

from sealift_registry.workers.channel import Progress
from sealift_registry.workers.quoting import redacted
from sealift_registry.workers.runner import GIB, WorkerLimits
from sealift_signing import canonical, shape
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.shape import Distinct, Opaque
from sealift_signing.vocabulary import Count, MediumPath, Sentence, Sha256

SourceKind = Literal["mlflow", "dvc", "onnx"]

FETCHING = WorkerLimits(
    seconds=86_400, cpu_seconds=86_400, memory_bytes=4 * GIB, file_bytes=1024**4
)
"""Of a reader: a day for the largest model that is let in. A server that falls silent ends it in a
minute, since every client here has a time limit of its own; and what the source says in words is
read in minutes and in 2 GB (`workers.tight_limits.brief`)."""


@dataclass(frozen=True)
class SourceFile:
    """One file as it came.

    Attributes:
        path: relative to the model's folder, its parts joined by /.
        size: in bytes.
        sha256: of its bytes, which we hashed ourselves.
    """

    path: MediumPath
    size: Count
    sha256: Sha256


@dataclass(frozen=True)
class SourceRecord:
    """A document: the source of one version.

    Attributes:
        format: of this document.
        requires: features that a reader must know.
        kind: which reader fetched it.
        locator: where it is, with every alias resolved: `models:/digits/17`; the Git repository,
            commit and path; for a plain ONNX model, the name of its file or folder.
        source_version: the source's own number, for people: `MLflow v17`.
        aliases: what was asked for, where that was an alias, a tag or a branch.
        details: everything else that the source said; numbers that are not whole are strings.
        files: all of them, sorted by path.
    """

    DOCUMENT: ClassVar[str] = "source-record"

    format: Literal[1]
    requires: tuple[str, ...]
    kind: SourceKind
    locator: Sentence
    source_version: Sentence
    aliases: Annotated[tuple[Sentence, ...], Distinct()]
    details: Opaque
    files: Annotated[tuple[SourceFile, ...], Distinct(by="path")]

    def identity(self) -> str:
        """What makes it the same version of one model, ingested again.

        The sha256 over kind, locator and every file's path and digest; not over aliases or
        details, which change while the model does not.
        """
        files = sorted((file.path, file.sha256) for file in self.files)
        same = {"kind": self.kind, "locator": self.locator, "files": files}
        return hashlib.sha256(canonical.encode(same)).hexdigest()

    @property
    def size(self) -> int:
        """All files together, in bytes."""
        return sum(file.size for file in self.files)


def checked(record: SourceRecord) -> SourceRecord:
    """`record`, if it can be written as a document and read again; its details without passwords.

    People leave them in addresses: MLflow's tag for a run's Git repository often holds a token.

    Raises:
        RefusedError: a name or an address in it has no place in a document.
    """
    record = replace(record, details=_without_passwords(record.details))
    try:
        return shape.read(SourceRecord, shape.write(record), what="the source's record")
    except MalformedError as bad:
        raise RefusedError(
            "source-record",
            f"What the source says of the model cannot be recorded: {bad.what}",
            subject=bad.subject,
            next_step="Rename it at the source, and ingest again.",
        ) from bad


class Source(Protocol):
    """A place that models come from."""

    def fetch(self, into: Path, progress: Progress) -> SourceRecord:
        """Copy the model's files into the empty folder `into`, and say what they are.

        Raises:
            NotFoundError: there is no such model, version, alias, revision or path.
            RefusedError: a rule forbids these files.
            FailedError: the source could not be read, or the folder not be written.
        """


def spelled(value: Any) -> Any:  # noqa: ANN401 - a stranger's JSON in, canonical JSON out
    """`value` in the JSON that a document may hold (`sealift_signing.canonical`).

    Fractions and numbers beyond 2^53 become strings, members that are null are left out, keys and
    whatever else is no JSON become text.
    """
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int) and abs(value) <= canonical.LARGEST_INTEGER:
        return value
    if isinstance(value, dict):
        return {str(name): spelled(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [spelled(item) for item in value if item is not None]
    return str(value)


def _without_passwords(value: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
    if isinstance(value, dict):
        return {redacted(name): _without_passwords(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_passwords(item) for item in value]
    return redacted(value) if isinstance(value, str) else value
