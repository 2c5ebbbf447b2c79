"""Running a model on rows: in batches where it takes them, one by one where it does not."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import numpy as np

from sealift_registry.frameworks.framework import Array, Deciding, Model, Tying
from sealift_registry.frameworks.onnx_runs import TYPES
from sealift_registry.proof.comparing import Answers
from sealift_registry.proof.table import Type, doubles
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError, SealiftError

MOST_BYTES = 64 * 1024**2
"""Of inputs in one batch."""


@runtime_checkable
class HasInputs(Protocol):
    """A model that says what it takes."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """Input name → type, in ONNX Runtime's words."""


@runtime_checkable
class HasBatch(Protocol):
    """A model that may take so many rows at once and no other number of them."""

    @property
    def batch(self) -> int | None:
        """How many; None where any number is taken."""


def types(variant: Model, goldens: Mapping[str, Array]) -> dict[str, Type]:
    """The type of each of the goldens' arrays at the variant; 32 bits where it does not say."""
    return types_of(variant.inputs if isinstance(variant, HasInputs) else {}, goldens)


def types_of(said: Mapping[str, str], goldens: Mapping[str, Array]) -> dict[str, Type]:
    """The same of a variant that says that it takes these."""
    only = next(iter(said.values())) if len(said) == len(goldens) == 1 else ""
    return {name: np.dtype(TYPES.get(said.get(name, only), "float32")) for name in sorted(goldens)}


