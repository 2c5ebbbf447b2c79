"""People leave at a hub: what would come of it is told before it is signed, and is what happens."""

from __future__ import annotations

import random

import pytest

from sealift_registry import wanting
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.trust.hub_drafts import drafted
from sealift_registry.trust.repository import Repository
from sealift_signing import features
from sealift_signing.acts.material import Ask
from sealift_signing.documents import Person
from sealift_signing.errors import RefusedError, UsageError
from tests.registry.hub_fixture import (
    APPROVERS,
    MODEL,
    REQUESTER,
    SITE,
    STAGE,
    STEWARDS,
    TEAM,
    Acme,
)
from tests.registry.signing_people import carry_out, members_of, sign
from tests.registry.test_delivery import carried, received
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_letting_rows_out import newest
from tests.registry.test_what_sites_read import says, without
from tests.site_on_paper import SiteOnPaper

CARLA, EMIL = APPROVERS
DRAWS = 3
"""Organisations whose people are drawn."""


def asked(act: str, who: str, *cards: bytes, **details: tuple[str, ...]) -> wanting.Asked:
    named = {name.replace("_", "-"): given for name, given in details.items()}
    return wanting.Asked(Ask(act, (TEAM, who), named), cards)


def without_list(who: str) -> wanting.Asked:
    return asked("retire-person", who, without_list=("yes",))


def does(hub: Acme, what: wanting.Asked) -> None:
    assert carry_out(hub.app, wanting.wanted(hub.app, what), hub.stewards) is not None


def told(hub: Acme, what: wanting.Asked) -> tuple[str, ...]:
    """What whoever drafts is told would come of it."""
    wanted = wanting.wanted(hub.app, what)
    with hub.app.hub.reading() as connection:
        made = drafted(hub.app.hub, connection, wanted)
    said = made.draft.facts.get("consequence", ())
    assert set(said) <= set(made.warnings)
    return said


def person(hub: Acme, name: str) -> Person:
    with hub.app.hub.reading() as connection:
        found = members_of(Repository(connection), TEAM).person(name)
    assert found is not None
    return found


def new_card(hub: Acme, name: str) -> bytes:
    """The card of another key of that person."""
    return hub.card(name, hub.new_key(f"{name}-2"))[1]


def test_k1_12_who_retires_takes_nothing_along(hub: Acme) -> None:
    listed, open_ = hub.promoted(), hub.request(2)
    hub.approve(open_, CARLA)
    hub.promoted(1, "staging")
    with hub.app.hub.reading() as connection:
        catalog = Catalog(connection)
        mine = {
            one.sha256
            for number in catalog.numbers()
            for one in catalog.approvals(number)
            if one.predicate.person == CARLA
        }
    act = asked("retire-person", CARLA)
    assert told(hub, act) == ()
    does(hub, act)
    (key,) = person(hub, CARLA).keys
    assert {one.sha256 for one in key.counts or ()} == mine
    assert hub.standing(listed).listed
    assert hub.approve(open_, EMIL).listed, "what was approved by one is approved by another"
    with pytest.raises(RefusedError):
        hub.approve(hub.request(2, "staging"), CARLA)
    does(hub, asked("retire-person", REQUESTER))
    assert hub.standing(listed).listed
    assert not hub.standing(open_).doubt


def test_k1_12_what_a_stolen_key_takes_along_is_told_and_happens(hub: Acme) -> None:
    listed, open_ = hub.promoted(), hub.request(2)
    hub.approve(open_, CARLA)
    act = asked("call-compromised", CARLA)
    lost = f"loses the approval of {CARLA}"
    again = "to be approved again by"
    assert told(hub, act) == (
        (
            f"P-00000{listed}, {MODEL}/1 for {STAGE}: {lost}: NO LONGER APPROVED, with 1 of 2 "
            f"approvals; {again}: nobody who may"
        ),
        f"P-00000{open_}, {MODEL}/2 for {STAGE}: {lost}, and has 0 of 2 approvals; {again}: {EMIL}",
    )
    does(hub, act)
    assert not hub.standing(listed).listed
    assert hub.standing(open_).tally.people == ()
    kind, data = newest(hub)
    assert (kind, data["act"], data["object"]) == (
        "team.members-changed",
        "call-compromised",
        [TEAM, CARLA],
    )
    does(hub, asked("reinstate-person", CARLA, new_card(hub, CARLA)))
    assert not hub.standing(listed).listed, "for ever"
    hub.approve(listed, f"{CARLA}-2")
    assert hub.standing(listed).listed


def test_k1_12_of_a_requester_it_is_the_request_that_falls(hub: Acme) -> None:
    listed = hub.promoted()
    act = asked("call-compromised", REQUESTER)
    (said,) = told(hub, act)
    assert said.startswith(f"P-00000{listed}, {MODEL}/1 for {STAGE}: its request counts no more")
    assert "NO LONGER APPROVED; it is asked for again, and then approved" in said
    does(hub, act)
    assert hub.standing(listed).doubt


def test_k1_13_a_new_laptop_and_who_comes_back(hub: Acme) -> None:
    listed = hub.promoted()
    act = asked("replace-key", CARLA, new_card(hub, CARLA))
    assert told(hub, act) == ()
    does(hub, act)
    assert hub.standing(listed).listed
    open_ = hub.request(2)
    with pytest.raises(RefusedError):
        hub.approve(open_, CARLA)
    hub.approve(open_, f"{CARLA}-2")
    with pytest.raises(UsageError, match="cards are of nobody"):
        wanting.wanted(hub.app, asked("replace-key", CARLA))
    with pytest.raises(UsageError, match="cards are of"):
        wanting.wanted(hub.app, asked("retire-person", CARLA, hub.card(CARLA)[1]))


