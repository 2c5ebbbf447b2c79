"""The TUF repository as rows: what is current, and publishing the next version with the log entry.

A use case drafts and signs first, outside any transaction (a person's key may need a passphrase),
then hands `publish` to the log's writer as part of its action. If somebody else published the same
role meanwhile, the version no longer follows and nothing happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, cast

from sqlalchemy import Connection, insert, select
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from sealift_registry.trust.keeping import keep
from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.signatures import check_no_strays
from sealift_registry.trust.stored import FRESHNESS, Stored, stored
from sealift_registry.trust.tables import tuf_document
from sealift_signing import compromised, documents, floors, publishing, roles, version_links
from sealift_signing.approvals import Rules
from sealift_signing.counting_rules import rules_for
from sealift_signing.documents import FleetKeys, Members
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.evidence import entitled_machine, sound
from sealift_signing.policy import Policy
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Evidence, Signed
from sealift_signing.version_links import VersionId
from sealift_signing.words import fingerprint


@dataclass
class Change:
    """What is to be published together: signed metadata by role, and the documents it lists."""

    metadata: dict[str, Metadata[Any]] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)


class Repository:
    """Reading what is published, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self.stored = stored(connection)

    def metadata(self, role: str) -> Metadata[Any] | None:
        """A role's newest metadata, None if there is none."""
        if role in FRESHNESS:
            return self.stored.freshness(role)
        if self.stored.rows.newest(role) is None:
            return None
        return self.stored.head(role).metadata

    def base(self, role: str) -> Metadata[Any] | None:
        """What a role's next version follows, whoever held it then; None if there is none."""
        if role in FRESHNESS or self.stored.rows.newest(role) is None:
            return self.metadata(role)
        return self.stored.base(role).metadata

    def body(self, role: str) -> bytes:
        """The bytes of a role's newest version.

        Raises:
            NotFoundError: nothing was published for that role.
        """
        if role in FRESHNESS:
            return publishing.to_bytes(self._present(role))
        return self.stored.head(role).data

    def number(self, role: str) -> int:
        """The number of a role's newest version.

        Raises:
            NotFoundError: nothing was published for that role.
        """
        return int(self._present(role).signed.version)

    def root(self) -> Metadata[Root]:
        """The newest root."""
        return cast("Metadata[Root]", self._present(roles.ROOT))

    def targets(self, role: str = roles.TARGETS) -> Metadata[Targets]:
        """The newest metadata of `targets`, or of a delegated role.

        Raises:
            NotFoundError: nothing was published for that role.
        """
        return cast("Metadata[Targets]", self._present(role))

    def roots(self) -> list[bytes]:
        """Every root since 1."""
        return [one.data for one in self.stored.roots]

    def versions(self) -> dict[str, int]:
        """The newest version of every role."""
        found = {role: self.base(role) for role in self.stored.rows.roles()}
        return {role: one.signed.version for role, one in found.items() if one is not None}

    def organisation(self) -> str:
        """The organisation's id: the sha256 of root 1."""
        return self.stored.id

    def fingerprint(self) -> str:
        """The organisation's fingerprint: the digest of its newest root."""
        return fingerprint(self.root())

    def document(self, role: str, path: str) -> bytes | None:
        """The document that `role`'s newest metadata lists under `path`, None if it lists none."""
        if self.stored.rows.newest(role) is None:
            return None
        return self.stored.document(role, path)

    def policy(self) -> Policy:
        """The policy in force."""
        return self.stored.policy()

    def members(self, team: str) -> Members | None:
        """A team's people, None while its stewards have signed no list yet."""
        return self.stored.members(team)

    def fleet_keys(self) -> FleetKeys:
        """The keys of our machines."""
        return self.stored.fleet_keys()

    def sound_fleet(self) -> FleetKeys:
        """The same, where every key that was ever called compromised is, as sites go by it."""
        return self.stored.once("sound-fleet", self._sound_fleet)

    def _sound_fleet(self) -> FleetKeys:
        # What every root, and the newest targets, say of all roles below them.
        above = (*self.stored.roots, self.stored.head(roles.TARGETS))
        called = (compromised.entered_by(one.role, one.metadata.signed) for one in above)
        known = compromised.union((self.stored.compromised_machines(), *called))
        return sound(self.fleet_keys(), known)

    def log_key(self) -> PublicKey:
        """The key of the hub's log, by the fleet's list: the newest of those that are active.

        Raises:
            NotFoundError: it names none.
        """
        found = [one for one in self.sound_fleet().keys if one.purpose == "log"]
        active = [one for one in found if one.status == "active"]
        if not active:
            raise NotFoundError(
                "log-key-missing",
                "The fleet's list names no key of the hub's log that is active.",
                subject=documents.FLEET_KEYS_PATH,
                next_step="Have fleet administrators sign one into it.",
            )
        return PublicKey.parse(active[-1].key)

    def signer_of(self, evidence: Signed[Evidence]) -> str | None:
        """The machine of ours that signed `evidence` and may sign its kind, by its name.

        With what became of it, where it is not active; None where there is none such.

        Raises:
            BadSignatureError: its key bears a wrong signature: somebody forged it.
        """
        one = entitled_machine(evidence, self.sound_fleet())
        if one is None:
            return None
        return one.name if one.status == "active" else f"{one.name} ({one.status})"

    def lists(self, team: str, path: str, digest: str) -> bool:
        """Whether the team's catalog role lists `path` with this digest."""
        role = roles.catalog_role(team)
        if self.stored.rows.newest(role) is None:
            return False
        listed = self.targets(role).signed.targets.get(path)
        return listed is not None and listed.hashes == {"sha256": digest}

    def rules(self, team: str, stage: str, now: datetime) -> Rules:
        """By what a team's requests and approvals for a stage are counted.

        Raises:
            NotFoundError: there is no such stage, or the team has no members yet.
        """
        return rules_for(self.stored, team, stage, now, self.stored.compromised_people(team))

    def delegated(self, kind: str) -> list[str]:
        """The roles of one kind (`team`, `site` …) that are delegated."""
        return list(self.stored.delegated(kind))

    def teams(self) -> list[str]:
        """The teams that `targets` delegates to."""
        return list(self.stored.teams)

    def unprotected(self) -> tuple[str, ...]:
        """Why one person could promote alone; empty where nobody could."""
        return roles.unprotected(
            self.root().signed, self.targets().signed, self.policy(), self.teams()
        )

    def lifetime(self, role: str) -> int:
        """Days that a signature of this role lasts, by the policy in force."""
        return self.stored.lifetime(role)

    def _present(self, role: str) -> Metadata[Any]:
        found = self.metadata(role)
        if found is None:
            raise _missing(role)
        return found


