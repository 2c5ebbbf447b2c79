"""What goes home, and how the hub reads it: as a stranger's."""

import json
import os
from pathlib import Path

import pytest

from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.transparency import extract
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_sync.bundle.returned import Returned, find_returns, read_return
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.reports.homebound import write_home
from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper


@pytest.fixture
def travelled(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> SiteOnPaper:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    return site


def go_home(site: SiteOnPaper, medium: Path, *, everything: bool = False) -> Returned:
    with site.opened() as opened:
        folder, _ = write_home(opened, medium, everything=everything)
    ((found, *_),) = find_returns(medium)
    assert found.folder == folder
    return read_return(found)


def test_the_hub_can_check_what_a_site_sends(travelled: SiteOnPaper, medium: Path) -> None:
    found = go_home(travelled, medium)
    with travelled.opened() as opened:
        said, rows = extract.check(found.log, opened.key, opened.origin, None)
    assert said.size == found.size == 3
    assert [row.entry.type for row in rows][-1] == "model.activated"
    assert (found.site, list(found.receipts)) == ("plant-7", ["plant-7-000001"])


def test_only_what_was_not_acknowledged_goes_home(
    hub: HubOnPaper, travelled: SiteOnPaper, medium: Path
) -> None:
    with travelled.opened() as opened:
        note = SiteLogReader(opened.state.connection).checkpoint().note
    site_log = note.decode()
    hub.assign(hub.promote(2))
    travelled.take(hub.export(medium, site_log=site_log))
    found = go_home(travelled, medium)
    assert (found.log.first, found.size) == (3, 5)
    assert list(found.receipts) == ["plant-7-000002"]
    with travelled.opened() as opened:
        known = Checkpoint(
            opened.origin, 3, SiteLogReader(opened.state.connection).checkpoint(3).root
        )
        extract.check(found.log, opened.key, opened.origin, known)
    everything = go_home(travelled, medium, everything=True)
    assert (everything.log.first, len(everything.receipts)) == (0, 2)


def test_the_last_receipt_travels_in_any_case(
    hub: HubOnPaper, travelled: SiteOnPaper, medium: Path
) -> None:
    assert list(go_home(travelled, medium).receipts) == ["plant-7-000001"]
    assert list(go_home(travelled, medium).receipts) == ["plant-7-000001"]


def test_a_site_that_imported_nothing_has_a_log_to_send(site: SiteOnPaper, medium: Path) -> None:
    medium.mkdir()
    found = go_home(site, medium)
    assert found.receipts == {}
    assert found.size == 1


def test_a_medium_that_is_not_there_is_named(travelled: SiteOnPaper, tmp_path: Path) -> None:
    with travelled.opened() as opened, pytest.raises(FailedError, match="There is no medium at"):
        write_home(opened, tmp_path / "unplugged", everything=False)


def test_a_medium_that_lies_is_found_out(
    travelled: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sealift_sync import durable

    def forget(path: Path, data: bytes, **_: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[:-1])

    monkeypatch.setattr(durable, "write", forget)
    with (
        travelled.opened() as opened,
        pytest.raises(FailedError, match="with other bytes"),
    ):
        write_home(opened, medium, everything=False)
    with pytest.raises(NotFoundError):
        find_returns(medium)


def test_the_longest_return_of_each_site_is_first(travelled: SiteOnPaper, medium: Path) -> None:
    go_home(travelled, medium)
    (medium / "sealift/returns/plant-7/2").mkdir()
    (medium / "sealift/returns/plant-7/.9.partial").mkdir()
    (medium / "sealift/returns/evil").symlink_to("/etc")
    assert [[one.name for one in site] for site in find_returns(medium)] == [["3", "2"]]


@pytest.mark.parametrize("part", ["log/extract.json", "receipts/plant-7-000001.json"])
def test_a_return_with_links_in_it_is_refused(
    travelled: SiteOnPaper, medium: Path, tmp_path: Path, part: str
) -> None:
    go_home(travelled, medium)
    ((found, *_),) = find_returns(medium)
    folder = found.folder
    os.replace(folder / part, tmp_path / "outside")  # noqa: PTH105 - a plain move
    (folder / part).symlink_to(tmp_path / "outside")
    with pytest.raises(RefusedError, match="is a link"):
        read_return(found)


def test_an_extract_that_is_none_is_refused(travelled: SiteOnPaper, medium: Path) -> None:
    go_home(travelled, medium)
    ((found, *_),) = find_returns(medium)
    folder = found.folder
    file = folder / "log/extract.json"
    said = json.loads(file.read_bytes())
    for name in said:
        file.write_text(json.dumps({key: said[key] for key in said if key != name}))
        with pytest.raises(SealiftError):
            read_return(found)
