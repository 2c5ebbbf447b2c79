"""Rows of jobs that ended long ago. The log keeps that they were asked for, and how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from sealift_registry.jobs import elsewhere, tables
from sealift_registry.jobs.job import JobEnd
from sealift_registry.storage.queries import all_rows, in_parts
from sealift_registry.trust.hub import Hub
from sealift_signing import shape
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import instant, moment

_WAITS = tables.job.c.number.not_in(select(tables.job_end.c.job))


def ended_before(connection: Connection, before: datetime) -> list[int]:
    """The numbers of jobs that ended before a time, less the newest job: its number counts.

    A row that cannot be read stays: `sealift audit fsck` names it.
    """
    e = tables.job_end.c
    newest = connection.execute(select(func.max(tables.job.c.number))).scalar_one()
    found = []
    for row in all_rows(connection, select(e.job, e.body).order_by(e.job)):
        try:
            made = instant(shape.read(JobEnd, bytes(row.body), what="the end of a job").made)
        except SealiftError:
            continue
        if made < before and row.job != newest:
            found.append(row.job)
    return found


def forget(hub: Hub, numbers: Sequence[int]) -> None:
    """Remove all rows of these jobs, each job's in one transaction."""
    of_job = (tables.job_attempt.c.job, tables.job_setback.c.job, tables.job_end.c.job)
    for part in in_parts(numbers):
        with hub.database.in_words(), hub.database.writing() as connection, connection.begin():
            for column in (*of_job, tables.job.c.number):
                connection.execute(delete(column.table).where(column.in_(part)))


def forget_orders(hub: Hub, before: datetime) -> None:
    """Remove what builders were asked for before a time: whoever still waits for it asks anew."""
    with hub.database.in_words(), hub.database.writing() as connection, connection.begin():
        elsewhere.forget(connection, moment(before))


def orders(connection: Connection) -> list[bytes]:
    """What the jobs that have not ended were asked for, as their rows have it: read or not."""
    query = select(tables.job.c.body).where(_WAITS)
    return [bytes(body) for body in connection.execute(query).scalars()]


def wanted(connection: Connection) -> frozenset[str]:
    """By what names engines know the jobs that have not ended."""
    return frozenset(connection.execute(select(tables.job.c.key).where(_WAITS)).scalars())
