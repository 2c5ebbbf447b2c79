"""What people said and media carry, as a reckoning remembers it: dates, names and versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)
SPAN = timedelta(days=30)
"""Within which of its request an approval counts."""
NEEDED = 2
"""Approvals that production asks for."""


@dataclass(frozen=True)
class Nod:
    """An approval, and until when it is valid."""

    person: str
    made: datetime
    until: datetime


@dataclass(frozen=True)
class Ask:
    """A request, and the withdrawals that it was made despite."""

    number: int
    version: int
    person: str
    made: datetime
    despite: frozenset[str]


@dataclass(frozen=True)
class Withdrawn:
    """The versions that stewards withdrew."""

    id: str
    versions: frozenset[int]
    made: datetime


@dataclass(frozen=True)
class Vouched:
    """A version with the request and the approvals by which it was assigned."""

    version: int
    ask: Ask
    nods: frozenset[Nod]


Given = Mapping[str, tuple[Vouched, ...]]
"""By host group: what should run, and its fallbacks in order."""

Blobs = Mapping[int, frozenset[str]]
"""Digests by the version that consists of them."""


def requested(ask: Ask, active: Iterable[str], now: datetime) -> bool:
    """Whether a request counts: an active person made it, and not in the future."""
    return ask.person in active and ask.made <= now + DAY


def counted(ask: Ask, nods: Iterable[Nod], active: Iterable[str], now: datetime) -> dict[str, Nod]:
    """The approvals that count, one a person, the longest valid; the requester's never does.

    They do that were made within `SPAN` of the request, and not before it but for a day's lead.
    """
    found: dict[str, Nod] = {}
    for nod in sorted(nods, key=lambda one: one.until):
        entitled = nod.person in active and nod.person != ask.person
        timely = ask.made - DAY <= nod.made <= ask.made + SPAN
        if entitled and timely and nod.made <= now + DAY and nod.until > now:
            found[nod.person] = nod
    return found


@dataclass(frozen=True)
class Parcel:
    """A bundle: all that the hub said when it was exported.

    Attributes:
        order: which export of this hub it was; later ones carry higher versions of every role.
        expires: when the first of its roles does.
        horizon: how far root and targets vouch for time.
        site_log: what the hub had of the site's log.
        blobs: what it carries, manifests aside.
    """

    order: int
    transfer: str
    site: str
    enrolment: str
    made: datetime
    expires: datetime
    horizon: datetime
    given: Given
    active: frozenset[str]
    withdrawn: frozenset[Withdrawn]
    recalled: frozenset[int]
    site_log: tuple[str, ...]
    blobs: frozenset[str]


@dataclass(frozen=True)
class Receipt:
    """How long the site's log was when it signed this, and the blobs that it had."""

    size: int
    had: frozenset[str]


@dataclass(frozen=True)
class Homebound:
    """A return: the site's log as it was then, and the transfers it has receipts for."""

    site: str
    enrolment: str
    log: tuple[str, ...]
    first: int
    receipts: Mapping[str, Receipt]
    """By transfer."""
    told: Mapping[str, frozenset[str]]
    """The blobs that an entry of the log says were lost."""
    running: Mapping[str, int]
