"""What a name leads to on a disk, and what a disk cannot do."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sealift_signing import disk, keys, locks
from sealift_signing.desk.files import read
from sealift_signing.errors import FailedError, SealiftError, UsageError
from sealift_signing.keys import Passphrases
from sealift_signing.memory import KNOWN, Memory
from sealift_sync import durable

ID = "a" * 64


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def listener(path: Path) -> None:
    found = socket.socket(socket.AF_UNIX)
    before = Path.cwd()
    os.chdir(path.parent)  # a socket's own path is short
    found.bind(path.name)
    os.chdir(before)
    found.close()


def at(name: str) -> Callable[[Path], object]:
    def remembered(place: Path) -> object:
        (place.parent / ID).mkdir()
        place.rename(place.parent / name.replace("ID", ID))
        return Memory(place.parent).known(ID)

    return remembered


def locked(place: Path) -> None:
    place.rename(place.parent / "lock")
    with Memory(place.parent).hold():
        pass


READERS: list[Callable[[Path], object]] = [
    read,
    at(f"ID/{KNOWN}"),
    locked,
    lambda place: keys.open_signer(str(place), Passphrases(None, {}, lambda _: "x")),
    lambda place: keys.read_public(str(place)),
]


@pytest.mark.parametrize("kind", [pipe, folder, device, listener])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_and_not_waited_for(
    tmp_path: Path, kind: Callable[[Path], None], reader: Callable[[Path], object]
) -> None:
    kind(tmp_path / "it")
    said: list[SealiftError] = []

    def reads() -> None:
        with pytest.raises(SealiftError) as error:
            reader(tmp_path / "it")
        said.append(error.value)

    thread = threading.Thread(target=reads, daemon=True)
    thread.start()
    thread.join(20)
    assert said, "it waits"
    assert said[0].advice


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_folder_that_cannot_be_flushed_is_none_the_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Shared folders of VirtualBox, 9p, and some in user space."""
    refuse(monkeypatch, code)
    disk.flush_folder(tmp_path)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_folder_on_a_broken_disk_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    refuse(monkeypatch, code)
    with pytest.raises(OSError, match=os.strerror(code)):
        disk.flush_folder(tmp_path)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_file_that_cannot_be_flushed_is_not_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    refuse(monkeypatch, code)
    with pytest.raises(FailedError):
        durable.write(tmp_path / "x", b"data")


def refuse(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fsync(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP])
def test_where_there_are_no_locks_the_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def flock(_file: object, _how: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(FailedError) as error, Memory(tmp_path).hold():
        pass
    assert str(tmp_path / "lock") in error.value.what
    assert "a disk of this machine" in error.value.next_step


def test_whoever_waits_is_told_for_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENT", 0.05)
    told: list[str] = []
    done = threading.Event()

    def waits() -> None:
        with Memory(tmp_path, told.append).hold():
            done.set()

    with Memory(tmp_path).hold():
        thread = threading.Thread(target=waits)
        thread.start()
        while not told and thread.is_alive():
            thread.join(0.01)
        assert not done.is_set()
    thread.join(20)
    assert done.is_set()
    assert told == [f"Waiting for another command, which holds {tmp_path / 'lock'}."]


def test_nobody_is_told_who_need_not_wait(tmp_path: Path) -> None:
    told: list[str] = []
    with Memory(tmp_path, told.append).hold():
        pass
    assert told == []


def test_without_a_home_the_memory_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        msg = "Could not determine home directory."
        raise RuntimeError(msg)

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(UsageError) as error:
        Memory.located({})
    assert "SEALIFT_TRUST" in error.value.next_step
    assert Memory.located({"XDG_CONFIG_HOME": "/config"}).folder == Path("/config/sealift")
