"""Step (8) of an import: each blob hashed while it is copied, and room for it.

Blobs are copied beside the store, and join it only with the commit. A file that a crash left there
is hashed again before it counts; a refusal takes all of them away. A pack is taken apart on the
way: the store has its files, as it has all others.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from sealift_signing.errors import FailedError, NotFoundError, RefusedError
from sealift_signing.vocabulary import SHA256, counted
from sealift_sync import durable, stream
from sealift_sync.artifact import ArtifactFile, Pack
from sealift_sync.blobs import BlobFolder, damaged
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.durable import BeginPhase, Progress, Unflushed
from sealift_sync.packs import unpack
from sealift_sync.site.importing.planning import Plan
from sealift_sync.site.setup.home_folder import Home

MIB = 1024 * 1024


def check_present(plan: Plan, medium: Medium) -> None:
    """Check that every listed blob is on the medium, also of what is held: half a bundle is none.

    Raises:
        RefusedError: one is missing, or of another size.
    """
    for digest, size in plan.carried.items():
        if medium.size(plan.paths[digest]) != size:
            raise damaged(digest)


def check_room(copies: Mapping[str, int], home: Home) -> None:
    """Check that the disk takes the blobs `copies` and keeps what the settings want free.

    What lies beside the store of them already takes no further room.

    Raises:
        FailedError: it does not.
    """
    incoming = {path.name: path.lstat().st_size for path in _incoming(home)}
    due = [size for digest, size in copies.items() if incoming.get(digest) != size]
    block = os.statvfs(home.root).f_frsize
    needed = (
        sum(-(-size // block) * block for size in due) + home.settings.limits.least_free_mib * MIB
    )
    free = shutil.disk_usage(home.root).free
    if free < needed:
        raise FailedError(
            "no-room",
            f"{home.root} has {free:,} bytes free and the import needs {needed:,}.",
            subject=str(home.root),
            next_step="Make room, and run the import again; nothing was changed.",
        )


def hash_reused(blobs: Iterable[str], store: BlobFolder, begin_phase: BeginPhase) -> frozenset[str]:
    """Hash the `blobs` of the store; returns those that are not whole, or not there any more."""
    digests = sorted(blobs)
    progress = begin_phase("check the store", sum(_size(store, digest) for digest in digests))
    faults = stream.side_by_side(store.fault, digests, progress)
    return frozenset(digest for digest, fault in zip(digests, faults, strict=True) if fault)


def copy_blobs(
    copies: Mapping[str, int],
    packs: Iterable[Pack],
    paths: Mapping[str, str],
    medium: Medium,
    home: Home,
    begin_phase: BeginPhase,
) -> None:
    """Copy the blobs `copies` (digest to bytes) beside the store, hashed while they are copied.

    Args:
        copies: each of them is on the medium by itself or in one of `packs`.
        packs: on the medium; they are taken apart.
        paths: where the others lie in the bundle.
        medium: where from.
        home: where to.
        begin_phase: told of each phase, and of its progress.

    Raises:
        RefusedError: one is damaged, or a pack is not what its manifest says; nothing of it is
            kept.
        FailedError: one could not be read or written; what is whole stays for the next run.
    """
    try:
        whole = _still_whole(copies, home, begin_phase)
        left = {digest: size for digest, size in copies.items() if digest not in whole}
        due = [pack for pack in packs if any(file.sha256 in left for file in pack.files)]
        packed = {file.sha256 for pack in due for file in pack.files}
        alone = {digest: size for digest, size in left.items() if digest not in packed}
        progress = begin_phase("copy", sum(left.values()))
        incoming = home.incoming
        incoming.mkdir(parents=True, exist_ok=True)
        with Unflushed() as unflushed:
            for digest, source in stream.read_ahead(alone, _opened(medium, paths), stays=False):
                _copy_blob(digest, left[digest], source, incoming / digest, progress, unflushed)
            for file, data in _unpacked(due, medium):
                if left.pop(file.sha256, None) is not None:
                    source = BytesIO(data)
                    path = incoming / file.sha256
                    _copy_blob(file.sha256, file.size, source, path, progress, unflushed)
    except OSError as bad:
        raise durable.unwritable(home.incoming, bad) from bad


def check_packs(due: Collection[Pack], medium: Medium, begin_phase: BeginPhase) -> None:
    """Check that packs on the medium are what their manifests say, as an import does.

    Raises:
        RefusedError: one is not.
    """
    if due:
        progress = begin_phase("check packs", sum(file.size for pack in due for file in pack.files))
        for file, _ in _unpacked(due, medium):
            progress(file.size)


def _unpacked(due: Iterable[Pack], medium: Medium) -> Iterator[tuple[ArtifactFile, bytes]]:
    """The files of packs on the medium, each hashed.

    A pack's digest does not say what is in it: whoever wrote the manifest chose both.
    """
    for pack in due:
        with medium.open(layout.blob_file(pack.sha256)) as source:
            try:
                yield from unpack(pack, source)
            except RefusedError as bad:
                source.seek(0)
                found = stream.hash_file(source, most=pack.size)
                raise (bad if found == (pack.sha256, pack.size) else damaged(pack.sha256)) from bad
            durable.let_go(source)


def hash_blobs(plan: Plan, medium: Medium, begin_phase: BeginPhase) -> None:
    """Hash every listed blob where it lies: what `verify` does, writing nothing.

    Raises:
        RefusedError: one is damaged.
    """
    progress = begin_phase("verify", sum(plan.carried.values()))
    for digest, found in stream.hash_all(
        plan.carried, _opened(medium, plan.paths), progress, stays=False
    ):
        if found != (digest, plan.carried[digest]):
            raise damaged(digest)


def adopt_copied(copies: Iterable[str], home: Home) -> None:
    """Move what was copied into the store."""
    home.store.adopt({digest: home.incoming / digest for digest in copies})


def clear_incoming(home: Home) -> None:
    """Throw away what was copied beside the store."""
    for path in _incoming(home):
        path.unlink(missing_ok=True)


def kept_for_later(home: Home) -> str:
    """What an import that was stopped leaves for the next one, as a sentence; empty if nothing."""
    sizes = [path.lstat().st_size for path in _incoming(home) if SHA256.matches(path.name)]
    if not sizes:
        return ""
    files = counted(len(sizes), "file")
    return f"Kept for the next import: {files}, {sum(sizes):,} bytes."


def _incoming(home: Home) -> list[Path]:
    return list(home.incoming.iterdir()) if home.incoming.is_dir() else []


def _size(store: BlobFolder, digest: str) -> int:
    try:
        return store.size(digest)
    except NotFoundError:  # whoever took it away did so a moment ago
        return 0


def _still_whole(copies: Mapping[str, int], home: Home, begin_phase: BeginPhase) -> frozenset[str]:
    """What a crash left of `copies`: it is hashed again, whatever a file's name says.

    And flushed again: the crash may have come before it was. The disk is asked, for a flush that
    failed is told of once, and leaves what was to be written in the page cache.
    """
    there = {
        digest: size
        for digest, size in copies.items()
        if (incoming := home.incoming / digest).is_file() and not incoming.is_symlink()
    }
    if not there:
        return frozenset()

    for digest in there:
        with (home.incoming / digest).open("rb") as left:
            os.fsync(left.fileno())

    def opened(digest: str) -> BinaryIO:
        file = (home.incoming / digest).open("rb")
        durable.drop_cache(file)
        return file

    progress = begin_phase("check what is there", sum(there.values()))
    return frozenset(
        digest
        for digest, found in stream.hash_all(there, opened, progress)
        if found == (digest, there[digest])
    )


def _opened(medium: Medium, paths: Mapping[str, str]) -> Callable[[str], BinaryIO]:
    """Opens a medium's large files by their digests."""
    return lambda digest: medium.open(paths[digest])


def _copy_blob(
    digest: str,
    size: int,
    source: BinaryIO,
    incoming: Path,
    progress: Progress,
    unflushed: Unflushed,
) -> None:
    aside = incoming.with_name(digest + durable.PARTIAL)
    try:
        aside.unlink(missing_ok=True)
        found = stream.copy_hashed(source, unflushed.new(aside), progress, most=size, stays=False)
        if found != (digest, size):
            raise damaged(digest)
        aside.replace(incoming)
    except OSError as bad:
        raise durable.unwritable(incoming, bad) from bad
    finally:
        aside.unlink(missing_ok=True)
