"""What was found, line by line on disk: a hunt that is cut off loses the model it was at."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.hunt.hunting import Mutant, Tried


@dataclass(frozen=True)
class Records:
    """The lines of one hunt.

    Attributes:
        folder: where they lie, a file for each process.
    """

    folder: Path

    def begin(self, part: int, what: str, seed: int) -> None:
        """Note what is begun: where nothing more is noted, it ended the process."""
        self._add(part, {"begun": what, "seed": seed})

    def add(self, part: int, what: str, seed: int, found: Iterable[Tried | Mutant]) -> None:
        """Note what came of it, which may be nothing."""
        lines = [asdict(one) for one in found]
        self._add(part, {"done": what, "seed": seed, "found": lines})

    def done(self) -> set[tuple[str, int]]:
        """What need not be tried again; also what ended its process."""
        lines = self._lines()
        ended = {(line["done"], line["seed"]) for line in lines if "done" in line}
        return ended | {(what, seed) for what, seed in self.fatal()}

    def fatal(self) -> list[tuple[str, int]]:
        """What was begun, and followed by something else of its process before it was done."""
        found = []
        for path in self._files():
            lines = _read(path)
            for line, after in pairwise(lines):
                if "begun" in line and "begun" in after:
                    found.append((line["begun"], line["seed"]))
        return found

    def tried(self) -> list[Tried]:
        found = [Tried(**_whole(line)) for line in self._found("model")]
        return sorted(found, key=lambda one: one.seed)

    def mutants(self) -> list[Mutant]:
        found = [Mutant(**_whole(line)) for line in self._found("mutants")]
        return sorted(found, key=lambda one: (one.seed, one.kind))

    def _found(self, what: str) -> list[dict[str, Any]]:
        lines = [line for line in self._lines() if line.get("done") == what]
        return [one for line in lines for one in line["found"]]

    def _add(self, part: int, line: dict[str, Any]) -> None:
        with (self.folder / f"{part}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl"))

    def _lines(self) -> list[dict[str, Any]]:
        return [line for path in self._files() for line in _read(path)]


def _read(path: Path) -> list[dict[str, Any]]:
    """The whole lines; the last one may have been cut off."""
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _whole(line: dict[str, Any]) -> dict[str, Any]:
    return line | {"seen": tuple(line["seen"])}
