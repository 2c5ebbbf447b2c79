"""All that whoever signs is told of a draft: its base, what it sets aside, the act, who signed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tuf.api.metadata import Root, Targets

from sealift_signing import drafts, roles
from sealift_signing.acts import versions, wording
from sealift_signing.acts.material import Prepared, SetAsideVersion
from sealift_signing.drafts import Draft, DraftPart, decoded
from sealift_signing.errors import RefusedError
from sealift_signing.organisation import Head, Organisation, holders_of


def base_of(organisation: Organisation, role: str) -> Head | None:
    """The version that the next one of `role` is made from; None where there is none yet."""
    return organisation.head(role) if organisation.has(role) else None


def words_for(
    organisation: Organisation,
    draft: Draft,
    prepared: Prepared,
    said: list[str],
    now: datetime,
    *,
    own: bool,
) -> tuple[str, ...]:
    """Every line; of a person's `own` statement the withdrawals that it sets aside come first."""
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
        base = base_of(organisation, role)
        yield wording.base(base, now) if base else f"{role} has no version yet."
    for head in (organisation.root, *(organisation.head(one.role) for one in draft.roles)):
        if head.role not in first and (not first or head.expires <= now):
            yield wording.base(head, now)


def _other_words(organisation: Organisation, one: drafts.Superseded) -> Iterator[str]:
    """What is set aside, and what it says otherwise than the version that is gone on from."""
    found = {document.path: decoded(document.data) for document in one.documents}
    other = SetAsideVersion(one.role, decoded(one.data), found)
    named, *with_it = versions.set_aside(organisation, other)
    metadata = drafts.spelled_role(one.role, other.data)
    people = organisation.people_who_signed(one.role, metadata)
    needed = holders_of(organisation, one.role).threshold
    then = (
        "That was enough for it to count, if it was published. It is given up for good: whoever "
        "went by it goes by the new version instead, and says so."
        if len(people) >= needed
        else f"It takes {needed}, so it never counted. It is given up for good, and its number too."
    )
    yield (
        f"SETS ASIDE {one.role} version {named.version} ({named.digest}), signed by "
        f"{' and '.join(people)}. {then}"
    )
    yield from _difference(organisation, other, metadata.signed)
    base = base_of(organisation, one.role)
    for past in with_it:
        if base is None or past.version > base.version:
            yield (
                f"SETS ASIDE with it {one.role} version {past.version} ({past.digest}), from which "
                "it was made."
            )


def _difference(
    organisation: Organisation, other: SetAsideVersion, signed: Root | Targets
) -> Iterator[str]:
    """All that a version says and the one that is gone on from does not, and the other way."""
    role = other.role
    if not organisation.has(role):
        yield "It says:"
        yield from wording.indented(wording.contents(role, signed, other.documents.get))
        return

    def document(path: str) -> bytes | None:
        """What did not change did not come with it again."""
        return other.documents.get(path) or organisation.document(role, path)

    theirs = wording.blocks(wording.contents(role, signed, document))
    ours = wording.blocks(wording.stands(organisation, role))
    more = [line for block in theirs if block not in ours for line in block]
    less = [line for block in ours if block not in theirs for line in block]
    if more:
        yield "It differs from the version that this one is made from:"
        yield from wording.indented(more)
    if less:
        yield "In place of that, or besides, this one goes on with:"
        yield from wording.indented(less)
    if not (more or less):
        yield "It says just what the version says that this one is made from."


def _signed_words(organisation: Organisation, part: DraftPart, prepared: Prepared) -> Iterator[str]:
    role = next((one.signers for one in prepared.parts if one.name == part.name), None)
    if role is None:
        return
    held = roles.named_keys(organisation.head(roles.delegator(role)).metadata.signed, role)
    names = {key.keyid: name for name, key in held.items()}
    for one in part.signatures:
        if one.keyid not in names:
            raise RefusedError(
                "not-a-holder",
                f"The draft bears a signature of a key ({one.keyid[:12]}) that does not hold "
                f"{role}.",
                subject=role,
                next_step="Do not sign it; take a copy that only its holders have signed.",
            )
        held[names[one.keyid]].verify(
            decoded(one.signature), part.signed_data, what=f"the draft by {names[one.keyid]}"
        )
        yield f"{part.name} is signed so far by {names[one.keyid]}."
