"""Who lives and who is dead: stopped processes, lost servers, clocks that are set, odd files."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete

from sealift_registry.jobs import dbos_liveness, dbos_tables
from sealift_registry.jobs.dbos_embedded import FILE
from sealift_registry.jobs.dbos_engine import DbosEngine
from sealift_registry.storage.host import Host
from sealift_registry.storage.postgres_roles import Roles
from sealift_signing.errors import FailedError
from tests.registry.engine_process import place_of
from tests.registry.engines_of_jobs import (
    HERE,
    LEASE,
    THERE,
    Where,
    at_a_server,
    in_a_home,
    job,
    until,
)
from tests.servers.postgres import set_up, starting

HOUR = 3600


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Where]:
    made = in_a_home(tmp_path)
    yield made
    made.end()


@pytest.fixture
def server() -> Iterator[Where]:
    made = at_a_server()
    yield made
    made.end()


@pytest.fixture(params=["home", "server"])
def where(request: pytest.FixtureRequest) -> Where:
    found: Where = request.getfixturevalue(request.param)
    return found


def test_g3_24_at_a_server_a_revived_worker_records_nothing(server: Where) -> None:
    with server.engine() as engine:
        engine.enqueue(job(1))
        first = server.worker(holds="two")
        first.hear("held key0001 two")
        first.signal(signal.SIGSTOP)
        second = server.worker(host=THERE, steps=["one", "two", "three"])
        second.hear("back key0001")
        second.hear("done key0001")
        until(engine.states, {"key0001": "over"})
        first.signal(signal.SIGCONT)
        first.tell("go")
        first.hear("taken key0001")
        assert "done key0001" not in first.heard()
        assert engine.steps("key0001") == ("one", "two", "three")
        assert engine.states() == {"key0001": "over"}
        engine.enqueue(job(2))  # and it is a worker again
        second.kill()
        first.hear("done key0002")


def test_g3_24_a_revived_worker_that_has_no_step_left_ends_nothing(server: Where) -> None:
    with server.engine() as engine:
        engine.enqueue(job(1))
        first = server.worker(after=True)
        first.hear("after key0001")
        first.signal(signal.SIGSTOP)
        second = server.worker(host=THERE, holds="never", after=True)
        second.hear("after key0001")
        first.signal(signal.SIGCONT)
        first.tell("go")
        first.hear("done key0001")  # so it thinks; the hub's rows refuse what it would record
        time.sleep(1)
        assert engine.states() == {"key0001": "working"}
        second.tell("go")
        until(engine.states, {"key0001": "over"})


def test_g3_24_in_a_home_a_job_waits_for_its_stopped_process(home: Where) -> None:
    with home.engine() as engine:
        engine.enqueue(job(1))
        first = home.worker(holds="two")
        first.hear("held key0001 two")
        first.signal(signal.SIGSTOP)
        second = home.worker()
        engine.enqueue(job(2))
        second.hear("done key0002")
        time.sleep(2 * LEASE)
        assert engine.states()["key0001"] == "working"
        assert all(one.is_alive for one in engine.workers())
        first.signal(signal.SIGCONT)
        first.tell("go")
        first.hear("done key0001")
        assert "back key0001" not in second.heard()


def test_g3_24_one_job_is_done_by_one_of_several_workers(where: Where) -> None:
    with where.engine() as engine:
        for number in range(1, 31):
            engine.enqueue(job(number))
        workers = [where.worker(steps=["one"], slots=2) for _ in range(3)]
        until(lambda: set(engine.states().values()), {"over"})
        said = [line for one in workers for line in one.heard() if line.startswith("begin")]
        assert len(said) == len(set(said)) == 30


@pytest.mark.parametrize("clock", [HOUR, -HOUR])
def test_g3_24_a_clock_that_is_an_hour_off_has_nobody_taken_for_dead(
    where: Where, clock: int
) -> None:
    with where.engine() as engine:
        engine.enqueue(job(1))
        first = where.worker(holds="two")
        first.hear("held key0001 two")
        second = where.worker(clock=clock)
        engine.enqueue(job(2))
        second.hear("done key0002")
        time.sleep(1.5 * LEASE)
        assert engine.states()["key0001"] == "working"
        first.tell("go")
        first.hear("done key0001")
        engine.enqueue(job(3))
        until(lambda: engine.states()["key0003"], "over")


def test_g3_24_a_server_whose_clock_is_set_has_nobody_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch, server: Where
) -> None:
    """All see it at once: who finds its own lease run out gives the others time.

    The lease is long, for the time that it gives is what a slow machine would use up.
    """
    monkeypatch.setattr("tests.registry.engines_of_jobs.LEASE", 30.0)
    with server.engine() as engine:
        engine.enqueue(job(1))
        first = server.worker(holds="two")
        first.hear("held key0001 two")
        engine.work(["other"], 1, lambda key, recorder: None)
        until(lambda: len(engine.workers()), 2)
        monkeypatch.setattr(
            "sealift_registry.jobs.dbos_liveness._NOW",
            "CAST(extract(epoch FROM clock_timestamp() + '1 hour') * 1000 AS bigint)",
        )
        for _ in range(3):
            assert engine.beat() == []
            time.sleep(0.5)
        assert engine.states() == {"key0001": "working"}


def test_g3_24_a_worker_that_two_beats_enter_at_once_is_entered_once(
    monkeypatch: pytest.MonkeyPatch, where: Where
) -> None:
    enter = dbos_liveness._enter

    def second(connection: Connection, row: dict[str, Any]) -> None:
        with connection.engine.connect() as other:
            enter(other, row)
        enter(connection, row)
        met.set()

    met = threading.Event()
    with where.engine() as engine:
        engine.work(["hub"], 1, lambda key, recorder: None)
        until(lambda: len(engine.workers()), 1)
        monkeypatch.setattr(dbos_liveness, "_enter", second)
        database: Engine = vars(engine._place.liveness)["_database"]
        with database.begin() as connection:
            connection.execute(delete(dbos_tables.worker))
        until(met.is_set, True)
        assert engine.beat() == []
        assert len(engine.workers()) == 1


def test_g3_24_after_an_outage_nobody_is_taken_for_dead() -> None:
    with starting(fsync=True) as server:
        database = server.fresh()
        set_up(database)
        where = Where(database.url(Roles().application), is_shared=True)
        try:
            with where.engine() as engine:
                engine.enqueue(job(1))
            workers = [where.worker(holds="two"), where.worker(holds="two", host=THERE)]
            until(lambda: any("held key0001 two" in one.heard() for one in workers), True)
            server.kill()
            for one in workers:
                one.hear("silent FailedError")
            time.sleep(2 * LEASE)
            server.start()
            for one in workers:
                one.tell("go")
            until(lambda: any("done key0001" in one.heard() for one in workers), True)
            with where.engine() as engine:
                until(engine.states, {"key0001": "over"})
            said = [line for one in workers for line in one.heard()]
            assert said.count("begin key0001") == 1
            assert "back key0001" not in said
        finally:
            where.end()


def test_g3_24_a_file_that_vanished_is_made_anew(home: Where, tmp_path: Path) -> None:
    with home.engine() as engine:
        engine.enqueue(job(1))
    (tmp_path / FILE).unlink()
    with home.engine() as engine:
        assert engine.states() == {}
        engine.enqueue(job(1))
        home.worker().hear("done key0001")
        until(engine.states, {"key0001": "over"})


def test_g3_24_a_worker_goes_on_with_the_file_that_is_there(home: Where, tmp_path: Path) -> None:
    worker = home.worker()
    (tmp_path / FILE).rename(tmp_path / "away")
    worker.hear("silent FailedError")
    assert not (tmp_path / FILE).exists()
    with home.engine() as engine:
        engine.enqueue(job(1))
        worker.hear("done key0001")
        until(lambda: [one.is_alive for one in engine.workers()], [True])


def test_g3_24_an_older_file_has_done_again_what_it_forgot(home: Where, tmp_path: Path) -> None:
    with home.engine() as engine:
        engine.enqueue(job(1))
        first = home.worker(holds="one")
        first.hear("held key0001 one")
    older = tmp_path / "older"
    first.kill()
    shutil.copyfile(tmp_path / FILE, older)
    second = home.worker()
    second.hear("done key0001")
    second.kill()
    shutil.copyfile(older, tmp_path / FILE)
    third = home.worker()
    third.hear("back key0001")
    third.hear("done key0001")


def test_g3_24_a_file_that_is_none_is_told_with_what_to_do(home: Where, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    with pytest.raises(FailedError) as told, home.engine():
        pass
    assert told.value.code == "engine-unusable"
    assert FILE in told.value.next_step


def test_g3_24_closing_takes_no_second_and_leaves_no_lock(where: Where) -> None:
    for _ in range(2):
        engine = DbosEngine(place_of(where.place, LEASE), Host(HERE, "a host"))
        engine.work(["hub"], 1, lambda key, recorder: None)
        began = time.monotonic()
        engine.close()
        assert time.monotonic() - began < 1
        if not where.is_shared:
            assert not (Path(where.place) / "run").exists()
    with closing(DbosEngine(place_of(where.place, LEASE), Host(HERE, "a host"))) as engine:
        assert engine.workers() == []


def test_g3_24_a_closed_engine_makes_no_empty_file(home: Where, tmp_path: Path) -> None:
    with home.engine() as engine:
        engine.work(["hub"], 1, lambda key, recorder: None)
    (tmp_path / FILE).unlink()
    time.sleep(1.5)
    assert not (tmp_path / FILE).exists()


def test_g3_24_a_connection_that_is_given_back_late_is_closed(home: Where) -> None:
    place = place_of(home.place, LEASE)
    late = place.database.connect()
    theirs: Any = late.connection.dbapi_connection
    assert isinstance(theirs, sqlite3.Connection)
    place.shut()
    late.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        theirs.execute("SELECT 1")
