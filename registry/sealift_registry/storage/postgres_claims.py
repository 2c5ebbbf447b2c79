"""Claims at a PostgreSQL server: advisory locks, each held by a session of its own.

The server lets go of such a lock when its session ends: at once where the process ended, within
half a minute where its host was lost (keepalives, `postgresql.open_postgres`). A session can end
while its process lives, when the server is started anew or a network is cut. So whoever relies on
a claim asks it (`was_kept`) before what it does counts.

A lock's key is made of the claim's name. Who has it is told by the name of its session, which the
server shows to everybody (`pg_stat_activity`).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection
from contextlib import suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from sealift_registry.storage import claims, postgres_pooler, postgres_words
from sealift_registry.storage.claims import FileClaim, FileClaims
from sealift_registry.storage.host import this_name
from sealift_signing import events

BACK_WITHIN = 60.0
"""Seconds that a claim whose session was lost waits for the server, and for the server to notice
that the old session is no more."""
LONGEST_NAME = 63
"""Bytes of a session's name that the server keeps (NAMEDATALEN - 1)."""
_CLASS = "sealift claim"
_SET_UP = text("SELECT pg_catalog.set_config('application_name', :words, false)")
_TAKE = text("SELECT pg_catalog.pg_try_advisory_lock(:key), pg_catalog.pg_is_in_recovery()")
# A lock of one key of 64 bits is shown as two halves, and 1 (PostgreSQL, "pg_locks").
_OF_KEY = (
    "l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted "
    "AND l.database = (SELECT oid FROM pg_catalog.pg_database "
    "WHERE datname = pg_catalog.current_database()) "
    "AND (l.classid::bigint << 32 | l.objid::bigint) = :key"
)
_HELD = text(
    "SELECT 1 FROM pg_catalog.pg_locks l "  # noqa: S608 - our own words
    f"WHERE l.pid = pg_catalog.pg_backend_pid() AND {_OF_KEY}"
)
_ALL_HELD = text(
    "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.array_agg("
    "l.classid::bigint << 32 | l.objid::bigint) FROM pg_catalog.pg_locks l WHERE "
    "l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.database = "
    "(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
)
_HOLDER = text(
    "SELECT a.application_name, "  # noqa: S608 - our own words
    "pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
    f"FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
    f"WHERE {_OF_KEY}"
)


def key_of(name: str) -> int:
    """The key of the lock of this name, as a signed number of 64 bits."""
    digest = hashlib.sha256(f"{_CLASS}\n{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


class PostgresClaims:
    """Claims of the hub at one server; `engine` is to give each caller a session of its own.

    With `files`, those are taken first: the home's own processes are kept apart whatever becomes of
    the server.
    """

    def __init__(self, engine: Engine, where: str, files: FileClaims | None) -> None:
        self._engine = engine
        self._where = where
        self._files = files

    def take(self, name: str, words: str) -> PostgresClaim | None:
        """The claim of this name, told to others in these `words`; None while another has it.

        Raises:
            FailedError: the server cannot be asked, takes no writes, or is behind a pooler that
                changes sessions.
        """
        file = self._files.take(name, words) if self._files else None
        if file is None and self._files:
            return None
        try:
            session = self.session(name, words)
        except BaseException:
            if file:
                file.let_go()
            raise
        if session is not None:
            return PostgresClaim(self, name, words, session, file)
        if file:
            file.let_go()
        return None

    def session(self, name: str, words: str) -> Connection | None:
        """A session that holds the lock of this name; None while another does.

        Raises:
            FailedError: as `take`.
        """
        connection = None
        try:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            postgres_pooler.check(connection, self._engine, self._where)
            connection.execute(_SET_UP, {"words": _session_name(words)})
            taken, replica = connection.execute(_TAKE, {"key": key_of(name)}).one()
            if replica:
                raise postgres_words.replica(self._where)
            if taken:
                held, connection = connection, None
                return held
        except DBAPIError as bad:
            raise postgres_words.told(bad, self._where) from bad
        finally:
            if connection is not None:
                connection.close()
        return None

    def holder(self, name: str) -> str:
        """Who has it and since when, in words; empty where that is not known."""
        here = self._files.holder(name) if self._files else ""
        with suppress(DBAPIError), self._engine.connect() as connection:
            row = connection.execute(_HOLDER, {"key": key_of(name)}).first()
            if row is not None:
                since = f", since {row[1]}" if row[1] else ""
                return f"{row[0].removeprefix(_PREFIX)}{since}"
        return here

    def held(self, names: Collection[str]) -> set[str]:
        """Those that somebody has, on this host or on another.

        Raises:
            FailedError: the server cannot be asked, or is a replica, which has no such locks.
        """
        here = self._files.held(names) if self._files else set()
        try:
            with self._engine.connect() as connection:
                postgres_pooler.check(connection, self._engine, self._where)
                replica, keys = connection.execute(_ALL_HELD).one()
        except DBAPIError as bad:
            raise postgres_words.told(bad, self._where) from bad
        if replica:
            raise postgres_words.replica(self._where)
        at_server = frozenset(keys or ())
        return here | {name for name in names if key_of(name) in at_server}

    def lost(self, words: str) -> Exception:
        """The error where another has it by now."""
        return claims.lost(self._where, words)


class PostgresClaim:
    """A claim that is held by a session of its own, and by a file of the home's."""

    def __init__(
        self,
        owner: PostgresClaims,
        name: str,
        words: str,
        session: Connection,
        file: FileClaim | None,
    ) -> None:
        self._owner = owner
        self._name = name
        self._words = words
        self._session = session
        self._file = file

    def was_kept(self) -> bool:
        """Whether its session is the one that took it; else it is taken anew.

        Raises:
            FailedError: another has it by now, or the server does not come back.
        """
        if self._is_held():
            return True
        self._end_session()
        events.tell("lock", "claim-lost", "warning", name=self._name)
        until = time.monotonic() + BACK_WITHIN
        while True:
            left = until - time.monotonic()
            try:
                session = self._owner.session(self._name, self._words)
            except Exception:
                if left <= 0:
                    raise
            else:
                if session is not None:
                    self._session = session
                    return False
                if left <= 0:
                    raise self._owner.lost(self._words)
            time.sleep(claims.PAUSE)

    def let_go(self) -> None:
        """End the session, and with it the lock; then the home's file."""
        self._end_session()
        if self._file is not None:
            self._file.let_go()

    def _is_held(self) -> bool:
        if self._session.closed or self._session.invalidated:
            return False
        try:
            return self._session.execute(_HELD, {"key": key_of(self._name)}).first() is not None
        except DBAPIError:
            return False

    def _end_session(self) -> None:
        with suppress(DBAPIError):
            self._session.close()


_PREFIX = "sealift: "


def _session_name(words: str) -> str:
    name = f"{_PREFIX}process {os.getpid()} on {this_name()[:24]}, {words}"
    return name.encode("ascii", "replace")[:LONGEST_NAME].decode()
