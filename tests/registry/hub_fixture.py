"""A real hub in a temporary folder: an organisation with a team, people, and versions to promote.

What is slow (migrating, scanning, converting) is done once a session, in template homes that each
test gets a copy of. Keys, database and files are real.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import Signer
from sqlalchemy import Connection, insert, inspect, text

from sealift_registry.app import App, open_app
from sealift_registry.catalog.reference import ModelRef, VersionRef, parse_promotion
from sealift_registry.conversion.building import Built
from sealift_registry.delivery import site_records, tables, whole_logs
from sealift_registry.delivery.exports import Exported
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.intake.ingest import Ingested
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.intake.source import Source
from sealift_registry.jobs.plain import in_foreground
from sealift_registry.promotion.status import PromotionStatus
from sealift_registry.trust import founding, teams
from sealift_registry.trust.online_keys import NAMES
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import Rows
from sealift_registry.workers.channel import Progress
from sealift_signing import keys, memory_updates
from sealift_signing.approvals import REQUEST, approve
from sealift_signing.desk.cards import make_card
from sealift_signing.documents import Assignment, Members
from sealift_signing.keys import Passphrases
from sealift_signing.memory import Memory
from sealift_signing.pkcs8 import ROUNDS_RANDOM
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, site_origin
from sealift_signing.transparency.entry import Entry, body_of
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash
from sealift_sync.site.reports.homebound import write_home
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from tests import models, stores
from tests.registry.signing_people import (
    Dispatcher,
    assign,
    carry_out,
    enrol,
    members_of,
    sign_members,
    unassign,
)
from tests.site_on_paper import SiteOnPaper, as_told

TEAM, MODEL, TARGET, SITE, GROUP = "vision", "vision/tiny", "cpu-x86_64", "plant-7", "line-1"
STEWARDS, APPROVERS, REQUESTER = ("anna", "ben"), ("carla", "emil"), "dora"
STAGE = "production"
PASSPHRASE = "correct horse"
Loose = Any
"""Whatever a test hands over; a wrong thing, more often than not."""


def taken_in(
    app: App,
    source: Source,
    model: ModelRef,
    goldens: Path | None = None,
    progress: Progress | None = None,
) -> Ingested:
    """The version that a model became."""
    with in_foreground(app.hub.home.work, progress or quiet) as steps:
        return app.intake.ingest(source, model, "tester", goldens, steps)


def converted(app: App, ref: VersionRef, target: str) -> Built:
    """The variant, built with nothing kept of a run that is cut short."""
    with in_foreground(app.hub.home.work, quiet) as steps:
        return app.conversion.convert(ref, target, "tester", steps)


def quiet(_subject: str, _done: int, _total: int) -> None:
    """A progress that tells nobody."""


def stage(_name: str, _size: int) -> Callable[[int], None]:
    return lambda _count: None


def secrets() -> Passphrases:
    return Passphrases(None, {}, lambda _question: PASSPHRASE)


@dataclass
class Acme:
    """The organisation in `folder`: `hub/`, `offline/`, `people/`, `medium/`.

    Attributes:
        opened: signers by name that need not be opened again, for a key is dear to open.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    opened: Mapping[str, Signer] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.folder / "hub"

    @cached_property
    def app(self) -> App:
        return open_app(self.root, self.environment)

    @property
    def medium(self) -> Path:
        made = self.folder / "medium"
        made.mkdir(exist_ok=True)
        return made

    def close(self) -> None:
        if "app" in self.__dict__:
            self.app.close()
            del self.__dict__["app"]

    @contextmanager
    def another(self) -> Iterator[Acme]:
        """A second process on the same home, as far as the hub can tell."""
        other = Acme(self.folder, self.environment)
        try:
            yield other
        finally:
            other.close()

    def key(self, name: str) -> Path:
        """The key file of a person, or of an offline role such as `fleet-1`."""
        offline = self.folder / "offline" / f"{name}.pem"
        return offline if offline.exists() else self.folder / "people" / f"{name}.pem"

    def new_key(self, name: str) -> PublicKey:
        path = self.folder / "people" / f"{name}.pem"
        return keys.new_key(path, PASSPHRASE.encode(), rounds=ROUNDS_RANDOM)

    def signer(self, name: str) -> Signer:
        return self.opened.get(name) or keys.open_signer(str(self.key(name)), secrets())

    def public(self, name: str) -> PublicKey:
        return keys.read_public(f"{self.key(name)}.pub")

    # ------------------------------------------------------------------ use cases

    def card(self, person: str, key: PublicKey | None = None) -> teams.Card:
        """The key card of a person; `key` is that of one whose file has another name."""
        return person, make_card(person, self._owner(person, key), "file", self.app.hub.now())

    def _owner(self, person: str, key: PublicKey | None) -> Signer:
        online = self.app.hub.online
        for name in NAMES:
            if key == online.public(name):
                return online.signer(name)
        names = [p.stem for f in ("people", "offline") for p in (self.folder / f).glob("*.pem")]
        found = (n for n in names if key is not None and self.public(n) == key)
        return self.signer(next(found, person))

    def add_team(self, name: str, stewards: Mapping[str, PublicKey]) -> None:
        cards = [self.card(who, key) for who, key in stewards.items()]
        signers = [self.signer("targets-1"), self.signer("targets-2")]
        with self.app.hub.reading() as connection:
            if teams.is_so(Repository(connection), name, cards):
                return
        carry_out(self.app, teams.team(self.app.hub, name, cards), signers)

    def entitle(self, person: str, *purposes: str, key: PublicKey | None = None) -> None:
        """Have the stewards entitle a person of the team."""
        card = self.card(person, key)
        stages = [one.partition(":")[2] for one in purposes if one != REQUEST]
        if REQUEST in purposes:
            carry_out(self.app, teams.requester(TEAM, card), self.stewards)
        if stages:
            carry_out(self.app, teams.approver(TEAM, card, stages), self.stewards)

    def trusted(self, memory: Memory | None = None) -> None:
        """Whoever runs commands here typed the organisation's fingerprint from paper."""
        memory = memory or Memory.located(os.environ)
        with self.app.hub.reading() as connection:
            repository = Repository(connection)
            if memory.known(repository.organisation()) is None:
                offer = memory_updates.everything(Rows(connection), "the hub")
                memory.begin(offer, repository.fingerprint(), self.app.hub.now())

    def renew(self, role: str, *signers: str) -> None:
        """Have a role signed again."""
        carry_out(self.app, teams.renewal(role), [self.signer(name) for name in signers])

    def change_members(self, edit: Callable[[Members], Members]) -> None:
        """Have the stewards sign whatever `edit` makes of members.json."""
        hub = self.app.hub
        with hub.reading() as connection:
            changed = edit(members_of(Repository(connection), TEAM))
            change = sign_members(connection, changed, self.stewards, hub.now())
        hub.commit_change(change, hub.entry("team.members-changed", "stewards", {}))

    @property
    def stewards(self) -> list[Signer]:
        return [self.signer(name) for name in STEWARDS]

    def ingest(self, seed: int = 1, goldens: Path | None = None, model: str = MODEL) -> Ingested:
        path = self.folder / f"tiny-{seed}.onnx"
        if not path.exists():
            models.tiny_onnx(path, seed)
        source, ref = OnnxSource(path), ModelRef.parse(model)
        return taken_in(self.app, source, ref, goldens)

    def goldens(self, seed: int = 1) -> Path:
        path = self.folder / f"goldens-{seed}.npz"
        return path if path.exists() else models.tiny_goldens(path, seed)

    def convert(self, number: int = 1, target: str = TARGET) -> Built:
        return converted(self.app, version(number), target)

    def request(self, number: int = 1, stage: str = STAGE, by: str = REQUESTER) -> int:
        return self.asked(number, stage, by)

    def asked(
        self,
        number: int = 1,
        stage: str = STAGE,
        by: str = REQUESTER,
        reason: str = "It is better.",
        despite: Sequence[str] = (),
    ) -> int:
        """Ask for a promotion in these words; its number."""
        with self.app.hub.reading() as connection:
            wanted = self.app.promotions.request_wanted(
                connection, version(number), stage, reason, despite
            )
        done = carry_out(self.app, wanted, [self.signer(by)])
        assert done is not None
        return parse_promotion(str(done.data["promotion"]))

    def approve(self, promotion: int, by: str, days: int | None = None) -> PromotionStatus:
        return self.approved(promotion, by, days=days)

    def approved(
        self,
        promotion: int,
        by: str,
        meaning: str = "validated",
        reason: str = "It was tested.",
        days: int | None = None,
    ) -> PromotionStatus:
        """Approve in these words; how the promotion stands then."""
        with self.app.hub.reading() as connection:
            wanted = self.app.promotions.approval_wanted(
                connection, promotion, meaning, reason, days
            )
        carry_out(self.app, wanted, [self.signer(by)])
        return self.standing(promotion)

    def objects(
        self, promotion: int, by: str, reason: str = "It fails at night."
    ) -> PromotionStatus:
        """Object in these words; how the promotion stands then."""
        with self.app.hub.reading() as connection:
            wanted = self.app.promotions.objection_wanted(connection, promotion, reason)
        carry_out(self.app, wanted, [self.signer(by)])
        return self.standing(promotion)

    def standing(self, promotion: int) -> PromotionStatus:
        with self.app.hub.reading() as connection:
            return self.app.promotions.status(connection, promotion)

    def promoted(self, number: int = 1, stage: str = STAGE) -> int:
        """A promotion of a version that two people approved, so that it is listed."""
        promotion = self.request(number, stage)
        for person in APPROVERS:
            self.approve(promotion, person)
        return promotion

    def enrol(self, plant: SiteOnPaper, name: str = SITE, stage: str = STAGE) -> EnrolledSite:
        asked = begin_enrolment(plant.root, {}, name, {GROUP: TARGET}, plant.clock)
        site = self.enrolled(asked, stage)
        finish_enrolment(plant.root, {}, site.answer, plant.clock, as_told)
        return site

    def enrolled(self, request: bytes, stage: str = STAGE) -> EnrolledSite:
        return enrol(self.app, request, stage, [self.card("dispatcher-1")], self.signer("fleet-1"))

    def assign(
        self,
        number: int = 1,
        fallbacks: Sequence[int] | None = None,
        site: str = SITE,
        back: str = "",
    ) -> Assignment:
        dispatcher, groups = self.signer("dispatcher-1"), {GROUP: TARGET}
        return assign(self.app, site, version(number), groups, fallbacks, dispatcher, back)

    def unassign(
        self, *groups: str, reason: str = "It misreads sevens.", any_software: bool = False
    ) -> Assignment:
        dispatcher, model = self.signer("dispatcher-1"), str(version(1).of)
        return unassign(self.app, SITE, model, groups, reason, dispatcher, any_software)

    def export(self, site: str = SITE, to: Path | None = None, *, full: bool = False) -> Exported:
        return self.app.exports.export(site, to or self.medium, self.dispatcher(), stage, full=full)

    def dispatcher(self, name: str = "dispatcher-1") -> Dispatcher:
        """Whoever signs what is exported."""
        return Dispatcher(self.app, self.signer(name))

    def returned(
        self, plant: SiteOnPaper, to: Path | None = None, *, everything: bool = False
    ) -> Path:
        """What the site writes to a medium on its way home; the medium."""
        medium = to or self.medium
        with plant.opened("return") as site:
            write_home(site, medium, everything=everything)
        return medium

    def site_says(self, *entries: Entry) -> None:
        """Keep more of the site's log, as if it had come home: what a site could have signed."""
        plant = SiteOnPaper(self.folder / "site", datetime.now(UTC))
        with self.app.hub.reading() as connection:
            site = Sites(connection).get(SITE)
            known = site_records.entries(connection, site)
        bodies = [*known, *map(body_of, entries)]
        root = Frontier().extended(map(leaf_hash, bodies)).root
        said = Checkpoint(site_origin(site.organisation, SITE), len(bodies), root)
        with plant.opened() as opened:
            note = checkpoint.sign(said, opened.signer())
        of = {"site": SITE, "enrolment": site.enrolment}
        with self.behind() as connection:
            for seq in range(len(known), len(bodies)):
                row = {**of, "seq": seq, "body": bodies[seq]}
                connection.execute(insert(tables.site_entry).values(**row))
            row = {**of, "size": said.size, "root": root, "note": note, "received": "now"}
            connection.execute(insert(tables.site_checkpoint).values(**row))
            whole_logs.rebuild(connection, site)

    # ------------------------------------------------------------------ looking

    def later(self, **span: float) -> None:
        """Set the hub's clock, and say that it is right: a test that does so means it."""
        moved = datetime.now(UTC) + timedelta(**span)
        self.app.hub.log.stated = moved.date()
        self.app.hub.log.clock = lambda: moved

    def rows(self) -> dict[str, list[Any]]:
        """Every row of every table, but for who relies on which blob just now."""
        with self.app.hub.engine.connect() as connection:
            found = {}
            for name in inspect(connection).get_table_names():
                if name == "blob_claim":
                    continue
                rows = connection.execute(text(f"SELECT * FROM {name}"))  # noqa: S608 - our names
                found[name] = sorted(map(tuple, rows), key=repr)
            return found

    def types(self) -> list[str]:
        """The types of the log's entries, oldest first."""
        with self.app.hub.engine.connect() as connection:
            query = text("SELECT type FROM log_entry ORDER BY seq")
            return list(connection.execute(query).scalars())

    def sql(self, statement: str) -> None:
        """What an attacker, or a test, does to the database behind the hub's back."""
        with self.behind() as connection:
            connection.execute(text(statement))

    def behind(self) -> AbstractContextManager[Connection]:
        """A transaction of whoever may do everything in the database."""
        return stores.behind(self.app.hub.database)

    def stranger(self) -> AbstractContextManager[Connection]:
        """The same, of somebody whom no reference between tables stops."""
        return stores.behind(self.app.hub.database, strange=True)

    def refuses(self, table: str, why: str, only: str = "true") -> None:
        """Have the database take no new row of a table, or none of which `only` is so."""
        with self.behind() as connection:
            stores.refuse_rows(connection, table, why, only)

    def takes_again(self, table: str) -> None:
        """Have it take them again."""
        with self.behind() as connection:
            stores.take_rows(connection, table)


