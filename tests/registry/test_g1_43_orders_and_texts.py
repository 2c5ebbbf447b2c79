"""What engines do otherwise is not left to them: order, capitals, ties, and texts that one refuses.

Rows are put in as somebody would who means harm, and in another order on each engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert, select

from sealift_registry.audit import pending
from sealift_registry.audit.reading import LogReader
from sealift_registry.catalog import recording, tables
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.pages import PagePlace, VersionFilter, versions, waiting
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.delivery import attention, receipts, site_rows, whole_logs
from sealift_registry.delivery import tables as delivery
from sealift_registry.delivery.sites import Sites
from sealift_registry.storage.queries import begins_with
from sealift_registry.trust import skimming
from sealift_registry.trust.stored import Rows
from sealift_registry.trust.tables import tuf_document, tuf_metadata
from sealift_registry.views import transfers
from sealift_signing.errors import MalformedError, SealiftError
from sealift_signing.transparency.entry import Term, new_entry
from sealift_signing.transparency.question import Question
from sealift_signing.vocabulary import instant
from tests.registry.both_engines import Both, both, rows
from tests.registry.hub_fixture import MODEL, SITE, Acme, version
from tests.trust import rule

TEXTS = (
    "a",
    "B",
    "Z",
    "_",
    "a-b",
    "a.b",
    "a/b",
    "aB",
    "ab",
    "a~",
    "é",
    "e\u0301",
    "ß",
    "ﬀ",
    "\U0001d538",
    "0",
)
"""Texts that languages put in another order than bytes do."""
MADE = "2026-01-01T00:00:00.000000Z"
FAR = 10**15 - 1
"""The largest number that a name of a version or promotion has."""


@pytest.fixture
def engines(ready: Acme) -> Iterator[Both]:
    ready.app.hub.log.close()
    with both(ready.root / "sealift.db") as made:
        yield made


def on_both(engines: Both, ask: Callable[[Connection], Any]) -> Any:  # noqa: ANN401 - what is asked
    """The answer of both; they are the same."""
    with engines.reading() as connections:
        one, other = map(ask, connections)
    assert one == other
    return one


def put(connections: Sequence[Connection], table: Table, new: Sequence[dict[str, Any]]) -> None:
    """The same rows on both engines, on the second from the last to the first."""
    one, other = connections
    one.execute(insert(table), list(new))
    other.execute(insert(table), list(reversed(new)))


def test_g1_43_texts_are_in_the_order_of_their_bytes(engines: Both) -> None:
    of = {"stage": "s", "request": b"r", "answer": b"a", "made": MADE}
    new = [{"id": f"x-{text}", "enrolment": text, **of} for text in TEXTS]
    with engines.writing() as connections:
        put(connections, delivery.site, new)
        found = [Sites(connection).names(after="x-") for connection in connections]
        pages = [Sites(connection).names(3, f"x-{TEXTS[3]}", "s") for connection in connections]
    assert found == [sorted((f"x-{text}" for text in TEXTS), key=str.encode)] * 2
    assert pages[0] == pages[1] != []


def test_g1_43_a_stem_is_that_and_no_capitals_or_wildcards(engines: Both) -> None:
    names = ["site.a", "SITE.a", "Site.b", "site_c", "sitexd", "site/", "site-", "site.é", "site."]
    with engines.writing() as connections:
        new = [{"role": name, "version": 10**9, "body": b"{}"} for name in names]
        put(connections, tuf_metadata, new)
        skimmed = [{one.role for one in skimming.skim(c, "site")} for c in connections]
        numbers = [Rows(c).newest_numbers() for c in connections]
        stems = [
            [
                sorted(
                    c.execute(
                        select(tuf_metadata.c.role).where(begins_with(tuf_metadata.c.role, stem))
                    ).scalars()
                )
                for stem in ("SITE", "site_", "s", "site.é", "%", "~")
            ]
            for c in connections
        ]
    assert skimmed == [{"site.a", "site.é", "site.", f"site.{SITE}"}] * 2
    assert numbers[0] == numbers[1]
    assert set(names) <= set(numbers[0])
    assert stems[0] == stems[1]
    assert stems[0][0] == ["SITE.a"]


def test_g1_43_assignments_are_found_by_a_stem_too(engines: Both, ready: Acme) -> None:
    """A document of another path, that holds what an assignment does, is none."""
    store = ready.app.hub.home.blobs
    before = on_both(engines, lambda c: attention.sites(c, store))
    with engines.writing() as connections:
        query = select(tuf_document).where(begins_with(tuf_document.c.path, "sites/"))
        (assignment,) = connections[0].execute(query).all()
        said = [{"path": "SITES/x", "sha256": assignment.sha256, "body": b"not JSON"}]
        put(connections, tuf_document, said)
        assert [attention.sites(c, store) for c in connections] == [before] * 2


def test_g1_44_of_one_moment_the_order_is_the_same(engines: Both) -> None:
    digests = [f"{n:064x}" for n in (3, 1, 2)]
    with engines.writing() as connections:
        (number,) = Catalog(connections[0]).numbers()
        new = [{"sha256": one, "kind": "approval", "body": b"{}"} for one in digests]
        put(connections, tables.statement, new)
        of = {"promotion": number, "person": "p", "made": MADE}
        put(connections, tables.approval, [{"sha256": one, **of} for one in digests])
        put(connections, tables.objection, [{"sha256": one, **of} for one in digests])
        asked = [_order_of(connection, number) for connection in connections]
    assert asked[0] == asked[1]
    assert asked[0][0][:3] == sorted(digests)


def _order_of(connection: Connection, number: int) -> tuple[list[str], list[str]]:
    """The order in which the statements of a promotion are opened."""
    opened: list[str] = []

    class Noting(Catalog):
        def statement(self, kind: Any, sha256: str) -> Any:  # noqa: ANN401 - as the catalog has it
            opened.append(sha256)

    Noting(connection).approvals(number)
    before = list(opened)
    Noting(connection).objections(number)
    return before, opened[len(before) :]


def test_g1_44_of_several_receipts_the_first_that_came_answers(engines: Both) -> None:
    new = [
        {"sha256": f"{n:064x}", "transfer": "t", "site": "s", "body": b"", "received": f"{9 - n}"}
        for n in (1, 2, 3)
    ]
    with engines.writing() as connections:
        put(connections, delivery.receipt, new)
        found = [[row.sha256 for row in c.execute(receipts._of("s", "t"))] for c in connections]
    assert found == [[one["sha256"] for one in reversed(new)]] * 2


def test_g1_45_numbers_beyond_what_there_is(engines: Both) -> None:
    """A type's own bounds are not those of names: what is beyond 2^31 is not there, and said so."""

    def ask(connection: Connection) -> list[Any]:
        place = PagePlace(after=f"{MODEL}/{FAR}")
        found: list[Any] = [
            versions(connection, VersionFilter(), place),
            versions(connection, VersionFilter(), PagePlace(after=f"{MODEL}/{2**40}")),
            waiting(connection, "production", rule(approvals=2**40), instant(MADE)),
            Rows(connection).metadata("root", 2**40),
            site_rows.running_at(connection, MODEL, FAR),
        ]
        for refused in (
            lambda: Catalog(connection).promotion(FAR),
            lambda: Catalog(connection).version(version(FAR)),
            lambda: transfers.transfer_list(connection, PagePlace(after="none")),
        ):
            with pytest.raises(SealiftError) as error:
                refused()
            found.append(error.value.what)
        return found

    after, behind, waits, missing, runs = on_both(engines, ask)[:5]
    assert (after, behind, missing, runs) == ([], [], None, [])
    assert [one.number for one in waits] == [1]


