"""Jobs as rows: what was asked for, who is at work at it, and how it ended.

An order and an end are in the log, by the sha256 of their bytes. Attempts are not: they say who may
record something now, and nothing that anybody would ask for later. Whoever can add rows to the
database can have a job wait or end no sooner than its attempts do; to have one run that nobody
asked for takes an entry.

The one rule of accepting: an attempt may record something while it is the newest of its job, and
the job has not ended (`check_may_record`, asked in the very transaction that records). A worker
that was suspended, or cut off, and comes back, is refused by that, whatever it has done meanwhile.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from importlib.metadata import version as package_version

from sqlalchemy import Connection, func, insert, select

from sealift_registry.jobs import elsewhere, setbacks, tables
from sealift_registry.jobs.job import (
    HUB,
    LARGEST_ORDER,
    MOST_ATTEMPTS,
    ORDINARY,
    Attempt,
    Job,
    JobEnd,
    JobOrder,
    Outcome,
    Problem,
    Setback,
    job_id,
    number_in,
)
from sealift_registry.jobs.problems import died_each_time, worker_ended
from sealift_registry.jobs.steps import Made
from sealift_registry.storage.host import Host
from sealift_registry.trust import readiness, signed_log
from sealift_registry.trust.hub import Hub
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.errors import NotFoundError, RefusedError, SealiftError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import moment

ASKED, ENDED = "job.asked", "job.ended"
"""Types of entries."""
RETRIES = "retries"
"""The term by which a job is found that does another one again."""


class SupersededError(RefusedError):
    """This attempt may record nothing any more: a newer one has begun, or the job has ended."""


class EndedError(RefusedError):
    """The job has ended already."""


@dataclass(frozen=True)
class Wanted:
    """What somebody asks for.

    Attributes:
        kind: of job.
        arguments: of that kind.
        queue: who may do it.
        host: where alone it can be done.
        priority: 1 comes first.
        seconds: how long an attempt may take.
        retries: the number of the job that is done again.
        terms: by which its entries are found, beside its id.
    """

    kind: str
    arguments: Mapping[str, Json]
    queue: str = HUB
    host: Host | None = None
    priority: int = ORDINARY
    seconds: int = 6 * 60 * 60
    retries: int | None = None
    terms: Mapping[str, str] = field(default_factory=dict)


def ask(hub: Hub, wanted: Wanted, actor: str) -> Job:
    """Record that a job is wanted: it is done whenever a worker comes, whatever happens to us.

    Raises:
        FailedError: it could not be recorded.
        RefusedError: its arguments are too large.
    """
    order = JobOrder(
        format=1,
        requires=(),
        key=secrets.token_hex(16),
        kind=wanted.kind,
        arguments=wanted.arguments,
        queue=wanted.queue,
        priority=wanted.priority,
        seconds=wanted.seconds,
        host=wanted.host.id if wanted.host else None,
        host_name=wanted.host.name if wanted.host else None,
        asked_by=actor,
        asked=moment(hub.now()),
        retries=wanted.retries,
    )
    body = shape.write(order)
    if len(body) > LARGEST_ORDER:
        raise RefusedError(
            "job-too-large",
            f"What is asked for takes {len(body):,} bytes to say, and a job may take "
            f"{LARGEST_ORDER:,}.",
            subject=wanted.kind,
            next_step="Ask for less at once.",
        )

    def action(connection: Connection) -> tuple[Entry, Job]:
        number = _newest(connection) + 1
        row = {"number": number, "key": order.key, "body": body}
        connection.execute(insert(tables.job).values(**row))
        data: dict[str, Json] = {"job": job_id(number), "order": order.digest(), "kind": order.kind}
        terms = {"job": job_id(number), **wanted.terms}
        if order.retries is not None:
            terms[RETRIES] = job_id(order.retries)
        return hub.entry(ASKED, actor, data, terms), Job(number, order)

    return hub.commit(action).result


# ---------------------------------------------------------------------- reading


def job(connection: Connection, number: int) -> Job:
    """The job of that number, as its row has it.

    Raises:
        NotFoundError: there is none, or none any more.
        MalformedError: its row is damaged.
    """
    t = tables.job
    row = connection.execute(select(t.c.body).where(t.c.number == number)).first()
    if row is None:
        raise no_job(number)
    return _read(number, row.body)


def no_job(number: int) -> NotFoundError:
    """The error where there is no job of that number, or none that whoever asks is told of."""
    name = job_id(number)
    return NotFoundError(
        "no-job",
        f"There is no job {name}.",
        subject=name,
        next_step="Those that there are: sealift job list. Old ones go with sealift gc; the "
        f"log keeps what became of them: sealift audit list --term job={name}",
    )


def _read(number: int, body: bytes) -> Job:
    return Job(number, shape.read(JobOrder, bytes(body), what=f"the job {job_id(number)}"))


def asked(connection: Connection, number: int) -> Job:
    """The job of that number, for which somebody asked, as the log says.

    Raises:
        NotFoundError: there is none.
        RefusedError: the log does not know it, or another one of that number.
    """
    found = job(connection, number)
    said = ("order", found.order.digest())
    _check_logged(connection, ASKED, number, said, f"job WHERE number = {number}")
    return found


def by_key(connection: Connection, key: str) -> Job | None:
    """The job that an engine knows by this name."""
    t = tables.job
    row = connection.execute(select(t.c.number).where(t.c.key == key)).first()
    return None if row is None else job(connection, row.number)


def waiting(connection: Connection) -> list[Job]:
    """All that have not ended, in the order in which they were asked for.

    A row that cannot be read is passed over: `sealift audit fsck` names it.
    """
    t, e = tables.job, tables.job_end
    query = select(t.c.number, t.c.body).where(t.c.number.not_in(select(e.c.job)))
    found = []
    for row in connection.execute(query.order_by(t.c.number)).all():
        with suppress(SealiftError):
            found.append(_read(row.number, row.body))
    return found


def asked_already(connection: Connection, wanted: Wanted) -> Job | None:
    """A job that has not ended, and is the very one that is wanted; None where there is none.

    Raises:
        RefusedError: the log does not know it.
    """
    host = wanted.host.id if wanted.host else None
    said = (wanted.kind, dict(wanted.arguments), wanted.queue, host)
    for one in waiting(connection):
        order = one.order
        if (order.kind, dict(order.arguments), order.queue, order.host) == said:
            return asked(connection, one.number)
    return None


def end(connection: Connection, number: int) -> JobEnd | None:
    """How a job ended; None while it has not.

    Raises:
        RefusedError: a row says that it has, and the log does not, or the other way round.
    """
    t = tables.job_end
    row = connection.execute(select(t.c.body).where(t.c.job == number)).first()
    if row is None:
        _check_not_logged(connection, number)
        return None
    found = shape.read(JobEnd, bytes(row.body), what=f"the end of {job_id(number)}")
    where = f"job_end WHERE job = {number}"
    _check_logged(connection, ENDED, number, ("end", found.digest()), where)
    return found


def newest_attempt(connection: Connection, number: int) -> Attempt | None:
    """The attempt that may record something, while the job has not ended."""
    return max(attempts(connection, number), key=lambda one: one.number, default=None)


def attempts(connection: Connection, number: int) -> list[Attempt]:
    """All of a job, the oldest first."""
    t = tables.job_attempt
    query = select(t).where(t.c.job == number).order_by(t.c.number)
    return [Attempt(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's name for it


# ---------------------------------------------------------------------- working


def begin(hub: Hub, number: int, worker: str, here: Host) -> Attempt:
    """Begin to work at a job: whoever did so before may record nothing from now on.

    Raises:
        EndedError: it has ended; also where it is set aside now, since it was begun too often.
        RefusedError: the log knows nothing of it: nobody asked for it; or it is another host's; or
            the hub takes no entry now (`readiness.check`).
        NotFoundError: there is none.
    """
    with hub.reading() as connection:
        known = asked(connection, number)
    if known.order.host not in (None, here.id):
        raise RefusedError(
            "job-elsewhere",
            f"{known.id} reads or writes on {known.order.host_name}, and this is {here.name}.",
            subject=known.id,
            next_step="Start a worker there: sealift worker",
        )
    made = Attempt(
        job=number,
        number=0,
        token=secrets.token_hex(16),
        host=here.id,
        host_name=here.name,
        worker=worker,
        software=package_version("sealift-registry"),
        made=moment(hub.now()),
    )
    with hub.database.in_words(), hub.database.writing() as connection, connection.begin():
        readiness.check(hub, connection)
        _check_not_ended(connection, number)
        if setbacks.spent(connection, number) < MOST_ATTEMPTS:
            made = replace(made, number=len(attempts(connection, number)) + 1)
            connection.execute(insert(tables.job_attempt).values(**vars(made)))
            return made
    finish(hub, number, "set-aside", problem=died_each_time(number), attempt=None)
    raise ended(number)


def at_work(hub: Hub, attempt: Attempt) -> Hub:
    """`hub` for whoever works at a job: it commits as long as the attempt may record something.

    Each of its entries is found by the job, too.
    """
    guard = partial(check_may_record, attempt=attempt)
    return replace(hub, guard=guard, job=job_id(attempt.job))


def said_before(
    hub: Hub,
    connection: Connection,
    types: tuple[str, ...],
    speaks: Callable[[signed_log.Data], bool],
) -> signed_log.Data | None:
    """The newest entry of these types that the job at work made before and `speaks` is true of.

    An attempt that was ended after its commit, and before anybody was told, is followed by one that
    finds everything done: it answers what the first would have. None where no job is at work.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    if not hub.job:
        return None
    named = ("job", hub.job)
    found = signed_log.newest(connection, types, named, lambda _, data: speaks(data))
    return None if found is None else found[1]


