"""The hub's database on a PostgreSQL server, shared by as many processes and hosts as there are.

All that is PostgreSQL's alone is here, in the modules of `storage` called postgres_…, and in
one of `sealift_migrations`. Writers queue at an advisory lock that their transaction holds: the
server lets go of it when the transaction ends, however it ends.

- A writer's transaction is READ COMMITTED and asks for the lock first: under REPEATABLE READ it
  would go on seeing what was there before the writer ahead of it had committed.
- A reader's is REPEATABLE READ and READ ONLY: one state, from its first statement on.
- A writer that stops in the middle (a suspended process, a host whose cable was pulled) keeps all
  others out until the server ends its transaction, by the limits that are set here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from sealift_migrations import current, newest
from sealift_migrations.postgres_session import LOCK_CLASS, WRITERS
from sealift_registry.storage import (
    database,
    postgres_address,
    postgres_pooler,
    postgres_words,
)
from sealift_registry.storage.claims import Claiming, FileClaims
from sealift_registry.storage.postgres_address import connecting, noted, parse_url, shown
from sealift_registry.storage.postgres_claims import PostgresClaims
from sealift_registry.storage.postgres_settings import (
    TRUSTED,
    UNTIL_ALL_COMMITTED,
    UNTIL_COMMITTED,
)
from sealift_signing.errors import FailedError

if TYPE_CHECKING:
    from sealift_registry.storage.postgres_connection import HubConnection

WRITER = {"sealift_writer": True}
"""Execution option of a connection whose transactions are a writer's."""
IDLE_WRITER = "30s"
"""How long a writer may do nothing in the middle of its transaction."""
UNTIL_TURN = "60s"
"""How long a writer waits for the one before it, or for whoever changes a table."""
SLOW_STATEMENT = "60s"
"""How long one statement of a writer may take; callers wait no longer either."""
_ALONE = "sealift_alone"
"""Execution option of a connection that is to keep its session; and of that session the process."""
CONNECTIONS, MORE_CONNECTIONS = 5, 10
FEW_CONNECTIONS = 2
"""That a process keeps open, and that it opens besides when many things are asked at once."""
PAUSE = 0.1
"""Seconds between two tries for a lock that is to be ours for long."""
UNTIL_FREE = 30
"""Seconds that somebody waits for one of them."""
_DURABLE = (
    "pg_catalog.set_config('synchronous_commit', "
    "CASE pg_catalog.current_setting('synchronous_commit') "
    "WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, {local})"
)
"""COMMIT waits for the disk whatever a role was given, or gave itself; what is stronger stays."""
_ROLE = "session_replication_role"
"""What keys do not hold under; only a superuser may put it back."""
_OURS = ", ".join(
    f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in TRUSTED.items()
)
_FIRST = text(
    # From the left to the right: the limit is there before the lock is waited for.
    "SELECT pg_catalog.set_config('lock_timeout', :turn, true), "
    "pg_catalog.pg_advisory_xact_lock(:one, :two), "
    f"{_DURABLE.format(local='true')}, "
    "pg_catalog.set_config('idle_in_transaction_session_timeout', :idle, true), "
    f"pg_catalog.set_config('statement_timeout', :slow, true), {_OURS}, "
    "pg_catalog.current_setting('transaction_read_only') = 'on' AS only_read, "
    f"pg_catalog.current_setting('{_ROLE}'), pg_catalog.pg_is_in_recovery()"
).bindparams(one=LOCK_CLASS, two=WRITERS, turn=UNTIL_TURN, idle=IDLE_WRITER, slow=SLOW_STATEMENT)
_FIRST_OF_READER = text(
    f"SELECT {_OURS}, {postgres_pooler.PROCESS}, pg_catalog.current_setting('{_ROLE}')"
)
_AFTER_ALL = text("SELECT pg_catalog.pg_logical_emit_message(true, 'sealift', '')")
"""A transaction that changes nothing waits for no standby at its COMMIT; this one does."""


def open_postgres(url: URL) -> Engine:
    """The engine of the database at `url`; nothing is connected to yet.

    A connection that the server has ended meanwhile is replaced before it is used. Errors of a lost
    server are seen within seconds, and so is, by the server, a host that was lost.
    """
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=CONNECTIONS,
        max_overflow=MORE_CONNECTIONS,
        pool_timeout=UNTIL_FREE,
        connect_args=_connecting(url),
    )
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "checkin", _without_mode)
    return engine


