"""The table of roles and actions, whole: who may, who may not, and that the page says just that."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from sealift_registry.access import rights
from sealift_registry.access.calling import (
    HUB,
    NOTHING,
    ROLES,
    Caller,
    Grant,
    Held,
    Reach,
    Role,
    Way,
    Where,
)
from sealift_registry.access.rights import ACTIONS, SCOPES, may, reach

REFERENCE = Path(__file__).parents[2] / "docs/reference"

MINE, THEIRS = Where(team="vision"), Where(team="audio")
HERE, THERE = Where(site="plant-7"), Where(site="plant-8")
OWN, OTHERS = Where(owner="account-1"), Where(owner="account-2")
PLACES = (HUB, MINE, THEIRS, HERE, THERE, OWN, OTHERS)

VIEW = "team model version evidence promotion blob"
PUBLISH = "version.ingest conversion.ask upload.write"
SITES = "site.read assignment.read transfer.read receipt.read"
ADMINISTER = (
    "account.read account.invite account.disable right.grant right.revoke session.revoke-any "
    "token.make-program token.revoke-any"
)
EVERYBODY = {
    *("me.read", "me.bind", "next.read", "checkpoint.read", "hardware-target.read", "policy.read"),
}
GRANTED: dict[Role, set[str]] = {
    "viewer": {*(f"{one}.read" for one in VIEW.split()), *SITES.split(), "promotion.comment"},
    "publisher": {*(f"{one}.read" for one in VIEW.split()), *PUBLISH.split(), "job.read"},
    "auditor": {
        *(f"{one}.read" for one in VIEW.split()),
        *SITES.split(),
        *("audit.read", "settings.read"),
    },
    "operator": {
        *("export.ask", "receipt.take", "job.read", "job.cancel", "job.retry", "metrics.read"),
    },
    "administrator": {*ADMINISTER.split(), "settings.read", "metrics.read"},
}
"""What each role is for, written down a second time, by hand."""
OWNED = {
    "me.password",
    "session.manage-own",
    "token.manage-own",
    "job.read",
    "job.cancel",
    "job.retry",
}
SIGNED = {"draft.make", "submission.make"}
OF_MEMBERS = {*(f"{one}.read" for one in VIEW.split()), "promotion.comment", *SIGNED}
OF_DISPATCHERS = {*SITES.split(), "export.ask", "receipt.take", *SIGNED}
OF_FLEET = {*SITES.split(), *SIGNED}
PEOPLE_ALONE = {
    *SIGNED,
    *ADMINISTER.split(),
    *("me.bind", "me.password", "session.manage-own", "token.manage-own", "promotion.comment"),
}


def who(
    *grants: Grant,
    by: Way = "desk",
    person: str | None = None,
    scopes: frozenset[str] | None = None,
) -> Caller:
    kind = "service" if by == "token" else "person"
    return Caller("account-1", "anna", kind, person, by, "x", frozenset(grants), scopes)  # type: ignore[arg-type]


def allowed(
    caller: Caller, held: Held = NOTHING, places: tuple[Where, ...] = PLACES
) -> set[tuple[str, Where]]:
    """All that somebody may, of every action and place."""
    return {(one, at) for one, at in product(ACTIONS, places) if may(one, caller, held, at)}


def everywhere(actions: set[str], *places: Where) -> set[tuple[str, Where]]:
    return set(product(actions, places or PLACES))


ALWAYS = everywhere(EVERYBODY) | everywhere(OWNED, OWN)


def test_g2_20_who_was_granted_nothing_has_what_everybody_has() -> None:
    assert allowed(who()) == ALWAYS
    assert allowed(who(person="anna")) == ALWAYS, "an office is not granted by a name"


@pytest.mark.parametrize("role", ROLES)
def test_g2_20_a_role_is_for_what_the_table_says_and_no_more(role: Role) -> None:
    assert allowed(who(Grant(role))) == ALWAYS | everywhere(GRANTED[role])


@pytest.mark.parametrize("role", ROLES)
def test_g2_20_a_grant_for_one_team_or_site_ends_there(role: Role) -> None:
    for_team, for_site = Grant(role, team="vision"), Grant(role, site="plant-7")
    assert allowed(who(for_team)) == ALWAYS | everywhere(GRANTED[role], MINE)
    assert allowed(who(for_site)) == ALWAYS | everywhere(GRANTED[role], HERE)
    both = Where(team="vision", site="plant-7")
    assert may("site.read", who(Grant("viewer", team="vision", site="plant-7")), Held(), both)
    assert not may("site.read", who(Grant("viewer", team="vision", site="plant-7")), Held(), HERE)


def test_g2_21_an_administrator_has_nothing_else_by_being_one() -> None:
    assert not GRANTED["administrator"] & {*OF_MEMBERS, *OF_DISPATCHERS, *PUBLISH.split()}
    assert not any(
        may(one, who(Grant("administrator"), person="anna"), Held(), MINE) for one in SIGNED
    )


def test_g2_22_offices_open_what_the_table_says() -> None:
    anna = who(person="anna")
    steward = Held(teams=frozenset({"vision"}), any=True)
    expected = everywhere(OF_MEMBERS, MINE) | everywhere(SIGNED, HUB, OWN, OTHERS)
    assert allowed(anna, steward) == ALWAYS | expected
    dispatcher = Held(sites=frozenset({"plant-7"}), any=True)
    expected = everywhere(OF_DISPATCHERS, HERE) | everywhere(SIGNED, HUB, OWN, OTHERS)
    assert allowed(anna, dispatcher) == ALWAYS | expected
    fleet = Held(fleet=True, any=True)
    expected = everywhere(OF_FLEET, HERE, THERE) | everywhere(SIGNED, HUB, OWN, OTHERS)
    assert allowed(anna, fleet) == ALWAYS | expected
    root = Held(any=True)
    assert allowed(anna, root) == ALWAYS | everywhere(SIGNED, HUB, OWN, OTHERS)


def test_g2_22_nobody_hands_in_what_was_signed_without_a_person() -> None:
    """An account that is nobody's, and holds offices by a mistake of ours."""
    held = Held(frozenset({"vision"}), frozenset({"plant-7"}), fleet=True, any=True)
    assert not {one for one, _ in allowed(who(), held)} & SIGNED


