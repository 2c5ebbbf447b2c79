"""What an assignment says by name follows from the one before, and stands while it is so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealift_signing import shape
from sealift_signing.acts import assignment_changes
from sealift_signing.acts.material import Ask
from sealift_signing.documents import (
    AssignedArtifact,
    Assignment,
    GoneBack,
    GroupAssignment,
    ModelAssignment,
    Retired,
    read_assignment,
)
from sealift_signing.errors import MalformedError, RefusedError, UsageError
from tests.trust import GROUP, MODEL, SITE, TARGET, TEAM

FULL = f"{TEAM}/{MODEL}"
OTHER = f"{TEAM}/letters"
WHY = "It misreads sevens."


def artifact(version: int, digest: str = "a", model: str = FULL) -> AssignedArtifact:
    return AssignedArtifact(f"catalog/{model}/{version}/{TARGET}", digest * 64, "b" * 64, (), ())


def running(*given: AssignedArtifact) -> Assignment:
    models = {one.parsed.full_model: ModelAssignment(one, ()) for one in given}
    return Assignment(1, (), SITE, "e" * 64, {GROUP: GroupAssignment(TARGET, models)})


def assigned(before: Assignment, given: AssignedArtifact, reason: str = "") -> Assignment:
    """What the act makes of it."""
    models = {**before.groups[GROUP].models, given.parsed.full_model: ModelAssignment(given, ())}
    after = replace(before, groups={GROUP: GroupAssignment(TARGET, models)})
    details = {"back": ("yes",), "reason": (reason,)} if reason else {}
    ask = Ask("assign", (SITE, given.parsed.full_version), details)
    made = assignment_changes.assigned(before, after, ask, [GROUP])
    assert read_assignment(shape.write(made), SITE) == made
    return made


def from_versions(found: Assignment) -> list[int]:
    return [one.version for one in found.back or ()]


def test_t1_02_what_is_retired_is_said_in_every_later_assignment_until_it_runs_again() -> None:
    stopped = assignment_changes.with_said(running(), [Retired(GROUP, FULL, 3, WHY)], [])
    later = assigned(stopped, artifact(1, model=OTHER))
    assert later.retire == stopped.retire
    assert later.requires == ("retire",)
    with pytest.raises(RefusedError, match="lower than version 3"):
        assigned(later, artifact(2))
    again = assigned(later, artifact(3))
    assert (again.retire, again.back, again.requires) == (None, None, ())
    assert from_versions(assigned(later, artifact(2), WHY)) == [3]


def test_t1_02_going_back_stands_until_it_is_made_good() -> None:
    """A site that slept still runs version 5, whatever was assigned in between."""
    back = assigned(running(artifact(5)), artifact(2), WHY)
    assert from_versions(back) == [5]
    assert from_versions(assigned(back, artifact(2))) == [5]
    assert from_versions(assigned(back, artifact(3))) == [5]
    assert from_versions(assigned(assigned(back, artifact(3)), artifact(1), WHY)) == [5]
    assert from_versions(assigned(back, artifact(1, model=OTHER))) == [5]
    for version in (5, 6):
        assert assigned(back, artifact(version)).requires == ()


def test_t1_02_other_bytes_of_the_same_version_go_back() -> None:
    before = running(artifact(2))
    with pytest.raises(RefusedError, match="of other bytes"):
        assigned(before, artifact(2, "c"))
    assert from_versions(assigned(before, artifact(2, "c"), WHY)) == [2]
    assert assigned(before, artifact(2)) == before


@pytest.mark.parametrize("version", [2, 3])
def test_what_does_not_go_back_is_not_said_to(version: int) -> None:
    with pytest.raises(UsageError, match="does not go back"):
        assigned(running(artifact(2)), artifact(version), WHY)


BACK, STOP = GoneBack(GROUP, FULL, 2, WHY), Retired(GROUP, OTHER, None, WHY)


@pytest.mark.parametrize(
    "said",
    [
        {"retire": ()},
        {"back": ()},
        {"retire": (STOP, STOP)},
        {"back": (BACK, BACK)},
        {"retire": (replace(STOP, model=FULL),)},
        {"back": (replace(BACK, model=OTHER),)},
        {"back": (replace(BACK, version=1),)},
        {"back": (BACK,), "requires": ("retire",)},
        {"retire": (STOP,), "requires": ("back",)},
    ],
    ids=lambda said: " ".join(f"{name} {len(one)}" for name, one in said.items()),
)
def test_t1_02_what_contradicts_itself_is_not_read(said: dict[str, tuple[object, ...]]) -> None:
    good = replace(running(artifact(2)), retire=(STOP,), back=(BACK,), requires=("back", "retire"))
    assert read_assignment(shape.write(good), SITE) == good
    bad = replace(good, **said)  # type: ignore[arg-type]
    with pytest.raises(MalformedError) as caught:
        read_assignment(shape.write(bad), SITE)
    assert caught.value.code == "bad-assignment"