def set_back(hub: Hub, attempt: Attempt, problem: Problem) -> Setback:
    """Record that an attempt failed, and that the next one may begin later.

    Raises:
        SupersededError: it is not the newest one any more.
    """
    pause = setbacks.PAUSES[min(attempt.number, len(setbacks.PAUSES)) - 1]
    if problem.code == elsewhere.WAITS:
        pause = setbacks.LOOK
    return _set_back(hub, attempt, problem, pause)


def give_back(hub: Hub, attempt: Attempt, problem: Problem | None = None) -> Setback:
    """Record that an attempt is over through no fault of the job's: it does not count.

    The next may begin at once. Where `problem` (of `NO_FAULT`) is absent, its worker was ended.

    Raises:
        SupersededError: it is not the newest one any more.
    """
    return _set_back(hub, attempt, problem or worker_ended(attempt), timedelta())


def _set_back(hub: Hub, attempt: Attempt, problem: Problem, pause: timedelta) -> Setback:
    now = hub.now()
    made = Setback(attempt.number, problem, moment(now), moment(now + pause))
    row = {"job": attempt.job, "attempt": made.attempt, "body": shape.write(problem)}
    row |= {"made": made.made, "again": made.again}
    with hub.database.in_words(), hub.database.writing() as connection, connection.begin():
        check_may_record(connection, attempt)
        connection.execute(insert(tables.job_setback).values(**row))
    return made


