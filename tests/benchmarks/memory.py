"""Whether memory stays flat: models of 2, 20 and 100 GB through every command that carries them.

The models are zeros in sparse files, which take no room in the hub's store. Copied to a medium and
to a site they would take all of it, so each of those lies on a btrfs that compresses, in one file
of the disk that is measured: 100 GB of zeros are about 4 GB there. They are two, for on one the
import would share blocks and copy nothing. Bytes are read, hashed and written as any others; how
fast that goes says nothing of a disk, and is reported only to be seen.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.catalog import findings, recording
from sealift_registry.catalog.catalog import ArtifactRow, Catalog, latest
from sealift_registry.catalog.findings import Finding
from sealift_registry.catalog.reference import ModelRef
from sealift_registry.catalog.storing import StoredFiles, store_manifest
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.trust.repository import Repository
from sealift_signing.evidence import EVIDENCE_PURPOSE
from sealift_signing.statements import Evidence, Signed
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import moment
from sealift_sync.artifact import ArtifactFile
from sealift_sync.blobs import BlobFolder
from tests.benchmarks import organisations, rivals, weights
from tests.benchmarks.carrying import EXPORT, IMPORT, RECEIVE, RETURN, VERIFY
from tests.benchmarks.figures import Absent, Claim, Line, Measured
from tests.benchmarks.organisations import Organisation
from tests.benchmarks.racing import Contestant, FailedError, Place, Step, race, tell
from tests.benchmarks.transfers import memory
from tests.registry.hub_fixture import MODEL, TARGET, Acme, taken_in, version

GB = 1_000_000_000
SIZES, QUICK_SIZES = (2 * GB, 20 * GB, 100 * GB), (1 * GB, 2 * GB)
FILES = 4
MIB = 1024 * 1024
BLOCK = bytes(64 * MIB)
OTHER_TARGET = "cpu-aarch64"
"""Of the variant that is zeros; the real one is for another."""
NEEDED = ("mkfs.btrfs", "mount", "umount")
EACH = (EXPORT, VERIFY, IMPORT, RETURN, RECEIVE)


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """The peak memory of each command at each size."""
    sizes = QUICK_SIZES if quick else SIZES
    if why := _impossible():
        yield from (Absent(f"peak memory at {size // GB} GB", why) for size in sizes)
        return
    peaks: dict[str, list[int]] = {name: [] for name in EACH}
    names = zeros([one for size in sizes for one in _files(size)])
    with (
        _compressing(folder / "medium", max(sizes)) as media,
        _compressing(folder / "site", max(sizes)) as sites,
    ):
        for size in sizes:
            tell(f"a hub with {size // GB} GB of zeros")
            files = {names[one]: one for one in _files(size)}
            organisation = _with_zeros(folder / f"acme-{size}", files)
            for name, one in _carried(organisation, media, sites).items():
                shown = replace(one, name=f"{name}, {size // GB} GB of zeros", size=0)
                yield shown
                yield memory(shown)
                peaks[name].append(one.peak)
            shutil.rmtree(organisation.folder)
    for name, found in peaks.items():
        what = f"{name}: peak memory at {sizes[-1] // GB} GB, against that at {sizes[0] // GB} GB"
        yield Claim("2", what, found[-1] / found[0], "x")


def zeros(sizes: Sequence[int]) -> dict[int, str]:
    """The sha256 of so many zeros, by their number, all in one pass over the most of them."""
    digest, done, found = sha256(), 0, {}
    for size in sorted(sizes):
        while done < size:
            piece = memoryview(BLOCK)[: size - done]
            digest.update(piece)
            done += len(piece)
        found[size] = digest.hexdigest()
    return found


def _files(size: int) -> list[int]:
    """The sizes of different files that make `size` bytes together."""
    return [size // FILES + (2 * n + 1 - FILES) * MIB for n in range(FILES)]


def _impossible() -> str:
    """Why there can be no file system that stores zeros in next to no room; empty if there can."""
    if os.geteuid() != 0:
        return "needs root, to mount a btrfs that stores zeros in little room"
    if "btrfs" not in Path("/proc/filesystems").read_text(encoding="utf-8"):
        return "this kernel has no btrfs, which stores zeros in little room"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"needs {', '.join(missing)}: make bench-tools" if missing else ""


@contextmanager
def _compressing(top: Path, size: int) -> Iterator[Path]:
    """A file system that takes `size` bytes of zeros, mounted at the new folder `top`."""
    image, here = top.with_name(f"{top.name}.btrfs"), top.parent
    with image.open("wb") as file:
        file.truncate(size + size // 4)
    top.mkdir()
    rivals.prepare(["mkfs.btrfs", "--quiet", image], here)
    rivals.prepare(["mount", "-o", "loop,compress-force=zstd:1", image, top], here)
    try:
        yield top
    finally:
        rivals.prepare(["umount", top], here)
        image.unlink()


# -------------------------------------------------------------------- a hub with zeros


def _with_zeros(folder: Path, files: Mapping[str, int]) -> Organisation:
    """An organisation whose site is to run `files`: bytes of zeros by their sha256.

    Intake copies what it takes in, and these have no room for that. So the version is a small one
    that went the ordinary way, and a second variant of it, with the same evidence signed by the
    same machines, is put into the catalog as the builder does.
    """
    acme = organisations.founded(folder)
    model = weights.make(folder / "model", [weights.ROW * weights.GOLDEN_ROWS])
    goldens = model.with_name(f"{model.name}.npz")
    taken_in(acme.app, OnnxSource(model), ModelRef.parse(MODEL), goldens)
    acme.convert()
    for digest, size in files.items():
        path = BlobFolder(acme.app.hub.home.root / "blobs").path(digest)
        with path.open("wb") as file:
            file.truncate(size)
        path.chmod(0o444)
    listed = {f"zeros-{n}.bin": digest for n, digest in enumerate(files)}
    _add_variant(acme, [ArtifactFile(name, one, files[one]) for name, one in listed.items()])
    made = Organisation(folder, listed, sum(files.values()), OTHER_TARGET)
    organisations.to_be_run(acme, made)
    return made


def _add_variant(acme: Acme, files: Sequence[ArtifactFile]) -> None:
    hub, path = acme.app.hub, version(1).path(OTHER_TARGET)
    with hub.reading() as connection:
        known = latest(Catalog(connection).evidence(version(1).path(TARGET)))
    manifest = store_manifest(hub.home.blobs, path, "onnx", StoredFiles(tuple(files)))

    def action(connection: Connection) -> tuple[Entry, None]:
        now = moment(hub.now())
        recording.add_artifact(connection, ArtifactRow(path, manifest.sha256, None, now))
        organisation = Repository(connection).organisation()
        for kind, evidence in known.items():
            signer = hub.online.signer(EVIDENCE_PURPOSE[kind])
            said = _finding(evidence)
            body = findings.sign(said, organisation, path, manifest.sha256, signer, now)
            recording.add_evidence(connection, body, path)
        data = {"artifact": str(path), "sha256": manifest.sha256}
        return hub.entry("variant.built", "bench", data, {"model": path.full_model}), None

    hub.commit(action)


def _finding(evidence: Signed[Evidence]) -> Finding:
    said = evidence.predicate
    return Finding(said.kind, said.verdict, said.checks, said.tools, said.machine, said.details)


# -------------------------------------------------------------------- its journey


def _carried(us: Organisation, media: Path, sites: Path) -> dict[str, Measured]:
    """Every command once, with the medium below `media` and the site below `sites`."""

    def journey(place: Place) -> Iterator[Step]:
        medium, site = place / "medium", us.copy_site(sites / "site")
        yield _named(EXPORT, us.export(medium))
        yield _named(VERIFY, us.verify(medium, site))
        yield _named(IMPORT, us.take(medium, site))
        _check(us, site)
        yield us.go_home(site, place / "home")
        yield us.receive(place / "home", us.hub)
        shutil.rmtree(site)

    return race([Contestant(f"{us.size // GB} GB", us.size, journey)], 1, media)


def _named(part: str, step: Step) -> Step:
    return replace(step, part=part)


def _check(us: Organisation, site: Path) -> None:
    """That all arrived: by size, since the site has hashed it and was measured doing so."""
    found = sum(path.stat().st_size for path in us.installed(site).iterdir())
    if found < us.size:
        msg = f"only {found:,} of {us.size:,} bytes arrived"
        raise FailedError(msg)
