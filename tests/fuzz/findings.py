"""What a run found and how far it came: findings told apart by where they are from."""

from __future__ import annotations

import json
import time
import traceback
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from tests.fuzz.target import Target, hold, peak, place


@dataclass
class Report:
    """One target's run.

    Attributes:
        executions: inputs that were tried.
        seconds: how long the run took, by the clock on the wall.
        slowest: the most processor seconds for one input.
        slowest_size: the size of that input, in bytes.
        peak: the most memory that the process had, in bytes.
        findings: where each broken promise comes from, once.
    """

    target: str
    engine: str
    executions: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_size: int = 0
    peak: int = 0
    findings: list[str] = field(default_factory=list)


class Run:
    """Holds inputs against a target's promise, and goes on when one breaks it.

    Args:
        target: the parser.
        engine: who makes the inputs.
        crashes: where an input that breaks a promise is kept, one for each place.
        report: the file that says how far the run came; written every few seconds, because the
            fuzzer ends the process without asking.
    """

    def __init__(self, target: Target, engine: str, crashes: Path, report: Path) -> None:
        self.target = target
        self.report = Report(target.name, engine)
        self._crashes = crashes
        self._file = report
        self._begun = self._told = time.monotonic()

    def one(self, data: bytes) -> None:
        """Try `data`."""
        try:
            took = hold(self.target, data)
        except Exception as bad:  # noqa: BLE001 - what this is for
            took = 0.0
            self._keep(data, bad)
        said = self.report
        said.executions += 1
        if took > said.slowest:
            said.slowest, said.slowest_size = took, len(data)
        if time.monotonic() - self._told > 5:
            self.tell()

    def tell(self) -> None:
        """Write the report."""
        self._told = time.monotonic()
        self.report.seconds = self._told - self._begun
        self.report.peak = peak()
        self._file.write_text(json.dumps(asdict(self.report), indent=1))

    def _keep(self, data: bytes, bad: Exception) -> None:
        where = place(bad)
        if where in self.report.findings:
            return
        self.report.findings.append(where)
        self._crashes.mkdir(parents=True, exist_ok=True)
        name = self._crashes / sha256(data).hexdigest()[:16]
        name.write_bytes(data)
        print(f"{self.target.name}: {where}: {name}", flush=True)  # noqa: T201 - a program's output
        traceback.print_exception(bad, limit=-6)
        self.tell()