def _without_mode(connection: DBAPIConnection | None, _entry: ConnectionPoolEntry) -> None:
    """Begin transactions as the server has them by default: SQLAlchemy leaves READ WRITE behind.

    A replica refuses that by another name, and where an administrator lets nobody write for a
    while, it would write all the same.
    """
    if connection is not None and not getattr(connection, "closed", True):
        cast("Any", connection).read_only = None


def open_sessions(url: URL) -> Engine:
    """An engine each of whose connections is a session that ends when it is closed."""
    driver = url.set(drivername="postgresql+psycopg")
    engine = create_engine(driver, poolclass=NullPool, connect_args=_connecting(url))
    event.listen(engine, "do_connect", _connect)
    return engine


def open_beside(url: URL) -> Engine:
    """An engine for tables in the same database that are not the hub's, and small beside its own.

    Each statement names their schema. A transaction that stops in the middle holds its rows no
    longer than a writer's does.
    """
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=FEW_CONNECTIONS,
        max_overflow=MORE_CONNECTIONS,
        pool_timeout=UNTIL_FREE,
        hide_parameters=True,
        connect_args=_connecting(url),
    )
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _with_limits)
    return engine


def _with_limits(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_WRITER}'")
    cursor.execute(f"SET statement_timeout = '{SLOW_STATEMENT}'")
    cursor.close()
    connection.commit()  # or the pool would take it back with what it rolls back


def _connecting(url: URL) -> dict[str, Any]:
    """How every connection is made, as the driver has it."""
    return {
        **connecting(url),
        "application_name": "sealift",
        "client_encoding": "UTF8",
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }


def _connect(
    _dialect: Dialect, _entry: ConnectionPoolEntry, args: list[Any], named: dict[str, Any]
) -> DBAPIConnection:
    """A connection that is ours, in the place of the driver's."""
    from sealift_registry.storage import postgres_connection  # psycopg may not be installed

    return cast("DBAPIConnection", postgres_connection.connect(*args, **named))


def _begin(connection: Connection) -> None:
    """Have the session's settings be ours; as a writer, be the one who writes."""
    options = connection.get_execution_options()
    alone = options.get(_ALONE)
    if alone and _ALONE not in connection.info:
        # SQLAlchemy has connected anew: this session has no lock, and somebody else may.
        raise database.not_alone(shown(connection.engine.url))
    writes = options.get("sealift_writer")
    patience = UNTIL_COMMITTED if writes else UNTIL_ALL_COMMITTED
    cast("HubConnection", connection.connection.dbapi_connection).patience = patience
    found = connection.execute(_FIRST if writes else _FIRST_OF_READER).one()
    role = found[-2] if writes else found[-1]
    if role != "origin":
        raise postgres_words.not_origin(shown(connection.engine.url), role)
    if writes and found[-1]:
        # A replica has locks of its own, and may not have what its primary acknowledged.
        raise postgres_words.replica(shown(connection.engine.url))
    if writes and found.only_read:
        raise postgres_words.only_read(shown(connection.engine.url))
    if alone and found[-2] != connection.info[_ALONE]:
        # Nor has this one, which a pooler gave us.
        raise database.not_alone(shown(connection.engine.url))


