"""Trees that lie deeper: in a pipeline within another, in a search, or last of what is stacked."""

from __future__ import annotations

from collections.abc import Sequence

from tests.hunt.draws import Draws
from tests.hunt.sklearn_heads import Estimator, Head
from tests.hunt.sklearn_steps import Step, imputer, scaler

TREES = frozenset({"tree", "forest", "boosting"})
"""The families of which some are drawn so."""
OFTEN = 0.25


def nested(draws: Draws, family: str, before: Sequence[Step], head: Head) -> Estimator | None:
    """`head` behind `before` and more, deeper than that; None for most.

    Args:
        draws: aside of all others of the number.
        family: of models.
        before: steps, none of them trained.
        head: not trained either.
    """
    if family not in TREES or not draws.chance(OFTEN):
        return None
    from sklearn.pipeline import make_pipeline

    within = [scaler(draws)]
    if head.takes_missing and draws.chance(0.5):
        within.insert(draws.whole(0, 1), imputer(draws))
    first = [*before, scaler(draws)] if draws.chance(0.7) else list(before)
    if first and draws.chance(0.2):
        first = [make_pipeline(*first)]
    return make_pipeline(*first, _deeper(draws, within, head))


def _deeper(draws: Draws, within: Sequence[Step], head: Head) -> Estimator:
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    inner = make_pipeline(*within, head.estimator)
    return draws.made(
        (
            lambda: inner,
            lambda: inner,
            lambda: GridSearchCV(inner, {}, cv=2),
            lambda: make_pipeline(scaler(draws), inner),
            lambda: _stacked(draws, inner, head),
            lambda: _stacked(draws, head.estimator, head),
        )
    )


def _stacked(draws: Draws, last: Estimator, head: Head) -> Estimator:
    """Lines, of whose answers `last` makes one."""
    from sklearn import ensemble
    from sklearn import linear_model as lm

    beside = draws.chance(0.3)
    if head.task == "classes":
        lines = [("one", lm.LogisticRegression()), ("other", lm.LogisticRegression(C=0.01))]
        return ensemble.StackingClassifier(lines, last, cv=2, passthrough=beside)
    lines = [("one", lm.Ridge()), ("other", lm.Lasso(alpha=0.01))]
    return ensemble.StackingRegressor(lines, last, cv=2, passthrough=beside)
