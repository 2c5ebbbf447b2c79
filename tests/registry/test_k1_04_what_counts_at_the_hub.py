"""Retired and compromised at each point of a promotion's life, as the hub counts it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.promotion.status import Counting
from sealift_signing import key_status
from sealift_signing.approvals import REQUEST, approve
from sealift_signing.documents import MemberKey, Members, Person
from tests.registry.hub_fixture import STAGE, Acme
from tests.what_counts import CASES, ROWS, Case, table


def with_people(hub: Acme) -> Callable[[Members], Members]:
    """Somebody for each case, who may do both."""
    purposes = (approve(STAGE), REQUEST)

    def edit(members: Members) -> Members:
        new = [
            Person(name, name, "active", (MemberKey(hub.new_key(name).text, "file", purposes),))
            for name in sorted(one.person for one in CASES)
        ]
        return replace(members, people=(*members.people, *new))

    return edit


def fallen(signed: dict[Case, list[str]]) -> Callable[[Members], Members]:
    """The word falls, of everybody at once."""
    of = {case.person: case for case in CASES}

    def edit(members: Members) -> Members:
        people = tuple(
            of[one.id].said_of(one, *signed[of[one.id]]) if one.id in of else one
            for one in members.people
        )
        return key_status.requiring(replace(members, people=people))

    return edit


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(ROWS[0], marks=pytest.mark.long),
        pytest.param(ROWS[1], marks=pytest.mark.long),
        ROWS[2],
    ],
)
def test_k1_04_the_hub_counts_what_the_page_says(hub: Acme, row: str) -> None:
    hub.change_members(with_people(hub))
    point, made, signed = ROWS.index(row), dict[Case, int](), dict[Case, list[str]]()
    for case in CASES:
        is_asker = case.who == "requester"
        asker, first = (case.person, "emil") if is_asker else ("dora", case.person)
        made[case] = number = hub.asked(by=asker, reason=f"For {case.person}.")
        if point >= ROWS.index("approved by one"):
            hub.approve(number, first)
        if point >= ROWS.index("listed"):
            hub.approve(number, "carla")
        with hub.app.hub.reading() as connection:
            catalog = Catalog(connection)
            own = [catalog.promotion(number).request.sha256] if is_asker else []
            signed[case] = own or [one.sha256 for one in catalog.approvals(number)]
    hub.change_members(fallen(signed))
    with hub.app.hub.reading() as connection:
        counting, catalog = Counting(connection, hub.app.hub.now()), Catalog(connection)
        for case, number in made.items():
            counted = counting.counted(catalog.promotion(number), catalog.approvals(number))
            # Of those who would approve yet, those who still may.
            asked = (case.person if case.who == "approver" else "emil", "carla")
            members = counting.rules("vision", STAGE).members
            active = [one for one in asked if (them := members.person(one)) and them.active_keys]
            people = {*counted.tally.people, *(active if row != "listed" else ())}
            counts = len(people) > 1 and not counted.doubt
            assert (case, counts) == (case, table()[row, case] == "counts"), counted
            if row == "listed":  # where it lies by now is nothing to the hub
                assert counted.listed is counts
                assert all((table()[one, case] == "counts") is counts for one in ROWS[2:])
