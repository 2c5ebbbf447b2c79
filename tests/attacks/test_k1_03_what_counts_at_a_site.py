"""Retired and compromised at each point of a promotion's life, as a site counts it."""

from pathlib import Path

import pytest

from sealift_signing.statements import ArtifactOutcome
from tests.hub_on_paper import HubOnPaper, Release
from tests.site_on_paper import SiteOnPaper
from tests.trust import STAGE, person
from tests.what_counts import CASES, ROWS, Case, table

COUNTS = ("installed-already", "installed")


def others(case: Case) -> tuple[str, str]:
    """Who asks, and who approves first; carla is the second."""
    return (case.person, "bert") if case.who == "requester" else ("anna", case.person)


def say(hub: HubOnPaper, made: dict[Case, Release]) -> None:
    """The word falls, of everybody at once."""
    of = {case.person: case for case in CASES}
    signed: dict[str, list[str]] = {}
    for case, one in made.items():
        own = [one.request] if case.who == "requester" else [*one.approvals[:1]]
        signed[case.person] = own
    hub.people = [
        of[one.id].said_of(one, *signed[one.id]) if one.id in of else one for one in hub.people
    ]
    hub.publish_members()


@pytest.mark.parametrize("row", ROWS)
def test_k1_03_a_site_counts_what_the_page_says(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, row: str
) -> None:
    hub.people += [person(hub.keys, one.person, "request", f"approve:{STAGE}") for one in CASES]
    hub.publish_members()
    point, made = ROWS.index(row), dict[Case, Release]()
    for case in CASES:
        asker, first = others(case)
        made[case] = one = hub.vouch(hub.build(1, model=f"of-{case.person}"), by=asker)
        if point >= ROWS.index("approved by one"):
            one.approvals = (hub.approve(one, first),)
        if point >= ROWS.index("listed"):
            one.approvals += (hub.approve(one, "carla"),)
    if point >= ROWS.index("exported"):
        finish(hub, made)
        under_way = hub.export(medium)
        if row == "installed":
            site.take(under_way)
        say(hub, made)
        if row == "exported":
            site.take(under_way)
            assert all(site.running(str(one.path.full_model)) for one in made.values())
        hub.publish_assignment()
    else:
        say(hub, made)
        for case, one in made.items():
            left = (others(case)[1], "carla")[len(one.approvals) :]
            one.approvals += tuple(hub.approve(one, who) for who in left)
        finish(hub, made)
    told = {one.artifact: one.code for one in taken(hub, site, medium)}
    for case, one in made.items():
        code, runs = told[str(one.path)], site.running(str(one.path.full_model)) is not None
        found = "counts" if code in COUNTS else "runs on" if runs else "is lost"
        assert (case, runs, found) == (case, found != "is lost", table()[row, case]), code


def finish(hub: HubOnPaper, made: dict[Case, Release]) -> None:
    for one in made.values():
        hub.list_artifact(one)
        hub.assign(one)


def taken(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> list[ArtifactOutcome]:
    return list(site.take(hub.export(medium)).receipt.artifacts)
