"""What a document may require of its reader: one list, for code, docs and receipts.

What bears trust is strict for ever: a reader refuses a member that it does not know. So a member
that comes later is a *feature* of its document, named under `requires` wherever it stands; a reader
that lacks it says so before it looks at anything else, and says which release has it
(docs/adr/0033-formats-that-can-grow.md). What a site's software reads stands in its request and in
each receipt, and what is written for the site uses no feature that it lacks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sealift_signing.errors import shown

FORMAT = 1
"""The format of every document, so far."""


@dataclass(frozen=True, order=True)
class Feature:
    """Something that a document may say, and that not every reader of its format knows.

    Attributes:
        document: the kind of document, such as `transfer`.
        name: unique among the features of that document.
        since: the first release that reads it.
        words: what the document then says.
        plain: it stands under `requires` by its name alone, as the first ones did.
    """

    document: str
    name: str
    since: str
    words: str
    plain: bool = False

    @property
    def full(self) -> str:
        """The name that receipts and people use: `transfer:packs`."""
        return f"{self.document}:{self.name}"

    @property
    def spelled(self) -> str:
        """As it stands under `requires`: with its release, for readers that do not know it."""
        return self.name if self.plain else f"{self.name}@{self.since}"


APPROVE_WITHIN = Feature(
    "policy",
    "approve-within",
    "0.1",
    "a stage says how long after its request an approval may be made",
    plain=True,
)
LOG_STARTS = Feature(
    "fleet-keys",
    "log-starts",
    "0.1",
    "a key of the hub's log says where it goes on from another one",
    plain=True,
)
RETIRE = Feature("assignment", "retire", "0.1", "a host group stops running a model", plain=True)
BACK = Feature("assignment", "back", "0.1", "a host group goes back to a lower version", plain=True)
PACKS = Feature(
    "transfer",
    "packs",
    "0.1",
    "small files of what it is about lie together in one blob",
    plain=True,
)

EVIDENCE_BY_POLICY = Feature(
    "policy", "evidence-by-policy", "0.1", "a stage asks other evidence of some artifact policies"
)
ARTIFACT_POLICIES = Feature(
    "request", "artifact-policies", "0.1", "an artifact is asked for that is not portable"
)
CHECK_ROWS = Feature(
    "transfer", "check-rows", "0.1", "it brings rows that a site asks its own runtime"
)
CUT_VALIDITY = Feature(
    "policy",
    "cut-validity",
    "0.1",
    "an approval for longer than a stage allows counts as long as it allows, and is not refused",
)
"""No policy requires it: who does not read it refuses more, and is told of at the hub."""
LATER_EVIDENCE = Feature(
    "policy", "later-evidence", "0.1", "a stage asks for evidence of a kind that came later"
)
CHECK_ROWS_TRAVEL = Feature(
    "members", "check-rows", "0.1", "a team lets check rows travel with its models"
)
KEY_STATUS = Feature(
    "members", "key-status", "0.1", "a single key is retired, or compromised, and not its person"
)

FEATURES: tuple[Feature, ...] = (
    *(APPROVE_WITHIN, ARTIFACT_POLICIES, BACK, CHECK_ROWS, CHECK_ROWS_TRAVEL, CUT_VALIDITY),
    *(EVIDENCE_BY_POLICY, KEY_STATUS, LATER_EVIDENCE, LOG_STARTS, PACKS, RETIRE),
)
"""Every feature that this release reads."""

AT_A_SITE = (
    *("approval", "assignment", "check-rows", "evidence", "fleet-keys", "lineage", "members"),
    *("policy", "recall", "request", "site-answer", "transfer"),
)
"""The kinds of documents that a site reads."""

TOLD_BEFORE = frozenset({f"transfer:{FORMAT}"})
"""What software told that it reads, whatever it read, before features were told."""
READ_BEFORE = (APPROVE_WITHIN, BACK, LOG_STARTS, PACKS, RETIRE)
"""What the last software read that told no more than that."""

_READ: Mapping[str, frozenset[str]] = {
    document: frozenset(one.spelled for one in FEATURES if one.document == document)
    for document in {one.document for one in FEATURES}
}
_SPELLED = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)*)(?:@([0-9]{1,4}(?:\.[0-9]{1,4}){0,3}))?")
"""A feature under `requires`, and its release."""
_LONGEST = 64
MOST_TOLD = 10
"""Features that an error names."""


def full_format(document: str, number: int = FORMAT) -> str:
    """How it is told that software reads a kind of document in one of its formats."""
    return f"{document}:{number}"


def reads(documents: Iterable[str]) -> tuple[str, ...]:
    """What software tells that reads these kinds of documents: their formats and features."""
    kinds = set(documents)
    formats = {full_format(one) for one in kinds}
    return tuple(sorted(formats | {one.full for one in FEATURES if one.document in kinds}))


def named(document: str, required: Iterable[str]) -> tuple[str, ...]:
    """The full names of what a document of this kind requires of its reader."""
    known = {one.spelled: one.full for one in FEATURES if one.document == document}
    return tuple(known.get(one, f"{document}:{one}") for one in sorted(set(required)))


def unread(needed: Iterable[str], told: Collection[str]) -> tuple[str, ...]:
    """What of `needed`, by full names, software does not read that tells what is in `told`."""
    said = set(told)
    if said == TOLD_BEFORE:
        said = {one.full for one in READ_BEFORE}
    return tuple(sorted(set(needed) - said))


def release_with(needed: Iterable[str]) -> str:
    """The first release that reads all of these, by full names; empty where it is not known."""
    since = {one.full: one.since for one in FEATURES}
    found = [since[one] for one in needed if one in since]
    return max(found, key=_number, default="")


def unknown(document: str, required: Iterable[str]) -> tuple[str, ...]:
    """What of `required`, as it stands in a document of this kind, this release does not read."""
    return tuple(sorted(set(required) - _READ.get(document, frozenset())))


def with_releases(items: Sequence[str]) -> str:
    """Features as they stand under `requires`, for an error: each with its release, if it says.

    Whoever wrote them may be a stranger: each stands between marks, and of very many some are told.
    """
    some = ", ".join(_told(one) for one in items[:MOST_TOLD])
    return some + (f" and {len(items) - MOST_TOLD:,} more" if len(items) > MOST_TOLD else "")


def _told(item: str) -> str:
    match = _match(item)
    if match is None:
        return shown(item)
    return shown(match[1]) + (f" (of Sealift {shown(match[2])}, it says)" if match[2] else "")


def _match(item: str) -> re.Match[str] | None:
    return _SPELLED.fullmatch(item) if len(item) <= _LONGEST else None


def _number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))
