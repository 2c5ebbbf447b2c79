"""A job as it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sealift_registry.jobs.engine import Standing
from sealift_registry.jobs.job import Attempt, Job, JobEnd, JobOrder, Problem, Setback, job_id
from sealift_registry.views.jobs import JobView, Reason, Waits, about
from sealift_signing import shape
from sealift_signing.drawing import drawn, pasted, word
from sealift_signing.vocabulary import counted
from sealift_sync import pace


def state_words(view: JobView) -> str:
    """The state of a job, as people read it."""
    return view.state.replace("-", " ")


def in_seconds(moment: str) -> str:
    """A time as a list tells it, without fractions of a second."""
    return f"{moment.partition('.')[0].removesuffix('Z')}Z"


def took(view: JobView, now: datetime) -> str:
    """How long its newest attempt took."""
    seconds = view.seconds(now)
    return "-" if seconds is None else pace.span(seconds)


def job_lines(view: JobView, now: datetime) -> list[str]:
    """All about a job but its result, in words."""
    return [*_order_lines(view), *_going_lines(view, now), *_attempt_lines(view)]


def _order_lines(view: JobView) -> Iterator[str]:
    order = view.job.order
    yield f"{view.job.id}: {order.kind} {about(order)}"
    yield f"  asked for by   {word(order.asked_by)}, {order.asked}"
    yield f"  queue          {order.queue}, priority {order.priority} (1 comes first)"
    if order.host_name is not None:
        yield f"  only on        {word(order.host_name)}: it reads or writes there"
    yield f"  time limit     {pace.span(order.seconds)} an attempt"
    if order.retries is not None:
        yield f"  does again     {job_id(order.retries)}"
    if view.retried_by is not None:
        yield f"  done again by  {job_id(view.retried_by)}"


def _going_lines(view: JobView, now: datetime) -> Iterator[str]:
    length = view.seconds(now)
    more = f", for {pace.span(length)}" if view.state == "works" and length else ""
    if view.end is not None:
        by = f" by {word(view.end.by)}" if view.end.by else ""
        more = f"{by}, {view.end.made}"
    yield f"  state          {state_words(view)}{more}"
    if view.waits is not None:
        for text in waits_lines(view.job, view.waits, view.setback):
            yield f"    {text}"
    if view.standing is not None:
        yield f"    {standing_words(view.standing)}"
    if view.end is not None and view.end.problem is not None:
        yield from (f"    {text}" for text in problem_lines(view.end.problem))


def waits_lines(job: Job, waits: Waits, setback: Setback | None = None) -> list[str]:
    """Why a job waits, and what somebody can do about it where somebody can."""
    order, host = job.order, word(job.order.host_name or "")
    before = counted(waits.before, "job")
    come = "comes" if waits.before == 1 else "come"
    why = "" if setback is None else f": {drawn(setback.problem.what)}"
    where = word(waits.worker.host_name) if waits.worker else ""
    said: Mapping[Reason, Sequence[str]] = {
        "pause": [f"It failed, and is tried again from {waits.until} on{why}"],
        "builder": ["A builder on another machine is to build it, and has not answered yet."],
        "stopped": [
            f"The worker that has it, on {where}, was stopped and does not answer.",
            "Let that process go on (kill -CONT), or end it: another worker then goes on.",
        ],
        "newer-software": [
            f"This release does no jobs of the kind {word(order.kind)}: newer software asked.",
            "It waits for a worker of that release.",
        ],
        "host": [f"No worker on {host} takes it. Start one there:  {worker_command(order)}"],
        "no-worker": [f"No worker takes from its queue. Start one:  {worker_command(order)}"],
        "behind": [f"{before} of its queue {come} first."],
        "next": ["A worker takes it next."],
    }
    return [*said[waits.reason]]


def worker_command(order: JobOrder) -> str:
    """What has such jobs done."""
    return f"sealift worker --queue {pasted([order.queue])}"


def standing_words(found: Standing) -> str:
    """How far a job is."""
    at = f": {word(found.subject)}" if found.subject else ""
    far = f", {100 * found.done // found.total} %" if found.total > 0 else ""
    return f"{word(found.step)}{at}{far}, as of {word(found.at)}"


def end_words(end: JobEnd) -> str:
    """How a job ended, in part of a sentence."""
    by = f" by {word(end.by)}" if end.by else ""
    how = {"done": "was done", "cancelled": "was cancelled", "set-aside": "was set aside"}
    return f"{how.get(end.outcome, end.outcome)}{by} at {end.made}"


def problem_lines(problem: Problem) -> list[str]:
    """What was wrong, and what to do."""
    lines = [f"{problem.code}: {problem.what}"]
    return [*lines, f"  Next: {problem.next}"] if problem.next else lines


def _attempt_lines(view: JobView) -> Iterator[str]:
    if not view.attempts:
        return
    yield "  attempts"
    for one in view.attempts:
        where = f"on {word(one.host_name)}, Sealift {word(one.software)}"
        yield f"    {one.number}: {one.made}, {where}: {_became(view, one)}"


def _became(view: JobView, attempt: Attempt) -> str:
    """What became of an attempt."""
    back = next((one for one in view.setbacks if one.attempt == attempt.number), None)
    if back is not None:
        return f"{back.problem.code}: {drawn(back.problem.what)}"  # no entry of the log has it
    if view.end is not None and view.end.attempt == attempt.number:
        return view.end.outcome.replace("-", " ")
    if attempt is not view.attempts[-1]:
        return "ended without an answer"
    return "is at work" if view.state == "works" else "no answer so far"


# ---------------------------------------------------------------------- for machines


def job_data(view: JobView, now: datetime) -> dict[str, Any]:
    """All about a job but its result, for machines."""
    order, end = view.job.order, view.end
    seconds = view.seconds(now)
    return {
        "job": view.job.id,
        "kind": order.kind,
        "about": about(order),
        "state": view.state,
        "queue": order.queue,
        "priority": order.priority,
        "host": order.host_name,
        "limit_seconds": order.seconds,
        "asked_by": order.asked_by,
        "asked": order.asked,
        "retries": None if order.retries is None else job_id(order.retries),
        "attempts": [_attempt_data(view, one) for one in view.attempts],
        "seconds": None if seconds is None else round(seconds, 3),
        "waits": _waits_data(view.waits),
        "ended": None if end is None else end.made,
        "ended_by": None if end is None else end.by,
        "problem": None if end is None else _problem_data(end.problem),
    }


def whole_job_data(view: JobView, now: datetime) -> dict[str, Any]:
    """The same with what it was asked with, how far it is, and its result."""
    standing, end = view.standing, view.end
    again = view.retried_by
    return job_data(view, now) | {
        "arguments": dict(view.job.order.arguments),
        "retried_by": None if again is None else job_id(again),
        "standing": None if standing is None else vars(standing),
        "result": None if end is None else end.result,
    }


def _attempt_data(view: JobView, attempt: Attempt) -> dict[str, Any]:
    back = next((one for one in view.setbacks if one.attempt == attempt.number), None)
    return {
        "attempt": attempt.number,
        "host": attempt.host_name,
        "software": attempt.software,
        "begun": attempt.made,
        "problem": None if back is None else _problem_data(back.problem),
    }


def _waits_data(waits: Waits | None) -> dict[str, Any] | None:
    if waits is None:
        return None
    return {"reason": waits.reason, "until": waits.until, "before": waits.before}


def _problem_data(problem: Problem | None) -> dict[str, Any] | None:
    return None if problem is None else dict(shape.to_json(problem))
