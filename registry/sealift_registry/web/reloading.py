"""By which settings a server goes: those that it began with, and those that it is told to read.

Told by SIGHUP, it takes up all of `settings.toml` that can be taken up while it runs, or nothing of
a file that cannot be meant. What it takes to listen and to open the hub stays until another start.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sealift_registry.access import told_settings as logged
from sealift_registry.app import App
from sealift_registry.storage.home import Settings
from sealift_registry.storage.told_settings import differing, while_it_runs
from sealift_registry.web.limits import Limits
from sealift_signing import events
from sealift_signing.errors import SealiftError

if TYPE_CHECKING:
    from sealift_registry.web.api import Served

OK = "ok"
CHANGED = "settings-changed"
"""settings.toml says something that a server that runs can take up, and was not told to."""
NEED_START = "settings-need-start"
"""It says something that takes another start."""


@dataclass(frozen=True)
class TakenUp:
    """What a server took up: the names of settings; and which wait for its next start."""

    now: tuple[str, ...]
    later: tuple[str, ...]

    @property
    def words(self) -> str:
        """The same, in a sentence."""
        if not (self.now or self.later):
            return "The server goes by settings.toml as it is."
        now = f"The server goes by settings.toml as it is now: {', '.join(self.now)}."
        later = f"From its next start it goes by: {', '.join(self.later)}."
        return " ".join([*([now] if self.now else []), *([later] if self.later else [])])


@dataclass
class Reloading:
    """The settings of one server.

    Attributes:
        served: what goes by them.
        read: reads settings.toml, and what the environment says.
        running: what it goes by.
    """

    served: Served
    read: Callable[[], Settings]
    running: Settings = field(init=False)

    def __post_init__(self) -> None:
        """It begins with what its hub was opened with."""
        self.running = self.served.app.hub.home.settings

    def state(self) -> str:
        """`ok`, or how settings.toml differs from what it goes by; what is wrong with it, by code.

        None of this keeps it from serving.
        """
        try:
            wanted = self.read()
        except SealiftError as bad:
            return bad.code
        if differing(self.running, while_it_runs(self.running, wanted)):
            return CHANGED
        return NEED_START if differing(self.running, wanted) else OK

    def take_up(self) -> TakenUp:
        """Go by settings.toml as it is, as far as that can be while it runs.

        Raises:
            SealiftError: it cannot be read or meant; nothing has changed.
        """
        wanted = self.read()
        after = while_it_runs(self.running, wanted)
        taken = TakenUp(tuple(differing(self.running, after)), tuple(differing(after, wanted)))
        if taken.now:
            self.served.app = _with(self.served.app, after)
            most = after.server.requests_a_minute
            if most != self.running.server.requests_a_minute:
                self.served.limits = Limits(most)
            self.running = after
        events.tell("web", "settings-read", now=list(taken.now), later=list(taken.later))
        return taken

    def tell_log(self) -> None:
        """Have the log told by which it goes; where it takes nothing now, the next start does."""
        with suppress(SealiftError):
            logged.tell(self.served.app.hub, self.running)


def _with(app: App, settings: Settings) -> App:
    """The same open hub, by other settings."""
    home = app.hub.home
    other = replace(home, settings=settings)
    vars(other)["blobs"] = home.blobs  # one store to a process: it has connections
    return App(replace(app.hub, home=other))
