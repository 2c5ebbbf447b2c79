"""Where a hub's database on PostgreSQL is, how it is gone to, and what people are told of that.

What an address leaves out, libpq fills in: from a service file, from PG… variables, from
~/.postgresql. So where a connection goes is asked of libpq itself. The same is then given to it and
told to people; and an address takes no key that would have it mean something else for one of the
three who read it: SQLAlchemy, psycopg and libpq.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from sealift_registry.storage.postgres_finding import Finding
from sealift_signing.drawing import word
from sealift_signing.errors import UsageError
from sealift_signing.errors import shown as quoted

NAMED = "database.url"
"""The setting that an address is from, where nothing else is said."""
UNTIL_ANSWER = 10
"""Seconds until a server that does not answer counts as not reachable."""
LONGEST_ANSWER = 120
"""As many may be asked for: whoever waits for longer waits for something that hangs."""
NEVER_SHOWN = "!password,!md5"
"""As `require_auth`: a server that nobody knows is sent no password, nor what gives it away."""

_WHERE = ("host", "hostaddr", "port")
_PLACES = frozenset({*_WHERE, "target_session_attrs", "load_balance_hosts", "connect_timeout"})
_TLS = frozenset(
    {
        "sslmode",
        "sslnegotiation",
        "sslrootcert",
        "sslcrl",
        "sslcrldir",
        "sslsni",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "gssencmode",
    }
)
_WHO = frozenset(
    {
        "channel_binding",
        "krbsrvname",
        "passfile",
        "require_auth",
        "requirepeer",
        "sslcert",
        "sslcertmode",
        "sslkey",
        "sslpassword",
    }
)
KEYS = _PLACES | _TLS | _WHO
"""What may stand behind the `?` of an address, with libpq's meaning.

Not there: what the part before it says (user, password, dbname), what is Sealift's own (options,
application_name, keepalives …), what psycopg or SQLAlchemy would take for theirs, and `service`,
by which a file elsewhere would say where the address goes.
"""
_VALUES: Mapping[str, tuple[str, ...]] = {
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "load_balance_hosts": ("disable", "random"),
    "sslcertmode": ("disable", "allow", "require"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "sslsni": ("0", "1"),
    "target_session_attrs": (
        "any",
        "read-write",
        "read-only",
        "primary",
        "standby",
        "prefer-standby",
    ),
}
_PORT = "5432"
_LAST_PORT = 65_535
_DIGITS = re.compile(r"[0-9]{1,5}")
_UNREADABLE = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
_HOST_WITH_PORT = re.compile(r"[^:/]*:[0-9]*")
"""A name and a port behind it, which SQLAlchemy would part and libpq would not."""


def parse_url(url: str, named: str = NAMED) -> URL:
    """The server and the database that `url` names.

    Args:
        url: `postgresql://USER@HOST/DATABASE`.
        named: the setting or option that it is from.

    Raises:
        UsageError: it names none, or says something that an address does not say.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername != "postgresql" or not parsed.database:
        raise UsageError(
            "bad-database-url",
            f"{named} is not the address of a PostgreSQL database.",
            subject=named,
            next_step="Write it as postgresql://USER@HOST/DATABASE; a password is better kept "
            "where PostgreSQL's clients look for it (PGPASSFILE).",
        )
    for key, value in parsed.query.items():
        _check_key(parsed, key, value, named)
    _check_characters(parsed, named)
    _check_hosts(_said(parsed).get("host", ""), named)
    _check_ports(parsed, named)
    return _spread(parsed)


def of_argument(url: str, option: str) -> URL:
    """`parse_url`, of an argument: everybody on the machine can read those.

    Raises:
        UsageError: it is no address, or holds a password.
    """
    parsed = parse_url(url, option)
    if parsed.password is not None or "sslpassword" in parsed.query:
        raise UsageError(
            "password-in-argument",
            f"{option} holds a password, which everybody on this machine can read (ps).",
            subject=option,
            next_step="Change that password. Keep it in ~/.pgpass, or in the file that PGPASSFILE "
            "names (mode 0600), or say the whole address in SEALIFT_DATABASE__URL or "
            "SEALIFT_DATABASE__MIGRATOR; and leave it out here.",
        )
    return parsed