def finish(
    hub: Hub,
    number: int,
    outcome: Outcome,
    *,
    attempt: Attempt | None,
    result: Made | None = None,
    problem: Problem | None = None,
    by: str | None = None,
) -> JobEnd:
    """Record how a job ended, once.

    Args:
        hub: the hub.
        number: of the job.
        outcome: how.
        attempt: that ended it; None where a person did, or nobody is at work any more.
        result: what came of it.
        problem: what was wrong.
        by: the person.

    Raises:
        EndedError: it has ended already.
        SupersededError: the attempt is not the newest one any more.
    """

    def action(connection: Connection) -> tuple[Entry, JobEnd]:
        _check_not_ended(connection, number)
        if attempt is not None:
            check_may_record(connection, attempt)
        begun = len(attempts(connection, number))
        made = JobEnd(
            format=1,
            requires=(),
            job=number,
            outcome=outcome,
            result=result,
            problem=problem,
            # Of what others noted of an attempt nothing is signed: anybody may have added that row.
            attempt=attempt.number if attempt else begun,
            host_name=attempt.host_name if attempt else None,
            software=package_version("sealift-registry"),
            by=by,
            made=moment(hub.now()),
        )
        connection.execute(insert(tables.job_end).values(job=number, body=shape.write(made)))
        setbacks.withdraw(connection, number)
        data: dict[str, Json] = {
            "job": job_id(number),
            "end": made.digest(),
            "outcome": outcome,
            "attempt": made.attempt,
            "host": made.host_name or "",
            "software": made.software,
            "code": problem.code if problem else "",
        }
        return hub.entry(ENDED, by or "hub", data, {"job": job_id(number)}), made

    return hub.commit(action).result


