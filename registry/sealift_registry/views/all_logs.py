"""What every log says: the hub's own, and those of sites as far as they came home.

Of the hub's log each entry is shown that its key signed (`views.log_entries`). Of a site's it is
one of those that the site's key signed, all of which were read (`delivery.home_logs`): attested by
that key as of a receipt, and no more. So a site answers for itself alone: what its entries say of
another one is not told of that other one.

The hub's log is in its own order, and so is each site's; sites' clocks are set back as hubs' are.
Sites are laid together by when their entries were made, one that says to be older than what its log
said before counting as old as that. Whoever goes on after a page names where both stood.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection

from sealift_registry.audit.page_query import EVERY, PageBounds
from sealift_registry.delivery import home_logs
from sealift_registry.delivery.home_logs import HomeLog
from sealift_registry.delivery.sites import Sites
from sealift_registry.storage.queries import in_parts
from sealift_registry.storage.within import ALL, Within
from sealift_registry.trust import signed_log
from sealift_registry.views import log_entries
from sealift_registry.views.nearest import nearest
from sealift_registry.views.pages import FalseRow, Page
from sealift_signing import canonical
from sealift_signing.drawing import word
from sealift_signing.errors import NotFoundError, SealiftError, UsageError, shown
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.question import Question, answers

HUB = "hub"
"""What the hub's own log is called; no site's is, where both are asked."""
_AT = re.compile(rb'\{"actor":"(?:[^"\\]|\\.)*","at":"([^"]*)"')
"""How an entry's bytes begin, which have one spelling: by whom, and when."""
_PLACE = re.compile(r"(?:([0-9]{1,18})|([a-z0-9._@-]{1,80})/([0-9]{1,18}))")


class LoggedEntry(NamedTuple):
    """An entry of some log.

    Attributes:
        log: what that is called: `hub`, or the site.
        seq: its number there.
    """

    log: str
    seq: int
    entry: Entry

    @property
    def number(self) -> str:
        """What it is called: `17` is the hub's, `plant-7/17` the site's."""
        return str(self.seq) if self.log == HUB else f"{self.log}/{self.seq}"


@dataclass(frozen=True)
class LogsPlace:
    """Where a page lies.

    Attributes:
        beyond: behind which entries: `17`, `plant-7/17`, or both, joined by a comma.
        at: the only log that is asked; None: all are.
        within: whose entries are told.
    """

    limit: int = 50
    beyond: str | None = None
    newest_first: bool = True
    at: str | None = None
    within: Within = ALL


@dataclass(frozen=True)
class LogsPage(Page[LoggedEntry]):
    """A page of entries; `after` is what goes on behind it.

    Attributes:
        asked: the sites' logs that were read.
        hub: how many entries of the hub's log were asked; None: that was not.
    """

    asked: tuple[HomeLog, ...] = ()
    hub: int | None = None


class _Key(NamedTuple):
    """Where an entry lies among those of all sites."""

    at: str
    log: str
    seq: int


class _Item(NamedTuple):
    """What is told of, or why not; `key` is where it lies."""

    key: _Key
    told: LoggedEntry | FalseRow


@dataclass(frozen=True)
class _Read:
    """What was read of sites."""

    items: list[_Item] = field(default_factory=list)
    asked: list[HomeLog] = field(default_factory=list)
    refused: list[FalseRow] = field(default_factory=list)

    def refuse(self, within: Within, site: str, name: str, why: SealiftError) -> None:
        """What is wrong with a site's log is told to who may see the site."""
        if within.has_site(site):
            self.refused.append(FalseRow(name, why))


def page(connection: Connection, question: Question, place: LogsPlace) -> LogsPage:
    """A page of entries that match, of all logs.

    A log of a site of which not all is what was signed is named, and nothing of it is told.

    Raises:
        FailedError: the hub's log is not the one that was signed.
        NotFoundError: there is no such log.
        UsageError: it is to begin behind what no log has.
    """
    own, others = _beyond(place.beyond)
    hub: list[_Item] = []
    size = None
    if place.at in {None, HUB}:
        hub = _of_hub(connection, question, place, own)
        size = signed_log.signed(connection).size
    read = _of_sites(connection, question, place, others) if place.at != HUB else _Read()
    items = list(islice(_merged(hub, read.items, newest_first=place.newest_first), place.limit))
    rows = tuple(one.told for one in items if isinstance(one.told, LoggedEntry))
    refused = [one.told for one in items if isinstance(one.told, FalseRow)]
    after = None
    if len(items) == place.limit:
        after = _after(items, place.beyond)
    return LogsPage(rows, (*refused, *read.refused), after, tuple(read.asked), size)


