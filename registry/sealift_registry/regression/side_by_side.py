"""Running both, side by side: the same rows, and then the same batch in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sealift_registry.frameworks.framework import INPUT, Array
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.frameworks.variant_names import borne
from sealift_registry.proof.budget import Budget
from sealift_registry.proof.comparing import Answers
from sealift_registry.proof.golden_rows import Goldens
from sealift_registry.proof.model_runs import Runner, joined, types_of
from sealift_registry.regression import differences, rows
from sealift_registry.regression.differences import Taken
from sealift_registry.regression.regression_report import (
    Batch,
    Comparison,
    OnRows,
    ProvedBy,
    Rows,
    Side,
)
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
Both = tuple[Answers, Answers]
"""Of the candidate and of the listed version, to the same rows."""
Classes = tuple[Sequence[str], Sequence[str]]
"""That both name."""


@dataclass(frozen=True)
class PairAnswers:
    """What was found.

    Attributes:
        comparison: all that both have together; the worker adds the software.
        metrics: of the candidate and of the listed version.
        microseconds: likewise.
    """

    comparison: Comparison
    metrics: tuple[str | None, str | None]
    microseconds: tuple[int, int]

    def beside(self, candidate: Side, listed: Side) -> tuple[Side, Side]:
        """Both sides with their own figures."""
        ours, theirs = self.metrics
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


class Pair:
    """A candidate and the listed version, ready to be asked.

    Args:
        candidate: the variant that may be listed.
        listed: the variant that is.
    """

    def __init__(self, candidate: RuntimeModel, listed: RuntimeModel) -> None:
        self._ours = Runner(candidate, in_doubles=False)
        self._theirs = Runner(listed, in_doubles=False)
        self._names = borne(candidate.metadata).classes, borne(listed.metadata).classes
        self._taken = taken(candidate), taken(listed)

    def answers(self, goldens: Goldens, seconds: float, progress: Progress) -> OnRows:
        """What both answer to the same rows, and what that comes to.

        Raises:
            NotRunError: the listed version does not take the rows.
            RefusedError: the candidate does not.
        """
        inputs = _of_both(goldens.inputs)
        total = len(next(iter(inputs.values())))
        told: tuple[list[dict[str, Array]], list[dict[str, Array]]] = ([], [])
        for some in _slices(inputs, seconds, progress):
            told[0].append(self._ours.answers(some))
            with _of_listed():
                told[1].append(self._theirs.answers(some))
        here = joined(told[0])
        with _of_listed():
            there = joined(told[1])
        return on_rows((here, there), self._names, goldens.expected, total)

    def measured(self, goldens: Goldens, seconds: float, progress: Progress) -> PairAnswers:
        """Let both answer the candidate's goldens, and time them.

        Raises:
            NotRunError: the listed version does not take the rows.
            RefusedError: the candidate does not.
        """
        found = self.answers(goldens, seconds, progress)
        inputs = _of_both(goldens.inputs)
        batch = {name: one[:BATCH] for name, one in inputs.items()}
        progress("timing", 0, 0)
        times = timed(lambda: self._ours.answers(batch), lambda: self._theirs.answers(batch))
        many = Batch(len(next(iter(batch.values()))), len(times[0]))
        widths = differences.other_widths(*self._taken)
        comparison = comparison_of(found, self._names, widths, many)
        metrics = found.candidate, found.listed
        return PairAnswers(comparison, metrics, (_median(times[0]), _median(times[1])))

    def on_theirs(
        self, theirs: Goldens, said: ProvedBy, seconds: float, progress: Progress
    ) -> ProvedBy:
        """What is found on the rows by which the listed version was approved, and not timed.

        Args:
            theirs: these.
            said: what is known of them beforehand.
            seconds: after which no further slice is asked.
            progress: told what is done.
        """
        try:
            found = self.answers(theirs, seconds, progress)
        except NotRunError as bad:
            return replace(said, nothing="not-run", why=sentence(str(bad)), broke="listed")
        except RefusedError as bad:
            return replace(said, nothing="not-run", why=sentence(bad.what), broke="candidate")
        return replace(said, found=found)


def alone(
    model: RuntimeModel, goldens: Goldens, seconds: float, progress: Progress
) -> dict[str, Array]:
    """What one model answers to as many rows as there is time for.

    Raises:
        RefusedError: it does not take them.
    """
    runner, inputs = Runner(model, in_doubles=False), _of_both(goldens.inputs)
    return joined([runner.answers(some) for some in _slices(inputs, seconds, progress)])


def _slices(inputs: Inputs, seconds: float, progress: Progress) -> Iterator[Inputs]:
    """Some rows after others while there is time."""
    total = len(next(iter(inputs.values())))
    budget, done = Budget(seconds), 0
    while done < total and (not done or budget.left > 0):
        progress("comparing", done, total)
        some = {name: one[done : done + SLICE] for name, one in inputs.items()}
        yield some
        done = min(done + SLICE, total)


def on_rows(both: Both, names: Classes, expected: Array | None, total: int) -> OnRows:
    """What comes of both answers to the first of `total` rows, of models with these classes."""
    done = len(next(iter(both[0].values())))
    expected = None if expected is None else expected[:done]
    metrics = differences.metrics(expected, *both, names)
    labels = differences.label_churn(*both, names)
    kind, ours, theirs = metrics or (None, None, None)
    lost = differences.without_labels(*both, names)
    numbers = differences.number_churn(*both, labelled=labels is not None or lost)
    outputs = tuple(map(sentence, differences.other_outputs(*both)[:MOST_NAMED]))
    known = differences.measured_by(expected, both[1], names)
    found = OnRows(done, total - done, kind, ours, theirs, labels, numbers, known=known)
    return replace(found, without_labels="candidate" if lost else None, outputs=outputs or None)


def comparison_of(
    found: OnRows, names: Classes, widths: Sequence[str], batch: Batch | None
) -> Comparison:
    """The same of the candidate's own rows, and which classes are others; without the software."""
    new, gone = _of_one_side(*names)
    return Comparison(
        rows=found.rows,
        left_out=found.left_out,
        expected=found.expected,
        labels=found.labels,
        numbers=found.numbers,
        outputs=(*map(sentence, widths), *(found.outputs or ()))[:MOST_NAMED],
        classes_new=new,
        classes_gone=gone,
        batch=batch,
        software={},
        without_labels=found.without_labels,
        known=found.known,
    )


def counted(
    candidate: Mapping[str, str], own: Goldens, theirs: Goldens | None, said: ProvedBy
) -> ProvedBy:
    """How both sets of rows go together, as the candidate takes them.

    Args:
        candidate: what it takes: name → type.
        own: its goldens.
        theirs: those by which the listed version was approved; None where it is said why not.
        said: what is known of these.
    """
    keys = _keys(candidate, own)
    if theirs is None:
        return replace(said, own=Rows(len(keys), len(np.unique(keys))))
    known = rows.counted((keys, own.expected), (_keys(candidate, theirs), theirs.expected))
    return replace(
        said,
        own=known.own,
        theirs=known.theirs,
        both=known.both,
        otherwise=known.otherwise,
        unsaid=known.unsaid,
    )


def _keys(candidate: Mapping[str, str], goldens: Goldens) -> Array:
    inputs = _of_both(goldens.inputs)
    return rows.keys(inputs, types_of(candidate, inputs))


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
