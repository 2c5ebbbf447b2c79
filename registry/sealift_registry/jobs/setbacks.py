"""Why attempts at jobs failed, and when the next one may begin."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from sealift_registry.jobs import elsewhere, tables
from sealift_registry.jobs.job import Problem, Setback, job_id
from sealift_registry.jobs.problems import NO_FAULT
from sealift_signing import shape
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import instant

PAUSES = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5))
"""After the first, second … attempt that failed; the last one for all that follow."""

GONE = (timedelta(), *PAUSES)
"""The same where nobody asks builders any more for what a job waits for.

Hosts whose settings differ ask for other orders of one variant, each of which ends the other's.
"""
LOOK = timedelta(hours=6)
"""Until a job that waits for a builder looks by itself whether its order is still the right one."""


def every(connection: Connection, number: int) -> list[Setback]:
    """Why attempts of a job failed, the oldest first.

    One that cannot be read is passed over: no entry covers them, and none keeps a job from being
    done or cancelled.
    """
    t = tables.job_setback
    query = select(t).where(t.c.job == number).order_by(t.c.attempt)
    read = (_read(row) for row in connection.execute(query))
    return [one for one in read if one is not None]


def _read(row: Row[tuple[Any, ...]]) -> Setback | None:
    try:
        instant(row.made), instant(row.again)
        problem = shape.read(Problem, bytes(row.body), what=f"a setback of {job_id(row.job)}")
    except SealiftError:
        return None
    return Setback(row.attempt, problem, row.made, row.again)


def due(connection: Connection, number: int, now: datetime) -> bool:
    """Whether a job that failed may be tried again by now, or what it waits for is there.

    A clock that was set back does not have it wait longer than the longest pause.
    """
    found = every(connection, number)
    return not found or _is_due(found[-1], now, elsewhere.placed(connection))


def due_among(connection: Connection, jobs: Collection[int], now: datetime) -> set[int]:
    """Those of these jobs that are `due`: two questions, however many wait."""
    t, ended = tables.job_setback, tables.job_end.c.job
    each = select(t.c.job, func.max(t.c.attempt).label("attempt")).group_by(t.c.job)
    newest = each.where(t.c.job.not_in(select(ended))).subquery()
    query = select(t).join(newest, (t.c.job == newest.c.job) & (t.c.attempt == newest.c.attempt))
    rows = {row.job: row for row in connection.execute(query)}
    placed = elsewhere.placed(connection)
    found = set()
    for number in jobs:
        last = _read(rows[number]) if number in rows else None
        if last is None:  # or nobody can read it, which changes nothing: the one before it counts
            is_due = number not in rows or due(connection, number, now)
        else:
            is_due = _is_due(last, now, placed)
        if is_due:
            found.add(number)
    return found


def _is_due(last: Setback, now: datetime, placed: Mapping[str, bool]) -> bool:
    until, longest = instant(last.again), PAUSES[-1]
    if last.problem.code == elsewhere.WAITS:
        answered = placed.get(last.problem.subject)
        if answered:
            return True
        if answered is None:  # another has taken the answer in, or asks otherwise
            until = instant(last.made) + GONE[min(last.attempt, len(GONE)) - 1]
        else:
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
