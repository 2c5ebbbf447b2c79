"""Pages of the log on PostgreSQL: the same rows as on SQLite, and no more read than for these."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, func, select, text

from sealift_registry.audit.page_query import PageBounds, page
from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.tables import log_entry
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.queries import all_rows
from sealift_signing.transparency.entry import Term
from sealift_signing.transparency.question import Question
from sealift_signing.vocabulary import moment
from tests.logs import KEY, ORIGIN, numbered, opened
from tests.registry.both_engines import both, empty_postgres
from tests.registry.test_log_reading import (
    ASKED,
    ENTRIES,
    KEYID,
    START,
    TOGETHER,
    matching,
)

SIZE = 100_000


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogReader]:
    with opened("hub", tmp_path_factory.mktemp("pages")) as source:
        for number in range(ENTRIES):
            source.commit(numbered(number, START + timedelta(minutes=number)))
        with both(source.path) as made:
            yield LogReader(made.postgres)


@given(
    question=ASKED,
    beyond=st.none() | st.integers(0, ENTRIES),
    newest_first=st.booleans(),
    limit=st.integers(1, 40),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_g1_40_whatever_is_asked_together(
    log: LogReader, question: Question, beyond: int | None, newest_first: bool, limit: int
) -> None:
    expected = matching(question)[:: -1 if newest_first else 1]
    if beyond is not None:
        expected = [n for n in expected if (n < beyond if newest_first else n > beyond)]
    rows = log.page(question, limit=limit, beyond=beyond, newest_first=newest_first)
    assert [row.seq for row in rows] == expected[:limit]


def test_g1_40_the_log_is_whole_and_proven(log: LogReader) -> None:
    verdict = log.fsck(KEY, ORIGIN)
    assert (verdict.ok, verdict.size) == (True, ENTRIES)
    assert len(log.inclusion_proof(7, ENTRIES)) == 9
    assert log.consistency_proof(7, ENTRIES)
    assert log.checkpoint().size == ENTRIES
    assert log.checkpoint(3).size == 3


def test_g1_40_who_did_it_together_and_clocks_that_were_set_back(tmp_path: Path) -> None:
    questions = [
        Question(type=kind, actor=who, terms=terms, since=since, until=until)
        for kind in (None, "a.*", "a.x", "c.*")
        for who in (None, "anna", "ben", "cora", "hub", KEYID, "nobody", "en", ", ", "A")
        for terms in ((), (Term("model", "vision/m"),))
        for since in (None, moment(START + timedelta(hours=25)))
        for until in (None, moment(START + timedelta(hours=72)))
    ]
    hours = [0, 120, 24, 25, 216, 72, 48]
    with opened("hub", tmp_path) as source:
        for number, (type_, actor, words) in enumerate(TOGETHER):
            at = START + timedelta(hours=hours[number])
            source.commit(replace(numbered(number, at), type=type_, actor=actor, terms=words))
        with both(source.path) as made:
            reader = LogReader(made.postgres)
            for question in questions:
                for how in ({"limit": 2}, {"newest_first": False, "beyond": 1}):
                    expected = source.reader.page(question, **how)  # type: ignore[arg-type]
                    assert reader.page(question, **how) == expected, (question, how)  # type: ignore[arg-type]


# ------------------------------------------------------------------ what is read


@pytest.fixture(scope="module")
def large() -> Iterator[PostgresDatabase]:
    """A log of very many small rows, of which PostgreSQL has not counted anything yet."""
    with closing(empty_postgres()) as database, database.engine.begin() as connection:
        for statement in _ROWS:
            connection.execute(text(statement), {"last": SIZE - 1})
        connection.commit()
        yield database


_ROWS = (
    """
    INSERT INTO log_entry (seq, leaf, body, id, type, site, recorded_at, actor)
    SELECT n, '\\x00', decode(repeat('00', 400), 'hex'), 'id-' || n,
      CASE WHEN n % 10000 = 7 THEN 'recall.published'
           WHEN n % 3 = 0 THEN 'transfer.begun' ELSE 'transfer.exported' END,
      CASE WHEN n % 2 = 0 THEN 'site-' || (n * 37 % 500) END,
      to_char(timestamp '2024-01-01' + n * interval '15 minutes', 'YYYY-MM-DD"T"HH24:MI:SS')
        || '.000000Z',
      CASE WHEN n % 3 = 0 THEN 'hub' ELSE 'person-' || (n % 300) END
    FROM generate_series(0, :last) AS n
    """,
    """
    INSERT INTO log_term (kind, value, seq)
    SELECT 'model', 'team/model-' || (n % 50), n FROM generate_series(0, :last) AS n
    """,
    """
    INSERT INTO log_term (kind, value, seq)
    SELECT 'key', 'k', n FROM generate_series(0, :last, 4) AS n
    """,
)

_MODEL = (Term("model", "team/model-7"),)
LARGE: dict[str, Question] = {
    "everything": Question(),
    "an id": Question(id="id-4711"),
    "a rare type": Question(type="recall.published"),
    "a type": Question(type="transfer.begun"),
    "a family": Question(type="transfer.*"),
    "no family": Question(type="none.*"),
    "an actor": Question(actor="person-7"),
    "a key": Question(actor="k"),
    "nobody": Question(actor="nobody"),
    "a site": Question(site="site-4"),
    "a term": Question(terms=_MODEL),
    "two terms": Question(terms=(*_MODEL, Term("key", "k"))),
    "what never meets": Question(type="transfer.exported", actor="hub"),
    "a family, an actor": Question(type="transfer.*", actor="hub"),
    "a family, a key, a term": Question(type="transfer.*", actor="k", terms=_MODEL),
    "a site, a type, a term": Question(site="site-4", type="transfer.begun", terms=_MODEL),
}
SPAN = ("2024-06-01T12", "2025-06-01T12")
WHOLE = ("Seq Scan", "Bitmap", "Sort  ", "Hash")
"""What reads a list whole, in PostgreSQL's words."""
OF_NOTHING = "One-Time Filter: false"


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("spanned", [False, True])
@pytest.mark.parametrize("newest_first", [False, True])
def test_g1_41_no_list_is_read_whole(
    large: PostgresDatabase, name: str, spanned: bool, newest_first: bool
) -> None:
    question = LARGE[name]
    if spanned:
        question = replace(question, since=SPAN[0], until=SPAN[1])
    place = PageBounds(100, None, newest_first)
    with large.reading() as connection:
        found = plans(connection, question, place)
        assert any("log_entry" in plan for plan in found)
        for plan in found:
            assert not read_whole(plan), plan


