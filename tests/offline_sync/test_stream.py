"""Bytes on their way, with the hands of several threads: whole, in order, and ended when told."""

from __future__ import annotations

import errno
import io
import os
import random
import shutil
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from sealift_sync import durable, stream
from sealift_sync.durable import Progress, Unflushed
from sealift_sync.stream import (
    AHEAD,
    CHUNK,
    HANDS,
    copy_hashed,
    hash_all,
    hash_file,
    read_ahead,
    side_by_side,
)

SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * AHEAD * CHUNK, 11 * CHUNK + 7)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - not for secrets


class Failing(io.BytesIO):
    """Takes some writes, and then none."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def write(self, data: object) -> int:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)  # type: ignore[arg-type]


class Endless(io.RawIOBase):
    """Counts what is read of it."""

    def __init__(self) -> None:
        self.reads = 0

    def readinto(self, _chunk: object) -> int:
        self.reads += 1
        return CHUNK


# -------------------------------------------------------------------- copying


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_is_the_same_bytes_and_their_hash(tmp_path: Path, size: int) -> None:
    data, told = content(size), list[int]()
    with (tmp_path / "copy").open("xb") as into:
        assert copy_hashed(io.BytesIO(data), into, told.append) == (sha256(data).hexdigest(), size)
    assert (tmp_path / "copy").read_bytes() == data
    assert sum(told) == size
    told.clear()
    assert hash_file(io.BytesIO(data), told.append) == (sha256(data).hexdigest(), size)
    assert sum(told) == size


def test_what_grows_is_not_read_for_ever() -> None:
    _, size = copy_hashed(Endless(), io.BytesIO(), most=3 * CHUNK)  # type: ignore[arg-type]
    assert size == 4 * CHUNK
    _, size = hash_file(Endless(), most=3 * CHUNK)  # type: ignore[arg-type]
    assert size == 4 * CHUNK


@pytest.mark.parametrize("most", [0, 1, AHEAD + 2, 2 * AHEAD])
def test_what_cannot_be_written_ends_the_copy(most: int) -> None:
    told: list[int] = []
    with pytest.raises(OSError, match="No space left"):
        copy_hashed(Endless(), Failing(most), told.append)  # type: ignore[arg-type]
    assert sum(told) <= most * CHUNK


def test_what_cannot_be_read_ends_the_copy(tmp_path: Path) -> None:
    class Torn(io.BytesIO):
        def readinto(self, chunk: object) -> int:
            if self.tell() > 6 * CHUNK:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().readinto(chunk)  # type: ignore[arg-type]

    with (tmp_path / "copy").open("xb") as into, pytest.raises(OSError, match="Input/output"):
        copy_hashed(Torn(content(9 * CHUNK)), into)


def test_ctrl_c_while_it_is_told_how_far_it_is(tmp_path: Path) -> None:
    def stop(_count: int) -> None:
        raise KeyboardInterrupt

    with (tmp_path / "copy").open("xb") as into, pytest.raises(KeyboardInterrupt):
        copy_hashed(io.BytesIO(content(9 * CHUNK)), into, stop)


def test_the_reader_waits_for_a_slow_writer() -> None:
    source, go = Endless(), threading.Event()

    class Slow(io.BytesIO):
        def write(self, data: object) -> int:
            go.wait()
            return super().write(data)  # type: ignore[arg-type]

    def copy() -> None:
        copy_hashed(source, Slow(), most=20 * CHUNK)  # type: ignore[arg-type]

    copying = threading.Thread(target=copy)
    copying.start()
    deadline = time.monotonic() + 10
    while source.reads < AHEAD and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert source.reads == AHEAD
    go.set()
    copying.join()
    assert source.reads == 21


def test_a_copy_takes_little_memory(tmp_path: Path) -> None:
    with (tmp_path / "large").open("xb") as large:
        large.truncate(100 * CHUNK)
    with (tmp_path / "large").open("rb") as source, (tmp_path / "copy").open("xb") as into:
        tracemalloc.start()
        copy_hashed(source, into)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < (AHEAD + 1) * CHUNK


def test_it_is_flushed_on_the_way_and_a_disk_that_fails_then_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BEHIND", 2 * CHUNK)
    flushed: list[int] = []

    def flush(descriptor: int) -> None:
        flushed.append(os.fstat(descriptor).st_size)
        if len(flushed) == 3:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", flush)
    with (tmp_path / "copy").open("xb") as into, pytest.raises(OSError, match="Input/output"):
        copy_hashed(io.BytesIO(content(20 * CHUNK)), into)
    assert len(flushed) == 3
    assert all(size >= 2 * CHUNK * number for number, size in enumerate(flushed, start=1))


# -------------------------------------------------------------------- many files


class Shelf:
    """Files, and what was done with them, in order."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **sizes: int) -> None:
        self.folder = folder
        self.sizes = sizes
        self.done: list[str] = []
        self._opened: list[BinaryIO] = []
        for name, size in sizes.items():
            (folder / name).write_bytes(content(size))
        monkeypatch.setattr(durable, "ask_for", self.ask_for)

    def opened(self, name: str) -> BinaryIO:
        self._opened.append((self.folder / name).open("rb"))
        return self._opened[-1]

    @property
    def now_open(self) -> list[BinaryIO]:
        return [file for file in self._opened if not file.closed]

    def ask_for(self, file: io.FileIO, most: int) -> None:
        assert most == CHUNK  # of a large one, only its beginning
        self.done.append(f"ask for {Path(str(file.name)).name}")


