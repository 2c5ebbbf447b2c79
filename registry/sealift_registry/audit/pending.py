"""Entries of the commit that is being made: their actions' rows are there, and they come last.

Many callers' actions share a commit, and all their entries are appended at its end. So an action
finds rows of those before it of which the log does not speak yet, and will in that very commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from sealift_signing.transparency.entry import Entry

_HERE = "sealift_pending_entries"
"""Where they are among what is known of a connection."""


@contextmanager
def collected(connection: Connection) -> Iterator[list[Entry]]:
    """As long as a commit is being made: the list that its entries are added to."""
    known = connection.info  # it may be invalidated by the end
    entries: list[Entry] = []
    known[_HERE] = entries
    try:
        yield entries
    finally:
        known.pop(_HERE, None)


def entries(connection: Connection) -> Sequence[Entry]:
    """The entries of the actions that ran before this one in the same commit, the oldest first."""
    found: Sequence[Entry] = connection.info.get(_HERE, ())
    return found
