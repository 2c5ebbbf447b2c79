"""The suite's client by its contract, without the suite: a few repositories on loopback."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, unquote

import pytest
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, TargetFile, Targets

from sealift_signing import publishing
from sealift_signing.documents import FLEET_KEYS_PATH
from tests.conformance.shim import main
from tests.signing.test_tuf_walk import forge
from tests.trust import Keyring, Repository

pytestmark = pytest.mark.socket

KEYS = Keyring()
COMMAND = Path(__file__).parent / "client"
DATA = b"what is fetched"


class Handler(BaseHTTPRequestHandler):
    """Serves a repository's metadata and its targets, and notes what is asked for."""

    def __init__(self, server: "Server", *rest: Any) -> None:  # noqa: ANN401 - a socket and more
        self.ours = server
        super().__init__(*rest)

    def do_GET(self) -> None:
        name = self.path.removeprefix("/")
        self.ours.asked.append(name)
        kind, _, file = name.partition("/")
        files = self.ours.repository.files if kind == "metadata" else self.ours.targets
        data = files.get(unquote(file))
        status = self.ours.status.get(file, 200 if data is not None else 404)
        self.send_response(status)
        if status in {301, 302}:
            self.send_header("Location", f"/metadata/{quote('timestamp.json')}")
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_arguments: object) -> None:
        pass


class Server:
    """A repository on loopback, and a client's folders."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository(KEYS, datetime.now(UTC).replace(microsecond=0), links=False)
        self.targets: dict[str, bytes] = {}
        self.status: dict[str, int] = {}
        self.asked: list[str] = []
        self.folder = folder
        for name in ("metadata", "targets"):
            (folder / name).mkdir()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self))
        self.thread = Thread(target=self.http.serve_forever, args=[0.05])
        self.thread.start()

    @property
    def metadata(self) -> Path:
        return self.folder / "metadata"

    def init(self) -> None:
        root = self.folder / "first.json"
        root.write_bytes(self.repository.files["1.root.json"])
        assert main(["--metadata-dir", str(self.metadata), "init", str(root)]) == 0
        assert self.asked == []

    def arguments(self) -> list[str]:
        url = f"http://127.0.0.1:{self.http.server_port}"
        where = ["--metadata-dir", str(self.metadata), "--metadata-url", f"{url}/metadata"]
        return [*where, "--target-base-url", f"{url}/targets/"]

    def refresh(self) -> int:
        self.asked.clear()
        return main([*self.arguments(), "refresh"])

    def download(self, *paths: str) -> int:
        self.asked.clear()
        named = [word for path in paths for word in ("--target-name", path)]
        into = ["--target-dir", str(self.folder / "targets")]
        return main([*self.arguments(), *named, *into, "download"])

    def fetched(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted((self.folder / "targets").iterdir())]

    def versions(self) -> dict[str, int]:
        """What lies in the folder, by unversioned names."""
        return {
            unquote(file.stem): json.loads(file.read_bytes())["signed"]["version"]
            for file in self.metadata.glob("*.json")
        }

    def list(self, role: str, path: str, hashes: list[str], data: bytes = DATA) -> None:
        target = TargetFile.from_data(path, data, hashes)
        with self.repository.next(role) as signed:
            signed.targets[path] = target
        folder, slash, name = path.rpartition("/")
        for digest in target.hashes.values():
            self.targets[f"{folder}{slash}{digest}.{name}"] = data


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("SEALIFT_STRICT", raising=False)
    made = Server(tmp_path)
    made.init()
    yield made
    made.http.shutdown()
    made.http.server_close()
    made.thread.join()


def strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALIFT_STRICT", "1")


@pytest.mark.parametrize("strict", ["", "1"])
def test_t1_37_what_is_trusted_lies_in_the_folder_as_it_came(
    server: Server, monkeypatch: pytest.MonkeyPatch, strict: str
) -> None:
    monkeypatch.setenv("SEALIFT_STRICT", strict)
    assert server.refresh() == 0
    asked = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]
    assert server.asked == [f"metadata/{name}" for name in asked]
    names = {"root": "1.root", "timestamp": "timestamp"}
    for role in ("root", "timestamp", "snapshot", "targets"):
        kept = (server.metadata / f"{role}.json").read_bytes()
        assert kept == server.repository.files[f"{names.get(role, f'1.{role}')}.json"]
    assert server.refresh() == 0
    assert server.asked == ["metadata/2.root.json", "metadata/timestamp.json"]


def test_t1_37_the_command_itself_keeps_the_contract(server: Server) -> None:
    value = json.loads(server.repository.files["timestamp.json"])
    server.repository.files["timestamp.json"] = json.dumps(value, indent=1).encode()
    told = {}
    for strict in ("1", "one spelling", "no such rule", ""):
        done = subprocess.run(
            [COMMAND, *server.arguments(), "refresh"],
            env=os.environ | {"SEALIFT_STRICT": strict},
            capture_output=True,
            text=True,
            check=False,
        )
        told[strict] = done.returncode, done.stderr.partition(":")[0]
    assert told["1"] == (1, "metadata-not-canonical")
    assert told["one spelling"] == (1, "metadata-not-canonical")
    assert told["no such rule"] == (1, "no-such-rule")
    assert told[""][0] == 0
    assert server.versions() == {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}


def test_t1_37_a_target_of_which_only_the_sha512_is_known(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.list("fleet", FLEET_KEYS_PATH, ["sha512"])
    strictly(monkeypatch)
    assert server.download(FLEET_KEYS_PATH) == 1
    monkeypatch.delenv("SEALIFT_STRICT")
    assert server.download(FLEET_KEYS_PATH) == 0
    assert server.fetched() == [DATA]
    assert server.download(FLEET_KEYS_PATH) == 0
    assert server.asked == ["metadata/2.root.json", "metadata/timestamp.json"]


def test_t1_37_new_keys_of_the_snapshot_end_a_fast_forward(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the letter; with the layer it is a way back, for it asks who holds the role itself."""
    first = server.repository.files["1.targets.json"]
    with server.repository.next("targets") as signed:
        signed.version = 100
    assert server.refresh() == 0
    server.repository.rotate("snapshot", 1, "hub-snapshot-2")
    server.repository.store("targets", first, Metadata[Targets].from_bytes(first))
    server.repository.current["snapshot"].signed.meta["targets.json"] = MetaFile(1)
    server.repository.refresh()
    strictly(monkeypatch)
    assert server.refresh() == 1
    assert server.versions()["targets"] == 100
    monkeypatch.delenv("SEALIFT_STRICT")
    assert server.refresh() == 0
    assert server.versions()["targets"] == 1


