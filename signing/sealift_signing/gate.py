"""The gate before every signature: what a draft must be, and what whoever signs is told.

    (1) the file is the named act, with its object and options, of the organisation that is known
    (2) its date is believable
    (3) root 1 to the newest root is one chain, through the root by which the organisation is pinned
    (4) the act, computed from the verified base, gives exactly the bytes that are to be signed
    (5) nothing else is carried
    (6) what is carried descends from what was verified before: nothing old, nothing forked
    (7) no second content for a number, and no own change that was lost without a word
    (8) the key is one that may

Pure: a draft, what is remembered, a clock and a public key in; words and exact bytes out. What is
shown is computed from the bytes that are signed, and nothing is read again between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from securesystemslib.signer import Signer

from sealift_signing import drafts, links, roles
from sealift_signing.acts import closed, versions, wording
from sealift_signing.acts.asking import Ask, Carried, Material, Other, Prepared, Unsigned
from sealift_signing.approvals import LARGEST_LEAD
from sealift_signing.compromised import (
    NONE,
    Compromised,
    entered_by,
    machines_of,
    people_of,
    union,
)
from sealift_signing.documents import FLEET_KEYS_PATH, members_path
from sealift_signing.drafting import part_of
from sealift_signing.drafts import Draft, DraftFiles, Part, decoded
from sealift_signing.errors import RefusedError, shown
from sealift_signing.known import Known, KnownRole, SignedOnce
from sealift_signing.links import Follows, Named
from sealift_signing.organisation import Head, Organisation, holders_of
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard
from sealift_signing.tuf_walk import WentBackError
from sealift_signing.vocabulary import instant, moment
from sealift_signing.words import words_of

OLDEST = timedelta(days=30)
"""For so long after its making a draft can be signed: Friday's on Monday, not next year."""


@dataclass(frozen=True)
class Confirmation:
    """Something that whoever signs types, because a yes is too easily said.

    Attributes:
        what: the sentence that says why.
        digest: the sha256 to be typed; of a card, its eight words do, or the card itself is given.
        is_card: it is a key card that was not given by whoever signs.
    """

    what: str
    digest: str
    is_card: bool


@dataclass(frozen=True)
class Examined:
    """A draft that passed the gate.

    Attributes:
        parts: what is signed, each as the draft will hold it.
        words: all that is said, line by line.
        confirm: what has to be typed first.
        root: the newest root.
        heads: every other role that was verified.
        settles: digests of own changes that were never published, which are told.
        compromised: keys that what was verified calls so.
    """

    draft: Draft
    ask: Ask
    parts: tuple[Part, ...]
    words: tuple[str, ...]
    confirm: tuple[Confirmation, ...]
    root: Head
    heads: tuple[Head, ...]
    settles: tuple[str, ...]
    compromised: Compromised


def examine(
    draft: Draft,
    ask: Ask,
    known: Known | None,
    now: datetime,
    key: PublicKey,
    cards: Iterable[str] = (),
) -> Examined:
    """What signing `draft` as the act `ask` would mean.

    Args:
        draft: as it was read.
        ask: as the person names it.
        known: what is remembered; None only where one key is everything anyway (solo).
        now: the clock of whoever signs.
        key: of whoever signs.
        cards: the sha256 of each key card that they have themselves.

    Raises:
        RefusedError: it must not be signed; the sentence says why.
        NotFoundError, UsageError: the act is not possible, or named otherwise.
    """
    act = closed.act(ask)
    _check_named(draft, ask)  # (1)
    _check_date(draft, now)  # (2)
    files, carried = DraftFiles(draft), Carried([decoded(one) for one in draft.statements])
    organisation = Organisation(files, former=True)
    _check_organisation(draft, organisation, known)  # (1) and (3)
    organisation.policy()
    material = _material(draft, carried, now, key, known)
    prepared = act.prepare(organisation, ask, material)
    parts = _exact(draft, prepared, own=act.own)  # (4)
    _check_nothing_else(draft, files, carried, prepared)  # (5)
    heads = tuple(organisation.head(one.role) for one in draft.roles)
    lineages = {one.role: one.lineage for one in draft.roles}
    for head in heads:
        _check_past(head, lineages[head.role])
    aside = {one.name: set(one.aside) for one in prepared.parts}
    said = list(_descend(heads, lineages, aside, known))  # (6)
    confirm = [*_cards(carried, cards)]
    settles: list[str] = []
    confirm += _former(heads, known)
    for unsigned in prepared.parts:
        if unsigned.kind == drafts.ROLE and known is not None:
            base = _base(organisation, unsigned.name)
            try:
                for one in _own_changes(unsigned, base, lineages, ask, known):  # (7)
                    confirm.append(one)
                    settles.append(one.digest)
            except RefusedError as bad:
                if unsigned.name != roles.RECALL:
                    raise
                said.append(_exempt(bad))
    _check_key(organisation, prepared, key)  # (8)
    words = _words(organisation, draft, prepared, said, now, own=act.own)
    return Examined(
        draft,
        ask,
        parts,
        words,
        tuple(confirm),
        organisation.root,
        heads,
        tuple(settles),
        _compromised(organisation, draft),
    )


