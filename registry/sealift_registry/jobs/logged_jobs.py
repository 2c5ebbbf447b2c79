"""What the log says of jobs, against their rows: each was asked for, and ended as its row says.

The row of a job that ended may be gone, as it was old; the log keeps that it was. Attempts and
setbacks are in no entry: they decide who may record now, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from sqlalchemy import Connection, select

from sealift_registry.jobs import tables
from sealift_registry.jobs.job import job_id
from sealift_registry.jobs.records import ASKED, ENDED
from sealift_registry.storage.queries import all_rows
from sealift_registry.trust import signed_log
from sealift_signing.drawing import word
from sealift_signing.transparency.verdict import LogFault


def not_logged(connection: Connection) -> Iterator[LogFault]:
    """A job that nobody asked for, and one that did not end as its row says."""
    yield from _twice(connection)
    orders, ends = (
        {(one.data.get("job"), one.data.get(name)) for one in logged}
        for name, logged in (
            ("order", signed_log.oldest_first(connection, ASKED)),
            ("end", signed_log.oldest_first(connection, ENDED)),
        )
    )
    t, e = tables.job, tables.job_end
    over = {name for name, _ in ends}
    ended = set(connection.execute(select(e.c.job)).scalars())
    there = {job_id(number) for number in connection.execute(select(t.c.number)).scalars()}
    for lost in sorted(str(name) for name, _ in orders if name not in over and name not in there):
        what = f"The job {word(lost)} was asked for by the log and has not ended, and has no row."
        yield LogFault("row-missing", what, None)
    for row in all_rows(connection, select(t).order_by(t.c.number)):
        name = job_id(row.number)
        if name in over and row.number not in ended:
            what = f"The end of {name} is in the log, and has no row."
            yield LogFault("row-missing", what, None)
        if (name, sha256(bytes(row.body)).hexdigest()) not in orders:
            what = f"The job {name} is in the database, and no entry of the log says"
            yield LogFault("row-not-logged", f"{what} that it was asked for.", None)
    for row in all_rows(connection, select(e).order_by(e.c.job)):
        name = job_id(row.job)
        if (name, sha256(bytes(row.body)).hexdigest()) not in ends:
            what = f"The database says that {name} has ended, and no entry of the log says"
            yield LogFault("row-not-logged", f"{what} that it ended so.", None)


def _twice(connection: Connection) -> Iterator[LogFault]:
    for kind, happened in ((ASKED, "was asked for"), (ENDED, "ended")):
        seen = set()
        for one in signed_log.oldest_first(connection, kind):
            name = str(one.data.get("job"))
            if name in seen:
                what = f"The job {word(name)} {happened} twice, by the log."
                yield LogFault("number-given-twice", what, None)
            seen.add(name)