class Runner:
    """A model, and how many rows it takes at once.

    Args:
        model: to be run.
        in_doubles: whether fractions are handed to it in 64 bits.
    """

    def __init__(self, model: Model, *, in_doubles: bool) -> None:
        self._model = model
        self._in_doubles = in_doubles
        self._batch: int | None = None
        self._step: int | None = None
        self._settled = False

    def by(self, together: int, *, of: int | None = None) -> Runner:
        """The same model, asked for so many rows at a time.

        Where it takes `of` rows and no other number, the last of them fills up the rest.
        """
        found = Runner(self._model, in_doubles=self._in_doubles)
        found._batch, found._step, found._settled = of or together, together, True
        return found

    @property
    def batch(self) -> int | None:
        """How many rows the model takes at once, where it takes no other number."""
        said = self._model.batch if isinstance(self._model, HasBatch) else None
        return self._batch or said

    def answers(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The answers to all rows of `inputs`.

        Raises:
            RefusedError: the model does not take them.
        """
        given = doubles(inputs) if self._in_doubles else dict(inputs)
        rows = len(next(iter(given.values())))
        size = sum(one.nbytes for one in given.values()) // max(rows, 1)
        together = max(MOST_BYTES // max(size, 1), 1)
        with quiet():
            parts = [
                self._some({name: one[at : at + together] for name, one in given.items()})
                for at in range(0, rows, together)
            ]
        return joined(parts)

    def ties(self, inputs: Mapping[str, Array]) -> Array:
        """By row, whether the model itself says that two answers are as good.

        Raises:
            RefusedError: the model does not take the rows.
        """
        if not isinstance(self._model, Tying):
            return np.zeros(len(next(iter(inputs.values()))), dtype=bool)
        with quiet():
            return self._model.ties(doubles(inputs) if self._in_doubles else dict(inputs))

    def decisions(self, inputs: Mapping[str, Array]) -> Array | None:
        """By row, a number a class, of which the largest decides; None where its shares do.

        Raises:
            RefusedError: the model does not take the rows.
        """
        if not isinstance(self._model, Deciding):
            return None
        with quiet():
            return self._model.decisions(doubles(inputs) if self._in_doubles else dict(inputs))

    def tried(
        self, inputs: Mapping[str, Array], kinds: Sequence[str]
    ) -> tuple[Array, dict[str, Array]]:
        """Which rows are answered, by their numbers, and the answers to those.

        A batch that is refused is taken apart by kind, and then halved, until the rows that are to
        blame are alone.
        """
        rows = len(next(iter(inputs.values())))
        kept: list[Array] = []
        parts: list[dict[str, Array]] = []
        waiting = [np.arange(rows)]
        while waiting:
            at = waiting.pop()
            if not len(at):
                continue
            try:
                parts.append(self.answers({name: one[at] for name, one in inputs.items()}))
                kept.append(at)
            except Exception:  # noqa: BLE001 - odd rows: a model may refuse them in any way
                waiting += _parted(at, kinds)
        if not parts:
            return np.arange(0), {}
        return np.concatenate(kept), joined(parts)

    def _some(self, given: dict[str, Array]) -> dict[str, Array]:
        """One batch, in one call if the model takes it so; the first batch tells whether it does.

        Later ones are not tried one by one: what is refused then is a row.
        """
        if self.batch:  # also of one that would take more, as an evaluator does: others do not
            return self._in_turns(given, self.batch)
        rows = len(next(iter(given.values())))
        try:
            found = self._answered(given)
        except RefusedError:
            if self._settled or rows == 1:
                raise
        else:
            if all(one.ndim and len(one) == rows for one in found.values()):
                self._settled = True
                return found
        found = self._in_turns(given, 1)
        self._settled, self._batch = True, 1
        return found

    def _in_turns(self, given: dict[str, Array], batch: int) -> dict[str, Array]:
        """So many rows at a time; the last are filled up with the last of them."""
        parts, rows = [], len(next(iter(given.values())))
        step = self._step or batch
        for at in range(0, rows, step):
            some = {name: one[at : at + step] for name, one in given.items()}
            lacking = batch - len(next(iter(some.values())))
            if lacking:
                some = {n: np.concatenate([a, *[a[-1:]] * lacking]) for n, a in some.items()}
            found = self._answered(some)
            parts.append({n: _by_row(n, a, batch)[: batch - lacking] for n, a in found.items()})
        return joined(parts)

    def _answered(self, given: dict[str, Array]) -> dict[str, Array]:
        """What the model answers; whatever it breaks down with is a refusal of these rows."""
        try:
            return self._model.answer(given)
        except (SealiftError, MemoryError):
            raise
        except Exception as bad:
            raise RefusedError(
                "goldens-unfit",
                f"A model does not take the rows: it broke down with {type(bad).__name__}.",
                subject=", ".join(sorted(given)),
                next_step="Give goldens that the model takes, and that it takes one by one.",
            ) from bad


def _by_row(name: str, found: Array, batch: int) -> Array:
    """An output with an axis that counts the rows; of a single row all of it is kept.

    Raises:
        RefusedError: nothing tells which part of it belongs to which row.
    """
    found = np.asarray(found)
    if found.ndim and len(found) == batch:
        return found
    if batch == 1:
        return found[np.newaxis]
    raise RefusedError(
        "parity-outputs",
        f"The output {word(name)} has no axis that counts the {batch} rows of a batch.",
        subject=name,
        next_step="Export the model with an output for each row, or for one row at a time.",
    )


def _parted(at: Array, kinds: Sequence[str]) -> list[Array]:
    """The rows of each kind, or halves of those of one; none of one row."""
    named = np.array([kinds[one] for one in at.tolist()])
    several = np.unique(named)
    if len(several) > 1:
        return [at[named == kind] for kind in several]
    half = len(at) // 2
    return [at[half:], at[:half]] if half else []


@contextmanager
def quiet() -> Iterator[None]:
    """What libraries say of odd rows is for nobody."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def taken(answers: Answers, at: Array) -> dict[str, Array]:
    """The answers to some rows, by their numbers or as a mask."""
    return {name: one[at] for name, one in answers.items()}


def joined(parts: Sequence[Answers]) -> dict[str, Array]:
    """Answers to some rows and to others, as one.

    Raises:
        RefusedError: an output is of another length for each row.
    """
    for name in parts[0]:
        if len({part[name].shape[1:] for part in parts}) > 1:
            raise RefusedError(
                "parity-outputs",
                f"The output {word(name)} has another length for each row, and cannot be compared.",
                subject=name,
                next_step="Export the model with outputs of one length, such as all scores before "
                "any are left out.",
            )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
