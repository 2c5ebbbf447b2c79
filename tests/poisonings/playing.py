"""Playing a poisoning: everybody does what they do, and then it is seen who gained what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from sealift_registry import fsck
from sealift_registry.trust.repository import Repository
from sealift_signing import roles
from sealift_signing.errors import SealiftError
from sealift_signing.organisation import Organisation
from tests.desks import Paper
from tests.poisonings import gateless, year
from tests.poisonings.claims import (
    MOST,
    Claim,
    Claims,
    approved,
    claims,
    enrolled,
    given_away,
    paper_of,
)
from tests.poisonings.poisoning import Poisoning
from tests.poisonings.world import FLEET, TARGET, World, weights
from tests.poisonings.year import Said

TAKEN = ("holds", "may", "machine", "assigned")
"""What somebody would miss."""
EARLY = 5
"""So many steps renew what there is."""
EXEMPT = "For recall that is said, and bars nothing."


@dataclass(frozen=True)
class Quarter:
    """An organisation at the end of a quarter, and what an honest hub makes of the next.

    Attributes:
        round_: the number of the next quarter.
        before: the claims that stand.
        allowed: what people mean to be so: what stands, and what they grant in the next quarter.
        kept: what stands, and is not changed by them in the next quarter.
        approved: what enough people mean to approve, now or then.
        enrolled: by what they mean to enrol sites.
        least: the versions that whoever enrols them has seen.
    """

    world: World
    round_: int
    paper: Paper
    before: Claims
    allowed: Claims
    kept: Claims
    approved: frozenset[Claim]
    enrolled: frozenset[Claim]
    least: Mapping[str, int]


@dataclass(frozen=True)
class Outcome:
    """What came of a poisoning.

    Attributes:
        gained: what the attacker has of it, in words; empty where nothing.
        said: what became of each step.
    """

    poisoning: Poisoning
    gained: tuple[str, ...]
    said: tuple[Said, ...]

    @property
    def refused(self) -> list[SealiftError]:
        return [one.error for one in self.said if one.error is not None]


def quarter(world: World, round_: int, aside: Path) -> Quarter:
    """See what an honest hub makes of the quarter."""
    paper = paper_of(world)
    before = claims(Organisation(paper))
    then = frozenset(approved(paper, world, world.now))
    honest = world.copied(aside)
    for said in year.play(honest, round_):
        assert said.error is None, said
    after = claims(Organisation(paper_of(honest)))
    then |= frozenset(approved(paper_of(honest), honest, honest.now))
    assert honest.running() == weights(round_, TARGET)
    least = _least(world)
    enrolling = frozenset(enrolled(paper, least, honest))
    honest.close()
    return Quarter(
        world, round_, paper, before, before | after, before & after, then, enrolling, least
    )


def _least(world: World) -> dict[str, int]:
    with world.app.hub.reading() as connection:
        known = world.memory(FLEET).known(Repository(connection).organisation())
    assert known is not None
    return {roles.ROOT: known.root.version, **{one.role: one.version for one in known.roles}}


def play(found: Quarter, poisoning: Poisoning, folder: Path, *, gate: bool) -> Outcome:
    """Poison a copy, have everybody go through their quarter, and look.

    With no gate it is enough to see that something is gained, so the rest of that is not played.
    """
    world = poisoned(found, poisoning, folder)
    said: tuple[Said, ...] = ()
    gained: tuple[str, ...] = ()
    try:
        for steps in [()] if gate else _parts(poisoning):
            with nullcontext() if gate else gateless.taken_out():
                try:
                    _ = world.app
                except SealiftError as bad:  # nobody can run anything at such a home
                    return Outcome(poisoning, (), (Said("open", bad),))
                said += tuple(year.play(world, found.round_, steps or poisoning.steps))
            gained = tuple(_gained(found, world))
            if gained:
                break
        return Outcome(poisoning, gained, said)
    finally:
        world.close()


def _parts(poisoning: Poisoning) -> Iterator[tuple[str, ...]]:
    """What renews a role, and then all else."""
    steps = poisoning.steps or tuple(year.ROUTINE)
    yield from filter(None, (steps[:EARLY], steps[EARLY:]))


def poisoned(found: Quarter, poisoning: Poisoning, folder: Path) -> World:
    """A copy of the organisation after somebody did that to it."""
    world = found.world.copied(folder)
    poisoning.poison(world)
    if poisoning.transit is not None:
        world.transit = poisoning.transit
    return world


def named(found: Quarter, poisoning: Poisoning, folder: Path) -> str:
    """What `audit fsck` says of a home to which that was done."""
    world = poisoned(found, poisoning, folder)
    try:
        with world.app.hub.reading() as connection:
            return " ".join(one.sentence for one in fsck.check(connection))
    finally:
        world.close()


def _gained(found: Quarter, world: World) -> Iterator[str]:
    for what, seen in given_away(found.paper, world):
        for claim in sorted(seen.rights - found.allowed.rights):
            yield f"{what} grants {' '.join(claim)}"
        undone = found.kept.limits - seen.limits
        if EXEMPT in world.told:
            undone = frozenset(
                one for one in undone if one[0] != "recalled"
            )  # `test_t0_limit_a_recall_…`
        yield from (f"{what} undoes {' '.join(claim)}" for claim in sorted(undone))
        taken = {one for one in found.kept.rights - seen.rights if one[0] in TAKEN}
        yield from (f"{what} takes away {' '.join(claim)}" for claim in sorted(taken))
    for claim in sorted(set(approved(found.paper, world, world.now)) - found.approved):
        yield f"people have {' '.join(claim)}"
    for claim in sorted(set(enrolled(found.paper, found.least, world)) - found.enrolled):
        yield f"people have {' '.join(claim)}"
    for role, floor in sorted(world.floors().items()):
        if floor > MOST:
            yield f"the site takes no version of {role} below {floor}"
    if world.running() not in {weights(n, TARGET) for n in range(1, found.round_ + 1)}:
        yield "the site runs what nobody approved"
