"""An organisation as its files say it is, each part verified from the root when it is asked for.

What a database, a draft or a medium holds is data. Here it becomes something to go by: the chain of
roots; the newest version of a role, signed by enough of those to whom its delegator gives it, who
was verified in the same way; the documents that it lists, by their digests. Whoever asks for the
same thing twice is given the same thing.

Expiry is told and bars nothing: who signs, renews what has lapsed. Freshness is not looked at, for
snapshot and timestamp are the hub's own word. Which organisation it is, is for whoever asks to
compare (`id`, `root`); a hub's database could hold another one, and be whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol, TypeVar, cast

from tuf.api.metadata import Metadata, Root, Targets

from sealift_signing import documents, floors, roles, version_links
from sealift_signing.documents import Assignment, FleetKeys, Members, RecallList
from sealift_signing.errors import (
    NoKeyError,
    NotFoundError,
    NotSignedEnoughError,
    RefusedError,
)
from sealift_signing.policy import POLICY_PATH, Policy, read_policy
from sealift_signing.roles import FLEET, RECALL, ROOT, SITE, TARGETS, TEAM
from sealift_signing.tuf_walk import (
    PERSON_FIELD,
    MissingError,
    check_signed,
    read_spelled,
    signed_by,
)
from sealift_signing.version_links import Follows, VersionId

T = TypeVar("T")

_PAST: dict[str, Follows] = {}
"""What a link is of, once it was read: it cannot be anything else."""


class Files(Protocol):
    """Where metadata and documents come from; none of it is believed."""

    def metadata(self, role: str, version: int | None = None) -> bytes | None:
        """The bytes of a role's version, or of its newest; None if there is none."""
        ...

    def document(self, path: str, digest: str) -> bytes | None:
        """The document with this sha256 that a role lists under `path`; None if there is none."""
        ...


@dataclass(frozen=True)
class Head:
    """A verified version of a role.

    Attributes:
        delegator: the role whose word it was verified by.
        data: the file.
        digest: the sha256 of what is signed.
        link: None where it names nothing that it follows.
        signers: the people whose signatures are right, by the names their delegator gives them.
        keyids: the ids of their keys.
        by_former: those who signed held the role by an older word of its delegator, and perhaps no
            longer do; when they signed is not known.
    """

    role: str
    delegator: str
    data: bytes
    metadata: Metadata[Any]
    digest: str
    follows: Follows | None
    signers: tuple[str, ...]
    keyids: tuple[str, ...]
    by_former: bool = False

    @property
    def version(self) -> int:
        """Its number."""
        return int(self.metadata.signed.version)

    @property
    def named(self) -> VersionId:
        """Its number and its digest."""
        return VersionId(self.version, self.digest)

    @property
    def link(self) -> str | None:
        """By what the next version continues the chain."""
        return version_links.link(self.follows)

    @property
    def expires(self) -> datetime:
        """When its signature runs out."""
        return cast("datetime", self.metadata.signed.expires)

    @property
    def targets(self) -> Targets:
        """What is signed, of any role but root."""
        return cast("Targets", self.metadata.signed)


