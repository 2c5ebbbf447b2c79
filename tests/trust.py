"""A small organisation in memory: real keys, real TUF metadata, real signed statements.

`Repository` publishes through `sealift_signing.publishing` and answers what a walk asks for.
`Promotion` makes one approved version of one model, and every wrong variation of it.
Nobody here is careful on purpose: tests hold the keys and may sign whatever an attacker could.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from sealift_signing import key_status, publishing, roles, shape, statements, version_links
from sealift_signing.approvals import Rules
from sealift_signing.documents import (
    AssignedArtifact,
    Assignment,
    FleetKeys,
    GroupAssignment,
    MachineKey,
    MemberKey,
    Members,
    ModelAssignment,
    Person,
)
from sealift_signing.floors import FIELD as FLOOR
from sealift_signing.policy import Policy, StageRule
from sealift_signing.public_key import PublicKey
from sealift_signing.site_rules import ConditionFacts
from sealift_signing.statements import (
    Approval,
    Check,
    CheckpointSeen,
    Evidence,
    Pins,
    Request,
    Signed,
    Subject,
)
from sealift_signing.tuf_walk import Keep, Need, RoleKey, Walk, drive
from sealift_signing.version_links import Follows, Lineage
from sealift_signing.vocabulary import CatalogPath, moment

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TEAM, MODEL, SITE, GROUP, TARGET = "vision", "digits", "plant-7", "inspection", "cpu-x86_64"
STAGE = "production"
Field = Any
"""Any field of a document, wrong ones among them: what is made of it is the test's business."""
ORGANISATION = sha256(b"root 1").hexdigest()

HOLDERS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "root": (2, ("rosa", "rolf", "ruth")),
    "targets": (2, ("tina", "toni", "tara")),
    "snapshot": (1, ("hub-snapshot",)),
    "timestamp": (1, ("hub-timestamp",)),
    "team.vision": (2, ("stella", "stefan", "sven")),
    "catalog.vision": (1, ("hub-catalog",)),
    "fleet": (1, ("flora", "frank")),
    "recall": (1, ("olga",)),
    "site.plant-7": (1, ("dora",)),
}


class Keyring:
    """A signer for every name, made when the name is first said."""

    def __init__(self) -> None:
        self._signers: dict[str, CryptoSigner] = {}

    def __getitem__(self, name: str) -> CryptoSigner:
        if name not in self._signers:
            self._signers[name] = CryptoSigner.generate_ed25519()
        return self._signers[name]

    def public(self, name: str) -> PublicKey:
        return PublicKey.from_tuf(self[name].public_key)

    def publics(self, names: tuple[str, ...]) -> dict[str, PublicKey]:
        return {name: self.public(name) for name in names}


