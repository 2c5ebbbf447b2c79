"""Settings that a session at PostgreSQL has, whatever was set for its role or its database.

They are set by its first statement, and not asked for with the connection: a pooler passes that on,
and it comes after what a login trigger does. What an administrator may set for people, a hub would
stop by, or be misled by.
"""

from __future__ import annotations

from collections.abc import Iterator

from sealift_migrations import SCHEMA

TRUSTED = {
    # Temporary tables last, or anybody's would be taken for the hub's (CVE-2018-1058). PostgreSQL's
    # own are first in any case; named, they keep the driver's question for the current schema from
    # making one for temporary tables, where this user may not see ours.
    "search_path": f"pg_catalog, {SCHEMA}, pg_temp",
    "row_security": "off",  # an error, where it would hide rows
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "bytea_output": "hex",
    "timezone": "UTC",
    "client_min_messages": "warning",  # or nobody would hear that a COMMIT was not waited for
}
"""Settings by which every statement of ours means what it says. A login trigger, or a function that
an earlier transaction ran, may have others in force: so each transaction begins with these."""
PATIENT = {
    # Whoever reads may wait in the middle: for S3, a medium, a person. Writers set a limit.
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
}
"""Limits that an administrator may have set for people, and by which a hub would stop."""
_ALIVE = {
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
"""How a server notices that this host is no more."""
_SINCE = {"transaction_timeout": 170_000, "idle_session_timeout": 140_000}
"""The releases that have a setting first."""

UNTIL_COMMITTED = 30.0
"""Seconds that a writer waits for COMMIT; its callers wait as well."""
UNTIL_ALL_COMMITTED = 600.0
"""Seconds that whoever moves or upgrades a database waits: a standby is sent all of it."""


def of_session(release: int) -> Iterator[tuple[str, str]]:
    """Their names and values, of those that the server has."""
    for name, value in {**TRUSTED, **PATIENT, **_ALIVE}.items():
        if release >= _SINCE.get(name, 0):
            yield name, value
