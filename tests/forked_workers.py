"""Workers that are forked from a process which has loaded what they load.

A worker loads NumPy, scikit-learn or ONNX Runtime before it does anything, and in tests that takes
far longer than its work. So a *nursery* takes the place of a fresh Python: it learns from each
worker what it loaded, loads that too, and forks the next one, which gets its folder, environment,
pipes, limits and process group as ever. Nothing of the product can be told to do so: commands that
a test starts, and whoever asks for `fresh_workers`, start each worker as everybody does.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn, TextIO
from unittest import mock

from sealift_registry.workers import channel, runner
from sealift_registry.workers.environment import scrubbed

ASIDE = ("__main__", "tests", "_pytest", "pytest")
LONGEST = 4 * 1024**2
"""Bytes of a message; the longest names some thousands of modules."""

Message = dict[str, Any]
Key = tuple[tuple[str, ...], str]
"""What is hidden from a worker, and where else it looks for modules."""

_FRESH = runner._start


# -------------------------------------------------------------------- in the tests' process


class Forked:
    """A worker, as `subprocess.Popen` would have it."""

    def __init__(self, nursery: Nursery, asked: Message) -> None:
        ours, theirs = [], []
        for direction in ("to", "from", "from", "from"):
            reading, writing = os.pipe()
            ours.append(writing if direction == "to" else reading)
            theirs.append(reading if direction == "to" else writing)
        self._nursery = nursery
        self.pid = nursery.fork(asked, theirs)
        for one in theirs:
            os.close(one)
        self.stdin: IO[bytes] = os.fdopen(ours[0], "wb", buffering=0)
        self.stdout: IO[bytes] = os.fdopen(ours[1], "rb", buffering=0)
        self.stderr: IO[bytes] = os.fdopen(ours[2], "rb", buffering=0)
        self._status = ours[3]
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; minus a signal's number, where one ended it."""
        if self.returncode is None:
            with selectors.DefaultSelector() as ready:
                ready.register(self._status, selectors.EVENT_READ)
                if not ready.select(timeout):
                    raise subprocess.TimeoutExpired("a forked worker", timeout or 0)
            told = json.loads(os.read(self._status, 64))
            os.close(self._status)
            self._nursery.ended(self.pid)
            Nursery.seconds += told["seconds"]
            self.returncode = int(told["code"])
        return self.returncode


class Nursery:
    """The process that forks workers which find the same modules.

    Attributes:
        seconds: of processor time that forked workers have taken so far.
    """

    seconds = 0.0

    def __init__(self, key: Key, environment: Mapping[str, str]) -> None:
        absent, _ = key
        self._mine, theirs = socket.socketpair()
        self._turn = _Turn()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", __file__, str(theirs.fileno()), *absent],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={name: one for name, one in environment.items() if name not in ("HOME", "TMPDIR")},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def fork(self, asked: Message, descriptors: list[int]) -> int:
        """The process id of a new worker that has these descriptors."""
        data = json.dumps(asked).encode()
        with self._turn:
            socket.send_fds(self._mine, [len(data).to_bytes(4, "big")], descriptors)
            self._mine.sendall(data)
            said = self._mine.recv(64)
        assert said, "the nursery ended"
        return int(said)

    def ended(self, pid: int) -> None:
        """Say that nobody will send a signal to the worker `pid` any more."""
        data = json.dumps({"ended": pid}).encode()
        with self._turn:
            self._mine.sendall(len(data).to_bytes(4, "big") + data)

    def close(self) -> None:
        """End it."""
        self._mine.close()
        self._turn.close()
        self._process.wait(30)


class _Turn:
    """Held while a nursery is spoken to, by one thread of one process."""

    def __init__(self) -> None:
        self._threads = threading.Lock()
        # A lock of fcntl's is a process's own, also where the file was opened before it was forked.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the nursery

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> None:
        self._threads.acquire()
        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN)
        self._threads.release()


@contextmanager
def forked_workers(*known: Key) -> Iterator[None]:
    """As long as this lasts, workers that this process starts are forked.

    Those of the `known` keys are so as well in processes that it forks.
    """
    nurseries = {key: Nursery(key, scrubbed(Path(), (), {})) for key in known}
    one_at_a_time, here = threading.Lock(), os.getpid()

    def start(worker: runner.Worker, work: Path, environment: Mapping[str, str]) -> object:
        if worker.interpreter != sys.executable:
            return _FRESH(worker, work, environment)
        key = (tuple(sorted(worker.absent)), environment.get("PYTHONPATH", ""))
        with one_at_a_time:
            if key not in nurseries:
                if os.getpid() != here:
                    return _FRESH(worker, work, environment)
                nurseries[key] = Nursery(key, environment)
        asked = {"module": worker.module, "cwd": str(work), "environment": dict(environment)}
        return Forked(nurseries[key], asked)

    try:
        with mock.patch.object(runner, "_start", start):
            yield
    finally:
        for nursery in nurseries.values():
            nursery.close()


