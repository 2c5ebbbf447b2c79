"""A worker that misbehaves on request; run by test_workers.py as a subprocess."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from sealift_registry.workers.channel import Document, Progress, Work, serve
from sealift_registry.workers.tight_limits import brief
from sealift_signing.errors import NotFoundError, RefusedError

OUT = os.dup(1)
"""The real standard output, which `serve` takes away from everybody else."""


def echo(request: Document, progress: Progress) -> Document:
    progress("half", 1, 2)
    return {"said": request}


def find(request: Document, _progress: Progress) -> Document:
    try:
        import_module(request["package"])
    except ImportError:
        return {"found": False}
    return {"found": True}


def chatty(_request: Document, _progress: Progress) -> Document:
    print('{"answer": {"done": false}}')  # noqa: T201 - as a library would
    os.system("echo from a child")  # noqa: S605 - likewise
    return {"done": True}


def refuse(_request: Document, _progress: Progress) -> NoReturn:
    raise RefusedError("so", "It is so.", subject="it", next_step="Do this.")


def miss(_request: Document, _progress: Progress) -> NoReturn:
    raise NotFoundError("so", "It is so.", next_step="Do this.")


def escape(_request: Document, _progress: Progress) -> NoReturn:
    raise RefusedError("so", "It is \x1b[2Jso.")


def quote(_request: Document, _progress: Progress) -> NoReturn:
    raise RefusedError("so", f"It says “{'x ' * 2000}” here.", next_step=f"Leave “{'y ' * 9999}”.")


LEAK = "no answer from https://alice:hunter2@host/x?X-Amz-Signature=abcdef with "


def leak(_request: Document, _progress: Progress) -> NoReturn:
    said = LEAK + os.environ["AWS_SECRET_ACCESS_KEY"]
    raise RefusedError("so", said, subject=said, next_step=said)


def leak_and_crash(_request: Document, _progress: Progress) -> NoReturn:
    raise ValueError(LEAK + os.environ["AWS_SECRET_ACCESS_KEY"])


def brief_hungry(_request: Document, _progress: Progress) -> Document:
    with brief(more_bytes=50 * 1024**2):
        bytearray(10 * 1024**2)
        bytearray(200 * 1024**2)
    return {}


def brief_slow(_request: Document, _progress: Progress) -> Document:
    with brief(seconds=1):
        while True:
            pass


def brief_done(_request: Document, _progress: Progress) -> Document:
    with brief(seconds=1, more_bytes=50 * 1024**2):
        pass
    end = time.process_time() + 2
    while time.process_time() < end:
        pass
    return {"done": len(bytearray(100 * 1024**2))}


def crash(_request: Document, _progress: Progress) -> NoReturn:
    msg = "all is lost"
    raise ValueError(msg)


def incomplete(_request: Document, _progress: Progress) -> Document:
    import no_such_package  # type: ignore[import-not-found]

    return {"found": str(no_such_package)}


def segfault(_request: Document, _progress: Progress) -> Document:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def says(line: bytes) -> Work:
    def work(_request: Document, _progress: Progress) -> NoReturn:
        os.write(OUT, line)
        os._exit(0)

    return work


def endless(_request: Document, progress: Progress) -> Document:
    while True:
        progress("x" * 1000, 0, 0)


def hang(request: Document, progress: Progress) -> Document:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(request["mark"]).write_text(str(child.pid))
    progress("hanging", 0, 0)
    time.sleep(600)
    return {}


def linger(_request: Document, _progress: Progress) -> Document:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=OUT)
    return {"done": True}


def hungry(_request: Document, _progress: Progress) -> Document:
    return {"length": len(bytearray(1024**3))}


def spin(_request: Document, _progress: Progress) -> Document:
    while True:
        ctypes.c_int(1)


def write(_request: Document, _progress: Progress) -> Document:
    Path("long").write_bytes(bytes(2 * 1024**2))
    return {}


def environment(_request: Document, _progress: Progress) -> Document:
    return {"names": sorted(os.environ)}


def where(_request: Document, _progress: Progress) -> Document:
    return {"folder": str(Path.cwd())}


if __name__ == "__main__":
    serve(
        {
            "echo": echo,
            "find": find,
            "chatty": chatty,
            "refuse": refuse,
            "miss": miss,
            "escape": escape,
            "quote": quote,
            "crash": crash,
            "brief_hungry": brief_hungry,
            "brief_slow": brief_slow,
            "brief_done": brief_done,
            "leak": leak,
            "leak_and_crash": leak_and_crash,
            "incomplete": incomplete,
            "segfault": segfault,
            "rubbish": says(b"all is well\n"),
            "half": says(b'{"answer": {}}'),
            "wrong": says(b'{"verdict": "pass"}\n'),
            "list": says(b'{"answer": []}\n'),
            "nothing": says(b""),
            "endless": endless,
            "hang": hang,
            "linger": linger,
            "hungry": hungry,
            "spin": spin,
            "write": write,
            "environment": environment,
            "where": where,
        }
    )
