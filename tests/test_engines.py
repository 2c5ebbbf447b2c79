"""Which tests run over both engines, which of them a run draws, and that none keeps in SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import botocore.session
import pytest
from boto3.session import Session
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sealift_registry.storage.home import Home, Settings, open_home
from sealift_registry.storage.opening import database_of
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_registry.trust import founding
from tests import sampling, stores
from tests.cheap_clients import cheap_clients
from tests.engines import (
    ALONE,
    ALWAYS,
    DEAREST,
    HERE,
    ITSELF,
    ROOMS,
    SHARED,
    Shared,
    drawn_of,
    listed,
    of_both,
    starts_servers,
)


@pytest.fixture
def on_servers() -> Iterator[None]:
    with stores.on_servers(), stores.cleared():
        yield


pytestmark = pytest.mark.socket

BOTH_IN_ONE = {"test_migrations.py", "test_compose.py"}
"""Of these a test or two start a server, or ask only how one is started."""


@pytest.mark.parametrize("room", ROOMS)
def test_g1_70_each_module_is_in_one_list(room: str) -> None:
    there = {one.stem.removeprefix("test_") for one in (HERE / room).glob("test_*.py")}
    names = list(listed(room))
    assert sorted(names) == sorted({one for one in there if not one.startswith(ITSELF)})


def test_g1_71_every_list_is_of_a_room_and_has_a_reason() -> None:
    assert set(SHARED) == set(ALONE) == set(ROOMS)
    assert all(why.endswith(".") for reasons in ALONE.values() for why in reasons)


def test_g1_71_what_starts_servers_is_run_with_them_alone() -> None:
    """Where a module asks for one, `make test` would start it."""
    known = ("tests.servers", "tests.registry.both_engines", "tests.registry.hubs_on_postgres")
    asking = {
        module
        for module in HERE.rglob("test_*.py")
        if any(f"from {one}" in module.read_text("utf-8") for one in known)
    }
    assert len(asking) > 10
    assert {one.name for one in asking if not starts_servers(one)} <= BOTH_IN_ONE


def test_g1_72_a_hub_on_a_server_has_a_database_of_its_own_as_the_application(
    on_servers: None, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        founding.found_solo(tmp_path / name, "me", "me", {}).close()
        stores.check_kept(tmp_path / name)
    copy = stores.copy_tree(tmp_path / "one", tmp_path / "copy")
    homes = [open_home(one, {}) for one in (tmp_path / "one", tmp_path / "other", copy)]
    assert len({one.settings.database.url for one in homes}) == 3
    assert len({one.settings.blobs.url for one in homes}) == 3
    with closing(founding.open_hub(copy, {})) as hub, hub.reading() as connection:
        assert connection.execute(text("SELECT current_user")).scalar() == "sealift_app"
        assert connection.execute(text("SELECT count(*) FROM log_entry")).scalar() == 1
    database = database_of(homes[0])
    with (
        closing(database),
        pytest.raises(DBAPIError, match="permission denied"),
        database.engine.begin() as connection,
    ):
        connection.execute(text("UPDATE log_entry SET actor = 'mallory'"))
    with pytest.raises(DBAPIError, match="append-only"), stores.behind(database) as connection:
        connection.execute(text("UPDATE log_entry SET actor = 'mallory'"))


def test_g1_73_a_hub_in_its_home_is_an_error_there(on_servers: None, tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "sealift.db", tmp_path / "sealift.lock")
    with pytest.raises(AssertionError, match="is to be kept on a server"):
        database.engine  # noqa: B018 - it is opened
    with pytest.raises(AssertionError, match="is to be kept on a server"):
        Home(tmp_path, Settings()).blobs  # noqa: B018 - likewise


def test_cheap_clients_share_what_botocore_knows_and_no_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names, before = [], botocore.session.create_loader
    for name in ("one", "other"):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", name)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", name)
        with cheap_clients():
            sessions = [Session(), Session()]
        names += [session.get_credentials().access_key for session in sessions]
        assert sessions[0]._loader is sessions[1]._loader
        assert botocore.session.create_loader is before
    assert names == ["one", "one", "other", "other"]


@pytest.mark.parametrize(
    "said, words",
    [
        ("SELECT x'00ff'", r"SELECT '\x00ff'::bytea"),
        ("SET a = zeroblob(3)", "SET a = decode(repeat('00', 3), 'hex')"),
        ("CAST('a' AS BLOB)", "CAST('a' AS bytea)"),
        ("DROP TRIGGER log_entry_no_update", "DROP TRIGGER log_entry_no_update ON log_entry"),
        ("UPDATE OR REPLACE a SET b = 1", "UPDATE a SET b = 1"),
        ("SELECT 'x' FROM max", "SELECT 'x' FROM max"),
    ],
)
def test_a_statement_is_put_in_the_servers_words(said: str, words: str) -> None:
    assert stores.in_postgres(said) == words


def test_a_draw_has_what_always_counts_and_one_of_each_few(monkeypatch: pytest.MonkeyPatch) -> None:
    every = of_both()
    assert len(every) == len(set(every)) == sum(map(len, SHARED.values()))
    assert ALWAYS.isdisjoint(DEAREST)
    assert {*ALWAYS, *DEAREST} < set(every)
    assert drawn_of(1) == every
    others = len(every) - len(ALWAYS)
    seen = set[str]()
    for run in range(40):
        monkeypatch.setenv(sampling.RUN, str(run))
        picked = drawn_of(3)
        assert picked == drawn_of(3), "each process of a run draws the same"
        assert set(picked) >= ALWAYS
        assert len(picked) == len(ALWAYS) + -(-others // 3)
        assert 7 <= len(set(picked) & set(DEAREST)) <= 8, "none has all that take long"
        seen.update(picked)
    assert seen == set(every), "no module is left out of every run"


def test_a_run_collects_what_it_says_and_names_what_it_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(sampling.RUN, "a-run")
    run = Shared(3)
    picked = [
        f"{path.parent.name}/{path.stem.removeprefix('test_')}"
        for room in ROOMS
        for path in (HERE / room).glob("test_*.py")
        if run.pytest_ignore_collect(path) is None
    ]
    assert sorted(picked) == sorted(drawn_of(3))
    header = run.pytest_report_header()
    assert header == f"modules that run over both: {len(picked)} of {len(of_both())}"
    told = run.not_drawn()
    assert told is not None
    assert "--drawn and --testrunuid=a-run" in told[0]
    assert set(told[1].split()) == set(of_both()) - set(picked)
    assert Shared(1).not_drawn() is None
    with pytest.raises(pytest.UsageError, match="--drawn"):
        Shared(0)


def test_every_process_of_a_run_knows_it_by_one_name_that_can_be_given(tmp_path: Path) -> None:
    tmp_path.joinpath("conftest.py").write_text(
        "from tests import sampling\n"
        "def pytest_configure(config): sampling.name_run(config)\n"
        "def pytest_report_header(): return f'run: {sampling.run()}'\n"
    )
    tmp_path.joinpath("test_it.py").write_text(
        "import os, pathlib\n"
        "from tests import sampling\n"
        "def test_it(): open(os.environ['PYTEST_XDIST_WORKER'], 'w').write(sampling.run())\n"
    )
    plain = {"PYTHONPATH": str(HERE.parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment = {name: value for name, value in os.environ.items() if name != sampling.RUN}
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-pxdist",
        "-n2",
        "--dist=each",
        "-pno:cacheprovider",
    )
    for named in ("", "a-run"):
        done = subprocess.run(
            [*command, *([f"--testrunuid={named}"] if named else [])],
            cwd=tmp_path,
            env=environment | plain,
            check=True,
            capture_output=True,
            text=True,
        )
        name = done.stdout.partition("\nrun: ")[2].partition("\n")[0]
        assert name
        assert named in ("", name)
        assert [one.read_text() for one in tmp_path.glob("gw*")] == [name] * 2
