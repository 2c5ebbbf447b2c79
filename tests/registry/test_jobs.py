"""Jobs as rows: asked for once, begun by one at a time, ended once; and the plain runner."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from sealift_registry.jobs import logged_jobs, records, setbacks, tables
from sealift_registry.jobs.job import MOST_ATTEMPTS, Job, Problem, parse_job
from sealift_registry.jobs.plain import FOLDER, in_foreground
from sealift_registry.jobs.problems import problem_of
from sealift_registry.jobs.records import EndedError, SupersededError, Wanted
from sealift_registry.jobs.steps import Made, product
from sealift_registry.storage.host import Host
from sealift_registry.trust.hub import Hub
from sealift_signing import shape
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, UsageError
from tests.registry.hub_fixture import Acme, quiet

HERE, THERE = Host("0" * 32, "here"), Host("1" * 32, "there")
AGAIN = Problem("source-unreachable", "It cannot be reached.", "mlflow", "Try again.", final=False)


@pytest.fixture
def hub(acme: Acme) -> Hub:
    return acme.app.hub


def asked(hub: Hub, **more: object) -> Job:
    wanted = Wanted("convert", {"version": "vision/tiny/1", "for": "cpu-x86_64"}, "cpu-x86_64")
    return records.ask(hub, replace(wanted, **more), "dora")  # type: ignore[arg-type]  # as named


def test_g3_01_what_was_asked_for_is_recorded_with_its_entry(acme: Acme, hub: Hub) -> None:
    job = asked(hub)
    assert acme.types()[-1] == records.ASKED
    assert job.id == "J-000001"
    with hub.reading() as connection:
        assert records.job(connection, 1) == job
        assert records.by_key(connection, job.order.key) == job
        assert records.waiting(connection) == [job]
        assert records.end(connection, 1) is None
    assert asked(hub).id == "J-000002"


def test_g3_01_too_much_is_not_asked_for_at_once(hub: Hub) -> None:
    with pytest.raises(RefusedError) as told:
        asked(hub, arguments={"x": "y" * 2_000_000})
    assert told.value.code == "job-too-large"


@pytest.mark.parametrize("text", ["", "J-", "J-0", "17", "J-1x", "P-000001"])
def test_g3_01_what_names_no_job(text: str) -> None:
    with pytest.raises(UsageError):
        parse_job(text)
    assert parse_job("j-000017") == parse_job("J-17") == 17


def test_g3_01_a_job_that_is_not_there(hub: Hub) -> None:
    with hub.reading() as connection, pytest.raises(NotFoundError) as told:
        records.job(connection, 17)
    assert "J-000017" in told.value.what


def test_g3_02_one_attempt_at_a_time_may_record(hub: Hub) -> None:
    job = asked(hub)
    first = records.begin(hub, job.number, "w1", HERE)
    second = records.begin(hub, job.number, "w2", THERE)
    assert (first.number, second.number) == (1, 2)
    guarded = replace(hub, guard=lambda connection: records.check_may_record(connection, first))
    with pytest.raises(SupersededError, match="there"):
        guarded.commit_entry(guarded.entry("intake.refused", "dora", {}))
    with pytest.raises(SupersededError):
        records.finish(hub, job.number, "done", attempt=first, result={})
    with pytest.raises(SupersededError):
        records.set_back(hub, first, AGAIN)
    now = replace(hub, guard=lambda connection: records.check_may_record(connection, second))
    now.commit_entry(now.entry("intake.refused", "dora", {}))


def test_g3_02_a_guessed_token_records_nothing(hub: Hub) -> None:
    job = asked(hub)
    attempt = records.begin(hub, job.number, "w1", HERE)
    with pytest.raises(SupersededError):
        records.finish(hub, job.number, "done", attempt=replace(attempt, token="0"), result={})


def test_g3_02_a_job_ends_once(hub: Hub) -> None:
    job = asked(hub)
    attempt = records.begin(hub, job.number, "w1", HERE)
    end = records.finish(hub, job.number, "done", attempt=attempt, result={"version": "x/y/1"})
    assert (end.attempt, end.host_name, end.outcome) == (1, "here", "done")
    for again in (attempt, None):
        with pytest.raises(EndedError):
            records.finish(hub, job.number, "failed", attempt=again, problem=AGAIN)
    with pytest.raises(EndedError):
        records.begin(hub, job.number, "w2", THERE)
    guarded = replace(hub, guard=lambda connection: records.check_may_record(connection, attempt))
    with pytest.raises(SupersededError, match="ended"):
        guarded.commit_entry(guarded.entry("intake.refused", "dora", {}))
    with hub.reading() as connection:
        assert records.waiting(connection) == []
        assert records.end(connection, job.number) == end


def test_g3_02_who_cancels_is_named_and_what_was_at_work_records_nothing(hub: Hub) -> None:
    job = asked(hub)
    attempt = records.begin(hub, job.number, "w1", HERE)
    end = records.finish(hub, job.number, "cancelled", attempt=None, by="anna")
    assert (end.by, end.attempt) == ("anna", 1)
    with pytest.raises(EndedError):
        records.finish(hub, job.number, "done", attempt=attempt, result={})


def test_g3_03_a_job_whose_process_dies_each_time_is_set_aside(hub: Hub) -> None:
    job, other = asked(hub), asked(hub)
    for number in range(MOST_ATTEMPTS):
        assert records.begin(hub, job.number, "w", HERE).number == number + 1
    with pytest.raises(EndedError):
        records.begin(hub, job.number, "w", HERE)
    with hub.reading() as connection:
        end = records.end(connection, job.number)
        assert records.waiting(connection) == [other]
    assert end is not None
    assert end.outcome == "set-aside"
    assert end.problem is not None
    assert end.problem.code == "job-set-aside"


def test_g3_03_an_error_is_kept_with_the_exit_code_of_its_command(hub: Hub) -> None:
    problem = problem_of(NotFoundError("no-version", "There is none."), final=True)
    assert shape.read(Problem, shape.write(problem), what="it") == problem
    assert problem.exit_code == 3


def test_g3_03_what_failed_waits_and_a_clock_that_was_set_back_keeps_it_no_longer(hub: Hub) -> None:
    job = asked(hub)
    attempt = records.begin(hub, job.number, "w", HERE)
    records.set_back(hub, attempt, AGAIN)
    now = hub.now()
    with hub.reading() as connection:
        assert [one.problem for one in setbacks.every(connection, job.number)] == [AGAIN]
        assert not setbacks.due(connection, job.number, now)
        assert setbacks.due(connection, job.number, now + timedelta(seconds=11))
        assert setbacks.due(connection, job.number, now - timedelta(hours=1))


def test_g3_04_a_job_that_nobody_asked_for_is_not_begun(hub: Hub) -> None:
    job = asked(hub)
    forged = replace(job.order, key="f" * 32, arguments={"version": "other/model/1"})
    with hub.database.writing() as connection, connection.begin():
        row = {"number": 2, "key": forged.key, "body": shape.write(forged)}
        connection.execute(insert(tables.job).values(**row))
    with pytest.raises(RefusedError) as told:
        records.begin(hub, 2, "w", HERE)
    assert told.value.code == "row-not-logged"


def test_g3_04_nor_one_whose_row_says_otherwise_by_now(hub: Hub) -> None:
    job = asked(hub)
    other = shape.write(replace(job.order, arguments={"version": "other/model/1"}))
    with hub.database.writing() as connection, connection.begin():
        connection.execute(delete(tables.job))
        row = {"number": 1, "key": job.order.key, "body": other}
        connection.execute(insert(tables.job).values(**row))
    with pytest.raises(RefusedError) as told:
        records.begin(hub, 1, "w", HERE)
    assert told.value.code == "row-not-logged"


def test_g3_04_an_end_that_nobody_recorded_is_none(hub: Hub) -> None:
    job, other = asked(hub), asked(hub)
    attempt = records.begin(hub, other.number, "w", HERE)
    end = records.finish(hub, other.number, "done", attempt=attempt, result={})
    with hub.database.writing() as connection, connection.begin():
        row = {"job": job.number, "body": shape.write(replace(end, job=job.number))}
        connection.execute(insert(tables.job_end).values(**row))
    with hub.reading() as connection, pytest.raises(RefusedError) as told:
        records.end(connection, job.number)
    assert told.value.code == "row-not-logged"
    with hub.reading() as connection:
        assert [one.code for one in logged_jobs.not_logged(connection)] == ["row-not-logged"]


def test_g3_04_after_a_number_that_nobody_gave_none_follows(hub: Hub) -> None:
    job = asked(hub)
    forged = replace(job.order, key="f" * 32)
    with hub.database.writing() as connection, connection.begin():
        row = {"number": 2**63 - 1, "key": forged.key, "body": shape.write(forged)}
        connection.execute(insert(tables.job).values(**row))
    with pytest.raises(RefusedError) as told:
        asked(hub)
    assert told.value.code == "row-not-logged"


def test_g3_04_one_of_another_host_is_not_begun_here(hub: Hub) -> None:
    job = asked(hub, host=THERE)
    with pytest.raises(RefusedError, match="there") as told:
        records.begin(hub, job.number, "w", HERE)
    assert told.value.code == "job-elsewhere"
    assert records.begin(hub, job.number, "w", THERE).number == 1


# ---------------------------------------------------------------------- the plain runner


def filled(folder: Path) -> Made:
    (folder / "model").write_text("made")
    return {"size": 4}


class Killed(BaseException):
    """As if by kill -9: nothing that the code would do after it is done."""


def killed(work: Path) -> Path:
    """The folder of a step that was finished by a command which was killed then."""
    with suppress(Killed), in_foreground(work, quiet, "same") as steps:
        folder, _ = product(steps, "build", filled, of="one")
        raise Killed
    return folder


def test_g3_05_a_command_that_was_killed_goes_on_at_the_step_that_did_not_finish(
    tmp_path: Path,
) -> None:
    ran: list[str] = []

    def build(folder: Path) -> Made:
        ran.append("build")
        return filled(folder)

    def stops() -> Made:
        raise Killed

    def work(last: Callable[[], Made]) -> Made:
        with in_foreground(tmp_path, quiet, "convert x for y") as steps:
            folder, said = product(steps, "build", build, of="order-1")
            assert (folder / "model").read_text() == "made"
            assert said == {"size": 4}
            return steps.step("accept", last)

    with pytest.raises(Killed):
        work(stops)
    assert work(lambda: {"done": True}) == {"done": True}
    assert ran == ["build"]
    assert list((tmp_path / FOLDER).glob("*")) == [] if (tmp_path / FOLDER).exists() else True
    work(lambda: {"done": True})
    assert ran == ["build", "build"]  # a third command is not that work any more


def test_g3_05_what_is_made_of_something_else_by_now_is_made_anew(tmp_path: Path) -> None:
    ran: list[str] = []

    def work(of: str) -> None:
        def build(folder: Path) -> Made:
            ran.append(of)
            return filled(folder)

        with in_foreground(tmp_path, quiet, "same") as steps:
            product(steps, "build", build, of=of)
            raise Killed

    for of in ("one", "one", "two", "", ""):
        with pytest.raises(Killed):
            work(of)
    assert ran == ["one", "two", "", ""]


def test_g3_05_a_folder_that_is_gone_is_filled_again(tmp_path: Path) -> None:
    folder = killed(tmp_path)
    (folder / "model").unlink()
    folder.rmdir()
    with in_foreground(tmp_path, quiet, "same") as steps:
        again, _ = product(steps, "build", filled, of="one")
        assert (again / "model").read_text() == "made"


def test_g3_05_what_was_refused_is_made_anew(tmp_path: Path) -> None:
    ran: list[str] = []

    def plan() -> Made:
        ran.append("plan")
        return {}

    def work() -> None:
        with in_foreground(tmp_path, quiet, "same") as steps:
            steps.step("plan", plan, of="one")
            raise FailedError("x", "It failed.")

    for _ in range(2):
        with pytest.raises(FailedError):
            work()
    assert ran == ["plan", "plan"]


def test_g3_05_two_at_once_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        in_foreground(tmp_path, quiet, "same") as one,
        in_foreground(tmp_path, quiet, "same") as two,
    ):
        assert one.folder != two.folder


def test_g3_05_a_damaged_record_is_none(tmp_path: Path) -> None:
    killed(tmp_path)
    for record in (tmp_path / FOLDER).rglob("record.json"):
        record.write_text("{")
    with in_foreground(tmp_path, quiet, "same") as steps:
        assert product(steps, "build", filled, of="one")[1] == {"size": 4}
