"""Settings as they are told: by name, without secrets; and how two states of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sealift_signing.log_file import HIDDEN, cleaned

if TYPE_CHECKING:
    from sealift_registry.storage.home import Settings

Value = str | int
Flat = Mapping[str, Value]
"""Settings by their whole names, such as `server.port` and `sources.lab.teams`."""

PLACES = frozenset(
    {
        "keys.default",
        "database.url",
        "database.migrator",
        "blobs.url",
        "blobs.endpoint",
        "builders.inbox",
        "server.certificate",
        "server.key",
        "server.client_ca",
    }
)
"""Settings that say where something is on the hub's host or network."""
NAMED_PLACES = {"sources": ("origin", "root"), "exports": ("folder",)}
"""The same, of entries with names."""
FROM_THE_START = ("database", "blobs")
"""Sections by which a server is opened: another one has to be started."""
SERVER_FROM_THE_START = ("url", "host", "port", "client_ca", "trusted_proxies")
"""Of `[server]` the same: where it listens, and who is let through to it."""


def flat(settings: Settings) -> dict[str, Value]:
    """All settings by their whole names, without what looks like a secret."""
    return {
        f"{section}.{name}": value
        for section, values in settings.sections.items()
        for name, value in cleaned(values).items()
    }


def is_place(name: str) -> bool:
    """Whether a setting says where something is: that is for administrators."""
    section, _, rest = name.partition(".")
    return name in PLACES or rest.rpartition(".")[2] in NAMED_PLACES.get(section, ())


def without_places(found: Flat) -> dict[str, Value]:
    """Settings for who is to know how the hub is set, and not where its things are."""
    return {name: HIDDEN if is_place(name) and one else one for name, one in found.items()}


def differing(before: Settings, after: Settings) -> list[str]:
    """The names of settings that differ, in order; those of sources and folders that went, too."""
    old, new = _whole(before), _whole(after)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _whole(settings: Settings) -> dict[str, Value]:
    """All of them as they are: what is a secret can change as well."""
    return {
        f"{section}.{name}": value
        for section, values in settings.sections.items()
        for name, value in values.items()
    }


def while_it_runs(running: Settings, wanted: Settings) -> Settings:
    """`wanted` as far as a server that runs goes by it: the rest stays as it was when it began."""
    names: tuple[str, ...] = SERVER_FROM_THE_START
    if bool(running.server.certificate) != bool(wanted.server.certificate):
        names += "certificate", "key"  # whether it speaks TLS at all
    kept = {name: getattr(running.server, name) for name in names}
    begun = {name: getattr(running, name) for name in FROM_THE_START}
    return replace(wanted, server=replace(wanted.server, **kept), **begun)
