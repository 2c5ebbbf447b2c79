"""Models of every converter there is, each made again by its number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from tests.hunt import graphs, lightgbm_models, sklearn_models, xgboost_models
from tests.hunt.original import Drawn, UnfitError
from tests.hunt.sklearn_heads import HEADS

ATTEMPTS = 12
"""How often one number may draw what its library does not train."""

Family: TypeAlias = tuple[str, str, Callable[[int, str, Path, int], Drawn]]
"""Its converter, its name, and what draws a model of it."""

FAMILIES: Sequence[Family] = (
    *(("sklearn", name, sklearn_models.drawn) for name in HEADS),
    ("lightgbm", "usual", lightgbm_models.drawn),
    ("lightgbm", "any", lightgbm_models.drawn),
    ("lightgbm", "any", lightgbm_models.drawn),
    ("xgboost", "usual", xgboost_models.drawn),
    ("xgboost", "any", xgboost_models.drawn),
    ("xgboost", "any", xgboost_models.drawn),
    ("none", "layers", graphs.drawn),
    ("none", "layers", graphs.drawn),
    ("none", "trees", graphs.drawn),
)
"""A row of numbers takes them in turn, so that every part of it has some of each."""


def family(seed: int) -> Family:
    return FAMILIES[seed % len(FAMILIES)]


def drawn(seed: int, folder: Path) -> Drawn:
    """The model that `seed` makes, its file in `folder`.

    Raises:
        UnfitError: its library trains none of what is drawn.
    """
    _, name, make = family(seed)
    for attempt in range(ATTEMPTS - 1):
        try:
            return make(seed, name, folder, attempt)
        except UnfitError:
            continue
    return make(seed, name, folder, ATTEMPTS - 1)
