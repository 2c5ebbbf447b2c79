"""The strict layer: what a walk asks beyond TUF's letter, because a medium is not a server.

A server is asked again tomorrow, by many, and somebody watches it. A medium is carried by a
stranger and read once, at a place where nobody can ask; and who signs there is a person, not a
service. Each rule stands alone and only ever refuses: with any of them in place a walk takes
nothing that it would not take without (`tests/conformance` tests both).

Rules about what our roles may say are in `roles` and `site_rules`, and floors by key set in
`floors`: layers above this one.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, ClassVar

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from sealift_signing.errors import MalformedError
from sealift_signing.public_key import SCHEMES
from sealift_signing.walk.steps import Holder, S, Spelled, WentBackError, differs, went_back

PERSON_FIELD = "x-sealift-person"
"""On a key: whose it is. A threshold counts distinct people (docs/explanation/conformance.md)."""

LARGEST_NUMBER = 2**53
"""The largest whole number that a reader in any language holds exactly (RFC 8785)."""

MOST_HASHES = 8
"""Hashes by which one file may be named; TUF's writers name one or two."""

_HEXADECIMAL = re.compile(r"(?:[0-9a-f]{2})*")


class Rule:
    """One thing that is asked beyond the letter. What a rule does not override, it lets pass.

    Attributes:
        name: what it is called, in tests and on the page of differences.
        refuses: what is refused or not counted, to follow "It".
        reason: why a medium asks for it.
    """

    name: ClassVar[str]
    refuses: ClassVar[str]
    reason: ClassVar[str]

    def check_file(self, read: Spelled[Any], role: str) -> None:
        """Check a file of `role` that is metadata of the right kind."""

    def check_hashes(self, hashes: Mapping[str, str], what: str) -> None:
        """Check by which hashes a file is named, before any of them is reckoned."""

    def counts(self, holder: Holder) -> bool:
        """Whether a key whose signature a file bears may count at all; or its refusal."""
        del holder
        return True

    def counted_as(self, holder: Holder) -> Hashable:
        """What counts once towards a threshold, of all keys whose signatures are right."""
        return holder.keyid

    def check_follows(self, before: Spelled[S], after: Spelled[S], role: str) -> None:
        """Check a file of `role` against the one that was kept, which today's keys vouch for."""


Rules = tuple[Rule, ...]


class OneSpelling(Rule):
    """Nothing travels along that nobody signed."""

    name = "one spelling"
    refuses = (
        "refuses a file that differs in one byte from what TUF's own writer makes of its content: "
        "white space, other orders and escapes, a member twice, members beside what is signed"
    )
    reason = (
        "Two readers could read one file in two ways, and a carrier could hide something in a file "
        "whose signatures are right. A site's log and receipts name files by their digests."
    )

    def check_file(self, read: Spelled[Any], role: str) -> None:
        """Check that the file is the writer's, and its signatures lower-case hexadecimal."""
        plain = not read.metadata.unrecognized_fields and all(
            _HEXADECIMAL.fullmatch(str(one.signature)) and not one.unrecognized_fields
            for one in read.metadata.signatures.values()
        )
        if read.spelled != read.data or not plain:
            raise MalformedError(
                "metadata-not-canonical",
                f"The metadata of {role} is not spelled as TUF's own writer spells it.",
                subject=role,
            )


class PlainNumbers(Rule):
    """Numbers are what every reader takes them for."""

    name = "plain numbers"
    refuses = "refuses a version, length or threshold that is above 2^53, or is `true`"
    reason = (
        "To Python `true` is a version, and to a reader in another language 2^53+1 is 2^53: "
        "an auditor's tool and a site would differ over which file is newer."
    )

    def check_file(self, read: Spelled[Any], role: str) -> None:
        """Check every number that means something."""
        signed = read.metadata.signed
        if not all(type(one) is int and one <= LARGEST_NUMBER for one in _numbers(signed)):
            raise MalformedError(
                "metadata-number",
                f"The metadata of {role} has a version, length or threshold that is not a plain "
                "number.",
                subject=role,
            )


class Sha256(Rule):
    """One hash, which every document of ours uses, and few beside it."""

    name = "sha256"
    refuses = (
        "refuses a file that is named by hashes of which none is a sha256, or by more than "
        f"{MOST_HASHES}"
    )
    reason = (
        "Log, receipts and approvals name bytes by their sha256. A file that is known by another "
        "hash alone cannot be found again in any of them. And a hash has hundreds of names: who "
        "stole the snapshot's key could have a large file reckoned for minutes."
    )

    def check_hashes(self, hashes: Mapping[str, str], what: str) -> None:
        """Check that one of them is a sha256, and that they are few."""
        if len(hashes) > MOST_HASHES:
            raise MalformedError(
                "too-many-hashes",
                f"The metadata of {what} is named by {len(hashes)} hashes, which is more than "
                f"{MOST_HASHES}.",
                subject=what,
            )
        if "sha256" not in hashes:
            raise differs(what)


class TwoSchemes(Rule):
    """Ed25519 and ECDSA P-256, and nothing that is new to a site."""

    name = "two schemes"
    refuses = (
        "refuses a file with a signature by a key of its role that is neither Ed25519 nor "
        "ECDSA P-256"
    )
    reason = (
        "A site runs for years where nobody can update it soon. Each further scheme is code "
        "that decides trust there; these two are in every hardware key and every library."
    )

    def counts(self, holder: Holder) -> bool:
        """True; or the refusal."""
        _ = holder.public
        return True


