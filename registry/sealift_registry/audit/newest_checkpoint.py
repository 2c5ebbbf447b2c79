"""The newest checkpoint that this home's hub signed, in a file of the home.

A database of several homes may fail over to a server that never had what was acknowledged. If the
hub went on there, it would sign a second history under its own key. So whoever is told that an
entry was committed is told after the checkpoint over it was flushed here, and nothing is signed in
a database that does not hold the checkpoint which stands here.

The file has two places, and each new note goes into the one that the newest is not in: a write that
was cut leaves the newest whole. They lie in blocks of their own that are there from the beginning,
so that a full disk cannot come between a commit and its answer, and one flush is enough.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from sealift_signing import disk, events, locks
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_sync import durable

PLACE = 4096
"""Bytes between the beginnings of the two places; a note is shorter (`LARGEST_NOTE`)."""

_NOTHING = b"\n" * 2 * PLACE

MOST_VERIFIED = 8
"""Notes of which a process knows that they were verified."""

FormerKeys = Callable[[], Iterable[PublicKey]]
"""Gives the keys that the log's key follows, where one is asked for."""


class Kept(NamedTuple):
    """A note that stands in the file, and what the log's key signed in it."""

    note: bytes
    said: Checkpoint


class LostError(Exception):
    """The database lacks a checkpoint that stands here, and does not say yet that it does."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(f"the checkpoint of {kept.said.size} entries is not there")
        self.kept = kept


class NewestCheckpoint:
    """The file `path`, for as many processes of one home as there are.

    Args:
        path: of the file; it is made when it is first looked at.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._signed: Kept | None = None
        """What this process keeps as well, whatever happens to the file."""
        self._flushed = True
        self._stands = b""
        """The file, as it was looked at last."""
        self._verified: dict[tuple[bytes, PublicKey], Checkpoint] = {}

    def newest(self, key: PublicKey, origin: str, former: FormerKeys) -> Kept | None:
        """The newest that `key` signed; None where it has signed none yet.

        What stands here by a key that `key` follows binds nobody any more.

        Raises:
            FailedError: the file could not be read or written, or is not one that our keys signed.
        """
        mine = self._signed
        if mine is not None and self._said(mine.note, key, origin) is None:
            mine = self._signed = None  # the log's key was replaced meanwhile
        if mine is not None and not self._flushed:
            self._write(mine, key, origin)
        try:
            data = disk.read(self.path, 2 * PLACE)
        except FileNotFoundError:
            data = _NOTHING
            durable.write(self.path, data)
        except OSError as bad:
            raise _unusable(self.path, str(bad.strerror)) from bad
        self._stands = data
        found = self._newest_of(data, key, origin)
        if found is None:
            self._check_follows(data, origin, former)
        if mine is not None and (found is None or found.said.size < mine.said.size):
            return mine  # somebody put an older file there while this process ran
        return found

    def check_ours(self, key: PublicKey, origin: str, former: FormerKeys) -> None:
        """Check that no key but `key` and those that it follows signed what `newest` looked at.

        The database of another one may have lost that the log's key was replaced: whoever then
        brought the old key back would go on from what that signed last. A write that was cut is
        none of another key's.

        Raises:
            FailedError: another key did.
        """
        others = [
            one for one in _notes(self._stands) if one and self._said(one, key, origin) is None
        ]
        if others:
            keys = (key, *former())
            if any(all(_is_anothers(note, one, origin) for one in keys) for note in others):
                raise _by_another_key(self.path)

    def take(self, note: bytes, key: PublicKey, origin: str) -> None:
        """Have in the file what the log says that `key` signed, where that is newer.

        Raises:
            RefusedError: `key` did not sign it.
            FailedError: the file could not be written.
        """
        said = checkpoint.verify(note, key, origin)
        if not self.path.exists():
            durable.write(self.path, _NOTHING)
        self._write(Kept(note, said), key, origin)

    def keep(self, signed: Kept, key: PublicKey, origin: str) -> None:
        """Have in the file, flushed, what `key` signed and the database has committed.

        What stands there is never set back by the same key. Where the disk fails, it is tried again
        before anything else is signed: what happened has happened, and its callers are told so.
        """
        self._signed, self._flushed = signed, False
        try:
            self._write(signed, key, origin)
        except FailedError as bad:
            events.tell("log", "checkpoint-not-kept", path=str(self.path), why=bad.what)

    def _write(self, kept: Kept, key: PublicKey, origin: str) -> None:
        try:
            with locks.open_file(self.path) as file:
                locks.lock(file)
                try:
                    data = file.read(2 * PLACE)
                    found = self._newest_of(data, key, origin)
                    if found is None or found.said.size < kept.said.size:
                        place = _other_place(data, found)
                        os.pwrite(file.fileno(), kept.note.ljust(PLACE, b"\n"), place)
                        _flush(file.fileno())
                finally:
                    locks.unlock(file)
        except OSError as bad:
            raise _unusable(self.path, str(bad.strerror)) from bad
        self._flushed = True

    def _newest_of(self, data: bytes, key: PublicKey, origin: str) -> Kept | None:
        """The newest of `key` in the file's bytes."""
        signed = [(note, self._said(note, key, origin)) for note in _notes(data) if note]
        found = [Kept(note, said) for note, said in signed if said is not None]
        return max(found, key=lambda one: one.said.size, default=None)

    def _check_follows(self, data: bytes, origin: str, former: FormerKeys) -> None:
        """Check that what stands there was signed by a key that today's follows, if anything is.

        Raises:
            FailedError: it was not.
        """
        notes = [one for one in _notes(data) if one]
        keys = tuple(former()) if notes else ()
        if notes and all(self._said(note, one, origin) is None for note in notes for one in keys):
            raise _unusable(self.path, "no key of this hub's log signed what stands in it")

    def _said(self, note: bytes, key: PublicKey, origin: str) -> Checkpoint | None:
        """What `key` signed in `note`, if it did; mostly it was looked at before."""
        if (note, key) not in self._verified:
            try:
                said = checkpoint.verify(note, key, origin)
            except RefusedError:
                return None
            if len(self._verified) >= MOST_VERIFIED:
                self._verified.clear()
            self._verified[note, key] = said
        return self._verified[note, key]