class Organisation:
    """All that `files` hold, verified from root 1 on.

    Every method raises:
        NotFoundError: nothing was published for that role or at that path.
        RefusedError: what is there is not signed by those who may, damaged, or not of our layout;
            the sentence names the role and version.

    Args:
        files: what is there.
        former: a version that was signed by those who held its role when it was signed stands, too.
            That is for whoever signs the next one; a site, and whoever counts, wants it signed by
            those who hold the role now.
    """

    def __init__(self, files: Files, *, former: bool = False) -> None:
        self._files = files
        self._former = former
        self._heads: dict[str, Head] = {}
        self._documents: dict[tuple[str, str], bytes | None] = {}
        self._made: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` makes of this organisation, made once: its files do not change.

        `name` says what it is, and no two things are called the same.
        """
        if name not in self._made:
            self._made[name] = make()
        found: T = self._made[name]
        return found

    # ------------------------------------------------------------------ roles

    @property
    def roots(self) -> tuple[Head, ...]:
        """Every root since 1, each signed by the keys of the one before and by its own (§5.3)."""
        # No cached property: up to Python 3.11 one lock is that of all of a class's objects, and
        # whoever else has rows to read would wait for this one's.
        return self.once("roots", self._roots)

    def _roots(self) -> tuple[Head, ...]:
        found: list[Head] = []
        signed: Root | None = None
        while (data := self._files.metadata(ROOT, len(found) + 1)) is not None:
            spelled = read_spelled(data, ROOT, Root)
            after = spelled.metadata
            _check_number(ROOT, after.signed.version, len(found) + 1)
            for owner in (signed, after.signed):
                if owner is not None:
                    check_signed(owner, ROOT, after, spelled.payload)
            floors.check_stated(ROOT, after.signed)
            found.append(_head(ROOT, ROOT, signed or after.signed, after, data, spelled.payload))
            signed = after.signed
        if not found:
            raise _nothing(ROOT)
        newest = self._files.metadata(ROOT)
        if newest is not None and newest != found[-1].data:
            raise MissingError(
                "root-link-missing",
                f"There is a later root than root {found[-1].version}, and root "
                f"{found[-1].version + 1}, which leads to it, is missing.",
                subject=ROOT,
                next_step="Restore it from a backup of the hub, or from a site's bundle. If a file "
                "is called so and is no root, take it away.",
            )
        return tuple(found)

    @property
    def id(self) -> str:
        """The organisation: the sha256 of root 1's file."""
        return sha256(self.roots[0].data).hexdigest()

    @property
    def root(self) -> Head:
        """The newest root."""
        return self.roots[-1]

    def head(self, role: str) -> Head:
        """The newest version of `role`."""
        if role == ROOT:
            return self.root
        if role not in self._heads:
            data = self._files.metadata(role)
            if data is None:
                raise _nothing(role)
            self._heads[role] = self.verified(role, data)
        return self._heads[role]

    def verified(self, role: str, data: bytes) -> Head:
        """`data` as a version of `role`, whichever, signed by those who hold the role."""
        owner = self.head(roles.delegator(role))
        refused: RefusedError | None = None
        for count, signed in enumerate(self._delegating(owner)):
            try:
                found = _verified(owner.role, signed, role, data)
                return replace(found, by_former=count > 0 or owner.by_former)
            except (NotSignedEnoughError, NoKeyError) as bad:
                refused = refused or bad
        raise refused or _nothing(role)

    def _delegating(self, newest: Head) -> Iterator[Root | Targets]:
        """The newest version of a delegator; and where former holders count, those before it.

        Each is the one whose digest the version after it names, so that it is as good as that one.
        """
        yield newest.metadata.signed
        if not self._former:
            return
        if newest.role == ROOT:
            yield from (one.metadata.signed for one in reversed(self.roots[:-1]))
            return
        follows = newest.follows
        while follows is not None:
            data = self._files.metadata(newest.role, follows.version)
            if data is None:
                return
            older = read_spelled(data, newest.role, Targets)
            if sha256(older.payload).hexdigest() != follows.digest:
                return
            yield older.metadata.signed
            follows = version_links.follows_of(older.metadata.signed)

    def holders_who_signed(self, role: str, metadata: Metadata[Any]) -> frozenset[str]:
        """The ids of keys that hold `role`, or did where former holders count, and signed this.

        Raises:
            BadSignatureError: a signature of theirs is wrong.
        """
        found: frozenset[str] = frozenset()
        for signed in self._delegating(self.head(roles.delegator(role))):
            with suppress(ValueError):  # an older version did not delegate it yet
                found |= signed_by(signed, role, metadata)
        return found

    def people_who_signed(self, role: str, metadata: Metadata[Any]) -> tuple[str, ...]:
        """As `holders_who_signed`, by the names that their delegator gives them."""
        found: set[str] = set()
        for signed in self._delegating(self.head(roles.delegator(role))):
            with suppress(ValueError):
                found |= holders_named(signed, signed_by(signed, role, metadata))
        return tuple(sorted(found))

    def has(self, role: str) -> bool:
        """Whether anything was published for `role`, which its delegator names."""
        if role in roles.TOP_ROLES:
            return True
        owner = self.head(roles.delegator(role)).targets
        return role in floors.delegated(owner) and self._files.metadata(role) is not None

    def delegated(self, kind: str) -> tuple[str, ...]:
        """The roles of one kind (`team`, `site`, `catalog`) that are delegated, in order."""
        owner = self.head(roles.delegator(f"{kind}.x")).targets
        found = (name for name in floors.delegated(owner) if roles.kind(name) == kind)
        return tuple(sorted(name for name in found if "." in name))

    @property
    def teams(self) -> tuple[str, ...]:
        """The teams that `targets` delegates to."""
        return tuple(map(roles.whose, self.delegated(TEAM)))

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that `fleet` delegates to."""
        return tuple(map(roles.whose, self.delegated(SITE)))

    def lineage(self, role: str, down_to: int) -> tuple[Follows, ...]:
        """What the versions of `role` below its newest say of their past, newest first.

        As far down as version `down_to`, as the chain goes, as versions are there, or as many as a
        reader takes.
        """
        newest = self.head(role).follows
        found: list[Follows] = []
        while (
            newest is not None
            and newest.link is not None
            and newest.version >= down_to
            and len(found) < version_links.MOST
        ):
            older = _PAST.get(newest.link) or self._linked(role, newest.version, newest.link)
            if older is None:
                break
            found.append(older)
            newest = older
        return tuple(found)

    def _linked(self, role: str, version: int, link: str) -> Follows | None:
        """What a version says of its past, by its link; None if the version is not there."""
        data = self._files.metadata(role, version)
        if data is None:
            return None
        older = version_links.follows_linked(data, link)
        if older is None:
            raise RefusedError(
                "version-differs",
                f"What is stored as version {version} of {role} is not the one that the next "
                "version was made from.",
                subject=role,
                next_step="Restore the database from a backup: sealift audit fsck says what is "
                "wrong with it.",
            )
        if len(_PAST) >= version_links.MOST:
            _PAST.clear()
        _PAST[link] = older
        return older

    # ------------------------------------------------------------------ documents

    def document(self, role: str, path: str) -> bytes | None:
        """The document that `role`'s newest version lists under `path`; None if it lists none."""
        if (role, path) not in self._documents:
            self._documents[role, path] = self._document(role, path)
        return self._documents[role, path]

    def policy(self) -> Policy:
        """The policy in force."""
        return self.once("policy", lambda: read_policy(self._present(TARGETS, POLICY_PATH)))

    def members(self, team: str) -> Members | None:
        """A team's people; None while its stewards have signed no list yet."""
        return self.once(f"members of {team}", lambda: self._members(team))

    def _members(self, team: str) -> Members | None:
        role = roles.team_role(team)
        if not self.has(role):
            return None
        data = self.document(role, documents.members_path(team))
        return None if data is None else documents.read_members(data, team)

    def fleet_keys(self) -> FleetKeys:
        """The keys of our machines."""
        return self.once("fleet keys", self._fleet_keys)

    def _fleet_keys(self) -> FleetKeys:
        return documents.read_fleet_keys(self._present(FLEET, documents.FLEET_KEYS_PATH))

    def assignment(self, site: str) -> Assignment | None:
        """What a site should run; None while its dispatcher has signed nothing yet."""
        role = roles.site_role(site)
        if not self.has(role):
            return None
        data = self.document(role, documents.assignment_path(site))
        return None if data is None else documents.read_assignment(data, site)

    def recalls(self) -> RecallList:
        """What is recalled."""
        return documents.read_recalls(self._present(RECALL, documents.RECALL_PATH))

    @property
    def is_solo(self) -> bool:
        """Whether one person alone may promote, so that one key may be everything."""
        return any(rule.requester_may_approve for rule in self.policy().stages.values())

    def lifetime(self, role: str) -> int:
        """Days that a signature of this role lasts, by the policy in force."""
        kind = roles.kind(role)
        return self.policy().lifetimes_days.get(kind, roles.LIFETIMES_DAYS[kind])

    def _document(self, role: str, path: str) -> bytes | None:
        listed = self.head(role).targets.targets.get(path)
        if listed is None:
            return None
        digest = listed.hashes["sha256"]
        data = self._files.document(path, digest)
        if data is None:
            raise MissingError(
                "document-missing",
                f"{path} is missing, in the version that {role} lists ({digest[:12]}).",
                subject=path,
                next_step="Restore it from a backup, or submit it again.",
            )
        if (len(data), sha256(data).hexdigest()) != (listed.length, digest):
            raise RefusedError(
                "document-changed",
                f"{path} is not the document that was signed for: it was damaged or changed.",
                subject=path,
                next_step="Restore it from a backup.",
            )
        return data

    def _present(self, role: str, path: str) -> bytes:
        data = self.document(role, path)
        if data is None:
            raise _nothing(path)
        return data


def verified_by(owner: Head, role: str, data: bytes) -> Head:
    """`data` as a version of `role`, signed by those to whom `owner` gives it.

    Raises:
        RefusedError: as `Organisation`'s methods.
    """
    return _verified(owner.role, owner.metadata.signed, role, data)


def _verified(delegator: str, signed: Root | Targets, role: str, data: bytes) -> Head:
    spelled = read_spelled(data, role, Targets)
    check_signed(signed, role, spelled.metadata, spelled.payload)
    roles.check_layout(role, spelled.metadata.signed)
    return _head(role, delegator, signed, spelled.metadata, data, spelled.payload)


def _head(
    role: str,
    delegator: str,
    owner: Root | Targets,
    metadata: Metadata[Any],
    data: bytes,
    payload: bytes,
) -> Head:
    keyids = signed_by(owner, role, metadata, payload)
    people = holders_named(owner, keyids)
    return Head(
        role,
        delegator,
        data,
        metadata,
        sha256(payload).hexdigest(),
        version_links.follows_of(metadata.signed),
        tuple(sorted(people)),
        tuple(sorted(keyids)),
    )


def holders_named(owner: Root | Targets, keyids: Iterable[str]) -> set[str]:
    """The people whose keys have these ids, as `owner` names them; else the ids."""
    return {str(owner.get_key(one).unrecognized_fields.get(PERSON_FIELD, one)) for one in keyids}


def holders_of(organisation: Organisation, role: str) -> roles.Keyholders:
    """Who holds `role`, by the word of its delegator."""
    return roles.keyholders(organisation.head(roles.delegator(role)).metadata.signed, role)


def people_roles(organisation: Organisation) -> tuple[str, ...]:
    """Every role that people sign and for which something was published."""
    named = (*organisation.delegated(TEAM), *organisation.delegated(SITE))
    return (ROOT, TARGETS, FLEET, RECALL, *(role for role in named if organisation.has(role)))


def _check_number(role: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise RefusedError(
            "metadata-version",
            f"The metadata of {role} says version {found} where version {wanted} belongs.",
            subject=role,
            next_step="Have it drafted or copied again; if it stays so, check the "
            "hub: sealift audit fsck",
        )


def _nothing(what: str) -> NotFoundError:
    return NotFoundError(
        "not-published",
        f"Nothing has been published for {what}.",
        subject=what,
        next_step="Run `sealift next` to see what is missing.",
    )
