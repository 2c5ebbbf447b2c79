"""`make demo`: it plays to its end, replaces only what is its own, and fails where it must."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from sealift_registry.client.address import ServerAddress
from sealift_registry.client.asking import Tls
from sealift_registry.client.hub import RemoteHub
from sealift_registry.demo.commands import Hands
from sealift_registry.demo.folder import MARKER, Folder, prepare
from sealift_registry.demo.story import DemoFailedError, Story
from sealift_registry.demo.training import Training
from sealift_registry.demo.voices import Silent, typed
from sealift_signing.errors import UsageError
from tests.forked_commands import ROOT, stand_ins
from tests.registry.access_served import PASSWORD

ATTACKS = {
    "wrong-variant": "refused",
    "another-site": "refused",
    "tampered-blob": "refused",
    "unapproved-at-the-hub": "refused",
    "unapproved": "held",
    "own-request-at-a-desk": "refused",
    "own-request": "held",
    "forged-list-at-the-hub": "refused",
    "forged-list": "refused",
    "swapped-draft": "refused",
}

Played = tuple[subprocess.CompletedProcess[str], Path]
"""How the demo ended, and its folder."""


def play(
    folder: Path, *before: str, module: Sequence[str] = ("sealift_registry.demo",)
) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-m", *module, "--folder", str(folder), "--json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def play_forked(folder: Path) -> subprocess.CompletedProcess[str]:
    """With commands that are forked; as they are installed, `make test-system` plays it."""
    with stand_ins(folder.with_name("stand-ins")) as programs:
        return play(folder, module=("tests.journey.forked_demo", str(programs)))


def check(done: subprocess.CompletedProcess[str], folder: Path) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    steps: list[dict[str, Any]] = told["steps"]
    assert told["schema"] == "sealift/demo/1"
    assert told["ok"]
    assert {s["name"]: s["how"] for s in steps if s["kind"] == "refusal"} == ATTACKS
    assert (folder / MARKER).is_file()
    return steps


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The demo, played once for those who look at what it left."""
    folder = tmp_path_factory.mktemp("played") / "demo"
    return play_forked(folder), folder


@pytest.mark.timeout(900)
def test_a1_01_the_demo_plays_to_its_end_and_is_left_behind(played: Played) -> None:
    done, folder = played
    steps = check(done, folder)
    figures = {s["name"]: s["values"] for s in steps if s["kind"] == "measured"}
    assert figures["rollback"]["seconds"] < 60
    for model in ("digits", "digits-boosted"):
        told = figures[f"accuracy of vision/{model}"]
        assert told["rows"] == 377
        assert told["installed"] == pytest.approx(told["original"], abs=0.01)
    refused = {s["name"]: s["sentence"] for s in steps if s["kind"] == "refusal"}
    assert "0 of the 2 approvals" in refused["unapproved"]
    assert "whoever requests does not approve" in refused["own-request"]
    assert "team.vision" in refused["forged-list"]
    assert "it holds something else" in refused["swapped-draft"]
    assert {path.name for path in folder.iterdir()} >= {
        *("hub", "people", "drafts", "medium", "site", "tampered", "sources"),
    }
    check_nobody_signs_at_the_hub(steps, folder)
    (drawn,) = (folder / "pictures").iterdir()
    assert "thresholds" in drawn.read_text(encoding="utf-8")
    assert "float32" in refused["wrong-variant"]


def check_nobody_signs_at_the_hub(steps: list[dict[str, Any]], folder: Path) -> None:
    """Everybody has one key, where they sign; only the dispatcher's is opened at the hub."""
    typed = [step["command"] for step in steps if step["kind"] == "command"]
    opened = {word for command in typed if command[0] == "sealift" for word in command}
    keys = sorted(word for word in opened if word.endswith(".pem"))
    assert keys == ["people/dispatcher-1/dispatcher-1.pem", "people/mallory/dispatcher-1.pem"]
    assert "--at-hub" not in opened
    for person in ("anna", "ben", "carla", "dora", "emil", "targets-1", "targets-2", "fleet-1"):
        place = folder / "people" / person
        assert [path.name for path in place.glob("*.pem")] == [f"{person}.pem"]
        assert any((place / "memory").iterdir())


@pytest.mark.system
@pytest.mark.timeout(900)
def test_a1_01_the_demo_plays_with_no_network_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    check(play(folder, "unshare", "-rn"), folder)


def test_a1_01_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter-1.txt").write_text("Ten years of work.")
    done = play(folder)
    assert done.returncode == 2
    assert "was not made by the demo" in json.loads(done.stderr)["error"]["what"]
    assert [path.name for path in folder.iterdir()] == ["chapter-1.txt"]


def test_an_earlier_demo_is_replaced_whole(tmp_path: Path) -> None:
    root = prepare(tmp_path / "demo").root
    installed = root / "site" / "models" / "read-only"
    installed.mkdir(parents=True)
    (installed / "model.onnx").write_bytes(b"")
    installed.chmod(0o555)
    (root / "link").symlink_to(tmp_path)
    prepare(root)
    made = {MARKER, "people", "drafts", "medium", "tampered", "sources"}
    assert {path.name for path in root.iterdir()} == made
    assert tmp_path.is_dir()


