"""Logs that a site could have sent, drawn by a seed; and what they say, read one by one.

The reading here is the plain one: every question goes through all entries. The rows that the hub
keeps must never answer otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sealift_registry.delivery import site_entries
from sealift_registry.delivery.site_entries import NOT_CHECKED, OUTCOMES, CheckOutcome, Running
from sealift_signing.canonical import Json
from sealift_signing.transparency.entry import Entry, Term, new_entry

GROUPS, MODELS = ("line-1", "line-2", "None"), ("vision/tiny", "vision/digits")
FIRST = datetime(2026, 12, 1, tzinfo=UTC)
Place = tuple[str, str]


def log(seed: int, size: int) -> list[Entry]:
    """A log of `size` entries, of all kinds that count here, and much that makes no sense."""
    dice = random.Random(seed)  # noqa: S311 - a test's
    return [entry(dice, number) for number in range(size)]


def entry(dice: random.Random, number: int) -> Entry:
    """One entry."""
    kind = dice.choice(
        [
            *("model.activated",) * 4,
            *("model.activation-failed",) * 3,
            *("model.checked",) * 4,
            "model.stopped",
            "store.damaged",
            "software.changed",
            "transfer.imported",
            "store.checked",
            *("model.rolled-back",) * 2,
            "transfer.refused",
        ]
    )
    data: Json
    data, terms = _PARTICULARS[kind](dice)
    if dice.random() < 0.08:
        odd: list[Json] = [[], "x", 7, {}, {"after": True}, {"checked": 7}, {"lost": [7]}]
        data = dice.choice(odd)
    if dice.random() < 0.05:
        terms = dice.choice([[], terms[:1], [*terms, Term("model", "vision/tiny")]])
    return new_entry(kind, "site", FIRST + timedelta(minutes=number), cast("Any", data), terms)


def _place(dice: random.Random) -> Place:
    return dice.choice(GROUPS), dice.choice(MODELS)


def _check(dice: random.Random) -> Json:
    outcomes: list[Json] = [*OUTCOMES, NOT_CHECKED, "guessed", 7]
    words: list[Json] = ["It answers.", "It does not.", 7]
    return {"outcome": dice.choice(outcomes), "words": dice.choice(words)}


def _switch(dice: random.Random) -> tuple[Json, list[Term]]:
    group, model = _place(dice)
    versions: list[Json] = [0, 1, 1, 2, 2, 3, -1, "2", True]
    words: list[Json] = ["It runs.", 5]
    data: dict[str, Json] = {"after": dice.choice(versions), "words": dice.choice(words)}
    if dice.random() < 0.5:
        data["checked"] = _check(dice)
    return data, [Term("host-group", group), Term("model", model)]


def _checked(dice: random.Random) -> tuple[Json, list[Term]]:
    told: list[Json] = []
    for _ in range(dice.randint(0, 4)):
        group, model = _place(dice)
        versions: list[Json] = [0, 1, 1, 2, 2, 3, -1, "2", True, [1]]
        said = _check(dice)
        assert isinstance(said, dict)
        told.append({"group": group, "model": model, "version": dice.choice(versions)} | said)
        if dice.random() < 0.1:
            odd: list[Json] = ["x", {}, {"group": 7}]
            told.append(dice.choice(odd))
    return {"checked": told}, []


def _damaged(dice: random.Random) -> tuple[Json, list[Term]]:
    return {"lost": [f"{dice.randrange(9):064x}" for _ in range(dice.randint(0, 3))]}, []


def _software(dice: random.Random) -> tuple[Json, list[Term]]:
    name = f"Sealift {dice.randrange(9)}"
    names: list[Json] = [name, name, 7]
    return {"software": dice.choice(names), "reads": ["policy:later-evidence"]}, []


def _imported(dice: random.Random) -> tuple[Json, list[Term]]:
    return {}, [Term("transfer", f"plant-7-{dice.randrange(99):06}")]


def _went_back(dice: random.Random) -> tuple[Json, list[Term]]:
    group, model = _place(dice)
    versions: list[Json] = [1, 2, 3, 1, 2, 3, "2", True]
    reasons: list[Json] = ["It misreads sevens.", 7]
    said: dict[str, Json] = {"from": dice.choice(versions), "to": dice.choice(versions)}
    said["reason"] = dice.choice(reasons)
    return said, [Term("host-group", group), Term("model", model)]


def _refused(dice: random.Random) -> tuple[Json, list[Term]]:
    codes: list[Json] = ["role-forked", "blob-damaged", 7]
    said: dict[str, Json] = {"code": dice.choice(codes), "what": "It is not whole."}
    return said, [Term("transfer", f"plant-7-{dice.randrange(99):06}")]


def _nothing(_: random.Random) -> tuple[Json, list[Term]]:
    return {}, []


_PARTICULARS: Mapping[str, Any] = {
    "model.activated": _switch,
    "model.activation-failed": _switch,
    "model.stopped": _switch,
    "model.checked": _checked,
    "store.damaged": _damaged,
    "software.changed": _software,
    "transfer.imported": _imported,
    "store.checked": _nothing,
    "model.rolled-back": _went_back,
    "transfer.refused": _refused,
}


@dataclass
class Plainly:
    """What a whole log says, by the plain reading."""

    running: dict[Place, Running] = field(default_factory=dict)
    newest: dict[Place, Running] = field(default_factory=dict)
    failed: dict[Place, Running] = field(default_factory=dict)
    checks: dict[Place, CheckOutcome] = field(default_factory=dict)
    heard: str | None = None
    back: dict[Place, tuple[int, str]] = field(default_factory=dict)
    refused: str | None = None

    def read(self, one: Entry) -> None:
        self.heard = one.at
        if one.type == "model.checked":
            self._read_checks(one)
        self._read_refusal(one)
        self._read_back(one)
        switch = site_entries.switched(one)
        if switch is None:
            return
        place = switch.place
        if place in self.back and self.back[place][0] != switch.version:
            del self.back[place]
        known, ran = self.newest.get(place), self.running.get(place)
        if known is None or known.version != switch.version:
            self.checks.pop(place, None)
        self.newest[place] = switch
        failed = one.type == "model.activation-failed"
        if not (failed and ran is not None and ran.version == switch.version):
            self.running[place] = switch
        if failed:
            self.failed[place] = switch
        if one.type == "model.activated":
            self.failed.pop(place, None)
            self._keep(place, _member(one.data, "checked"), one.at)

    def _read_back(self, one: Entry) -> None:
        terms = {term.kind: term.value for term in one.terms}
        place = terms.get("host-group"), terms.get("model")
        left, to, reason = (_member(one.data, name) for name in ("from", "to", "reason"))
        if one.type != "model.rolled-back" or place[0] is None or place[1] is None:
            return
        if type(left) is int and type(to) is int and isinstance(reason, str):
            self.back[place[0], place[1]] = (to, reason)

    def _read_refusal(self, one: Entry) -> None:
        code, what = _member(one.data, "code"), _member(one.data, "what")
        if one.type == "transfer.imported":
            self.refused = None
        if one.type == "transfer.refused" and isinstance(code, str) and isinstance(what, str):
            self.refused = code

    def _read_checks(self, one: Entry) -> None:
        told = _member(one.data, "checked")
        for said in told if isinstance(told, list | tuple) else ():
            place = str(_member(said, "group")), str(_member(said, "model"))
            known = self.newest.get(place)
            if known is not None and known.version == _member(said, "version"):
                self._keep(place, said, one.at)

    def _keep(self, place: Place, said: object, at: str) -> None:
        outcome, words = _member(said, "outcome"), _member(said, "words")
        if not isinstance(outcome, str) or not isinstance(words, str) or outcome not in OUTCOMES:
            return
        known = self.checks.get(place)
        if known is None or outcome != NOT_CHECKED or known.outcome == NOT_CHECKED:
            self.checks[place] = CheckOutcome(outcome, words, at)

    def answers(self) -> Any:  # noqa: ANN401 - to be compared
        """What was asked of it: what runs, what failed, the checks of what runs, and the time."""
        runs = {place: one for place, one in self.running.items() if one.version}
        checks = {place: one for place, one in self.checks.items() if place in runs}
        return runs, self.failed, checks, self.heard, self.back, self.refused


def plainly(entries: Sequence[Entry]) -> Plainly:
    """What `entries` say, one after the other."""
    found = Plainly()
    for one in entries:
        found.read(one)
    return found


def lost_since(entries: Sequence[Entry], size: int) -> set[str] | None:
    """What was lost after the first `size`; None if unclear."""
    lost: set[str] = set()
    for one in entries[size:]:
        if one.type == "store.damaged":
            named = _member(one.data, "lost")
            if not isinstance(named, list | tuple):
                return None
            lost.update(str(blob) for blob in named)
            if not all(len(str(blob)) == 64 for blob in named):
                return None
    return lost


def _member(said: object, name: str) -> object:
    return said.get(name) if isinstance(said, Mapping) else None
