"""A folder that a stranger prepared: links, pipes, endless files, odd names, deep nests."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sealift_signing import canonical, statements
from sealift_signing.errors import SealiftError
from sealift_signing.statements import CarriedFile, Transfer
from sealift_signing.vocabulary import MEDIUM_PATH
from sealift_sync.bundle import layout, partial
from sealift_sync.bundle.medium import Medium, read_named
from sealift_sync.bundle.quarantine import quarantine
from sealift_sync.bundle.returned import find_returns, read_return
from sealift_sync.site.importing.finding_transfer import find_transfer
from sealift_sync.site.log.restored_site import notes_beside
from tests.fuzz.forging import TAPES
from tests.fuzz.organisation import FixedKeys, scratch
from tests.fuzz.tape import Tape
from tests.fuzz.target import Target, check_told

NAMES = (
    b"transfer.json", b"index.json", b"oci-layout", b"READ-ME-FIRST.txt", b"metadata", b"targets",
    b"statements", b"log", b"blobs", b"sha256", b"1.root.json", b"timestamp.json", b"policy.json",
    b"._policy.json", b".DS_Store", b"System Volume Information", b"Thumbs.db", b"TRANSFER.JSON",
    b"Metadata", b"\xff\xfe", b"caf\xc3\xa9", b"cafe\xcc\x81", b"a\nb", b"\x1b[2J", b"-rf", b"~",
    b"CON", b"x" * 255, b"hub.checkpoint", b"sites", b"sealift", b"returns", b"plant-7", b"7",
    b"extract.json",
    b"receipts", b"plant-7-000001.json", b"plant-7-000002", b".plant-7-000003.partial",
    b"site.checkpoint", b"*", b" ", b"0" * 64, b"f" * 64,
)  # fmt: skip
KINDS_OF_FILE = (
    *("file", "file", "file", "folder", "folder", "link", "fifo", "device", "sparse", "empty"),
    *("deep", "whole"),
)
LISTED = (
    *("metadata/1.root.json", "metadata/timestamp.json", "targets/policy.json", "index.json"),
    *("targets/sites/plant-7/assignment.json", f"statements/{'0' * 64}.json", "log/hub.checkpoint"),
    *(f"blobs/sha256/{'0' * 64}", f"blobs/sha256/{'f' * 64}", "oci-layout", "READ-ME-FIRST.txt"),
    *("metadata", "Metadata/1.root.json", "log/hub.checkpoint/x", "blobs", "CON/x", "d/d/d/d/d"),
)
"""What the transfer lists; some of it cannot all be there at once."""


@cache
def _transfer() -> bytes:
    """A transfer.json that nobody believes, and that says what is copied."""
    digest = "0" * 64
    files = tuple(CarriedFile(path, 1, digest) for path in LISTED)
    said = Transfer(
        1, (), digest, "plant-7-000001", "plant-7", digest, "2026-11-21T10:00:00.000000Z", (), None,
        files, "", None,
    )  # fmt: skip
    about = statements.subject("sites/plant-7/assignment.json", digest)
    return statements.sign(said, [about], FixedKeys()["dora"])


def _folder(data: bytes) -> None:
    top = scratch() / "folder"
    tape = Tape(data)
    looks: tuple[Callable[[Path], None], ...] = (_read_all, _read_named, _find, _copy)
    with _made(top, tape):
        before = _listed(top)
        for look in looks:
            try:
                look(top)
            except SealiftError as told:
                check_told(told)
        assert _listed(top) == before, "reading changed the medium"
        _resume(top)


def _read_all(top: Path) -> None:
    """Everything that can be named is looked at, and read where that is allowed."""
    medium = Medium(top)
    folders = {"metadata", "targets", "blobs", "blobs/sha256", "log", "metadata/log", "sealift"}
    for path in [*medium.names(folders), *LISTED]:
        assert not path.startswith("/")
        try:
            medium.has(path)
            if path in LISTED:
                medium.folders(path)
            data = medium.read(path, 4096)
        except SealiftError as told:
            check_told(told)
            continue
        assert len(data) <= 4096
        assert SECRET not in data, f"{path}: a file outside the medium was read"


def _read_named(top: Path) -> None:
    for name in NAMES:
        file = top / os.fsdecode(name)
        try:
            data = read_named(file, 4096, next_step="Use another.")
        except SealiftError as told:
            check_told(told)
            continue
        assert not file.is_symlink()
        assert len(data) <= 4096


def _find(top: Path) -> None:
    """What a command looks for on a medium: returns, a transfer, and what an export left."""
    looks = (
        lambda: [read_return(found) for site in find_returns(top) for found in site],
        lambda: find_transfer(top, "plant-7"),
        lambda: list(notes_beside(Medium(top), "plant-7")),
        lambda: (partial.unfinished(top, "plant-7"), partial.taken_up(top)),
    )
    for look in looks:
        try:
            look()
        except SealiftError as told:
            check_told(told)


def _resume(top: Path) -> None:
    """An export that goes on here clears away what is not its own, and nothing outside."""
    wanted = {path: 1 for path in LISTED if "/" in path and not path.startswith("Metadata")}
    kept = partial.keep_only(top, wanted)
    assert kept <= wanted.keys()
    for path in top.rglob("*"):
        assert path.is_dir() or str(path.relative_to(top)) in kept
        assert not path.is_symlink()
    assert top.with_name("secret").read_bytes() == SECRET, "a file outside the medium was changed"


def _copy(top: Path) -> None:
    into = scratch() / "quarantine"
    kept = quarantine(Medium(top), into)
    try:
        found = {str(path.relative_to(into)) for path in into.rglob("*") if not path.is_dir()}
        assert found == kept.paths
        for path in kept.paths:
            assert MEDIUM_PATH.matches(path)
            assert SECRET not in kept.read(path), f"{path}: a file outside the medium was read"
        kept.read(layout.TRANSFER)
    finally:
        kept.close()
    assert not into.exists()


SECRET = b"the secret"


@contextmanager
def _made(top: Path, tape: Tape) -> Iterator[None]:
    """A folder with whatever the tape says, beside a file that nobody may read."""
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir(parents=True)
    top.with_name("secret").write_bytes(SECRET)
    places = [os.fsencode(top)]
    if not tape.chance(8):
        top.joinpath(layout.TRANSFER).write_bytes(_transfer())
        index = {"manifests": [{"digest": f"sha256:{one * 64}"} for one in "0f"]}
        top.joinpath(layout.INDEX).write_bytes(canonical.encode(index))
    try:
        while not tape.ended and len(places) < 64:
            where = os.path.join(tape.pick(places), tape.pick(NAMES))  # noqa: PTH118 - bytes
            _put(tape.pick(KINDS_OF_FILE), where, tape, places)
        yield
    finally:
        shutil.rmtree(top, ignore_errors=True)


def _put(kind: str, where: bytes, tape: Tape, places: list[bytes]) -> None:
    try:
        if kind == "folder":
            os.mkdir(where)  # noqa: PTH102 - bytes
            places.append(where)
        elif kind == "deep":
            here = where
            for _ in range(tape.pick((2, 15, 17, 40))):
                os.mkdir(here)  # noqa: PTH102 - bytes
                here += b"/d"
            places.append(here.removesuffix(b"/d"))
        elif kind == "link":
            to = tape.pick(
                (b"../secret", b"..", b"/etc/passwd", b"/dev/zero", b"nowhere", b".", where)
            )
            os.symlink(to, where)  # noqa: PTH211 - bytes
        elif kind == "fifo":
            os.mkfifo(where)
        elif kind == "device":
            os.mknod(where, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero, to who may
        elif kind == "whole":
            _put_listed(where, tape)
        else:
            _write(kind, where, tape)
    except OSError:
        return  # a name that is there already, or one that no file system here takes


def _put_listed(where: bytes, tape: Tape) -> None:
    """A file that the transfer lists, with all its folders, from wherever the tape stands."""
    path = os.path.join(where, tape.pick(LISTED).encode())  # noqa: PTH118 - bytes
    if tape.chance(2):
        path = os.path.join(os.fsencode(scratch() / "folder"), tape.pick(LISTED).encode())  # noqa: PTH118 - bytes
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - bytes
    _write("file", path, tape)


def _write(kind: str, where: bytes, tape: Tape) -> None:
    with open(where, "xb") as file:  # noqa: PTH123 - bytes
        if kind == "sparse":
            file.truncate(tape.pick((5000, layout.LARGEST_SMALL_FILE + 1, 1 << 40)))
        elif kind == "file":
            file.write(tape.take(tape.below(8)))


def _listed(top: Path) -> list[str]:
    return sorted(f"{path.relative_to(top)} {path.lstat().st_mode:o}" for path in top.rglob("*"))


FOLDER = Target("folder", _folder, lambda: TAPES, "tape", 96)
