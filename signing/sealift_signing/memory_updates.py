"""What a signer's memory takes from a draft, from a colleague's memory, or from a returned medium.

A hub can show one thing to one person and another to the next, as long as they never meet. So
memories are compared: what another has is verified from the root that is pinned here, a newer
version that descends from the known one is taken, and a fork is named with both digests.

Pure: `memory` keeps what is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import islice

from sealift_signing import canonical, documents, drafts, roles, shape, version_links
from sealift_signing.compromised import (
    NONE,
    Compromised,
    entered_by,
    machines_of,
    people_of,
    union,
)
from sealift_signing.drafts import (
    CarriedDocument,
    CarriedRole,
    Draft,
    DraftFiles,
    FormerVersion,
    Recording,
    RoleVersion,
    Shared,
    decoded,
    encoded,
)
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError
from sealift_signing.gate import ExaminedDraft
from sealift_signing.organisation import Files, Head, Organisation, people_roles
from sealift_signing.organisation_memory import OrganisationMemory
from sealift_signing.roles import FLEET, RECALL, ROOT, SITE, TARGETS, TEAM
from sealift_signing.version_links import Follows, ForkedError, VersionId
from sealift_signing.vocabulary import moment

PEOPLE = {TARGETS: 0, FLEET: 1, RECALL: 1, TEAM: 1, SITE: 2}
"""Kinds of roles that people sign, but for root; each is verified after those that delegate it."""


@dataclass(frozen=True)
class Offer:
    """What somebody says of an organisation; none of it is believed.

    Attributes:
        lineages: each role that is offered, and what the versions below it say of their past.
        former: older versions, by role and number.
        source: whose word it is, for people to read.
        colleague: whoever learns says that it is somebody else's memory, so that two views have
            met. Nothing else shows it: whoever owns a hub writes files of any form.
        mark: of the memory that wrote it, so that one's own is not taken for another's.
    """

    files: Files
    lineages: Mapping[str, tuple[Follows, ...]]
    former: Mapping[tuple[str, int], bytes]
    source: str
    colleague: bool = False
    mark: str | None = None


@dataclass(frozen=True)
class VerifiedVersions:
    """Verified versions, for a memory to keep.

    Attributes:
        roots: every root since 1; the last is the newest.
        versions: of other roles, each as it is kept whole.
        former: older versions which one of those names by its digest.
    """

    organisation: str
    roots: tuple[Head, ...]
    versions: tuple[tuple[Head, RoleVersion], ...]
    former: tuple[FormerVersion, ...]

    @property
    def compromised(self) -> Compromised:
        """The keys that they call compromised, each with the role that says so."""
        entered = [entered_by(one.role, one.metadata.signed) for one in self.roots]
        for head, version in self.versions:
            if head.role in {TARGETS, FLEET}:
                entered.append(entered_by(head.role, head.metadata.signed))
            listed = (decoded(one.data) for one in version.documents)
            entered += [_entered_in(head.role, data) for data in listed]
        return union(entered)


@dataclass
class MemoryComparison:
    """What came of comparing two memories.

    Attributes:
        lines: what is said of each role.
        forks: roles of which each side has a version that did not know of the other's.
    """

    seen: VerifiedVersions
    lines: list[str] = field(default_factory=list)
    forks: list[ForkedError] = field(default_factory=list)


def offered(carried: Draft | Shared, source: str, *, colleague: bool = False) -> Offer:
    """What a draft or a memory's file carries; `colleague` where that is said of it."""
    return Offer(
        DraftFiles(carried),
        {one.role: one.lineage for one in carried.roles},
        {(one.role, one.version): decoded(one.data) for one in carried.former},
        source,
        colleague,
        carried.mark if isinstance(carried, Shared) else None,
    )


def everything(files: Files, source: str) -> Offer:
    """All that people signed of what `files` hold; what cannot be verified is left out."""
    organisation = Organisation(files, former=True)
    lineages = {}
    for role in people_roles(organisation)[1:]:
        with suppress(RefusedError, NotFoundError):
            lineages[role] = organisation.lineage(role, 0)
    return Offer(files, lineages, {}, source)


NO_ACT = "trust"
"""What stands for the act in a file that is only to begin a memory from; no list has it."""


