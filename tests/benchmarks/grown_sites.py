"""The sites of a hub that has grown: enrolled one by one, assigned, exported to, heard of.

Their keys are known to whoever knows their names, so that anybody can go on for them. Of five sites
three have answered with a receipt and the whole of their log, one has a bundle that it did not
answer, and one is only assigned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, Targets

from sealift_registry.catalog.reference import ModelRef
from sealift_registry.delivery import tables
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import documents, publishing, roles, shape, statements
from sealift_signing.acts.sites import with_site
from sealift_signing.canonical import Json
from sealift_signing.documents import (
    AssignedArtifact,
    Assignment,
    FleetKeys,
    GroupAssignment,
    ModelAssignment,
)
from sealift_signing.drafts import encoded
from sealift_signing.organisation import people_roles
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import (
    ArtifactOutcome,
    CarriedFile,
    Pins,
    Receipt,
    SiteAnswer,
    SiteRequest,
    Transfer,
    subject,
)
from sealift_sync.artifact import read_manifest
from sealift_sync.bundle import layout
from sealift_sync.software import READS, software
from tests.benchmarks.chronicle import Chronicle
from tests.benchmarks.grown_site_log import GROUP, STAGE, TARGET, Plant, SiteLog

MODELS_A_SITE = 3
LOG_ENTRIES = 300
"""How many entries of the log of a site that has answered came home."""
DISPATCHER = "dispatcher-1"
PINS = Pins(2, {"root": 2, "targets": 2, "team": 2}, (), ())

Versions = Mapping[int, AssignedArtifact]
"""What is listed of a model, by its version."""


def site_signer(name: str) -> Signer:
    """The key of the site of that name."""
    seed = sha256(f"the key of site {name}".encode()).digest()
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(seed))


class Fleet:
    """Adds sites to a hub, and what becomes of them.

    Args:
        chronicle: that writes it all.
        administrator: signs `fleet`.
        dispatcher: signs for every site.
    """

    def __init__(self, chronicle: Chronicle, administrator: Signer, dispatcher: Signer) -> None:
        self.plants: list[Plant] = []
        self._chronicle = chronicle
        self._administrator = administrator
        self._dispatcher = dispatcher
        self._keyid = PublicKey.from_tuf(dispatcher.public_key).keyid

    # ------------------------------------------------------------------ enrolment

    def enrol(self, sites: int) -> None:
        """Enrol so many sites, one after the other: a version of `fleet` for each."""
        chronicle = self._chronicle
        with chronicle.hub.reading() as connection:
            repository = Repository(connection)
            metadata, keys = repository.targets(roles.FLEET), repository.fleet_keys()
            roots = tuple(map(encoded, repository.roots()))
            floors = {
                role: repository.stored.head(role).version
                for role in people_roles(repository.stored)
            }
            lifetime = repository.lifetime(roles.FLEET)
        for number in range(sites):
            plant = Plant(f"plant-{number:04d}", number, site_signer(f"plant-{number:04d}"))
            request = _request(plant, chronicle.made)
            answer = SiteAnswer(
                format=1,
                requires=(),
                organisation=chronicle.organisation,
                site=plant.name,
                stage=STAGE,
                request=sha256(request).hexdigest(),
                roots=roots,
                pins=PINS,
                floors=floors | {roles.FLEET: metadata.signed.version},
                made=chronicle.made,
            )
            expires = publishing.expiry(chronicle.now, lifetime)
            metadata, keys = self._delegated(metadata, keys, plant, expires)
            self._enrolled(plant, request, answer, metadata, keys)
            self.plants.append(plant)

    def _delegated(
        self, before: Metadata[Targets], keys: FleetKeys, plant: Plant, expires: datetime
    ) -> tuple[Metadata[Targets], FleetKeys]:
        metadata = publishing.following(before, expires=expires)
        holders = {DISPATCHER: PublicKey.from_tuf(self._dispatcher.public_key)}
        publishing.delegate(metadata.signed, roles.site_role(plant.name), 1, holders)
        keys = with_site(keys, plant.name, PublicKey.from_tuf(plant.signer.public_key).text)
        publishing.list_document(metadata.signed, documents.FLEET_KEYS_PATH, shape.write(keys))
        publishing.sign(metadata, [self._administrator])
        return metadata, keys

    def _enrolled(
        self,
        plant: Plant,
        request: bytes,
        said: SiteAnswer,
        metadata: Metadata[Targets],
        keys: FleetKeys,
    ) -> None:
        chronicle = self._chronicle
        about = [subject(f"sites/{plant.name}/request", said.request)]
        answer = statements.sign(said, about, self._administrator)
        plant.enrolment, plant.enrolled = sha256(answer).hexdigest(), chronicle.now
        chronicle.publish(roles.FLEET, metadata, {documents.FLEET_KEYS_PATH: shape.write(keys)})
        chronicle.add(
            tables.site,
            id=plant.name,
            enrolment=plant.enrolment,
            stage=said.stage,
            request=request,
            answer=answer,
            made=said.made,
        )
        data: dict[str, Json] = {
            "site": plant.name,
            "stage": said.stage,
            "enrolment": plant.enrolment,
            "keyid": PublicKey.from_tuf(self._administrator.public_key).keyid,
            "request": said.request,
            "groups": {GROUP: TARGET},
            "at_hub": True,
        }
        terms = {"site": plant.name, "person": DISPATCHER}
        published = {roles.FLEET: metadata}
        chronicle.happened("site.enrolled", "fleet-1", data, terms, plant.name, published)

    # ------------------------------------------------------------------ assigning, exporting

    def assign(self, listed: Mapping[ModelRef, Versions]) -> None:
        """Assign a few models to each site: the newest that is listed, and what is before it."""
        models = sorted(listed, key=str)
        for plant in self.plants if models else ():
            # Of teams that differ, where there are as many: models are in the order of their teams.
            places = (plant.number + n * len(models) // MODELS_A_SITE for n in range(MODELS_A_SITE))
            names = {models[place % len(models)] for place in places}
            given = {str(name): _given(listed[name]) for name in sorted(names, key=str)}
            groups = {GROUP: GroupAssignment(TARGET, given)}
            plant.assignment = Assignment(1, (), plant.name, plant.enrolment, groups)
            self._assigned(plant, plant.assignment)

    def _assigned(self, plant: Plant, assignment: Assignment) -> None:
        chronicle, role = self._chronicle, roles.site_role(plant.name)
        expires = publishing.expiry(chronicle.now, roles.LIFETIMES_DAYS[roles.SITE])
        metadata = publishing.first_targets(expires=expires)
        path, data = documents.assignment_path(plant.name), shape.write(assignment)
        publishing.list_document(metadata.signed, path, data)
        publishing.sign(metadata, [self._dispatcher])
        chronicle.publish(role, metadata, {path: data})
        current = plant.artifacts[0].parsed
        told: dict[str, Json] = {
            "version": current.full_version,
            "groups": {GROUP: TARGET},
            "fallbacks": {},
            "stage": STAGE,
            "enrolment": plant.enrolment,
            "at_hub": True,
        }
        terms = {"site": plant.name, "model": current.full_model}
        chronicle.happened("site.assigned", DISPATCHER, told, terms, plant.name, {role: metadata})

    def export(self) -> None:
        """Record a bundle for each site that has one, as it would be after a snapshot."""
        chronicle = self._chronicle
        chronicle.commit_change(Change(), "role.renewed", {"roles": [roles.SNAPSHOT]})
        for plant in self.plants:
            if plant.has_bundle and plant.assignment is not None:
                self._exported(plant, plant.assignment)

    def _exported(self, plant: Plant, assignment: Assignment) -> None:
        chronicle, name = self._chronicle, layout.transfer_id(plant.name, 1)
        made, plant.transfer = chronicle.made, name
        of = {"enrolment": plant.enrolment, "site": plant.name}
        chronicle.add(tables.transfer, **of, number=1, id=name, begun=made)
        told: dict[str, Json] = {"transfer": name, "enrolment": plant.enrolment}
        terms = {"transfer": name, "site": plant.name}
        chronicle.happened("transfer.begun", DISPATCHER, told, terms, plant.name)
        said = Transfer(
            format=1,
            requires=(),
            organisation=chronicle.organisation,
            id=name,
            site=plant.name,
            enrolment=plant.enrolment,
            made=made,
            base=(),
            previous=None,
            files=tuple(_files(chronicle.hub, plant.artifacts)),
            log=chronicle.note.decode(),
            site_log=None,
        )
        digest = sha256(shape.write(assignment)).hexdigest()
        about = [subject(documents.assignment_path(plant.name), digest)]
        body = statements.sign(said, about, self._dispatcher)
        plant.bundle = sha256(body).hexdigest()
        row = {"transfer": name, "sha256": plant.bundle, "body": body}
        chronicle.add(tables.bundle, **row, medium="/media/disk", made=made)
        more: dict[str, Json] = {
            "sha256": plant.bundle,
            "keyid": self._keyid,
            "medium": "/media/disk",
            "base": [],
            "at_hub": True,
        }
        whole = {**told, **more}
        chronicle.happened("transfer.exported", DISPATCHER, whole, terms, plant.name)

    # ------------------------------------------------------------------ what comes home

    def receive(self, entries: int = LOG_ENTRIES) -> None:
        """Take in a receipt and a log of so many entries of each site that has answered."""
        self._chronicle.write()
        for plant in self.plants:
            if plant.has_answered and plant.transfer:
                self._received(plant, entries)

    def _received(self, plant: Plant, entries: int) -> None:
        chronicle = self._chronicle
        log = SiteLog(plant, chronicle.organisation)
        log.write(entries, chronicle.now)
        receipt = _receipt(self._chronicle, plant, log.note_at_import)
        about = [subject(f"transfers/{plant.transfer}", plant.bundle)]
        body = statements.sign(receipt, about, plant.signer)
        digest, site = sha256(body).hexdigest(), plant.name
        chronicle.add(
            tables.receipt,
            sha256=digest,
            transfer=plant.transfer,
            site=site,
            body=body,
            received=chronicle.made,
        )
        of = {"site": site, "enrolment": plant.enrolment}
        for seq, one in enumerate(log.bodies):
            chronicle.add(tables.site_entry, **of, seq=seq, body=one)
        said, note = log.checkpoint()
        row = {**of, "size": said.size, "root": said.root, "note": note}
        chronicle.add(tables.site_checkpoint, **row, received=chronicle.made)
        data: dict[str, Json] = {
            "site": site,
            "receipts": [digest],
            "transfers": [plant.transfer],
            "count": 1,
            "entries": said.size,
            "size": said.size,
            "root": said.root.hex(),
        }
        terms = {"site": site, "transfer": [plant.transfer]}
        chronicle.happened("return.accepted", f"site {site}", data, terms, site)


def _given(versions: Versions) -> ModelAssignment:
    newest, *before = [versions[number] for number in sorted(versions, reverse=True)]
    return ModelAssignment(newest, tuple(before[:1]))


def _request(plant: Plant, made: str) -> bytes:
    key = PublicKey.from_tuf(plant.signer.public_key)
    said = SiteRequest(
        format=1,
        requires=(),
        site=plant.name,
        groups={GROUP: TARGET},
        key=key.text,
        nonce=sha256(plant.name.encode()).hexdigest(),
        made=made,
        software=software(),
        reads=READS,
    )
    about = subject(f"sites/{plant.name}/key", sha256(key.raw).hexdigest())
    return statements.sign(said, [about], plant.signer)


def _files(hub: Hub, artifacts: Sequence[AssignedArtifact]) -> Iterator[CarriedFile]:
    """The blobs of a bundle; of its small files two stand for all."""
    sizes: dict[str, int] = {}
    for one in artifacts:
        manifest = hub.home.blobs.read(one.sha256)
        sizes |= {one.sha256: len(manifest), **read_manifest(manifest, what=one.path).blobs}
    names = {f"{layout.BLOBS}/{digest}": (size, digest) for digest, size in sizes.items()}
    for name in (layout.READ_ME, layout.HUB_CHECKPOINT):
        names[name] = (len(name), sha256(name.encode()).hexdigest())
    for path, (size, digest) in sorted(names.items()):
        yield CarriedFile(path, size, digest)


def _receipt(chronicle: Chronicle, plant: Plant, note: bytes) -> Receipt:
    artifacts = {one.path: one for one in plant.artifacts}
    with chronicle.hub.reading() as connection:
        known = Repository(connection).stored.rows
        versions = {role: known.newest(role) or 1 for role in _roles_of(plant)}
    return Receipt(
        format=1,
        requires=(),
        organisation=chronicle.organisation,
        site=plant.name,
        enrolment=plant.enrolment,
        transfer=plant.transfer,
        made=chronicle.made,
        artifacts=tuple(
            ArtifactOutcome(GROUP, path, one.sha256, "installed", "installed", "It was installed.")
            for path, one in sorted(artifacts.items())
        ),
        inventory=tuple(sorted(one.sha256 for one in artifacts.values())),
        lost=(),
        running={},
        roles=versions,
        trusted_time=chronicle.made,
        unprotected=(),
        overrides=(),
        software=software(),
        reads=READS,
        log=note.decode(),
    )


def _roles_of(plant: Plant) -> list[str]:
    teams = sorted({one.parsed.team for one in plant.artifacts})
    of_teams = [of(team) for team in teams for of in (roles.team_role, roles.catalog_role)]
    fixed = [roles.ROOT, roles.TARGETS, roles.FLEET, roles.RECALL, roles.SNAPSHOT]
    return [*fixed, roles.site_role(plant.name), *of_teams]
