"""A site and a model of many small files: they travel in packs, and the site has files."""

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_signing import features
from sealift_signing.errors import FailedError, MalformedError, SealiftError
from sealift_sync import packs
from sealift_sync.artifact import Artifact, ArtifactFile, manifest_bytes, read_manifest
from sealift_sync.bundle import layout
from sealift_sync.bundle.writer import Contents
from sealift_sync.site.importing import copying
from tests.hub_on_paper import GROUP, MODEL, TEAM, HubOnPaper, Release
from tests.offline_sync.test_missing_base import damage
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


def test_the_store_has_files_and_no_packs_and_consumers_read_them(
    hub: HubOnPaper, first: Release, taken: SiteOnPaper
) -> None:
    """So there is no second copy, and what is said of a file is said of what consumers read."""
    artifact = said(hub, first)
    there = {path.name for path in (taken.root / "store/sha256").iterdir()}
    assert there == {first.sha256, *(file.sha256 for file in artifact.contents)}
    top = (taken.root / "models" / GROUP / TEAM / MODEL / "current").resolve()
    for file in artifact.files:
        assert (top / file.path).samefile(stored(taken, file.sha256))
    assert list((taken.root / "store/incoming").iterdir()) == []


def test_what_consumers_find_cannot_be_changed(taken: SiteOnPaper) -> None:
    top = (taken.root / "models" / GROUP / TEAM / MODEL / "current").resolve()
    for path in [top, *top.rglob("*")]:
        assert path.stat().st_mode & 0o222 == 0, path


