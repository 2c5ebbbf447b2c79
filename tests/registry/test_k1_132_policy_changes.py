"""Another policy: what it would change is told before anybody signs it, and is what happens."""

from __future__ import annotations

import random
import re
from datetime import timedelta

import pytest

from sealift_registry import wanting
from sealift_registry.trust.repository import Repository
from sealift_registry.views import policy_changes
from sealift_signing import features, roles
from sealift_signing.acts.material import Ask
from sealift_signing.acts.policies import policy_after
from sealift_signing.errors import RefusedError, UsageError
from sealift_signing.policy import Policy
from sealift_signing.vocabulary import instant, moment
from tests.registry.hub_fixture import APPROVERS, MODEL, SITE, STAGE, Acme
from tests.registry.signing_people import carry_out
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_letting_rows_out import newest
from tests.registry.test_what_sites_read import says, without

TWO = ("targets-1", "targets-2")
DRAWS = 3
"""Policies that are drawn."""


def ask(stage: str = STAGE, **details: str | tuple[str, ...]) -> Ask:
    named = {
        name.replace("_", "-"): (given,) if isinstance(given, str) else given
        for name, given in details.items()
    }
    return Ask("set-stage", (stage,), named)


def changed(hub: Acme, act: Ask, *, any_software: bool = False) -> None:
    wanted = wanting.wanted(hub.app, wanting.Asked(act, any_software=any_software))
    assert carry_out(hub.app, wanted, [hub.signer(name) for name in TWO]) is not None


def told(hub: Acme, act: Ask) -> tuple[str, ...]:
    """What the hub says would come of it."""
    with hub.app.hub.reading() as connection:
        before = Repository(connection).policy()
        after = policy_after(before, act)
        return policy_changes.consequences(connection, hub.app.hub.now(), before, after)


def policy(hub: Acme) -> Policy:
    with hub.app.hub.reading() as connection:
        return Repository(connection).policy()


def days_left(hub: Acme, number: int) -> str:
    until = hub.standing(number).tally.valid_until
    return "" if until is None else moment(until)[:10]


def test_k1_132_approvals_more_and_fewer(hub: Acme) -> None:
    both, one = hub.promoted(), hub.request(2)
    hub.approve(one, APPROVERS[0])
    more = ask(approvals="3", before_people="yes")
    assert told(hub, more) == (
        f"P-00000{both}, {MODEL}/1: would NO LONGER BE APPROVED, with 2 of 3 approvals",
    )
    fewer = ask(approvals="1")
    assert told(hub, fewer) == (
        f"P-00000{one}, {MODEL}/2: would BE APPROVED with what was signed so far",
    )
    changed(hub, more)
    assert not hub.standing(both).tally.enough
    changed(hub, fewer)
    assert hub.standing(both).tally.enough
    assert hub.standing(one).tally.enough
    kind, data = newest(hub)
    assert (kind, data["act"], data["object"]) == ("policy.changed", "set-stage", [STAGE])
    assert data["details"] == {"approvals": ["1"]}


def test_k1_133_a_shorter_validity_cuts_and_refuses_nothing(hub: Acme) -> None:
    number = hub.promoted()
    was = days_left(hub, number)
    (sentence,) = told(hub, ask(days="90"))
    changed(hub, ask(days="90"))
    found = hub.standing(number)
    assert found.tally.enough
    assert sentence.endswith(f"would count until {days_left(hub, number)}, and not until {was}")
    hub.later(days=91)
    expired = hub.standing(number).tally
    assert not expired.counted
    assert "the policy lets none count for more than 90 days" in expired.set_aside[0]
    changed(hub, ask(days="365"))
    assert hub.standing(number).tally.enough, "what was signed keeps its own end"


def test_k1_133_nobody_signs_for_longer_than_the_policy_lets(hub: Acme) -> None:
    changed(hub, ask(days="90"))
    number = hub.request()
    status = hub.approve(number, APPROVERS[0])
    (counted,) = status.tally.counted
    assert instant(counted.predicate.valid_until) == status.tally.ends(counted)
    assert instant(counted.predicate.valid_until) <= hub.app.hub.now() + timedelta(days=90)
    with pytest.raises(UsageError, match="1 to 90 days"):
        hub.approve(number, APPROVERS[1], days=91)


def test_k1_134_evidence_that_was_not_asked_for(hub: Acme) -> None:
    number = hub.promoted()
    more = ask(evidence=("scan", "parity", "runtimes"))
    would = "would be held where it is not installed yet, for it names no runtimes"
    assert told(hub, more) == (f"P-00000{number}, {MODEL}/1: {would}",)
    assert told(hub, ask(evidence=("scan",))) == ()


