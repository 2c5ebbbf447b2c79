"""Who asks, and what about: what a request is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from sealift_signing.errors import UsageError, shown
from sealift_signing.vocabulary import NAME

Role = Literal["viewer", "publisher", "auditor", "operator", "administrator"]
Kind = Literal["person", "service"]
Way = Literal["browser", "desk", "token"]

ROLES: tuple[Role, ...] = get_args(Role)
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Where:
    """What something is about; all None: the hub as a whole.

    Attributes:
        team: the team whose it is.
        site: the site that it is about.
        owner: the id of the account whose own thing it is: a job, a token, a session, an upload.
    """

    team: str | None = None
    site: str | None = None
    owner: str | None = None


HUB = Where()
"""The hub as a whole."""


@dataclass(frozen=True)
class Grant:
    """A role that somebody was given: for the hub as a whole, or for one team or site."""

    role: Role
    team: str | None = None
    site: str | None = None

    def covers(self, where: Where) -> bool:
        """Whether it reaches so far: what is limited reaches nothing that is of no team or site."""
        return self.team in {None, where.team} and self.site in {None, where.site}

    def __str__(self) -> str:
        """In words: `viewer`, `publisher of team vision`, `auditor of site plant-7`."""
        limit = f" of team {self.team}" if self.team else ""
        return f"{self.role}{limit}" + (f" of site {self.site}" if self.site else "")

    @property
    def spelled(self) -> str:
        """As it is written: `viewer`, `publisher:team=vision`, `viewer:team=vision,site=x`."""
        limits = [f"team={self.team}"] * bool(self.team) + [f"site={self.site}"] * bool(self.site)
        return self.role + (f":{','.join(limits)}" if limits else "")

    @classmethod
    def parse(cls, text: str) -> Grant:
        """The grant that is spelled so.

        Raises:
            UsageError: none is.
        """
        role, colon, rest = text.partition(":")
        pairs = [one.partition("=") for one in rest.split(",")] if colon else []
        limits = {name: value for name, _, value in pairs}
        right = all(name in {"team", "site"} and NAME.matches(value) for name, _, value in pairs)
        if role not in ROLES or not right or len(limits) != len(pairs):
            raise UsageError(
                "bad-grant",
                f"{shown(text)} is no role that is granted.",
                subject=text,
                next_step=f"There are: {', '.join(ROLES)}; for one team or site alone, such as "
                "publisher:team=vision. What people sign is never granted.",
            )
        return cls(role, limits.get("team"), limits.get("site"))


@dataclass(frozen=True)
class Caller:
    """Somebody who is signed in.

    Attributes:
        account: its id, which stays the same.
        name: what it is called, as the log names it.
        kind: a person's, or a program's.
        person: whose it is by a key that they proved; None while nobody did.
        by: how it is signed in.
        credential: the id of the session, or of the token.
        grants: what it was granted, by the log.
        keyid: the id of that key.
        scopes: of a token: the actions that it is for; None: all that the account may.
        csrf: of a browser's session: what a page must send besides; else empty.
    """

    account: str
    name: str
    kind: Kind
    person: str | None
    by: Way
    credential: str
    grants: frozenset[Grant]
    scopes: frozenset[str] | None = None
    csrf: str = ""
    keyid: str | None = None


@dataclass(frozen=True)
class Held:
    """What somebody may sign, as rights go by it: from verified documents, asked anew each time.

    Attributes:
        teams: of which they are a member or a steward.
        sites: of which they are a dispatcher.
        fleet: whether they administer the fleet.
        any: whether they hold any office at all.
    """

    teams: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    fleet: bool = False
    any: bool = False


NOTHING = Held()


@dataclass(frozen=True)
class Reach:
    """How far an action goes for somebody: of a list, they see the rows that are within it.

    Attributes:
        everything: no row is left out.
        teams: whose rows they see, where not everything.
        sites: likewise.
        all_sites: they see the rows of every site.
        owner: the account whose own rows they see besides; None: that does not count.
    """

    everything: bool = False
    teams: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    owner: str | None = None
    all_sites: bool = False