class Repository:
    """TUF metadata as the hub publishes it: every version of every role, by file name."""

    def __init__(
        self, keys: Keyring | None = None, now: datetime = NOW, *, links: bool = True
    ) -> None:
        self.keys = keys or Keyring()
        self.now = now
        self.links = links
        """False: versions are made as they were before any of them named what it follows."""
        self.holders = dict(HOLDERS)
        self.files: dict[str, bytes] = {}
        self.current: dict[str, Metadata[Any]] = {}
        top = {
            role: (self.holders[role][0], self.keys.publics(self.holders[role][1]))
            for role in roles.TOP_ROLES
        }
        self.publish("root", publishing.first_root(top, expires=self.expiry("root")))
        first = {
            role: publishing.first_targets(expires=self.expiry(role))
            for role in self.holders
            if role not in {"root", "snapshot", "timestamp"}
        }
        for role in first:
            if role != "targets":
                self.delegate(first[roles.delegator(role)].signed, role)
        for role, metadata in first.items():
            self.publish(role, metadata, refresh=False)
        self.refresh()

    def expiry(self, role: str) -> datetime:
        return publishing.expiry(self.now, roles.LIFETIMES_DAYS[roles.kind(role)])

    def delegate(self, signed: Targets, role: str, floor: int | None = None) -> None:
        threshold, names = self.holders[role]
        publishing.delegate(signed, role, threshold, self.keys.publics(names), floor)

    def signers(self, role: str) -> list[Signer]:
        threshold, names = self.holders[role]
        return [self.keys[name] for name in names[:threshold]]

    def publish(
        self,
        role: str,
        metadata: Metadata[Any],
        *,
        signers: list[Signer] | None = None,
        refresh: bool = True,
    ) -> None:
        """Sign (by as many holders as must), store, and make it current."""
        publishing.sign(metadata, self.signers(role) if signers is None else signers)
        self.store(role, publishing.to_bytes(metadata), metadata)
        if refresh and role not in {"root", "snapshot", "timestamp"}:
            self.refresh()

    def store(self, role: str, data: bytes, metadata: Metadata[Any]) -> None:
        version = None if role == "timestamp" else metadata.signed.version
        self.files[Need(role, version, 0).file_name] = data
        self.current[role] = metadata

    def refresh(self) -> None:
        """The snapshot and the timestamp of what is current."""
        top = {"root", "snapshot", "timestamp"}
        versions = {
            role: found.signed.version for role, found in self.current.items() if role not in top
        }
        snapshot: Metadata[Snapshot] | None = self.current.get("snapshot")
        timestamp: Metadata[Timestamp] | None = self.current.get("timestamp")
        following = publishing.next_snapshot(snapshot, versions, expires=self.expiry("snapshot"))
        self.publish("snapshot", following)
        stamp = publishing.next_timestamp(timestamp, following, expires=self.expiry("timestamp"))
        self.publish("timestamp", stamp)

    @contextmanager
    def next(self, role: str, signers: list[Signer] | None = None) -> Iterator[Any]:
        """Edit the signed part of the role's next version; published at the end of the block."""
        metadata = self.draft(role)
        yield metadata.signed
        self.publish(role, metadata, signers=signers)

    def draft(self, role: str, **changes: Field) -> Metadata[Any]:
        """The role's next version; one of a role that people sign names what it follows."""
        online = roles.is_online(role) or not self.links
        draft = publishing.successor if online else publishing.following
        return draft(self.current[role], expires=self.expiry(role), **changes)

    def lineage(self, role: str) -> bytes | None:
        """What the versions below the current one say of their past, as it travels, if it is."""
        found: list[Follows] = []
        said = version_links.follows_of(self.current[role].signed)
        while said is not None and said.link is not None:
            data = self.files[f"{said.version}.{role}.json"]
            said = version_links.follows_of(Metadata[Any].from_bytes(data).signed)
            found += [said] if said else []
        return shape.write(Lineage(1, (), role, tuple(found))) if found else None

    def rotate(self, role: str, threshold: int, *names: str, floor: int | None = None) -> None:
        """The next root, which gives a top-level role to others; old and new root keys sign it."""
        before = self.signers("root")
        metadata: Metadata[Root] = self.draft("root")
        for keyid in list(metadata.signed.roles[role].keyids):
            metadata.signed.revoke_key(keyid, role)
        metadata.signed.roles[role].threshold = threshold
        for name, key in self.keys.publics(names).items():
            metadata.signed.add_key(publishing.named_key(key, name), role)
        if floor is not None:
            metadata.signed.roles[role].unrecognized_fields[FLOOR] = floor
        self.holders[role] = (threshold, names)
        after = [one for one in self.signers("root") if one not in before]
        self.publish("root", metadata, signers=before + after)

    def hand_on(self, role: str, *names: str, floor: int | None = None) -> None:
        """The next version of a role's delegator, which gives it to others."""
        self.holders[role] = (self.holders[role][0], names)
        with self.next(roles.delegator(role)) as signed:
            self.delegate(signed, role, floor)

    @contextmanager
    def stolen(self) -> Iterator[None]:
        """What is published in here is the thief's; afterwards all is as it was."""
        files, current = dict(self.files), copy.deepcopy(self.current)
        try:
            yield
        finally:
            self.files, self.current = files, current

    def list(self, role: str, path: str, data: bytes) -> None:
        with self.next(role) as signed:
            publishing.list_document(signed, path, data)

    def fetch(self, need: Need) -> bytes | None:
        return self.files.get(need.file_name)

    def walk(
        self, before: Mapping[RoleKey, bytes] | None = None, now: datetime | None = None
    ) -> tuple[Walk, dict[RoleKey, bytes]]:
        """A whole visit from root 1; what was kept comes back, to be the next visit's `before`."""
        walk = Walk(self.files["1.root.json"], before or {}, now or self.now)
        kept: dict[RoleKey, bytes] = {}

        def keep(step: Keep) -> None:
            kept[step.delegator, step.role] = step.data

        drive(walk.top(), self.fetch, keep)
        for role in self.holders:
            if role not in roles.TOP_ROLES:
                drive(walk.delegated(roles.delegator(role), role), self.fetch, keep)
        return walk, kept


def rule(**changes: Field) -> StageRule:
    """What production asks: two approvals, a scan and parity."""
    usual = StageRule(
        approvals=2,
        requester_may_approve=False,
        evidence=("scan", "parity"),
        key_classes=("file", "hardware"),
        meanings=("validated", "accepts the risk"),
        longest_validity_days=365,
    )
    return replace(usual, **changes)


def person(keys: Keyring, name: str, *purposes: str, status: Field = "active") -> Person:
    key = MemberKey(keys.public(name).text, "file", purposes)
    return Person(name, name.title(), status, (key,))


