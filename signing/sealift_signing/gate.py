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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from securesystemslib.signer import Signer

from sealift_signing import drafts, gate_history, roles
from sealift_signing.acts import closed_list, names, versions
from sealift_signing.acts.material import Ask, Carried, Material, Prepared, SetAsideVersion
from sealift_signing.approvals import LARGEST_LEAD
from sealift_signing.compromised import (
    NONE,
    Compromised,
    barred,
    entered_by,
    machines_of,
    people_of,
    union,
)
from sealift_signing.documents import FLEET_KEYS_PATH, members_path
from sealift_signing.draft_words import base_of, words_for
from sealift_signing.drafting import part_of
from sealift_signing.drafts import Draft, DraftFiles, DraftPart, decoded
from sealift_signing.errors import RefusedError, shown
from sealift_signing.gate_history import Confirmation
from sealift_signing.organisation import Head, Organisation, holders_of
from sealift_signing.organisation_memory import OrganisationMemory
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard
from sealift_signing.tuf_walk import WentBackError
from sealift_signing.version_links import Follows
from sealift_signing.vocabulary import instant, moment
from sealift_signing.words import same_fingerprint

OLDEST = timedelta(days=30)
"""For so long after its making a draft can be signed: Friday's on Monday, not next year."""


@dataclass(frozen=True)
class ExaminedDraft:
    """A draft that passed the gate.

    Attributes:
        parts: what is signed, each as the draft will hold it.
        words: all that is said, line by line.
        confirm: what has to be typed first.
        root: the newest root.
        heads: every other role that was verified.
        settles: digests of own changes that were never published, which are told.
    """

    draft: Draft
    ask: Ask
    parts: tuple[DraftPart, ...]
    words: tuple[str, ...]
    confirm: tuple[Confirmation, ...]
    root: Head
    heads: tuple[Head, ...]
    settles: tuple[str, ...]


def examine(
    draft: Draft,
    ask: Ask,
    known: OrganisationMemory | None,
    now: datetime,
    key: PublicKey,
    cards: Iterable[str] = (),
) -> ExaminedDraft:
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
    return _examined(draft, ask, known, now, key, cards)


def looked_at(
    draft: Draft, ask: Ask, known: OrganisationMemory | None, now: datetime
) -> tuple[str, ...]:
    """What whoever signed `draft` would be told; nobody does.

    Raises:
        SealiftError: as `examine`.
    """
    return _examined(draft, ask, known, now, None, ()).words


def _examined(
    draft: Draft,
    ask: Ask,
    known: OrganisationMemory | None,
    now: datetime,
    key: PublicKey | None,
    cards: Iterable[str],
) -> ExaminedDraft:
    act, ask = names.act(ask), names.as_drafted(ask, draft.object, draft.details)
    _check_named(draft, ask)  # (1)
    _check_date(draft, now)  # (2)
    files, carried = DraftFiles(draft), Carried([decoded(one) for one in draft.statements])
    organisation = Organisation(files, former=True)
    _check_organisation(draft, organisation, known)  # (1) and (3)
    organisation.policy()
    material = _material(draft, carried, now, key, known)
    prepared = closed_list.prepare(organisation, ask, material)
    versions.check_role(material.others, _roles(prepared))
    parts = _exact(draft, prepared, own=act.own)  # (4)
    _check_nothing_else(draft, files, carried, prepared)  # (5)
    gate_history.check_absent(files.absent, known)  # (6)
    heads = tuple(organisation.head(one.role) for one in draft.roles)
    lineages, said = _descent(organisation, draft, prepared, heads, known)  # (6)
    confirm = [*_cards(carried, cards)]
    if known is not None:
        gate_history.check_new_signers(organisation, heads, known, material.compromised)
        confirm += gate_history.published(organisation, material.others, known)
        if ask.act == "renew":
            confirm += gate_history.lost_recalls(heads, said, known)
    confirm += gate_history.former(heads, known)
    lost = _own_changes(organisation, prepared, lineages, ask, known, said)  # (7)
    if key is not None:
        _check_key(organisation, prepared, key, material.compromised)  # (8)
    words = words_for(organisation, draft, prepared, said, now, own=act.own)
    return ExaminedDraft(
        draft,
        ask,
        parts,
        words,
        (*confirm, *lost),
        organisation.root,
        heads,
        tuple(one.digest for one in lost),
    )


