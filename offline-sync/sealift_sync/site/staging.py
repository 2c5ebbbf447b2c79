"""Steps (7) and (8) of an import: what it takes, and each blob hashed while it is copied.

Blobs are staged beside the store and join it only with the commit. A staged file that a crash left
behind is hashed again before it counts; a refusal takes all of them away. A blob that the medium
leaves out must be whole in the store; where it is not, what needs it is held.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sealift_signing.errors import FailedError, NotFoundError
from sealift_signing.site_rules import HeldError
from sealift_signing.statements import Transfer
from sealift_signing.vocabulary import SHA256
from sealift_sync import durable, packs, stream, ustar
from sealift_sync.artifact import Artifact, Pack, manifest_bytes
from sealift_sync.blobs import BlobFolder, damaged
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.durable import Progress, Unflushed
from sealift_sync.site.home import Home
from sealift_sync.site.judging import Judged

MIB = 1024 * 1024
Stage = Callable[[str, int], Progress]
"""Told that a stage of so many bytes begins (`copy`, `verify`); returns its progress."""


@dataclass(frozen=True)
class Plan:
    """What an import will do, known in seconds and before any large copy.

    Attributes:
        judged: what becomes of every assigned artifact.
        copies: the blobs to copy from the medium, digest to bytes.
        reused: the blobs that the store has already; they are hashed again before they are used.
        carried: every blob that the bundle lists, digest to bytes.
        lost: the blobs that an artifact needs and neither the medium nor the store has whole.
        damaged: blobs of the store that were hashed, and are not whole.
    """

    judged: tuple[Judged, ...]
    copies: Mapping[str, int]
    reused: frozenset[str]
    carried: Mapping[str, int]
    lost: frozenset[str]
    damaged: frozenset[str]

    def provides(self, other: Plan) -> bool:
        """Whether all that `other` copies or takes from the store is so here, too.

        Both are what is known after all of this plan was hashed: `settle` sees to it.
        """
        return other.copies.keys() <= self.copies.keys() and other.reused <= self.reused

    @property
    def size(self) -> int:
        """The bytes to copy."""
        return sum(self.copies.values())

    @property
    def unpacked(self) -> int:
        """The bytes of files that are written for consumers; others share those of the store."""
        return sum(file.size for one in self.new for file in one.packed)

    @property
    def new(self) -> tuple[Artifact, ...]:
        """What is installed for the first time, once for each host group."""
        every = (one.artifact for one in self.judged if one.fate == "new")
        return tuple(one for one in every if one is not None)


def make_plan(
    judged: tuple[Judged, ...],
    transfer: Transfer,
    store: BlobFolder,
    damaged: frozenset[str] = frozenset(),
) -> Plan:
    """The plan for what was judged.

    An artifact that needs a blob which is nowhere is held, and the rest goes on: half of a
    site's models must not wait because its disk lost a file of the other half. What is installed
    already and has lost a blob that the medium carries gets it back.

    Args:
        judged: what becomes of every assigned artifact, by the six conditions.
        transfer: what the bundle lists.
        store: the site's blobs.
        damaged: blobs of the store that were hashed, and are not whole.
    """
    sources = _Sources(transfer, store, damaged)
    planned = []
    copies: dict[str, int] = {}
    reused: set[str] = set()
    lost: set[str] = set()
    for one in judged:
        found = sources.of(one)
        lost |= found.nowhere
        if found.nowhere and one.fate == "new":
            planned.append(_without_base(one, found.nowhere, transfer))
            continue
        planned.append(one)
        copies |= found.medium
        reused |= found.store
    return Plan(
        tuple(planned), copies, frozenset(reused), sources.carried, frozenset(lost), damaged
    )


def carried_blobs(transfer: Transfer) -> dict[str, int]:
    """Every blob that a transfer lists, digest to bytes."""
    blobs = (file for file in transfer.files if file.path.startswith(f"{layout.BLOBS}/"))
    return {file.sha256: file.size for file in blobs}


class _Found(NamedTuple):
    """Where the blobs of one artifact are to come from."""

    medium: dict[str, int]
    store: set[str]
    nowhere: set[str]


class _Sources:
    """The medium and the store, as places where a blob can be had."""

    def __init__(self, transfer: Transfer, store: BlobFolder, damaged: frozenset[str]) -> None:
        self.carried = carried_blobs(transfer)
        self._store = store
        self._damaged = damaged

    def of(self, one: Judged) -> _Found:
        found = _Found({}, set(), set())
        if one.fate == "held" or one.artifact is None:
            return found
        for digest, size in _blobs(one, one.artifact).items():
            carried = self.carried.get(digest) == size
            if digest not in self._damaged and self._store.holds(digest, size):
                # Of what is installed, only what the medium could mend is worth the hashing.
                found.store.update([digest] if carried or one.fate == "new" else [])
            elif carried:
                found.medium[digest] = size
            else:
                found.nowhere.add(digest)
        return found


def check_present(plan: Plan, medium: Medium) -> None:
    """Check that every listed blob is on the medium, also of what is held: half a bundle is none.

    Raises:
        RefusedError: one is missing, or of another size.
    """
    for digest, size in plan.carried.items():
        if medium.size(layout.blob_file(digest)) != size:
            raise damaged(digest)


def check_room(copies: Mapping[str, int], home: Home, unpacked: int = 0) -> None:
    """Check that the disk takes the blobs `copies` and keeps what the settings want free.

    What was staged of them takes no further room; `unpacked` bytes are needed besides.

    Raises:
        FailedError: it does not.
    """
    staged = {path.name: path.lstat().st_size for path in _staged(home)}
    due = sum(size for digest, size in copies.items() if staged.get(digest) != size)
    needed = due + unpacked + home.settings.limits.least_free_mib * MIB
    free = shutil.disk_usage(home.root).free
    if free < needed:
        raise FailedError(
            "no-room",
            f"{home.root} has {free:,} bytes free and the import needs {needed:,}.",
            subject=str(home.root),
            next_step="Make room, and run the import again; nothing was changed.",
        )


def hash_reused(blobs: Iterable[str], store: BlobFolder, stage: Stage) -> frozenset[str]:
    """Hash the `blobs` of the store; returns those that are not whole, or not there any more."""
    digests = sorted(blobs)
    progress = stage("check the store", sum(_size(store, digest) for digest in digests))
    faults = stream.side_by_side(store.fault, digests, progress)
    return frozenset(digest for digest, fault in zip(digests, faults, strict=True) if fault)


def stage_blobs(copies: Mapping[str, int], medium: Medium, home: Home, stage: Stage) -> None:
    """Copy the blobs `copies` (digest to bytes) beside the store, hashed while they are copied.

    Raises:
        RefusedError: one is damaged; nothing of it is kept.
        FailedError: one could not be read or written; what is whole stays for the next run.
    """
    try:
        whole = _still_whole(copies, home, stage)
        left = {digest: size for digest, size in copies.items() if digest not in whole}
        progress = stage("copy", sum(left.values()))
        staged = home.staged
        staged.mkdir(parents=True, exist_ok=True)
        with Unflushed() as unflushed:
            for digest, source in stream.read_ahead(left, _opened(medium), stays=False):
                _stage(digest, left[digest], source, staged / digest, progress, unflushed)
    except OSError as bad:
        raise durable.unwritable(home.staged, bad) from bad


def hash_blobs(plan: Plan, medium: Medium, stage: Stage) -> None:
    """Hash every listed blob where it lies: what `verify` does, writing nothing.

    Raises:
        RefusedError: one is damaged.
    """
    progress = stage("verify", sum(plan.carried.values()))
    for digest, found in stream.hash_all(plan.carried, _opened(medium), progress, stays=False):
        if found != (digest, plan.carried[digest]):
            raise damaged(digest)


def check_packs(plan: Plan, opened: Callable[[str], BinaryIO], stage: Stage) -> None:
    """Check that the packs of what is new hold the files that their manifests name.

    A digest does not say that: whoever wrote a manifest chose both. What people approved by the
    one must not turn out to be the other when it is shown to consumers.

    Args:
        plan: all of its blobs were hashed.
        opened: opens a blob where it was hashed.
        stage: told of it, where there are packs.

    Raises:
        RefusedError: one does not.
        FailedError: one could not be read.
    """
    due = {pack for one in plan.new for pack in one.packs}
    if not due:
        return
    progress = stage("check packs", sum(pack.size for pack in due))
    for pack in sorted(due):
        _check_pack(pack, opened, progress)


def _check_pack(pack: Pack, opened: Callable[[str], BinaryIO], progress: Progress) -> None:
    with opened(pack.sha256) as source:
        for file, _ in packs.unpack(pack, source):
            progress(ustar.size_of([file.size]) - len(ustar.END))
    progress(len(ustar.END))


def staged_or_stored(home: Home) -> Callable[[str], BinaryIO]:
    """Opens blobs that were staged, and others in the store."""

    def opened(digest: str) -> BinaryIO:
        try:
            return (home.staged / digest).open("rb")
        except FileNotFoundError:
            return home.store.open(digest)
        except OSError as bad:
            raise durable.unwritable(home.staged, bad) from bad

    return opened


def carried_or_stored(plan: Plan, medium: Medium, home: Home) -> Callable[[str], BinaryIO]:
    """Opens blobs that the medium carries, and others in the store."""
    carried = _opened(medium)
    return lambda digest: carried(digest) if digest in plan.carried else home.store.open(digest)


def adopt_staged(copies: Iterable[str], home: Home) -> None:
    """Move what was staged into the store."""
    home.store.adopt({digest: home.staged / digest for digest in copies})


def clear_staged(home: Home) -> None:
    """Throw away what was staged."""
    for path in _staged(home):
        path.unlink(missing_ok=True)


def kept_for_later(home: Home) -> str:
    """What an import that was stopped leaves for the next one, as a sentence; empty if nothing."""
    sizes = [path.lstat().st_size for path in _staged(home) if SHA256.matches(path.name)]
    if not sizes:
        return ""
    files = "1 file" if len(sizes) == 1 else f"{len(sizes)} files"
    return f"Kept for the next import: {files}, {sum(sizes):,} bytes."


def _staged(home: Home) -> list[Path]:
    return list(home.staged.iterdir()) if home.staged.is_dir() else []


def _size(store: BlobFolder, digest: str) -> int:
    try:
        return store.size(digest)
    except NotFoundError:  # whoever took it away did so a moment ago
        return 0


def _blobs(one: Judged, artifact: Artifact) -> dict[str, int]:
    """Every blob of an artifact by digest: its manifest, its config, its files."""
    found = {file.sha256: file.size for file in artifact.blobs}
    return {one.sha256: len(manifest_bytes(artifact))} | found


def _still_whole(copies: Mapping[str, int], home: Home, stage: Stage) -> frozenset[str]:
    """What a crash left staged of `copies`: it is hashed again, whatever a file's name says.

    And flushed again: the crash may have come before it was. The disk is asked, for a flush that
    failed is told of once, and leaves what was to be written in the page cache.
    """
    there = {
        digest: size
        for digest, size in copies.items()
        if (staged := home.staged / digest).is_file() and not staged.is_symlink()
    }
    if not there:
        return frozenset()

    for digest in there:
        with (home.staged / digest).open("rb") as left:
            os.fsync(left.fileno())

    def opened(digest: str) -> BinaryIO:
        file = (home.staged / digest).open("rb")
        durable.drop_cache(file)
        return file

    progress = stage("check what is there", sum(there.values()))
    return frozenset(
        digest
        for digest, found in stream.hash_all(there, opened, progress)
        if found == (digest, there[digest])
    )


def _opened(medium: Medium) -> Callable[[str], BinaryIO]:
    """Opens a medium's blobs."""
    return lambda digest: medium.open(layout.blob_file(digest))


