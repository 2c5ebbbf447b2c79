"""Trains and registers models in an MLflow registry; run as a process, since MLflow is heavy.

    python train_into_mlflow.py TRACKING_URI [ARTIFACT_FOLDER]

In the registry afterwards, all on digits:
- `digits` 1 and 2: StandardScaler + LogisticRegression as skops, with an input example of eight
  rows, metrics and params; the alias `champion` moved from 1 to 2;
- `digits-xgb` 1: an XGBClassifier as .ubj, with an input example of three rows;
- `digits-pickled` 1: the same as `digits`, as cloudpickle.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

NAME = "digits"
ALIAS = "champion"


def main(tracking_uri: str, artifact_folder: str | None) -> None:
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    experiment = mlflow.create_experiment("sealift", artifact_location=artifact_folder)
    for depth in (1.0, 0.01):
        _logistic(experiment, depth)
    _boosted(experiment)
    _pickled(experiment)
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(NAME, ALIAS, "1")
    client.set_registered_model_alias(NAME, ALIAS, "2")


def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    features, labels = load_digits(return_X_y=True)
    return features.astype("float32"), labels


def _pipeline(strength: float) -> Any:  # noqa: ANN401 - scikit-learn is Any to us
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=200))


def _logistic(experiment: str, strength: float) -> None:
    import mlflow

    features, labels = _digits()
    model = _pipeline(strength).fit(features[:1400], labels[:1400])
    with mlflow.start_run(experiment_id=experiment):
        mlflow.log_param("C", strength)
        mlflow.log_metric("accuracy", model.score(features[1400:], labels[1400:]))
        mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=NAME,
            input_example=features[:8],
            pip_requirements=["scikit-learn"],  # or MLflow loads the model once more to find out
        )


def _boosted(experiment: str) -> None:
    import mlflow
    import xgboost

    features, labels = _digits()
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1)
    model.fit(features[:1400], labels[:1400])
    with mlflow.start_run(experiment_id=experiment):
        mlflow.xgboost.log_model(
            model,
            name="model",
            registered_model_name=f"{NAME}-xgb",
            input_example=features[:3],
            pip_requirements=["xgboost"],
        )


def _pickled(experiment: str) -> None:
    import mlflow

    features, labels = _digits()
    model = _pipeline(1.0).fit(features[:1400], labels[:1400])
    with mlflow.start_run(experiment_id=experiment):
        mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=f"{NAME}-pickled",
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
