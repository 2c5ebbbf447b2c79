"""Bringing back a form that was discarded: its files are there again, and the log says so."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import ArtifactRow, Catalog
from sealift_registry.catalog.logged import RESTORED
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.trust.hub import Hub
from sealift_signing.canonical import Json
from sealift_signing.transparency.entry import Entry


class _ThereError(Exception):
    """It was not discarded, or is back already."""


def restore(hub: Hub, row: ArtifactRow, actor: str) -> bool:
    """Record that a form is there again; False where it is not discarded.

    Whoever calls this has put all its files, and relies on them by then: gc leaves them.

    Raises:
        FailedError: it could not be recorded, or gc took one of the files meanwhile.
    """

    def action(connection: Connection) -> tuple[Entry, None]:
        if not is_discarded(connection, row):
            raise _ThereError
        data, terms = data_of(row, {}), {"model": row.path.full_model}
        return hub.entry(RESTORED, actor, data, terms), None

    try:
        hub.commit(action)
    except _ThereError:
        return False
    return True


def is_discarded(connection: Connection, row: ArtifactRow) -> bool:
    """Whether the files of a form may be gone.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    path = row.path
    ref = VersionRef(path.team, path.model, path.version)
    return str(path) in Catalog(connection).discards(ref)


def data_of(row: ArtifactRow, evidence: Mapping[str, Json]) -> dict[str, Json]:
    """What the entry says; `evidence` is what came with it, by its kind."""
    return {"artifact": str(row.path), "sha256": row.sha256, "evidence": dict(evidence)}
