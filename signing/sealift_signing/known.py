"""What somebody who signs remembers of an organisation, between one act and the next.

Verified is not enough: a base that is genuine and *old* undoes what came after it, and whoever owns
the hub chooses what it shows. So who signs remembers the newest version of every role that they
verified, and all that they signed. These are the values; `memory` keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from sealift_signing.links import Named
from sealift_signing.organisation import Head
from sealift_signing.shape import Distinct
from sealift_signing.vocabulary import Count, KeyText, Moment, RoleName, Sentence, Sha256


@dataclass(frozen=True)
class KnownRole:
    """The newest version of a role that was verified.

    Attributes:
        link: None where it names nothing that it follows.
        file: the sha256 of its file, which the memory keeps whole.
        source: where it was seen: a draft, a colleague's memory, a returned medium.
        seen: when.
    """

    role: RoleName
    version: Count
    digest: Sha256
    link: Sha256 | None
    file: Sha256
    source: Sentence
    seen: Moment

    @property
    def named(self) -> Named:
        """Its number and its digest."""
        return Named(self.version, self.digest)


@dataclass(frozen=True)
class SignedOnce:
    """Something that was signed with a key of this memory's owner.

    Attributes:
        name: the role, or the last word of a statement's type.
        version: the role's version; 0 of a statement.
        digest: the sha256 of the bytes that were signed.
        act: as it was named, with its object and its options.
        file: the sha256 of the signed draft, which the memory keeps whole.
        settled: it was never published, and its owner was told and signed on.
    """

    name: Sentence
    version: Count
    digest: Sha256
    act: Sentence
    keyid: Sha256
    file: Sha256
    signed: Moment
    settled: bool

    @property
    def named(self) -> Named:
        """Its number and its digest."""
        return Named(self.version, self.digest)


@dataclass(frozen=True)
class KnownKey:
    """A key that was called compromised, and the role that called it so."""

    role: RoleName
    key: KeyText


@dataclass(frozen=True)
class Known:
    """All that is remembered of one organisation.

    Attributes:
        organisation: the sha256 of root 1.
        name: what the policy calls it.
        root: the newest root that was verified; it is what the organisation is pinned by.
        root_file: the sha256 of that root's file.
        alone: it began from a draft alone, with nobody to compare it with.
        roles: the newest version of every other role that people sign.
        signed: all that was signed, the oldest first.
        compromised: the union of all keys that were ever called so.
    """

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    name: Sentence
    root: Named
    root_file: Sha256
    alone: bool
    roles: Annotated[tuple[KnownRole, ...], Distinct(by="role")]
    signed: tuple[SignedOnce, ...]
    compromised: Annotated[tuple[KnownKey, ...], Distinct()]

    def role(self, name: str) -> KnownRole | None:
        """What is known of a role."""
        return next((one for one in self.roles if one.role == name), None)

    def with_heads(
        self, root: Head, heads: Iterable[tuple[Head, str]], source: str, seen: str
    ) -> Known:
        """With newer versions, each beside the sha256 of its file, in place of what was known."""
        known = {one.role: one for one in self.roles}
        for head, file in heads:
            before = known.get(head.role)
            if before is None or before.digest != head.digest:
                known[head.role] = KnownRole(
                    head.role, head.version, head.digest, head.link, file, source, seen
                )
        ordered = tuple(known[name] for name in sorted(known))
        return replace(self, root=root.named, roles=ordered)

    def with_signed(self, one: SignedOnce) -> Known:
        """With something more that was signed; the same again is not entered twice."""
        same = (one.name, one.version, one.digest, one.keyid)
        others = tuple(s for s in self.signed if (s.name, s.version, s.digest, s.keyid) != same)
        return replace(self, signed=(*others, one))

    def with_settled(self, digests: Iterable[str]) -> Known:
        """With what its owner was told of, so that they are not told again."""
        told = set(digests)
        signed = tuple(replace(s, settled=s.settled or s.digest in told) for s in self.signed)
        return replace(self, signed=signed)

    def with_compromised(self, found: Iterable[tuple[str, str]]) -> Known:
        """With more keys that were called compromised, each by a role."""
        union = {*self.compromised, *(KnownKey(role, key) for role, key in found)}
        ordered = tuple(sorted(union, key=lambda one: (one.role, one.key)))
        return replace(self, compromised=ordered)
