"""What the hub's commands show is shown at a desk with `--server`, to the letter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.cli import remote_jobs
from sealift_registry.cli.run import run
from sealift_registry.client.sessions import Sessions
from tests.registry.access_served import PASSWORD, person
from tests.registry.at_servers import AtServer, Desk, at_server
from tests.registry.http_answers import Asked
from tests.registry.hub_fixture import MODEL, STAGE, TEAM, Acme
from tests.registry.test_g3_80_jobs_seen import asked as job_asked

pytestmark = pytest.mark.socket
Capture = pytest.CaptureFixture[str]
EVERYTHING = (Grant("viewer"), Grant("auditor"), Grant("operator"), Grant("administrator"))

SHOWN = (
    "list",
    "list promotions --newest-first",
    f"list versions --model {MODEL} --limit 1",
    f"list promotions --stage {STAGE} --team {TEAM}",
    "list sites",
    "list transfers",
    "list people --limit 3",
    "list roles",
    "list hardware-targets",
    f"show {MODEL}/1",
    "show P-000001",
    "show plant-7",
    "show anna",
    "next",
    "policy",
    "sites",
    "settings",
    "team list",
    "audit list --limit 5",
    "audit list --type promotion.* --oldest-first",
    "audit list --term team=vision --since 2020-01-01",
    "job list",
    "job list --state waits --state done --kind ingest --oldest-first",
)


@pytest.fixture
def at(ready: Acme) -> Iterator[AtServer]:
    with at_server(ready) as made:
        yield made


@pytest.fixture
def at_founded(acme: Acme) -> Iterator[AtServer]:
    with at_server(acme) as made:
        yield made


def at_hub(acme: Acme, capsys: Capture, *words: str) -> tuple[int, str]:
    """What the same command says at the hub."""
    capsys.readouterr()
    code = run([*words, "--home", str(acme.root)])
    return code, capsys.readouterr().out


@pytest.mark.parametrize("line", SHOWN)
def test_g2_123_a_desk_is_shown_what_the_hub_shows(
    at: AtServer, capsys: Capture, line: str
) -> None:
    desk, words = at.desk("vera", *EVERYTHING), line.split()
    for more in ([], ["--json"]):
        said = desk.types(*words, *more)
        out = said.out.replace(f" --server {at.address}", "")
        assert (said.code, out) == at_hub(at.acme, capsys, *words, *more), said.err


def test_g2_123_a_job_is_shown_as_the_hub_shows_it(at_founded: AtServer, capsys: Capture) -> None:
    job = job_asked(at_founded.acme.app.hub).id
    desk = at_founded.desk("vera", *EVERYTHING)
    said = desk.types("job", "show", job)
    out = said.out.replace(f" --server {at_founded.address}", "")
    code, there = at_hub(at_founded.acme, capsys, "job", "show", job)
    there = there.replace(f" --home {at_founded.acme.root}", "")  # of the worker to be started
    assert (said.code, out) == (code, there)


def test_g2_123_what_is_not_there_is_said_as_at_the_hub(at: AtServer) -> None:
    desk = at.desk("vera", *EVERYTHING)
    assert desk.refused("show", "nobody-and-nothing") == "nothing-of-that-name"
    assert desk.types("show", "nobody-and-nothing").code == 3
    assert desk.refused("show", "P-000099") == "no-promotion"
    assert desk.refused("job", "show", "J-000099") == "no-job"


def test_g2_123_what_somebody_may_not_see_is_said(at: AtServer) -> None:
    nobody = at.desk("nora")
    assert nobody.refused("show", "plant-7") == "forbidden"
    assert nobody.refused("audit", "list") == "forbidden"


# ---------------------------------------------------------------------- which hub is meant


def test_g2_124_what_needs_the_hubs_disk_says_so(at_founded: AtServer) -> None:
    desk = at_founded.desk("vera", *EVERYTHING)
    for line in (
        *("init --solo", "ingest dvc x --path m --as vision/tiny", "gc", "db check", "blobs check"),
        *("audit verify", "serve", "fingerprint"),
        *("export plant-7 --to x --plan", "submit x.signed --medium x", "blobs fsck"),
    ):
        said = desk.types(*line.split(), "--json", first=True)
        assert said.error == "hub-needed", line
        assert "--home DIR" in said.json["error"]["next"]
    assert list(desk.folder.glob("sealift-hub")) == []


def test_g2_124_a_home_and_a_server_are_not_one_hub(
    at_founded: AtServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, url = at_founded.desk("vera", *EVERYTHING), str(at_founded.address)
    home = str(at_founded.acme.root)
    assert desk.refused("list", "--home", home) == "home-and-server"
    said = desk.types("--server", url, "list", "--home", home, "--json", server=False)
    assert said.error == "home-and-server"
    monkeypatch.setenv("SEALIFT_SERVER", url)
    assert desk.types("team", "list", "--json", server=False).json["stewards"]
    before = len(at_founded.asked)
    assert desk.types("team", "list", "--home", home, server=False).code == 0
    assert len(at_founded.asked) == before, "an option beats a variable"
    monkeypatch.setenv("SEALIFT_HOME", home)
    assert desk.types("team", "list", "--json", server=False).error == "home-and-server"
    assert desk.types("team", "list", "--json").code == 0


# ---------------------------------------------------------------------- signing in


def signed_in_by_hand(at: AtServer, name: str, folder: Path) -> tuple[Desk, list[str]]:
    """Somebody who took an invitation and was at no desk yet; how they sign in now."""
    who = person(at.acme, name, Grant("viewer"))
    code = who.says()["code"]
    desk = Desk(at, name, folder)
    desk.folder.mkdir()
    (folder / "password").write_text(f"{PASSWORD}\nand more\n")
    return desk, ["login", name, "--password-file", str(folder / "password"), "--code", code]


def test_g2_125_somebody_signs_in_and_out(at_founded: AtServer, tmp_path: Path) -> None:
    desk, line = signed_in_by_hand(at_founded, "vera", tmp_path / "vera")
    assert desk.refused("team", "list") == "not-signed-in"
    assert desk.refused(*line[:-1], "000000") == "sign-in-failed"
    told = desk(*line)
    assert (told["name"], told["server"]) == ("vera", str(at_founded.address))
    kept = desk.sessions.at(at_founded.address)
    assert kept is not None
    assert kept.secret not in json.dumps(told)
    path = desk.sessions.path(at_founded.address)
    assert path.stat().st_mode & 0o777 == 0o600
    assert desk("whoami")["account"] == "vera"
    assert "vera" in desk.types("whoami").out
    assert desk("team", "list")["stewards"]
    assert desk("logout")["new"]
    assert not path.exists()
    assert desk.refused("team", "list") == "not-signed-in"
    assert not desk("logout")["new"]
    desk.sessions.keep(kept)
    assert desk.refused("team", "list") == "signed-out", "it was ended there, too"
    assert desk("logout")["new"], "what has ended there is forgotten here"
    assert not path.exists()


def test_g2_125_nothing_secret_is_asked_where_nobody_can_be(
    at_founded: AtServer, tmp_path: Path
) -> None:
    desk, line = signed_in_by_hand(at_founded, "vera", tmp_path / "vera")
    assert desk.refused("login", "vera") == "nobody-to-ask"
    assert desk.refused(*line[:4]) == "nobody-to-ask"
    (desk.folder / "password").write_text("\n")
    assert desk.refused(*line) == "no-password"
    assert desk.refused(*line, "--authorities", "none.pem") == "certificate-file"
    assert not at_founded.asked


def test_g2_125_a_session_that_ended_says_how_to_sign_in(at_founded: AtServer) -> None:
    desk = at_founded.desk("vera", Grant("viewer"))
    at_founded.acme.later(days=60)
    said = desk.types("team", "list", "--json")
    assert said.error == "signed-out"
    assert f"sealift login ACCOUNT --server {at_founded.address}" in said.json["error"]["next"]


def test_g2_125_signing_in_takes_a_server(at_founded: AtServer) -> None:
    desk = at_founded.desk("vera")
    for words in (["login", "vera"], ["logout"], ["whoami"]):
        assert desk.types(*words, "--json", server=False).error == "server-needed"


# ---------------------------------------------------------------------- what a server says


def test_g2_126_what_a_server_says_is_drawn_anew(at_founded: AtServer) -> None:
    desk = at_founded.desk("vera", *EVERYTHING)

    def evil(_asked: Asked, said: dict[str, object]) -> dict[str, object]:
        return said | {"schema": "sealift/evil/1", "x": "\x1b]0;evil\x07\N{RIGHT-TO-LEFT OVERRIDE}"}

    at_founded.alters = evil
    said = desk.types("team", "list", "--json")
    assert said.json["schema"] == "sealift/team-list/1"
    assert "\x1b" not in said.out
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in said.out


def test_g2_126_a_row_that_is_left_out_ends_the_command(at_founded: AtServer) -> None:
    desk = at_founded.desk("vera", *EVERYTHING)
    row = {"code": "row-differs", "what": "It is another.", "subject": "x", "next": "Look."}

    def left_out(_asked: Asked, said: dict[str, object]) -> dict[str, object]:
        return said | {"refused": [row]}

    at_founded.alters = left_out
    assert desk.refused("team", "list") == "server-left-out"
    row["code"] = "role-handed-on"
    assert desk("team", "list")["stewards"]


def test_g2_127_a_job_is_watched_until_it_ends(
    at_founded: AtServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_asked(at_founded.acme.app.hub).id
    desk = at_founded.desk("vera", *EVERYTHING)
    monkeypatch.setattr(remote_jobs, "LOOK", 0.0)
    problem = {"code": "no-file", "what": "It is gone.", "subject": "x", "next": "Look."}
    problem_said = {**problem, "final": True, "exit_code": 3}
    standing = {"step": "read", "subject": "x", "done": 1, "total": 2, "at": "now"}
    ends: list[dict[str, object]] = [
        {"state": "failed", "problem": problem_said},
        {"state": "works", "standing": standing},
        {"state": "works", "standing": standing | {"done": "many"}},
        {},
    ]

    def stands(asked: Asked, said: dict[str, object]) -> dict[str, object]:
        return said | ends.pop() if asked.path.endswith(job) else said

    at_founded.alters = stands
    said = desk.types("job", "watch", job, "--json")
    assert (said.code, said.error, ends) == (3, "no-file", [])
    ends.append({"state": "cancelled"})
    assert desk.refused("job", "watch", job) == "job-ended"
    ends.append({"state": "done", "kind": "ingest", "result": {"version": "vision/tiny/9"}})
    assert desk("job", "watch", job) == {"schema": "sealift/ingest/1", "version": "vision/tiny/9"}


def test_g2_127_watching_that_is_stopped_stops_the_watching_alone(at_founded: AtServer) -> None:
    job = job_asked(at_founded.acme.app.hub).id
    desk = at_founded.desk("vera", *EVERYTHING)
    with mock.patch.object(remote_jobs, "sleep", side_effect=KeyboardInterrupt):
        said = desk.types("job", "watch", job)
    assert said.code == 130
    assert f"sealift job watch {job}" in said.err


def test_g2_127_sessions_are_of_the_server_that_is_named(at_founded: AtServer) -> None:
    desk = at_founded.desk("vera")
    assert Sessions.located(desk.environment).at(at_founded.address) is not None
    other = desk.types("team", "list", "--json", "--server", "https://other.example", server=False)
    assert other.error == "not-signed-in"
