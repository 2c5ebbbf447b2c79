"""The end of the stored log as its key signed it, and the entries under it.

Whoever stole the hub's role on a database adds rows: entries far beyond the end or below entry 0,
checkpoints of any size, or one that was signed elsewhere, without the entries that it is over. No
row of the log counts by itself, then. What the log's key signed counts, where it is what is stored:
the edge is the newest checkpoint, if that is so, and else there is none. An entry counts if its
bytes are in the tree under the edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, func, or_, select

from sealift_registry.audit.stored_hashes import damaged, stored_hashes
from sealift_registry.audit.tables import log_checkpoint, log_entry
from sealift_signing.errors import FailedError, RefusedError, SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint, merkle
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import Entry, read_entry
from sealift_signing.transparency.growth import LogRow
from sealift_signing.transparency.tiles import WIDTH, TiledTree


class Edge(NamedTuple):
    """The end of a log: how many entries it has, and the root over them."""

    size: int
    root: bytes


class Former(NamedTuple):
    """The keys that a log's key follows, and up to where they sign.

    Attributes:
        keys: they.
        until: how many entries a log that ends there had after the commit that named today's key;
            None where no entry of it is that one.
    """

    keys: Iterable[PublicKey] = ()
    until: Callable[[Edge], int | None] = lambda _: None


class Vouch(NamedTuple):
    """Whose signature counts: the log's key, its name, and the keys that it follows."""

    key: PublicKey
    origin: str
    former: Callable[[], Former] = Former


class Under(NamedTuple):
    """An entry that is in the tree under an edge, and its number."""

    seq: int
    entry: Entry


_NEWEST = (
    select(log_checkpoint.c.size, log_checkpoint.c.root, log_checkpoint.c.note)
    .order_by(log_checkpoint.c.size.desc())
    .limit(1)
)
_SIZE: BindParameter[int] = bindparam("size")
_SINCE: BindParameter[int] = bindparam("since")
_COUNTED = (
    select(func.count())
    .select_from(log_entry)
    .where(log_entry.c.seq >= _SINCE, log_entry.c.seq < _SIZE)
    .scalar_subquery()
)
_ELSEWHERE = (
    select(func.count())
    .select_from(log_entry)
    .where(or_(log_entry.c.seq < 0, log_entry.c.seq >= _SIZE))
    .scalar_subquery()
)
# Not by its span: all of it is counted along the smallest index, and few rows are elsewhere.
_ALL = select(select(func.count()).select_from(log_entry).scalar_subquery() - _ELSEWHERE)
_HELD = select(log_checkpoint.c.root, _COUNTED).where(log_checkpoint.c.size == _SIZE)


def signed(connection: Connection, vouch: Vouch | None) -> Edge:
    """The newest checkpoint, if the log's key signed it.

    It is cheap, and enough for who reads the log and signs nothing by it: of the entries the last
    ones are known to be there (`holds`).

    A key that was replaced signs one checkpoint more: over the commit that names the new key, which
    nothing follows but what that signs. Whoever stole it signs whatever they like, so its word
    counts there alone, in a log of which all is there: for a moment, or until a hub that was
    stopped in it is opened.

    Raises:
        FailedError: nobody signed it whose word counts, or the entries before it are not there.
    """
    row = connection.execute(_NEWEST).one_or_none()
    if row is None:
        raise damaged("nothing is left of it")
    if vouch is None:
        raise damaged("no key of the log is named that could have signed it")
    try:
        said, former = _signed_by(bytes(row.note), vouch)
    except SealiftError as bad:
        raise damaged(bad.what.rstrip(".")) from bad
    found = Edge(said.size, said.root)
    if found != Edge(row.size, bytes(row.root)):
        raise damaged("its size or root is not the one that was signed")
    if not holds(connection, *found):
        raise damaged(f"of its {said.size} entries not all are there")
    if former is not None:
        check_stored(connection, found)
        if former.until(found) != found.size:
            raise damaged("a key that was replaced signed its end")
    return found


def _signed_by(note: bytes, vouch: Vouch) -> tuple[Checkpoint, Former | None]:
    """What was signed; by the log's key, or else by one of those that it follows, which are given.

    Raises:
        RefusedError: none of them did.
        MalformedError: it is no checkpoint.
    """
    try:
        return checkpoint.verify(note, vouch.key, vouch.origin), None
    except RefusedError:
        former = vouch.former()
        for key in former.keys:
            with suppress(RefusedError):
                return checkpoint.verify(note, key, vouch.origin), former
        raise


def verified(connection: Connection, vouch: Vouch | None, since: int = 0) -> Edge:
    """As `signed`, where every entry is there, and the stored hashes give the root.

    Of the first `since` entries it is known already that they are there.

    Raises:
        FailedError: as `signed`; or entries are missing, or hashes are others than were signed.
    """
    found = signed(connection, vouch)
    check_stored(connection, found, since)
    return found


