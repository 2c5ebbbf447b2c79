"""The next version of a role that people sign: its number, what it follows, what it sets aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from tuf.api.metadata import Metadata, Root, Targets

from sealift_signing import publishing, roles, version_links
from sealift_signing.acts.material import Material, SetAsideVersion, Unsigned
from sealift_signing.drafts import ROLE, spelled_role
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.organisation import Head, Organisation
from sealift_signing.version_links import Follows, VersionId


def next_version(
    organisation: Organisation, role: str, material: Material
) -> Metadata[Root] | Metadata[Targets]:
    """The next version of `role`, to be edited: the one after its newest, or its first.

    It has a higher number only over versions that were signed in part or published and lost; each
    is carried, is signed by somebody who holds the role, and is set aside.

    Raises:
        RefusedError: a number is left out, or a version that is set aside is nobody's.
    """
    expires = publishing.expiry(material.made, organisation.lifetime(role))
    others = [one for one in material.others if one.role == role]
    base = organisation.head(role) if organisation.has(role) else None
    aside = _all_aside(organisation, others, base)
    if base is None:
        first = publishing.first_targets(expires=expires)
        if aside:
            _number_first(first, aside)
        return first
    number = _number(base, aside)
    before = cast("Metadata[Targets]", base.metadata)
    return publishing.following(before, expires=expires, set_aside=aside, version=number)


def floor(organisation: Organisation, role: str) -> int | None:
    """From which version on new holders of `role` go on: the one that is verified now.

    Whoever signs that holds it against their memory, as all that is carried. None: there is none.
    """
    return organisation.head(role).version if organisation.has(role) else None


def _all_aside(
    organisation: Organisation, others: Iterable[SetAsideVersion], base: Head | None
) -> list[VersionId]:
    """What is set aside; and, above the base, what that followed, which is lost with it."""
    found = set()
    for one in others:
        this, *past = set_aside(organisation, one)
        if base and this == base.named:
            raise stands_on_it(base.role, this, base.named)
        found |= {this, *(named for named in past if not base or named.version > base.version)}
    return sorted(found - {base.named} if base else found)


def stands_on_it(role: str, aside: VersionId, base: VersionId) -> RefusedError:
    """The refusal to set aside a version from which the next one is made."""
    which = "the one that this draft is made from" if aside == base else f"what {base} came from"
    return RefusedError(
        "over-own-past",
        f"{aside} of {role} cannot be set aside: it is {which}.",
        subject=role,
        next_step="Leave out --over for it. What it changed is changed back by an act of its own.",
    )


def check_aside(aside: Iterable[VersionId], base: Head, lineage: Iterable[Follows]) -> None:
    """Check that no version is set aside from which the next one, after `base`, is made.

    Args:
        aside: what is to be set aside.
        base: what the next version follows.
        lineage: what the versions below it say of their past, newest first.

    Raises:
        RefusedError: one is.
    """
    below = version_links.ancestry(base.role, base.follows, lineage) if base.follows else ()
    for one in sorted({past.predecessor for past in below}.intersection(aside)):
        raise stands_on_it(base.role, one, base.named)


def check_role(others: Iterable[SetAsideVersion], names: Iterable[str]) -> None:
    """Check that everything that is to be set aside is of a role that is signed.

    Raises:
        RefusedError: one is of another.
    """
    signed = sorted(names)
    for one in others:
        if one.role not in signed:
            named = version_links.named(spelled_role(one.role, one.data))
            raise RefusedError(
                "over-other-role",
                f"{named} of {one.role} cannot be set aside by a draft of "
                f"{' and '.join(signed) or 'a statement'}.",
                subject=one.role,
                next_step=f"Leave out --over for it; it is set aside by a draft of {one.role}.",
            )


def _number(head: Head, aside: list[VersionId]) -> int:
    """One more than all that there is; and no number between the two may be unaccounted for."""
    if head.role == roles.ROOT:
        if any(one.version != head.version + 1 for one in aside):
            raise _skips(head.role)
        return head.version + 1
    above = {one.version for one in aside if one.version > head.version}
    number = head.version + len(above) + 1
    if above != set(range(head.version + 1, number)):
        raise _skips(head.role)
    return number


def _number_first(first: Metadata[Targets], aside: list[VersionId]) -> None:
    """A first version that was signed in part and given up: the next number, and no predecessor."""
    numbers = {one.version for one in aside}
    if numbers != set(range(1, len(numbers) + 1)):
        raise _skips("the role")
    lowest = aside[0]
    first.signed.version = len(numbers) + 1
    version_links.write_follows(
        first.signed, version_links.Follows(lowest.version, lowest.digest, None, tuple(aside))
    )


def _skips(role: str) -> RefusedError:
    return RefusedError(
        "version-skipped",
        f"The next version of {role} would leave a number out, or set something aside that is not "
        "there: a number is passed over only for a version that somebody signed and that is "
        "carried.",
        subject=role,
        next_step="Draft it again, with --over FILE for each version that is to be set aside.",
    )


def set_aside(organisation: Organisation, other: SetAsideVersion) -> tuple[VersionId, ...]:
    """A version that is to be set aside; and what it followed, which is set aside with it.

    Raises:
        MalformedError: it is no version of that role, or signed by nobody who holds the role.
    """
    metadata = spelled_role(other.role, other.data)
    if not organisation.holders_who_signed(other.role, metadata):
        raise MalformedError(
            "not-signed-by-holder",
            f"Version {metadata.signed.version} of {other.role}, which is to be set aside, is not "
            "signed by anybody who holds the role, so there is nothing to set aside.",
            subject=other.role,
            next_step="Give --over a version that its holders signed; what nobody may"
            " sign need not be set aside.",
        )
    said = version_links.follows_of(metadata.signed)
    past = (said.predecessor, *said.set_aside) if said else ()
    return (version_links.named(metadata), *past)


def listing(
    organisation: Organisation, role: str, material: Material, path: str, data: bytes
) -> tuple[Targets, Unsigned]:
    """The next version of `role`, in which `data` stands under `path`; and what is signed of it."""
    metadata = next_version(organisation, role, material)
    signed = targets_of(metadata.signed)
    publishing.list_document(signed, path, data)
    return signed, unsigned(role, metadata, {path: data})


def unsigned(
    role: str, metadata: Metadata[Any], documents: Mapping[str, bytes] | None = None
) -> Unsigned:
    """What is signed of `metadata`, once it is as it is to be."""
    if isinstance(metadata.signed, Targets):
        roles.check_layout(role, metadata.signed)
    said = version_links.follows_of(metadata.signed)
    aside = said.set_aside if said else ()
    return Unsigned(ROLE, role, role, metadata.signed_bytes, documents or {}, aside)


def targets_of(signed: object) -> Targets:
    """`signed`, which is known to be no root."""
    if not isinstance(signed, Targets):
        msg = f"{type(signed).__name__} is no targets role"
        raise TypeError(msg)
    return signed
