"""Whether the rows of accounts say what the log says of them.

The log decides who may do what. A row that it does not know lets nobody in, and is named here, as
somebody put it there; one that is missing keeps somebody out whom the log lets in. Sessions and
invitations that are over may have no row any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from sealift_registry.access import rows, sessions, standing, tables, tokens
from sealift_registry.access.standing import Standing
from sealift_registry.storage.queries import all_rows
from sealift_registry.trust import signed_log
from sealift_signing import shape
from sealift_signing.drawing import word
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.verdict import LogFault, apart

AnyRow = Row[tuple[Any, ...]]
Known = Mapping[str, Standing]
"""The accounts that the log knows, by their ids."""


def check(connection: Connection) -> Iterator[LogFault]:
    """Every row of accounts that the log knows otherwise."""
    known: dict[str, Standing] = {}
    yield from apart("What the log says of accounts", _read(connection, known))
    digests: dict[str, str | None] = {}
    yield from apart("What the log says of sessions", _opened(connection, digests))
    parts: dict[Table, Callable[[], Iterator[LogFault]]] = {
        tables.account: partial(_accounts, connection, known),
        tables.account_grant: partial(_grants, connection, known),
        tables.account_secret: partial(_secrets, connection, known),
        tables.invitation: partial(_invitations, connection, known),
        tables.session: partial(_shown, connection, tables.session, digests),
        tables.api_token: partial(_shown, connection, tables.api_token, digests),
    }
    for table, one in parts.items():
        yield from apart(f"The rows of {table.name}", one())


def _read(connection: Connection, known: dict[str, Standing]) -> Iterator[LogFault]:
    for one in standing.all_standings(connection).values():
        known[one.id] = one
    yield from ()


def _opened(connection: Connection, digests: dict[str, str | None]) -> Iterator[LogFault]:
    """The sha256 of the row of each session and token, by its id; None: it ended."""
    types = (*sessions.TYPES, tokens.TOKEN_MADE, tokens.REVOKED)
    for entry in signed_log.oldest_first(connection, *types):
        said: Mapping[str, Any] = entry.data
        name = said.get("session") or said.get("token")
        if name is not None:
            digests[str(name)] = said.get("row")
        digests.update(dict.fromkeys(said.get("ended", ())))
    yield from ()


def _all(connection: Connection, table: Table) -> Iterator[AnyRow]:
    return all_rows(connection, select(table).order_by(*table.primary_key))


def _accounts(connection: Connection, known: Known) -> Iterator[LogFault]:
    missing = set(known)
    for row in _all(connection, tables.account):
        missing.discard(row.id)
        what = f"he account {word(row.name)}"
        if row.id not in known:
            yield _unknown(f"T{what}")
        elif (known[row.id].name, known[row.id].kind) != (row.name, row.kind):
            yield _otherwise(f"t{what}")
    for lost in sorted(missing):
        yield _missing(f"The account {word(known[lost].name)}")


def _grants(connection: Connection, known: Known) -> Iterator[LogFault]:
    said = {
        name: (of.id, one.role, one.team, one.site)
        for of in known.values()
        for name, one in of.grants.items()
    }
    missing = set(said)
    for row in _all(connection, tables.account_grant):
        missing.discard(row.id)
        what = f"he grant {word(row.id)}"
        if row.id not in said:
            yield _unknown(f"T{what}")
        elif said[row.id] != (row.account, row.role, row.team, row.site):
            yield _otherwise(f"t{what}")
    for lost in sorted(missing):
        yield _missing(f"The grant {word(lost)}")


def _secrets(connection: Connection, known: Known) -> Iterator[LogFault]:
    missing = {name for name, of in known.items() if of.secret is not None}
    for row in _all(connection, tables.account_secret):
        missing.discard(row.account)
        of = known.get(row.account)
        if of is None or not rows.is_so(bytes(row.body), of.secret):
            yield _unknown(f"What the account {word(row.account)} signs in with")
    for lost in sorted(missing):
        yield _missing(f"What the account {word(known[lost].name)} signs in with")


def _invitations(connection: Connection, known: Known) -> Iterator[LogFault]:
    for row in _all(connection, tables.invitation):
        of = known.get(row.account)
        if of is None or not _is_so(row, rows.InvitationRow, of.invitation):
            yield _unknown(f"The invitation {word(row.id)}")


def _shown(
    connection: Connection, table: Table, digests: Mapping[str, str | None]
) -> Iterator[LogFault]:
    kind = rows.SessionRow if table is tables.session else rows.TokenRow
    what = "session" if table is tables.session else "token"
    for row in _all(connection, table):
        if not _is_so(row, kind, digests.get(row.id)):
            yield _unknown(f"The {what} {word(row.id)}")


def _is_so(row: AnyRow, kind: type[Any], digest: str | None) -> bool:
    """Whether a row holds what an entry named, and is found by what that says."""
    if not rows.is_so(bytes(row.body), digest):
        return False
    try:
        one = shape.read(kind, bytes(row.body), what="it")
    except SealiftError:
        return False
    return (one.id, one.secret, one.account) == (row.id, row.secret, row.account)


def _unknown(what: str) -> LogFault:
    sentence = f"{what} is in the database, and no entry of the log says so."
    return LogFault("row-not-logged", sentence, None)


def _otherwise(what: str) -> LogFault:
    return LogFault("row-differs", f"The log says otherwise of {what} than its row does.", None)


def _missing(what: str) -> LogFault:
    return LogFault("row-missing", f"{what} is in the log, and has no row.", None)
