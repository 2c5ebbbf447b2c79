"""Every blob that rows name, fetched and hashed; and bringing back what the store has lost.

Which blobs there must be, only rows and manifests say. A store holds others too, which nobody
refers to any more: of those nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, select

from sealift_registry.catalog import tables
from sealift_registry.catalog.catalog import Catalog, artifact_of_row
from sealift_registry.proof.proof_report import named_check_rows
from sealift_registry.storage.queries import all_rows
from sealift_registry.trust.hub import Hub
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.vocabulary import SHA256, CatalogPath
from sealift_sync import stream
from sealift_sync.artifact import LARGEST_MANIFEST, read_manifest
from sealift_sync.blobs import BlobFolder, BlobStore, Fault
from sealift_sync.bundle import layout
from sealift_sync.durable import BeginPhase, Progress


@dataclass(frozen=True)
class Loss:
    """A blob that is named and is not whole.

    Attributes:
        of: the versions that lost something by it, as people know them.
    """

    sha256: str
    fault: Fault
    of: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        blobs, size: how many are named, and the bytes of those that are there.
        losses: in the order of versions.
    """

    blobs: int
    size: int
    losses: tuple[Loss, ...]


@dataclass
class _Named:
    """The blobs that are named, each with the versions that it belongs to."""

    of: dict[str, set[str]] = field(default_factory=dict)

    def add(self, digest: str, version: str) -> None:
        if SHA256.matches(digest):
            self.of.setdefault(digest, set()).add(version)


def examine(hub: Hub, begin_phase: BeginPhase) -> Found:
    """Hash every blob that rows name, and every blob that their manifests name.

    What stands in a manifest that is lost nobody knows: it is looked at once that is back.

    Raises:
        FailedError: a manifest could not be read, and is whole by now; or the store fails.
    """
    store, (of, unread) = hub.home.blobs, named(hub)
    sizes = store.sizes(sorted(of))
    faults = _faults(store, sizes, begin_phase("hash", sum(sizes.values())))
    faults |= {digest: "missing" for digest in of if digest not in sizes}
    for digest in sorted(unread - faults.keys()):  # what it names nobody has looked at
        raise not_read(store, digest)
    losses = [Loss(one, fault, tuple(sorted(of[one]))) for one, fault in faults.items()]
    losses.sort(key=lambda one: (one.of, one.sha256))
    return Found(len(of), sum(sizes.values()), tuple(losses))


def named(hub: Hub) -> tuple[Mapping[str, set[str]], set[str]]:
    """Every blob that rows name, or their manifests, with the versions that it belongs to.

    Returns:
        Those, and the manifests that could not be read: what they name is not among them.
    """
    with hub.reading() as connection:
        found, manifests = _named(connection)
    read = hub.home.blobs.read_all(sorted(manifests), LARGEST_MANIFEST)
    for digest, data in read.items():
        for version in manifests[digest]:
            _add_parts(found, digest, data, version)
    return found.of, manifests.keys() - read.keys()


def not_read(store: BlobStore, digest: str) -> FailedError:
    """The error for a manifest that is there, and was not read."""
    return FailedError(
        "manifest-not-read",
        f"The manifest {digest[:12]} is in {store.where}, and could not be read: it is too large, "
        "or was not whole a moment ago.",
        subject=digest,
        next_step="Run it again. If it is said again, find out who wrote that: sealift audit fsck",
    )


def _faults(store: BlobStore, sizes: Mapping[str, int], progress: Progress) -> dict[str, Fault]:
    """What is wrong with those that are not whole: small ones side by side, others by turns."""
    small = sorted(one for one, size in sizes.items() if size < stream.CHUNK)
    found = zip(small, stream.side_by_side(store.fault, small, progress), strict=True)
    faults: dict[str, Fault] = {digest: fault for digest, fault in found if fault}
    for digest in sorted(sizes.keys() - set(small)):
        if fault := store.fault(digest, progress):
            faults[digest] = fault
    return faults