def read_whole(plan: str) -> list[str]:
    """What of a plan reads a list whole; a sort of what is known to be nothing does not."""
    return [way for way in WHOLE if way in plan and (way != "Sort  " or OF_NOTHING not in plan)]


def plans(connection: Connection, question: Question, place: PageBounds) -> list[str]:
    """How PostgreSQL goes about each statement that a page asks for."""
    asked: list[tuple[str, Any]] = []

    def note(*given: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        asked.append((given[2], given[3]))

    event.listen(connection, "before_cursor_execute", note)
    connection.execute(page(connection, question, place)).all()
    event.remove(connection, "before_cursor_execute", note)
    return [
        "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars())
        for statement, values in asked
    ]


def test_g1_41_the_same_once_it_has_counted(large: PostgresDatabase) -> None:
    with large.engine.connect() as connection:
        expected = {
            name: connection.execute(page(connection, question, PageBounds(100, None, True))).all()
            for name, question in LARGE.items()
        }
    server = large.url.set(username="postgres")
    with (
        closing(PostgresDatabase(server.render_as_string())) as administered,
        administered.engine.begin() as connection,
    ):
        connection.execute(text("ANALYZE"))
    with large.reading() as connection:
        for name, question in LARGE.items():
            place = PageBounds(100, None, newest_first=True)
            assert connection.execute(page(connection, question, place)).all() == expected[name]
            for plan in plans(connection, question, place):
                assert not read_whole(plan), plan


def test_g1_48_very_many_rows_come_a_part_at_a_time(large: PostgresDatabase) -> None:
    """The driver would else keep the whole of a log in memory."""
    query = select(log_entry.c.seq, log_entry.c.body).order_by(log_entry.c.seq)
    with large.reading() as connection:
        rows = all_rows(connection, query)
        assert next(rows).seq == 0
        open_ones = text("SELECT count(*) FROM pg_cursors WHERE statement LIKE '%log_entry%'")
        assert connection.execute(open_ones).scalar_one() == 1
        assert sum(1 for _ in rows) == SIZE - 1
        assert connection.execute(select(func.count()).select_from(log_entry)).scalar_one() == SIZE
