"""Where a draft comes from, and what its signer did before: steps (6) and (7) of the gate.

    (6) what is carried descends from what was verified before: nothing old, nothing forked
    (7) no second content for a number, and no own change that was lost without a word

Both hold a draft against what somebody remembers. Pure, as the gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sealift_signing import drafts, roles, version_links
from sealift_signing.acts.material import Ask, SetAsideVersion, Unsigned
from sealift_signing.compromised import Compromised, barred
from sealift_signing.drafting import part_of
from sealift_signing.errors import NotSignedEnoughError, RefusedError, shown
from sealift_signing.organisation import Head, Organisation, holders_of
from sealift_signing.organisation_memory import KnownRole, OrganisationMemory, SignedOnce
from sealift_signing.public_key import PublicKey
from sealift_signing.tuf_walk import WentBackError, check_signed
from sealift_signing.version_links import Follows, VersionId

ED25519 = 32
"""Bytes of such a public key; the other scheme's keys are longer."""

OFFER = (
    "This draft was made before that, or the hub lost it: have it drafted again. If the new one "
    "says the same, give the hub back what it lost: sealift-sign write {role} FILE, and there: "
    "sealift submit FILE. Only what nobody wants is given up, by a draft with --over FILE."
)


ABOVE = "All its digits stand above, where it says SETS ASIDE."


@dataclass(frozen=True)
class Confirmation:
    """Something that whoever signs types, because a yes is too easily said.

    Attributes:
        what: the sentence that says why.
        digest: the sha256 whose eight words, or all of whose digits, are to be typed.
        where: how whoever signs comes by them.
        is_card: it is a key card that was not given by whoever signs; the card itself does, too.
    """

    what: str
    digest: str
    where: str
    is_card: bool = False


def check_past(head: Head, lineage: tuple[Follows, ...]) -> None:
    """(5) Also of the past nothing is carried but what the links are of: memories keep it."""
    past = (
        ()
        if head.follows is None
        else tuple(version_links.ancestry(head.role, head.follows, lineage))
    )
    if past[1:] != lineage:
        raise RefusedError(
            "draft-holds-more",
            f"The draft carries a past of {head.role} that is not its own.",
            subject=head.role,
            next_step="Do not sign it; have it drafted again.",
        )


def descend(
    heads: Iterable[Head],
    lineages: Mapping[str, tuple[Follows, ...]],
    aside: Mapping[str, set[VersionId]],
    known: OrganisationMemory | None,
) -> Iterator[str]:
    """(6) Nothing is older than what was verified before, and nothing forked from it."""
    for head in heads:
        before = known.role(head.role) if known else None
        if before is None:
            continue
        try:
            yield from _descends(head, lineages[head.role], aside.get(head.role, set()), before)
        except RefusedError as bad:
            if head.role != roles.RECALL:
                raise
            yield exempt(bad)


def lost_recalls(
    heads: Iterable[Head], said: Iterable[str], known: OrganisationMemory
) -> Iterator[Confirmation]:
    """A list of recalls that is renewed without one that is known here: told, and typed.

    Sites keep what they have seen; one that is enrolled later would never hear of it.
    """
    before = known.role(roles.RECALL)
    newest = next((head for head in heads if head.role == roles.RECALL), None)
    if before is None or newest is None or before.digest == newest.digest:
        return
    if not any("For recall" in line for line in said):
        return
    yield Confirmation(
        f"You know recall {before.named}, which is not in what you go on from: what it recalled is "
        "not in this list.",
        before.digest,
        f"Its words are told by: sealift-sign heads --at {roles.RECALL}={before.version}",
    )


def check_absent(absent: Iterable[str], known: OrganisationMemory | None) -> None:
    """(6) No role that is known here may be passed off as one that has no version yet.

    Raises:
        WentBackError: one is.
    """
    for role in sorted(absent):
        before = known.role(role) if known else None
        if before is not None:
            raise WentBackError(
                "role-missing",
                f"The draft says nothing of {role}, as if it had no version yet; {before.named} "
                "is known here.",
                subject=role,
                next_step=OFFER.format(role=role),
            )


def published(
    organisation: Organisation, others: Iterable[SetAsideVersion], known: OrganisationMemory
) -> Iterator[Confirmation]:
    """What is to be set aside and was published, or may have been: a look at it is not enough.

    Whoever set it aside would undo all that it changed, such as that somebody was removed.
    """
    for other in others:
        metadata = drafts.spelled_role(other.role, other.data)
        named = version_links.named(metadata)
        before = known.role(other.role)
        is_known = before is not None and before.digest == named.digest
        older = {one.digest for one in known.older if one.role == other.role}
        held = holders_of(organisation, other.role)
        enough = len(organisation.holders_who_signed(other.role, metadata)) >= held.threshold
        seen = is_known or named.digest in older
        if seen or enough:
            how = "was seen published here" if seen else "may have been: enough people signed it"
            yield Confirmation(
                f"You set aside {other.role} {named}, which {how}. What it changed is undone, such "
                "as that somebody was removed: what it says otherwise is shown above.",
                named.digest,
                ABOVE,
            )


def exempt(bad: RefusedError) -> str:
    """What would be refused for any other role: a recall must not wait for a lost version."""
    return f"{bad.what} For recall that is said, and bars nothing."


def check_new_signers(
    organisation: Organisation, heads: Iterable[Head], known: OrganisationMemory, lost: Compromised
) -> None:
    """A key that was called compromised signs no version that is new here; what is known stands.

    Raises:
        NotSignedEnoughError: without such keys too few signed it.
    """
    for head in heads:
        before = known.role(head.role)
        if before and before.digest == head.digest:
            continue
        without = barred(lost, roles.above(head.role))
        if head.by_former:
            _check_former_signers(head, without)
            continue
        owner = organisation.head(head.delegator).metadata.signed
        check_signed(owner, head.role, head.metadata, without=without)


