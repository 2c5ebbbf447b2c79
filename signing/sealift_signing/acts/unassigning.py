"""`unassign SITE MODEL --reason WORDS`: what a site's host groups stop running."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sealift_signing.acts import assigning, assignment_changes
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.documents import Assignment, Retired
from sealift_signing.drawing import drawn
from sealift_signing.errors import NotFoundError, UsageError
from sealift_signing.organisation import Organisation


def unassign(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """The site's next assignment, by which some of its host groups stop running a model.

    Every later one says so again, until the model is assigned there.

    Raises:
        NotFoundError: no such host group, or the model is assigned to none.
        UsageError: no reason is given.
    """
    site, model = ask.object
    enrolled = assigning.enrolled_site(organisation, material, site)
    before = assigning.current(organisation, enrolled)
    reason = ask.value("reason")
    if not reason:
        raise UsageError(
            "reason-needed",
            f"No reason is given for stopping {model}.",
            subject=model,
            next_step="Give --reason WORDS.",
        )
    groups = tuple(sorted(set(ask.values("group")))) or assigned_to(before, model)
    for group in groups:
        assigning.check_group(enrolled, group)
    if not groups:
        raise NotFoundError(
            "nothing-to-retire",
            f"{model} is assigned to no host group of {site}.",
            subject=model,
            next_step="If it runs there all the same, name each host group: --group NAME",
        )
    after = _without(before, groups, model, reason)
    what = f"STOP {model} at {site} ({enrolled.stage}), in {', '.join(groups)}: {drawn(reason)}"
    return assigning.prepared(organisation, material, enrolled, after, [what])


def assigned_to(assignment: Assignment, model: str) -> tuple[str, ...]:
    """The host groups that a model is assigned to, or was until it was retired there."""
    runs = {group for group, given in assignment.groups.items() if model in given.models}
    stopped = {one.group for one in assignment.retire or () if one.model == model}
    return tuple(sorted(runs or stopped))


def _without(before: Assignment, groups: Iterable[str], model: str, reason: str) -> Assignment:
    here = {(group, model) for group in groups}
    retire = [one for one in before.retire or () if (one.group, one.model) not in here]
    back = [one for one in before.back or () if (one.group, one.model) not in here]
    left = dict(before.groups)
    for group, _ in sorted(here):
        retire.append(Retired(group, model, _highest(before, group, model), reason))
        if group in left:
            models = {name: one for name, one in left[group].models.items() if name != model}
            left[group] = replace(left[group], models=models)
    return assignment_changes.with_said(replace(before, groups=left), retire, back)


def _highest(before: Assignment, group: str, model: str) -> int | None:
    """The highest version that a site may still run of it, which missed a bundle."""
    given, said = before.of(group, model), before.gone_back(group, model)
    stopped = before.retired(group, model)
    known = (
        given.current.parsed.version if given else None,
        said.version if said else None,
        stopped.version if stopped else None,
    )
    return max((one for one in known if one is not None), default=None)
