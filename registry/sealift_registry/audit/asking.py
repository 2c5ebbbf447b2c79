"""From a question to the conditions of a query that reads one page, however long the log is.

A page is in the order of the log, so an index helps that has one value's rows in that order: one
type's, one site's, one person's. Two things that are asked for are no single value:

- a family of types (`promotion.*`) becomes the types that there are of it;
- a span of time becomes the rows from its first to its last. Times mostly grow with the log, but
  clocks are set back and actions wait for each other, so that is not relied on: the first and the
  last row of every day of the span are looked up, and each row's own time is compared besides.

Both are found by going from one value of an index to the next, and not through all of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, select, text

from sealift_registry.audit.tables import log_entry, log_term
from sealift_signing.transparency.question import Question

_EARLIEST, _LATEST = "", "~"
"""Before and after every day, as text."""

_TYPES = text("""
    WITH RECURSIVE found (type) AS (
      SELECT MIN(type) FROM log_entry WHERE type >= :first AND type < :end
      UNION ALL
      SELECT (SELECT MIN(type) FROM log_entry WHERE type > found.type AND type < :end)
      FROM found WHERE type IS NOT NULL
    )
    SELECT type FROM found WHERE type IS NOT NULL
""")
_DAY = "substr(recorded_at, 1, 10)"  # as the index has it
_ROWS = text(f"""
    WITH RECURSIVE found (day) AS (
      SELECT MIN({_DAY}) FROM log_entry WHERE {_DAY} >= :first AND {_DAY} <= :last
      UNION ALL
      SELECT (SELECT MIN({_DAY}) FROM log_entry WHERE {_DAY} > day AND {_DAY} <= :last)
      FROM found WHERE day IS NOT NULL
    )
    SELECT MIN((SELECT MIN(seq) FROM log_entry WHERE {_DAY} = day)),
           MAX((SELECT MAX(seq) FROM log_entry WHERE {_DAY} = day))
    FROM found WHERE day IS NOT NULL
""")  # noqa: S608 - our own words


class Rows(NamedTuple):
    """The rows from `first` to `last`; none if that is before it."""

    first: int = 0
    last: int = 2**63 - 1

    def below(self, seq: int) -> Rows:
        """Those of them before row `seq`."""
        return Rows(self.first, min(self.last, seq - 1))

    def above(self, seq: int) -> Rows:
        """Those of them after row `seq`."""
        return Rows(max(self.first, seq + 1), self.last)


def rows(connection: Connection, question: Question) -> Rows:
    """The rows among which those are that answer `question`."""
    if question.since is None and question.until is None:
        return Rows()
    ends = {"first": (question.since or _EARLIEST)[:10], "last": (question.until or _LATEST)[:10]}
    first, last = connection.execute(_ROWS, ends).one()
    return Rows(0, -1) if first is None else Rows(first, last)


def conditions(connection: Connection, question: Question) -> Iterator[ColumnElement[bool]]:
    """What a row of `log_entry` must meet, beside its place, to answer `question`."""
    column = log_entry.c
    asked = {column.id: question.id, column.site: question.site, column.actor: question.actor}
    for where, value in asked.items():
        if value is not None:
            yield where == value
    if question.type is not None:
        yield _type(connection, question.type)
    for term in question.terms:
        named = log_term.c.kind == term.kind, log_term.c.value == term.value
        yield column.seq.in_(select(log_term.c.seq).where(*named))
    if question.since is not None:
        yield column.recorded_at >= question.since
    if question.until is not None:
        yield column.recorded_at < question.until


def _type(connection: Connection, asked: str) -> ColumnElement[bool]:
    if not asked.endswith(".*"):
        return log_entry.c.type == asked
    stem = asked[:-2]
    ends = {"first": stem + ".", "end": stem + "/"}  # "/" follows "." in every encoding
    return log_entry.c.type.in_(connection.execute(_TYPES, ends).scalars().all())
