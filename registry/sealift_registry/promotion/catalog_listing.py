"""Listing what enough people approved, in the team's catalog role, which is the hub's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection
from tuf.api.metadata import Targets

from sealift_registry.catalog import recording
from sealift_registry.catalog.catalog import Promotion
from sealift_registry.promotion.gates import ArtifactEvidence
from sealift_registry.trust import catalogs
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import publishing, roles
from sealift_signing.vocabulary import moment
from sealift_sync.artifact import LARGEST_MANIFEST


def list_variants(
    hub: Hub,
    connection: Connection,
    promotion: Promotion,
    found: Sequence[ArtifactEvidence],
    manifests: Mapping[str, bytes],
) -> None:
    """List the variants in `found`, because of `promotion`, and publish the catalog role.

    `manifests` were read before, by their digests: nobody waits for a store while others wait to
    write. One that was made meanwhile is read now.
    """
    repository, now = Repository(connection), hub.now()
    role = roles.catalog_role(promotion.ref.team)
    owner = repository.targets().signed
    catalog = catalogs.following(repository, role, owner, now)
    for one in found:
        if not one.artifact.path.is_source:
            manifest = manifests.get(one.artifact.sha256)
            _add_target(
                catalog.signed,
                one,
                manifest or hub.home.blobs.read(one.artifact.sha256, LARGEST_MANIFEST),
            )
            recording.add_listing(
                connection, one.artifact.path, promotion.stage, promotion.number, moment(now)
            )
    catalogs.sign(hub.online, catalog, role, owner)
    hub.publish(connection, Change({role: catalog}))


def _add_target(catalog: Targets, one: ArtifactEvidence, manifest: bytes) -> None:
    path, sha256 = str(one.artifact.path), one.artifact.sha256
    catalog.targets[path] = publishing.target_file(path, len(manifest), sha256)
