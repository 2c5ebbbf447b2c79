"""What lies where jobs are kept on a PostgreSQL server: for `sealift db check`.

What the tables there hold may be lost, and is made again from the hub's own. So the hub's role adds
rows, changes and removes them. It makes no tables there all the same: what is found by their names
is the owner's.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from sealift_migrations import JOBS_SCHEMA, SCHEMA
from sealift_registry.storage.postgres_finding import Finding
from sealift_registry.storage.postgres_roles import quoted
from sealift_signing.drawing import word

OWN_TABLE = "sealift_worker"
"""One that Sealift's own glue has there: it is made last."""
VERSIONS = "dbos_migrations"
"""The table that says which tables there are: nobody but the owner changes it."""
MAY = ("DELETE", "INSERT", "SELECT", "UPDATE")

_INIT = "Have an administrator run what this prints: sealift db init"
_UPGRADE = "Run, with sealift-registry[jobs] installed: sealift db upgrade"
_PLACE = text(
    "SELECT n.nspowner = (SELECT h.nspowner FROM pg_catalog.pg_namespace h WHERE h.nspname = :hub) "
    "AS ours, pg_catalog.has_schema_privilege(:role, n.oid, 'USAGE') AS usage, "
    "pg_catalog.has_schema_privilege(:role, n.oid, 'CREATE') AS create "
    "FROM pg_catalog.pg_namespace n WHERE n.nspname = :jobs"
)
_SUPER = text("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = :role")
_TABLES = text(
    "SELECT c.relname AS name, c.relowner = n.nspowner AS ours, pg_catalog.array_agg(p.privilege "
    "ORDER BY p.privilege) FILTER "
    "(WHERE pg_catalog.has_table_privilege(:role, c.oid, p.privilege)) AS may "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, "
    "pg_catalog.unnest(CAST(:all AS text[])) p (privilege) "
    "WHERE n.nspname = :jobs AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
    "GROUP BY c.relname, c.relowner, n.nspowner ORDER BY c.relname"
)


def findings(connection: Connection, role: str) -> Iterator[Finding]:
    """What is missing where jobs are kept, and what the hub's role may too much of.

    That there is nothing yet is only to be known: all else can be done without.
    """
    values = {"jobs": JOBS_SCHEMA, "hub": SCHEMA, "role": role}
    place = connection.execute(_PLACE, values).one_or_none()
    if place is None:
        what = f"There is no schema {JOBS_SCHEMA}: nothing can be asked for as a job."
        yield Finding(what, JOBS_SCHEMA, _INIT, is_fault=False)
        return
    if not place.ours:
        what = f"The schema {JOBS_SCHEMA} is not of the owner of {SCHEMA}."
        yield Finding(what, JOBS_SCHEMA, _INIT)
    may_all = bool(connection.execute(_SUPER, {"role": role}).scalar())  # which is told by itself
    if place.create and not may_all:
        what = f"The application's role {word(role)} may make tables in the schema {JOBS_SCHEMA}."
        sql = f"REVOKE CREATE ON SCHEMA {JOBS_SCHEMA} FROM PUBLIC, {quoted(role)}."
        yield Finding(what, role, sql)
    if not place.usage:
        what = f"The application's role {word(role)} may not use the schema {JOBS_SCHEMA}."
        yield Finding(what, JOBS_SCHEMA, _INIT)
        return
    rows = connection.execute(_TABLES, {**values, "all": list(MAY)}).all()
    if OWN_TABLE not in {row.name for row in rows}:
        what = f"The tables for jobs are not in the schema {JOBS_SCHEMA}: nothing can be asked for."
        yield Finding(what, JOBS_SCHEMA, _UPGRADE, is_fault=False)
        return
    for row in rows:
        may = set(_needed(row.name)) if may_all else set(row.may or ())
        yield from _table(role, row.name, may, is_owners=row.ours)


def _needed(name: str) -> tuple[str, ...]:
    """What the hub's role needs on a table."""
    return ("SELECT",) if name == VERSIONS else MAY


def _table(role: str, name: str, may: set[str], *, is_owners: bool) -> Iterator[Finding]:
    full = f"{JOBS_SCHEMA}.{name}"
    allowed = set(_needed(name))
    if not is_owners:
        what = f"{word(full)} is not of the schema's owner: somebody else put it there."
        yield Finding(what, full, f"DROP TABLE {JOBS_SCHEMA}.{quoted(name)}.")
        return
    if allowed - may:
        lacks = ", ".join(sorted(allowed - may))
        what = f"The application's role {word(role)} lacks {lacks} on {word(full)}."
        yield Finding(what, full, _UPGRADE)
    if may - allowed:
        more = ", ".join(sorted(may - allowed))
        what = f"The application's role {word(role)} may {more} on {word(full)}."
        sql = f"REVOKE {more} ON {JOBS_SCHEMA}.{quoted(name)} FROM PUBLIC, {quoted(role)}."
        yield Finding(what, role, sql)
