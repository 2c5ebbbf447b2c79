"""Comparing two variants in a process of its own with limits: files in, figures out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sealift_registry.regression.isolation import Isolation
from sealift_registry.regression.measurement import SECONDS, WORKER, ListedGoldens, Measurement
from sealift_registry.regression.regression_report import Broke, Comparison, ProvedBy, Reason, Side
from sealift_registry.workers.channel import Document, Progress
from sealift_registry.workers.runner import ask, nonsense
from sealift_signing import shape
from sealift_signing.errors import FailedError, MalformedError
from sealift_signing.vocabulary import Sentence

LISTED = "listed"
"""What the worker is at once the candidate has answered."""


@dataclass(frozen=True)
class _Answer:
    nothing: Reason | None = None
    why: Sentence | None = None
    comparison: Comparison | None = None
    sides: tuple[Side, ...] | None = None
    proved_by: ProvedBy | None = None
    broke: Broke | None = None


def measure(
    candidate: Path,
    listed: Path,
    goldens: Path,
    sides: tuple[Side, Side],
    progress: Progress,
    theirs: ListedGoldens,
) -> Measurement:
    """Let two variants (ONNX files) answer `goldens`, and time them.

    Args:
        candidate: the variant that may come.
        listed: the variant that is listed.
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
    }
    try:
        said = ask(WORKER, "measure", request, told, work=goldens.parent)
    except FailedError:
        if LISTED not in at:
            raise
        # Whoever asks chose the candidate and its rows: what breaks down there must hide nothing.
        models = {"candidate": candidate, "listed": listed}
        return Isolation(models, SECONDS, progress, goldens.parent).measured(goldens, sides, theirs)
    return _read(said, sides, theirs.known.goldens)


def _read(said: Document, sides: tuple[Side, Side], goldens: str | None) -> Measurement:
    try:
        answer = shape.from_json(_Answer, said, what="the comparison's answer")
    except MalformedError as bad:
        raise nonsense(WORKER) from bad
    proved_by = answer.proved_by
    if proved_by is not None and proved_by.goldens != goldens:
        raise nonsense(WORKER)
    if answer.nothing is not None and answer.comparison is None:
        return Measurement(sides, answer.nothing, answer.why, None, proved_by, answer.broke)
    found = answer.sides or ()
    known = tuple(replace(one, metric=None, microseconds=None) for one in found)
    if answer.comparison is None or answer.nothing is not None or known != sides:
        raise nonsense(WORKER)
    return Measurement((found[0], found[1]), comparison=answer.comparison, proved_by=proved_by)
