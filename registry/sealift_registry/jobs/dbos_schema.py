"""The engine's tables at a database server, as `sealift db upgrade` makes and changes them.

They belong to the owner of the hub's own, and the hub's role may write rows and nothing else. DBOS
makes its tables step by step, each step for itself: one that failed is taken up the next time.
"""

from __future__ import annotations

from dbos._sys_db import SystemDatabase
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from sealift_migrations import JOBS_SCHEMA, postgres_privileges
from sealift_registry.jobs import dbos_tables
from sealift_registry.jobs.dbos_place import SERIALIZER, tame
from sealift_registry.storage.postgres_roles import quoted
from sealift_registry.storage.postgresql import PostgresDatabase, open_beside

VERSIONS = "dbos_migrations"
"""The table that says which tables there are: no process of the hub's changes it."""
MAY = "SELECT, INSERT, UPDATE, DELETE"
_S = JOBS_SCHEMA
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
        _dbos_tables(engine)
        dbos_tables.metadata.create_all(engine.execution_options(schema_translate_map={None: _S}))
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
        cursor.execute("SET statement_timeout = 0")  # an index may take its time
        cursor.close()
        connection.commit()

    event.listen(engine, "connect", become)
    return engine


def _dbos_tables(engine: Engine) -> None:
    SystemDatabase.create(
        system_database_url="postgresql://",
        engine_kwargs={},
        engine=engine,
        schema=_S,
        serializer=SERIALIZER,
        executor_id=None,
        use_listen_notify=False,
    ).run_migrations()


def _grant(connection: Connection) -> None:
    """Give each of the hub's roles its part, whatever it had."""
    for role in map(quoted, postgres_privileges.applications(connection)):
        for statement in (
            f"GRANT USAGE ON SCHEMA {_S} TO {role}",
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {_S} FROM {role}",
            f"GRANT {MAY} ON ALL TABLES IN SCHEMA {_S} TO {role}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {_S} TO {role}",
            f"REVOKE INSERT, UPDATE, DELETE ON {_S}.{VERSIONS} FROM {role}",
        ):
            connection.exec_driver_sql(statement)
