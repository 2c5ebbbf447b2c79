"""Rows that say nothing of their own: filled where they are not yet, and made anew where they lie.

What is derived has no entry in the log: it says nothing that was not committed with one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, select

from sealift_registry.delivery.tables import derived_table, site_state
from sealift_registry.storage.writable import is_read_only
from sealift_signing.errors import SealiftError

if TYPE_CHECKING:
    from sealift_registry.delivery.sites import EnrolledSite
    from sealift_registry.trust.hub import Hub

FILLED = f"{site_state.name}/2"
"""What is filled: of which kind, and with everything that is derived by now.

A hub whose rows are older knows less of each site than its log says: they are made anew once.
"""


def fill(hub: Hub) -> None:
    """Fill the derived tables of a hub whose rows are older than they are; once.

    Where it can only be read, or is damaged, it stays as it is: whoever asks then reads more.
    """
    if is_read_only(hub.home.root):
        return
    with suppress(SealiftError):
        with hub.reading() as connection:
            if is_filled(connection):
                return
        _make(hub, only_once=True)


def make_anew(hub: Hub) -> None:
    """Make all derived rows anew from the logs of the sites, under the writers' lock.

    Those of a site whose log is not whole stay as they are.

    Raises:
        FailedError: the database cannot be written.
    """
    _make(hub, only_once=False)


def _make(hub: Hub, *, only_once: bool) -> None:
    # Not above: nearly every command finds all of it filled, and loads nothing of that.
    from sealift_registry.delivery import whole_logs

    with (
        hub.database.in_words(),
        hub.database.writing() as connection,
        connection.begin(),
    ):
        if is_filled(connection) and only_once:
            return
        found = _sites(hub)
        whole_logs.remove_of_nobody(connection)
        for site in found:
            with suppress(SealiftError):
                whole_logs.rebuild(connection, site)
        if not is_filled(connection):
            connection.execute(insert(derived_table).values(name=FILLED))


def _sites(hub: Hub) -> list[EnrolledSite]:
    """The sites whose rows are whole, by one state, of which what is signed is read once.

    Whoever holds the writers' lock meanwhile finds the same: through a connection that writes, it
    would be read again for each of two thousand sites.
    """
    from sealift_registry.delivery.sites import Sites

    found = []
    with hub.reading() as connection:
        sites = Sites(connection)
        for name in sites.names():
            with suppress(SealiftError):
                found.append(sites.get(name))
    return found


def is_filled(connection: Connection) -> bool:
    """Whether what was there before the derived rows were has its rows."""
    query = select(derived_table.c.name).where(derived_table.c.name == FILLED)
    return connection.execute(query).first() is not None
