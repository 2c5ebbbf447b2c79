"""Assigned artifacts that a site would hold back today: their approvals have run out."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.delivery.sites import EnrolledSite
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing.approvals import check_request, tally
from sealift_signing.documents import AssignedArtifact, Assignment
from sealift_signing.errors import SealiftError
from sealift_signing.statements import Approval, Request


def expired_approvals(
    hub: Hub,
    connection: Connection,
    site: EnrolledSite,
    assignment: Assignment,
    installed: frozenset[str],
) -> tuple[str, ...]:
    """A sentence for each assigned artifact that `site` does not have and would not install.

    No reason to refuse: what the site has of a version goes on running, and goes back to it.
    """
    assigned = {one.path: one for _, _, one in assignment.artifacts()}
    return tuple(
        f"{one.path} is no longer approved ({why}); {site.id} would not install it. "
        f"Have it asked for and approved again, and assign it again."
        for one in assigned.values()
        if one.sha256 not in installed
        for why in _reasons(hub, connection, site, one)
    )


def _reasons(
    hub: Hub, connection: Connection, site: EnrolledSite, one: AssignedArtifact
) -> Iterator[str]:
    catalog = Catalog(connection)
    request = catalog.statement(Request, one.request)
    approvals = [catalog.statement(Approval, digest) for digest in one.approvals]
    try:
        rules = Repository(connection).rules(one.parsed.team, site.stage, hub.now())
        check_request(request, rules)
        counted = tally(request, approvals, rules)
    except SealiftError as bad:
        yield bad.what.rstrip(".")
        return
    if not counted.enough:
        yield " ".join(counted.set_aside).rstrip(".") or "too few approvals are named"
