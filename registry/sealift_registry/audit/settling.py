"""What became of a commit that nobody confirmed: asked of the database, once it answers again.

A transaction holds the writers' lock until it has ended. So whoever gets that lock afterwards finds
its entries in the log, all of them, or knows that they will never be there.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from sealift_registry.audit.tables import log_checkpoint, log_entry
from sealift_registry.storage.database import Database
from sealift_registry.storage.queries import in_parts
from sealift_signing import events

PATIENCE = 30.0
"""Seconds until nobody waits any longer for a database that does not come back."""
PAUSE = 0.5


class Place(NamedTuple):
    """Where an entry is: its number, and the size of the checkpoint that was signed with it."""

    seq: int
    size: int


def ask(
    database: Database, ids: Collection[str], patience: float | None = None
) -> Mapping[str, Place] | None:
    """Those of the entries `ids` that are in the log, by id; None where nobody could say.

    `patience` is in seconds.
    """
    until = time.monotonic() + (PATIENCE if patience is None else patience)
    while True:
        try:
            with database.writing() as connection, connection.begin():
                found = _places(connection, ids)
                # A standby that they were to wait for may lack them, and so may whoever takes over.
                database.confirm(connection)
        except Exception:  # noqa: BLE001 - whatever it was, it says nothing of the commit
            if time.monotonic() >= until:
                return None
            time.sleep(PAUSE)
            continue
        events.tell("log", "commit-settled", asked=len(ids), found=len(found))
        return found


def _places(connection: Connection, ids: Collection[str]) -> dict[str, Place]:
    size = (
        select(func.min(log_checkpoint.c.size))
        .where(log_checkpoint.c.size > log_entry.c.seq)
        .scalar_subquery()
    )
    found: dict[str, Place] = {}
    for some in in_parts(sorted(ids)):
        query = select(log_entry.c.id, log_entry.c.seq, size).where(log_entry.c.id.in_(some))
        found |= {row[0]: Place(row[1], row[2]) for row in connection.execute(query)}
    return found