@dataclass
class Promotion:
    """`vision/digits/3`, requested by anna, approved by bert and carla, assigned to plant-7."""

    keys: Keyring = field(default_factory=Keyring)
    now: datetime = NOW
    version: int = 3
    organisation: str = ORGANISATION
    people: list[Person] = field(default_factory=list)
    carried: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.people = [
            person(self.keys, "anna", "request", f"approve:{STAGE}"),
            *(person(self.keys, name, f"approve:{STAGE}") for name in ("bert", "carla", "dirk")),
        ]
        self.path = str(CatalogPath(TEAM, MODEL, self.version, TARGET))
        self.source = str(CatalogPath(TEAM, MODEL, self.version, "source"))
        self.digest = sha256(self.path.encode()).hexdigest()
        self.subjects = (
            statements.subject(self.path, self.digest),
            statements.subject(self.source, sha256(self.source.encode()).hexdigest()),
        )

    def ago(self, **span: float) -> str:
        return moment(self.now - timedelta(**span))

    def ahead(self, **span: float) -> str:
        return moment(self.now + timedelta(**span))

    def sign(
        self, predicate: statements.Predicate, by: str, subjects: tuple[Subject, ...] | None = None
    ) -> str:
        """Sign, carry, and return the digest that names the statement."""
        data = statements.sign(predicate, subjects or self.subjects, self.keys[by])
        digest = sha256(data).hexdigest()
        self.carried[digest] = data
        return digest

    def evidence(self, kind: str, by: str, **changes: Field) -> str:
        subjects = changes.pop("subjects", None)
        check = Check(f"{kind}-check", changes.pop("check", "pass"), "Looked at.")
        found = Evidence(
            format=1,
            requires=(),
            organisation=self.organisation,
            kind=kind,
            verdict="pass",
            checks=(check,),
            tools={"looker": "1.0"},
            machine="x86_64, Linux 6.1",
            made=self.ago(hours=3),
            details={},
        )
        return self.sign(replace(found, **changes), by, subjects)

    def request(
        self, evidence: tuple[str, ...] = (), by: str = "anna", *, key: str = "", **changes: Field
    ) -> str:
        subjects = changes.pop("subjects", None)
        asked = Request(
            format=1,
            requires=(),
            organisation=self.organisation,
            team=TEAM,
            model=MODEL,
            version=self.version,
            stage=STAGE,
            source_record="5" * 64,
            evidence=evidence,
            log=CheckpointSeen("hub.example", 12, "6" * 64),
            person=by,
            reason="Better on dim images.",
            made=self.ago(hours=2),
            despite=(),
        )
        return self.sign(replace(asked, **changes), key or by, subjects)

    def approve(self, request: str, by: str, *, key: str = "", **changes: Field) -> str:
        subjects = changes.pop("subjects", None)
        approval = Approval(
            format=1,
            requires=(),
            organisation=self.organisation,
            team=TEAM,
            model=MODEL,
            version=self.version,
            stage=STAGE,
            request=request,
            person=by,
            meaning="validated",
            reason="Looked at the parity report.",
            made=self.ago(hours=1),
            valid_until=self.ahead(days=300),
            measured=(),
        )
        return self.sign(replace(approval, **changes), key or by, subjects)

    def assigned(self, **changes: Field) -> AssignedArtifact:
        """Everything right: evidence, a request that names it, two approvals, all carried."""
        evidence = (self.evidence("scan", "scanner-1"), self.evidence("parity", "builder-1"))
        request = self.request(evidence)
        approvals = (self.approve(request, "bert"), self.approve(request, "carla"))
        usual = AssignedArtifact(self.path, self.digest, request, approvals, evidence)
        return replace(usual, **changes)

    def members(self) -> Members:
        return key_status.requiring(Members(1, (), TEAM, tuple(self.people), ()))

    def fleet(self) -> FleetKeys:
        return FleetKeys(
            1,
            (),
            (
                MachineKey(self.keys.public("scanner-1").text, "scanner-1", "scanner", "active"),
                MachineKey(self.keys.public("builder-1").text, "builder-1", "builder", "active"),
            ),
        )

    def machine_keys(self) -> frozenset[bytes]:
        return frozenset(
            self.keys.public(name).raw for name in ("scanner-1", "builder-1", "hub-snapshot")
        )

    def rules(self, **changes: Field) -> Rules:
        usual = Rules(
            self.organisation,
            self.members(),
            STAGE,
            rule(),
            self.now,
            self.machine_keys(),
            frozenset(),
        )
        return replace(usual, **changes)

    def facts(self, artifact: AssignedArtifact, **changes: Field) -> ConditionFacts:
        """What plant-7 knows of a bundle that assigns `artifact` to its one host group."""
        group = GroupAssignment(TARGET, {f"{TEAM}/{MODEL}": ModelAssignment(artifact, ())})
        usual = ConditionFacts(
            organisation=self.organisation,
            site=SITE,
            stage=STAGE,
            groups={GROUP: TARGET},
            pins=Pins(0, {}, (), ()),
            now=self.now,
            policy=Policy(1, (), "Example", {STAGE: rule()}, {}),
            members={TEAM: self.members()},
            fleet=self.fleet(),
            assignment=Assignment(1, (), SITE, "e" * 64, {GROUP: group}),
            catalog={TEAM: {artifact.path: artifact.sha256}},
            withdrawn={},
            recalled={},
            machine_keys=self.machine_keys(),
            compromised={},
            statement=self.carried.get,
        )
        return replace(usual, **changes)

    def read_request(self, digest: str) -> Signed[Request]:
        return statements.read(Request, self.carried[digest], what="the request")

    def read_approvals(self, *digests: str) -> list[Signed[Approval]]:
        return [
            statements.read(Approval, self.carried[digest], what="an approval")
            for digest in digests
        ]
