"""Small real models for tests: the same bytes for the same seed, on every machine.

`tiny_onnx` imports only onnx and takes milliseconds. The trained ones import scikit-learn, xgboost
or lightgbm inside the function, so that a test which needs none of them pays for none of them.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

TINY_FEATURES = 4
TINY_CLASSES = 3


def tiny_onnx(path: Path, seed: int = 1) -> Path:
    """Write a linear classifier of a few hundred bytes to `path`; another seed, other weights.

    Input `X`: float32 [rows, 4]. Outputs `label`: int64 [rows], `probabilities`: float32 [rows, 3].
    """
    from onnx import TensorProto, helper

    draw = random.Random(seed)  # noqa: S311 - weights, not secrets
    weights = [draw.uniform(-2, 2) for _ in range(TINY_FEATURES * TINY_CLASSES)]
    bias = [draw.uniform(-1, 1) for _ in range(TINY_CLASSES)]
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["X", "W", "b"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        ],
        "tiny",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", TINY_FEATURES])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"]),
            helper.make_tensor_value_info(
                "probabilities", TensorProto.FLOAT, ["rows", TINY_CLASSES]
            ),
        ],
        [
            helper.make_tensor("W", TensorProto.FLOAT, [TINY_FEATURES, TINY_CLASSES], weights),
            helper.make_tensor("b", TensorProto.FLOAT, [TINY_CLASSES], bias),
        ],
    )
    model = helper.make_model(
        graph,
        producer_name="sealift-tests",
        ir_version=10,
        opset_imports=[helper.make_opsetid("", 21)],
    )
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def tiny_goldens(path: Path, seed: int = 1, rows: int = 8) -> Path:
    """Write goldens for `tiny_onnx` to `path` (.npz): `inputs`, float32 [rows, 4]."""
    import numpy as np

    draw = np.random.default_rng(seed)
    inputs = draw.uniform(-1, 1, (rows, TINY_FEATURES)).astype(np.float32)
    np.savez(path, inputs=inputs)
    return path


DIGITS_TRAINED = 1400
"""Rows of the digits that the models below are trained on; the other 397 they have never seen."""


def digits_logreg_skops(path: Path) -> Path:
    """Write StandardScaler + LogisticRegression on digits to `path`, as skops."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return skops(make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)), path)


def unconvertible_skops(path: Path) -> Path:
    """Write a LabelPropagation, which skops trusts and no converter knows, to `path`."""
    from sklearn.semi_supervised import LabelPropagation

    return skops(LabelPropagation(), path)


def untrusted_skops(path: Path) -> Path:
    """Write a HistGradientBoostingClassifier, which skops does not trust, to `path`."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return skops(HistGradientBoostingClassifier(max_iter=2, max_depth=2), path)


def xgboost_digits(path: Path) -> Path:
    """Write an XGBClassifier on digits to `path`: .ubj or .json, by its ending."""
    import xgboost

    features, labels = _digits()
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1)
    model.fit(features[:DIGITS_TRAINED], labels[:DIGITS_TRAINED])
    model.save_model(path)
    return path


def lightgbm_digits(path: Path) -> Path:
    """Write a LightGBM classifier on digits to `path`, in LightGBM's text format."""
    import lightgbm

    features, labels = _digits()
    model = lightgbm.LGBMClassifier(n_estimators=5, max_depth=3, n_jobs=1, verbose=-1)
    model.fit(features[:DIGITS_TRAINED], labels[:DIGITS_TRAINED])
    model.booster_.save_model(path)
    return path


def digits_goldens(path: Path, rows: int = 20) -> Path:
    """Write unseen digits to `path` (.npz): `inputs`, float32 [rows, 64], and `labels`."""
    import numpy as np

    features, labels = _digits()
    np.savez(path, inputs=features[-rows:], labels=labels[-rows:])
    return path


def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    features, labels = load_digits(return_X_y=True)
    return features.astype("float32"), labels


def skops(estimator: Any, path: Path) -> Path:  # noqa: ANN401 - scikit-learn is Any to us
    """Train `estimator` on digits, and write it to `path`."""
    import skops.io

    features, labels = _digits()
    estimator.fit(features[:DIGITS_TRAINED], labels[:DIGITS_TRAINED])
    skops.io.dump(estimator, path)
    return path
