"""Jobs that were asked for just now, or that were asked for already."""

from __future__ import annotations

from collections.abc import Sequence

from sealift_registry.jobs.job import Job
from sealift_registry.shown.job import waits_lines
from sealift_registry.shown.told import Told
from sealift_registry.views.jobs import Waits
from sealift_signing.drawing import word


def told(jobs: Sequence[tuple[Job, bool]], is_taken: Sequence[bool]) -> Told:
    """Each job, whether it is new, and whether somebody is there who does such jobs."""
    lines = [
        line
        for (one, new), taken in zip(jobs, is_taken, strict=True)
        for line in _lines(one, taken=taken, new=new)
    ]
    said = [
        {
            "job": one.id,
            "new": new,
            "kind": one.order.kind,
            "queue": one.order.queue,
            "priority": one.order.priority,
            "host": one.order.host_name,
        }
        for one, new in jobs
    ]
    return Told({"jobs": said}, lines)


def _lines(job: Job, *, taken: bool, new: bool) -> list[str]:
    order = job.order
    where = f", for a worker on {order.host_name} alone" if order.host else ""
    nobody = waits_lines(job, Waits("host" if order.host else "no-worker"))
    return [
        *(() if new else (f"{word(order.asked_by)} asked for the same, and it has not ended:",)),
        f"{job.id} waits in queue {order.queue}{where}.",
        *(() if taken else (f"  {one}" for one in nobody)),
        f"  Watch:  sealift job watch {job.id}",
    ]
