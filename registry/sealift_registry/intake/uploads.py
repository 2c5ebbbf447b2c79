"""Files that somebody sends in pieces, to be taken in once they are whole.

An upload is a folder with what was declared of the file, and as much of it as came. How far it is
says the file's own length, so that whoever was cut off, or a server that was killed, goes on from
there. It is whole once it has the declared length and digest; what has another one is removed.
Nothing of it is opened here: what a file holds is looked at when it is taken in, by a worker.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal

from sealift_registry.intake.incoming_folder import check_name
from sealift_signing import disk, file_access, locks, shape
from sealift_signing.canonical import Json
from sealift_signing.drawing import word
from sealift_signing.errors import (
    FailedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    UsageError,
)
from sealift_signing.vocabulary import Moment, Name, Sentence, Sha256, counted, instant, moment
from sealift_sync import durable, stream

GIB = 1 << 30
LEAST_FREE = GIB // 4
"""Bytes that the disk keeps free, whatever is sent: the hub works there."""
KEPT = timedelta(days=2)
"""Since the last piece came; what is older is swept."""
ENDINGS = {"onnx": ".onnx", "goldens": ".npz"}
"""What may be sent, and how its name ends. Files of other formats are fetched from their origin by
the hub itself, until there is a cell in which a stranger's can be opened."""
DECLARED, DATA, LOCK, WHOLE = "declared.json", "data", "lock", "whole"
JOB = "job"
"""The file that says which job takes an upload in: it is kept until that has ended."""
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Declared:
    """What was declared of a file before any of it came.

    Attributes:
        account: who sends it; nobody else adds to it or takes it in.
        team: for whose models.
        kind: `onnx`, a model; or `goldens`.
        name: of the file.
        size: in bytes.
        sha256: of all of it.
        made: when it was declared.
    """

    format: Literal[1]
    account: Sentence
    team: Name
    kind: Literal["onnx", "goldens"]
    name: Sentence
    size: int
    sha256: Sha256
    made: Moment


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