def test_two_host_groups_share_the_files_of_the_store(
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
    fresh = after.lacking({file.sha256 for file in before.contents})
    (changed,) = (pack for pack in after.packs if pack.sha256 in fresh)
    assert fresh == {after.config.sha256, changed.sha256}
    folder = hub.export(medium, edit=only(fresh), requires=("packs",), base=("plant-7-000001",))
    taken.take(folder)
    assert shown(taken) == SECOND
    taken.roll_back()
    assert shown(taken) == FIRST


def only(blobs: Collection[str]) -> Callable[[Contents], Contents]:
    """All others are left out: the site has what lies in them."""
    return lambda contents: replace(contents, blobs=frozenset(blobs))


def test_files_that_the_site_has_by_themselves_need_no_pack(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that was made before there were packs, and the same one made again; and back."""
    held: set[str] = set()
    for number, worth in ((1, 1000), (2, 1), (3, 1000)):
        monkeypatch.setattr(packs, "WORTH_PACKING", worth)
        release = hub.promote(number, content=WEIGHTS, more=SMALL)
        artifact = said(hub, release)
        lacking = artifact.lacking(held)
        assert lacking == frozenset([artifact.config.sha256] if held else artifact.blobs)
        hub.assign(release)
        site.take(hub.export(medium, edit=only(lacking)))
        assert shown(site) == FIRST
        held = {path.name for path in (site.root / "store/sha256").iterdir()}


def test_verify_opens_the_packs_and_writes_nothing(site: SiteOnPaper, bundle: Path) -> None:
    before = site.picture()
    assert [one.fate for one in site.verify(bundle).plan.judged] == ["new"]
    assert site.picture() == before


def test_a_transfer_that_requires_packs_is_not_read_by_who_cannot(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every site that was made before there were packs."""
    monkeypatch.setattr(features, "_READ", {})
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


def test_a_damaged_pack_on_the_medium_refuses_the_transfer(
    hub: HubOnPaper, site: SiteOnPaper, first: Release, bundle: Path
) -> None:
    pack = said(hub, first).packs[3]
    damage(bundle / layout.blob_file(pack.sha256))
    refusal = site.refuses(bundle)
    assert (refusal.code, refusal.subject) == ("blob-damaged", pack.sha256)


def test_a_digest_stands_for_one_size(hub: HubOnPaper) -> None:
    """A file that calls itself by a pack's digest would be installed, and never be right."""
    release = hub.build(1, content=WEIGHTS, more=SMALL)
    good = said(hub, release)
    liar = ArtifactFile("liar", good.packs[0].sha256, 1)
    bad = replace(good, files=(*good.files, liar))
    with pytest.raises(MalformedError):
        read_manifest(manifest_bytes(bad), what="it")
    true = replace(liar, size=good.packs[0].size)
    read_manifest(manifest_bytes(replace(good, files=(*good.files, true))), what="it")


# -------------------------------------------------------------------- what gets lost


def digest_of(path: str) -> str:
    return sha256(FIRST[path]).hexdigest()


LOST = "vocabulary/0/007.txt"


@pytest.mark.parametrize("how", ["rotten", "gone"])
def test_a_lost_file_is_named_and_brought_again_by_its_pack(
    taken: SiteOnPaper, bundle: Path, how: str
) -> None:
    file = stored(taken, digest_of(LOST))
    damage(file) if how == "rotten" else file.unlink()
    (found,) = taken.examined().damages
    assert (found.sha256, [use.file for use in found.used_by]) == (digest_of(LOST), [LOST])
    done = taken.take(bundle)
    assert (done.already, done.mended) == (True, 1)
    assert taken.examined().problems == 0
    assert shown(taken) == FIRST


def test_the_hub_carries_the_packs_of_what_is_lost(hub: HubOnPaper, first: Release) -> None:
    artifact = said(hub, first)
    held = {file.sha256 for file in artifact.contents}
    lost = {digest_of(LOST), digest_of("vocabulary/2/111.txt")}
    packs_of = {p.sha256 for p in artifact.packs if lost & {f.sha256 for f in p.files}}
    assert artifact.lacking(held) == frozenset()
    assert artifact.lacking(held - lost) == packs_of
    assert artifact.lacking(()) == artifact.blobs.keys()


def test_another_version_mends_what_it_shares(
    hub: HubOnPaper, taken: SiteOnPaper, medium: Path
) -> None:
    file = stored(taken, digest_of(LOST))
    damage(file)
    taken.examined()
    hub.assign(hub.promote(2, content=WEIGHTS, more=LATER))
    taken.take(hub.export(medium, requires=("packs",)))
    assert shown(taken) == SECOND
    assert taken.examined().problems == 0


SHARED = "vocabulary/2/109.txt"
"""It travels in the pack that changes with version 2, and is the same in both versions."""


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("how", ["rotten", "gone"])
def test_a_file_that_another_versions_pack_brings_is_not_lost(
    hub: HubOnPaper,
    first: Release,
    taken: SiteOnPaper,
    medium: Path,
    how: str,
    *,
    known: bool,
) -> None:
    """Version 1 stays the fallback and its own pack is left out; what it lost comes with 2's."""
    second = hub.promote(2, content=WEIGHTS, more=LATER)
    fresh = said(hub, second).lacking({file.sha256 for file in said(hub, first).contents})
    (changed,) = (pack for pack in said(hub, second).packs if pack.sha256 in fresh)
    assert SHARED in {file.path for file in changed.files}
    file = stored(taken, digest_of(SHARED))
    damage(file) if how == "rotten" else file.unlink()
    if known:
        taken.examined()
    hub.assign(second, first)
    folder = hub.export(medium, edit=only(fresh), requires=("packs",), base=("plant-7-000001",))
    done = taken.take(folder)
    assert done.receipt.lost == ()
    assert [one.outcome for one in done.activations] == ["activated"]
    assert shown(taken) == SECOND
    taken.roll_back()
    assert shown(taken) == FIRST
    assert taken.examined().problems == 0


def test_what_needs_a_lost_file_that_no_pack_brings_is_held(
    hub: HubOnPaper, first: Release, taken: SiteOnPaper, medium: Path
) -> None:
    stored(taken, digest_of(LOST)).unlink()
    second = hub.promote(2, content=WEIGHTS, more=LATER)
    hub.assign(second, first)
    fresh = said(hub, second).lacking({file.sha256 for file in said(hub, first).contents})
    folder = hub.export(medium, edit=only(fresh), requires=("packs",), base=("plant-7-000001",))
    held = taken.held(folder)
    assert [code for code, _ in held.values()] == ["base-missing"]
    assert digest_of(LOST)[:12] in str(held)


def test_a_version_that_rotted_while_it_did_not_run_is_not_shown(
    hub: HubOnPaper, first: Release, taken: SiteOnPaper, medium: Path
) -> None:
    second = hub.promote(2, content=WEIGHTS, more=LATER)
    hub.assign(second, first)
    taken.take(hub.export(medium, requires=("packs",)))
    only_of_first = sha256(SMALL["vocabulary/1/077.txt"]).hexdigest()
    damage(stored(taken, only_of_first))
    assert taken.examined().problems == 1
    done = taken.roll_back()
    assert done.outcome == "switched-back"
    assert "is damaged" in done.words
    assert shown(taken) == SECOND


# -------------------------------------------------------------------- room, and being cut


def test_room_is_asked_for_in_blocks(
    site: SiteOnPaper, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of seven bytes takes as much of a disk as one of four thousand."""
    plan = site.verify(bundle).plan
    manifest, *others = sorted(plan.copies.values(), reverse=True)
    assert others[0] < 4096 < 4 * 4096 < manifest < 5 * 4096
    needed = (len(others) + 5) * 4096 + 64 * copying.MIB

    def told(_path: object) -> os.statvfs_result:
        return os.statvfs_result((4096, 4096, 2**40, free, free, 2**20, 2**20, 2**20, 0, 255))

    monkeypatch.setattr(os, "statvfs", told)
    free = needed // 4096 - 1
    with pytest.raises(FailedError, match=f"needs {needed:,}"):
        site.take(bundle)
    free = needed // 4096
    site.take(bundle)


CUTS = (0, 1, 63, 64, 65, 100, 149, 150)
"""Some of the moments at which a file is staged, the first and the last too."""


@pytest.mark.parametrize("after", CUTS)
def test_an_import_that_is_cut_while_packs_are_taken_apart_goes_on(
    site: SiteOnPaper, bundle: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    stage = copying._copy_blob

    def stop(digest: str, *others: object) -> None:
        seen.append(digest)
        if len(seen) > after:
            raise KeyboardInterrupt
        stage(digest, *others)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(copying, "_copy_blob", stop)
        with pytest.raises(KeyboardInterrupt):
            site.take(bundle)
    assert shown(site) == {}
    whole = len(list((site.root / "store/incoming").iterdir()))
    assert whole == after
    again: list[str] = []

    def go_on(digest: str, *others: object) -> None:
        again.append(digest)
        stage(digest, *others)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(copying, "_copy_blob", go_on)
        assert not site.take(bundle).already
    assert len(again) + whole == len(FIRST) + 2  # with the config and the manifest
    assert shown(site) == FIRST
    assert list((site.root / "store/incoming").iterdir()) == []