def _named(connection: Connection) -> tuple[_Named, dict[str, list[str]]]:
    """What rows themselves name: sources, goldens, manifests, and what proofs left.

    Returns:
        Those, and the manifests alone, each with the versions whose they are.
    """
    named, catalog, manifests = _Named(), Catalog(connection), dict[str, list[str]]()
    for table, column in (
        (tables.model_version, tables.model_version.c.source_sha256),
        (tables.goldens, tables.goldens.c.sha256),
    ):
        t = table.c
        query = select(t.team, t.model, t.number, column)
        for team, model, number, digest in connection.execute(query):
            named.add(digest, f"{team}/{model}/{number}")
    for artifact in map(artifact_of_row, all_rows(connection, select(tables.artifact))):
        version = artifact.path.full_version
        named.add(artifact.sha256, version)
        if SHA256.matches(artifact.sha256):
            manifests.setdefault(artifact.sha256, []).append(version)
        for one in _evidence(catalog, artifact.path):
            named.add(one, version)
    return named, manifests


def _evidence(catalog: Catalog, path: CatalogPath) -> Iterator[str]:
    """What the proofs of an artifact left: pictures and check rows."""
    try:
        found = catalog.evidence(path)
    except SealiftError:
        return  # `audit fsck` says what is wrong with it
    for one in found:
        details = one.predicate.details
        picture = details.get("picture") if isinstance(details, Mapping) else None
        if isinstance(picture, str):
            yield picture
        rows = named_check_rows(details)
        if rows is not None:
            yield rows.sha256


def _add_parts(named: _Named, manifest: str, data: bytes, version: str) -> None:
    try:
        read = read_manifest(data, what=manifest)
    except SealiftError:
        return  # it has its digest, and is no manifest: `audit fsck` says who signed that
    for digest in read.blobs:
        named.add(digest, version)


# -------------------------------------------------------------------- mending


def mend(
    hub: Hub, source: BlobStore | Path, begin_phase: BeginPhase
) -> tuple[tuple[Loss, ...], Found]:
    """Bring back what was lost, from another store or a bundle on a medium.

    Whatever comes is hashed: a source that is damaged itself mends nothing. A manifest that is back
    names more, which is looked for in turn.

    Returns:
        What is whole again, and what was found after that.
    """
    mended: dict[str, Loss] = {}
    while True:
        found = examine(hub, begin_phase)
        back = [one for one in found.losses if _brought(hub.home.blobs, one, source)]
        mended |= {one.sha256: one for one in back}
        if not back or any(one.fault == "unreadable" for one in back):
            return tuple(mended.values()), found


def _brought(store: BlobStore, loss: Loss, source: BlobStore | Path) -> bool:
    """Whether the blob is whole again."""
    try:
        if isinstance(source, Path):
            path = _in_bundle(source, loss.sha256)
            if path is None:
                return False
            store.put_file(path, expect=loss.sha256, anew=True)
        else:
            with source.open(loss.sha256) as data:
                store.put(data, expect=loss.sha256, anew=True)
    except NotFoundError:
        return False
    except RefusedError as bad:
        if bad.code == "blob-damaged":
            return False  # there, too
        raise
    return not store.fault(loss.sha256)


def _in_bundle(bundle: Path, digest: str) -> Path | None:
    for name in (layout.blob_file(digest), layout.check_file(digest)):
        path = bundle / name
        if path.is_file() and not path.is_symlink():
            return path
    return None


def check_bundle(bundle: Path) -> Path:
    """The folder of a bundle.

    Raises:
        FailedError: it is none.
    """
    if not (bundle / layout.TRANSFER).is_file():
        raise FailedError(
            "no-bundle-there",
            f"{bundle} is no folder of a bundle.",
            subject=str(bundle),
            next_step="Name the folder that holds transfer.json: DISK/sealift/SITE-000001",
        )
    return bundle


def check_folder(folder: Path) -> BlobFolder:
    """A folder of blobs, as in the home of a hub.

    Raises:
        FailedError: it is none.
    """
    if not (folder / "sha256").is_dir():
        raise FailedError(
            "no-blobs-there",
            f"{folder} is no folder of blobs.",
            subject=str(folder),
            next_step="Name the folder that holds sha256/, such as HOME/blobs.",
        )
    return BlobFolder(folder)
