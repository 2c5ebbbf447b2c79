"""Once a comparison broke down: each of both is asked alone, so that it is known whose doing it is.

Whoever asks chose the candidate, and its golden rows: a model that breaks off on one row must not
keep anybody from being shown what it answers to others, nor look like the listed version's fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sealift_registry.regression.measurement import WORKER, ListedGoldens, Measurement
from sealift_registry.regression.regression_report import Broke, Comparison, OnRows, ProvedBy, Side
from sealift_registry.workers.channel import Document, Progress
from sealift_registry.workers.runner import GIB, WorkerLimits, ask, nonsense
from sealift_signing import shape
from sealift_signing.errors import FailedError, MalformedError, RefusedError
from sealift_signing.vocabulary import sentence

ALONE = replace(WORKER, limits=WorkerLimits(seconds=600, cpu_seconds=2 * 3600, file_bytes=GIB))
"""One model, whose answers are laid down for the other's."""

BOTH_DO = "each of the two answers them alone, but comparing their answers breaks down"


@dataclass(frozen=True)
class _Beside:
    """What both answered, laid beside each other."""

    found: OnRows
    comparison: Comparison


@dataclass(frozen=True)
class _Set:
    """What came of one set of rows: what was found, or who broke down and why."""

    beside: _Beside | None
    broke: Broke | None = None
    why: str | None = None
    nothing: Literal["not-run", "broke-down"] | None = None


class Isolation:
    """Both, and where their answers are laid down.

    Args:
        models: the candidate's file and the listed version's.
        seconds: after which no further slice is asked.
        progress: told what is done.
        work: a folder.
    """

    def __init__(
        self, models: Mapping[str, Path], seconds: float, progress: Progress, work: Path
    ) -> None:
        self._models = models
        self._seconds = seconds
        self._progress = progress
        self._work = work

    def measured(
        self, goldens: Path, sides: tuple[Side, Side], theirs: ListedGoldens
    ) -> Measurement:
        """What is found of each set of rows for itself; nothing is timed."""
        proved_by = theirs.known
        if theirs.path is not None:
            found = self._on(theirs.path)
            on_rows = None if found.beside is None else found.beside.found
            proved_by = replace(
                self._counted(goldens, theirs.path, proved_by),
                nothing=found.nothing,
                why=found.why,
                found=on_rows,
                broke=found.broke,
            )
        own = self._on(goldens)
        if own.beside is None:
            return Measurement(sides, own.nothing, own.why, proved_by=proved_by, broke=own.broke)
        metrics = own.beside.found.candidate, own.beside.found.listed
        ours, listed = (replace(one, metric=m) for one, m in zip(sides, metrics, strict=True))
        return Measurement((ours, listed), comparison=own.beside.comparison, proved_by=proved_by)

    def _on(self, goldens: Path) -> _Set:
        """One set of rows."""
        said = {name: self._alone(name, goldens) for name in ("candidate", "listed")}
        failed = {name: one for name, one in said.items() if isinstance(one, _Failed)}
        try:
            if not failed:
                return _Set(self._beside(goldens, said))
        except FailedError as bad:
            return _Set(None, None, sentence(f"{BOTH_DO} ({bad.code})"), "broke-down")
        finally:
            for name in said:
                self._laid_down(name).unlink(missing_ok=True)
        first = next(iter(failed.values()))
        broke: Broke = "both"
        if len(failed) == 1:
            broke = "candidate" if "candidate" in failed else "listed"
        refused = all(one.refused for one in failed.values())
        return _Set(None, broke, sentence(first.why), "not-run" if refused else "broke-down")

    def _alone(self, name: str, goldens: Path) -> Document | _Failed:
        request = {
            "model": str(self._models[name].absolute()),
            "goldens": str(goldens.absolute()),
            "into": str(self._laid_down(name).absolute()),
            "seconds": self._seconds,
        }
        try:
            return self._ask("answers", request)
        except RefusedError as bad:
            return _Failed(bad.what, refused=True)
        except FailedError as bad:
            return _Failed(f"its process ended ({bad.code})", refused=False)

    def _laid_down(self, name: str) -> Path:
        return self._work / f"{name}-answers.npz"

    def _beside(self, goldens: Path, said: Mapping[str, Any]) -> _Beside:
        request = {
            "goldens": str(goldens.absolute()),
            "answers": {name: str(self._laid_down(name).absolute()) for name in said},
            "said": dict(said),
        }
        said_of_both = self._ask("beside", request)
        try:
            return shape.from_json(_Beside, said_of_both, what="the comparison's answer")
        except MalformedError as bad:
            raise nonsense(ALONE) from bad

    def _counted(self, own: Path, theirs: Path, known: ProvedBy) -> ProvedBy:
        """How both sets go together; nothing of it where to count them breaks down, too."""
        request = {
            "own": str(own.absolute()),
            "theirs": str(theirs.absolute()),
            "proved_by": shape.to_json(known),
        } | {name: str(path.absolute()) for name, path in self._models.items()}
        try:
            said = self._ask("count", request)
            return shape.from_json(ProvedBy, said, what="the comparison's answer")
        except (FailedError, RefusedError, MalformedError):
            return known

    def _ask(self, verb: str, request: Document) -> Document:
        return ask(ALONE, verb, request, self._progress, work=self._work)


@dataclass(frozen=True)
class _Failed:
    """A model that gave no answers: why, in words that hold no value of a row."""

    why: str
    refused: bool
