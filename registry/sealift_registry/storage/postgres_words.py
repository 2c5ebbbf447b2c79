"""What PostgreSQL's errors mean to whoever runs a hub, by SQLSTATE (PostgreSQL, Appendix A)."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from sealift_registry.storage import database
from sealift_signing.errors import FailedError

DISK_FULL = "53100"


def state(error: BaseException) -> str:
    """The SQLSTATE of an error of the driver; empty where the server said none."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def told(error: DBAPIError, where: str) -> FailedError:
    """An error of the driver in words; `where` names the database."""
    found = state(error)
    reason = " ".join(str(error.orig).split()).rstrip(".")
    if found == DISK_FULL:
        return database.full(where)
    words = _STATES.get(found) or _CLASSES.get(found[:2]) or (None if found else _at_login(reason))
    if words is None and (error.connection_invalidated or not found):
        words = _unreachable
    return (words or _unreadable)(where, reason)


def replica(where: str) -> FailedError:
    """The error for a server that takes no writes; `where` names the database."""
    return _read_only(where, "it is in recovery")


def not_origin(where: str, role: str) -> FailedError:
    """The error for a session whose keys are not enforced."""
    return FailedError(
        "database-keys-off",
        f"The database {where} enforces no keys: session_replication_role is {role}.",
        subject=where,
        next_step="Have its administrator find out who set it, for this role, this database or in "
        "a login trigger.",
    )


def _unreachable(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-unreachable",
        f"The database {where} cannot be reached: {reason}.",
        subject=where,
        next_step="Run the command again once it is back: nothing has to be restarted here.",
    )


def _login(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-login",
        f"The database {where} does not let this user in: {reason}.",
        subject=where,
        next_step="Check the user in database.url, and its password or certificate where "
        "PostgreSQL's clients look for them (PGPASSFILE, PGSSLCERT).",
    )


def _missing(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-missing",
        f"The database {where} is not there: {reason}.",
        subject=where,
        next_step="Check its name in database.url. Its administrator sets it up: sealift db init",
    )


def _too_many(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-too-many",
        f"The database {where} takes no more connections: {reason}.",
        subject=where,
        next_step="Try again in a moment; if it stays so, have max_connections raised, or run "
        "fewer processes.",
    )


def _cancelled(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-cancelled",
        f"The database {where} ended what it was asked, and undid it: {reason}.",
        subject=where,
        next_step="Run the command again; if it stays so, ask its administrator what it waits for.",
    )


def _locked(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-locked",
        f"The database {where} is kept locked by somebody who changes it: {reason}.",
        subject=where,
        next_step="Run the command again when the upgrade, or whoever works there, is done.",
    )


def _read_only(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-read-only",
        f"The database {where} can only be read, as a replica can: {reason}.",
        subject=where,
        next_step="Name the server that takes writes in database.url. What only reads works here.",
    )


def _not_allowed(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-not-allowed",
        f"The database {where} does not allow this user what the hub needs: {reason}.",
        subject=where,
        next_step="See what is missing with: sealift db check",
    )


def _no_table(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-no-table",
        f"The database {where} lacks what a hub keeps: {reason}.",
        subject=where,
        next_step="See what is missing with: sealift db check",
    )


def _unreadable(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-unreadable",
        f"The database {where} could not be read or written: {reason}.",
        subject=where,
        next_step="Ask its administrator, and see what is wrong with: sealift db check",
    )


def _at_login(reason: str) -> _Words | None:
    """What a server says that lets nobody in: libpq passes its words on, and no SQLSTATE.

    A server that speaks another language than English is quoted as one that cannot be reached.
    """
    return next((words for said, words in _AT_LOGIN if re.search(said, reason)), None)


_Words = Callable[[str, str], FailedError]
_STATES: dict[str, _Words] = {
    "57P01": _unreachable,  # admin_shutdown
    "57P02": _unreachable,  # crash_shutdown
    "57P03": _unreachable,  # cannot_connect_now
    "28P01": _login,  # invalid_password
    "28000": _login,  # invalid_authorization_specification
    "3D000": _missing,  # invalid_catalog_name
    "53300": _too_many,  # too_many_connections
    "57014": _cancelled,  # query_canceled
    "25P03": _cancelled,  # idle_in_transaction_session_timeout
    "25P04": _cancelled,  # transaction_timeout
    "55P03": _locked,  # lock_not_available
    "25006": _read_only,  # read_only_sql_transaction
    "42501": _not_allowed,  # insufficient_privilege
    "42P01": _no_table,  # undefined_table
    "3F000": _no_table,  # invalid_schema_name
}
_AT_LOGIN: tuple[tuple[str, _Words], ...] = (
    ("FATAL: +(sorry, )?too many (connections|clients)", _too_many),
    ("FATAL: +remaining connection slots", _too_many),
    ('FATAL: +database ".*" does not exist', _missing),
    ('FATAL: +role ".*" (does not exist|is not permitted to log in)', _login),
    ("FATAL: +(password|.*) authentication failed", _login),
    ("FATAL: +no pg_hba.conf entry|no password supplied", _login),
    ("FATAL: +permission denied for database", _login),
)
_CLASSES: dict[str, _Words] = {
    "08": _unreachable,  # connection exceptions
    "40": _cancelled,  # transaction rollback
}
