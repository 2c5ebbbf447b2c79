"""XGBoost and LightGBM: their own readers, which are native code, must take the file.

That the reader runs here, within limits, is the point: a file that would crash it crashes the
scanner, and is not let in.
"""

from __future__ import annotations

import json
from pathlib import Path

from sealift_registry.intake.survey import Survey
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import RefusedError

BOOSTERS = frozenset({"dart", "gblinear", "gbtree"})


def xgboost_model(folder: Path, survey: Survey) -> str:
    """XGBoost reads the file, and finds a model of a known booster in it.

    Raises:
        RefusedError: it does not.
    """
    import xgboost

    booster = xgboost.Booster()
    try:
        # Given bytes, XGBoost looks at the content; given a path, at the name's ending.
        booster.load_model(bytearray((folder / survey.model).read_bytes()))
        config = json.loads(booster.save_config())
        kind = config["learner"]["gradient_booster"]["name"]
        features = booster.num_features()
    except (xgboost.core.XGBoostError, ValueError, KeyError) as bad:
        raise _refused("xgboost-model", survey.model, "XGBoost", bad) from bad
    if kind not in BOOSTERS or features < 1:
        raise _refused("xgboost-model", survey.model, "XGBoost", ValueError(f"booster {kind}"))
    return f"XGBoost reads it: a {kind} model of {features} features."


def lightgbm_model(folder: Path, survey: Survey) -> str:
    """LightGBM reads the file, and finds trees in it.

    Raises:
        RefusedError: it does not.
    """
    import lightgbm

    path = folder / survey.model
    try:
        text = path.read_text(encoding="utf-8")
        if "\nend of trees\n" not in text.replace("\r\n", "\n"):
            msg = "it is cut off before 'end of trees'"
            raise ValueError(msg)  # noqa: TRY301 - told with the reader's own errors
        booster = lightgbm.Booster(model_str=text)
        trees, features = booster.num_trees(), booster.num_feature()
    except (lightgbm.basic.LightGBMError, ValueError) as bad:
        raise _refused("lightgbm-model", survey.model, "LightGBM", bad) from bad
    if trees < 1 or features < 1:
        raise _refused("lightgbm-model", survey.model, "LightGBM", ValueError("no trees"))
    return f"LightGBM reads it: {trees} trees over {features} features."


def _refused(code: str, path: str, reader: str, bad: Exception) -> RefusedError:
    return RefusedError(
        code,
        f"{reader} cannot read {path}: {first_line(bad)}.",
        subject=path,
        next_step="Save the model again, and ingest that.",
    )
