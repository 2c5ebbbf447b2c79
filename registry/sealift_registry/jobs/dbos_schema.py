"""The engine's tables at a database server, as `sealift db upgrade` makes and changes them.

They belong to the owner of the hub's own, and the hub's role may write rows and nothing else. DBOS
makes its tables step by step, each step for itself: one that failed is taken up the next time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from dbos._error import DBOSInitializationError
from dbos._sys_db import SystemDatabase
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from sealift_migrations import JOBS_SCHEMA, postgres_privileges
from sealift_migrations.postgres_session import (
    JOBS,
    LOCK_CLASS,
    LOCK_SECONDS,
    STATEMENT_SECONDS,
)
from sealift_registry.jobs import dbos_running, dbos_tables
from sealift_registry.jobs.dbos_place import SERIALIZER, tame
from sealift_registry.storage import database
from sealift_registry.storage.postgres_jobs import MAY, VERSIONS
from sealift_registry.storage.postgres_roles import quoted
from sealift_registry.storage.postgresql import PostgresDatabase, open_beside

_S = JOBS_SCHEMA
_TRY = text("SELECT pg_catalog.pg_try_advisory_lock(:one, :two)").bindparams(
    one=LOCK_CLASS, two=JOBS
)
PAUSE = 0.1
_OWNER = text(
    "SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = :s"
)


def upgrade(migrator: PostgresDatabase) -> bool:
    """Bring the engine's tables up to date, as whoever may become their owner.

    Returns whether there is a schema for them; `sealift db init` makes it.
    """
    tame()
    with migrator.engine.connect() as connection:
        owner = connection.execute(_OWNER, {"s": _S}).scalar()
    if owner is None:
        return False
    engine = _as_owner(migrator, owner)
    try:
        with _alone(engine, migrator.where):
            _dbos_tables(engine)
            ours = engine.execution_options(schema_translate_map={None: _S})
            dbos_tables.metadata.create_all(ours)
            with engine.begin() as connection:
                _grant(connection)
    finally:
        engine.dispose()
    return True


def _as_owner(migrator: PostgresDatabase, owner: str) -> Engine:
    engine = open_beside(migrator.url)

    def become(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET ROLE {quoted(owner)}")
        cursor.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")
        cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        cursor.close()
        connection.commit()

    event.listen(engine, "connect", become)
    return engine


@contextmanager
def _alone(engine: Engine, where: str) -> Iterator[None]:
    """While nobody else does. Who waited in a statement would keep an index from being built."""
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    until = time.monotonic() + database.UNTIL_ALONE
    with autocommit.connect() as connection:
        while not connection.execute(_TRY).scalar_one():
            if time.monotonic() >= until:
                raise database.occupied(where)
            time.sleep(PAUSE)
        try:
            yield
        finally:
            connection.invalidate()  # the session, and with it the lock


def _dbos_tables(engine: Engine) -> None:
    """Bring DBOS's own up to date.

    Raises:
        FailedError: they are older, and a worker that knows them is at a job.
    """
    database = SystemDatabase.create(
        system_database_url="postgresql://",
        engine_kwargs={},
        engine=engine,
        schema=_S,
        serializer=SERIALIZER,
        executor_id=None,
        use_listen_notify=False,
    )
    try:
        database.verify_migrations()
    except DBOSInitializationError:
        with engine.connect() as connection:
            dbos_running.check_none(connection)
    database.run_migrations()


def _grant(connection: Connection) -> None:
    """Give each of the hub's roles its part, whatever it had."""
    may = ", ".join(MAY)
    for role in map(quoted, postgres_privileges.applications(connection)):
        for statement in (
            f"GRANT USAGE ON SCHEMA {_S} TO {role}",
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {_S} FROM {role}",
            f"GRANT {may} ON ALL TABLES IN SCHEMA {_S} TO {role}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {_S} TO {role}",
            f"REVOKE INSERT, UPDATE, DELETE ON {_S}.{VERSIONS} FROM {role}",
        ):
            connection.exec_driver_sql(statement)
