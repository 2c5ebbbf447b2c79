"""What a team lets out of the hub: `set-check-rows`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sealift_signing import documents
from sealift_signing.acts import wording
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.acts.member_list import list_members
from sealift_signing.acts.teams import check_team
from sealift_signing.documents import Members
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import NotFoundError, UsageError, shown
from sealift_signing.organisation import Organisation

TRAVEL, STAY = "travel", "stay"


def set_check_rows(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`set-check-rows TEAM travel|stay`: whether check rows leave the hub with the team's models.

    To which sites they would go today is the hub's word, and shown as such.

    Raises:
        NotFoundError: there is no such team, or it has no list of members yet.
        UsageError: neither travel nor stay.
    """
    team, whether = ask.object
    check_team(organisation, team)
    travel = _travel(team, whether)
    before = organisation.members(team)
    if before is None:
        raise NotFoundError(
            "no-members",
            f"Team {team} has no list of members yet, which is where it would be said.",
            subject=team,
            next_step=f"Enter somebody first: sealift team requester {pasted([team])} CARD",
        )
    after = with_check_rows(before, travel=travel)
    listed = list_members(organisation, material, after)
    words = (
        *_words(team, travel=travel),
        *wording.indented(_sites(material.facts.get("site", ()), travel=travel)),
        f"{listed.becomes}. Besides, it says as before:",
        *wording.indented(wording.members(replace(listed.members, check_rows=None))),
    )
    return Prepared((listed.part,), words)


def with_check_rows(members: Members, *, travel: bool) -> Members:
    """`members` in which check rows travel, or stay; the feature is required where they travel."""
    required = {one for one in members.requires if one != documents.CHECK_ROWS}
    if travel:
        required |= {documents.CHECK_ROWS}
    requires = tuple(sorted(required))
    return replace(members, requires=requires, check_rows="travel" if travel else None)


def _travel(team: str, whether: str) -> bool:
    if whether not in {TRAVEL, STAY}:
        raise UsageError(
            "bad-check-rows-word",
            f"Check rows {TRAVEL} or {STAY}; {shown(whether)} is neither.",
            subject=whether,
            next_step=f"Say: set-check-rows {pasted([team])} {TRAVEL}, or {STAY}",
        )
    return whether == TRAVEL


def _words(team: str, *, travel: bool) -> Iterator[str]:
    if travel:
        yield f"Let check rows TRAVEL with all models of team {team}, now and from now on:"
        yield "  at most 64 rows for each variant, goldens among them, with the right answers."
        yield "  Whoever has a medium on its way, or the site, can read these rows."
    else:
        yield f"Have check rows STAY at the hub from now on, with all models of team {team}."
        yield "  What has travelled is not called back."


def _sites(named: Iterable[str], *, travel: bool) -> Iterator[str]:
    """Which sites have a model of the team: only the hub knows all of them."""
    found = ", ".join(map(word, named)) or "none"
    yield f"sites that would get {'them' if travel else 'no more'}, as the hub says: {found}"
    if travel:
        yield "and every site to which a model of the team is assigned later"
