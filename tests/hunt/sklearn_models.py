"""scikit-learn's models: an estimator, what comes before it, and a table to train them on."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from tests.hunt import judge
from tests.hunt.data import TRAINED, Table, table
from tests.hunt.draws import Array, Draws
from tests.hunt.judge import Answers, Original
from tests.hunt.original import Drawn, Rows, UnfitError
from tests.hunt.sklearn_heads import HEADS, Estimator, Head
from tests.hunt.sklearn_nested import nested
from tests.hunt.sklearn_steps import steps


def drawn(seed: int, family: str, folder: Path, attempt: int = 0) -> Drawn:
    """The model of one family that `seed` makes.

    Raises:
        UnfitError: scikit-learn does not train it, or skops does not keep it.
    """
    draws = Draws(seed, attempt)
    head = HEADS[family](draws)
    data = _table(draws, head)
    estimator = _whole(draws, data, head, family)
    rows = data.rows(draws, TRAINED)
    target = data.target(draws, rows)
    try:
        fit(estimator, rows, target, several="MultiOutput" in type(head.estimator).__name__)
        answers(estimator)(data.rows(Draws(seed, 5), 20))
        path = saved(estimator, folder / "model.skops")
    except Exception as bad:
        raise UnfitError(f"{type(bad).__name__}: {bad}") from bad
    words = f"{_spelled(estimator)} on {_told(data)}"
    return Drawn(
        converter="sklearn",
        words=words,
        path=path,
        form="skops",
        original=answers(estimator),
        rows=Rows(seed, data),
        computes=_computes(estimator),
        tags=(family,),
    )


def _table(draws: Draws, head: Head) -> Table:
    kinds = ("flag", "years") if head.least == "codes" else ()
    return table(draws, head.task, missing=True, kinds=kinds)


def _whole(draws: Draws, data: Table, head: Head, family: str) -> Estimator:
    from sklearn.pipeline import make_pipeline

    before = steps(draws, data, takes_missing=head.takes_missing, least=head.least)
    if draws.chance(0.04) and before:
        return make_pipeline(*before)
    deeper = nested(draws.aside(1), family, before, head)
    if deeper is not None:
        return deeper
    return make_pipeline(*before, head.estimator) if before else head.estimator


def _computes(estimator: Estimator) -> bool:
    """Whether it is anything but trees that are asked of the row itself."""
    return not type(estimator).__module__.startswith(("sklearn.tree", "sklearn.ensemble._"))


def fit(estimator: Estimator, rows: Array, target: Array, *, several: bool = False) -> None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        estimator.fit(rows, np.stack([target, -target], axis=1) if several else target)


def saved(estimator: Estimator, path: Path) -> Path:
    import skops.io

    skops.io.dump(estimator, path)
    return path


def answers(estimator: Estimator) -> Original:
    """What `estimator` itself says."""
    from sklearn.base import is_classifier

    def answer(rows: Array) -> Answers:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if is_classifier(estimator):
                return _of_classifier(estimator, rows)
            ask = getattr(estimator, "predict", None) or estimator.transform
            found = ask(rows)
            found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
        even = _even(estimator, rows)
        if found.dtype.kind == "f":
            return Answers(None, found, even=even)
        return Answers(found, None, even=even)

    return answer


def _of_classifier(estimator: Estimator, rows: Array) -> Answers:
    labels = np.asarray(estimator.predict(rows))
    shares = getattr(estimator, "predict_proba", None)
    score = shares or estimator.decision_function
    numbers = np.asarray(score(rows))
    deciding = getattr(estimator, "decision_function", None)
    tied = judge.tied(np.asarray(deciding(rows)) if deciding else numbers)
    return Answers(labels, numbers, shares is not None, tied, _even(estimator, rows))


def _even(estimator: Estimator, rows: Array) -> Array | None:
    """Of nearest neighbours: the rows of which the last in and the first out are as near."""
    *before, last = [one for _, one in getattr(estimator, "steps", [("", estimator)])]
    if not hasattr(last, "kneighbors"):
        return None
    for step in before:
        rows = step.transform(rows)
    away, _ = last.kneighbors(rows, n_neighbors=last.n_neighbors + 1)
    return np.asarray(away[:, -1] - away[:, -2] <= judge.TIE * (1e-9 + away[:, -1]))


def _spelled(estimator: Estimator) -> str:
    """In one line, as a person would type it."""
    return " ".join(estimator.__repr__(N_CHAR_MAX=4000).split())[:900]


def _told(data: Table) -> str:
    columns = ", ".join(
        one.kind + (f" ({one.missing:.0%} missing)" if one.missing else "") for one in data.columns
    )
    return f"[{columns}], {data.task} {data.labels if data.task == 'classes' else data.scale}"
