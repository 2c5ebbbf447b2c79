"""A drawn model: its file, its process, and its own answers by the library that trained it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.hunt.draws import Array, Draws
from tests.hunt.judge import Original


class Process(Protocol):
    """Whatever rows come from."""

    def rows(self, draws: Draws, rows: int) -> Array: ...


class UnfitError(Exception):
    """The library does not train what was drawn; there is no model to look at."""


@dataclass(frozen=True)
class Drawn:
    """A trained model.

    Attributes:
        converter: that is to convert it.
        words: what it is, so that a person can make it again.
        path: its file, as its library saves it.
        form: of the file, as the scanner calls it.
        original: its own answers.
        rows: draws so many fresh rows of the process that it was trained on.
        computes: before it decides; see `judge.judged`.
        tags: what sets it apart, to count by.
        arrays: more that the goldens hold: what was expected.
    """

    converter: str
    words: str
    path: Path
    form: str
    original: Original
    rows: Rows
    computes: bool = False
    tags: tuple[str, ...] = ()
    arrays: Mapping[str, Array] = field(default_factory=dict)


class Rows:
    """Fresh rows, the same for the same number."""

    def __init__(self, seed: int, process: Process) -> None:
        self._seed, self._process = seed, process

    def fresh(self, rows: int, which: int = 1) -> Array:
        return self._process.rows(Draws(self._seed, 1000 + which), rows)
