"""Measure what must be fast, on this machine and this disk, beside what people use today.

Figures go to tables and to a JSON file; the exit status says only whether all could be measured.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sealift_signing.errors import SealiftError
from tests.benchmarks import (
    blobs_on_s3,
    engines,
    gate,
    jobs,
    lists,
    log_appends,
    log_proofs,
    machine,
    memory,
    proofs,
    report,
    served,
    starting,
    transfers,
    tuf_walk,
    workloads,
)
from tests.benchmarks.figures import Line
from tests.benchmarks.racing import FailedError, tell
from tests.benchmarks.workloads import GB


class Measure(Protocol):
    """A benchmark: it works in `folder`, which is empty and on the disk that is measured.

    It yields what it finds as soon as it has it; when `quick` it takes seconds, not minutes.
    """

    def __call__(self, folder: Path, *, quick: bool) -> Iterable[Line]: ...


@dataclass(frozen=True)
class Benchmark:
    """One part of the report; `only_full` ones are not run by themselves when quick."""

    measure: Measure
    only_full: bool = False


BENCHMARKS = {
    "machine": Benchmark(machine.measure),
    "start": Benchmark(starting.measure),
    "export": Benchmark(transfers.exports),
    "verify": Benchmark(transfers.verifies),
    "import": Benchmark(transfers.imports),
    "small-files": Benchmark(transfers.small_files),
    "gate": Benchmark(gate.measure),
    "memory": Benchmark(memory.measure, only_full=True),
    "proof": Benchmark(proofs.measure),
    "tuf-walk": Benchmark(tuf_walk.measure),
    "lists": Benchmark(lists.measure),
    "jobs": Benchmark(jobs.measure),
    "s3": Benchmark(blobs_on_s3.measure),
    "log-appends": Benchmark(log_appends.measure),
    "engines": Benchmark(engines.measure),
    "server": Benchmark(served.measure),
    "log-proofs": Benchmark(log_proofs.measure),
}
"""Every benchmark by its name, in the order of the report."""
ROOM = 30 * GB
"""Free bytes that all of it takes at most at a time; a part of it when quick."""


def main() -> int:
    """Run the benchmarks that were asked for; 1 if one of them could not be measured."""
    asked = _arguments()
    top: Path = asked.folder.absolute()
    described = machine.describe(top)
    failed = []
    try:
        for name in asked.only or _by_itself(quick=asked.quick):
            tell(name)
            part = report.begun(quick=asked.quick)
            try:
                part = report.ended(part, _found(name, top, quick=asked.quick))
            except (FailedError, SealiftError) as bad:
                failed.append(f"{name} could not be measured: {bad}")
                continue
            report.show(name, part)
            report.write(asked.json, described, {name: part})  # at once: the next one may fail
    finally:
        workloads.forget()
    for words in failed:
        print(words, file=sys.stderr)
    print(f"\nThe figures are in {asked.json}.")
    if asked.quick:
        print(
            "They are of a tenth, where a command's start is most of its time: they say whether "
            "all can be measured here. What is promised holds for make bench."
        )
    return 1 if failed else 0


def _found(name: str, top: Path, *, quick: bool) -> list[Line]:
    with tempfile.TemporaryDirectory(dir=top) as folder:
        return list(BENCHMARKS[name].measure(Path(folder), quick=quick))


def _by_itself(*, quick: bool) -> list[str]:
    return [name for name, one in BENCHMARKS.items() if not (quick and one.only_full)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="BENCHMARK", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of it, in two minutes")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="where the figures go; parts that are not run now stay (default: in the folder)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("build/bench"),
        help="where to work: measure the disk that the hub will use (default: build/bench)",
    )
    asked = parser.parse_args()
    if unknown := set(asked.only) - set(BENCHMARKS):
        parser.error(f"there is no benchmark called {min(unknown)}")
    if sys.platform != "linux":
        parser.error("only Linux lets a program say what must not be in the page cache")
    _check_room(parser, asked.folder, ROOM // workloads.PART if asked.quick else ROOM)
    if asked.json is None:
        asked.json = asked.folder / ("quick.json" if asked.quick else "figures.json")
    return asked


def _check_room(parser: argparse.ArgumentParser, folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        parser.error(f"{folder} has {free / GB:.1f} GB free, and {needed / GB:.1f} are needed")


if __name__ == "__main__":
    sys.exit(main())
