"""Comparing two variants in a process of its own with limits: files in, figures out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sealift_registry.regression.report import Comparison, NotAsked, ProvedBy, Reason, Side
from sealift_registry.workers.channel import Document, Progress
from sealift_registry.workers.runner import Limits, Worker, ask, nonsense
from sealift_signing import shape
from sealift_signing.errors import FailedError, MalformedError
from sealift_signing.vocabulary import Sentence

SECONDS = 300.0
"""After which no further slice of the goldens is compared."""

WORKER = Worker(
    module="sealift_registry.regression.measure_worker",
    name="the comparison",
    limits=Limits(seconds=1200, cpu_seconds=4 * 3600, file_bytes=0),
    given={"MALLOC_MMAP_THRESHOLD_": "1048576"},
    absent=("pandas",),
)
LISTED, OWN = "listed", "own"
"""What the worker is at once the candidate has answered, and once the listed one's rows are done.
"""


@dataclass(frozen=True)
class Measured:
    """What came of it.

    Attributes:
        sides: the candidate and the listed version, with their figures where there are any.
        nothing: why there are none.
        why: the same in words, where there is more to say.
        comparison: what both have together.
        proved_by: what was found on the rows by which the listed version was approved.
    """

    sides: tuple[Side, Side]
    nothing: Reason | None = None
    why: str | None = None
    comparison: Comparison | None = None
    proved_by: ProvedBy | None = None

    def told(self, known: ProvedBy) -> Measured:
        """The same, and what is known of the listed one's rows where they were not asked."""
        if self.proved_by is not None:
            return self
        why: NotAsked | None = None if self.nothing == "first" else self.nothing
        return replace(self, proved_by=replace(known, nothing=known.nothing or why))


@dataclass(frozen=True)
class _Answer:
    nothing: Reason | None = None
    why: Sentence | None = None
    comparison: Comparison | None = None
    sides: tuple[Side, ...] | None = None
    proved_by: ProvedBy | None = None


@dataclass(frozen=True)
class Theirs:
    """The rows by which the listed version was approved.

    Attributes:
        known: of them beforehand; why they are not asked, where they are not.
        path: of their file; None where they are not asked.
    """

    known: ProvedBy
    path: Path | None = None


def measure(
    candidate: Path,
    listed: Path,
    goldens: Path,
    sides: tuple[Side, Side],
    progress: Progress,
    theirs: Theirs,
) -> Measured:
    """Let two variants (ONNX files) answer `goldens`, and time them.

    Args:
        candidate: the one that may come.
        listed: the one that is there.
        goldens: the candidate's.
        sides: what is known of both beforehand.
        progress: told what is done.
        theirs: the rows by which the listed version was approved.

    Raises:
        RefusedError: the candidate cannot be run on its own goldens.
        FailedError: it breaks down, before the listed version is looked at.
    """
    at: list[str] = []

    def told(subject: str, done: int, total: int) -> None:
        at.append(subject)
        progress(subject, done, total)

    request = {
        "candidate": str(candidate.absolute()),
        "listed": str(listed.absolute()),
        "goldens": str(goldens.absolute()),
        "seconds": SECONDS,
        "sides": [shape.to_json(one) for one in sides],
        "theirs": None if theirs.path is None else str(theirs.path.absolute()),
        "proved_by": shape.to_json(theirs.known),
        "own": True,
    }
    try:
        said = ask(WORKER, "measure", request, told, work=goldens.parent)
    except FailedError as bad:
        # What a runtime breaks down on once the other one is there keeps nobody from promoting.
        if LISTED not in at:
            raise
        ended = f"the process that ran both ended ({bad.code})"
        broke = Measured(sides, "broke-down", ended)
        if OWN not in at or theirs.path is None:
            return broke
        return replace(broke, proved_by=_on_theirs(request, theirs, sides, told, goldens.parent))
    return _read(said, sides, theirs.known.goldens)


def _on_theirs(
    request: Document, theirs: Theirs, sides: tuple[Side, Side], told: Progress, work: Path
) -> ProvedBy | None:
    """What is found without the candidate's rows: these broke it down, and somebody chose them."""
    try:
        said = ask(WORKER, "measure", {**request, "own": False}, told, work=work)
    except FailedError:
        return None
    return _read(said, sides, theirs.known.goldens).proved_by


def _read(said: Document, sides: tuple[Side, Side], goldens: str | None) -> Measured:
    try:
        answer = shape.from_json(_Answer, said, what="the comparison's answer")
    except MalformedError as bad:
        raise nonsense(WORKER) from bad
    proved_by = answer.proved_by
    if proved_by is not None and proved_by.goldens != goldens:
        raise nonsense(WORKER)
    if answer.nothing is not None and answer.comparison is None:
        return Measured(sides, answer.nothing, answer.why, proved_by=proved_by)
    found = answer.sides or ()
    known = tuple(replace(one, metric=None, microseconds=None) for one in found)
    if answer.comparison is None or answer.nothing is not None or known != sides:
        raise nonsense(WORKER)
    return Measured((found[0], found[1]), comparison=answer.comparison, proved_by=proved_by)