def test_k1_135_what_sites_make_of_it_is_told(ready: Acme) -> None:
    hub = ready
    unknown = f"what {SITE} has is not known: nothing came home of it yet"
    assert told(hub, ask(approvals="3", before_people="yes"))[1:] == (unknown,)
    pinned = "goes on insisting on 2 approvals: pins of sites rise by themselves, and do not fall"
    assert told(hub, ask(approvals="1")) == (f"{SITE} {pinned}",)
    says(hub, without(features.CUT_VALIDITY.full))
    lines = told(hub, ask(days="90"))
    assert any(
        line.startswith(f"{SITE} has software that refuses approvals for longer than 90 days")
        and line.endswith("P-000001")
        for line in lines
    )
    gone = told(hub, ask("staging", approvals="2"))
    assert gone == (), "no site takes what is promoted to staging"
    with hub.app.hub.reading() as connection:
        before = policy(hub)
        after = policy_after(before, Ask("remove-stage", (STAGE,)))
        said = policy_changes.consequences(connection, hub.app.hub.now(), before, after)
    assert said == (
        f"approved for {STAGE}, and installed nowhere any more: {MODEL}/1 (P-000001)",
        f"take what is promoted to {STAGE}, and nothing any more: {SITE}",
    )


def test_k1_135_a_policy_that_a_site_cannot_read_is_not_signed(ready: Acme) -> None:
    hub = ready
    says(hub, without(features.LATER_EVIDENCE.full))
    rows, later = hub.rows(), ask(evidence=("scan", "parity", "runtimes"))
    with pytest.raises(RefusedError) as bad:
        changed(hub, later)
    assert (bad.value.code, bad.value.subject) == ("site-lacks-features", SITE)
    assert "policy.json" in bad.value.what
    assert hub.rows() == rows
    changed(hub, later, any_software=True)
    assert "runtimes" in policy(hub).stages[STAGE].evidence


def test_k1_136_what_is_told_is_what_happens(hub: Acme) -> None:
    """Of policies that are drawn: who loses, who gains and until when, as it was said before."""
    drawn = random.Random(136)  # noqa: S311 - policies, no secrets
    numbers = [hub.promoted(), hub.request(2), hub.request(2, "staging"), hub.request(1, "staging")]
    hub.approve(numbers[1], APPROVERS[0], days=20)
    hub.approve(numbers[2], APPROVERS[1], days=200)
    for _ in range(DRAWS):
        stage = drawn.choice(("staging", STAGE))
        rule = policy(hub).stages[stage]
        act = ask(
            stage,
            approvals=str(drawn.choice([n for n in (1, 2, 3) if n != rule.approvals])),
            days=str(drawn.choice((10, 100, 300, 365))),
            before_people="yes",
        )
        before = {n: hub.standing(n) for n in numbers}
        said = " ".join(told(hub, act))
        changed(hub, act)
        for number in numbers:
            was, now = before[number].tally, hub.standing(number).tally
            sentence = re.search(rf"P-00000{number}, \S+: (would [^;]*?)(?= P-|$)", said)
            text = sentence[1] if sentence else ""
            if was.enough and not now.enough:
                assert "NO LONGER" in text
            elif now.enough and not was.enough:
                assert "BE APPROVED" in text
            elif was.valid_until and days_left(hub, number) != moment(was.valid_until)[:10]:
                assert f"count until {days_left(hub, number)}" in text
            else:
                assert not text


def test_k1_137_the_commands(hub: Acme, capsys: Capsys) -> None:
    cli = Cli(hub, capsys)
    number = hub.promoted()
    keys = ["--at-hub", *(f"--key={hub.key(name)}" for name in TWO)]
    assert f"stage {STAGE}: 2 approvals, evidence scan, parity" in cli.says("policy", "show")
    shown = cli.json("policy", "show")
    assert shown["policy"]["stages"][STAGE]["approvals"] == 2
    rows = hub.rows()
    said = cli.says("policy", "check", STAGE, "--days", "90")
    assert "approvals are valid for 90 days at most, 365 before: more is asked" in said
    assert f"P-00000{number}" in said
    assert said.endswith("Nothing was changed.\n")
    checked = cli.json("policy", "check", STAGE, "--days", "90")
    assert len(checked["consequences"]) == 1
    assert hub.rows() == rows
    code, _, err = cli("policy", "set", "pilot", "--like", "staging", *keys)
    assert code == 1
    assert "--before-people" in err
    made = cli.says("policy", "set", "pilot", "--like", "staging", "--before-people", *keys)
    assert "stage pilot: 1 approval" in made
    assert "The policy is now:" in made
    assert cli.json("policy", "lifetime", "team", "120", *keys)["object"] == ["team", "120"]
    lasts = cli.json("policy", "show")["policy"]["lifetimes_days"]
    assert lasts[roles.TEAM] == 120
    gone = cli.says("policy", "remove", "pilot", *keys)
    assert "stage pilot" not in gone
    assert hub.types().count("policy.changed") == 3
    code, _, err = cli("policy", "set", "pilt", "--approvals", "1", *keys)
    assert (code, "--like" in err) == (2, True)
