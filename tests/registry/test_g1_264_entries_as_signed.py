"""What is shown of the log, or decides by it, is what its key signed: rows only find it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from sealift_registry.audit.tables import log_entry, log_term
from sealift_registry.conversion import refused as refusals
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Term, body_of, new_entry, read_entry
from sealift_signing.transparency.question import Question, answers
from sealift_signing.vocabulary import instant
from tests.registry.hub_fixture import Acme, Loose, version
from tests.registry.test_hub_cli import Capsys, Cli
from tests.stores import unguard

KIND = "promotion.requested"
FAILED = 4
"""The exit code where something could not be told."""


def edited(acme: Acme, kind: str, **changes: Loose) -> int:
    """The owner has the newest entry of a kind say something else; its number."""
    with acme.stranger() as connection:
        unguard(connection)
        query = select(log_entry).where(log_entry.c.type == kind)
        row = connection.execute(query.order_by(log_entry.c.seq.desc())).first()
        assert row is not None
        entry = read_entry(bytes(row.body))
        said = replace(entry, **{**changes, "data": {**entry.data, **changes.get("data", {})}})
        values = {"body": body_of(said), "actor": said.actor}
        connection.execute(update(log_entry).where(log_entry.c.seq == row.seq).values(**values))
    acme.close()
    seq: int = row.seq
    return seq


def found_by(acme: Acme, kind: str, term: Term) -> int:
    """Whoever may add rows has the newest entry of a kind found by a word; its number."""
    with acme.behind() as connection:
        query = select(log_entry.c.seq).where(log_entry.c.type == kind)
        seq = connection.execute(query.order_by(log_entry.c.seq.desc())).scalars().first()
        row = {"kind": term.kind, "value": term.value, "seq": seq}
        connection.execute(insert(log_term).values(**row))
    assert seq is not None
    return int(seq)


def test_g1_264_an_edited_entry_is_not_listed_as_the_log(ready: Acme, capsys: Capsys) -> None:
    seq = edited(ready, KIND, actor="mallory", data={"reason": "the owner wrote this"})
    cli = Cli(ready, capsys)
    for asked in (("--type", KIND), ("--actor", "mallory"), ()):
        code, said, told = cli("audit", "list", *asked)
        assert code == FAILED
        assert "mallory" not in said
        assert f"Not listed is entry {seq}: " in said
        assert "sealift audit verify" in told
    assert "version.ingested" in cli("audit", "list")[1]  # the others are
    assert cli("audit", "list", "--type", "version.ingested")[0] == 0


def test_g1_264_an_entry_is_listed_by_its_own_words_alone(ready: Acme, capsys: Capsys) -> None:
    seq = found_by(ready, KIND, Term("person", "mallory"))
    cli = Cli(ready, capsys)
    code, said, _ = cli("audit", "list", "--term", "person=mallory")
    assert code == FAILED
    assert f"Not listed is entry {seq}: " in said
    assert "found by what it does not say" in said
    _, said, _ = cli("audit", "list", "--term", "person=mallory", "--json")
    (error,) = json.loads(said.splitlines()[0])["refused"]
    assert error["code"] == "log-damaged"


@pytest.mark.parametrize(
    "asked, is_so",
    [
        ({}, True),
        ({"type": "team.*"}, True),
        ({"type": "team.made"}, True),
        ({"type": "team.mad"}, False),
        ({"type": "te.*"}, False),
        ({"site": "plant-7"}, True),
        ({"site": "plant"}, False),
        ({"actor": "ben"}, True),
        ({"actor": "anna, ben"}, True),
        ({"actor": "k1"}, True),
        ({"actor": "an"}, False),
        ({"terms": (Term("key", "k1"), Term("team", "vision"))}, True),
        ({"terms": (Term("team", "audio"),)}, False),
        ({"since": "2026-11-20T00:00:00.000000Z"}, True),
        ({"until": "2026-11-20T00:00:00.000000Z"}, False),
        ({"id": "another"}, False),
    ],
)
def test_g1_265_by_its_own_words_an_entry_answers_what_is_asked(
    asked: dict[str, Loose], is_so: bool
) -> None:
    words = [Term("team", "vision"), Term("key", "k1")]
    at = instant("2026-11-20T00:00:00.000000Z")
    entry = new_entry("team.made", "anna, ben", at, {}, words, "plant-7")
    assert answers(entry, Question(**asked)) is is_so


@pytest.fixture
def refused(hub: Acme) -> Acme:
    """A hub that refused to convert version 1, by a result that it knows."""
    data = {
        "artifact": "catalog/vision/tiny/1/cpu-x86_64",
        "code": "parity",
        "what": "It differs.",
        "goldens": "g",
        "sealift": refusals._software(),
    }
    words = {"model": "vision/tiny", refusals.RESULT_TERM: "a" * 64}
    hub.app.hub.commit_entry(hub.app.hub.entry(refusals.REFUSED, "hub", data, words))
    return hub


def test_g1_266_a_word_that_was_added_makes_no_result_one_that_is_known(refused: Acme) -> None:
    """What a machine signed would be told to say nothing new, and never be looked at."""
    never = "b" * 64
    found_by(refused, refusals.REFUSED, Term(refusals.RESULT_TERM, never))
    with refused.app.hub.reading() as connection:
        assert refusals.is_known(connection, "a" * 64)
        assert not refusals.is_known(connection, never)


def test_g1_266_an_edited_refusal_is_told_to_nobody(refused: Acme) -> None:
    with refused.app.hub.reading() as connection:
        found = refusals.refused_as_it_is(connection, version(1), "g")
    assert found is not None
    assert found.words == "It differs."
    edited(refused, refusals.REFUSED, data={"what": "Give it up."})
    for ask in (
        lambda connection: refusals.refused_as_it_is(connection, version(1), "g"),
        lambda connection: refusals.is_known(connection, "a" * 64),
    ):
        with refused.app.hub.reading() as connection, pytest.raises(SealiftError) as caught:
            ask(connection)
        assert caught.value.code == "log-damaged"