def _check_key(url: URL, key: str, value: str | tuple[str, ...], named: str) -> None:
    if key not in KEYS:
        raise UsageError(
            "bad-database-url",
            f"{named} says {quoted(key)}, which is nothing that an address says here.",
            subject=named,
            next_step="Leave it out, or check its spelling. What can be said: "
            f"{', '.join(sorted(KEYS))}.",
        )
    if not isinstance(value, str) or (key == "host" and url.host) or (key == "port" and url.port):
        raise UsageError(
            "bad-database-url",
            f"{named} says {key} more than once.",
            subject=named,
            next_step="Say it once; several hosts as ?host=ONE,OTHER&port=5432,5433.",
        )
    known = _VALUES.get(key)
    if known and value not in known:
        raise UsageError(
            "bad-database-url",
            f"{named} says {quoted(value)} for {key}.",
            subject=named,
            next_step=f"It can be {', '.join(known)}.",
        )
    seconds = int(value) if key == "connect_timeout" and _DIGITS.fullmatch(value) else 0
    if key == "connect_timeout" and not 1 <= seconds <= LONGEST_ANSWER:
        raise UsageError(
            "bad-database-url",
            f"{named} says {quoted(value)} for connect_timeout.",
            subject=named,
            next_step=f"It can be 1 to {LONGEST_ANSWER} seconds.",
        )


def _check_characters(url: URL, named: str) -> None:
    """All of it is read: at a NUL libpq stops, and the rest would not be in force."""
    parts = (url.username, url.password, url.host, url.database, *url.query.values())
    if any(_UNREADABLE.search(str(part)) for part in parts if part is not None):
        raise UsageError(
            "bad-database-url",
            f"{named} holds a character that no address has.",
            subject=named,
            next_step="Write it anew: no name holds a NUL, a line's end or their like (%00, %0A).",
        )


def _check_hosts(hosts: str, named: str) -> None:
    """Each can be looked up: the length of its parts is limited."""
    for host in hosts.split(","):
        try:
            if host[:1] not in {"/", "@"}:
                host.encode("idna")
        except UnicodeError as bad:
            raise UsageError(
                "bad-database-url",
                f"{named} says {quoted(host)}, which no host can be called.",
                subject=named,
                next_step="Check its spelling: between two dots are 1 to 63 letters.",
            ) from bad


def _check_ports(url: URL, named: str) -> None:
    """Each host has a port of its own, or all have one, or none has; and a port is one."""
    said = _said(url)
    hosts, ports = _hosts(said), said.get("port", "").split(",")
    fits = len(ports) in {1, len(hosts)}
    several = url.port is not None and len(hosts) > 1  # the last one's to libpq, else everybody's
    if (
        not fits
        or several
        or not all(map(_is_port, ports))
        or any(_HOST_WITH_PORT.fullmatch(host) for host in hosts)
    ):
        raise UsageError(
            "bad-database-url",
            f"{named} says no port that its hosts could have.",
            subject=named,
            next_step="Write it as postgresql://USER@HOST:PORT/DATABASE with a port from 1 to "
            "65535; several hosts as ?host=ONE,OTHER&port=5432,5433.",
        )


def _is_port(port: str) -> bool:
    return not port or bool(_DIGITS.fullmatch(port) and 1 <= int(port) <= _LAST_PORT)


def _hosts(said: Mapping[str, str]) -> list[str]:
    """The names that are gone to, in their order; an empty one where only an address is said."""
    return (said.get("host") or "," * said.get("hostaddr", "").count(",")).split(",")