def of_no_act(files: Files, made: datetime) -> Draft:
    """All that people signed of `files`, in the form of a draft of which nothing can be signed.

    A memory that begins from it is marked so, as from any draft: it is what a hub shows.
    """
    offer, recording = everything(files, "the hub"), Recording(files)
    organisation = Organisation(recording, former=True)
    for role in offer.lineages:
        organisation.head(role)  # and whatever older version says who held it then
    told = shared(replace(offer, former=recording.former), organisation)
    return Draft(
        format=1,
        requires=(),
        organisation=told.organisation,
        act=NO_ACT,
        object=(),
        details={},
        facts={},
        made=moment(made),
        roots=told.roots,
        roles=told.roles,
        former=told.former,
        documents=told.documents,
        statements=(),
        superseded=(),
        parts=(),
        check=drafts.NO_CHECK,
    )


def read_offer(data: bytes, *, what: str) -> Draft | Shared:
    """A draft, or a colleague's file.

    Raises:
        MalformedError, RefusedError: it is neither.
    """
    if len(data) <= drafts.LARGEST:
        value = canonical.decode(data, what=what)
        if isinstance(value, Mapping) and "act" not in value and "former" in value:
            return shape.from_json(Shared, value, what=what)
    return drafts.read(data, what=what)


def fitting(lineages: Mapping[str, tuple[Follows, ...]]) -> dict[str, tuple[Follows, ...]]:
    """The newest of each lineage, as many as one document holds: the longest are cut first.

    Whoever knows a version that is older still is told that the values between are missing.
    """
    most, lengths = version_links.MOST, sorted(map(len, lineages.values()))
    for number, length in enumerate(lengths):
        share = most // (len(lengths) - number)
        if length > share:
            return {role: lineage[:share] for role, lineage in lineages.items()}
        most -= length
    return dict(lineages)


def shared(offer: Offer, organisation: Organisation, mark: str | None = None) -> Shared:
    """All of `offer`, for a colleague; `mark` is of the memory that tells it."""
    listed = {
        path: data
        for role in offer.lineages
        for path, data in _documents(organisation.head(role), offer.files)
    }
    return Shared(
        1,
        (),
        organisation.id,
        tuple(encoded(one.data) for one in organisation.roots),
        tuple(
            CarriedRole(role, encoded(organisation.head(role).data), lineage)
            for role, lineage in sorted(fitting(offer.lineages).items())
        ),
        tuple(
            FormerVersion(role, version, encoded(data))
            for (role, version), data in sorted(offer.former.items())
        ),
        tuple(CarriedDocument(path, encoded(data)) for path, data in sorted(listed.items())),
        mark,
    )


def seen_in(examined: ExaminedDraft) -> VerifiedVersions:
    """What was verified of a draft that passed the gate, but for what has to be typed first.

    Remembered before it is typed, it would be known by the time that somebody tries again.
    """
    doubted = {one.digest for one in examined.confirm}
    offer = offered(examined.draft, "a draft")
    organisation = Organisation(offer.files, former=True)
    return _seen(organisation, (h for h in examined.heads if h.digest not in doubted), offer)


def begin(organisation: Organisation, offer: Offer) -> VerifiedVersions:
    """All that is verified of `offer`, by somebody who knows nothing yet.

    Roles that are not signed by their holders are left out.
    """
    heads = []
    for role in _in_order(offer.lineages):
        try:
            heads.append(organisation.head(role))
        except (RefusedError, NotFoundError):
            continue
    return _seen(organisation, heads, offer)


def learn(known: OrganisationMemory, mine: Offer, theirs: Offer) -> MemoryComparison:
    """Compare `theirs` with what is known here.

    Raises:
        RefusedError: it is of another organisation, or stands on another root than is pinned here.
    """
    roots = _roots(known, mine, theirs)
    both = _Both(tuple(one.data for one in roots), mine, theirs)
    organisation = Organisation(both, former=True)
    found = MemoryComparison(VerifiedVersions(known.organisation, roots, (), ()))
    newer = roots[-1].version > known.root.version
    found.lines.append(
        f"root {roots[-1].named} is taken; {known.root} was known"
        if newer
        else f"root {known.root}: theirs is the same, or one before it"
    )
    heads, comparison = [], _Comparison(organisation, known, mine, theirs, found)
    for role in _in_order(theirs.lineages):
        head = comparison.taken(role)
        if head is not None:
            both.choose(role, head.data)
            heads.append(head)
    found.seen = _seen(organisation, heads, theirs)
    return found


