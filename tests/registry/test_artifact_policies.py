"""Weights that travel as they are have no parity: what a stage asks of them, from hub to site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import Connection

from sealift_registry.catalog import findings, recording
from sealift_registry.catalog.catalog import ArtifactRow
from sealift_registry.catalog.findings import Finding
from sealift_registry.catalog.storing import store_files, store_manifest
from sealift_registry.trust import ceremony, founding
from sealift_registry.trust.hub_drafts import draft
from sealift_registry.trust.repository import Repository
from sealift_signing import features, gate
from sealift_signing.approvals import REQUEST, approve
from sealift_signing.canonical import Json
from sealift_signing.policy import Policy
from sealift_signing.statements import Check
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import moment
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from tests import models
from tests.registry.hub_fixture import (
    APPROVERS,
    GROUP,
    REQUESTER,
    SITE,
    STAGE,
    STEWARDS,
    TEAM,
    Acme,
    copied,
    secrets,
    version,
)
from tests.registry.signing_people import assign, sign
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_promotions import refused
from tests.site_on_paper import SiteOnPaper, as_told

AS_IS = "server-as-is"
TARGET_FILE = f"""\
format = 1
id = "{AS_IS}"
description = "A server that loads the source's own format"
os = "linux"
arch = "x86_64"
device = "cpu"
vendor = "any"
cpu_features = []
runtime = "server"
runtime_version = ">=1"
execution_provider = "cpu"
precision = "fp32"
artifact_policy = "as is"
rows = {{ min = 1, opt = 1, max = 1 }}
limits = {{ model_bytes = 1000000 }}
"""


def policy_of(name: str, *, solo: bool) -> Policy:
    """As it is set up, but that what travels as it is needs a scan alone."""
    usual = _POLICY_OF(name, solo=solo)
    asked = {"as is": ("scan",)}
    stages = {n: replace(r, evidence_by_policy=asked) for n, r in usual.stages.items()}
    return replace(usual, stages=stages, requires=(features.EVIDENCE_BY_POLICY.spelled,))


_POLICY_OF = ceremony.policy_of


def organisation(folder: Path) -> Acme:
    acme = Acme(folder)
    founding.found(acme.root, "Acme", acme.folder / "offline", secrets(), {}).close()
    for person in (*STEWARDS, *APPROVERS, REQUESTER):
        acme.new_key(person)
    acme.add_team(TEAM, {name: acme.public(name) for name in STEWARDS})
    acme.entitle(REQUESTER, REQUEST)
    for person in APPROVERS:
        acme.entitle(person, approve(STAGE))
    targets = acme.root / "hardware-targets"
    targets.mkdir(exist_ok=True)
    (targets / f"{AS_IS}.toml").write_text(TARGET_FILE)
    acme.ingest(1)
    as_it_is(acme)
    acme.close()
    return acme


def as_it_is(acme: Acme) -> None:
    """A variant that is the source's own files, with a scan and nothing else."""
    hub, path = acme.app.hub, version(1).path(AS_IS)
    folder = acme.folder / "weights"
    folder.mkdir()
    models.tiny_onnx(folder / "model.onnx", 1)
    files = {"model.onnx": sha256((folder / "model.onnx").read_bytes()).hexdigest()}
    stored = store_files(hub.home.blobs, folder, files, lambda _: None)
    manifest = store_manifest(hub.home.blobs, path, "onnx", stored)
    checks = (Check("weights", "pass", "Nothing in it runs."),)
    found = Finding("scan", "pass", checks, {"scanner": "1"}, "a machine", {})

    def action(connection: Connection) -> tuple[Entry, None]:
        now = moment(hub.now())
        row = ArtifactRow(path, manifest.sha256, b"{}", now)
        recording.add_artifact(connection, row)
        known, signer = Repository(connection).organisation(), hub.online.signer("scanner")
        body = findings.sign(found, known, path, row.sha256, signer, now)
        recording.add_evidence(connection, body, path)
        data: dict[str, Json] = {
            "artifact": str(path),
            "sha256": row.sha256,
            "evidence": {"scan": sha256(body).hexdigest()},
        }
        return hub.entry("variant.built", "hub", data, {"model": path.full_model}), None

    hub.commit(action)


@pytest.fixture(scope="module")
def told_apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An organisation whose policy asks other evidence of what travels as it is."""
    with mock.patch.object(ceremony, "policy_of", policy_of):
        return organisation(tmp_path_factory.mktemp("told-apart")).folder


@pytest.fixture(scope="module")
def told_alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose policy does not."""
    return organisation(tmp_path_factory.mktemp("told-alike")).folder


@pytest.fixture
def apart(told_apart: Path, tmp_path: Path) -> Iterator[Acme]:
    made = copied(told_apart, tmp_path)
    yield made
    made.close()


@pytest.fixture
def alike(told_alike: Path, tmp_path: Path) -> Iterator[Acme]:
    made = copied(told_alike, tmp_path)
    yield made
    made.close()


