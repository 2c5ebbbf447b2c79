"""An organisation whose people each sign at a desk of their own, and whose hub anybody may fill.

Everybody has a key and a memory in a folder. What the hub offers is signed through the gate by the
people whose act it is; every signature that leaves a desk is kept here, for whoever owns the hub
has it from then on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

from securesystemslib.signer import Signer
from sqlalchemy import Connection

from sealift_registry.app import App
from sealift_registry.catalog import findings, recording
from sealift_registry.catalog.catalog import ArtifactRow, Catalog, Version
from sealift_registry.catalog.findings import Finding
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.catalog.storing import store_files, store_manifest
from sealift_registry.runtimes import environments
from sealift_registry.trust import founding, hub_drafts
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.stored import Rows, stored
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_signing import keys, memory_updates, publishing, shape
from sealift_signing.canonical import Json
from sealift_signing.desk.cards import make_card
from sealift_signing.desk.signing import Desk
from sealift_signing.drafts import Draft
from sealift_signing.gate_history import Confirmation
from sealift_signing.memory import Memory
from sealift_signing.pkcs8 import ROUNDS_RANDOM
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Check
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import CatalogPath, moment
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from tests.registry.hub_fixture import Acme, secrets
from tests.site_on_paper import SiteOnPaper, as_told

TEAM, MODEL, TARGET = "vision", "tiny", "cpu-x86_64"
SITE, GROUP, STAGE = "plant-7", "line-1", "production"
ROOT_HOLDERS, TARGETS_HOLDERS = ("root-1", "root-2"), ("targets-1", "targets-2")
FLEET, OFFICER, DISPATCHER = "fleet-1", "recall-1", "dispatcher-1"
STEWARDS, APPROVERS, REQUESTER = ("anna", "ben"), ("carla", "emil"), "dora"
OFFICES = (*ROOT_HOLDERS, *TARGETS_HOLDERS, FLEET, OFFICER, DISPATCHER)
PEOPLE = (*STEWARDS, *APPROVERS, REQUESTER)
THIEF, OTHER_THIEF = "mallory", "malcolm"
GOLDENS = b"the goldens"
Document = Any
"""Policy, members, keys or recalls."""
Transit = Callable[["World", Draft, Wanted], Draft]
"""What becomes of a draft between the hub and a desk."""


@dataclass
class Reader:
    """Somebody who reads what is shown, signs only what they mean, and types nothing unasked."""

    expects: Sequence[str] = ()
    shown: list[str] = field(default_factory=list)

    def show(self, words: Sequence[str]) -> None:
        self.shown += words

    def typed(self, confirmation: Confirmation) -> str | None:
        del confirmation
        return None

    def agree(self, question: str) -> bool:
        del question
        text = "\n".join(self.shown)
        return all(one in text for one in self.expects)


_SIGNERS: dict[tuple[str, bytes], Signer] = {}
"""Keys that were opened, by their file: a copy of an organisation has the same ones."""


@dataclass
class World:
    """The organisation in `folder`, at the moment `now`.

    Attributes:
        given: every draft that bears a signature more, as it left a desk.
        transit: what an attacker makes of a draft on its way to a desk.
        readers: whoever was shown something.
    """

    folder: Path
    now: datetime
    given: list[Draft] = field(default_factory=list)
    transit: Transit = lambda _world, draft, _wanted: draft

    readers: list[Reader] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.acme = Acme(self.folder)

    @property
    def app(self) -> App:
        app = self.acme.app
        app.hub.log.clock = lambda: self.now
        return app

    @property
    def plant(self) -> SiteOnPaper:
        return SiteOnPaper(self.folder / "site", self.now)

    def copied(self, folder: Path) -> World:
        """The same organisation again, in another folder."""
        self.close()
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=_copy)
        return World(folder, self.now)

    def close(self) -> None:
        self.acme.close()

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The database behind the hub's back."""
        with self.app.hub.engine.begin() as connection:
            yield connection

    # ------------------------------------------------------------------ people

    def signer(self, name: str) -> Signer:
        path = self.acme.key(name)
        if not path.exists():
            self.acme.new_key(name)
        known = (name, path.read_bytes())
        if known not in _SIGNERS:
            _SIGNERS[known] = keys.open_signer(str(path), secrets())
        return _SIGNERS[known]

    def public(self, name: str) -> PublicKey:
        return PublicKey.from_tuf(self.signer(name).public_key)

    def card(self, name: str) -> tuple[str, bytes]:
        return name, make_card(name, self.signer(name), "file", self.now)

    def memory(self, name: str) -> Memory:
        return Memory(self.folder / "memories" / name)

    def trust(self, *names: str) -> None:
        """Each types the organisation's fingerprint from paper, and begins from all there is."""
        with self.app.hub.reading() as connection:
            fingerprint = Repository(connection).fingerprint()
            offer = memory_updates.everything(Rows(connection), "the hub")
            for name in names:
                self.memory(name).begin(offer, fingerprint, self.now)

    def desk(self, name: str, *expects: str) -> Desk:
        self.readers.append(Reader(expects))
        return Desk(self.memory(name), lambda: self.now, self.readers[-1])

    @property
    def told(self) -> str:
        """Everything that anybody was shown."""
        return "\n".join(line for one in self.readers for line in one.shown)

    def carry_out(
        self,
        wanted: Wanted,
        people: Sequence[str],
        *,
        cards: Sequence[tuple[str, bytes]] = (),
        expects: Sequence[str] = (),
    ) -> AcceptedSubmission:
        """One act: drafted at the hub, signed at each desk, and submitted."""
        hub = self.app.hub
        with hub.reading() as connection:
            draft = hub_drafts.draft(hub, connection, wanted)
        own = [card for _, card in cards]
        for name in people:
            if not draft.is_signed:
                draft = self.transit(self, draft, wanted)
            desk = self.desk(name, *expects)
            draft = desk.sign(draft, wanted.ask, self.signer(name), own)
            self.given.append(draft)
        return self.app.submit(draft, at_hub=False)

    # ------------------------------------------------------------------ what no act makes yet

    def publish(self, role: str, path: str, document: Document, people: Sequence[str]) -> None:
        """A document that no act of the closed list makes, signed by those who hold the role."""
        hub = self.app.hub
        with hub.reading() as connection:
            found, data = stored(connection), shape.write(document)
            lifetime = Repository(connection).lifetime(role)
            expires = publishing.expiry(self.now, lifetime)
            metadata = publishing.following(found.base(role).metadata, expires=expires)
        publishing.list_document(metadata.signed, path, data)
        publishing.sign(metadata, [self.signer(name) for name in people])
        entry = hub.entry("role.changed", ", ".join(people), {"role": role})
        hub.commit_change(Change({role: metadata}, {path: data}), entry)
        with hub.reading() as connection:
            offer = memory_updates.everything(Rows(connection), "what I signed")
            for name in people:
                self.memory(name).learn(offer, self.now)

    def stock(self, number: int) -> None:
        """A version with a variant, and the evidence that this hub's machines sign about it."""
        hub, ref = self.app.hub, VersionRef(TEAM, MODEL, number)
        goldens = hub.home.blobs.put_bytes(GOLDENS).sha256
        made, source = moment(self.now), f"source {number}".encode()
        version = Version(ref, source, sha256(source).hexdigest(), "file", "onnx", made)
        manifests = {form: self._files(ref, form) for form in ("source", TARGET)}

        def action(connection: Connection) -> tuple[Entry, None]:
            recording.add_version(connection, version, f"identity {number}")
            recording.add_goldens(connection, ref, goldens, made)
            recording.add_aliases(connection, ref, [f"v{number}"], made)
            self._add(connection, ref.path("source"), manifests["source"], made)
            said: dict[str, Json] = {
                "version": str(ref),
                "source": version.source_version,
                "source_record": version.source_sha256,
                "format": version.format,
                "goldens": goldens,
            }
            return hub.entry("version.ingested", "tester", said, {"model": str(ref.of)}), None

        def build(connection: Connection) -> tuple[Entry, None]:
            path = ref.path(TARGET)
            self._add(connection, path, manifests[TARGET], made)
            said: dict[str, Json] = {"artifact": str(path), "sha256": manifests[TARGET]}
            return hub.entry("variant.built", "tester", said, {"model": str(ref.of)}), None

        hub.commit(action)
        hub.commit(build)

    def _add(self, connection: Connection, path: CatalogPath, manifest: str, made: str) -> None:
        recording.add_artifact(connection, ArtifactRow(path, manifest, None, made))
        self._vouch(connection, path, manifest)

    def versions(self) -> list[int]:
        """The numbers of the model's versions; nobody asked for the newest yet."""
        with self.app.hub.reading() as connection:
            return [one.ref.number for one in Catalog(connection).versions()]

    def _files(self, ref: VersionRef, form: str) -> str:
        blobs, folder = self.app.hub.home.blobs, self.folder / "work"
        folder.mkdir(exist_ok=True)
        (folder / "model.onnx").write_bytes(weights(ref.number, form))
        expected = {"model.onnx": sha256(weights(ref.number, form)).hexdigest()}
        stored_files = store_files(blobs, folder, expected, lambda _: None)
        return store_manifest(blobs, ref.path(form), "onnx", stored_files).sha256

    def _vouch(self, connection: Connection, path: CatalogPath, manifest: str) -> None:
        signer, goldens = self.app.hub.online.signer, sha256(GOLDENS).hexdigest()
        for body in self.vouched(path, manifest, goldens, signer):
            recording.add_evidence(connection, body, path)

    def vouched(
        self, path: CatalogPath, manifest: str, goldens: str, signer: Callable[[str], Signer]
    ) -> Iterator[bytes]:
        """All evidence that a stage may ask for, of one artifact; it says "pass"."""
        with self.app.hub.reading() as connection:
            organisation = Repository(connection).organisation()
        kinds = [("scan", "scanner"), ("parity", "builder"), ("provenance", "builder")]
        for kind, machine in kinds[: 1 if path.is_source else 3]:
            check = Check(kind, "pass", f"{kind} found nothing.")
            details: Any = {"goldens": goldens} if kind == "parity" else {}
            tools = {"looker": "1", "onnxruntime": str(environments.own())}
            found = Finding(kind, "pass", (check,), tools, "x86_64", details)
            yield findings.sign(
                found, organisation, path, manifest, signer(machine), moment(self.now)
            )

    # ------------------------------------------------------------------ the site

    def enrol_plant(self, answer: Callable[[bytes], bytes]) -> None:
        plant = self.plant
        asked = begin_enrolment(plant.root, {}, SITE, {GROUP: TARGET}, plant.clock)
        finish_enrolment(plant.root, {}, answer(asked), plant.clock, as_told)

    def running(self) -> bytes | None:
        """What the site's one host group runs."""
        return self.plant.running(f"{TEAM}/{MODEL}", GROUP)

    def floors(self) -> dict[str, int]:
        """The versions below which the site takes nothing."""
        with self.plant.opened() as site:
            floors = site.state.floors()
        found: dict[str, int] = {}
        for (_, role, _), version in floors.items():
            found[role] = max(version, found.get(role, 0))
        return found


def _copy(source: str, target: str) -> None:
    """A key or a memory's file is never written to, only replaced: it need not be there twice."""
    place = os.link if {"people", "offline", "memories"} & {*Path(source).parts} else shutil.copy
    place(source, target)


def weights(number: int, form: str) -> bytes:
    """The bytes of a version's file."""
    return f"the weights of {TEAM}/{MODEL}/{number} as {form}".encode()


def found_world(folder: Path) -> World:
    """An organisation just set up: nobody but its offices."""
    folder.mkdir()
    cheap = partial(keys.new_key, rounds=ROUNDS_RANDOM)
    with mock.patch("sealift_registry.trust.ceremony.keys.new_key", cheap):
        founding.found(folder / "hub", "Acme", folder / "offline", secrets(), {}).close()
    return World(folder, datetime.now(UTC))
