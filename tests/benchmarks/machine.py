"""The machine: what it is, and how fast its parts are by themselves.

A control does one thing that the commands cannot do without (read a cold file, write one durably,
hash) in the same rounds and on the same disk as they: what they take beyond it is theirs.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from io import FileIO
from mmap import mmap
from pathlib import Path

from sealift_sync import durable, stream
from tests.benchmarks import rivals
from tests.benchmarks.figures import Figure, Line, repeated
from tests.benchmarks.racing import Act, Contestant, FailedError, Place, Step, files_of, race

CHUNK = 1024 * 1024
BLOCK = 64 * CHUNK
FLUSHES = 300
WRITTEN = 4
"""Files that the control of writing makes."""
FILLED = 1024 * CHUNK
PAGE = 4096
TOOLS = ("openssl", "restic", "borg", "skopeo", "dvc", "model_signing")

READ, WRITE, HASH = "read, cold", "write, fsync", "sha256, one core"
EACH, ONCE = "write the files, fsync each", "write the files, sync once"
BARE, BARE_ONE = "an export's bare calls", "the same, into one file"

Description = dict[str, str | int | float]


def describe(folder: Path) -> Description:
    """What measures, in words and numbers; `folder` is on the disk that is measured."""
    flushed = flushes(folder)
    tools = {name: rivals.version(name) for name in TOOLS}
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(folder),
        "fdatasync_p50_ms": flushed.p50_ms,
        "fdatasync_p99_ms": flushed.p99_ms,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl_of_python": ssl.OPENSSL_VERSION,
        "sqlite": sqlite3.sqlite_version,
        **{name: said for name, said in tools.items() if said},
    }


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """What no caller that waits for the disk, and none that takes fresh memory, is faster than."""
    yield flushes(folder, FLUSHES if quick else 5 * FLUSHES)
    size = FILLED // 8 if quick else FILLED
    yield from race([_filling(size)], 2 if quick else 5, folder).values()


def flushes(folder: Path, times: int = FLUSHES) -> Figure:
    """How long the disk takes for the least that can be made durable."""
    path = folder / "flushed"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def flush(_number: int) -> None:
        os.write(descriptor, bytes(PAGE))
        os.fdatasync(descriptor)

    try:
        return repeated("append 4 KiB and fdatasync", times, flush)
    finally:
        os.close(descriptor)
        path.unlink()


# -------------------------------------------------------------------- controls


def reading(source: Path, size: int) -> Contestant:
    """The files below `source`, from the disk into nothing."""

    def steps(_place: Place) -> Iterator[Step | Act]:
        yield Act(lambda: _read([source]), [source])

    return Contestant(READ, size, steps, control=True)


def writing(size: int) -> Contestant:
    """As many bytes in four files, which are flushed when all are written; then their folder."""
    block = memoryview(os.urandom(BLOCK))

    def write(folder: Path) -> None:
        with ExitStack() as stack:
            files = [
                stack.enter_context((folder / str(number)).open("xb", buffering=0))
                for number in range(WRITTEN)
            ]
            for file in files:
                for begin in range(0, size // WRITTEN, CHUNK):
                    at = begin % BLOCK
                    file.write(block[at : at + min(CHUNK, size // WRITTEN - begin)])
            for file in files:
                os.fsync(file.fileno())
        _flush(folder)

    def steps(place: Place) -> Iterator[Step | Act]:
        yield Act(lambda: write(place.folder))

    return Contestant(WRITE, size, steps, control=True)


def hashing(size: int) -> Contestant:
    """sha256 by one core, of bytes that lie in memory."""
    block = memoryview(os.urandom(BLOCK))

    def hashed() -> None:
        digest = sha256()
        for begin in range(0, size, BLOCK):
            digest.update(block[: min(BLOCK, size - begin)])

    def steps(_place: Place) -> Iterator[Step | Act]:
        yield Act(hashed)

    return Contestant(HASH, size, steps, control=True)


def _filling(size: int) -> Contestant:
    """Memory that nobody has used yet, and the same again: a virtual machine's may have to be
    given to it first, and whatever reads or writes a file for the first time takes such memory.
    """
    block = os.urandom(CHUNK)

    def fill(memory: mmap) -> None:
        memory.seek(0)
        for _ in range(size // CHUNK):
            memory.write(block)

    def steps(_place: Place) -> Iterator[Step | Act]:
        with mmap(-1, size) as memory:
            yield Act(lambda: fill(memory), part="fill fresh memory")
            yield Act(lambda: fill(memory), part="fill it again")

    return Contestant("fill memory", size, steps, control=True)


def small_writing(source: Path, size: int) -> Iterator[Contestant]:
    """The files of `source` again, flushed one by one, and flushed together."""
    contents = [path.read_bytes() for path in files_of([source])]

    def write(folder: Path, *, each: bool) -> None:
        for number, data in enumerate(contents):
            with (folder / str(number)).open("xb", buffering=0) as file:
                file.write(data)
                if each:
                    os.fsync(file.fileno())
        _flush(folder)

    def one_by_one(place: Place) -> Iterator[Step | Act]:
        yield Act(lambda: write(place.folder, each=True))

    def together(place: Place) -> Iterator[Step | Act]:
        yield Act(lambda: write(place.folder, each=False))
        yield rivals.flush(place.folder)

    yield Contestant(EACH, size, one_by_one, control=True)
    yield Contestant(ONCE, size, together, control=True)


def small_carrying(source: Path, size: int) -> Iterator[Contestant]:
    """What an export cannot but do for the files of `source`: nothing is found, checked or signed.

    Each is read, hashed, written, flushed, read back from the disk and hashed: as a file of its
    own, and as a part of one file of all.
    """
    paths = list(files_of([source]))

    def each(folder: Path) -> None:
        digests: dict[Path, bytes] = {}
        for some in _read_ahead(paths):
            with ExitStack() as stack:
                made = []
                for data in some:
                    path = folder / str(len(digests))
                    digests[path] = sha256(data).digest()
                    made.append(stack.enter_context(path.open("xb", buffering=0)))
                    made[-1].write(data)
                _flush_all(made)
        _flush(folder)
        back = (data for some in _read_ahead(list(digests)) for data in some)
        _check(digests.values(), back)

    def one(folder: Path) -> None:
        digests, sizes = list[bytes](), list[int]()
        with (folder / "all").open("x+b", buffering=0) as file:
            for some in _read_ahead(paths):
                digests += [sha256(data).digest() for data in some]
                sizes += map(len, some)
                file.write(b"".join(some))
            _flush_all([file])
            _flush(folder)
            file.seek(0)
            _check(digests, (file.read(size) for size in sizes))

    for name, carry in ((BARE, each), (BARE_ONE, one)):

        def steps(place: Place, carry: Callable[[Path], None] = carry) -> Iterator[Step | Act]:
            yield Act(lambda: carry(place.folder), [source])

        yield Contestant(name, size, steps, control=True)


def _read_ahead(paths: list[Path]) -> Iterator[list[bytes]]:
    """What small files hold, some dozens at a time, all asked of the disk at once."""
    for begin in range(0, len(paths), stream.ASKED):
        with ExitStack() as stack:
            some = paths[begin : begin + stream.ASKED]
            files = [stack.enter_context(path.open("rb", buffering=0)) for path in some]
            for file in files:
                durable.ask_for(file, CHUNK)
            yield [file.read() for file in files]


def _flush_all(files: list[FileIO]) -> None:
    durable.begin_all(files[0])
    for file in files:
        durable.flush(file)
        durable.let_go(file)


def _check(digests: Iterable[bytes], back: Iterable[bytes]) -> None:
    found = [sha256(data).digest() for data in back]
    if found != list(digests):
        msg = "this disk gives back other bytes than were written"
        raise FailedError(msg)


def _read(paths: list[Path]) -> None:
    buffer = bytearray(CHUNK)
    for path in files_of(paths):
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)


# -------------------------------------------------------------------- what it is


def _processor() -> str:
    try:
        said = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    fields = (line.partition(":") for line in said.splitlines())
    named = (value.strip() for name, _, value in fields if name.strip() == "model name")
    return f"{next(named, 'unknown')}, {platform.machine()}"


def _file_system(folder: Path) -> str:
    """The type and the options of the file system that holds `folder`."""
    best, found = -1, "unknown"
    here = folder.resolve()
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, top, kind, options, *_ = line.split()
        if here.is_relative_to(top) and len(top) >= best:
            best, found = len(top), f"{kind} ({options})"
    return found
