"""What `locks` promises, by the numbers in its docstring; and that nobody else asks for locks."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sealift_signing import locks
from sealift_signing.errors import FailedError

ROOT = Path(__file__).parents[2]
HOLDS = """
import sys
from pathlib import Path
from sealift_signing import locks
path = Path(sys.argv[2])
if sys.argv[1] == "held":
    block = locks.held(path)
    block.__enter__()
elif sys.argv[1] == "at once":
    block = locks.at_once(path)
    assert block.__enter__()
elif sys.argv[1] == "take":
    file = locks.take(path, "for a test")
elif sys.argv[1] == "claim":
    file = locks.claim(path)
print("held", flush=True)
sys.stdin.read()
"""
WAYS = ("held", "at once", "take", "claim")


@contextmanager
def another(way: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock at `path`, taken in this way, until it is killed."""
    command = [sys.executable, "-c", HOLDS, way, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def is_free(path: Path) -> bool:
    with locks.at_once(path) as free:
        return free


def test_f2_406_only_one_module_asks_for_locks() -> None:
    rooms = ("signing", "offline-sync", "registry", "migrations")
    asking = [
        str(path.relative_to(ROOT))
        for room in rooms
        for path in sorted((ROOT / room).rglob("*.py"))
        if "flock" in path.read_text() and "lockf" not in path.name
    ]
    assert asking == ["signing/sealift_signing/locks.py"]


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda p: p.symlink_to("/dev/null")])
def test_f2_407_a_lock_file_is_a_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """(1) It is refused at once: a pipe would be waited for."""
    path = tmp_path / "lock"
    make(path)
    for taken in (locks.held(path), locks.at_once(path)):
        with pytest.raises(OSError), taken:  # noqa: PT011 - as the system says it
            pass
    with pytest.raises(OSError):  # noqa: PT011
        locks.take(path, "for a test")


@pytest.mark.parametrize("way", WAYS)
def test_f2_408_one_holds_it_and_the_system_lets_go_where_its_process_is_killed(
    tmp_path: Path, way: str
) -> None:
    """(2), and that nothing that was killed keeps others out."""
    path = tmp_path / "lock"
    with another(way, path):
        assert not is_free(path)
        with locks.open_file(path) as file:
            assert not locks.try_lock(file)
            assert not locks.try_lock(file, shared=True)
            begun = time.monotonic()
            assert not locks.lock_within(file, 0.1)
            assert 0.1 <= time.monotonic() - begun < 5
        assert locks.take(path, "for another") is None
        with locks.abandoned(path) as free:
            assert not free
    assert is_free(path)


def test_f2_409_who_only_looks_shares(tmp_path: Path) -> None:
    with locks.open_file(tmp_path / "lock") as one, locks.open_file(tmp_path / "lock") as two:
        assert locks.try_lock(one, shared=True)
        assert locks.try_lock(two, shared=True)
        assert not is_free(tmp_path / "lock")


def test_f2_410_who_waits_long_is_told_so_once_and_who_need_not_wait_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(3)"""
    monkeypatch.setattr(locks, "PATIENT", 0.05)
    path, told = tmp_path / "lock", list[str]()
    with locks.held(path, told.append):
        pass
    assert told == []
    got = threading.Event()

    def waits() -> None:
        with locks.held(path, told.append):
            got.set()

    with locks.held(path):
        thread = threading.Thread(target=waits)
        thread.start()
        while not told and thread.is_alive():
            thread.join(0.01)
        assert not got.is_set()
    thread.join(20)
    assert got.is_set()
    assert told == [f"Waiting for another command, which holds {path}."]


def test_f2_411_the_file_says_who_works_there_in_words_that_can_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with another("take", path) as process:
        assert locks.holder(path) == f"process {process.pid}, for a test"
    with locks.open_file(path) as file:
        locks.say(file, "long" * locks.LONGEST)
        assert len(locks.holder(path)) == locks.LONGEST
        locks.say(file, "an escape\x1b[2J")
        assert "\x1b" not in locks.holder(path)
        locks.say(file, "")
    assert locks.holder(path) == locks.holder(tmp_path / "none") == ""
    os.mkfifo(tmp_path / "pipe")
    assert locks.holder(tmp_path / "pipe") == ""


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.EBADF, errno.EIO])
def test_f2_412_where_there_are_no_locks_nobody_is_taken_to_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """(4)"""

    def flock(_file: object, _how: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    path = tmp_path / "lock"
    with pytest.raises(FailedError, match=str(path)) as refused, locks.held(path):
        pass
    assert refused.value.code == "no-lock"
    with pytest.raises(OSError, match=os.strerror(code)), locks.at_once(path):
        pass
    with pytest.raises(OSError, match=os.strerror(code)):
        locks.take(path, "for a test")


@pytest.mark.parametrize("code", [errno.EWOULDBLOCK, errno.EACCES])
def test_f2_413_what_a_network_says_of_a_lock_that_is_held_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def flock(_file: object, _how: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    assert locks.take(tmp_path / "lock", "for a test") is None


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_f2_414_who_only_looks_finds_a_lock_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """(5) A copy on a read-only medium, or a lock file that is another user's."""
    path, opened = tmp_path / "lock", os.open
    path.write_text("somebody")

    def read_only(name: Any, flags: int, *more: Any) -> int:  # noqa: ANN401 - as `os.open` takes it
        if flags & os.O_RDWR:
            raise OSError(code, os.strerror(code))
        return opened(name, flags, *more)

    monkeypatch.setattr(os, "open", read_only)
    with locks.open_file(path, looks=True) as file:
        assert locks.try_lock(file)
        locks.say(file, "words that nobody can write")
    assert path.read_text() == "somebody"
    with pytest.raises(OSError, match=os.strerror(code)):
        locks.open_file(path)


