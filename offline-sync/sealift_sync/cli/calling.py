"""How a command was called: which site, in which environment, by which clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sealift_signing import events
from sealift_sync.cli import telling

if TYPE_CHECKING:
    from sealift_sync.site.setup.open_site import OpenSite


@dataclass(frozen=True)
class Given:
    """What runs a command line gives to its group.

    Attributes:
        command: as it is called, without its arguments.
        kept: as `Call.kept`.
    """

    command: str
    kept: list[str]


@dataclass(frozen=True)
class Call:
    """What every command knows: where the site is, and how it was called.

    Attributes:
        given: `--home`; None where it was not given.
        kept: what Ctrl-C is to say when it comes between the work and its answer.
    """

    given: Path | None
    environment: Mapping[str, str]
    clock: Callable[[], datetime]
    kept: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """Where the site is."""
        from sealift_sync.site.setup.home_folder import choose_home

        return choose_home(self.given, self.environment)

    @contextmanager
    def site(
        self,
        command: str,
        *,
        mend: bool = True,
        reads_medium: bool = False,
        stops: bool = False,
        looks: bool = False,
    ) -> Iterator[OpenSite]:
        """The site, held for `command`; links that a crash left wrong are put right first.

        What `reads_medium` lets others in while it moves bytes; what `looks` writes nothing but
        those links. See `open_site`.
        """
        from sealift_sync.site.running import recovery
        from sealift_sync.site.setup.open_site import open_site

        with open_site(
            self.home,
            self.environment,
            self.clock,
            command,
            reads_medium=reads_medium,
            stops=stops,
            looks=looks,
            told=telling.warn_aside,
        ) as found:
            events.about(site=found.enrolment.site)
            if wrong := found.wrong_clock():
                telling.warn_aside(wrong)
            if mend:
                for place, problem in recovery.recover(found):
                    telling.warn_aside(
                        f"{place.model} in host group {place.group} cannot be shown: {problem}"
                        if problem
                        else f"{place.model} in host group {place.group} did not show what it "
                        "should, and was put right."
                    )
            with _logged_when_stopped(found, self.kept):
                yield found


@contextmanager
def _logged_when_stopped(site: OpenSite, kept: list[str]) -> Iterator[None]:
    """Ctrl-C after something was done, of which no use case has spoken."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if site.has_logged() and not getattr(stop, "__notes__", ()):
            stop.add_note("Part of it was done: see sealift-site audit list.")
        raise
    if site.has_logged():
        kept.append("It was done: see sealift-site audit list.")
