"""What a real process did to its files, as `strace` saw it: an ordered list of operations.

strace stops every thread of the process at every call that writes, names or flushes something and
prints its arguments whole. Nothing is taken on trust: a call that is not understood is an error,
and the operations, replayed, must give the very files that the process left.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.power.disk import (
    Disk,
    Flush,
    Link,
    Make,
    Mark,
    Operation,
    Remove,
    Rename,
    Resize,
    Write,
)

TRUST = "trust"
"""The memory of whoever signs, beside what is recorded."""
MARKS = "marks"
"""The file beside the recorded folders in which the process says what it has acknowledged."""
SHARED_MEMORY = "-shm"
"""SQLite's index of the write-ahead log: memory, never flushed, made anew after a cut."""

LONGEST = str(64 * 1024 * 1024)
"""Bytes of one argument that strace prints."""
_CALLS = (
    "open,openat,creat,lseek,write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,fallocate,"
    "fsync,fdatasync,sync,syncfs,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,"
    "unlinkat,rmdir,mkdir,mkdirat,copy_file_range,sendfile,splice"
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_BEGUN = re.compile(r"(\d+) +(\w+\(.*) <unfinished \.\.\.>$")
_ENDED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)$")


@dataclass(frozen=True)
class Recording:
    """What a process did below `folder`, from the state `before` (a copy of the folder)."""

    folder: Path
    before: Path
    operations: tuple[Operation, ...]

    def disk(self) -> Disk:
        """The disk as it was when the recording began, laid out below `folder`'s own path."""
        disk = Disk()
        disk.load(self.before, self.folder)
        return disk

    @property
    def marks(self) -> list[str]:
        """What the process acknowledged, in order."""
        return [one.said for one in self.operations if isinstance(one, Mark)]


def record(folder: Path, before: Path, weakened: str, *arguments: str) -> Recording:
    """Run `tests.power.child` and record what it does below `folder`.

    Args:
        folder: what is recorded.
        before: a copy of it as it is now.
        weakened: what the child takes away from the product, or `nothing`.
        arguments: what the child does.
    """
    traced = folder.with_name("strace.out")
    tracing = ["strace", "-f", "-y", "-xx", "-s", LONGEST, "--seccomp-bpf", "-o", str(traced)]
    calls = ["-e", f"trace={_CALLS}", "-e", "signal=none"]
    child = [sys.executable, "-B", "-m", "tests.power.child", str(folder.with_name(MARKS))]
    command = [*tracing, *calls, *child, weakened, *arguments]
    own = {**os.environ, "SEALIFT_TRUST": str(folder.with_name(TRUST))}
    run = subprocess.run(command, check=False, capture_output=True, text=True, env=own)
    assert run.returncode == 0, (run.stdout, run.stderr)
    operations = _operations(traced, folder, Recording(folder, before, ()).disk())
    recording = Recording(folder, before, tuple(operations))
    _check(recording)
    return recording


def _check(recording: Recording) -> None:
    """The operations, replayed, give what the process left."""
    disk = recording.disk()
    for one in recording.operations:
        disk.apply(one)
    left = Disk()
    left.load(recording.folder)
    replayed, there = disk.tree(recording.folder), left.tree(recording.folder)
    other = [
        path
        for path in sorted(replayed.keys() | there.keys())
        if replayed.get(path) != there.get(path) and not path.endswith(SHARED_MEMORY)
    ]
    assert other == []


class _Call(NamedTuple):
    """A system call that succeeded; it began when `before` operations had been done."""

    name: str
    given: list[str]
    result: int
    before: int


def _operations(traced: Path, folder: Path, disk: Disk) -> list[Operation]:
    done: list[Operation] = []
    reader = _Reader(folder, disk)
    for call in _calls(traced, lambda: len(done)):
        for one in reader.read(call):
            disk.apply(one)
            done.append(one)
    return done


def _calls(traced: Path, count: Callable[[], int]) -> Iterator[_Call]:
    begun: dict[str, tuple[str, int]] = {}
    with traced.open(encoding="ascii") as lines:
        for line in lines:
            text, before = line.rstrip("\n"), count()
            if found := _BEGUN.match(text):
                begun[found[1]] = (found[2], before)
                continue
            if found := _ENDED.match(text):
                start, before = begun.pop(found[1])
                text = f"{found[1]} {start}{found[2]}"
            if (whole := _LINE.match(text)) and int(whole[4]) >= 0:
                yield _absolute(_Call(whole[2], whole[3].split(", "), int(whole[4]), before))


