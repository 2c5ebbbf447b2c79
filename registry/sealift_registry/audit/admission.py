"""What the log takes: nothing by a wrong clock, nothing in a restored backup or after a move."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from sealift_registry.audit import restored_backup
from sealift_registry.audit.moved import MovedHubError
from sealift_registry.audit.tables import log_checkpoint, log_entry
from sealift_signing import clock
from sealift_signing.errors import MalformedError, SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import instant


class Admission:
    """What is asked of the entries of one commit, by the log as it was before.

    Args:
        connection: within that commit's transaction.
        key: the log's, of today.
        origin: the log's name.
        stated: today's date, where a person stated it.
        elsewhere: why this database takes no entry: the hub is elsewhere, or
            that cannot be told.
    """

    def __init__(
        self,
        connection: Connection,
        key: PublicKey,
        origin: str,
        stated: date | None,
        elsewhere: SealiftError | None = None,
    ) -> None:
        self._moved = elsewhere
        found = restored_backup.seen(connection, key, origin)
        self._restored = found[-1] if found else None
        self._newest = newest(connection)
        self._stated = stated

    def check_may_write(self, *, replaces_key: bool) -> None:
        """Check that the log may go on; in a restored backup, to replace its key.

        Raises:
            MovedHubError: it goes on elsewhere.
            RestoredError: this database is a restored backup.
            FailedError: the log is not what was signed.
        """
        if isinstance(self._moved, MovedHubError):
            raise self._moved
        if self._restored is not None and not replaces_key:
            raise restored_backup.restored(self._restored)
        if self._moved is not None:
            raise self._moved

    def check_date(self, entry: Entry) -> None:
        """Check the clock by which an entry was dated.

        Raises:
            ClockError: it is behind the entry before it, or so far ahead that it cannot be right.
        """
        at = instant(entry.at)
        check_clock(at, self._newest, self._stated)
        self._newest = at


def newest(connection: Connection) -> datetime | None:
    """When the log's newest entry was made; None where there is none.

    Where it cannot be told, somebody changed the database, which the log itself refuses by name.
    """
    # Not the largest number: whoever may add rows adds one behind the end, of any date.
    size = select(func.max(log_checkpoint.c.size)).scalar_subquery()
    query = select(log_entry.c.recorded_at).where(log_entry.c.seq == size - 1)
    found = connection.execute(query).scalar()
    with suppress(MalformedError, ValueError):
        return None if found is None else instant(found)
    return None


def check_clock(now: datetime, before: datetime | None, stated: date | None) -> None:
    """Check the hub's clock against its log.

    Raises:
        ClockError: as `clock.check_follows`; of the first entry, as `clock.check_possible`.
    """
    if before is None:
        clock.check_possible(now)
    else:
        clock.check_follows(now, before, stated)
