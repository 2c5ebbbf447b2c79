"""The columns and terms that an entry can be found by: derived from its bytes, and compared again.

They are no part of the tree. Whoever edits one hides an entry from a search or shows it in the
wrong one, without touching what the roots vouch for; `check` names the column or term.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Entry, Term, read_entry
from sealift_signing.transparency.verdict import LogFault

NAMES = ("id", "type", "site", "recorded_at", "actor")
"""The derived columns of `log_entry`, in their order."""


class DerivedRow(NamedTuple):
    """A row of `log_entry` with its derived columns, in the order of `NAMES`."""

    seq: int
    body: bytes
    id: str
    type: str
    site: str | None
    recorded_at: str
    actor: str


class StoredTerm(NamedTuple):
    """A row of `log_term`; SQLite may hold anything in it, and sorts numbers before the rest."""

    seq: Any
    kind: str
    value: str


def derive(entry: Entry) -> dict[str, str | None]:
    """What the derived columns of this entry hold."""
    values = (entry.id, entry.type, entry.site, entry.at, entry.actor)
    return dict(zip(NAMES, values, strict=True))


def check(rows: Iterable[DerivedRow], terms: Iterable[StoredTerm]) -> Iterator[LogFault]:
    """What is wrong with the columns of `rows` and with `terms`, both in the order of `seq`."""
    stored = iter(terms)
    term = next(stored, None)
    for row in rows:
        there: list[Term] = []
        while term is not None and isinstance(term.seq, int | float) and term.seq <= row.seq:
            if term.seq < row.seq:
                yield _added(term)
            else:
                there.append(Term(term.kind, term.value))
            term = next(stored, None)
        yield from _check_row(row, there)
    while term is not None:
        yield _added(term)
        term = next(stored, None)


def _check_row(row: DerivedRow, there: list[Term]) -> Iterator[LogFault]:
    try:
        entry = _read(row.body)
    except SealiftError:
        sentence = f"Row {row.seq}: its content is not an entry that can be read."
        yield LogFault("entry-unreadable", sentence, row.seq)
        return
    for name, wanted in derive(entry).items():
        found = getattr(row, name)
        if found != wanted:
            sentence = f"Row {row.seq}: the column {name} says {found!r}, its content {wanted!r}."
            yield LogFault("column-edited", sentence, row.seq)
    for term in entry.terms:
        if term not in there:
            sentence = f"Row {row.seq}: its term {term.kind} = {term.value!r} is missing."
            yield LogFault("term-missing", sentence, row.seq)
    for term in there:
        if term not in entry.terms:
            yield _added(StoredTerm(row.seq, term.kind, term.value))


def _read(body: object) -> Entry:
    return read_entry(body if isinstance(body, bytes) else b"")  # SQLite may hold anything


def _added(term: StoredTerm) -> LogFault:
    sentence = f"Row {term.seq} has a term that it should not: {term.kind} = {term.value!r}."
    return LogFault("term-added", sentence, term.seq if isinstance(term.seq, int) else None)
