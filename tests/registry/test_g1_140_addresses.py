"""Where a database's address leads to, who may be there, and what people are told of it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest
from sqlalchemy import text

from compose import role_passwords
from sealift_registry.cli.run import run
from sealift_registry.storage import postgres_address, postgres_words
from sealift_registry.storage.postgres_address import (
    NEVER_SHOWN,
    connecting,
    noted,
    of_argument,
    parse_url,
    shown,
    way,
)
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.errors import FailedError, UsageError
from tests.servers.fronts import HOST, Front, certificate
from tests.servers.postgres import Database, PostgresServer, starting

APPLICATION = "sealift_app"
SECRET = "correct-horse-battery"
FAR = f"postgresql://{APPLICATION}@{HOST}/hub"


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable of whoever tests, and a home of their own, which has no certificates."""
    import os

    for name in [one for one in os.environ if one.startswith("PG")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with starting() as server:
        yield server


@pytest.fixture
def there(server: PostgresServer) -> Database:
    return server.migrated()


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificates"))


def refused(code: str, url: str) -> FailedError:
    """What whoever goes to `url` is told, in one line."""
    with closing(PostgresDatabase(url)) as database, pytest.raises(FailedError) as caught:
        database.check_exists()
    bad = caught.value
    assert bad.code == code, bad
    assert bad.next_step
    assert "\n" not in bad.what
    assert SECRET not in f"{bad.what} {bad.next_step}"
    return bad


def goes(url: str) -> str:
    with closing(PostgresDatabase(url)) as database:
        database.check_exists()
        return database.where


def chosen(url: str) -> tuple[str | None, str | None]:
    found = connecting(parse_url(url))
    return found.get("sslmode"), found.get("require_auth")


def with_password(url: str) -> str:
    return url.replace("@", f":{SECRET}@", 1)


# ---------------------------------------------------------------------- who may be there


@pytest.mark.parametrize(
    "url,mode",
    [
        (FAR, "require"),
        ("postgresql://a@192.0.2.1/x", "require"),
        ("postgresql://a@[2001:db8::1]/x", "require"),
        ("postgresql://a@/x?host=db.example", "require"),
        ("postgresql://a@/x?hostaddr=192.0.2.1", "require"),
        ("postgresql://a@localhost/x?hostaddr=192.0.2.1", "require"),
        ("postgresql://a@db.example/x?hostaddr=127.0.0.1", "require"),
        ("postgresql://a@/x?host=/run/postgresql,db.example", "require"),
        ("postgresql://a@localhost.example/x", "require"),
        ("postgresql://a@/x", "prefer"),
        ("postgresql://a@localhost/x", "prefer"),
        ("postgresql://a@127.3.2.1/x", "prefer"),
        ("postgresql://a@[::1]/x", "prefer"),
        ("postgresql://a@/x?host=/run/postgresql", "prefer"),
    ],
)
def test_g1_140_over_a_network_tls_is_asked_for(url: str, mode: str) -> None:
    """And no password is given to whoever is there, in a way that they could use."""
    assert chosen(url) == (mode, NEVER_SHOWN)


def test_g1_140_a_root_certificate_is_for_verifying(
    monkeypatch: pytest.MonkeyPatch, nothing_around: Path
) -> None:
    near = "postgresql://a@localhost/x"
    verified = ("verify-full", None)
    assert chosen(f"{FAR}?sslrootcert=/etc/root.crt") == verified
    assert chosen(f"{near}?sslrootcert=/etc/root.crt") == verified
    monkeypatch.setenv("PGSSLROOTCERT", "/etc/root.crt")
    assert chosen(FAR) == verified
    assert chosen(near) == ("prefer", NEVER_SHOWN)
    monkeypatch.delenv("PGSSLROOTCERT")
    (nothing_around / ".postgresql").mkdir()
    (nothing_around / ".postgresql/root.crt").write_text("x", encoding="utf-8")
    assert chosen(FAR) == verified
    # A socket has no TLS, whatever is said: nobody is verified there.
    assert chosen("postgresql://a@/x?host=/run&sslmode=verify-full")[1] == NEVER_SHOWN


def test_g1_140_what_is_said_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for mode in ("disable", "allow", "prefer", "verify-ca"):
        assert chosen(f"{FAR}?sslmode={mode}")[0] == mode
        monkeypatch.setenv("PGSSLMODE", mode)
        assert chosen(FAR)[0] == mode
        monkeypatch.delenv("PGSSLMODE")
    assert chosen(f"{FAR}?require_auth=md5") == ("require", "md5")
    assert chosen(f"{FAR}?channel_binding=require") == ("require", None)
    monkeypatch.setenv("PGREQUIREAUTH", "password")
    assert chosen(FAR) == ("require", "password")
    monkeypatch.delenv("PGREQUIREAUTH")
    service = tmp_path / "service.conf"
    service.write_text("[hub]\nsslmode=disable\n", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    monkeypatch.setenv("PGSERVICE", "hub")
    assert chosen(FAR)[0] == "disable"


CALLED = {"cleartext": "password", "md5": "md5"}
"""What libpq calls ways to ask for a password."""


@pytest.mark.socket
@pytest.mark.parametrize("asks", ["cleartext", "md5"])
@pytest.mark.parametrize("speaks", [False, True])
def test_g1_141_who_pretends_to_be_the_server_gets_no_password(
    certified: Path,
    asks: Literal["cleartext", "md5"],
    speaks: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Front(certificate=certified if speaks else None, asks=asks) as rogue:
        code = "database-open-password" if speaks else "database-no-tls"
        refused(code, with_password(rogue.url()))
        refused("database-open-password", with_password(rogue.url(sslmode="prefer")))
        refused("database-open-password", with_password(rogue.url(host="localhost")))
        verifying = with_password(rogue.url(sslrootcert="/nowhere/root.crt"))
        unverified = "database-untrusted" if speaks else "database-no-tls"
        refused(unverified, verifying)
        # libpq verifies by `require` where that file is there, and nobody where it is not.
        gone = {"sslmode": "require", "sslrootcert": "/nowhere/root.crt"}
        refused(unverified, with_password(rogue.url(**gone)))
        monkeypatch.setenv("PGSSLROOTCERT", gone["sslrootcert"])
        refused(unverified, with_password(rogue.url(sslmode="require")))
        monkeypatch.setenv("PGSSLMODE", "require")
        refused(unverified, with_password(rogue.url()))
        monkeypatch.delenv("PGSSLMODE")
        monkeypatch.delenv("PGSSLROOTCERT")
        assert rogue.got == []
        # Who says that it is meant so is taken at their word: this is what it would have got.
        meant = rogue.url(sslmode="prefer", require_auth=CALLED[asks])
        refused("database-login", with_password(meant))
        (got,) = set(rogue.got)  # by libpq's prefer it is asked twice
        assert (got == SECRET.encode()) is (asks == "cleartext")


@pytest.mark.socket
def test_g1_142_tls_and_what_is_wrong_with_it(
    there: Database, certified: Path, tmp_path: Path
) -> None:
    with Front(there.server, certified) as front:
        assert goes(front.url(there.name)) == (
            f"postgresql://{APPLICATION}@{HOST}:{front.port}/{there.name}?hostaddr=127.0.0.1"
        )
        goes(front.url(there.name, sslrootcert=str(certified)))
        assert front.by_tls == [True, True]
        other = certificate(tmp_path, "other.example")
        refused("database-untrusted", front.url(there.name, sslrootcert=str(other)))
        bad = refused(
            "database-other-name",
            front.url(there.name, host="db2.example", sslrootcert=str(certified)),
        )
        assert "db2.example" in bad.what
        client = {"sslcert": str(certified), "sslkey": str(tmp_path / "nowhere")}
        refused("database-tls", front.url(there.name, **client))
        assert front.by_tls == [True, True]
    with Front(there.server) as plain:
        refused("database-no-tls", plain.url(there.name))
        goes(plain.url(there.name, sslmode="disable"))
        assert plain.by_tls == [False]


@pytest.mark.socket
def test_g1_141_nor_does_it_get_an_administrator_s(
    there: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By what compose/setup does with the passwords of roles; and that it does it."""
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:*:postgres:{SECRET}\n*:*:*:{APPLICATION}:another\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    with Front(asks="cleartext") as rogue:
        for more in ({}, {"sslmode": "prefer"}):
            with pytest.raises(psycopg.OperationalError):
                role_passwords.main(rogue.url(user="postgres", **more), file)
        assert rogue.got == []
    role_passwords.main(there.url(), file)
    there.run(f"ALTER ROLE {APPLICATION} PASSWORD NULL")


def findings(url: str) -> list[str]:
    with closing(PostgresDatabase(url)) as database, database.reading() as connection:
        return [one.what for one in way(connection)]


@pytest.mark.socket
def test_g1_143_the_check_tells_a_way_that_others_could_be_on(
    there: Database, certified: Path
) -> None:
    """Unless somebody chose it in so many words: health checks go by this."""
    assert findings(there.url(APPLICATION)) == []
    with Front(there.server, certified) as front:
        (what,) = findings(front.url(there.name))
        assert "its certificate is not verified" in what
        assert HOST in what
        (what,) = findings(front.url(there.name, sslmode="prefer"))
        assert "not verified" in what
        assert findings(front.url(there.name, sslmode="require")) == []
        assert findings(front.url(there.name, sslrootcert=str(certified))) == []
        assert findings(front.url(there.name, sslmode="disable")) == []
        assert findings(front.url(there.name, host="localhost")) == []
    with Front(there.server) as plain:
        (what,) = findings(plain.url(there.name, sslmode="prefer"))
        assert "without TLS" in what
        assert findings(plain.url(there.name, sslmode="disable")) == []
        assert findings(plain.url(there.name, host="localhost")) == []


@pytest.mark.socket
def test_g1_143_the_command_tells_it(
    there: Database,
    certified: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEALIFT_HOME", str(tmp_path / "hub"))
    with Front(there.server, certified) as front:
        for mode, told in (({}, True), ({"sslmode": "disable"}, False)):
            run(["db", "check", "--as", front.url(there.name, **mode), "--json"])
            answer = json.loads(capsys.readouterr().out)
            assert ("sslrootcert" in {one["where"] for one in answer["findings"]}) is told


# ---------------------------------------------------------------------- what an address says


@pytest.mark.parametrize(
    "url,named",
    [
        (f"{FAR}?sslmod=verify-full", "sslmod"),
        (f"{FAR}?SSLMODE=verify-full", "SSLMODE"),
        (f"{FAR}?prepare_threshold=0", "prepare_threshold"),
        (f"{FAR}?row_factory=x", "row_factory"),
        (f"{FAR}?options=-c%20search_path%3Devil", "options"),
        (f"{FAR}?application_name=x", "application_name"),
        (f"{FAR}?service=other", "service"),
        (f"{FAR}?user=postgres", "user"),
        (f"{FAR}?password={SECRET}", "password"),
        (f"{FAR}?dbname=other", "dbname"),
        (f"{FAR}?host=elsewhere", "host"),
        ("postgresql://a@/x?host=h1,h2,h3&port=1,2", "port"),
        ("postgresql://a@h:1/x?port=2", "port"),
        ("postgresql://a@/x?host=h1&host=h2", "host"),
        (f"{FAR}?sslmode=require&sslmode=disable", "sslmode"),
        (f"{FAR}?sslmode=verify", "sslmode"),
        (f"{FAR}?target_session_attrs=rw", "target_session_attrs"),
        (f"{FAR}?connect_timeout=0", "connect_timeout"),
        (f"{FAR}?connect_timeout=3600", "connect_timeout"),
        (f"{FAR}?connect_timeout=soon", "connect_timeout"),
        ("postgresql://a@h:0/x", "port"),
        ("postgresql://a@h:65536/x", "port"),
        ("postgresql://a@/x?host=h&port=0", "port"),
        ("postgresql://a@/x?host=h&port=http", "port"),
        ("postgresql://a@/x?host=h:5433", "port"),
        ("postgresql://a@/x?host=h1,h2&port=1,2,3", "port"),
        ("postgresql://a@h1,h2:5433/x", "port"),
        ("postgresql://a@h1:1,h2:2/x", ""),
        ("postgresql://a%00b@h/x", "character"),
        ("postgresql://a:b%00@h/x", "character"),
        ("postgresql://a@h\0/x", "character"),
        ("postgresql://a@h/x\0", "character"),
        (f"{FAR}?sslrootcert=/a%00b", "character"),
        (f"{FAR}?sslrootcert=/a%0Ahost=evil", "character"),
        ("postgresql://a\udcff@h/x", "character"),
        ("postgresql://a@h/\udcff", "character"),
        ("postgresql://a@h..example/x", "host"),
        (f"postgresql://a@/x?host=h,{'h' * 64}.example", "host"),
        ("postgresql+psycopg://a@h/x", ""),
        ("postgresql://a@h", ""),
        ("sqlite:///x", ""),
        ("", ""),
    ],
)
def test_g1_144_an_address_says_only_what_means_something(url: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_url(url, "--as")
    assert caught.value.code == "bad-database-url"
    assert caught.value.subject == "--as"
    assert "--as" in caught.value.what
    assert named in caught.value.what
    assert SECRET not in f"{caught.value.what} {caught.value.next_step}"


@pytest.mark.parametrize(
    "around,url,told",
    [
        ({}, FAR, FAR),
        ({}, with_password(FAR), FAR),
        ({}, f"{FAR}?sslmode=verify-full&sslkey=/k", FAR),
        ({}, "postgresql://a@h:5432/x", "postgresql://a@h/x"),
        ({}, "postgresql://a@h:5433/x", "postgresql://a@h:5433/x"),
        ({}, "postgresql://a@/x?host=h&port=5433", "postgresql://a@h:5433/x"),
        (
            {},
            "postgresql://a@/x?host=/run/pg&port=5433",
            "postgresql://a@/x?host=/run/pg&port=5433",
        ),
        ({}, "postgresql://a@h1,h2/x", "postgresql://a@/x?host=h1,h2"),
        (
            {},
            "postgresql://a@/x?host=h1,h2&port=1,2",
            "postgresql://a@/x?host=h1,h2&port=1,2",
        ),
        ({}, "postgresql://a@[::1]:5433/x", "postgresql://a@[::1]:5433/x"),
        ({}, "postgresql://a@/x?host=::1", "postgresql://a@[::1]/x"),
        ({"PGHOST": "h"}, "postgresql://a@/x", "postgresql://a@h/x"),
        ({}, "postgresql://a@/x?port=5433", "postgresql://a@/x?port=5433"),
        ({"PGHOST": "elsewhere"}, "postgresql://a@h/x", "postgresql://a@h/x"),
        ({"PGPORT": "5433"}, "postgresql://a@h/x", "postgresql://a@h:5433/x"),
        ({"PGPORT": "5433"}, "postgresql://a@h:5432/x", "postgresql://a@h:5432/x"),
        (
            {"PGHOSTADDR": "192.0.2.1"},
            "postgresql://a@h/x",
            "postgresql://a@h/x?hostaddr=192.0.2.1",
        ),
        ({"PGUSER": "b"}, "postgresql://h/x", "postgresql://b@h/x"),
    ],
)
def test_g1_145_the_host_that_is_gone_to_is_told(
    monkeypatch: pytest.MonkeyPatch, around: dict[str, str], url: str, told: str
) -> None:
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    assert shown(parse_url(url)) == told
    assert shown(parse_url(told)) == told  # what is told can be given again
    with closing(PostgresDatabase(url)) as database:
        arguments = dict(database.engine.dialect.create_connect_args(database.url)[1])
    assert (arguments | connecting(database.url)).get("host", "") in told


def test_g1_145_a_variable_that_nobody_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("\udcfe", "h..example"):
        monkeypatch.setenv("PGHOST", value)
        with pytest.raises(UsageError, match="PGHOST says"):
            PostgresDatabase("postgresql://a@/x")
    monkeypatch.delenv("PGHOST")
    for value in ("http", "0", "5432,x"):
        monkeypatch.setenv("PGPORT", value)
        with pytest.raises(UsageError, match="PGPORT says"):
            PostgresDatabase("postgresql://a@/x")
    monkeypatch.delenv("PGPORT")
    monkeypatch.setenv("PGUSER", "\udcfe")
    assert shown(parse_url("postgresql://h/x")).endswith("@h/x")


def test_g1_145_a_service_file_and_what_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "service.conf"
    file.write_text("[hub]\nhost=elsewhere.example\nport=5433\n", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv("PGSERVICE", "hub")
    there = parse_url("postgresql://a@/x")
    assert shown(there) == "postgresql://a@elsewhere.example:5433/x"
    assert {"host": "elsewhere.example", "sslmode": "require"}.items() <= connecting(there).items()
    monkeypatch.setenv("PGSERVICE", "none")
    refused("database-parameter", "postgresql://a@/x")


@pytest.mark.socket
def test_g1_148_what_does_not_fit_together_is_told() -> None:
    for query in (
        "sslnegotiation=direct",
        "require_auth=x",
        "sslrootcert=system&sslmode=require",
        "hostaddr=nonsense",
        "hostaddr=127.0.0.1,127.0.0.2",
    ):
        refused("database-parameter", f"postgresql://a@127.0.0.1:1/x?{query}")


@pytest.mark.socket
def test_g1_145_a_connection_goes_where_is_told(
    there: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the whole of it: SQLAlchemy, psycopg and libpq."""
    folder, port = there.server.address
    name = there.name
    told = f"postgresql://{APPLICATION}@/{name}?host={folder}"
    assert goes(f"postgresql://{APPLICATION}@/{name}?host={folder}&port={port}") == told
    monkeypatch.setenv("PGHOST", folder)
    assert goes(f"postgresql://{APPLICATION}@/{name}") == told
    monkeypatch.delenv("PGHOST")
    with Front(there.server) as front:
        url = f"postgresql://{APPLICATION}@/{name}?host=/nowhere,localhost&port=1,{front.port}"
        goes(url)
        monkeypatch.setenv("PGPORT", str(front.port))
        goes(f"postgresql://{APPLICATION}@127.0.0.1/{name}")
        goes(f"postgresql://{APPLICATION}@/{name}?host=127.0.0.1")
        assert front.by_tls == [False] * 3


def test_g1_145_what_is_kept_of_an_address_is_all_but_secrets() -> None:
    kept = f"{FAR}?sslmode=verify-full&sslkey=/k"
    assert noted(parse_url(with_password(kept).replace("/k", f"/k&sslpassword={SECRET}"))) == (
        noted(parse_url(kept))
    )


def test_g1_145_what_is_kept_says_the_host_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads where a hub went to has other variables."""
    unsaid = parse_url("postgresql://a@/x")
    for url in (FAR, "postgresql://a@h:5433/x", "postgresql://a@/x?host=/run&port=5433"):
        assert parse_url(noted(parse_url(url))) == parse_url(url)
    monkeypatch.setenv("PGHOST", "db2.example")
    monkeypatch.setenv("PGPORT", "5433")
    kept = noted(unsaid)
    monkeypatch.delenv("PGHOST")
    monkeypatch.delenv("PGPORT")
    assert shown(parse_url(kept)) == "postgresql://a@db2.example:5433/x"
    assert shown(unsaid) == "postgresql://a@/x"


def test_g1_146_how_long_is_waited_is_as_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(url: str = FAR) -> int:
        found: int = connecting(parse_url(url))["connect_timeout"]
        return found

    assert seconds() == postgres_address.UNTIL_ANSWER
    assert seconds(f"{FAR}?connect_timeout=3") == 3
    assert seconds(f"{FAR}?connect_timeout=60") == 60
    for said, waited in (("4", 4), ("0", 10), ("86400", 120), ("x", 10)):
        monkeypatch.setenv("PGCONNECT_TIMEOUT", said)
        assert seconds() == waited
        assert seconds(f"{FAR}?connect_timeout=3") == 3


@pytest.mark.socket
def test_g1_146_a_server_that_never_answers_is_waited_for_as_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        refused("database-unreachable", f"postgresql://a@127.0.0.1:{port}/x?connect_timeout=2")
        assert time.monotonic() - began < postgres_address.UNTIL_ANSWER


# ---------------------------------------------------------------------- passwords on command lines


@pytest.mark.parametrize(
    "words,option",
    [
        (["db", "init", "--run", "--as"], "--as"),
        (["db", "upgrade", "--as"], "--as"),
        (["db", "check", "--as"], "--as"),
        (["migrate", "--to-database"], "--to-database"),
        (["init", "--solo", "--database"], "--database"),
    ],
)
@pytest.mark.parametrize("url", [with_password(FAR), f"{FAR}?sslpassword={SECRET}"])
def test_g1_147_no_password_on_a_command_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    option: str,
    url: str,
) -> None:
    home = tmp_path / "hub"
    monkeypatch.setenv("SEALIFT_HOME", str(home))
    assert run([*words, url, "--json"]) == 2
    said = capsys.readouterr()
    error = json.loads(said.err)["error"]
    assert (error["code"], error["subject"]) == ("password-in-argument", option)
    assert "PGPASSFILE" in error["next"]
    assert SECRET not in said.err + said.out
    assert not home.exists()


def test_g1_147_every_option_for_an_address_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt key is told by the option that has it, and an address without secrets is taken."""
    assert of_argument(FAR, "--as").host == HOST
    monkeypatch.setenv("SEALIFT_HOME", str(tmp_path / "hub"))
    for words in (["db", "check", "--as"], ["init", "--solo", "--database"]):
        assert run([*words, f"{FAR}?sslmod=x", "--json"]) == 2
        error = json.loads(capsys.readouterr().err)["error"]
        assert (error["code"], error["subject"]) == ("bad-database-url", words[-1])
    monkeypatch.setenv("SEALIFT_DATABASE__MIGRATOR", f"{FAR}?sslmod=x")
    assert run(["db", "upgrade", "--json"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["subject"] == "database.migrator"


def test_g1_147_a_variable_may_hold_one(
    there: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALIFT_HOME", str(tmp_path / "hub"))
    url = there.url("sealift_migrator")
    monkeypatch.setenv("SEALIFT_DATABASE__MIGRATOR", with_password(url))
    assert run(["db", "upgrade"]) == 0


# ---------------------------------------------------------------------- words


@pytest.mark.socket
def test_g1_148_a_host_that_is_not_known_is_not_waited_for() -> None:
    bad = refused("database-no-host", "postgresql://a@db.invalid/x")
    assert "db.invalid" in bad.what
    assert "database.url" in bad.next_step
    assert "option" in bad.next_step


@pytest.mark.socket
def test_g1_148_each_place_that_was_tried_is_told_once() -> None:
    bad = refused("database-unreachable", "postgresql://a@/x?host=127.0.0.1,localhost&port=1,2")
    assert bad.what.count("port 1 failed: Connection refused") == 1
    assert bad.what.count("port 2 failed: Connection refused") == 1
    for not_said in ("Multiple", "Is the server running", "hostaddr", "connection failed"):
        assert not_said not in bad.what
    bad = refused("database-unreachable", "postgresql://a@/x?host=/nowhere")
    assert bad.what.endswith("No such file or directory.")


def test_g1_148_a_statement_of_ours_is_nothing_to_read(there: Database) -> None:
    with (
        closing(PostgresDatabase(there.url(APPLICATION))) as database,
        pytest.raises(FailedError) as caught,
        database.in_words(),
        database.reading() as connection,
    ):
        connection.execute(text("SELECT 1 FROM nothing_here"))
    assert "nothing_here" in caught.value.what
    assert "SELECT" not in caught.value.what


@pytest.mark.socket
def test_g1_148_a_pooler_that_takes_no_settings() -> None:
    said = ("08P01", "unsupported startup parameter: options")
    with Front(refuses=said) as pooler:
        bad = refused("database-pooler", pooler.url(host="localhost"))
    assert "ignore_startup_parameters" in bad.next_step


@pytest.mark.socket
def test_g1_148_no_encryption_is_told_as_what_it_is() -> None:
    words = f'no pg_hba.conf entry for host "::1", user "{APPLICATION}", no encryption'
    with Front(refuses=("28000", words)) as strict:
        bad = refused("database-login", strict.url(sslmode="disable"))
    assert "sslmode" in bad.next_step


def test_g1_148_a_lost_connection_is_no_fault_of_tls() -> None:
    """OpenSSL says of a server that is gone what it says of one that breaks its rules."""
    at_login: Callable[[str], Any] = postgres_words._at_login
    assert at_login("SSL error: unexpected eof while reading") is None
    assert at_login("SSL error: wrong version number") is postgres_words._tls
