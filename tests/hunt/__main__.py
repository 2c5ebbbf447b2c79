"""`make hunt`: models by the thousand, each converted, proved and judged; and mutants of the right.

    python -m tests.hunt [--count 2000] [--first 0] [--mutants 200] [--processes 2] [--again]

What is found is kept in build/hunt/ line by line. A hunt that is cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.hunt import hunting, models
from tests.hunt.records import Records
from tests.hunt.report import summary

ROOT = Path(__file__).parent.parent.parent
MODEL, MUTANTS = "model", "mutants"
EVERY = 20.0
"""Seconds between two words of progress."""

LONGEST = 300.0
"""Seconds that one model may take; a process that is longer at one is ended."""


def main() -> int:
    asked = _asked()
    if asked.again:
        shutil.rmtree(asked.folder, ignore_errors=True)
    asked.folder.mkdir(parents=True, exist_ok=True)
    records = Records(asked.folder)
    if asked.part is not None:
        _work(asked, records)
        return 0
    try:
        _watched(asked, records)
    except KeyboardInterrupt:
        _say("Cut off; the same command goes on from here.")
    return _told(records)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hunt", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="models")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--mutants", type=int, default=200, help="models to mutate if right")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "hunt")
    parser.add_argument("--again", action="store_true", help="forget what was found before")
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _all(asked: argparse.Namespace) -> list[tuple[str, int]]:
    """What there is to do, the mutants last."""
    numbers = range(asked.first, asked.first + asked.count)
    mutants = range(asked.first, asked.first + asked.mutants)
    return [(MODEL, seed) for seed in numbers] + [(MUTANTS, seed) for seed in mutants]


def _work(asked: argparse.Namespace, records: Records) -> None:
    """One process's share of it."""
    done = records.done()
    mine = [one for one in _all(asked) if one not in done and _share(one[1], asked) == asked.part]
    for what, seed in mine:
        records.begin(asked.part, what, seed)
        with TemporaryDirectory() as folder:
            if what == MODEL:
                records.add(asked.part, what, seed, [hunting.tried(seed, Path(folder))])
            else:
                records.add(asked.part, what, seed, list(hunting.mutants(seed, Path(folder))))


def _share(seed: int, asked: argparse.Namespace) -> int:
    """Families come in turn, and each process gets some of each."""
    return (seed // len(models.FAMILIES)) % int(asked.processes)


# -------------------------------------------------------------------- watching


def _watched(asked: argparse.Namespace, records: Records) -> None:
    """Start the processes, and again whichever a library's native code ended."""
    begun, every = time.monotonic(), len(_all(asked))
    running = {part: _start(asked, part) for part in range(asked.processes)}
    try:
        while running:
            _wait(running)
            for part, process in list(running.items()):
                if process.poll() is None and not _stuck(asked.folder / f"{part}.jsonl"):
                    continue
                process.kill()
                process.wait()
                ended = process.returncode
                del running[part]
                if ended:
                    _say(f"Process {part} ended with {ended}; what it was at is in the report.")
                    running[part] = _start(asked, part)
            done = len(records.done() & set(_all(asked)))
            _say(f"{done:,} of {every:,}, {time.monotonic() - begun:.0f} s")
    finally:
        for process in running.values():
            process.terminate()
            process.wait()


def _start(asked: argparse.Namespace, part: int) -> subprocess.Popen[bytes]:
    (asked.folder / f"{part}.jsonl").touch()
    said = [
        f"--{name}={getattr(asked, name)}"
        for name in ("count", "first", "mutants", "processes", "folder")
    ]
    return subprocess.Popen([sys.executable, "-m", "tests.hunt", *said, f"--part={part}"])


def _stuck(lines: Path) -> bool:
    return lines.exists() and time.time() - lines.stat().st_mtime > LONGEST


def _wait(running: dict[int, subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + EVERY
    while time.monotonic() < until and all(one.poll() is None for one in running.values()):
        time.sleep(0.2)


def _told(records: Records) -> int:
    tried, mutants, fatal = records.tried(), records.mutants(), records.fatal()
    text = summary(tried, mutants)
    if fatal:
        text += f"\nEnded their process: {', '.join(f'{what} {seed}' for what, seed in fatal)}.\n"
    _say(text)
    found = {"models": [asdict(one) for one in tried], "mutants": [asdict(one) for one in mutants]}
    (records.folder / "report.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    (records.folder / "report.md").write_text(text, encoding="utf-8")
    return int(bool(fatal) or any(one.key == ("signed", "wrong") for one in tried))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a program's output


if __name__ == "__main__":
    sys.exit(main())
