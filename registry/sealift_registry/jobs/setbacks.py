"""Why attempts at jobs failed, and when the next one may begin."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from sealift_registry.jobs import elsewhere, tables
from sealift_registry.jobs.job import Problem, Setback, job_id
from sealift_registry.jobs.problems import NO_FAULT
from sealift_signing import shape
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import instant

PAUSES = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5))
"""After the first, second … attempt that failed; the last one for all that follow."""

LOOK = timedelta(hours=6)
"""Until a job that waits for a builder looks by itself whether its order is still the right one."""


def every(connection: Connection, number: int) -> list[Setback]:
    """Why attempts of a job failed, the oldest first.

    One that cannot be read is passed over: no entry covers them, and none keeps a job from being
    done or cancelled.
    """
    t = tables.job_setback
    query = select(t).where(t.c.job == number).order_by(t.c.attempt)
    what = f"a setback of {job_id(number)}"
    found = []
    for row in connection.execute(query):
        with suppress(SealiftError):
            instant(row.made), instant(row.again)
            problem = shape.read(Problem, bytes(row.body), what=what)
            found.append(Setback(row.attempt, problem, row.made, row.again))
    return found


def due(connection: Connection, number: int, now: datetime) -> bool:
    """Whether a job that failed may be tried again by now, or what it waits for is there.

    A clock that was set back does not have it wait longer than the longest pause.
    """
    found = every(connection, number)
    if not found:
        return True
    last = found[-1]
    until, longest = instant(last.again), PAUSES[-1]
    if last.problem.code == elsewhere.WAITS:
        order = last.problem.subject
        if elsewhere.is_answered(connection, order) or not elsewhere.is_placed(connection, order):
            return True  # the answer is there, or another job has taken it in
        longest = LOOK
    return now >= until or until - now > longest


def withdraw(connection: Connection, number: int) -> None:
    """Have no builder asked any more for what a job waited for, as it has ended."""
    found = every(connection, number)
    for order in {one.problem.subject for one in found if one.problem.code == elsewhere.WAITS}:
        elsewhere.withdraw(connection, order)


def spent(connection: Connection, number: int) -> int:
    """The attempts of a job that count: those that were ended through no fault of its do not."""
    free = [one for one in every(connection, number) if one.problem.code in NO_FAULT]
    t = tables.job_attempt
    count = select(func.count()).where(t.c.job == number)
    return int(connection.execute(count).scalar_one()) - len(free)
