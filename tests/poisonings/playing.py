"""Playing a poisoning: everybody does what they do, and then it is seen who gained what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from sealift_registry import fsck
from sealift_signing.errors import SealiftError
from sealift_signing.organisation import Organisation
from tests.desks import Paper
from tests.poisonings import gateless, year
from tests.poisonings.claims import Claim, Claims, approved, claims, given_away, paper_of
from tests.poisonings.poisoning import Poisoning
from tests.poisonings.world import TARGET, World, weights
from tests.poisonings.year import Said

TAKEN = ("holds", "may", "machine", "assigned")
"""What somebody would miss."""
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
    """

    world: World
    round_: int
    paper: Paper
    before: Claims
    allowed: Claims
    kept: Claims
    approved: frozenset[Claim]


@dataclass(frozen=True)
class Outcome:
    """What came of a poisoning.

    Attributes:
        gained: what the attacker has of it, in words; empty where nothing.
        said: what became of each step.
        named: what `audit fsck` says.
    """

    poisoning: Poisoning
    gained: tuple[str, ...]
    said: tuple[Said, ...]
    named: tuple[str, ...]

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
    honest.close()
    return Quarter(world, round_, paper, before, before | after, before & after, then)


def play(found: Quarter, poisoning: Poisoning, folder: Path, *, gate: bool) -> Outcome:
    """Poison a copy, have everybody go through their quarter, and look."""
    world = found.world.copied(folder)
    poisoning.poison(world)
    if poisoning.transit is not None:
        world.transit = poisoning.transit

    def fence() -> AbstractContextManager[None]:
        return nullcontext() if gate else gateless.taken_out()

    try:
        with fence():
            _ = world.app
    except SealiftError as bad:  # nobody can run anything at such a home
        return Outcome(poisoning, (), (Said("open", bad),), ())
    try:
        with fence():
            said = tuple(year.play(world, found.round_, poisoning.steps))
        gained = tuple(_gained(found, world))
        with world.app.hub.reading() as connection:
            named = tuple(one.sentence for one in fsck.check(connection)) if gate else ()
        return Outcome(poisoning, gained, said, named)
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
    if world.running() not in {weights(n, TARGET) for n in range(1, found.round_ + 1)}:
        yield "the site runs what nobody approved"
