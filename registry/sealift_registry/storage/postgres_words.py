"""What PostgreSQL's errors mean to whoever runs a hub, by SQLSTATE (PostgreSQL, Appendix A)."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from sealift_registry.storage import database
from sealift_signing.errors import FailedError

DISK_FULL = "53100"
ADDRESS = "its address (database.url, or the option that names it)"
"""How people are told where to look: an error does not know what the address came from."""


def state(error: BaseException) -> str:
    """The SQLSTATE of an error of the driver; empty where the server said none."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def told(error: DBAPIError, where: str) -> FailedError:
    """An error of the driver in words; `where` names the database."""
    found = state(error)
    reason = _reason(str(error.orig))
    if found == DISK_FULL:
        return database.full(where)
    words = _STATES.get(found) or _CLASSES.get(found[:2]) or (None if found else _at_login(reason))
    if words is None and (error.connection_invalidated or not found):
        words = _unreachable
    return (words or _unreadable)(where, reason)


_TRIED = re.compile(r"(?m)^- host: .*?, port: .*?, hostaddr: [^:]*?(?:'[^']*')?: ")
"""What psycopg puts before the words of each address that it tried, one line each."""

_ASIDE = re.compile(r"\t|[ ^]*$|LINE [0-9]+: |Either provide the file")
"""Lines that ask, point into a statement of ours, or advise: the next step does that."""


def _reason(said: str) -> str:
    """What the driver said, as one line: each place that was tried once, its questions not at all.

    libpq has a line for each try, and a question behind it; psycopg begins the whole with the last
    of them, and each with words of its own.
    """
    _, several, tries = said.partition("Multiple connection attempts failed.")
    lines = _TRIED.sub("", tries.partition("\n")[2] if several else said).splitlines()
    whole = (line for line in lines if not _ASIDE.match(line))
    bare = (re.sub(r"^connection (failed|is bad): ", "", " ".join(one.split())) for one in whole)
    return "; ".join(one.rstrip(".") for one in dict.fromkeys(bare))


def replica(where: str) -> FailedError:
    """The error for a server that takes no writes; `where` names the database."""
    return FailedError(
        "database-read-only",
        f"The database {where} can only be read, for it is a replica, or is being restored: it is "
        "in recovery.",
        subject=where,
        next_step=f"Name the server that takes writes in {ADDRESS}. What only reads works here.",
    )


def only_read(where: str) -> FailedError:
    """The error for a session that is told to write nothing, at a server that is no replica."""
    return _read_only(where, "default_transaction_read_only is on")


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
        next_step="Run the command again once it is back: nothing has to be restarted here. If it "
        f"never was there, check host and port in {ADDRESS}.",
    )


def _login(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-login",
        f"The database {where} does not let this user in: {reason}.",
        subject=where,
        next_step=f"Check the user in {ADDRESS}, and its password or certificate where "
        "PostgreSQL's clients look for them (PGPASSFILE, PGSSLCERT). Where it says no encryption, "
        "the server may let in only who speaks TLS: leave sslmode out, or say sslmode=require. "
        "Or the hub was moved, and this place closed: ask where it is (docs/how-to/move-a-hub.md).",
    )


def _no_login(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-login",
        f"The database {where} does not let this user in: {reason}.",
        subject=where,
        next_step="Its administrator took LOGIN from this role; was the hub moved? Then name where "
        f"it went in {ADDRESS} (docs/how-to/move-a-hub.md). Else have the role given LOGIN.",
    )


def _no_host(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-no-host",
        f"The database {where} is on a host that is not known here: {reason}.",
        subject=where,
        next_step=f"Check the host in {ADDRESS}. If it is right, a name server does not answer, or "
        "the container of that name does not run.",
    )


def _no_tls(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-no-tls",
        f"The database {where} is asked for nothing without TLS: {reason}.",
        subject=where,
        next_step="Have ssl = on set there, with a certificate. Where nobody else can be in the "
        f"network between, say ?sslmode=disable in {ADDRESS}.",
    )


def _untrusted(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-untrusted",
        f"Whether the server is that of the database {where} is not shown: {reason}.",
        subject=where,
        next_step="Name the certificate of whoever signed the server's, by sslrootcert=FILE in "
        "its address, PGSSLROOTCERT or ~/.postgresql/root.crt. If that is named, and is the right "
        "one, somebody else may have answered.",
    )


def _unbound(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-untrusted",
        f"Whether the server is that of the database {where} is not shown: {reason}.",
        subject=where,
        next_step="By channel_binding=require it shows that it knows the password, which needs TLS "
        "and a password that is kept by scram-sha-256. Set it anew so; or verify the server by "
        "sslrootcert=FILE in its address, and leave channel_binding out.",
    )