def notes(path: Path) -> tuple[bytes, ...]:
    """What stands in the file at `path`, for who only looks; none where it cannot be read."""
    try:
        return tuple(one for one in _notes(disk.read(path, 2 * PLACE)) if one)
    except OSError:
        return ()


def _notes(data: bytes) -> tuple[bytes, bytes]:
    return _note(data[:PLACE]), _note(data[PLACE:])


def _note(place: bytes) -> bytes:
    text = place.rstrip(b"\n")
    return text + b"\n" if text else b""


def _is_anothers(note: bytes, key: PublicKey, origin: str) -> bool:
    """Whether another key than `key` signed it, or another log is meant."""
    try:
        checkpoint.verify(note, key, origin)
    except RefusedError as bad:
        return bad.code in {"checkpoint-by-another-key", "checkpoint-of-another-log"}
    return False


def _other_place(data: bytes, newest: Kept | None) -> int:
    """Where the newest is not; where there is none, where nothing stands."""
    first, _ = _notes(data)
    return PLACE if first and (newest is None or newest.note == first) else 0


def _flush(descriptor: int) -> None:
    """The bytes alone: the file's size and blocks do not change."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _unusable(path: Path, why: str) -> FailedError:
    return FailedError(
        "newest-checkpoint-unusable",
        f"{path}, in which this home keeps what it signed last, cannot be used: {why}.",
        subject=str(path),
        next_step="Check the disk, and compare the log with a backup: sealift audit verify. Only "
        "where it is whole, and nothing that was acknowledged is missing: move that file away.",
    )


def _by_another_key(path: Path) -> FailedError:
    return FailedError(
        "newest-checkpoint-foreign",
        f"A key of which this hub's database knows nothing signed what stands in {path}: the "
        "database lost that the log's key was replaced, or the file is another hub's.",
        subject=str(path),
        next_step="Bring back the server, or the backup, that knows the newest key; do not sign "
        "with the old one. If there is none, docs/how-to/lost-and-found.md says what is given up, "
        "and how.",
    )