@contextmanager
def fresh_workers() -> Iterator[None]:
    """As long as this lasts, workers that this process starts are started as everybody's are."""
    with mock.patch.object(runner, "_start", _FRESH):
        yield


# -------------------------------------------------------------------- the nursery


class _Workers:
    """Those that were forked and of which something is still to be told, by their process id."""

    def __init__(self) -> None:
        self.learning, self.taught = os.pipe()
        os.set_blocking(self.learning, False)
        self._status: dict[int, int] = {}
        self._heard = b""

    def fork(self, asked: Message, descriptors: list[int], others: list[int]) -> int:
        pid = os.fork()
        if pid == 0:
            _become(asked, descriptors, [*others, *self._status.values()], self.taught)
        *used, status = descriptors
        for one in used:
            os.close(one)
        self._status[pid] = status
        return pid

    def tell(self) -> None:
        """Tell of those that have ended; they stay zombies, so that their numbers are not taken."""
        for pid, status in self._status.items():
            if status < 0:
                continue
            found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None:
                code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
                with contextlib.suppress(BrokenPipeError):
                    os.write(status, json.dumps({"code": code, "seconds": _spent(pid)}).encode())
                os.close(status)
                self._status[pid] = -1

    def bury(self, pid: int) -> None:
        os.waitpid(pid, 0)
        del self._status[pid]

    def hear(self) -> None:
        """Read what they loaded, before they wait for it."""
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self.learning, 65_536):
                self._heard += piece

    def learn(self) -> None:
        """Load what they loaded."""
        self.hear()
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            for name in line.decode().split():
                if name not in sys.modules:
                    # What cannot be loaded by itself is loaded by whoever needs it.
                    with contextlib.suppress(Exception):
                        importlib.import_module(name)


def _spent(pid: int) -> float:
    """Seconds of processor time of a process that has ended (proc(5): fields 14 to 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _become(asked: Message, descriptors: list[int], others: list[int], taught: int) -> NoReturn:
    """Be a worker, from here to its end."""
    for one in others:
        if one >= 0:
            os.close(one)
    stdin, stdout, stderr, status = descriptors
    os.close(status)
    for number, one in enumerate((stdin, stdout, stderr)):
        os.dup2(one, number)
        os.close(one)
    os.setsid()
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    tempfile.tempdir = None
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    channel._write = _teaching(channel._write, taught)
    code = 1
    try:
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
        code = 0
    except BaseException:  # noqa: BLE001 - it would otherwise go on as the nursery
        sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
    os._exit(code)


def _teaching(write: Callable[..., None], taught: int) -> Callable[..., None]:
    """`channel._write`, by which a worker tells the nursery what it loaded before it answers."""
    before = set(sys.modules)

    def told(out: TextIO, member: str, value: object) -> None:
        if member == "answer":
            found = [name for name in sys.modules if name not in before]
            wanted = (name for name in found if name.partition(".")[0] not in ASIDE)
            os.write(taught, f"{' '.join(wanted)}\n".encode())
        write(out, member, value)

    return told


def _received(control: socket.socket) -> tuple[Message, list[int]]:
    """The next message and its descriptors; empty once nobody is there to ask."""
    head, descriptors, _, _ = socket.recv_fds(control, 4, 4)
    if not head:
        return {}, []
    length = int.from_bytes(head, "big")
    assert length <= LONGEST
    data = b""
    while len(data) < length:
        piece = control.recv(length - len(data))
        if not piece:
            return {}, []
        data += piece
    return json.loads(data), descriptors


def serve(control: socket.socket, absent: frozenset[str]) -> None:
    """Fork what is asked for, until nobody is there to ask."""
    channel._hide(absent)
    workers = _Workers()
    woken, wake = os.pipe()
    for one in (woken, wake):
        os.set_blocking(one, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with selectors.DefaultSelector() as ready:
        for source in (control, woken, workers.learning):
            ready.register(source, selectors.EVENT_READ)
        while True:
            found = {key.fileobj for key, _ in ready.select()}
            if woken in found:
                os.read(woken, 4096)
            workers.hear()
            workers.tell()
            if control in found:
                asked, descriptors = _received(control)
                if not asked:
                    return
                if "ended" in asked:
                    workers.bury(asked["ended"])
                    continue
                workers.learn()
                pid = workers.fork(asked, descriptors, [control.fileno(), woken, wake])
                control.send(str(pid).encode())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with socket.socket(fileno=int(sys.argv[1])) as _control:
        serve(_control, frozenset(sys.argv[2:]))
