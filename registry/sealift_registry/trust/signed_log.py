"""What the log says of a row that somebody goes by, and that no statement covers.

Whoever may add rows to the database adds some behind the log's end as well. So what decides by an
entry goes by those alone that are under the edge that the log's key signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, select

from sealift_registry.audit import edge, pending
from sealift_registry.audit.tables import log_entry, log_term
from sealift_registry.storage.queries import all_rows, holds
from sealift_registry.trust import whereabouts
from sealift_registry.trust.stored import once_read
from sealift_signing.errors import RefusedError, SealiftError
from sealift_signing.transparency.entry import Entry, Term, read_entry
from sealift_signing.transparency.growth import LogRow

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
    term: tuple[str, str],
    speaks: Callable[[str, Data], bool],
) -> tuple[str, Data] | None:
    """The newest entry of these types that `speaks` is true of: its type, and what it says.

    `term` finds it: what an entry says is asked of the entry alone. One that is written by the very
    commit that this is asked in counts as well (`audit.pending`).

    Raises:
        FailedError: it is not the one that was signed, or the log is not.
    """
    found = newest_entry(connection, types, term, speaks)
    return (
        None if found is None or not isinstance(found.data, Mapping) else (found.type, found.data)
    )


def newest_entry(
    connection: Connection,
    types: tuple[str, ...],
    term: tuple[str, str],
    speaks: Callable[[str, Data], bool],
) -> Entry | None:
    """As `newest`: the whole entry.

    Raises:
        FailedError: it is not the one that was signed, or the log is not.
    """
    for one in reversed(pending.entries(connection)):
        if one.type in types and speaks(one.type, one.data):
            return one
    end = signed(connection)
    for row, entry in _entries(connection, end.size, types, term):
        if speaks(entry.type, entry.data):
            edge.included(connection, end, row)
            return entry
    return None


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
    end = once_read(connection, "the log's edge", lambda: signed(connection))
    e, t = log_entry.c, log_term.c
    query = (
        select(e.seq, e.leaf, e.body)
        .join(log_term, t.seq == e.seq)
        .where(t.kind == asked.kind, t.value == asked.value, t.seq >= 0, t.seq < end.size)
        .where(e.type.in_(types), holds(e.body, part))
        .order_by(t.seq.desc())
    )
    rows = [LogRow(*row) for row in connection.execute(query)]
    for entry in map(edge.prover(connection, end), rows):
        # By its own words: rows of terms and of types are nobody's.
        if entry.type in types and asked in entry.terms:
            yield entry


def oldest_first(connection: Connection, *types: str) -> Iterator[Entry]:
    """Every entry of these types: for who checks the log as well, entry by entry.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    for _, entry in _entries(connection, signed(connection).size, types, None):
        yield entry


def check(
    connection: Connection, kind: str, named: tuple[str, str], term: tuple[str, str], row: str
) -> None:
    """Check that an entry of `kind` speaks of a row.

    Args:
        connection: of one state of the hub.
        kind: of the entry.
        named: the member of what it says that names the row, and how.
        term: finds it.
        row: where the row is in the database.

    Raises:
        RefusedError: there is none.
        FailedError: the log is not the one that was signed.
    """
    member, name = named
    if newest(connection, (kind,), term, lambda _, data: data.get(member) == name) is None:
        raise not_logged(f"the {member} {name}", row)


def missing(what: str, row: str) -> RefusedError:
    """The error for a row that is gone, and of which the log says that it was there."""
    return RefusedError(
        "row-missing",
        f"The log has {what}, and the database has not: its row is missing.",
        subject=row,
        next_step="Somebody changed the database, or it is damaged. See all that is wrong with it "
        "with: sealift audit fsck; then restore it from a backup.",
    )


def not_logged(what: str, row: str) -> RefusedError:
    """The error for a row of which the log says otherwise."""
    return RefusedError(
        "row-not-logged",
        f"The database has {what}, and the log says otherwise.",
        subject=row,
        next_step="Somebody changed the database, or it is damaged. See all that is wrong with it "
        "with: sealift audit fsck; then restore it from a backup.",
    )


def _entries(
    connection: Connection, size: int, types: tuple[str, ...], term: tuple[str, str] | None
) -> Iterator[tuple[LogRow, Entry]]:
    """Those of the first `size` that can be read: with a term the newest first, else the last."""
    e, t = log_entry.c, log_term.c
    query = select(e.seq, e.leaf, e.body).where(e.type.in_(types), e.seq >= 0, e.seq < size)
    if term is None:
        query = query.order_by(e.seq)
    else:
        query = query.join(log_term, t.seq == e.seq).where(t.kind == term[0], t.value == term[1])
        query = query.order_by(t.seq.desc())
    for found in all_rows(connection, query):
        row = LogRow(found.seq, bytes(found.leaf), bytes(found.body))
        with suppress(SealiftError):  # the check of the log names it
            entry = read_entry(row.body)
            if entry.type in types and isinstance(entry.data, Mapping):
                yield row, entry
