"""What must come of the hub, reckoned from who did what: nothing here asks the product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.journeys.said import (
    DAY,
    NEEDED,
    SPAN,
    Ask,
    Given,
    Homebound,
    Nod,
    Parcel,
    Receipt,
    Vouched,
    Withdrawn,
    counted,
    requested,
)

LONGEST = timedelta(days=365)
RENEWABLE = timedelta(days=60)
MOST_KEPT = 3
FRESHNESS = 30
RENEW_WITHIN = timedelta(days=45)
LIFETIMES = {"targets": 365, "fleet": 365, "recall": 90, "team": 180, "site": 90, "catalog": 90}


@dataclass
class SiteAtHub:
    """What the hub knows of a site: of this enrolment, only what came home."""

    enrolment: str
    given: Given = field(default_factory=dict)
    expires: datetime | None = None
    log: tuple[str, ...] = ()
    running: Mapping[str, int] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    told: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def holds(self) -> frozenset[str]:
        """The blobs that the site has, as it said itself."""
        newest = max(self.receipts.values(), key=lambda one: one.size, default=None)
        if newest is None:
            return frozenset()
        since = (self.told.get(entry, frozenset[str]()) for entry in self.log[newest.size :])
        return newest.had.difference(*since)

    def refusal(self, home: Homebound) -> str:
        """Why a return is refused, in a word; empty if it is not."""
        if home.enrolment != self.enrolment:
            return "another-enrolment"
        shorter = min(len(home.log), len(self.log))
        if home.log[:shorter] != self.log[:shorter]:
            return "log-not-continued"
        return ""

    def receive(self, home: Homebound) -> tuple[set[str], int]:
        """Believe a return: the transfers whose receipts are new, and how many entries are."""
        new = set(home.receipts) - set(self.receipts)
        entries = max(0, len(home.log) - len(self.log))
        self.receipts |= home.receipts
        self.told |= home.told
        if entries:
            self.log, self.running = home.log, home.running
        return new, entries


@dataclass
class HubReckoning:
    """The hub, its people, and what they signed."""

    now: datetime
    expires: dict[str, datetime]
    """When each role that people sign does, and `catalog`."""
    active: set[str]
    asks: dict[int, Ask] = field(default_factory=dict)
    nods: dict[int, list[Nod]] = field(default_factory=dict)
    listed: set[int] = field(default_factory=set)
    withdrawn: dict[str, Withdrawn] = field(default_factory=dict)
    recalled: set[int] = field(default_factory=set)
    sites: dict[str, SiteAtHub] = field(default_factory=dict)
    transfers: list[str] = field(default_factory=list)

    def signed(self, role: str) -> None:
        """A role was signed now, for as long as its kind is."""
        until = self.now + timedelta(days=LIFETIMES[role])
        self.expires[role] = until.replace(microsecond=0)

    def ask(self, version: int, person: str, *, despite: bool) -> bool:
        """Make a request; whether the hub may take it."""
        if person not in self.active:
            return False
        number = len(self.asks) + 1
        named = frozenset(self.withdrawn) if despite else frozenset[str]()
        self.asks[number] = Ask(number, version, person, self.now, named)
        self.nods[number] = []
        return True

    def nod(self, number: int, person: str, until: datetime) -> bool:
        """Approve; whether the hub may take it."""
        ask, nods = self.asks[number], self.nods[number]
        if not requested(ask, self.active, self.now):
            return False
        if person not in self.active or person == ask.person:
            return False
        if not ask.made - DAY <= self.now <= ask.made + SPAN:
            return False
        before = counted(ask, nods, self.active, self.now).get(person)
        if before and (before.until - self.now > RENEWABLE or before.until >= until):
            return False
        nods.append(Nod(person, self.now, until))
        enough = len(counted(ask, nods, self.active, self.now)) >= NEEDED
        if enough and number not in self.listed:
            self.listed.add(number)
            self.signed("catalog")
        return True

    def withdraw(self, versions: Iterable[int]) -> str:
        """Withdraw versions, now; the withdrawal's id."""
        name = f"w-{len(self.withdrawn) + 1}"
        self.withdrawn[name] = Withdrawn(name, frozenset(versions), self.now)
        self.signed("team")
        return name

    def vouched(self, version: int) -> Vouched | None:
        """A version with the newest promotion that still vouches for it."""
        for number in sorted(self.listed, reverse=True):
            ask = self.asks[number]
            if ask.version != version or not requested(ask, self.active, self.now):
                continue
            nods = counted(ask, self.nods[number], self.active, self.now)
            if len(nods) >= NEEDED:
                return Vouched(version, ask, frozenset(nods.values()))
        return None

    def goes_back(self, site: str, group: str, version: int) -> bool:
        """Whether `version` is lower than what is assigned, which is said by name."""
        given = self.sites[site].given.get(group, ())
        return bool(given) and version < given[0].version

    def assign(self, site: str, group: str, order: list[int], *, keep: bool) -> bool:
        """Assign versions in `order`, with what was there before behind if `keep`."""
        known = self.sites[site]
        vouched = [self.vouched(version) for version in order]
        found = [one for one in vouched if one]
        if len(found) != len(order):
            return False
        if keep:
            lower = self.goes_back(site, group, order[0])
            before = [
                one
                for one in known.given.get(group, ())
                if one.version not in order and not (lower and one.version > order[0])
            ]
            found += [self.vouched(one.version) or one for one in before][:MOST_KEPT]
        known.given = {**known.given, group: tuple(found)}
        known.expires = (self.now + timedelta(days=LIFETIMES["site"])).replace(microsecond=0)
        return True

    def expired(self, site: str) -> set[str]:
        """The roles on a bundle for `site` that only people can sign again, and have to."""
        until = {role: at for role, at in self.expires.items() if role != "catalog"}
        own = self.sites[site].expires
        return {role for role, at in (until | {"site": own}).items() if at and at <= self.now}

    def export(self, site: str, transfer: str, blobs: frozenset[str]) -> Parcel:
        """The parcel of an export that may be made, with `blobs` in it."""
        if self.expires["catalog"] - self.now < RENEW_WITHIN:
            self.signed("catalog")
        known = self.sites[site]
        self.transfers.append(transfer)
        fresh = (self.now + timedelta(days=FRESHNESS)).replace(microsecond=0)
        return Parcel(
            order=len(self.transfers),
            transfer=transfer,
            site=site,
            enrolment=known.enrolment,
            made=self.now,
            expires=min(fresh, known.expires or fresh, *self.expires.values()),
            horizon=min(self.expires["root"], self.expires["targets"]),
            given=deepcopy(known.given),
            active=frozenset(self.active),
            withdrawn=frozenset(self.withdrawn.values()),
            recalled=frozenset(self.recalled),
            site_log=known.log,
            blobs=blobs,
        )
