"""A year of honest people: each command that signs, as they mean it, whatever the hub holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from sealift_registry.catalog.reference import VersionRef
from sealift_registry.trust import teams
from sealift_registry.trust.repository import Repository
from sealift_signing import documents, roles
from sealift_signing.approvals import approve
from sealift_signing.documents import MachineKey, MemberKey, Person, Recall, Withdrawal
from sealift_signing.errors import SealiftError
from sealift_signing.policy import POLICY_PATH
from sealift_signing.vocabulary import moment
from sealift_sync.site.setup.initialising import begin_enrolment
from tests.poisonings import delivering, promoting
from tests.poisonings.world import (
    APPROVERS,
    DISPATCHER,
    FLEET,
    GROUP,
    MODEL,
    OFFICER,
    OFFICES,
    PEOPLE,
    REQUESTER,
    ROOT_HOLDERS,
    SITE,
    STAGE,
    STEWARDS,
    TARGET,
    TARGETS_HOLDERS,
    TEAM,
    World,
    found_world,
)
from tests.site_on_paper import SiteOnPaper

QUARTER = 85
"""Days: before what lasts for 90 runs out."""
ROUNDS = 3
TEAM_ROLE = roles.team_role(TEAM)
SURVIVED: tuple[type[Exception], ...] = (SealiftError,)
"""What ends a step and not the day: of our programs nothing else may come."""
Step = Callable[[World, int], object]


def renewing(role: str, *people: str) -> Step:
    return lambda world, _round: world.carry_out(teams.renewal(role), people)


def add_approver(world: World, round_: int) -> None:
    card = world.card(f"gina-{round_}")
    world.carry_out(teams.approver(TEAM, card, [STAGE]), STEWARDS, cards=[card])


def add_requester(world: World, round_: int) -> None:
    card = world.card(f"rita-{round_}")
    world.carry_out(teams.requester(TEAM, card), STEWARDS, cards=[card])


def add_team(world: World, round_: int) -> None:
    cards = [world.card("anna"), world.card(f"sam-{round_}")]
    wanted = teams.team(world.app.hub, f"sound-{round_}", cards)
    world.carry_out(wanted, TARGETS_HOLDERS, cards=cards)


def set_stewards(world: World, round_: int) -> None:
    cards = [world.card(f"theo-{round_}")]
    people = [*STEWARDS, *(who for who, _ in cards)]
    world.carry_out(teams.stewards(TEAM, people, cards), TARGETS_HOLDERS, cards=cards)


def promote(world: World, round_: int) -> None:
    reason = f"It is better, version {round_}."
    number = promoting.ask(world, round_, REQUESTER, reason)
    promoting.object_to(world, number, round_, APPROVERS[1], reason)
    for name in APPROVERS:
        promoting.approve(world, number, round_, name, reason)


def enrol_another(world: World, round_: int) -> None:
    plant = SiteOnPaper(world.folder / f"site-{round_}", world.now)
    asked = begin_enrolment(plant.root, {}, f"ship-{round_}", {GROUP: TARGET}, plant.clock)
    delivering.enroll(world, asked)


def assign(world: World, round_: int) -> None:
    delivering.assign(world, SITE, VersionRef(TEAM, MODEL, round_))


def export_and_import(world: World, round_: int) -> None:
    del round_
    world.plant.take(delivering.export(world, SITE))
    world.app.returns.receive(world.acme.returned(world.plant))


ROUTINE: dict[str, Step] = {
    "renew root": renewing(roles.ROOT, *ROOT_HOLDERS),
    "renew targets": renewing(roles.TARGETS, *TARGETS_HOLDERS),
    "renew fleet": renewing(roles.FLEET, FLEET),
    "renew recall": renewing(roles.RECALL, OFFICER),
    "renew the team": renewing(TEAM_ROLE, *STEWARDS),
    "add an approver": add_approver,
    "add a requester": add_requester,
    "add a team": add_team,
    "set the stewards": set_stewards,
    "promote": promote,
    "enrol": enrol_another,
    "assign": assign,
    "renew the site": renewing(roles.site_role(SITE), DISPATCHER),
    "export": export_and_import,
}


@dataclass(frozen=True)
class Said:
    """What became of one step: done, or refused with one of our errors."""

    step: str
    error: SealiftError | None


def play(world: World, round_: int, steps: Sequence[str] = ()) -> list[Said]:
    """Everybody does what they do each quarter, and goes on where they were refused something."""
    return list(_play(world, round_, steps or tuple(ROUTINE)))


def _play(world: World, round_: int, steps: Sequence[str]) -> Iterator[Said]:
    for name in steps:
        step = ROUTINE[name]
        world.later(hours=2)  # what is signed twice within the hour is the same
        try:
            step(world, round_)
        except SURVIVED as bad:
            known = bad if isinstance(bad, SealiftError) else SealiftError("unexpected", repr(bad))
            yield Said(name, known)
        else:
            yield Said(name, None)


# ---------------------------------------------------------------------- what was taken away


def remove_things(world: World) -> None:
    """Each role once takes a right away: what is genuine and old would give it back."""
    with world.app.hub.reading() as connection:
        found = Repository(connection)
        members, fleet, policy = found.members(TEAM), found.fleet_keys(), found.policy()
        recalls = found.stored.recalls()
    assert members is not None
    key = MemberKey(world.public("gus").text, "file", (approve(STAGE), approve("staging")))
    gus = Person("gus", "gus", "active", (key,))
    _members(world, replace(members, people=(*members.people, gus)))
    gone = Withdrawal("w-1", "staging", None, f"{TEAM}/{MODEL}", 2, "It is too old.", _made(world))
    kept = (*members.people, replace(gus, status="retired"))
    _members(world, replace(members, people=kept, withdrawn=(gone,)))
    for status in ("active", "compromised"):
        machine = MachineKey(world.public("scanner-2").text, "scanner-2", "scanner", status)
        after = replace(fleet, keys=(*fleet.keys, machine))
        world.publish(roles.FLEET, documents.FLEET_KEYS_PATH, after, [FLEET])
    rule = policy.stages[STAGE]
    stricter = replace(rule, longest_validity_days=360, evidence=(*rule.evidence, "provenance"))
    stages = {**policy.stages, STAGE: stricter}
    after_policy = replace(policy, stages=stages)
    world.publish(roles.TARGETS, POLICY_PATH, after_policy, TARGETS_HOLDERS)
    for people, cards in (((*STEWARDS, "cleo"), [world.card("cleo")]), (STEWARDS, [])):
        wanted = teams.stewards(TEAM, people, cards)
        world.carry_out(wanted, TARGETS_HOLDERS, cards=cards)
        world.later(hours=2)
    recall = Recall("r-1", sha256(b"a bad one").hexdigest(), "It is dangerous.", _made(world))
    after_recall = replace(recalls, recalls=(recall,))
    world.publish(roles.RECALL, documents.RECALL_PATH, after_recall, [OFFICER])


def _members(world: World, members: documents.Members) -> None:
    world.publish(TEAM_ROLE, documents.members_path(TEAM), members, STEWARDS)


def _made(world: World) -> str:
    return moment(world.now)


# ---------------------------------------------------------------------- until then


def begin_year(folder: Path) -> World:
    """The first day: a team, its people, a site, and everybody's memory."""
    world = found_world(folder)
    world.trust(*OFFICES)
    cards = [world.card(name) for name in STEWARDS]
    world.carry_out(teams.team(world.app.hub, TEAM, cards), TARGETS_HOLDERS, cards=cards)
    world.trust(*PEOPLE)
    for name in APPROVERS:
        card = world.card(name)
        world.carry_out(teams.approver(TEAM, card), STEWARDS, cards=[card])
    card = world.card(REQUESTER)
    world.carry_out(teams.requester(TEAM, card), STEWARDS, cards=[card])
    world.enrol_plant(lambda asked: delivering.enroll(world, asked, first=True))
    world.stock(1)
    for round_ in range(1, ROUNDS + 2):
        for name in ("gina", "rita", "sam", "theo"):
            world.signer(f"{name}-{round_}")
    return world


def quarters(folder: Path, rounds: int = ROUNDS) -> list[World]:
    """The organisation as it stands at the end of each quarter, all of them honest."""
    world, found = begin_year(folder / "0"), []
    for round_ in range(1, rounds + 1):
        for said in play(world, round_):
            if said.error is not None:
                raise AssertionError(said.step) from said.error
        if round_ == 1:
            remove_things(world)
        world.stock(round_ + 1)
        world.later(days=QUARTER)
        world.given.clear()
        found.append(world)
        if round_ < rounds:
            world = world.copied(folder / str(round_))
    return found
