"""Steps (7) and (8) of an import: what it takes, and each blob hashed while it is copied.

Blobs are staged beside the store and join it only with the commit. A staged file that a crash left
behind is hashed again before it counts; a refusal takes all of them away.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.statements import CarriedFile, Transfer
from sealift_sync import durable
from sealift_sync.artifact import Artifact
from sealift_sync.blobs import BlobFolder, damaged
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.durable import Progress
from sealift_sync.site.home import Home
from sealift_sync.site.judging import Judged, new_ones

MIB = 1024 * 1024
Stage = Callable[[str, int], Progress]
"""Told that a stage of so many bytes begins (`copy`, `hash`); returns its progress."""


@dataclass(frozen=True)
class Plan:
    """What an import will do, known in seconds and before any large copy.

    Attributes:
        judged: what becomes of every assigned artifact.
        copies: the blobs to copy from the medium, digest to bytes.
        reused: the blobs that the store has already; they are hashed again before they are used.
        carried: every blob that the bundle lists, digest to bytes.
    """

    judged: tuple[Judged, ...]
    copies: Mapping[str, int]
    reused: frozenset[str]
    carried: Mapping[str, int]

    @property
    def size(self) -> int:
        """The bytes to copy."""
        return sum(self.copies.values())


def make_plan(judged: tuple[Judged, ...], transfer: Transfer, store: BlobFolder) -> Plan:
    """The plan for what was judged.

    Raises:
        RefusedError: a blob that is needed is neither on the medium nor in the store, or a file of
            the bundle bears a digest for a name that is not its own.
    """
    carried = {file.sha256: file.size for file in transfer.files if _is_blob(file)}
    copies: dict[str, int] = {}
    reused = set()
    for one, artifact in new_ones(judged):
        for digest, size in _blobs(one, artifact, carried).items():
            if store.has(digest):
                reused.add(digest)
            elif carried.get(digest) == size:
                copies[digest] = size
            else:
                raise _not_carried(digest, one, transfer)
    return Plan(judged, copies, frozenset(reused), carried)


def check_present(plan: Plan, medium: Medium) -> None:
    """Check that every listed blob is on the medium, also of what is held: half a bundle is none.

    Raises:
        RefusedError: one is missing, or of another size.
    """
    for digest, size in plan.carried.items():
        path = layout.blob_file(digest)
        with medium.open(path) as file:
            file.seek(0, 2)
            if file.tell() != size:
                raise damaged(digest)


def check_room(plan: Plan, home: Home) -> None:
    """Check that the disk takes the copies and keeps what the settings want free.

    Raises:
        FailedError: it does not.
    """
    needed = plan.size + home.settings.limits.least_free_mib * MIB
    free = shutil.disk_usage(home.root).free
    if free < needed:
        raise FailedError(
            "no-room",
            f"{home.root} has {free:,} bytes free and the import needs {needed:,}.",
            subject=str(home.root),
            next_step="Make room, and run the import again; nothing was changed.",
        )


def stage_blobs(plan: Plan, medium: Medium, home: Home, stage: Stage) -> None:
    """Copy every blob that is needed, hashed while it is copied, and hash those reused.

    Raises:
        RefusedError: one is damaged; nothing of it is kept.
        FailedError: one could not be read or written; what is whole stays for the next run.
    """
    progress = stage("copy", plan.size)
    for digest, size in plan.copies.items():
        if not _still_whole(home.staged / digest, digest, size, progress):
            _stage(digest, size, medium, home.staged / digest, progress)
    progress = stage("hash", sum(home.store.size(digest) for digest in plan.reused))
    for digest in sorted(plan.reused):
        home.store.check(digest, progress)


def hash_blobs(plan: Plan, medium: Medium, stage: Stage) -> None:
    """Hash every listed blob where it lies: what `verify` does, writing nothing.

    Raises:
        RefusedError: one is damaged.
    """
    progress = stage("hash", sum(plan.carried.values()))
    for digest, size in plan.carried.items():
        with medium.open(layout.blob_file(digest)) as file:
            if durable.hash_file(file, progress, most=size) != (digest, size):
                raise damaged(digest)


def adopt_staged(plan: Plan, home: Home) -> None:
    """Move what was staged into the store."""
    for digest in plan.copies:
        home.store.adopt(home.staged / digest, digest)


def clear_staged(home: Home, digests: Iterable[str] | None = None) -> None:
    """Throw away what was staged; all of it, or only `digests`."""
    names = digests if digests is not None else _names(home.staged)
    for name in names:
        (home.staged / name).unlink(missing_ok=True)


def _names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()] if folder.is_dir() else []


def _is_blob(file: CarriedFile) -> bool:
    return file.path.startswith(f"{layout.BLOBS}/")


def _blobs(one: Judged, artifact: Artifact, carried: Mapping[str, int]) -> dict[str, int]:
    """Every blob of an artifact by digest: its manifest, its config, its files."""
    found = {file.sha256: file.size for file in artifact.blobs}
    return {one.sha256: carried.get(one.sha256, -1)} | found


def _still_whole(staged: Path, digest: str, size: int, progress: Progress) -> bool:
    """Whether a crash left this blob staged; its bytes are hashed again, whatever its name says."""
    if staged.is_symlink() or not staged.is_file():
        return False
    with staged.open("rb") as file:
        whole = durable.hash_file(file) == (digest, size)
    if whole:
        progress(size)
    return whole


def _stage(digest: str, size: int, medium: Medium, staged: Path, progress: Progress) -> None:
    aside = staged.with_name(digest + durable.PARTIAL)
    try:
        staged.parent.mkdir(parents=True, exist_ok=True)
        aside.unlink(missing_ok=True)
        with medium.open(layout.blob_file(digest)) as source, aside.open("xb") as into:
            found = durable.copy_hashed(source, into, progress, most=size)
        if found != (digest, size):
            raise damaged(digest)
        aside.replace(staged)
    except OSError as bad:
        raise durable.unwritable(staged, bad) from bad
    finally:
        aside.unlink(missing_ok=True)


def _not_carried(digest: str, one: Judged, transfer: Transfer) -> RefusedError:
    base = f" (it builds on {', '.join(transfer.base)})" if transfer.base else ""
    return RefusedError(
        "blob-missing",
        f"{one.path} needs the blob {digest[:12]}, which the bundle does not carry{base}.",
        subject=digest,
        next_step="Have the bundle exported in full: sealift export SITE --full --to DIR",
    )
