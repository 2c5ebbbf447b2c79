"""One number seeds all that is drawn of a model: the same number makes the same model again."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np

T = TypeVar("T")
Array: TypeAlias = "np.ndarray[Any, Any]"


class Draws:
    """Draws in the words of whoever trains a model."""

    def __init__(self, *seed: int) -> None:
        self.by = np.random.default_rng(seed)

    def aside(self, number: int) -> Draws:
        """Draws of their own, so that all else that is drawn stays what it was without them."""
        drawn = copy.deepcopy(self.by).spawn(number + 1)[number]
        return Draws(int(drawn.integers(2**32)))

    def chance(self, part: float) -> bool:
        return bool(self.by.random() < part)

    def whole(self, least: int, most: int) -> int:
        return int(self.by.integers(least, most + 1))

    def between(self, least: float, most: float) -> float:
        return float(self.by.uniform(least, most))

    def size(self, least: float, most: float) -> float:
        """As likely of each order of magnitude; three digits, as people write them."""
        return float(f"{math.exp(self.by.uniform(math.log(least), math.log(most))):.3g}")

    def pick(self, among: Sequence[T]) -> T:
        return among[int(self.by.integers(len(among)))]

    def made(self, among: Sequence[Callable[[], Any]]) -> Any:  # noqa: ANN401 - whatever is made
        """What one of them makes."""
        return self.pick(among)()

    def some(self, among: Sequence[T], least: int = 1) -> list[T]:
        """Some of them, in their order."""
        count = self.whole(min(least, len(among)), len(among))
        chosen = sorted(self.by.choice(len(among), count, replace=False))
        return [among[one] for one in chosen]
