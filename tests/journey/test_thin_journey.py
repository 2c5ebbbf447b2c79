"""The thinnest whole journey through both command lines, for an organisation and for one person."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.cli.run import run as run_hub
from sealift_sync.cli.run import run as run_site
from tests import models

CPU = "cpu-x86_64"
PASSPHRASE = "correct horse"
Told = Any
"""What a command said under --json."""


class Journey:
    """A folder to work in, and the two commands. Every answer is one JSON object."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        (folder / "pass").write_text(f"{PASSPHRASE}\n")
        (folder / "medium").mkdir()
        models.tiny_goldens(folder / "goldens.npz")
        for number in (1, 2):
            models.tiny_onnx(folder / f"model-{number}.onnx", number)

    def hub(self, line: str, expect: int = 0) -> Told:
        words = [*self._words(line), "--json", "--home", str(self.folder / "hub")]
        return self._said(run_hub, [*words, "--passphrase-file", str(self.folder / "pass")], expect)

    def site(self, line: str, expect: int = 0) -> Told:
        words = [*self._words(line), "--json"]
        return self._said(run_site, ["--home", str(self.folder / "site"), *words], expect)

    def _words(self, line: str) -> list[str]:
        return line.format(at=self.folder, off=self.folder / "off").split()

    def _said(self, run: Callable[[list[str]], int], given: list[str], expect: int) -> Told:
        self._capsys.readouterr()
        code = run(given)
        out, err = self._capsys.readouterr()
        assert code == expect, (given, out, err)
        told = out if expect == 0 else err
        said = json.loads(
            told.splitlines()[-1] if given[0] == "worker" else told
        )  # an object a line
        assert expect or said["schema"].startswith(("sealift/", "sealift-site/"))
        return said

    def answer(self, rows: list[list[float]], group: str = "line-1") -> list[int]:
        """What a consumer at the site gets from the model that is current there."""
        import numpy as np
        import onnxruntime

        found = self.folder / "site/models" / group / "vision/tiny/current"
        (model,) = found.glob("*.onnx")
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        (labels,) = session.run(["label"], {"X": np.array(rows, np.float32)})
        return [int(label) for label in labels]

    def original(self, number: int, rows: list[list[float]]) -> list[int]:
        """What the model said before it began its journey."""
        import numpy as np
        import onnx.reference

        model = onnx.reference.ReferenceEvaluator(str(self.folder / f"model-{number}.onnx"))
        labels, _ = model.run(None, {"X": np.array(rows, np.float32)})
        return [int(label) for label in labels]

    def enrolled(self, signed: str = "", dispatcher: str = "") -> None:
        """Both ends print the same eight words of the request; the answer's are typed."""
        asked = self.site(f"init --id plant-7 --group line-1={CPU} --request {{at}}/asked")
        enroll = "site enroll {at}/asked --stage production --answer {at}/answer"
        said = self.hub(f"{enroll} {dispatcher} {signed}")
        assert re.fullmatch(r"([a-z]{5} ){7}[a-z]{5}", said["words"])
        assert said["request_words"] == asked["words"]
        typed = f"--fingerprint {said['fingerprint']} --words {said['words'].replace(' ', '-')}"
        assert self.site(f"init --answer {{at}}/answer {typed}")["words"] == said["words"]


ROWS = [[0.5, -1.0, 0.25, 2.0], [-1.5, 0.5, 1.0, 0.0], [1.0, 1.0, -2.0, 0.5], [0.0, 0.3, 0.1, -1.0]]


