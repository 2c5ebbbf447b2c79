"""Models trained, converted and answered in a test's own process, with a judge of its own.

It imports nothing of the proof: what the original answers on fresh rows is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sealift_registry.conversion.recipe import OPSETS
from sealift_registry.conversion.reproducible import reproducible_bytes
from sealift_registry.frameworks.framework import check_honoured
from sealift_registry.frameworks.lightgbm_trees import LightgbmModel
from sealift_registry.frameworks.scikit_learn import SklearnModel
from sealift_registry.frameworks.supported import BY_FORMAT
from sealift_registry.frameworks.xgboost_trees import XgboostModel
from sealift_signing.errors import RefusedError

Array = np.ndarray[Any, Any]
Model = LightgbmModel | SklearnModel | XgboostModel
FORMATS = {LightgbmModel: "lightgbm", SklearnModel: "skops", XgboostModel: "xgboost-ubj"}

TRAINED, FRESH = 300, 1000


def awkward(rows: int, seed: int, *, missing: float = 0.0) -> Array:
    """Columns of negative and heavy-tailed numbers, whole ones, fractions, and many zeros."""
    draw = np.random.default_rng(seed)
    columns = [
        draw.normal(size=rows),
        np.exp(1.5 * draw.normal(size=rows)),
        np.round(4 * draw.normal(size=rows)),
        draw.uniform(-1, 1, rows) / 100,
        np.where(draw.random(rows) < 0.4, 0, 3 * draw.normal(size=rows)),
    ]
    found = np.stack(columns, axis=1)
    found[draw.random(found.shape) < missing] = np.nan
    return float32s(found)


def float32s(rows: Array) -> Array:
    """`rows` as a variant would get them, in doubles."""
    return rows.astype(np.float32).astype(np.float64)


def fresh(seed: int = 99, *, missing: float = 0.0) -> Array:
    """Rows of the same kind and wider ones, some turned around."""
    rows = awkward(FRESH, seed, missing=missing)
    rows[600:800] *= 1.5
    rows[800:900] *= -1
    return rows


def targets(rows: Array, kind: str) -> Array:
    """What is to be learnt of `rows`: numbers, or labels of a kind."""
    draw, known = np.random.default_rng(2), np.nan_to_num(rows)
    known = (known - known.mean(axis=0)) / (known.std(axis=0) + 1e-9)
    sums = known @ np.linspace(1, -1, rows.shape[1]) + 0.3 * draw.normal(size=len(rows))
    three = np.digitize(sums, [-0.7, 0.7])
    found: dict[str, Array] = {
        "numbers": 3 * sums + 1,
        "tiny": sums * 1e-7,
        "positive": np.exp(0.3 * sums),
        "pairs": np.stack([sums, 2 * sums - 1], axis=1),
        "two": (sums > 0).astype(int),
        "rare": (sums > 3).astype(int),
        "most": (sums > -0.3).astype(int),
        "truth": sums > 0,
        "three": three,
        "ids": np.array([-5, 10, 10**7])[three],
        "floats": np.array([1.0, 2.0, 3.0])[three],
        "words": np.array(["red", "green", "blue"])[three],
        "sets": np.stack([sums > 0, known[:, 0] > 0], axis=1).astype(int),
    }
    return found[kind]


class Converted:
    """A variant of `model`, run in this process.

    Raises:
        RefusedError: it is not converted.
    """

    def __init__(self, model: Model) -> None:
        import onnxruntime

        check_honoured(BY_FORMAT[FORMATS[type(model)]], model)
        options = {"zipmap": False}
        self.content = reproducible_bytes(model.to_onnx(OPSETS, options))
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(self.content, quiet)

    def answer(self, rows: Array) -> dict[str, Array]:
        """Its outputs by their names."""
        names = [one.name for one in self._session.get_outputs()]
        found = self._session.run(None, {"inputs": rows.astype(np.float32)})
        return dict(zip(names, found, strict=True))

    @property
    def names(self) -> Mapping[str, str]:
        """What its metadata holds."""
        found: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        return found

    @property
    def shapes(self) -> dict[str, list[Any]]:
        """What it says of its outputs."""
        return {one.name: list(one.shape) for one in self._session.get_outputs()}


def answered(model: Model, rows: Array) -> Array:
    """Those of `rows` that the original answers; others say nothing of the variant."""
    if not len(rows):
        return rows
    try:
        model.answer({"inputs": rows})
    except RefusedError:
        kept = [row for row in rows[:, None, :] if _answers(model, row)]
        return np.concatenate(kept) if kept else rows[:0]
    return rows


def _answers(model: Model, row: Array) -> bool:
    try:
        model.answer({"inputs": row})
    except RefusedError:
        return False
    return True


def wrong(model: Model, variant: Converted, rows: Array) -> dict[str, float]:
    """Output → the part of `rows` that the variant answers otherwise, where there are any.

    A label must be the same, a number within 1 % of the spread of its column (at least 1e-6).
    """
    if not len(rows):
        return {}
    ours, theirs = variant.answer(rows), model.answer({"inputs": rows})
    assert set(ours) == set(theirs)
    found = {name: _wrong(theirs[name], ours[name]) for name in theirs}
    return {name: part for name, part in found.items() if part > 0.001}


def _wrong(theirs: Array, ours: Array) -> float:
    assert ours.size == theirs.size
    ours = ours.reshape(theirs.shape)
    if theirs.dtype.kind != "f":
        same = (
            ours == theirs if theirs.dtype.kind in "iub" else ours.astype(str) == theirs.astype(str)
        )
        return float((~same).mean())
    theirs, ours = (one.astype(float).reshape(len(one), -1) for one in (theirs, ours))
    if (np.isfinite(theirs) != np.isfinite(ours)).any():
        return 1.0
    theirs, ours = np.nan_to_num(theirs), np.nan_to_num(ours)
    allowed = np.maximum(1e-6, 0.01 * theirs.std(axis=0)) + 1e-5 * np.abs(theirs)
    return float((np.abs(ours - theirs) > allowed).any(axis=1).mean())


def beside(model: Model, rows: Array, most: int = 1500) -> Array:
    """`rows` with a value at a threshold or an edge of `model`, or one float32 to either side."""
    draw, found = np.random.default_rng(3), model.facts()
    points = [
        (column, threshold)
        for tree in found.trees
        for column, threshold in zip(tree.feature, tree.threshold, strict=True)
        if column >= 0
    ]
    points += [(column, edge) for column, edges in found.edges.items() for edge in edges]
    made = []
    for place in draw.permutation(len(points))[: most // 3]:
        column, point = points[place]
        with np.errstate(over="ignore"):
            near = np.float32(point)
        for value in (
            near,
            np.nextafter(near, np.float32(9e9)),
            np.nextafter(near, np.float32(-9e9)),
        ):
            row = rows[draw.integers(len(rows))].copy()
            row[column] = value
            made.append(row)
    return np.array(made) if made else rows[:0]
