"""The site's log: appended to inside the transaction of whoever changes the site's state.

There is no writer's thread here. A site is one process at a time, and an import commits the store,
the state, the floors, the receipt and the log entry in one transaction (step 9 of an import).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from securesystemslib.signer import Signer

from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint, tiles
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import Entry, body_of
from sealift_signing.transparency.entry_columns import NAMES, derive
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import Growth, grow
from sealift_signing.transparency.tiles import HashReader
from sealift_sync.site.state.log_tables import create_tables

_TILE = "SELECT hashes FROM log_tile WHERE level = ? AND number = ?"
_ROOTS = "SELECT root FROM log_tile WHERE level = ? AND number >= ? AND number < ? ORDER BY number"
_LEAVES = "SELECT leaf FROM log_entry WHERE seq >= ? AND seq < ? ORDER BY seq"

__all__ = ["Appended", "SiteLog", "create_tables", "stored_hashes"]


class Appended(NamedTuple):
    """Where an entry will be once the caller commits: its place, its id, the checkpoint's size."""

    seq: int
    entry_id: str
    size: int


class SiteLog:
    """Appends entries to the log in `connection`'s database.

    Args:
        connection: the site's database; the site's one process, under its file lock, writes to it.
        signer: the site's key.
        origin: the log's name, `sealift_signing.transparency.checkpoint.site_origin(…)`.
    """

    def __init__(self, connection: sqlite3.Connection, signer: Signer, origin: str) -> None:
        self._connection = connection
        self._signer = signer
        self._origin = origin

    def append(self, entry: Entry) -> Appended:
        """Write `entry` and a signed checkpoint as part of the caller's transaction.

        It has happened when the caller has committed, and not before.

        Raises:
            FailedError: no transaction has begun, or the log is not the one this site signed.
            MalformedError: the entry is not spelled as it should be.
        """
        if not self._connection.in_transaction:
            raise FailedError(
                "log-no-transaction",
                "A log entry is written together with what it tells of: begin a transaction first.",
            )
        growth = grow(self._edge(), [body_of(entry)], stored_hashes(self._connection))
        self._insert(growth, entry)
        return Appended(growth.rows[0].seq, entry.id, growth.frontier.size)

    def _edge(self) -> Frontier:
        """The frontier to continue from, if this site's key vouches for it.

        Signing whatever the table says would turn a forged history into a signed one.
        """
        newest = "SELECT size, root, frontier, note FROM log_checkpoint ORDER BY size DESC LIMIT 1"
        row = self._connection.execute(newest).fetchone()
        if row is None:
            return Frontier()
        size, root, frontier, note = row
        try:
            found = Frontier.decode(size, frontier)
            said = checkpoint.verify(
                note, PublicKey.from_tuf(self._signer.public_key), self._origin
            )
        except SealiftError as bad:
            raise _damaged(bad.what) from bad
        if (said.size, said.root, root) != (size, found.root, found.root):
            raise _damaged("its size or root is not the one that was signed")
        return found

    def _insert(self, growth: Growth, entry: Entry) -> None:
        (row,) = growth.rows
        columns = derive(entry)
        values = [*row, *(columns[name] for name in NAMES)]
        self._write("log_entry", [values])
        self._write("log_term", [[term.kind, term.value, row.seq] for term in entry.terms])
        self._write("log_tile", growth.tiles)
        edge = growth.frontier
        note = checkpoint.sign(Checkpoint(self._origin, edge.size, edge.root), self._signer)
        self._write("log_checkpoint", [[edge.size, edge.root, edge.encode(), growth.leaves, note]])

    def _write(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        for row in rows:
            marks = ", ".join("?" * len(row))
            self._connection.execute(
                f"INSERT INTO {table} VALUES ({marks})",  # noqa: S608 - our own tables' names
                row,
            )


def stored_hashes(connection: sqlite3.Connection) -> HashReader:
    """Reads the tree's hashes: full tiles, or else the leaves of entries and the roots of tiles."""

    def read(level: int, first: int, end: int) -> Sequence[bytes]:
        if end - first == tiles.WIDTH and first % tiles.WIDTH == 0:
            row = connection.execute(_TILE, (level, first // tiles.WIDTH)).fetchone()
            found = tiles.cut(row[0]) if row else []
        elif level:
            found = [row[0] for row in connection.execute(_ROOTS, (level - 1, first, end))]
        else:
            found = [row[0] for row in connection.execute(_LEAVES, (first, end))]
        if len(found) != end - first:
            raise _damaged(f"hashes {first} to {end - 1} of level {level} are not all there")
        return found

    return read


def _damaged(why: str) -> FailedError:
    return FailedError(
        "log-damaged",
        f"The log in the database is not the one that was signed: {why}.",
        next_step="Write nothing more; see what was changed with: sealift-site audit verify",
    )
