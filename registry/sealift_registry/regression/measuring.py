"""Running both, side by side: the same rows, and then the same batch in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealift_registry.frameworks.framework import INPUT, Array
from sealift_registry.frameworks.naming import borne
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.proof.budget import Budget
from sealift_registry.proof.goldens import Goldens
from sealift_registry.proof.running import Runner, joined
from sealift_registry.regression import comparing
from sealift_registry.regression.comparing import Taken
from sealift_registry.regression.report import Batch, Comparison, Side
from sealift_registry.workers.channel import Progress
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import sentence

SLICE = 1024
"""Rows that both are asked at once; between slices time is looked at."""
BATCH = 256
"""Rows at most of the batch that is timed."""
LEAST, MOST = 3, 51
"""Times that each of both answers the batch."""
TIMED = 10.0
"""Seconds that timing may take, once each has answered `LEAST` times."""
MOST_NAMED = 20
"""Of classes and outputs that are told."""

Inputs = Mapping[str, Array]


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        comparison: all that both have together; the worker adds the software.
        metrics: of the candidate and of the listed one.
        microseconds: likewise.
    """

    comparison: Comparison
    metrics: tuple[str, str] | None
    microseconds: tuple[int, int]

    def beside(self, candidate: Side, listed: Side) -> tuple[Side, Side]:
        """Both sides with their own figures."""
        ours, theirs = self.metrics or (None, None)
        now, before = self.microseconds
        return (
            Side(candidate.version, candidate.sha256, candidate.size, ours, now),
            Side(listed.version, listed.sha256, listed.size, theirs, before),
        )


class NotRunError(Exception):
    """The listed version does not answer; why, in words."""


@contextmanager
def _of_listed() -> Iterator[None]:
    try:
        yield
    except RefusedError as bad:
        raise NotRunError(bad.what) from bad


def warm(candidate: RuntimeModel, inputs: Inputs) -> None:
    """Let the candidate answer a batch: what breaks down after that is not for its sake alone.

    Raises:
        RefusedError: it does not take the rows.
    """
    Runner(candidate, in_doubles=False).answers({n: one[:BATCH] for n, one in inputs.items()})


def loaded(path: Path) -> RuntimeModel:
    """The listed version.

    Raises:
        NotRunError: the runtime does not take it.
    """
    try:
        return RuntimeModel(path)
    except RefusedError as bad:  # the runtime's words name a folder of this machine
        raise NotRunError("ONNX Runtime cannot load it") from bad


def taken(model: RuntimeModel) -> Taken:
    """What a model takes, as it says itself."""
    lengths = model.lengths
    inputs = {name: (kind, lengths[name]) for name, kind in model.inputs.items()}
    return Taken(inputs, borne(model.metadata))


def measured(
    candidate: RuntimeModel,
    listed: RuntimeModel,
    goldens: Goldens,
    seconds: float,
    progress: Progress,
) -> Found:
    """Let both answer the goldens, and time them.

    Raises:
        NotRunError: the listed version does not take the rows.
        RefusedError: the candidate does not.
    """
    ours, theirs = Runner(candidate, in_doubles=False), Runner(listed, in_doubles=False)
    inputs, expected = _of_both(goldens.inputs), goldens.expected
    rows = len(next(iter(inputs.values())))
    budget, done = Budget(seconds), 0
    answers: tuple[list[dict[str, Array]], list[dict[str, Array]]] = ([], [])
    while done < rows and (not done or budget.left > 0):
        progress("comparing", done, rows)
        some = {name: one[done : done + SLICE] for name, one in inputs.items()}
        answers[0].append(ours.answers(some))
        with _of_listed():
            answers[1].append(theirs.answers(some))
        done = min(done + SLICE, rows)
    here = joined(answers[0])
    with _of_listed():
        there = joined(answers[1])
    names = borne(candidate.metadata).classes, borne(listed.metadata).classes
    known = None if expected is None else expected[:done]
    metrics = comparing.metrics(known, here, there, names)
    labels = comparing.label_churn(here, there, names)
    batch = {name: one[: min(BATCH, rows)] for name, one in inputs.items()}
    progress("timing", 0, 0)
    times = timed(lambda: ours.answers(batch), lambda: theirs.answers(batch))
    new, gone = _of_one_side(*names)
    comparison = Comparison(
        rows=done,
        left_out=rows - done,
        expected=None if metrics is None else metrics[0],
        labels=labels,
        numbers=comparing.number_churn(here, there, labelled=labels is not None),
        outputs=tuple(map(sentence, comparing.other_outputs(here, there)[:MOST_NAMED])),
        classes_new=new,
        classes_gone=gone,
        batch=Batch(min(BATCH, rows), len(times[0])),
        software={},
    )
    figures = None if metrics is None else metrics[1:]
    return Found(comparison, figures, (_median(times[0]), _median(times[1])))


def _of_both(inputs: Inputs) -> Inputs:
    """The only input of each of both by no name of its own: they may call it otherwise."""
    return {INPUT: next(iter(inputs.values()))} if len(inputs) == 1 else inputs


def _of_one_side(
    ours: Sequence[str], theirs: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Classes that only one of both says it has; nothing where one of them says none."""
    if not ours or not theirs:
        return (), ()
    new = [one for one in ours if one not in theirs][:MOST_NAMED]
    gone = [one for one in theirs if one not in ours][:MOST_NAMED]
    return tuple(map(sentence, new)), tuple(map(sentence, gone))


def timed(
    ours: Callable[[], object], theirs: Callable[[], object], seconds: float = TIMED
) -> tuple[list[int], list[int]]:
    """Nanoseconds of each answer of both, who take turns in who goes first.

    What else the machine does then falls on both alike. They were asked before: nothing is new.
    """
    budget = Budget(seconds)
    found: tuple[list[int], list[int]] = ([], [])
    while len(found[0]) < LEAST or (len(found[0]) < MOST and budget.left > 0):
        pairs = [(ours, found[0]), (theirs, found[1])]
        for ask, times in pairs if len(found[0]) % 2 else reversed(pairs):
            began = time.perf_counter_ns()
            ask()
            times.append(time.perf_counter_ns() - began)
    return found


def _median(times: list[int]) -> int:
    """In microseconds, of which there is at least one."""
    return max(int(statistics.median(times)) // 1000, 1)
