"""How a promotion stands: what its request names, who approved, and whether it is listed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.promotion import gates, objections
from sealift_registry.promotion.gates import ArtifactEvidence
from sealift_registry.trust.repository import Repository
from sealift_signing.approvals import ApprovalTally, NotCountedError, Rules, check_request, tally
from sealift_signing.documents import Withdrawal
from sealift_signing.statements import Objection, Request, Signed


@dataclass(frozen=True)
class PromotionStatus:
    """How a promotion stands: what it is about, who approved, and whether it is listed.

    Attributes:
        despite: what the request names to be set aside, each with the withdrawal that it is the
            digest of in the team's present list; None where it is of none, and sets nothing aside.
        listed: the team's catalog role lists all of its variants, and by the counting rule it may.
        machines: the names of our scanners and builders that signed evidence, by its sha256.
        doubt: why its request does not count, so that nobody vouches for what it says; else empty.
        objections: those by people who may approve it.
        not_heard: why other objections are none of theirs.
    """

    promotion: Promotion
    despite: Mapping[str, Withdrawal | None]
    vouched: Sequence[ArtifactEvidence]
    tally: ApprovalTally
    listed: bool
    machines: Mapping[str, str]
    doubt: str = ""
    objections: Sequence[Signed[Objection]] = ()
    not_heard: Sequence[str] = ()


def status_of(connection: Connection, number: int, now: datetime) -> PromotionStatus:
    """How promotion `number` stands at `now`.

    Raises:
        NotFoundError: no such promotion.
        RefusedError: the hub lacks something that its request names.
    """
    catalog = Catalog(connection)
    promotion = catalog.promotion(number)
    found = gates.named(catalog, promotion.request)
    repository, said = Repository(connection), promotion.request.predicate
    rules = repository.rules(said.team, said.stage, now)
    counted = tally(promotion.request, catalog.approvals(number), rules)
    doubt = _doubt(promotion.request, rules)
    there = all(
        repository.lists(promotion.ref.team, str(one.artifact.path), one.artifact.sha256)
        for one in found
        if not one.artifact.path.is_source
    )
    listed = there and counted.enough and not doubt
    known = {one.digest: one for one in rules.members.withdrawn}
    despite = {name: known.get(name) for name in promotion.request.predicate.despite}
    machines = signers(repository, found)
    heard, not_heard = objections.heard(promotion.request, catalog.objections(number), rules)
    return PromotionStatus(
        promotion, despite, found, counted, listed, machines, doubt, heard, not_heard
    )


def signers(repository: Repository, found: Iterable[ArtifactEvidence]) -> dict[str, str]:
    """The machines of ours that signed the evidence in `found`, by its sha256."""
    return {
        evidence.sha256: name
        for one in found
        for evidence in one.evidence
        if (name := repository.signer_of(evidence)) is not None
    }


def _doubt(request: Signed[Request], rules: Rules) -> str:
    """Why `request` does not count; empty where it does."""
    try:
        check_request(request, rules)
    except NotCountedError as bad:
        return bad.what
    return ""
