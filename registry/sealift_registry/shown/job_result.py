"""What came of a job, as the command that does the same would have printed it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sealift_registry.jobs.job import JobEnd, JobOrder
from sealift_registry.shown.converted import converted_lines
from sealift_registry.shown.exported import exported_lines
from sealift_registry.shown.ingested import ingested_lines
from sealift_registry.trust.hub import Hub
from sealift_signing.drawing import plain

_LINES: Mapping[str, Callable[[Hub, Mapping[str, Any]], list[str]]] = {
    "convert": converted_lines,
    "ingest": lambda _hub, result: ingested_lines(result),
    "export": lambda _hub, result: exported_lines(result),
}
"""By the kind of the job."""


def result_of(end: JobEnd) -> Mapping[str, Any] | None:
    """What came of a job; None where nothing did."""
    return end.result if end.outcome == "done" and isinstance(end.result, Mapping) else None


def result_lines(hub: Hub, order: JobOrder, result: Mapping[str, Any]) -> list[str]:
    """The same in words; where newer software made it, as it is."""
    lines = _LINES.get(order.kind)
    if lines is not None:
        return lines(hub, result)
    return [plain(f"{name}: {json.dumps(said)}") for name, said in result.items()]
