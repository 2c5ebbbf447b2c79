"""A real model of many small files, from its folder to a consumer: it travels in packs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from sealift_registry.catalog import storing
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.reference import ModelRef
from sealift_registry.catalog.storing import StoredFiles, lay_out, store_again, store_files
from sealift_registry.intake.ingest import Ingested
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_signing.errors import FailedError, RefusedError, SealiftError
from sealift_signing.vocabulary import CatalogPath
from sealift_sync import packs
from sealift_sync.artifact import Artifact, ArtifactFile, read_manifest
from sealift_sync.blobs import BlobFolder
from sealift_sync.bundle import layout
from tests.benchmarks import weights
from tests.blob_faults import spoil
from tests.registry.hub_fixture import GROUP, MODEL, TARGET, Acme, copied, taken_in, version
from tests.registry.test_delivery import received
from tests.registry.test_exports_delta import blobs, said
from tests.site_on_paper import SiteOnPaper

FILES = 120
PATH = CatalogPath("vision", "digits", 1, "cpu-x86_64")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in ONNX whose weights lie in many files."""
    sizes = [weights.ROW * (1 + number % 5) for number in range(FILES)]
    return weights.make(tmp_path_factory.mktemp("models") / "embedding", sizes)


def ingest(hub: Acme, folder: Path) -> Ingested:
    """`folder`, whose goldens lie beside it."""
    goldens = folder.with_name("embedding.npz")
    return taken_in(hub.app, OnnxSource(folder), ModelRef.parse(MODEL), goldens)


def contents(folder: Path) -> dict[str, bytes]:
    there = (path for path in folder.resolve().rglob("*") if path.is_file())
    return {str(path.relative_to(folder.resolve())): path.read_bytes() for path in there}


def source_artifact(hub: Acme, number: int = 1, form: str = "source") -> Artifact:
    app = hub.app.hub
    with app.reading() as connection:
        row = Catalog(connection).artifact(version(number).path(form))
    assert row is not None
    return read_manifest(app.home.blobs.read(row.sha256), what="it")