@pytest.mark.parametrize("kind", ["file", "link", "folder whose marker is a link"])
def test_what_only_looks_like_a_demo_is_left_alone(tmp_path: Path, kind: str) -> None:
    prepare(tmp_path / "real")
    given = tmp_path / "demo"
    if kind == "file":
        given.write_text("Mine.")
    elif kind == "link":
        given.symlink_to(tmp_path / "real")
    else:
        given.mkdir()
        (given / MARKER).symlink_to(tmp_path / "real" / MARKER)
    with pytest.raises(UsageError, match="was not made by the demo"):
        prepare(given)
    assert os.path.lexists(given)


def hands(tmp_path: Path) -> Hands:
    folder: Folder = prepare(tmp_path / "demo")
    return Hands(folder, Story(Silent(), 1), Training(folder))


def test_an_attack_that_is_not_refused_fails_the_demo(tmp_path: Path) -> None:
    with pytest.raises(DemoFailedError, match="succeeded, and it must be refused") as failed:
        hands(tmp_path).run("mallory", ("true",), expect=1)
    assert failed.value.exit_code == 1


def test_a_command_that_fails_fails_the_demo(tmp_path: Path) -> None:
    with pytest.raises(DemoFailedError, match="ended with exit code 1; it must be 0"):
        hands(tmp_path).run("hub", ("false",))


def test_commands_are_shown_as_a_shell_would_take_them() -> None:
    command = ("sealift", "promote", "vision/digits/1", "--reason", "it's better", "--yes")
    for width in (20, 40, 200):
        lines = typed(command, width)
        assert shlex.split("\n".join(lines).replace("\\\n", "")) == list(command)
    assert len(typed(command, 200)) == 1


# ---------------------------------------------------------------------- served


@contextmanager
def served(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`make serve` of a demo: the process, and what it said until it served."""
    module = ("-m", "sealift_registry.demo.serving", "--folder", str(folder), "--port", str(port))
    process = subprocess.Popen(
        [sys.executable, *module],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Serves the hub at"):
                break
        yield process, "".join(said)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ends(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Ctrl-C: how the server ends, and what it says last."""
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def reads(folder: Path, url: str) -> list[str]:
    """The versions that the program may see whose token lies in the file that is named."""
    name, _, value = (folder / "people/authorization").read_text().strip().partition(": ")
    answer = httpx.get(f"{url}/api/v1/versions", headers={name: value})
    assert answer.status_code == 200, answer.text
    return [one["version"] for one in answer.json()["versions"]]


def takes(url: str, invitation: str) -> str:
    """The reader takes the invitation; the code that signs them in after that."""
    hub, now = RemoteHub(ServerAddress.parse(url), Tls()), datetime.now(UTC)
    seed = hub.seed(invitation).text
    hub.take_invitation(invitation, PASSWORD, seed, pyotp.TOTP(seed).at(now))
    hub.close()
    return pyotp.TOTP(seed).at(now + timedelta(seconds=30))


def pastes(folder: Path, said: str, code: str) -> str:
    """What is shown is pasted into a shell, but for what is typed there; what that says."""
    (folder / "password").write_text(f"{PASSWORD}\n")
    shown = "\n".join(line.strip() for line in said.splitlines() if line.startswith("    "))
    lines = shown.replace("\\\n", " ").splitlines()
    others = ("curl", "sealift account take")  # which is read otherwise, and was taken
    lines = [line for line in lines if not line.startswith(others)]
    typed = {
        "login": f" --yes --code {code} --password-file {folder}/password",
        "approve": " --yes",
    }
    lines = [line + typed.get([*line.split(), ""][1], "") for line in lines]
    done = subprocess.run(
        ["bash", "-euc", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.socket
@pytest.mark.timeout(900)
def test_g2_74_make_serve_shows_the_demos_own_data_and_has_its_reader_sign(played: Played) -> None:
    folder, port = played[1], free_port()
    url = f"http://127.0.0.1:{port}"
    with served(folder, port) as (process, said):
        assert f"{url}/docs" in " ".join(said.split())
        assert "vision/digits/1" in reads(folder, url)
        assert (folder / "people/authorization").stat().st_mode & 0o077 == 0
        with served(folder, port) as (second, _):
            _, told = second.communicate(timeout=60)
            assert second.returncode == 4
            assert f"make serve ARGS='--port {port + 1}'" in told
        (invitation,) = re.findall(r"sli_\S+", said)
        told = pastes(folder, said, takes(url, invitation))
        assert "P-000004: 2 of 2 approvals" in told
        code, last = ends(process)
        assert (code, "The server has ended." in last) == (0, True)
    with served(folder, port) as (process, said):
        assert "sli_" not in said, "who has taken it is invited no more"
        assert "vision/digits/1" in reads(folder, url), "it goes on with what is there"
        assert ends(process)[0] == 0
