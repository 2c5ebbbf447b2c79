"""Sealift is upgraded, or the hub moved, while jobs wait and one is being done: none is lost."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import sealift_migrations
from sealift_registry.audit.moved import MovedHubError
from sealift_registry.cli.run import run
from sealift_registry.jobs import records, setbacks
from sealift_registry.jobs.job import Job
from sealift_registry.storage.host import Host
from sealift_registry.storage.postgres_roles import Roles
from tests.registry.hub_fixture import Acme
from tests.registry.killed_worker import FOLDER, HELD, RELEASE, VARIABLE
from tests.registry.moving_hubs import new_database, url_of
from tests.registry.real_workers import ONE, Hosts, at_home, until
from tests.registry.test_g3_127_killed_jobs import ask as ask_at_home
from tests.registry.test_g3_170_killed_hosts import ask, hosts, is_as_expected
from tests.registry.test_g3_172_stopped_hosts import Held
from tests.registry.test_hub_cli import Capsys

__all__ = ["hosts"]

pytestmark = pytest.mark.socket
OLDER = "0.0.1"
KINDS = ("ingest", "convert", "export")


def said(capsys: Capsys, root: Path, *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    """What a command answers machines, or its error."""
    capsys.readouterr()
    found = run([*words, "--home", str(root), "--json"])
    out, err = capsys.readouterr()
    assert found == code, (out, err)
    return json.loads(err)["error"] if code else json.loads(out)


@pytest.fixture
def newer(tmp_path: Path) -> Callable[[pytest.MonkeyPatch], None]:
    """Has this process be of a release that has one more step of the schema."""
    there = tmp_path / "newer"
    shutil.copytree(sealift_migrations._HERE, there)
    newest = sealift_migrations.newest()
    following = f"{int(newest) + 1:04}"
    (there / f"versions/{following}_more.py").write_text(
        f'revision, down_revision = "{following}", "{newest}"\n'
        "branch_labels = depends_on = None\n\n\ndef upgrade() -> None:\n    pass\n"
    )
    return lambda patched: patched.setattr(sealift_migrations, "_HERE", there)


# ---------------------------------------------------------------------- another release


def test_g3_176_what_an_older_release_queued_and_began_is_done_by_the_new_one(hosts: Hosts) -> None:
    """Its application, its version and its steps have other names."""
    jobs = [ask(hosts.one, kind) for kind in KINDS]
    code, told = hosts.work(hosts.one, **{RELEASE: OLDER, VARIABLE: "fetch recorded"})
    assert code == -9, told
    rows = b"\n".join(hosts.cells())
    assert b"sealift-0-0-1" in rows
    assert f"{OLDER} fetch".encode() in rows
    hosts.passes()
    code, told = hosts.work(hosts.one)
    assert code == 0, told
    done_by_both(hosts.one, jobs)
    assert [hosts.attempts(one) for one in jobs] == [[ONE, ONE, ONE], [ONE], [ONE]]


def test_g3_176_in_a_home_as_well(ready: Acme) -> None:
    jobs = [ask_at_home(ready, kind) for kind in KINDS[1:]]
    older = at_home(ready, "--once", **{RELEASE: OLDER, VARIABLE: "build recorded"})
    assert older.ended() == -9, older.text()
    one = at_home(ready, "--once")
    assert one.ended() == 0, one.text()
    done_by_both(ready, jobs)


def done_by_both(acme: Acme, jobs: list[Job]) -> None:
    """All are done; at the first the older release was, and what it had finished fits no more."""
    with acme.app.hub.reading() as connection:
        for job in jobs:
            end = records.end(connection, job.number)
            assert end is not None
            assert end.outcome == "done", end.problem
        software = [one.software for one in records.attempts(connection, jobs[0].number)]
        found = setbacks.every(connection, jobs[0].number)
        assert setbacks.spent(connection, jobs[0].number) == 2, "what fits no more costs none"
    assert software[0] == OLDER != software[1]
    assert [one.problem.code for one in found] == ["job-rewound"]
    assert acme.types().count("job.ended") == len(jobs)


# ---------------------------------------------------------------------- another schema


def test_g3_177_tables_are_not_upgraded_under_a_job_and_what_waits_is_kept(
    hosts: Hosts,
    newer: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capsys,
) -> None:
    upgrade = ("db", "upgrade", "--as", hosts.database.url(Roles().migrator))
    first, waits = ask(hosts.one, "convert"), ask(hosts.one, "export")
    before = sealift_migrations.newest()
    held = Held(hosts, "build made")
    assert said(capsys, hosts.one.root, *upgrade)["to"] == before, "there is nothing to be done"
    hosts.database.run("UPDATE sealift_jobs.dbos_migrations SET version = version - 1")
    assert said(capsys, hosts.one.root, *upgrade, code=4)["code"] == "upgrade-during-job"
    hosts.database.run("UPDATE sealift_jobs.dbos_migrations SET version = version + 1")
    with monkeypatch.context() as patched:
        newer(patched)
        error = said(capsys, hosts.one.root, *upgrade, code=4)
        assert (error["code"], error["subject"]) == ("upgrade-during-job", first.id)
        assert f"{first.id} is being done on {ONE}, by Sealift " in error["what"]
        held.worker.process.kill()
        held.worker.ended()
        hosts.passes()
        idle = hosts.begin(hosts.two, "--queue", "cpu-aarch64")
        idle.hears("Takes jobs on")
        done = said(capsys, hosts.one.root, *upgrade)
        assert (done["from"], done["to"]) == (before, sealift_migrations.newest())
        assert idle.ended() == 4, "it knows these tables, and not those that are there now"
        assert "this version of Sealift knows only" in idle.text()
    code, told = hosts.work(hosts.one)  # as if the old software were started again
    assert code == 4, told
    hosts.database.run(f"UPDATE sealift.alembic_version SET version_num = '{before}'")  # noqa: S608 - a number
    assert hosts.attempts(waits) == []
    code, told = hosts.work(hosts.one)
    assert code == 0, told
    for job, kind in ((first, "convert"), (waits, "export")):
        end = hosts.end(job)
        assert end is not None
        assert end.outcome == "done", end.problem
        assert is_as_expected(kind, end.result)


def test_g3_177_a_file_is_upgraded_by_who_opens_it_and_the_older_worker_gives_back(
    ready: Acme,
    newer: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capsys,
) -> None:
    job = ask_at_home(ready, "convert")
    before = sealift_migrations.newest()
    folder = ready.folder / "held-here"
    folder.mkdir()
    worker = at_home(ready, **{HELD: "build made", FOLDER: str(folder)})
    until((folder / "held").exists)
    ready.close()
    with monkeypatch.context() as patched:
        newer(patched)
        assert said(capsys, ready.root, "job", "show", job.id)["state"] == "works"
        assert worker.ended() == 4
        assert "this version of Sealift knows only" in worker.text()
        assert f"{job.id} given back" in worker.text()
        ready.close()
    with closing(sqlite3.connect(ready.root / "sealift.db")) as file, file:
        file.execute("UPDATE alembic_version SET version_num = ?", (before,))
    again = at_home(ready, "--once")
    assert again.ended() == 0, again.text()
    with ready.app.hub.reading() as connection:
        end = records.end(connection, job.number)
        assert end is not None
        assert (end.outcome, end.attempt) == ("done", 2)
        assert setbacks.spent(connection, job.number) == 1


# ---------------------------------------------------------------------- another place


def test_g3_178_a_hub_is_not_moved_under_a_job_and_what_waits_goes_with_it(
    ready: Acme, capsys: Capsys
) -> None:
    first, waits = ask_at_home(ready, "ingest"), ask_at_home(ready, "export")
    folder = ready.folder / "held-here"
    folder.mkdir()
    worker = at_home(ready, **{HELD: "scan made", FOLDER: str(folder)})
    try:
        until((folder / "held").exists)
        ready.close()
        move = ("migrate", "--to-database", url_of(new_database()))
        for more in (("--plan",), ()):
            error = said(capsys, ready.root, *move, *more, code=4)
            assert (error["code"], error["subject"]) == ("move-during-job", first.id)
            assert f"{first.id} is being done on " in error["what"]
        worker.process.kill()
        worker.ended()
        (folder / "go").touch()
        idle = at_home(ready, "--queue", "cpu-aarch64")
        idle.hears("Takes jobs on")
        rows = said(capsys, ready.root, *move)["rows"]
        assert (rows["job"], rows["job_attempt"]) == (2, 1)
        assert idle.ended() == 1
        assert "The rows of this hub were moved to “postgresql://" in idle.text()
        after = at_home(ready, "--once")
        assert after.ended() == 0, after.text()
        with ready.app.hub.reading() as connection:
            for job in (first, waits):
                end = records.end(connection, job.number)
                assert end is not None
                assert end.outcome == "done", end.problem
            assert len(records.attempts(connection, first.number)) == 2
        assert ready.types().count("job.ended") == 2
    finally:
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGKILL)
            worker.process.wait()


def test_g3_178_of_a_place_that_was_left_no_job_is_begun(ready: Acme, capsys: Capsys) -> None:
    """By whoever had it open: what a worker took just before."""
    job = ask_at_home(ready, "export")
    with ready.another() as other:
        hub = other.app.hub
        ready.close()
        said(capsys, ready.root, "migrate", "--to-database", url_of(new_database()))
        assert job.order.host is not None
        with pytest.raises(MovedHubError, match="were moved to"):
            records.begin(hub, job.number, "w", Host(job.order.host, "here"))
