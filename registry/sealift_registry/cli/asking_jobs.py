"""Long work that is asked of a hub's server: each is a job there, which is waited for or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sealift_registry.cli import remote, remote_jobs
from sealift_registry.client import faults
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import UsageError

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session

ORDINARY = 5
"""As `jobs.job.ORDINARY`."""


def ask(session: Session, path: str, said: Mapping[str, Any], detached: int | None) -> None:
    """Have a server do something as a job; wait for it, unless it is `detached`.

    Raises:
        SealiftError: the server's, or the job's.
    """
    if detached is not None:
        answer, jobs = _asked(session, path, said, detached)
        lines = [text for one in jobs for text in _lines(one)]
        session.terminal.answer("job-asked", remote.without_schema(answer), lines)
        return
    name = _job(session, path, said)
    with remote_jobs.going_on(session, name):
        remote_jobs.watch(session, name)


def done(session: Session, path: str, said: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Have a server do something as a job, wait for it, and print nothing: the job, and its result.

    Raises:
        SealiftError: the server's, or the job's.
    """
    name = _job(session, path, said)
    with remote_jobs.going_on(session, name):
        return name, remote_jobs.result(session, name)


def _job(session: Session, path: str, said: Mapping[str, Any]) -> str:
    _, jobs = _asked(session, path, said, ORDINARY)
    return str(jobs[0]["job"])


def _asked(
    session: Session, path: str, said: Mapping[str, Any], priority: int
) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    answer = session.remote.change("POST", path, {**said, "priority": priority})
    return answer, _jobs(answer, str(session.server))


def check_one(names: tuple[str, ...]) -> None:
    """Check that one thing is waited for at a server.

    Raises:
        UsageError: several are.
    """
    if len(names) != 1:
        raise UsageError(
            "one-is-waited-for",
            f"Of a server one job is waited for, and {len(names)} are asked for.",
            subject="--for",
            next_step="Give --for once; or --detach as well, and watch each: sealift job watch JOB",
        )


def _jobs(answer: Mapping[str, Any], server: str) -> list[Mapping[str, Any]]:
    found = answer.get("jobs")
    jobs: list[Mapping[str, Any]] = [
        one
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict) and isinstance(one.get("job"), str)
    ]
    if not jobs:
        raise faults.odd(server, "without saying which job does it")
    return jobs


def _lines(one: Mapping[str, Any]) -> list[str]:
    name = str(one["job"])
    before = [] if one.get("new") else ["The same was asked for, and it has not ended:"]
    return [
        *before,
        f"{word(name)} waits in queue {word(str(one.get('queue')))}.",
        f"  Watch:  sealift job watch {pasted([name])}",
    ]
