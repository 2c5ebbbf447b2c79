"""What commands answer under `--json`: every key that is there, by its path and its type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from tests.desk import days

KEY = re.compile(r"[a-z][a-z0-9_ ]*")
ROLES = ("sealift-site sealift/import/1.receipt.roles", "sealift-site sealift/status/1.roles")
FREE = frozenset(ROLES)
"""Maps of which somebody chose the keys; a key that could be no word of ours is `*` anyway."""
TESTS = frozenset({"recall.made"})
"""Types of entries that no command writes yet, and the journey does."""
PROGRAMS = {"run_hub": "sealift", "run_desk": "sealift-sign", "run_site": "sealift-site"}


@dataclass
class Answers:
    """What was heard.

    Attributes:
        lines: of answers, and of errors.
        entries: of the data of entries, by their types.
        commands: every command line's words before its first option.
    """

    lines: set[str] = field(default_factory=set)
    entries: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)

    def hear(self, program: str, words: Sequence[str], out: str, err: str) -> None:
        """Take in what a command printed."""
        self.commands.add(" ".join((program, *words)))
        if "--json" not in words:
            return
        if out:
            said = json.loads(out)
            named = f"{program} {said.pop('schema')}"
            self.lines |= set(self._paths(named, said))
        if '{"error"' in err:
            error = json.loads(err[err.index('{"error"') :])["error"]
            self.lines |= set(self._paths(f"{program} error", error))

    def _paths(self, at: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - of JSON
        if isinstance(value, dict):
            if {"type", "actor", "data"} <= value.keys():
                kept = {name: one for name, one in value.items() if name != "data"}
                if value["type"] not in TESTS:
                    self.entries |= set(self._paths(value["type"], value["data"]))
                yield from self._paths(at, kept)
                return
            yield f"{at}: object"
            for name, inner in value.items():
                free = at in FREE or not KEY.fullmatch(name)
                yield from self._paths(f"{at}.{'*' if free else name}", inner)
        elif isinstance(value, list):
            yield f"{at}: list"
            for inner in value:
                yield from self._paths(f"{at}[]", inner)
        else:
            yield f"{at}: {KINDS[type(value)]}"


KINDS: Mapping[type[Any], str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "yes or no",
    type(None): "null",
}


@contextmanager
def listening() -> Iterator[Answers]:
    """Hear what every command of `Days` answers meanwhile."""
    heard, said = Answers(), days.said
    programs = {getattr(days, name): program for name, program in PROGRAMS.items()}

    def run(
        program: Callable[[list[str]], int],
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
    ) -> tuple[str, str, int]:
        out, err, code = said(program, words, folder, environment)
        heard.hear(programs[program], words, out, err)
        return out, err, code

    with mock.patch.object(days, "said", run):
        yield heard
