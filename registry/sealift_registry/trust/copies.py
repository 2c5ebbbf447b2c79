"""Copies of what is published, in `metadata/`: for people and tools; the rows are what counts.

There lie the newest version of each role, and every root. What is superseded is taken away where it
is what was published: a file that somebody else put there is left alone, whatever it is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import FRESHNESS, Rows
from sealift_signing import disk, roles
from sealift_signing.tuf_walk import LARGEST
from sealift_sync import durable

MOST = 1_000
"""Superseded copies that are taken away at once: a home from before has tens of thousands, and
other commands wait meanwhile. The next one goes on."""
NAME = re.compile(r"([1-9][0-9]{0,17})\.(.+)\.json")
SIGNED = b',"signed":'
"""In the bytes of a version, what comes before that which is signed, of which its digest is."""
KEPT = (roles.ROOT, roles.TIMESTAMP)
"""Every root is kept, and a timestamp's copy has no number."""


def write_copies(connection: Connection, folder: Path) -> None:
    """Write to `folder` what is lacking there, and take away what is superseded.

    Only one process at a time may do it: what is unfinished there is taken for left behind.
    """
    there = {path.name for path in folder.glob("*")}
    for left in (name for name in there if name.endswith(durable.PARTIAL)):
        (folder / left).unlink()
    repository = Repository(connection)
    rows = repository.stored.rows
    newest = rows.newest_numbers()
    for role, version in newest.items():
        name = f"{version}.{role}.json"
        if role == roles.TIMESTAMP:
            _write_timestamp(folder / f"{role}.json", repository)
        elif name not in there:
            durable.write(folder / name, _newest(repository, role))
    _write_roots(folder, repository, there)
    removed = 0
    for role, version, name in _superseded(there, newest):
        removed += _take_away(folder / name, role, version, rows)
        if removed == MOST:
            break


def _write_timestamp(path: Path, repository: Repository) -> None:
    """The one file that keeps its name."""
    data = repository.body(roles.TIMESTAMP)
    with suppress(OSError):
        if disk.read(path, len(data) + 1) == data:
            return
    durable.write(path, data)


def _newest(repository: Repository, role: str) -> bytes:
    """The newest version, whoever held its role then: others may hold it by now."""
    if role in FRESHNESS:
        return repository.body(role)
    return repository.stored.base(role).data


def _write_roots(folder: Path, repository: Repository, there: set[str]) -> None:
    numbers = range(1, repository.stored.root.version)
    lacking = [n for n in numbers if f"{n}.{roles.ROOT}.json" not in there]
    bodies = repository.roots() if lacking else []
    for number in lacking:
        durable.write(folder / f"{number}.{roles.ROOT}.json", bodies[number - 1])


def _superseded(there: set[str], newest: Mapping[str, int]) -> Iterator[tuple[str, int, str]]:
    """The role, version and name of each file that is called as a superseded version is."""
    for name in sorted(there):
        called = NAME.fullmatch(name)
        if called is None:
            continue
        version, role = int(called[1]), called[2]
        if role not in KEPT and version < newest.get(role, 0):
            yield role, version, name


def _take_away(path: Path, role: str, version: int, rows: Rows) -> bool:
    """Remove a copy of this version; whether that was one, and not somebody else's file."""
    with suppress(OSError):  # what cannot be read or removed lies there until somebody sees to it
        if not path.is_symlink() and _is_copy(disk.read(path, LARGEST), role, version, rows):
            path.unlink()
            return True
    return False


def _is_copy(data: bytes, role: str, version: int, rows: Rows) -> bool:
    if not roles.is_online(role):
        return data == rows.metadata(role, version)
    _, _, after = data.partition(SIGNED)
    return sha256(after[:-1]).hexdigest() == rows.digest(role, version)