class _Both:
    """Two memories' files: of each role the version that was chosen so far, else mine."""

    def __init__(self, roots: tuple[bytes, ...], mine: Offer, theirs: Offer) -> None:
        self._roots = roots
        self._sources = (mine, theirs)
        self._chosen: dict[str, bytes] = {}

    def choose(self, role: str, data: bytes) -> None:
        """Go by this version of `role`."""
        self._chosen[role] = data

    def metadata(self, role: str, version: int | None = None) -> bytes | None:
        """The role's version."""
        if role == ROOT:
            number = len(self._roots) if version is None else version
            return self._roots[number - 1] if 0 < number <= len(self._roots) else None
        if version is None:
            return self._chosen.get(role) or self._sources[0].files.metadata(role)
        found = (one.files.metadata(role, version) for one in self._sources)
        return next((data for data in found if data is not None), None)

    def document(self, path: str, digest: str) -> bytes | None:
        """The document, of whichever has it."""
        found = (one.files.document(path, digest) for one in self._sources)
        right = (data for data in found if data and sha256(data).hexdigest() == digest)
        return next(right, None)


def _roots(known: OrganisationMemory, mine: Offer, theirs: Offer) -> tuple[Head, ...]:
    """The longer of both chains of roots, the other being its beginning."""
    offered_roots = Organisation(theirs.files).roots
    known.check_pinned(offered_roots, theirs.source)
    if len(offered_roots) >= known.root.version:
        return offered_roots
    return Organisation(mine.files).roots


@dataclass
class _Comparison:
    """Two memories that are compared role by role; what is said of each is added to `found`."""

    organisation: Organisation
    known: OrganisationMemory
    mine: Offer
    theirs: Offer
    found: MemoryComparison

    def taken(self, role: str) -> Head | None:
        """Their version of `role` if it is to be taken."""
        before, said = self.known.role(role), self.found.lines
        other = self._believed(role)
        if other is None:
            return None
        if before is None or before.digest == other.digest:
            new = "" if before else ", which is taken: none was known here"
            said.append(f"{role} {other.named}{new or ': the same'}")
            return other
        try:
            if other.version >= before.version:
                descent = version_links.check_descends(
                    role,
                    before.named,
                    other.metadata,
                    self.theirs.lineages[role],
                    linked=before.link is not None,
                )
                aside = ", and was set aside" if descent.set_aside is not None else ""
                said.append(f"{role} {other.named} is taken; {before.named} was known{aside}")
                return other
            version_links.check_descends(
                role,
                other.named,
                self.organisation.head(role).metadata,
                self.mine.lineages.get(role, ()),
                linked=other.link is not None,
            )
            said.append(f"{role} {before.named} is known; theirs is older, {other.named}")
        except ForkedError:
            return self._forked(role, before.named, other)
        except RefusedError as bad:
            said.append(f"{role} {other.named} is not taken. {bad.what}")
        return None

    def _believed(self, role: str) -> Head | None:
        """Their version of `role` if it was signed by those who may; else it is said why not."""
        before, data = self.known.role(role), self.theirs.files.metadata(role) or b""
        old, said = self._older(role, data), self.found.lines
        if before is not None and old is not None:  # also where others hold the role since
            said.append(f"{role} {before.named} is known; theirs is older, {old}")
            return None
        try:
            other = self.organisation.verified(role, data)
        except (RefusedError, NotFoundError) as bad:
            said.append(f"{role}: theirs is not believed. {bad.what}")
            return None
        if other.by_former and not self.theirs.colleague and not self._is_known(other):
            said.append(
                f"{role} {other.named} is not taken: it is signed by "
                f"{' and '.join(other.signers)}, who held the role before others did, and no "
                "colleague says that they knew it: where the file is a colleague's, add "
                "--colleague."
            )
            return None
        return other

    def _older(self, role: str, data: bytes) -> VersionId | None:
        """The version in `data` if the known one comes from it, whoever signs now; else None."""
        newest = self.mine.files.metadata(role)
        with suppress(RefusedError):
            other = version_links.named(drafts.spelled_role(role, data))
            if any((one.role, one.named) == (role, other) for one in self.known.older):
                return other
            said = (
                version_links.follows_of(drafts.spelled_role(role, newest).signed)
                if newest
                else None
            )
            past = (
                version_links.ancestry(role, said, self.mine.lineages.get(role, ())) if said else ()
            )
            return next((one.predecessor for one in past if one.predecessor == other), None)
        return None

    def _is_known(self, head: Head) -> bool:
        own = {one.digest for one in self.known.signed if one.name == head.role}
        before = self.known.role(head.role)
        return head.digest in own or (before is not None and before.digest == head.digest)

    def _forked(self, role: str, mine: VersionId, other: Head) -> Head | None:
        what = (
            f"{role} has forked: version {mine.version} ({mine.digest}) is known here, "
            f"{self.theirs.source} has version {other.version} ({other.digest}), and one was made "
            "without knowledge of the other."
        )
        if role == RECALL:  # said, and bars nothing: a recall must never wait
            self.found.lines.append(what)
            return other if other.version > mine.version else None
        self.found.forks.append(
            ForkedError(
                "role-forked",
                what,
                subject=role,
                next_step="Keep both. Its holders settle it by a later version that sets one of "
                "them aside: have it drafted with --over FILE.",
            )
        )
        return None


