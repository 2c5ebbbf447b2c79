"""The worker's end of the pipe: one JSON request in, reports of progress, one JSON answer out.

A worker module says `serve({"verb": function})` under its `__main__`. Each line it writes is one
object with one member: `progress`, `answer` or `error`. Whatever a library prints goes to standard
error, so that it can never be taken for an answer.

Standard input stays open for as long as whoever asked is there to listen. When it ends, so does the
worker with all that it started: it would go on writing into a folder that was swept.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, BinaryIO, Protocol, TextIO

from sealift_signing.command_start import seldom_look_for_garbage
from sealift_signing.errors import (
    FailedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    UsageError,
)

Document = dict[str, Any]
"""A JSON object on its way between two of our own processes (fractions and null allowed)."""

Progress = Callable[[str, int, int], None]
"""Told what is being worked on, how many bytes of it are done, and of how many (0: not known)."""

KINDS: Mapping[str, type[SealiftError]] = {
    kind.__name__: kind for kind in (RefusedError, UsageError, NotFoundError, FailedError)
}
"""The errors that cross the pipe; any other ends the worker and is told by its last words."""

OUT_OF_MEMORY = "worker-memory"


class Work(Protocol):
    """What a worker does for one verb."""

    def __call__(self, request: Document, progress: Progress, /) -> Document:
        """The answer to `request`; a SealiftError is handed to the caller as it is."""


def serve(verbs: Mapping[str, Work]) -> None:
    """Answer the one request on standard input, and end the process."""
    asker, out = claim_stdin(), claim_stdout()
    envelope = json.loads(asker.readline())
    threading.Thread(target=_end_with, args=(asker,), daemon=True).start()
    _limit(envelope["limits"])
    _hide(frozenset(envelope["absent"]))
    seldom_look_for_garbage()
    try:
        answer = verbs[envelope["verb"]](envelope["request"], _reporter(out))
    except SealiftError as error:
        _write(out, "error", _told(error))
    except MemoryError:
        _write(out, "error", {"kind": "FailedError", "code": OUT_OF_MEMORY})
    else:
        _write(out, "answer", answer)
    # Native libraries' threads and exit handlers have crashed after the work was done; nothing
    # they could still do is wanted.
    sys.stderr.flush()
    os._exit(0)


def claim_stdin() -> BinaryIO:
    """The real standard input for us alone; everybody else's is empty."""
    kept = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return os.fdopen(kept, "rb")


def _end_with(asker: BinaryIO) -> None:
    """Wait until nobody holds the other end of the pipe, and end, with what was started here."""
    while asker.read(1):
        pass
    end_all()


def end_all() -> None:
    """End this process, with all that it started in its group."""
    if os.getpgrp() == os.getpid():  # as the runner starts us
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def claim_stdout() -> TextIO:
    """The real standard output for us alone; everybody else's becomes standard error."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w", encoding="utf-8")


def _limit(limits: Mapping[str, int]) -> None:
    """Set this process's limits before it touches anything it was sent.

    RLIMIT_DATA counts what is allocated, unlike RLIMIT_AS, which also counts what is only mapped:
    a large model is mapped.
    """
    for name, what in (
        ("memory_bytes", resource.RLIMIT_DATA),
        ("cpu_seconds", resource.RLIMIT_CPU),
        ("file_bytes", resource.RLIMIT_FSIZE),
    ):
        _lower(what, limits[name])
    _lower(resource.RLIMIT_CORE, 0)  # a core file would hold the model, beside nobody's eyes


def _lower(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))


def _hide(absent: frozenset[str]) -> None:
    """Let `absent` packages be found by nobody in this process.

    None in `sys.modules` would do for `import`, but libraries also look there themselves.
    """

    class Finder(PathFinder):
        """Finds everything else, and every distribution."""

        @classmethod
        def find_spec(
            cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
        ) -> ModuleSpec | None:
            hidden = name.partition(".")[0] in absent
            return None if hidden else super().find_spec(name, path, target)

    sys.meta_path[:] = [Finder if one is PathFinder else one for one in sys.meta_path]


def _reporter(out: TextIO) -> Progress:
    def report(subject: str, done: int, total: int) -> None:
        _write(out, "progress", [subject, done, total])

    return report


def _told(error: SealiftError) -> Document:
    kind = next((name for name, one in KINDS.items() if isinstance(error, one)), "RefusedError")
    members = {"code": error.code, "what": error.what, "subject": error.subject}
    return {"kind": kind} | members | {"next_step": error.next_step}


def _write(out: TextIO, member: str, value: object) -> None:
    out.write(json.dumps({member: value}) + "\n")
    out.flush()
