"""Trains the demo's models; a process of its own, since MLflow and scikit-learn are heavy.

    python -m sealift_registry.demo.train FOLDER

It makes real models of scikit-learn's handwritten digits: three versions of a pipeline, registered
in MLflow's sqlite store, and a boosted forest in a file, for DVC; and one that 32 bits cannot hold.
Then it waits: at every line on its standard input that says `champion VERSION` it moves that alias
in MLflow, as a person would. What it has done it says in lines of JSON.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "digits"
LAMP = "lamp"
ALIAS = "champion"
TRAINED = 1400
"""Rows of the digits that models may learn from; the other 397 they never see."""

GOLDENS = 20
"""How many of the unseen rows serve as goldens; the rest measures accuracy."""

STORE = "mlflow.db"
BOOSTED = "digits.ubj"
REPLACED = 1_780_300_800
"""When the lamp was replaced, in seconds since 1970: 1 June 2026, 8 in the morning."""

HELD_OUT = "held-out.npz"
GOLDENS_FILE = "goldens.npz"


@dataclass(frozen=True)
class Digits:
    """The data, split into what is learned from, goldens, and what accuracy is measured on."""

    learn: tuple[Any, Any]
    goldens: tuple[Any, Any]
    held_out: tuple[Any, Any]


def main(folder: Path) -> None:
    """Train everything in `folder`, then do as standard input says."""
    digits = _load()
    _keep_rows(folder, digits)
    _say("boosted", accuracy=_boosted(folder, digits))
    client, experiment = _open_store(folder)
    for version, (rows, strength) in enumerate(((200, 1.0), (TRAINED, 0.01)), start=1):
        learn = tuple(part[:rows] for part in digits.learn)
        accuracy = _digits(experiment, digits, learn, strength)
        if version == 1:
            client.set_registered_model_alias(NAME, ALIAS, "1")
        _say(f"v{version}", accuracy=accuracy, rows=rows)
    _say("v3", accuracy=_digits(experiment, digits, _spoiled(digits), 1.0), rows=TRAINED)
    _say("lamp", accuracy=_lamp(experiment))
    for line in sys.stdin:
        began = time.perf_counter()
        alias, version_text = line.split()
        client.set_registered_model_alias(NAME, alias, version_text)
        _say("moved", seconds=time.perf_counter() - began)


def _load() -> Digits:
    from sklearn.datasets import load_digits

    features, labels = load_digits(return_X_y=True)
    features = features.astype("float32")
    end = TRAINED + GOLDENS
    return Digits(
        (features[:TRAINED], labels[:TRAINED]),
        (features[TRAINED:end], labels[TRAINED:end]),
        (features[end:], labels[end:]),
    )


def _keep_rows(folder: Path, digits: Digits) -> None:
    import numpy as np

    for name, (inputs, labels) in (
        (HELD_OUT, digits.held_out),
        (GOLDENS_FILE, digits.goldens),
    ):
        np.savez(folder / name, inputs=inputs, labels=labels)


def _spoiled(digits: Digits) -> tuple[Any, Any]:
    """The same images with every label turned into the next one."""
    inputs, labels = digits.learn
    return inputs, (labels + 1) % 10


def _boosted(folder: Path, digits: Digits) -> float:
    import xgboost

    model = xgboost.XGBClassifier(n_estimators=30, max_depth=4, n_jobs=1)
    model.fit(*digits.learn)
    model.save_model(folder / BOOSTED)
    return float(model.score(*digits.held_out))


def _open_store(folder: Path) -> tuple[Any, str]:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder / STORE}")
    place = (folder / "mlflow-artifacts").as_uri()
    return mlflow.MlflowClient(), mlflow.create_experiment(NAME, artifact_location=place)


def _digits(experiment: str, digits: Digits, learn: tuple[Any, ...], strength: float) -> float:
    """Train one version and register it; its accuracy on the rows that were held out."""
    model = _scaled(strength).fit(*learn)
    accuracy = float(model.score(*digits.held_out))
    told = {"C": strength, "rows": len(learn[0])}
    _register(experiment, NAME, (model, digits.goldens[0]), told, accuracy)
    return accuracy


def _lamp(experiment: str) -> float:
    """A model that asks for the second in which a picture was taken; registered, too.

    It was trained in 64 bits. In 32, such seconds are 128 apart.
    """
    import numpy as np

    drawn = np.random.default_rng(8)
    seconds, brightness = REPLACED + drawn.uniform(-60, 60, 2000), drawn.normal(size=2000)
    rows, lit = np.c_[seconds, brightness], (seconds - REPLACED) / 10 + brightness > 0
    model = _scaled(100.0).fit(rows, lit.astype(int))
    accuracy = float(model.score(rows, lit))
    _register(experiment, LAMP, (model, rows[:GOLDENS]), {"rows": len(rows)}, accuracy)
    return accuracy


def _scaled(strength: float) -> Any:  # noqa: ANN401 - scikit-learn is imported late
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))


def _register(
    experiment: str,
    name: str,
    learned: tuple[Any, Any],
    told: dict[str, float],
    accuracy: float,
) -> None:
    """Log what was `learned`, a model and rows for it, and register it in MLflow as `name`."""
    import mlflow

    model, example = learned
    with mlflow.start_run(experiment_id=experiment):
        mlflow.log_params(told)
        mlflow.log_metric("accuracy", accuracy)
        mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=name,
            input_example=example,
            pip_requirements=["scikit-learn"],  # or MLflow loads the model once more to find out
        )


def _say(done: str, **told: float) -> None:
    sys.stdout.write(json.dumps({"done": done, **told}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]).absolute())
