"""The points of a command: every moment at which it changes what is kept on a disk.

A point is a call that opens a file to be written, flushes it, gives it a name, takes a name away or
commits a transaction, where the path lies in the case's own folder; and each statement of a step of
a site's schema. `watch` replaces those calls in
the process that it is called in, which must be one that ends soon.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import sqlite3
import sqlite3.dbapi2
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

When = Literal["before", "after"]
Call = Callable[..., Any]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
SCHEMA = ("CREATE", "DROP", "ALTER", "PRAGMA USER_VERSION =")
CHANGES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER")


@dataclass
class Points:
    """Counts the points below `folder`, and acts at one of them.

    Attributes:
        folder: what lies elsewhere is not counted.
        chosen: the number of the point, from 1, at which to act; 0 for none.
        when: whether to act before the call or after it.
        act: what to do.
        passed: what was done at each point so far.
    """

    folder: Path
    chosen: int
    when: When
    act: Callable[[], None]
    passed: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.RLock)

    def around(self, what: str, path: object, call: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Do `call`, which is a point if `path` lies in our folder."""
        place = self._place(path)
        if place is None:
            return call()
        with self.lock:
            self.passed.append(f"{what} {place}")
            number = len(self.passed)
        if (number, self.when) == (self.chosen, "before"):
            self.act()
        try:
            return call()
        finally:
            if (number, self.when) == (self.chosen, "after"):
                self.act()

    def _place(self, path: object) -> str | None:
        try:
            if isinstance(path, int):
                found = os.readlink(f"/proc/self/fd/{path}")  # noqa: PTH115 - of a descriptor
            else:
                found = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type]  # noqa: PTH100
        except (OSError, TypeError, ValueError):
            return None
        here = str(self.folder)
        return found.removeprefix(f"{here}/") if found.startswith(f"{here}/") else None


def watch(points: Points) -> None:
    """Have every point of this process, from now on, go through `points`."""
    builtins.open = io.open = _opening(points, io.open)
    for name in ("fsync", "fdatasync"):
        _replace(name, lambda real: _first(points, real))
    for name in ("rmdir", "unlink", "remove", "truncate", "chmod"):
        _replace(name, lambda real: _first(points, real, _is_there))
    _replace("mkdir", lambda real: _first(points, real, lambda path: not _is_there(path)))
    for name in ("rename", "replace", "link", "symlink"):
        _replace(name, lambda real: _second(points, real))
    _replace("open", lambda real: _os_open(points, real))
    connect = _connecting(points, sqlite3.connect)
    sqlite3.connect = sqlite3.dbapi2.connect = connect


def _replace(name: str, made: Callable[[Call], Call]) -> None:
    real = getattr(os, name)
    replaced = made(real)
    replaced.__name__ = name
    for known in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if real in known:  # whoever asks whether `os.open` can, asks about what it is now
            known.add(replaced)
    setattr(os, name, replaced)


def _below(path: object, folder: int | None) -> object:
    """`path`, which is relative to the open folder, if one is given."""
    if folder is None or isinstance(path, int):
        return path
    with contextlib.suppress(OSError):
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fsdecode(path))  # type: ignore[arg-type]  # noqa: PTH115, PTH118
    return path


def _is_there(path: object) -> bool:
    return isinstance(path, int) or os.path.lexists(path)  # type: ignore[arg-type]


def _first(points: Points, real: Call, changes: Callable[[Any], bool] = lambda _: True) -> Call:
    """A call whose first argument is what it changes; it is no point where nothing `changes`."""

    def call(path: object, *more: object, **named: Any) -> Any:  # noqa: ANN401
        place = _below(path, named.get("dir_fd"))
        if not changes(place):
            return real(path, *more, **named)
        return points.around(real.__name__, place, lambda: real(path, *more, **named))

    return call


def _second(points: Points, real: Call) -> Call:
    """A call whose second argument is the new name."""

    def call(source: object, target: object, *more: object, **named: Any) -> Any:  # noqa: ANN401
        place = _below(target, named.get("dst_dir_fd", named.get("dir_fd")))
        return points.around(real.__name__, place, lambda: real(source, target, *more, **named))

    return call


def _os_open(points: Points, real: Call) -> Call:
    def call(path: object, flags: int, *more: object, **named: Any) -> Any:  # noqa: ANN401
        if not flags & WRITING:
            return real(path, flags, *more, **named)
        place = _below(path, named.get("dir_fd"))
        return points.around("open", place, lambda: real(path, flags, *more, **named))

    return call


def _opening(points: Points, real: Call) -> Call:
    def call(file: object, mode: str = "r", *more: object, **named: Any) -> Any:  # noqa: ANN401
        writes = any(letter in mode for letter in "wxa+")
        if not writes or isinstance(file, int) or named.get("opener"):
            return real(file, mode, *more, **named)  # a descriptor was counted when it was opened
        return points.around("open", file, lambda: real(file, mode, *more, **named))

    return call


def _connecting(points: Points, real: Call) -> Call:
    def call(database: object, *more: object, **named: Any) -> Any:  # noqa: ANN401
        named.setdefault("factory", _connection(points, database))
        return real(database, *more, **named)

    return call


def _connection(points: Points, database: object) -> type[sqlite3.Connection]:
    class Watched(sqlite3.Connection):
        """Counts what commits: COMMIT, and each change that is made outside a transaction."""

        def commit(self) -> None:
            real = super().commit
            if self.in_transaction:
                points.around("commit", database, real)
            else:
                real()

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401
            real = super().execute
            words = sql.lstrip().upper()
            alone = words.startswith(CHANGES) and not self.in_transaction
            if words.startswith("COMMIT") or alone:
                found: sqlite3.Cursor = points.around(
                    "commit", database, lambda: real(sql, *values)
                )
                return found
            if words.startswith(SCHEMA):
                named = " ".join(words.split()[:6])
                done: sqlite3.Cursor = points.around(named, database, lambda: real(sql, *values))
                return done
            return real(sql, *values)

    return Watched
