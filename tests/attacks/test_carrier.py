"""A hostile carrier: no key at all, but days alone with the medium."""

import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from tests.hub_on_paper import HubOnPaper, relist
from tests.site_on_paper import SiteOnPaper


@pytest.fixture
def bundle(hub: HubOnPaper, medium: Path) -> Path:
    """A good bundle, before the carrier had it."""
    hub.assign(hub.promote(1))
    return hub.export(medium)


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def blob(folder: Path, hub: HubOnPaper) -> Path:
    """The weights: not the manifest, not the config."""
    manifests = [hub.store.put_bytes(data).sha256 for data in hub.manifests.values()]
    (found,) = (
        file
        for file in sorted((folder / "blobs/sha256").iterdir())
        if file.name not in manifests and b"weights" in file.read_bytes()
    )
    return found


def test_a1_05_a_flipped_byte_in_transfer_json(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path
) -> None:
    file = bundle / "transfer.json"
    whole = file.read_bytes()
    for place in range(0, len(whole), len(whole) // 25):
        flip(file, place)
        refusal = site.refuses(bundle)
        assert "transfer.json" in str(refusal) or "bundle" in str(refusal)
        file.write_bytes(whole)


def test_a1_05_a_flipped_byte_in_any_metadata(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path
) -> None:
    for file in sorted((bundle / "metadata").iterdir()):
        whole = file.read_bytes()
        flip(file, whole.index(b'"version"') - 20)
        refusal = site.refuses(bundle)
        role = file.name.removesuffix(".json").lstrip("0123456789.")
        assert role in refusal.what.lower(), refusal
        file.write_bytes(whole)


@pytest.mark.parametrize("folder", ["targets", "statements", "log"])
def test_a1_05_a_flipped_byte_in_any_document(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, folder: str
) -> None:
    for file in sorted((bundle / folder).rglob("*.*")):
        flip(file, file.stat().st_size // 2)
        refusal = site.refuses(bundle)
        assert "changed" in str(refusal), refusal
        assert file.name in str(refusal)
        flip(file, file.stat().st_size // 2)
    assert not site.take(bundle).already


def test_a1_05_a_flipped_byte_in_a_blob(hub: HubOnPaper, site: SiteOnPaper, bundle: Path) -> None:
    file = blob(bundle, hub)
    flip(file, 3)
    refusal = site.refuses(bundle)
    assert refusal.code == "blob-damaged"
    assert file.name[:12] in refusal.what


def test_a1_05_a_flipped_byte_in_a_manifest(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path
) -> None:
    (data,) = hub.manifests.values()
    digest = hub.store.put_bytes(data).sha256
    flip(bundle / "blobs/sha256" / digest, 40)
    assert digest[:12] in str(site.refuses(bundle))


def test_a1_05_a_missing_file(hub: HubOnPaper, site: SiteOnPaper, bundle: Path) -> None:
    for file in sorted(path for path in bundle.rglob("*") if path.is_file()):
        aside = bundle.parent / "aside"
        file.rename(aside)
        refusal = site.refuses(bundle)
        assert "missing" in refusal.what, (file, refusal)
        name = file.name.lstrip("0123456789.").removesuffix(".json")
        assert name[:12] in refusal.what, (file, refusal)
        aside.rename(file)
    assert not site.take(bundle).already


@pytest.mark.parametrize("part", ["transfer.json", "metadata/timestamp.json", "index.json"])
def test_a1_05_a_symbolic_link(site: SiteOnPaper, bundle: Path, tmp_path: Path, part: str) -> None:
    outside = tmp_path / "outside"
    (bundle / part).rename(outside)
    (bundle / part).symlink_to(outside)
    refusal = site.refuses(bundle)
    assert refusal.code == "not-a-file"
    assert part in refusal.what


def test_a1_05_a_symbolic_link_for_a_blob_a_statement_or_a_folder(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path, tmp_path: Path
) -> None:
    statement = next((bundle / "statements").iterdir())
    for part in (blob(bundle, hub), statement, bundle / "metadata", bundle / "blobs"):
        outside = tmp_path / "outside"
        part.rename(outside)
        part.symlink_to(outside)
        assert site.refuses(bundle).code == "not-a-file"
        part.unlink()
        outside.rename(part)


def test_a1_05_a_pipe_does_not_make_the_site_wait(site: SiteOnPaper, bundle: Path) -> None:
    (bundle / "metadata/timestamp.json").unlink()
    os.mkfifo(bundle / "metadata/timestamp.json")
    assert site.refuses(bundle).code == "not-a-file"


def test_a1_05_an_older_bundle(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    hub.assign(hub.promote(1))
    older = hub.export(medium)
    site.take(hub.export(medium))
    refusal = site.refuses(older)
    assert "timestamp" in refusal.what
    assert "was already seen" in refusal.what


def test_a1_05_old_parts_mixed_with_a_new_set(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    first = hub.promote(1)
    hub.assign(first)
    older = hub.export(medium)
    hub.assign(hub.promote(2), first)
    newer = hub.export(medium)
    shutil.copytree(older / "metadata", newer / "metadata", dirs_exist_ok=True)
    assert site.refuses(newer).code == "file-changed"
    relist(newer, hub, "metadata/timestamp.json")  # even a hub that signs for such a mixture
    assert "snapshot of version 8 is missing" in site.refuses(newer).what


def test_a1_05_a_file_that_nobody_listed_is_named_and_never_read(
    site: SiteOnPaper, bundle: Path
) -> None:
    (bundle / "statements" / "extra.json").write_bytes(b"{")
    (bundle / "autorun.exe").write_bytes(b"MZ")
    site.take(bundle)
    assert site.told == ["ignored autorun.exe", "ignored statements/extra.json"]


def test_a1_05_the_identical_bundle_again(hub: HubOnPaper, site: SiteOnPaper, bundle: Path) -> None:
    site.take(bundle)
    before, entries = site.picture(), len(site.entries())
    again = site.take(bundle)
    assert again.already
    assert (site.picture(), len(site.entries())) == (before, entries)
    site.later(days=3650)
    assert site.take(bundle).already


def test_a1_05_an_expired_bundle_that_is_new(
    hub: HubOnPaper, site: SiteOnPaper, bundle: Path
) -> None:
    site.later(days=31)
    refusal = site.refuses(bundle)
    assert refusal.code == "role-expired"
    assert "timestamp" in refusal.what


def test_a1_05_a_clock_set_back_does_not_revive_what_expired(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    stale = hub.export(medium)
    hub.now = site.now = hub.now.replace(month=12, day=28)
    hub.assign(hub.promote(2))
    site.take(hub.export(medium))
    site.later(days=-38)
    with site.opened() as opened:
        assert opened.trusted_time() == hub.now
    assert site.refuses(stale).code in {"role-expired", "role-went-back"}


def test_a1_05_a_missing_file_of_what_is_held_anyway(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """Half a bundle is none, even where the missing half would not have been installed."""
    hub.assign(hub.promote(1, model="letters"))
    held = hub.vouch(hub.build(1))
    hub.list_artifact(held)
    hub.assign(held)
    folder = hub.export(medium)
    digest = sha256(f"the weights of {held.path}".encode()).hexdigest()
    (folder / "blobs/sha256" / digest).unlink()
    refusal = site.refuses(folder)
    assert refusal.code == "file-missing"
    assert digest in refusal.what
