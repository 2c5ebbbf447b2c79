"""The pictures of proofs: each is a blob of the hub, and is written to a file to be looked at."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import Catalog, latest
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.trust.hub import Hub
from sealift_signing.statements import Evidence
from sealift_signing.vocabulary import SHA256


def has_picture(hub: Hub, evidence: Evidence) -> bool:
    """Whether the picture of a proof is here."""
    return _picture(hub, evidence) is not None


def pictures(hub: Hub, connection: Connection, ref: VersionRef) -> dict[str, bytes]:
    """File name → SVG, of the newest proof of each of a version's variants."""
    catalog, found = Catalog(connection), {}
    for artifact in catalog.artifacts(ref):
        proved = latest(catalog.evidence(artifact.path)).get("parity")
        digest = None if proved is None else _picture(hub, proved.predicate)
        if digest is not None:
            found[file_name(ref, artifact.path.form)] = hub.home.blobs.read(digest)
    return found


def file_name(ref: VersionRef, form: str) -> str:
    """The file of a picture: those of several versions have room in one folder."""
    return f"{ref.model}-{ref.number}-{form}.svg"


def _picture(hub: Hub, said: Evidence) -> str | None:
    named = said.details.get("picture") if isinstance(said.details, Mapping) else None
    if isinstance(named, str) and SHA256.matches(named) and hub.home.blobs.has(named):
        return named
    return None
