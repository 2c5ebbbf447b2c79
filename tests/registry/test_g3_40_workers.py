"""A worker, each attempt in a process of its own: how jobs end, and what is left of them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sealift_registry import job_attempt, worker
from sealift_registry.job_attempt import Attempts, Happened
from sealift_registry.jobs import folders, records, setbacks
from sealift_registry.jobs.job import MOST_ATTEMPTS, Job, JobEnd
from sealift_registry.jobs.records import Wanted
from sealift_registry.storage.host import Host
from sealift_registry.trust.hub import Hub
from sealift_registry.worker import Worker
from sealift_signing.errors import FailedError
from tests.registry.a_job_process import KINDS
from tests.registry.an_engine import AnEngine
from tests.registry.hub_fixture import Acme

HERE = Host("0" * 32, "here")
PATIENCE = 60.0
ROOT = Path(__file__).parents[2]


def until(found: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is waited for
    """What `found` finds, as soon as it does."""
    end = time.monotonic() + PATIENCE
    while not (there := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
    return there


class Play:
    """A hub with jobs, and workers for them.

    Attributes:
        happened: what workers told.
        notes: what jobs wrote down.
    """

    def __init__(self, acme: Acme) -> None:
        self.acme = acme
        self.hub: Hub = acme.app.hub
        self.engine = AnEngine(HERE.id)
        self.happened: list[Happened] = []
        self.noted: list[str] = []
        self.notes = acme.folder / "notes"

    def ask(self, kind: str, **more: Any) -> Job:  # noqa: ANN401 - of the kind, or of `Wanted`
        of_wanted = {name: more.pop(name) for name in ("seconds", "queue") if name in more}
        wanted = Wanted(kind, {"notes": str(self.notes), **more}, **of_wanted)
        return records.ask(self.hub, wanted, "dora")

    def worker(self, **more: Any) -> Worker:  # noqa: ANN401 - of `Attempts`
        given = {"kinds": KINDS.keys(), "module": "tests.registry.a_job_process", **more}
        attempts = Attempts(self.hub, self.engine, "w", HERE, told=self.happened.append, **given)
        return Worker(attempts, ["hub"], noted=self.noted.append)

    @contextmanager
    def working(self, grace: float = 0.0, **more: Any) -> Iterator[Worker]:  # noqa: ANN401 - as above
        one = self.worker(**more)
        thread = threading.Thread(target=one.run, kwargs={"grace": grace})
        thread.start()
        try:
            yield one
        finally:
            if thread.is_alive():
                one.stop()
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def end(self, job: Job) -> JobEnd | None:
        with self.hub.reading() as connection:
            return records.end(connection, job.number)

    def ended(self, job: Job) -> JobEnd:
        found: JobEnd = until(lambda: self.end(job))
        return found

    def lines(self) -> list[str]:
        return self.notes.read_text().split()

    def attempts(self, job: Job) -> int:
        with self.hub.reading() as connection:
            return len(records.attempts(connection, job.number))

    def what(self) -> list[str]:
        return [one.what for one in self.happened]


@pytest.fixture
def play(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> Play:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(setbacks, "PAUSES", (timedelta(milliseconds=1),))
    monkeypatch.setattr(worker, "BEAT", 0.2)
    monkeypatch.setattr(job_attempt, "AGAIN", 0.2)
    return Play(acme)


def is_there(pid: int) -> bool:
    """Whether a process is there, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children() -> set[int]:
    found = Path("/proc/self/task").glob("*/children")
    return {int(one) for file in found for one in file.read_text().split()}


def test_g3_40_a_job_is_done_in_a_process_and_leaves_nothing_there(play: Play) -> None:
    before = children()
    job = play.ask("three")
    play.worker().run(once=True)
    end = play.end(job)
    assert end is not None
    assert (end.outcome, end.result, end.attempt) == ("done", {"said": ["a", "b"]}, 1)
    assert play.lines() == ["a", "b"]
    assert play.what() == ["begun", "done"]
    assert children() == before, "a zombie"
    assert folders.kept(play.hub.home.work) == frozenset()
    assert play.engine.closed


@pytest.mark.parametrize("step", ["a", "b"])
def test_g3_40_a_process_killed_in_a_step_goes_on_there(play: Play, step: str) -> None:
    job = play.ask("three", dies=step)
    play.worker().run(once=True)
    end = play.ended(job)
    assert (end.outcome, end.result, end.attempt) == ("done", {"said": ["a", "b"]}, 2)
    assert play.lines() == sorted(["a", "b", step])
    assert play.what() == ["begun", "again", "begun", "done"]
    assert play.acme.types().count("intake.refused") == 1


