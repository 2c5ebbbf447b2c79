"""Bringing back what the store has lost: from elsewhere, or from what the hub itself still has.

Whatever comes is hashed, wherever it comes from: what is damaged itself mends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from sqlalchemy import select

from sealift_registry.blob_fsck import Found, Loss, Part, all_evidence, examine
from sealift_registry.catalog import tables
from sealift_registry.proof.picture import picture
from sealift_registry.proof.proof_report import ProofReport
from sealift_registry.storage import s3_versions
from sealift_registry.storage.queries import all_rows
from sealift_registry.storage.workspace import workspace
from sealift_registry.trust.hub import Hub
from sealift_signing import shape
from sealift_signing.drawing import word
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.vocabulary import CatalogPath
from sealift_sync.blobs import BlobFolder, BlobStore
from sealift_sync.bundle import layout
from sealift_sync.durable import BeginPhase, Progress

MADE_AGAIN = ("manifest", "file", "check-rows")
"""What a variant consists of, and its proof leaves: all that comes of building it once more."""
Rebuild = Callable[[CatalogPath, BlobFolder, Path, Progress], None]
"""Builds a variant again: its blobs go into a folder; it works in the other one."""


@dataclass
class Mended:
    """What mending came to.

    Attributes:
        back: what is whole again, by its digest, each with where it came from, in words.
        told: sentences on what could not be made again, and why.
        found: what was found after that.
    """

    back: dict[str, tuple[Loss, str]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    found: Found = field(default_factory=lambda: Found(0, 0, ()))


def mend(hub: Hub, source: BlobStore | Path, begin_phase: BeginPhase) -> Mended:
    """Bring back what was lost, from another store or a bundle on a medium.

    A manifest that is back names more, which is looked for in turn.
    """
    store, done = hub.home.blobs, Mended()
    where = str(source) if isinstance(source, Path) else source.where
    while True:
        done.found = examine(hub, begin_phase)
        back = [one for one in done.found.losses if _brought(store, one, source)]
        done.back |= {one.sha256: (one, f"from {word(where)}") for one in back}
        if not back or any(one.fault == "unreadable" for one in back):
            return done


def mend_from_hub(hub: Hub, rebuild: Rebuild, begin_phase: BeginPhase) -> Mended:
    """Bring back what was lost from what the hub itself still has.

    (1) Older versions, in a bucket that keeps them. (2) What rows and signed evidence hold: source
    records, and what the pictures of proofs show. (3) Variants are built and proved again from
    their sources; what comes out with the digest that was lost is kept, and nothing else.
    """
    done = Mended()
    while True:
        done.found = examine(hub, begin_phase)
        before = len(done.back)
        for one in done.found.losses:
            if one.older and s3_versions.brought_back(hub.home.blobs, one.sha256):  # (1)
                done.back[one.sha256] = (one, "from an older version in its bucket")
        _draw_again(hub, done)  # (2)
        if len(done.back) == before:
            break
    lost = [one for one in done.found.losses if one.sha256 not in done.back]
    variants = sorted(
        {part.path for one in lost for part in one.parts if _is_made_again(one, part)}
    )
    for path in variants:  # (3)
        _build_again(hub, path, rebuild, done, begin_phase)
    if variants:
        done.found = examine(hub, begin_phase)
    return done


def _is_made_again(loss: Loss, part: Part) -> bool:
    """Whether building a variant gives it back: not what its source consists of, too."""
    of_source = any(one.kind in MADE_AGAIN and one.path.is_source for one in loss.parts)
    return part.kind in MADE_AGAIN and not of_source


def _draw_again(hub: Hub, done: Mended) -> None:
    """What is in rows: source records as they are, and pictures as their proofs would draw them."""
    lost = {one.sha256: one for one in done.found.losses if one.sha256 not in done.back}
    kinds = {part.kind for one in lost.values() for part in one.parts}
    drawn = {part.path for one in lost.values() for part in one.parts if part.kind == "picture"}
    records = _records(hub) if "source-record" in kinds else iter(())
    for words, made in (
        ("from the hub's rows", records),
        ("drawn again from its evidence", _pictures(hub, drawn)),
    ):
        for data in made:
            one = lost.get(sha256(data).hexdigest())
            if one is not None and one.sha256 not in done.back:
                hub.home.blobs.put(BytesIO(data), expect=one.sha256, anew=True)
                done.back[one.sha256] = (one, words)


def _records(hub: Hub) -> Iterator[bytes]:
    """The source record of each version."""
    with hub.reading() as connection:
        rows = list(all_rows(connection, select(tables.model_version.c.source)))
    yield from (bytes(row.source) for row in rows)


def _pictures(hub: Hub, drawn: Collection[CatalogPath]) -> Iterator[bytes]:
    """The picture of each proof of some artifacts, as this software draws it."""
    if not drawn:
        return
    with hub.reading() as connection:
        proofs = [
            (one.predicate.details, path)
            for one, path in all_evidence(connection)
            if one.predicate.kind == "parity" and path in drawn
        ]
    for details, path in proofs:
        with suppress(SealiftError, ValueError, TypeError):
            said = {name: value for name, value in dict(details).items() if name != "picture"}
            report = shape.from_json(ProofReport, said, what="a proof")
            yield picture(report.findings, str(path))


def _build_again(
    hub: Hub, path: CatalogPath, rebuild: Rebuild, done: Mended, begin_phase: BeginPhase
) -> None:
    store = hub.home.blobs
    lost = {
        one.sha256: one
        for one in done.found.losses
        if any(part.path == path and _is_made_again(one, part) for part in one.parts)
    }
    with workspace(hub.home.work) as work:
        made = BlobFolder(work / "made")
        try:
            rebuild(path, made, work / "result", begin_phase(f"build {path} again", 0))
        except SealiftError as bad:
            done.told.append(f"{path} could not be built again: {bad.what}")
            return
        whole = lost.keys() & {*made.digests()}
        # A manifest that is back names files of which nobody knew that they are lost.
        named = [one for one in lost.values() if Part("manifest", path) in one.parts]
        also = made.digests() if named and named[0].sha256 in whole else iter(())
        for digest in sorted({*whole, *(one for one in also if store.fault(one))}):
            store.put_file(made.path(digest), expect=digest, anew=True)
            loss = lost.get(digest) or Loss(
                digest, "missing", (path.full_version,), (Part("file", path),)
            )
            done.back[digest] = (loss, f"as {path} was built again")
    if other := lost.keys() - whole:
        done.told.append(
            f"{path} was built again, and {len(other)} of its blobs came out otherwise than what "
            "was lost: with other software, other goldens, or another machine than then."
        )


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
