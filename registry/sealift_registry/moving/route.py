"""From where to where a hub is moved: what its settings say now, and what they will say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sealift_registry.storage import settings_file
from sealift_registry.storage.database import Database
from sealift_registry.storage.home import ENVIRONMENT, Home
from sealift_registry.storage.opening import database_of
from sealift_registry.storage.settings_file import Values
from sealift_signing.errors import UsageError
from sealift_sync.blobs import nobody_removes

HOME = "home"
"""How people name the hub's own folder."""


@dataclass(frozen=True)
class Route:
    """Where a hub is, and where it goes to.

    Attributes:
        here: its home, with the settings of today.
        there: the same home, with those of afterwards.
        values: what is changed in them.
    """

    here: Home
    there: Home
    values: Values

    @property
    def moves_rows(self) -> bool:
        """Whether the rows are to be elsewhere."""
        return self.here.settings.database.url != self.there.settings.database.url

    @property
    def moves_blobs(self) -> bool:
        """Whether the blobs are."""
        return self.here.blobs_place != self.there.blobs_place

    @property
    def rows_at_home(self) -> bool:
        """Whether the rows are in the home afterwards, where no other host has them."""
        return not self.there.settings.database.url

    def database(self) -> Database:
        """The database that the rows go to; nothing is opened yet."""
        return database_of(self.there)

    def overruled(self, environment: Mapping[str, str]) -> list[str]:
        """The variables that say otherwise than settings.toml will, and count more."""
        return [
            variable
            for name, section in self.values.items()
            for setting, value in section.items()
            if environment.get(variable := f"{ENVIRONMENT}{name}__{setting}".upper(), value)
            != value
        ]


def route(home: Home, database: str | None, blobs: Mapping[str, str] | None) -> Route:
    """The way from where `home` keeps things.

    Args:
        home: the hub's.
        database: what `database.url` will be, or `HOME`; None: the rows stay.
        blobs: the section `[blobs]`, its `url` perhaps `HOME`; None: the blobs stay.

    Raises:
        UsageError: nothing is to be moved, or a place is none.
    """
    values: dict[str, dict[str, str]] = {}
    if database is not None:
        values["database"] = {"url": "" if database == HOME else database}
    if blobs is not None:
        values["blobs"] = {**blobs, "url": "" if blobs["url"] == HOME else blobs["url"]}
    if not values:
        raise UsageError(
            "move-where",
            "Nothing was named that the hub could be moved to.",
            next_step="Name it with --to-database URL or --to-blobs URL, or both; home means the "
            "hub's own folder.",
        )
    settings = settings_file.changed(home.settings, values)
    there = replace(home, settings=settings, relied=nobody_removes)  # nobody else is there yet
    return Route(home, there, values)