class ComputedKeyids(Rule):
    """A key's id says which key it is."""

    name = "computed keyids"
    refuses = (
        "refuses a file with a signature by a key of its role whose keyid is not the sha256 of "
        "type, scheme and value as we spell them"
    )
    reason = (
        "TUF lets a key be held under any id. One key under two ids could be named to people as "
        "two; with a computed id, the id that a person compares is the key."
    )

    def counts(self, holder: Holder) -> bool:
        """True; or the refusal. Of a scheme that is not read, no id can be computed here."""
        if _is_read(holder) and holder.public.keyid != holder.keyid:
            raise MalformedError(
                "keyid-not-computed",
                f"A key of {holder.role} bears an id that is not the one computed from it.",
                subject=holder.keyid,
            )
        return True


class OwnedKeys(Rule):
    """Keys that anybody can sign for are nobody's."""

    name = "owned keys"
    refuses = (
        "counts no key of small order, no second spelling of a key, and none that is no point of "
        "its curve"
    )
    reason = (
        "For such bytes a signature can be made up without a private key, or one key is counted "
        "as two."
    )

    def counts(self, holder: Holder) -> bool:
        """Whether somebody can own it."""
        return not _is_read(holder) or holder.public.fault is None


class DistinctKeys(Rule):
    """What counts once is a key's value."""

    name = "distinct keys"
    refuses = "counts one key once towards a threshold, under however many ids"
    reason = "A threshold of two that one private key meets is a threshold of one."

    def counted_as(self, holder: Holder) -> Hashable:
        """The raw key."""
        return holder.public.raw if _is_read(holder) else holder.keyid


class DistinctPeople(Rule):
    """What counts once is a person."""

    name = "distinct people"
    refuses = (
        f"counts one person once towards a threshold, with however many keys (`{PERSON_FIELD}`)"
    )
    reason = (
        "Thresholds stand for people who agree. Who holds a key at the desk and one in a safe is "
        "still one person."
    )

    def counted_as(self, holder: Holder) -> Hashable:
        """Whose key it is; the key itself, where it says nothing."""
        alone = holder.public.text if _is_read(holder) else holder.keyid
        return str(holder.key.unrecognized_fields.get(PERSON_FIELD, alone))


class NoForks(Rule):
    """One number, one content."""

    name = "no forks"
    refuses = "refuses a file with another content than the kept one of the same version"
    reason = (
        "TUF keeps the older timestamp in silence and does not ask of other roles. Where two "
        "contents of one version exist, somebody signed twice: a restored hub, or a thief. People "
        "must hear of it."
    )

    def check_follows(self, before: Spelled[S], after: Spelled[S], role: str) -> None:
        """Check that the same version says the same."""
        number = after.metadata.signed.version
        if number == before.metadata.signed.version and after.payload != before.payload:
            raise WentBackError(
                "role-forked",
                f"There are two different {role} files of version {number}: somebody signed twice.",
                subject=role,
                next_step="Keep this medium and tell the hub's administrators. A hub that was "
                "restored from a backup counts on by one with each role that is signed again "
                "there: sealift renew ROLE",
            )


class NoWayBack(Rule):
    """What the same keys signed later stays later."""

    name = "no way back"
    refuses = (
        "refuses a lower version of any role than the kept one, as long as the keys of today "
        "vouch for the kept one, whatever the snapshot says"
    )
    reason = (
        "TUF lets new keys of the snapshot take every role back. The hub holds these; who takes "
        "it over must not bring back what people replaced. The way out of a fast-forward is a new "
        "key of the role itself, with a floor that its delegator signs."
    )

    def check_follows(self, before: Spelled[S], after: Spelled[S], role: str) -> None:
        """Check that the version is no lower."""
        found, seen = after.metadata.signed.version, before.metadata.signed.version
        if found < seen:
            raise went_back(role, found, seen)


STRICT: Rules = (
    OneSpelling(),
    PlainNumbers(),
    Sha256(),
    TwoSchemes(),
    ComputedKeyids(),
    OwnedKeys(),
    DistinctKeys(),
    DistinctPeople(),
    NoWayBack(),
    NoForks(),
)
"""The layer: all rules, in the order in which they are asked."""


def _is_read(holder: Holder) -> bool:
    """Whether `holder.public` can be asked; of other schemes `TwoSchemes` says what is to be."""
    return holder.key.scheme in SCHEMES


def _numbers(signed: Root | Timestamp | Snapshot | Targets) -> Iterator[object]:
    """Every number that means something in `signed`."""
    yield signed.version
    if isinstance(signed, Timestamp | Snapshot):
        listed = [signed.snapshot_meta] if isinstance(signed, Timestamp) else signed.meta.values()
        for info in listed:
            yield info.version
            yield 0 if info.length is None else info.length
    elif isinstance(signed, Root):
        yield from (spec.threshold for spec in signed.roles.values())
    else:
        yield from (target.length for target in signed.targets.values())
        delegated = signed.delegations.roles if signed.delegations else None
        yield from (spec.threshold for spec in (delegated or {}).values())
