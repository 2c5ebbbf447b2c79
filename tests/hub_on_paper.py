"""A whole hub without a hub: it holds every online key, and for honest paths the people's too.

It builds organisation, people, artifacts, statements, metadata and bundles with the same code that
a real hub uses (`sealift_signing`, `sealift_sync.bundle.writer`), and with knobs to build what a
real hub prevents. Nobody here is careful, on purpose.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Root

from sealift_signing import dsse, key_status, publishing, roles, shape, statements
from sealift_signing.documents import (
    AssignedArtifact,
    Assignment,
    FleetKeys,
    GroupAssignment,
    MachineKey,
    Members,
    ModelAssignment,
    Person,
    Recall,
    RecallList,
    Withdrawal,
    assignment_path,
    members_path,
)
from sealift_signing.policy import Policy, StageRule
from sealift_signing.statements import (
    Approval,
    CarriedFile,
    Check,
    CheckpointSeen,
    Evidence,
    Pins,
    Request,
    SiteAnswer,
    SiteRequest,
    Subject,
    Transfer,
)
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, hub_origin
from sealift_signing.transparency.merkle import leaf_hash
from sealift_signing.transparency.merkle import root as tree_root
from sealift_signing.vocabulary import CatalogPath, moment
from sealift_sync import packs
from sealift_sync.artifact import Artifact, ArtifactFile, Pack, config_bytes, manifest_bytes
from sealift_sync.blobs import BlobFolder
from sealift_sync.bundle import layout
from sealift_sync.bundle.writer import Contents, write_bundle
from tests.trust import NOW, STAGE, Keyring, Repository, person, rule

TEAM, MODEL, SITE, GROUP, TARGET = "vision", "digits", "plant-7", "cpu", "cpu-x86_64"
GROUPS = {GROUP: TARGET}
PINS = Pins(0, {}, (), ())
Changes = Any
"""Any members of a document, wrong ones among them."""


@dataclass
class Release:
    """One artifact and what vouches for it; a test changes it before it is listed or assigned."""

    path: CatalogPath
    sha256: str
    source: Subject
    request: str = ""
    approvals: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def assigned(self) -> AssignedArtifact:
        return AssignedArtifact(
            str(self.path), self.sha256, self.request, self.approvals, self.evidence
        )

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return (statements.subject(str(self.path), self.sha256), self.source)


class HubOnPaper:
    """One organisation with team vision and the site plant-7, ready to export."""

    def __init__(
        self,
        folder: Path,
        now: datetime = NOW,
        keys: Keyring | None = None,
        *,
        links: bool = True,
    ) -> None:
        self.keys = keys or Keyring()
        self.repository = Repository(self.keys, now, links=links)
        self.store = BlobFolder(folder / "hub-blobs")
        self.carried: dict[str, bytes] = {}
        self.manifests: dict[CatalogPath, bytes] = {}
        self.config_digests: dict[CatalogPath, set[str]] = {}
        self.people: list[Person] = [
            person(self.keys, "anna", "request", f"approve:{STAGE}"),
            *(person(self.keys, name, f"approve:{STAGE}") for name in ("bert", "carla", "dirk")),
        ]
        self.withdrawn: tuple[Withdrawal, ...] = ()
        self.recalls: tuple[Recall, ...] = ()
        self.assigned: dict[str, dict[str, dict[str, ModelAssignment]]] = {SITE: {GROUP: {}}}
        self.targets_of_groups = dict(GROUPS)
        self.enrolments: dict[str, str] = {SITE: "0" * 64}
        self.log = [b"the hub began"]
        self.log_key = "hub-log"
        self.numbers: dict[str, int] = {}
        self.documents: dict[str, bytes] = {}
        self.publish_policy()
        self.publish_members()
        self.publish_fleet()
        self.publish_recalls()

    # -- what everything names

    @property
    def now(self) -> datetime:
        return self.repository.now

    @now.setter
    def now(self, when: datetime) -> None:
        self.repository.now = when

    @property
    def organisation(self) -> str:
        return sha256(self.repository.files["1.root.json"]).hexdigest()

    def public(self, name: str) -> str:
        return self.keys.public(name).text

    # -- documents

    def publish(self, role: str, path: str, data: bytes) -> None:
        """List `data`, if it is not listed already: no version is spent for nothing."""
        if self.documents.get(path) != data:
            self.documents[path] = data
            self.repository.list(role, path, data)

    def publish_policy(self, **changes: StageRule) -> None:
        stages = {STAGE: rule()} | changes
        policy = Policy(1, (), "Example Works", stages, {"team": 180})
        self.publish("targets", "policy.json", shape.write(policy))

    def publish_members(self) -> None:
        found = Members(1, (), TEAM, tuple(self.people), self.withdrawn)
        members = key_status.requiring(found)
        self.publish(roles.team_role(TEAM), members_path(TEAM), shape.write(members))

    def publish_fleet(self) -> None:
        machines = (("hub-log", "log"), ("scanner-1", "scanner"), ("builder-1", "builder"))
        keys = tuple(
            MachineKey(self.public(name), name, purpose, "active")  # type: ignore[arg-type]
            for name, purpose in machines
        )
        self.publish_machines(FleetKeys(1, (), keys))

    def publish_machines(self, keys: FleetKeys) -> None:
        self.publish("fleet", "fleet/keys.json", shape.write(keys))

    def publish_recalls(self) -> None:
        self.publish("recall", "recall.json", shape.write(RecallList(1, (), self.recalls)))

    def publish_assignment(self, site: str = SITE, **changes: Changes) -> None:
        groups = {
            group: GroupAssignment(self.targets_of_groups.get(group, TARGET), models)
            for group, models in self.assigned[site].items()
        }
        said = replace(Assignment(1, (), site, self.enrolments[site], groups), **changes)
        self.publish(roles.site_role(site), assignment_path(site), shape.write(said))

    def recall(self, digest: str, reason: str = "It hallucinates.") -> None:
        number = f"r-{len(self.recalls) + 1}"
        self.recalls += (Recall(number, digest, reason, moment(self.now)),)
        self.publish_recalls()

    def withdraw(self, stage: str = STAGE, **covers: Changes) -> None:
        what = {"sha256": None, "model": None, "below": None} | covers
        number = f"w-{len(self.withdrawn) + 1}"
        self.withdrawn += (
            Withdrawal(
                id=number, stage=stage, reason="Drifts in fog.", made=moment(self.now), **what
            ),
        )
        self.publish_members()

    def add_site(self, site: str) -> None:
        role = roles.site_role(site)
        self.repository.holders[role] = (1, ("dora",))
        with self.repository.next("fleet") as signed:
            self.repository.delegate(signed, role)
        first = publishing.first_targets(expires=self.repository.expiry(role))
        self.repository.publish(role, first)
        self.assigned[site] = {GROUP: {}}
        self.enrolments[site] = "0" * 64

    # -- enrolment

    def answer(self, request: bytes, *, by: str = "flora", **changes: Changes) -> bytes:
        """The answer to a site's request."""
        asked = statements.read(SiteRequest, request, what="a request")
        roots = tuple(base64.b64encode(data).decode() for data in self.roots())
        said = SiteAnswer(
            format=1,
            requires=(),
            organisation=self.organisation,
            site=asked.predicate.site,
            stage=STAGE,
            request=asked.sha256,
            roots=roots,
            pins=PINS,
            floors={},
            made=moment(self.now),
        )
        said = replace(said, **changes)
        about = statements.subject(f"sites/{said.site}/request", said.request)
        data = statements.sign(said, [about], self.keys[by])
        self.enrolments[said.site] = sha256(data).hexdigest()
        return data

    def roots(self) -> list[bytes]:
        newest = self.repository.current["root"].signed.version
        return [self.repository.files[f"{n}.root.json"] for n in range(1, newest + 1)]

    # -- artifacts and their promotion

    def build(
        self,
        version: int = 1,
        *,
        model: str = MODEL,
        form: str = TARGET,
        team: str = TEAM,
        content: bytes | None = None,
        made_for: CatalogPath | None = None,
        more: Mapping[str, bytes] | None = None,
        archived: Mapping[str, bytes] | None = None,
    ) -> Release:
        """An artifact of a few bytes, its manifest and blobs in the hub's store.

        Args:
            version: of the model.
            model: its name.
            form: the last part of the artifact's path.
            team: whose model it is.
            content: of its file `model.onnx`.
            made_for: another path, that its manifest is to say.
            more: further files, by path; they lie in packs if they are many and small.
            archived: what their packs really hold of them, if that is something else.
        """
        path = CatalogPath(team, model, version, form)
        data = content if content is not None else f"the weights of {path}".encode()
        contents = {"model.onnx": data} | dict(more or {})
        files = {
            name: ArtifactFile(name, sha256(found).hexdigest(), len(found))
            for name, found in contents.items()
        }
        together = tuple(
            self._pack([files[name] for name in names], contents | dict(archived or {}))
            for names in packs.groups({name: file.size for name, file in files.items()})
        )
        data = config_bytes(made_for or path, "onnx", files.values(), together)
        config = self.store.put_bytes(data)
        artifact = Artifact(
            made_for or path,
            tuple(sorted(files.values())),
            ArtifactFile("config.json", config.sha256, config.size),
            together,
        )
        for file in artifact.loose:
            self.store.put_bytes(contents[file.path])
        manifest = manifest_bytes(artifact)
        self.manifests[path] = manifest
        self.config_digests[path] = set(artifact.blobs)
        source = CatalogPath(team, model, version, "source")
        about = statements.subject(str(source), sha256(str(source).encode()).hexdigest())
        return Release(path, sha256(manifest).hexdigest(), about)

    def _pack(self, files: list[ArtifactFile], contents: Mapping[str, bytes]) -> Pack:
        source = packs.archive(files, lambda file: contents[file.path])
        return Pack(tuple(files), self.store.put(source).sha256)

    def ago(self, **span: float) -> str:
        return moment(self.now - timedelta(**span))

    def ahead(self, **span: float) -> str:
        return moment(self.now + timedelta(**span))

    def sign(self, said: statements.Predicate, by: str, subjects: tuple[Subject, ...]) -> str:
        """Sign, carry, and return the digest that names the statement."""
        return self.carry(statements.sign(said, subjects, self.keys[by]))

    def carry(self, data: bytes) -> str:
        digest = sha256(data).hexdigest()
        self.carried[digest] = data
        return digest

    def sign_raw(self, payload: bytes, by: str) -> str:
        """Sign bytes that no writer of ours would write."""
        return self.carry(dsse.sign(dsse.IN_TOTO, payload, self.keys[by]))

    def payload(self, digest: str) -> bytes:
        """What a carried statement's signature is over."""
        return dsse.read(self.carried[digest], what="a statement").payload

    def evidence(self, release: Release, kind: str, by: str, **changes: Changes) -> str:
        check = Check("looked-at", "pass", "As it should be.")
        said = Evidence(
            1, (), self.organisation, kind, "pass", (check,), {}, "x86_64", self.ago(hours=3), {}
        )
        return self.sign(replace(said, **changes), by, release.subjects)

    def request(
        self,
        release: Release,
        by: str = "anna",
        *,
        key: str = "",
        subjects: tuple[Subject, ...] | None = None,
        **changes: Changes,
    ) -> str:
        path = release.path
        said = Request(
            format=1,
            requires=(),
            organisation=self.organisation,
            team=path.team,
            model=path.model,
            version=path.version,
            stage=STAGE,
            source_record="5" * 64,
            evidence=release.evidence,
            log=CheckpointSeen(hub_origin(self.organisation), 1, "6" * 64),
            person=by,
            reason="Better on dim images.",
            made=self.ago(hours=2),
            despite=(),
        )
        return self.sign(replace(said, **changes), key or by, subjects or release.subjects)

    def approve(
        self,
        release: Release,
        by: str,
        *,
        key: str = "",
        subjects: tuple[Subject, ...] | None = None,
        **changes: Changes,
    ) -> str:
        path = release.path
        said = Approval(
            format=1,
            requires=(),
            organisation=self.organisation,
            team=path.team,
            model=path.model,
            version=path.version,
            stage=STAGE,
            request=release.request,
            person=by,
            meaning="validated",
            reason="Looked at the parity report.",
            made=self.ago(hours=1),
            valid_until=self.ahead(days=300),
            measured=(),
        )
        return self.sign(replace(said, **changes), key or by, subjects or release.subjects)

    def vouch(self, release: Release, **request: Changes) -> Release:
        """Evidence and a request that names it; no approval yet."""
        release.evidence = (
            self.evidence(release, "scan", "scanner-1"),
            self.evidence(release, "parity", "builder-1"),
        )
        release.request = self.request(release, **request)
        return release

    def list_artifact(self, release: Release, path: CatalogPath | None = None) -> None:
        """What the hub's online catalog key does once there are enough approvals."""
        where = str(path or release.path)
        with self.repository.next(roles.catalog_role(release.path.team)) as signed:
            signed.targets[where] = publishing.target_file(
                where, len(self.manifests[release.path]), release.sha256
            )

    def promote(self, version: int = 1, **build: Changes) -> Release:
        """Everything right: built, scanned, requested by anna, approved by bert and carla."""
        release = self.vouch(self.build(version, **build))
        release.approvals = (self.approve(release, "bert"), self.approve(release, "carla"))
        self.list_artifact(release)
        return release

    def assign(
        self, current: Release, *fallbacks: Release, group: str = GROUP, site: str = SITE
    ) -> None:
        given = ModelAssignment(current.assigned, tuple(one.assigned for one in fallbacks))
        self.assigned[site].setdefault(group, {})[current.path.full_model] = given

    # -- bundles

    def note(self, **changes: Changes) -> bytes:
        """The hub's signed checkpoint."""
        leaves = [leaf_hash(body) for body in self.log]
        said = Checkpoint(hub_origin(self.organisation), len(leaves), tree_root(leaves))
        return checkpoint.sign(replace(said, **changes), self.keys[self.log_key])

    def contents(self, site: str = SITE) -> Contents:
        """All that a bundle for `site` carries."""
        artifacts = [
            one
            for models in self.assigned[site].values()
            for given in models.values()
            for one in given.artifacts
        ]
        paths = {one.parsed for one in artifacts if one.parsed in self.manifests}
        teams = sorted({one.parsed.team for one in artifacts})
        named = {d for a in artifacts for d in (a.request, *a.approvals, *a.evidence)}
        listed = ["policy.json", "fleet/keys.json", "recall.json", assignment_path(site)]
        listed += [members_path(team) for team in teams]
        return Contents(
            read_me="This medium carries approved models. Please bring it to plant-7.\n",
            metadata=self._metadata(site, teams),
            targets={path: self.documents[path] for path in listed if path in self.documents},
            statements={digest: self.carried[digest] for digest in named if digest in self.carried},
            log={"hub.checkpoint": self.note()},
            manifests={path: self.manifests[path] for path in paths},
            blobs=frozenset(d for path in paths for d in self.config_digests[path]),
            store=self.store,
        )

    def _metadata(self, site: str, teams: list[str]) -> dict[str, bytes]:
        repository = self.repository
        files = {f"{n}.root.json": data for n, data in enumerate(self.roots(), start=1)}
        files["timestamp.json"] = repository.files["timestamp.json"]
        wanted = ["snapshot", "targets", "fleet", "recall", roles.site_role(site)]
        for team in teams:
            wanted += [roles.team_role(team), roles.catalog_role(team)]
        for role in wanted:
            if role in repository.current:
                name = f"{repository.current[role].signed.version}.{role}.json"
                files[name] = repository.files[name]
                online = roles.is_online(role) or not repository.links
                if not online and (lineage := repository.lineage(role)):
                    files[layout.lineage_name(role)] = lineage
        return files

    def transfer(
        self, site: str, files: tuple[CarriedFile, ...], name: str, **changes: Changes
    ) -> Transfer:
        said = Transfer(
            format=1,
            requires=(),
            organisation=self.organisation,
            id=name,
            site=site,
            enrolment=self.enrolments[site],
            made=moment(self.now),
            base=(),
            previous=None,
            files=files,
            log=self.note().decode(),
            site_log=None,
        )
        return replace(said, **changes)

    def export(
        self,
        medium: Path,
        site: str = SITE,
        *,
        by: str = "dora",
        about: Subject | None = None,
        edit: Callable[[Contents], Contents] = lambda contents: contents,
        publish: bool = True,
        refresh: bool = True,
        **changes: Changes,
    ) -> Path:
        """Publish, refresh, and write a bundle; returns its folder.

        Args:
            medium: the medium's top.
            site: whom it is for.
            by: who signs transfer.json.
            about: its subject, the true one unless said.
            edit: changes what is carried, before it is signed for.
            publish: whether the assignment is published first.
            refresh: whether the snapshot and the timestamp are made anew.
            changes: of transfer.json.
        """
        medium.mkdir(parents=True, exist_ok=True)
        if publish:
            self.publish_assignment(site)
        if refresh:
            self.repository.refresh()
        self.numbers[site] = self.numbers.get(site, 0) + 1
        self.log.append(f"export {site} {self.numbers[site]}".encode())
        name = layout.transfer_id(site, self.numbers[site])
        path = assignment_path(site)
        subject = about or statements.subject(path, sha256(self.documents[path]).hexdigest())

        def sign(files: tuple[CarriedFile, ...]) -> bytes:
            return statements.sign(
                self.transfer(site, files, name, **changes), [subject], self.keys[by]
            )

        contents = edit(self.contents(site))
        return write_bundle(contents, medium, name, sign, lambda _phase, _size: lambda _done: None)

    def edit_metadata(self, role: str, change: Callable[[dict[str, Any]], None]) -> bytes:
        """The role's current file with its JSON changed, and not signed again."""
        data = json.loads(publishing.to_bytes(self.repository.current[role]))
        change(data)
        return json.dumps(data, separators=(",", ":"), sort_keys=True).encode()

    def fork_root(self) -> bytes:
        """Another root of the current number, properly signed by the root's keyholders."""
        metadata: Metadata[Root] = Metadata.from_bytes(self.roots()[-1])
        metadata.signatures.clear()
        metadata.signed.expires += timedelta(days=1)
        publishing.sign(metadata, self.repository.signers("root"))
        return publishing.to_bytes(metadata)


def resign(folder: Path, hub: HubOnPaper, by: str = "dora", **changes: Changes) -> None:
    """Sign `folder`'s transfer.json anew with changes: what a hostile hub can do at any time."""
    file = folder / layout.TRANSFER
    said = statements.read(Transfer, file.read_bytes(), what="transfer.json")
    predicate = replace(said.predicate, **changes)
    file.write_bytes(statements.sign(predicate, said.subjects, hub.keys[by]))


def relist(folder: Path, hub: HubOnPaper, *paths: str) -> None:
    """Sign transfer.json anew so that it lists `paths` as they lie there now."""
    file = folder / layout.TRANSFER
    said = statements.read(Transfer, file.read_bytes(), what="transfer.json").predicate
    listed = {one.path: one for one in said.files}
    for path in paths:
        data = (folder / path).read_bytes()
        listed[path] = CarriedFile(path, len(data), sha256(data).hexdigest())
    resign(folder, hub, files=tuple(listed[path] for path in sorted(listed)))
