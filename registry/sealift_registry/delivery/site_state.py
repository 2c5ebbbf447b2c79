"""What a site's log says last: the state that its entries lead to, and which of them still say it.

A log grows for ever, and nearly all of it says what was. What holds at its end is said by a few
entries, whatever its length: one for each place where something runs, one for each check of that,
one for what did not start and was not made good, and some more. This module knows which; it reads
and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from sealift_registry.delivery import site_entries
from sealift_registry.delivery.site_entries import (
    ACTIVATED,
    DAMAGED,
    FAILED,
    IMPORTED,
    STOPPED,
    CheckOutcome,
    Place,
    RefusedThere,
    Running,
    Software,
    WentBack,
)
from sealift_signing.transparency.entry import Entry

T = TypeVar("T")


class Says(StrEnum):
    """What an entry still says at the end of its log."""

    HEARD = "heard"
    """It is the newest of all."""
    RUNS = "runs"
    """What runs in a place, runs since it."""
    FAILED = "failed"
    """The newest switch of a place that failed, and that none made good."""
    CHECKED = "checked"
    """The newest check of what runs in a place."""
    SOFTWARE = "software"
    """The newest change of the site's software."""
    IMPORTED = "imported"
    """The newest import, after which the site made a receipt."""
    LOST = "lost"
    """Blobs were lost, after the newest receipt was made."""
    BACK = "back"
    """Somebody had a place go back, and nothing else was switched to there since."""
    REFUSED = "refused"
    """The newest bundle that was not believed, where none was imported since."""


class Pointer(NamedTuple):
    """An entry that still says something.

    `group` and `model` are the place and `version` the version that it says it of; without a place
    they are empty, and 0.
    """

    says: Says
    group: str
    model: str
    version: int
    seq: int


@dataclass(frozen=True)
class EntryFact(Generic[T]):
    """What an entry says, and which it is."""

    seq: int
    what: T


