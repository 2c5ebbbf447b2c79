"""What the containers say, and how a check of it fails."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 300
"""Seconds until something must be so."""


class Failed(Exception):  # noqa: N818 - it is told to people, as the verdict
    """What was to hold does not."""


@dataclass(frozen=True)
class Compose:
    """The services of docker-compose.yml in `folder`, at one engine."""

    program: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]

    def __call__(self, *words: str, expect: int | None = 0) -> str:
        """Run `docker compose …`; all that it said.

        Raises:
            Failed: it ended otherwise than it should.
        """
        done = subprocess.run(
            [*self.program, *words],
            check=False,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if expect is not None and done.returncode != expect:
            raise Failed(
                f"docker compose {' '.join(words)} ended with {done.returncode}, not {expect}:\n"
                + done.stdout
            )
        return done.stdout

    def run(self, service: str, *words: str, expect: int = 0, more: tuple[str, ...] = ()) -> str:
        """Run a command in a new container of a service; what it said."""
        print(f"  {service} $ {' '.join(words)}")
        # Compose itself tells of containers on the standard error; --quiet-… differ by version.
        return self(
            "--progress", "quiet", "run", "--rm", "-T", *more, service, *words, expect=expect
        )

    def hub(self, line: str, expect: int = 0) -> str:
        """Run a command of the hub's."""
        return self.run("hub", "sealift", *line.split(), expect=expect)


def holds(what: str, found: Callable[[], bool]) -> None:
    """Wait until it holds.

    Raises:
        Failed: it did not in time.
    """
    deadline = time.monotonic() + PATIENCE
    while not found():
        if time.monotonic() > deadline:
            raise Failed(f"Not so within {PATIENCE} s: {what}.")
        time.sleep(1)
    print(f"  {what}")


def contains(said: str, *words: str) -> None:
    """Check that all of `words` were said.

    Raises:
        Failed: one was not.
    """
    for word in words:
        if word not in said:
            raise Failed(f"{word!r} was not said:\n{said}")
