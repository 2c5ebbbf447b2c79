"""What a comparison in another process is asked for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sealift_registry.regression.regression_report import (
    Broke,
    Comparison,
    NotAsked,
    ProvedBy,
    Reason,
    Side,
)
from sealift_registry.workers.runner import Worker, WorkerLimits

SECONDS = 300.0
"""After which no further slice of the goldens is compared."""

WORKER = Worker(
    module="sealift_registry.regression.measure_worker",
    name="the comparison",
    limits=WorkerLimits(seconds=1200, cpu_seconds=4 * 3600, file_bytes=0),
    given={"MALLOC_MMAP_THRESHOLD_": "1048576"},
    absent=("pandas",),
)


@dataclass(frozen=True)
class Measurement:
    """What came of it.

    Attributes:
        sides: the candidate and the listed version, with their figures where there are any.
        nothing: why there are none.
        why: the same in words, where there is more to say.
        comparison: what both have together.
        proved_by: what was found on the rows by which the listed version was approved.
        broke: whose doing it is that nothing was found on the candidate's rows, where it is known.
    """

    sides: tuple[Side, Side]
    nothing: Reason | None = None
    why: str | None = None
    comparison: Comparison | None = None
    proved_by: ProvedBy | None = None
    broke: Broke | None = None

    def with_proved_by(self, known: ProvedBy) -> Measurement:
        """The same, and what is known of the listed version's rows where they were not asked."""
        if self.proved_by is not None:
            return self
        why: NotAsked | None = None if self.nothing == "first" else self.nothing
        return replace(self, proved_by=replace(known, nothing=known.nothing or why))


@dataclass(frozen=True)
class ListedGoldens:
    """The rows by which the listed version was approved.

    Attributes:
        known: of them beforehand; why they are not asked, where they are not.
        path: of their file; None where they are not asked.
    """

    known: ProvedBy
    path: Path | None = None
