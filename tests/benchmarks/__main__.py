"""Measure what must be fast, on this machine and this disk.

python -m tests.benchmarks [--quick] [--json FILE] [--folder DIRECTORY]
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import tempfile
from pathlib import Path

from tests.benchmarks import log_appends, log_proofs
from tests.benchmarks.figures import Figure, as_json, show

BENCHMARKS = {"log-appends": log_appends.measure, "log-proofs": log_proofs.measure}
"""Each is given an empty folder on the disk that is measured, and yields figures."""


def main() -> None:
    """Run the benchmarks that were asked for."""
    asked = _arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    figures: list[Figure] = []
    for name in asked.only or BENCHMARKS:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            figures += BENCHMARKS[name](Path(folder), quick=asked.quick)
    show(figures)
    if asked.json:
        told = {
            "schema": "sealift/benchmarks/1",
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "machine": platform.machine(),
            "quick": asked.quick,
            "figures": as_json(figures),
        }
        asked.json.write_text(json.dumps(told, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="BENCHMARK", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="seconds instead of a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("build"),
        help="where to work: measure the disk that the hub will use (default: build)",
    )
    asked = parser.parse_args()
    if unknown := set(asked.only) - set(BENCHMARKS):
        parser.error(f"there is no benchmark called {min(unknown)}")
    return asked


if __name__ == "__main__":
    main()
