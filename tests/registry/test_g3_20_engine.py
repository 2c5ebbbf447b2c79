"""The contract of the engine of jobs, over both: in a home, and at a database server."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealift_registry.jobs.engine import Recorder, Standing, StepsDifferError, StoppedError
from sealift_registry.jobs.steps import Made
from tests.registry.engines_of_jobs import HERE, THERE, Where, at_a_server, in_a_home, job, until

STEPS = ["one", "two", "three"]


@pytest.fixture(params=["embedded", "shared"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Where]:
    made = in_a_home(tmp_path) if request.param == "embedded" else at_a_server()
    yield made
    made.end()


def does(name: str = "") -> Callable[[], Made]:
    return lambda: {"step": name}


def test_g3_20_a_job_is_queued_once_and_ends(where: Where) -> None:
    done: list[str] = []

    def body(key: str, recorder: Recorder) -> None:
        assert recorder.step("one", does("one")) == {"step": "one"}
        done.append(key)

    with where.engine() as engine:
        engine.enqueue(job(1))
        engine.enqueue(job(1))
        assert engine.states() == {"key0001": "waiting"}
        assert engine.steps("key0001") == ()
        engine.work(["hub"], 1, body)
        until(engine.states, {"key0001": "over"})
        assert done == ["key0001"]
        assert engine.steps("key0001") == ("one",)
        engine.enqueue(job(1))
        engine.again(job(1))
        engine.rewind(job(1))
        assert engine.states() == {"key0001": "over"}
        engine.forget("key0001")
        assert engine.states() == {}
        engine.enqueue(job(1))
        until(engine.states, {"key0001": "over"})
        assert done == ["key0001"] * 2


def test_g3_20_what_comes_first_and_where(where: Where) -> None:
    done: list[str] = []
    with where.engine() as engine:
        engine.enqueue(job(1, priority=5))
        engine.enqueue(job(2, priority=9))
        engine.enqueue(job(3, priority=1, host=HERE))
        engine.enqueue(job(4, priority=1, host=THERE))
        engine.enqueue(job(5, priority=1, queue="cpu-x86_64"))
        engine.enqueue(job(6, priority=5))
        engine.work(["hub"], 1, lambda key, _: done.append(key))
        until(lambda: done, ["key0003", "key0001", "key0006", "key0002"])
        assert {key for key, state in engine.states().items() if state == "waiting"} == {
            "key0004",
            "key0005",
        }


def test_g3_20_a_worker_of_all_queues_leaves_what_is_another_hosts(where: Where) -> None:
    done: list[str] = []
    with where.engine() as engine:
        for one in (job(1, queue="a"), job(2, queue="b", host=HERE), job(3, queue="b", host=THERE)):
            engine.enqueue(one)
        engine.work([], 1, lambda key, _: done.append(key))
        until(lambda: done, ["key0001", "key0002"])
        assert engine.states()["key0003"] == "waiting"


def test_g3_20_no_more_at_once_than_slots(where: Where) -> None:
    with where.engine() as engine:
        for number in range(1, 6):
            engine.enqueue(job(number, queue=f"q{number % 3}"))
        worker = where.worker(queues=["q0", "q1", "q2"], slots=2, holds="two")
        until(lambda: sum(one.startswith("held") for one in worker.heard()), 2)
        time.sleep(1)  # twice as long as it takes to look again
        assert list(engine.states().values()).count("working") == 2
        worker.tell("go")
        until(lambda: set(engine.states().values()), {"over"})
        assert sum(one.startswith("begin") for one in worker.heard()) == 5


@pytest.mark.parametrize("name", STEPS)
def test_g3_20_killed_in_a_step_it_goes_on_there(where: Where, name: str) -> None:
    with where.engine() as engine:
        engine.enqueue(job(1))
        first = where.worker(holds=name)
        first.hear(f"held key0001 {name}")
        first.kill()
        second = where.worker()
        second.hear("back key0001")
        second.hear("done key0001")
        until(engine.states, {"key0001": "over"})
        told = [one for one in second.heard() if one.startswith("step")]
        assert told == [f"step key0001 {one}" for one in STEPS[STEPS.index(name) :]]
        assert engine.steps("key0001") == tuple(STEPS)


def test_g3_20_killed_after_its_steps_it_ends_all_the_same(where: Where) -> None:
    with where.engine() as engine:
        engine.enqueue(job(1))
        first = where.worker(after=True)
        first.hear("after key0001")
        first.kill()
        second = where.worker()
        second.hear("done key0001")
        assert not [one for one in second.heard() if one.startswith("step")]
        until(engine.states, {"key0001": "over"})


def test_g3_20_a_job_that_is_given_back_goes_on_where_it_was(where: Where) -> None:
    ran: list[str] = []

    def body(key: str, recorder: Recorder) -> None:
        for name in STEPS:
            recorder.step(name, lambda name=name: made(name))  # type: ignore[misc]  # a loop's

    def made(name: str) -> Made:
        ran.append(name)
        if name == "two" and ran.count("two") == 1:
            raise StoppedError
        return {}

    with where.engine() as engine:
        engine.enqueue(job(1))
        engine.work(["hub"], 1, body)
        until(engine.states, {"key0001": "stopped"})
        assert engine.steps("key0001") == ("one",)
        engine.enqueue(job(1))
        assert engine.states() == {"key0001": "stopped"}
        engine.again(job(1))
        until(engine.states, {"key0001": "over"})
        assert ran == ["one", "two", "two", "three"]
        assert engine.steps("key0001") == tuple(STEPS)


def test_g3_20_a_job_is_taken_from_nobody_who_works_at_it(where: Where) -> None:
    with where.engine() as engine:
        engine.enqueue(job(1))
        worker, other = where.worker(holds="two"), where.worker(queues=["other"], host=THERE)
        worker.hear("held key0001 two")
        engine.again(job(1, queue="other"))
        engine.rewind(job(1))
        engine.enqueue(job(1, queue="other"))
        assert engine.states() == {"key0001": "working"}
        assert engine.steps("key0001") == ("one",)
        worker.tell("go")
        worker.hear("done key0001")
        until(engine.states, {"key0001": "over"})
        assert "begin key0001" not in other.heard()


def test_g3_20_what_is_forgotten_is_taken_from_who_works_at_it(where: Where) -> None:
    with where.engine() as engine:
        engine.enqueue(job(1))
        worker = where.worker(holds="two")
        worker.hear("held key0001 two")
        engine.forget("key0001")
        worker.tell("go")
        worker.hear("taken key0001")
        assert engine.states() == {}
        engine.enqueue(job(2))
        worker.hear("done key0002")


def test_g3_20_what_a_step_raises_is_raised_and_not_recorded(where: Where) -> None:
    found: list[object] = []

    def fails() -> Made:
        raise KeyError("this")

    def body(key: str, recorder: Recorder) -> None:
        try:
            recorder.step("one", fails)
        except KeyError as bad:
            found.append(bad.args)
            raise StoppedError from None

    with where.engine() as engine:
        engine.enqueue(job(1))
        engine.work(["hub"], 1, body)
        until(engine.states, {"key0001": "stopped"})
        assert found == [("this",)]
        assert engine.steps("key0001") == ()


def test_g3_20_other_steps_than_recorded_begin_anew(where: Where) -> None:
    ran: list[str] = []

    def body(key: str, recorder: Recorder) -> None:
        names = ("old", "stop") if not ran else ("new", "last")
        for name in names:
            recorder.step(name, lambda name=name: made(name))  # type: ignore[misc]  # a loop's

    def made(name: str) -> Made:
        ran.append(name)
        if name == "stop":
            raise StoppedError
        return {}

    with where.engine() as engine:
        engine.enqueue(job(1))
        engine.work(["hub"], 1, body)
        until(engine.states, {"key0001": "stopped"})
        engine.again(job(1))
        until(engine.states, {"key0001": "over"})
        assert ran == ["old", "stop", "new", "last"]
        assert engine.steps("key0001") == ("new", "last")


def test_g3_20_a_job_is_rewound_by_hand(where: Where) -> None:
    ran: list[str] = []

    def body(key: str, recorder: Recorder) -> None:
        recorder.step("one", does())
        ran.append(key)
        if len(ran) == 1:
            raise StoppedError

    with where.engine() as engine:
        engine.enqueue(job(1, host=HERE))
        engine.work(["hub"], 1, body)
        until(engine.states, {"key0001": "stopped"})
        engine.rewind(job(1, host=HERE))
        until(engine.states, {"key0001": "over"})
        assert engine.steps("key0001") == ("one",)


def test_g3_20_a_body_may_ask_for_the_error_itself(where: Where) -> None:
    with where.engine() as engine:
        seen: list[str] = []

        def body(key: str, recorder: Recorder) -> None:
            try:
                recorder.step("old" if not seen else "new", does())
            except StepsDifferError:
                seen.append("differ")
                raise StoppedError from None
            if not seen:
                seen.append("ran")
                raise StoppedError

        engine.enqueue(job(1))
        engine.work(["hub"], 1, body)
        until(engine.states, {"key0001": "stopped"})
        engine.again(job(1))
        until(lambda: seen, ["ran", "differ"])
        until(engine.states, {"key0001": "stopped"})


def test_g3_20_how_far_a_job_is(where: Where) -> None:
    with where.engine() as engine, where.engine() as other:
        assert other.standing("key0001") is None
        told = Standing("scan", "model.onnx", 1, 3, "2026-12-01T00:00:00.000000Z")
        engine.tell("key0001", told)
        assert other.standing("key0001") == told
        engine.tell("key0001", Standing("scan", "model.onnx", 2, 3, told.at))
        assert other.standing("key0001") == told  # it is cheap: not each is noted
        engine.forget("key0001")
        assert other.standing("key0001") is None


def test_g3_20_who_works(where: Where) -> None:
    with where.engine() as engine:
        assert engine.workers() == []
        worker = where.worker(queues=["hub", "cpu-x86_64"], holds="one")
        (one,) = engine.workers()
        assert (one.host, one.queues, one.is_alive) == (HERE, ("hub", "cpu-x86_64"), True)
        engine.enqueue(job(1))
        worker.hear("held key0001 one")
        worker.signal(signal.SIGKILL)
        worker.process.wait()
        until(lambda: [each.is_alive for each in engine.workers()], [False])
        where.worker().hear("back key0001")
        until(lambda: [each.is_alive for each in engine.workers()], [True])
