"""A disk that loses power: operations in, and out what may be found on it afterwards.

What is known to be kept is what was flushed, and nothing else. POSIX promises no more: `fsync` of a
file is about that file's data ("the data for the open file descriptor"), and its rationale leaves
the rest to the implementation; that a *name* is kept takes the flush of its folder. So:

- **Data.** The disk writes sectors of 512 bytes when it likes. Each sector of a file is found as it
  was at some moment since the file's last flush, and so is the file's size; a size that was written
  before its data shows zeros (the "zero-length file" of delayed allocation).
- **Names.** Each folder's changes since its last flush are found all, none, in part in their order,
  or in any part. ext4 and XFS journal them in one order for the whole file system, and keep what
  was flushed before it; we take what is harsher: each folder for itself (as POSIX allows, and
  btrfs does), and any part of them (as FAT and exFAT do, on which media travel).
- **A rename is one change**, also between two folders: found done or not done, and durable with a
  flush of either folder. A journal gives that; FAT does not, and nobody can build on less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random
from typing import Literal, NamedTuple

SECTOR = 512


class Make(NamedTuple):
    """A new file, folder or symbolic link (to `target`)."""

    path: str
    kind: Literal["file", "folder", "link"]
    target: str = ""


class Write(NamedTuple):
    """Bytes into a file."""

    path: str
    at: int
    data: bytes


class Resize(NamedTuple):
    """A file cut short or made longer."""

    path: str
    size: int


class Rename(NamedTuple):
    """Another name, in the place of what bore it."""

    old: str
    new: str


class Link(NamedTuple):
    """A further name of a file."""

    old: str
    new: str


class Remove(NamedTuple):
    """A name taken away."""

    path: str


class Flush(NamedTuple):
    """fsync of a file or a folder, which began after the first `before` operations."""

    path: str
    before: int


class Mark(NamedTuple):
    """What the run had told somebody by then: what must be true after any later cut."""

    said: str


Operation = Make | Write | Resize | Rename | Link | Remove | Flush | Mark


class Also(NamedTuple):
    """A further name of the file that was found at `path`."""

    path: str


Found = bytes | PurePosixPath | Also | None
"""A file's bytes, a link's target, a file that was found already, or None for a folder."""
Tree = dict[str, Found]
"""What is found, by path."""


@dataclass
class _Symlink:
    target: str


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    now: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, Write | Resize]] = field(default_factory=list)


@dataclass
class _Folder:
    durable: dict[str, _Node] = field(default_factory=dict)
    now: dict[str, _Node] = field(default_factory=dict)
    pending: list[_Renaming] = field(default_factory=list)


_Node = _File | _Folder | _Symlink


@dataclass(frozen=True)
class _Renaming:
    """A change of a folder's names: `name` is gone, or is `node` now; `number` is its operation."""

    number: int
    name: str
    node: _Node | None


class Disk:
    """A disk, empty at first. Paths are absolute; what lies outside of it is nobody's business."""

    def __init__(self) -> None:
        self._root = _Folder()
        self._number = 0
        self._files: dict[int, _File] = {}  # those loaded, by inode: a file may have several names

    def mount(self, folder: Path) -> _Folder:
        """Have the folder `folder`, and all above it, durably."""
        node = self._root
        for one in folder.parts[1:]:
            below = node.now.setdefault(one, _Folder())
            assert isinstance(below, _Folder), folder
            node.durable[one] = below
            node = below
        return node

    def load(self, folder: Path, at: Path | None = None) -> None:
        """Take in a real folder, as if it lay at `at`: all of it is durable."""
        place = at or folder
        node = self.mount(place)
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                self.load(path, place / path.name)
            else:
                node.now[path.name] = node.durable[path.name] = self._loaded(path)

    def _loaded(self, path: Path) -> _Node:
        if path.is_symlink():
            return _Symlink(str(path.readlink()))
        data = path.read_bytes()
        number = path.stat().st_ino
        return self._files.setdefault(number, _File(bytearray(data), bytearray(data)))

    def apply(self, operation: Operation) -> None:
        """Do `operation`; nothing of it is durable until it is flushed."""
        match operation:
            case Make(path, kind, target):
                self._name(path, _made(kind, target))
            case Write(path) | Resize(path):
                file = self._file(path)
                _change(file.now, operation)
                file.pending.append((self._number, operation))
            case Rename(old, new):
                self._name(new, self._find(old))
                self._name(old, None)
            case Link(old, new):
                self._name(new, self._find(old))
            case Remove(path):
                self._name(path, None)
            case Flush(path, before):
                self._flush(path, before)
            case Mark():
                pass
        self._number += 1

    def has(self, path: str) -> bool:
        """Whether there is something at `path` now."""
        folder, name = self._place(path)
        return name in folder.now

    def tree(self, below: Path) -> Tree:
        """What a running system sees below `below`."""
        walk = _Walk(lambda folder: folder.now, lambda file: bytes(file.now))
        return dict(walk.found(self._find(str(below)), ""))

    def cut(self, below: Path, chance: Random) -> Tree:
        """What may be found below `below` if the power goes now."""
        walk = _Walk(_names(chance), _data(chance))
        return dict(walk.found(self._find(str(below)), ""))

    # -- names

    def _place(self, path: str) -> tuple[_Folder, str]:
        *folders, name = PurePosixPath(path).parts[1:]
        node: _Node = self._root
        for one in folders:
            assert isinstance(node, _Folder), path
            node = node.now[one]
        assert isinstance(node, _Folder), path
        return node, name

    def _find(self, path: str) -> _Node:
        folder, name = self._place(path)
        return folder.now[name]

    def _file(self, path: str) -> _File:
        node = self._find(path)
        assert isinstance(node, _File), path
        return node

    def _name(self, path: str, node: _Node | None) -> None:
        folder, name = self._place(path)
        if node is None:
            del folder.now[name]
        else:
            folder.now[name] = node
        folder.pending.append(_Renaming(self._number, name, node))

    # -- flushes

    def _flush(self, path: str, before: int) -> None:
        node = self._find(path)
        if isinstance(node, _File):
            for number, change in node.pending:
                if number < before:
                    _change(node.durable, change)
            node.pending = [one for one in node.pending if one[0] >= before]
        elif isinstance(node, _Folder):
            done = {one.number for one in node.pending if one.number < before}
            _make_durable(node, done)
            for other in _folders(self._root):
                _make_durable(other, done)  # the other half of a rename between two folders