def _spread(url: URL) -> URL:
    """`url` with several hosts behind its `?`, and the port that they share as each one's.

    To libpq it is the same; SQLAlchemy takes no other.
    """
    said = _said(url)
    hosts, ports = _hosts(said), said.get("port", "").split(",")
    if len(hosts) == 1 or ("host" not in said and len(ports) == 1):
        return url
    query = {**url.query, "host": ",".join(hosts)}
    if "port" in said:
        query["port"] = ",".join(ports * len(hosts) if len(ports) == 1 else ports)
    name, user, password = url.drivername, url.username, url.password
    return URL.create(name, user, password, None, None, url.database, query)


def _said(url: URL) -> dict[str, str]:
    """What an address says of its own, as libpq calls it; of user and database nothing."""
    parts = {"host": url.host, "port": str(url.port) if url.port is not None else None}
    return {key: value for key, value in parts.items() if value} | {
        key: value for key, value in url.query.items() if isinstance(value, str) and value
    }


def in_force(url: URL) -> dict[str, str]:
    """What libpq goes by: what `url` says, else a service file, variables, and its own defaults.

    The mode of TLS is not libpq's default, by which a password is asked for in the clear by whoever
    is between: over a network, and wherever `url` names a root certificate, it is ours.
    """
    found = _filled_in() | _said(url)
    if not _is_mode_said(url):
        root = _root_certificate(found)
        if "sslrootcert" in url.query or (root and not _is_local(found)):
            found["sslmode"] = "verify-full"
        elif not _is_local(found):
            found["sslmode"] = "require"
    if found.get("sslmode") == "require" and _root_certificate(found):
        # What libpq makes of it where the file is there; else it would verify nobody, and go on.
        found["sslmode"] = "verify-ca"
    if "require_auth" not in found and not _is_verified(found):
        found["require_auth"] = NEVER_SHOWN
    return found


def _filled_in() -> dict[str, str]:
    """What libpq takes where an address says nothing.

    Raises:
        UsageError: a variable names what can be no host or port.
    """
    from psycopg import pq

    every = {one.keyword: one.val for one in pq.Conninfo.get_defaults() if one.val}
    found = {key.decode(): value.decode("utf-8", "replace") for key, value in every.items()}
    _check_hosts(found.get("host", ""), "PGHOST")
    if not all(map(_is_port, found.get("port", "").split(","))):
        raise UsageError(
            "bad-database-url",
            f"PGPORT says {quoted(found['port'])}, which is no port.",
            subject="PGPORT",
            next_step="Unset it, or say a port from 1 to 65535.",
        )
    return found


def _is_mode_said(url: URL) -> bool:
    """Whether somebody chose the mode of TLS: in the address, a variable or a service file."""
    from psycopg import pq

    if "sslmode" in _said(url) or os.environ.get("PGSSLMODE"):
        return True
    return any(
        one.keyword == b"sslmode" and one.val != one.compiled for one in pq.Conninfo.get_defaults()
    )


def _root_certificate(found: Mapping[str, str]) -> bool:
    """Whether it is said, or kept where libpq looks, whose certificates are trusted."""
    if "sslrootcert" in found:
        return True
    try:
        return (Path.home() / ".postgresql/root.crt").exists()
    except (OSError, RuntimeError):  # a home that is none of ours, or none at all
        return False


def _is_local(found: Mapping[str, str]) -> bool:
    """Whether no network lies between: each host is a socket's folder, or this machine's own.

    A name that is looked up elsewhere than told (`hostaddr`) is what it is called.
    """
    named = [found[key] for key in ("host", "hostaddr") if found.get(key)]
    return all(is_near(one) for each in named for one in each.split(","))


