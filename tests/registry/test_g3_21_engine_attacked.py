"""Whoever can write to the engine's rows has nothing run, and keeps no job from being done."""

from __future__ import annotations

import base64
import os
import pickle
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from sealift_registry.jobs.dbos_embedded import FILE
from sealift_registry.jobs.engine import Recorder, StoppedError
from sealift_signing import locks
from tests.registry.engines_of_jobs import Where, at_a_server, in_a_home, job, until


@pytest.fixture(params=["embedded", "shared"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    if request.param == "shared":
        return at_a_server()
    home = tmp_path / "home"
    home.mkdir()
    return in_a_home(home)


def run(where: Where, statement: str, *values: object) -> None:
    if where.is_shared:
        with closing(psycopg.connect(where.place, autocommit=True)) as server:
            server.execute("SET search_path = sealift_jobs")
            server.execute(statement.replace("?", "%s").encode(), values)
        return
    with closing(sqlite3.connect(Path(where.place) / FILE)) as file, file:
        file.execute(statement, values)


def payload(marker: Path) -> str:
    class Runs:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(marker),)

    return base64.b64encode(pickle.dumps(Runs())).decode()


def rows(where: Where) -> str:
    """Every text in every table."""
    if where.is_shared:
        with closing(psycopg.connect(where.place)) as server:
            query = "SELECT tablename FROM pg_tables WHERE schemaname = 'sealift_jobs'"
            names = [name for (name,) in server.execute(query)]
            return "\n".join(
                str(row)
                for name in names
                for row in server.execute(f"SELECT t::text FROM sealift_jobs.{name} t".encode())  # noqa: S608 - theirs
            )
    with closing(sqlite3.connect(Path(where.place) / FILE)) as file:
        return "\n".join(file.iterdump())


def test_g3_21_no_pickle_is_written(where: Where) -> None:
    with where.engine() as engine:
        for number in (1, 2, 3):
            engine.enqueue(job(number))

        def body(key: str, recorder: Recorder) -> None:
            recorder.step("one", lambda: {"text": "ä", "number": 2**60, "list": [1, "a", True]})
            if key == "key0002":
                raise ValueError("no")
            if key == "key0003":
                raise StoppedError

        engine.work(["hub"], 1, body)
        until(
            engine.states,
            {"key0001": "over", "key0002": "over", "key0003": "stopped"},
        )
    said = rows(where)
    assert "portable_json" in said
    assert "py_pickle" not in said
    assert "gAS" not in said  # how every pickle of today begins, in base64


@pytest.mark.parametrize("table", ["workflow_input", "operation_outputs"])
def test_g3_21_no_pickle_is_read(where: Where, tmp_path: Path, table: str) -> None:
    marker = tmp_path / "it-ran"
    ran: list[int] = []

    def body(key: str, recorder: Recorder) -> None:
        ran.append(1)
        assert recorder.step("one", lambda: {"a": 1}) == {"a": 1}
        if key == "key0001" and len(ran) == 1:
            raise StoppedError

    with where.engine() as engine:
        engine.enqueue(job(1))
        engine.work(["hub"], 1, body)
        until(engine.states, {"key0001": "stopped"})
        if table == "workflow_input":
            change = "UPDATE workflow_input SET inputs = ? WHERE workflow_uuid = 'key0001'"
            run(where, "UPDATE workflow_status SET serialization = 'py_pickle'")
        else:
            change = (
                "UPDATE operation_outputs SET output = ?, serialization = 'py_pickle' "
                "WHERE workflow_uuid = 'key0001'"
            )
        run(where, change, payload(marker))
        engine.again(job(1))
        if table == "workflow_input":
            until(engine.states, {})  # it is forgotten, and asked for again
            engine.enqueue(job(1))
        until(engine.states, {"key0001": "over"})
        assert not marker.exists()
        assert len(ran) == (2 if table == "workflow_input" else 3)


def test_g3_21_an_answer_that_is_no_json_is_made_again(where: Where) -> None:
    ran: list[str] = []

    def body(key: str, recorder: Recorder) -> None:
        ran.append(key)
        assert recorder.step("one", lambda: {"a": 1}) == {"a": 1}
        if len(ran) == 1:
            raise StoppedError

    with where.engine() as engine:
        engine.enqueue(job(1))
        engine.work(["hub"], 1, body)
        until(engine.states, {"key0001": "stopped"})
        run(where, "UPDATE operation_outputs SET output = '{'")
        engine.again(job(1))
        until(engine.states, {"key0001": "over"})
        assert len(ran) == 3


@pytest.mark.parametrize(
    "change",
    [
        "name = 'another'",
        "class_name = 'os'",
        "class_name = 'os', config_name = 'system'",
        "authenticated_roles = '{'",
    ],
)
def test_g3_21_a_row_that_fits_nothing_keeps_up_no_other(where: Where, change: str) -> None:
    with where.engine() as engine:
        engine.enqueue(job(1, priority=1))
        engine.enqueue(job(2))
        run(where, f"UPDATE workflow_status SET {change} WHERE workflow_uuid = 'key0001'")  # noqa: S608 - ours
        engine.work(["hub"], 1, lambda key, recorder: None)
        until(engine.states, {"key0002": "over"})
        engine.enqueue(job(1))
        until(engine.states, {"key0002": "over", "key0001": "over"})


def test_g3_21_a_worker_by_an_odd_name_is_dead(where: Where, tmp_path: Path) -> None:
    """Its name is no way to a file of another folder."""
    with where.engine() as engine:
        engine.enqueue(job(1))
        lock = Path(where.place) / "other.lock" if not where.is_shared else tmp_path / "other.lock"
        run(
            where,
            "UPDATE workflow_status SET status = 'PENDING', executor_id = '../other', "
            "owner_xid = 'x', started_at_epoch_ms = 1",
        )
        with locks.held(lock):  # somebody's, and no worker's
            engine.work(["hub"], 1, lambda key, recorder: None)
            until(engine.states, {"key0001": "over"})


def test_g3_21_what_a_worker_took_and_has_not_in_hand_is_put_back(where: Where) -> None:
    """A claim whose COMMIT nobody confirmed; else it would wait for as long as the worker lives."""
    try:
        with where.engine() as engine:
            engine.enqueue(job(1))
            worker = where.worker(holds="two")
            worker.hear("held key0001 two")
            engine.enqueue(job(2))
            (one,) = engine.workers()
            run(
                where,
                "UPDATE workflow_status SET status = 'PENDING', executor_id = ?, owner_xid = 'x' "
                "WHERE workflow_uuid = 'key0002'",
                one.name,
            )
            worker.hear("back key0002")
            assert engine.states() == {"key0001": "working", "key0002": "waiting"}
            worker.tell("go")
            worker.hear("done key0002")
            assert "back key0001" not in worker.heard()
    finally:
        where.end()
