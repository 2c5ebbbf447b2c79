"""A hub with one approved model and an enrolled site, made by the product's own use cases.

The model goes the ordinary way: ingested, scanned, converted, compared, requested, approved by two
people, listed and assigned. What is measured are the commands that people type.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.reference import ModelRef
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.trust import founding
from sealift_signing.approvals import REQUEST, approve
from sealift_signing.memory import Memory
from sealift_sync.artifact import Artifact, read_manifest
from sealift_sync.bundle import layout
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from tests.benchmarks import weights
from tests.benchmarks.racing import Step, size_of
from tests.registry.hub_fixture import (
    APPROVERS,
    GROUP,
    MODEL,
    PASSPHRASE,
    REQUESTER,
    SITE,
    STAGE,
    STEWARDS,
    TARGET,
    TEAM,
    Acme,
    secrets,
    taken_in,
    version,
)
from tests.registry.signing_people import assign
from tests.site_on_paper import SiteOnPaper, as_told

BIN = Path(sys.executable).parent
"""Where this environment's commands are."""


@dataclass(frozen=True)
class Organisation:
    """Everything of one organisation in `folder`: `hub`, `offline`, `people` and `site`.

    Attributes:
        folder: as above.
        expected: the sha256 of every file of the model that is carried, by its path.
        size: of them all, in bytes.
        hardware_target: of the site's one host group.
        converted: likewise of the variant that must arrive at the site, where it is another.
    """

    folder: Path
    expected: Mapping[str, str]
    size: int
    hardware_target: str = TARGET
    converted: Mapping[str, str] = field(default_factory=dict)

    @property
    def arriving(self) -> Mapping[str, str]:
        """The sha256 of every file that must arrive at the site, by its path."""
        return self.converted or self.expected

    @property
    def hub(self) -> Path:
        """The hub's home."""
        return self.folder / "hub"

    @property
    def site(self) -> Path:
        """The site's home, enrolled and empty."""
        return self.folder / "site"

    def export(self, medium: Path, *, hub: Path | None = None, cold: bool = True) -> Step:
        """`sealift export` to `medium`, which is made."""
        medium.mkdir(parents=True, exist_ok=True)
        key = self.folder / "offline" / "dispatcher-1.pem"
        words = ("export", SITE, "--to", medium, "--key", key, *self._of(hub or self.hub))
        blobs = [(hub or self.hub) / "blobs"] if cold else []
        trust = {"SEALIFT_TRUST": str(self.folder / "trust")}
        return Step((BIN / "sealift", *words, *self.passphrase()), blobs, environment=trust)

    def receive(self, medium: Path, hub: Path) -> Step:
        """`sealift receive` of what a site wrote to `medium`."""
        words = ("receive", medium, *self._of(hub))
        return Step((BIN / "sealift", *words), [medium], part="sealift receive")

    def verify(self, medium: Path, site: Path | None = None) -> Step:
        """`sealift-site verify` of the bundle on `medium`; `site` is where it would have room."""
        words = ("verify", medium, *self._of(site or self.site))
        return Step((BIN / "sealift-site", *words), [medium])

    def take(self, medium: Path, site: Path) -> Step:
        """`sealift-site import` into `site`, a copy of the enrolled home."""
        words = ("import", medium, *self._of(site))
        return Step((BIN / "sealift-site", *words), [medium])

    def go_home(self, site: Path, medium: Path) -> Step:
        """`sealift-site return` of `site` to `medium`, which is made."""
        medium.mkdir(parents=True, exist_ok=True)
        words = ("return", "--to", medium, *self._of(site))
        return Step((BIN / "sealift-site", *words), part="sealift-site return")

    def copy_site(self, into: Path) -> Path:
        """The enrolled site once more, for one import."""
        return shutil.copytree(self.site, into, symlinks=True)

    def copy_hub(self, into: Path) -> Path:
        """The hub once more, for one return; its blobs are the same files under another name."""
        blobs = self.hub / "blobs"
        shutil.copytree(self.hub, into, ignore=shutil.ignore_patterns("sha256"))
        shutil.copytree(blobs, into / "blobs", copy_function=os.link, dirs_exist_ok=True)
        return into

    def carried(self, medium: Path) -> Path:
        """The folder of the blobs of the one bundle on `medium`."""
        (bundle,) = (medium / layout.SEALIFT).glob(f"{SITE}-*")
        return bundle / layout.BLOBS

    def installed(self, site: Path) -> Path:
        """The folder that a consumer at `site` reads."""
        return site / "models" / GROUP / MODEL / "current"

    def _of(self, home: Path) -> tuple[str | Path, ...]:
        return ("--home", home)

    def passphrase(self) -> tuple[str | Path, ...]:
        """The options with which keys are opened."""
        file = self.folder / "passphrase"
        if not file.exists():
            file.write_text(PASSPHRASE + "\n", encoding="utf-8")
            file.chmod(0o600)
        return ("--passphrase-file", file)


def with_model(acme: Acme, model: Path) -> Organisation:
    """`acme`, whose site is to run the ONNX model in the folder `model`."""
    goldens = model.with_name(f"{model.name}.npz")
    taken_in(acme.app, OnnxSource(model), ModelRef.parse(MODEL), goldens)
    acme.convert()
    files = {file.path: file.sha256 for file in _variant(acme).files}
    made = Organisation(acme.folder, weights.digests(model), size_of(model), converted=files)
    to_be_run(acme, made)
    return made


def _variant(acme: Acme) -> Artifact:
    app = acme.app.hub
    with app.reading() as connection:
        row = Catalog(connection).artifact(version(1).path(TARGET))
    assert row is not None
    return read_manifest(app.home.blobs.read(row.sha256), what="the variant")


def founded(folder: Path) -> Acme:
    """An organisation with a team and its people, and no model yet."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    acme = Acme(folder)
    founding.found(acme.root, "Acme", folder / "offline", secrets(), {}).close()
    for person in (*STEWARDS, *APPROVERS, REQUESTER):
        acme.new_key(person)
    acme.add_team(TEAM, {name: acme.public(name) for name in STEWARDS})
    acme.entitle(REQUESTER, REQUEST)
    for person in APPROVERS:
        acme.entitle(person, approve(STAGE))
    return acme


def to_be_run(acme: Acme, made: Organisation) -> None:
    """Have version 1 approved, a site enrolled, and the one assigned to the other."""
    acme.promoted()
    site, groups = SiteOnPaper(made.site, datetime.now(UTC)), {GROUP: made.hardware_target}
    answer = acme.enrolled(begin_enrolment(site.root, {}, SITE, groups, site.clock)).answer
    finish_enrolment(site.root, {}, answer, site.clock, as_told)
    dispatcher = acme.signer("dispatcher-1")
    assign(acme.app, SITE, version(1), groups, (), dispatcher)
    acme.trusted(Memory(acme.folder / "trust"))
    acme.close()
