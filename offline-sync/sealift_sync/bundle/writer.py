"""Writing a bundle: under a temporary name, flushed, read back from the medium, then renamed.

A half-written bundle bears a temporary name and has no transfer.json, without which nobody can
import it. The read-back asks the medium, not the page cache: a stick that says "written" and is not
is found here and not at the site. What a run that was cut short has written stays for the next one,
which hashes it before it counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from sealift_signing import file_access
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.statements import CarriedFile
from sealift_signing.vocabulary import CatalogPath, site_of
from sealift_sync import durable, stream
from sealift_sync.artifact import LAYOUT, index_bytes
from sealift_sync.blobs import BlobStore
from sealift_sync.bundle import fitting, layout, partial
from sealift_sync.bundle.medium import Medium, make_folder
from sealift_sync.durable import BeginPhase, Progress, Unflushed

GONE_WRONG = {"read-back-differs", "file-missing", "not-a-file", "hub-blob-damaged"}
"""Errors after which nothing on the medium is worth going on from: it lies, or the hub would."""


@dataclass(frozen=True)
class Contents:
    """All that a bundle carries but its transfer.json.

    Attributes:
        read_me: for whoever finds the medium.
        metadata: TUF files by their name below metadata/.
        targets: documents by their TUF path.
        statements: envelopes by their sha256.
        log: checkpoints and proofs by their name below log/.
        manifests: each artifact's manifest.
        blobs: the digest of every blob that is carried but the manifests; they lie in `store`.
        checks: the digest of every file of check rows; they lie there, too. Whoever signs the
            transfer names the feature (`check_rows.FEATURE`) under its `requires`.
    """

    read_me: str
    metadata: Mapping[str, bytes]
    targets: Mapping[str, bytes]
    statements: Mapping[str, bytes]
    log: Mapping[str, bytes]
    manifests: Mapping[CatalogPath, bytes]
    blobs: frozenset[str]
    store: BlobStore
    checks: frozenset[str] = frozenset()

    def small_files(self) -> dict[str, bytes]:
        """Every file that is held in memory, by its path in the bundle."""
        digests = {path: sha256(data).hexdigest() for path, data in self.manifests.items()}
        files = {
            layout.READ_ME: self.read_me.encode(),
            layout.OCI_LAYOUT: LAYOUT,
            layout.INDEX: index_bytes(self.manifests, digests),
        }
        files |= {f"{layout.METADATA}/{name}": data for name, data in self.metadata.items()}
        files |= {layout.target_file(path): data for path, data in self.targets.items()}
        files |= {layout.statement_file(name): data for name, data in self.statements.items()}
        files |= {f"{layout.LOG}/{name}": data for name, data in self.log.items()}
        files |= {layout.blob_file(digests[path]): data for path, data in self.manifests.items()}
        return files

    def stored_files(self) -> dict[str, str]:
        """The digest of every file that lies in `store`, by its path in the bundle."""
        blobs = {layout.blob_file(one): one for one in self.blobs}
        return blobs | {layout.check_file(one): one for one in self.checks}

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """The size of every file by its path in the bundle, transfer.json aside."""
        small = {path: len(data) for path, data in self.small_files().items()}
        stored = self.stored_files()
        there = self.store.sizes(frozenset(stored.values()))
        for digest in stored.values():
            if digest not in there:
                raise self.store.missing(digest)
        return small | {path: there[one] for path, one in stored.items()}

    def size(self) -> int:
        """The bytes that will be written, transfer.json aside."""
        return sum(self.sizes.values())


def write_bundle(
    contents: Contents,
    medium: Path,
    transfer_id: str,
    sign: Callable[[tuple[CarriedFile, ...]], bytes],
    begin_phase: BeginPhase,
    record: Callable[[bytes], None] = lambda _transfer: None,
) -> Path:
    """Write the bundle `transfer_id` to `medium`; returns its folder.

    Files of it that an earlier run left there whole are kept.

    Args:
        contents: what it carries.
        medium: the medium's top folder; must exist.
        transfer_id: also the folder's name.
        sign: makes transfer.json, given every other file; they have been read back by then.
        begin_phase: told of each phase, and of its progress.
        record: given transfer.json once everything else came back whole, and before it is on the
            medium: if it raises there is no bundle, so none is ever out that was not recorded, not
            even for whoever takes the medium away at that moment and renames what lies there.

    Raises:
        RefusedError: the medium has a link where a folder belongs.
        FailedError: it does not fit, could not be written, or what came back from the medium was
            not what was written; in each case there is no bundle of that name. What the fault of a
            medium that does not lie has interrupted stays, for the next run to go on from.
    """
    final, aside = medium / layout.SEALIFT / transfer_id, partial.folder(medium, transfer_id)
    space = fitting.survey(medium, site_of(transfer_id))
    transfer = sign(write_unsigned(contents, medium, transfer_id, begin_phase))
    try:
        fitting.check_same(medium, space)
        record(transfer)
        _put_transfer(aside, transfer)
        _give_name(aside, final)
    except OSError as bad:
        raise cut_short(final, bad) from bad
    return final


def write_unsigned(
    contents: Contents, medium: Path, transfer_id: str, begin_phase: BeginPhase
) -> tuple[CarriedFile, ...]:
    """Write all of the bundle but transfer.json, under its temporary name, and read it back.

    Returns what is there now. Raises as `write_bundle`.
    """
    final = medium / layout.SEALIFT / transfer_id
    fitting.check(contents.sizes, fitting.survey(medium, site_of(transfer_id)), medium)
    try:
        make_folder(medium, layout.SEALIFT)
        durable.flush_folder(medium)
        _check_new(final)
        return _write_aside(contents, partial.folder(medium, transfer_id), begin_phase)
    except OSError as bad:
        raise cut_short(final, bad) from bad


def lies_whole(
    medium: Path, transfer_id: str, files: tuple[CarriedFile, ...], begin_phase: BeginPhase
) -> bool:
    """Whether a bundle lies unsigned on `medium`, with all of these `files` as they were."""
    aside = partial.folder(medium, transfer_id)
    if aside.parent.is_symlink() or aside.is_symlink() or not aside.is_dir():
        return False
    try:
        _read_back(aside, files, begin_phase("read back", _sum(files)))
    except (SealiftError, OSError):
        return False
    return True


def sign_off(
    medium: Path,
    transfer_id: str,
    transfer: bytes,
    files: tuple[CarriedFile, ...],
    begin_phase: BeginPhase,
    record: Callable[[], None],
) -> Path:
    """Give a bundle that lies unsigned on `medium` the `transfer` that was signed for its `files`.

    Args:
        medium: the medium's top folder.
        transfer_id: also the folder's name.
        transfer: transfer.json.
        files: every other file, by what was signed.
        begin_phase: told of each phase, and of its progress.
        record: called once they all came back whole, before transfer.json is on the medium.

    Raises:
        NotFoundError: no bundle lies there unsigned.
        RefusedError: what lies there is not what was signed for.
        FailedError: it could not be read or written.
    """
    final, aside = medium / layout.SEALIFT / transfer_id, partial.folder(medium, transfer_id)
    try:
        if final.parent.is_symlink() or aside.is_symlink() or not aside.is_dir():
            raise NotFoundError(
                "no-unsigned-bundle",
                f"No bundle {transfer_id} waits on {medium} to be signed.",
                subject=transfer_id,
                next_step="Plug in the medium that it was written to, or export again.",
            )
        _check_new(final)
        partial.keep_only(aside, {one.path: one.size for one in files})
        _check_signed_for(aside, files, begin_phase("read back", _sum(files)))
        record()
        _put_transfer(aside, transfer)
        _give_name(aside, final)
        durable.flush_folder(final.parent)
    except OSError as bad:
        raise cut_short(final, bad) from bad
    return final


def _check_signed_for(aside: Path, files: tuple[CarriedFile, ...], progress: Progress) -> None:
    try:
        _read_back(aside, files, progress)
    except SealiftError as bad:
        if bad.code not in GONE_WRONG:
            raise
        raise RefusedError(
            "not-signed-for",
            f"{bad.subject} is not on the medium as it was signed: somebody has changed it since, "
            "or the medium is failing. Nothing was added to it.",
            subject=bad.subject,
            next_step="Export again, to a medium that stayed where you can vouch for it.",
        ) from bad


def finish_bundle(
    medium: Path,
    transfer_id: str,
    transfer: bytes,
    files: tuple[CarriedFile, ...],
    begin_phase: BeginPhase,
) -> Path | None:
    """Give the bundle its name that an earlier run recorded, as `transfer` with these `files`.

    Returns its folder, named already or now; None where nothing of it is on the medium.

    Raises:
        FailedError: it could not be read, or does not come back as it was written.
        RefusedError: something in it is no regular file.
    """
    final, aside = medium / layout.SEALIFT / transfer_id, partial.folder(medium, transfer_id)
    own = CarriedFile(layout.TRANSFER, len(transfer), sha256(transfer).hexdigest())
    every = (*files, own)
    try:
        if final.parent.is_symlink():
            return None
        named = not final.is_symlink() and final.is_dir()
        if not named and not os.path.lexists(aside):
            return None
        if not named:
            partial.keep_only(aside, {one.path: one.size for one in every})
            _put_transfer(aside, transfer)
        _read_back(final if named else aside, every, begin_phase("read back", _sum(every)))
        if not named:
            _give_name(aside, final)
        durable.flush_folder(final.parent)
    except OSError as bad:
        raise cut_short(final, bad) from bad
    except NotFoundError as bad:
        raise _differs(bad.subject) from bad
    return final


def cut_short(final: Path, reason: OSError) -> FailedError:
    """The error for a bundle whose writing was interrupted; what is written stays."""
    bad = durable.unwritable(final, reason)
    bad.next_step = (
        "Make room, or put the medium back, and run the command again: "
        "it goes on from what is written."
    )
    return bad


def _check_new(final: Path) -> None:
    if os.path.lexists(final):
        raise FailedError(
            "bundle-exists",
            f"{final} exists already, and a bundle is never overwritten.",
            subject=str(final),
            next_step="Export again; a new transfer has a new name.",
        )


def _write_aside(
    contents: Contents, aside: Path, begin_phase: BeginPhase
) -> tuple[CarriedFile, ...]:
    """Write everything but transfer.json to `aside` and read it back; returns what is there."""
    with _nothing_that_lies(aside):
        files = _copy(contents, aside, begin_phase)
        _flush(aside)
        _read_back(aside, files, begin_phase("read back", _sum(files)))
    return files


def _put_transfer(aside: Path, transfer: bytes) -> None:
    """Write transfer.json, which was recorded, beside all else; what a cut left of it goes."""
    with _nothing_that_lies(aside):
        (aside / layout.TRANSFER).unlink(missing_ok=True)
        with Unflushed(file_access.SHOWN_FILE) as unflushed:
            _put(aside / layout.TRANSFER, BytesIO(transfer), lambda _: None, unflushed)
        durable.flush_folder(aside)
        own = CarriedFile(layout.TRANSFER, len(transfer), sha256(transfer).hexdigest())
        _read_back(aside, (own,), lambda _: None)


@contextmanager
def _nothing_that_lies(aside: Path) -> Iterator[None]:
    """Take `aside` away where it is found that the medium lies, or that the hub's blobs do."""
    try:
        yield
    except SealiftError as bad:
        if bad.code in GONE_WRONG:
            with suppress(SealiftError):
                partial.remove(aside)
        raise


