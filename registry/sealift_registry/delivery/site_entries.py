"""What one entry of a site's log says, in words that the hub goes by. Nothing is read here.

The site's key vouches for an entry, and nothing vouches for the site's software: an entry that
lacks a member says nothing, and must not keep the hub from showing all the others, for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import SENTENCE, SHA256
from sealift_sync.software import SOFTWARE_CHANGED

FAILED = "model.activation-failed"
ACTIVATED, STOPPED, CHECKED = "model.activated", "model.stopped", "model.checked"
SWITCHES = {ACTIVATED, STOPPED, FAILED}
"""The entries that say what runs after them; 0 says that nothing does."""
DAMAGED = "store.damaged"
"""The entry that names blobs which a site has no more."""
IMPORTED = "transfer.imported"
"""The entry that each receipt is made right after."""
TRANSFER_REFUSED = "transfer.refused"
"""The entry of a bundle, or a return, that a site did not believe."""
WENT_BACK = "model.rolled-back"
"""The entry of somebody's word to go back; what comes of it is a switch of its own."""
FORKED = "role-forked"
"""The code of two versions of one number: somebody signed twice."""
NOT_CHECKED = "not-checked"
OUTCOMES = {"passed": "passed", "failed": "FAILED", NOT_CHECKED: "was not made"}
"""How a check ended, and the word for it."""

Place = tuple[str, str]
"""A host group and a model in it."""


@dataclass(frozen=True)
class Running:
    """One model in one host group of a site.

    Attributes:
        since: when the site says it switched.
        words: what the site says happened then.
    """

    group: str
    model: str
    version: int
    since: str
    words: str

    @property
    def place(self) -> Place:
        """Where that is."""
        return self.group, self.model


@dataclass(frozen=True)
class CheckOutcome:
    """How a check of what runs in a place ended."""

    outcome: str
    words: str
    at: str

    @property
    def was_made(self) -> bool:
        """Whether anything was asked: a check that was not made says nothing against one."""
        return self.outcome != NOT_CHECKED


@dataclass(frozen=True)
class WentBack:
    """Somebody at a site had a place go back to an earlier version.

    Attributes:
        left: the version that ran.
        version: the one to go back to.
        reason: why, in their words.
        by: who.
    """

    left: int
    version: int
    reason: str
    by: str
    at: str


@dataclass(frozen=True)
class RefusedThere:
    """What a site did not believe, of the transfers that it named.

    Attributes:
        transfers: they; none where the medium did not say.
        words: why not.
    """

    transfers: tuple[str, ...]
    code: str
    words: str
    at: str

    @property
    def is_forked(self) -> bool:
        """Whether it is that somebody signed twice."""
        return self.code == FORKED


@dataclass(frozen=True)
class Software:
    """What a site says of its software: its name and version, and the features that it reads."""

    name: str
    reads: tuple[str, ...]
    at: str


def switched(entry: Entry) -> Running | None:
    """What `entry` says was switched; None if it says nothing of the kind."""
    if entry.type not in SWITCHES or not isinstance(entry.data, Mapping):
        return None
    terms = {term.kind: term.value for term in entry.terms}
    group, model, version = terms.get("host-group"), terms.get("model"), entry.data.get("after")
    if group is None or model is None or type(version) is not int:
        return None
    return Running(group, model, version, entry.at, str(entry.data.get("words", "")))


def checks(entry: Entry) -> dict[tuple[Place, int], CheckOutcome]:
    """How the checks that `entry` tells of ended, by place and version: the last of each.

    One that was not made says nothing against one that was, within an entry as between two.
    """
    found: dict[tuple[Place, int], CheckOutcome] = {}
    for what, said in _checked(entry):
        one = _check(said, entry.at)
        if one is not None and (one.was_made or what not in found or not found[what].was_made):
            found[what] = one
    return found


def software(entry: Entry) -> Software | None:
    """What `entry` says of the site's software; None of any other entry.

    In words that a receipt could have, too: whoever has the site's key chose them.
    """
    if entry.type != SOFTWARE_CHANGED or not isinstance(entry.data, Mapping):
        return None
    name, reads = entry.data.get("software"), entry.data.get("reads")
    if not isinstance(reads, list | tuple):
        return None
    texts = [one for one in (name, *reads) if isinstance(one, str) and SENTENCE.matches(one)]
    if len(texts) != 1 + len(reads):
        return None
    return Software(texts[0], tuple(texts[1:]), entry.at)


def went_back(entry: Entry) -> tuple[Place, WentBack] | None:
    """Where `entry` has somebody go back, and from what to what; None where it is no such."""
    if entry.type != WENT_BACK:
        return None
    terms = {term.kind: term.value for term in entry.terms}
    group, model, reason = terms.get("host-group"), terms.get("model"), _text(entry, "reason")
    left, version = _member(entry.data, "from"), _member(entry.data, "to")
    if group is None or model is None or reason is None:
        return None
    if type(left) is not int or type(version) is not int:
        return None
    return (group, model), WentBack(left, version, reason, entry.actor, entry.at)


def refused(entry: Entry) -> RefusedThere | None:
    """What `entry` says was not believed; None where it is no such entry."""
    code, words = _text(entry, "code"), _text(entry, "what")
    if entry.type != TRANSFER_REFUSED or code is None or words is None:
        return None
    return RefusedThere(imported(entry), code, words, entry.at)


def lost(entry: Entry) -> frozenset[str] | None:
    """The blobs that `entry`, of the type `DAMAGED`, says were lost; None if that is unclear."""
    named = entry.data.get("lost") if isinstance(entry.data, Mapping) else None
    if not isinstance(named, list | tuple) or not all(SHA256.matches(str(one)) for one in named):
        return None
    return frozenset(str(one) for one in named)


def imported(entry: Entry) -> tuple[str, ...]:
    """The transfers that `entry`, of the types `IMPORTED` and `TRANSFER_REFUSED`, names."""
    return tuple(term.value for term in entry.terms if term.kind == "transfer")


def _checked(entry: Entry) -> Iterator[tuple[tuple[Place, int], object]]:
    """The places and versions that were checked, each with what is said of it."""
    told = _member(entry.data, "checked")
    if entry.type == ACTIVATED:
        one = switched(entry)
        if one is not None:
            yield (one.place, one.version), told
    elif entry.type == CHECKED:
        for said in told if isinstance(told, list | tuple) else ():
            version = _member(said, "version")
            if isinstance(version, int):
                place = str(_member(said, "group")), str(_member(said, "model"))
                yield (place, version), said


def _check(said: object, at: str) -> CheckOutcome | None:
    outcome, words = _member(said, "outcome"), _member(said, "words")
    if not isinstance(outcome, str) or not isinstance(words, str) or outcome not in OUTCOMES:
        return None
    return CheckOutcome(outcome, words, at)


def _text(entry: Entry, name: str) -> str | None:
    """A sentence that an entry says under a name."""
    said = _member(entry.data, name)
    return said if isinstance(said, str) and SENTENCE.matches(said) else None


def _member(said: object, name: str) -> object:
    """A member of what a site's software wrote; None where it wrote something else."""
    return said.get(name) if isinstance(said, Mapping) else None