def test_small_files_are_asked_for_before_the_first_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "ASKED", 2)
    shelf = Shelf(tmp_path, monkeypatch, z=CHUNK, a=1, b=2, c=3, y=CHUNK)
    for name, file in read_ahead(shelf.sizes, shelf.opened):
        shelf.done.append(f"{name} has {len(file.read())}, of {len(shelf.now_open)} open")
    assert shelf.done == [
        "ask for b",
        "a has 1, of 2 open",
        "b has 2, of 2 open",
        "c has 3, of 1 open",
        f"z has {CHUNK}, of 1 open",
        f"y has {CHUNK}, of 1 open",
    ]
    assert not shelf.now_open


def test_whoever_stops_reading_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path, monkeypatch, a=1, b=2)

    def stop() -> None:
        for _ in read_ahead(shelf.sizes, shelf.opened):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    with pytest.raises(FileNotFoundError):
        list(read_ahead({"a": 1, "gone": 1}, shelf.opened))
    assert not shelf.now_open


def test_small_files_are_hashed_first_and_every_one_in_the_order_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"d": 2 * CHUNK, "b": CHUNK - 1, "c": CHUNK, "a": 7}
    shelf, told = Shelf(tmp_path, monkeypatch, **sizes), list[int]()
    found = list(hash_all(sizes, shelf.opened, told.append))
    assert [name for name, _ in found] == ["b", "a", "d", "c"]
    assert dict(found) == {
        name: (sha256(content(size)).hexdigest(), size) for name, size in sizes.items()
    }
    assert sum(told) == sum(sizes.values())


def test_a_file_that_has_grown_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path, monkeypatch, a=9 * CHUNK, b=9 * CHUNK)
    found = dict(hash_all({"a": 1, "b": CHUNK}, shelf.opened, lambda _: None))
    assert [size for _, size in found.values()] == [CHUNK, 2 * CHUNK]


# -------------------------------------------------------------------- the page cache


