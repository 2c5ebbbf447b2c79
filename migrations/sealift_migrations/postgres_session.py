"""How a database on PostgreSQL is migrated: as its owner, alone, and not for ever.

Everything of ours lies in one schema, which `sealift db init` makes and whose owner owns every
table. Whoever migrates may become that owner; the application may not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from sqlalchemy import Connection, Engine, text

from sealift_migrations import SCHEMA, postgres_privileges
from sealift_signing.errors import FailedError

LOCK_CLASS = 0x5EA11F7
"""The first half of every advisory lock of ours: no other program's is meant."""
WRITERS = 1
"""The second half of the lock of the one writer, who may be the one that migrates."""
JOBS = 2
"""The second half of the lock of whoever changes the tables of the engine of jobs."""

LOCK_SECONDS = 20
"""How long a step waits for a lock: behind one that waits, everybody else waits as well."""
STATEMENT_SECONDS = 3600
"""How long one statement of a step may take: a step may rewrite a table of millions of rows."""

_LOCK = text("SELECT pg_catalog.pg_advisory_xact_lock(:one, :two)").bindparams(
    one=LOCK_CLASS, two=WRITERS
)
_OWNER = text(
    "SELECT pg_catalog.pg_get_userbyid(nspowner) AS owner, "
    "pg_catalog.pg_has_role(nspowner, 'MEMBER') AS may "
    "FROM pg_catalog.pg_namespace WHERE nspname = :schema"
)


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """The one transaction in which a database is changed, and the application given its part of it.

    Errors of the driver are as they are: among them, that a lock was not to be had in time.

    Raises:
        FailedError: there is no schema, or its owner's rights are not given.
    """
    with engine.connect() as connection, connection.begin():
        begin(connection)
        yield connection
        postgres_privileges.grant(connection)


def begin(connection: Connection) -> None:
    """What a transaction that migrates begins with.

    Raises:
        FailedError: there is no schema, or its owner's rights are not given.
    """
    for setting in (
        f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'",
        f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        f"SET LOCAL search_path = {SCHEMA}, pg_temp",
    ):
        connection.exec_driver_sql(setting)
    become_owner(connection)
    connection.execute(_LOCK)


def become_owner(connection: Connection) -> None:
    """Be the schema's owner until the transaction ends.

    Raises:
        FailedError: there is no schema, or its owner's rights are not given.
    """
    found = connection.execute(_OWNER, {"schema": SCHEMA}).one_or_none()
    if found is None:
        raise FailedError(
            "database-no-schema",
            f"The database has no schema {SCHEMA}.",
            subject=SCHEMA,
            next_step="Have the database's administrator run what this prints: sealift db init",
        )
    if not found.may:
        raise _not_owner(connection, found.owner)
    quoted = connection.dialect.identifier_preparer.quote(found.owner)
    connection.exec_driver_sql(f"SET LOCAL ROLE {quoted}")


def _not_owner(connection: Connection, owner: str) -> FailedError:
    """Whoever is logged in as a migrator would not see this."""
    others = postgres_privileges.migrators(connection)
    next_step = "Have the database's administrator run what this prints: sealift db init"
    if others:
        role = quote(others[0], safe="")
        next_step = (
            f"Name the migrator's role: sealift db upgrade --as postgresql://{role}@HOST/DATABASE"
        )
    return FailedError(
        "database-not-owner",
        f"This role may not change tables: they are {owner}'s.",
        subject=owner,
        next_step=next_step,
    )
