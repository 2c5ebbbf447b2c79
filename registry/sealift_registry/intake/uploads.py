"""Files that somebody sends in pieces, to be taken in once they are whole.

An upload is a folder in that of its account, with what was declared of the file, and as much of it
as came. How far it is says the file's own length, so that whoever was cut off, or a server that was
killed, goes on from there. It is whole once it has the declared length and digest; what has another
one is removed. Who begins one holds the account's lock: what one account has is counted by one at a
time, in whatever process, and nothing of others is looked at for it.
Nothing of it is opened here: what a file holds is looked at when it is taken in, by a worker.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sealift_registry.intake.declared_files import Declared, check
from sealift_signing import disk, file_access, locks, shape
from sealift_signing.drawing import word
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.vocabulary import counted
from sealift_sync import durable, stream

GIB = 1 << 30
LEAST_FREE = GIB // 4
"""Bytes that the disk keeps free, whatever is sent: the hub works there."""
KEPT = timedelta(days=2)
"""Since the last piece came; what is older is swept."""
SWEPT_EVERY = timedelta(hours=1)
DECLARED, DATA, LOCK, WHOLE = "declared.json", "data", "lock", "whole"
SWEPT = "swept"
JOB = "job"
"""The file that says which job takes an upload in: it is kept until that has ended."""
_ID = re.compile(r"[0-9a-f]{32}")
_ACCOUNT = re.compile(r"[A-Za-z]{1,20}-[A-Za-z0-9]{1,40}")


@dataclass(frozen=True)
class Upload:
    """A file on its way.

    Attributes:
        id: by which it is named; hard to guess.
        declared: what it will be.
        offset: how much of it is here.
        path: the file, under the name that was declared.
        is_whole: whether all of it is here, and its digest was compared.
    """

    id: str
    declared: Declared
    offset: int
    path: Path
    is_whole: bool

    @property
    def folder(self) -> Path:
        """Where all of it is."""
        return self.path.parent.parent


def never(_job: str) -> bool:
    """No job is over."""
    return False


@dataclass(frozen=True)
class Uploads:
    """The uploads of a hub's host.

    Attributes:
        folder: where they are.
        quota: bytes that one account may have on their way at once, as declared.
        most: files that one account may have on their way at once.
    """

    folder: Path
    quota: int
    most: int

    def begin(self, declared: Declared, is_over: Callable[[str], bool] = never) -> Upload:
        """Declare a file, of which nothing is here yet; the same again is the one that there is.

        What a job has taken in, and ended, makes room for it.

        Args:
            declared: what it will be.
            is_over: whether a job has ended.

        Raises:
            UsageError: it is of no kind that may be sent, or its name cannot be.
            RefusedError: the account has too much on its way.
            FailedError: the disk has no room for it, or cannot be written.
        """
        check(declared)
        own = self._own(declared.account)
        try:
            for folder in (self.folder, own):
                folder.mkdir(mode=file_access.FOLDER, parents=True, exist_ok=True)
            with locks.held(own / LOCK):
                return self._begun(own, declared, is_over)
        except OSError as bad:
            raise durable.unwritable(own, bad) from bad

    def _begun(self, own: Path, declared: Declared, is_over: Callable[[str], bool]) -> Upload:
        for folder in _folders(own):  # where somebody was killed here; now nobody else begins
            if not (folder / DECLARED).exists():
                shutil.rmtree(folder, ignore_errors=True)
        for one in self.of(declared.account):
            if replace(one.declared, made=declared.made) == declared:
                return one
        self._check_own(own, declared, is_over)
        check_room(own, declared.size)
        made = own / secrets.token_hex(16)
        try:
            for folder in (made, made / DATA):
                folder.mkdir(mode=file_access.FOLDER)
            durable.write(made / DECLARED, shape.write(declared), mode=file_access.FILE)
            return _read(made)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise

    def _check_own(self, own: Path, declared: Declared, is_over: Callable[[str], bool]) -> None:
        """Check that an account may have this on its way as well.

        Raises:
            RefusedError: it has too much.
        """
        there = sorted(self.of(declared.account), key=lambda one: one.declared.made)
        for one in there:
            if not self._is_beyond(own, declared):
                return
            if (one.folder / JOB).exists() and is_over(_job_of(one.folder)):
                self.remove(one)
        count, size = self._counted(own, declared.account)
        if count >= self.most:
            raise RefusedError(
                "uploads-under-way",
                f"{counted(count, 'file')} are on their way from this account, and "
                f"{self.most:,} may be (server.uploads_at_once).",
                subject=declared.name,
                next_step="Take in or remove what is there, or have server.uploads_at_once raised.",
            )
        if size + declared.size > self.quota:
            raise RefusedError(
                "upload-quota",
                f"With {declared.size:,} bytes more, {size + declared.size:,} would be on their "
                f"way from this account; {self.quota:,} may be.",
                subject=declared.name,
                next_step="Take in or remove what is there, or have server.upload_gib raised.",
            )

    def _is_beyond(self, own: Path, declared: Declared) -> bool:
        count, size = self._counted(own, declared.account)
        return count >= self.most or size + declared.size > self.quota

    def _counted(self, own: Path, account: str) -> tuple[int, int]:
        """How many files an account has on their way, and of how many bytes."""
        return len(_folders(own)), sum(one.declared.size for one in self.of(account))

    def get(self, name: str, account: str) -> Upload:
        """An upload of this account.

        Raises:
            NotFoundError: it has none of that name, or none any more.
        """
        if _ID.fullmatch(name):
            # Before each account had a folder, all were beside one another: those go on.
            for folder in (self._own(account) / name, self.folder / name):
                with suppress(SealiftError, OSError):
                    found = _read(folder)
                    if found.declared.account == account:
                        return found
        raise missing(name)

    def of(self, account: str) -> list[Upload]:
        """All that an account has on its way."""
        found = []
        for folder in _folders(self._own(account)):
            with suppress(SealiftError, OSError):  # just removed
                found.append(_read(folder))
        return found

    @contextmanager
    def adding(self, upload: Upload, offset: int) -> Iterator[Adding]:
        """Add to an upload from `offset` on; one who does so keeps all others out.

        Raises:
            RefusedError: it goes on elsewhere, or is whole; or somebody adds to it now.
            FailedError: it cannot be written.
        """
        with _alone(upload):
            there = _read(upload.folder)
            if there.offset != offset or there.is_whole:
                raise elsewhere(there, offset)
            check_room(there.folder, there.declared.size - offset)
            with _opened(there.path) as file:
                yield Adding(there, file)

    def finish(self, upload: Upload) -> Upload:
        """Compare an upload of which all has come; what is another file is removed.

        Whoever compares one keeps all others out: none is read by two at once.

        Raises:
            NotFoundError: it was removed meanwhile.
            RefusedError: it has another digest; or somebody adds to it or compares it now.
            FailedError: it cannot be read.
        """
        with _alone(upload):
            there = _read(upload.folder)
            if there.is_whole:
                return there
            with there.path.open("rb") as file:
                found, _ = stream.hash_file(file)
            if not (there.folder / DECLARED).exists():
                raise missing(there.id)
            if found != there.declared.sha256:
                self.remove(there)
                raise RefusedError(
                    "upload-other-file",
                    f"What came of {word(there.declared.name)} is {found[:12]}, and "
                    f"{there.declared.sha256[:12]} was declared. It was removed.",
                    subject=there.declared.name,
                    next_step="Send the file anew: it was changed, or damaged on its way.",
                )
            durable.write(there.folder / WHOLE, b"", mode=file_access.FILE)
            return replace(there, is_whole=True)

    def remove(self, upload: Upload) -> None:
        """Remove an upload, however much of it is here."""
        shutil.rmtree(upload.folder, ignore_errors=True)

    def whole(self, id_: str, account: str, team: str, kind: str) -> Upload:
        """An upload that can be taken in: of this account and kind, for this team, and whole.

        Raises:
            NotFoundError: there is none of that name that is so.
            RefusedError: not all of it has come.
        """
        found = self.get(id_, account)
        if (found.declared.team, found.declared.kind) != (team, kind):
            raise missing(id_)
        if not found.is_whole:
            raise RefusedError(
                "upload-not-whole",
                f"Of {word(found.declared.name)} {counted(found.offset, 'byte')} are here, of "
                f"{found.declared.size:,}.",
                subject=id_,
                next_step="Send the rest of it first.",
            )
        return found

    def keep_for(self, upload: Upload, job: str) -> None:
        """Keep an upload until a job that takes it in has ended."""
        durable.write(upload.folder / JOB, job.encode(), mode=file_access.FILE)

    def sweep_at_times(self, now: datetime, is_over: Callable[[str], bool]) -> int:
        """Sweep, where nobody did within the hour: it looks at what all accounts have."""
        stamp = self.folder / SWEPT
        try:
            with suppress(FileNotFoundError):
                age = now.timestamp() - stamp.stat().st_mtime
                if 0 <= age < SWEPT_EVERY.total_seconds():
                    return 0
            stamp.touch(mode=file_access.FILE)
            os.utime(stamp, (now.timestamp(), now.timestamp()))
        except OSError:  # nothing was ever sent; or whoever begins is told
            return 0
        return self.sweep(now, is_over)

    def sweep(self, now: datetime, is_over: Callable[[str], bool] = lambda _: True) -> int:
        """Remove what nothing was added to for long, and no job is to take in; how many there were.

        Args:
            now: by the hub's clock.
            is_over: whether a job has ended.
        """
        count = 0
        owns = [one for one in _listed(self.folder) if _ACCOUNT.fullmatch(one.name)]
        for folder in (one for own in (self.folder, *owns) for one in _folders(own)):
            with suppress(OSError):
                newest = max(one.stat().st_mtime for one in (folder, *folder.rglob("*")))
                is_old = now.timestamp() - newest > KEPT.total_seconds()
                if is_old and (not (folder / JOB).exists() or is_over(_job_of(folder))):
                    with locks.at_once(folder / LOCK) as ours:
                        if ours:
                            shutil.rmtree(folder, ignore_errors=True)
                            count += 1
        return count

    def _own(self, account: str) -> Path:
        """The folder of an account's uploads.

        Raises:
            NotFoundError: it is no account's name.
        """
        if not _ACCOUNT.fullmatch(account):
            raise missing(account)
        return self.folder / account


# ---------------------------------------------------------------------- files


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _folders(folder: Path) -> list[Path]:
    """Those of uploads in it."""
    return [one for one in _listed(folder) if _ID.fullmatch(one.name)]


def _read(folder: Path) -> Upload:
    data = disk.read(folder / DECLARED)
    declared = shape.read(Declared, data, what=f"the upload {folder.name}")
    path = folder / DATA / declared.name
    size = 0
    with suppress(FileNotFoundError):
        size = path.stat().st_size
    return Upload(folder.name, declared, size, path, (folder / WHOLE).is_file())


@contextmanager
def _alone(upload: Upload) -> Iterator[None]:
    """Keep all others from an upload that add to it or compare it.

    Raises:
        NotFoundError: it was removed.
        RefusedError: somebody does so now.
    """
    with ExitStack() as stack:
        try:
            ours = stack.enter_context(locks.at_once(upload.folder / LOCK))
        except FileNotFoundError as bad:
            raise missing(upload.id) from bad
        if not ours:
            raise under_way(upload.id)
        yield


def check_room(folder: Path, more: int) -> None:
    """Check that the disk of a folder has room for so many bytes.

    Raises:
        FailedError: it has not.
    """
    free = shutil.disk_usage(folder).free
    if free - more < LEAST_FREE:
        raise FailedError(
            "disk-full",
            f"There is no room for {more:,} bytes more: {free:,} are free, of which "
            f"{LEAST_FREE:,} are kept back.",
            next_step="Make room on the hub's disk, and send it again.",
        )


@dataclass
class Adding:
    """Somebody adds to an upload.

    Attributes:
        upload: as it was before.
        file: at its end.
    """

    upload: Upload
    file: BinaryIO

    @property
    def left(self) -> int:
        """Bytes that have not come yet."""
        return self.upload.declared.size - self.file.tell()

    def add(self, piece: bytes) -> None:
        """Add the next bytes.

        Raises:
            TooLongError: they are more than were declared; none of them is added.
            FailedError: there is no room, as others send as well, or they could not be written;
                what could be is kept.
        """
        check_room(self.upload.folder, len(piece))
        if len(piece) > self.left:
            raise TooLongError(
                "upload-too-long",
                f"More came of {word(self.upload.declared.name)} than the "
                f"{counted(self.upload.declared.size, 'byte')} that were declared.",
                subject=self.upload.declared.name,
                next_step="Send the file anew, and declare as many bytes as it has.",
            )
        try:
            self.file.write(piece)
        except OSError as bad:
            raise durable.unwritable(self.upload.path, bad) from bad

    def end(self) -> int:
        """Have what came be kept; how much is here now."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as bad:
            raise durable.unwritable(self.upload.path, bad) from bad
        return self.file.tell()


