"""`make compose-test`: docker-compose.yml, run as operators run it, with a journey over it.

It takes the engine that `docker` speaks to, with the images that docker-compose.yml names. Where
there is none, root on Debian gets one of its own, with stand-ins for the images (`stand_ins`).
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import environ
from pathlib import Path

import yaml

from tests.compose import journey, stand_ins
from tests.compose.engine import own_engine
from tests.compose.said import Compose, Failed
from tests.programs import FOUND_ON, needed, said_of

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "build/compose-tools/bin/docker-compose"
PROJECT = "sealift-test"
QUICKER = """\
# The hub's health is asked more often than in use.
services:
  hub:
    healthcheck: {interval: 2s, start_period: 1s}
"""


@contextmanager
def _engine(folder: Path, image: str, checkout: Path) -> Iterator[Mapping[str, str]]:
    """The environment of an engine that has the hub's image, built here."""
    build = ["docker", "build", "--quiet", "--tag", image]
    if shutil.which("docker") and _answers(["docker", "version"]):
        print("The hub's image is being built.")
        stand_ins.run([*build, str(checkout)], environ)
        yield environ
        return
    missing = [one for one in needed({"compose"}) if shutil.which(one.name) is None]
    if missing:
        raise Failed(
            "There is no engine that docker speaks to, and none can be started. " + said_of(missing)
        )
    with own_engine(folder, builds=True) as environment:
        print("No engine answers: one is started, and stand-ins for the images are made.")
        stand_ins.make(folder, environment)
        print("The hub's image is being built.")
        stand_ins.run([*build, "--network", "host", str(checkout)], environment)
    with own_engine(folder, builds=False) as environment:
        yield environment


def _answers(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _program() -> tuple[str, ...]:
    """Docker's own Compose if it is there, else the one that comes with the tests."""
    return ("docker", "compose") if _answers(["docker", "compose", "version"]) else (str(COMPOSE),)


def _checkout(folder: Path) -> Path:
    """The repository as somebody has it who cloned it, with secrets of its own."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["make", "--silent", "compose-secrets"], cwd=folder, check=True)
    (folder / "docker-compose.override.yml").write_text(QUICKER, "utf-8")
    journey.owned(folder)
    return folder


def _played(folder: Path) -> None:
    checkout = _checkout(folder / "checkout")
    services = yaml.safe_load((checkout / "docker-compose.yml").read_text("utf-8"))["services"]
    image = services["hub"]["image"]
    with _engine(folder, image, checkout) as environment:
        compose = Compose((*_program(), "--project-name", PROJECT), checkout, environment)
        try:
            journey.play(compose, image)
        except Failed:
            print(compose("logs", "--tail", "20", expect=None), file=sys.stderr)
            raise
        finally:
            compose("--profile", "*", "down", "--volumes", "--remove-orphans", expect=None)
            command = ["docker", "volume", "rm", "--force", f"{PROJECT}_site"]
            subprocess.run(command, check=False, env=environment, capture_output=True)


def main() -> int:
    """Play it in a folder that is gone afterwards; the exit code."""
    options = argparse.ArgumentParser(prog="make compose-test", description=__doc__)
    options.add_argument("--folder", type=Path, help="where images and checkout lie meanwhile")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends, too
    environ["PATH"] = FOUND_ON
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="sealift-compose-", dir=given.folder) as made:
            _played(Path(made))
    except Failed as bad:
        print(f"FAILED: {bad}", file=sys.stderr)
        return 1
    print(f"docker-compose.yml does what it says ({time.monotonic() - begun:.0f} s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
