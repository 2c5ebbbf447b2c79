"""A program has a model taken in and converted: by a real server, a token and a real worker."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import models
from tests.registry.hub_fixture import MODEL, TEAM, Acme
from tests.registry.served_hub import serving
from tests.registry.test_hub_cli import Capsys, Cli

pytestmark = pytest.mark.socket
SCOPES = ("version.ingest", "upload.write", "version.read", "conversion.ask", "job.read")


def works(acme: Acme) -> None:
    """A worker does what waits, and ends."""
    program = Path(sys.executable).with_name("sealift")
    given = [str(program), "worker", "--once", "--home", str(acme.root)]
    done = subprocess.run(given, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def sent(client: httpx.Client, kind: str, file: Path) -> str:
    data = file.read_bytes()
    said = {"kind": kind, "name": file.name, "size": len(data), "sha256": sha256(data).hexdigest()}
    place = client.post(f"/api/v1/teams/{TEAM}/uploads", json=said).headers["location"]
    headers = {"content-type": "application/partial-upload", "upload-offset": "0"}
    answer = client.patch(place, content=data, headers=headers)
    assert answer.json()["complete"], answer.json()
    return str(answer.json()["upload"])


def asks(client: httpx.Client, path: str, said: dict[str, Any]) -> str:
    answer = client.post(path, json=said, headers={"idempotency-key": str(uuid.uuid4())})
    assert answer.status_code == 202, answer.json()
    return str(answer.headers["location"])


def test_g2_269_from_a_file_to_a_variant(acme: Acme, capsys: Capsys) -> None:
    cli = Cli(acme, capsys)
    cli.says("account", "invite", "ci", "--service", "--role", f"publisher:team={TEAM}")
    scopes = [one for scope in SCOPES for one in ("--scope", scope)]
    token = json.loads(cli("account", "token", "ci", *scopes, "--json")[1])["secret"]
    model, goldens = models.tiny_onnx(acme.folder / "tiny.onnx", 5), acme.goldens(5)
    acme.close()
    with (
        serving(acme.root) as server,
        httpx.Client(
            base_url=server.url, headers={"authorization": f"Bearer {token}"}, timeout=60
        ) as client,
    ):
        said = {"model": "tiny", "upload": sent(client, "onnx", model)}
        said["goldens"] = sent(client, "goldens", goldens)
        job = asks(client, f"/api/v1/teams/{TEAM}/versions", said)
        works(acme)
        assert client.get(job).json()["state"] == "done", client.get(job).json()
        listed = client.get("/api/v1/versions").json()["versions"]
        assert [one["version"] for one in listed] == [f"{MODEL}/1"]
        wanted = {"hardware_targets": ["cpu-x86_64"]}
        job = asks(client, f"/api/v1/versions/{MODEL}/1/conversions", wanted)
        works(acme)
        assert client.get(job).json()["state"] == "done", client.get(job).json()
        shown = client.get(f"/api/v1/versions/{MODEL}/1").json()
    assert [one["path"].rpartition("/")[2] for one in shown["artifacts"]] == [
        "source",
        "cpu-x86_64",
    ]
    assert token not in cli("audit", "list", "--json", "--limit", "1000")[1]