def _descent(
    organisation: Organisation,
    draft: Draft,
    prepared: Prepared,
    heads: Sequence[Head],
    known: OrganisationMemory | None,
) -> tuple[dict[str, tuple[Follows, ...]], list[str]]:
    """(5) and (6): what the versions carried say of their past, by role, and what is told of it."""
    lineages = {one.role: one.lineage for one in draft.roles}
    for head in heads:
        gate_history.check_past(head, lineages[head.role])
    lineages[roles.ROOT] = organisation.lineage(roles.ROOT, 0)  # its versions are all carried
    aside = {one.name: set(one.aside) for one in prepared.parts}
    for head in heads:
        versions.check_aside(aside.get(head.role, ()), head, lineages[head.role])
    return lineages, list(gate_history.descend(heads, lineages, aside, known))


def _own_changes(
    organisation: Organisation,
    prepared: Prepared,
    lineages: Mapping[str, tuple[Follows, ...]],
    ask: Ask,
    known: OrganisationMemory | None,
    said: list[str],
) -> list[Confirmation]:
    """(7): what was signed here before and is lost in the draft; for recalls it is only told."""
    if known is None:
        return []
    lost: list[Confirmation] = []
    for unsigned in prepared.parts:
        if unsigned.kind != drafts.ROLE:
            continue
        base = base_of(organisation, unsigned.name)
        try:
            # One after the other: those before a refusal that is only told are typed all the same.
            for one in gate_history.own_changes(unsigned, base, lineages, ask, known):
                lost.append(one)  # noqa: PERF402
        except RefusedError as bad:
            if unsigned.name != roles.RECALL:
                raise
            said.append(gate_history.exempt(bad))
    return lost


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
    if not names.act(ask).own and dict(draft.details) != dict(ask.details):
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
    if made - now > LARGEST_LEAD:
        raise RefusedError(
            "dated-ahead",
            f"The draft was made at {draft.made}; the clock here says {moment(now)}.",
            subject=draft.made,
            next_step="One of the two clocks is wrong: set it right. If it was the hub's, have "
            "it drafted again.",
        )
    if now - made > OLDEST:
        raise RefusedError(
            "draft-old",
            f"The draft was made at {draft.made}; the clock here says {moment(now)}. A draft can "
            f"be signed for {OLDEST.days} days.",
            subject=draft.made,
            next_step="If the clock here is right, have it drafted again. If it is ahead, set "
            "it: a new draft would be refused as well.",
        )


def _check_organisation(
    draft: Draft, organisation: Organisation, known: OrganisationMemory | None
) -> None:
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
            next_step=gate_history.OFFER.format(role=roles.ROOT),
        )


# ---------------------------------------------------------------------- what it holds, 4 and 5


def _material(
    draft: Draft,
    carried: Carried,
    now: datetime,
    key: PublicKey | None,
    known: OrganisationMemory | None,
) -> Material:
    return Material(
        made=instant(draft.made),
        now=now,
        carried=carried,
        facts=draft.facts,
        parts={part.name: part.data for part in draft.parts},
        others=tuple(
            SetAsideVersion(
                one.role, decoded(one.data), {d.path: decoded(d.data) for d in one.documents}
            )
            for one in draft.superseded
        ),
        key=key,
        compromised=union((_remembered(known), _called_so(draft))),
    )


