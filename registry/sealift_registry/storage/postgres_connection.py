"""A connection to PostgreSQL as the hub makes it: its settings are ours, and its COMMIT tells all.

Where a standby is to have what was committed (`synchronous_standby_names`) and is gone, COMMIT
waits for it without end. It holds the writers' lock meanwhile, and others do not see its rows. An
administrator may cancel the wait: COMMIT succeeds then, and only a warning says that the standby
may lack it all (PostgreSQL, "Synchronous Replication"). So warnings are heard, and the wait has an
end: the client goes away, and does not cancel, for others would build on what may be lost.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.errors import Diagnostic

from sealift_registry.storage import postgres_settings

T = TypeVar("T")

_WAITING = "SyncRepWaitForLSN"
"""The server's function that waits for a standby: its messages are in the server's language."""


class UnconfirmedError(psycopg.OperationalError):
    """It is committed where it was asked, or will be; a standby may lack it."""

    sqlstate = "40003"  # statement_completion_unknown


class HubConnection(psycopg.Connection[Any]):
    """A connection that says so where a COMMIT was not confirmed.

    Attributes:
        patience: seconds that COMMIT may take; then the connection is closed.
    """

    patience = postgres_settings.UNTIL_ALL_COMMITTED
    _until: float | None = None
    _warned = ""

    def commit(self) -> None:
        """As psycopg's.

        Raises:
            UnconfirmedError: it took too long, or a standby was not waited for.
        """
        self._warned = ""
        self._until = time.monotonic() + self.patience
        try:
            super().commit()
        finally:
            self._until = None
        if self._warned:
            raise UnconfirmedError(self._warned)

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **named: Any) -> T:  # noqa: ANN401 - psycopg's own
        """As psycopg's; a COMMIT has an end."""
        if self._until is not None:
            gen = self._ended(gen, self._until)
        return super().wait(gen, *args, **named)

    def _ended(self, steps: Generator[Any, Any, T], until: float) -> Generator[Any, Any, T]:
        """`steps`, which is sent an empty answer ten times a second while nothing comes."""
        try:
            wanted = next(steps)
            while time.monotonic() < until:
                wanted = steps.send((yield wanted))
        except StopIteration as done:
            result: T = done.value
            return result
        self.close()
        raise UnconfirmedError(
            f"COMMIT was not confirmed within {self.patience:.0f} seconds, as when a standby that "
            "is to have it is not there"
        )

    def hear(self, notice: Diagnostic) -> None:
        """Keep what says that a COMMIT was not waited for."""
        if self._until is not None and notice.source_function in {_WAITING, None}:
            said = (notice.message_primary, notice.message_detail)
            self._warned = ": ".join(one.rstrip(".") for one in said if one) or "a warning"


def connect(*args: Any, **named: Any) -> HubConnection:  # noqa: ANN401 - what psycopg takes
    """A connection whose session has our settings, in no transaction.

    Raises:
        psycopg.Error: the server cannot be reached, or does not take them.
    """
    connection = HubConnection.connect(*args, **named)
    try:
        connection.add_notice_handler(connection.hear)
        connection.autocommit = True
        connection.execute(_settings(connection.info.server_version))
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def _settings(release: int) -> sql.Composed:
    one = sql.SQL("pg_catalog.set_config({}, {}, false)")
    return sql.SQL("SELECT {}").format(
        sql.SQL(", ").join(
            one.format(*map(sql.Literal, pair)) for pair in postgres_settings.of_session(release)
        )
    )