def _copy(contents: Contents, aside: Path, begin_phase: BeginPhase) -> tuple[CarriedFile, ...]:
    """Have every file of `contents` in `aside`; returns them in the order of their paths."""
    sizes = contents.sizes
    kept = partial.keep_only(aside, sizes)
    for folder in sorted(partial.folders(sizes)):
        # Below `aside` only: if the medium is gone by now, its path is not made again elsewhere.
        file_access.shown_folder(aside / folder)
    small = {
        CarriedFile(path, len(data), sha256(data).hexdigest()): data
        for path, data in contents.small_files().items()
    }
    stored = [
        CarriedFile(path, sizes[path], digest) for path, digest in contents.stored_files().items()
    ]
    files = tuple(sorted((*small, *stored), key=lambda one: one.path))
    whole = _still_whole(aside, [one for one in files if one.path in kept], begin_phase)
    left = [one for one in files if one not in whole]
    progress = begin_phase("copy", _sum(left))
    with Unflushed(file_access.SHOWN_FILE) as unflushed:
        for one in left:
            if one in small:
                _put(aside / one.path, BytesIO(small[one]), progress, unflushed)
        _put_blobs(
            contents.store, [one for one in left if one not in small], aside, progress, unflushed
        )
    return files


def _still_whole(
    aside: Path, files: Collection[CarriedFile], begin_phase: BeginPhase
) -> frozenset[CarriedFile]:
    """Those that an earlier run wrote whole; the others are taken away.

    Asked of the medium: after a kill a file may be in the page cache and nowhere else.
    """
    if not files:
        return frozenset()
    medium = Medium(aside)
    for file in files:
        with medium.open(file.path) as left:
            os.fsync(left.fileno())
    progress = begin_phase("check what is there", _sum(files))
    whole = frozenset(file for file, is_so in _hashed(aside, files, progress) if is_so)
    for file in files:
        if file not in whole:
            (aside / file.path).unlink()
    return whole


