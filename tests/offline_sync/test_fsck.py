"""`sealift-site fsck`: what a disk, a clumsy hand or a thief of bytes leaves is named."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_sync.blobs import BlobFolder, Fault
from sealift_sync.bundle.writer import Contents
from sealift_sync.cli.calling import Call
from sealift_sync.cli.run import run
from sealift_sync.durable import BeginPhase
from sealift_sync.site.reports import integrity
from sealift_sync.site.reports.integrity import Examination
from sealift_sync.site.reports.site_status import site_status
from tests.hub_on_paper import HubOnPaper, Release
from tests.offline_sync.test_missing_base import damage
from tests.site_on_paper import SiteOnPaper

WEIGHTS_1 = b"the weights of catalog/vision/digits/1/cpu-x86_64"
WEIGHTS_2 = b"the weights of catalog/vision/digits/2/cpu-x86_64"
DIGEST_1, DIGEST_2 = (sha256(one).hexdigest() for one in (WEIGHTS_1, WEIGHTS_2))


@pytest.fixture
def releases(hub: HubOnPaper) -> list[Release]:
    return [hub.promote(1), hub.promote(2)]


@pytest.fixture
def bundle(hub: HubOnPaper, site: SiteOnPaper, medium: Path, releases: list[Release]) -> Path:
    """Version 2 runs, and 1 is its fallback."""
    hub.assign(releases[1], releases[0])
    folder = hub.export(medium)
    site.take(folder)
    return folder


def stored(site: SiteOnPaper, digest: str) -> Path:
    return site.root / "store/sha256" / digest


def faults(found: Examination) -> dict[str, str]:
    return {one.sha256: one.fault for one in found.damages}


def kinds(site: SiteOnPaper) -> list[str]:
    return [entry.type for entry in site.entries()]


def test_a_whole_site_is_found_whole_and_nothing_is_written(
    site: SiteOnPaper, bundle: Path
) -> None:
    before, entries = site.picture(), kinds(site)
    found = site.examined()
    assert found.problems == 0
    assert found.recorded
    assert found.blobs[0] == 6  # two manifests, two configs, two of weights
    assert (site.picture(), kinds(site)) == (before, entries)


def as_a_link(file: Path) -> None:
    file.rename(f"{file}.x")
    file.symlink_to(f"{file}.x")


def as_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


SPOIL: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (Path.unlink, "missing"),
    "a byte": (damage, "damaged"),
    "a link": (as_a_link, "damaged"),
    "a folder": (as_a_folder, "damaged"),
}


@pytest.mark.parametrize("how", SPOIL)
def test_a_blob_that_is_not_whole_is_named_logged_once_and_in_the_next_receipt(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, medium: Path, how: str
) -> None:
    spoil, fault = SPOIL[how]
    spoil(stored(site, DIGEST_2))
    site.examined()
    found = site.examined()
    assert faults(found) == {DIGEST_2: fault}
    (use,) = found.damages[0].used_by
    assert (use.artifact, use.file) == ("catalog/vision/digits/2/cpu-x86_64", "model.onnx")
    assert (use.group, use.running, use.transfer) == ("cpu", True, "plant-7-000001")
    told = [entry for entry in site.entries() if entry.type == "store.damaged"]
    assert [entry.data for entry in told] == [{"lost": [DIGEST_2]}]
    assert [(term.kind, term.value) for term in told[0].terms] == [("model", "vision/digits")]
    without = hub.export(medium, edit=leave_out(DIGEST_2), base=("plant-7-000001",))
    assert site.take(without).receipt.lost == (DIGEST_2,)


def leave_out(*digests: str) -> Callable[[Contents], Contents]:
    return lambda contents: replace(contents, blobs=contents.blobs - set(digests))


def test_a_blob_that_came_back_is_whole_again(site: SiteOnPaper, bundle: Path) -> None:
    """A disk that was not mounted, and is now."""
    stored(site, DIGEST_1).rename(site.root / "aside")
    assert not site.examined().damages[0].used_by[0].running
    (site.root / "aside").rename(stored(site, DIGEST_1))
    found = site.examined()
    assert found.problems == 0
    assert found.mended == (DIGEST_1,)
    assert kinds(site)[-2:] == ["store.damaged", "store.mended"]


def test_an_import_between_two_looks_is_not_called_a_loss(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site is open while blobs are hashed: a rollback or an import need not wait."""
    stored(site, DIGEST_1).unlink()
    genuine = integrity._hash

    def meanwhile(
        store: BlobFolder, expected: dict[str, int], begin_phase: BeginPhase
    ) -> dict[str, Fault]:
        found = genuine(store, expected, begin_phase)
        site.take(bundle)
        return found

    monkeypatch.setattr(integrity, "_hash", meanwhile)
    assert site.examined().problems == 0
    assert "store.damaged" not in kinds(site)


