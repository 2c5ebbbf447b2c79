"""Run TUF's conformance suite with the layer off, on, and rule by rule, and write down what failed.

    python -m tests.conformance SUITE

SUITE is a copy of theupdateframework/tuf-conformance with its own environment in SUITE/env, as
`make -C SUITE dev` sets it up.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from sealift_signing.walk.layer import STRICT
from tests.conformance.page import (
    OFF,
    ON,
    PAGE,
    RESULTS,
    SPELLING,
    SPELLING_LIFTED,
    Results,
    page,
)

CLIENT = Path(__file__).parent / "client"
ROOT = PAGE.parent.parent.parent
TESTS = "tuf_conformance"
AT_ONCE = 3
"""Runs beside one another: each mostly waits for a process to start."""
OTHERS = [rule.name for rule in STRICT if rule.name != SPELLING]


def main(arguments: list[str]) -> int:
    """Run all, and write the results and the page; 0 if nothing fails with the layer off."""
    if len(arguments) != 1:
        return _unusable("Say where the suite is: make conformance SUITE=DIR")
    suite = Path(arguments[0]).resolve()
    if not (suite / TESTS).is_dir():
        return _unusable(f"{suite} holds no tuf-conformance: fetch it as {_here(PAGE)} says.")
    if not (suite / "env/bin/python").exists():
        return _unusable(f"The suite's environment is missing: make -C {suite} dev")
    if shutil.which("faketime") is None:
        return _unusable("The suite needs faketime: apt-get install faketime")
    results = _measured(suite)
    results.write()
    PAGE.write_text(page(results))
    _tell(f"Written: {_here(RESULTS)}, {_here(PAGE)}")
    return 1 if results.failed[OFF] else 0


def _measured(suite: Path) -> Results:
    files = sorted((suite / TESTS).glob("test_*.py"))
    digest = sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    said = re.search(r'__version__ = "(.+)"', (suite / TESTS / "__init__.py").read_text())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        off = pool.submit(_run, suite, OFF, "")
        on = pool.submit(_run, suite, ON, "1")
        (_, lifted) = pool.submit(_run, suite, SPELLING_LIFTED, ",".join(OTHERS)).result()
        alone = {name: pool.submit(_run, suite, name, name, lifted) for name in OTHERS if lifted}
        tests, failed_off = off.result()
        failed = {OFF: failed_off, ON: on.result()[1], SPELLING_LIFTED: lifted}
        failed |= {name: alone[name].result()[1] if lifted else [] for name in OTHERS}
    return Results(said[1] if said else "unknown", digest, tests, failed)


def _run(suite: Path, name: str, strict: str, only: Collection[str] = ()) -> tuple[int, list[str]]:
    """How many tests ran, and which failed."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        # Without them pytest takes the folder above the client for its own.
        ours = ["-c", "pyproject.toml", "--rootdir", ".", "-p", "no:cacheprovider", "-q", "--tb=no"]
        told = ["--json-report", f"--json-report-file={report}", f"--entrypoint={CLIENT}"]
        chosen = [f"{TESTS}/{one}" for one in only] or [TESTS]
        subprocess.run(
            ["env/bin/python", "-m", "pytest", *ours, *told, *chosen],
            cwd=suite,
            env=os.environ | {"SEALIFT_STRICT": strict},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        found = json.loads(report.read_text())["tests"]
    if only and len(found) != len(only):
        msg = f"{len(found)} tests ran where {len(only)} were asked for"
        raise RuntimeError(msg)
    failed = [one["nodeid"] for one in found if one["outcome"] != "passed"]
    minutes = (time.monotonic() - began) / 60
    _tell(f"{name}: {len(found) - len(failed)} of {len(found)} pass ({minutes:.1f} minutes)")
    return len(found), sorted(one.removeprefix(f"{TESTS}/") for one in failed)


def _here(file: Path) -> Path:
    return file.relative_to(ROOT)


def _unusable(why: str) -> int:
    _tell(why)
    return 2


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
