"""Folders of work in which nobody works any more: of commands, of steps, and of jobs that ended."""

from __future__ import annotations

from pathlib import Path

from sealift_registry.gc import old_jobs
from sealift_registry.jobs import folders, plain
from sealift_registry.trust.hub import Hub


def find(hub: Hub) -> list[Path]:
    """What `remove` would remove of this home's; other hosts have work of their own.

    Raises:
        FailedError: the database could not be read.
    """
    work = hub.home.work
    return [
        *hub.home.abandoned(),
        *plain.abandoned(work),
        *folders.abandoned(work, _ended(hub)),
    ]


def remove(hub: Hub) -> None:
    """Remove them, and what of blobs in the home was never finished.

    Raises:
        FailedError: the database could not be read, or nothing can be written in the home.
    """
    hub.home.sweep()
    plain.sweep(hub.home.work)
    folders.remove(hub.home.work, _ended(hub))


def _ended(hub: Hub) -> frozenset[str]:
    kept = folders.kept(hub.home.work)  # before it is asked which wait: a new one is not among them
    with hub.reading() as connection:
        return kept - old_jobs.wanted(connection)