@pytest.mark.parametrize("point", ["_hash", "_look_again", "record_lost", "_show"])
def test_a_look_that_was_cut_and_made_again_tells_everything_once(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    stored(site, DIGEST_2).unlink()

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(integrity, point, cut)
        with pytest.raises(KeyboardInterrupt):
            site.examined()
    assert faults(site.examined()) == {DIGEST_2: "missing"}
    assert kinds(site).count("store.damaged") == 1


def test_what_an_older_version_lost_is_told_and_no_alarm(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, bundle: Path, releases: list[Release]
) -> None:
    """It is not assigned any more, so no bundle would bring it; a receipt names it all the same."""
    hub.assign(releases[1])
    site.take(hub.export(medium))
    stored(site, DIGEST_1).unlink()
    found = site.examined()
    assert (found.problems, faults(found)) == (0, {DIGEST_1: "missing"})
    assert not found.damages[0].missed
    with site.opened() as opened:
        assert site_status(opened).lost == frozenset()
    assert site.take(hub.export(medium)).receipt.lost == (DIGEST_1,)


def test_a_manifest_that_is_gone_is_named_with_its_artifact(
    site: SiteOnPaper, bundle: Path, releases: list[Release]
) -> None:
    stored(site, releases[0].sha256).unlink()
    (one,) = site.examined().damages
    assert (one.sha256, one.used_by[0].file) == (releases[0].sha256, "manifest")


def test_a_damaged_blob_that_nothing_needs_is_removed(site: SiteOnPaper, bundle: Path) -> None:
    stray = stored(site, "0" * 64)
    stray.write_bytes(b"not the bytes of this name")
    found = site.examined()
    assert (found.problems, found.removed) == (0, ("0" * 64,))
    assert not stray.exists()


def test_links_and_files_that_consumers_read_are_put_right(site: SiteOnPaper, bundle: Path) -> None:
    link = site.root / "models/cpu/vision/digits/current"
    folder = link.resolve()
    folder.chmod(0o755)
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").write_bytes(b"X" + WEIGHTS_2[1:])  # the right size, and a stranger's
    found = site.examined()
    assert [(one.place.model, one.problem) for one in found.links] == [("vision/digits", "")]
    assert found.problems == 0
    assert site.running() == WEIGHTS_2


def test_what_consumers_have_whole_is_not_replaced_by_what_the_store_has_damaged(
    site: SiteOnPaper, bundle: Path
) -> None:
    """As after a backup that knows no hard links, and then a disk that fails."""
    shown = (site.root / "models/cpu/vision/digits/current").resolve() / "model.onnx"
    shown.parent.chmod(0o755)
    shown.unlink()
    shown.write_bytes(WEIGHTS_2)
    damage(stored(site, DIGEST_2))
    with Call(site.root, {}, site.clock).site("status"):  # as any command begins
        pass
    assert site.running() == WEIGHTS_2
    assert faults(site.examined()) == {DIGEST_2: "damaged"}
    assert site.running() == WEIGHTS_2
    site.take(bundle)
    assert site.examined().problems == 0
    assert site.running() == WEIGHTS_2


def test_nobody_goes_back_to_what_is_known_to_be_damaged(site: SiteOnPaper, bundle: Path) -> None:
    damage(stored(site, DIGEST_1))
    assert faults(site.examined()) == {DIGEST_1: "damaged"}
    done = site.roll_back()
    assert (done.outcome, done.after) == ("switched-back", 2)
    assert "is damaged" in done.words
    assert site.running() == WEIGHTS_2
    site.take(bundle)  # which brings it again
    assert site.roll_back().outcome == "activated"
    assert site.running() == WEIGHTS_1


def test_a_copy_is_hashed_where_files_cannot_be_linked(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    releases: list[Release],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", refuse)
    hub.assign(releases[0])
    site.take(hub.export(medium))
    shown = (site.root / "models/cpu/vision/digits/current").resolve() / "model.onnx"
    damage(shown)
    assert stored(site, DIGEST_1).read_bytes() == WEIGHTS_1
    assert len(site.examined().links) == 1
    assert site.running() == WEIGHTS_1


def edit_log(site: SiteOnPaper) -> None:
    """As somebody who holds the database does: the guards are only triggers."""
    with sqlite3.connect(site.root / "sealift.db") as connection:
        connection.execute("DROP TRIGGER log_entry_no_update")
        connection.execute(
            "UPDATE log_entry SET body = CAST(replace(body, 'plant-7-000001', 'plant-7-000002') "
            "AS BLOB) WHERE seq = 1"
        )
    connection.close()


def edit_receipt(site: SiteOnPaper) -> None:
    with sqlite3.connect(site.root / "sealift.db") as connection:
        (data,) = connection.execute("SELECT receipt FROM imported").fetchone()
        said = json.loads(data)
        said["signatures"][0]["sig"] = "A" * 86 + "=="
        connection.execute("UPDATE imported SET receipt = ?", (json.dumps(said).encode(),))
    connection.close()


@pytest.mark.parametrize("edit", [edit_log, edit_receipt])
def test_where_the_log_is_damaged_nothing_is_recorded(
    site: SiteOnPaper, bundle: Path, edit: Callable[[SiteOnPaper], None]
) -> None:
    edit(site)
    stored(site, DIGEST_1).unlink()
    (stored(site, "0" * 64)).write_bytes(b"stray")
    before, entries = site.picture(), len(site.entries())
    found = site.examined()
    assert found.problems >= 2
    assert not found.recorded
    assert (site.picture(), len(site.entries())) == (before, entries)


def test_a_log_whose_end_was_cut_off_is_found_out_by_a_receipt(
    site: SiteOnPaper, bundle: Path
) -> None:
    with sqlite3.connect(site.root / "sealift.db") as connection:
        for table, first in (
            ("entry", "seq >= 1"),
            ("term", "seq >= 1"),
            ("checkpoint", "size > 1"),
        ):
            connection.execute(f"DROP TRIGGER log_{table}_no_delete")
            connection.execute(f"DELETE FROM log_{table} WHERE {first}")  # noqa: S608
    connection.close()
    found = site.examined()
    assert not found.log.ok
    assert not found.recorded


def test_the_command_names_the_artifact_the_file_and_the_next_step(
    site: SiteOnPaper, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(site.root)]
    assert run([*home, "fsck"]) == 0
    capsys.readouterr()
    damage(stored(site, DIGEST_2))
    assert run([*home, "fsck"]) == 1
    said = capsys.readouterr()
    assert f"The blob {DIGEST_2[:12]} is damaged" in said.out
    assert "model.onnx of vision/digits/2 in cpu, which runs there (plant-7-000001)" in said.out
    assert "The log is the one that was signed: 3 entries." in said.out
    assert "sealift export plant-7 --full --to DIR" in said.err
    assert run([*home, "fsck", "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["damaged"][0]["sha256"] == DIGEST_2
    assert json.loads(told.err)["error"]["code"] == "site-not-whole"
    assert run([*home, "status"]) == 0
    assert "1 blob of what is in use is lost or damaged" in capsys.readouterr().out
    assert run([*home, "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lost"] == [DIGEST_2]
