"""Whether what entries of the log say was filed has rows, and the rows have entries.

`statement_rows` compares rows with statements: both may be gone together, and then neither misses
the other. The log names each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Table, select

from sealift_registry.catalog import filed, tables
from sealift_registry.catalog.filed import APPROVED, OBJECTED, Listed
from sealift_registry.catalog.logged import REQUESTED
from sealift_registry.catalog.reference import promotion_id
from sealift_registry.storage.queries import all_rows
from sealift_registry.trust import signed_log
from sealift_signing.drawing import word
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.verdict import LogFault, apart

AnyRow = Row[tuple[Any, ...]]


class _Filing(NamedTuple):
    """A table of what was filed: how a row names the statement, and under what it files it."""

    table: Table
    column: str
    under: Callable[[AnyRow], str]


def _promotion(row: AnyRow) -> str:
    return promotion_id(row.promotion)


_FILINGS = {
    "request": _Filing(tables.promotion, "request", lambda row: promotion_id(row.number)),
    "approval": _Filing(tables.approval, "sha256", _promotion),
    "objection": _Filing(tables.objection, "sha256", _promotion),
    "evidence": _Filing(tables.evidence, "sha256", lambda row: str(row.path)),
}
"""By what is filed there."""


@dataclass
class _Said:
    """What the log says was filed.

    Attributes:
        filed: of each kind the statements, by their digests, and under what each is filed.
        unnamed: who approved which promotion by entries from before any named the approval.
        listed: what was listed.
    """

    filed: dict[str, dict[str, str]] = field(default_factory=lambda: {one: {} for one in _FILINGS})
    unnamed: set[tuple[str, str]] = field(default_factory=set)
    listed: set[Listed] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        """Take in what the next entry says."""
        if entry.type in filed.ABOUT_ARTIFACTS:
            path, digests = filed.evidence_of(entry)
            self.filed["evidence"] |= dict.fromkeys(digests, path)
            return
        kind, digest = filed.STATEMENTS[entry.type], filed.statement_of(entry)
        promotion = entry.data["promotion"]
        if digest is None:
            self.unnamed.add((promotion, entry.actor))
        else:
            self.filed[kind][digest] = promotion
        self.listed.update(filed.listed_by(entry))


def check(connection: Connection) -> Iterator[LogFault]:
    """What the log says was filed and has no row, and every row of which it does not say so."""
    said = _Said()
    yield from apart("What the log says was filed", _read(connection, said))
    for kind, filing in _FILINGS.items():
        yield from apart(
            f"What the log says of each {kind}", _compared(connection, said, kind, filing)
        )
    yield from apart("What the log says was listed", _listed(connection, said))


def _read(connection: Connection, said: _Said) -> Iterator[LogFault]:
    """Put what entries say into `said`, the oldest first."""
    types = (REQUESTED, APPROVED, OBJECTED, *filed.ABOUT_ARTIFACTS)
    for entry in signed_log.oldest_first(connection, *types):
        said.add(entry)
    yield from ()


def _compared(
    connection: Connection, said: _Said, kind: str, filing: _Filing
) -> Iterator[LogFault]:
    logged, missing = said.filed[kind], dict(said.filed[kind])
    for row in all_rows(connection, select(filing.table).order_by(*filing.table.primary_key)):
        digest, under = getattr(row, filing.column), filing.under(row)
        missing.pop(digest, None)
        what = f"The {kind} {word(digest[:12])}, filed under {word(under)},"
        if digest in logged:
            if logged[digest] != under:
                yield LogFault("row-differs", f"{what} is under {logged[digest]} by the log.", None)
        elif kind != "approval" or (under, row.person) not in said.unnamed:
            sentence = f"{what} is in the database, and no entry of the log says so."
            yield LogFault("row-not-logged", sentence, None)
    for digest, under in sorted(missing.items()):
        what = f"The {kind} {word(digest[:12])} about {word(under)} is in the log, and has no row."
        yield LogFault("row-missing", what, None)


def _listed(connection: Connection, said: _Said) -> Iterator[LogFault]:
    missing, t = set(said.listed), tables.listing
    for row in all_rows(connection, select(t).order_by(*t.primary_key)):
        one = Listed(row.path, row.stage, _promotion(row))
        missing.discard(one)
        if one not in said.listed:
            what = f"{_words(one)} is noted, and no entry of the log says so."
            yield LogFault("row-not-logged", what, None)
    for one in sorted(missing):
        yield LogFault("row-missing", f"{_words(one)} is in the log, and has no row.", None)


def _words(one: Listed) -> str:
    path, stage, promotion = map(word, one)
    return f"That {path} is listed for {stage} because of {promotion}"
