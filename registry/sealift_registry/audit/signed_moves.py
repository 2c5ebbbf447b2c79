"""What the log says of where the hub is: a row of `moved` counts only if an entry says the same.

Whoever stole the hub's role on a database adds rows and signs none. A row alone would send people,
and what opens a database, to a place of a thief's. So the rows say when the log is to be asked, and
the log says where the hub is: up to the newest checkpoint, if the log's key signed that.

That a copy does not count yet (`ARRIVING`) no entry can say: there it is the row that counts, for a
copy that signed would be a second hub. Forged, it stops a hub, and names no place to go to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Connection, select

from sealift_registry.audit import moved
from sealift_registry.audit.moved import (
    BLOBS,
    LEFT,
    WORDS,
    Move,
    MovedHubError,
    history,
    numbers,
)
from sealift_registry.audit.tables import log_checkpoint, log_entry
from sealift_signing.canonical import Json
from sealift_signing.drawing import word
from sealift_signing.errors import SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.entry import read_entry
from sealift_signing.transparency.verdict import LogFault

LEAVING, MOVED = "hub.leaving", "hub.moved"
PLACE, BLOBS_TO = "place", "blobs_to"
"""In such entries: whereto, as `Database.place` and `Home.blobs_place` have it."""


class Vouch(NamedTuple):
    """Whose signature counts: the log's key, its name, and the keys that it follows."""

    key: PublicKey
    origin: str
    former: Callable[[], Iterable[PublicKey]] = tuple


Asked = Callable[[], Vouch | None]
"""Gives that, where a row says anything; None where the log has no key."""


class _Said(NamedTuple):
    """What an entry says: its place in the log, and its data."""

    seq: int
    data: Mapping[str, Json]


def went_to(connection: Connection, vouch: Asked) -> str | None:
    """Where the rows went, if the last entry of the log says that they did."""
    if all(one.what != LEFT for one in history(connection)):  # nearly always
        return None
    size = _signed_size(connection, vouch)
    said = next(_said(connection, size, LEAVING), None)
    if said is None or said.seq + 1 != size:
        return None
    return str(said.data.get(PLACE, ""))


def blobs_at(connection: Connection, vouch: Asked) -> str | None:
    """Where blobs are, as the newest entry says that moved any; None where none did."""
    found = _said(connection, _signed_size(connection, vouch), LEAVING, MOVED)
    return next((str(one.data[BLOBS_TO]) for one in found if BLOBS_TO in one.data), None)


def refusal(connection: Connection, vouch: Asked, blobs: str | None = None) -> MovedHubError | None:
    """Why this database takes no entry; None where it does.

    `blobs` is where whoever asks keeps blobs.
    """
    moves = history(connection)
    if not moves:  # nearly always
        return None
    there = went_to(connection, vouch)
    if there is not None:
        return moved.left(there)
    here = moved.comes_from(moves)
    if here is not None:
        return moved.arriving(here)
    if blobs is None or all(one.place == blobs for one in moves if one.what == BLOBS):
        return None
    kept = blobs_at(connection, vouch)
    return None if kept in {None, blobs} else moved.blobs_elsewhere(str(kept), blobs)


def faults(connection: Connection, vouch: Asked) -> Iterator[LogFault]:
    """Every row that says what no entry says; the entries themselves are checked with the log."""
    moves = history(connection)
    if not moves:
        return
    size = _signed_size(connection, vouch)
    blobs = {one.data.get(BLOBS_TO) for one in _said(connection, size, LEAVING, MOVED)}
    gone = went_to(connection, vouch)
    for expected, (number, one) in enumerate(zip(numbers(connection), moves, strict=True), 1):
        if (
            one.what not in WORDS
            or (one.what == LEFT and one.place != gone)
            or (one.what == BLOBS and one.place not in blobs)
        ):
            yield _not_signed(number, one)
        elif number != expected:
            what = f"Row {number} of moved stands where row {expected} would."
            yield LogFault("move-misnumbered", what, None)


def _signed_size(connection: Connection, vouch: Asked) -> int:
    """How many entries the newest checkpoint is of; 0 where nobody signed it whose word counts."""
    query = select(log_checkpoint.c.size, log_checkpoint.c.note)
    row = connection.execute(query.order_by(log_checkpoint.c.size.desc()).limit(1)).first()
    by = vouch() if row is not None else None
    if row is None or by is None:
        return 0
    for key in (by.key, *by.former()):
        with suppress(SealiftError):
            said = checkpoint.verify(bytes(row.note), key, by.origin)
            return said.size if said.size == row.size else 0
    return 0


def _said(connection: Connection, size: int, *types: str) -> Iterator[_Said]:
    """What entries of these types say, the newest first, of the first `size` of the log."""
    query = select(log_entry.c.seq, log_entry.c.body).where(
        log_entry.c.type.in_(types), log_entry.c.seq < size
    )
    for row in connection.execute(query.order_by(log_entry.c.seq.desc())):
        with suppress(SealiftError):  # it is named with the log
            entry = read_entry(bytes(row.body))
            if entry.type in types and isinstance(entry.data, Mapping):
                yield _Said(row.seq, entry.data)


def _not_signed(number: int, one: Move) -> LogFault:
    what = (
        f"Row {number} of moved says {word(one.what)} of {word(one.place)}, and no entry of the "
        "log does: somebody added it who has the database, and not the log's key."
    )
    return LogFault("move-not-signed", what, None)
