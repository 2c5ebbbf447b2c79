"""Sealift's commands as processes that are forked from one which has loaded all that they load.

A story types a hundred commands, and each would load the same for longer than it works. For each
program a *stand-in* lies in a folder, for a PATH to begin with: it hands its arguments, folder,
environment and streams to the process that forks, and ends as what was forked ends. What is forked
opens cheap keys and has forked workers, as the tests' own process does. The same stories are played
with the programs as they are installed by `make test-system`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
PROGRAMS: Mapping[str, str] = {
    "sealift": "sealift_registry.cli",
    "sealift-sign": "sealift_signing.desk.cli",
    "sealift-site": "sealift_sync.cli",
}
STAND_IN = """#!{python} -IS
import os, socket, sys
import json
door = socket.socket(socket.AF_UNIX)
door.connect({door!r})
asked = [{program!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]
data = json.dumps(asked).encode()
socket.send_fds(door, [len(data).to_bytes(4, "big")], [0, 1, 2])
door.sendall(data)
said = door.recv(64)
os._exit(int(said or 70))
"""


@contextmanager
def stand_ins(folder: Path) -> Iterator[Path]:
    """The new `folder`, which has a stand-in for each program as long as this lasts."""
    folder.mkdir()
    # The longest path of a socket is shorter than many a test's folder.
    with tempfile.TemporaryDirectory(prefix="sealift-") as place:
        door = f"{place}/door"
        for program in PROGRAMS:
            file = folder / program
            words = {"python": sys.executable, "door": door, "program": program}
            file.write_text(STAND_IN.format(**words))
            file.chmod(0o755)
        forker = subprocess.Popen(
            [sys.executable, "-m", "tests.forked_commands", door],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert forker.stdin is not None
        assert forker.stdout is not None
        try:
            assert forker.stdout.readline() == b"ready\n"
            yield folder
        finally:
            forker.stdin.close()
            forker.wait(60)
            forker.stdout.close()


# -------------------------------------------------------------------- the process that forks


def _become(asked: list[Any], streams: list[int], others: list[int]) -> NoReturn:
    """Be the command that was asked for, from here to its end."""
    for one in others:
        os.close(one)
    for number, one in enumerate(streams):
        os.dup2(one, number)
        os.close(one)
    program, arguments, folder, environment = asked
    os.setpgid(0, 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    tempfile.tempdir = None
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.argv = [program, *arguments]
    code = 70
    try:
        importlib.import_module(PROGRAMS[program]).main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
        if ended.code is None:
            code = 0
    except BaseException:  # noqa: BLE001 - it would otherwise go on as the one that forks
        traceback.print_exc()
    _end(code)


def _end(code: int) -> NoReturn:
    import atexit

    with contextlib.suppress(OSError):
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _received(door: socket.socket) -> tuple[list[Any], list[int]]:
    head, streams, _, _ = socket.recv_fds(door, 4, 3)
    length, data = int.from_bytes(head, "big"), b""
    while len(data) < length:
        piece = door.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return json.loads(data), streams


class _Forker:
    """Forks what is asked for at a socket, until its standard input ends."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._waiting: dict[int, socket.socket] = {}
        self._woken, self._wake = os.pipe()
        for one in (self._woken, self._wake):
            os.set_blocking(one, False)
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        with selectors.DefaultSelector() as ready:
            for source in (0, self._woken, self._listening):
                ready.register(source, selectors.EVENT_READ)
            while True:
                found = {key.fileobj for key, _ in ready.select()}
                if self._woken in found:
                    os.read(self._woken, 4096)
                self._tell()
                if self._listening in found:
                    self._fork()
                if 0 in found:
                    break
        for pid in self._waiting:
            os.kill(pid, signal.SIGKILL)

    def _fork(self) -> None:
        door, _ = self._listening.accept()
        try:
            asked, streams = _received(door)
        except (EOFError, ConnectionError):  # whoever knocked was killed
            door.close()
            return
        open_here = [door, self._listening, *self._waiting.values()]
        others = [one.fileno() for one in open_here] + [self._woken, self._wake]
        pid = os.fork()
        if pid == 0:
            _become(asked, streams, others)
        for one in streams:
            os.close(one)
        self._waiting[pid] = door

    def _tell(self) -> None:
        for pid, door in list(self._waiting.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                with contextlib.suppress(BrokenPipeError), door:
                    door.send(str(code if code >= 0 else 128 - code).encode())
                del self._waiting[pid]


def _serve(door: str) -> None:
    from tests.cheap_keys import cheap_keys
    from tests.forked_workers import forked_workers
    from tests.interruptions.launcher import import_everything

    sys.modules["boto3"] = None  # type: ignore[assignment]  # as starting.command has it
    hidden = ((), ("pandas",), ("pandas", "sklearn"))
    with (
        socket.socket(socket.AF_UNIX) as listening,
        cheap_keys(),
        forked_workers(*((one, "") for one in hidden)),
    ):
        import_everything()
        listening.bind(door)
        listening.listen(16)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        _Forker(listening).serve()


if __name__ == "__main__":
    _serve(sys.argv[1])
