"""What the log says of a row that somebody goes by, and that no statement covers.

Whoever may add rows to the database adds some behind the log's end as well. So what decides by an
entry goes by those alone that are under the edge that the log's key signed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Select, select

from sealift_registry.audit import edge, pending
from sealift_registry.audit.stored_hashes import damaged
from sealift_registry.audit.tables import log_entry, log_term
from sealift_registry.storage.queries import all_rows, holds, in_parts
from sealift_registry.trust import whereabouts
from sealift_registry.trust.stored import once_read
from sealift_signing.errors import RefusedError, SealiftError
from sealift_signing.transparency.entry import Entry, Term, read_entry
from sealift_signing.transparency.growth import LogRow

_WHOLE = (
    "Somebody changed the database, or it is damaged. See all that is wrong with it with: "
    "sealift audit fsck; then restore it from a backup."
)
Data = Mapping[str, Any]
"""The particulars of an entry."""


def signed(connection: Connection) -> edge.Edge:
    """The log's edge, as the fleet's list names the log's key.

    Raises:
        FailedError: the log in the database is not the one that was signed.
    """
    return edge.signed(connection, whereabouts.vouch(connection))


def newest(
    connection: Connection,
    types: tuple[str, ...],
    term: tuple[str, str] | None,
    speaks: Callable[[str, Data], bool],
) -> tuple[str, Data] | None:
    """The newest entry of these types that `speaks` is true of: its type, and what it says.

    `term` finds it, or else its type: what an entry says is asked of the entry alone. One that is
    written by the very commit that this is asked in counts as well (`audit.pending`). Those that
    are passed over are looked at, too: whoever spoils the newest has the one before it speak.

    Raises:
        FailedError: it is not the one that was signed, or a newer one is not, or the log is not.
    """
    found = newest_entry(connection, types, term, speaks)
    return (
        None if found is None or not isinstance(found.data, Mapping) else (found.type, found.data)
    )


def newest_entry(
    connection: Connection,
    types: tuple[str, ...],
    term: tuple[str, str] | None,
    speaks: Callable[[str, Data], bool],
) -> Entry | None:
    """As `newest`: the whole entry.

    Raises:
        FailedError: as `newest`.
    """
    for one in reversed(pending.entries(connection)):
        if one.type in types and speaks(one.type, one.data):
            return one
    end = signed(connection)
    proved = edge.prover(connection, end)
    for row in _rows(connection, end.size, types, term, newest_first=True):
        entry = proved(row)
        if entry.type not in types or not isinstance(entry.data, Mapping):
            raise damaged(f"entry {row.seq} is listed as what it is not")
        if speaks(entry.type, entry.data):
            return entry
    return None


def last_number(
    connection: Connection,
    kind: str,
    term: tuple[str, str] | None,
    number: Callable[[Data], int | None],
) -> int:
    """The number that an entry of `kind` gave last; 0 where none gave any.

    It is given once for ever: rows may go, and what people signed of its name does not.

    Args:
        connection: of one state of the hub.
        kind: of the entries.
        term: finds those that count together, where not all of that kind do.
        number: what an entry gave, None where that is of others.

    Raises:
        FailedError: as `newest`.
    """
    found = newest(connection, (kind,), term, lambda _, data: number(data) is not None)
    return 0 if found is None else number(found[1]) or 0


def check_last(logged: int, stored: int, what: Callable[[int], str], row: str) -> None:
    """Check that the newest number by the log is that of the newest row; else none is next.

    Args:
        logged: by the log, 0 where it says none.
        stored: by the rows, 0 where there is none.
        what: what a number is of, in words.
        row: where the newest row is in the database.

    Raises:
        RefusedError: they differ.
    """
    if stored > logged:
        raise not_logged(what(stored), row)
    if stored < logged:
        raise missing(what(logged), row.partition(" ")[0])


def entries(connection: Connection, *types: str) -> Iterator[edge.Under]:
    """The entries of these types, the newest first, each as it was signed.

    Raises:
        FailedError: one of them is not, or the log is not.
    """
    return edge.entries(connection, signed(connection), *types)


def every(
    connection: Connection, types: tuple[str, ...], term: tuple[str, str], part: bytes
) -> Iterator[Entry]:
    """Every entry of these types that `term` finds and that holds `part`, the newest first.

    Each as it was signed. Those that are written by the very commit that this is asked in come
    first, whatever they hold (`audit.pending`).

    Raises:
        FailedError: one of them is not the one that was signed, or the log is not.
    """
    asked = Term(*term)
    found = reversed(pending.entries(connection))
    yield from (one for one in found if one.type in types and asked in one.terms)
    e = log_entry.c
    query = _termed(asked.kind, [asked.value]).where(e.type.in_(types), holds(e.body, part))
    yield from _proved(connection, query, types, {asked}, lambda _: True)


def every_of(
    connection: Connection,
    types: tuple[str, ...],
    terms: Collection[Term],
    is_asked: Callable[[bytes], bool],
) -> Iterator[Entry]:
    """Every entry of these types that one of `terms`, all of a kind, finds: those that are asked.

    As `every`, by few questions for however many terms, for who writes nothing meanwhile; of those
    of one term the newest first.

    Args:
        connection: of one state of the hub.
        types: of the entries.
        terms: what finds them.
        is_asked: whether an entry of these bytes is wanted; what is not is not proved.

    Raises:
        FailedError: one of them is not the one that was signed, or the log is not.
    """
    for some in in_parts(list(terms)):
        (kind,) = {one.kind for one in some}
        # Not by their types as well: all entries of those would be gone along.
        query = _termed(kind, [one.value for one in some])
        yield from _proved(connection, query, types, set(some), is_asked)


def _termed(kind: str, values: Collection[str]) -> Select[Any]:
    """Entries that words find, the newest first; none of them is believed."""
    e, t = log_entry.c, log_term.c
    return (
        select(e.seq, e.type, e.leaf, e.body)
        .join(log_term, t.seq == e.seq)
        .where(t.kind == kind, t.value.in_(values))
        .order_by(t.seq.desc())
    )


def _proved(
    connection: Connection,
    query: Select[Any],
    types: tuple[str, ...],
    terms: AbstractSet[Term],
    is_asked: Callable[[bytes], bool],
) -> Iterator[Entry]:
    """Those of the rows of a query that are under the log's edge, and by their own words so."""
    end = once_read(connection, "the log's edge", lambda: signed(connection))
    under = query.where(log_term.c.seq >= 0, log_term.c.seq < end.size)
    rows = [
        LogRow(one.seq, bytes(one.leaf), bytes(one.body))
        for one in all_rows(connection, under)
        if one.type in types and is_asked(bytes(one.body))
    ]
    for entry in map(edge.prover(connection, end), rows):
        # By its own words: rows of terms and of types are nobody's.
        if entry.type in types and not terms.isdisjoint(entry.terms):
            yield entry


