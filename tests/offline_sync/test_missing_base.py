"""A bundle that leaves out what its site should have, and a site that has lost some of it."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_signing.errors import SealiftError
from sealift_sync.bundle.writer import Contents
from sealift_sync.cli.calling import Call
from sealift_sync.cli.run import run
from sealift_sync.site.running.activation import activate
from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper

SHARED = b"weights that two versions share"
LETTERS = b"the weights of catalog/vision/letters/1/cpu-x86_64"
BLOB = sha256(SHARED).hexdigest()


def without(*blobs: bytes) -> Callable[[Contents], Contents]:
    """What the hub believes the site to have is left out."""
    left_out = {sha256(one).hexdigest() for one in blobs}
    return lambda contents: replace(contents, blobs=contents.blobs - left_out)


def stored(site: SiteOnPaper, digest: str = BLOB) -> Path:
    return site.root / "store/sha256" / digest


def damage(file: Path) -> None:
    """As a disk does: the same length, the same name, the same inode."""
    file.chmod(0o644)
    with file.open("r+b") as opened:
        opened.write(b"X")
    file.chmod(0o444)


@pytest.fixture
def had(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> SiteOnPaper:
    """Version 1 runs; what follows shares its weights."""
    hub.assign(hub.promote(1, content=SHARED))
    site.take(hub.export(medium))
    return site


def second(hub: HubOnPaper, medium: Path) -> Path:
    """A bundle with letters, and with digits/2 but without the weights that it shares."""
    hub.assign(hub.promote(2, content=SHARED))
    hub.assign(hub.promote(1, model="letters"))
    return hub.export(medium, edit=without(SHARED), base=("plant-7-000001",))


@pytest.mark.parametrize("fault", ["lost", "damaged", "shorter", "a folder"])
def test_a3_05_what_needs_a_lost_blob_is_held_and_the_rest_is_installed(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path, fault: str
) -> None:
    file = stored(had)
    if fault == "damaged":
        damage(file)
    else:
        file.unlink()
    if fault == "shorter":
        file.write_bytes(SHARED[:-1])
    elif fault == "a folder":
        file.mkdir()
    done = had.take(second(hub, medium))
    held = {one.artifact: one for one in done.receipt.artifacts if one.outcome == "held"}
    assert list(held) == ["catalog/vision/digits/2/cpu-x86_64"]
    (one,) = held.values()
    assert one.code == "base-missing"
    assert BLOB[:12] in one.words
    assert "by the receipt for plant-7-000001" in one.words
    assert "sealift export plant-7 --full --to DIR" in one.words
    assert had.running("vision/letters") == LETTERS
    assert done.receipt.lost == (BLOB,)
    damaged, imported = had.entries()[-3:-1]
    assert (damaged.type, damaged.data) == ("store.damaged", {"lost": [BLOB]})
    assert imported.type == "transfer.imported"


@pytest.mark.parametrize("fault", ["lost", "damaged"])
def test_a3_05_the_full_bundle_that_it_asks_for_repairs_it(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path, fault: str
) -> None:
    damage(stored(had)) if fault == "damaged" else stored(had).unlink()
    had.take(second(hub, medium))
    done = had.take(hub.export(medium))
    assert [one.outcome for one in done.receipt.artifacts] == ["installed"] * 2
    assert done.receipt.lost == ()
    assert stored(had).read_bytes() == SHARED
    assert had.running() == SHARED
    assert [entry.type for entry in had.entries()].count("store.damaged") == 1
    assert [e.data for e in had.entries() if e.type == "store.mended"] == [{"whole": [BLOB]}]


def test_it_is_told_again_in_every_receipt_and_logged_once(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path
) -> None:
    stored(had).unlink()
    for _ in range(2):
        assert had.take(second(hub, medium)).receipt.lost == (BLOB,)
    assert [entry.type for entry in had.entries()].count("store.damaged") == 1


def test_a_damaged_blob_is_taken_from_the_medium_if_it_is_there(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path
) -> None:
    """Also for what is installed already: its own files are the damaged ones, by hard links."""
    damage(stored(had))
    assert had.running() != SHARED
    hub.assign(hub.promote(1, model="letters", content=SHARED))
    done = had.take(hub.export(medium))
    assert {one.code for one in done.receipt.artifacts} == {"installed", "installed-already"}
    assert done.receipt.lost == ()
    assert had.running() == had.running("vision/letters") == SHARED


def test_what_runs_is_mended_without_a_moment_in_which_it_is_not_there(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(stored(had))
    seen = set()
    replace_file = Path.replace

    def watching(self: Path, target: Path) -> Path:
        seen.add(had.running())
        found = replace_file(self, target)
        seen.add(had.running())
        return found

    monkeypatch.setattr(Path, "replace", watching)
    had.take(hub.export(medium))
    assert seen == {SHARED, b"X" + SHARED[1:]}
    shown = (had.root / "models/cpu/vision/digits/current").resolve()
    assert sorted(path.name for path in shown.iterdir()) == ["model.onnx"]
    assert shown.stat().st_mode & 0o777 == 0o555


@pytest.mark.parametrize("fault", ["lost", "shorter"])
def test_the_same_bundle_again_mends_what_was_lost_since(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path, fault: str
) -> None:
    folder = medium / "sealift/plant-7-000001"
    stored(had).unlink()
    if fault == "shorter":
        stored(had).write_bytes(b"")
    had.later(days=4000)
    done = had.take(folder)
    assert (done.already, done.mended) == (True, 1)
    assert stored(had).read_bytes() == SHARED
    assert had.entries()[-1].data == {"whole": [BLOB]}
    assert not had.take(folder).activations
    assert had.entries()[-2].type != "store.mended"


def test_an_import_says_what_it_mended_and_what_is_still_lost(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = medium / "sealift/plant-7-000001"
    command = ["--home", str(had.root), "import"]
    stored(had).unlink()
    assert run([*command, str(folder)]) == 0
    said = capsys.readouterr().out
    assert "plant-7-000001 was already imported; 1 blob of it is whole again." in said
    stored(had).unlink()
    assert run([*command, str(second(hub, medium))]) == 0
    said = capsys.readouterr().out
    assert "1 blob of what is in use is lost or damaged; sealift-site fsck says which." in said
    assert "sealift export plant-7 --full --to DIR" in said


def test_the_same_bundle_again_with_the_same_damage_changes_nothing(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path
) -> None:
    folder = medium / "sealift/plant-7-000001"
    damage(folder / "blobs/sha256" / BLOB)
    stored(had).unlink()
    before = had.picture()
    with pytest.raises(SealiftError, match="damaged"):
        had.take(folder)
    assert had.picture() == before


def test_a_lost_manifest_comes_back_with_any_bundle(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path
) -> None:
    """Manifests of what is assigned always travel."""
    with had.opened() as opened:
        (installed,) = opened.state.installed()
    stored(had, installed.sha256).unlink()
    done = had.take(hub.export(medium, edit=without(SHARED), base=("plant-7-000001",)))
    assert done.receipt.lost == ()
    assert stored(had, installed.sha256).is_file()


def test_verify_says_that_it_would_be_held(hub: HubOnPaper, had: SiteOnPaper, medium: Path) -> None:
    damage(stored(had))
    before = had.picture()
    accepted = had.verify(second(hub, medium))
    assert [one.code for one in accepted.plan.judged if one.fate == "held"] == ["base-missing"]
    assert had.picture() == before


def test_a_blob_that_was_never_here_is_no_damage_of_this_site(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path
) -> None:
    """A hub that is wrong about us: held and told, and no entry says that this disk failed."""
    hub.assign(hub.promote(1, model="letters"))
    done = had.take(hub.export(medium, edit=without(LETTERS)))
    assert [one.code for one in done.receipt.artifacts if one.outcome == "held"] == ["base-missing"]
    assert done.receipt.lost == (sha256(LETTERS).hexdigest(),)
    assert "store.damaged" not in [entry.type for entry in had.entries()]


def test_where_files_are_copies_a_command_leaves_them_as_they_are(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without hard links: another inode is no damage, and nothing is copied anew."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", refuse)
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    shown = (site.root / "models/cpu/vision/digits/current").resolve() / "model.onnx"
    inode = shown.stat().st_ino
    with Call(site.root, {}, site.clock).site("status"):
        pass
    assert shown.stat().st_ino == inode


def test_what_could_not_be_shown_is_tried_again_once_it_is_mended(
    hub: HubOnPaper, had: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blob goes between the commit and the switch."""
    hub.assign(hub.promote(2))
    folder = hub.export(medium)
    weights = b"the weights of catalog/vision/digits/2/cpu-x86_64"

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("sealift_sync.site.importing.importer.activate", cut)
        with pytest.raises(KeyboardInterrupt):
            had.take(folder)
    lost = stored(had, sha256(weights).hexdigest())
    lost.rename(had.root / "aside")
    with had.opened() as opened:
        (told,) = activate(opened, "test")
    assert told.outcome == "switched-back"
    assert had.running() == SHARED
    assert [one.outcome for one in had.take(folder).activations] == ["activated"]
    assert had.running() == weights
