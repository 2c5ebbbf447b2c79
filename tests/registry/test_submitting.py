"""What is submitted counts by its signatures; what stands beside them is believed by nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealift_registry.trust import hub_drafts, teams
from sealift_signing import drafts
from sealift_signing.drafts import Draft
from sealift_signing.errors import SealiftError
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.signing_people import sign


def signed(acme: Acme) -> Draft:
    """Two stewards let emil request, too."""
    hub, wanted = acme.app.hub, teams.requester(TEAM, acme.card("emil"))
    with hub.reading() as connection:
        made = hub_drafts.draft(hub, connection, wanted)
    return sign(made, wanted.ask, acme.stewards, hub.now())


@pytest.mark.parametrize(
    "change",
    [
        {"act": "add-approver"},
        {"act": "renew", "object": (f"team.{TEAM}",)},
        {"object": (TEAM, "carla")},
        {"details": {"stage": ("production",)}},
        {"statements": ()},
    ],
)
def test_t0_140_the_log_says_no_other_act_than_what_was_signed(
    acme: Acme, change: dict[str, object]
) -> None:
    before = acme.rows()
    made = replace(signed(acme), **change)  # type: ignore[arg-type]
    with pytest.raises(SealiftError):
        acme.app.submit(drafts.read(drafts.write(made)), at_hub=False)
    assert acme.rows() == before


def test_what_was_signed_is_published_once(acme: Acme) -> None:
    made = signed(acme)
    assert acme.app.submit(made, at_hub=False).new
    after = acme.rows()
    assert not acme.app.submit(made, at_hub=False).new
    assert acme.rows() == after


ROLE = f"team.{TEAM}"


def renewal(acme: Acme, days: int = 1) -> Draft:
    hub, wanted = acme.app.hub, teams.renewal(ROLE)
    acme.later(days=days)
    with hub.reading() as connection:
        made = hub_drafts.draft(hub, connection, wanted)
    return sign(made, wanted.ask, acme.stewards, hub.now())


def moved_on(acme: Acme, late: Draft) -> str:
    with pytest.raises(SealiftError) as error:
        acme.app.submit(late, at_hub=False)
    assert error.value.code == "role-moved-on"
    return f"{error.value.what} {error.value.next_step}"


def test_t1_20_who_was_slower_is_told_so_and_not_that_the_hub_lost_something(acme: Acme) -> None:
    late = signed(acme)
    acme.app.submit(renewal(acme), at_hub=False)
    said = moved_on(acme, late)
    assert "meanwhile version 4" in said
    assert "Have it drafted again: the new draft stands on what is published now." in said
    assert "lost" not in said
    assert "--over" not in said


def forgotten(acme: Acme, number: int) -> None:
    acme.sql("DROP TRIGGER IF EXISTS tuf_metadata_no_delete")
    acme.sql(f"DELETE FROM tuf_metadata WHERE role = '{ROLE}' AND version = {number}")  # noqa: S608


def test_t1_21_a_hub_that_lacks_what_it_was_made_from_says_which(acme: Acme) -> None:
    acme.app.submit(renewal(acme), at_hub=False)
    late = renewal(acme)
    forgotten(acme, 4)
    said = moved_on(acme, late)
    assert "was made from version 4" in said
    assert "which this hub does not have: its newest is version 3" in said
    assert f"sealift-sign write {ROLE} FILE --at 4" in said


def test_t1_22_a_fork_is_called_one(acme: Acme) -> None:
    one, other = renewal(acme), renewal(acme, 2)
    acme.app.submit(one, at_hub=False)
    late = renewal(acme, 3)
    forgotten(acme, 4)
    acme.app.submit(other, at_hub=False)
    assert "this hub has another version of that number" in moved_on(acme, late)
    acme.app.submit(renewal(acme, 4), at_hub=False)
    said = moved_on(acme, late)
    assert "this hub has another version of that number" in said
    assert "sealift-sign heads" in said
