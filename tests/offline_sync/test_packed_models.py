"""A site and a model of many small files: they travel in packs, and consumers read files."""

import os
import shutil
from pathlib import Path

import pytest

from sealift_signing import shape
from sealift_signing.errors import FailedError, SealiftError
from sealift_sync import durable
from sealift_sync.artifact import Artifact, read_manifest
from sealift_sync.bundle import layout
from sealift_sync.site import models, staging
from sealift_sync.site.mending import mend
from tests.hub_on_paper import GROUP, MODEL, TEAM, HubOnPaper, Release
from tests.media import with_free
from tests.offline_sync.test_missing_base import damage, without
from tests.site_on_paper import SiteOnPaper

SMALL = {f"vocabulary/{n // 50}/{n:03d}.txt": f"word {n}".encode() for n in range(150)}
"""Not all in one folder."""
WEIGHTS = b"the weights of every version"
LATER = SMALL | {"vocabulary/1/077.txt": b"another word"}


def shown(site: SiteOnPaper, group: str = GROUP) -> dict[str, bytes]:
    """Every file that a consumer finds, by its path."""
    top = (site.root / "models" / group / TEAM / MODEL / "current").resolve()
    there = (path for path in top.rglob("*") if path.is_file())
    return {str(path.relative_to(top)): path.read_bytes() for path in there}


def said(hub: HubOnPaper, release: Release) -> Artifact:
    return read_manifest(hub.manifests[release.path], what="it")


def stored(site: SiteOnPaper, digest: str) -> Path:
    return site.root / "store/sha256" / digest


FIRST, SECOND = SMALL | {"model.onnx": WEIGHTS}, LATER | {"model.onnx": WEIGHTS}
"""What a consumer should find of each version."""


@pytest.fixture
def first(hub: HubOnPaper) -> Release:
    return hub.promote(1, content=WEIGHTS, more=SMALL)


@pytest.fixture
def bundle(hub: HubOnPaper, first: Release, medium: Path) -> Path:
    """Version 1, and nothing else."""
    hub.assign(first)
    return hub.export(medium, requires=("packs",))


@pytest.fixture
def taken(site: SiteOnPaper, bundle: Path) -> SiteOnPaper:
    """A site where version 1 runs."""
    site.take(bundle)
    return site


# -------------------------------------------------------------------- what is right


def test_consumers_find_every_file(
    hub: HubOnPaper, first: Release, taken: SiteOnPaper, bundle: Path
) -> None:
    assert shown(taken) == FIRST
    there = list((bundle / layout.BLOBS).iterdir())
    assert len(there) == 1 + len(said(hub, first).blobs) < 20  # the manifest, and what it names


def test_what_consumers_find_cannot_be_changed(taken: SiteOnPaper) -> None:
    top = (taken.root / "models" / GROUP / TEAM / MODEL / "current").resolve()
    for path in [top, *top.rglob("*")]:
        assert path.stat().st_mode & 0o222 == 0, path


