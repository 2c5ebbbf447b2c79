"""Extending the stored log inside a transaction that somebody else begins and commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from typing import Any

from securesystemslib.signer import Signer
from sqlalchemy import Connection, func, insert, select

from sealift_registry.audit import restored_backup
from sealift_registry.audit.admission import Admission
from sealift_registry.audit.edge import Edge, Former, Vouch, check_stored, signed, verified
from sealift_registry.audit.newest_checkpoint import Kept, LostError, NewestCheckpoint
from sealift_registry.audit.signed_moves import LEAVING, MOVED, StillHere
from sealift_registry.audit.stored_hashes import damaged, stored_hashes
from sealift_registry.audit.tables import log_checkpoint, log_entry, log_term, log_tile
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.entry_columns import derive
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import Growth, grow

Follows = Callable[[Connection, PublicKey], Former]
"""Gives the keys that a log's key follows."""
Check = Callable[[Connection, PublicKey], None]
"""Refuses a key that is not the log's any more."""


class Appender:
    """Numbers and hashes entries, extends the tree and signs its checkpoint, all as rows.

    `blobs` is where this process keeps blobs. `check` is asked of its key wherever another process
    has written since, or an entry here gave the log another: it may have been replaced. Only who
    founds a hub `begins` a log.

    Attributes:
        is_stale: the key was; another one must be opened.
    """

    def __init__(
        self,
        signer: Signer,
        origin: str,
        former: Follows = lambda _, __: Former(),
        blobs: str | None = None,
        home: NewestCheckpoint | None = None,
        check: Check | None = None,
        *,
        begins: bool = False,
    ) -> None:
        self.is_stale = False
        self._begins = begins
        self._check = check
        self._signer = signer
        self._blobs = blobs
        self._home = home
        self._signed: Kept | None = None
        self._former = former
        self._key = PublicKey.from_tuf(signer.public_key)
        self._origin = origin
        self._own = Frontier()
        self._begun = False  # whether anything of ours was ever committed
        self._verified = Edge(0, b"")  # up to where all is known to be there
        self._still_here = StillHere()

    def admission(self, connection: Connection, stated: date | None) -> Admission:
        """What is asked of the entries of this commit.

        Raises:
            LostError: this home signed a checkpoint that is not in the database, nor in its list of
                those that it lacks.
            FailedError: what this home signed last cannot be read, or another key signed it.
            FailedError: the key is not the log's any more.
            FailedError: what others have written since is not what was signed.
        """
        follows = partial(self._follows, connection)
        if self._home is not None:
            kept = self._home.newest(self._key, self._origin, follows)
            if kept is not None and not restored_backup.knows(connection, kept):
                raise LostError(kept)
        if self._check is not None and (self.is_stale or _size(connection) != self._own.size):
            self._check_key(self._check, connection)
            self._still_here.forget()
            if self._home is not None:
                self._verify(connection)
        if self._home is not None:
            self._home.check_ours(self._key, self._origin, follows)
        return Admission(connection, self._key, self._origin, stated, self._elsewhere(connection))

    def _elsewhere(self, connection: Connection) -> SealiftError | None:
        """Why this database takes no entry: the hub is elsewhere, or that cannot be told."""
        try:
            return self._still_here.refusal(connection, partial(self._end, connection), self._blobs)
        except FailedError as bad:
            # Of somebody else's log whoever founds says so; and none is gone on from (`_edge`).
            return None if self._begins and not self._begun else bad

    def _check_key(self, check: Check, connection: Connection) -> None:
        """Check that the key is the log's still: once another is, a checkpoint by it is a thief's.

        Raises:
            FailedError: it is not.
        """
        self.is_stale = True
        check(connection, self._key)
        self.is_stale = False

    def _verify(self, connection: Connection) -> None:
        """Check all that this process does not know yet; of a log that has begun."""
        found = signed(connection, self._vouch(connection))
        known = self._verified.size
        check_stored(connection, found, known if known < found.size else 0)
        self._verified = found

    def _end(self, connection: Connection) -> Edge:
        """The verified edge: what is known already, if the log ends there."""
        size = _size(connection)
        if self._verified.size and self._verified.size == size:
            return self._verified
        if not size and self._begins and not self._begun:
            return self._verified  # nothing was signed yet
        return verified(connection, self._vouch(connection))

    def keep(self) -> None:
        """Keep in the home what the newest `append` signed, now that it is committed."""
        self._begun, self._verified = True, Edge(self._own.size, self._own.root)
        if self._home is not None and self._signed is not None:
            self._home.keep(self._signed, self._key, self._origin)

    def append(
        self,
        connection: Connection,
        written: Sequence[tuple[Entry, bytes]],
        *,
        replaces_key: bool = False,
    ) -> Growth:
        """Insert these entries, each with its body, at the end of the log.

        `replaces_key` is whether one of them gives the log another key: this one signs that commit,
        and nothing after it.

        Raises:
            FailedError: the log's newest checkpoint is not one that this log's key signed.
        """
        frontier = self._edge(connection)
        growth = grow(frontier, [body for _, body in written], stored_hashes(connection))
        size, root = growth.frontier.size, growth.frontier.root
        said = Checkpoint(self._origin, size, root)
        note = checkpoint.sign(said, self._signer)
        _insert_entries(connection, growth, [entry for entry, _ in written])
        connection.execute(
            insert(log_checkpoint),
            {
                "size": size,
                "root": root,
                "frontier": growth.frontier.encode(),
                "leaves": growth.leaves,
                "note": note,
            },
        )
        self._own, self._signed = growth.frontier, Kept(note, said)
        if any(entry.type in {LEAVING, MOVED} for entry, _ in written):
            self._still_here.forget()
        self.is_stale = replaces_key
        return growth

    def _edge(self, connection: Connection) -> Frontier:
        """The frontier to continue from: our last one, or else one that our key vouches for.

        Signing whatever the table says would turn a forged history into a signed one.
        """
        newest = select(log_checkpoint).order_by(log_checkpoint.c.size.desc()).limit(1)
        row = connection.execute(newest).one_or_none()
        if row is None:
            # Whoever emptied it would have us sign another history, from entry 0 on.
            if not self._begins or self._begun:
                raise damaged("nothing is left of it")
            return Frontier()
        try:
            found = Frontier.decode(row.size, row.frontier)
        except SealiftError as bad:
            raise damaged(bad.what.rstrip(".")) from bad
        known = {(self._own.size, self._own.root), self._verified}
        if (found.size, found.root) not in known and (
            signed(connection, self._vouch(connection)) != (found.size, found.root)
        ):
            raise damaged("its frontier is not the one that was signed")
        return found

    def _follows(self, connection: Connection) -> Iterable[PublicKey]:
        return self._former(connection, self._key).keys

    def _vouch(self, connection: Connection) -> Vouch:
        return Vouch(self._key, self._origin, partial(self._former, connection, self._key))


def _size(connection: Connection) -> int:
    return connection.execute(select(func.max(log_checkpoint.c.size))).scalar() or 0


def _insert_entries(connection: Connection, growth: Growth, entries: Sequence[Entry]) -> None:
    columns: list[dict[str, Any]] = []
    terms: list[dict[str, Any]] = []
    for row, entry in zip(growth.rows, entries, strict=True):
        columns.append(row._asdict() | derive(entry))
        terms += [{"kind": term.kind, "value": term.value, "seq": row.seq} for term in entry.terms]
    connection.execute(insert(log_entry), columns)
    if terms:
        connection.execute(insert(log_term), terms)
    if growth.tiles:
        connection.execute(insert(log_tile), [tile._asdict() for tile in growth.tiles])


SignerProvider = Callable[[], Signer]
"""Gives the log's signer when the first entry is written: reading the log needs no passphrase."""