# ---------------------------------------------------------------------- what it is, steps 1 to 3


def _check_named(draft: Draft, ask: Ask) -> None:
    """(1) One draft is one act, the one that is named: its object and its options, all of them."""
    named = (draft.act, draft.object)
    if named != (ask.act, ask.object):
        raise RefusedError(
            "other-act",
            f"The draft is of {shown(' '.join((draft.act, *draft.object)))}, not of "
            f"{shown(' '.join((ask.act, *ask.object)))}.",
            subject=str(ask),
            next_step="Sign it only if you mean that act, and name it then.",
        )
    if not closed.act(ask).own and dict(draft.details) != dict(ask.details):
        raise RefusedError(
            "other-act",
            f"The draft is of {shown(str(Ask(draft.act, draft.object, draft.details)), 400)}, "
            f"and you named {shown(str(ask), 400)}.",
            subject=str(ask),
            next_step="Sign it only if you mean that act, and name it then with its options.",
        )


def _check_date(draft: Draft, now: datetime) -> None:
    """(2) At most a day ahead of the clock here, at most 30 days behind it."""
    made = instant(draft.made)
    if made > now + LARGEST_LEAD:
        raise RefusedError(
            "dated-ahead",
            f"The draft was made at {draft.made}; the clock here says {moment(now)}.",
            subject=draft.made,
            next_step="Check both clocks, or have it drafted again.",
        )
    if made < now - OLDEST:
        raise RefusedError(
            "draft-old",
            f"The draft was made at {draft.made}; the clock here says {moment(now)}. A draft can "
            f"be signed for {OLDEST.days} days.",
            subject=draft.made,
            next_step="Have it drafted again.",
        )


def _check_organisation(draft: Draft, organisation: Organisation, known: Known | None) -> None:
    """(3) The draft's organisation is the one that is known, by the root that is known."""
    if organisation.id != draft.organisation:
        raise RefusedError(
            "other-organisation",
            f"The draft says that it is of the organisation {draft.organisation}, and is of "
            f"{organisation.id}.",
            subject=organisation.id,
            next_step="Do not sign it; have it drafted again.",
        )
    if known is None:
        return
    known.check_pinned(organisation.roots, "The draft")
    if organisation.root.version < known.root.version:
        raise WentBackError(
            "role-went-back",
            f"The draft stands on root {organisation.root.version}; root {known.root.version} is "
            "known here.",
            subject=roles.ROOT,
            next_step=_OFFER.format(role=roles.ROOT),
        )


_OFFER = (
    "What is known here can be given back: sealift-sign write {role} FILE, then at the hub: "
    "sealift submit FILE. If it is to be given up, have it drafted again with --over FILE."
)


# ---------------------------------------------------------------------- what it holds, 4 and 5