def test_t1_37_a_timestamp_of_the_same_number_and_other_content(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.refresh() == 0
    held = (server.metadata / "timestamp.json").read_bytes()
    named = MetaFile(100).to_dict()
    forge(
        server.repository,
        "timestamp.json",
        "timestamp",
        lambda signed: signed["meta"].update({"snapshot.json": named}),
    )
    assert server.refresh() == 0
    assert server.asked == ["metadata/2.root.json", "metadata/timestamp.json"]
    assert (server.metadata / "timestamp.json").read_bytes() == held
    strictly(monkeypatch)
    assert server.refresh() == 1


@pytest.mark.parametrize("strict", ["", "1"])
def test_t1_37_what_was_verified_before_a_refusal_is_kept(
    server: Server, monkeypatch: pytest.MonkeyPatch, strict: str
) -> None:
    monkeypatch.setenv("SEALIFT_STRICT", strict)
    with server.repository.next("targets", signers=[KEYS["tina"]]):
        pass  # one of the two that must
    assert server.refresh() == 1
    assert server.versions() == {"root": 1, "timestamp": 2, "snapshot": 2}


def delegate(signed: Targets, name: str, *, terminating: bool = False) -> None:
    """Give `x/*` to `name`, after whoever has it."""
    found = signed.delegations = signed.delegations or Delegations({}, {})
    assert found.roles is not None
    found.roles[name] = DelegatedRole(name, [], 1, terminating, ["x/*"])
    signed.add_key(KEYS[f"of-{name}"].public_key, name)


def test_roles_are_searched_in_preorder_and_a_name_once(server: Server) -> None:
    """Targets gives all to a and b; a to c and, as the last of all, d; c to a again."""
    below = {"a": ("c", "d"), "b": (), "c": ("a",), "d": ()}
    for role, names in below.items():
        server.repository.holders[role] = (1, (f"of-{role}",))
        first = publishing.first_targets(expires=server.repository.expiry("fleet"))
        for name in names:
            delegate(first.signed, name, terminating=name == "d")
        server.repository.publish(role, first, refresh=False)
    with server.repository.next("targets") as signed:
        delegate(signed, "a")
        delegate(signed, "b")
    assert server.download("x/nowhere") == 1
    asked = [name.removeprefix("metadata/") for name in server.asked]
    assert asked[4:] == ["1.a.json", "1.c.json", "1.d.json"]


@pytest.mark.parametrize("name", ["../beside", "/beside", "?", "#"])
def test_a_role_s_name_leads_nowhere_else(server: Server, name: str) -> None:
    server.repository.holders[name] = (1, (f"of-{name}",))
    first = publishing.first_targets(expires=server.repository.expiry("fleet"))
    server.repository.publish(name, first, refresh=False)
    with server.repository.next("targets") as signed:
        delegate(signed, name)
    assert server.download("x/nowhere") == 1
    assert f"metadata/1.{quote(name, safe='')}.json" in server.asked
    assert server.versions()[name] == 1
    assert len(list(server.metadata.iterdir())) == 5


@pytest.mark.parametrize("status", [500, 302])
def test_a_server_s_failure_is_no_end_of_the_roots(server: Server, status: int) -> None:
    server.status["2.root.json"] = status
    assert server.refresh() == 1
    assert server.asked == ["metadata/2.root.json"]
    assert server.versions() == {"root": 1}


def test_a_root_that_did_not_sign_itself_asks_for_nothing(server: Server) -> None:
    value = json.loads((server.metadata / "root.json").read_bytes())
    value["signatures"] = value["signatures"][:1]
    (server.metadata / "root.json").write_text(json.dumps(value))
    assert server.refresh() == 1
    assert server.asked == []


@pytest.mark.parametrize("length", [-1, 1])
def test_a_target_that_is_not_what_was_signed_is_not_kept(server: Server, length: int) -> None:
    server.list("fleet", FLEET_KEYS_PATH, ["sha256"])
    server.targets = {
        name: data[:length] if length < 0 else data + b"!" for name, data in server.targets.items()
    }
    assert server.download(FLEET_KEYS_PATH) == 1
    assert server.fetched() == []
