"""Files that are sent to a hub's server in pieces: whoever is cut off goes on where it ended."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealift_signing.drawing import word
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, UsageError
from sealift_signing.vocabulary import unfit_for_media

if TYPE_CHECKING:
    from sealift_registry.client.asking import Asking

PIECE = 8 << 20
"""Bytes that are sent at once."""
KIND = "application/partial-upload"
MOVED = "upload-offset"
"""The code of a piece that begins elsewhere than the last one ended."""
UNDER_WAY = "upload-under-way"
"""The code of a piece that comes while another is added, or while all of it is being compared."""
AGAIN = 2.0
"""Seconds until it is asked again how far a file is that the server works at."""
PATIENCE = 3600.0
"""Seconds that the server may take to compare a file."""
MOST_TRIES = 3
"""Pieces one after the other of which nothing is kept."""


def send(asking: Asking, place: str, kind: str, path: Path) -> str:
    """Send a file to `place`, the uploads of a team; the name that it has there.

    Raises:
        NotFoundError: there is no such file here.
        UsageError: it is a folder, or has a name that no server takes.
        SealiftError: the server's.
    """
    if path.is_dir():
        raise UsageError(
            "upload-folder",
            f"{word(str(path))} is a folder, and one file is sent.",
            subject=str(path),
            next_step="Save the model as one file; or ingest the folder on the hub's machine.",
        )
    why = unfit_for_media(path.name)
    if why and path.exists():
        raise UsageError(
            "upload-name",
            f"{word(str(path))} cannot be sent, by its name: {why}.",
            subject=str(path),
            next_step="Give the file another name, and send that.",
        )
    try:
        with path.open("rb") as file:
            return _sent(asking, place, kind, path, file)
    except FileNotFoundError as bad:
        raise NotFoundError(
            "source-not-found",
            f"There is nothing at {path}.",
            subject=str(path),
            next_step="Check the path.",
        ) from bad
    except OSError as bad:
        raise FailedError(
            "upload-unread",
            f"{word(str(path))} could not be read.",
            subject=str(path),
            next_step="Check who may read it.",
        ) from bad


def _sent(asking: Asking, place: str, kind: str, path: Path, file: BufferedReader) -> str:
    digest, size = file_digest(file, "sha256").hexdigest(), file.tell()
    said = {"kind": kind, "name": path.name, "size": size, "sha256": digest}
    answer = asking.write("POST", place, json.dumps(said).encode())
    name = str(answer.json().get("upload", ""))
    if not (name.isascii() and name.isalnum()):
        raise answer.odd("without a name for what is sent")
    here, there, tries = f"{place}/{name}", answer.json(), 0
    while there.get("complete") is not True:
        offset = _offset(there, size)
        if offset is None or tries == MOST_TRIES:
            raise answer.odd("something else than how far a file is")
        file.seek(offset)
        there = _piece(asking, here, offset, file.read(PIECE))
        tries = tries + 1 if _offset(there, size) == offset else 0
    return name


def _piece(asking: Asking, place: str, offset: int, piece: bytes) -> Mapping[str, Any]:
    """How far it is, after the next piece; where that was cut, what of it was kept is seen."""
    try:
        return asking.write(
            "PATCH", place, piece, kind=KIND, headers={"upload-offset": str(offset)}
        ).json()
    except RefusedError as bad:
        if bad.code == UNDER_WAY:
            return _waited(asking, place)
        if bad.code != MOVED:
            raise
        return asking.read(place).json()


def _waited(asking: Asking, place: str) -> Mapping[str, Any]:
    """How far it is, once the server compared what came before an answer of it was cut off.

    Of one that goes on elsewhere it is seen that more of it comes, and left to that.
    """
    until = time.monotonic() + PATIENCE
    while True:
        there = asking.read(place).json()
        is_all = there.get("offset") == there.get("size")
        if there.get("complete") is True or not is_all or time.monotonic() > until:
            return there
        time.sleep(AGAIN)


def _offset(said: Mapping[str, Any], size: int) -> int | None:
    found = said.get("offset")
    is_one = isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= size
    return found if is_one else None
