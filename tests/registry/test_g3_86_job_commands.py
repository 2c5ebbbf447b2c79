"""`sealift job`: what people and machines are told, and what they can do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sealift_registry.cli import jobs
from sealift_registry.cli.session import user
from sealift_registry.jobs import records
from sealift_registry.jobs.engine import Standing
from sealift_registry.jobs.job import Problem
from sealift_registry.jobs.steps import Made
from sealift_registry.trust.hub import Hub
from tests.registry.hub_fixture import Acme
from tests.registry.test_g3_80_jobs_seen import AWAY, BROKEN, HERE, QUEUE, THERE, asked
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.workplace import Workplace
from tests.terminals import lasting, on_a_terminal

STANDING = Standing("build", "model.onnx", 3, 12, "2026-01-01T00:00:00Z")
RESULT: Made = {"artifacts": []}
WATCHED = "import sys; from sealift_registry.cli.run import run; sys.exit(run(sys.argv[1:]))"
DRAWN = """
import os, sys, time
from pathlib import Path
from sealift_registry.app import open_app
from sealift_registry.cli import jobs
from sealift_registry.cli.run import run
from sealift_registry.jobs import records

looks = 0

def sleep(seconds):
    global looks
    looks += 1
    time.sleep(seconds)
    if looks == 4:
        app = open_app(Path(sys.argv[1]), os.environ)
        records.finish(app.hub, 1, "cancelled", attempt=None, by="anna")
        app.close()

