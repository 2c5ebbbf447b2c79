"""Jobs taken back, and done again: the same at the hub's shell and from a desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sealift_registry.jobs import records, retrying
from sealift_registry.jobs.dbos_watching import watched
from sealift_registry.jobs.job import Job, parse_job
from sealift_registry.kinds import KINDS
from sealift_registry.shown.job import end_words, state_words
from sealift_registry.shown.told import Told
from sealift_registry.trust.hub import Hub
from sealift_registry.views.jobs import JobView, Looking
from sealift_signing.errors import NotFoundError, RefusedError


@contextmanager
def looking(hub: Hub) -> Iterator[Looking]:
    """At jobs, as they are now."""
    seen = watched(hub)
    with hub.reading() as connection:
        yield Looking(connection, hub.now(), seen, KINDS.keys())


def look(hub: Hub, name: str) -> JobView:
    """One job, as it is now.

    Raises:
        NotFoundError: there is none of that name.
    """
    number = parse_job(name)
    with looking(hub) as found:
        return found.job(number)


def cancel(hub: Hub, name: str, by: str) -> Told:
    """Take a job back, whoever asked for it; one that was taken back stays so.

    Raises:
        NotFoundError: there is none of that name.
        RefusedError: it has ended otherwise.
    """
    view, new = look(hub, name), True
    try:
        end = records.finish(hub, view.job.number, "cancelled", attempt=None, by=by)
    except records.EndedError:
        view, new = look(hub, name), False
        if view.end is None or view.end.outcome != "cancelled":
            raise over(view) from None
        end = view.end
    lines = [f"{view.job.id} {end_words(end)}."]
    if new and view.state == "works":
        lines.append("The process that is at work at it ends within seconds.")
    data = {"job": view.job.id, "state": "cancelled", "by": end.by, "ended": end.made, "new": new}
    return Told(data, lines)


def retry(hub: Hub, name: str, by: str) -> Told:
    """Ask again for what a job was to do; one that was asked for again already stays so.

    Raises:
        NotFoundError: there is none of that name, or it has not failed.
    """
    view = look(hub, name)
    if view.end is None or view.end.outcome == "done":
        raise _not_failed(view)
    made, new = _already(hub, view), False
    if made is None:
        made, new = retrying.ask_again(hub, view.job, by), True
    what = f"does again what {view.job.id} was to do"
    lines = [f"{made.id} {what}." if new else f"{made.id} {what}, already."]
    lines.append(f"  Watch it:  sealift job watch {made.id}")
    data = {"job": made.id, "retries": view.job.id, "queue": made.order.queue, "new": new}
    return Told(data, lines)


def _already(hub: Hub, view: JobView) -> Job | None:
    """The job that does it again already, and has not failed as well."""
    if view.retried_by is None:
        return None
    with looking(hub) as looking_at:
        found = looking_at.job(view.retried_by)
    return found.job if found.end is None or found.end.outcome == "done" else None


def over(view: JobView) -> RefusedError:
    """A job has ended."""
    how = "has ended" if view.end is None else end_words(view.end)
    again = view.end is not None and view.end.outcome != "done"
    step = f"To have it done after all: sealift job retry {view.job.id}"
    return RefusedError(
        "job-ended",
        f"{view.job.id} {how}.",
        subject=view.job.id,
        next_step=step if again else f"See what came of it with: sealift job show {view.job.id}",
    )


def _not_failed(view: JobView) -> NotFoundError:
    how = f"still {state_words(view)}" if view.end is None else end_words(view.end)
    return NotFoundError(
        "job-not-failed",
        f"{view.job.id} {how}, and only what failed, was cancelled or was set aside is done again.",
        subject=view.job.id,
        next_step=f"See how it stands with: sealift job show {view.job.id}",
    )
