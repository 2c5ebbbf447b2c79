"""Bytes on their way: hashed while they are read, in memory that does not grow with the file.

A copy is read and hashed by one thread and written by another, so that it takes as long as the
slower of them and not as both together. What is written is flushed a little behind: a slow medium
is seen to be slow while it is copied to, not in one flush at the end that nobody can follow. What
nobody here reads again leaves the page cache at once: a model would push out all that others need,
and memory that was not used before costs more than a disk. Where one file system holds both files
and lets them share their blocks (XFS, Btrfs), nothing is written. docs/reference/performance.md has
the figures.
"""

from __future__ import annotations

import fcntl
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from hashlib import sha256
from threading import Event, Lock
from types import TracebackType
from typing import BinaryIO, Self, TypeVar, cast

from sealift_sync import durable
from sealift_sync.durable import Progress

CHUNK = 1024 * 1024
"""Bytes read at once."""
AHEAD = 4
"""Chunks that are read and not yet written."""
BEHIND = 32 * CHUNK
"""Bytes that are written before they are flushed; as many are written meanwhile."""
SPAN = 4 * CHUNK
"""Bytes that the disk begins to write, or the page cache lets go of, at once."""
ASKED = 64
"""Small files that are asked of the disk at once."""
HANDS = 4
"""Files that are hashed at once."""

_CLONE = 0x40049409
"""FICLONE, as Linux has it on x86 and ARM (ioctl_ficlone(2)); elsewhere it is no such request."""

_spare: list[memoryview] = []
"""Chunks that nobody uses: to make one costs as much as to copy a dozen small files."""

Item = TypeVar("Item")
Opened = Callable[[Item], BinaryIO]
"""Opens an item's file; it is closed by whoever asked for it."""
Result = TypeVar("Result")


def copy_hashed(
    source: BinaryIO,
    into: BinaryIO,
    progress: Progress | None = None,
    *,
    most: int | None = None,
    stays: bool = True,
) -> tuple[str, int]:
    """Copy `source` to its end; (sha256, size) of what was read. The last of it is not flushed yet.

    It stops soon after `most` bytes: a file may grow while it is read.

    Args:
        source: at its beginning.
        into: a new file. Where it can be read too, it may come to share the blocks of `source`; it
            is what is hashed then, for `source` may change.
        progress: told what is written.
        most: bytes.
        stays: whether the copy stays in the page cache, because it is read soon. What was read of
            `source` does not, as `hash_file` says.

    Raises:
        OSError: it could not be read, written or flushed.
    """
    if into.readable() and _cloned(source, into, most):
        return hash_file(into, progress, most=most)
    digest, size, reading = sha256(), 0, _Reading(source)
    with _Writing(into, progress or _nobody, stays=stays) as writing:
        while most is None or size <= most:
            chunk = writing.chunk()
            count = reading.into(chunk)
            if not count:
                break
            digest.update(chunk[:count])
            size += count
            writing.put(count)
    return digest.hexdigest(), size


def hash_file(
    source: BinaryIO, progress: Progress | None = None, *, most: int | None = None
) -> tuple[str, int]:
    """(sha256, size) of `source`, or of its first part if that is above `most` bytes.

    A file of more than 4 MiB leaves the page cache while it is read, if it was not there before and
    its file system can tell (ext4, XFS, Btrfs).

    Args:
        source: at its beginning.
        progress: told what is read.
        most: bytes.
    """
    digest, size, told = sha256(), 0, progress or _nobody
    reading, chunk = _Reading(source), _taken()
    try:
        while most is None or size <= most:
            count = reading.into(chunk)
            if not count:
                break
            digest.update(chunk[:count])
            size += count
            told(count)
    finally:
        _spare.append(chunk)
    return digest.hexdigest(), size


def hash_all(
    files: Mapping[Item, int], opened: Opened[Item], progress: Progress, *, stays: bool = True
) -> Iterator[tuple[Item, tuple[str, int]]]:
    """Each item with the (sha256, size) of its file: the small ones first, each in the order given.

    Small files are hashed by one thread, for which several would wait for each other; others side
    by side.

    Args:
        files: with the bytes that each should have. Not much more is read.
        opened: called by several threads.
        progress: told what is read.
        stays: as for `read_ahead`.
    """
    small = {one: size for one, size in files.items() if size < CHUNK}
    others = [one for one in files if one not in small]

    def hashed(one: Item, progress: Progress) -> tuple[str, int]:
        with opened(one) as file:
            found = hash_file(file, progress, most=files[one])
            if not stays:
                durable.let_go(file)
            return found

    for one, file in read_ahead(small, opened, stays=stays):
        yield one, hash_file(file, progress, most=files[one])
    yield from zip(others, side_by_side(hashed, others, progress), strict=True)


