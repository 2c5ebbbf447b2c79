"""The next version of a role that people sign: its number, what it follows, what it sets aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from tuf.api.metadata import Metadata, Root, Targets

from sealift_signing import links, publishing, roles
from sealift_signing.acts.asking import Material, Other, Unsigned
from sealift_signing.drafts import ROLE, spelled_role
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.links import Named
from sealift_signing.organisation import Head, Organisation, holders_of
from sealift_signing.tuf_walk import signed_by


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
    aside = sorted({set_aside(organisation, one) for one in others})
    if not organisation.has(role):
        first = publishing.first_targets(expires=expires)
        if aside:
            _number_first(first, aside)
        return first
    head = organisation.head(role)
    number = _number(head, aside)
    before = cast("Metadata[Targets]", head.metadata)
    return publishing.following(before, expires=expires, set_aside=aside, version=number)


def _number(head: Head, aside: list[Named]) -> int:
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


def _number_first(first: Metadata[Targets], aside: list[Named]) -> None:
    """A first version that was signed in part and given up: the next number, and no predecessor."""
    numbers = {one.version for one in aside}
    if numbers != set(range(1, len(numbers) + 1)):
        raise _skips("the role")
    lowest = aside[0]
    first.signed.version = len(numbers) + 1
    links.write_follows(
        first.signed, links.Follows(lowest.version, lowest.digest, None, tuple(aside))
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


def set_aside(organisation: Organisation, other: Other) -> Named:
    """A version that is to be set aside, by number and digest.

    Raises:
        MalformedError: it is no version of that role, or signed by nobody who holds the role.
    """
    metadata = spelled_role(other.role, other.data)
    owner = organisation.head(roles.delegator(other.role)).metadata.signed
    if not signed_by(owner, other.role, metadata):
        raise MalformedError(
            "not-signed-by-holder",
            f"Version {metadata.signed.version} of {other.role}, which is to be set aside, is "
            "signed by nobody who holds the role, so there is nothing to set aside.",
            subject=other.role,
        )
    return links.named(metadata)


def unsigned(
    role: str,
    metadata: Metadata[Any],
    documents: Mapping[str, bytes] | None = None,
    aside: Iterable[Named] = (),
) -> Unsigned:
    """What is signed of `metadata`, once it is as it is to be."""
    if isinstance(metadata.signed, Targets):
        roles.check_layout(role, metadata.signed)
    return Unsigned(ROLE, role, role, metadata.signed_bytes, documents or {}, tuple(aside))


def aside_of(metadata: Metadata[Any]) -> tuple[Named, ...]:
    """What a version sets aside."""
    said = links.follows_of(metadata.signed)
    return said.set_aside if said else ()


def holders_words(organisation: Organisation, role: str) -> str:
    """Who must sign: `2 of anna, ben`."""
    held = holders_of(organisation, role)
    return f"{held.threshold} of {', '.join(held.people)}"