def oldest_first(connection: Connection, *types: str) -> Iterator[Entry]:
    """Every entry of these types: for who checks the log as well, entry by entry.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    for row in _rows(connection, signed(connection).size, types, None, newest_first=False):
        with suppress(SealiftError):  # the check of the log names it
            entry = read_entry(row.body)
            if entry.type in types and isinstance(entry.data, Mapping):
                yield entry


def missing(what: str, row: str) -> RefusedError:
    """The error for a row that is gone, and of which the log says that it was there."""
    return RefusedError(
        "row-missing",
        f"The log has {what}, and the database has not: its row is missing.",
        subject=row,
        next_step=_WHOLE,
    )


def not_logged(what: str, row: str) -> RefusedError:
    """The error for a row of which the log says otherwise."""
    return RefusedError(
        "row-not-logged",
        f"The database has {what}, and the log says otherwise.",
        subject=row,
        next_step=_WHOLE,
    )


def _rows(
    connection: Connection,
    size: int,
    types: tuple[str, ...],
    term: tuple[str, str] | None,
    *,
    newest_first: bool,
) -> Iterator[LogRow]:
    """Those of the first `size` entries that are listed so."""
    e, t = log_entry.c, log_term.c
    query = select(e.seq, e.leaf, e.body).where(e.type.in_(types), e.seq >= 0, e.seq < size)
    seq = e.seq
    if term is not None:
        query = query.join(log_term, t.seq == e.seq).where(t.kind == term[0], t.value == term[1])
        seq = t.seq
    for one in all_rows(connection, query.order_by(seq.desc() if newest_first else seq)):
        yield LogRow(one.seq, bytes(one.leaf), bytes(one.body))
