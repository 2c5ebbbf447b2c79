"""A container engine of our own for `make compose-test`: Debian's, under a folder of ours.

It has images, volumes and networks of its own, so the stand-ins for images that cannot be pulled
here get into nobody else's engine, and all of it is gone afterwards.
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

STARTS_WITHIN = 60
"""Seconds."""


@contextmanager
def own_engine(folder: Path) -> Iterator[Mapping[str, str]]:
    """Start it; the environment in which `docker` and `docker-compose` speak to it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Failed("An engine of its own can only be started by root, on Linux.")
    socket, log = folder / "socket", folder / "engine.log"
    # Its mounts are nobody else's, and go with it; of networks it has those that are asked for.
    command = ["unshare", "--mount", "dockerd", "--host", f"unix://{socket}", "--bridge", "none"]
    command += ["--data-root", str(folder / "data"), "--exec-root", str(folder / "run")]
    command += ["--pidfile", str(folder / "pid")]
    with log.open("wb") as words:
        engine = subprocess.Popen(command, stdout=words, stderr=words)
    environment = os.environ | {"DOCKER_HOST": f"unix://{socket}"}
    try:
        _wait(engine, environment, log)
        yield environment
    finally:
        engine.terminate()
        engine.wait()


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