def _make_durable(folder: _Folder, numbers: set[int]) -> None:
    done = [one for one in folder.pending if one.number in numbers]
    last = {one.name: one.number for one in done}
    for one in done:
        _rename(folder.durable, one)
    # What a name was before it changed durably cannot come back.
    folder.pending = [one for one in folder.pending if one.number > last.get(one.name, -1)]


def _rename(names: dict[str, _Node], change: _Renaming) -> None:
    if change.node is None:
        names.pop(change.name, None)
    else:
        names[change.name] = change.node


def _folders(folder: _Folder) -> Iterator[_Folder]:
    yield folder
    for node in folder.now.values():
        if isinstance(node, _Folder):
            yield from _folders(node)


def _made(kind: str, target: str) -> _Node:
    if kind == "link":
        return _Symlink(target)
    return _Folder() if kind == "folder" else _File()


# -- what a cut leaves


def _names(chance: Random) -> Callable[[_Folder], Mapping[str, _Node]]:
    """How this cut treats names that were not flushed, one way for the whole disk."""
    way = chance.choice(("none", "all", "in order", "any part"))
    between: dict[int, bool] = {}  # a rename between folders is one change of two folders

    def found(folder: _Folder) -> Mapping[str, _Node]:
        names = dict(folder.durable)
        until = chance.randint(0, len(folder.pending))
        for place, one in enumerate(folder.pending):
            kept = {"none": False, "all": True, "in order": place < until}.get(way)
            if kept is None:
                kept = chance.random() < 0.5
            if between.setdefault(one.number, kept):
                _rename(names, one)
        return names

    return found


def _data(chance: Random) -> Callable[[_File], bytes]:
    """How this cut treats data that was not flushed."""
    way = chance.choice(("none", "all", "in order", "torn"))

    def found(file: _File) -> bytes:
        changes = [change for _, change in file.pending]
        if way == "none" or not changes:
            return bytes(file.durable)
        if way == "all":
            return bytes(file.now)
        if way == "in order":
            return _changed(file.durable, changes[: chance.randint(0, len(changes))])
        return _torn(file.durable, changes, chance)

    return found


def _torn(durable: bytearray, changes: list[Write | Resize], chance: Random) -> bytes:
    """Each sector as of some moment since the flush, and the size too."""
    sizes = [len(durable)]
    found = bytearray(durable)
    until: dict[int, int] = {}
    for number, change in enumerate(changes):
        begin, data = _as_data(change, len(found))
        sizes.append(_size(sizes[-1], change))
        found.extend(bytes(max(0, begin + len(data) - len(found))))
        for at in range(begin - begin % SECTOR, begin + len(data), SECTOR):
            if number < until.setdefault(at, chance.randint(0, len(changes))):
                first, end = max(at, begin), min(at + SECTOR, begin + len(data))
                found[first:end] = data[first - begin : end - begin]
    size = chance.choice(sizes)
    return bytes(found[:size].ljust(size, b"\0"))


def _as_data(change: Write | Resize, size: int) -> tuple[int, bytes]:
    """Where and what a change writes; zeros up to `size`, if it cuts short what has that size."""
    if isinstance(change, Write):
        return change.at, change.data
    return change.size, bytes(max(0, size - change.size))


def _size(before: int, change: Write | Resize) -> int:
    return max(before, change.at + len(change.data)) if isinstance(change, Write) else change.size


def _changed(data: bytes | bytearray, changes: Iterable[Write | Resize]) -> bytes:
    now = bytearray(data)
    for change in changes:
        _change(now, change)
    return bytes(now)


def _change(now: bytearray, change: Write | Resize) -> None:
    size = change.size if isinstance(change, Resize) else change.at
    if isinstance(change, Resize):
        del now[size:]
    now.extend(bytes(max(0, size - len(now))))
    if isinstance(change, Write):
        now[size : size + len(change.data)] = change.data


class _Walk:
    """What there is below a folder, as `names` and `data` see it."""

    def __init__(
        self, names: Callable[[_Folder], Mapping[str, _Node]], data: Callable[[_File], bytes]
    ) -> None:
        self._names = names
        self._data = data
        self._seen: dict[int, str] = {}

    def found(self, node: _Node, path: str) -> Iterator[tuple[str, Found]]:
        if isinstance(node, _Symlink):
            yield path, PurePosixPath(node.target)
        elif isinstance(node, _File):
            first = self._seen.setdefault(id(node), path)
            yield path, Also(first) if first != path else self._data(node)
        else:
            if path:
                yield path, None
            for name, below in sorted(self._names(node).items()):
                yield from self.found(below, f"{path}/{name}" if path else name)


def lay_out(tree: Tree, folder: Path) -> None:
    """Put what was found into a real folder."""
    folder.mkdir(parents=True)
    for path, what in tree.items():
        place = folder / path
        if what is None:
            place.mkdir()
        elif isinstance(what, bytes):
            place.write_bytes(what)
        elif isinstance(what, Also):
            place.hardlink_to(folder / what.path)
        else:
            place.symlink_to(what)
