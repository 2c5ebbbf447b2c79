"""Bytes on their way: hashed while they are read, in memory that does not grow with the file.

A copy is read and hashed by one thread and written by another, so that it takes as long as the
slower of them and not as both together. What is written is flushed a little behind: a slow medium
is seen to be slow while it is copied to, not in one flush at the end that nobody can follow. Where
one file system holds both files and lets them share their blocks (XFS, Btrfs), nothing is written.
docs/reference/performance.md has the figures.
"""

from __future__ import annotations

import fcntl
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from threading import Event, Lock
from types import TracebackType
from typing import BinaryIO, Self, TypeVar, cast

from sealift_sync.durable import Progress

CHUNK = 1024 * 1024
"""Bytes read at once."""
AHEAD = 4
"""Chunks that are read and not yet written."""
BEHIND = 32 * CHUNK
"""Bytes that are written before they are flushed; as many are written meanwhile."""
HANDS = 4
"""Files that are hashed at once."""

_CLONE = 0x40049409
"""FICLONE, as Linux has it on x86 and ARM (ioctl_ficlone(2)); elsewhere it is no such request."""

_spare: list[memoryview] = []
"""Chunks that nobody uses: to make one costs as much as to copy a dozen small files."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def copy_hashed(
    source: BinaryIO, into: BinaryIO, progress: Progress | None = None, *, most: int | None = None
) -> tuple[str, int]:
    """Copy `source` to its end; (sha256, size) of what was read. The last of it is not flushed yet.

    It stops soon after `most` bytes: a file may grow while it is read.

    Args:
        source: at its beginning.
        into: a new file. Where it can be read too, it may come to share the blocks of `source`; it
            is what is hashed then, for `source` may change.
        progress: told what is written.
        most: bytes.

    Raises:
        OSError: it could not be read, written or flushed.
    """
    if into.readable() and _cloned(source, into, most):
        return hash_file(into, progress, most=most)
    digest, size = sha256(), 0
    with _Writing(into, progress or _nobody) as writing:
        while most is None or size <= most:
            chunk = writing.chunk()
            count = cast("io.BufferedIOBase", source).readinto(chunk)
            if not count:
                break
            digest.update(chunk[:count])
            size += count
            writing.put(count)
    return digest.hexdigest(), size


def hash_file(
    source: BinaryIO, progress: Progress | None = None, *, most: int | None = None
) -> tuple[str, int]:
    """(sha256, size) of what `source` still holds, or of its first part if that is above `most`."""
    digest, size, told = sha256(), 0, progress or _nobody
    chunk = _taken()
    try:
        while most is None or size <= most:
            count = cast("io.BufferedIOBase", source).readinto(chunk)
            if not count:
                break
            digest.update(chunk[:count])
            size += count
            told(count)
    finally:
        _spare.append(chunk)
    return digest.hexdigest(), size


def side_by_side(
    work: Callable[[Item, Progress], Result], items: Iterable[Item], progress: Progress
) -> Iterator[Result]:
    """The outcome of `work` for each item, in order, some of them at a time.

    The first error, in the order of `items`, ends it, and so does whoever stops listening: what is
    under way then ends with its next word to its progress.

    Args:
        work: given an item and the progress to tell; called by several threads.
        items: taken as they are needed.
        progress: told by one thread at a time.
    """
    ended, one_at_a_time = Event(), Lock()

    def told(count: int) -> None:
        if ended.is_set():
            raise _EndedError
        with one_at_a_time:
            progress(count)

    due: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(HANDS) as hands:
        try:
            for item in items:
                due.append(hands.submit(work, item, told))
                if len(due) > HANDS:
                    yield due.popleft().result()
            while due:
                yield due.popleft().result()
        finally:
            ended.set()
            hands.shutdown(wait=False, cancel_futures=True)


def _cloned(source: BinaryIO, into: BinaryIO, most: int | None) -> bool:
    """Whether `into` now has the content of `source`, by sharing its blocks."""
    try:
        size = os.fstat(source.fileno()).st_size
        if size < CHUNK or (most is not None and size > most):
            return False
        fcntl.ioctl(into.fileno(), _CLONE, source.fileno())
    except OSError:  # two file systems, or one that cannot; what fails on the disk fails again
        return False
    return True


class _EndedError(Exception):
    """Nobody waits for this work any more."""


class _Writing:
    """Writes chunks to a file in a thread of its own, and flushes them in another."""

    def __init__(self, into: BinaryIO, progress: Progress) -> None:
        self._into = into
        self._progress = progress
        self._writer = ThreadPoolExecutor(1)  # no thread is begun before there is work for it
        self._flusher = ThreadPoolExecutor(1)
        self._chunk = _taken()
        self._due: deque[tuple[memoryview, int, Future[int]]] = deque()
        self._flush: Future[None] | None = None
        self._unflushed = 0

    def __enter__(self) -> Self:
        return self

    def chunk(self) -> memoryview:
        """Where to read to, until it is put."""
        return self._chunk

    def put(self, count: int) -> None:
        """Have the first `count` bytes of the chunk written; there is another one then."""
        if count < CHUNK and not self._due:  # small, or the last of it: not worth a thread
            self._into.write(self._chunk[:count])
            self._progress(count)
            return
        done = self._writer.submit(self._into.write, self._chunk[:count])
        self._due.append((self._chunk, count, done))
        self._unflushed += count
        if self._unflushed >= BEHIND:
            self._flush_behind()
        while len(self._due) >= AHEAD:
            self._wait()
        self._chunk = _taken()

    def _wait(self) -> None:
        chunk, count, done = self._due.popleft()
        done.result()
        _spare.append(chunk)
        self._progress(count)

    def _flush_behind(self) -> None:
        """Begin to flush all that was put, once what was put before it is flushed."""
        if self._flush is not None:
            self._flush.result()
        self._due[-1][2].result()
        self._flush = self._flusher.submit(_flush, self._into)
        self._unflushed = 0

    def __exit__(
        self, kind: type[BaseException] | None, bad: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._due:
                self._wait()
            if kind is None and self._flush is not None:
                self._flush.result()
        finally:
            for pool in (self._writer, self._flusher):
                pool.shutdown(cancel_futures=True)
            _spare.append(self._chunk)


def _taken() -> memoryview:
    try:
        return _spare.pop()
    except IndexError:
        return memoryview(bytearray(CHUNK))


def _flush(file: BinaryIO) -> None:
    file.flush()
    getattr(os, "fdatasync", os.fsync)(file.fileno())


def _nobody(_count: int) -> None:
    """Nobody is told."""
