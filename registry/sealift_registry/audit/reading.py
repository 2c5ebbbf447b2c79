"""Reading the hub's log: questions, proofs and checks. It writes nothing and needs no key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy import Row as SqlRow

from sealift_registry.audit import page_query
from sealift_registry.audit.stored_hashes import stored_hashes
from sealift_registry.audit.tables import log_checkpoint
from sealift_registry.storage.database import Database
from sealift_signing.errors import NotFoundError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import entry_columns, log_checking, merkle
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry_columns import DerivedRow, StoredTerm
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import LogRow
from sealift_signing.transparency.history import StoredCheckpoint
from sealift_signing.transparency.log_checking import StoredLog
from sealift_signing.transparency.question import Question
from sealift_signing.transparency.tiles import Tile, TiledTree
from sealift_signing.transparency.verdict import Verdict

AT_ONCE = 1_000
"""Rows fetched from the database at a time."""

_EDGE = select(log_checkpoint.c.frontier).where(log_checkpoint.c.size == bindparam("size"))


class LogReader:
    """The hub's log, for reading, in `database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One state of the log; what the database cannot do is told in words."""
        with self._database.in_words(), self._database.reading() as connection:
            yield connection

    @contextmanager
    def _everything(self) -> Iterator[_Everything]:
        """All rows of the log, of one moment (one read transaction)."""
        with self._reading() as connection, ExitStack() as stack:
            yield _Everything(connection, stack)

    def page(
        self,
        question: Question,
        *,
        size: int = page_query.EVERY,
        limit: int = 50,
        beyond: int | None = None,
        newest_first: bool = True,
    ) -> tuple[LogRow, ...]:
        """Up to `limit` entries that match, from the newest or the oldest, `beyond` that row.

        They are among the first `size`: for who shows them, what the log's key signed.
        """
        place = page_query.PageBounds(limit, beyond, newest_first, size)
        with self._reading() as connection:  # one read transaction: one moment
            query = page_query.page(connection, question, place)
            return tuple(LogRow(*row) for row in connection.execute(query))

    def checkpoint(self, size: int | None = None) -> StoredCheckpoint:
        """The checkpoint of that size, or the newest.

        Raises:
            NotFoundError: there is none.
        """
        query = select(log_checkpoint).order_by(log_checkpoint.c.size.desc()).limit(1)
        if size is not None:
            query = query.where(log_checkpoint.c.size == size)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            which = "no entries yet" if size is None else f"no checkpoint of {size} entries"
            raise NotFoundError(
                "checkpoint-not-found",
                f"The log has {which}.",
                next_step="Give the size that a checkpoint names; the newest is in: "
                "sealift audit verify",
            )
        return StoredCheckpoint(*row)

    def inclusion_proof(self, seq: int, size: int) -> tuple[bytes, ...]:
        """What shows that entry `seq` is in the log of `size` entries (RFC 9162 §2.1.3)."""
        with self._reading() as connection:
            return merkle.inclusion_proof_from(_tree(connection, size), seq, size)

    def consistency_proof(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """What shows that the log of `size` entries continues that of `old_size` (§2.1.4)."""
        with self._reading() as connection:
            return merkle.consistency_proof_from(_tree(connection, size), old_size, size)

    def verify(
        self,
        key: PublicKey,
        origin: str,
        *,
        seen: Iterable[Checkpoint] = (),
        every_signature: bool = False,
        former: Sequence[PublicKey] = (),
    ) -> Verdict:
        """Whether the log is what was committed and signed.

        See `transparency.log_checking.verify`.
        """
        with self._everything() as every:
            return log_checking.verify(
                _stored(every),
                key,
                origin,
                seen=seen,
                every_signature=every_signature,
                former=former,
            )

    def fsck(
        self,
        key: PublicKey,
        origin: str,
        *,
        seen: Iterable[Checkpoint] = (),
        former: Sequence[PublicKey] = (),
    ) -> Verdict:
        """`verify`, every signature, and the columns and terms that are derived from the bytes."""
        with self._everything() as every:
            verdict = log_checking.verify(
                _stored(every), key, origin, seen=seen, every_signature=True, former=former
            )
            rows = every.rows(
                "SELECT seq, body, id, type, site, recorded_at, actor FROM log_entry ORDER BY seq"
            )
            terms = every.rows("SELECT seq, kind, value FROM log_term ORDER BY seq")
            found = entry_columns.check(map(DerivedRow._make, rows), map(StoredTerm._make, terms))
            return verdict.joined(found)


def _tree(connection: Connection, size: int) -> TiledTree:
    edge = connection.execute(_EDGE, {"size": size}).scalar()
    frontier = Frontier.decode(size, edge) if edge is not None else None
    return TiledTree(stored_hashes(connection), size, frontier)


def _stored(every: _Everything) -> StoredLog:
    rows = every.rows("SELECT seq, leaf, body FROM log_entry ORDER BY seq")
    checkpoints = every.rows(
        "SELECT size, root, frontier, leaves, note FROM log_checkpoint ORDER BY size"
    )
    tiles = every.rows("SELECT level, number, root, hashes FROM log_tile ORDER BY level, number")
    return StoredLog(
        map(LogRow._make, rows), map(StoredCheckpoint._make, checkpoints), map(Tile._make, tiles)
    )


class _Everything:
    """Rows as the database holds them, a part at a time; `stack` closes what a check left open."""

    def __init__(self, connection: Connection, stack: ExitStack) -> None:
        self._connection = connection
        self._stack = stack

    def rows(self, query: str) -> Iterator[SqlRow[Any]]:
        """Of a query in SQL.

        A column's declared type would convert what it holds, and fail on what somebody else's edit
        left there, before the check can say that it was edited.
        """
        found = self._connection.execute(text(query), execution_options={"yield_per": AT_ONCE})
        return iter(self._stack.enter_context(found))
