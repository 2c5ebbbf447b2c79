"""Questions, proofs and what goes home: the same answers at the hub and at a site."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealift_signing.errors import NotFoundError
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.entry import Term
from sealift_signing.transparency.merkle import ProofError, verify_consistency, verify_inclusion
from sealift_signing.transparency.question import Question
from sealift_signing.vocabulary import moment
from tests.logs import KEY, ORIGIN, SIDES, SomeLog, number_of, numbered, opened

ENTRIES = 300
START = datetime(2026, 11, 20, tzinfo=UTC)


def at(number: int) -> str:
    return moment(START + timedelta(minutes=number))


@pytest.fixture(scope="module", params=list(SIDES))
def log(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SomeLog]:
    with opened(request.param, tmp_path_factory.mktemp("log")) as log:
        for number in range(ENTRIES):
            placed = log.commit(numbered(number, START + timedelta(minutes=number)))
            assert placed == (number, number + 1)
        yield log


def asked(log: SomeLog, question: Question, **how: int | bool) -> list[int]:
    rows = log.reader.page(question, **how)  # type: ignore[arg-type]
    assert all(row.seq == number_of(row) for row in rows)
    return [row.seq for row in rows]


def test_pages_from_the_newest_and_from_the_oldest(log: SomeLog) -> None:
    everything = Question()
    assert asked(log, everything, limit=3) == [299, 298, 297]
    assert asked(log, everything, limit=3, beyond=297) == [296, 295, 294]
    assert asked(log, everything, limit=3, newest_first=False) == [0, 1, 2]
    assert asked(log, everything, limit=3, newest_first=False, beyond=298) == [299]
    assert asked(log, everything, beyond=0) == []


QUESTIONS: dict[str, tuple[Question, Callable[[int], bool]]] = {
    "type": (Question(type="test.odd"), lambda n: n % 2 == 1),
    "types": (Question(type="test.*"), lambda _: True),
    "no such types": (Question(type="tes.*"), lambda _: False),
    "site": (Question(site="north"), lambda n: n % 5 == 0),
    "actor": (Question(actor="person-2"), lambda n: n % 3 == 2),
    "term": (Question(terms=(Term("model", "vision/m3"),)), lambda n: n % 4 == 3),
    "terms": (
        Question(terms=(Term("model", "vision/m3"), Term("number", "7"))),
        lambda n: n == 7,
    ),
    "time": (Question(since=at(10), until=at(20)), lambda n: 10 <= n < 20),
    "all": (
        Question(type="test.even", site="north", actor="person-0", since=at(31)),
        lambda n: n % 30 == 0 and n >= 31,
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions(log: SomeLog, name: str) -> None:
    question, matches = QUESTIONS[name]
    expected = [number for number in range(ENTRIES) if matches(number)]
    assert asked(log, question, limit=1_000, newest_first=False) == expected
    assert asked(log, question, limit=1_000) == expected[::-1]


def matching(question: Question) -> list[int]:
    """The entries that `numbered` makes of which all that is asked is true."""
    found = []
    for number in range(ENTRIES):
        entry = numbered(number, START + timedelta(minutes=number))
        kind, stem = question.type or "", (question.type or "").removesuffix("*")
        if (
            (
                not kind
                or entry.type == kind
                or (kind.endswith(".*") and entry.type.startswith(stem))
            )
            and question.site in {None, entry.site}
            and question.actor in {None, entry.actor}
            and set(question.terms) <= set(entry.terms)
            and (question.since or "") <= entry.at < (question.until or "~")
        ):
            found.append(number)
    return found


MINUTES = st.none() | st.integers(-20, ENTRIES + 20).map(at)
TERMS = st.sampled_from(
    [Term("model", f"vision/m{n}") for n in range(5)] + [Term("number", f"{n}") for n in (7, 90)]
)
ASKED = st.builds(
    Question,
    type=st.sampled_from([None, "test.even", "test.odd", "test.*", "no.*", "no.such"]),
    site=st.sampled_from([None, None, "north", "south"]),
    actor=st.sampled_from([None, None, "person-0", "person-1", "nobody"]),
    terms=st.lists(TERMS, max_size=2, unique=True).map(tuple),
    since=MINUTES,
    until=MINUTES,
)


@given(
    question=ASKED,
    beyond=st.none() | st.integers(0, ENTRIES),
    newest_first=st.booleans(),
    limit=st.integers(1, 40),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_asked_together(
    log: SomeLog, question: Question, beyond: int | None, newest_first: bool, limit: int
) -> None:
    expected = matching(question)[:: -1 if newest_first else 1]
    if beyond is not None:
        expected = [n for n in expected if (n < beyond if newest_first else n > beyond)]
    rows = log.reader.page(question, limit=limit, beyond=beyond, newest_first=newest_first)
    assert [row.seq for row in rows] == expected[:limit]


@pytest.mark.parametrize("side", list(SIDES))
def test_a_span_of_time_is_exact_where_clocks_were_set_back(
    side: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    hours = [0, 120, 24, 25, 216, 72, 48, 49, 720, 96, 96, 23, 730]
    spans = [None, *range(-1, 740, 23)]
    with opened(side, tmp_path_factory.mktemp("clocks")) as log:
        for number, hour in enumerate(hours):
            log.commit(numbered(number, START + timedelta(hours=hour)))
        for since in spans:
            for until in spans:
                question = Question(
                    since=None if since is None else moment(START + timedelta(hours=since)),
                    until=None if until is None else moment(START + timedelta(hours=until)),
                )
                expected = [
                    number
                    for number, hour in enumerate(hours)
                    if (since is None or hour >= since) and (until is None or hour < until)
                ]
                assert asked(log, question, newest_first=False) == expected
                assert asked(log, question, limit=2) == expected[::-1][:2]
                earlier, later = [n for n in expected if n < 6], [n for n in expected if n > 6]
                assert asked(log, question, beyond=6) == earlier[::-1]
                assert asked(log, question, beyond=6, newest_first=False) == later


def test_a_family_is_its_types_and_no_other(tmp_path: Path) -> None:
    types = ["a.b", "a-b.c", "a.b.c", "a.c", "ab.c", "b.a", "a.b-c"]
    with opened("hub", tmp_path) as log:
        for number, kind in enumerate(types):
            log.commit(replace(numbered(number), type=kind))
        for family in ("a.*", "a.b.*", "ab.*", "c.*"):
            stem = family.removesuffix("*")
            expected = [n for n, kind in enumerate(types) if kind.startswith(stem)]
            assert asked(log, Question(type=family), newest_first=False) == expected
            assert asked(log, Question(type=family, since=at(-1)), newest_first=False) == expected


KEYID = "ab" * 32
TOGETHER = [
    ("a.x", "anna, ben", ()),
    ("a.y", "ben", (Term("key", KEYID),)),
    ("b.x", "ben, cora", (Term("key", KEYID),)),
    ("a.x", "ben-2", ()),
    ("a.y", "anna", (Term("model", "vision/m"),)),
    ("a.x", "anna, ben, cora", (Term("model", "vision/m"),)),
    ("a.x", "hub", (Term("key", KEYID), Term("model", "vision/m"))),
]


@pytest.mark.parametrize("side", list(SIDES))
@pytest.mark.parametrize("kind", [None, "a.*", "a.x"])
@pytest.mark.parametrize("who", ["anna", "ben", "cora", "hub", KEYID, "nobody", "en", ", "])
@pytest.mark.parametrize("terms", [(), (Term("model", "vision/m"),)])
def test_who_did_it_together_with_others_is_found(
    side: str, kind: str | None, who: str, terms: tuple[Term, ...], tmp_path: Path
) -> None:
    with opened(side, tmp_path) as log:
        for number, (type_, actor, words) in enumerate(TOGETHER):
            log.commit(replace(numbered(number), type=type_, actor=actor, terms=words))
        expected = [
            number
            for number, (type_, actor, words) in enumerate(TOGETHER)
            if (who in actor.split(", ") or Term("key", who) in words)
            and set(terms) <= set(words)
            and (kind is None or type_ == kind or (kind == "a.*" and type_[0] == "a"))
        ]
        question = Question(type=kind, actor=who, terms=terms)
        assert asked(log, question, newest_first=False) == expected
        assert asked(log, question, limit=1) == expected[-1:]


def test_an_entry_is_found_by_its_id(log: SomeLog) -> None:
    (row,) = log.reader.page(Question(), limit=1, beyond=43)
    assert asked(log, Question(id=row.entry.id)) == [42]


def test_every_entry_is_proven_under_any_checkpoint(log: SomeLog) -> None:
    for size in (1, 2, 255, 256, 257, ENTRIES):
        stored = log.reader.checkpoint(size)
        signed = checkpoint.verify(stored.note, KEY, ORIGIN)
        assert (signed.size, signed.root) == (size, stored.root)
        for seq in {0, size // 2, size - 1}:
            (row,) = log.reader.page(Question(), limit=1, beyond=seq + 1)
            proof = log.reader.inclusion_proof(seq, size)
            verify_inclusion(row.leaf, seq, size, proof, signed.root)
        for old in {1, max(size // 2, 1), size}:
            proof = log.reader.consistency_proof(old, size)
            verify_consistency(old, size, proof, log.reader.checkpoint(old).root, signed.root)


def test_what_is_not_there_is_told(log: SomeLog) -> None:
    with pytest.raises(NotFoundError, match="no checkpoint of 9999"):
        log.reader.checkpoint(9_999)
    with pytest.raises(ProofError, match="has no entry 300"):
        log.reader.inclusion_proof(300, 300)
    with pytest.raises(ProofError):
        log.reader.consistency_proof(0, 300)


@pytest.mark.parametrize("side", list(SIDES))
def test_an_empty_log_is_well(side: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(side, tmp_path_factory.mktemp("empty")) as empty:
        verdict = empty.reader.fsck(KEY, ORIGIN)
        assert (verdict.ok, verdict.size) == (True, 0)
        assert empty.reader.page(Question()) == ()
        with pytest.raises(NotFoundError, match="no entries yet"):
            empty.reader.checkpoint()
