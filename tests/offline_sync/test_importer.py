"""The import of what is right."""

from pathlib import Path

from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper


def test_an_approved_artifact_is_installed_and_runs(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    done = site.take(hub.export(medium))
    assert [one.outcome for one in done.receipt.artifacts] == ["installed"]
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"
    kinds = [entry.type for entry in site.entries()]
    assert kinds == ["site.enrolled", "transfer.imported", "model.activated"]
