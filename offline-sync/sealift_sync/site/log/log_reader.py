"""Reading a site's log: questions, proofs, checks, and the part of it that goes home."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sealift_signing.errors import NotFoundError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import entry_columns, extract, log_checking, merkle
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry_columns import DerivedRow, StoredTerm
from sealift_signing.transparency.extract import Extract
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import LogRow
from sealift_signing.transparency.history import StoredCheckpoint
from sealift_signing.transparency.log_checking import StoredLog
from sealift_signing.transparency.question import KEY, Question
from sealift_signing.transparency.tiles import Tile, TiledTree
from sealift_signing.transparency.verdict import Verdict
from sealift_sync.site.log.appending import stored_hashes


class SiteLogReader:
    """The site's log, for reading; it writes nothing and needs no key."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def page(
        self,
        question: Question,
        *,
        limit: int = 50,
        beyond: int | None = None,
        newest_first: bool = True,
    ) -> tuple[LogRow, ...]:
        """Up to `limit` entries that match, from the newest or the oldest, `beyond` that row."""
        conditions: dict[str, tuple[str | int, ...]] = dict(_conditions(question))
        if beyond is not None:
            conditions["seq < ?" if newest_first else "seq > ?"] = (beyond,)
        where = " AND ".join(conditions) or "TRUE"
        order = "DESC" if newest_first else "ASC"
        values = [value for given in conditions.values() for value in given]
        rows = self._connection.execute(
            f"SELECT seq, leaf, body FROM log_entry WHERE {where} "  # noqa: S608 - values are bound
            f"ORDER BY seq {order} LIMIT ?",
            (*values, limit),
        )
        return tuple(LogRow(*row) for row in rows)

    def checkpoint(self, size: int | None = None) -> StoredCheckpoint:
        """The checkpoint of that size, or the newest.

        Raises:
            NotFoundError: there is none.
        """
        row = self._connection.execute(
            "SELECT size, root, frontier, leaves, note FROM log_checkpoint "
            "WHERE size = ?1 OR ?1 IS NULL ORDER BY size DESC LIMIT 1",
            (size,),
        ).fetchone()
        if row is None:
            which = "no entries yet" if size is None else f"no checkpoint of {size} entries"
            raise NotFoundError(
                "checkpoint-not-found",
                f"The log has {which}.",
                next_step="Give the size that a checkpoint names; the newest is in: "
                "sealift-site audit verify",
            )
        return StoredCheckpoint(*row)

    def inclusion_proof(self, seq: int, size: int) -> tuple[bytes, ...]:
        """What shows that entry `seq` is in the log of `size` entries (RFC 9162 §2.1.3)."""
        return merkle.inclusion_proof_from(self._tree(size), seq, size)

    def consistency_proof(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """What shows that the log of `size` entries continues that of `old_size` (§2.1.4)."""
        return merkle.consistency_proof_from(self._tree(size), old_size, size)

    def extract(self, first: int) -> Extract:
        """Entries `first` and following, with what proves them, to be carried home.

        Raises:
            NotFoundError: the log has no entries yet.
        """
        with self._one_moment():
            newest = self.checkpoint()
            rows = self._connection.execute(
                "SELECT seq, leaf, body FROM log_entry WHERE seq >= ? AND seq < ? ORDER BY seq",
                (first, newest.size),
            )
            found = (LogRow(*row) for row in rows)
            return extract.make(found, first, newest.size, self._tree(newest.size), newest.note)

    def verify(
        self,
        key: PublicKey,
        origin: str,
        *,
        seen: Iterable[Checkpoint] = (),
        every_signature: bool = False,
    ) -> Verdict:
        """Whether the log is what was committed and signed.

        See `transparency.log_checking.verify`.
        """
        with self._one_moment():
            return log_checking.verify(
                self._stored(), key, origin, seen=seen, every_signature=every_signature
            )

    def fsck(self, key: PublicKey, origin: str, *, seen: Iterable[Checkpoint] = ()) -> Verdict:
        """`verify`, every signature, and the columns and terms that are derived from the bytes."""
        with self._one_moment():
            verdict = log_checking.verify(
                self._stored(), key, origin, seen=seen, every_signature=True
            )
            rows = self._connection.execute(
                "SELECT seq, body, id, type, site, recorded_at, actor FROM log_entry ORDER BY seq"
            )
            terms = self._connection.execute("SELECT seq, kind, value FROM log_term ORDER BY seq")
            found = entry_columns.check(map(DerivedRow._make, rows), map(StoredTerm._make, terms))
            return verdict.joined(found)

    def _tree(self, size: int) -> TiledTree:
        query = "SELECT frontier FROM log_checkpoint WHERE size = ?"
        row = self._connection.execute(query, (size,)).fetchone()
        edge = Frontier.decode(size, row[0]) if row else None
        return TiledTree(stored_hashes(self._connection), size, edge)

    def _stored(self) -> StoredLog:
        rows = self._connection.execute("SELECT seq, leaf, body FROM log_entry ORDER BY seq")
        checkpoints = self._connection.execute(
            "SELECT size, root, frontier, leaves, note FROM log_checkpoint ORDER BY size"
        )
        tiles = self._connection.execute(
            "SELECT level, number, root, hashes FROM log_tile ORDER BY level, number"
        )
        return StoredLog(
            map(LogRow._make, rows),
            map(StoredCheckpoint._make, checkpoints),
            map(Tile._make, tiles),
        )

    @contextmanager
    def _one_moment(self) -> Iterator[None]:
        """Everything read inside is of the same state, whatever is committed meanwhile."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()


def _conditions(question: Question) -> Iterator[tuple[str, tuple[str, ...]]]:
    if question.id is not None:
        yield "id = ?", (question.id,)
    if question.type is not None and question.type.endswith(".*"):
        # A range rather than LIKE, so that the index is used; "/" follows "." in every encoding.
        stem = question.type[:-2]
        yield "type >= ? AND type < ?", (stem + ".", stem + "/")
    elif question.type is not None:
        yield "type = ?", (question.type,)
    if question.site is not None:
        yield "site = ?", (question.site,)
    if question.actor is not None:
        named = "instr(', ' || actor || ', ', ', ' || ? || ', ')"
        signed = "seq IN (SELECT seq FROM log_term WHERE kind = ? AND value = ?)"
        yield f"({named} OR {signed})", (question.actor, KEY, question.actor)
    if question.since is not None:
        yield "recorded_at >= ?", (question.since,)
    if question.until is not None:
        yield "recorded_at < ?", (question.until,)
    if question.terms:
        one = "seq IN (SELECT seq FROM log_term WHERE kind = ? AND value = ?)"
        values = tuple(text for term in question.terms for text in (term.kind, term.value))
        yield " AND ".join([one] * len(question.terms)), values