def _after(items: Sequence[_Item], before: str | None) -> str:
    """Where the next page begins: behind the last entry of the hub's, and of the sites'."""
    own, others = _beyond(before)
    for one in items:
        if one.key.log == HUB:
            own = one.key.seq
        else:
            others = (one.key.log, one.key.seq)
    parts = [] if own is None else [str(own)]
    return ",".join(parts if others is None else [*parts, f"{others[0]}/{others[1]}"])


def _beyond(given: str | None) -> tuple[int | None, tuple[str, int] | None]:
    """The hub's entry and the site's behind which a page begins.

    Raises:
        UsageError: it names something else.
    """
    own, others = None, None
    for part in given.split(",") if given is not None else ():
        found = _PLACE.fullmatch(part)
        if found is None or (own if found[1] else others) is not None:
            raise UsageError(
                "bad-entry-number",
                f"{shown(given or '')} names no entry to go on after.",
                subject=given or "",
                next_step="Give what the end of the list printed, such as 17, plant-7/17 or "
                "17,plant-7/17.",
            )
        if found[1]:
            own = int(found[1])
        else:
            others = (found[2], int(found[3]))
    return own, others


# ------------------------------------------------------------------ the hub's log


def _of_hub(
    connection: Connection, question: Question, place: LogsPlace, beyond: int | None
) -> list[_Item]:
    """The hub's part of a page; what is refused lies where its number does."""
    bounds = PageBounds(place.limit, beyond, place.newest_first, EVERY, place.within)
    found = log_entries.page(connection, question, bounds)
    items = [
        _Item(_Key(one.entry.at, HUB, one.seq), LoggedEntry(HUB, one.seq, one.entry))
        for one in found.rows
    ]
    for bad in found.refused:
        seq = int(bad.name.rpartition(" ")[2])
        items.append(_Item(_Key("", HUB, seq), bad))
    items.sort(key=lambda one: one.key.seq, reverse=place.newest_first)
    # Where nobody knows when it was, it comes with what stands before it.
    at = "~" if place.newest_first else ""
    for n, one in enumerate(items):
        at = one.key.at or at
        items[n] = one._replace(key=one.key._replace(at=at))
    return items


# --------------------------------------------------------------------- sites' logs


def _of_sites(
    connection: Connection,
    question: Question,
    place: LogsPlace,
    beyond: tuple[str, int] | None,
) -> _Read:
    """The sites' part of a page."""
    read, logs, within = _Read(), list[HomeLog](), place.within
    for name in _names(connection, question, place):
        try:
            found = home_logs.of_site(connection, name)
        except SealiftError as bad:
            read.refuse(within, name, f"the log of {name}", bad)
            continue
        logs += found.logs
        for missing in found.missing:
            read.refuse(within, name, f"what came home of {name}", missing)
    if place.at is not None:
        logs = [one for one in logs if place.at in {one.name, one.site.id}]
    edge = None if beyond is None else _key_of(connection, logs, beyond)
    reading = _Reading(question, place, edge)
    for log in logs:
        name = log.site.id
        try:
            items = reading.of(connection, log)
        except SealiftError as bad:
            read.refuse(within, name, f"the log of {log.name}", bad)
            continue
        read.items.extend(items)
        if items or within.has_site(name):
            read.asked.append(log)
        others = home_logs.beyond(connection, log)
        if others is not None:
            read.refuse(within, name, f"what lies behind the log of {log.name}", others)
    read.items.sort(key=lambda one: one.key, reverse=place.newest_first)
    return read


def _names(connection: Connection, question: Question, place: LogsPlace) -> list[str]:
    """The sites whose logs are asked, of those that are told of.

    Raises:
        NotFoundError: the only one that is asked is no site.
    """
    only = {one for one in (question.site, place.at and place.at.partition("@")[0]) if one}
    names = Sites(connection).names()
    asked = None if place.at is None else place.at.partition("@")[0]
    if asked is not None and not (asked in names and place.within.has_site(asked)):
        known = names if place.within.everything else sorted(place.within.sites)
        raise NotFoundError(
            "no-log",
            f"No log of a site {word(asked)} came home: no such site is enrolled.",
            subject=asked,
            next_step=nearest(asked, [HUB, *known], "See which there are with: sealift list sites"),
        )
    if len(only) > 1:
        return []
    if not (place.within.everything or place.within.teams):
        names = [name for name in names if place.within.has_site(name)]
    return [name for name in names if not only or name in only]


