"""The tests' PostgreSQL is a real one, keeps what it was told, and never outlives its tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.servers.keeper import lives
from tests.servers.postgres import postgres, starting

REPOSITORY = Path(__file__).parents[2]


def test_it_is_postgresql_18_in_utf8() -> None:
    with closing(postgres().fresh().connect()) as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SHOW fsync").fetchone() == ("off",)


def test_a_copy_holds_what_was_there_and_is_its_own() -> None:
    database = postgres().fresh()
    database.run("CREATE TABLE t AS SELECT 1 AS n")
    copy = database.copy()
    copy.run("INSERT INTO t VALUES (2)")
    with closing(copy.connect()) as one, closing(database.connect()) as other:
        assert one.execute("SELECT count(*) FROM t").fetchone() == (2,)
        assert other.execute("SELECT count(*) FROM t").fetchone() == (1,)
    copy.drop()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        copy.connect()


def _ask_until_it_ends(connection: psycopg.Connection[Any]) -> None:
    """A killed server's children end once they have noticed."""
    while True:
        connection.execute("SELECT 1")


def test_what_was_committed_is_there_after_a_kill() -> None:
    with starting(fsync=True) as server:
        database = server.fresh()
        with closing(database.connect()) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            connection.execute("CREATE TABLE t AS SELECT 1 AS n")
            server.kill()
            with pytest.raises(psycopg.OperationalError):
                _ask_until_it_ends(connection)
        server.start()
        with closing(database.connect()) as connection:
            assert connection.execute("SELECT n FROM t").fetchone() == (1,)
        server.set(fsync="off")
        with closing(database.connect()) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
        folder = server.folder
    assert not folder.exists()


@pytest.mark.socket
def test_it_listens_on_loopback_where_it_is_asked_to() -> None:
    with starting(loopback=True) as server:
        address = f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres"
        with closing(psycopg.connect(address)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        server.fresh()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_its_tests(how: signal.Signals) -> None:
    script = (
        "import sys, time\n"
        "from tests.servers.postgres import postgres\n"
        "server = postgres()\n"
        "print(server._process.pid, server.folder, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        pid, folder = process.stdout.readline().split()
        assert lives(int(pid))
        os.killpg(process.pid, how)
        process.wait()
        deadline = time.monotonic() + 20
        while Path(folder).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert not Path(folder).exists()
    assert not lives(int(pid))