class Cache:
    """What the page cache is told of a large source and of its copy."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, had: object) -> None:
        self.folder = folder
        self.had = had
        self.left: list[tuple[str, int, int]] = []
        (folder / "source").write_bytes(content(9 * CHUNK))
        monkeypatch.setattr(stream, "BEHIND", 4 * CHUNK)
        monkeypatch.setattr(os, "preadv", self.preadv)
        monkeypatch.setattr(durable, "let_go", self.let_go)
        monkeypatch.setattr(durable, "begin", self.begin)
        self.begun: list[tuple[int, int]] = []

    def preadv(self, _descriptor: int, buffers: list[bytearray], at: int, flags: int) -> int:
        assert (len(buffers[0]), at, flags) == (1, 9 * CHUNK // 2, os.RWF_NOWAIT)
        if isinstance(self.had, OSError):
            raise self.had
        return 1

    def let_go(self, file: io.FileIO, start: int = 0, end: int = 0) -> None:
        self.left.append((Path(str(file.name)).name, start // CHUNK, end // CHUNK))

    def begin(self, _file: io.FileIO, start: int, end: int) -> None:
        self.begun.append((start // CHUNK, end // CHUNK))

    def told_of(self, name: str) -> list[tuple[int, int]]:
        return [(start, end) for file, start, end in self.left if file == name]

    def copy(self, *, stays: bool) -> None:
        with (
            (self.folder / "source").open("rb", buffering=0) as source,
            (self.folder / "copy").open("xb", buffering=0) as into,
        ):
            copy_hashed(source, into, stays=stays)


WAITS = BlockingIOError(errno.EAGAIN, "")
IN_SPANS = [(0, 4), (4, 8), (8, 9)]


def test_what_a_copy_alone_had_read_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path, monkeypatch, had=WAITS)
    cache.copy(stays=True)
    assert cache.told_of("source") == IN_SPANS
    assert (cache.told_of("copy"), cache.begun) == ([], IN_SPANS)
    with (tmp_path / "copy").open("rb") as copy:
        hash_file(copy)
    assert cache.told_of("copy") == IN_SPANS


def test_what_the_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _file, *rest: told.append(rest))
    with (tmp_path / "any").open("xb") as file:
        durable.let_go(file, 4 * CHUNK, 6 * CHUNK)
        durable.let_go(file)
        durable.drop_cache(file)
        durable.ask_for(file, CHUNK)
    assert told == [
        (4 * CHUNK, 2 * CHUNK, os.POSIX_FADV_DONTNEED),
        (0, 0, os.POSIX_FADV_DONTNEED),
        (0, 0, os.POSIX_FADV_DONTNEED),
        (0, CHUNK, os.POSIX_FADV_WILLNEED),
    ]


def test_a_copy_that_is_not_read_soon_leaves_once_it_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path, monkeypatch, had=WAITS)
    cache.copy(stays=False)
    assert sorted(cache.told_of("copy")) == sorted(IN_SPANS + IN_SPANS[:2])


@pytest.mark.parametrize(
    "had", [True, OSError(errno.EOPNOTSUPP, "")], ids=["in the cache", "who knows"]
)
def test_what_others_had_read_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, had: object
) -> None:
    cache = Cache(tmp_path, monkeypatch, had=had)
    cache.copy(stays=True)
    assert cache.told_of("source") == []
    with (tmp_path / "source").open("rb") as source:
        hash_file(source)
    assert cache.told_of("source") == []


# -------------------------------------------------------------------- side by side


def test_outcomes_come_in_order_however_long_each_takes() -> None:
    def work(number: int, progress: Progress) -> int:
        time.sleep(0.002 * (number % 3))
        progress(number)
        return number * number

    told: list[int] = []
    found = list(side_by_side(work, range(50), told.append))
    assert found == [number * number for number in range(50)]
    assert sorted(told) == list(range(50))


def test_some_are_worked_on_at_once() -> None:
    """Each waits until there are as many as there are hands."""
    together = threading.Barrier(HANDS, timeout=10)

    def work(_number: int, _progress: Progress) -> int:
        return together.wait()

    assert len(list(side_by_side(work, range(2 * HANDS), lambda _: None))) == 2 * HANDS


def test_the_first_error_in_order_is_the_one_that_is_raised() -> None:
    later = threading.Event()

    def work(number: int, _progress: Progress) -> None:
        if number == 2:
            later.wait(10)
            raise ValueError(number)
        if number == 3:
            later.set()
            raise ValueError(number)

    with pytest.raises(ValueError, match="2"):
        list(side_by_side(work, range(9), lambda _: None))


@pytest.mark.parametrize("how", ["error", "closed"])
def test_nobody_goes_on_once_it_is_ended(how: str) -> None:
    """A file of ten gigabytes is not hashed to its end for somebody who has pressed Ctrl-C."""
    under_way = threading.Semaphore(0)

    def work(number: int, progress: Progress) -> int:
        if number == 0:
            for _ in range(HANDS - 1):
                under_way.acquire()
            if how == "error":
                raise KeyboardInterrupt
            return 0
        under_way.release()
        while True:
            progress(1)
            time.sleep(0.001)

    results = side_by_side(work, range(100), lambda _: None)
    if how == "error":
        with pytest.raises(KeyboardInterrupt):
            next(results)
    else:
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined]


def test_progress_is_told_by_one_at_a_time() -> None:
    inside, most = [0], [0]

    def told(_count: int) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.0005)
        inside[0] -= 1

    def work(_number: int, progress: Progress) -> None:
        for _ in range(5):
            progress(1)

    list(side_by_side(work, range(20), told))
    assert most == [1]


# -------------------------------------------------------------------- flushed together


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were flushed."""
    names: list[str] = []

    def fsync(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", fsync)
    return names


def test_every_file_is_flushed_and_closed_once(tmp_path: Path, synced: list[str]) -> None:
    files = [tmp_path / f"{number:03}" for number in range(durable.MOST_UNFLUSHED + 5)]
    opened = []
    with Unflushed() as unflushed:
        for number, path in enumerate(files):
            file = unflushed.new(path)
            file.write(b"x")
            opened.append(file)
            assert len(synced) == (durable.MOST_UNFLUSHED if number >= 64 else 0)
    assert synced == [path.name for path in files]
    assert all(file.closed for file in opened)
    assert {path.read_bytes() for path in files} == {b"x"}


def test_few_bytes_wait_to_be_flushed(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "MOST_BYTES_UNFLUSHED", 100)
    with Unflushed() as unflushed:
        for name in "abc":
            unflushed.new(tmp_path / name).write(b"x" * 60)
            assert synced == (["a", "b"] if name == "c" else [])


def test_where_something_goes_wrong_nothing_is_flushed_and_all_is_closed(
    tmp_path: Path, synced: list[str]
) -> None:
    with pytest.raises(KeyboardInterrupt), Unflushed() as unflushed:  # noqa: PT012 - in the middle
        file = unflushed.new(tmp_path / "a")
        raise KeyboardInterrupt
    assert synced == []
    assert file.closed


def fill(folder: Path, count: int) -> None:
    with Unflushed() as unflushed:
        for number in range(count):
            unflushed.new(folder / str(number)).write(b"x")


def test_the_file_system_is_flushed_before_many_files_are(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def syncfs(descriptor: int) -> int:
        written = Path(f"/proc/self/fd/{descriptor}").readlink().parent.iterdir()
        assert {file.read_bytes() for file in written} == {b"x"}  # none waits in this process
        synced.append("all")
        return 0

    monkeypatch.setattr(durable, "_called", lambda _: syncfs)
    fill(tmp_path, durable.WORTH_ALL)
    names = [str(number) for number in range(durable.WORTH_ALL)]
    assert synced == ["all", *names]


def test_a_few_files_do_not_wait_for_what_others_have_written(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_called", lambda _: pytest.fail)
    fill(tmp_path, durable.WORTH_ALL - 1)
    assert len(synced) == durable.WORTH_ALL - 1


@pytest.mark.parametrize("found", [None, lambda _: -1], ids=["another system", "it fails"])
def test_each_file_is_flushed_whatever_became_of_the_file_systems_own_flush(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch, found: object
) -> None:
    monkeypatch.setattr(durable, "_called", lambda _: found)
    fill(tmp_path, durable.WORTH_ALL)
    assert len(synced) == durable.WORTH_ALL


def test_the_system_is_asked_to_flush_a_whole_file_system(tmp_path: Path) -> None:
    syncfs = durable._called("syncfs")
    assert syncfs is not None
    with (tmp_path / "any").open("xb") as file:
        assert syncfs(file.fileno()) == 0
    assert syncfs(10**6) == -1  # nobody's descriptor


def test_a_copy_that_stays_is_begun_to_be_written_and_not_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fast disk has written what it was to begin before anybody lets go of it."""
    asked: list[tuple[int, int, int]] = []

    def sync_file_range(_file: int, start: Any, size: Any, how: int) -> int:  # noqa: ANN401 - C's
        asked.append((start.value, size.value, how))
        return 0

    monkeypatch.setattr(durable, "_called", lambda _: sync_file_range)
    (tmp_path / "source").write_bytes(content(10 * CHUNK))
    let_go: list[object] = []
    with (tmp_path / "source").open("rb") as source, (tmp_path / "copy").open("xb") as into:
        monkeypatch.setattr(durable, "let_go", lambda file, *_: let_go.append(file))
        copy_hashed(source, into)
        assert into not in let_go
    assert asked == [(0, 4 * CHUNK, 2), (4 * CHUNK, 4 * CHUNK, 2), (8 * CHUNK, 2 * CHUNK, 2)]


def test_where_the_system_cannot_begin_to_write_it_lets_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go: list[tuple[int, int]] = []
    monkeypatch.setattr(durable, "_called", lambda _: None)
    monkeypatch.setattr(durable, "let_go", lambda _, start, end: let_go.append((start, end)))
    with (tmp_path / "any").open("xb") as file:
        durable.begin(file, 5, 9)
    assert let_go == [(5, 9)]


def test_the_system_is_asked_to_begin(tmp_path: Path) -> None:
    """Whether it has begun nobody is told; that it knows the call is all that can be seen."""
    found = durable._called("sync_file_range")
    assert found is not None
    with (tmp_path / "any").open("xb") as file:
        file.write(b"x" * CHUNK)
        file.flush()
        assert found(file.fileno(), durable._long(0), durable._long(CHUNK), 2) == 0
        assert found(file.fileno(), durable._long(-1), durable._long(CHUNK), 2) == -1


# -------------------------------------------------------------------- shared blocks


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[Path]:
    """A file system that lets files share their blocks, mounted."""
    image, top = tmp_path / "image", tmp_path / "btrfs"
    with image.open("xb") as file:
        file.truncate(240 * CHUNK)
    top.mkdir()
    subprocess.run(["mkfs.btrfs", "--quiet", image], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", image, top], check=True)
    try:
        yield top
    finally:
        subprocess.run(["umount", top], check=True)


def used(top: Path) -> int:
    os.sync()
    return shutil.disk_usage(top).used


@pytest.mark.system
@pytest.mark.parametrize("most", [None, 40 * CHUNK])
def test_where_blocks_can_be_shared_a_copy_takes_no_room(btrfs: Path, most: int | None) -> None:
    data = content(40 * CHUNK)
    (btrfs / "source").write_bytes(data)
    before, told = used(btrfs), list[int]()
    with (btrfs / "source").open("rb") as source, Unflushed() as unflushed:
        found = copy_hashed(source, unflushed.new(btrfs / "copy"), told.append, most=most)
    assert found == (sha256(data).hexdigest(), len(data))
    assert sum(told) == len(data)
    assert used(btrfs) - before < 4 * CHUNK
    with (btrfs / "source").open("r+b") as source:
        source.write(b"other")
    assert (btrfs / "copy").read_bytes() == data


def cached(path: Path) -> list[bool]:
    """Of each mebibyte of the file, whether its middle is in the page cache."""
    with path.open("rb") as file:
        found = []
        for at in range(CHUNK // 2, path.stat().st_size, CHUNK):
            try:
                found.append(os.preadv(file.fileno(), [bytearray(1)], at, os.RWF_NOWAIT) == 1)
            except BlockingIOError:
                found.append(False)
        durable.drop_cache(file)
    return found


@pytest.mark.system
@pytest.mark.parametrize("stays", [True, False])
def test_a_disk_s_page_cache_keeps_what_is_read_soon_and_no_more(
    btrfs: Path, monkeypatch: pytest.MonkeyPatch, *, stays: bool
) -> None:
    monkeypatch.setattr(stream, "_CLONE", 0)
    (btrfs / "source").write_bytes(content(40 * CHUNK))
    os.sync()
    with (btrfs / "source").open("rb") as source, (btrfs / "copy").open("x+b") as into:
        durable.drop_cache(source)
        copy_hashed(source, into, stays=stays)
        os.fsync(into.fileno())
    assert sum(cached(btrfs / "source")) < 10
    assert sum(cached(btrfs / "copy")) > 30 if stays else sum(cached(btrfs / "copy")) < 15
    with (btrfs / "copy").open("rb") as copy:
        hash_file(copy)
    assert sum(cached(btrfs / "copy")) < 10


@pytest.mark.system
def test_new_files_leave_the_page_cache_once_they_are_flushed(btrfs: Path) -> None:
    with Unflushed() as unflushed:
        for name in "ab":
            copy_hashed(io.BytesIO(content(9 * CHUNK)), unflushed.new(btrfs / name), stays=False)
    assert sum(cached(btrfs / "a")) + sum(cached(btrfs / "b")) < 5


@pytest.mark.system
def test_what_is_larger_than_it_may_be_is_not_shared_either(btrfs: Path) -> None:
    with (btrfs / "source").open("xb") as endless:
        endless.truncate(2**40)
    with (btrfs / "source").open("rb") as source, (btrfs / "copy").open("x+b") as into:
        _, size = copy_hashed(source, into, most=3 * CHUNK)
        assert size == 4 * CHUNK
    assert (btrfs / "copy").stat().st_size == 4 * CHUNK