def _exact(draft: Draft, prepared: Prepared, *, own: bool) -> tuple[DraftPart, ...]:
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
    idle += [name for name in draft.facts if name not in names.ACTS[draft.act].facts]
    more = (*files.unread, *carried.unread, *idle)
    if more:
        raise RefusedError(
            "draft-holds-more",
            f"The draft carries {shown(more[0])}, which {shown(draft.act)} does not need.",
            subject=more[0],
            next_step="Do not sign it; have it drafted again.",
        )


def _remembered(known: OrganisationMemory | None) -> Compromised:
    return frozenset((one.role, one.key) for one in known.compromised) if known else NONE


def _called_so(draft: Draft) -> Compromised:
    """The keys that what is carried calls compromised: from the first time that it is seen."""
    organisation = Organisation(DraftFiles(draft), former=True)
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
        team = roles.whose(role)
        if roles.kind(role) == roles.TEAM and members_path(team) in documents:
            members = organisation.members(team)
            found.append(people_of(role, members) if members else NONE)
    return union(found)


def _roles(prepared: Prepared) -> list[str]:
    return [one.name for one in prepared.parts if one.kind == drafts.ROLE]


# ---------------------------------------------------------------------- the key, 8, and words


def _check_key(
    organisation: Organisation, prepared: Prepared, key: PublicKey, lost: Compromised
) -> None:
    """(8) Whoever signs holds the role; a person's own statement has looked for itself."""
    for unsigned in prepared.parts:
        if unsigned.signers is None:
            continue
        if key.raw in barred(lost, roles.above(unsigned.signers)):
            raise RefusedError(
                "key-compromised",
                "This key was called compromised, and no longer signs anything of "
                f"{unsigned.signers}.",
                subject=unsigned.signers,
                next_step="Have others who hold the role sign, or have a new key entered.",
            )
        held = holders_of(organisation, unsigned.signers)
        if key.raw not in {one.raw for one in held.keys}:
            raise RefusedError(
                "not-a-holder",
                f"This key does not hold {unsigned.signers}.",
                subject=unsigned.signers,
                next_step=f"Its holders are: {', '.join(held.people)}.",
            )


def _cards(carried: Carried, given: Iterable[str]) -> Iterator[Confirmation]:
    """Key cards that whoever signs did not bring themselves."""
    own = set(given)
    for card in carried.of_kind(KeyCard):
        if card.sha256 not in own:
            yield Confirmation(
                f"The key card of {card.predicate.owner} came with the draft.",
                card.sha256,
                f"Ask {card.predicate.owner} for its eight words.",
                is_card=True,
            )


def check_act(draft: Draft) -> None:
    """Check that a signed draft is of the act that it says, so that a log may say it, too.

    What was signed counts by its signatures; what stands beside it was signed by nobody.

    Raises:
        RefusedError: its act does not make what was signed of the version that it carries.
    """
    ask = Ask(draft.act, draft.object, draft.details)
    if names.act(ask).own:
        return  # the person's own words, which say by themselves what they are
    carried = Carried([decoded(one) for one in draft.statements])
    organisation = Organisation(DraftFiles(draft), former=True)
    material = _material(draft, carried, instant(draft.made), None, None)
    _exact(draft, closed_list.prepare(organisation, ask, material), own=False)


def sign(examined: ExaminedDraft, signer: Signer) -> Draft:
    """The draft with the signature of `signer` on every part; just what was examined is signed."""
    draft = replace(examined.draft, parts=examined.parts, details=examined.ask.details)
    for part in examined.parts:
        signature = signer.sign(part.signed_data)
        draft = drafts.with_signature(
            draft, part.name, signature.keyid, bytes.fromhex(signature.signature)
        )
    return drafts.read(drafts.write(draft))


def is_typed(typed: str, confirmation: Confirmation) -> bool:
    """Whether `typed` is what `confirmation` asks for: eight words, or the whole digest.

    The words are what people can read to each other; nothing shorter is enough.
    """
    return same_fingerprint(typed, confirmation.digest)