def test_g1_46_a_text_with_a_nul_is_refused_by_both(engines: Both) -> None:
    for database in (engines.sqlite, engines.postgres):
        reader = LogReader(database)
        for question in (
            Question(actor="a\0b"),
            Question(type="a\0.*"),
            Question(site="a\0b"),
            Question(since="\0"),
            Question(terms=(Term("model", "a\0b"),)),
        ):
            with pytest.raises(MalformedError, match="holds a NUL"):
                reader.page(question)
        with (
            pytest.raises(MalformedError, match="holds a NUL"),
            database.in_words(),
            database.writing() as connection,
        ):
            recording.add_aliases(connection, version(1), ["a\0b"], MADE)
        with database.in_words(), database.reading() as connection:
            assert connection.execute(select(tables.version_alias)).all() == []


def test_g1_45_what_is_written_is_the_same(engines: Both) -> None:
    """The functions that write, each twice where that is meant to add nothing."""
    with engines.writing() as connections:
        for connection in connections:
            _write(connection)
        found = [rows(connection) for connection in connections]
    assert found[0] == found[1]
    assert len(found[0]["goldens"]) == 4
    with engines.reading() as connections:
        assert rows(connections[0]) != found[0]


def _write(connection: Connection) -> None:
    ref = version(1)
    assert recording.add_aliases(connection, ref, ["é", "b", "é"], MADE) == ["é", "b"]
    assert recording.add_aliases(connection, ref, ["é"], MADE) == []
    before = Catalog(connection).goldens(ref) or ""
    with pending.collected(connection) as logged:
        for digest, new in ((before, False), ("1" * 64, True), ("1" * 64, False), (before, True)):
            assert recording.add_goldens(connection, ref, digest, MADE) is new
            said = {"version": str(ref), "goldens": digest}
            logged.append(new_entry("version.seen-again", "tester", datetime.now(UTC), said))
    t = tables.listing
    row = connection.execute(select(t).order_by(*t.primary_key)).first()
    assert row is not None
    path = Catalog(connection).artifacts(VersionRef.parse(str(ref)))[0].path
    for _ in range(2):
        recording.add_listing(connection, path, "staging", row.promotion, MADE)
    site = Sites(connection).get(SITE)
    of = {"site": site.id, "says": "runs", "host_group": "", "model": "", "version": 1, "size": 1}
    connection.execute(
        insert(delivery.site_state),
        [
            {**of, "enrolment": site.enrolment, "seq": 1, "proof": b""},
            {**of, "enrolment": "of nobody", "seq": 1, "proof": b""},
        ],
    )
    assert len(list(whole_logs.of_nobody(connection))) == 1
    whole_logs.remove_of_nobody(connection)
    assert list(whole_logs.of_nobody(connection)) == []
    whole_logs.rebuild(connection, site)
    assert site_rows.rows_of(connection, site) == []