def test_g3_41_a_poison_job_is_set_aside_and_the_rest_go_on(play: Play) -> None:
    poison, other = play.ask("poison"), play.ask("three")
    play.worker().run(once=True)
    end = play.ended(poison)
    assert end.outcome == "set-aside"
    assert end.problem is not None
    assert end.problem.code == "job-died"
    assert "signal 9" in end.problem.what
    assert "it is too much" in end.problem.what
    assert play.lines().count("poison") == MOST_ATTEMPTS
    assert play.ended(other).outcome == "done"


def test_g3_41_what_may_be_repeated_is_repeated_and_then_done(play: Play) -> None:
    job = play.ask("fail", times=3)
    play.worker().run(once=True)
    assert play.ended(job).result == {"times": 3}
    with play.hub.reading() as connection:
        found = setbacks.every(connection, job.number)
    assert [one.problem.code for one in found] == ["source-unreachable"] * 2


def test_g3_41_what_fails_each_time_has_failed(play: Play) -> None:
    job = play.ask("fail", times=99)
    play.worker().run(once=True)
    end = play.ended(job)
    assert (end.outcome, end.attempt) == ("failed", MOST_ATTEMPTS)
    assert end.problem is not None
    assert end.problem.next == "Wait."


def test_g3_41_what_a_rule_refuses_is_not_repeated(play: Play) -> None:
    job = play.ask("refuse")
    play.worker().run(once=True)
    end = play.ended(job)
    assert (end.outcome, end.attempt) == ("failed", 1)
    assert end.problem is not None
    assert (end.problem.code, end.problem.subject, end.problem.final) == ("so", "it", True)


@pytest.mark.parametrize("kind, code", [("crash", "unexpected"), ("rubbish", "json-not-canonical")])
def test_g3_41_what_nobody_expected_is_a_sentence(play: Play, kind: str, code: str) -> None:
    job = play.ask(kind)
    play.worker().run(once=True)
    end = play.ended(job)
    assert end.outcome == "failed"
    assert end.problem is not None
    assert end.problem.code == code


def test_g3_42_who_cancels_has_the_process_killed_with_all_that_it_started(play: Play) -> None:
    pids = play.acme.folder / "pids"
    job = play.ask("hang", pids=str(pids))
    with play.working():
        until(lambda: pids.exists() and pids.read_text())
        found = [int(one) for one in pids.read_text().split()]
        assert all(map(is_there, found))
        assert folders.kept(play.hub.home.work) == {job.order.key}
        records.finish(play.hub, job.number, "cancelled", attempt=None, by="anna")
        until(lambda: not any(map(is_there, found)))
        until(lambda: "ended" in play.what())
        until(lambda: not folders.kept(play.hub.home.work))
        until(lambda: job.order.key not in play.engine.known)


def test_g3_42_a_job_takes_no_longer_than_it_may(play: Play) -> None:
    pids, before = play.acme.folder / "pids", children()
    job = play.ask("hang", pids=str(pids), seconds=5)
    play.worker().run(once=True)
    end = play.ended(job)
    assert (end.outcome, end.attempt) == ("failed", 1)
    assert end.problem is not None
    assert end.problem.code == "job-too-long"
    assert children() == before
    if pids.exists():  # it had come so far
        assert not any(is_there(int(one)) for one in pids.read_text().split())


def test_g3_43_an_attempt_that_another_followed_records_nothing(play: Play) -> None:
    pids, go = play.acme.folder / "pids", play.acme.folder / "go"
    job = play.ask("late", pids=str(pids), go=str(go))
    one = play.worker()
    one.attempts.engine.work(["hub"], 1, one.attempts.take)
    play.engine.enqueue(job)
    until(lambda: pids.exists() and pids.read_text())
    second = records.begin(play.hub, job.number, "w2", Host("1" * 32, "there"))
    before = play.acme.types()
    go.touch()
    until(lambda: play.engine.states()[job.order.key] == "stopped")
    assert play.acme.types() == before
    assert play.end(job) is None
    records.finish(play.hub, job.number, "done", attempt=second, result={})


def test_g3_43_a_worker_that_comes_back_kills_what_it_was_at(play: Play) -> None:
    pids = play.acme.folder / "pids"
    job = play.ask("hang", pids=str(pids))
    with play.working():
        until(lambda: pids.exists() and pids.read_text())
        records.begin(play.hub, job.number, "w2", Host("1" * 32, "there"))
        found = [int(one) for one in pids.read_text().split()]
        until(lambda: not any(map(is_there, found)))


def test_g3_44_a_worker_that_is_ended_gives_back_what_it_is_at(play: Play) -> None:
    pids = play.acme.folder / "pids"
    job = play.ask("hang", pids=str(pids))
    with play.working():
        until(lambda: pids.exists() and pids.read_text())
    assert not any(is_there(int(one)) for one in pids.read_text().split())
    assert play.what() == ["begun", "given back"]
    assert play.end(job) is None
    with play.hub.reading() as connection:
        assert setbacks.due(connection, job.number, play.hub.now())
        assert setbacks.spent(connection, job.number) == 0
    assert folders.kept(play.hub.home.work) == {job.order.key}, "what the next one goes on with"


