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
from sealift_signing.statements import Approval, Objection, Request, Signed
from sealift_signing.vocabulary import CatalogPath


@dataclass(frozen=True)
class Counted:
    """How the request and the approvals of a promotion count: all that a list says of it.

    Attributes:
        listed: the team's catalog role lists all of its variants, and by the counting rule it may.
        doubt: why its request does not count, so that nobody vouches for what it says; else empty.
    """

    promotion: Promotion
    tally: ApprovalTally
    listed: bool
    doubt: str = ""


class Counting:
    """Counting at one moment, through one connection: a team's rules for a stage are read once."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._repository = Repository(connection)
        self._now = now
        self._rules: dict[tuple[str, str], Rules] = {}

    def rules(self, team: str, stage: str) -> Rules:
        """By what a team's requests and approvals for a stage are counted.

        Raises:
            NotFoundError: there is no such stage, or the team has no members yet.
        """
        if (team, stage) not in self._rules:
            self._rules[team, stage] = self._repository.rules(team, stage, self._now)
        return self._rules[team, stage]

    def counted(self, promotion: Promotion, approvals: Iterable[Signed[Approval]]) -> Counted:
        """How a promotion counts, of which these are the approvals.

        Raises:
            RefusedError: its team's list, or a signature, is none that counts here.
        """
        request = promotion.request
        rules = self.rules(request.predicate.team, request.predicate.stage)
        found = tally(request, approvals, rules)
        doubt = doubt_of(request, rules)
        # The catalog last, which is long: of what nobody approved it need not be asked.
        listed = found.enough and not doubt and self._is_there(request)
        return Counted(promotion, found, listed, doubt)

    def _is_there(self, request: Signed[Request]) -> bool:
        """Whether the catalog lists every variant that a request is about."""
        return all(
            self._repository.lists(request.predicate.team, one.name, one.sha256)
            for one in request.subjects
            if not CatalogPath.parse(one.name).is_source
        )


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
    catalog, counting = Catalog(connection), Counting(connection, now)
    promotion = catalog.promotion(number)
    found = gates.named(catalog, promotion.request)
    repository, said = Repository(connection), promotion.request.predicate
    counted = counting.counted(promotion, catalog.approvals(number))
    rules = counting.rules(said.team, said.stage)
    known = {one.digest: one for one in rules.members.withdrawn}
    despite = {name: known.get(name) for name in said.despite}
    heard, not_heard = objections.heard(promotion.request, catalog.objections(number), rules)
    return PromotionStatus(
        promotion,
        despite,
        found,
        counted.tally,
        counted.listed,
        signers(repository, found),
        counted.doubt,
        heard,
        not_heard,
    )


def signers(repository: Repository, found: Iterable[ArtifactEvidence]) -> dict[str, str]:
    """The machines of ours that signed the evidence in `found`, by its sha256."""
    return {
        evidence.sha256: name
        for one in found
        for evidence in one.evidence
        if (name := repository.signer_of(evidence)) is not None
    }


def doubt_of(request: Signed[Request], rules: Rules) -> str:
    """Why `request` does not count; empty where it does."""
    try:
        check_request(request, rules)
    except NotCountedError as bad:
        return bad.what
    return ""
