"""Bringing back what the store has lost: from elsewhere, or from what the hub itself still has.

Whatever comes is hashed, wherever it comes from: what is damaged itself mends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from sqlalchemy import select

from sealift_registry.blob_fsck import Examination, Found, Loss, Part, all_evidence
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

    A manifest that is back names more, which is looked for in turn. What is whole is hashed once.
    """
    where = str(source) if isinstance(source, Path) else source.where
    mending = _Mending(hub, begin_phase)
    store = hub.home.blobs
    while lost := mending.untried():
        mending.wrote({one: f"from {word(where)}" for one in lost if _brought(store, one, source)})
    return mending.done


class _Mending:
    """What was examined, tried and brought back; each blob is tried in one way once."""

    def __init__(self, hub: Hub, begin_phase: BeginPhase) -> None:
        self.done = Mended()
        self._examination = Examination(hub, begin_phase)
        self._tried: set[str] = set()
        self.done.found = self._examination.found()

    def untried(self) -> list[str]:
        """What is lost, and was not given here before."""
        lost = [one.sha256 for one in self.done.found.losses if one.sha256 not in self._tried]
        self._tried.update(lost)
        return lost

    def wrote(self, whence: Mapping[str, str]) -> None:
        """Look at what was written, each with where it came from: back is what is whole there."""
        if not whence:
            return
        lost = self.lost()
        for one in self._examination.look_again(whence):
            loss = lost.get(one)
            if loss is not None:
                self.done.back[one] = (loss, whence[one])
        self.done.found = self._examination.found()

    def lost(self) -> dict[str, Loss]:
        """What is lost, by its digest."""
        return {one.sha256: one for one in self.done.found.losses}


def mend_from_hub(hub: Hub, rebuild: Rebuild, begin_phase: BeginPhase) -> Mended:
    """Bring back what was lost from what the hub itself still has.

    (1) Older versions, in a bucket that keeps them. (2) What rows and signed evidence hold: source
    records, and what the pictures of proofs show. (3) Variants are built and proved again from
    their sources; what comes out with the digest that was lost is kept, and nothing else.
    """
    mending = _Mending(hub, begin_phase)
    while new := mending.untried():
        lost = mending.lost()
        older = [one for one in new if lost[one].older]
        brought = [one for one in older if s3_versions.brought_back(hub.home.blobs, one)]  # (1)
        mending.wrote(dict.fromkeys(brought, "from an older version in its bucket"))
        mending.wrote(_draw_again(hub, mending.lost()))  # (2)
    lost = mending.lost()
    variants = sorted(
        {part.path for one in lost.values() for part in one.parts if _is_made_again(one, part)}
    )
    for path in variants:  # (3)
        _build_again(hub, path, rebuild, mending, begin_phase)
    return mending.done


def _is_made_again(loss: Loss, part: Part) -> bool:
    """Whether building a variant gives it back: not what its source consists of, too."""
    of_source = any(one.kind in MADE_AGAIN and one.path.is_source for one in loss.parts)
    return part.kind in MADE_AGAIN and not of_source


def _draw_again(hub: Hub, lost: Mapping[str, Loss]) -> dict[str, str]:
    """What is in rows: source records as they are, and pictures as their proofs would draw them.

    Returns:
        What was put back, each with where it came from.
    """
    kinds = {part.kind for one in lost.values() for part in one.parts}
    drawn = {part.path for one in lost.values() for part in one.parts if part.kind == "picture"}
    records = _records(hub) if "source-record" in kinds else iter(())
    put: dict[str, str] = {}
    for words, made in (
        ("from the hub's rows", records),
        ("drawn again from its evidence", _pictures(hub, drawn)),
    ):
        for data in made:
            digest = sha256(data).hexdigest()
            if digest in lost and digest not in put:
                hub.home.blobs.put(BytesIO(data), expect=digest, anew=True)
                put[digest] = words
    return put


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
    hub: Hub, path: CatalogPath, rebuild: Rebuild, mending: _Mending, begin_phase: BeginPhase
) -> None:
    """Put back what comes out with the digest that was lost.

    A manifest that is back names files of which nobody knew that they are lost: these, too.
    """
    with workspace(hub.home.work) as work:
        made = BlobFolder(work / "made")
        try:
            rebuild(path, made, work / "result", begin_phase(f"build {path} again", 0))
        except SealiftError as bad:
            mending.done.told.append(f"{path} could not be built again: {bad.what}")
            return
        came_out, put = {*made.digests()}, set[str]()
        while whole := (_made_again(mending, path) & came_out) - put:
            for digest in sorted(whole):
                hub.home.blobs.put_file(made.path(digest), expect=digest, anew=True)
            put |= whole
            mending.wrote(dict.fromkeys(whole, f"as {path} was built again"))
    if other := _made_again(mending, path) - put:
        mending.done.told.append(
            f"{path} was built again, and {len(other)} of its blobs came out otherwise than what "
            "was lost: with other software, other goldens, or another machine than then."
        )


def _made_again(mending: _Mending, path: CatalogPath) -> set[str]:
    """What is lost of a variant, and is there again once it is built again."""
    return {
        digest
        for digest, one in mending.lost().items()
        if any(part.path == path and _is_made_again(one, part) for part in one.parts)
    }


def _brought(store: BlobStore, digest: str, source: BlobStore | Path) -> bool:
    """Whether the source had the blob, and it was put back."""
    try:
        if isinstance(source, Path):
            path = _in_bundle(source, digest)
            if path is None:
                return False
            store.put_file(path, expect=digest, anew=True)
        else:
            with source.open(digest) as data:
                store.put(data, expect=digest, anew=True)
    except NotFoundError:
        return False
    except RefusedError as bad:
        if bad.code == "blob-damaged":
            return False  # there, too
        raise
    return True


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