# ---------------------------------------------------------------------- what is kept


def _seen(organisation: Organisation, heads: Iterable[Head], offer: Offer) -> VerifiedVersions:
    kept = tuple(heads)
    versions = tuple(
        (head, _version(organisation, head, offer)) for head in kept if _is_peoples(head.role)
    )
    former = tuple(_former(kept, offer))
    return VerifiedVersions(organisation.id, organisation.roots, versions, former)


def _version(organisation: Organisation, head: Head, offer: Offer) -> RoleVersion:
    return RoleVersion(
        1,
        (),
        organisation.id,
        head.role,
        encoded(head.data),
        tuple(CarriedDocument(path, encoded(data)) for path, data in _documents(head, offer.files)),
        lineage(head, offer),
        (),
    )


def lineage(head: Head, offer: Offer) -> tuple[Follows, ...]:
    """What the versions below `head` say of their past, as far as its links tell that it is so."""
    kept: list[Follows] = []
    if head.follows is None:
        return ()
    with suppress(MalformedError):
        given = offer.lineages.get(head.role, ())
        kept.extend(islice(version_links.ancestry(head.role, head.follows, given), 1, None))
    return tuple(kept)


def _documents(head: Head, files: Files) -> Iterator[tuple[str, bytes]]:
    """Those that a version lists and that are at hand."""
    for path, target in sorted(head.targets.targets.items()):
        digest = target.hashes["sha256"]
        data = files.document(path, digest)
        if data is not None and sha256(data).hexdigest() == digest:
            yield path, data


def _former(heads: Iterable[Head], offer: Offer) -> Iterator[FormerVersion]:
    """Older versions of which one of `heads` knows: whose digest stands in its past."""
    for head in heads:
        past = (head.follows, *lineage(head, offer)) if head.follows else ()
        for one in past:
            data = offer.former.get((head.role, one.version))
            if data is None:
                continue
            try:
                digest = version_links.digest(drafts.spelled_role(head.role, data))
            except MalformedError:
                continue
            if digest == one.digest:
                yield FormerVersion(head.role, one.version, encoded(data))


def _entered_in(role: str, document: bytes) -> Compromised:
    if role == FLEET:
        return machines_of(role, documents.read_fleet_keys(document))
    kind, _, team = role.partition(".")
    return people_of(role, documents.read_members(document, team)) if kind == TEAM else NONE


def _is_peoples(role: str) -> bool:
    return roles.kind(role) in PEOPLE


def _in_order(names: Iterable[str]) -> list[str]:
    mine = (name for name in names if roles.is_known(name) and _is_peoples(name))
    return sorted(mine, key=lambda name: (PEOPLE[roles.kind(name)], name))
