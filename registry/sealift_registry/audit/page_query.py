"""From a question to a query that reads one page, however long the log is.

A page is in the order of the log, and so is what an index has of one value: the rows of one type,
of one site, of one person, of one term. Each filter is such a list of rows, and the page is where
the lists meet: the database goes along all of them at once and reads no row that one of them lacks.
Three filters are no list of an index's own:

- who did it: several may have done it together, and a key is named by a term. The actors that name
  them are looked up, and their lists and the term's become one;
- a family of types (`promotion.*`) becomes the types that there are of it, and their lists one;
- a span of time becomes the rows from its first to its last. Times mostly grow with the log, but
  clocks are set back and actions wait for each other, so that is not relied on: the first and the
  last row of every day of the span are looked up, and each row's own time is compared besides.

All are found by going from one value of an index to the next, and not through all of its rows.

Where lists meet is spelled twice: no engine goes along both spellings (`storage.along_indexes`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, TextClause, bindparam, text

from sealift_registry.storage import along_indexes
from sealift_registry.storage.schema import Text
from sealift_registry.storage.within import ALL, Within
from sealift_signing.transparency.question import KEY, Question

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
""").bindparams(bindparam("first", type_=Text()), bindparam("end", type_=Text()))
_ACTORS = text("""
    WITH RECURSIVE found (actor) AS (
      SELECT MIN(actor) FROM log_entry
      UNION ALL
      SELECT (SELECT MIN(actor) FROM log_entry WHERE actor > found.actor)
      FROM found WHERE actor IS NOT NULL
    )
    SELECT actor FROM found
    WHERE replace(', ' || actor || ', ', :named, '') <> ', ' || actor || ', '
""").bindparams(bindparam("named", type_=Text()))
_IS_KEY = text("SELECT 1 FROM log_term WHERE kind = :kind AND value = :who LIMIT 1").bindparams(
    bindparam("kind", type_=Text()), bindparam("who", type_=Text())
)
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
""").bindparams(bindparam("first", type_=Text()), bindparam("last", type_=Text()))  # noqa: S608 - our own words


EVERY = 2**63 - 1
"""More entries than a log has."""


class PageBounds(NamedTuple):
    """Where a page lies: up to `limit` rows, from the newest or the oldest, `beyond` that row.

    It is among the first `size` of the log: what is behind those, nobody signed. And it is of what
    is told: the entries of some teams and sites, or all.
    """

    limit: int
    beyond: int | None
    newest_first: bool
    size: int = EVERY
    within: Within = ALL


def page(connection: Connection, question: Question, place: PageBounds) -> TextClause:
    """The query of a page: the number, the hash and the body of each row that matches."""
    kind = _MergedQuery if along_indexes.joins(connection) else _Query
    made = kind(place, *_among(connection, question, place))
    lists = [made.family(_types(connection, question))] if _is_family(question) else []
    if question.actor is not None:
        lists.append(made.actor(*_actors(connection, question.actor), question.actor))
    if not place.within.everything:
        lists.append(made.within(place.within))
    exact = {
        "id": question.id,
        "type": None if _is_family(question) else question.type,
        "site": question.site,
    }
    lists += [made.column(name, value) for name, value in exact.items() if value is not None]
    lists += [made.term(term.kind, term.value) for term in question.terms]
    return made.of(lists, question.since, question.until)


class _List(NamedTuple):
    """A filter: what it says of a row of `log_entry`, and the query of the rows that it means.

    `repeats` is whether that may name a row twice.
    """

    condition: str
    rows: str
    repeats: bool = False


class _Query:
    """The query of one page while it is made, with the values that are bound in it."""

    def __init__(self, place: PageBounds, first: int, last: int) -> None:
        self._sorted = f"ORDER BY seq {'DESC' if place.newest_first else 'ASC'}"
        self._values: list[BindParameter[Any]] = []
        self._limit = self._bound(place.limit)
        # One pair of bounds: of two lower ones an engine may go by either, and pass over rows.
        self._among = f"seq BETWEEN {self._bound(first)} AND {self._bound(last)}"

    def column(self, name: str, value: str) -> _List:
        condition = f"{name} = {self._bound(value)}"
        return _List(condition, self._rows("log_entry", condition))

    def family(self, types: list[str]) -> _List:
        bound = [self._bound(kind) for kind in types] or ["NULL"]
        rows = [self._rows("log_entry", f"type = {value}") for value in bound]
        return _List(f"type IN ({', '.join(bound)})", " UNION ALL ".join(rows))

    def actor(self, actors: list[str], is_key: bool, who: str) -> _List:  # noqa: FBT001 - found out
        """What `actors` did, each of which names `who`, or was signed with the key `who`."""
        if not is_key and len(actors) <= 1:  # mostly: one list, as long as it may be, in order
            return self.column("actor", next(iter(actors), who))
        signed = self.term(KEY, who)
        named = [f"actor = {self._bound(one)}" for one in actors]
        rows = [_List(one, self._rows("log_entry", one)) for one in named]
        return self._joined([*rows, signed])

    def within(self, within: Within) -> _List:
        """What is of these teams and sites."""
        teams = [self.term("team", one) for one in sorted(within.teams)]
        sites = [self.column("site", one) for one in sorted(within.sites)]
        none = _List("1 = 0", self._rows("log_entry", "1 = 0"))
        return self._joined([*teams, *sites] or [none])

    def _joined(self, lists: list[_List]) -> _List:
        """What is in any of these lists."""
        # In brackets, where several lists meet: they would be taken one by one, from the left.
        rows = " UNION ALL ".join(one.rows for one in lists)
        joined = f"SELECT seq FROM ({rows}) AS parts"  # noqa: S608 - values are bound
        condition = f"({' OR '.join(one.condition for one in lists)})"
        return _List(condition, joined, repeats=True)

    def term(self, kind: str, value: str) -> _List:
        named = f"kind = {self._bound(kind)} AND value = {self._bound(value)}"
        rows = self._rows("log_term", named)
        return _List(f"seq IN ({rows})", rows)

    def of(self, lists: list[_List], since: str | None, until: str | None) -> TextClause:
        """The rows where `lists` meet; a family, whose lists are joined, comes first of them."""
        times = self._times(since, until)
        where = [self._among, *times]
        if len(lists) == 1:
            where.append(lists[0].condition)
        elif lists:
            met = " INTERSECT ".join(one.rows for one in lists)
            # Said in any case: only what is in order is gone along, and else sorted first.
            most = -1 if times else self._limit
            where.append(f"seq IN ({met} {self._sorted} LIMIT {most})")
        return self._made("log_entry", where)

    def _times(self, since: str | None, until: str | None) -> list[str]:
        times = [f"recorded_at >= {self._bound(since)}"] if since is not None else []
        return times + ([f"recorded_at < {self._bound(until)}"] if until is not None else [])

    def _made(self, tables: str, where: list[str]) -> TextClause:
        which = f"WHERE {' AND '.join(where)}" if where else ""
        made = f"SELECT seq, leaf, body FROM {tables} {which} {self._sorted} LIMIT {self._limit}"  # noqa: S608
        return text(made).bindparams(*self._values)

    def _rows(self, table: str, condition: str) -> str:
        return f"SELECT seq FROM {table} WHERE {condition} AND {self._among}"  # noqa: S608

    def _bound(self, value: str | int) -> str:
        name = f"v{len(self._values)}"
        self._values.append(bindparam(name, value, Text() if isinstance(value, str) else None))
        return f":{name}"


class _MergedQuery(_Query):
    """The same, where lists that meet are joined.

    Each is in order, and so cannot be dissolved into a filter on all rows of the log; and a row's
    own columns are looked at last, by its number.
    """

    def of(self, lists: list[_List], since: str | None, until: str | None) -> TextClause:
        """The rows where `lists` meet; without one, those of a span of time alone."""
        times = self._times(since, until)
        if not lists:
            return self._made("log_entry", [self._among, *times])
        meet = " NATURAL JOIN ".join(  # by the number, all that each has
            f"({self._ordered(one)}) AS list{n}" for n, one in enumerate(lists)
        )
        found = f"SELECT seq FROM {meet} {self._sorted}"  # noqa: S608
        found += "" if times else f" LIMIT {self._limit}"
        own = " AND ".join(["log_entry.seq = met.seq", *times])
        row = f"SELECT leaf, body FROM log_entry WHERE {own} OFFSET 0"  # noqa: S608
        return self._made(f"({found}) AS met CROSS JOIN LATERAL ({row}) AS own", [])

    def _ordered(self, one: _List) -> str:
        what = "DISTINCT seq" if one.repeats else "seq"
        return f"SELECT {what} FROM ({one.rows}) AS parts {self._sorted}"  # noqa: S608

    def _rows(self, table: str, condition: str) -> str:
        # Each part of a UNION by itself: what is not in order there is sorted when it is all read.
        return f"({super()._rows(table, condition)} {self._sorted})"


def _is_family(question: Question) -> bool:
    return question.type is not None and question.type.endswith(".*")


def _types(connection: Connection, question: Question) -> list[str]:
    """The types that there are of the family."""
    stem = (question.type or "").removesuffix(".*")
    ends = {"first": stem + ".", "end": stem + "/"}  # "/" follows "." in every encoding
    return list(connection.execute(_TYPES, ends).scalars())


def _actors(connection: Connection, who: str) -> tuple[list[str], bool]:
    """Whom the log says to have done something, where that names `who`; and if that is a key."""
    is_key = connection.execute(_IS_KEY, {"who": who, "kind": KEY}).first() is not None
    return list(connection.execute(_ACTORS, {"named": f", {who}, "}).scalars()), is_key


def _among(connection: Connection, question: Question, place: PageBounds) -> tuple[int, int]:
    """The first and the last of the rows among which the page lies."""
    first, last = _spanned(connection, question)
    first, last = max(first, 0), min(last, place.size - 1)
    if place.beyond is None:
        return first, last
    if place.newest_first:
        return first, min(last, place.beyond - 1)
    return max(first, place.beyond + 1), last


def _spanned(connection: Connection, question: Question) -> tuple[int, int]:
    if question.since is None and question.until is None:
        return 0, EVERY
    ends = {"first": (question.since or _EARLIEST)[:10], "last": (question.until or _LATEST)[:10]}
    first, last = connection.execute(_ROWS, ends).one()
    return (0, -1) if first is None else (first, last)
