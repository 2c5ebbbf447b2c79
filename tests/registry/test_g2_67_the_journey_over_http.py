"""The demo's journey over HTTP alone: five people at desks of their own, a program, a worker.

At the hub's shell stands what comes before a server: the organisation is founded, and people are
invited. From then on a real `sealift serve` is asked, by people whose folder has a key and a memory
and nothing of the hub's, and by a program with a token. It ends with a bundle that a site imports.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import numpy as np
import pyotp
import pytest

from sealift_registry.cli.run import run as run_hub
from sealift_registry.client.address import ServerAddress
from sealift_registry.client.asking import Tls
from sealift_registry.client.hub import RemoteHub
from sealift_signing.desk.cli.run import run as run_sign
from sealift_sync.cli.run import run as run_site
from tests import stores, train_into_mlflow
from tests.registry.access_served import PASSWORD
from tests.registry.served_hub import serving

pytestmark = pytest.mark.socket
TEAM, MODEL, VERSION, SITE = "vision", "vision/digits", "vision/digits/1", "plant-7"
CPU, GROUP, STAGE, FIRST = "cpu-x86_64", "line-1", "production", "plant-7-000001"
STEWARDS, APPROVERS, REQUESTER = ("anna", "ben"), ("carla", "emil"), "dora"
FLEET, DISPATCHER = "fleet-1", "dispatcher-1"
DESKS = (REQUESTER, *APPROVERS, FLEET, DISPATCHER)
"""The five people, each with an account and a desk."""
MAY = ("version.ingest", "version.read", "conversion.ask", "job.read")
"""What the program's token is for: for what is signed there is none."""
Told = Any