def _material(
    draft: Draft, carried: Carried, now: datetime, key: PublicKey, known: Known | None
) -> Material:
    return Material(
        made=instant(draft.made),
        now=now,
        carried=carried,
        facts=draft.facts,
        parts={part.name: part.data for part in draft.parts},
        others=tuple(
            Other(one.role, decoded(one.data), {d.path: decoded(d.data) for d in one.documents})
            for one in draft.superseded
        ),
        key=key,
        compromised=frozenset((one.role, one.key) for one in known.compromised) if known else NONE,
    )


def _exact(draft: Draft, prepared: Prepared, *, own: bool) -> tuple[Part, ...]:
    """(4) The parts to sign; byte for byte those of the draft, or new where they are one's own."""
    computed = tuple(map(part_of, prepared.parts))
    if own:
        if draft.parts:
            raise RefusedError(
                "signed-already",
                f"This {draft.parts[0].name} is signed already; a statement is signed once.",
                subject=draft.act,
                next_step="Submit it: sealift submit FILE; or take the draft for another.",
            )
        return computed
    bare = tuple(replace(part, signatures=()) for part in draft.parts)
    if bare != computed:
        raise RefusedError(
            "draft-says-more",
            f"What the draft has signed is not what {shown(draft.act)} makes of the version that "
            "it stands on: it holds something else, or more.",
            subject=draft.act,
            next_step="Do not sign it. Have it drafted again, and check the hub: sealift audit "
            "fsck",
        )
    return draft.parts


def _check_nothing_else(
    draft: Draft, files: DraftFiles, carried: Carried, prepared: Prepared
) -> None:
    """(5) Whatever is carried was needed for what is shown."""
    needed = {one.name for one in prepared.parts}
    idle = [one.role for one in draft.superseded if one.role not in needed]
    idle += [name for name in draft.facts if name not in closed.ACTS[draft.act].facts]
    more = (*files.unread, *carried.unread, *idle)
    if more:
        raise RefusedError(
            "draft-holds-more",
            f"The draft carries {shown(more[0])}, which {shown(draft.act)} does not need.",
            subject=more[0],
            next_step="Do not sign it; have it drafted again.",
        )


def _check_past(head: Head, lineage: tuple[Follows, ...]) -> None:
    """(5) Also of the past nothing is carried but what the links are of: memories keep it."""
    past = () if head.follows is None else tuple(links.ancestry(head.role, head.follows, lineage))
    if past[1:] != lineage:
        raise RefusedError(
            "draft-holds-more",
            f"The draft carries a past of {head.role} that is not its own.",
            subject=head.role,
            next_step="Do not sign it; have it drafted again.",
        )


# ---------------------------------------------------------------------- where it comes from, 6


def _descend(
    heads: Iterable[Head],
    lineages: Mapping[str, tuple[Follows, ...]],
    aside: Mapping[str, set[Named]],
    known: Known | None,
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
            yield _exempt(bad)


def _exempt(bad: RefusedError) -> str:
    """What would be refused for any other role: a recall must not wait for a lost version."""
    return f"{bad.what} For recall that is said, and bars nothing."


def _former(heads: Iterable[Head], known: Known | None) -> Iterator[Confirmation]:
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
            is_card=False,
        )


def _descends(
    head: Head, lineage: tuple[Follows, ...], aside: set[Named], before: KnownRole
) -> Iterator[str]:
    if before.named in aside:
        yield f"You know {head.role} {before.named}, which this sets aside."
        return
    try:
        found = links.check_descends(
            head.role, before.named, head.metadata, lineage, linked=before.link is not None
        )
    except WentBackError as bad:
        bad.next_step = _OFFER.format(role=head.role)
        raise
    if found.set_aside is not None:
        yield (
            f"You know {head.role} {before.named}, which version {found.set_aside} has set aside."
        )


# ---------------------------------------------------------------------- own changes, 7


