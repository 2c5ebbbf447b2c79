"""Asking for a job once: what is wanted already, and has not ended, is not wanted twice."""

from __future__ import annotations

from sealift_registry.jobs import records
from sealift_registry.jobs.job import Job
from sealift_registry.jobs.records import Wanted
from sealift_registry.trust.hub import Hub


def ask_once(hub: Hub, wanted: Wanted, actor: str) -> tuple[Job, bool]:
    """The job that is wanted, and whether it is new.

    Raises:
        FailedError: it could not be recorded.
        RefusedError: its arguments are too large, or the log does not know the one that there is.
    """
    with hub.reading() as connection:
        there = records.asked_already(connection, wanted)
    return (there, False) if there is not None else (records.ask(hub, wanted, actor), True)
