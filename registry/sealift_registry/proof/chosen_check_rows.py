"""Check rows: some of the rows that a proof ran, for a site to ask its own runtime the same.

They are goldens, and probe rows of every kind. Both models are asked once more, and only what they
agree on with room to spare is taken: what is near the edge of what is allowed would be a false
alarm on the next processor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any, cast

import numpy as np

from sealift_registry.frameworks.framework import INPUT, Array
from sealift_registry.proof import comparing
from sealift_registry.proof.comparing import Answers, Compared, Scale
from sealift_registry.proof.model_runs import Runner, taken
from sealift_registry.proof.probe_order import Named
from sealift_registry.proof.table import Layout
from sealift_registry.proof.tally import GOLDENS
from sealift_signing.errors import MalformedError
from sealift_sync import answering
from sealift_sync.check_rows import (
    DTYPES,
    LARGEST,
    LARGEST_HEADER,
    MOST_ROWS,
    MOST_VALUES,
    CheckRowsContent,
    Dtype,
    ExpectedOutput,
    GivenInput,
    Tensor,
    differences,
    pack,
    tensor,
    unpack,
)

FIRST = (
    *("thresholds", "edges", "missing", "missing-some", "missing-at-nodes"),
    *("unknown", "fractions", "jumps"),
)
"""Kinds of which twice as many are taken as of others: there runtimes were seen to differ."""
OF_GOLDENS = 4
"""One row in so many is a golden."""
USUAL, FEW = 4 * 1024**2, 8
"""Bytes that are not passed, unless so many rows are larger."""
SLACK = 0.5
"""No more of what is allowed may be used up already."""


def chosen(agreed: Mapping[str, Sequence[int]], most: int, seed: bytes) -> Named:
    """At most so many of the rows on which both models agreed, of every kind that has any.

    Args:
        agreed: the numbers of the rows, by kind.
        most: how many.
        seed: the same rows are chosen by the same one.
    """
    draw = np.random.default_rng([*seed, 4])
    left = {kind: draw.permutation(numbers).tolist() for kind, numbers in sorted(agreed.items())}
    goldens = left.pop(GOLDENS, [])
    share = max(most // OF_GOLDENS, min(most, 1))
    found = [(GOLDENS, number) for number in goldens[:share]]
    kinds = sorted((kind for kind in left if left[kind]), key=lambda kind: kind not in FIRST)
    while len(found) < most and any(left[kind] for kind in kinds):
        for kind in kinds:
            turn = left[kind][: 2 if kind in FIRST else 1]
            left[kind] = left[kind][len(turn) :]
            found += [(kind, number) for number in turn]
    found += [(GOLDENS, number) for number in goldens[share:]]
    return found[:most]


def most_rows(inputs: Answers, answers: Answers) -> int:
    """How many rows of such inputs and answers a file may hold."""
    size = sum(_row_size(one) for one in inputs.values())
    for one in answers.values():
        size += _row_size(one) + (0 if comparing.is_labels(one) else 8 * _width(one))
    looked_at = [one for one in inputs.values() if one.dtype.kind in "OU"] + [*answers.values()]
    size, values = max(size, 1), max(sum(map(_width, looked_at)), 1)
    fits = min((LARGEST - LARGEST_HEADER) // size, MOST_VALUES // values)
    return int(min(MOST_ROWS, max(USUAL // size, FEW), fits))


def _width(one: Array) -> int:
    return int(comparing.flat(one).shape[1]) if len(one) else 0


def _row_size(one: Array) -> int:
    if one.dtype.kind in "OU":
        return max((4 + len(str(text).encode()) for text in one.ravel()), default=0) * _width(one)
    return int(one.dtype.itemsize) * _width(one)


def answerable(session: Any, data: bytes) -> bool:  # noqa: ANN401 - onnxruntime is Any to us
    """Whether what a site runs gets from `session` what the file `data` expects.

    A site asks by a program of its own. Were it to lay out an answer otherwise than the proof does,
    every site would refuse the model, and no other bundle would mend it.
    """
    content = unpack(data)
    rows = BytesIO(b"".join(one.tensor.data for one in content.inputs))
    try:
        told = answering.answers(session, content.question, rows)
    except Exception:  # noqa: BLE001 - NumPy and ONNX Runtime raise what they like
        return False
    found = {
        about["name"]: Tensor(about["dtype"], tuple(about["shape"]), values)
        for about, values in told
    }
    return not differences(content, found)


class Packing:
    """Makes a file of check rows from rows that are chosen.

    Args:
        source: the model as it came.
        variant: what was made of it.
        layout: of the inputs.
        scales: of the outputs.
        names: the variant's inputs, by its own word; empty where it does not say.
        shown: the outputs whose answers may be told (`withheld_outputs`).
    """

    def __init__(
        self,
        source: Runner,
        variant: Runner,
        layout: Layout,
        scales: Mapping[str, Scale],
        names: Sequence[str],
        *,
        shown: Collection[str],
    ) -> None:
        self._shown = shown
        self._source, self._variant = source, variant
        self._layout, self._scales, self._names = layout, scales, names

    def packed(self, named: Named, rows: Array) -> bytes | None:
        """The file, with the rows that both models still agree on; None where none can be made."""
        inputs, kinds = self._layout.inputs(rows), [kind for kind, _ in named]
        kept, theirs = self._source.tried(inputs, kinds)
        if not len(kept):
            return None
        took, ours = self._variant.tried(taken(inputs, kept), [kinds[at] for at in kept.tolist()])
        if not len(took):
            return None
        inputs, theirs = taken(inputs, kept[took]), taken(theirs, took)
        right = _right(theirs, ours, self._scales) & ~self._source.ties(inputs)
        at = self._batched(np.flatnonzero(right))
        if not len(at):
            return None
        try:
            return pack(self._content(taken(inputs, at), taken(theirs, at), taken(ours, at)))
        except MalformedError:
            # Such as an input whose name no document can hold, or rows of which all are undecided.
            return None

    def _batched(self, at: Array) -> Array:
        """As many rows as the variant takes at once, where it takes no other number."""
        batch = self._variant.batch
        if batch is None or batch == 1 or not len(at):
            return at
        return np.resize(at, batch) if batch <= MOST_ROWS else at[:0]

    def _content(self, inputs: Answers, theirs: Answers, ours: Answers) -> CheckRowsContent:
        given = tuple(
            GivenInput(self._name(name), _tensor(one))
            for name, one in inputs.items()
            if _width(one)
        )
        outputs = tuple(
            replace(_expected(name, theirs, one, self._scales), shown=name in self._shown)
            for name, one in ours.items()
            if _width(one)
        )
        rows = len(next(iter(ours.values())))
        return CheckRowsContent(rows, self._variant.batch == 1, given, outputs)

    def _name(self, name: str) -> str:
        return self._names[0] if name == INPUT and len(self._names) == 1 else name


def _right(theirs: Answers, ours: Answers, by: Mapping[str, Scale]) -> Array:
    """By row, whether the variant's answers are near what is expected of it, with room to spare."""
    found = comparing.side_by_side(theirs, ours, by)
    right = ~comparing.wrong_rows(found)
    for name, one in found.items():
        right &= _as_cast(name, theirs, ours[name], one, by)
    return right


