"""Whether the rows beside the signed statements say of them what was signed.

A row only finds a statement; but what it says is shown in lists, and what it leaves out is not
seen. So each row names a statement of its own kind and says the same, and each statement has a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Table, select

from sealift_registry.catalog import tables
from sealift_registry.catalog.reference import promotion_id
from sealift_signing.drawing import word
from sealift_signing.statements import Approval, Evidence, Objection, Predicate, Request, Signed
from sealift_signing.transparency.verdict import LogFault, apart

AnyRow = Row[tuple[Any, ...]]
Statements = Mapping[str, Signed[Any]]
"""Statements that somebody signed who might, by their digests."""


class _Filed(NamedTuple):
    """Where statements of a kind are filed.

    Attributes:
        table: it has a row for each of them.
        column: that names the statement.
        kind: of the statements.
        agrees: whether a row says what a statement of that kind does.
    """

    table: Table
    column: str
    kind: type[Predicate]
    agrees: Callable[[AnyRow, Signed[Any]], bool]

    def name(self, row: AnyRow) -> str:
        """What people call a row."""
        if self.table is tables.promotion:
            return promotion_id(row.number)
        return f"{self.table.name} {word(row.sha256[:12])}"


def check(connection: Connection, signed: Statements) -> Iterator[LogFault]:
    """Everything that rows say other than the statements in `signed`, and what they leave out."""
    yield from apart("The statements", _unsigned(connection, signed))
    for filed in _FILED:
        rows = f"The rows of {filed.table.name}"
        yield from apart(rows, _named(connection, filed, signed))
    for filed in _FILED:
        if filed.kind in (Approval, Objection):
            rows = f"The rows of {filed.table.name}"
            yield from apart(rows, _of_their_request(connection, filed, signed))


def _unsigned(connection: Connection, signed: Statements) -> Iterator[LogFault]:
    t = tables.statement
    for row in connection.execute(select(t.c.sha256, t.c.kind).order_by(t.c.sha256)):
        if row.sha256 not in signed:
            what = (
                f"The {row.kind} {row.sha256[:12]} is not signed by any key that ever might sign "
                "it."
            )
            yield LogFault("statement-not-signed", what, None)


def _named(connection: Connection, filed: _Filed, signed: Statements) -> Iterator[LogFault]:
    """Each row names a statement of its kind and says the same; each such statement has a row."""
    stored = set(connection.execute(select(tables.statement.c.sha256)).scalars())
    named = set()
    for row in connection.execute(select(filed.table).order_by(*filed.table.primary_key)):
        digest = getattr(row, filed.column)
        named.add(digest)
        one = signed.get(digest)
        if digest not in stored:
            what = f"The row of {filed.name(row)} names a statement that there is not."
            yield LogFault("row-of-nothing", what, None)
        elif one is not None and not (
            isinstance(one.predicate, filed.kind) and filed.agrees(row, one)
        ):
            what = f"The columns of {filed.name(row)} say other than what was signed."
            yield LogFault("row-differs", what, None)
    for digest, one in sorted(signed.items()):
        if isinstance(one.predicate, filed.kind) and digest not in named:
            kind = filed.kind.__name__.lower()
            what = (
                f"The {kind} {digest[:12]} was signed, and no row of {filed.table.name} names it."
            )
            yield LogFault("row-missing", what, None)


def _of_their_request(
    connection: Connection, filed: _Filed, signed: Statements
) -> Iterator[LogFault]:
    """What is said of a request is filed under its promotion."""
    t = tables.promotion
    requests = {row.number: row.request for row in connection.execute(select(t))}
    for row in connection.execute(select(filed.table).order_by(*filed.table.primary_key)):
        one = signed.get(row.sha256)
        if one is None or not isinstance(one.predicate, filed.kind):
            continue  # it was named
        if one.predicate.request != requests.get(row.promotion):  # type: ignore[attr-defined]
            what = f"The {filed.name(row)} is filed under a request that it is not of."
            yield LogFault("row-differs", what, None)


def _is_promotion(row: AnyRow, one: Signed[Any]) -> bool:
    said = one.predicate
    columns = (row.team, row.model, row.version, row.stage, row.person, row.made)
    return columns == (said.team, said.model, said.version, said.stage, said.person, said.made)


def _is_approval(row: AnyRow, one: Signed[Any]) -> bool:
    said = one.predicate
    return (row.person, row.made, row.valid_until) == (said.person, said.made, said.valid_until)


def _is_objection(row: AnyRow, one: Signed[Any]) -> bool:
    return (row.person, row.made) == (one.predicate.person, one.predicate.made)


def _is_evidence(row: AnyRow, one: Signed[Any]) -> bool:
    said = one.predicate
    about = any(subject.name == row.path for subject in one.subjects)
    return about and (row.kind, row.verdict, row.made) == (said.kind, said.verdict, said.made)


_FILED = (
    _Filed(tables.promotion, "request", Request, _is_promotion),
    _Filed(tables.approval, "sha256", Approval, _is_approval),
    _Filed(tables.objection, "sha256", Objection, _is_objection),
    _Filed(tables.evidence, "sha256", Evidence, _is_evidence),
)