def test_every_small_file_is_flushed_before_it_is_shown(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    flush, rename = durable.flush, Path.rename

    def flushed(file: object) -> None:
        told.append(str(getattr(file, "name", "")))
        flush(file)  # type: ignore[arg-type]

    def renamed(self: Path, target: Path) -> Path:
        told.append(f"shown as {target}")
        return rename(self, target)

    monkeypatch.setattr(durable, "flush", flushed)
    monkeypatch.setattr(Path, "rename", renamed)
    site.take(bundle)
    (end,) = (n for n, words in enumerate(told) if words.startswith("shown as"))
    before = [words for words in told[:end] if "/vocabulary/" in words]
    assert len(before) == len(SMALL)


def test_two_host_groups_share_the_packs_of_the_store(
    hub: HubOnPaper, first: Release, tmp_path: Path, medium: Path
) -> None:
    groups = {GROUP: "cpu-x86_64", "line-2": "cpu-x86_64"}
    hub.targets_of_groups.update(groups)
    plant = SiteOnPaper(tmp_path / "two", hub.now)
    plant.enrol(hub, groups=groups)
    for group in groups:
        hub.assign(first, group=group)
    plant.take(hub.export(medium, requires=("packs",)))
    assert shown(plant) == shown(plant, "line-2") == FIRST


def test_a_second_version_needs_one_pack_more(
    hub: HubOnPaper, first: Release, taken: SiteOnPaper, medium: Path
) -> None:
    second = hub.promote(2, content=WEIGHTS, more=LATER)
    hub.assign(second, first)
    before, after = said(hub, first), said(hub, second)
    fresh = {blob.sha256 for blob in after.blobs} - {blob.sha256 for blob in before.blobs}
    assert len({pack.sha256 for pack in after.packs} & fresh) == 1
    shared = [hub.store.read(pack.sha256) for pack in after.packs if pack.sha256 not in fresh]
    folder = hub.export(
        medium, edit=without(*shared), requires=("packs",), base=("plant-7-000001",)
    )
    taken.take(folder)
    assert shown(taken) == SECOND
    taken.roll_back()
    assert shown(taken) == FIRST


def test_verify_opens_the_packs_and_writes_nothing(site: SiteOnPaper, bundle: Path) -> None:
    before = site.picture()
    assert [one.fate for one in site.verify(bundle).plan.judged] == ["new"]
    assert site.picture() == before


def test_a_transfer_that_requires_packs_is_not_read_by_who_cannot(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every site that was made before there were packs."""
    monkeypatch.setattr(shape, "FEATURES_READ", frozenset())
    refusal = site.refuses(bundle)
    assert refusal.code == "format-unknown"
    assert "packs" in str(refusal)


# -------------------------------------------------------------------- attacks


ELSE = {"vocabulary/0/007.txt": b"WORD 7"}


def test_a_pack_of_other_files_than_were_approved_refuses_the_transfer(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """Its digest is right, and what people read of it in the manifest is not what it holds."""
    hub.assign(hub.promote(1, content=WEIGHTS, more=SMALL, archived=ELSE))
    folder = hub.export(medium, requires=("packs",))
    assert site.refuses(folder).code == "pack-wrong"
    with pytest.raises(SealiftError) as caught:
        site.verify(folder)
    assert caught.value.code == "pack-wrong"


def test_a_pack_of_another_size_than_its_files_make_is_no_pack_of_theirs(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    longer = {"vocabulary/0/007.txt": b"word 7 and more"}
    hub.assign(hub.promote(1, content=WEIGHTS, more=SMALL, archived=longer))
    held = site.held(hub.export(medium, requires=("packs",)))
    assert [code for code, _ in held.values()] == ["base-missing"]
    assert shown(site) == {}


def test_such_a_pack_is_refused_from_the_store_too(
    hub: HubOnPaper, taken: SiteOnPaper, first: Release, medium: Path
) -> None:
    """It got there as a pack of an honest artifact, and another one claims that it holds more."""
    honest = said(hub, first).packs[0]
    liar = hub.promote(
        2, content=WEIGHTS, more=SMALL, archived={honest.files[0].path: b"W" * honest.files[0].size}
    )
    wrong = {pack.sha256 for pack in said(hub, liar).packs} - {
        pack.sha256 for pack in said(hub, first).packs
    }
    (pack,) = wrong
    shutil.copy(hub.store.path(pack), stored(taken, pack))
    hub.assign(liar)
    folder = hub.export(
        medium, edit=without(hub.store.read(pack)), requires=("packs",), base=("plant-7-000001",)
    )
    assert taken.refuses(folder).code == "pack-wrong"
    assert shown(taken) == FIRST


def test_a_damaged_pack_on_the_medium_refuses_the_transfer(
    hub: HubOnPaper, site: SiteOnPaper, first: Release, bundle: Path
) -> None:
    damage(bundle / layout.blob_file(said(hub, first).packs[3].sha256))
    assert site.refuses(bundle).code == "blob-damaged"


# -------------------------------------------------------------------- what gets lost


def test_fsck_puts_a_damaged_file_right_from_its_pack(first: Release, taken: SiteOnPaper) -> None:
    top = (taken.root / "models" / GROUP / TEAM / MODEL / "current").resolve()
    damage(top / "vocabulary/0/007.txt")
    damage(top / "vocabulary/2/111.txt")
    found = taken.examined()
    assert (found.problems, [link.problem for link in found.links]) == (0, [""])
    assert shown(taken) == FIRST
    assert taken.examined().links == ()


@pytest.mark.parametrize("how", ["gone", "a folder", "a link", "shorter"])
def test_every_command_puts_right_what_it_sees(
    first: Release, taken: SiteOnPaper, how: str
) -> None:
    top = (taken.root / "models" / GROUP / TEAM / MODEL / "current").resolve()
    file = top / "vocabulary/0/007.txt"
    file.parent.chmod(0o755)
    file.chmod(0o644)
    if how == "shorter":
        file.write_bytes(b"w")
    else:
        file.unlink()
    if how == "a folder":
        file.mkdir()
    if how == "a link":
        file.symlink_to("/etc/hostname")
    with taken.opened() as opened:
        mended = mend(opened)
    assert [one.problem for one in mended] == [""]
    assert shown(taken) == FIRST
    assert file.parent.stat().st_mode & 0o222 == 0


def test_a_lost_pack_takes_nothing_from_consumers_and_is_brought_again(
    hub: HubOnPaper, first: Release, taken: SiteOnPaper, bundle: Path
) -> None:
    pack = said(hub, first).packs[5]
    damage(stored(taken, pack.sha256))
    found = taken.examined()
    assert [one.sha256 for one in found.damages] == [pack.sha256]
    assert "small files" in found.damages[0].used_by[0].file
    assert shown(taken) == FIRST
    done = taken.take(bundle)
    assert (done.already, done.mended) == (True, 1)
    assert taken.examined().problems == 0


def test_nothing_is_begun_with_a_pack_that_is_known_to_be_damaged(
    hub: HubOnPaper, first: Release, taken: SiteOnPaper, medium: Path
) -> None:
    """Version 2 runs; version 1, where somebody would go back to, lost its folder and a pack."""
    second = hub.promote(2, content=WEIGHTS, more=LATER)
    hub.assign(second, first)
    taken.take(hub.export(medium, requires=("packs",)))
    old = {pack.sha256 for pack in said(hub, first).packs}
    (lost,) = old - {pack.sha256 for pack in said(hub, second).packs}
    models._remove(taken.root / "models" / GROUP / TEAM / MODEL / f"1-{first.sha256}")
    damage(stored(taken, lost))
    taken.examined()
    done = taken.roll_back()
    assert done.outcome == "switched-back"
    assert "is damaged" in done.words
    assert shown(taken) == SECOND


def test_a_pack_that_rotted_unseen_is_not_shown(
    hub: HubOnPaper, first: Release, taken: SiteOnPaper, medium: Path
) -> None:
    """Nobody has looked since: what is taken out of a pack is hashed each time."""
    second = hub.promote(2, content=WEIGHTS, more=LATER)
    hub.assign(second, first)
    taken.take(hub.export(medium, requires=("packs",)))
    models._remove(taken.root / "models" / GROUP / TEAM / MODEL / f"1-{first.sha256}")
    damage(stored(taken, said(hub, first).packs[0].sha256))
    done = taken.roll_back()
    assert done.outcome == "switched-back"
    assert "is damaged" in done.words
    assert shown(taken) == SECOND


# -------------------------------------------------------------------- room, and being cut


def test_room_is_asked_for_what_is_taken_out_too(
    first: Release, site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are two copies of small files: in the store, and where consumers read."""
    accepted = site.verify(bundle)
    assert accepted.plan.unpacked == sum(map(len, FIRST.values()))
    needed = accepted.plan.size + accepted.plan.unpacked + 64 * staging.MIB
    with_free(monkeypatch, needed - 1)
    with pytest.raises(FailedError, match="bytes free"):
        site.take(bundle)
    with_free(monkeypatch, needed)
    site.take(bundle)


CUTS = (0, 1, 63, 64, 65, 100, 149, 150)
"""Some of the moments at which a file is made for consumers, the first and the last too."""


@pytest.mark.parametrize("after", CUTS)
def test_an_import_that_is_cut_while_files_are_taken_out_is_finished_later(
    first: Release,
    site: SiteOnPaper,
    bundle: Path,
    after: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[None] = []
    chmod = os.fchmod

    def stop(descriptor: int, mode: int) -> None:
        seen.append(None)
        if len(seen) > after:
            raise KeyboardInterrupt
        chmod(descriptor, mode)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fchmod", stop)
        with pytest.raises(KeyboardInterrupt):
            site.take(bundle)
    assert shown(site) == {}
    assert site.take(bundle).already
    assert shown(site) == FIRST
    assert list(site.root.rglob("*.partial*")) == []


def test_a_full_disk_while_files_are_taken_out_says_so(
    site: SiteOnPaper, bundle: Path, first: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_data: bytes, _into: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(models, "_write", full)
        with pytest.raises(FailedError, match="No space left"):
            site.take(bundle)
    assert shown(site) == {}
    assert site.take(bundle).already
    assert shown(site) == FIRST