@dataclass
class SiteState:
    """What the entries of a log say, as far as they were read.

    Attributes:
        heard: the time of the newest entry.
        runs: what runs, since its switch: a failed attempt to switch to another moves no time.
        failed: switches that failed and that no later one made good.
        checks: the newest of what runs.
        software: the newest change of it.
        imported: the transfers of the newest import.
        lost: by entry what was lost after the newest receipt; None where an entry is unclear.
        back: the places that somebody had go back, and that went nowhere else since.
        refused: the newest bundle that was not believed, where none was imported since.
    """

    heard: EntryFact[str] | None = None
    runs: dict[Place, EntryFact[Running]] = field(default_factory=dict)
    failed: dict[Place, EntryFact[Running]] = field(default_factory=dict)
    checks: dict[Place, EntryFact[CheckOutcome]] = field(default_factory=dict)
    software: EntryFact[Software] | None = None
    imported: EntryFact[tuple[str, ...]] | None = None
    lost: dict[int, frozenset[str] | None] = field(default_factory=dict)
    back: dict[Place, EntryFact[WentBack]] = field(default_factory=dict)
    refused: EntryFact[RefusedThere] | None = None

    def read(self, seq: int, entry: Entry) -> None:
        """Go on with the next entry of the log, which is number `seq` of it."""
        self.heard = EntryFact(seq, entry.at)
        switch = site_entries.switched(entry)
        if switch is not None:
            self._switch(seq, entry.type, switch)
        for (place, version), check in site_entries.checks(entry).items():
            if self._version(place) == version:
                self._keep(place, EntryFact(seq, check))
        software = site_entries.software(entry)
        if software is not None:
            self.software = EntryFact(seq, software)
        if entry.type == IMPORTED:
            self.imported = EntryFact(seq, site_entries.imported(entry))
            self.refused = None
        back, refused = site_entries.went_back(entry), site_entries.refused(entry)
        if back is not None:
            self.back[back[0]] = EntryFact(seq, back[1])
        if refused is not None:
            self.refused = EntryFact(seq, refused)
        if entry.type == DAMAGED:
            self.lost[seq] = site_entries.lost(entry)

    def read_receipt(self, size: int) -> None:
        """A receipt was made when the log had `size` entries: what it had lost then is in it."""
        self.lost = {seq: blobs for seq, blobs in self.lost.items() if seq >= size}

    def pointers(self) -> frozenset[Pointer]:
        """The entries that say all this."""
        return frozenset(self._pointers())

    def _switch(self, seq: int, kind: str, switch: Running) -> None:
        place = switch.place
        back = self.back.get(place)
        if back is not None and back.what.version != switch.version:
            del self.back[place]
        same = self._version(place) == switch.version
        if not same:
            self.checks.pop(place, None)
        if not switch.version:
            self.runs.pop(place, None)
        elif not (kind == FAILED and same):
            self.runs[place] = EntryFact(seq, switch)
        if kind == FAILED:
            self.failed[place] = EntryFact(seq, switch)
        if kind == ACTIVATED:
            self.failed.pop(place, None)

    def _version(self, place: Place) -> int:
        """What runs in a place; 0 where nothing does."""
        return self.runs[place].what.version if place in self.runs else 0

    def _keep(self, place: Place, check: EntryFact[CheckOutcome]) -> None:
        """Keep a check of what runs, if it says more than what is known."""
        if not self._version(place):
            return
        known = self.checks.get(place)
        if known is None or check.what.was_made or not known.what.was_made:
            self.checks[place] = check

    def _pointers(self) -> Iterator[Pointer]:
        if self.heard is not None:
            yield Pointer(Says.HEARD, "", "", 0, self.heard.seq)
        for says, switches in ((Says.RUNS, self.runs), (Says.FAILED, self.failed)):
            for (group, model), one in switches.items():
                yield Pointer(says, group, model, one.what.version, one.seq)
        for (group, model), check in self.checks.items():
            version = self._version((group, model))
            yield Pointer(Says.CHECKED, group, model, version, check.seq)
        if self.software is not None:
            yield Pointer(Says.SOFTWARE, "", "", 0, self.software.seq)
        if self.imported is not None:
            yield Pointer(Says.IMPORTED, "", "", 0, self.imported.seq)
        for seq in self.lost:
            yield Pointer(Says.LOST, "", "", 0, seq)
        for (group, model), back in self.back.items():
            yield Pointer(Says.BACK, group, model, back.what.version, back.seq)
        if self.refused is not None:
            yield Pointer(Says.REFUSED, "", "", 0, self.refused.seq)


def state_of_log(entries: Iterable[Entry], receipt: int = 0) -> SiteState:
    """The state at the end of a log of `entries`; `receipt`: its size at the newest receipt."""
    state = SiteState()
    for seq, entry in enumerate(entries):
        state.read(seq, entry)
    state.read_receipt(receipt)
    return state


def state_of_pointers(
    pointers: Sequence[Pointer], entries: Mapping[int, Entry]
) -> SiteState | None:
    """The state that these entries say, each what its pointer claims of it.

    None if one does not say that, if two claim the same, or if no log can end so.
    """
    state, checks = SiteState(), _Checks(entries)
    # What runs comes first: a check is one of a version that runs.
    for one in sorted(pointers, key=lambda pointer: pointer.says != Says.RUNS):
        _TAKE[one.says](state, one, entries[one.seq], checks)
    alike = len(pointers) == len(state.pointers()) and set(pointers) == state.pointers()
    alike = alike and all(_can_be(state, place, entries) for place in state.runs)
    imported, refused = state.imported, state.refused
    if imported is not None and refused is not None and refused.seq < imported.seq:
        return None  # what was imported since made that good
    return state if alike else None


