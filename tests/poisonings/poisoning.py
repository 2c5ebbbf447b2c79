"""What somebody who owns a hub does to what is in it, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.poisonings.world import Transit, World


@dataclass(frozen=True)
class Poisoning:
    """Something that is done to a hub's data.

    Attributes:
        name: what it is done to, and what.
        poison: does it to the home; nobody has it open meanwhile.
        transit: what is done to every draft on its way.
        steps: of the routine, those that it can have to do with; empty for all.
    """

    name: str
    poison: Callable[[World], None] = lambda _world: None
    transit: Transit | None = None
    steps: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name
