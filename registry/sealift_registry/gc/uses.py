"""Who needs a form of a version: why it is not discarded, and why gc leaves it if it was.

Sites are asked by what they signed: their log, and their newest receipt. What is under way to them
is asked by what was written, the assignment by what the dispatcher signed, and promotions by what
counts today. A row that is not what was signed ends the work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from sealift_registry.catalog.catalog import ArtifactRow, Catalog, Promotion
from sealift_registry.catalog.discards import Discards
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.delivery import (
    assignments,
    receipts,
    running,
    tables,
    transfers,
    unsigned_transfers,
)
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.jobs import records
from sealift_registry.promotion import comparison_checks
from sealift_registry.promotion.status import Counting, PromotionStatus, status_of
from sealift_registry.storage.queries import all_rows
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import NotFoundError
from sealift_signing.statements import Transfer
from sealift_signing.vocabulary import CatalogPath, instant, moment


@dataclass(frozen=True)
class Use:
    """Why a form is needed, in a sentence, and what to do so that it is not."""

    sentence: str
    next_step: str


@dataclass(frozen=True)
class _AtSite:
    """What a site has, or is to have.

    Attributes:
        assigned: the paths of forms, each with the host group, and what it is there for.
        runs: what runs there: host groups, models, versions.
        inventory: the digests of manifests that it holds.
        receipt: the transfer whose receipt says so.
        carried: the digests of files that are under way to it, each with its transfer.
    """

    site: EnrolledSite
    assigned: Mapping[str, str]
    runs: frozenset[tuple[str, str, int]]
    inventory: frozenset[str]
    receipt: str
    carried: Mapping[str, str]


class Uses:
    """All that needs forms of versions, in one state of the hub.

    Raises:
        RefusedError: a row of what is asked is not what was signed.
    """

    def __init__(self, hub: Hub, connection: Connection) -> None:
        self._connection, self._now = connection, hub.now()
        self._catalog, self._repository = Catalog(connection), Repository(connection)
        self._counting = Counting(connection, self._now)
        self._sites = [_at_site(hub, connection, one) for one in Sites(connection).all()]

    def of(self, ref: VersionRef, rows: Sequence[ArtifactRow]) -> Iterator[Use]:
        """Who needs some forms of a version.

        Whoever needs a variant needs the source, from which it is built again.
        """
        asked = {str(one.path): one for one in rows}
        if any(one.path.is_source for one in rows):
            asked |= {str(one.path): one for one in self._catalog.artifacts(ref)}
        wanted = [asked[path] for path in sorted(asked)]
        for there in self._sites:
            for one in wanted:
                yield from _of_site(there, one)
        yield from self._of_promotions(ref, wanted)
        yield from self._of_jobs(ref)

    def _of_promotions(self, ref: VersionRef, wanted: Sequence[ArtifactRow]) -> Iterator[Use]:
        for promotion in self._catalog.promotions(ref):
            subjects = {one.name for one in promotion.request.subjects}
            if subjects & {str(one.path) for one in wanted}:
                yield from self._open(promotion)
        for stage in sorted(self._repository.policy().stages):
            for one in wanted:
                if not one.path.is_source and self._is_listed_now(one.path, stage):
                    yield Use(
                        f"{one.path} is what is listed for {stage}.",
                        f"Have another version listed for {stage} first; or wait until its "
                        f"approvals have run out: sealift show {ref}",
                    )

    def _open(self, promotion: Promotion) -> Iterator[Use]:
        """That people may still approve a promotion."""
        with suppress(NotFoundError):  # of a stage that there is no more
            rule = self._counting.rules(promotion.ref.team, promotion.stage).rule
            counted = self._counting.counted(promotion, self._catalog.approvals(promotion.number))
            until = instant(promotion.made) + rule.within
            if not counted.listed and not counted.doubt and self._now <= until:
                yield Use(
                    f"{promotion.id} asks for {promotion.ref} to be promoted to "
                    f"{promotion.stage}, and may be approved until {moment(until)[:10]}.",
                    f"See who waits for what: sealift show {promotion.id}. Discard it after that "
                    "day.",
                )

    def _is_listed_now(self, path: CatalogPath, stage: str) -> bool:
        found = comparison_checks.listed_now(self._connection, self._status, path, stage)
        return found is not None and found.artifact.path == path

    def _status(self, connection: Connection, number: int) -> PromotionStatus:
        return status_of(connection, number, self._now)

    def _of_jobs(self, ref: VersionRef) -> Iterator[Use]:
        for job in records.waiting(self._connection):
            if job.order.arguments.get("version") == str(ref):
                yield Use(
                    f"{job.id} is about {ref}, and has not ended.",
                    f"Wait for it, or take it back: sealift job cancel {job.id}",
                )


def unused(hub: Hub, connection: Connection, discarded: Discards) -> Discards:
    """Those of discarded forms that nobody needs: who came to need one since is not left without.

    Raises:
        RefusedError: as `Uses`.
    """
    if not discarded:
        return {}
    uses, catalog = Uses(hub, connection), Catalog(connection)
    found = dict(discarded)
    for name, one in discarded.items():
        path, row = one.path, catalog.artifact(one.path)
        ref = VersionRef(path.team, path.model, path.version)
        if row is None or next(uses.of(ref, [row]), None) is not None:
            del found[name]
    return found


def _of_site(there: _AtSite, one: ArtifactRow) -> Iterator[Use]:
    path, site, model = one.path, there.site.id, one.path.full_model
    if str(path) in there.assigned:
        yield Use(
            f"{path} is assigned to site {site}, {there.assigned[str(path)]}.",
            f"Assign something else there first, or nothing: sealift unassign {site} "
            f"{pasted([model])}",
        )
    for group, name, version in sorted(there.runs):
        is_form = there.site.groups.get(group, path.form) == path.form
        if (name, version) == (model, path.version) and is_form:
            yield Use(
                f"{path} runs at site {site}, in {word(group)}, by the site's own word.",
                "Have another version run there, and take in what it answers: sealift receive DIR",
            )
    if one.sha256 in there.inventory:
        yield Use(
            f"Site {site} has {path}, by its receipt for {there.receipt}, and may go back to it.",
            "It is needed for as long as the site is enrolled with that: what it loses of it, a "
            "bundle brings.",
        )
    if one.sha256 in there.carried:
        transfer = there.carried[one.sha256]
        yield Use(
            f"{transfer} is under way to site {site} with {path}.",
            "Take in what the site answers first: sealift receive DIR",
        )


def _at_site(hub: Hub, connection: Connection, site: EnrolledSite) -> _AtSite:
    assigned, repository = dict[str, str](), Repository(connection)
    for group, models in assignments.current(repository, site).groups.items():
        for one in models.models.values():
            for artifact in one.fallbacks:
                assigned.setdefault(artifact.path, f"for {word(group)} to go back to")
            assigned[one.current.path] = f"for {word(group)} to run"
    heard = _heard(connection, site)
    newest = receipts.newest(connection, heard)
    said = None if newest is None else newest.predicate
    runs = {(one.group, one.model, one.version) for one in running.running(connection, heard)}
    for group, versions in (said.running if said else {}).items():
        runs |= {(group, model, version) for model, version in versions.items()}
    return _AtSite(
        site,
        assigned,
        frozenset(runs),
        frozenset(said.inventory if said else ()),
        said.transfer if said else "",
        _carried(hub, connection, site),
    )


def _heard(connection: Connection, site: EnrolledSite) -> EnrolledSite:
    """The site as it is enrolled; or as it was when it answered last, until it answers again."""
    earlier = sorted(
        Sites(connection).enrolments(site.id), key=lambda one: one.answer.predicate.made
    )
    before = (
        replace(site, enrolment=one.answer.sha256, request=one.request)
        for one in reversed(earlier)
        if one.answer.sha256 in site.earlier
    )
    answered = (one for one in (site, *before) if receipts.newest(connection, one) is not None)
    return next(answered, site)


def _carried(hub: Hub, connection: Connection, site: EnrolledSite) -> dict[str, str]:
    """The files of bundles that are under way: those after the last one that was answered."""
    found = dict[str, str]()
    b, t = tables.bundle, tables.transfer
    query = (
        select(b)
        .join(t, t.c.id == b.c.transfer)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment)
        .order_by(t.c.number.desc())
    )
    repository = Repository(connection)
    for row in all_rows(connection, query):
        one = transfers.verified(repository, row).predicate
        if receipts.answer_to(connection, one) is not None:
            break
        _add_files(found, one)
    waits = unsigned_transfers.newest(hub, connection, site)
    if waits is not None:
        _add_files(found, waits.transfer)
    return found


def _add_files(found: dict[str, str], said: Transfer) -> None:
    for file in said.files:
        found.setdefault(file.sha256, said.id)
