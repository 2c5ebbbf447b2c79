"""Journeys of a hub and two sites, each step compared with what it must have come to.

Random ones, and those that chance comes upon seldom, told step by step.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    get_state_machine_test,
    invariant,
    precondition,
    rule,
)

from tests.journeys.checks import check_floors, check_hub, check_logs, check_visible
from tests.journeys.ground import ASKERS, GROUPS, MEDIA, NODDERS, VERSIONS, Start
from tests.journeys.world import World

SITES = st.sampled_from(sorted(GROUPS))
NUMBERS = st.sampled_from(VERSIONS)
MEDIUM = st.integers(0, MEDIA - 1)
PLACES = st.sampled_from([(site, group) for site, groups in GROUPS.items() for group in groups])
PEOPLE = st.sampled_from(NODDERS)
DAYS = st.sampled_from([None, 30])
"""How long an approval is valid; None is as long as can be."""
TERMS = st.lists(st.tuples(PEOPLE, DAYS), min_size=1, max_size=3)
ORDERS = st.permutations(VERSIONS).flatmap(
    lambda order: st.integers(1, len(order)).map(lambda most: order[:most])
)
MUST_HAPPEN = {
    "delta",
    "import: another-site",
    "import: judged",
    "import: transfer-dated-ahead",
    "import: walk",
    "installed",
    "recall.honoured",
    "recalled",
    "restored",
    "rollback: activated",
    "rollback: already",
    "store.damaged",
    "withdrawn",
}
"""What so many steps must have come to, at least: a sweep that reaches nothing proves nothing."""
SEEDS = 20
"""For one long test: a minute or so, undisturbed."""
LOGS_EVERY = 8
"""Steps between two readings of whole logs, which are read at the end in any case."""
SITE, GROUP = "plant-7", "line-1"
HERE, THERE = 0, 1
"""Two media."""


class Journeys(RuleBasedStateMachine):
    """What people do, in any order."""

    def __init__(self, start: Start, folder: Path, happened: Counter[str]) -> None:
        super().__init__()
        self.world = World(start, folder, happened)
        self.steps = 0
        self.homes = 0

    # ------------------------------------------------------------------ at the hub

    @rule(number=NUMBERS, asker=st.sampled_from(ASKERS), despite=st.booleans(), terms=TERMS)
    def promote(
        self, number: int, asker: str, despite: bool, terms: list[tuple[str, int | None]]
    ) -> None:
        """Ask for a version, and have some people approve, who may and who may not."""
        self.world.request(number, asker, despite=despite)
        for person, days in terms:
            self.world.approve(len(self.world.hub.asks), person, days)

    @rule(number=st.integers(0, 5), person=PEOPLE, days=DAYS)
    def approve(self, number: int, person: str, days: int | None) -> None:
        self.world.approve(max(1, len(self.world.hub.asks) - number), person, days)

    @rule(place=PLACES, order=ORDERS, keep=st.booleans())
    def assign(self, place: tuple[str, str], order: list[int], keep: bool) -> None:
        self.world.assign(*place, order, keep=keep)

    @rule(person=PEOPLE)
    def retire_or_take_back(self, person: str) -> None:
        self.world.change_person(person, active=person not in self.world.hub.active)

    @rule(number=NUMBERS, below=st.booleans())
    def withdraw(self, number: int, below: bool) -> None:
        self.world.withdraw(number, below=below)

    @precondition(lambda self: len(self.world.hub.recalled) + 1 < len(VERSIONS))
    @rule(number=NUMBERS)
    def recall(self, number: int) -> None:
        if number not in self.world.hub.recalled:
            self.world.recall(number)

    @rule(site=SITES, medium=MEDIUM, full=st.booleans())
    def export(self, site: str, medium: int, full: bool) -> None:
        self.world.export(site, medium, full=full)

    @rule(medium=MEDIUM)
    def receive(self, medium: int) -> None:
        self.world.receive(medium)

    # ------------------------------------------------------------------ on the way

    @rule(days=st.sampled_from([1, 20, 70]), renew=st.booleans())
    def wait(self, days: int, renew: bool) -> None:
        """Time passes, and perhaps people sign their roles again."""
        self.world.wait(days=days)
        if renew:
            self.world.renew_all()

    @rule(site=SITES, days=st.sampled_from([0, 0, -400, -2, 2, 400]))
    def set_a_sites_clock(self, site: str, days: int) -> None:
        self.world.set_clock(site, days)

    @rule(days=st.sampled_from([0, 0, -20, -2, 2]))
    def set_the_hubs_clock(self, days: int) -> None:
        self.world.set_clock(None, days)

    @rule(medium=MEDIUM)
    def lose(self, medium: int) -> None:
        self.world.lose(medium)

    @rule(medium=MEDIUM)
    def keep_a_copy(self, medium: int) -> None:
        self.world.keep_copy(medium)

    # ------------------------------------------------------------------ at a site

    @rule(site=SITES, medium=MEDIUM)
    def take(self, site: str, medium: int) -> None:
        self.world.take_newest(site, medium)

    @precondition(lambda self: self.world.copies)
    @rule(site=SITES, number=st.integers(0, 9))
    def take_a_copy(self, site: str, number: int) -> None:
        copies = self.world.copies
        self.world.take(site, *copies[number % len(copies)])

    @rule(site=SITES, medium=MEDIUM, home=st.booleans())
    def journey(self, site: str, medium: int, home: bool) -> None:
        self.world.journey(site, medium, home=home)

    @rule(place=PLACES, order=ORDERS, keep=st.booleans(), medium=MEDIUM, home=st.booleans())
    def deliver(
        self, place: tuple[str, str], order: list[int], keep: bool, medium: int, home: bool
    ) -> None:
        self.world.assign(*place, order, keep=keep)
        self.world.journey(place[0], medium, home=home)

    @rule(place=PLACES, further=st.booleans())
    def roll_back(self, place: tuple[str, str], further: bool) -> None:
        self.world.roll_back(*place, further=further)

    @rule(place=PLACES)
    def activate(self, place: tuple[str, str]) -> None:
        self.world.activate(*place)

    @rule(site=SITES, medium=MEDIUM)
    def write_return(self, site: str, medium: int) -> None:
        self.world.write_return(site, medium)

    @rule(site=SITES, number=st.integers(0, 9))
    def damage(self, site: str, number: int) -> None:
        self.world.damage(site, number)

    @rule(site=SITES, medium=MEDIUM, home=st.booleans())
    def examine(self, site: str, medium: int, home: bool) -> None:
        self.world.examine(site)
        if home:
            self.world.write_return(site, medium)
            self.world.receive(medium)

    @rule(site=SITES)
    def back_up(self, site: str) -> None:
        self.world.back_up(site)

    @precondition(lambda self: self.world.backups)
    @rule(site=SITES)
    def restore(self, site: str) -> None:
        if site in self.world.backups:
            self.world.restore(site)

    @rule(site=SITES, really=st.integers(0, 3))
    def enrol_anew(self, site: str, really: int) -> None:
        if really and not self.world.reckoning.sites[site].ahead:
            return
        self.homes += 1
        self.world.enrol(site, f"{site}-{self.homes}")

    # ------------------------------------------------------------------ what always holds

    @invariant()
    def it_is_as_foretold(self) -> None:
        self.steps += 1
        self.world.wait(minutes=1)
        check_visible(self.world)
        check_floors(self.world)
        if self.steps % LOGS_EVERY == 0:
            check_logs(self.world)

    def teardown(self) -> None:
        try:
            check_logs(self.world)
            check_hub(self.world)
        finally:
            self.world.close()


def travel(start: Start, folder: Path, seeds: Iterable[int], phases: list[Phase]) -> Counter[str]:
    """Go on random journeys, the same ones for the same seed; what happened on all of them.

    Few a seed: Hypothesis varies each of its ideas some times, and a new seed has new ideas.
    """
    number = itertools.count()
    happened = Counter[str]()

    def begin() -> Journeys:
        return Journeys(start, folder / str(next(number)), happened)

    run: Callable[[], None] = get_state_machine_test(
        begin,  # type: ignore[arg-type]  # any callable that makes one
        settings=settings(
            max_examples=3,
            stateful_step_count=30,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=phases,
        ),
    )
    for seed in seeds:
        hypothesis.seed(seed)(run)()
    return happened


def test_some_journeys(start: Start, tmp_path: Path, unflushed: None) -> None:
    happened = travel(start, tmp_path, (101, 102), [Phase.generate])
    assert happened["transfer.imported"] > 0


@pytest.mark.long
@pytest.mark.parametrize("first", range(10, 10 + 20 * SEEDS, SEEDS))
def test_many_journeys(start: Start, tmp_path: Path, unflushed: None, first: int) -> None:
    seeds = range(first, first + SEEDS)
    happened = travel(start, tmp_path, seeds, [Phase.generate, Phase.shrink])
    assert not MUST_HAPPEN - set(+happened)


# -------------------------------------------------------------------- told step by step


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
    assert world.happened["import: log-restored"] == 1
    assert world.reckoning.sites[SITE].running == {GROUP: 1}


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


def test_what_another_host_group_lost_is_held_where_it_is_new(world: World) -> None:
    """The hub believes that the site has it, and leaves it out once."""
    world.assign("plant-8", "line-1", [3, 2], keep=False)
    world.journey("plant-8", HERE, home=True)
    for blob in world.start.files[3]:
        world.lose_blob("plant-8", blob)
    world.assign("plant-8", "line-2", [3, 2], keep=False)
    world.journey("plant-8", THERE, home=True)
    assert world.happened["base-missing"] == 1
    assert world.reckoning.sites["plant-8"].running["line-2"] == 2
    world.journey("plant-8", HERE, home=False)
    assert world.reckoning.sites["plant-8"].running["line-2"] == 3


@pytest.mark.parametrize("person, code", [("carla", "not-requested"), ("emil", "not-approved")])
def test_who_leaves_on_the_way_vouches_for_nothing_new(
    world: World, person: str, code: str
) -> None:
    world.request(3, "carla", despite=False)
    for name in ("emil", "gina"):
        world.approve(4, name)
    world.assign(SITE, GROUP, [3, 2], keep=False)
    world.change_person(person, active=False)
    world.journey(SITE, HERE, home=True)
    assert world.happened[code] >= 1
    assert world.reckoning.sites[SITE].running == {GROUP: 2}


def test_a_rollback_to_what_the_store_has_lost_goes_nowhere(world: World) -> None:
    for blob in world.start.files[1]:
        world.lose_blob(SITE, blob)
    world.roll_back(SITE, GROUP, further=False)
    assert world.happened["rollback: switched-back"] == 1
    assert world.reckoning.sites[SITE].running == {GROUP: 2}


def test_a_clock_that_is_set_back_makes_no_approval_valid_again(world: World) -> None:
    """By a day: a medium that were dated further ahead would be refused for that alone."""
    world.request(3, "carla", despite=False)
    for person in ("emil", "gina"):
        world.approve(4, person, days=30)
    world.assign(SITE, GROUP, [3, 2], keep=False)
    world.wait(days=30, hours=1)
    world.journey(SITE, HERE, home=False)
    world.set_clock(SITE, -1)
    world.journey(SITE, THERE, home=False)
    assert world.happened["import: judged"] == 2
    assert world.happened["not-approved"] == 2
    assert world.reckoning.sites[SITE].running == {GROUP: 2}
