"""Whether those who bring a database on PostgreSQL up to date still can: for `sealift db check`."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from sealift_migrations import SCHEMA, postgres_privileges
from sealift_migrations.table_rules import VERSION_TABLE
from sealift_registry.storage.postgres_finding import Finding
from sealift_signing.drawing import word

_MAY = text(
    "SELECT pg_catalog.has_schema_privilege(:role, n.oid, 'USAGE') AS usage, "
    "pg_catalog.has_table_privilege(:role, c.oid, 'SELECT') AS read "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = :schema AND c.relname = :table"
)


def findings(connection: Connection) -> Iterator[Finding]:
    """What each migrator lacks; before it is the owner, it looks whether there is what to do.

    Whether it may connect is left alone: of a database that the hub has left, it is not to.
    """
    for role in postgres_privileges.migrators(connection):
        values = {"role": role, "schema": SCHEMA, "table": VERSION_TABLE}
        row = connection.execute(_MAY, values).one()
        for may, lacks in (
            (row.usage, f"USAGE on the schema {SCHEMA}"),
            (row.read, f"SELECT on {VERSION_TABLE}"),
        ):
            if not may:
                yield Finding(
                    f"The migrator {word(role)} lacks {lacks}: it cannot upgrade.",
                    role,
                    "Have an administrator run what this prints: sealift db init",
                )
