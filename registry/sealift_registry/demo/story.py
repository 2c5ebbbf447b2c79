"""What the demo tells: chapters, commands as typed, measured figures, refusals; and to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sealift_signing.errors import SealiftError


class DemoFailedError(SealiftError):
    """The story did not go as it must; above all: something was not refused. Exit code 1."""

    otherwise = "Report it, with all that was printed: Sealift is not what it says."


@dataclass(frozen=True)
class Ran:
    """A command that has ended.

    Attributes:
        who: whose hands typed it.
        command: as typed in the demo's folder.
        exit_code: its own.
        seconds: from start to end, by the clock on the wall.
        out: standard output.
        err: standard error.
    """

    who: str
    command: tuple[str, ...]
    exit_code: int
    seconds: float
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both outputs, in the order of reading: what is noted on the way, or what went wrong."""
        parts = (self.out, self.err) if self.exit_code else (self.err, self.out)
        return "\n".join(part.strip("\n") for part in parts if part.strip())


class Voice(Protocol):
    """Tells one audience: a terminal, a pipe, or nobody."""

    def chapter(self, number: int, count: int, title: str, text: str) -> None:
        """A new chapter begins."""

    def started(self, who: str, command: Sequence[str]) -> None:
        """A command, or a piece of work in words, begins."""

    def ended(self, seconds: float, lines: Sequence[str], more: int) -> None:
        """It has ended; these lines of what it said are worth reading, and `more` are not."""

    def tell(self, text: str) -> None:
        """A sentence between commands."""

    def lines(self, lines: Sequence[str]) -> None:
        """Lines as they are, such as commands to be typed."""

    def measured(self, rows: Sequence[tuple[str, str]]) -> None:
        """Figures: what, and how much."""

    def refused(self, what: str, how: str, sentence: str) -> None:
        """Somebody tried something and did not get away with it."""


@dataclass
class Story:
    """Tells a voice and keeps every step for machines."""

    voice: Voice
    chapters: int
    steps: list[dict[str, Any]] = field(default_factory=list)
    title: str = ""
    _number: int = 0

    def chapter(self, title: str, text: str) -> None:
        """Begin a chapter."""
        self._number += 1
        self.title = title
        self.voice.chapter(self._number, self.chapters, title, text)

    def told_by(self, voice: Voice) -> Story:
        """A story of the same chapter, for `voice` alone, with steps of its own."""
        return Story(voice, self.chapters, title=self.title)

    def tell(self, text: str) -> None:
        """Say a sentence; machines are told figures instead."""
        self.voice.tell(text)

    def started(self, who: str, command: Sequence[str]) -> None:
        """Say what begins."""
        self.voice.started(who, command)

    def ran(self, ran: Ran, lines: Sequence[str], more: int) -> None:
        """Say how a command ended, with `lines` of its output, and that there are `more`."""
        self.voice.ended(ran.seconds, lines, more)
        self._keep(
            "command",
            who=ran.who,
            command=list(ran.command),
            exit_code=ran.exit_code,
            seconds=round(ran.seconds, 3),
            said=ran.said,
        )

    def worked(self, who: str, what: str, seconds: float, lines: Sequence[str]) -> None:
        """Say how a piece of work ended that is no command of Sealift's."""
        self.voice.ended(seconds, lines, 0)
        self._keep("work", who=who, what=what, seconds=round(seconds, 3), said="\n".join(lines))

    def measured(
        self, name: str, rows: Sequence[tuple[str, str]], values: Mapping[str, float | str]
    ) -> None:
        """Say figures: `rows` for people, `values` for machines."""
        if rows:
            self.voice.measured(rows)
        self._keep("measured", name=name, values=dict(values))

    def refused(self, name: str, what: str, how: str, sentence: str) -> None:
        """Say that an attack was `refused` or `held`, in the words of whoever did so."""
        self.voice.refused(what, how, sentence)
        self._keep("refusal", name=name, what=what, how=how, sentence=sentence)

    def _keep(self, kind: str, **told: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        self.steps.append({"chapter": self.title, "kind": kind, **told})