@dataclass
class Place:
    """A folder in which somebody types commands; what they remember lies in it as well.

    Attributes:
        folder: theirs.
        more: what their environment has besides.
    """

    folder: Path
    more: Mapping[str, str]

    def runs(self, run: Any, *words: str) -> tuple[int, str, str]:  # noqa: ANN401 - a program
        """Type a command here: how it ends, and what it says."""
        own = {"XDG_CONFIG_HOME": str(self.folder / "config"), **self.more}
        out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
        with (
            mock.patch.dict(os.environ, own),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            os.chdir(self.folder)
            try:
                code = run([*words])
            finally:
                os.chdir(before)
        return code, out.getvalue(), err.getvalue()

    def __call__(self, *words: str, run: Any = run_hub) -> Told:  # noqa: ANN401 - a program
        """What a command that succeeds answers to machines."""
        code, out, err = self.runs(run, *words, "--json")
        assert code == 0, (words, err)
        return json.loads(out)

    def refused(self, *words: str) -> str:
        """The code with which a command is refused."""
        code, out, err = self.runs(run_hub, *words, "--json")
        assert code != 0, (words, out)
        return str(json.loads(err)["error"]["code"])


@dataclass
class Desk(Place):
    """One person's."""

    name: str

    @property
    def key(self) -> tuple[str, ...]:
        return ("--yes", "--key", f"{self.name}.pem", "--passphrase-file", "pass")

    def signs(self, *words: str) -> dict[str, Any]:
        """What became of what they sign and hand in, in one go."""
        (done,) = self(*words, *self.key)["submitted"]
        assert done["new"], words
        return dict(done)

    def shown(self, *words: str) -> str:
        """What is told to people, and what is printed beside."""
        code, out, err = self.runs(run_hub, *words, *self.key)
        assert code == 0, err
        return out + err


@dataclass
class Story:
    """Where it plays, and what is told between its chapters."""

    root: Path
    shell: Place
    desks: Mapping[str, Desk]
    fingerprint: str
    invitations: dict[str, str]
    token: str

    def desk(self, name: str) -> Desk:
        return self.desks[name]


# ---------------------------------------------------------------------- before there is a server


def founded(root: Path, store: str) -> Story:
    """At the hub's shell: an organisation, a team, its people, and who is invited."""
    gate = root / "gate"
    for one in ("gate", "shell", "medium", "desks", "site"):
        (root / one).mkdir()
    shell = Place(root / "shell", {"SEALIFT_HOME": str(root / "hub")})
    (shell.folder / "pass").write_text("the hub's\n")
    held = ("--passphrase-file", "pass")
    made = shell("init", "--offline-keys", "off", "--name", "Acme", *held)
    with (root / "hub" / "settings.toml").open("a") as settings:
        settings.write(f'[sources.lab]\nkind = "mlflow"\norigin = "{store}"\nteams = "{TEAM}"\n')
        settings.write(f'[exports.gate]\nfolder = "{gate}"\nsites = "{SITE}"\n')
    desks = {name: _desk(root, name) for name in (*STEWARDS, *DESKS)}
    for name in (FLEET, DISPATCHER):  # handed to their holders, with what opens them
        for file in (shell.folder / "off").glob(f"{name}.*"):
            file.rename(desks[name].folder / file.name)
        shutil.copy(shell.folder / "pass", desks[name].folder / "pass")
    for name, desk in desks.items():
        if name not in (FLEET, DISPATCHER):
            _has_key(desk)
    shell("share", "acme.memory", run=run_sign)
    for name in DESKS:
        desks[name]("trust", made["fingerprint"], f"{shell.folder}/acme.memory", run=run_sign)
    _founds_team(shell, desks)
    invited = {one: shell("account", "invite", one)["secret"] for one in DESKS}
    shell("account", "invite", "ci", "--service", "--role", f"publisher:team={TEAM}")
    scopes = [word for one in MAY for word in ("--scope", one)]
    token = shell("account", "token", "ci", *scopes)["secret"]
    return Story(root, shell, desks, made["fingerprint"], invited, token)


def _desk(root: Path, name: str) -> Desk:
    folder = root / "desks" / name
    folder.mkdir()
    return Desk(folder, {}, name)


def _has_key(desk: Desk) -> None:
    """They make a key of their own, and a card of it."""
    (desk.folder / "pass").write_text(f"{desk.name}'s own\n")
    own = (f"{desk.name}.pem", "--passphrase-file", "pass")
    desk("key", "new", *own, run=run_sign)
    desk("card", desk.name, "--key", *own, run=run_sign)


def _founds_team(shell: Place, desks: Mapping[str, Desk]) -> None:
    """Targets and stewards sign at the hub, while nobody has a desk at a server."""
    card = {name: str(one.folder / f"{name}.card") for name, one in desks.items()}
    named = [word for one in STEWARDS for word in ("--steward", card[one])]
    held = [word for one in (1, 2) for word in ("--key", f"off/targets-{one}.pem")]
    shell("team", "add", TEAM, *named, "--at-hub", *held, "--passphrase-file", "pass")
    keys = [str(desks[one].folder / f"{one}.pem") for one in STEWARDS]
    signed = ["--at-hub", *(word for one in keys for word in ("--key", one))]
    opens = {f"SEALIFT_PASSPHRASE_{one.upper()}": f"{one}'s own" for one in STEWARDS}
    with mock.patch.dict(os.environ, opens):
        for office, name in (("requester", REQUESTER), *(("approver", one) for one in APPROVERS)):
            shell("team", office, TEAM, card[name], *signed)


# ---------------------------------------------------------------------- over HTTP alone


@contextmanager
def working(root: Path) -> Iterator[None]:
    """A real worker of the hub, beside its server."""
    program = str(Path(sys.executable).with_name("sealift"))
    with (root / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [program, "worker", "--home", str(root / "hub")], stdout=log, stderr=log
        )
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(120)


def sign_in(story: Story, url: str) -> None:
    """Each takes the invitation, signs in with password and code, and proves their key."""
    for name in DESKS:
        desk, hub = story.desk(name), RemoteHub(ServerAddress.parse(url), Tls())
        desk.more = {"SEALIFT_SERVER": url}
        assert desk.refused("whoami") == "not-signed-in"
        invitation = story.invitations[name]
        seed = hub.seed(invitation).text
        now = datetime.now(UTC)
        hub.take_invitation(invitation, PASSWORD, seed, pyotp.TOTP(seed).at(now))
        hub.close()
        (desk.folder / "password").write_text(f"{PASSWORD}\n")
        code = pyotp.TOTP(seed).at(now + timedelta(seconds=30))
        desk("login", name, "--password-file", "password", "--code", code)
        if name != DISPATCHER:  # who holds nothing yet, as long as no site is enrolled
            bind(desk)


def bind(desk: Desk) -> None:
    """They prove by their key that the account is theirs."""
    desk("login", desk.name, "--bind", *desk.key)
    assert desk("whoami")["person"] == desk.name


class Program:
    """What runs with the token: it asks for jobs, and listens until they have ended."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=300
        )

    def has(self, path: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """What a job came to."""
        answer = self.posts(path, json=said)
        assert answer.status_code == 202, answer.text
        last = ""
        with self._client.stream("GET", f"{answer.headers['location']}/events") as events:
            for line in events.iter_lines():
                last = line.removeprefix("data: ") if line.startswith("data: ") else last
        job = json.loads(last)
        assert job["state"] == "done", job
        return dict(job["result"])

    def posts(self, path: str, **what: Any) -> httpx.Response:  # noqa: ANN401 - as httpx takes it
        headers = {"idempotency-key": str(uuid.uuid4()), **what.pop("headers", {})}
        return self._client.post(f"/api/v1{path}", headers=headers, **what)

    def close(self) -> None:
        self._client.close()


def take_in(program: Program) -> None:
    """A model of the named source, and a variant of it for the site's machines."""
    said = {"model": "digits", "source": "lab", "reference": "models:/digits@champion"}
    made = program.has(f"/teams/{TEAM}/versions", said)
    assert (made["version"], made["new"]) == (VERSION, True)
    made = program.has(f"/versions/{VERSION}/conversions", {"hardware_targets": [CPU]})
    assert made["artifacts"][0]["evidence"]["parity"] == "pass"


def promote(story: Story, program: Program) -> None:
    """One asks, from a machine without a network; two approve, each at their desk in one go."""
    dora = story.desk(REQUESTER)
    line = ("promote", VERSION, "--to", STAGE, "--reason", "The first that reads our meters")
    draft = dora(*line)["draft"]
    file = draft.replace(".draft", f".{REQUESTER}.signed")
    why = ("--reason", "The first that reads our meters")
    dora("request", VERSION, STAGE, draft, *why, *dora.key, run=run_sign)
    signed = (dora.folder / file).read_bytes()
    kind = {"content-type": "application/octet-stream"}
    answer = program.posts("/submissions", content=signed, headers=kind)
    assert answer.status_code == 403, "a token hands in nothing that was signed"
    (told,) = dora("submit", file)["submitted"]
    assert (told["new"], told["promotion"]) == (True, "P-000001")
    said = ("approve", "P-000001", "--meaning", "validated", "--reason", "Read the parity report")
    assert dora.refused(*said, *dora.key) == "not-entitled"
    carla, emil = map(story.desk, APPROVERS)
    read = carla.shown(*said)
    assert VERSION in read
    assert "parity" in read, "all that it names is shown before it is signed"
    assert not carla("show", "P-000001")["listed"]
    emil.signs(*said)
    assert emil("show", "P-000001")["listed"]


def enrol(story: Story) -> None:
    """The site asks, the fleet's administrator answers; both read the same words aloud."""
    site, fleet = Place(story.root / "site", {}), story.desk(FLEET)
    group = ("--group", f"{GROUP}={CPU}")
    asked = site("init", "--id", SITE, *group, "--request", "site.request", run=run_site)
    shutil.copy(site.folder / "site.request", fleet.folder)
    card = shutil.copy(story.desk(DISPATCHER).folder / f"{DISPATCHER}.card", fleet.folder)
    read = fleet.shown(
        "site", "enroll", "site.request", "--stage", STAGE, "--dispatcher", str(card)
    )
    assert asked["words"] in read
    words = fleet("site", "answer", SITE, "--out", "site.answer")["words"]
    shutil.copy(fleet.folder / "site.answer", site.folder)
    typed = ("--fingerprint", story.fingerprint, "--words", words)
    site("init", "--answer", "site.answer", *typed, run=run_site)


def deliver(story: Story) -> None:
    """Assigned, written to the folder with a name, signed for, carried, imported; and home."""
    dispatcher, site = story.desk(DISPATCHER), Place(story.root / "site", {})
    assert dispatcher.refused("show", SITE) == "forbidden"
    bind(dispatcher)
    dispatcher.signs("assign", SITE, VERSION, "--for", f"{GROUP}={CPU}")
    done = dispatcher.signs("export", SITE, "--to", "gate")
    assert done["transfer"] == FIRST
    medium = story.root / "medium"
    shutil.copytree(story.root / "gate", medium, dirs_exist_ok=True)
    receipt = site("import", str(medium), run=run_site)["receipt"]
    assert [one["outcome"] for one in receipt["artifacts"]] == ["installed"]
    assert receipt["unprotected"] == []
    site("return", "--to", str(medium), run=run_site)
    (home,) = dispatcher("receive", str(medium))["returns"]
    assert home["receipts"] == [FIRST]
    shown = dispatcher("show", SITE)
    assert [(one["model"], one["version"]) for one in shown["running"]] == [(MODEL, 1)]


def answers_as_its_original(root: Path) -> None:
    """What is installed at the site answers rows it never saw as the model that was trained."""
    import onnxruntime

    (file,) = (root / "site" / "sealift-site" / "models" / GROUP / MODEL / "current").glob("*.onnx")
    features, labels = train_into_mlflow._digits()
    rows, right = features[1400:], labels[1400:]
    original = train_into_mlflow._pipeline(0.01).fit(features[:1400], labels[:1400]).predict(rows)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    (answer,) = session.run([session.get_outputs()[0].name], {name: rows.astype(np.float32)})
    assert (answer == original).mean() > 0.99
    assert (answer == right).mean() > 0.8


ACTS = (
    ("promotion.requested", REQUESTER, REQUESTER),
    ("promotion.approved", APPROVERS[0], APPROVERS[0]),
    ("promotion.approved", APPROVERS[1], APPROVERS[1]),
    ("site.enrolled", FLEET, FLEET),
    ("site.assigned", DISPATCHER, DISPATCHER),
    ("transfer.exported", DISPATCHER, DISPATCHER),
)
"""Types of entries, who signed what they are about, and whose account handed it in."""


def prove(story: Story) -> None:
    """The log is whole, and says of each act who signed it and who handed it in."""
    shell = story.shell
    assert shell("audit", "verify")["ok"]
    assert shell("audit", "fsck")["ok"]
    found = shell("audit", "list", "--at", "hub", "--limit", "1000", "--oldest-first")["entries"]
    told = [(one["type"], one["actor"], _account(one)) for one in found]
    assert [one for one in told if one[0] in {act[0] for act in ACTS}] == list(ACTS), told
    asked = {(_account(one)) for one in found if one["type"] == "job.asked"}
    assert asked == {"ci", DISPATCHER}
    refused = [one for one in found if one["type"] == "access.refused"]
    tried = [one["data"]["action"] for one in refused if _account(one) == "ci"]
    assert tried == ["submission.make"]
    for secret in (story.token, PASSWORD, *story.invitations.values()):
        assert secret not in json.dumps(found)


def _account(entry: Mapping[str, Any]) -> str:
    return next((one["value"] for one in entry["terms"] if one["kind"] == "account"), "")


def nothing_of_the_hubs(desks: Sequence[Desk]) -> None:
    """A desk has its own key and no other, and no hub."""
    for desk in desks:
        keys = [one.name for one in desk.folder.rglob("*.pem")]
        assert keys == [f"{desk.name}.pem"]
        assert not list(desk.folder.rglob("settings.toml"))
        assert (desk.folder / "config").is_dir()


@pytest.mark.timeout(600)
def test_g2_67_five_people_and_a_program_bring_a_model_to_a_site_over_http(
    tmp_path: Path, mlflow_store: str
) -> None:
    story = founded(tmp_path, mlflow_store)
    stores.check_kept(tmp_path / "hub")
    with serving(tmp_path / "hub") as server, working(tmp_path):
        sign_in(story, server.url)
        program = Program(server.url, story.token)
        take_in(program)
        promote(story, program)
        enrol(story)
        deliver(story)
        program.close()
        code, _, _ = server.ends()
        assert code == 0
    answers_as_its_original(tmp_path)
    nothing_of_the_hubs([story.desk(name) for name in DESKS])
    prove(story)
