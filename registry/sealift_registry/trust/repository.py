"""The TUF repository as rows: what is current, and publishing the next version with the log entry.

A use case drafts and signs first, outside any transaction (a person's key may need a passphrase),
then hands `publish` to the log's writer as part of its action. If somebody else published the same
role meanwhile, the version no longer follows and nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from securesystemslib.signer import Signer
from sqlalchemy import Connection, func, insert, select
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.tables import tuf_document, tuf_metadata
from sealift_signing import documents, publishing, roles
from sealift_signing.approvals import Rules
from sealift_signing.documents import FleetKeys, Members, Policy, RecallList
from sealift_signing.errors import (
    NoKeyError,
    NotFoundError,
    NotSignedEnoughError,
    RefusedError,
)
from sealift_signing.public_key import PublicKey
from sealift_signing.tuf_walk import PERSON_FIELD
from sealift_sync import durable


@dataclass
class Change:
    """What is to be published together: signed metadata by role, and the documents it lists."""

    metadata: dict[str, Metadata[Any]] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)


class Repository:
    """Reading what is published, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def body(self, role: str, version: int | None = None) -> bytes | None:
        """The bytes of a role's newest (or that) version, None if there is none."""
        query = select(tuf_metadata.c.body).where(tuf_metadata.c.role == role)
        if version is None:
            query = query.order_by(tuf_metadata.c.version.desc()).limit(1)
        else:
            query = query.where(tuf_metadata.c.version == version)
        body = self._connection.execute(query).scalar_one_or_none()
        return None if body is None else bytes(body)

    def metadata(self, role: str) -> Metadata[Any] | None:
        """A role's newest metadata."""
        body = self.body(role)
        return None if body is None else Metadata.from_bytes(body)

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
        query = (
            select(tuf_metadata.c.body)
            .where(tuf_metadata.c.role == roles.ROOT)
            .order_by(tuf_metadata.c.version)
        )
        return list(self._connection.execute(query).scalars())

    def versions(self) -> dict[str, int]:
        """The newest version of every role."""
        query = select(tuf_metadata.c.role, func.max(tuf_metadata.c.version)).group_by(
            tuf_metadata.c.role
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def organisation(self) -> str:
        """The organisation's id: the sha256 of root 1."""
        body = self.body(roles.ROOT, 1)
        if body is None:
            raise _missing(roles.ROOT)
        return sha256(body).hexdigest()

    def document(self, role: str, path: str) -> bytes | None:
        """The document that `role`'s newest metadata lists under `path`, None if it lists none."""
        metadata = self.metadata(role)
        target = metadata.signed.targets.get(path) if metadata else None
        if target is None:
            return None
        query = select(tuf_document.c.body).where(
            tuf_document.c.path == path, tuf_document.c.sha256 == target.hashes["sha256"]
        )
        return bytes(self._connection.execute(query).scalar_one())

    def policy(self) -> Policy:
        """The policy in force."""
        return documents.read_policy(self._document(roles.TARGETS, documents.POLICY_PATH))

    def members(self, team: str) -> Members | None:
        """A team's people, None while its stewards have signed no list yet."""
        data = self.document(roles.team_role(team), documents.members_path(team))
        return None if data is None else documents.read_members(data, team)

    def fleet_keys(self) -> FleetKeys:
        """The keys of our machines."""
        return documents.read_fleet_keys(self._document(roles.FLEET, documents.FLEET_KEYS_PATH))

    def machines(self) -> dict[str, str]:
        """The names of our machines by their keyids, with what became of those not active."""
        return {
            PublicKey.parse(one.key).keyid: one.name
            if one.status == "active"
            else f"{one.name} ({one.status})"
            for one in self.fleet_keys().keys
        }

    def rules(self, team: str, stage: str, now: datetime) -> Rules:
        """By what a team's requests and approvals for a stage are counted.

        Raises:
            NotFoundError: there is no such stage, or the team has no members yet.
        """
        stages = self.policy().stages
        members = self.members(team)
        if stage not in stages:
            raise NotFoundError(
                "no-stage",
                f"The policy has no stage {stage}.",
                subject=stage,
                next_step=f"Its stages are: {', '.join(sorted(stages))}.",
            )
        if members is None:
            raise NotFoundError(
                "no-members",
                f"Team {team} has nobody who may request or approve.",
                subject=team,
                next_step=f"Add them, signed by stewards: sealift team requester {team} --help",
            )
        organisation, machines = self.organisation(), self.machine_keys()
        return Rules(organisation, members, stage, stages[stage], now, machines)

    def recalls(self) -> RecallList:
        """What is recalled."""
        return documents.read_recalls(self._document(roles.RECALL, documents.RECALL_PATH))

    def delegated(self, kind: str) -> list[str]:
        """The roles of one kind (`team`, `site` …) that are delegated."""
        owner = self.targets(roles.delegator(f"{kind}.x")).signed
        found = (owner.delegations.roles or {}) if owner.delegations else {}
        return [name for name in found if roles.kind(name) == kind and "." in name]

    def teams(self) -> list[str]:
        """The teams that `targets` delegates to."""
        return [name.partition(".")[2] for name in self.delegated(roles.TEAM)]

    def unprotected(self) -> tuple[str, ...]:
        """Why one person could promote alone; empty where nobody could."""
        return roles.unprotected(
            self.root().signed, self.targets().signed, self.policy(), self.teams()
        )

    def lifetime(self, role: str) -> int:
        """Days that a signature of this role lasts, by the policy in force."""
        kind = roles.kind(role)
        return self.policy().lifetimes_days.get(kind, roles.LIFETIMES_DAYS[kind])

    def machine_keys(self) -> frozenset[bytes]:
        """The raw keys of roles and machines: none of them may be a person's.

        Exactly what a site holds for one, stewards' and dispatchers' keys among them: an approval
        that the hub counts and no site does would be listed and never installed.
        """
        raw = {PublicKey.parse(key.key).raw for key in self.fleet_keys().keys}
        for signed in (self.root().signed, self.targets().signed, self.targets(roles.FLEET).signed):
            for name in _delegated(signed):
                raw |= {key.raw for key in roles.keyholders(signed, name).keys}
        return frozenset(raw)

    def people_keys(self) -> dict[bytes, str]:
        """The raw keys of every team's people, each with whose it is: `carla of team vision`."""
        return {
            key.raw: f"{person.id} of team {team}"
            for team in self.teams()
            if (members := self.members(team))
            for person, key in members.all_keys()
        }

    def is_solo(self) -> bool:
        """Whether one person alone may promote, so that one key may be everything."""
        return any(rule.requester_may_approve for rule in self.policy().stages.values())

    def who(self, role: str, signers: Iterable[Signer]) -> str:
        """Who `signers` are, by the names under which they hold `role`; else by their keys."""
        owner = self._present(roles.delegator(role)).signed
        names = {}
        for keyid in owner.get_delegated_role(role).keyids:
            key = owner.get_key(keyid)
            public = PublicKey.from_tuf(key)
            names[public.raw] = str(key.unrecognized_fields.get(PERSON_FIELD, public.text))
        keys = [PublicKey.from_tuf(signer.public_key) for signer in signers]
        return ", ".join(sorted({names.get(key.raw, key.text) for key in keys}))

    def _document(self, role: str, path: str) -> bytes:
        data = self.document(role, path)
        if data is None:
            raise _missing(path)
        return data

    def _present(self, role: str) -> Metadata[Any]:
        found = self.metadata(role)
        if found is None:
            raise _missing(role)
        return found


def sign_enough(
    metadata: Metadata[Any], role: str, signers: Iterable[Signer], owner: Root | Targets
) -> None:
    """Have `signers` sign a role's next version, which `owner` delegates; check it as sites will.

    Raises:
        NotSignedEnoughError, NoKeyError: too few of them hold the role; who does is said.
        BadSignatureError, MalformedError: as `publishing.check_publishable`.
    """
    publishing.sign(metadata, signers)
    try:
        publishing.check_publishable(metadata, role, owner)
    except (NotSignedEnoughError, NoKeyError) as bad:
        holders = roles.keyholders(owner, role)
        bad.next_step = (
            f"Sign with {holders.threshold} of the keys of: {', '.join(holders.people)}; "
            "name each with --key."
        )
        raise


def _delegated(signed: Root | Targets) -> list[str]:
    """The names of the roles that `signed` delegates."""
    if isinstance(signed, Root):
        return list(signed.roles)
    return list(signed.delegations.roles or {}) if signed.delegations else []


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
        _check_follows(role, metadata, published.get(role, 0))
        owner = new.get(roles.delegator(role)) or repository.metadata(roles.delegator(role))
        if owner is None:
            raise _missing(roles.delegator(role))
        publishing.check_publishable(metadata, role, owner.signed)
    _store_documents(connection, change)
    listed = {
        role: version
        for role, version in (published | _versions(new)).items()
        if role not in {roles.ROOT, roles.SNAPSHOT, roles.TIMESTAMP}
    }
    new |= _freshness(repository, listed, online, now, freshness_days)
    for role, metadata in new.items():
        row = {"role": role, "version": metadata.signed.version}
        body = publishing.to_bytes(metadata)
        connection.execute(insert(tuf_metadata).values(**row, body=body))
    return _versions(new)


def _freshness(
    repository: Repository,
    listed: Mapping[str, int],
    online: OnlineKeys,
    now: datetime,
    days: int,
) -> dict[str, Metadata[Any]]:
    expires = publishing.expiry(now, days)
    before = cast("Metadata[Snapshot] | None", repository.metadata(roles.SNAPSHOT))
    snapshot = publishing.next_snapshot(before, listed, expires=expires)
    publishing.sign(snapshot, [online.signer(roles.SNAPSHOT)])
    earlier = cast("Metadata[Timestamp] | None", repository.metadata(roles.TIMESTAMP))
    timestamp = publishing.next_timestamp(earlier, snapshot, expires=expires)
    publishing.sign(timestamp, [online.signer(roles.TIMESTAMP)])
    return {roles.SNAPSHOT: snapshot, roles.TIMESTAMP: timestamp}


def write_copies(connection: Connection, folder: Path) -> None:
    """Write the newest metadata to `folder`, for people to read; the rows are what counts.

    Only one process at a time may do it: what is unfinished there is taken for left behind.
    """
    for left in folder.glob(f"*{durable.PARTIAL}"):
        left.unlink()
    repository = Repository(connection)
    for role, version in repository.versions().items():
        name = f"{role}.json" if role == roles.TIMESTAMP else f"{version}.{role}.json"
        path = folder / name
        body = repository.body(role, version)
        if body is not None and (role == roles.TIMESTAMP or not path.exists()):
            durable.write(path, body)


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
            raise RefusedError("not-listed", f"Nothing signed lists {path}.", subject=path)
        known = select(tuf_document.c.sha256).where(
            tuf_document.c.path == path, tuf_document.c.sha256 == digest
        )
        if connection.execute(known).first() is None:
            connection.execute(insert(tuf_document).values(path=path, sha256=digest, body=data))


def _versions(metadata: Mapping[str, Metadata[Any]]) -> dict[str, int]:
    return {role: one.signed.version for role, one in metadata.items()}


def _check_follows(role: str, metadata: Metadata[Any], before: int) -> None:
    if metadata.signed.version != before + 1:
        raise RefusedError(
            "role-moved-on",
            f"{role} has become version {before} meanwhile; what was signed no longer follows it.",
            subject=role,
            next_step="Run the command again.",
        )


def _missing(what: str) -> NotFoundError:
    return NotFoundError(
        "not-published",
        f"Nothing has been published for {what}.",
        subject=what,
        next_step="Run `sealift next` to see what is missing.",
    )