def _other_peer(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-untrusted",
        f"Whether the server is that of the database {where} is not shown: {reason}.",
        subject=where,
        next_step="Say in its address, by requirepeer=USER, as whom the server runs on this "
        "machine (PGREQUIREPEER says it, too). If that is right, somebody else has answered.",
    )


def _other_name(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-other-name",
        f"The server of the database {where} has the certificate of another: {reason}.",
        subject=where,
        next_step=f"Name the host in {ADDRESS} as its certificate does, or have one made that has "
        "this name. If neither is meant, somebody else may have answered.",
    )


def _tls(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-tls",
        f"With the database {where} no TLS could be agreed on: {reason}.",
        subject=where,
        next_step="Check the client's certificate and key (PGSSLCERT, PGSSLKEY; the key closed to "
        "others), and what the server takes (ssl_ca_file, ssl_min_protocol_version).",
    )


def _open_password(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-open-password",
        f"The database {where} asks for the password in a way that whoever pretends to be it "
        f"could use, and it is not verified: {reason}.",
        subject=where,
        next_step="Have the password kept by scram-sha-256 (set it anew, with "
        "password_encryption = 'scram-sha-256' and that method in pg_hba.conf). Or have the server "
        "verified: sslrootcert=FILE in its address, or on a socket requirepeer=USER, as whom the "
        "server runs. Or say in it which way is meant: require_auth=md5, or require_auth=password.",
    )


def _parameter(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-parameter",
        f"The database {where} cannot be gone to as it was said: {reason}.",
        subject=where,
        next_step=f"Check {ADDRESS}, the variables that begin with PG, and the service file.",
    )


def pooler(where: str, reason: str) -> FailedError:
    """The error for a pooler that lets nobody in who brings settings: by PGOPTIONS, not by us."""
    return FailedError(
        "database-pooler",
        f"What stands in front of the database {where} takes no settings: {reason}.",
        subject=where,
        next_step=f"Leave PGOPTIONS unset, or name the server itself in {ADDRESS}. Or have the "
        "pooler let in who brings settings (PgBouncer's ignore_startup_parameters = options), and "
        "give each connection a session of its own (pool_mode = session), which locks need.",
    )


def _missing(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-missing",
        f"The database {where} is not there: {reason}.",
        subject=where,
        next_step=f"Check its name in {ADDRESS}. Its administrator sets it up: sealift db init",
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


def _unconfirmed(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-unconfirmed",
        f"The database {where} may have what was written, and did not confirm that it is kept: "
        f"{reason}.",
        subject=where,
        next_step="Have its administrator see whether the standby that synchronous_standby_names "
        "names is there. Look what was done before you repeat it.",
    )


def _locked(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-locked",
        f"The database {where} is kept locked by somebody who changes it: {reason}.",
        subject=where,
        next_step="Run the command again when the upgrade, or whoever works there, is done. "
        "Whether it waits for a standby that is gone, this says: sealift db check",
    )


def _read_only(where: str, reason: str) -> FailedError:
    return FailedError(
        "database-read-only",
        f"The database {where} lets this user only read: {reason}.",
        subject=where,
        next_step="Whether default_transaction_read_only is set, and for whom, or whether it is a "
        "replica, this says: sealift db check",
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
    "40003": _unconfirmed,  # statement_completion_unknown
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
    ("failed to resolve host|could not translate host name", _no_host),
    ("server does not support SSL", _no_tls),
    ("certificate for .* does not match host name", _other_name),
    ("certificate verify failed|root certificate", _untrusted),
    ("channel binding (is )?required", _unbound),
    ("requirepeer", _other_peer),
    ("SSL error: (?!unexpected eof)|private key|certificate file", _tls),
    ("authentication method requirement .* failed", _open_password),
    ("could not parse network address|could not match .* host", _parameter),
    ("host name must be specified for a verified SSL|weak sslmode", _parameter),
    ('invalid .* value|invalid connection option|service (file )?".*" not found', _parameter),
    ("unsupported startup parameter", pooler),
    ("FATAL: +(sorry, )?too many (connections|clients)", _too_many),
    ("FATAL: +remaining connection slots", _too_many),
    ('FATAL: +database ".*" does not exist', _missing),
    ('FATAL: +role ".*" is not permitted to log in', _no_login),
    ('FATAL: +role ".*" does not exist', _login),
    ("FATAL: +(password|.*) authentication failed", _login),
    ("FATAL: +no pg_hba.conf entry|no password supplied", _login),
    ("FATAL: +permission denied for database", _login),
)
_CLASSES: dict[str, _Words] = {
    "08": _unreachable,  # connection exceptions
    "40": _cancelled,  # transaction rollback
}
