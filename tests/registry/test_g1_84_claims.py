"""A claim is one process's alone, on either kind of database, and goes with its process.

On PostgreSQL it goes with its session, too, which can end before the process does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealift_registry.delivery import export_locks
from sealift_registry.storage import host, postgres_claims
from sealift_registry.storage.database import Database
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_signing.errors import FailedError
from tests.servers import postgres
from tests.servers.postgres import starting

REPOSITORY = Path(__file__).parents[2]
HOLDING = """
import sys, time
from pathlib import Path
from tests.registry.test_g1_84_claims import opened
claim = opened(sys.argv[1], Path(sys.argv[2])).claim("plant-7-000001", "for plant-7-000001")
print(claim is not None, flush=True)
time.sleep(600)
"""
Opening = Callable[[], Database]


def opened(url: str, folder: Path) -> Database:
    if url:
        return PostgresDatabase(url)
    return SqliteDatabase(folder / "hub.db", folder / "lock", folder / "claims")


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    if request.param == "sqlite":
        yield "", tmp_path
    else:
        database = postgres.postgres().migrated()
        yield database.url(Roles().application), tmp_path
        database.drop()


def test_g1_84_one_process_has_it_and_is_named(where: tuple[str, Path]) -> None:
    one, other = opened(*where), opened(*where)
    held = one.claim("plant-7-000001", "for plant-7-000001")
    assert held is not None
    assert other.claim("plant-7-000001", "for plant-7-000001") is None
    assert f"process {os.getpid()}" in other.holder("plant-7-000001")
    assert other.holder("plant-7-000001").count("for plant-7-000001") == 1
    another = other.claim("plant-7-000002", "for plant-7-000002")
    assert another is not None
    assert held.was_kept()
    held.let_go()
    assert other.holder("plant-7-000001") == ""
    again = other.claim("plant-7-000001", "for plant-7-000001")
    assert again is not None
    for claim in (again, another):
        claim.let_go()


def test_g1_84_a_killed_process_frees_it_at_once(where: tuple[str, Path]) -> None:
    words = [where[0], str(where[1])]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, *words], cwd=REPOSITORY, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        database = opened(*where)
        assert database.claim("plant-7-000001", "x") is None
        assert f"process {process.pid}" in database.holder("plant-7-000001")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        began = time.monotonic()
        held = database.claim("plant-7-000001", "x", patience=10)
        assert held is not None
        assert time.monotonic() - began < 2
        held.let_go()


def test_g1_84_the_home_keeps_its_own_processes_apart_without_a_server(tmp_path: Path) -> None:
    database = postgres.postgres().migrated()
    url = database.url(Roles().application)
    one, other = (PostgresDatabase(url, tmp_path / "claims") for _ in range(2))
    held = one.claim("medium-1-2", "for plant-7")
    assert held is not None
    database.run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert other.claim("medium-1-2", "for plant-7") is None
    assert opened(url, tmp_path).claim("medium-1-2", "for plant-7") is not None, "of another home"
    held.let_go()
    assert list(tmp_path.iterdir()) == []


def test_g1_85_a_claim_whose_session_ended_is_taken_again_and_was_not_kept() -> None:
    database = postgres.postgres().migrated()
    url = database.url(Roles().application)
    held = PostgresDatabase(url).claim("plant-7-000001", "for plant-7-000001")
    assert held is not None
    assert held.was_kept()
    database.run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert not held.was_kept()
    assert held.was_kept(), "since it was asked last"
    assert PostgresDatabase(url).claim("plant-7-000001", "x") is None
    held.let_go()


def test_g1_85_a_claim_that_another_took_meanwhile_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_claims, "BACK_WITHIN", 0.3)
    database = postgres.postgres().migrated()
    url = database.url(Roles().application)
    held = PostgresDatabase(url).claim("plant-7-000001", "for plant-7-000001")
    assert held is not None
    database.run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    taken = PostgresDatabase(url).claim("plant-7-000001", "for plant-7-000001", patience=5)
    assert taken is not None
    with pytest.raises(FailedError) as told:
        held.was_kept()
    assert told.value.code == "claim-lost"
    taken.let_go()
    held.let_go()


def test_g1_85_the_server_is_killed_and_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with starting() as server:
        url = server.migrated().url(Roles().application)
        held = PostgresDatabase(url).claim("plant-7-000001", "for plant-7-000001")
        assert held is not None
        server.kill()
        with monkeypatch.context() as patched:
            patched.setattr(postgres_claims, "BACK_WITHIN", 0.3)
            with pytest.raises(FailedError) as told:
                held.was_kept()
        assert told.value.code == "database-unreachable"
        server.start()
        assert not held.was_kept()
        assert held.was_kept()
        held.let_go()


def test_g1_86_a_medium_is_of_its_kernel_for_all_homes_there(tmp_path: Path) -> None:
    """Two homes of one machine write to one stick; two machines may call two sticks the same."""
    database = postgres.postgres().migrated()
    url = database.url(Roles().application)
    one, other = (PostgresDatabase(url, tmp_path / name) for name in "ab")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(export_locks, "PATIENCE", 0.0)
        with export_locks.medium(one, (5, 6), tmp_path, "for site plant-7"):
            with pytest.raises(FailedError, match="for site plant-7") as told:
                export_locks.medium(other, (5, 6), tmp_path, "for site plant-8").__enter__()
            assert told.value.code == "medium-busy"
            patched.setattr(host, "kernel", lambda: "another machine's")
            with export_locks.medium(other, (5, 6), tmp_path, "for site plant-8"):
                pass
