"""Every blob that rows name, fetched and hashed: what the store has lost, and what it was.

Which blobs there must be, only rows and manifests say. A store holds others too, which nobody
refers to any more: of those nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, Row, select

from sealift_registry.catalog import discards, tables
from sealift_registry.catalog.catalog import artifact_of_row
from sealift_registry.catalog.discards import Discard, Discards
from sealift_registry.proof.proof_report import named_check_rows
from sealift_registry.storage import s3_versions
from sealift_registry.storage.queries import all_rows, in_parts
from sealift_registry.trust.hub import Hub
from sealift_signing import statements
from sealift_signing.canonical import Json
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.statements import Evidence, Signed
from sealift_signing.vocabulary import SHA256, SOURCE, CatalogPath
from sealift_sync import stream
from sealift_sync.artifact import LARGEST_MANIFEST, read_manifest
from sealift_sync.blobs import BlobStore, Fault
from sealift_sync.durable import BeginPhase, Progress

PartKind = Literal["source-record", "goldens", "manifest", "file", "picture", "check-rows"]


@dataclass(frozen=True, order=True)
class Part:
    """What a blob is to an artifact: what could give it back depends on that.

    Attributes:
        kind: goldens and source records are of a version, and so of its source artifact.
        path: the artifact's catalog path.
    """

    kind: PartKind
    path: CatalogPath


@dataclass(frozen=True)
class Loss:
    """A blob that is named and is not whole.

    Attributes:
        of: the versions that lost something by it, as people know them.
        parts: what it is to their artifacts.
        older: the store has older versions of it, of which nobody knows yet whether they are whole.
    """

    sha256: str
    fault: Fault
    of: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    older: bool = False


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        blobs, size: how many are named, and the bytes of those that are there.
        losses: in the order of versions.
        discarded: the forms whose files nobody misses.
    """

    blobs: int
    size: int
    losses: tuple[Loss, ...]
    discarded: tuple[Discard, ...] = ()


@dataclass
class Named:
    """The blobs that are named, each with what it is, and the manifests alone.

    Attributes:
        others: what is named elsewhere, and by what: of that nothing is checked here.
        discards: the forms that were discarded: their files are not named by them.
        let_go: those files.
        unread: manifests that are whole, and that this software does not read.
    """

    parts: dict[str, set[Part]] = field(default_factory=dict)
    manifests: dict[str, list[CatalogPath]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    discards: Discards = field(default_factory=dict)
    let_go: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)

    def add(self, digest: str, kind: PartKind, path: CatalogPath) -> None:
        """A blob is named as this of an artifact; what is no digest is passed over."""
        if SHA256.matches(digest):
            self.parts.setdefault(digest, set()).add(Part(kind, path))

    def add_manifest(self, digest: str, path: CatalogPath) -> None:
        """A manifest is named, which names more."""
        self.add(digest, "manifest", path)
        if SHA256.matches(digest):
            self.manifests.setdefault(digest, []).append(path)


def examine(hub: Hub, begin_phase: BeginPhase) -> Found:
    """Hash every blob that rows name, and every blob that their manifests name.

    What stands in a manifest that is lost nobody knows: it is looked at once that is back.

    Raises:
        FailedError: a manifest could not be read, and is whole by now; or the store fails.
    """
    return Examination(hub, begin_phase).found()


class Examination:
    """What is known of a hub's blobs: each was hashed once, and is again only where it changed.

    Raises:
        FailedError: as `examine`.
    """

    def __init__(self, hub: Hub, begin_phase: BeginPhase) -> None:
        self._store, self._begin_phase = hub.home.blobs, begin_phase
        self._named, self._unread = _all_named(hub)
        self._sizes: dict[str, int] = {}
        self._faults: dict[str, Fault] = {}
        self._older: set[str] = set()
        self._look(self._named.parts)

    def found(self) -> Found:
        """What was found so far."""
        parts = self._named.parts
        losses = [
            Loss(one, fault, _versions(parts[one]), tuple(sorted(parts[one])), one in self._older)
            for one, fault in self._faults.items()
        ]
        losses.sort(key=lambda one: (one.of, one.sha256))
        discarded = tuple(one for _, one in sorted(self._named.discards.items()))
        return Found(len(parts), sum(self._sizes.values()), tuple(losses), discarded)

    def look_again(self, changed: Iterable[str]) -> set[str]:
        """Look at what was written since, and at what manifests name that are read only now.

        Returns:
            Those of `changed` that are whole.
        """
        written, before = set(changed), self._named.parts.keys() | set()
        self._unread -= read_manifests(self._store, self._named, self._unread & written)
        self._look(written | (self._named.parts.keys() - before))
        return {one for one in written if one in self._sizes and one not in self._faults}

    def _look(self, digests: Iterable[str]) -> None:
        looked = sorted({*digests} & self._named.parts.keys())
        for one in looked:
            self._sizes.pop(one, None)
            self._faults.pop(one, None)
        sizes = self._store.sizes(looked)
        faults = _faults(self._store, sizes, self._begin_phase("hash", sum(sizes.values())))
        faults |= {digest: "missing" for digest in looked if digest not in sizes}
        self._sizes |= sizes
        self._faults |= faults
        for digest in sorted(self._unread - self._faults.keys()):  # nobody knows what it names
            raise not_read(self._store, digest)
        self._older |= s3_versions.kept(self._store, faults)


