"""What a site has lost of what a bundle leaves out: held, named, carried again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_registry.catalog import storing
from sealift_registry.catalog.storing import StoredFiles
from sealift_registry.conversion import acceptance, build_run
from sealift_registry.delivery import bundle_contents
from sealift_signing.vocabulary import CatalogPath
from sealift_sync.artifact import Artifact, ArtifactFile, read_manifest
from sealift_sync.blobs import Blob, BlobFolder
from sealift_sync.bundle import layout
from tests.registry.hub_fixture import SITE, Acme, copied
from tests.registry.test_delivery import carried, received
from tests.registry.test_exports_delta import blobs, said
from tests.site_on_paper import SiteOnPaper

PARTS = 8
"""With the model and its config an artifact has ten blobs."""


def with_parts(store: BlobFolder, path: CatalogPath, kind: str, stored: StoredFiles) -> Blob:
    """The manifest of an artifact that has eight files more, the same ones in every version."""
    found = list(stored.files)
    for number in range(PARTS):
        blob = store.put_bytes(f"part {number} of every version".encode())
        found.append(ArtifactFile(f"parts/{number}.bin", blob.sha256, blob.size))
    return storing.store_manifest(store, path, kind, StoredFiles(tuple(sorted(found))))


@pytest.fixture(scope="module")
def of_many_parts(stocked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site runs version 3 and its receipt is home; version 4 is assigned, and shares parts."""
    hub = copied(stocked, tmp_path_factory.mktemp("many-parts"))
    plant = SiteOnPaper(hub.folder / "site", datetime.now(UTC))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(acceptance, "store_manifest", with_parts)
        aside = BlobFolder(tmp_path_factory.mktemp("where-it-is-built"))
        patch.setattr(build_run, "manifest_digest", lambda *of: with_parts(aside, *of).sha256)
        for number in (3, 4):
            hub.ingest(number, hub.goldens())
            hub.convert(number)
            hub.promoted(number)
    hub.enrol(plant)
    hub.assign(3)
    bundle = carried(hub, plant)
    assert len(blobs(bundle)) == PARTS + 2
    received(hub, hub.returned(plant))
    hub.close()
    return hub.folder


@pytest.fixture
def answered(of_many_parts: Path, tmp_path: Path) -> Iterator[Acme]:
    hub = copied(of_many_parts, tmp_path)
    yield hub
    hub.close()


def lose_one(plant: SiteOnPaper, hub: Acme) -> str:
    """A part rots at the site; its digest."""
    store = BlobFolder(plant.root / "store")
    digest = hub.app.hub.home.blobs.put_bytes(b"part 5 of every version").sha256
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(b"rotten")
    return digest


def test_a_site_that_has_nine_of_ten_is_carried_one(answered: Acme, plant: SiteOnPaper) -> None:
    lost = lose_one(plant, answered)
    plant.examined()
    received(answered, answered.returned(plant))
    export = answered.export()
    assert blobs(export.folder) == {lost}
    assert len(export.ready.left_out) == PARTS + 1
    plant.take(export.folder)
    assert BlobFolder(plant.root / "store").read(lost) == b"part 5 of every version"


def test_a_lost_base_is_held_and_carried_again(answered: Acme, plant: SiteOnPaper) -> None:
    """The hub does not know yet; the site names the command that brings what it lacks."""
    lost = lose_one(plant, answered)
    answered.assign(4, [])
    delta = answered.export().folder
    assert len(blobs(delta)) == 2
    assert said(delta).base == (f"{SITE}-000001",)
    (held,) = plant.take(delta).receipt.artifacts
    assert (held.outcome, held.code) == ("held", "base-missing")
    assert f"{SITE}-000001" in held.words
    assert f"sealift export {SITE} --full --to DIR" in held.words
    full = answered.export(full=True)
    assert full.transfer == f"{SITE}-000003"
    assert lost in {path.name for path in (full.folder / layout.BLOBS).iterdir()}
    (installed,) = plant.take(full.folder).receipt.artifacts
    assert installed.outcome == "installed"


def test_a_lost_base_is_carried_again_once_its_receipt_is_home(
    answered: Acme, plant: SiteOnPaper
) -> None:
    lost = lose_one(plant, answered)
    answered.assign(4, [])
    plant.take(answered.export().folder)
    received(answered, answered.returned(plant))
    again = answered.export()
    assert lost in blobs(again.folder)
    (installed,) = plant.take(again.folder).receipt.artifacts
    assert installed.outcome == "installed"


def test_a_file_that_is_a_manifest_too_is_carried_once(
    answered: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may ingest a model that holds another one's manifest as a file."""

    def with_twin(data: bytes, *, what: str) -> Artifact:
        found = read_manifest(data, what=what)
        twin = ArtifactFile("twin.json", sha256(data).hexdigest(), len(data))
        return replace(found, files=(*found.files, twin))

    monkeypatch.setattr(bundle_contents, "read_manifest", with_twin)
    done = answered.export(full=True)
    assert done.files == sum(path.is_file() for path in done.folder.rglob("*"))