def _key_of(connection: Connection, logs: Iterable[HomeLog], beyond: tuple[str, int]) -> _Key:
    """Where an entry lies, behind which a page begins.

    Raises:
        UsageError: no log has it.
    """
    name, seq = beyond
    for log in logs:
        if log.name == name and seq < log.came.size:
            times = _Times()
            home_logs.read(connection, log, times.took)
            return _Key(times.found[seq], name, seq)
    raise UsageError(
        "bad-entry-number",
        f"No log that is asked has an entry {name}/{seq}.",
        subject=f"{name}/{seq}",
        next_step="Give what the end of the list printed, with the same question.",
    )


class _Times:
    """When each entry of a log was made, or else what was before it."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def took(self, _seq: int, _leaf: bytes, body: bytes) -> None:
        """Go on with the next entry."""
        self.found.append(max(self.found[-1] if self.found else "", _at(body)))


def _at(body: bytes) -> str:
    """When an entry says that it was made; empty where it does not say so at its place."""
    found = _AT.match(body)
    return "" if found is None else found[1].decode("utf-8", "replace")


class _Candidate(NamedTuple):
    """An entry that may match."""

    key: _Key
    leaf: bytes


class _Reading:
    """Reads what matches of one log after the other, as much of each as a page may need."""

    def __init__(self, question: Question, place: LogsPlace, edge: _Key | None) -> None:
        self._place, self._edge = place, edge
        # Which site it is, is known by whose log it is, and not by what an entry says.
        self._asked = asked = replace(question, site=None)
        spelled = [{"kind": term.kind, "value": term.value} for term in asked.terms]
        parts = [canonical.encode(one) for one in (*spelled, asked.id) if one is not None]
        if asked.actor is not None:
            parts.append(canonical.encode(asked.actor)[1:-1])
        if asked.type is not None:
            parts.append(f'"type":"{asked.type.removesuffix("*")}'.encode())
        self._parts = parts

    def of(self, connection: Connection, log: HomeLog) -> list[_Item]:
        """What matches of `log`.

        Raises:
            RefusedError: it is not what the site signed, or has what is no entry.
        """
        found = list[_Candidate]()
        last = ""

        def took(seq: int, leaf: bytes, body: bytes) -> None:
            nonlocal last
            at = _at(body)
            last = max(last, at)
            key = _Key(last, log.name, seq)
            if self._may(at, body) and self._is_behind(key):
                found.append(_Candidate(key, leaf))

        home_logs.read(connection, log, took)
        if self._place.newest_first:
            found.reverse()
        return list(islice(self._matching(connection, log, found), self._place.limit))

    def _matching(
        self, connection: Connection, log: HomeLog, found: Sequence[_Candidate]
    ) -> Iterator[_Item]:
        """Those that match, each taken apart only where a page gets so far."""
        for some in in_parts(found):
            leaves = {one.key.seq: one.leaf for one in some}
            entries = home_logs.entries(connection, log, leaves)
            for one in some:
                entry = entries[one.key.seq]
                if answers(entry, self._asked) and self._is_told(log, entry):
                    yield _Item(one.key, LoggedEntry(log.name, one.key.seq, entry))

    def _is_behind(self, key: _Key) -> bool:
        if self._edge is None:
            return True
        return key < self._edge if self._place.newest_first else key > self._edge

    def _may(self, at: str, body: bytes) -> bool:
        """Whether an entry may match: what is asked stands among its bytes, in their one spelling.

        Nearly none does, and to take one apart takes longer than to hash it.
        """
        since, until = self._asked.since, self._asked.until
        if at and ((since is not None and at < since) or (until is not None and at >= until)):
            return False
        return all(part in body for part in self._parts)

    def _is_told(self, log: HomeLog, entry: Entry) -> bool:
        """Whether it is told of: by the site, or by the models that it names, all of them."""
        within = self._place.within
        if within.has_site(log.site.id):
            return True
        models = [one.value for one in entry.terms if one.kind == "model"]
        return bool(models) and all(within.has_team(one.partition("/")[0]) for one in models)


def _merged(hub: Sequence[_Item], sites: Sequence[_Item], *, newest_first: bool) -> Iterator[_Item]:
    """Both in one order: each in its own, and of the two that come next the one that is first."""
    one, other = deque(hub), deque(sites)
    while one and other:
        first = (
            one[0].key.at >= other[0].key.at if newest_first else (one[0].key.at <= other[0].key.at)
        )
        yield (one if first else other).popleft()
    yield from one
    yield from other
