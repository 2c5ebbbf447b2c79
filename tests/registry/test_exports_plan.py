"""`export --plan` and what `export` says: what will be written, what not, and whether it fits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealift_registry.delivery.exports import ExportPlan
from sealift_signing.errors import FailedError, NotFoundError
from sealift_sync.bundle import fitting, writer
from tests.media import with_free
from tests.registry.hub_fixture import APPROVERS, SITE, Acme, Loose, copied
from tests.registry.test_delivery import carried, made, received
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_promotions import refused
from tests.site_on_paper import SiteOnPaper


def plan(hub: Acme, *, full: bool = False) -> ExportPlan:
    return hub.app.exports.plan(SITE, hub.medium, full=full)


def test_a_plan_writes_nothing(ready: Acme) -> None:
    (ready.medium / "holiday.jpg").write_bytes(b"mine")
    before, types = ready.rows(), ready.types()
    said = plan(ready)
    assert (ready.rows(), ready.types()) == (before, types)
    assert [one.name for one in ready.medium.iterdir()] == ["holiday.jpg"]
    assert list(ready.root.rglob("*.lock")) in ([], [ready.root / "sealift.lock"])
    assert said.misfits == ()


def test_what_is_planned_is_what_is_written(ready: Acme, plant: SiteOnPaper) -> None:
    carried(ready, plant)
    received(ready, ready.returned(plant))
    ready.promoted(2)
    ready.assign(2)
    said = plan(ready)
    done = ready.export()
    assert (said.files, said.size) == (done.files, done.size)
    assert said.ready.left_out == done.ready.left_out != {}
    assert said.ready.load.base == done.ready.load.base == ("plant-7-000001",)
    there = [path for path in done.folder.rglob("*") if path.is_file()]
    assert len(there) == said.files
    assert sum(path.stat().st_size for path in there) <= said.needed
    whole = plan(ready, full=True)
    assert whole.size == said.size + sum(said.ready.left_out.values()) + (
        len(whole.ready.load.contents.read_me) - len(said.ready.load.contents.read_me)
    )


def test_what_does_not_fit_is_said_before_anything_is_written(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, 100)
    (reason,) = plan(ready).misfits
    before = ready.rows()
    assert refused(ready.export, "no-room", FailedError) == reason.what
    monkeypatch.undo()
    monkeypatch.setattr(fitting, "FAT_LARGEST", 10)
    monkeypatch.setattr(fitting, "_kind", lambda *_: "vfat")
    assert {one.code for one in plan(ready).misfits} == {"file-too-large"}
    assert "a medium with vfat takes files of up to 10" in refused(
        ready.export, "file-too-large", FailedError
    )
    assert ready.rows() == before
    assert list(ready.medium.iterdir()) == []


def test_a_plan_needs_what_an_export_needs(ready: Acme) -> None:
    exports = ready.app.exports
    refused(lambda: exports.plan("plant-9", ready.medium), "no-site", NotFoundError)
    refused(lambda: exports.plan(SITE, ready.folder / "none"), "medium-missing", NotFoundError)
    ready.later(days=91)
    refused(lambda: plan(ready), "role-expired")


def test_approvals_that_ran_out_are_told_of(
    stocked: Path, tmp_path: Path, plant: SiteOnPaper
) -> None:
    """The site would hold it back; what it has already, it goes on running."""
    hub = copied(stocked, tmp_path)
    number = hub.request()
    for person in APPROVERS:
        hub.approve(number, person, 10)
    hub.enrol(plant)
    hub.assign()
    assert plan(hub).ready.lapsed == ()
    bundle = hub.export().folder
    hub.later(days=20)
    (told,) = plan(hub).ready.lapsed
    assert "catalog/vision/tiny/1/cpu-x86_64 is no longer approved" in told
    assert "was valid until" in told
    warnings = hub.export(to=made(hub.folder / "other")).warnings
    assert warnings == (told,)
    hub.later(days=1)
    plant.take(bundle)
    received(hub, hub.returned(plant))
    hub.later(days=20)
    assert plan(hub).ready.lapsed == (), "the site has it"
    hub.close()


# -------------------------------------------------------------------- the command


@pytest.fixture
def cli(ready: Acme, capsys: Capsys) -> Cli:
    ready.medium  # noqa: B018 - it is made
    return Cli(ready, capsys)


def test_the_plan_of_the_command(
    cli: Cli, ready: Acme, plant: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = cli.says("export", SITE, "--to", ready.medium, "--plan")
    assert "Nothing was written." in text
    assert "Nothing is left out: the bundle is full." in text
    assert "Measured just now: it writes " in text
    carried(ready, plant)
    received(ready, ready.returned(plant))
    said = cli.json("export", SITE, "--to", ready.medium, "--plan")
    assert said["schema"] == "sealift/export-plan/1"
    assert said["left_out"]["base"] == ["plant-7-000001"]
    assert said["left_out"]["blobs"] > 0
    assert said["bytes_per_second"]["write"] > 0
    assert said["seconds"] >= 0
    with_free(monkeypatch, 100)
    code, out, err = cli("export", SITE, "--to", ready.medium, "--plan", "--json")
    (misfit,) = json.loads(out)["misfits"]
    assert (code, json.loads(err)["error"]) == (4, misfit)
    code, out, err = cli("export", SITE, "--to", ready.medium, "--plan")
    assert "  It does not fit.\n" in out
    assert (out + err).count("100 bytes free") == 1, "its reason is said once"


def test_the_command_says_what_is_left_out(cli: Cli, ready: Acme, plant: SiteOnPaper) -> None:
    given = ("export", SITE, "--to", ready.medium, "--key", cli.key("dispatcher-1"))
    carried(ready, plant)
    received(ready, ready.returned(plant))
    text = cli.says(*given)
    assert "which plant-7 has by its receipt for plant-7-000001." in text
    assert "sealift export plant-7 --full --to DIR" in text
    said = cli.json(*given, "--full")
    assert said["left_out"] == {"blobs": 0, "bytes": 0, "base": []}
    again = cli.json(*given, "--full")
    assert (again["transfer"], again["again"]) == (said["transfer"], True)


def test_stopped_by_hand_the_command_says_what_is_kept(
    cli: Cli, ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Loose) -> None:
        raise KeyboardInterrupt

    given = ("export", SITE, "--to", ready.medium, "--key", cli.key("dispatcher-1"))
    with monkeypatch.context() as patched:
        patched.setattr(writer, "_read_back", interrupt)
        code, out, err = cli(*given)
    assert (code, out) == (130, "")
    assert "Stopped. The transfer is begun, and what is written of it on" in err
    assert "Run the command again." in err
    text = cli.says(*given)
    assert "this one went on from there." in text