def check_stored(connection: Connection, edge: Edge, since: int = 0) -> None:
    """Check that the entries before an edge are there, and that their hashes give its root.

    Raises:
        FailedError: they are not.
    """
    if since:
        counted = connection.execute(select(_COUNTED), {"since": since, "size": edge.size})
    else:
        counted = connection.execute(_ALL, {"size": edge.size})
    lacking = edge.size - since - counted.scalar_one()
    if lacking:
        raise damaged(f"{lacking} of its {edge.size} entries are not there")
    if merkle.root_from(_tree(connection, edge.size), edge.size) != edge.root:
        raise damaged(f"the hashes of its {edge.size} entries do not give the root")


def holds(connection: Connection, size: int, root: bytes) -> bool:
    """Whether a commit ended there, by one cheap question, which is asked before every commit.

    A checkpoint without its entries does not count: somebody put it there who has the database. Of
    these it sees whether the last ones are there, back to where the last full tile ends.
    """
    if not size:
        return True
    since = (size - 1) // WIDTH * WIDTH
    row = connection.execute(_HELD, {"size": size, "since": since}).one_or_none()
    return row is not None and bytes(row[0]) == root and row[1] == size - since


def holds_all(connection: Connection, edge: Edge) -> bool:
    """Whether a commit ended there, and all that is stored before it is what was signed."""
    if not holds(connection, edge.size, edge.root):
        return False
    with suppress(FailedError):
        check_stored(connection, edge)
        return True
    return False


def entries(connection: Connection, edge: Edge, *types: str) -> Iterator[Under]:
    """The entries of these types that are under a verified edge, the newest first.

    Rows elsewhere are no entries; that they are there is named by `sealift audit fsck`.

    Raises:
        FailedError: one of them is not what was signed.
    """
    tree = _tree(connection, edge.size)
    query = (
        select(log_entry.c.seq, log_entry.c.leaf, log_entry.c.body)
        .where(log_entry.c.type.in_(types), log_entry.c.seq >= 0, log_entry.c.seq < edge.size)
        .order_by(log_entry.c.seq.desc())
    )
    for row in connection.execute(query).all():
        entry = _included(tree, edge, row.seq, bytes(row.leaf), bytes(row.body))
        if entry.type not in types:
            raise damaged(f"entry {row.seq} is listed as what it is not")
        yield Under(row.seq, entry)


def last(connection: Connection, edge: Edge) -> Entry | None:
    """The last entry before a verified edge; None where there is none.

    Raises:
        FailedError: it is not what was signed.
    """
    if not edge.size:
        return None
    query = select(log_entry.c.seq, log_entry.c.leaf, log_entry.c.body)
    row = connection.execute(query.where(log_entry.c.seq == edge.size - 1)).one_or_none()
    if row is None:
        raise damaged("its last entry is not there")
    return included(connection, edge, LogRow(row.seq, bytes(row.leaf), bytes(row.body)))


def prover(connection: Connection, edge: Edge) -> Callable[[LogRow], Entry]:
    """As `included`, for many rows: what proves one is read once for all that lie near it."""
    tree = _tree(connection, edge.size)

    def proved(row: LogRow) -> Entry:
        if not 0 <= row.seq < edge.size:
            raise damaged(f"row {row.seq} is not one of its {edge.size} entries")
        return _included(tree, edge, row.seq, row.leaf, row.body)

    return proved


def included(connection: Connection, edge: Edge, row: LogRow) -> Entry:
    """The entry of a row of the log, which is under a verified edge.

    Raises:
        FailedError: it is not.
    """
    return prover(connection, edge)(row)


MOST_KEPT = 4096
"""Entries that a process keeps as it read them."""
LARGEST_KEPT = 4 << 10
"""Bytes of the largest of them."""


@lru_cache(MOST_KEPT)
def _read(body: bytes) -> Entry:
    """An entry by its bytes, which say the same whoever asks."""
    return read_entry(body)


def _included(tree: TiledTree, edge: Edge, seq: int, leaf: bytes, body: bytes) -> Entry:
    if leaf != merkle.leaf_hash(body):
        raise damaged(f"entry {seq} is not the one that was signed")
    try:
        _proven(edge).check(tree, leaf, seq)
        return _read(body) if len(body) <= LARGEST_KEPT else read_entry(body)
    except SealiftError as bad:
        raise damaged(f"entry {seq} is not the one that was signed") from bad


@lru_cache(2)
def _proven(edge: Edge) -> merkle.Proven:
    """What this process has shown to be under an edge: the same tree, whoever asks and from where.

    A row is compared with it each time; what lies in the database is believed by that no more.
    """
    return merkle.Proven(edge.size, edge.root)


def _tree(connection: Connection, size: int) -> TiledTree:
    return TiledTree(stored_hashes(connection), size)