_PLAIN = {
    "open": ("openat", {0}),
    "mkdir": ("mkdirat", {0}),
    "rmdir": ("unlinkat", {0}),
    "unlink": ("unlinkat", {0}),
    "rename": ("renameat", {0, 1}),
    "link": ("linkat", {0, 1}),
    "symlink": ("symlinkat", {1}),
}
"""Calls that name no folder to begin at: their name with one, and where it would stand."""


def _absolute(call: _Call) -> _Call:
    if call.name not in _PLAIN:
        return call
    name, places = _PLAIN[call.name]
    given: list[str] = []
    for place, one in enumerate(call.given):
        given += ["AT_FDCWD", one] if place in places else [one]
    return call._replace(name=name, given=given)


class _Reader:
    """Turns calls into operations; knows where each open file is written next."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = str(folder)
        self._marks = str(folder.with_name(MARKS))
        self._disk = disk
        self._next: dict[str, int] = {}

    def read(self, call: _Call) -> Iterator[Operation]:
        """What `call` did, if it did anything here."""
        given, name = call.given, call.name
        if name == "openat":
            yield from self._opened(given, call.result)
        elif name == "lseek":
            self._next[_number(given[0])] = call.result
        elif name in {"write", "pwrite64"}:
            yield from self._written(name, given, call.result)
        elif name in {"fsync", "fdatasync", "ftruncate", "fallocate"}:
            if self._is_ours(_opened(given[0])):
                yield _kept(call)
        elif name in {"mkdirat", "unlinkat", "symlinkat"}:
            yield from self._named(name, given)
        elif name in {"renameat", "renameat2", "linkat"}:
            yield from self._renamed(name, given)
        elif name == "syncfs":
            return  # a help that nothing may rest on: what follows must flush each file by itself
        else:
            # What it did could not be said; on files that are not ours it does not matter.
            assert not any(self._is_ours(_opened(one)) for one in given), call

    def _is_ours(self, path: str) -> bool:
        inside = path == self._folder or path.startswith(f"{self._folder}/")
        return inside and not path.endswith(SHARED_MEMORY)

    def _opened(self, given: list[str], descriptor: int) -> Iterator[Operation]:
        path, flags = _named(given), set(given[2].split("|"))
        self._next[str(descriptor)] = 0
        assert "O_APPEND" not in flags or not self._is_ours(path), path
        if not self._is_ours(path) or not flags & {"O_CREAT", "O_TRUNC"}:
            return
        if not self._disk.has(path):
            yield Make(path, "file")
        elif "O_TRUNC" in flags:
            yield Resize(path, 0)

    def _written(self, name: str, given: list[str], count: int) -> Iterator[Operation]:
        path, number = _opened(given[0]), _number(given[0])
        at = self._next.get(number, 0) if name == "write" else int(given[3])
        if name == "write":
            self._next[number] = at + count
        if path == self._marks:
            yield Mark(_bytes(given[1]).decode())
        elif self._is_ours(path) and count:
            yield Write(path, at, _bytes(given[1])[:count])

    def _named(self, name: str, given: list[str]) -> Iterator[Operation]:
        path = _named(given[1:] if name == "symlinkat" else given)
        if not self._is_ours(path):
            return
        if name == "mkdirat":
            yield Make(path, "folder")
        elif name == "unlinkat":
            yield Remove(path)
        else:
            yield Make(path, "link", _bytes(given[0]).decode())

    def _renamed(self, name: str, given: list[str]) -> Iterator[Operation]:
        old, new = _named(given), _named(given[2:])
        assert self._is_ours(old) == self._is_ours(new), (old, new)
        if self._is_ours(old):
            yield Link(old, new) if name == "linkat" else Rename(old, new)


def _kept(call: _Call) -> Operation:
    """A flush, or another length."""
    path = _opened(call.given[0])
    if call.name == "ftruncate":
        return Resize(path, int(call.given[1]))
    if call.name == "fallocate":
        assert call.given[1] == "0", call  # it makes files longer, and nothing else
        return Resize(path, int(call.given[2]) + int(call.given[3]))
    return Flush(path, call.before)


def _bytes(quoted: str) -> bytes:
    return bytes.fromhex(quoted.strip('"').replace("\\x", ""))


def _number(descriptor: str) -> str:
    return descriptor.partition("<")[0]


def _opened(descriptor: str) -> str:
    """The path of an open file; nothing for what is no descriptor, no path, or deleted."""
    if not descriptor.endswith(">"):
        return ""
    text = descriptor.partition("<")[2][:-1]
    return _bytes(text).decode() if text.startswith("\\x2f") else ""


def _named(given: list[str]) -> str:
    """The path that a folder and a name in it, the first two of `given`, are."""
    name = _bytes(given[1]).decode()
    return os.path.normpath(os.path.join(_opened(given[0]), name))  # noqa: PTH118 - plain text