def _can_be(state: SiteState, place: Place, entries: Mapping[int, Entry]) -> bool:
    """Whether a log can end so, by what it says of a place where something runs.

    A check may be older than the switch: to what ran already, which takes no check away.
    """
    runs, failed, check = state.runs[place], state.failed.get(place), state.checks.get(place)
    kind, back = entries[runs.seq].type, state.back.get(place)
    if back is not None and back.seq < runs.seq and back.what.version != runs.what.version:
        return False  # it went elsewhere since
    if check is not None and kind == FAILED and check.seq < runs.seq:
        return False  # such a switch is only one to something else
    if failed is None:
        return kind != FAILED  # what runs since a failed switch: nothing made that good
    if failed.seq > runs.seq:
        return failed.what.version == runs.what.version  # else something else runs since then
    return failed.seq == runs.seq or kind == STOPPED  # a switch that worked made it good


class _Checks:
    """The checks that entries tell of; an entry is taken apart once, for all pointers to it."""

    def __init__(self, entries: Mapping[int, Entry]) -> None:
        self._entries = entries
        self._known: dict[int, Mapping[tuple[Place, int], CheckOutcome]] = {}

    def of(self, seq: int) -> Mapping[tuple[Place, int], CheckOutcome]:
        """Those of one entry."""
        if seq not in self._known:
            self._known[seq] = site_entries.checks(self._entries[seq])
        return self._known[seq]


# Each takes what the entry says; whether that is what the pointer claims is seen in the whole.


def _take_heard(state: SiteState, one: Pointer, entry: Entry, _: _Checks) -> None:
    state.heard = EntryFact(one.seq, entry.at)


def _take_runs(state: SiteState, one: Pointer, entry: Entry, _: _Checks) -> None:
    switch = site_entries.switched(entry)
    if switch is not None and switch.version:
        state.runs[switch.place] = EntryFact(one.seq, switch)


def _take_failed(state: SiteState, one: Pointer, entry: Entry, _: _Checks) -> None:
    switch = site_entries.switched(entry)
    if switch is not None and entry.type == FAILED:
        state.failed[switch.place] = EntryFact(one.seq, switch)


def _take_check(state: SiteState, one: Pointer, _: Entry, checks: _Checks) -> None:
    place = one.group, one.model
    check = checks.of(one.seq).get((place, one.version))
    if check is not None and place in state.runs:
        state.checks[place] = EntryFact(one.seq, check)


def _take_software(state: SiteState, one: Pointer, entry: Entry, _: _Checks) -> None:
    software = site_entries.software(entry)
    if software is not None:
        state.software = EntryFact(one.seq, software)


def _take_imported(state: SiteState, one: Pointer, entry: Entry, _: _Checks) -> None:
    if entry.type == IMPORTED:
        state.imported = EntryFact(one.seq, site_entries.imported(entry))


def _take_lost(state: SiteState, one: Pointer, entry: Entry, _: _Checks) -> None:
    if entry.type == DAMAGED:
        state.lost[one.seq] = site_entries.lost(entry)


def _take_back(state: SiteState, one: Pointer, entry: Entry, _: _Checks) -> None:
    back = site_entries.went_back(entry)
    if back is not None:
        state.back[back[0]] = EntryFact(one.seq, back[1])


def _take_refused(state: SiteState, one: Pointer, entry: Entry, _: _Checks) -> None:
    refused = site_entries.refused(entry)
    if refused is not None:
        state.refused = EntryFact(one.seq, refused)


_TAKE: Mapping[Says, Callable[[SiteState, Pointer, Entry, _Checks], None]] = {
    Says.HEARD: _take_heard,
    Says.RUNS: _take_runs,
    Says.FAILED: _take_failed,
    Says.CHECKED: _take_check,
    Says.SOFTWARE: _take_software,
    Says.IMPORTED: _take_imported,
    Says.LOST: _take_lost,
    Says.BACK: _take_back,
    Says.REFUSED: _take_refused,
}
