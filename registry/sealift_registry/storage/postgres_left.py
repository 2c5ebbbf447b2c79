"""A database that the hub has left, and that its role can still log in to.

It says that it was left. Restored to a moment before that, it would not, and a host that never
looked there since would sign in it. Nobody but its administrator can close it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from sealift_migrations import SCHEMA
from sealift_registry.storage import postgres_words
from sealift_registry.storage.postgres_finding import Finding
from sealift_registry.storage.postgres_roles import quoted
from sealift_signing.drawing import word

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
            f"As its administrator: ALTER ROLE {quoted(role)} NOLOGIN; and so its migrator "
            "(docs/how-to/move-a-hub.md).",
        )
