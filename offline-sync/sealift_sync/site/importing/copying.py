"""Steps (7) and (8) of an import: what it takes, and each blob hashed while it is copied.

Blobs are staged beside the store and join it only with the commit. A staged file that a crash left
behind is hashed again before it counts; a refusal takes all of them away. A blob that the medium
leaves out must be whole in the store; where it is not, what needs it is held. A pack is taken apart
on the way: the store has its files, as it has all others.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from sealift_signing.errors import FailedError, NotFoundError, RefusedError
from sealift_signing.site_rules import HeldError
from sealift_signing.statements import CarriedFile, Transfer
from sealift_signing.vocabulary import SHA256
from sealift_sync import durable, stream
from sealift_sync.artifact import Artifact, ArtifactFile, Pack, manifest_bytes
from sealift_sync.blobs import Blob, BlobFolder, damaged
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.durable import BeginPhase, Progress, Unflushed
from sealift_sync.packs import unpack
from sealift_sync.site.setup.home_folder import Home
from sealift_sync.site.verifying.check_row_files import carried_rows, rows_to_keep, rows_to_take
from sealift_sync.site.verifying.six_conditions import Judged

MIB = 1024 * 1024


@dataclass(frozen=True)
class Plan:
    """What an import will do, known in seconds and before any large copy.

    Attributes:
        judged: what becomes of every assigned artifact.
        copies: the blobs to take from the medium into the store, digest to bytes.
        packs: those of the medium in which some of them lie.
        rows: the check rows of every artifact that has some, by its digest.
        reused: the blobs that the store has already; they are hashed again before they are used.
        carried: every blob that the bundle lists, digest to bytes, and every file of check rows.
        paths: where those lie in the bundle.
        lost: the blobs that an artifact needs and neither the medium nor the store has whole.
        damaged: blobs of the store that were hashed, and are not whole.
    """

    judged: tuple[Judged, ...]
    copies: Mapping[str, int]
    packs: tuple[Pack, ...]
    rows: Mapping[str, tuple[Blob, ...]]
    reused: frozenset[str]
    carried: Mapping[str, int]
    paths: Mapping[str, str]
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
    wanted = [None if one.fate == "held" else one.artifact for one in judged]
    sources = Sources(transfer, store, damaged, filter(None, wanted))
    planned = []
    needed = Found()
    lost: set[str] = set()
    rows: dict[str, tuple[Blob, ...]] = {}
    for one, artifact in zip(judged, wanted, strict=True):
        fresh = one.fate == "new"
        found = sources.find(one.sha256, artifact, fresh=fresh) if artifact else Found()
        lost |= found.nowhere
        if found.nowhere and fresh:
            planned.append(_without_base(one, found.nowhere, transfer))
            continue
        planned.append(one)
        needed |= found
        if kept := rows_to_keep(one.checks, carried_rows(transfer), store):
            rows[one.sha256] = kept
            needed |= sources.find_rows(kept)
    return Plan(
        tuple(planned),
        needed.medium,
        tuple(sorted(needed.packs)),
        rows,
        frozenset(needed.store),
        sources.carried,
        sources.paths,
        frozenset(lost),
        damaged,
    )


def large_files(transfer: Transfer) -> dict[str, CarriedFile]:
    """Every blob that a transfer lists, and every file of check rows, by its digest."""
    files = sorted(transfer.files, key=lambda one: one.path, reverse=True)
    return {one.sha256: one for one in files if layout.is_large(one.path)}


@dataclass(frozen=True)
class Found:
    """Where what an artifact consists of is to come from.

    Attributes:
        medium: what is taken from there, digest to bytes.
        packs: in which some of that lies.
        store: what is taken from there.
        nowhere: what neither has.
    """

    medium: dict[str, int] = field(default_factory=dict)
    packs: set[Pack] = field(default_factory=set)
    store: set[str] = field(default_factory=set)
    nowhere: set[str] = field(default_factory=set)

    def __or__(self, other: Found) -> Found:
        """Of both."""
        return Found(
            self.medium | other.medium,
            self.packs | other.packs,
            self.store | other.store,
            self.nowhere | other.nowhere,
        )


class Sources:
    """The medium and the store, as places where a blob can be had.

    Args:
        transfer: what the medium carries.
        store: the site's.
        damaged: blobs of the store that are known not to be whole.
        artifacts: in whose packs on the medium files are looked for, whoever needs them.
    """

    def __init__(
        self,
        transfer: Transfer,
        store: BlobFolder,
        damaged: Collection[str],
        artifacts: Iterable[Artifact],
    ) -> None:
        listed = large_files(transfer)
        self.carried = {digest: file.size for digest, file in listed.items()}
        self.paths = {digest: file.path for digest, file in listed.items()}
        self._rows = carried_rows(transfer)
        self._store = store
        self._damaged = damaged
        self._packs = {
            (file.sha256, file.size): pack
            for artifact in artifacts
            for pack in artifact.packs
            if self.carried.get(pack.sha256) == pack.size
            for file in pack.files
        }

    def find(self, sha256: str, artifact: Artifact, *, fresh: bool) -> Found:
        """Where the manifest `sha256`, the config and the files of `artifact` are.

        Args:
            sha256: of the manifest.
            artifact: what it says.
            fresh: it is not installed yet. Of what is, only what the medium could mend is worth
                the hashing.
        """
        found = Found()
        manifest = ArtifactFile("manifest", sha256, len(manifest_bytes(artifact)))
        for file in (manifest, *artifact.contents):
            alone = self.carried.get(file.sha256) == file.size
            pack = None if alone else self._packs.get((file.sha256, file.size))
            carried = alone or pack is not None
            if file.sha256 not in self._damaged and self._store.holds(file.sha256, file.size):
                found.store.update([file.sha256] if carried or fresh else [])
            elif carried:
                found.medium[file.sha256] = file.size
                found.packs.update([pack] if pack is not None else [])
            else:
                found.nowhere.add(file.sha256)
        return found

    def find_rows(self, rows: Collection[Blob]) -> Found:
        """Where check rows are; of what is nowhere a check will say so, and nothing is held."""
        medium, store = rows_to_take(rows, self._rows, self._store, self._damaged)
        return Found(medium=medium, store=store)


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

    What was staged of them takes no further room.

    Raises:
        FailedError: it does not.
    """
    staged = {path.name: path.lstat().st_size for path in _staged(home)}
    due = [size for digest, size in copies.items() if staged.get(digest) != size]
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


def stage_blobs(
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
        staged = home.staged
        staged.mkdir(parents=True, exist_ok=True)
        with Unflushed() as unflushed:
            for digest, source in stream.read_ahead(alone, _opened(medium, paths), stays=False):
                _stage(digest, left[digest], source, staged / digest, progress, unflushed)
            for file, data in _unpacked(due, medium):
                if left.pop(file.sha256, None) is not None:
                    source = BytesIO(data)
                    path = staged / file.sha256
                    _stage(file.sha256, file.size, source, path, progress, unflushed)
    except OSError as bad:
        raise durable.unwritable(home.staged, bad) from bad


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


def _still_whole(copies: Mapping[str, int], home: Home, begin_phase: BeginPhase) -> frozenset[str]:
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

    progress = begin_phase("check what is there", sum(there.values()))
    return frozenset(
        digest
        for digest, found in stream.hash_all(there, opened, progress)
        if found == (digest, there[digest])
    )


def _opened(medium: Medium, paths: Mapping[str, str]) -> Callable[[str], BinaryIO]:
    """Opens a medium's large files by their digests."""
    return lambda digest: medium.open(paths[digest])


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
