"""Jobs as people see them: what is going on, why one waits, and what can be done about it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, text, update

from sealift_registry.catalog.pages import PagePlace
from sealift_registry.jobs import records, retrying, tables
from sealift_registry.jobs.dbos_watching import watched
from sealift_registry.jobs.engine import Standing
from sealift_registry.jobs.job import MOST_ATTEMPTS, Job, Problem
from sealift_registry.jobs.records import Wanted
from sealift_registry.storage.host import Host
from sealift_registry.trust.hub import Hub
from sealift_registry.views import jobs_due
from sealift_registry.views.jobs import JobFilter, JobView, Looking
from sealift_signing import shape
from sealift_signing.errors import NotFoundError, RefusedError
from tests.registry.hub_fixture import Acme
from tests.registry.workplace import Workplace

HERE, THERE = Host("0" * 32, "here"), Host("1" * 32, "there")
QUEUE = "cpu-x86_64"
AWAY = Problem("source-unreachable", "It cannot be reached.", "mlflow", "Try again.", final=False)
BROKEN = Problem("no-goldens", "It has none.", "vision/tiny/1", "Add some.", True, 3)


@pytest.fixture
def hub(acme: Acme) -> Hub:
    return acme.app.hub


@pytest.fixture
def place(acme: Acme) -> Iterator[Workplace]:
    made = Workplace(acme.root)
    yield made
    made.dies()


def asked(hub: Hub, by: str = "dora", **more: object) -> Job:
    wanted = Wanted("convert", {"version": "vision/tiny/1", "hardware_target": QUEUE}, QUEUE)
    return records.ask(hub, replace(wanted, **more), by)  # type: ignore[arg-type]  # as named


def seen(hub: Hub, job: Job) -> JobView:
    there = watched(hub)
    with hub.reading() as connection:
        return Looking(connection, hub.now(), there, {"convert"}).job(job.number)


def listed(hub: Hub, wanted: JobFilter | None = None, **place: object) -> list[str]:
    there = watched(hub)
    with hub.reading() as connection:
        looking = Looking(connection, hub.now(), there, {"convert"})
        page = looking.jobs(wanted or JobFilter(), PagePlace(**place))  # type: ignore[arg-type]  # as named
    return [one.job.id for one in page.rows]


def why(hub: Hub, job: Job) -> str:
    view = seen(hub, job)
    return view.waits.reason if view.waits else ""


def test_g3_80_a_job_waits_until_a_worker_takes_from_its_queue(hub: Hub, place: Workplace) -> None:
    job = asked(hub)
    assert (seen(hub, job).state, why(hub, job)) == ("waits", "no-worker")
    place.worker("w1", HERE, "hub")
    assert why(hub, job) == "no-worker"
    place.worker("w2", HERE)  # of all queues
    assert why(hub, job) == "next"
    later, first = asked(hub), asked(hub, priority=1)
    view = seen(hub, later)
    assert (why(hub, job), why(hub, first)) == ("behind", "next")
    assert view.waits is not None
    assert (view.waits.reason, view.waits.before) == ("behind", 2)


def test_g3_80_what_is_bound_to_a_host_waits_for_one_there(hub: Hub, place: Workplace) -> None:
    job = asked(hub, host=THERE)
    place.worker("w1", HERE, QUEUE)
    assert why(hub, job) == "host"
    place.worker("w2", THERE, QUEUE)
    assert why(hub, job) == "next"


def test_g3_80_a_job_works_while_its_worker_lives(hub: Hub, place: Workplace) -> None:
    job, behind = asked(hub), asked(hub)
    place.worker("w1", HERE, QUEUE)
    records.begin(hub, job.number, "w1", HERE)
    place.takes(job, "w1")
    standing = Standing("build", "model.onnx", 3, 12, "2026-01-01T00:00:00Z")
    place.tells(job, standing)
    view = seen(hub, job)
    assert (view.state, view.standing, view.waits) == ("works", standing, None)
    assert why(hub, behind) == "next"
    place.dies()
    assert (seen(hub, job).state, why(hub, job)) == ("waits", "no-worker")


def test_g3_80_one_whose_worker_was_stopped_waits_and_says_so(hub: Hub, place: Workplace) -> None:
    job = asked(hub)
    place.worker("w1", HERE, QUEUE, own_process=True)
    records.begin(hub, job.number, "w1", HERE)
    place.takes(job, "w1")
    assert seen(hub, job).state == "works"
    process = place.processes[0].pid
    os.kill(process, signal.SIGSTOP)
    os.waitid(os.P_PID, process, os.WSTOPPED)
    view = seen(hub, job)
    assert (view.state, why(hub, job)) == ("waits", "stopped")
    assert view.waits is not None
    assert view.waits.worker is not None
    assert view.waits.worker.host_name == "here"
    os.kill(process, signal.SIGCONT)
    os.waitid(os.P_PID, process, os.WCONTINUED)
    assert seen(hub, job).state == "works"


def test_g3_81_what_failed_waits_again_and_says_until_when(
    acme: Acme, hub: Hub, place: Workplace
) -> None:
    job = asked(hub)
    place.worker("w1", HERE, QUEUE)
    setback = records.set_back(hub, records.begin(hub, job.number, "w1", HERE), AWAY)
    view = seen(hub, job)
    assert (view.state, view.setback) == ("waits-again", setback)
    assert view.waits is not None
    assert (view.waits.reason, view.waits.until) == ("pause", setback.again)
    acme.later(seconds=20)
    assert (seen(hub, job).state, why(hub, job)) == ("waits-again", "next")


def test_g3_81_what_newer_software_asked_for_waits_for_it(hub: Hub, place: Workplace) -> None:
    job = asked(hub, kind="render")
    place.worker("w1", HERE, QUEUE)
    assert why(hub, job) == "newer-software"


def test_g3_81_each_end_is_a_state(hub: Hub) -> None:
    jobs = [asked(hub) for _ in range(3)]
    done = records.begin(hub, 1, "w", HERE)
    records.finish(hub, 1, "done", attempt=done, result={"artifacts": []})
    records.finish(hub, 2, "failed", attempt=records.begin(hub, 2, "w", HERE), problem=BROKEN)
    records.finish(hub, 3, "cancelled", attempt=None, by="anna")
    assert [seen(hub, one).state for one in jobs] == ["done", "failed", "cancelled"]
    assert listed(hub, JobFilter(states=["done", "cancelled"])) == ["J-000001", "J-000003"]
    assert listed(hub, JobFilter(states=["waits"])) == []


def test_g3_82_a_list_is_narrowed_down_and_read_page_by_page(hub: Hub) -> None:
    asked(hub)
    asked(hub, by="anna")
    asked(hub, kind="ingest", queue="hub")
    assert listed(hub, newest_first=True) == ["J-000003", "J-000002", "J-000001"]
    assert listed(hub, limit=2, after="J-000001") == ["J-000002", "J-000003"]
    assert listed(hub, JobFilter(asked_by="anna")) == ["J-000002"]
    assert listed(hub, JobFilter(kind="ingest")) == ["J-000003"]
    assert listed(hub, JobFilter(queue=QUEUE)) == ["J-000001", "J-000002"]
    assert listed(hub, JobFilter(states=["waits"], queue="hub")) == ["J-000003"]
    with hub.reading() as connection:
        looking = Looking(connection, hub.now(), watched(hub), ())
        page = looking.jobs(JobFilter(), PagePlace(limit=2))
        assert (len(page.rows), page.after) == (2, "J-000002")
        page = looking.jobs(JobFilter(), PagePlace(limit=2, after="J-000002"))
        assert (len(page.rows), page.after) == (1, None)
        with pytest.raises(NotFoundError):
            looking.jobs(JobFilter(), PagePlace(after="J-000009"))


def test_g3_82_a_row_that_nobody_asked_for_hides_no_other(hub: Hub) -> None:
    job = asked(hub)
    forged = replace(job.order, key="f" * 32, asked_by="nobody")
    with hub.database.writing() as connection, connection.begin():
        row = {"number": 2, "key": forged.key, "body": shape.write(forged)}
        connection.execute(insert(tables.job).values(**row))
    with hub.reading() as connection:
        looking = Looking(connection, hub.now(), watched(hub), ())
        page = looking.jobs(JobFilter(), PagePlace())
        assert [one.job for one in page.rows] == [job]
        assert [(one.name, one.error.code) for one in page.refused] == [
            ("J-000002", "row-not-logged")
        ]
        with pytest.raises(RefusedError):
            looking.job(2)


def test_g3_83_what_is_damaged_in_the_engines_place_stops_nobody_who_looks(
    acme: Acme, hub: Hub
) -> None:
    job = asked(hub)
    (acme.root / "jobs.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert why(hub, job) == "no-worker"
    (acme.root / "jobs.db").write_bytes(b"")
    assert why(hub, job) == "no-worker"


def test_g3_84_a_job_that_is_done_again_names_its_successor(hub: Hub) -> None:
    job = asked(hub, terms={"model": "vision/tiny"})
    records.finish(hub, 1, "failed", attempt=records.begin(hub, 1, "w", HERE), problem=BROKEN)
    again = retrying.ask_again(hub, job, "anna")
    assert again.order == replace(
        job.order, key=again.order.key, asked=again.order.asked, asked_by="anna", retries=1
    )
    assert seen(hub, job).retried_by == again.number == 2
    assert retrying.ask_again(hub, job, "anna").number == 3
    assert seen(hub, job).retried_by == 3
    with hub.reading() as connection:
        words = text("SELECT count(*) FROM log_term WHERE kind = 'model'")
        assert connection.execute(words).scalar() == 3


def test_g3_85_what_went_wrong_is_told_for_a_week_or_until_it_is_done_again(
    acme: Acme, hub: Hub
) -> None:
    jobs = [asked(hub) for _ in range(3)]
    records.finish(hub, 1, "failed", attempt=records.begin(hub, 1, "w", HERE), problem=BROKEN)
    records.finish(hub, 2, "cancelled", attempt=None, by="anna")

    def told(days: int = 0) -> list[str]:
        with hub.reading() as connection:
            now = hub.now() + timedelta(days=days)
            return [one.job.id for one in jobs_due.went_wrong(connection, now)]

    assert told() == ["J-000001"]
    assert told(days=8) == []
    retrying.ask_again(hub, jobs[0], "anna")
    assert told() == []


def test_g3_85_what_was_asked_for_since_in_words_of_ones_own_is_told_no_more(
    acme: Acme, hub: Hub
) -> None:
    def told() -> list[str]:
        with hub.reading() as connection:
            return [one.job.id for one in jobs_due.went_wrong(connection, hub.now())]

    asked(hub), asked(hub)  # the second before the first had failed
    records.finish(hub, 1, "failed", attempt=records.begin(hub, 1, "w", HERE), problem=BROKEN)
    assert told() == ["J-000001"]
    later = asked(hub)
    assert told() == []
    other = shape.write(replace(later.order, key="0" * 32))
    row = update(tables.job).where(tables.job.c.number == 3)
    with acme.behind() as connection:  # as if nobody had asked for it
        connection.execute(row.values(body=other))
    assert told() == ["J-000001"]
    with acme.behind() as connection:
        connection.execute(row.values(body=shape.write(later.order)))
    asked(hub, arguments={"version": "vision/tiny/3", "hardware_target": QUEUE})
    records.finish(hub, 4, "failed", attempt=records.begin(hub, 4, "w", HERE), problem=BROKEN)
    (step,) = [one for one in acme.app.missing() if "J-000004" in one.sentence]
    assert "job retry" not in step.command, "it would end as it did"


def test_g3_85_what_nobody_takes_is_told_by_queue(hub: Hub, place: Workplace) -> None:
    def told() -> list[tuple[str, str | None, int]]:
        with hub.reading() as connection:
            found = jobs_due.unattended(connection, lambda: watched(hub))
            return [(one.queue, one.host_name, one.count) for one in found]

    assert told() == []
    for _ in range(2):
        asked(hub)
    asked(hub, host=THERE, queue="hub")
    assert told() == [(QUEUE, None, 2), ("hub", "there", 1)]
    place.worker("w1", HERE)
    assert told() == [("hub", "there", 1)]


def test_g3_85_next_says_what_to_do_about_jobs(acme: Acme, hub: Hub, place: Workplace) -> None:
    asked(hub)
    records.finish(hub, 1, "failed", attempt=records.begin(hub, 1, "w", HERE), problem=BROKEN)
    asked(hub, arguments={"version": "vision/tiny/2", "hardware_target": QUEUE})
    found = {one.command.partition("  ")[0]: one.sentence for one in acme.app.missing()}
    assert found["sealift job show J-000001"].endswith(": It has none.")
    assert "J-000001 (convert vision/tiny/1 for cpu-x86_64) failed on 2" in str(found)
    assert found[f"sealift worker --queue {QUEUE}"].startswith("1 job waits in the queue")
    place.worker("w1", HERE)
    assert f"sealift worker --queue {QUEUE}" not in str(acme.app.missing())


def test_g3_91_rows_of_attempts_hold_a_job_up_and_no_more(hub: Hub) -> None:
    """They decide who may record now: whoever adds them has a job wait, or set aside."""
    job = asked(hub)
    forged = records.begin(hub, job.number, "w1", HERE)
    with hub.database.writing() as connection, connection.begin():
        for number in range(2, MOST_ATTEMPTS + 1):
            row = vars(forged) | {"number": number}
            connection.execute(insert(tables.job_attempt).values(**row))
    with pytest.raises(records.EndedError):
        records.begin(hub, job.number, "w2", HERE)
    view = seen(hub, job)
    assert (view.state, view.end and view.end.result) == ("set-aside", None)
    assert retrying.ask_again(hub, job, "anna").order.arguments == job.order.arguments


def test_g3_91_what_the_engines_place_says_of_an_end_is_not_believed(
    hub: Hub, place: Workplace
) -> None:
    job = asked(hub)
    place.takes(job, "w1")
    place.tells(job, Standing("done", "all", 1, 1, "now"))
    view = seen(hub, job)
    assert (view.state, view.end, view.standing) == ("waits", None, None)
