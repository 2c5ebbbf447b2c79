"""What somebody declares of a file before any of it comes, and what can be sent at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sealift_registry.intake.incoming_folder import check_name
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.drawing import word
from sealift_signing.errors import MalformedError, UsageError
from sealift_signing.vocabulary import Moment, Name, Sentence, Sha256, instant, moment

LONGEST_NAME = 255
"""Bytes that a file's name may have on a disk."""
ENDINGS = {"onnx": ".onnx", "goldens": ".npz"}
"""What may be sent, and how its name ends. Files of other formats are fetched from their origin by
the hub itself, until there is a cell in which a stranger's can be opened."""


@dataclass(frozen=True)
class Declared:
    """What was declared of a file before any of it came.

    Attributes:
        account: who sends it; nobody else adds to it or takes it in.
        team: for whose models.
        kind: `onnx`, a model; or `goldens`.
        name: of the file.
        size: in bytes.
        sha256: of all of it.
        made: when it was declared.
    """

    format: Literal[1]
    account: Sentence
    team: Name
    kind: Literal["onnx", "goldens"]
    name: Sentence
    size: int
    sha256: Sha256
    made: Moment


def declared(
    account: str, team: str, kind: str, name: str, size: int, sha256: str, now: datetime
) -> Declared:
    """What somebody declares.

    Raises:
        UsageError: it is of no kind that may be sent.
        MalformedError: it is none.
    """
    if kind not in ENDINGS:
        raise UsageError(
            "upload-kind",
            f"{word(kind)} is no kind of file that can be sent.",
            subject=kind,
            next_step=f"Send one of: {', '.join(ENDINGS)}. A model in another format is ingested "
            "from MLflow or DVC.",
        )
    given: dict[str, Json] = {
        "format": 1,
        "account": account,
        "team": team,
        "kind": kind,
        "name": name,
        "size": size,
        "sha256": sha256,
        "made": moment(now),
    }
    return shape.from_json(Declared, given, what="what is declared of a file")


def check(given: Declared) -> None:
    """Check that a file of this name and size can be sent.

    Raises:
        RefusedError: its name could not travel.
        UsageError: its name is not of its kind.
        MalformedError: its size is none.
    """
    if len(given.name.encode()) > LONGEST_NAME:
        raise UsageError(
            "upload-name",
            f"The file's name has {len(given.name.encode()):,} bytes, and {LONGEST_NAME} is the "
            "most that a disk takes.",
            next_step="Give it a shorter name.",
        )
    check_name(given.name)
    if "/" in given.name or not given.name.endswith(ENDINGS[given.kind]):
        raise UsageError(
            "upload-name",
            f"A file that is sent as {given.kind} is called something{ENDINGS[given.kind]}.",
            subject=given.name,
            next_step="Give it a name that says what it is, without folders.",
        )
    if not 0 < given.size <= 2**53:
        raise MalformedError(
            "upload-size",
            f"{given.size:,} is no size of a file that can be sent.",
            subject=given.name,
            next_step="Declare as many bytes as it has.",
        )
    instant(given.made)