def check_may_record(connection: Connection, attempt: Attempt) -> None:
    """Check, in the transaction that records something, that this attempt still may.

    Raises:
        SupersededError: a newer one has begun, or the job has ended.
    """
    newest, name = newest_attempt(connection, attempt.job), job_id(attempt.job)
    if newest is not None and (newest.number, newest.token) == (attempt.number, attempt.token):
        if end(connection, attempt.job) is None:
            return
        why = "it has ended meanwhile"
    else:
        where = newest.host_name if newest else "nobody"
        why = f"attempt {newest.number if newest else 0}, on {where}, has followed it"
    raise SupersededError(
        "attempt-superseded",
        f"Attempt {attempt.number} of {name} may record nothing any more: {why}.",
        subject=name,
        next_step=f"Nothing is lost: see what became of it with: sealift job show {name}",
    )


def ended(number: int) -> EndedError:
    """The error for a job that has ended."""
    name = job_id(number)
    return EndedError(
        "job-ended",
        f"{name} has ended already.",
        subject=name,
        next_step=f"See how with: sealift job show {name}",
    )


def _check_not_ended(connection: Connection, number: int) -> None:
    if end(connection, number) is not None:
        raise ended(number)


def _newest(connection: Connection) -> int:
    """The number of the newest job, by its row or by the log; 0 where there is none yet.

    Rows of old jobs go, and no name is given twice.

    Raises:
        RefusedError: there is a row that the log does not know.
        FailedError: the log is not the one that was signed.
    """
    number: int = connection.execute(select(func.max(tables.job.c.number))).scalar() or 0
    if number:
        asked(connection, number)
    return max(number, signed_log.last_number(connection, ASKED, None, number_in))


def _check_not_logged(connection: Connection, number: int) -> None:
    """Check of a job that has no row of its end that it has not ended: nobody does it again.

    Raises:
        RefusedError: the log says that it ended.
    """
    name = job_id(number)
    said = signed_log.newest(
        connection, (ENDED,), ("job", name), lambda _, data: data.get("job") == name
    )
    if said is not None:
        raise signed_log.missing(f"the end of {name}", f"job_end WHERE job = {number}")


def _check_logged(
    connection: Connection, kind: str, number: int, said: tuple[str, str], row: str
) -> None:
    """Check that an entry of `kind` says this of a job.

    Raises:
        RefusedError: none does: somebody wrote the row who has the database.
    """
    name, (member, digest) = job_id(number), said
    if not signed_log.newest(
        connection,
        (kind,),
        ("job", name),
        lambda _, data: data.get("job") == name and data.get(member) == digest,
    ):
        raise signed_log.not_logged(f"the job {name}", row)