def _put_blobs(
    store: BlobStore,
    files: Iterable[CarriedFile],
    aside: Path,
    progress: Progress,
    unflushed: Unflushed,
) -> None:
    """In one pass: each is hashed while it is copied, wherever the store is."""
    by_digest: dict[str, CarriedFile] = {}
    again = [one for one in files if by_digest.setdefault(one.sha256, one) is not one]
    sizes = {digest: file.size for digest, file in by_digest.items()}
    for digest, source in store.each(sizes):
        file = by_digest[digest]
        found = _put(aside / file.path, source, progress, unflushed)
        if found != (file.sha256, file.size):
            raise RefusedError(
                "hub-blob-damaged",
                f"The blob {file.sha256[:12]} is damaged in the hub's own store; nothing was "
                "exported.",
                subject=file.sha256,
                next_step="Restore it from a backup, or ingest that version again.",
            )
    if again:  # the same bytes under a second name
        _put_blobs(store, again, aside, progress, unflushed)


def _put(path: Path, source: BinaryIO, progress: Progress, unflushed: Unflushed) -> tuple[str, int]:
    return stream.copy_hashed(source, unflushed.new(path), progress, stays=False)


def _flush(folder: Path) -> None:
    """Make every name in `folder` durable, and its own: what is recorded must be found again."""
    for parent, _, _ in os.walk(folder):
        durable.flush_folder(Path(parent))
    durable.flush_folder(folder.parent)


def _give_name(aside: Path, final: Path) -> None:
    aside.rename(final)
    durable.flush_folder(final.parent)


def _sum(files: Iterable[CarriedFile]) -> int:
    return sum(file.size for file in files)


def _read_back(folder: Path, files: tuple[CarriedFile, ...], progress: Progress) -> None:
    for file, whole in _hashed(folder, files, progress):
        if not whole:
            raise _differs(file.path)


def _hashed(
    folder: Path, files: Iterable[CarriedFile], progress: Progress
) -> Iterator[tuple[CarriedFile, bool]]:
    """Each of the files with whether the medium has it whole."""
    medium = Medium(folder)

    def opened(file: CarriedFile) -> BinaryIO:
        source = medium.open(file.path)
        durable.drop_cache(source)
        return source

    sizes = {file: file.size for file in files}
    for file, found in stream.hash_all(sizes, opened, progress, stays=False):
        yield file, found == (file.sha256, file.size)


def _differs(path: str) -> FailedError:
    return FailedError(
        "read-back-differs",
        f"{path} was read back from the medium with other bytes than were written.",
        subject=path,
        next_step="The medium is failing: use another one.",
    )