def enrolled(acme: Acme, plant: SiteOnPaper) -> None:
    asked = begin_enrolment(plant.root, {}, SITE, {GROUP: AS_IS}, plant.clock)
    finish_enrolment(plant.root, {}, acme.enrolled(asked).answer, plant.clock, as_told)


def test_f1_16_weights_as_they_are_go_the_whole_way_without_parity(
    apart: Acme, tmp_path: Path, capsys: Capsys
) -> None:
    plant = SiteOnPaper(tmp_path / "site", datetime.now(UTC))
    promotion = apart.promoted()
    assert apart.standing(promotion).listed
    shown = Cli(apart, capsys).says("show", f"P-{promotion}").splitlines()
    there = shown[shown.index(next(n for n in shown if AS_IS in n)) :][:2]
    assert there[1] == "    its request calls it as is"
    enrolled(apart, plant)
    dispatcher = apart.signer("dispatcher-1")
    assign(apart.app, SITE, version(1), {GROUP: AS_IS}, None, dispatcher)
    (outcome,) = plant.take(apart.export().folder).receipt.artifacts
    assert (outcome.outcome, outcome.artifact) == ("installed", str(version(1).path(AS_IS)))


def test_f1_16_where_the_policy_says_nothing_of_them_parity_is_asked_for(alike: Acme) -> None:
    words = refused(alike.request, "gate")
    assert f"asks for parity evidence about {version(1).path(AS_IS)}" in words


def wanted(acme: Acme) -> Any:  # noqa: ANN401 - what is drafted
    with acme.app.hub.reading() as connection:
        return acme.app.promotions.request_wanted(connection, version(1), STAGE, "better")


def forged(acme: Acme, facts: Mapping[str, tuple[str, ...]]) -> None:
    """The requester signs what somebody changed in the draft."""
    ask = wanted(acme)
    with acme.app.hub.reading() as connection:
        made = draft(acme.app.hub, connection, replace(ask, facts={**ask.facts, **facts}))
    signed = sign(made, ask.ask, [acme.signer(REQUESTER)], acme.app.hub.now())
    acme.app.submit(signed, at_hub=True)


@pytest.mark.parametrize("said", ["portable", "whatever", "prebuilt"])
def test_f1_17_a_draft_that_calls_a_variant_something_else(apart: Acme, said: str) -> None:
    """A thief at the hub's disk, who would have a conversion pass without its parity."""
    fact = {"artifact-policy": (f"{version(1).path(AS_IS)} {said}",)}
    before = apart.rows()
    code = "other-object" if said != "prebuilt" else "gate"
    refused(lambda: forged(apart, fact), code)
    assert apart.rows() == before


def test_f1_17_the_hub_takes_no_request_that_its_own_targets_contradict(apart: Acme) -> None:
    """Whoever edits a hardware target's file between draft and submission changes what is meant."""
    ask = wanted(apart)
    with apart.app.hub.reading() as connection:
        made = draft(apart.app.hub, connection, ask)
    signed = sign(made, ask.ask, [apart.signer(REQUESTER)], apart.app.hub.now())
    apart.close()
    file = apart.root / "hardware-targets" / f"{AS_IS}.toml"
    file.write_text(TARGET_FILE.replace('"as is"', '"portable"'))
    words = refused(lambda: apart.app.submit(signed, at_hub=True), "other-artifact-policy")
    assert f"calls {version(1).path(AS_IS)} as is" in words


def test_f1_17_a_hardware_target_that_was_mended_since_is_gone_by(apart: Acme) -> None:
    """Asked for as it is, which it never was: nobody approves it any more."""
    promotion = apart.request()
    apart.close()
    file = apart.root / "hardware-targets" / f"{AS_IS}.toml"
    file.write_text(TARGET_FILE.replace('"as is"', '"portable"'))
    refused(lambda: apart.approve(promotion, APPROVERS[0]), "other-artifact-policy")
    assert not apart.standing(promotion).tally.counted


def test_f1_17_what_is_not_asked_is_the_first_thing_that_whoever_signs_reads(apart: Acme) -> None:
    promotion = apart.request()
    line = f"NO PARITY IS ASKED of {version(1).path(AS_IS)}: the request calls it as is"
    with apart.app.hub.reading() as connection:
        hub, promotions = apart.app.hub, apart.app.promotions
        approval = promotions.approval_wanted(connection, promotion, "validated", "tested")
        for one, who in ((wanted(apart), REQUESTER), (approval, APPROVERS[0])):
            made = draft(hub, connection, one)
            words = gate.examine(made, one.ask, None, hub.now(), apart.public(who)).words
            assert line in words[:3]


def test_f1_17_another_targets_broken_file_bars_no_request(apart: Acme) -> None:
    (apart.root / "hardware-targets" / "other.toml").write_text("not = [toml")
    apart.request()
