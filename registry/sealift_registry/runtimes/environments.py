"""Environments of other releases of ONNX Runtime: where they lie, and which are whole.

They lie in the user's cache ($XDG_CACHE_HOME/sealift, else ~/.cache/sealift), for they can be made
again. An environment is one only once its `made.json` is there, which is written last.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealift_registry.runtimes.piped_model import command
from sealift_registry.runtimes.ranges import ONNX_RUNTIME, Release
from sealift_registry.workers.environment import scrubbed
from sealift_registry.workers.quoting import LONGEST, redacted
from sealift_registry.workers.software import installed
from sealift_signing.drawing import drawn, pasted
from sealift_signing.errors import FailedError, RefusedError

MADE = "made.json"
_SECONDS = 120
"""For an environment to say which releases it holds, on a busy machine."""


@dataclass(frozen=True)
class Environment:
    """An environment that was made.

    Attributes:
        release: of ONNX Runtime.
        folder: where it lies.
        software: package → version, as it said itself when it was made.
        wheels: package → sha256 of what was installed.
        pinned: these were known beforehand.
    """

    release: Release
    folder: Path
    software: Mapping[str, str]
    wheels: Mapping[str, str]
    pinned: bool

    @property
    def interpreter(self) -> Path:
        """Its Python."""
        return interpreter(self.folder)


def interpreter(folder: Path) -> Path:
    """The Python of the environment in `folder`."""
    return folder / "bin" / "python"


class Environments:
    """All environments of one user, for the Python that runs this."""

    def __init__(self, folder: Path) -> None:
        """`folder` need not be there."""
        self.folder = folder

    @classmethod
    def located(cls, environment: Mapping[str, str], home: Path | None = None) -> Environments:
        """Those in the user's cache.

        Raises:
            RefusedError: that is in the hub's home at `home`, which is copied and carried.
        """
        given = environment.get("XDG_CACHE_HOME", "")
        cache = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
        folder = cache / "sealift" / "runtimes"
        if home is not None and folder.resolve().is_relative_to(home.resolve()):
            raise RefusedError(
                "runtime-cache-in-home",
                f"The user's cache {cache} lies in the hub's home, where no environment belongs.",
                subject=str(cache),
                next_step="Set XDG_CACHE_HOME to a folder outside it.",
            )
        return cls(folder)

    def place(self, release: Release) -> Path:
        """Where the environment of `release` lies, or would: each Python has its own."""
        python = "".join(platform.python_version_tuple()[:2])
        return self.folder / f"{ONNX_RUNTIME}-{release}-py{python}-{platform.machine()}"

    def get(self, release: Release) -> Environment | None:
        """The environment of `release`; None where there is none, or a half-made one."""
        return _read(release, self.place(release))

    def all(self) -> list[Environment]:
        """Every one that is made, the oldest release first."""
        return sorted(filter(None, map(self.get, self._begun())), key=lambda one: one.release)

    def half_made(self) -> list[Release]:
        """Those that somebody began to make."""
        return sorted(one for one in self._begun() if self.get(one) is None)

    def _begun(self) -> set[Release]:
        if not self.folder.is_dir():
            return set()
        names = [one.name.split("-") for one in self.folder.iterdir() if one.is_dir()]
        found = {Release.parse(one[1]) for one in names if one[0] == ONNX_RUNTIME and one[1:]}
        return {one for one in found if one is not None and self.place(one).is_dir()}


def _read(release: Release, folder: Path) -> Environment | None:
    try:
        said = json.loads((folder / MADE).read_bytes())
        software, wheels = dict(said["software"]), dict(said["wheels"])
        return Environment(release, folder, software, wheels, bool(said["pinned"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def own() -> Release | None:
    """The release that is installed with Sealift itself."""
    return Release.parse(installed((ONNX_RUNTIME,)).get(ONNX_RUNTIME, ""))


def software_of(release: Release, python: Path, work: Path) -> dict[str, str]:
    """The releases that an environment says it holds; so it starts, and ONNX Runtime loads.

    Args:
        release: that it should hold.
        python: its interpreter.
        work: an empty folder.

    Raises:
        FailedError: it does not start.
    """
    try:
        done = subprocess.run(
            command(python),
            input=b'{"model": null}\n',
            capture_output=True,
            env=scrubbed(work, (), {}),
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as bad:
        why = bad.strerror if isinstance(bad, OSError) else f"no answer in {_SECONDS} seconds"
        raise _broken(release, str(why)) from bad
    try:
        said = json.loads(done.stdout.splitlines()[0])
    except (ValueError, IndexError) as bad:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise _broken(
            release, last[0] if last else f"it ended with status {done.returncode}"
        ) from bad
    if "error" in said:
        raise _broken(release, said["error"])
    return dict(said["software"])


def _broken(release: Release, why: str) -> FailedError:
    shown = drawn(redacted(why), LONGEST)
    return FailedError(
        "runtime-broken",
        f"The environment of {ONNX_RUNTIME} {release} does not start: {shown}.",
        subject=str(release),
        next_step="Make it again with: sealift runtime add "
        f"{pasted([str(release)])}; a release of before NumPy 2 needs a NumPy of before it.",
    )


def python_words() -> str:
    """This Python and machine, as wheels are made for: `Python 3.11 on x86_64`."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"Python {version} on {platform.machine()} ({sys.platform})"
