"""How an account stands, by the log: rows find accounts and grants, and are not believed.

Each entry that changes what an account is or may do is found by the term `standing`, and they are
folded here, the oldest first. Whoever can write rows and has no key of the log's grants nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from sqlalchemy import Connection, select

from sealift_registry.access import tables
from sealift_registry.access.calling import Grant, Kind, Role
from sealift_registry.trust import signed_log
from sealift_registry.trust.hub import Hub
from sealift_signing.errors import NotFoundError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import NAME

STANDING = "standing"
"""The term by which all that changes an account is found; its value is the account's name."""
ACCOUNT = "account"
"""The term by which all that an account did is found."""

INVITED, RECOVERED, OPENED = "account.invited", "account.recovered", "account.opened"
BOUND, DISABLED = "account.bound", "account.disabled"
PASSWORD = "account.password-changed"  # noqa: S105 - the type of an entry
GRANTED, REVOKED = "right.granted", "right.revoked"
TYPES = (INVITED, RECOVERED, OPENED, PASSWORD, BOUND, DISABLED, GRANTED, REVOKED)
"""The entries that change how an account stands."""


@dataclass(frozen=True)
class Standing:
    """An account, by the log.

    Attributes:
        id: its id.
        name: its name, which nobody else ever gets.
        kind: a person's, or a program's.
        enabled: whether anybody can sign in with it.
        grants: what it was granted, by the ids of the grants.
        person: whose it is by a key that they proved; None while nobody did.
        keyid: of that key.
        invitation: the sha256 of the row of the invitation that waits; None: none does.
        secret: the sha256 of the row of what it signs in with; None: nothing.
        era: changes when all that it signed in with before counts no more.
        invited_by: who invited whoever has it, last.
    """

    id: str
    name: str
    kind: Kind
    enabled: bool = True
    grants: Mapping[str, Grant] = field(default_factory=dict)
    person: str | None = None
    keyid: str | None = None
    invitation: str | None = None
    secret: str | None = None
    era: str = ""
    invited_by: str = ""

    @property
    def words(self) -> str:
        """How it stands, in a word."""
        if not self.enabled:
            return "disabled"
        if self.kind == "service":
            return "open"
        return "open" if self.secret else "invited"

    def after(self, entry: Entry) -> Standing:
        """How it stands after one entry more."""
        said: Mapping[str, Any] = entry.data
        if entry.type == RECOVERED:
            return replace(
                self,
                enabled=True,
                person=None,
                keyid=None,
                invitation=said.get("row"),
                secret=None,
                era=entry.id,
                invited_by=entry.actor,
            )
        if entry.type == OPENED:
            return replace(self, invitation=None, secret=said["row"], era=entry.id)
        if entry.type == PASSWORD:
            return replace(self, secret=said["row"])
        if entry.type == BOUND:
            return replace(self, person=said["person"], keyid=said["keyid"])
        if entry.type == DISABLED:
            return replace(self, enabled=False, invitation=None, era=entry.id)
        grants = dict(self.grants)
        if entry.type == GRANTED:
            grants[said["grant"]] = grant_in(said)
        elif entry.type == REVOKED:
            grants.pop(said["grant"], None)
        return replace(self, grants=grants)


def begun(entry: Entry) -> Standing:
    """An account as it was first invited."""
    said: Mapping[str, Any] = entry.data
    return Standing(
        id=said["account"],
        name=said["name"],
        kind=cast("Kind", said["kind"]),
        grants={one["grant"]: grant_in(one) for one in said["grants"]},
        invitation=said.get("row"),
        era=entry.id,
        invited_by=entry.actor,
    )


def grant_in(said: Mapping[str, Any]) -> Grant:
    """The grant that an entry tells of."""
    return Grant(cast("Role", said["role"]), said.get("team"), said.get("site"))


def folded(entries: Iterable[Entry]) -> Standing | None:
    """How an account stands after these, the oldest first; None where none is of it."""
    found: Standing | None = None
    for one in entries:
        if one.type == INVITED:
            # A name is given once: of a second entry of it, nothing counts.
            found = found or begun(one)
        elif found is not None and one.data.get("account") == found.id:
            found = found.after(one)
    return found


def standing(connection: Connection, name: str) -> Standing | None:
    """How the account of that name stands now; None where there is none.

    Raises:
        FailedError: an entry is not the one that was signed.
    """
    if not NAME.matches(name):
        return None
    found = list(signed_log.every(connection, TYPES, (STANDING, name), b""))
    return folded(reversed(found))


def known(connection: Connection, name: str) -> Standing:
    """As `standing`.

    Raises:
        NotFoundError: there is none of that name.
        FailedError: an entry is not the one that was signed.
    """
    found = standing(connection, name)
    if found is None:
        raise NotFoundError(
            "no-account",
            f"There is no account {name}.",
            subject=name,
            next_step="Those that there are: sealift account list",
        )
    return found


def any_account(hub: Hub) -> bool:
    """Whether anybody has an account yet, or had one.

    Raises:
        FailedError: the database could not be read.
    """
    with hub.reading() as connection:
        return connection.execute(select(tables.account.c.id).limit(1)).first() is not None


def any_administrator(connection: Connection) -> bool:
    """Whether anybody can administer accounts by the server.

    Raises:
        FailedError: an entry is not the one that was signed.
    """
    return any(
        one.enabled and any(grant.spelled == "administrator" for grant in one.grants.values())
        for one in all_standings(connection).values()
    )


def all_standings(connection: Connection) -> dict[str, Standing]:
    """Every account that the log knows, by its name, in order.

    Raises:
        FailedError: an entry is not the one that was signed.
    """
    by_name: dict[str, list[Entry]] = {}
    ids: dict[str, str] = {}
    for one in reversed([under.entry for under in signed_log.entries(connection, *TYPES)]):
        said: Mapping[str, Any] = one.data
        if one.type == INVITED:
            ids.setdefault(said["account"], said["name"])
        by_name.setdefault(ids.get(said["account"], ""), []).append(one)
    found = {name: folded(entries) for name, entries in sorted(by_name.items())}
    return {name: one for name, one in found.items() if one is not None}
