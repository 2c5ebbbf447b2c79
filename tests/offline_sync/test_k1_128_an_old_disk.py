"""A disk older than what was imported is refused by bundles and dates, and then by roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_signing.errors import SealiftError
from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper


def test_k1_128_an_older_bundle_is_named_by_its_number_and_date(
    hub: HubOnPaper, site: SiteOnPaper, tmp_path: Path
) -> None:
    """As whoever holds the disk knows it; so is what the log says, and `verify`."""
    old = hub.export(tmp_path / "old")
    site.take(hub.export(tmp_path / "new"))
    names = [one.transfer for one in site.receipts()]
    bad = site.refuses(old)
    begin = f"This is {OLD}, made on "
    assert bad.what.startswith(begin), bad.what
    assert f"as the disk says; {names[0]} was imported here on " in bad.what
    assert "and is newer. " in bad.what
    assert site.entries()[-1].data["what"].startswith(begin)
    with pytest.raises(SealiftError) as caught:
        site.verify(old)
    assert caught.value.what.startswith(begin)


OLD = "plant-7-000001"