def named(hub: Hub) -> tuple[Mapping[str, set[str]], set[str]]:
    """Every blob that rows name, or their manifests, with the versions that it belongs to.

    Returns:
        Those, and the manifests that could not be read: what they name is not among them.
    """
    found, unread = _all_named(hub)
    return {digest: {*_versions(parts)} for digest, parts in found.parts.items()}, unread


def _versions(parts: Iterable[Part]) -> tuple[str, ...]:
    return tuple(sorted({one.path.full_version for one in parts}))


def _all_named(hub: Hub) -> tuple[Named, set[str]]:
    with hub.reading() as connection:
        gone: Discards = {}
        with suppress(FailedError):  # of a damaged log: rather too much is missed
            gone = discards.of_all(connection)
        found = named_by_rows(connection, gone)
    read = read_manifests(hub.home.blobs, found, found.manifests)
    return found, found.manifests.keys() - read


def read_manifests(store: BlobStore, named: Named, digests: Iterable[str]) -> set[str]:
    """Take in what some manifests name; those that could be read."""
    done = set[str]()
    for part in in_parts(sorted(digests)):
        read = store.read_all(part, LARGEST_MANIFEST)
        for digest, data in read.items():
            for path in named.manifests[digest]:
                _add_parts(named, digest, data, path)
        done |= read.keys()
    return done


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


def named_by_rows(connection: Connection, gone: Discards) -> Named:
    """What rows themselves name: sources, goldens, manifests, and what proofs left.

    Of the forms that are `gone` the files are not named.
    """
    named = Named(discards=gone)
    v, g = tables.model_version.c, tables.goldens.c
    for row in all_rows(connection, select(v.team, v.model, v.number, v.source_sha256)):
        named.add(row.source_sha256, "source-record", _source(row))
    for row in all_rows(connection, select(g.team, g.model, g.number, g.sha256)):
        named.add(row.sha256, "goldens", _source(row))
    for row in all_rows(connection, select(tables.artifact)):
        artifact = artifact_of_row(row)
        named.add_manifest(artifact.sha256, artifact.path)
    for said, path in all_evidence(connection):
        _add_left(named, said.predicate.details, path)
    return named


def _source(row: Row[Any]) -> CatalogPath:
    return CatalogPath(row.team, row.model, row.number, SOURCE)


def all_evidence(connection: Connection) -> Iterator[tuple[Signed[Evidence], CatalogPath]]:
    """All evidence, each with the artifact that it is about: one query, read a part at a time.

    What is not what was signed is left out: `audit fsck` says what is wrong with it.
    """
    e, s, a = tables.evidence, tables.statement, tables.artifact
    query = (
        select(e.c.path, e.c.sha256, s.c.body, a.c.sha256.label("artifact"))
        .join(s, s.c.sha256 == e.c.sha256)
        .join(a, a.c.path == e.c.path)
    )
    for row in all_rows(connection, query):
        with suppress(SealiftError):
            found = statements.read(Evidence, bytes(row.body), what=row.sha256)
            if found.sha256 == row.sha256 and found.about(row.path, row.artifact):
                yield found, CatalogPath.parse(row.path)


def _add_left(named: Named, details: Json, path: CatalogPath) -> None:
    """What a proof left: its picture and its check rows."""
    drawing = details.get("picture") if isinstance(details, Mapping) else None
    if isinstance(drawing, str):
        named.add(drawing, "picture", path)
    rows = named_check_rows(details)
    if rows is not None:
        named.add(rows.sha256, "check-rows", path)


def _add_parts(named: Named, manifest: str, data: bytes, path: CatalogPath) -> None:
    try:
        read = read_manifest(data, what=manifest)
    except SealiftError:
        named.unread.add(manifest)  # it has its digest: `audit fsck` says who signed that
        return
    discarded = named.discards.get(str(path))
    if discarded is not None and discarded.sha256 == manifest:
        named.add(read.config.sha256, "file", path)
        named.let_go |= read.blobs.keys()
        return
    for digest in read.blobs:
        named.add(digest, "file", path)
