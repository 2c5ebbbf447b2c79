"""`make fuzz`: every target, or the named ones, two at a time; then a table and smaller corpora.

    python -m tests.fuzz [--seconds 600] [--folder build/fuzz] [--keep] [TARGET …]

Inputs that broke a promise are put into tests/fuzz/crashes/. With --keep, what the runs reached is
boiled down to a few inputs that replace tests/fuzz/corpus/.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.fuzz.covering import lines, smallest
from tests.fuzz.inputs import known
from tests.fuzz.organisation import WITHIN, scratch
from tests.fuzz.target import CORPUS, CRASHES, HERE, Target
from tests.fuzz.targets import TARGETS

AT_ONCE = 2


def main() -> int:
    asked = _asked()
    folder: Path = asked.folder
    folder.mkdir(parents=True, exist_ok=True)
    names = asked.target or list(TARGETS)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(lambda name: _run(name, asked.seconds, folder), names))
    told = [_told(TARGETS[name], folder, keep=asked.keep) for name in names]
    _print(told)
    (folder / "report.json").write_text(json.dumps(told, indent=1))
    for name in names:
        _take_crashes(name, folder)
    return int(any(codes) or any(one["findings"] for one in told))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--folder", type=Path, default=HERE.parent.parent / "build" / "fuzz")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("target", nargs="*", choices=[[], *TARGETS], default=[])
    return parser.parse_args()


def _run(name: str, seconds: float, folder: Path) -> int:
    """One target in its own process; what it prints goes to a file beside its report."""
    for left in (folder / "corpus" / name, folder / "crashes" / name):
        shutil.rmtree(left, ignore_errors=True)
    command = [sys.executable, "-m", "tests.fuzz.engine", name, str(seconds), str(folder)]
    with (folder / f"{name}.log").open("wb") as log, TemporaryDirectory(dir=scratch()) as within:
        said = {**os.environ, "PYTHONHASHSEED": "0", WITHIN: within}
        done = subprocess.run(command, stdout=log, stderr=log, check=False, env=said)
    _say(f"{name}: ended ({done.returncode})")
    return done.returncode


def _told(target: Target, folder: Path, *, keep: bool) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / f"{target.name}.report").read_text())
    found = [path.read_bytes() for path in sorted((folder / "corpus" / target.name).glob("*"))]
    kept, arcs = smallest(target, [*known(target), *found])
    modules = lines(arcs)
    hit, every = (sum(one[n] for one in modules.values()) for n in (0, 1))
    said |= {"corpus": len(found), "arcs": len(arcs), "lines": hit, "of_lines": every}
    if keep:
        shutil.rmtree(CORPUS / target.name, ignore_errors=True)
        (CORPUS / target.name).mkdir(parents=True)
        for data in kept:
            (CORPUS / target.name / sha256(data).hexdigest()[:16]).write_bytes(data)
    return said


def _take_crashes(name: str, folder: Path) -> None:
    for path in (folder / "crashes" / name).glob("*"):
        (CRASHES / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, CRASHES / name / path.name)


def _print(told: list[dict[str, Any]]) -> None:
    _say("| target | engine | minutes | executions | lines | arcs | MiB | slowest | found |")
    _say("|---|---|---|---|---|---|---|---|---|")
    for one in told:
        _say(
            f"| {one['target']} | {one['engine']} | {one['seconds'] / 60:.1f} "
            f"| {one['executions']:,} "
            f"| {one['lines']} of {one['of_lines']} | {one['arcs']} | {one['peak'] / 2**20:.0f} "
            f"| {one['slowest']:.3f} s ({one['slowest_size']} B) | {len(one['findings'])} |"
        )


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a program's output


if __name__ == "__main__":
    sys.exit(main())