def _stage(
    digest: str,
    size: int,
    source: BinaryIO,
    staged: Path,
    progress: Progress,
    unflushed: Unflushed,
) -> None:
    aside = staged.with_name(digest + durable.PARTIAL)
    try:
        aside.unlink(missing_ok=True)
        found = stream.copy_hashed(source, unflushed.new(aside), progress, most=size, stays=False)
        if found != (digest, size):
            raise damaged(digest)
        aside.replace(staged)
    except OSError as bad:
        raise durable.unwritable(staged, bad) from bad
    finally:
        aside.unlink(missing_ok=True)


def _without_base(one: Judged, missing: set[str], transfer: Transfer) -> Judged:
    """`one`, held: with what is nowhere named, and by whose receipt the hub left it out."""
    first = min(missing)
    parts = f"the blob {first[:12]}" if len(missing) == 1 else f"{len(missing)} blobs"
    base = f" by the receipt for {' and '.join(transfer.base)}" if transfer.base else ""
    reason = HeldError(
        "base-missing",
        f"{one.path} needs {parts}, which this bundle leaves out{base} and which this site does "
        "not have whole.",
        subject=first,
        next_step=f"Have all of it carried: sealift export {transfer.site} --full --to DIR",
    )
    return replace(one, fate="held", code=reason.code, words=str(reason), artifact=None)
