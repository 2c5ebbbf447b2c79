"""The versions, variants and promotions of a hub that has grown: real signatures, tiny files.

One version was taken in and converted by the hub itself; all others say of themselves what its
evidence says of it. Of ten versions of a model one is listed for staging and two for production,
as a rule; of some models the newest waits for an approval, or was never asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any

from securesystemslib.signer import Signer
from tuf.api.metadata import TargetFile

from sealift_registry.catalog import findings, tables
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.findings import Finding
from sealift_registry.catalog.reference import ModelRef, VersionRef, promotion_id
from sealift_registry.intake.source import SourceFile, SourceRecord
from sealift_registry.trust import catalogs
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import publishing, roles, shape, statements
from sealift_signing.canonical import Json
from sealift_signing.documents import AssignedArtifact
from sealift_signing.evidence import EVIDENCE_PURPOSE
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import (
    Approval,
    CheckpointSeen,
    Evidence,
    Request,
    Signed,
    Subject,
    subject,
)
from sealift_signing.transparency.checkpoint import claimed
from sealift_signing.vocabulary import SOURCE, CatalogPath, instant, moment
from sealift_sync.artifact import Artifact, ArtifactFile, config_bytes, manifest_bytes
from sealift_sync.blobs import BlobFolder, BlobStore
from tests.benchmarks.chronicle import Chronicle

MODEL_VERSIONS, OLDER, STAGED = 10, 7, 4
"""The newest version of a model, and two that are promoted besides."""
NEEDED = {"staging": 1, "production": 2}
"""Approvals, by the policy that a hub begins with."""
SECOND_TARGET, SECOND_EVERY = "cpu-aarch64", 4
"""Every fourth version has a second variant."""
VALID = timedelta(days=300)
TOLD = ("goldens", "source")
"""What evidence says of its own version."""


@dataclass(frozen=True)
class Team:
    """The people of a team who ask and approve, each with a signer."""

    name: str
    requester: tuple[str, Signer]
    approvers: tuple[tuple[str, Signer], ...]


@dataclass(frozen=True)
class Kept:
    """One artifact: where it is, its manifest's digest and size, and the evidence about it."""

    path: CatalogPath
    sha256: str
    size: int
    evidence: tuple[str, ...]

    @property
    def subject(self) -> Subject:
        """As statements name it."""
        return subject(str(self.path), self.sha256)


@dataclass
class Listed:
    """What is listed for production of each model, by its versions: all that a dispatcher names."""

    artifacts: dict[ModelRef, dict[int, AssignedArtifact]] = field(
        default_factory=lambda: defaultdict(dict)
    )


@dataclass(frozen=True)
class Pattern:
    """What the hub's own version says of itself.

    Attributes:
        evidence: of the source and of the variant.
        format: of the model file.
        recipe: of the variant.
    """

    source: tuple[Signed[Evidence], ...]
    variant: tuple[Signed[Evidence], ...]
    format: str
    recipe: bytes | None


def pattern_of(hub: Hub, ref: VersionRef, target: str) -> Pattern:
    """That of a version that the hub took in and converted for `target`."""
    with hub.reading() as connection:
        catalog = Catalog(connection)
        variant = catalog.artifact(ref.path(target))
        return Pattern(
            tuple(catalog.evidence(ref.path(SOURCE))),
            tuple(catalog.evidence(ref.path(target))),
            catalog.version(ref).format,
            variant.recipe if variant else None,
        )