@pytest.fixture
def journey(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Journey:
    for name in [name for name in os.environ if name.startswith("SEALIFT_")]:
        monkeypatch.delenv(name)
    return Journey(tmp_path, capsys)


@pytest.fixture
def organisation(journey: Journey) -> Journey:
    """An organisation with a team of five people, set up by command."""
    assert journey.hub("init --offline-keys {off} --name Acme")["unprotected"] == []
    for person in ("anna", "ben", "carla", "emil", "dora"):
        journey.hub(f"key new {{at}}/{person}.pem")
        own = f"--key {{at}}/{person}.pem --out {{at}}/{person}.card"
        journey.hub(f"key card {person} {own}")
    stewards = "--steward {at}/anna.card --steward {at}/ben.card"
    holders = "--key {off}/targets-1.pem --key {off}/targets-2.pem"
    journey.hub(f"team add vision {stewards} --at-hub {holders}")
    signed = "--at-hub --key {at}/anna.pem --key {at}/ben.pem"
    journey.hub(f"team requester vision {{at}}/dora.card {signed}")
    for person in ("carla", "emil"):
        journey.hub(f"team approver vision {{at}}/{person}.card {signed}")
    return journey


def promote(journey: Journey, number: int) -> None:
    """A version from its file to being listed."""
    taken = journey.hub(
        f"ingest onnx {{at}}/model-{number}.onnx --as vision/tiny --goldens {{at}}/goldens.npz"
    )
    assert (taken["version"], taken["new"]) == (f"vision/tiny/{number}", True)
    (built,) = journey.hub(f"convert vision/tiny/{number} --for {CPU}")["artifacts"]
    assert built["evidence"] == {"scan": "pass", "parity": "pass", "provenance": "pass"}
    asked = journey.hub(
        f"promote vision/tiny/{number} --to production --reason better --at-hub "
        "--key {at}/dora.pem"
    )
    said = f"approve {asked['promotion']} --meaning validated --reason tested --yes --at-hub"
    assert not journey.hub(f"{said} --key {{at}}/carla.pem")["listed"]
    refused = journey.hub(f"{said} --key {{at}}/dora.pem", expect=1)["error"]
    assert refused["code"] == "not-entitled"
    assert journey.hub(f"{said} --key {{at}}/emil.pem")["listed"]


def test_the_thin_journey(organisation: Journey) -> None:
    journey = organisation
    promote(journey, 1)
    journey.enrolled("--at-hub --key {off}/fleet-1.pem", "--dispatcher {off}/dispatcher-1.card")
    dispatcher = "--key {off}/dispatcher-1.pem"

    # The first version goes out, and answers as its original does.
    journey.hub(f"assign plant-7 vision/tiny/1 --for line-1={CPU} {dispatcher}")
    first = journey.hub(f"export plant-7 --to {{at}}/medium {dispatcher}")
    journey.site("verify {at}/medium")
    assert not (journey.folder / "site/models/line-1").exists(), "verify installs nothing"
    receipt = journey.site("import {at}/medium")["receipt"]
    assert [one["outcome"] for one in receipt["artifacts"]] == ["installed"]
    assert receipt["unprotected"] == []
    assert journey.answer(ROWS) == journey.original(1, ROWS)

    # The second, which answers otherwise; then back to the first, which holds.
    promote(journey, 2)
    assert journey.original(2, ROWS) != journey.original(1, ROWS)
    assigned = journey.hub(f"assign plant-7 vision/tiny/2 --for line-1={CPU} {dispatcher}")
    assert assigned["groups"] == [
        {"group": "line-1", "current": "vision/tiny/2", "fallbacks": ["1"]}
    ]
    second = journey.hub(f"export plant-7 --to {{at}}/medium {dispatcher}")
    folder = second["folder"]
    journey.site(f"import {folder}")
    assert journey.answer(ROWS) == journey.original(2, ROWS)
    journey.site("rollback vision/tiny --reason wrong-on-dim-images")
    assert journey.answer(ROWS) == journey.original(1, ROWS)
    assert journey.site(f"import {folder}")["already_imported"]
    assert journey.answer(ROWS) == journey.original(1, ROWS)

    # Home again.
    journey.site("return --to {at}/medium")
    (home,) = journey.hub("receive {at}/medium")["returns"]
    assert home["receipts"] == [first["transfer"], second["transfer"]]
    plant = journey.hub("show plant-7")
    assert [(r["model"], r["version"]) for r in plant["running"]] == [("vision/tiny", 1)]
    assert plant["last_receipt"] == second["transfer"]
    (where,) = journey.hub("show vision/tiny/1")["running"]
    assert where["site"] == "plant-7"
    assert journey.hub("show vision/tiny/2")["running"] == []
    # It was rolled back there, and the hub still assigns the other one.
    (left,) = journey.hub("next")["missing"]
    assert left["command"] == "sealift show plant-7"
    assert journey.hub("audit fsck")["ok"]
    journey.site("audit verify")
    journey.site("audit fsck")
    found = journey.hub(f"audit list --term transfer={first['transfer']}")["entries"]
    assert [entry["type"] for entry in found] == [
        "return.accepted",
        "transfer.imported",
        "transfer.exported",
        "transfer.begun",
    ]


def test_the_same_alone(journey: Journey) -> None:
    """One person, one key; the site takes it, and everything says UNPROTECTED."""
    reasons = journey.hub("init --solo --person me")["unprotected"]
    assert reasons
    journey.hub("team add vision")
    journey.hub("ingest onnx {at}/model-1.onnx --as vision/tiny --goldens {at}/goldens.npz")
    journey.hub(f"convert vision/tiny/1 --for {CPU}")
    journey.hub("promote vision/tiny/1 --to production --reason mine")
    assert journey.hub("approve P-1 --meaning validated --reason mine --yes")["listed"]
    journey.enrolled()
    journey.hub(f"assign plant-7 vision/tiny/1 --for line-1={CPU}")
    made = journey.hub("export plant-7 --to {at}/medium")
    assert set(made["unprotected"]) == {*reasons, "one steward suffices for team vision"}
    readme = (Path(made["folder"]) / "READ-ME-FIRST.txt").read_text()
    assert "UNPROTECTED" in readme
    done = journey.site("import {at}/medium")
    assert done["receipt"]["unprotected"]
    assert journey.answer(ROWS) == journey.original(1, ROWS)
    journey.site("return --to {at}/medium")
    journey.hub("receive {at}/medium")
    assert journey.hub("next")["missing"] == []


@pytest.mark.parametrize("program", ["sealift", "sealift-site"])
def test_a_reader_that_is_gone_is_neither_success_nor_a_refusal(program: str) -> None:
    """As `sealift list | true` in a script: how it ended was not told, so it says neither."""
    command = str(Path(sys.executable).parent / program)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        done = subprocess.run(
            [command, "--version"], check=False, stdout=nobody, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (141, b"")
