"""A month of a careless administrator: what they do to a server that runs is said, and is safe.

Each week is of the real `sealift serve`. After each the log verifies, and nothing that was
acknowledged is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from sealift_registry.access import accounts, signing_in, tokens
from sealift_registry.access.calling import Grant
from sealift_registry.audit.steady import Steady
from sealift_registry.changing_jobs import look
from sealift_registry.storage import settings_file
from sealift_registry.storage.home import Home, Settings
from tests.registry.accounts_fixture import code, invited, is_let_in, signed_in
from tests.registry.hub_fixture import Acme
from tests.registry.real_workers import until
from tests.registry.served_hub import Process, serving
from tests.registry.test_g2_56_server_process import certificate, settings, trusting
from tests.registry.test_g3_80_jobs_seen import asked
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.writers_of_server import check_log

pytestmark = pytest.mark.socket
API = "/api/v1"
SOURCE = """
[sources.lab]
kind = "mlflow"
origin = "https://mlflow.example"
teams = "vision"

[exports.gate]
folder = "/media/gate"
sites = "*"
"""


@dataclass
class Served:
    """A server of the month, and somebody who administers and operates it."""

    process: Process
    headers: Mapping[str, str]
    jobs: list[str]
    said: Path
    verify: ssl.SSLContext | bool = True
    done: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:  # noqa: ANN401 - httpx's
        with httpx.Client(base_url=self.process.url, verify=self.verify, trust_env=False) as client:
            return client.request(method, path, timeout=30, headers=self.headers, **given)

    def ready(self) -> dict[str, Any]:
        """What it says of itself, looked at anew."""
        found: dict[str, Any] = self.ask("GET", "/health/ready").json()
        return found

    def write(self) -> httpx.Response:
        """Something that the log has an entry of."""
        job = self.jobs[0]
        named = {"idempotency-key": f"month-{len(self.jobs)}-{job}"}
        self.headers = {**self.headers, **named}
        answer = self.ask("POST", f"{API}/jobs/{job}/cancel")
        if answer.status_code == 200:
            self.done.append(self.jobs.pop(0))
        return answer

    def told(self) -> None:
        """It gets SIGHUP."""
        self.process.process.send_signal(signal.SIGHUP)

    def events(self, *names: str) -> list[dict[str, Any]]:
        """What its log file has of these."""
        lines = self.said.read_text().splitlines() if self.said.exists() else []
        return [one for one in map(json.loads, lines) if one["event"] in names]


class Month:
    """The hub whose month it is."""

    def __init__(self, acme: Acme, capsys: Capsys) -> None:
        self.acme = acme
        self.cli = Cli(acme, capsys)
        self._capsys = capsys
        granted = [Grant("operator"), Grant("administrator"), Grant("publisher"), Grant("viewer")]
        self.secret = signed_in(acme, "omar", *granted).secret
        self.jobs = [asked(acme.app.hub).id for _ in range(12)]
        self.done: list[str] = []
        acme.close()

    @property
    def toml(self) -> Path:
        return self.acme.root / "settings.toml"

    @contextmanager
    def serving(self, verify: ssl.SSLContext | bool = True, **environment: str) -> Iterator[Served]:
        said = self.acme.folder / "log.jsonl"
        with serving(self.acme.root, **{"SEALIFT_LOG": str(said), **environment}) as process:
            headers = {"authorization": f"Bearer {self.secret}"}
            served = Served(process, headers, self.jobs, said, verify, self.done)
            yield served

    def sets(self, section: str, **values: Any) -> None:  # noqa: ANN401 - a setting's
        """Somebody edits settings.toml."""
        settings_file.change(Home(self.acme.root, Settings()), {section: values})

    def ends(self, served: Served) -> str:
        """It is told to end; what it noted until then, and nothing of it a trace."""
        ended, out, err = served.process.ends()
        assert (ended, err) == (0, "")
        said = [json.loads(line) for line in out.splitlines()]
        return "\n".join(one["what"] for one in said if one["event"] == "noted")

    def is_whole(self) -> None:
        """The log verifies, and all that was acknowledged is so."""
        check_log(self.acme, self._capsys)
        for job in self.done:
            end = look(self.acme.app.hub, job).end
            assert end is not None
            assert end.outcome == "cancelled"
        self.acme.close()


@pytest.fixture
def month(acme: Acme, capsys: Capsys) -> Month:
    return Month(acme, capsys)


def is_so(what: Callable[[], object]) -> None:
    """It comes to be so."""
    until(lambda: bool(what()))


# ------------------------------------------------------------------------ settings


def test_g2_80_settings_that_change_while_it_runs_are_taken_up_when_it_is_told(
    month: Month,
) -> None:
    sources = f"{API}/teams/vision/sources"
    with month.serving() as served:
        assert served.ready()["settings"] == "ok"
        month.toml.write_text(month.toml.read_text() + SOURCE)
        assert served.ask("GET", sources).json() == {"sources": []}
        is_so(lambda: served.ready()["settings"] == "settings-changed")
        assert served.ready()["ready"], "it serves as before"
        served.told()
        is_so(lambda: served.ask("GET", sources).json()["sources"])
        is_so(lambda: served.ready()["settings"] == "ok")
        found = served.ask("GET", f"{API}/settings").json()["settings"]
        assert found["sources.lab"]["teams"] == "vision"
        (event,) = served.events("settings-read")
        assert "sources.lab.kind" in event["fields"]["now"]
        # A team's source is taken away, and a limit lowered.
        month.toml.write_text(month.toml.read_text().replace('"vision"', '"other"'))
        month.sets("server", requests_a_minute=2)
        served.told()
        is_so(lambda: len(served.events("settings-read")) == 2)
        assert served.ask("GET", sources).json() == {"sources": []}
        assert [served.ask("GET", sources).status_code for _ in range(3)][-1] == 429
        month.sets("server", requests_a_minute=6000)
        served.told()
        is_so(lambda: len(served.events("settings-read")) == 3)
        assert served.ask("GET", sources).status_code == 200
        err = month.ends(served)
    assert "sources.lab.origin" in err
    changes = changes_of(month)
    assert changes[-1] == {"server.requests_a_minute": {"before": "2"}}
    assert changes[-2]["sources.lab.teams"] == {"before": "vision", "after": "other"}
    assert changes[-2]["server.requests_a_minute"]["after"] == "2"
    assert changes[-3]["sources.lab.origin"]["after"].startswith("sha256:"), "the log travels"
    month.is_whole()


def changes_of(month: Month) -> list[dict[str, Any]]:
    """What the log says of settings, oldest first."""
    said = month.cli.json("audit", "list", "--type", "hub.settings-changed")["entries"]
    month.acme.close()
    return [one["data"]["changed"] for one in reversed(said)]


def test_g2_80_a_broken_file_changes_nothing_and_is_said(month: Month) -> None:
    month.toml.write_text(month.toml.read_text() + SOURCE)
    before = month.toml.read_text()
    broken = {
        "[server\n": "bad-settings",
        "\n[sever]\nport = 1\n": "unknown-setting",
        '\n[sources.new]\nkind = "http"\n': "bad-setting",
    }
    with month.serving() as served:
        for number, (text, code) in enumerate(broken.items(), 1):
            month.toml.write_text(before + text)
            served.told()
            is_so(partial(lambda number: len(served.events("settings-unread")) == number, number))
            is_so(partial(lambda code: served.ready()["settings"] == code, code))
            assert served.ready()["ready"]
            assert served.ask("GET", f"{API}/teams/vision/sources").json()["sources"]
            assert served.write().status_code == 200
        month.toml.chmod(0o644)
        month.toml.unlink()
        is_so(lambda: served.ready()["settings"] == "no-hub")
        assert served.write().status_code == 200
        err = month.ends(served)
    assert err.count("The server goes on by the settings that it had.") == len(broken)
    assert "at line " in err
    month.toml.write_text(before + "[server\n")
    ended, _, err = month.cli("serve", "--port", "0")
    assert ended == 2
    assert "at line " in err
    assert "Next:" in err
    month.toml.write_text(before)
    month.is_whole()


def test_g2_81_what_takes_a_start_waits_for_it_and_is_said(month: Month) -> None:
    with month.serving() as served:
        month.sets("server", port=9999, trusted_proxies="10.0.0.5")
        is_so(lambda: served.ready()["settings"] == "settings-need-start")
        served.told()
        is_so(lambda: served.events("settings-read"))
        (event,) = served.events("settings-read")
        assert event["fields"] == {"now": [], "later": ["server.port", "server.trusted_proxies"]}
        assert served.ready()["settings"] == "settings-need-start"
        shown = served.ask("GET", f"{API}/settings").json()["settings"]["server"]
        assert shown["trusted_proxies"] == "", "it tells what it goes by"
        err = month.ends(served)
    assert "From its next start it goes by: server.port, server.trusted_proxies." in err
    with month.serving() as again:
        assert again.ready()["settings"] == "ok"
        month.ends(again)
    assert changes_of(month)[-1]["server.trusted_proxies"]["after"] == "10.0.0.5"
    month.is_whole()


def test_g2_82_a_home_that_is_moved_under_it_is_written_to_no_more(month: Month) -> None:
    home, elsewhere = month.acme.root, month.acme.folder / "elsewhere"
    with month.serving() as served:
        assert served.write().status_code == 200
        home.rename(elsewhere)
        answer = served.write()
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "database-replaced"
        is_so(lambda: served.ready()["checks"]["log"] == "database-replaced")
        elsewhere.rename(home)
        is_so(lambda: served.ready()["ready"])
        assert served.write().status_code == 200
        month.ends(served)
    month.is_whole()


# -------------------------------------------------------------------- certificates


def test_g2_83_certificates_run_out_and_are_renewed_badly(month: Month, tmp_path: Path) -> None:
    path = certificate(tmp_path, "server", days=-1)
    careless = ssl.create_default_context()
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    with month.serving(careless, **settings(path)) as served:
        assert served.ready()["checks"]["certificate"] == "certificate-expired"
        assert served.ask("GET", "/health/ready").status_code == 503
        key, expired = path.with_suffix(".key"), path.read_bytes()
        first = key.read_bytes()
        # A new certificate, and the key of before: neither is taken, and it goes on.
        certificate(tmp_path, "server")
        renewed, second = path.read_bytes(), key.read_bytes()
        key.write_bytes(first)
        served.told()
        is_so(lambda: len(served.events("certificate-unreadable")) == 1)
        assert served.ask("GET", "/health/live").status_code == 200, "it still has both of before"
        key.unlink()
        served.told()
        is_so(lambda: len(served.events("certificate-unreadable")) == 2)
        path.write_bytes(b"")
        served.told()
        is_so(lambda: len(served.events("certificate-unreadable")) == 3)
        assert served.ready()["checks"]["certificate"] == "certificate-expired"
        path.write_bytes(renewed)
        key.write_bytes(second)
        key.chmod(0o644)
        served.told()
        is_so(lambda: served.events("certificate-renewed"))
        served.verify = trusting(path)
        is_so(lambda: served.ready()["ready"])
        assert served.write().status_code == 200
        err = month.ends(served)
    assert expired != renewed
    assert err.count("goes on with the one that it had") == 3
    assert "Every user of this machine can read" in err
    assert "chmod o-rwx" in err
    month.is_whole()


def test_g2_83_a_ca_that_is_gone_is_said_at_the_next_start(
    month: Month, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, above = certificate(tmp_path, "server"), certificate(tmp_path, "above")
    ours = certificate(tmp_path, "ours", by=above)
    with month.serving(trusting(path, ours), **settings(path, above)) as served:
        above.unlink()
        served.told()
        is_so(lambda: served.events("certificate-renewed"))
        assert served.write().status_code == 200
        month.ends(served)
    for name, value in settings(path, above).items():
        monkeypatch.setenv(name, value)
    ended, _, err = month.cli("serve", "--port", "0")
    assert ended == 4
    assert f"server.client_ca names {above}" in err
    for name in settings(path, above):
        monkeypatch.delenv(name)
    month.is_whole()


# --------------------------------------------------------------------------- clock


@pytest.mark.parametrize("days", [365, -365, 2, -2])
def test_g2_84_by_a_clock_that_was_set_nothing_is_signed(month: Month, days: int) -> None:
    machine = month.acme.folder / "clock"
    machine.write_text("0")
    with month.serving(CLOCK=str(machine)) as served:
        assert served.write().status_code == 200
        machine.write_text(str(days * 86_400))
        answer = served.write()
        said = answer.status_code, answer.json()["code"]
        if days > 0:  # by that clock nobody is signed in any more
            assert said == (401, "signed-out")
        else:
            assert said == (409, "clock-stepped")
            assert "start the server anew" in answer.json()["next"]
        is_so(lambda: served.ready()["checks"]["log"] == "clock-stepped")
        # By a clock that is ahead everything that slows guessing down would be forgotten.
        signing_in = {"account": "omar", "password": "x" * 12, "code": "000000", "for": "desk"}
        refused = served.ask("POST", f"{API}/session", json=signing_in)
        assert (refused.status_code, refused.json()["code"]) == (409, "clock-stepped")
        machine.write_text("0")
        is_so(lambda: served.ready()["ready"])
        assert served.write().status_code == 200
        month.ends(served)
    month.is_whole()


def test_g2_84_a_clock_that_fell_back_lengthens_nothing(month: Month) -> None:
    """An hour goes by without a request while the clock falls back by as much."""
    acme = month.acme
    real, gone, off = acme.app.hub.log.clock, [0.0], [0.0]
    acme.app.hub.log.clock = lambda: real() + timedelta(seconds=gone[0] + off[0])
    acme.app.hub.log.steady = Steady(real(), lambda: gone[0])
    invitation = invited(acme, "anna").secret
    accounts.invite(acme.app.hub, "ci", "service", (), "root")
    token = tokens.make(acme.app.hub, "ci", ["version.read"], "", "root", 1).secret
    day = signed_in(acme, "omar").secret
    assert is_let_in(acme, day)
    gone[0], off[0] = 3601.0, -3600.0
    assert not is_let_in(acme, day), "it was not used for an hour"
    fresh = signed_in(acme, "omar").secret
    assert is_let_in(acme, fresh), "whoever signs in now is in"
    gone[0], off[0] = 86_400.0 - 1800, -3600.0
    assert is_let_in(acme, token, "token")
    signing_in.new_seed(acme.app.hub, invitation)
    gone[0] = 86_400.0 + 1
    assert not is_let_in(acme, token, "token")
    assert code(lambda: signing_in.new_seed(acme.app.hub, invitation)) == "no-invitation"
    acme.close()


def test_g2_84_a_stated_date_is_the_date_of_the_start(month: Month) -> None:
    """Whoever starts a server with --today states one day, and the server runs for a month."""
    log = month.acme.app.hub.log
    elapsed = [0.0]
    log.steady, log.stated = Steady(log.clock(), lambda: elapsed[0]), log.clock().date()
    real = log.clock
    log.clock = lambda: real() + timedelta(seconds=elapsed[0])
    elapsed[0] = 30 * 86_400.0
    month.acme.app.hub.log.commit_entry(month.acme.app.hub.entry("role.renewed", "hub", {}))
    month.acme.close()


# ----------------------------------------------------------------- the home, the log


def test_g2_85_of_two_servers_the_second_is_told_who_has_it(month: Month) -> None:
    with month.serving() as served:
        ended, _, err = month.cli("serve", "--port", "0")
        assert ended == 1
        assert f"process {served.process.process.pid}" in err or "is served already (" in err
        assert served.write().status_code == 200
        served.process.process.kill()
        served.process.process.wait()
    with month.serving() as again:
        assert again.write().status_code == 200
        month.ends(again)
    month.is_whole()


def test_g2_86_a_home_that_was_opened_to_all_is_closed_and_that_is_said(month: Month) -> None:
    def opens() -> None:
        for path in [month.acme.root, *month.acme.root.rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o666)

    opens()
    _, _, err = month.cli("audit", "verify")
    assert "Closed" in err or "closed" in err, err
    month.acme.close()
    opens()
    os.umask(0)
    try:
        with month.serving() as served:
            assert served.write().status_code == 200
            month.ends(served)
    finally:
        os.umask(0o022)
    for path in (month.acme.root, month.acme.root / "keys", month.acme.root / "sealift.db"):
        assert not path.stat().st_mode & 0o077, path
    month.is_whole()


def test_g2_87_last_weeks_database_under_a_server_is_not_written_to(month: Month) -> None:
    database, backup = month.acme.root / "sealift.db", month.acme.folder / "backup.db"
    shutil.copy(database, backup)
    kept = month.acme.folder / "kept.db"
    with month.serving() as served:
        assert served.write().status_code == 200
        database.rename(kept)
        backup.rename(database)
        answer = served.write()
        assert (answer.status_code, answer.json()["code"]) == (503, "database-replaced")
        is_so(lambda: served.ready()["checks"]["log"] == "database-replaced")
        kept.replace(database)
        assert served.write().status_code == 200
        month.ends(served)
    month.is_whole()


def test_g2_87_last_weeks_database_between_two_runs_signs_nothing(month: Month) -> None:
    database = month.acme.root / "sealift.db"
    backup = month.acme.folder / "backup.db"
    shutil.copy(database, backup)
    with month.serving() as served:
        assert served.write().status_code == 200
        month.ends(served)
    newest = database.read_bytes()
    shutil.copy(backup, database)
    with month.serving() as served:
        assert served.ready()["checks"]["log"] == "hub-restored"
        answer = served.write()
        assert (answer.status_code, answer.json()["code"]) == (409, "hub-restored")
        assert "lost-and-found" in answer.json()["next"]
        month.ends(served)
    database.write_bytes(newest)
    with month.serving() as served:
        assert served.ready()["ready"]
        assert served.write().status_code == 200
        month.ends(served)
    month.is_whole()


def test_g2_88_a_log_file_that_is_rotated_or_removed_goes_on_when_it_is_told(month: Month) -> None:
    with month.serving() as served:
        old = served.said.with_name("log.jsonl.1")
        served.said.rename(old)
        assert served.write().status_code == 200
        is_so(lambda: '"/api/v1/jobs/{job}/cancel"' in old.read_text())
        served.told()
        is_so(lambda: served.events("settings-read"))
        assert served.write().status_code == 200
        is_so(lambda: served.events("request-answered"))
        size = old.stat().st_size
        served.said.unlink()
        served.said.mkdir()
        served.told()
        assert served.write().status_code == 200
        assert old.stat().st_size == size
        served.said.rmdir()
        err = month.ends(served)
    assert "The log file could not be opened anew" in err
    month.is_whole()


def test_g2_89_who_took_the_last_administrator_away_gets_in_again_at_the_shell(
    month: Month,
) -> None:
    with month.serving() as served:
        ended, _, said = month.cli("account", "disable", "omar")
        assert ended == 0
        assert "Nobody administers accounts by the server any more" in said
        assert "sealift account recover omar" in said
        assert served.ask("GET", f"{API}/me").status_code == 401
        ended, out, err = month.cli("account", "recover", "omar")
        assert ended == 0, err
        assert "sli_" in out or "invitation" in out.lower()
        month.acme.close()
        month.ends(served)
    assert not is_let_in(month.acme, month.secret)
    month.is_whole()


def test_g2_89_a_database_of_a_newer_release_is_not_served(month: Month) -> None:
    month.acme.sql("UPDATE alembic_version SET version_num = '9999'")
    month.acme.close()
    ended, _, err = month.cli("serve", "--port", "0")
    assert ended == 4
    assert "knows only" in err
    assert "Next:" in err
