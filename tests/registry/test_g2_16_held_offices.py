"""What somebody holds opens by what counts now: never by a key, a list or a session that was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import update

from sealift_registry.access import offices, standing, tables
from sealift_registry.access.calling import Caller, Grant, Held, Where
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.trust import teams
from sealift_signing.canonical import Json
from sealift_signing.documents import Members
from sealift_signing.errors import RefusedError
from tests.registry.accounts_fixture import caller, code, is_let_in, signed_in
from tests.registry.hub_fixture import REQUESTER, TEAM, Acme
from tests.registry.signing_people import carry_out

OF_TEAM = Where(team=TEAM)


def bound(acme: Acme, name: str, key: str = "") -> Caller:
    """Somebody whose account the log says is theirs by this key."""
    who = caller(acme, name)
    keyid = acme.public(key or name).keyid
    data: dict[str, Json] = {"account": who.account, "person": name, "keyid": keyid}
    hub = acme.app.hub
    hub.commit_entry(hub.entry(standing.BOUND, name, data, {"standing": name}))
    return replace(who, person=name, keyid=keyid)


def held(acme: Acme, who: Caller) -> Held:
    with acme.app.hub.reading() as connection:
        return offices.read(connection).held(who.person, who.keyid)


def without(person: str) -> Callable[[Members], Members]:
    return lambda said: replace(said, people=tuple(p for p in said.people if p.id != person))


def test_g2_16_who_left_the_team_a_moment_ago_reads_nothing_of_it(acme: Acme) -> None:
    who, keeper = bound(acme, REQUESTER), Gatekeeper(acme.app.hub)
    keeper.check(who, "version.read", OF_TEAM)
    guard = keeper.guard(who, "submission.make", OF_TEAM)
    with acme.app.hub.reading() as connection:
        guard(connection)
    acme.change_members(without(REQUESTER))
    assert code(lambda: keeper.check(who, "version.read", OF_TEAM)) == "forbidden"
    with acme.app.hub.reading() as connection:
        assert code(lambda: guard(connection)) == "forbidden"


def test_g2_16_a_key_that_is_compromised_or_exchanged_opens_nothing(acme: Acme) -> None:
    who = bound(acme, REQUESTER)
    assert held(acme, who).teams == {TEAM}

    def lost(said: Members) -> Members:
        changed = [
            replace(one, status="compromised") if one.id == REQUESTER else one
            for one in said.people
        ]
        return replace(said, people=tuple(changed))

    acme.change_members(lost)
    assert held(acme, who) == Held()


def test_g2_16_a_key_of_before_is_proved_anew(acme: Acme) -> None:
    """Whoever has the old key's account has nothing that the person holds by the new one."""
    acme.new_key("dora-old")
    who = bound(acme, REQUESTER, "dora-old")
    assert held(acme, who) == Held()


def test_g2_16_what_former_stewards_signed_gives_nobody_a_right(acme: Acme) -> None:
    """Their keys may have been exchanged because they were stolen."""
    who = bound(acme, REQUESTER)
    for name in ("gina", "hugo"):
        acme.new_key(name)
    cards = [acme.card(name, acme.public(name)) for name in ("gina", "hugo")]
    signers = [acme.signer("targets-1"), acme.signer("targets-2")]
    carry_out(acme.app, teams.stewards(TEAM, ("gina", "hugo"), cards), signers)
    assert held(acme, who) == Held(), "the list is signed by nobody who holds the role now"
    assert held(acme, bound(acme, "gina")).teams == {TEAM}, "and the rest stays"
    acme.renew(f"team.{TEAM}", "gina", "hugo")
    assert held(acme, who).teams == {TEAM}


def test_g2_17_a_session_that_is_over_commits_nothing(acme: Acme) -> None:
    who = caller(acme, "anna", Grant("operator"))
    guard = Gatekeeper(acme.app.hub).guard(who, "job.cancel")
    with acme.app.hub.reading() as connection:
        guard(connection)
    acme.later(hours=13)
    with acme.behind() as connection:
        connection.execute(update(tables.session).values(seen=None))
    with acme.app.hub.reading() as connection:
        assert code(lambda: guard(connection)) == "signed-out"


@pytest.mark.embedded("its trigger is one of SQLite's")
def test_g2_17_a_read_needs_no_room_on_the_disk(acme: Acme) -> None:
    """When a session was used last is noted where it can be."""
    opened = signed_in(acme, "anna")
    acme.later(minutes=5)
    acme.sql(
        "CREATE TRIGGER full_disk BEFORE UPDATE ON session "
        "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    assert is_let_in(acme, opened.secret)


def test_g2_18_a_refusal_names_nothing_of_what_was_asked_for(acme: Acme) -> None:
    """What is not there is refused in the same words: neither that it is, nor whose, is told."""
    who, keeper, found = caller(acme, "anna"), Gatekeeper(acme.app.hub), []
    for where in (Where(), Where(team="vision\u202e\x1b[2J" + "x" * 500), Where(site="plant-7")):
        with pytest.raises(RefusedError) as caught:
            keeper.check(who, "version.read", where)
        found.append((caught.value.what, caught.value.subject, caught.value.advice))
    assert len(set(found)) == 1
