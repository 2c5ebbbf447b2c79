"""What must come of a site, reckoned from what reached it: nothing here asks the product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from tests.journeys.said import (
    DAY,
    NEEDED,
    Blobs,
    Given,
    Homebound,
    Parcel,
    Receipt,
    Vouched,
    Withdrawn,
    counted,
    requested,
)


@dataclass
class SiteReckoning:
    """One home of a site."""

    site: str
    enrolment: str
    groups: tuple[str, ...]
    blobs: Blobs
    files: Blobs
    now: datetime
    high: datetime | None = None
    newest: int = 0
    given: Given = field(default_factory=dict)
    installed: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    rollbacks: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By host group: from which assigned version people went back, and away from which."""
    recalled: set[int] = field(default_factory=set)
    withdrawn: set[Withdrawn] = field(default_factory=set)
    log: tuple[str, ...] = ()
    acknowledged: int = 0
    receipts: dict[str, Receipt] = field(default_factory=dict)
    """By transfer, the oldest first."""
    missing: set[str] = field(default_factory=set)
    """Blobs that the store has lost, known to the site or not; `lost` are those that are known."""
    lost: set[str] = field(default_factory=set)
    told: dict[str, frozenset[str]] = field(default_factory=dict)
    """What each entry of the log says was lost."""
    shown: set[tuple[str, int]] = field(default_factory=set)
    """What ran once: its folder stays, and needs the store no more."""
    ahead: bool = False
    """Known to be a restored backup: it takes in nothing more."""
    failed: set[tuple[str, int]] = field(default_factory=set)
    """What could not be shown, and is not tried again before the next import."""

    @property
    def had(self) -> frozenset[str]:
        """Every blob that an installed version consists of."""
        return frozenset[str]().union(*(self.blobs[version] for _, version in self.installed))

    @property
    def trusted_time(self) -> datetime:
        """A clock that is set back makes nothing valid again."""
        return max(self.now, self.high or self.now)

    def refusal(self, parcel: Parcel) -> str:
        """Why `parcel` is refused as a whole, in a word; empty if it is not."""
        trusted = self.trusted_time
        if parcel.site != self.site:
            return "another-site"
        if parcel.enrolment != self.enrolment:
            return "another-enrolment"
        if parcel.expires <= trusted or parcel.order < self.newest:
            return "walk"
        if parcel.made > trusted + DAY:
            return "transfer-dated-ahead"
        return ""

    def notice(self, logs: Iterable[tuple[str, ...]]) -> bool:
        """Whether this home is a restored backup, by what its site once signed; never forgotten."""
        self.ahead = self.ahead or any(self.log[: len(log)] != log for log in logs)
        return self.ahead

    def take(self, parcel: Parcel) -> tuple[dict[tuple[str, int], str], Counter[str]]:
        """Import a parcel that is not refused; the code for each group and version, and entries."""
        trusted = self.trusted_time
        self.learn(parcel)
        before = set(self.installed)
        outcomes = {
            (group, one.version): self._judged(group, one, parcel, trusted)
            for group, versions in parcel.given.items()
            for one in versions
        }
        entries = self._mend(parcel, outcomes, before)
        self.given = parcel.given
        self.newest, self.acknowledged = parcel.order, len(parcel.site_log) or self.acknowledged
        self.high = max(self.high or parcel.made, min(parcel.made, parcel.horizon))
        self.failed.clear()
        for group in list(self.rollbacks):
            if self._left(group) is None:
                del self.rollbacks[group]
        return outcomes, entries

    def _mend(
        self, parcel: Parcel, outcomes: dict[tuple[str, int], str], before: set[tuple[str, int]]
    ) -> Counter[str]:
        """What the store lacks is taken from the parcel; what needs a blob from nowhere is held."""
        nowhere: set[str] = set()
        copied: set[str] = set()
        for place, code in outcomes.items():
            if place not in self.installed or code == "recalled":
                continue
            gone = self.blobs[place[1]] & self.missing - parcel.blobs
            nowhere |= gone
            if gone and place not in before:
                outcomes[place] = "base-missing"
                del self.installed[place]
            else:
                copied |= self.blobs[place[1]] & self.missing & parcel.blobs
        fresh = (nowhere & self.had) - self.lost
        whole = self.lost & copied
        self.missing -= copied
        self.lost = (self.lost | fresh) - whole
        return Counter({"store.damaged": bool(fresh), "store.mended": bool(whole)})

    def heal(self, parcel: Parcel) -> Counter[str]:
        """Import a parcel again: it only mends what the store has lost since."""
        copied = self.had & (self.lost | self.missing) & parcel.blobs
        if copied:
            self.missing -= copied
            self.lost -= copied
            self.failed.clear()
        return Counter({"store.mended": bool(copied)})

    def examine(self) -> frozenset[str]:
        """Hash everything: what is newly known to be lost."""
        fresh = frozenset[str]() if self.ahead else self.had & self.missing - self.lost
        self.lost |= fresh
        return fresh

    def learn(self, parcel: Parcel) -> None:
        """Withdrawals and recalls are never forgotten."""
        self.withdrawn |= parcel.withdrawn
        self.recalled |= parcel.recalled

    def _judged(self, group: str, one: Vouched, parcel: Parcel, trusted: datetime) -> str:
        place = (group, one.version)
        code = self._objection(one, parcel, trusted)
        if not code:
            code = "installed-already" if place in self.installed else "installed"
            self.installed[place] = self.covering(one.version)
        return code

    def _objection(self, one: Vouched, parcel: Parcel, trusted: datetime) -> str:
        if not requested(one.ask, parcel.active, trusted):
            return "not-requested"
        if len(counted(one.ask, one.nods, parcel.active, trusted)) < NEEDED:
            return "not-approved"
        for withdrawal in self.withdrawn:
            despite = withdrawal.id in one.ask.despite  # none is given twice here
            if one.version in withdrawal.versions and not despite:
                return "withdrawn"
        return "recalled" if one.version in self.recalled else ""

    def covering(self, version: int) -> frozenset[str]:
        """The withdrawals of a version."""
        return frozenset(one.id for one in self.withdrawn if version in one.versions)

    def permitted(self, group: str, version: int) -> bool:
        """Whether a version is installed and neither recalled nor withdrawn since."""
        despite = self.installed.get((group, version))
        if despite is None or version in self.recalled:
            return False
        return self.covering(version) <= despite

    def may_run(self, group: str, version: int) -> bool:
        """Whether a version is permitted, and did not fail when it was tried."""
        return (group, version) not in self.failed and self.permitted(group, version)

    def settle(self) -> int:
        """Bring what runs in line with what should; how many entries tell of it."""
        return sum(self._settle(group) for group in {*self.given, *self.running})

    def _settle(self, group: str) -> int:
        entries = 0
        while (wanted := self._wanted(group)) != (before := self.running.get(group)):
            entries += 1
            if wanted is None:
                del self.running[group]
                return entries
            if self.show(group, wanted) or before not in self.recalled | {None}:
                return entries
            self.running.pop(group, None)
        return entries

    def show(self, group: str, version: int) -> bool:
        """Switch to a version; False where the store lacks a file of it, and nothing shows it."""
        place = (group, version)
        if place not in self.shown and self.files[version] & self.missing:
            self.failed.add(place)
            return False
        self.shown.add(place)
        self.running[group] = version
        return True

    def _wanted(self, group: str) -> int | None:
        versions, running, left = self.given.get(group), self.running.get(group), self._left(group)
        if versions is None:
            return None
        foremost = versions[0].version
        stays = None if running in self.recalled else running
        if left is None and (foremost == stays or self.may_run(group, foremost)):
            return foremost
        if stays is not None:
            return stays
        started = running is not None or left is not None or foremost in self.recalled
        return self.fallback(group) if started else None

    def _left(self, group: str) -> int | None:
        """What people went away from, while what was assigned then still is."""
        *_, (assigned, left) = self.rollbacks.get(group) or [(0, 0)]
        holds = group in self.given and self.given[group][0].version == assigned
        return left if holds else None

    def fallback(self, group: str) -> int | None:
        """The next assigned version after the one that runs, of those that may."""
        order = [one.version for one in self.given[group]]
        here = self.running.get(group, self._left(group))
        behind = order[order.index(here) + 1 :] if here in order else order[1:]
        return next((one for one in behind if self.may_run(group, one)), None)

    def roll_back(self, group: str, *, further: bool) -> str:
        """Go back in `group`, or `further` where that was done before; how it ends."""
        if group not in self.running:
            return "refused"
        if self._left(group) is not None and not further:
            return "already"
        fallback = self.fallback(group)
        if fallback is None:
            return "refused"
        step = (self.given[group][0].version, self.running[group])
        if not self.show(group, fallback):
            return "switched-back"
        self.rollbacks.setdefault(group, []).append(step)
        return "activated"

    def activate(self, group: str) -> tuple[str, Counter[str]]:
        """Try what is assigned again, or end a rollback; how it ends, and the entries."""
        if group not in self.given:
            return "refused", Counter()
        foremost = self.given[group][0].version
        if self.running.get(group) == foremost and self._left(group) is None:
            return "already", Counter()
        if not self.permitted(group, foremost):
            return "refused", Counter()
        again = (group, foremost) in self.failed or group in self.rollbacks
        entries = Counter({"model.tried-again": again, "switched": 1})
        before = self.rollbacks.pop(group, None)
        self.failed.discard((group, foremost))
        if self.show(group, foremost):
            return "activated", entries
        if before:
            self.rollbacks[group] = before
        return "switched-back", entries

    def homebound(self) -> Homebound:
        """What a return written now says: every receipt that the hub may not have, or the last."""
        said = {name: r for name, r in self.receipts.items() if r.size > self.acknowledged}
        said = said or dict(list(self.receipts.items())[-1:])
        first = self.acknowledged
        told, running = dict(self.told), dict(self.running)
        return Homebound(self.site, self.enrolment, self.log, first, said, told, running)