def publish(
    connection: Connection,
    change: Change,
    online: OnlineKeys,
    now: datetime,
    freshness_days: int,
) -> dict[str, int]:
    """Publish `change`, and the snapshot and timestamp that make it current.

    Within an action of the log's writer. Returns the versions that were published.

    Raises:
        RefusedError: a role does not follow the newest one, is not signed enough, or lists what is
            not its own or not in `change`.
    """
    repository = Repository(connection)
    published = repository.versions()
    new: dict[str, Metadata[Any]] = dict(change.metadata)
    for role, metadata in new.items():
        check_follows(repository.stored, role, metadata)
        owner = new.get(roles.delegator(role)) or repository.metadata(roles.delegator(role))
        if owner is None:
            raise _missing(roles.delegator(role))
        publishing.check_publishable(metadata, role, owner.signed)
        check_no_strays(role, metadata, _owners(repository, role, owner.signed))
    _store_documents(connection, change)
    listed = {
        role: version
        for role, version in (published | _versions(new)).items()
        if role not in {roles.ROOT, roles.SNAPSHOT, roles.TIMESTAMP}
    }
    root = new.get(roles.ROOT) or repository.root()
    expires = publishing.expiry(now, freshness_days)
    new |= _freshness(repository, listed, online, expires, root.signed)
    for role, metadata in new.items():
        keep(connection, role, metadata)
    return _versions(new)


def _owners(repository: Repository, role: str, owner: Root | Targets) -> list[Root | Targets]:
    """By whose word somebody holds `role`: of a next root, also the root before it."""
    before = repository.metadata(role) if role == roles.ROOT else None
    return [owner, before.signed] if before else [owner]


def _freshness(
    repository: Repository,
    listed: Mapping[str, int],
    online: OnlineKeys,
    expires: datetime,
    root: Root,
) -> dict[str, Metadata[Any]]:
    """The next snapshot and timestamp, by the keys that `root` gives them, from its floors on."""
    before = cast("Metadata[Snapshot] | None", repository.metadata(roles.SNAPSHOT))
    snapshot = publishing.next_snapshot(before, listed, expires=expires)
    _sign_online(snapshot, roles.SNAPSHOT, online, root)
    earlier = cast("Metadata[Timestamp] | None", repository.metadata(roles.TIMESTAMP))
    timestamp = publishing.next_timestamp(earlier, snapshot, expires=expires)
    _sign_online(timestamp, roles.TIMESTAMP, online, root)
    return {roles.SNAPSHOT: snapshot, roles.TIMESTAMP: timestamp}