@dataclass(frozen=True)
class Uploads:
    """The uploads of a hub's host.

    Attributes:
        folder: where they are.
        quota: bytes that one account may have on their way at once, as declared.
    """

    folder: Path
    quota: int

    def begin(self, declared: Declared) -> Upload:
        """Declare a file, of which nothing is here yet; the same again is the one that there is.

        Raises:
            UsageError: it is of no kind that may be sent, or its name cannot be.
            RefusedError: the account has too much on its way.
            FailedError: the disk has no room for it, or cannot be written.
        """
        _check(declared)
        others = self.of(declared.account)
        for one in others:
            if replace(one.declared, made=declared.made) == declared:
                return one
        there = sum(one.declared.size for one in others)
        if there + declared.size > self.quota:
            raise RefusedError(
                "upload-quota",
                f"With {declared.size:,} bytes more, {there + declared.size:,} would be on their "
                f"way from this account; {self.quota:,} may be.",
                subject=declared.name,
                next_step="Take in or remove what is there, or have server.upload_gib raised.",
            )
        self._check_room(declared.size)
        made = self.folder / secrets.token_hex(16)
        try:
            for folder in (self.folder, made, made / DATA):
                folder.mkdir(mode=file_access.FOLDER, parents=True, exist_ok=True)
            durable.write(made / DECLARED, shape.write(declared), mode=file_access.FILE)
        except OSError as bad:
            shutil.rmtree(made, ignore_errors=True)
            raise durable.unwritable(made, bad) from bad
        return self._read(made)

    def get(self, name: str, account: str) -> Upload:
        """An upload of this account.

        Raises:
            NotFoundError: it has none of that name, or none any more.
        """
        if _ID.fullmatch(name):
            with suppress(SealiftError, OSError):
                found = self._read(self.folder / name)
                if found.declared.account == account:
                    return found
        raise missing(name)

    def of(self, account: str) -> list[Upload]:
        """All that an account has on its way."""
        return [one for one in self._all() if one.declared.account == account]

    @contextmanager
    def adding(self, upload: Upload, offset: int) -> Iterator[Adding]:
        """Add to an upload from `offset` on; one who does so keeps all others out.

        Raises:
            RefusedError: it goes on elsewhere, or is whole; or somebody adds to it now.
            FailedError: it cannot be written.
        """
        folder = self.folder / upload.id
        with locks.at_once(folder / LOCK) as ours:
            if not ours:
                raise RefusedError(
                    "upload-under-way",
                    "Another request adds to this upload now.",
                    subject=upload.id,
                    next_step="Wait until it has ended, and ask how far it is.",
                )
            there = self._read(folder)
            if there.offset != offset or there.is_whole:
                raise elsewhere(there, offset)
            self._check_room(there.declared.size - offset)
            with _opened(there.path) as file:
                yield Adding(there, file)

    def finish(self, upload: Upload) -> Upload:
        """Compare an upload of which all has come; what is another file is removed.

        Raises:
            RefusedError: it has another digest.
            FailedError: it cannot be read.
        """
        there = self._read(self.folder / upload.id)
        with there.path.open("rb") as file:
            found, _ = stream.hash_file(file)
        if found != there.declared.sha256:
            self.remove(there)
            raise RefusedError(
                "upload-other-file",
                f"What came of {word(there.declared.name)} is {found[:12]}, and "
                f"{there.declared.sha256[:12]} was declared. It was removed.",
                subject=there.declared.name,
                next_step="Send the file anew: it was changed, or damaged on its way.",
            )
        durable.write(self.folder / upload.id / WHOLE, b"", mode=file_access.FILE)
        return replace(there, is_whole=True)

    def remove(self, upload: Upload) -> None:
        """Remove an upload, however much of it is here."""
        shutil.rmtree(self.folder / upload.id, ignore_errors=True)

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
        durable.write(self.folder / upload.id / JOB, job.encode(), mode=file_access.FILE)

    def sweep(self, now: datetime, is_over: Callable[[str], bool] = lambda _: True) -> int:
        """Remove what nothing was added to for long, and no job is to take in; how many there were.

        Args:
            now: by the hub's clock.
            is_over: whether a job has ended.
        """
        count = 0
        for folder in self._folders():
            with suppress(OSError):
                newest = max(one.stat().st_mtime for one in (folder, *folder.rglob("*")))
                is_old = now.timestamp() - newest > KEPT.total_seconds()
                if is_old and (not (folder / JOB).exists() or is_over(_job_of(folder))):
                    with locks.at_once(folder / LOCK) as ours:
                        if ours:
                            shutil.rmtree(folder, ignore_errors=True)
                            count += 1
        return count

    # ------------------------------------------------------------------ files

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(one for one in self.folder.iterdir() if _ID.fullmatch(one.name))

    def _all(self) -> Iterator[Upload]:
        for folder in self._folders():
            with suppress(SealiftError, OSError):  # just removed, or of nobody's
                yield self._read(folder)

    def _read(self, folder: Path) -> Upload:
        data = disk.read(folder / DECLARED)
        declared = shape.read(Declared, data, what=f"the upload {folder.name}")
        path = folder / DATA / declared.name
        size = 0
        with suppress(FileNotFoundError):
            size = path.stat().st_size
        return Upload(folder.name, declared, size, path, (folder / WHOLE).is_file())

    def _check_room(self, more: int) -> None:
        free = shutil.disk_usage(self.folder if self.folder.is_dir() else self.folder.parent).free
        if free - more < LEAST_FREE:
            raise FailedError(
                "disk-full",
                f"There is no room for {more:,} bytes more: {free:,} are free.",
                subject=str(self.folder),
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
            FailedError: they could not be written; what could be is kept.
        """
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


def elsewhere(upload: Upload, offset: int) -> RefusedError:
    """What is said to whoever goes on at another place than where it ended."""
    return RefusedError(
        "upload-offset",
        f"{counted(upload.offset, 'byte')} of {upload.declared.size:,} are here, and you go on at "
        f"{offset:,}.",
        subject=upload.id,
        next_step="Ask how far it is (HEAD), and go on from there.",
    )


def declared(
    account: str, team: str, kind: str, name: str, size: int, sha256: str, now: datetime
) -> Declared:
    """What somebody declares.

    Raises:
        UsageError: it is of no kind that may be sent.
        MalformedError: it is none.
    """
    if kind not in ENDINGS:
        raise UsageError(
            "upload-kind",
            f"{word(kind)} is no kind of file that can be sent.",
            subject=kind,
            next_step=f"Send one of: {', '.join(ENDINGS)}. A model in another format is ingested "
            "from MLflow or DVC.",
        )
    given: dict[str, Json] = {
        "format": 1,
        "account": account,
        "team": team,
        "kind": kind,
        "name": name,
        "size": size,
        "sha256": sha256,
        "made": moment(now),
    }
    return shape.from_json(Declared, given, what="what is declared of a file")


def _check(given: Declared) -> None:
    check_name(given.name)
    if "/" in given.name or not given.name.endswith(ENDINGS[given.kind]):
        raise UsageError(
            "upload-name",
            f"A file that is sent as {given.kind} is called something{ENDINGS[given.kind]}.",
            subject=given.name,
            next_step="Give it a name that says what it is, without folders.",
        )
    if not 0 < given.size <= 2**53:
        raise MalformedError(
            "upload-size",
            f"{given.size:,} is no size of a file that can be sent.",
            subject=given.name,
            next_step="Declare as many bytes as it has.",
        )
    instant(given.made)


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