def test_f2_415_a_lock_whose_file_goes_while_it_is_taken_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(6) Its holder lets go of it between our opening it and our locking it."""
    path, lock = tmp_path / "folder" / "lock", fcntl.flock
    first = locks.take(path, "first")
    assert first is not None

    def meanwhile(file: Any, how: int) -> None:  # noqa: ANN401 - as flock takes it
        if not first.closed:
            locks.let_go(path, first)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", meanwhile)
    second = locks.take(path, "second")
    assert second is not None
    assert os.fstat(second.fileno()).st_ino == path.stat().st_ino
    assert locks.holder(path).endswith(", second")
    locks.let_go(path, second)


def test_f2_415_of_many_that_take_and_let_go_at_once_one_holds_it(tmp_path: Path) -> None:
    path, holding, most = tmp_path / "folder" / "lock", list[int](), list[int]()

    def often(number: int) -> None:
        for _ in range(100):
            file = locks.take(path, "one of many")
            if file is not None:
                holding.append(number)
                most.append(len(holding))
                holding.remove(number)
                locks.let_go(path, file)

    threads = [threading.Thread(target=often, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert not path.parent.exists()


def test_f2_416_what_is_swept_while_it_is_claimed_is_claimed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(6) Between making the file and locking it, a sweeper may take it for one left behind."""
    path, lock = tmp_path / "one", fcntl.flock
    swept: list[Path] = []

    def meanwhile(file: Any, how: int) -> None:  # noqa: ANN401 - as flock takes it
        if not swept:
            swept.append(path)
            with path.open("rb") as other:
                lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", meanwhile)
    with locks.claim(path) as file:
        assert swept
        assert not is_free(path)
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    with pytest.raises(FileExistsError):
        locks.claim(path)


def test_f2_417_what_is_left_is_swept_by_one_and_by_the_name_that_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(7)"""
    aside, final, lock = tmp_path / "one.partial", tmp_path / "one", fcntl.flock
    with locks.abandoned(aside) as free:
        assert not free, "it is not there"
    aside.write_bytes(b"whole")
    with locks.abandoned(aside) as first, locks.abandoned(aside) as second:
        assert (first, second) == (True, False)

    def meanwhile(file: Any, how: int) -> None:  # noqa: ANN401 - as flock takes it
        aside.replace(final)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", meanwhile)
    with locks.abandoned(aside) as free:
        assert not free, "it is finished, and has its name"


@pytest.mark.parametrize("way", ["held", "at once", "take"])
def test_f2_418_a_child_that_was_forked_meanwhile_keeps_nobody_out(
    tmp_path: Path, way: str
) -> None:
    """(8) It has the file open, and lives on."""
    path = tmp_path / "folder" / "lock"
    path.parent.mkdir()
    reader, writer = os.pipe()
    with ExitStack() as stack:
        if way == "held":
            stack.enter_context(locks.held(path))
        elif way == "at once":
            assert stack.enter_context(locks.at_once(path))
        else:
            file = locks.take(path, "for a test")
            assert file is not None
            stack.callback(locks.let_go, path, file)
        child = os.fork()
        if not child:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
    path.parent.mkdir(exist_ok=True)  # it goes with the last lock in it
    assert is_free(path)
    os.close(writer)
    os.waitpid(child, 0)
    os.close(reader)
