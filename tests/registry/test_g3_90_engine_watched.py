"""What is seen of an engine without loading it is what the engine itself says, over both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sealift_registry.jobs.dbos_watching import Watched, watched_at
from sealift_registry.jobs.engine import Standing
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.sqlite import SqliteDatabase
from tests.registry.engines_of_jobs import HERE, THERE, Where, at_a_server, in_a_home, job


@pytest.fixture(params=["embedded", "shared"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Where]:
    made = in_a_home(tmp_path) if request.param == "embedded" else at_a_server()
    yield made
    made.end()


def seen(where: Where) -> Watched:
    root = Path() if where.is_shared else Path(where.place)
    made = (
        PostgresDatabase(where.place)
        if where.is_shared
        else SqliteDatabase(root / "none.db", root / "none.lock")
    )
    with closing(made) as database:
        return watched_at(database, root)


def test_g3_90_who_works_at_what_and_how_far_it_is(where: Where) -> None:
    standing = Standing("two", "model.onnx", 1, 2, "2026-12-01T00:00:00Z")
    with where.engine() as engine:
        engine.enqueue(job(1))
        worker = where.worker(holds="two")
        worker.hear("held key0001 two")
        engine.tell("key0001", standing)
        found, (known,) = seen(where), engine.workers()
        assert found.taken == {"key0001": known.name}
        assert found.workers.keys() == {known.name}
        assert found.workers[known.name].queues == known.queues == ("hub",)
        assert found.standings == {"key0001": standing}
        assert found.stopped == frozenset()
        assert found.takers(job(2).order) != []
        assert found.takers(job(2, queue="cpu-x86_64").order) == []
        assert found.takers(job(2, host=HERE).order) != []
        assert found.takers(job(2, host=THERE).order) == []
        worker.kill()
        if not where.is_shared:  # a lease lasts for half a minute
            assert seen(where).workers == {}


def test_g3_90_where_no_job_was_ever_asked_for_nothing_is_seen(tmp_path: Path) -> None:
    found = seen(in_a_home(tmp_path))
    assert found == Watched()
    assert list(tmp_path.iterdir()) == []


def test_g3_90_whoever_looks_loads_no_engine() -> None:
    code = (
        "import sys, sealift_registry.cli.jobs, sealift_registry.shown.job_result\n"
        "import sealift_registry.views.jobs_due, sealift_registry.guide\n"
        "sys.exit('dbos' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
