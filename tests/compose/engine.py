"""A container engine of our own for `make compose-test`: Debian's, under a folder of ours.

It has images, volumes and networks of its own, so the stand-ins for images that cannot be pulled
here get into nobody else's engine, and all of it is gone afterwards. Two engines follow each other
over the same images. The one that builds has this machine's network, and makes nothing in it. The
one that runs containers has a network namespace: their bridges and rules are made there, go with
it, and nothing leads out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.compose.said import Failed

STARTS_WITHIN = 120
"""Seconds."""
BUILDS = ("--iptables=false", "--ip6tables=false", "--ip-forward=false")
"""What keeps an engine from changing the network of whoever starts it."""
CONTROLS = Path("/sys/fs/cgroup")


@contextmanager
def own_engine(folder: Path, *, builds: bool) -> Iterator[Mapping[str, str]]:
    """Start one; the environment in which `docker` and `docker-compose` speak to it.

    Args:
        folder: where its images lie: what one built here, the next one has.
        builds: it builds images, in this machine's network; else it runs containers, in none.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Failed("An engine of its own can only be started by root, on Linux.")
    socket, log = folder / "socket", folder / "engine.log"
    # Its mounts are nobody else's, and go with it; of networks it has those that are asked for.
    command = ["unshare", "--mount", *(() if builds else ("--net",)), "dockerd", "--bridge=none"]
    command += [f"--host=unix://{socket}", f"--pidfile={folder / 'pid'}"]
    command += [f"--data-root={folder / 'data'}", f"--exec-root={folder / 'run'}"]
    command += [f"--cgroup-parent={_group(folder)}", *(BUILDS if builds else ())]
    with log.open("wb") as words:
        engine = subprocess.Popen(command, stdout=words, stderr=words)
    environment = os.environ | {"DOCKER_HOST": f"unix://{socket}"}
    try:
        _wait(engine, environment, log)
        yield environment
    finally:
        engine.terminate()  # it ends its containers, and its own containerd
        engine.wait()
        _leave_no_group(_group(folder))


def _wait(engine: subprocess.Popen[bytes], environment: Mapping[str, str], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and engine.poll() is None:
        asked = subprocess.run(
            ["docker", "version"], check=False, env=environment, capture_output=True
        )
        if asked.returncode == 0:
            return
        time.sleep(0.2)
    said = log.read_text("utf-8", "replace").strip().splitlines()
    refused = [line for line in said if "level=error" in line or "level=fatal" in line]
    last = "\n  ".join((refused or said)[-5:])
    raise Failed(f"The engine did not start here. It says:\n  {last}")


def _group(folder: Path) -> str:
    """The control group in which the engine's containers lie, each in one of its own."""
    return f"/{folder.name}"


def _leave_no_group(name: str) -> None:
    """Remove it: the engine leaves it behind, empty, in each hierarchy of the kernel's."""
    for group in (*CONTROLS.glob(name[1:]), *CONTROLS.glob(f"*{name}")):
        for inner in (*group.glob("*/"), group):
            if inner.is_dir():
                inner.rmdir()
