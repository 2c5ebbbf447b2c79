"""Whether what is assigned is lower than what runs, and the dispatcher did not say so by name.

Whoever fills a dispatcher's drafts would else bring back, in silence, a version that was replaced
for a reason. To stop what runs and to go back are said in members of their own, with a reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sealift_signing.documents import Assignment
from sealift_signing.drawing import drawn
from sealift_signing.statements import NO_LONGER_ASSIGNED, RETIRED
from sealift_signing.vocabulary import CatalogPath
from sealift_sync.site.state.records import Current


def why_held(
    assignment: Assignment,
    group: str,
    path: CatalogPath,
    sha256: str,
    running: Current | None,
    recalled: Collection[str],
) -> str:
    """Why the artifact that is assigned does not take the place of what runs; empty if it may.

    A version's bytes never change at an honest hub, so of other bytes of the same version nobody
    can tell which were there first: they are held as what is lower is. What runs and was recalled
    is compared with nothing: it stops.
    """
    if running is None or running.sha256 in recalled or running.sha256 == sha256:
        return ""
    new, old = path.version, running.path.version
    said = assignment.gone_back(group, path.full_model)
    if new > old or (said is not None and said.version >= old):
        return ""
    place = f"{path.full_model} in host group {group}"
    if new == old:
        return (
            f"The version {old} that {place} runs has other bytes than the version {new} that is "
            f"assigned ({sha256[:12]}), and the assignment does not say that it goes back; it runs "
            "on."
        )
    return (
        f"{place} runs version {old}, and the assignment does not say that it goes back from there "
        f"to version {new}; version {old} runs on."
    )


def no_longer_assigned(
    assignment: Assignment, current: Collection[Current]
) -> Iterator[tuple[Current, str, str]]:
    """What runs and is not assigned, each with a code and a sentence."""
    for one in sorted(current, key=lambda one: (one.group, str(one.path))):
        model, version = one.path.full_model, one.path.version
        where = f"{model} in host group {one.group}"
        if assignment.of(one.group, model) is not None:
            continue
        said = assignment.retired(one.group, model)
        if said is not None:
            why = drawn(said.reason)
            yield one, RETIRED, f"The dispatcher retired {where}: {why}"
        else:
            yield (
                one,
                NO_LONGER_ASSIGNED,
                f"{where} is no longer assigned; version {version} runs on until it is retired.",
            )
