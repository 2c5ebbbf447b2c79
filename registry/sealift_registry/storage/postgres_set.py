"""What an administrator set for a role or for the database, where it changes what statements mean.

Each session of the hub has its own settings (`postgres_settings`), so most of it is only noted: it
stops or misleads people at psql, and backups. Some of it is a fault all the same, for it is refused
later, or is meant to lose what was acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, text

from sealift_migrations import SCHEMA
from sealift_registry.storage import postgres_settings
from sealift_registry.storage.postgres_finding import Finding
from sealift_registry.storage.postgres_roles import quoted
from sealift_signing.drawing import word

FLUSHED = ("on", "remote_apply")
"""Values of synchronous_commit by which COMMIT waits for a disk, here and on a standby."""

_OFF = ("off", "false", "no", "0")
_FAULTS: dict[str, Callable[[str], bool]] = {
    "synchronous_commit": lambda value: value not in FLUSHED,
    "session_replication_role": lambda value: value != "origin",
    "default_transaction_read_only": lambda value: value not in _OFF,
    "transaction_read_only": lambda value: value not in _OFF,
    "role": lambda value: value != "none",
    "zero_damaged_pages": lambda value: value not in _OFF,
    "ignore_checksum_failure": lambda value: value not in _OFF,
}
"""Settings that no hub works with, by whether a value of theirs is such a one."""
_COMMON = frozenset({"bytea_output", "timezone"})
"""Ours are others, and who sets them means nothing by it."""
_NOTED = {
    name: value
    for name, value in {**postgres_settings.TRUSTED, **postgres_settings.PATIENT}.items()
    if name not in _COMMON
}

# Of a superuser nothing is asked: each may be a member of any role.
_SET = text(
    "SELECT pg_catalog.pg_get_userbyid(nullif(s.setrole, 0)) AS role, "
    "s.setdatabase <> 0 AS here, c.one AS setting "
    "FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c (one) "
    "WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database "
    "WHERE datname = pg_catalog.current_database())) "
    "AND (s.setrole = 0 OR pg_catalog.pg_get_userbyid(s.setrole) = :role OR s.setrole IN "
    "(SELECT r.oid FROM pg_catalog.pg_roles r, pg_catalog.pg_namespace n "
    "WHERE n.nspname = :schema AND NOT r.rolsuper "
    "AND pg_catalog.pg_has_role(r.oid, n.nspowner, 'MEMBER'))) ORDER BY c.one, 1, 2"
)


def findings(connection: Connection, application: str) -> Iterator[Finding]:
    """What is set for the hub's role, for those who migrate, and for everybody in the database."""
    for role, here, setting in connection.execute(_SET, {"role": application, "schema": SCHEMA}):
        name, _, value = setting.partition("=")
        name, value = name.lower(), value.strip()
        what = f"{name} is set to {word(value)} for {word(role) if role else 'everybody'}."
        if name in _FAULTS and _FAULTS[name](value.lower()):
            yield Finding(what, name, _reset(name, role, here=here))
        elif name in _NOTED and value != _NOTED[name]:
            advice = "Leave it: each session of the hub has its own, and others go by this one."
            yield Finding(what, name, advice, is_fault=False)


def _reset(name: str, role: str | None, *, here: bool) -> str:
    if role is None:
        return f"ALTER DATABASE … RESET {name}."
    return f"ALTER ROLE {quoted(role)} {'IN DATABASE … ' if here else ''}RESET {name}."
