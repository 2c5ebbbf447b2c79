"""Jobs of which somebody should know unasked: that ended badly, and that nobody takes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from sealift_registry.jobs import records, retrying, tables
from sealift_registry.jobs.dbos_watching import Watched
from sealift_registry.jobs.job import Job, JobEnd
from sealift_registry.storage.within import ALL, Within
from sealift_registry.views.jobs import is_within
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import instant

RECENT = timedelta(days=7)
MOST_TOLD = 5
"""Jobs of which it is told what became of them; a list gives the others, too."""
MOST_LOOKED_AT = 200
"""Rows that are looked at: the newest ends, the oldest orders."""
BAD = ("failed", "set-aside")


@dataclass(frozen=True)
class WentWrong:
    """A job that failed or was set aside, and what was asked for then was not asked for again."""

    job: Job
    end: JobEnd


@dataclass(frozen=True)
class Unattended:
    """Jobs that nobody who works now takes.

    Attributes:
        queue: that they are in.
        host_name: where alone they can be done; None for anywhere.
        first: the oldest of them.
        count: how many there are.
    """

    queue: str
    host_name: str | None
    first: Job
    count: int


def went_wrong(connection: Connection, now: datetime, within: Within = ALL) -> list[WentWrong]:
    """The newest jobs that ended badly within the last days.

    Rows of which the log says otherwise are passed over: `sealift audit fsck` names them.
    """
    e, found = tables.job_end, list[WentWrong]()
    query = select(e.c.job, e.c.body).order_by(e.c.job.desc()).limit(MOST_LOOKED_AT)
    for row in connection.execute(query).all():
        if len(found) == MOST_TOLD:
            break
        if _said(row.body).get("outcome") not in BAD:
            continue
        with suppress(SealiftError):
            job, end = records.asked(connection, row.job), records.end(connection, row.job)
            if end is None or now - instant(end.made) > RECENT:
                continue
            if not is_within(within, job.order.asked_by, job.order.arguments):
                continue
            again = retrying.retried_by(connection, row.job)
            if again is None and not _asked_later(connection, job, end):
                found.append(WentWrong(job, end))
    return found


def _asked_later(connection: Connection, job: Job, end: JobEnd) -> bool:
    """Whether somebody asked for the same since it ended, in words of their own."""
    t = tables.job
    query = select(t.c.number, t.c.body).where(t.c.number > job.number).order_by(t.c.number.desc())
    wanted = (job.order.kind, dict(job.order.arguments))
    for row in connection.execute(query.limit(MOST_LOOKED_AT)).all():
        said = _said(row.body)
        if (said.get("kind"), said.get("arguments")) == wanted:
            with suppress(SealiftError):
                later = records.asked(connection, row.number)
                if instant(later.order.asked) >= instant(end.made):
                    return True
    return False


def unattended(connection: Connection, watched: Callable[[], Watched]) -> list[Unattended]:
    """The jobs that wait for a worker that there is not, by their queue and host."""
    t, e = tables.job, tables.job_end
    query = select(t.c.number, t.c.body).where(t.c.number.not_in(select(e.c.job)))
    numbers = defaultdict[tuple[object, object], list[int]](list)
    for row in connection.execute(query.order_by(t.c.number).limit(MOST_LOOKED_AT)).all():
        said = _said(row.body)
        numbers[said.get("queue"), said.get("host")].append(row.number)
    return [*_unattended(connection, watched(), numbers)] if numbers else []


def _unattended(
    connection: Connection, watched: Watched, numbers: Mapping[tuple[object, object], list[int]]
) -> Iterator[Unattended]:
    for some in numbers.values():
        with suppress(SealiftError):
            first = records.asked(connection, some[0])
            order = first.order
            if not watched.takers(order):
                yield Unattended(order.queue, order.host_name, first, len(some))


def _said(body: bytes) -> Mapping[str, Any]:
    """What a row says, which is not believed."""
    with suppress(ValueError):
        said = json.loads(bytes(body))
        if isinstance(said, dict):
            return said
    return {}