def _compromised(organisation: Organisation, draft: Draft) -> Compromised:
    """The keys that what is carried calls compromised, for a memory to keep."""
    carried = {one.role for one in draft.roles}
    documents = {one.path for one in draft.documents}
    found = [entered_by(one.role, one.metadata.signed) for one in organisation.roots]
    found += [
        entered_by(role, organisation.head(role).metadata.signed)
        for role in (roles.TARGETS, roles.FLEET)
        if role in carried
    ]
    if FLEET_KEYS_PATH in documents:
        found.append(machines_of(roles.FLEET, organisation.fleet_keys()))
    for role in sorted(carried):
        team = role.partition(".")[2]
        if roles.kind(role) == roles.TEAM and members_path(team) in documents:
            members = organisation.members(team)
            found.append(people_of(role, members) if members else NONE)
    return union(found)


def _own_changes(
    unsigned: Unsigned,
    base: Head | None,
    lineages: Mapping[str, tuple[Follows, ...]],
    ask: Ask,
    known: Known,
) -> Iterator[Confirmation]:
    """(7) What was signed before and is not in the base.

    Raises:
        RefusedError: it has this version's number, or a higher one, and is not set aside.
    """
    number = _number(unsigned)
    this = Named(number, part_of(unsigned).digest)
    role, aside = unsigned.name, set(unsigned.aside)
    accounted = {this, *aside, *_past(base, lineages.get(role, ()))}
    lost = [
        one
        for one in known.signed
        if (one.name, one.settled) == (role, False) and one.named not in accounted
    ]
    reach = min((one.version for one in accounted), default=0)
    for one in lost:
        if base is None or one.version > base.version:
            raise _second(role, one, number)
    for one in lost:
        if one.version >= reach:
            yield _unpublished(one, ask, lost)
    if role == roles.ROOT:
        yield from (
            Confirmation(f"You set aside root {one}, which you signed.", one.digest, is_card=False)
            for one in sorted(aside)
        )


def _number(unsigned: Unsigned) -> int:
    return int(drafts.to_metadata(part_of(unsigned)).signed.version)


def _past(base: Head | None, lineage: tuple[Follows, ...]) -> Iterator[Named]:
    """Every version that the base is, descends from, or whose setting aside it knows."""
    if base is None:
        return
    yield base.named
    if base.follows is None:
        return
    for one in links.ancestry(base.role, base.follows, lineage):
        yield one.predecessor
        yield from one.set_aside


def _second(role: str, one: SignedOnce, number: int) -> RefusedError:
    return RefusedError(
        "second-content",
        f"You signed version {one.version} of {role} ({one.digest[:12]}) on {one.signed[:10]}, for "
        f"{shown(one.act, 200)}, and it is not published. Version {number} would have another "
        "content and not set it aside.",
        subject=role,
        next_step=f"Submit it: sealift-sign again {one.digest[:12]} FILE, then sealift submit "
        "FILE. Or have this one drafted again with --over FILE, which sets it aside.",
    )


def _unpublished(one: SignedOnce, ask: Ask, lost: list[SignedOnce]) -> Confirmation:
    same = sum(1 for other in lost if other.act == str(ask))
    often = f" You have signed {ask} {same} times." if same > 1 else ""
    return Confirmation(
        f"Version {one.version} of {one.name} ({one.digest[:12]}), which you signed on "
        f"{one.signed[:10]} for {shown(one.act, 200)}, was never published.{often}",
        one.digest,
        is_card=False,
    )


# ---------------------------------------------------------------------- the key, 8, and words


def _check_key(organisation: Organisation, prepared: Prepared, key: PublicKey) -> None:
    """(8) Whoever signs holds the role; a person's own statement has looked for itself."""
    for unsigned in prepared.parts:
        if unsigned.signers is None:
            continue
        held = holders_of(organisation, unsigned.signers)
        if key.raw not in {one.raw for one in held.keys}:
            raise RefusedError(
                "not-a-holder",
                f"This key holds no part of {unsigned.signers}.",
                subject=unsigned.signers,
                next_step=f"Those who do are: {', '.join(held.people)}.",
            )


