"""Routes about jobs: what long work is wanted, how far it is, how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from litestar import Response, get
from litestar.params import QueryParameter

from sealift_registry.catalog import page_sizes
from sealift_registry.catalog.pages import PagePlace
from sealift_registry.jobs.dbos_watching import watched
from sealift_registry.jobs.job import parse_job
from sealift_registry.kinds import KINDS
from sealift_registry.shown import job_list
from sealift_registry.shown.job import job_lines, whole_job_data
from sealift_registry.shown.job_result import result_lines, result_of
from sealift_registry.shown.told import Told
from sealift_registry.trust.hub import Hub
from sealift_registry.views.jobs import JobFilter, JobView, Looking, State
from sealift_registry.web import hub_shapes, places
from sealift_registry.web.answering import Asking, Reads, answered
from sealift_registry.web.guarding import caller_of, within_of
from sealift_registry.web.reading import API, Beyond, Limit, served_by

States = Annotated[
    list[State] | None, QueryParameter(name="state", description="Only in one of these states.")
]


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


@get(
    f"{API}/jobs",
    tags=["jobs"],
    **Reads("job.read", hub_shapes.Jobs, places.jobs_asked, ("team", "owner")).declared(),
)
def list_jobs(
    request: Asking,
    *,
    states: States = None,
    kind: Annotated[str | None, QueryParameter(description="Only of this kind.")] = None,
    queue: Annotated[str | None, QueryParameter(description="Only of this queue.")] = None,
    mine: Annotated[bool, QueryParameter(description="Only those that one asked for.")] = False,
    oldest_first: Annotated[bool, QueryParameter(description="Begin with the oldest.")] = False,
    limit: Limit = page_sizes.USUAL,
    beyond: Beyond = None,
) -> Response[bytes]:
    """List jobs, newest first: of the teams that one may see, and one's own."""
    hub, asked_by = served_by(request).app.hub, caller_of(request).name if mine else None
    wanted = JobFilter(tuple(states or ()), kind, queue, asked_by, within_of(request))
    with looking(hub) as found:
        page = found.jobs(wanted, PagePlace(limit, beyond, not oldest_first))
    everything = wanted == JobFilter() and beyond is None
    return answered(request, job_list.told(page, hub.now(), everything=everything))


@get(
    f"{API}/jobs/{{job:str}}",
    tags=["jobs"],
    **Reads("job.read", hub_shapes.JobShown, places.of_job).declared(),
)
def show_job(request: Asking) -> Response[bytes]:
    """Show all about a job: who asked, why it waits or how far it is, what came of it."""
    hub = served_by(request).app.hub
    view = look(hub, request.path_params["job"])
    lines = job_lines(view, hub.now())
    result = None if view.end is None else result_of(view.end)
    if result is not None:
        lines += ["", *result_lines(hub, view.job.order, result)]
    return answered(request, Told(whole_job_data(view, hub.now()), lines))


ROUTES: tuple[Any, ...] = (list_jobs, show_job)
