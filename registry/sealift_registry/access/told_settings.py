"""What the log is told of the hub's settings: what a server goes by otherwise than the last did.

Whoever owns the hub's home changes `settings.toml` without asking anybody. The entry says what
differs from the one before it; of what names a place it says that it is another one, since
the log travels.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from sqlalchemy import Connection

from sealift_registry.storage.home import Settings
from sealift_registry.storage.told_settings import flat, is_place
from sealift_registry.trust import signed_log
from sealift_registry.trust.hub import Hub
from sealift_signing.canonical import Json
from sealift_signing.drawing import plain
from sealift_signing.transparency.entry import Entry

CHANGED = "hub.settings-changed"
"""The type of its entry."""
MOST = 200
"""Settings that an entry names; there are more only with very many sources."""
LONGEST = 120
"""Characters of a value that an entry has."""


class _SameError(Exception):
    """The log says so already; nothing is written."""


def tell(hub: Hub, settings: Settings) -> bool:
    """Log by which settings a server goes, where the log says otherwise; whether it was.

    Raises:
        ClockError, RestoredError: the log takes no entry now.
        FailedError: it could not be written, or is not the one that was signed.
    """
    wanted = _said(settings)

    def action(connection: Connection) -> tuple[Entry, None]:
        before = _known(connection)
        changed = {
            name: _difference(before.get(name), wanted.get(name))
            for name in sorted(before.keys() | wanted.keys())
            if before.get(name) != wanted.get(name)
        }
        if not changed:
            raise _SameError
        data: dict[str, Json] = {"changed": changed, "settings": dict(wanted)}
        return hub.entry(CHANGED, "server", data), None

    try:
        hub.commit(action)
    except _SameError:
        return False
    return True


def _known(connection: Connection) -> Mapping[str, str]:
    """What the newest entry says of all settings; nothing where there is none."""
    found = signed_log.newest(connection, (CHANGED,), None, lambda _, __: True)
    said = found[1].get("settings", {}) if found else {}
    return said if isinstance(said, Mapping) else {}


def _said(settings: Settings) -> dict[str, str]:
    """What is said of each setting that is none of the usual ones."""
    usual, found = flat(Settings()), flat(settings)
    told = {
        name: _digest(str(value)) if is_place(name) and value else plain(str(value))[:LONGEST]
        for name, value in found.items()
        if usual.get(name) != value
    }
    first = dict(sorted(told.items())[:MOST])
    if len(told) > MOST:
        first["and more"] = _digest(repr(sorted(told.items())[MOST:]))
    return first


def _digest(value: str) -> str:
    return f"sha256:{sha256(value.encode()).hexdigest()[:16]}"


def _difference(before: str | None, after: str | None) -> dict[str, Json]:
    named = {"before": before, "after": after}
    return {name: value for name, value in named.items() if value is not None}
