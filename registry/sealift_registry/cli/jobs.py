"""`sealift job`: work that outlives the command that asked for it."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING

import click

from sealift_registry.catalog import page_sizes
from sealift_registry.cli import refused_rows, remote, remote_jobs
from sealift_registry.cli.again import worker_here
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, user
from sealift_registry.cli.terminal import Subjects
from sealift_registry.client.address import address_of
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import (
    FailedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    UsageError,
)

if TYPE_CHECKING:
    from sealift_registry.jobs.job import JobEnd, Problem
    from sealift_registry.views.jobs import JobView
    from sealift_sync.progress import Phases

STATES = ("waits", "works", "waits-again", "done", "failed", "cancelled", "set-aside")
COUNTED = {"ingest", "export"}
"""Kinds of jobs of which bytes are told; of others, what they are at."""
LOOK = 0.5
"""Seconds between two looks at a job that is watched."""


@sealift.group()
def job() -> None:
    """Work that outlives its command: see it, watch it, take it back."""


@command(job, "list", example="sealift job list --state works --state waits", at_server=True)
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only in it.")
@click.option("--kind", metavar="KIND", help="Only of this kind: ingest, convert, export.")
@click.option("--queue", metavar="NAME", help="Only of this queue.")
@click.option("--mine", is_flag=True, help="Only those that you asked for.")
@click.option("--oldest-first", is_flag=True, help="Begin with the oldest.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, page_sizes.LARGEST),
    default=page_sizes.USUAL,
    show_default=True,
    help="At most N.",
)
@click.option("--beyond", metavar="JOB", help="Go on after this one.")
def job_list(
    session: Session,
    *,
    states: tuple[str, ...],
    kind: str | None,
    queue: str | None,
    mine: bool,
    oldest_first: bool,
    limit: int,
    beyond: str | None,
) -> None:
    """List jobs, newest first.

    A job waits, works, or waits again after it failed; it ends as done, failed, cancelled, or set
    aside because its process died each time.
    """
    from sealift_registry.catalog.pages import PagePlace
    from sealift_registry.changing_jobs import looking
    from sealift_registry.shown.job_list import told as job_list_told
    from sealift_registry.views.jobs import JobFilter

    if session.server is not None:
        asked = (
            *(("state", one) for one in states),
            *(("kind", kind), ("queue", queue), ("mine", mine)),
            *(("oldest_first", oldest_first), ("limit", limit), ("beyond", beyond)),
        )
        remote.show(session, "job-list", "/jobs", asked)
        return
    wanted = JobFilter(states, kind, queue, user() if mine else None)  # type: ignore[arg-type]  # click has checked it
    place, now = PagePlace(limit, beyond, not oldest_first), session.app.hub.now()
    with looking(session.app.hub) as found_there:
        page = found_there.jobs(wanted, place)
    found = job_list_told(page, now, everything=wanted == JobFilter() and beyond is None)
    session.terminal.answer("job-list", found.data, found.lines)
    refused_rows.check(found.refused)


@command(job, "show", example="sealift job show J-000017", at_server=True)
@click.argument("name", metavar="JOB")
def job_show(session: Session, *, name: str) -> None:
    """Show all about a job.

    Who asked for it, why it waits or how far it is, each attempt, how it ended, and what came of
    it.
    """
    from sealift_registry.changing_jobs import look
    from sealift_registry.shown.job import job_lines, whole_job_data
    from sealift_registry.shown.job_result import result_lines, result_of

    if session.server is not None:
        remote.show(session, "job-show", address_of("jobs", name))
        return
    view, now = look(session.app.hub, name), session.app.hub.now()
    lines = job_lines(view, now)
    result = None if view.end is None else result_of(view.end)
    if result is not None:
        lines += ["", *result_lines(session.app.hub, view.job.order, result)]
    session.terminal.answer("job-show", whole_job_data(view, now), map(worker_here, lines))


@command(job, "watch", example="sealift job watch J-000017", at_server=True)
@click.argument("name", metavar="JOB")
def job_watch(session: Session, *, name: str) -> None:
    """Watch a job until it ends, and end as it did.

    What is printed then, and the exit code, are those of the command that asked for it. Ctrl-C
    stops the watching alone: the job goes on.
    """
    from sealift_registry.changing_jobs import look

    try:
        if session.server is not None:
            remote_jobs.watch(session, name)
            return
        with session.terminal.phases() as phases:
            watching = _Watching(session, phases)
            while (view := look(session.app.hub, name)).end is None:
                watching.tell(view)
                sleep(LOOK)
    except KeyboardInterrupt as stop:
        stop.add_note(
            f"Only the watching: {name} stays as it is. See it again with: "
            f"sealift job watch {pasted([name])}"
        )
        raise
    _end_as(session, view)


@command(job, "cancel", example="sealift job cancel J-000017", at_server=True)
@click.argument("name", metavar="JOB")
def job_cancel(session: Session, *, name: str) -> None:
    """Take a job back, whoever asked for it.

    It is not begun any more, and a process that is at work at it is killed within seconds; what it
    had not recorded by then is not recorded. The log says who did so.
    """
    from sealift_registry.changing_jobs import cancel

    if session.server is not None:
        remote_jobs.cancel(session, name)
        return
    told = cancel(session.app.hub, name, user())
    session.terminal.answer("job-cancel", told.data, told.lines)


@command(job, "retry", example="sealift job retry J-000017", at_server=True)
@click.argument("name", metavar="JOB")
def job_retry(session: Session, *, name: str) -> None:
    """Ask again for what a job was to do.

    Of a job that failed, was cancelled or was set aside. It is a new job, with the same arguments,
    queue, host and priority.
    """
    from sealift_registry.changing_jobs import retry

    if session.server is not None:
        remote_jobs.retry(session, name)
        return
    told = retry(session.app.hub, name, user())
    session.terminal.answer("job-retry", told.data, told.lines)


# ---------------------------------------------------------------------- looking


class _Watching:
    """Tells whoever waits how a job stands, as it changes."""

    def __init__(self, session: Session, phases: Phases) -> None:
        self._note = session.terminal.note
        self._phases = phases
        self._step = ""
        self._subjects: Subjects | None = None
        self._told = ""

    def tell(self, view: JobView) -> None:
        """How it stands now."""
        from sealift_registry.shown.job import state_words, waits_lines

        if view.waits is not None:
            why = " ".join(waits_lines(view.job, view.waits, view.setback))
            self._say(worker_here(f"{view.job.id} {state_words(view)}. {why}"))
            return
        self._say(f"{view.job.id} works, on {word(view.attempts[-1].host_name)}.")
        found = view.standing
        if found is None:
            return
        if self._subjects is None or self._step != found.step:
            self._step, counted = found.step, view.job.order.kind in COUNTED
            self._subjects = Subjects(self._phases, found.step, counted=counted)
        self._subjects(found.subject, found.done, found.total)

    def _say(self, words: str) -> None:
        """A line, where it is another than the last."""
        if words == self._told:
            return
        self._told = words
        if self._subjects is not None:
            self._phases("", 0)
            self._subjects = None
        self._note(words)


# ---------------------------------------------------------------------- how it ended


def _end_as(session: Session, view: JobView) -> None:
    """Print what the command would have printed, or raise what it would have raised.

    Raises:
        SealiftError: the job failed, or was taken back.
    """
    from sealift_registry.changing_jobs import over
    from sealift_registry.shown.job_result import result_lines, result_of

    end: JobEnd | None = view.end
    result = None if end is None else result_of(end)
    if result is not None:
        lines = result_lines(session.app.hub, view.job.order, result)
        session.terminal.answer(view.job.order.kind, result, lines)
    elif end is not None and end.problem is not None:
        raise _raised(end.problem)
    else:
        raise over(view)


_BY_EXIT_CODE: dict[int, type[SealiftError]] = {
    one.exit_code: one for one in (RefusedError, UsageError, NotFoundError, FailedError)
}


def _raised(problem: Problem) -> SealiftError:
    """The error that ended a job, as its command would have raised it."""
    kind = _BY_EXIT_CODE.get(problem.exit_code, RefusedError)
    return kind(problem.code, problem.what, subject=problem.subject, next_step=problem.next)