@pytest.fixture(scope="module")
def carried(founded: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 runs at the site, and its receipt came home."""
    hub = copied(founded, tmp_path_factory.mktemp("packed"))
    plant = SiteOnPaper(hub.folder / "site", datetime.now(UTC))
    ingest(hub, folder)
    hub.convert()
    hub.promoted()
    hub.enrol(plant)
    hub.assign()
    plant.take(hub.export().folder)
    received(hub, hub.returned(plant))
    hub.close()
    return hub.folder


@pytest.fixture
def home(carried: Path, tmp_path: Path) -> Iterator[Acme]:
    hub = copied(carried, tmp_path)
    yield hub
    hub.close()


@pytest.fixture
def site(home: Acme) -> SiteOnPaper:
    return SiteOnPaper(home.folder / "site", datetime.now(UTC))


def current(site: SiteOnPaper) -> Path:
    return site.root / "models" / GROUP / MODEL / "current"


def held(folder: Path, aside: Path) -> tuple[set[str], dict[str, bytes]]:
    """The names of its files, and every tensor of the model: its data files begin with a page.

    It is copied first, for onnx opens no data file that has a second name, as those of a site have.
    """
    shutil.copytree(folder.resolve(), aside)
    model = onnx.load(next(aside.glob("*.onnx")))
    tensors = {one.name: numpy_helper.to_array(one).tobytes() for one in model.graph.initializer}
    return set(contents(folder)), tensors


# -------------------------------------------------------------------- the journey


def test_it_arrives_as_it_was(home: Acme, site: SiteOnPaper, folder: Path, tmp_path: Path) -> None:
    assert held(current(site), tmp_path / "there") == held(folder, tmp_path / "here")
    (bundle,) = (home.medium / layout.SEALIFT).glob("plant-7-*")
    assert said(bundle).requires == ("packs",)
    assert len(blobs(bundle)) < 20
    for form in ("source", TARGET):
        artifact = source_artifact(home, form=form)
        assert len(artifact.files) == FILES + 1
        assert artifact.loose == ()


def test_a_second_version_carries_the_packs_that_changed(
    home: Acme, site: SiteOnPaper, folder: Path, tmp_path: Path
) -> None:
    changed = shutil.copytree(folder, tmp_path / "second" / "embedding")
    (changed / "weights-00007-of-00120.bin").write_bytes(bytes(weights.ROW * 3))
    shutil.copy(folder.with_name("embedding.npz"), tmp_path / "second")
    ingest(home, changed)
    home.convert(2)
    home.promoted(2)
    home.assign(2)
    bundle = home.export().folder
    before, after = source_artifact(home, 1, TARGET), source_artifact(home, 2, TARGET)
    assert blobs(bundle) == after.blobs.keys() - before.blobs.keys()
    assert len(blobs(bundle)) == 2  # its config, and one pack
    site.take(bundle)
    assert held(current(site), tmp_path / "there") == held(changed, tmp_path / "here")


def test_a_bundle_that_carries_no_packs_requires_none(ready: Acme) -> None:
    """Sites that were made before there were packs read it."""
    assert said(ready.export().folder).requires == ()


def test_the_same_folder_again_is_the_same_version_and_mends_the_hub(
    home: Acme, folder: Path
) -> None:
    store = home.app.hub.home.blobs
    lost, rotten = source_artifact(home).packs[:2]
    store.remove(lost.sha256)
    spoil(store, rotten.sha256, b"rotten")
    assert not ingest(home, folder).new
    for pack in (lost, rotten):
        store.check(pack.sha256)


@pytest.mark.parametrize("fault", ["lost", "rotten"])
def test_a_manifest_that_the_hub_lost_is_made_again(home: Acme, folder: Path, fault: str) -> None:
    app = home.app.hub
    with app.reading() as connection:
        row = Catalog(connection).artifact(version(1).path("source"))
    assert row is not None
    if fault == "lost":
        app.home.blobs.remove(row.sha256)
    else:
        spoil(app.home.blobs, row.sha256, b"rotten")
    assert not ingest(home, folder).new
    app.home.blobs.check(row.sha256)


def test_a_version_from_before_there_were_packs_is_mended_as_it_is(
    acme: Acme, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(packs, "WORTH_PACKING", FILES + 2)
        ingest(acme, folder)
    artifact = source_artifact(acme)
    assert artifact.packs == ()
    app = acme.app.hub
    with app.reading() as connection:
        row = Catalog(connection).artifact(version(1).path("source"))
    assert row is not None
    for lost in (artifact.files[5].sha256, artifact.config.sha256, row.sha256):
        app.home.blobs.remove(lost)
        assert not ingest(acme, folder).new
        app.home.blobs.check(lost)
    assert source_artifact(acme) == artifact


# -------------------------------------------------------------------- storing


@pytest.fixture
def store(tmp_path: Path) -> BlobFolder:
    return BlobFolder(tmp_path / "blobs")


def stored(store: BlobFolder, folder: Path) -> tuple[StoredFiles, bytes]:
    made = store_files(store, folder, weights.digests(folder), lambda _: None)
    manifest = storing.store_manifest(store, PATH, "onnx", made)
    return made, store.read(manifest.sha256)


def test_what_is_stored_is_laid_out_as_it_was(
    store: BlobFolder, folder: Path, tmp_path: Path
) -> None:
    _, manifest = stored(store, folder)
    lay_out(store, manifest, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(folder)


def test_told_are_about_as_many_bytes_as_there_are(store: BlobFolder, folder: Path) -> None:
    told: list[int] = []
    store_files(store, folder, weights.digests(folder), told.append)
    size = sum(len(data) for data in contents(folder).values())
    assert size <= sum(told) <= size + 1024 * (len(contents(folder)) + 16)  # headers and padding


def test_a_manifest_that_no_site_would_read_is_not_written(store: BlobFolder) -> None:
    files = tuple(ArtifactFile(f"{n:0512}", f"{n:064x}", 1) for n in range(6000))
    with pytest.raises(RefusedError, match="no site reads a manifest"):
        storing.store_manifest(store, PATH, "onnx", StoredFiles(files))
    assert list(store.digests()) == []


@pytest.mark.parametrize("how", ["changed", "longer", "shorter", "a link", "gone"])
def test_a_file_that_changed_after_it_was_scanned_is_not_packed(
    store: BlobFolder, folder: Path, tmp_path: Path, how: str
) -> None:
    work = shutil.copytree(folder, tmp_path / "work")
    expected = weights.digests(work)
    file = work / "weights-00007-of-00120.bin"
    data = file.read_bytes()
    if how in {"a link", "gone"}:
        file.unlink()
    else:
        file.write_bytes(
            {"changed": b"X" + data[1:], "longer": data + b"X", "shorter": data[:-1]}[how]
        )
    if how == "a link":
        file.symlink_to(folder / file.name)
    with pytest.raises(FailedError) as caught:
        store_files(store, work, expected, lambda _: None)
    wanted = "unreadable" if how in {"gone", "a link"} else "file-changed-meanwhile"
    assert caught.value.code == wanted
    assert file.name in str(caught.value)
    assert list(store.root.rglob("*.partial")) == []


def test_a_damaged_pack_is_not_laid_out(store: BlobFolder, folder: Path, tmp_path: Path) -> None:
    """It would be converted, compared with itself, and vouched for."""
    made, manifest = stored(store, folder)
    path = store.path(made.packs[2].sha256)
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(RefusedError, match="damaged in the hub's own store"):
        lay_out(store, manifest, tmp_path / "out")


def again(store: BlobFolder, folder: Path, manifest: bytes) -> None:
    expected, digest = weights.digests(folder), sha256(manifest).hexdigest()
    store_again(store, folder, expected, PATH, "onnx", digest)


@pytest.mark.parametrize("fault", ["lost", "rotten"])
def test_storing_again_mends_all_that_the_manifest_names(
    store: BlobFolder, folder: Path, fault: str
) -> None:
    _, manifest = stored(store, folder)
    for digest in store.digests():
        store.path(digest).chmod(0o644)
        store.path(digest).write_bytes(b"rotten")
        if fault == "lost":
            store.remove(digest)
    again(store, folder, manifest)
    digests = {*read_manifest(manifest, what="it").blobs, sha256(manifest).hexdigest()}
    assert set(store.digests()) == digests
    for digest in digests:
        store.check(digest)


def test_storing_again_asks_for_the_same_files(
    store: BlobFolder, folder: Path, tmp_path: Path
) -> None:
    made, manifest = stored(store, folder)
    store.remove(made.packs[0].sha256)
    other = shutil.copytree(folder, tmp_path / "other")
    (other / made.packs[0].files[0].path).write_bytes(b"another model")
    with pytest.raises(SealiftError, match="changed after it was scanned"):
        again(store, other, manifest)


def test_a_manifest_that_cannot_be_made_again_is_told(
    store: BlobFolder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are put together otherwise than they were then."""
    _, manifest = stored(store, folder)
    store.remove(sha256(manifest).hexdigest())
    monkeypatch.setattr(packs, "WORTH_PACKING", 1000)
    with pytest.raises(FailedError, match="cannot be made again"):
        again(store, folder, manifest)
