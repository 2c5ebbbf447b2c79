"""A database that the hub has left, and that its role can still log in to.

It says that it was left. Restored to a moment before that, it would not, and a host that never
looked there since would sign in it. Nobody but its administrator can close it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from sealift_registry.storage.postgres_finding import Finding
from sealift_registry.storage.postgres_roles import quoted
from sealift_signing.drawing import word

_MAY = text(
    "SELECT r.rolcanlogin AND pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT') "
    "FROM pg_catalog.pg_roles r, pg_catalog.pg_database d "
    "WHERE r.rolname = :role AND d.datname = pg_catalog.current_database()"
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