def test_g3_44_attempts_that_were_given_back_do_not_count(play: Play) -> None:
    job = play.ask("hang")
    for number in range(1, 3 * MOST_ATTEMPTS):
        attempt = records.begin(play.hub, job.number, "w", HERE)
        assert attempt.number == number
        records.give_back(play.hub, attempt)
    for _ in range(MOST_ATTEMPTS):
        records.begin(play.hub, job.number, "w", HERE)
    with pytest.raises(records.EndedError):
        records.begin(play.hub, job.number, "w", HERE)


def test_g3_44_what_is_done_within_the_grace_is_done(play: Play) -> None:
    go = play.acme.folder / "go"
    job, later = play.ask("wait", go=str(go)), play.ask("three")
    with play.working(grace=PATIENCE) as one:
        until(play.notes.exists)
        one.stop()
        until(lambda: play.noted)
        go.touch()
        assert play.ended(job).outcome == "done"  # before it is told to end a second time
    assert play.end(later) is None, "it took another one"
    assert play.attempts(later) == 0


def test_g3_45_what_a_library_prints_is_no_answer_and_progress_is_told_seldom(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALIFT_PASSPHRASE_ANNA", "hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a token")
    job = play.ask("chatter")
    play.worker().run(once=True)
    names = (play.ended(job).result or {})["names"]
    assert "SEALIFT_PASSPHRASE_ANNA" not in names
    assert "MLFLOW_TRACKING_TOKEN" in names
    assert 1 <= len(play.engine.told) < 5
    assert play.engine.told[0].subject == "a model"


def test_g3_45_a_step_that_is_made_of_something_else_by_now_is_done_again(play: Play) -> None:
    job = play.ask("changing", dies="b")
    play.worker().run(once=True)
    end = play.ended(job)
    assert end.result == {"of": "True"}
    assert end.attempt == 3


def test_g3_46_jobs_that_the_engine_forgot_or_holds_for_over_are_done(play: Play) -> None:
    job = play.ask("three")
    play.engine.enqueue(job)
    play.engine.known[job.order.key].state = "over"  # of before a backup was restored
    play.engine.enqueue(gone := play.ask("three"))
    records.finish(play.hub, gone.number, "cancelled", attempt=None, by="anna")
    play.worker().run(once=True)
    assert play.ended(job).outcome == "done"
    assert play.attempts(gone) == 0
    assert gone.order.key not in play.engine.known


def test_g3_46_a_kind_that_is_not_known_is_left_to_a_newer_worker(play: Play) -> None:
    job, other = play.ask("render"), play.ask("three")
    play.worker().run(once=True)
    assert play.end(job) is None
    assert play.attempts(job) == 0
    assert play.what().count("left") == 1
    assert play.ended(other).outcome == "done"


def test_g3_46_other_queues_are_left_alone(play: Play) -> None:
    job = play.ask("three", queue="cpu-x86_64")
    play.worker().run(once=True)
    assert (play.end(job), play.attempts(job)) == (None, 0)
    assert job.order.key in play.engine.known


def test_g3_47_a_database_that_is_away_is_waited_for_and_told_once(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = FailedError("database-unreachable", "It cannot be reached.", next_step="Wait.")
    go = play.acme.folder / "go"
    job = play.ask("wait", go=str(go))
    finish, tries = records.finish, []

    def not_yet(*given: Any, **more: Any) -> JobEnd:  # noqa: ANN401 - as `finish`
        tries.append(1)
        if len(tries) < 3:
            raise away
        return finish(*given, **more)

    monkeypatch.setattr(records, "finish", not_yet)
    with play.working():
        until(play.notes.exists)
        play.engine.away = away
        beats = play.engine.beats
        until(lambda: play.noted)
        go.touch()
        until(lambda: len(tries) >= 1)
        play.engine.away = None
        until(lambda: play.engine.beats > beats + 2)
        assert play.ended(job).attempt == 1
    assert len(play.noted) == 2
    assert "It cannot be reached." in play.noted[0]


def test_g3_47_a_step_that_the_engine_does_not_record_is_done_again(play: Play) -> None:
    job = play.ask("wait", go=str(play.acme.folder / "go"))
    three = play.ask("three")
    (play.acme.folder / "go").touch()
    with play.working():
        until(lambda: play.end(job))
        assert play.ended(three).outcome == "done"


def test_g3_48_a_worker_that_is_killed_leaves_no_process(play: Play) -> None:
    pids = play.acme.folder / "pids"
    play.ask("hang", pids=str(pids))
    pid = os.fork()
    if pid == 0:
        play.hub.database.engine.dispose(close=False)
        try:
            play.worker().run()
        finally:
            os._exit(0)
    until(lambda: pids.exists() and pids.read_text())
    found = [int(one) for one in pids.read_text().split()]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    until(lambda: not any(map(is_there, found)))
