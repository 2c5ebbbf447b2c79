"""What an assignment says by name, so that nobody signs it unseen: what stops, what goes back.

To be left out of an assignment stops nothing at a site, and a lower version than runs is held.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sealift_signing.acts.material import Ask
from sealift_signing.acts.names import GIVEN
from sealift_signing.documents import BACK, RETIRE, AssignedArtifact, Assignment, GoneBack, Retired
from sealift_signing.drawing import drawn
from sealift_signing.errors import RefusedError, UsageError


def with_said(
    assignment: Assignment, retire: Iterable[Retired], back: Iterable[GoneBack]
) -> Assignment:
    """`assignment` with these members, each there only if it says something, and then required."""
    stops = tuple(sorted(retire, key=lambda one: (one.group, one.model)))
    goes = tuple(sorted(back, key=lambda one: (one.group, one.model)))
    used = {name for name, said in ((RETIRE, stops), (BACK, goes)) if said}
    requires = tuple(sorted({*assignment.requires} - {RETIRE, BACK} | used))
    return replace(assignment, requires=requires, retire=stops or None, back=goes or None)


def assigned(before: Assignment, after: Assignment, ask: Ask, groups: Iterable[str]) -> Assignment:
    """`after`, in which these groups are assigned a model, with all that has to be said of it.

    What was retired there is so no more. Who goes back says so and why; it stands until a version
    is assigned as high as the one that was gone back from, for a site may miss a bundle.

    Raises:
        RefusedError: something goes back, and it is not said.
        UsageError: it is said of what does not go back, or without a reason.
    """
    model, reason = ask.object[1].rpartition("/")[0], _reason(ask)
    here = {(group, model) for group in groups}
    back = [one for one in before.back or () if (one.group, one.model) not in here]
    retire = [one for one in before.retire or () if (one.group, one.model) not in here]
    went = False
    for group, _ in sorted(here):
        given = after.of(group, model)
        if given is None:
            continue
        said = _of(before, group, given.current, reason)
        went = went or (said is not None and said.reason == reason)
        back += [said] if said else []
    if reason and not went:
        raise UsageError(
            "not-back",
            f"{ask.object[1]} is no lower than what was assigned before: it does not go back.",
            subject=ask.object[1],
            next_step="Leave out --back and --reason.",
        )
    return with_said(after, retire, back)


def words(before: Assignment, after: Assignment) -> tuple[str, ...]:
    """What differs between two assignments of what they say by name, in words."""
    known, gone = set(before.back or ()), set(after.retire or ())
    return (
        *(
            f"GOES BACK: {one.model} in host group {one.group}, from version {one.version}: "
            f"{drawn(one.reason)}"
            for one in after.back or ()
            if one not in known
        ),
        *(
            f"No longer retired: {one.model} in host group {one.group}."
            for one in before.retire or ()
            if one not in gone and after.of(one.group, one.model) is not None
        ),
    )


def needs_both(version: str) -> UsageError:
    """The refusal of --back without a reason, and of a reason without --back."""
    return UsageError(
        "back-needs-reason",
        "--back says that it goes back, and --reason says why: give both, or neither.",
        subject=version,
        next_step="Give both, or neither.",
    )


def _reason(ask: Ask) -> str:
    """Why it goes back; empty where it is not said to."""
    said, reason = ask.value(BACK), ask.value("reason")
    if bool(said) != bool(reason) or said not in {"", GIVEN}:
        raise needs_both(ask.object[1])
    return reason


def _of(before: Assignment, group: str, given: AssignedArtifact, reason: str) -> GoneBack | None:
    path = given.parsed
    model, new = path.full_model, path.version
    running, known = before.of(group, model), before.gone_back(group, model)
    retired = before.retired(group, model)
    last = running.current.parsed.version if running else retired.version if retired else None
    highest = max(last or 0, known.version if known else 0)
    other = running is not None and (running.current.path, running.current.sha256) != (
        given.path,
        given.sha256,
    )
    # Of the same version, other bytes: nobody can tell which were there first.
    lower = (new == last and other) or (last is not None and new < last)
    if lower and not reason:
        raise RefusedError(
            "goes-back",
            f"{path.full_version} for host group {group} is lower than version {last}, which was "
            "assigned before, or of other bytes; a site goes back only where its assignment says "
            "so.",
            subject=path.full_version,
            next_step="If it is meant, add: --back --reason WORDS",
        )
    if reason and (lower or new < highest):
        return GoneBack(group, model, highest, reason)
    same = running is not None and not other
    return known if known and (new < highest or (same and new == highest)) else None