def test_k1_13_an_approval_that_turns_up_after_the_retirement_counts_for_nothing(
    hub: Acme,
) -> None:
    """Signed before, and kept back by whoever owns the hub: its date says nothing."""
    number = hub.request()
    with hub.app.hub.reading() as connection:
        wanted = hub.app.promotions.approval_wanted(connection, number, "validated", "Tested.")
        made = drafted(hub.app.hub, connection, wanted).draft
    kept = sign(made, wanted.ask, [hub.signer(CARLA)], hub.app.hub.now())
    does(hub, asked("retire-person", CARLA))
    hub.later(days=1)
    with pytest.raises(RefusedError) as bad:
        hub.app.submit(kept, at_hub=False)
    assert bad.value.code == "approval-not-counted"
    assert "is retired, and it is not among what goes on counting" in str(bad.value)


def test_k1_14_a_site_that_reads_no_list_is_named_and_what_can_be_done(ready: Acme) -> None:
    hub = ready
    says(hub, without(features.KEY_STATUS.full))
    rows, act = hub.rows(), asked("retire-person", CARLA)
    with pytest.raises(RefusedError) as bad:
        does(hub, act)
    assert (bad.value.code, bad.value.subject) == ("site-lacks-features", SITE)
    assert "Install Sealift" in bad.value.next_step
    assert "--without-list" in bad.value.next_step
    assert hub.rows() == rows
    older = without_list(CARLA)
    (said,) = told(hub, older)
    assert f"loses the approval of {CARLA}: NO LONGER APPROVED" in said
    today = hub.app.hub.now().date().isoformat()
    assert said.endswith(f"; it would not be installed at {SITE} (as of {today})")
    does(hub, older)
    assert not hub.standing(1).listed
    with pytest.raises(RefusedError):
        does(hub, asked("reinstate-person", CARLA, new_card(hub, CARLA)))


def test_k1_14_what_runs_somewhere_goes_on_and_is_told_so(ready: Acme, plant: SiteOnPaper) -> None:
    hub = ready
    (said,) = told(hub, asked("call-compromised", CARLA))
    assert said.endswith(f"; whether it is installed is not known of {SITE}")
    carried(hub, plant)
    received(hub, hub.returned(plant))
    act = asked("call-compromised", CARLA)
    (said,) = told(hub, act)
    today = hub.app.hub.now().date().isoformat()
    assert f"; it runs, and goes on, at {SITE} (as of {today})" in said
    does(hub, act)
    before = plant.running(MODEL)
    carried(hub, plant)
    assert plant.running(MODEL) == before


def test_k1_15_what_is_told_is_what_happens(hub: Acme) -> None:
    """Of people and promotions that are drawn: what falls, and nothing else."""
    drawn = random.Random(15)  # noqa: S311 - people, no secrets
    hub.new_key("gina")
    hub.entitle("gina", f"approve:{STAGE}", "approve:staging")
    numbers = []
    for version in (1, 2):
        for stage in (STAGE, "staging"):
            number = hub.request(version, stage)
            for name in drawn.sample((CARLA, EMIL, "gina"), drawn.randint(1, 3)):
                hub.approve(number, name, days=drawn.choice((20, 200)))
            numbers.append(number)
    for who in drawn.sample((CARLA, EMIL, "gina", REQUESTER), DRAWS):
        act = drawn.choice(
            (asked("call-compromised", who), asked("retire-person", who), without_list(who))
        )
        before = {n: hub.standing(n) for n in numbers}
        said = {int(one[2:8]): one for one in told(hub, act)}
        does(hub, act)
        for number in numbers:
            was, now, sentence = before[number], hub.standing(number), said.get(number, "")
            fell = was.tally.enough and not was.doubt and (not now.tally.enough or bool(now.doubt))
            assert ("NO LONGER APPROVED" in sentence) is fell, (act.ask, sentence)
            lost = not was.doubt and (was.tally.people != now.tally.people or bool(now.doubt))
            assert bool(sentence) is lost, (act.ask, sentence)


def test_k1_16_the_commands(hub: Acme, capsys: Capsys) -> None:
    cli, listed = Cli(hub, capsys), hub.promoted()
    keys = ["--at-hub", *(f"--key={hub.key(name)}" for name in STEWARDS)]
    card = hub.folder / "carla-2.card"
    card.write_bytes(new_card(hub, CARLA))
    drafted_ = cli.json("person", "compromised", TEAM, CARLA, "--draft", str(hub.folder / "d"))
    assert any("NO LONGER APPROVED" in one for one in drafted_["warnings"])
    said = cli.says("person", "key", "replace", TEAM, str(card), *keys)
    assert f"{CARLA} has a new key in team {TEAM}" in said
    assert hub.standing(listed).listed
    keyid = hub.public(f"{CARLA}-2").keyid[:12]
    code, _, err = cli("person", "key", "remove", TEAM, CARLA, keyid, *keys)
    assert (code, "the only key" in err) == (1, True)
    gone = cli.json("person", "retire", TEAM, CARLA, *keys)
    assert (gone["person"], gone["act"]) == (CARLA, "retire-person")
    card.write_bytes(hub.card(CARLA, hub.new_key("carla-3"))[1])
    assert "is active in team" in cli.says("person", "reinstate", TEAM, str(card), *keys)
    card.write_bytes(hub.card(CARLA, hub.new_key("carla-4"))[1])
    assert "has another key" in cli.says("person", "key", "add", TEAM, str(card), *keys)
    third = hub.public("carla-3").keyid[:8]
    assert "signs nothing new" in cli.says("person", "key", "remove", TEAM, CARLA, third, *keys)
    assert hub.standing(listed).listed
    cli.says("person", "compromised", TEAM, CARLA, *keys)
    assert not hub.standing(listed).listed