def _check_former_signers(head: Head, without: frozenset[bytes]) -> None:
    stolen = {PublicKey(f"ed25519:{raw.hex()}").keyid for raw in without if len(raw) == ED25519}
    stolen |= {PublicKey(f"ecdsa-p256:{raw.hex()}").keyid for raw in without if len(raw) != ED25519}
    if stolen & set(head.keyids):
        raise NotSignedEnoughError(
            "not-signed-enough",
            f"{head.role} {head.named} is signed with a key that was called compromised, and is "
            "not known here.",
            subject=head.role,
            next_step="Have the role's holders sign it again, from a version that somebody knew.",
        )


def former(heads: Iterable[Head], known: OrganisationMemory | None) -> Iterator[Confirmation]:
    """What was signed by people who held a role before others did, and is not known here.

    Nothing shows that they signed it before they lost the role.
    """
    for head in heads:
        if known is None or not head.by_former:
            continue
        before = known.role(head.role)
        own = {one.digest for one in known.signed if one.name == head.role}
        if head.digest in own or (before and before.digest == head.digest):
            continue
        yield Confirmation(
            f"{head.role} {head.named} is signed by {' and '.join(head.signers)}, who held the "
            "role before others did; nothing shows that they signed it before that, and it is not "
            "known here. Ask somebody who knew it then.",
            head.digest,
            "Somebody who knew it reads out its words: sealift-sign heads --at "
            f"{head.role}={head.version}. Or they write what they know, sealift-sign share FILE, "
            "and you take it in first: sealift-sign learn FILE --colleague",
        )


def _descends(
    head: Head, lineage: tuple[Follows, ...], aside: set[VersionId], before: KnownRole
) -> Iterator[str]:
    if before.named in aside:
        yield (
            f"You went by {head.role} {before.named} until now; this sets it aside, and you go by "
            "the new version once it is published."
        )
        return
    try:
        found = version_links.check_descends(
            head.role, before.named, head.metadata, lineage, linked=before.link is not None
        )
    except WentBackError as bad:
        bad.next_step = OFFER.format(role=head.role)
        raise
    if found.set_aside is not None:
        yield (
            f"You went by {head.role} {before.named} until now; version {found.set_aside} set it "
            f"aside, and you go by {head.named} from now on."
        )


def own_changes(
    unsigned: Unsigned,
    base: Head | None,
    lineages: Mapping[str, tuple[Follows, ...]],
    ask: Ask,
    known: OrganisationMemory,
) -> Iterator[Confirmation]:
    """(7) What was signed before and is not in the base.

    Raises:
        RefusedError: it has this version's number, or a higher one, and is not set aside.
    """
    number = _number(unsigned)
    this = VersionId(number, part_of(unsigned).digest)
    role, aside = unsigned.name, set(unsigned.aside)
    accounted = {this, *aside, *_past(base, lineages.get(role, ()))}
    lost = [
        one
        for one in known.signed
        if (one.name, one.settled) == (role, False) and one.named not in accounted
    ]
    reach = _reach(base, lineages.get(role, ()))
    for one in lost:
        if base is None or one.version > base.version:
            raise _second(role, one, number)
    for one in lost:
        if one.version >= reach:
            yield _unpublished(one, ask, lost)
    if role == roles.ROOT:
        yield from (
            Confirmation(
                f"You set aside root {one}, which you signed. This is a second root of that "
                "number: whoever goes by the first takes this one only if those who hold the first "
                "signed it, too.",
                one.digest,
                ABOVE,
            )
            for one in sorted(aside)
        )


def _reach(base: Head | None, lineage: tuple[Follows, ...]) -> int:
    """The version down to which a past is told: that where the chain starts, or all."""
    if base is None or base.follows is None:
        return base.version if base else 0
    *_, first = version_links.ancestry(base.role, base.follows, lineage)
    return first.version if first.link is None else 0


def _number(unsigned: Unsigned) -> int:
    return int(drafts.to_metadata(part_of(unsigned)).signed.version)


def _past(base: Head | None, lineage: tuple[Follows, ...]) -> Iterator[VersionId]:
    """Every version that the base is, descends from, or whose setting aside it knows."""
    if base is None:
        return
    yield base.named
    if base.follows is None:
        return
    for one in version_links.ancestry(base.role, base.follows, lineage):
        yield one.predecessor
        yield from one.set_aside


def _second(role: str, one: SignedOnce, number: int) -> RefusedError:
    return RefusedError(
        "second-content",
        f"You signed version {one.version} of {role} ({one.digest[:12]}) on {one.signed[:10]}, for "
        f"{shown(one.act, 200)}. This draft knows nothing of it: it would make another version "
        f"{number} in its place.",
        subject=role,
        next_step="If that was published meanwhile, this draft was made before it: have it "
        f"drafted again. If not, complete it: sealift-sign again {one.digest[:12]} FILE, then "
        "sealift submit FILE. Only if it is given up, have this one drafted again with --over "
        "FILE.",
    )


def _unpublished(one: SignedOnce, ask: Ask, lost: list[SignedOnce]) -> Confirmation:
    same = sum(1 for other in lost if other.act == str(ask))
    often = f" You have signed {ask.drawn} {same} times." if same > 1 else ""
    return Confirmation(
        f"Version {one.version} of {one.name} ({one.digest[:12]}), which you signed on "
        f"{one.signed[:10]} for {shown(one.act, 200)}, was never published.{often}",
        one.digest,
        "It is listed by: sealift-sign signed",
    )