def test_g2_23_a_token_does_nothing_that_takes_people() -> None:
    """A bot that approves; a pipeline that administers; a token that makes others."""
    assert {one for one, rule in ACTIONS.items() if not rule.tokens} == PEOPLE_ALONE
    assert set(ACTIONS) - PEOPLE_ALONE == SCOPES
    held = Held(frozenset({"vision"}), frozenset({"plant-7"}), fleet=True, any=True)
    grants = [Grant(role) for role in ROLES]
    wide = who(*grants, by="token", person="anna", scopes=frozenset(ACTIONS))
    assert not {one for one, _ in allowed(wide, held)} & PEOPLE_ALONE
    assert {one for one, _ in allowed(wide, held)} == SCOPES


def test_g2_23_a_token_does_what_it_is_for_alone() -> None:
    one = who(Grant("operator"), by="token", scopes=frozenset({"job.read", "version.read"}))
    assert {action for action, _ in allowed(one)} == {"job.read"}
    none = who(Grant("operator"), by="token", scopes=frozenset())
    assert allowed(none) == set()


def test_g2_24_a_list_reaches_what_its_rows_reach() -> None:
    """Each row that somebody sees in a list may be read alone; and none that they do not."""
    held = Held(frozenset({"audio"}), frozenset({"plant-8"}), any=True)
    for grants, action in product(_some_grants(), ACTIONS):
        one = who(*grants, person="anna")
        found = reach(action, one, held)
        for at in PLACES:
            sees = found.everything or (
                at.team in found.teams
                or at.site in found.sites
                or (at.owner is not None and at.owner == found.owner)
            )
            if sees:
                assert may(action, one, held, at), (grants, action, at)
            elif at is not HUB and not (rights.ACTIONS[action].fleet or action in SIGNED):
                assert not may(action, one, held, at), (grants, action, at)


def _some_grants() -> Iterator[tuple[Grant, ...]]:
    for role in get_args(Role):
        yield (Grant(role),)
        yield (Grant(role, team="vision"),)
        yield (Grant(role, site="plant-7"), Grant(role, team="vision"))
        yield (Grant(role, team="vision", site="plant-7"),)


def test_g2_24_an_action_that_is_not_in_the_table_reaches_nothing() -> None:
    everything = who(*(Grant(role) for role in ROLES))
    assert not may("model.delete", everything, Held(fleet=True, any=True), HUB)
    assert reach("model.delete", everything, Held(any=True)) == Reach()


def test_g2_25_the_page_says_what_the_table_says() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REFERENCE))
        maker = importlib.import_module("make_rights")
    assert maker.PAGE.read_text("utf-8") == maker.page(), (
        "Run .venv/bin/python docs/reference/make_rights.py"
    )