def _as_cast(
    name: str, theirs: Answers, ours: Array, found: Compared, by: Mapping[str, Scale]
) -> Array:
    """The same of one output, the source's answers being in the variant's type."""
    wanted = _cast(theirs[name], ours)
    if found.kind == "labels":
        return comparing.agreeing(wanted, ours) | undecided(name, theirs, by)
    with np.errstate(all="ignore"):
        away = np.abs(_flat(ours) - _flat(wanted))
        same = (_flat(ours) == _flat(wanted)) | (np.isnan(_flat(ours)) & np.isnan(_flat(wanted)))
        may = _allowed(name, theirs, by)
        near = same | (away <= SLACK * may)
    return np.asarray((near & np.isfinite(may)).all(axis=1))


def undecided(name: str, source: Answers, by: Mapping[str, Scale]) -> Array:
    """By row, whether the source's two best scores are as good, so that its label is chance."""
    scores = comparing.scores_of(source)
    if scores is None or scores == name or scores not in by:
        return np.zeros(len(source[name]), dtype=bool)
    return comparing.ties(source[scores], by[scores])


def _flat(array: Array) -> Array:
    return comparing.flat(array).astype(np.float64)


def _allowed(name: str, source: Answers, by: Mapping[str, Scale]) -> Array:
    return comparing.allowed(by[name], _flat(source[name]))


def _cast(source: Array, variant: Array) -> Array:
    """The source's answers in the type and shape of the variant's."""
    with np.errstate(all="ignore"):
        if variant.dtype.kind in "OU":
            return source.astype(str).reshape(variant.shape)
        return source.astype(variant.dtype).reshape(variant.shape)


def _expected(name: str, theirs: Answers, ours: Array, by: Mapping[str, Scale]) -> ExpectedOutput:
    values = _tensor(_cast(theirs[name], ours))
    if comparing.is_labels(ours) or comparing.is_labels(theirs[name]):
        free = tuple(int(at) for at in np.flatnonzero(undecided(name, theirs, by)))
        return ExpectedOutput(name, values, "labels", free=free)
    may = _tensor(_allowed(name, theirs, by).reshape(ours.shape))
    return ExpectedOutput(name, values, "numbers", may)


def _tensor(array: Array) -> Tensor:
    """An array as a file of check rows holds it.

    Raises:
        MalformedError: it is of a type that such a file does not know.
    """
    if array.dtype.kind in "OU":
        return tensor("text", array.shape, array.astype(str).ravel().tolist())
    if array.dtype.name not in DTYPES:
        raise MalformedError("bad-check-rows", f"A tensor is of the type {array.dtype}.")
    data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    return Tensor(cast("Dtype", array.dtype.name), array.shape, data)