def _sign_online(metadata: Metadata[Any], role: str, online: OnlineKeys, root: Root) -> None:
    signed = metadata.signed
    signed.version = max(signed.version, floors.stated(root, role) or 0)
    publishing.sign(metadata, [online.signer_for(role, roles.keyholders(root, role).keys)])


def _store_documents(connection: Connection, change: Change) -> None:
    for path, data in change.documents.items():
        digest = sha256(data).hexdigest()
        listed = any(
            path in metadata.signed.targets
            and metadata.signed.targets[path].hashes == {"sha256": digest}
            for metadata in change.metadata.values()
            if isinstance(metadata.signed, Targets)
        )
        if not listed:
            raise RefusedError(
                "not-listed",
                f"Nothing signed lists {path}.",
                subject=path,
                next_step="Submit the whole file, as sealift-sign wrote it.",
            )
        known = select(tuf_document.c.sha256).where(
            tuf_document.c.path == path, tuf_document.c.sha256 == digest
        )
        if connection.execute(known).first() is None:
            connection.execute(insert(tuf_document).values(path=path, sha256=digest, body=data))


def _versions(metadata: Mapping[str, Metadata[Any]]) -> dict[str, int]:
    return {role: one.signed.version for role, one in metadata.items()}


def check_follows(found: Stored, role: str, metadata: Metadata[Any]) -> None:
    """Check that a version was made from the newest one here; of the hub's own, by its number.

    Raises:
        RefusedError: it was not: another was published meanwhile, or what it follows is lost here.
    """
    base = found.base(role) if found.rows.newest(role) else None
    version, follows = metadata.signed.version, version_links.follows_of(metadata.signed)
    if not version_links.has_links(role):
        right = version > (base.version if base else 0)  # by more than one from a floor on
    elif base is None:
        right = version == 1 or (follows is not None and follows.link is None)
    else:
        made_from_it = follows is not None and follows.predecessor == base.named
        right = made_from_it and version > base.version
    if not right:
        raise _moved_on(found, role, version_links.named(metadata), follows)
    if version_links.has_links(role) and follows is not None:
        version_links.check_accounted(role, version, follows)


def _moved_on(
    found: Stored, role: str, version: VersionId, follows: version_links.Follows | None
) -> RefusedError:
    base = found.base(role).named if found.rows.newest(role) else None
    what, step = _why_not(found, role, base, follows.predecessor if follows else None)
    return RefusedError(
        "role-moved-on", f"{version} of {role} {what}", subject=role, next_step=step
    )


def _why_not(
    found: Stored, role: str, base: VersionId | None, made_from: VersionId | None
) -> tuple[str, str]:
    """What is true of a version that does not follow `base`, and what to do then.

    Somebody was faster; or this hub lost what it was made from; or the role has forked.
    """
    if not version_links.has_links(role):
        return f"does not come after what is published here, {base}.", "Run the command again."
    if made_from is None:
        return (
            f"was made as the first; meanwhile {base} was published.",
            "Have it drafted again: the new draft stands on what is published now.",
        )
    lost = (
        f"was made from {made_from}, which this hub does not have: its newest is {base or 'none'}.",
        (
            f"Submit that first: whoever knows it writes it with sealift-sign write {role} FILE "
            f"--at {made_from.version}. Only if nobody can, have it drafted again with --over FILE."
        ),
    )
    late = (
        f"was made from {made_from}; meanwhile {base} was published.",
        "Have it drafted again: the new draft stands on what is published now.",
    )
    forked = (
        f"was made from {made_from}, and this hub has another version of that number.",
        (
            "Have the role's holders compare: sealift-sign heads. Then have it drafted again, with "
            "--over FILE for the version that is to be given up."
        ),
    )
    if base is None or made_from.version > base.version:
        return lost
    there = found.version(role, made_from.version)
    return late if there is not None and there.named == made_from != base else forked


def _missing(what: str) -> NotFoundError:
    return NotFoundError(
        "not-published",
        f"Nothing has been published for {what}.",
        subject=what,
        next_step="Run `sealift next` to see what is missing.",
    )
