"""All that commands tell people, line by line; and whether others' words stand bare in a line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from sealift_registry.cli import terminal as at_hub
from sealift_signing.desk.cli import terminal as at_desk
from sealift_signing.drawing import _WORD, drawn, pasted, plain
from sealift_signing.vocabulary import LONGEST_SENTENCE, sentence
from tests.desk import days
from tests.words.strings import LEADS, LINES, WHOLE

TAG = "ZQ."
LONGEST_LEAD = 1500
"""Characters: what follows must still be there."""
SAME = {
    "StageRule.meanings": "meaning",
    "Approval.meaning": "meaning",
    "Policy.organisation_name": "organisation",
    "OrganisationMemory.name": "organisation",
}
"""Fields of which one must hold what the other does."""
TRIED = (*LEADS, *WHOLE)
"""How a hostile text begins; with each of them, whatever it says stands after it, too."""
MARKED = re.compile("“[^“”]*”")
OWN = {
    "sealift-sign": {"SignedOnce.act", "SignedOnce.name", "KnownRole.source"},
    "sealift-site": {
        *("ArtifactOutcome.words", "Receipt.unprotected", "Receipt.software", "Receipt.overrides"),
    },
    "sealift": {
        *("HardwareTarget.description", "HardwareTarget.runtime_version"),
        # What it builds itself; of another machine it is told as that one's words.
        *("BuildResult.untried", "Refusal.next_step", "Refusal.subject", "Refusal.what"),
    },
}
"""What each program wrote itself, or was given by whoever set it up."""
WORDS = "\0"
"""Stands for somebody's words, where they are drawn."""
Said = tuple[str, str]
"""A command, and a line of what it told."""


class Words:
    """Hostile texts, each with the name of where it stands; and all that were made."""

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self.program = ""
        self.more = ""
        """What follows each: a megabyte, where a type says nothing of a length."""
        self.made: set[str] = set()

    def __call__(self, field: str, text: str = "") -> str:
        """A hostile text for a field, before what stood there."""
        if field in OWN.get(self.program, ()):
            return text
        name = SAME.get(field, field)
        tag = f"{TAG}{name} "
        if tag in text:
            return text
        number = self._first + sum(map(ord, name))
        lead = TRIED[number % len(TRIED)][:LONGEST_LEAD]
        found = f"{lead}{tag}{LINES}\n{tag}{LINES} {text}"[:LONGEST_SENTENCE] + self.more
        shown = "".join(one if one.isprintable() else " " for one in found)
        self.made |= {found, sentence(found), " ".join(shown.split())}
        if field == "Draft.object":
            self.made |= {f"request {found}", f"renew {found}"}  # as it is told, after the act
        return found

    def named(self, field: str, suffix: str = "") -> str:
        """A hostile name for a file."""
        found = self(field).replace("/", "")[:60] + suffix
        self.made.add(found)
        return found

    def bare(self, line: str) -> str:
        """What is wrong with a line that was told; empty where nothing is."""
        if plain(line.replace("\t", " ")) != line.replace("\t", " "):
            return "unseen"
        if TAG not in line and LINES not in line:
            return ""
        masked = self._masked(line)
        if TAG in masked or LINES in masked:
            return "bare"
        return "first" if masked.lstrip().startswith(WORDS) else ""

    def _masked(self, line: str) -> str:
        line = MARKED.sub(WORDS, line)  # also others' words in words of others
        for text in sorted(self.made, key=len, reverse=True):
            for one in _drawings(text):
                line = line.replace(one, WORDS)
            line = _without_cut(_without_cut(line, _drawings(text)[2]), _drawings(text)[0])
        return line


@cache
def _drawings(text: str) -> tuple[str, ...]:
    """How a text may stand in a line: between marks, quoted, or as one word."""
    found = (drawn(text), pasted([text]), plain(repr(text)), plain(ascii(text)))
    return (*found, text) if _WORD.fullmatch(text) else found


def _without_cut(line: str, whole: str) -> str:
    """`line` without what was left of `whole`, which ends with a sign that it is cut."""
    at = line.find(whole[:3])
    while at >= 0:
        length = next(
            (n for n, (a, b) in enumerate(zip(line[at:], whole, strict=False)) if a != b), 0
        )
        if length > 3 and line[at + length : at + length + 1] == "…":
            line = line[:at] + WORDS + line[at + length + 1 :]
        at = line.find(whole[:3], at + 1)
    return line


class Heard:
    """Lines that were told, by any command while `listening` lasts."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.lines: list[Said] = []
        self.command = ""

    def add(self, text: str | Iterable[str]) -> None:
        """Hear a line, or lines, each of which is one whatever it holds."""
        lines = [text] if isinstance(text, str) else text
        self.lines += [(self.command, plain(line)) for line in lines]

    def raw(self, text: str) -> None:
        """Hear what came out of a command's streams."""
        self.lines += [(self.command, line) for line in text.split("\n")]

    def check(self) -> None:
        """Check that no line is another's."""
        found = [f"{why}: {lines[0]}" for why, lines in self.bad().items()]
        assert not found, "\n".join(found)

    def bad(self) -> dict[str, list[str]]:
        """What is wrong, by where the words come from."""
        found: dict[str, list[str]] = {}
        for command, line in self.lines:
            wrong = self.words.bare(line)
            if wrong:
                about = line[line.find(TAG) :].partition(" ")[0] if TAG in line else "?"
                found.setdefault(f"{wrong} {about}", []).append(f"{command}: {line[:400]!r}")
        return found


PROGRAMS = {
    "sealift_registry": "sealift",
    "sealift_signing": "sealift-sign",
    "sealift_sync": "sealift-site",
    "tests": "sealift",
}
"""Which program it is, by the package of what runs it; ours runs a worker of the hub's."""


@contextmanager
def listening(words: Words) -> Iterator[Heard]:
    """Hear all that is told to people, also where a command is asked to answer machines."""
    heard = Heard(words)
    said = days.said

    def telling(name: str, place: Any) -> Callable[..., None]:  # noqa: ANN401 - both terminals
        plainly = getattr(place.Terminal, name)

        def told(self: Any, *given: Any) -> None:  # noqa: ANN401 - whatever they are given
            if self.as_json:
                heard.add(given[-1])
            plainly(self, *given)

        return told

    def run(
        program: Any,  # noqa: ANN401 - a command
        given: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
    ) -> tuple[str, str, int]:
        words.program = PROGRAMS[program.__module__.partition(".")[0]]
        heard.command = " ".join((words.program, *given[:5]))
        out, err, code = said(program, given, folder, environment)
        if "--json" not in given:
            heard.raw(out + err)
        elif code:
            error = json.loads(err[err.index('{"') :])["error"]
            heard.raw(f"Error: {error['what']}\n  Next: {error['next']}")
        return out, err, code

    with (
        mock.patch.object(days, "said", run),
        mock.patch.object(at_hub.Terminal, "answer", telling("answer", at_hub)),
        mock.patch.object(at_hub.Terminal, "note", telling("note", at_hub)),
        mock.patch.object(at_desk.Terminal, "answer", telling("answer", at_desk)),
        mock.patch.object(at_desk.Terminal, "show", telling("show", at_desk)),
        mock.patch.object(at_desk.Terminal, "note", telling("note", at_desk)),
    ):
        yield heard
