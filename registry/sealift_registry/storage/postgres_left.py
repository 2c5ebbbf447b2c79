"""A database that the hub has left, and that its role can still log in to.

It says that it was left. Restored to a moment before that, it would not, and a host that never
looked there since would sign in it. Nobody but its administrator can close it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Connection, text

from sealift_migrations import SCHEMA, postgres_privileges
from sealift_registry.storage import postgres_address, postgres_words
from sealift_registry.storage.postgres_finding import Finding
from sealift_registry.storage.postgres_roles import quoted
from sealift_signing.drawing import word
from sealift_signing.errors import UsageError

_MAY = text(
    "SELECT r.rolcanlogin AND pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT') "
    "FROM pg_catalog.pg_roles r, pg_catalog.pg_database d "
    "WHERE r.rolname = :role AND d.datname = pg_catalog.current_database()"
)


_READ = text(
    "SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
    "AND pg_catalog.has_table_privilege(c.oid, 'SELECT') "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = :schema AND c.relname = 'moved'"
)


def may_read(connection: Connection) -> bool | None:
    """Whether who asks may read where the hub went; None where there is no such table yet."""
    found: bool | None = connection.execute(_READ, {"schema": SCHEMA}).scalar()
    return found


def unread(connection: Connection, role: str) -> Finding:
    """What is said to who may not, and is somebody else than the hub's `role`."""
    user = connection.execute(text("SELECT SESSION_USER")).scalar_one()
    if user == role:
        what = f"The hub's role {word(role)} may not read whether the hub has left this database."
        return Finding(what, role, "Run: sealift db upgrade")
    return Finding(
        f"Whether the hub has left this database was not looked at: {word(user)} is not the hub's "
        "role, and may not read it.",
        user,
        f"Name the hub's own role, {word(role)}, in {postgres_words.ADDRESS}.",
    )


def check(connection: Connection, role: str, there: str) -> Iterator[Finding]:
    """The hub's role, if it may still log in to a database that the hub has left for `there`."""
    if connection.execute(_MAY, {"role": role}).scalar():
        yield Finding(
            f"The hub has left this database, for {there}, and {word(role)} can still log in here: "
            "restored to a moment before, it would take entries again.",
            role,
            f"As its administrator: {_closing(connection, role, there)} (docs/how-to/"
            "move-a-hub.md).",
        )


def _closing(connection: Connection, role: str, there: str) -> str:
    """The SQL that keeps the hub out of here, and not out of where it is now."""
    name = connection.execute(text("SELECT pg_catalog.current_database()")).scalar_one()
    others = (one for one in postgres_privileges.migrators(connection) if one != role)
    roles = ", ".join(map(quoted, (role, *others)))
    this = f"REVOKE CONNECT ON DATABASE {quoted(name)} FROM PUBLIC, {roles};"
    if _may_be_the_same(connection, there):
        return this
    return (
        f"ALTER ROLE {quoted(role)} NOLOGIN; and so its migrator. That holds for the whole server: "
        f"where a hub of these roles stays on it, close this database alone: {this}"
    )


def _may_be_the_same(connection: Connection, there: str) -> bool:
    """Whether this server may be the one at `there`; a socket has no name elsewhere."""
    if "://" not in there:
        return False
    try:
        found = postgres_address.in_force(postgres_address.parse_url(there))
    except UsageError:
        return True
    info = cast("Any", connection.connection.driver_connection).info
    hosts, ports = (found.get(key, "").split(",") for key in ("host", "port"))
    if str(info.port) not in ports:
        return False
    return info.host in hosts or any(map(postgres_address.is_near, (info.host, *hosts)))