def is_near(host: str) -> bool:
    """Whether a host is a socket's folder, or this machine's own by name or address."""
    if host[:1] in {"", "/", "@"} or host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_verified(found: Mapping[str, str]) -> bool:
    """Whether the server shows that it is the one that is meant, before it is told anything."""
    if found.get("channel_binding") == "require":  # it knows what is kept of the password
        return True
    by_tls = found.get("sslmode") in {"verify-ca", "verify-full"}
    # By a socket there is no TLS, whatever the mode; but the kernel says who is at its other end.
    by_kernel = bool(found.get("requirepeer")) and not found.get("hostaddr")
    hosts = found.get("host", "").split(",")
    return all(by_kernel if one[:1] in {"", "/", "@"} else by_tls for one in hosts)


def connecting(url: URL) -> dict[str, Any]:
    """How a connection to `url` is made, as the driver has it: all that it would else fill in."""
    found = in_force(url)
    ours = {key: found[key] for key in (*_WHERE, "sslmode", "require_auth") if key in found}
    seconds = found.get("connect_timeout", "")
    chosen = int(seconds) if _DIGITS.fullmatch(seconds) and int(seconds) else UNTIL_ANSWER
    return {**ours, "connect_timeout": min(chosen, LONGEST_ANSWER)}


def shown(url: URL) -> str:
    """`url` as people are told: with the hosts that are gone to, and without what is secret."""
    found = in_force(url)
    hosts, ports, address = (found.get(key, "") for key in ("host", "port", "hostaddr"))
    usual = {*ports.split(","), _filled_in().get("port", _PORT)} <= {_PORT, ""}
    port = "" if usual else ports
    more = {}
    if hosts[:1] in {"", "/", "@"} or "," in f"{hosts}{ports}":
        more = {"host": hosts, "port": port}
        hosts = port = ""
    if address:
        more["hostaddr"] = address
    bare = URL.create(
        "postgresql",
        url.username or found.get("user"),
        None,
        hosts or None,
        int(port) if port else None,
        url.database,
    )
    query = "&".join(f"{key}={value}" for key, value in more.items() if value)
    return bare.render_as_string() + (f"?{query}" if query else "")


def noted(url: URL) -> str:
    """`url` as it may be kept: all but what is secret, with the hosts gone to, and as whom.

    Whoever reads it elsewhere has other variables.
    """
    found, said = in_force(url), _said(url)
    kept = {name: value for name, value in url.query.items() if "password" not in name}
    for key in _WHERE:
        if key not in said and found.get(key, _PORT) != _PORT:
            kept[key] = found[key]
    user = url.username or found.get("user")
    bare = URL.create("postgresql", user, None, url.host, url.port, url.database, kept)
    return _spread(bare).render_as_string()


_GSS = text(
    "SELECT encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_catalog.pg_backend_pid()"
)


def way(connection: Connection) -> Iterator[Finding]:
    """What is wrong with the way to the server: what others could read, or who they could be.

    Whether a connection is by TLS is asked of libpq. The server, or who pretends to be it, could
    say anything; and what a pooler says is of its own way. What somebody chose in so many words
    (`sslmode=disable`, `sslmode=require`) is no finding.
    """
    url = connection.engine.url
    found = in_force(url)
    reached = cast("Any", connection.connection.driver_connection).pgconn
    host = reached.host.decode()
    if is_near(host):
        return
    chosen = found["sslmode"] if _is_mode_said(url) else ""
    if not reached.ssl_in_use:
        if chosen != "disable" and not connection.execute(_GSS).scalar():
            what = f"The connection to {word(host)} is over a network, and without TLS."
            advice = f"Leave sslmode={chosen} out of its address, and of PGSSLMODE."
            yield Finding(what, "sslmode", advice)
    elif not _is_verified(found) and chosen != "require":
        what = f"Whether {word(host)} is the server that is meant, nothing shows: its certificate "
        yield Finding(
            what + "is not verified.",
            "sslrootcert",
            "Name the certificate of whoever signed it, by sslrootcert=FILE in its address, "
            "PGSSLROOTCERT or ~/.postgresql/root.crt. Where there is none: channel_binding=require "
            "for a password that is kept by scram-sha-256, or sslmode=require to leave it so.",
        )
