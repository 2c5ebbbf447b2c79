"""Jobs as they are listed."""

from __future__ import annotations

from datetime import datetime

from sealift_registry.shown.job import in_seconds, job_data, state_words, took
from sealift_registry.shown.told import Told, refusal_data, refusal_lines
from sealift_registry.views.jobs import LONGEST_TOLD, JobView, about
from sealift_registry.views.pages import Page
from sealift_signing.drawing import pasted, word
from sealift_signing.lists import in_columns

HEADINGS = ("job", "state", "kind", "about", "queue", "asked by", "asked", "took")
NONE = "No job was asked for yet. Ask for one with --detach: sealift convert --help"


def told(page: Page[JobView], now: datetime, *, everything: bool) -> Told:
    """A page of them; `everything` is whether all jobs were asked for."""
    rows = [
        (
            one.job.id,
            state_words(one),
            one.job.order.kind,
            about(one.job.order),
            one.job.order.queue,
            word(one.job.order.asked_by, LONGEST_TOLD),
            in_seconds(one.job.order.asked),
            took(one, now),
        )
        for one in page.rows
    ]
    lines = [NONE if everything else "Nothing matches."]
    if rows or page.refused:
        lines = in_columns(HEADINGS, rows)
    lines += refusal_lines(page.refused)
    if page.after is not None:
        lines += ["", f"There is more: add --beyond {pasted([page.after])}"]
    data = {
        "jobs": [job_data(one, now) for one in page.rows],
        "refused": refusal_data(page.refused),
        "beyond": page.after,
    }
    return Told(data, lines, page.refused)
