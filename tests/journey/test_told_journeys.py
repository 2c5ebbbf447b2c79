"""Journeys that chance comes upon seldom, told step by step, and compared like the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.checks import check_floors, check_hub, check_logs, check_visible
from tests.journeys.ground import Start
from tests.journeys.world import World

SITE, GROUP = "plant-7", "line-1"
HERE, THERE = 0, 1
"""Two media."""


@pytest.fixture
def world(start: Start, tmp_path: Path, unflushed: None) -> Iterator[World]:
    """Both sites run version 2, with version 1 behind it; after the test all must agree."""
    made = World(start, tmp_path / "world")
    try:
        yield made
        check_visible(made)
        check_floors(made)
        check_logs(made)
        check_hub(made)
    finally:
        made.close()


def deliver(world: World, order: list[int], medium: int = HERE, *, home: bool = False) -> None:
    world.assign(SITE, GROUP, order, keep=False)
    world.journey(SITE, medium, home=home)


def test_two_histories_of_one_site_are_not_both_believed(world: World) -> None:
    """The return of the first was under way when the backup of the site took its place."""
    world.back_up(SITE)
    deliver(world, [3, 2], HERE)
    world.write_return(SITE, HERE)
    world.restore(SITE)
    deliver(world, [1], THERE, home=True)
    world.receive(HERE)
    assert world.happened["return: log-not-continued"] == 1
    assert world.hub.sites[SITE].running == {GROUP: 1}


def test_a_restored_site_notices_by_what_the_hub_heard(world: World) -> None:
    world.back_up(SITE)
    deliver(world, [3, 2], HERE, home=True)
    world.restore(SITE)
    deliver(world, [1], THERE)
    assert world.happened["import: log-restored"] == 1
    world.roll_back(SITE, GROUP, further=False)
    world.enrol(SITE, "anew")
    deliver(world, [1], THERE, home=True)
    assert world.hub.sites[SITE].running == {GROUP: 1}


def test_what_a_backup_brings_back_is_not_shown_once_a_medium_recalls_it(world: World) -> None:
    world.back_up(SITE)
    world.recall(2)
    world.journey(SITE, HERE, home=True)
    assert world.reckoning.sites[SITE].running == {GROUP: 1}
    world.restore(SITE)
    assert world.reckoning.sites[SITE].running == {GROUP: 2}
    world.journey(SITE, THERE, home=False)
    assert world.reckoning.sites[SITE].visible == {}


def test_what_was_lost_and_told_is_carried_again(world: World) -> None:
    for number in range(10):
        world.damage(SITE, number)
    world.examine(SITE)
    world.write_return(SITE, HERE)
    world.receive(HERE)
    deliver(world, [2, 1], THERE)
    assert world.reckoning.sites[SITE].missing == set()


def test_what_was_lost_and_not_told_is_held_and_comes_with_the_next(world: World) -> None:
    for blob in world.start.files[1]:
        world.lose_blob(SITE, blob)
    deliver(world, [1, 2], THERE, home=True)
    assert world.reckoning.sites[SITE].running == {GROUP: 2}
    world.journey(SITE, HERE, home=False)
    assert world.reckoning.sites[SITE].running == {GROUP: 1}


def test_the_same_medium_twice_and_an_old_one_after_a_newer(world: World) -> None:
    world.export(SITE, HERE)
    world.keep_copy(HERE)
    deliver(world, [3, 2], THERE)
    (old,) = world.copies
    world.take(SITE, *old)
    world.take_newest(SITE, THERE)
    assert world.happened["import: walk"] == 1
    assert world.reckoning.sites[SITE].running == {GROUP: 3}


def test_returns_out_of_order_and_twice(world: World) -> None:
    world.journey(SITE, HERE, home=False)
    world.write_return(SITE, HERE)
    deliver(world, [3, 2], THERE)
    world.write_return(SITE, THERE)
    for medium in (THERE, HERE, HERE, THERE):
        world.receive(medium)
    assert world.hub.sites[SITE].running == {GROUP: 3}


def test_the_requester_approves_nothing_and_who_has_left_approves_no_more(world: World) -> None:
    world.request(3, "carla", despite=False)
    for person in ("carla", "emil"):
        world.approve(4, person)
    assert 4 not in world.hub.listed
    world.approve(4, "gina")
    deliver(world, [3], THERE)
    world.change_person("emil", active=False)
    deliver(world, [3, 2], HERE)
    assert world.happened["no assignment"] == 0


def test_a_request_made_despite_a_withdrawal_permits_again(world: World) -> None:
    world.withdraw(3, below=False)
    deliver(world, [3, 2], HERE)
    assert world.reckoning.sites[SITE].running == {GROUP: 2}
    world.wait(minutes=1)
    world.request(3, "dora", despite=True)
    for person in ("emil", "gina"):
        world.approve(4, person)
    deliver(world, [3, 2], THERE)
    assert world.reckoning.sites[SITE].running == {GROUP: 3}