def _cards(carried: Carried, given: Iterable[str]) -> Iterator[Confirmation]:
    """Key cards that whoever signs did not bring themselves."""
    own = set(given)
    for card in carried.all(KeyCard):
        if card.sha256 not in own:
            yield Confirmation(
                f"The key card of {card.predicate.owner} came with the draft. Ask "
                f"{card.predicate.owner} for its eight words.",
                card.sha256,
                is_card=True,
            )


def sign(examined: Examined, signer: Signer) -> Draft:
    """The draft with the signature of `signer` on every part; just what was examined is signed."""
    draft = replace(examined.draft, parts=examined.parts, details=examined.ask.details)
    for part in examined.parts:
        signature = signer.sign(part.signed_data)
        draft = drafts.with_signature(
            draft, part.name, signature.keyid, bytes.fromhex(signature.signature)
        )
    return drafts.read(drafts.write(draft))


def is_typed(typed: str, confirmation: Confirmation) -> bool:
    """Whether `typed` is what `confirmation` asks for: the whole digest, or a card's words."""
    plain = "".join(typed.split()).lower()
    if confirmation.is_card and " ".join(typed.lower().split()) == words_of(confirmation.digest):
        return True
    return plain == confirmation.digest


def _base(organisation: Organisation, role: str) -> Head | None:
    return organisation.head(role) if organisation.has(role) else None


def _words(
    organisation: Organisation,
    draft: Draft,
    prepared: Prepared,
    said: list[str],
    now: datetime,
    *,
    own: bool,
) -> tuple[str, ...]:
    stands_on = [*_base_words(organisation, prepared, draft, now), *said]
    others = [line for one in draft.superseded for line in _other_words(organisation, one)]
    signed = [line for part in draft.parts for line in _signed_words(organisation, part, prepared)]
    if own:
        return (*prepared.words, "By the people and the rules of:", *wording.indented(stands_on))
    return (*stands_on, *others, *prepared.words, *signed)


def _base_words(
    organisation: Organisation, prepared: Prepared, draft: Draft, now: datetime
) -> Iterator[str]:
    """First the base of what is signed, then what else has expired; of a statement, all of it."""
    first = [one.name for one in prepared.parts if one.kind == drafts.ROLE]
    for role in first:
        base = _base(organisation, role)
        yield wording.base(base, now) if base else f"{role} has no version yet."
    for head in (organisation.root, *(organisation.head(one.role) for one in draft.roles)):
        if head.role not in first and (not first or head.expires <= now):
            yield wording.base(head, now)


def _other_words(organisation: Organisation, one: drafts.Superseded) -> Iterator[str]:
    """What is set aside, whole."""
    found = {document.path: decoded(document.data) for document in one.documents}
    other = Other(one.role, decoded(one.data), found)
    named, *_ = versions.set_aside(organisation, other)
    metadata = drafts.spelled_role(one.role, other.data)
    yield f"SETS ASIDE {one.role} version {named.version} ({named.digest}), which says:"
    yield from wording.indented(wording.contents(one.role, metadata.signed, found.get))


def _signed_words(organisation: Organisation, part: Part, prepared: Prepared) -> Iterator[str]:
    role = next((one.signers for one in prepared.parts if one.name == part.name), None)
    if role is None:
        return
    held = roles.named_keys(organisation.head(roles.delegator(role)).metadata.signed, role)
    names = {key.keyid: name for name, key in held.items()}
    for one in part.signatures:
        if one.keyid not in names:
            raise RefusedError(
                "not-a-holder",
                f"The draft bears a signature of a key ({one.keyid[:12]}) that holds no part of "
                f"{role}.",
                subject=role,
                next_step="Do not sign it; take a copy that only its holders have signed.",
            )
        held[names[one.keyid]].verify(
            decoded(one.signature), part.signed_data, what=f"the draft by {names[one.keyid]}"
        )
        yield f"{part.name} is signed so far by {names[one.keyid]}."


def signed_by_key(draft: Draft, key: PublicKey) -> bool:
    """Whether every part of `draft` bears a signature of `key` already."""
    return bool(draft.parts) and all(
        any(one.keyid == key.keyid for one in part.signatures) for part in draft.parts
    )