class TooLongError(RefusedError):
    """More bytes came than were declared."""


def missing(name: str) -> NotFoundError:
    """The error where whoever asks has no such upload, or none that can be used so."""
    return NotFoundError(
        "no-upload",
        f"You have no upload {word(name)}.",
        subject=name,
        next_step=f"Begin one. What nothing is added to for {KEPT.days} days is removed.",
    )


def under_way(name: str) -> RefusedError:
    """What is said to whoever would add to what another request adds to, or compares."""
    return RefusedError(
        "upload-under-way",
        "Another request adds to this upload now, or what came of it is being compared.",
        subject=name,
        next_step="Wait until it has ended, and ask how far it is.",
    )


def elsewhere(upload: Upload, offset: int) -> RefusedError:
    """What is said to whoever goes on at another place than where it ended."""
    return RefusedError(
        "upload-offset",
        f"{counted(upload.offset, 'byte')} of {upload.declared.size:,} are here, and you go on at "
        f"{offset:,}.",
        subject=upload.id,
        next_step="Ask how far it is (HEAD), and go on from there.",
    )


def _job_of(folder: Path) -> str:
    return disk.read(folder / JOB).decode(errors="replace")


def _opened(path: Path) -> BinaryIO:
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.fdopen(os.open(path, flags, file_access.FILE), "ab")
    except OSError as bad:
        raise durable.unwritable(path, bad) from bad
    file.seek(0, os.SEEK_END)
    return file