def read_ahead(
    files: Mapping[Item, int], opened: Opened[Item], *, stays: bool = True
) -> Iterator[tuple[Item, BinaryIO]]:
    """Each item with its file, open until the next one is asked for or soon after.

    The small ones come first, each in the order given. Some dozens of them are asked of the disk at
    once, which answers faster than one by one.

    Args:
        files: with the bytes that each should have.
        opened: called by one thread.
        stays: whether they stay in the page cache, small as they are; others may have them there.
    """
    small = [one for one, size in files.items() if size < CHUNK]
    alone = [[one] for one, size in files.items() if size >= CHUNK]
    for some in (*(small[at : at + ASKED] for at in range(0, len(small), ASKED)), *alone):
        with ExitStack() as stack:
            found = [stack.enter_context(opened(one)) for one in some]
            for file in found[1:]:
                durable.ask_for(file, CHUNK)  # and no more, should it be larger than it was to be
            yield from zip(some, found, strict=True)
            for file in () if stays else found:
                durable.let_go(file)


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


class _Reading:
    """Reads a file from its beginning, and lets go of what it alone brought into the page cache."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._leaves = _is_ours(source)
        self._read = self._left = 0

    def into(self, chunk: memoryview) -> int:
        """How many bytes it has put at the beginning of `chunk`; none at the file's end."""
        count = cast("io.BufferedIOBase", self._source).readinto(chunk)
        self._read += count
        if self._leaves and (self._read - self._left >= SPAN or not count):
            durable.let_go(self._source, self._left, self._read)
            self._left = self._read
        return count


def _is_ours(file: BinaryIO) -> bool:
    """Whether `file` is worth letting go of, and nobody has had it in the page cache until now.

    One byte in its middle is asked for, to be had without waiting (preadv2(2), RWF_NOWAIT). Where
    that cannot be asked, it is somebody else's.
    """
    try:
        size = os.fstat(file.fileno()).st_size
        return size > SPAN and not os.preadv(
            file.fileno(), [bytearray(1)], size // 2, os.RWF_NOWAIT
        )
    except BlockingIOError:
        return True
    except (AttributeError, OSError):
        return False


class _Writing:
    """Writes chunks to a file in a thread of its own, and flushes them in another."""

    def __init__(self, into: BinaryIO, progress: Progress, *, stays: bool) -> None:
        self._into = into
        self._progress = progress
        self._stays = stays
        self._written = self._asked = self._flushed = 0
        self._pools: list[ThreadPoolExecutor] = []
        self._chunk = _taken()
        self._due: deque[tuple[memoryview, int, Future[None]]] = deque()
        self._flush: Future[None] | None = None
        self._unflushed = 0

    def __enter__(self) -> Self:
        return self

    @cached_property
    def _writer(self) -> ThreadPoolExecutor:
        return self._thread()

    @cached_property
    def _flusher(self) -> ThreadPoolExecutor:
        return self._thread()

    def _thread(self) -> ThreadPoolExecutor:
        """Only for files that are worth one: to prepare it costs as much as to copy a small one."""
        self._pools.append(ThreadPoolExecutor(1))
        return self._pools[-1]

    def chunk(self) -> memoryview:
        """Where to read to, until it is put."""
        return self._chunk

    def put(self, count: int) -> None:
        """Have the first `count` bytes of the chunk written; there is another one then."""
        if count < CHUNK and not self._due:  # small, or the last of it: not worth a thread
            self._write(self._chunk[:count])
            self._progress(count)
            return
        done = self._writer.submit(self._write, self._chunk[:count])
        self._due.append((self._chunk, count, done))
        self._unflushed += count
        if self._unflushed >= BEHIND:
            self._flush_behind()
        while len(self._due) >= AHEAD:
            self._wait()
        self._chunk = _taken()

    def _write(self, chunk: memoryview) -> None:
        """In the writer's thread. The disk begins as soon as there is something worth beginning."""
        self._into.write(chunk)
        self._written += len(chunk)
        if self._written - self._asked >= SPAN:
            self._begin()

    def _begin(self) -> None:
        begin = durable.begin if self._stays else durable.let_go
        begin(self._into, self._asked, self._written)
        self._asked = self._written

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
        self._flush = self._flusher.submit(self._flush_to, self._written)
        self._unflushed = 0

    def _flush_to(self, end: int) -> None:
        """In the flusher's thread."""
        self._into.flush()
        getattr(os, "fdatasync", os.fsync)(self._into.fileno())
        if not self._stays:
            durable.let_go(self._into, self._flushed, end)
            self._flushed = end

    def _end(self) -> None:
        while self._due:
            self._wait()
        if self._flush is not None:
            self._flush.result()
        self._into.flush()
        if self._written >= CHUNK:  # small ones are flushed together
            self._begin()  # while the next file is copied

    def __exit__(
        self, kind: type[BaseException] | None, bad: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._end()
        finally:
            for pool in self._pools:
                pool.shutdown(cancel_futures=True)
            _spare.append(self._chunk)


def _taken() -> memoryview:
    try:
        return _spare.pop()
    except IndexError:
        return memoryview(bytearray(CHUNK))


def _nobody(_count: int) -> None:
    """Nobody is told."""
