"""What operators do with docker-compose.yml, one after the other, and what goes wrong meanwhile."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.compose.said import Compose, Failed, contains, holds
from tests.models import tiny_goldens, tiny_onnx

CPU = "cpu-x86_64"
SITE_HOME = "/var/lib/sealift/site"
NUMBER = 10001
"""Who the hub is in its container, and so whose the folder of exchange is."""
CLOSED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@dataclass(frozen=True)
class Site:
    """A site in a container without a network, of the same image: its disk is the exchange."""

    compose: Compose
    image: str

    def __call__(self, *words: str) -> str:
        """Run a command of the site's; what it said."""
        print(f"  site $ sealift-site {' '.join(words)}")
        volumes = [
            f"--volume={self.compose.folder}/exchange:/exchange",
            "--volume=sealift-test_site:/var/lib/sealift",
        ]
        command = ["docker", "run", "--rm", "--network=none", *CLOSED, "--tmpfs=/tmp", *volumes]
        command += [f"--env=SEALIFT_SITE_HOME={SITE_HOME}", self.image, "sealift-site", *words]
        done = subprocess.run(
            command, check=False, env=self.compose.environment, capture_output=True, text=True
        )
        if done.returncode:
            raise Failed(f"sealift-site {words[0]}: {done.stdout}{done.stderr}")
        return done.stdout


def play(compose: Compose, image: str) -> None:
    """All of it."""
    exchange = compose.folder / "exchange"
    tiny_onnx(exchange / "model.onnx")
    tiny_goldens(exchange / "goldens.npz")
    print("The engines are started, and the hub is set up twice.")
    compose("up", "--detach", "--wait", "database", "objects")
    _set_up(compose)
    _closed(compose)
    print("A model is taken in, approved and carried to a site.")
    site = Site(compose, image)
    _carried(compose, site)
    print("Each engine is killed beside a container of the hub's.")
    for engine in ("database", "objects"):
        _killed(compose, engine)
    print("Everything is taken down, and comes back.")
    before = _root(compose)
    compose("down")
    compose("up", "--detach", "--wait", "database", "objects")
    if _root(compose) != before:
        raise Failed("The log is not what it was.")
    compose.hub("audit fsck")


def _set_up(compose: Compose) -> None:
    compose.run("setup", "--solo", "--person", "ana", "--name", "Acme")
    compose.run("setup", "--solo", "--person", "ana", "--name", "Acme")
    compose.hub("db check")
    compose.hub("blobs check")


def _carried(compose: Compose, site: Site) -> None:
    for line in (
        "team add vision",
        "ingest onnx model.onnx --as vision/tiny --goldens goldens.npz",
        f"convert vision/tiny/1 --for {CPU}",
        "promote vision/tiny/1 --to production --reason mine",
        "approve P-1 --meaning validated --reason mine --yes",
    ):
        compose.hub(line)
    site("init", "--id", "plant-7", "--group", f"line-1={CPU}", "--request", "plant-7.request")
    said = compose.hub("site enroll plant-7.request --stage production --answer plant-7.answer")
    words, paper = (_said(said, name) for name in ("answer", "fingerprint"))
    site("init", "--answer", "plant-7.answer", "--words", words, "--fingerprint", paper)
    compose.hub(f"assign plant-7 vision/tiny/1 --for line-1={CPU}")
    compose.run("hub", "mkdir", "medium")
    compose.hub("export plant-7 --to medium")
    contains(site("import", "medium"), "vision/tiny in host group line-1 runs version 1")
    site("return", "--to", "medium")
    contains(compose.hub("receive medium"), "plant-7: 1 new receipt")
    contains(compose.hub("audit verify"), "The log is whole")


def _said(text: str, name: str) -> str:
    found = re.search(rf"(?m)^ *{name}  +(\S.*)$", text)
    if found is None:
        raise Failed(f"No {name} was printed:\n{text}")
    return found[1].strip()


def _root(compose: Compose) -> str:
    found = json.loads(compose.hub("audit verify --json"))["root"]
    assert isinstance(found, str)
    return found


def _closed(compose: Compose) -> None:
    """Nothing listens on the host, root is nobody's, and the hub cannot change its own log."""
    rows = compose("ps", "--all", "--format", "json").splitlines()
    for row in map(json.loads, rows):
        if any(port["PublishedPort"] for port in row.get("Publishers") or ()):
            raise Failed(f"{row['Name']} listens on the host.")
        shown = json.loads(_docker(compose, "inspect", row["Name"]))[0]
        host = shown["HostConfig"]
        if not host["ReadonlyRootfs"] or host["CapDrop"] != ["ALL"] or host["Privileged"]:
            raise Failed(f"{row['Name']} may do more than it must.")
        if shown["Config"]["User"] in {"", "0", "root"}:
            raise Failed(f"{row['Name']} is root.")
    contains(compose.run("hub", "id", "-u"), str(NUMBER))
    compose.run("hub", "touch", "/opt/sealift/changed", expect=1)
    change = (
        "import os, psycopg; psycopg.connect(os.environ['SEALIFT_DATABASE__URL']).execute('{}')"
    )
    for statement in (
        "UPDATE sealift.log_entry SET body = body",
        "DELETE FROM sealift.log_entry",
        "DROP SCHEMA sealift CASCADE",
    ):
        said = compose.run("hub", "python", "-c", change.format(statement), expect=1)
        contains(said, "InsufficientPrivilege")


def _killed(compose: Compose, engine: str) -> None:
    """A hub's container says so by its health, a command in words; both go on when it is back."""
    command = ["--progress", "quiet", "run", "--detach", "--name", "sealift-test-long"]
    compose(*command, "hub", "sleep", "86400")  # longer than all that is waited for
    try:
        holds(f"the hub's health is told, with {engine}", lambda: _health(compose) == "healthy")
        compose("kill", "--signal", "KILL", engine)
        holds(
            f"the hub's health is told, without {engine}", lambda: _health(compose) == "unhealthy"
        )
        check, code = {"database": ("db check", 4), "objects": ("blobs check", 1)}[engine]
        said = compose.run("hub", "sealift", *check.split(), expect=code, more=("--no-deps",))
        if "Traceback" in said:
            raise Failed(said)
        print("    " + said.strip().replace("\n", "\n    "))
        compose("up", "--detach", "--wait", engine)
        holds(f"the hub goes on, with {engine} back", lambda: _health(compose) == "healthy")
        compose.hub("audit verify")
    finally:
        _docker(compose, "rm", "--force", "sealift-test-long")


def _health(compose: Compose) -> str:
    return _docker(
        compose, "inspect", "--format", "{{.State.Health.Status}}", "sealift-test-long"
    ).strip()


def _docker(compose: Compose, *words: str) -> str:
    done = subprocess.run(
        ["docker", *words], check=True, env=compose.environment, capture_output=True, text=True
    )
    return done.stdout


def owned(folder: Path) -> Path:
    """The folder of exchange, as docs/how-to/run-with-compose.md has it made."""
    exchange = folder / "exchange"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)
    return exchange
