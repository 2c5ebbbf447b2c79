"""What was signed, in the very bytes: for whoever verifies it for themselves.

Each is given as part of what it is about, so that who may read about that may have it, and nothing
else is found by its digest.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.delivery import tables, transfers
from sealift_registry.delivery.sites import Sites
from sealift_registry.trust.repository import Repository
from sealift_registry.views import receipts
from sealift_signing.drawing import word
from sealift_signing.errors import NotFoundError
from sealift_signing.statements import Evidence


def evidence(connection: Connection, ref: VersionRef, sha256: str) -> bytes:
    """A piece of evidence about a version.

    Raises:
        NotFoundError: there is no such version, or no such evidence about it.
        RefusedError: what the database has of it is not what was signed.
    """
    catalog = Catalog(connection)
    catalog.version(ref)
    for artifact in catalog.artifacts(ref):
        for one in catalog.evidence(artifact.path):
            if one.sha256 == sha256:
                return one.envelope.data
    raise _none(sha256, str(ref), f"sealift show {ref}")


def of_promotion(connection: Connection, number: int, sha256: str) -> bytes:
    """What a promotion consists of: its request, an approval, an objection; or evidence it names.

    Raises:
        NotFoundError: there is no such promotion, or it consists of something else.
        RefusedError: what the database has of it is not what was signed.
    """
    catalog = Catalog(connection)
    asked = catalog.promotion(number)
    request = asked.request
    envelopes = [
        request.envelope,
        *(one.envelope for one in catalog.approvals(number)),
        *(one.envelope for one in catalog.objections(number)),
    ]
    for one in envelopes:
        if one.sha256 == sha256:
            return one.data
    if sha256 in request.predicate.evidence:
        return catalog.statement(Evidence, sha256).envelope.data
    raise _none(sha256, asked.id, f"sealift show {asked.id}")


def transfer(connection: Connection, name: str) -> bytes:
    """transfer.json of a bundle, as its dispatcher signed it.

    Raises:
        NotFoundError: there is no such transfer, or nobody signed it yet.
        RefusedError: what the database has of it is not what was signed.
    """
    t = tables.bundle
    row = connection.execute(select(t).where(t.c.transfer == name)).first()
    if row is None:
        raise NotFoundError(
            "transfer-not-signed",
            f"No transfer {word(name)} was signed.",
            subject=name,
            next_step="See which were with: sealift list transfers",
        )
    return transfers.verified(Repository(connection), row).envelope.data


def receipt(connection: Connection, site: str, sha256: str) -> bytes:
    """What a site answered to a transfer, as it signed it.

    Raises:
        NotFoundError: there is no such site, or no such receipt of it.
        RefusedError: what the database has of it is not what was signed.
    """
    found = receipts.receipt(connection, site, sha256)
    if found is None:
        raise _none(sha256, site, f"sealift list receipts --site {site}")
    return found.envelope.data


def site_answer(connection: Connection, site: str) -> bytes:
    """What a site trusts from its enrolment on, as a fleet administrator signed it.

    Raises:
        NotFoundError: there is no such site.
        RefusedError: what the database has of it is not what was signed.
    """
    return Sites(connection).get(site).answer


def _none(sha256: str, about: str, see: str) -> NotFoundError:
    return NotFoundError(
        "no-document-of-that",
        f"{about} has no document {word(sha256)}.",
        subject=sha256,
        next_step=f"See what it has with: {see}",
    )
