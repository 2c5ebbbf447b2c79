"""What a person is told of long work: a bar on a terminal, lines in a log.

All of it goes to standard error, and nothing of what is short. How fast the work goes, and what is
worth a line, `pace` says.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from sealift_signing import events
from sealift_signing.drawing import plain
from sealift_sync import pace
from sealift_sync.pace import Cadence, Clock, Pace

if TYPE_CHECKING:
    from rich.live import Live

BAR = 20
"""Columns of the bar."""
WORDS = 60
"""Columns that the words beside it may need; on a narrower terminal they stand alone."""
RATE = 4
"""How often a second a bar is drawn."""


class Phase:
    """One phase of the work. Any number of threads may tell it of bytes."""

    def __init__(self, name: str, total: int, screen: Screen, clock: Clock) -> None:
        self.name = name
        self.pace = Pace(total, clock)
        self._screen = screen
        self.at = ""
        self._over = False
        self._lock = threading.Lock()
        self.add(0)

    def add(self, count: int) -> None:
        """`count` further bytes are done; once the phase is over that is not told any more."""
        self.pace.add(count)
        with self._lock:
            if not self._over:
                self._screen.tell(self)

    def note(self, words: str) -> None:
        """What it is at, within the phase."""
        self.at = plain(words)

    @property
    def words(self) -> str:
        """How it stands, in words."""
        said = pace.so_far(self.pace.figures())
        return f"{said}, {self.at}" if self.at else said

    def end(self, *, with_pause: bool, stopped: bool = False) -> None:
        """It is over; with the time since its last bytes, if something was still done for them."""
        with self._lock:
            self._over = True
            found = self.pace.result(with_pause=with_pause)
            if self.name:
                said = {"bytes": found.done, "seconds": round(found.seconds, 3)}
                events.tell("phase", "phase-ended", phase=self.name, stopped=stopped, **said)
            words = pace.stopping(found) if stopped else pace.ending(found)
            self._screen.end(f"{self.name}: {words}", told=pace.worth_telling(found))


class Screen(Protocol):
    """Where phases are told of, one at a time."""

    def tell(self, phase: Phase) -> None:
        """`phase` has come further."""

    def end(self, words: str, *, told: bool) -> None:
        """The phase that was told of is over; `told` if that is worth its line."""


class Phases:
    """Told that a phase of so many bytes begins; what it returns is told of further bytes.

    A phase ends when the next one begins. One of no bytes tells nothing: it ends the one before it.
    """

    def __init__(self, screen: Screen, clock: Clock = time.monotonic) -> None:
        self._screen = screen
        self._clock = clock
        self._now: Phase | None = None

    def __call__(self, name: str, size: int) -> Callable[[int], None]:
        """Begin a phase of `size` bytes."""
        return self.begin(name, size).add

    def begin(self, name: str, size: int = 0) -> Phase:
        """As calling it; 0 where the size is not known."""
        if self._now:
            self._now.end(with_pause=True)
        self._now = Phase(name, size, self._screen, self._clock)
        return self._now

    def close(self, *, stopped: bool = False) -> None:
        """There is no further phase."""
        if self._now:
            self._now.end(with_pause=False, stopped=stopped)
        self._now = None


@contextmanager
def telling(*, quiet: bool) -> Iterator[Phases]:
    """The phases of what is done within; `quiet` where nobody is to be told."""
    phases = Phases(Silence() if quiet else Bar() if _is_terminal() else Lines())
    try:
        yield phases
    except BaseException:
        phases.close(stopped=True)
        raise
    phases.close()


def _is_terminal() -> bool:
    """Whether something can be drawn on standard error, and drawn over."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


class Silence:
    """Nobody is told."""

    def tell(self, phase: Phase) -> None:
        """Nothing."""

    def end(self, words: str, *, told: bool) -> None:
        """Nothing."""


class Lines:
    """Lines in a log: one at first, one now and then, one at the end."""

    def __init__(self) -> None:
        self._cadence = Cadence()

    def tell(self, phase: Phase) -> None:
        """Write a line if one is due."""
        if self._cadence.due(phase.pace.figures()):
            _write(f"{phase.name}: {phase.words}")

    def end(self, words: str, *, told: bool) -> None:
        """Write the last line of a phase."""
        self._cadence = Cadence()
        if told:
            _write(words)


class Bar:
    """A bar on a terminal, drawn by a thread of its own; a line is left of each phase."""

    def __init__(self) -> None:
        self._drawn: Live | None = None

    def tell(self, phase: Phase) -> None:
        """Begin to draw the phase, if it is long enough or says what it is at."""
        if self._drawn is None and (phase.at or pace.worth_telling(phase.pace.figures())):
            self._drawn = _drawing(phase)
            self._drawn.start()

    def end(self, words: str, *, told: bool) -> None:
        """Put a line in the place of the bar."""
        if self._drawn is not None:
            self._drawn.stop()
            self._drawn = None
        if told:
            _write(words)


def _write(words: str) -> None:
    """What is told on the side must not stop the work because nobody reads it any more."""
    with suppress(BrokenPipeError):
        sys.stderr.write(f"{plain(words)}\n")
        sys.stderr.flush()


def _drawing(phase: Phase) -> Live:
    """The phase as rich draws it, again and again, until it is stopped; then it is gone."""
    from rich.console import Console
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True)

    def picture() -> Table:
        now = phase.pace.figures()
        row, name = Table.grid(padding=(0, 2)), Text(plain(phase.name))
        words = Text(phase.words, no_wrap=True, overflow="ellipsis")
        if now.total and console.width >= BAR + WORDS:
            row.add_row(name, ProgressBar(now.total, now.done, width=BAR), words)
        else:
            row.add_row(name, words)
        return row

    return Live(
        get_renderable=picture,
        console=console,
        refresh_per_second=RATE,
        transient=True,
        redirect_stdout=False,  # it may be piped elsewhere
    )