class PostgresDatabase(Claiming):
    """The hub's database at `url`, such as `postgresql://sealift@db.example/sealift`.

    Claims are taken in the folder `claimed`, too, where there is one: a lost server lets nobody in
    who works in the same home. `named` is the setting or option that `url` is from.
    """

    settles = True
    is_shared = True
    takes_several = True

    def __init__(
        self, url: str, claimed: Path | None = None, named: str = postgres_address.NAMED
    ) -> None:
        self.url = parse_url(url, named)
        self.where = shown(self.url)
        files = FileClaims(claimed) if claimed else None
        super().__init__(lambda: PostgresClaims(open_sessions(self.url), self.where, files))
        self.place = noted(self.url)

    @cached_property
    def engine(self) -> Engine:
        """The engine of the server, made when it is first asked for (`open_postgres`)."""
        return database.at_place(open_postgres(self.url), self.place)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One state, by a transaction that the server lets change nothing."""
        with self.engine.connect() as connection:
            yield connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Its transactions begin with the writers' lock."""
        with self.engine.connect() as connection:
            yield connection.execution_options(**WRITER)

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """By the same lock, which the session holds: no transaction has to last for it.

        Where the server loses the session, it loses the lock, and this connection is of no use: it
        is never replaced by another.
        """
        with self.engine.connect() as connection:
            try:
                postgres_pooler.check(connection, self.engine, self.where)
                connection.info[_ALONE] = self._lock_session(connection)  # gone with the session
                yield connection.execution_options(**{_ALONE: True})
            finally:
                connection.invalidate()  # with it goes the lock, whatever state it is in

    def _lock_session(self, connection: Connection) -> int:
        """The process of the session that has the lock."""
        until = time.monotonic() + database.UNTIL_ALONE
        ours = text(
            f"SELECT {postgres_pooler.PROCESS}, pg_catalog.pg_try_advisory_lock(:one, :two), "
            f"{_DURABLE.format(local='false')}, pg_catalog.pg_is_in_recovery()"
        )
        while True:
            with connection.begin():
                found = connection.execute(ours, {"one": LOCK_CLASS, "two": WRITERS}).one()
            if found[-1]:
                raise postgres_words.replica(self.where)
            if found[1]:
                return int(found[0])
            if time.monotonic() >= until:
                raise database.occupied(self.where)
            time.sleep(PAUSE)

    def confirm(self, connection: Connection) -> None:
        """By a message in the write-ahead log, which a COMMIT waits for as it does for rows."""
        connection.execute(_AFTER_ALL)

    def check_sessions(self) -> None:
        """Check that no pooler changes sessions between transactions.

        Raises:
            FailedError: one does.
        """
        with self.in_words(), self.engine.connect() as connection:
            postgres_pooler.check(connection, self.engine, self.where)

    def check_exists(self) -> None:
        """Check that the server answers.

        Raises:
            FailedError: it cannot be reached, or lets this user not in.
        """
        with self.in_words(), self.engine.connect():
            pass

    def check_new(self) -> None:
        """Check that the schema is there, and that no hub is in it.

        Raises:
            FailedError: it is not, or one is.
        """
        self.bring_up_to_date()
        with self.in_words(), self.engine.connect() as connection:
            if connection.execute(text("SELECT 1 FROM log_entry LIMIT 1")).first() is not None:
                raise database.not_new(self.where)

    def check_writable(self) -> None:
        """Nothing: whether it may be written to is known to the server, which says so."""

    def bring_up_to_date(self) -> None:
        """Check that it has the schema that this software works with: opening it never migrates.

        Raises:
            FailedError: it is older or newer than this software, or has none.
        """
        with self.in_words():
            found = current(self.engine)
        if found == newest():
            return
        if found > newest():
            raise FailedError(
                "database-newer",
                f"The database {self.where} has schema {found}, and this version of Sealift knows "
                f"only {newest()}.",
                subject=self.where,
                next_step="Update Sealift on this machine.",
            )
        raise FailedError(
            "database-older",
            f"The database {self.where} has "
            + (f"schema {found}" if found else "no tables of Sealift's")
            + f", and this version of Sealift works with {newest()}.",
            subject=self.where,
            next_step="Have whoever may change its tables run: sealift db upgrade",
        )

    def tampered(self) -> Iterator[str]:
        """Views in the place of tables, hidden rows, guards that are off (`postgres_catalog`)."""
        from sealift_registry.storage import postgres_catalog

        with self.reading() as connection:
            yield from postgres_catalog.tampered(connection)

    def is_full(self, error: BaseException) -> bool:
        """Whether the server's disk is full (SQLSTATE 53100)."""
        return postgres_words.state(error) == postgres_words.DISK_FULL

    def told(self, error: DBAPIError) -> FailedError:
        """By SQLSTATE, and by whether the connection was lost."""
        return postgres_words.told(error, self.where)

    def in_words(self) -> AbstractContextManager[None]:
        """As `database.in_words`."""
        return database.in_words(self)

    def close(self) -> None:
        """Let go of every connection."""
        if "engine" in self.__dict__:
            self.engine.dispose()
