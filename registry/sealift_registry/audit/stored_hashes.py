"""The hashes of the stored tree, as its rows have them, and what is said where one is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from sealift_registry.audit.tables import log_entry, log_tile
from sealift_signing.errors import FailedError
from sealift_signing.transparency import tiles
from sealift_signing.transparency.tiles import HashReader

_LEAVES = (
    select(log_entry.c.leaf)
    .where(log_entry.c.seq >= bindparam("first"), log_entry.c.seq < bindparam("end"))
    .order_by(log_entry.c.seq)
)
_ROOTS = (
    select(log_tile.c.root)
    .where(
        log_tile.c.level == bindparam("level") - 1,
        log_tile.c.number >= bindparam("first"),
        log_tile.c.number < bindparam("end"),
    )
    .order_by(log_tile.c.number)
)
_TILE = select(log_tile.c.hashes).where(
    log_tile.c.level == bindparam("level"), log_tile.c.number == bindparam("number")
)


def stored_hashes(connection: Connection) -> HashReader:
    """Reads the tree's hashes: full tiles, or else the leaves of entries and the roots of tiles."""

    def read(level: int, first: int, end: int) -> Sequence[bytes]:
        if end - first == tiles.WIDTH and first % tiles.WIDTH == 0:
            place = {"level": level, "number": first // tiles.WIDTH}
            found = tiles.cut(connection.execute(_TILE, place).scalar() or b"")
        else:
            span = {"first": first, "end": end}
            query = connection.execute(_ROOTS if level else _LEAVES, span | {"level": level})
            found = list(query.scalars())
        if len(found) != end - first:
            raise damaged(f"hashes {first} to {end - 1} of level {level} are not all there")
        return found

    return read


def damaged(why: str) -> FailedError:
    """The refusal of a log whose rows are not what was signed."""
    return FailedError(
        "log-damaged",
        f"The log in the database is not the one that was signed: {why}.",
        next_step="Write nothing more; see what was changed with: sealift audit verify",
    )
