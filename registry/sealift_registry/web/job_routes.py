"""Routes about jobs: what long work is wanted, how far it is, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from sealift_registry.catalog import page_sizes
from sealift_registry.catalog.pages import PagePlace
from sealift_registry.changing_jobs import cancel, look, looking, retry
from sealift_registry.shown import job_list
from sealift_registry.shown.job import job_lines, whole_job_data
from sealift_registry.shown.job_result import result_lines, result_of
from sealift_registry.shown.told import Told
from sealift_registry.trust.hub import Hub
from sealift_registry.views.jobs import JobFilter, State
from sealift_registry.web import hub_shapes, placeless, places, writing
from sealift_registry.web.answering import API, Asking, Reads, answered, served_by
from sealift_registry.web.guarding import caller_of, within_of
from sealift_registry.web.reading import Beyond, Limit
from sealift_registry.web.writing import Made, Writes

States = Annotated[
    list[State] | None, QueryParameter(name="state", description="Only in one of these states.")
]


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
    with looking(hub) as there:
        page = there.jobs(wanted, PagePlace(limit, beyond, not oldest_first))
    unnarrowed = JobFilter(within=wanted.within)
    everything = wanted == unnarrowed and wanted.within.everything and beyond is None
    found = job_list.told(page, hub.now(), everything=everything)
    return answered(request, placeless.told(hub, found))


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
    found = Told(whole_job_data(view, hub.now()), lines)
    return answered(request, placeless.told(hub, found))


def _orders(action: str, shape: type[hub_shapes.JobCancelled | hub_shapes.JobRetried]) -> Any:  # noqa: ANN401 - Litestar's
    spec = ResponseSpec(shape, generate_examples=False, description="Done, now or before.")
    opt = Writes(action, places.of_job, (404,)).declared()
    return {"tags": ["jobs"], "status_code": 200, "responses": {200: spec}, **opt}


async def _changed(request: Asking, change: Callable[[Hub, str, str], Told]) -> Response[bytes]:
    by, name = caller_of(request).name, request.path_params["job"]
    return await writing.once(request, lambda app: Made(dict(change(app.hub, name, by).data)))


@post(f"{API}/jobs/{{job:str}}/cancel", **_orders("job.cancel", hub_shapes.JobCancelled))
async def cancel_job(request: Asking) -> Response[bytes]:
    """Take a job back: a process that is at work at it is killed within seconds."""
    return await _changed(request, cancel)


@post(f"{API}/jobs/{{job:str}}/retry", **_orders("job.retry", hub_shapes.JobRetried))
async def retry_job(request: Asking) -> Response[bytes]:
    """Ask again for what a job was to do that failed, was cancelled or was set aside."""
    return await _changed(request, retry)


ROUTES: tuple[Any, ...] = (list_jobs, show_job, cancel_job, retry_job)
