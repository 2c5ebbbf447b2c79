"""What somebody who signs remembers of an organisation, between one act and the next.

Verified is not enough: a base that is genuine and *old* undoes what came after it, and whoever owns
the hub chooses what it shows. So who signs remembers the newest version of every role that they
verified, and all that they signed. These are the values; `memory` keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from sealift_signing.compromised import barred, entered_by
from sealift_signing.errors import RefusedError
from sealift_signing.organisation import Head
from sealift_signing.roles import ROOT
from sealift_signing.shape import Distinct
from sealift_signing.tuf_walk import check_signed
from sealift_signing.version_links import ForkedError, VersionId
from sealift_signing.vocabulary import Count, KeyText, Moment, RoleName, Sentence, Sha256


@dataclass(frozen=True)
class KnownRole:
    """The newest version of a role that was verified.

    Attributes:
        link: None where it names nothing that it follows.
        file: the sha256 of its `drafts.RoleVersion`, which the memory keeps whole.
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
    def named(self) -> VersionId:
        """Its number and its digest."""
        return VersionId(self.version, self.digest)


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
    def named(self) -> VersionId:
        """Its number and its digest."""
        return VersionId(self.version, self.digest)


@dataclass(frozen=True)
class KnownKey:
    """A key that was called compromised, and the role that called it so."""

    role: RoleName
    key: KeyText


@dataclass(frozen=True)
class OrganisationMemory:
    """All that is remembered of one organisation.

    Attributes:
        organisation: the sha256 of root 1.
        name: what the policy calls it.
        root: the newest root that was verified; it is what the organisation is pinned by.
        root_file: the sha256 of its `drafts.RoleVersion`, with every root before it.
        alone: it began from what a hub shows, and was held against nobody else's since.
        roles: the newest version of every other role that people sign.
        older: versions that were the newest, or by which something was signed that stands.
        signed: all that was signed, the oldest first.
        compromised: the union of all keys that were ever called so.
        mark: a random number that stands in each file that this memory writes for a colleague;
            none before the first.
    """

    DOCUMENT: ClassVar[str] = "known"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    name: Sentence
    root: VersionId
    root_file: Sha256
    alone: bool
    roles: Annotated[tuple[KnownRole, ...], Distinct(by="role")]
    older: Annotated[tuple[KnownRole, ...], Distinct(by="digest")]
    signed: tuple[SignedOnce, ...]
    compromised: Annotated[tuple[KnownKey, ...], Distinct()]
    mark: Sha256 | None = None

    def role(self, name: str) -> KnownRole | None:
        """What is known of a role."""
        return next((one for one in self.roles if one.role == name), None)

    def check_pinned(self, roots: Sequence[Head], source: str) -> None:
        """Check that a chain of roots is of this organisation, and leads through the pinned root.

        What comes after that is new here: of it no key counts that was ever called compromised.

        Raises:
            RefusedError: it is another's, has another root of that number, or too few signed it.
        """
        organisation = sha256(roots[0].data).hexdigest()
        if organisation != self.organisation:
            raise RefusedError(
                "other-organisation",
                f"{source} is of the organisation {organisation}, which is not the one that is "
                "trusted here.",
                subject=organisation,
                next_step="Trust it only by a fingerprint from paper: sealift-sign trust "
                "FINGERPRINT FILE",
            )
        if len(roots) < self.root.version:
            return
        pinned = roots[self.root.version - 1]
        if pinned.digest != self.root.digest:
            raise ForkedError(
                "root-forked",
                f"Root {self.root.version} of {source} ({pinned.digest}) is not the root "
                f"{self.root.version} by which the organisation is trusted here "
                f"({self.root.digest}).",
                subject=ROOT,
                next_step="Do not go by it. Compare fingerprints with the holders of root.",
            )
        self._check_new(roots)

    def _check_new(self, roots: Sequence[Head]) -> None:
        """Check who signed the roots after the pinned one, as a site does that walks them."""
        lost = frozenset((one.role, one.key) for one in self.compromised)
        for before, root in pairwise(roots):
            lost |= entered_by(ROOT, before.metadata.signed)
            if root.version <= self.root.version:
                continue
            without = barred(lost, (ROOT,))
            for owner in (before, root):
                check_signed(owner.metadata.signed, ROOT, root.metadata, without=without)

    def with_root(self, root: Head, file: str) -> OrganisationMemory:
        """With a newer root, in place of the one by which the organisation was pinned."""
        if root.version < self.root.version:
            return self
        return replace(self, root=root.named, root_file=file)

    def with_heads(
        self, heads: Iterable[tuple[Head, str]], source: str, seen: str
    ) -> OrganisationMemory:
        """With newer versions, each beside the sha256 of its file, in place of what was known.

        What is known never goes back: also not where a draft that somebody looked at, and did not
        sign, would set it aside.
        """
        known = {one.role: one for one in self.roles}
        older = {one.digest: one for one in self.older}
        for head, file in heads:
            before = known.get(head.role)
            if before is not None and before.digest == head.digest:
                known[head.role] = replace(before, file=file)
            elif before is None or before.version < head.version:
                if before is not None:
                    older[before.digest] = before
                older.pop(head.digest, None)
                known[head.role] = KnownRole(
                    head.role, head.version, head.digest, head.link, file, source, seen
                )
        ordered = tuple(known[name] for name in sorted(known))
        return replace(self, roles=ordered, older=tuple(sorted(older.values(), key=_by_number)))

    def with_older(self, found: Iterable[KnownRole]) -> OrganisationMemory:
        """With versions by which something was signed that stands."""
        known = {one.digest for one in self.roles}
        older = {one.digest: one for one in found if one.digest not in known}
        older |= {one.digest: one for one in self.older}
        return replace(self, older=tuple(sorted(older.values(), key=_by_number)))

    def with_signed(self, one: SignedOnce) -> OrganisationMemory:
        """With something more that was signed; the same again is not entered twice."""
        same = (one.name, one.version, one.digest, one.keyid)
        others = tuple(s for s in self.signed if (s.name, s.version, s.digest, s.keyid) != same)
        return replace(self, signed=(*others, one))

    def with_settled(self, digests: Iterable[str]) -> OrganisationMemory:
        """With what its owner was told of, so that they are not told again."""
        told = set(digests)
        signed = tuple(replace(s, settled=s.settled or s.digest in told) for s in self.signed)
        return replace(self, signed=signed)

    def with_compromised(self, found: Iterable[tuple[str, str]]) -> OrganisationMemory:
        """With more keys that were called compromised, each by a role."""
        union = {*self.compromised, *(KnownKey(role, key) for role, key in found)}
        ordered = tuple(sorted(union, key=lambda one: (one.role, one.key)))
        return replace(self, compromised=ordered)


def _by_number(one: KnownRole) -> tuple[str, int, str]:
    return (one.role, one.version, one.digest)