def version(number: int) -> VersionRef:
    return VersionRef.parse(f"{MODEL}/{number}")


def copied(template: Path, folder: Path) -> Acme:
    stores.copy_tree(template, folder, symlinks=True, dirs_exist_ok=True)
    return Acme(folder)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An organisation with a team, its people, and nothing else."""
    acme = Acme(tmp_path_factory.mktemp("founded"))
    founding.found(acme.root, "Acme", acme.folder / "offline", secrets(), {}).close()
    for person in (*STEWARDS, *APPROVERS, REQUESTER):
        acme.new_key(person)
    acme.add_team(TEAM, {name: acme.public(name) for name in STEWARDS})
    acme.entitle(REQUESTER, REQUEST)
    for person in APPROVERS:
        acme.entitle(person, approve("staging"), approve("production"))
    acme.close()
    return acme.folder


@pytest.fixture(scope="session")
def stocked(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with two versions of a model, each with a variant."""
    acme = copied(founded, tmp_path_factory.mktemp("stocked"))
    for number in (1, 2):
        acme.ingest(number, acme.goldens())
        acme.convert(number)
    acme.close()
    return acme.folder


@pytest.fixture(scope="session")
def assigned(stocked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, and a site in `site/` that is to run version 1."""
    acme = copied(stocked, tmp_path_factory.mktemp("assigned"))
    acme.promoted()
    acme.enrol(SiteOnPaper(acme.folder / "site", datetime.now(UTC)))
    acme.assign()
    acme.close()
    return acme.folder


@pytest.fixture
def acme(founded: Path, tmp_path: Path) -> Iterator[Acme]:
    """A hub with a team, and no model yet."""
    made = copied(founded, tmp_path)
    yield made
    made.close()


@pytest.fixture
def hub(stocked: Path, tmp_path: Path) -> Iterator[Acme]:
    """A hub with two versions of a model that could be promoted."""
    made = copied(stocked, tmp_path)
    yield made
    made.close()


@pytest.fixture
def ready(assigned: Path, tmp_path: Path) -> Iterator[Acme]:
    """A hub whose site, `plant`, runs version 1 as soon as a bundle arrives."""
    made = copied(assigned, tmp_path)
    yield made
    made.close()


@pytest.fixture
def plant(tmp_path: Path) -> SiteOnPaper:
    """A site's folder: empty, but where the hub is `ready`."""
    return SiteOnPaper(tmp_path / "site", datetime.now(UTC))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SEALIFT_")]:
        monkeypatch.delenv(name)