def references(versions: int, teams: Sequence[str]) -> Iterator[tuple[VersionRef, int]]:
    """So many versions, each with its model's number, in the order in which they are made.

    All models grow side by side.
    """
    models = max(-(-versions // MODEL_VERSIONS), 1)
    for n in range(versions):
        number, model = n // models + 1, n % models
        yield VersionRef(teams[model % len(teams)], f"model-{model:05d}", number), model


def asked_of(number: int, model: int) -> tuple[tuple[str, int], ...]:
    """Which promotions are asked for of a version, each with how many approve it."""
    if number == STAGED:
        return (("staging", 1),)
    if number == OLDER:
        # Of some it was asked twice: nobody waits for the first any more.
        return (("production", 1), ("production", 2))[model % 3 > 0 :]
    if number < MODEL_VERSIONS or model % 10 == 9:
        return ()
    return (("production", 1 if model % 10 == 8 else 2),)


class Growing:
    """Adds versions to a hub, and promotions of them.

    Args:
        chronicle: that writes it all.
        teams: by name.
        pattern: what evidence says.
        target: the hardware target of the first variant.
    """

    def __init__(
        self, chronicle: Chronicle, teams: Mapping[str, Team], pattern: Pattern, target: str
    ) -> None:
        self.listed = Listed()
        self._chronicle = chronicle
        self._teams = teams
        self._pattern = pattern
        self._target = target
        self._blobs = chronicle.hub.home.blobs
        self._signers = {
            purpose: chronicle.hub.online.signer(purpose) for purpose in EVIDENCE_PURPOSE.values()
        }
        self._unlisted: dict[str, dict[str, TargetFile]] = defaultdict(dict)
        with chronicle.hub.reading() as connection:
            self._promotions = Catalog(connection).next_promotion()

    def grow(self, versions: int, publications: int) -> None:
        """Add so many versions with all that is asked of them; publish the catalogs so often."""
        teams, every = sorted(self._teams), -(-versions // publications)
        for n, (ref, model) in enumerate(references(versions, teams), start=1):
            record, kept = self.take_in(ref)
            for stage, approvals in asked_of(ref.number, model):
                self.promote(ref, record, kept, stage, approvals)
            if n % every == 0 or n == versions:
                self.publish_catalogs()

    # ------------------------------------------------------------------ versions

    def take_in(self, ref: VersionRef) -> tuple[str, list[Kept]]:
        """A version with its variants; the digest of its source record, and its artifacts."""
        chronicle, of = self._chronicle, {"team": ref.team, "model": ref.model}
        of_version, made = {**of, "number": ref.number}, chronicle.made
        weights = f"weights of {ref}".encode()
        file = ArtifactFile("model.onnx", _put(self._blobs, weights), len(weights))
        goldens = _put(self._blobs, f"goldens of {ref.of}".encode())
        record = _record(ref, file)
        body = shape.write(record)
        digest = _put(self._blobs, body)
        chronicle.add(
            tables.model_version,
            **of_version,
            identity=record.identity(),
            source=body,
            source_sha256=digest,
            source_version=record.source_version,
            format=self._pattern.format,
            made=made,
        )
        chronicle.add(tables.version_alias, **of_version, alias=record.aliases[0], made=made)
        chronicle.add(tables.goldens, **of_version, turn=1, sha256=goldens, made=made)
        said = {"goldens": goldens}
        source = self._artifact(ref.path(SOURCE), file, self._pattern.source, said)
        data: dict[str, Json] = {
            "version": str(ref),
            "source": record.source_version,
            "source_record": digest,
            "format": self._pattern.format,
            "artifact": source.sha256,
            "scan": source.evidence[0],
        }
        chronicle.happened("version.ingested", "dora", data, {"model": str(ref.of)})
        said = {"goldens": goldens, "source": source.sha256}
        targets = (self._target, SECOND_TARGET)[: 1 + (ref.number % SECOND_EVERY == 0)]
        variants = [self._variant(ref.path(target), file, said) for target in targets]
        return digest, [source, *variants]

    def _variant(self, path: CatalogPath, file: ArtifactFile, said: Mapping[str, str]) -> Kept:
        kept = self._artifact(path, file, self._pattern.variant, said)
        data: dict[str, Json] = {
            "artifact": str(path),
            "sha256": kept.sha256,
            "goldens": said["goldens"],
            "evidence": dict(
                zip(
                    (one.predicate.kind for one in self._pattern.variant),
                    kept.evidence,
                    strict=True,
                )
            ),
        }
        self._chronicle.happened("variant.built", "dora", data, {"model": path.full_model})
        return kept

    def _artifact(
        self,
        path: CatalogPath,
        file: ArtifactFile,
        pattern: tuple[Signed[Evidence], ...],
        said: Mapping[str, str],
    ) -> Kept:
        made = self._chronicle.made
        manifest = _manifest(self._blobs, path, file)
        digest = _put(self._blobs, manifest)
        self._chronicle.add(
            tables.artifact,
            path=str(path),
            sha256=digest,
            team=path.team,
            model=path.model,
            number=path.version,
            form=path.form,
            recipe=None if path.is_source else self._pattern.recipe,
            made=made,
        )
        evidence = [
            self._evidence(_finding(one.predicate, said), path, digest, made) for one in pattern
        ]
        return Kept(path, digest, len(manifest), tuple(evidence))

    def _evidence(self, finding: Finding, path: CatalogPath, sha256: str, made: str) -> str:
        signer = self._signers[EVIDENCE_PURPOSE[finding.kind]]
        organisation = self._chronicle.organisation
        body = findings.sign(finding, organisation, path, sha256, signer, made)
        digest = self._statement("evidence", body)
        self._chronicle.add(
            tables.evidence,
            sha256=digest,
            kind=finding.kind,
            verdict=finding.verdict,
            path=str(path),
            made=made,
        )
        return digest

    def _statement(self, kind: str, body: bytes) -> str:
        digest = sha256(body).hexdigest()
        self._chronicle.add(tables.statement, sha256=digest, kind=kind, body=body)
        return digest

    # ------------------------------------------------------------------ promotions

    def promote(
        self, ref: VersionRef, record: str, kept: list[Kept], stage: str, approvals: int
    ) -> None:
        """A request with so many approvals; where they are enough, the variants are listed."""
        needed = NEEDED[stage]
        team, chronicle = self._teams[ref.team], self._chronicle
        number, self._promotions = self._promotions, self._promotions + 1
        person, signer = team.requester
        request = Request(
            format=1,
            requires=(),
            organisation=chronicle.organisation,
            team=ref.team,
            model=ref.model,
            version=ref.number,
            stage=stage,
            source_record=record,
            evidence=tuple(digest for one in kept for digest in one.evidence),
            log=_seen(chronicle.note),
            person=person,
            reason=f"It is better than version {ref.number - 1}, say {approvals} of us.",
            made=chronicle.made,
            despite=(),
        )
        about = [one.subject for one in kept]
        digest = self._statement("request", statements.sign(request, about, signer))
        chronicle.add(
            tables.promotion,
            number=number,
            request=digest,
            team=ref.team,
            model=ref.model,
            version=ref.number,
            stage=stage,
            person=person,
            made=request.made,
        )
        told = _told(number, digest, request, about)
        more: dict[str, Json] = {"reason": request.reason, "listed": False}
        self._signed("promotion.requested", number, request, signer, digest, told | more)
        given = [
            self._approve(number, digest, request, about, one, told, listed=n >= needed)
            for n, one in enumerate(team.approvers[:approvals], start=1)
        ]
        if len(given) >= needed:
            self._list(number, digest, request, kept, tuple(given))

    def _approve(
        self,
        number: int,
        request: str,
        asked: Request,
        about: list[Subject],
        by: tuple[str, Signer],
        told: Mapping[str, Json],
        *,
        listed: bool,
    ) -> str:
        made, (person, signer) = self._chronicle.made, by
        approval = Approval(
            format=1,
            requires=(),
            organisation=asked.organisation,
            team=asked.team,
            model=asked.model,
            version=asked.version,
            stage=asked.stage,
            request=request,
            person=person,
            meaning="validated",
            reason="The parity report is as it should be.",
            made=made,
            valid_until=moment(instant(made) + VALID),
            measured=(),
        )
        digest = self._statement("approval", statements.sign(approval, about, signer))
        self._chronicle.add(
            tables.approval,
            sha256=digest,
            promotion=number,
            person=person,
            made=made,
            valid_until=approval.valid_until,
        )
        more: dict[str, Json] = {
            "meaning": approval.meaning,
            "reason": approval.reason,
            "listed": listed,
        }
        self._signed("promotion.approved", number, approval, signer, digest, {**told, **more})
        return digest

    def _signed(
        self,
        kind: str,
        number: int,
        said: Request | Approval,
        signer: Signer,
        digest: str,
        data: Mapping[str, Json],
    ) -> None:
        keyid = PublicKey.from_tuf(signer.public_key).keyid
        terms = {
            "person": said.person,
            "model": f"{said.team}/{said.model}",
            "promotion": promotion_id(number),
        }
        whole = {**data, "sha256": digest, "keyid": keyid, "at_hub": True}
        self._chronicle.happened(kind, said.person, whole, terms)

    def _list(
        self,
        number: int,
        request: str,
        asked: Request,
        kept: list[Kept],
        approvals: tuple[str, ...],
    ) -> None:
        for one in kept:
            if one.path.is_source:
                continue
            path = str(one.path)
            self._unlisted[asked.team][path] = publishing.target_file(path, one.size, one.sha256)
            self._chronicle.add(
                tables.listing,
                path=path,
                stage=asked.stage,
                promotion=number,
                made=self._chronicle.made,
            )
            if (one.path.form, asked.stage) == (self._target, "production"):
                assigned = AssignedArtifact(path, one.sha256, request, approvals, one.evidence)
                of = ModelRef(asked.team, asked.model)
                self.listed.artifacts[of][asked.version] = assigned

    def publish_catalogs(self) -> None:
        """Publish what was listed since, in one version of each team's catalog."""
        chronicle, change = self._chronicle, Change()
        chronicle.write()
        hub = chronicle.hub
        with hub.reading() as connection:
            repository = Repository(connection)
            owner = repository.targets().signed
            for team, targets in self._unlisted.items():
                role = roles.catalog_role(team)
                catalog = catalogs.following(repository, role, owner, hub.now())
                catalog.signed.targets.update(targets)
                catalogs.sign(hub.online, catalog, role, owner)
                change.metadata[role] = catalog
        told: dict[str, Json] = {"roles": sorted(change.metadata)}
        chronicle.commit_change(change, "role.renewed", told)
        self._unlisted.clear()


def _record(ref: VersionRef, file: ArtifactFile) -> SourceRecord:
    return SourceRecord(
        format=1,
        requires=(),
        kind="mlflow",
        locator=f"models:/{ref.model}/{ref.number}",
        source_version=f"MLflow v{ref.number}",
        aliases=(f"models:/{ref.model}@candidate-{ref.number}",),
        details={"run": sha256(str(ref).encode()).hexdigest()[:32], "experiment": ref.team},
        files=(SourceFile(file.path, file.size, file.sha256),),
    )


def _finding(said: Evidence, of: Mapping[str, str]) -> Finding:
    """The same of another version: what it names is that version's own."""
    details: dict[str, Any] = dict(said.details) if isinstance(said.details, Mapping) else {}
    details |= {name: of[name] for name in TOLD if name in details and name in of}
    return Finding(said.kind, said.verdict, said.checks, said.tools, said.machine, details)


def _manifest(blobs: BlobStore, path: CatalogPath, file: ArtifactFile) -> bytes:
    config = config_bytes(path, "onnx", [file])
    described = ArtifactFile("config.json", _put(blobs, config), len(config))
    return manifest_bytes(Artifact(path, (file,), described))


def _put(blobs: BlobStore, data: bytes) -> str:
    """A blob as it lies there, without waiting for the disk: nothing here is worth keeping."""
    if not isinstance(blobs, BlobFolder):
        return blobs.put_bytes(data).sha256
    digest = sha256(data).hexdigest()
    file = blobs.path(digest)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(0o444)
    return digest


def _seen(note: bytes) -> CheckpointSeen:
    seen = claimed(note)
    return CheckpointSeen(seen.origin, seen.size, seen.root.hex())


def _told(number: int, request: str, said: Request, about: list[Subject]) -> dict[str, Json]:
    return {
        "promotion": promotion_id(number),
        "request": request,
        "stage": said.stage,
        "version": f"{said.team}/{said.model}/{said.version}",
        "artifacts": [{"path": one.name, "sha256": one.sha256} for one in about],
    }
