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
from sealift_registry.frameworks.naming import borne
from sealift_registry.frameworks.onnx_runs import RuntimeModel
from sealift_registry.proof.budget import Budget
from sealift_registry.proof.comparing import Answers
from sealift_registry.proof.goldens import Goldens
from sealift_registry.proof.running import Runner, joined, types
from sealift_registry.regression import comparing, rows
from sealift_registry.regression.comparing import Taken
from sealift_registry.regression.report import Batch, Comparison, OnRows, ProvedBy, Rows, Side
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


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        comparison: all that both have together; the worker adds the software.
        metrics: of the candidate and of the listed one.
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
        candidate: the one.
        listed: the other.
    """

    def __init__(self, candidate: RuntimeModel, listed: RuntimeModel) -> None:
        self._candidate = candidate
        self._ours = Runner(candidate, in_doubles=False)
        self._theirs = Runner(listed, in_doubles=False)
        self._names = borne(candidate.metadata).classes, borne(listed.metadata).classes
        self._taken = taken(candidate), taken(listed)

    def answers(self, goldens: Goldens, seconds: float, progress: Progress) -> tuple[Both, OnRows]:
        """What both answer to the same rows, and what that comes to.

        Raises:
            NotRunError: the listed version does not take the rows.
            RefusedError: the candidate does not.
        """
        inputs = _of_both(goldens.inputs)
        total = len(next(iter(inputs.values())))
        budget, done = Budget(seconds), 0
        told: tuple[list[dict[str, Array]], list[dict[str, Array]]] = ([], [])
        while done < total and (not done or budget.left > 0):
            progress("comparing", done, total)
            some = {name: one[done : done + SLICE] for name, one in inputs.items()}
            told[0].append(self._ours.answers(some))
            with _of_listed():
                told[1].append(self._theirs.answers(some))
            done = min(done + SLICE, total)
        here = joined(told[0])
        with _of_listed():
            there = joined(told[1])
        expected = None if goldens.expected is None else goldens.expected[:done]
        return (here, there), self._on_rows((here, there), expected, done, total)

    def _on_rows(self, both: Both, expected: Array | None, done: int, total: int) -> OnRows:
        metrics = comparing.metrics(expected, *both, self._names)
        labels = comparing.label_churn(*both, self._names)
        kind, ours, theirs = metrics or (None, None, None)
        lost = comparing.without_labels(*both, self._names)
        numbers = comparing.number_churn(*both, labelled=labels is not None or lost)
        known = comparing.measured_by(expected, both[1], self._names)
        found = OnRows(done, total - done, kind, ours, theirs, labels, numbers, known=known)
        return replace(found, without_labels="candidate") if lost else found

    def measured(self, goldens: Goldens, seconds: float, progress: Progress) -> Found:
        """Let both answer the candidate's goldens, and time them.

        Raises:
            NotRunError: the listed version does not take the rows.
            RefusedError: the candidate does not.
        """
        both, found = self.answers(goldens, seconds, progress)
        inputs = _of_both(goldens.inputs)
        batch = {name: one[:BATCH] for name, one in inputs.items()}
        progress("timing", 0, 0)
        times = timed(lambda: self._ours.answers(batch), lambda: self._theirs.answers(batch))
        new, gone = _of_one_side(*self._names)
        others = comparing.other_widths(*self._taken) + comparing.other_outputs(*both)
        comparison = Comparison(
            rows=found.rows,
            left_out=found.left_out,
            expected=found.expected,
            labels=found.labels,
            numbers=found.numbers,
            outputs=tuple(map(sentence, others[:MOST_NAMED])),
            classes_new=new,
            classes_gone=gone,
            batch=Batch(len(next(iter(batch.values()))), len(times[0])),
            software={},
            without_labels=found.without_labels,
            known=found.known,
        )
        metrics = found.candidate, found.listed
        return Found(comparison, metrics, (_median(times[0]), _median(times[1])))

    def on_theirs(
        self,
        own: Goldens,
        theirs: Goldens | None,
        said: ProvedBy,
        seconds: float,
        progress: Progress,
    ) -> ProvedBy:
        """What is found on the rows by which the listed version was approved, and not timed.

        Args:
            own: the candidate's goldens.
            theirs: those by which the listed version was approved; None where it is said why not.
            said: what is known of them beforehand.
            seconds: after which no further slice is asked.
            progress: told what is done.
        """
        keys = self._keys(own)
        if theirs is None:
            return replace(said, own=Rows(len(keys), len(np.unique(keys))))
        known = rows.counted((keys, own.expected), (self._keys(theirs), theirs.expected))
        said = replace(
            said,
            own=known.own,
            theirs=known.theirs,
            both=known.both,
            otherwise=known.otherwise,
            unsaid=known.unsaid,
        )
        try:
            _, found = self.answers(theirs, seconds, progress)
        except NotRunError as bad:
            return replace(said, nothing="not-run", why=sentence(f"the listed one: {bad}"))
        except RefusedError as bad:
            return replace(said, nothing="not-run", why=sentence(f"this version: {bad.what}"))
        return replace(said, found=found)

    def _keys(self, goldens: Goldens) -> Array:
        """What rows are told apart by, as the candidate takes them."""
        inputs = _of_both(goldens.inputs)
        return rows.keys(inputs, types(self._candidate, inputs))


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
