"""A request that lay about for long: who approves it today has not seen what was learnt since."""

from pathlib import Path

import pytest

from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper


@pytest.mark.parametrize("days", [300, 31])
def test_t0_73_what_was_approved_long_after_it_was_asked_for_is_not_installed(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, days: int
) -> None:
    made = hub.vouch(hub.build(1), made=hub.ago(days=days))
    hub.list_artifact(made)
    made.approvals = (hub.approve(made, "bert"), hub.approve(made, "carla"))
    hub.assign(made)
    ((code, words),) = site.held(hub.export(medium)).values()
    assert code == "not-approved"
    assert f"was made {days - 1} days after its request" in words
    assert "it counts within 30 days of it" in words
    assert site.running() is None


def test_within_thirty_days_it_is(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    made = hub.vouch(hub.build(1), made=hub.ago(days=30))
    hub.list_artifact(made)
    made.approvals = (hub.approve(made, "bert"), hub.approve(made, "carla"))
    hub.assign(made)
    site.take(hub.export(medium))
    assert site.running() is not None
