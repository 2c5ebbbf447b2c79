"""Making an environment: a Python of its own, ONNX Runtime and NumPy in it, and nothing else.

(1) Is it there already? (2) Nobody else makes it now. (3) What a run before left half made goes.
(4) A new Python. (5) pip installs what is pinned, by hashes where they are known. (6) It starts,
and holds what was asked. (7) It is said to be made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sealift_registry.runtimes import environments
from sealift_registry.runtimes.environments import Environment, Environments, python_words
from sealift_registry.runtimes.ranges import ONNX_RUNTIME, Release
from sealift_registry.runtimes.releases import FOLDER, RELEASES, KnownReleases
from sealift_registry.workers.channel import Progress
from sealift_registry.workers.environment import NETWORK, scrubbed
from sealift_registry.workers.quoting import LONGEST, redacted
from sealift_signing import locks
from sealift_signing.drawing import drawn, word
from sealift_signing.errors import FailedError, RefusedError, SealiftError, UsageError
from sealift_sync import durable

NUMPY = "numpy"
NUMPY_2 = Release((1, 19, 0))
"""The first release of ONNX Runtime that runs with NumPy 2."""


def add(
    where: Environments,
    release: Release,
    known: KnownReleases,
    wheelhouse: Path | None,
    progress: Progress,
) -> tuple[Environment, bool]:
    """The environment of `release`, and whether it was made now.

    Args:
        where: it lies.
        release: of ONNX Runtime.
        known: the pins of releases.
        wheelhouse: a folder of wheels, from which alone it is installed.
        progress: told what is done.

    Raises:
        RefusedError: no pins are known and there is no wheelhouse, or a wheel is not the one that
            is pinned.
        FailedError: it could not be installed, or does not start.
    """
    pins = _requirements(release, known, wheelhouse)
    try:
        where.folder.mkdir(parents=True, exist_ok=True)
        with _alone(where.place(release), release):  # (2)
            there = where.get(release)  # (1)
            if there is not None and _starts(there):
                return there, False
            return _made(where.place(release), release, pins, wheelhouse, progress), True
    except OSError as bad:
        raise durable.unwritable(where.folder, bad) from bad


def _starts(there: Environment) -> bool:
    with tempfile.TemporaryDirectory() as work:
        try:
            environments.software_of(there.release, there.interpreter, Path(work))
        except FailedError:
            return False
    return True


def _made(
    folder: Path, release: Release, pins: str, wheelhouse: Path | None, progress: Progress
) -> Environment:
    shutil.rmtree(folder, ignore_errors=True)  # (3)
    progress("a Python of its own", 0, 0)
    venv.create(folder, with_pip=False)  # (4)
    progress(f"installing {_named(release)}", 0, 0)
    with tempfile.TemporaryDirectory(prefix="pip-", dir=folder) as work:
        wheels = _installed(folder, release, pins, wheelhouse, Path(work))  # (5)
        progress("does it start?", 0, 0)
        python = environments.interpreter(folder)
        software = environments.software_of(release, python, Path(work))  # (6)
    if Release.parse(software[ONNX_RUNTIME]) != release:
        raise FailedError(
            "runtime-not-installed",
            f"{_named(release)} was asked for, but what was installed calls itself "
            f"{word(software[ONNX_RUNTIME])}.",
            subject=str(release),
            next_step="Get the wheel of that release from where it is published.",
        )
    pinned = "--hash" in pins
    said = {"software": software, "wheels": wheels, "pinned": pinned}
    durable.write(folder / environments.MADE, json.dumps(said).encode())  # (7)
    return Environment(release, folder, software, wheels, pinned)


@contextmanager
def _alone(folder: Path, release: Release) -> Iterator[None]:
    """Nobody else makes this environment as long as this lasts."""
    with locks.at_once(folder.with_name(f"{folder.name}.lock")) as free:
        if not free:
            raise FailedError(
                "runtime-busy",
                f"Another command is making the environment of {_named(release)}.",
                subject=str(release),
                next_step="Wait until that command has finished.",
            )
        yield


# -------------------------------------------------------------------- what is installed


def _requirements(release: Release, known: KnownReleases, wheelhouse: Path | None) -> str:
    """What pip is to install, as it reads it."""
    if wheelhouse is not None and not wheelhouse.is_dir():
        raise UsageError(
            "no-wheelhouse",
            f"{word(str(wheelhouse))} is not a folder.",
            subject=str(wheelhouse),
            next_step="Name the folder in which the wheels lie.",
        )
    pins = known.of(str(release))
    if pins is not None:
        hashes = {f"{ONNX_RUNTIME}=={release}": pins.sha256}
        hashes[f"{NUMPY}=={pins.numpy}"] = known.numpy[pins.numpy]
        return "".join(_line(what, listed) for what, listed in hashes.items())
    if wheelhouse is None:
        listed = ", ".join(sorted(known.releases, key=lambda one: str(Release.parse(one))))
        raise RefusedError(
            "runtime-release-unknown",
            f"No pins are known for {_named(release)}; there are pins for {listed}.",
            subject=str(release),
            next_step="Give a folder with its wheel and NumPy's by --from, or write its pins in "
            f"{FOLDER}/{RELEASES} in the hub's home.",
        )
    return f"{ONNX_RUNTIME}=={release}\n{NUMPY}{'' if release >= NUMPY_2 else '<2'}\n"


def _line(what: str, hashes: Sequence[str]) -> str:
    return " ".join([what, *(f"--hash=sha256:{one}" for one in hashes)]) + "\n"


def _installed(
    folder: Path, release: Release, pins: str, wheelhouse: Path | None, work: Path
) -> dict[str, str]:
    """Have pip install `pins`; package → sha256 of each wheel."""
    if find_spec("pip") is None:
        raise FailedError(
            "no-pip",
            "pip is not installed beside Sealift, and it is what installs runtimes.",
            subject="pip",
            next_step="Install it: python -m ensurepip",
        )
    asked, report = work / "pins.txt", work / "report.json"
    asked.write_text(pins, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--python", str(environments.interpreter(folder))]
    command += ["install", "--no-input", "--no-deps", "--only-binary", ":all:", "--retries", "1"]
    command += ["--report", str(report), "--requirement", str(asked)]
    command += ["--require-hashes"] if "--hash" in pins else []
    command += ["--no-index", "--find-links", str(wheelhouse.absolute())] if wheelhouse else []
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(work, from_wheelhouse=wheelhouse is not None),
        check=False,
    )
    if done.returncode:
        raise _refused(done.stdout.decode("utf-8", "replace"), release, wheelhouse)
    return _wheels(report)


def _wheels(report: Path) -> dict[str, str]:
    """What pip says that it installed: package → sha256 of its wheel.

    Raises:
        FailedError: of one it does not say which file that was.
    """
    found = dict[str, str]()
    for one in json.loads(report.read_bytes())["install"]:
        name, file = one["metadata"]["name"], one["download_info"].get("archive_info", {})
        digest = file.get("hashes", {}).get("sha256")
        if digest is None:
            raise FailedError(
                "runtime-no-hash",
                f"pip does not say which wheel of {word(name)} it installed, so nothing could be "
                "said of it later; the runtime was not taken in.",
                subject=name,
                next_step="Use another pip (python -m pip install --upgrade pip), or empty its "
                "cache (python -m pip cache purge), and add the runtime again.",
            )
        found[name] = digest
    return found


def _environment(work: Path, *, from_wheelhouse: bool) -> Mapping[str, str]:
    """What pip goes by: the user's own settings of it, and nothing else of ours."""
    if from_wheelhouse:  # and from nowhere that those settings name
        return scrubbed(work, (), {"PIP_CONFIG_FILE": os.devnull})
    own = [name for name in os.environ if name.startswith("PIP_")]
    return scrubbed(work, (*NETWORK, *own, "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), {})


def _refused(said: str, release: Release, wheelhouse: Path | None) -> SealiftError:
    """What pip's words mean, in ours."""
    name = _named(release)
    if "DO NOT MATCH THE HASHES" in said or "hashes are required" in said:
        return RefusedError(
            "runtime-wheel-differs",
            f"A wheel for {name} is not the one that is pinned: its sha256 differs.",
            subject=str(release),
            next_step="Do not use it. Get the wheel from where it is published; if it is one of "
            f"your own, write its sha256 in {FOLDER}/{RELEASES} in the hub's home.",
        )
    lacking = re.search(r"No matching distribution found for (\S+)", said)
    # Nothing answered; another place, on this machine, may have had something all the same.
    cut_off = "connection broken by" in said or "(from versions: none)" in said
    if lacking and (wheelhouse is not None or not cut_off):
        where = "in that folder" if wheelhouse is not None else "published"
        return FailedError(
            "runtime-no-wheel",
            f"No wheel of {word(lacking[1])} for {python_words()} is {where}.",
            subject=str(release),
            next_step="Promise a release that has one, or run Sealift with an older Python; what "
            "fits must be a file that ends in .whl.",
        )
    if lacking or cut_off:
        return FailedError(
            "runtime-no-network",
            f"{name} could not be fetched: nothing answers where packages come from.",
            subject=str(release),
            next_step="Try again with a network; or bring its wheel and NumPy's in a folder, and "
            "name that by --from.",
        )
    errors = [one for one in said.splitlines() if one.startswith("ERROR: ")] or [said.strip()]
    why = drawn(redacted(errors[-1].removeprefix("ERROR: ").rstrip(".")), LONGEST)
    return FailedError(
        "runtime-not-installed",
        f"{name} could not be installed: {why}.",
        subject=str(release),
        next_step="Mend that, and run it again; nothing was left that could be taken for it.",
    )


def _named(release: Release) -> str:
    return f"{ONNX_RUNTIME} {release}"
