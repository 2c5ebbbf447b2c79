"""A job that is done again: it is a new one, which names the earlier."""

from __future__ import annotations

from sqlalchemy import Connection

from sealift_registry.jobs.job import Job, job_id, parse_job
from sealift_registry.jobs.records import ASKED, RETRIES, Wanted, ask
from sealift_registry.storage.host import Host
from sealift_registry.trust import signed_log
from sealift_registry.trust.hub import Hub


def ask_again(hub: Hub, job: Job, actor: str) -> Job:
    """Ask for the same as an earlier job did, found by the same words.

    Raises:
        FailedError: it could not be recorded.
        RefusedError: the log does not know the earlier one.
    """
    order, name = job.order, job_id(job.number)
    with hub.reading() as connection:
        entry = signed_log.newest_entry(
            connection,
            (ASKED,),
            ("job", name),
            lambda _, data: (data.get("job"), data.get("order")) == (name, order.digest()),
        )
    if entry is None:
        raise signed_log.not_logged(f"the job {name}", f"job WHERE number = {job.number}")
    own = {"job", RETRIES, "team", "account", "request"}  # which are added anew
    wanted = Wanted(
        kind=order.kind,
        arguments=order.arguments,
        queue=order.queue,
        host=Host(order.host, order.host_name or "") if order.host else None,
        priority=order.priority,
        seconds=order.seconds,
        retries=job.number,
        terms={one.kind: one.value for one in entry.terms if one.kind not in own},
    )
    return ask(hub, wanted, actor)


def retried_by(connection: Connection, number: int) -> int | None:
    """The newest job that does this one again, by the log; None where none does."""
    found = signed_log.newest(
        connection, (ASKED,), (RETRIES, job_id(number)), lambda _, data: "job" in data
    )
    return None if found is None else parse_job(str(found[1]["job"]))