jobs.sleep = sleep
run(["job", "watch", "J-1", "--home", sys.argv[1]])
"""


@pytest.fixture
def hub(acme: Acme) -> Hub:
    return acme.app.hub


@pytest.fixture
def cli(acme: Acme, capsys: Capsys) -> Cli:
    return Cli(acme, capsys)


@pytest.fixture
def place(acme: Acme) -> Iterator[Workplace]:
    made = Workplace(acme.root)
    yield made
    made.dies()


def fails(hub: Hub, number: int, problem: Problem = BROKEN) -> None:
    attempt = records.begin(hub, number, "w1", HERE)
    records.finish(hub, number, "failed", attempt=attempt, problem=problem)


def works(hub: Hub, place: Workplace) -> None:
    job = asked(hub)
    place.worker("w1", HERE, QUEUE)
    records.begin(hub, job.number, "w1", HERE)
    place.takes(job, "w1")
    place.tells(job, STANDING)


def test_g3_86_where_there_is_no_job_it_is_said_how_to_ask_for_one(cli: Cli) -> None:
    assert cli.says("job", "list").startswith("No job was asked for yet.")
    assert cli.says("job", "list", "--mine") == "Nothing matches.\n"
    assert cli.json("job", "list") == {
        "schema": "sealift/job-list/1",
        "jobs": [],
        "refused": [],
        "beyond": None,
    }
    code, _, err = cli("job", "show", "J-000001")
    assert (code, "There is no job J-000001." in err) == (3, True)
    assert cli("job", "show", "17")[0] == 2


def test_g3_86_a_list_says_of_each_job_how_it_stands(cli: Cli, hub: Hub, place: Workplace) -> None:
    works(hub, place)
    asked(hub, by=user(), host=THERE)
    fails(hub, asked(hub).number)
    lines = cli.says("job", "list").splitlines()
    assert lines[0].split() == [
        "job",
        "state",
        "kind",
        "about",
        "queue",
        "asked",
        "by",
        "asked",
        "took",
    ]
    assert [one.split()[:2] for one in lines[1:]] == [
        ["J-000003", "failed"],
        ["J-000002", "waits"],
        ["J-000001", "works"],
    ]
    assert "vision/tiny/1 for cpu-x86_64" in lines[1]
    assert [one["job"] for one in cli.json("job", "list", "--mine")["jobs"]] == ["J-000002"]
    assert [one["job"] for one in cli.json("job", "list", "--state", "failed")["jobs"]] == [
        "J-000003"
    ]
    first = cli.json("job", "list", "--oldest-first", "--limit", "1")
    assert (first["jobs"][0]["job"], first["beyond"]) == ("J-000001", "J-000001")
    assert "There is more: add --beyond J-000002" in cli.says("job", "list", "--limit", "2")
    assert cli("job", "list", "--beyond", "J-9")[0] == 3


def test_g3_87_all_about_a_job_says_what_it_waits_for(cli: Cli, hub: Hub, place: Workplace) -> None:
    job = asked(hub)
    assert f"Start one:  sealift worker --queue {QUEUE}" in cli.says("job", "show", job.id)
    asked(hub, host=THERE)
    assert "No worker on there takes it" in cli.says("job", "show", "J-2")
    place.worker("w1", HERE)
    records.set_back(hub, records.begin(hub, 1, "w1", HERE), AWAY)
    said = cli.says("job", "show", "J-1")
    assert "state          waits again" in said
    assert "It cannot be reached." in said
    found = cli.json("job", "show", "J-1")
    assert found["waits"]["reason"] == "pause"
    assert found["attempts"][0]["problem"]["code"] == "source-unreachable"


def test_g3_87_all_about_a_job_says_how_far_it_is_and_how_it_ended(
    cli: Cli, hub: Hub, place: Workplace
) -> None:
    works(hub, place)
    assert "build: model.onnx, 25 %" in cli.says("job", "show", "J-1")
    job = asked(hub)
    records.begin(hub, job.number, "w1", HERE)
    place.takes(job, "w1")
    place.tells(job, replace(STANDING, subject="", total=0))  # it has told nothing of its work yet
    assert "\n    build, as of 2026" in cli.says("job", "show", job.id)
    records.finish(hub, job.number, "cancelled", attempt=None, by="anna")
    attempt = records.begin(hub, 1, "w1", HERE)
    records.finish(hub, 1, "done", attempt=attempt, result=RESULT)
    said = cli.says("job", "show", "J-1")
    assert "1: " in said
    assert "ended without an answer" in said
    assert "state          done, 2" in said
    fails(hub, asked(hub).number)
    said = cli.says("job", "show", "J-3")
    assert "no-goldens: It has none." in said
    assert "Next: Add some." in said
    assert cli.json("job", "show", "J-3")["problem"]["code"] == "no-goldens"


def test_g3_88_a_job_that_was_cancelled_says_by_whom_and_stays_so(
    cli: Cli, hub: Hub, acme: Acme, place: Workplace
) -> None:
    works(hub, place)
    said = cli.says("job", "cancel", "J-1")
    assert said.startswith(f"J-000001 was cancelled by {user()} at ")
    assert "ends within seconds" in said
    assert acme.types()[-1] == records.ENDED
    again = cli.json("job", "cancel", "J-1")
    assert (again["new"], again["by"], acme.types().count(records.ENDED)) == (False, user(), 1)
    fails(hub, asked(hub).number)
    code, _, err = cli("job", "cancel", "J-2")
    assert (code, "J-000002 failed at" in err) == (1, True)
    code, _, err = cli("job", "watch", "J-1")
    assert (code, "J-000001 was cancelled" in err, "sealift job retry J-000001" in err) == (
        1,
        True,
        True,
    )


def test_g3_88_what_failed_is_asked_for_again_once(cli: Cli, hub: Hub) -> None:
    fails(hub, asked(hub).number)
    made = cli.json("job", "retry", "J-1")
    assert (made["job"], made["retries"], made["new"]) == ("J-000002", "J-000001", True)
    assert cli.json("job", "retry", "J-1")["new"] is False
    assert "does again     J-000001" in cli.says("job", "show", "J-2")
    assert "done again by  J-000002" in cli.says("job", "show", "J-1")
    code, _, err = cli("job", "retry", "J-2")
    assert (code, "J-000002 still waits" in err) == (3, True)
    fails(hub, 2)
    assert cli.json("job", "retry", "J-1")["job"] == "J-000003"
    records.finish(hub, 3, "done", attempt=records.begin(hub, 3, "w", HERE), result=RESULT)
    assert cli("job", "retry", "J-3")[0] == 3


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_g3_89_whoever_watches_ends_as_the_job_does(cli: Cli, hub: Hub, code: int) -> None:
    problem = Problem("some-code", "It went wrong.", "vision/tiny/1", "Mend it.", True, code)
    fails(hub, asked(hub).number, problem)
    ended, out, err = cli("job", "watch", "J-1", "--json")
    assert (ended, out) == (code, "")
    assert json.loads(err)["error"] == {
        "code": "some-code",
        "what": "It went wrong.",
        "subject": "vision/tiny/1",
        "next": "Mend it.",
    }


def test_g3_89_whoever_watches_is_told_each_change_and_the_result(
    cli: Cli, hub: Hub, place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    works(hub, place)
    with hub.reading() as connection:
        attempt = records.newest_attempt(connection, 1)

    def ends(_seconds: float) -> None:
        records.finish(hub, 1, "done", attempt=attempt, result=RESULT)

    monkeypatch.setattr(jobs, "sleep", ends)
    code, out, err = cli("job", "watch", "J-1")
    assert (code, "J-000001 works, on here." in err, out) == (0, True, "")
    assert cli.json("job", "watch", "J-1") == {"schema": "sealift/convert/1", **RESULT}


def test_g3_89_on_a_terminal_it_is_drawn_how_far_a_job_is(
    acme: Acme, hub: Hub, place: Workplace
) -> None:
    works(hub, place)
    said = on_a_terminal("-c", DRAWN, str(acme.root), columns=100)
    assert "build" in said
    assert "model.onnx" in said
    assert "J-000001 works, on here." in said
    assert lasting(said)[0].startswith("Error: J-000001 was cancelled by anna at ")


def test_g3_89_ctrl_c_leaves_the_job_and_says_so(acme: Acme, hub: Hub, place: Workplace) -> None:
    works(hub, place)
    command = [sys.executable, "-c", WATCHED, "job", "watch", "J-1", "--home", str(acme.root)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "J-000001 works, on here.\n"
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130
    assert "J-1 stays as it is. See it again with: sealift job watch J-1" in said
    with hub.reading() as connection:
        assert records.end(connection, 1) is None
