"""Versions of models: a list of them, and all about one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from sealift_registry.catalog import discards, pages
from sealift_registry.catalog.catalog import ArtifactRow, Catalog, Version, latest, newest
from sealift_registry.catalog.discards import Discard
from sealift_registry.catalog.filed_page import FiledPage
from sealift_registry.catalog.pages import PagePlace, VersionFilter, VersionHead
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.delivery.running import where
from sealift_registry.promotion.status import Counting, PromotionStatus, status_of
from sealift_registry.proof.proof_report import NamedCheckRows, named_check_rows
from sealift_registry.trust import teams
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.views.pages import Page, page_rows, told_or_refused
from sealift_registry.views.pictures import has_picture
from sealift_signing.more_member import first_words
from sealift_signing.statements import Evidence, Signed

MOST_PROMOTIONS = 100
"""Promotions of one version that are told, the newest; a list gives the others, too."""


@dataclass(frozen=True)
class VersionRow:
    """A version in a list.

    Attributes:
        variants: the hardware targets that it has a variant for.
        discarded: its forms whose files are not needed any more.
        stages: those for which it is listed by a promotion that counts now.
    """

    head: VersionHead
    variants: tuple[str, ...]
    discarded: tuple[str, ...]
    stages: tuple[str, ...]


@dataclass(frozen=True)
class Left:
    """What a proof left at the hub.

    Attributes:
        picture: whether its picture can be had here.
        check_rows: those that it left; None where it left none.
        rows_lost: their file is missing here.
    """

    picture: bool
    check_rows: NamedCheckRows | None
    rows_lost: bool


@dataclass(frozen=True)
class EvidenceView:
    """A piece of evidence, and what it left at the hub.

    Attributes:
        signer: our machine that signed it; None where none did, and the hub alone says so.
    """

    evidence: Signed[Evidence]
    signer: str | None
    left: Left


@dataclass(frozen=True)
class ArtifactView:
    """One form of a version, with all evidence about it, the newest last.

    Attributes:
        first: what its newest evidence has to say before all else.
        check_rows: how many check rows its newest proof left.
        discard: that it was discarded; None where its files are needed.
    """

    artifact: ArtifactRow
    evidence: tuple[EvidenceView, ...]
    first: tuple[str, ...]
    check_rows: int
    discard: Discard | None = None


@dataclass(frozen=True)
class RunsAt:
    """That a version runs in a host group of a site, as the site's own log says it.

    Attributes:
        since: when it was switched to.
        as_of: when the newest entry of that log was made.
    """

    site: str
    group: str
    since: str
    as_of: str | None


@dataclass(frozen=True)
class VersionView:
    """All about a version.

    Attributes:
        source: its source record.
        goldens: the digest of the rows that count for it now.
        check_rows_travel: whether its team lets check rows leave the hub.
        promotions: the newest of them, oldest first.
        older_promotions: how many older ones there are.
        runs: where it runs, by each site's own log.
    """

    version: Version
    source: Mapping[str, Any]
    aliases: tuple[str, ...]
    goldens: str | None
    artifacts: tuple[ArtifactView, ...]
    check_rows_travel: bool
    promotions: tuple[PromotionStatus, ...]
    older_promotions: int
    runs: tuple[RunsAt, ...]


def versions(
    connection: Connection, now: datetime, wanted: VersionFilter, place: PagePlace
) -> Page[VersionRow]:
    """A page of versions. Of what is listed the catalogs of their teams are read, and verified."""
    heads, after = page_rows(
        place, lambda part: pages.versions(connection, wanted, part), lambda head: str(head.ref)
    )
    refs = [head.ref for head in heads]
    artifacts = pages.artifacts(connection, refs)
    filed, listed = FiledPage(connection, heads), _Listed(connection, now, refs)

    gone = discards.of_all(connection)

    def row(head: VersionHead) -> VersionRow:
        paths = [one.path for one in artifacts[head.ref]]
        made = filed.check(head, map(str, paths))
        forms = (path.form for path in paths if not path.is_source)
        discarded = (path.form for path in paths if str(path) in gone)
        stages = listed.stages(head.ref)
        known = replace(head, made=made)
        return VersionRow(known, tuple(sorted(forms)), tuple(sorted(discarded)), stages)

    rows, refused = told_or_refused(heads, row, lambda head: str(head.ref))
    return Page(rows, refused, after)


class _Listed:
    """For which stages versions are listed, of some that are asked about together."""

    def __init__(self, connection: Connection, now: datetime, refs: Sequence[VersionRef]) -> None:
        rows = pages.promotions_of(connection, refs)
        self._requests = pages.Requests(connection, rows)
        self._counting = Counting(connection, now)
        self._rows: dict[VersionRef, list[pages.AnyRow]] = {}
        for row in rows:
            ref = VersionRef(row.team, row.model, row.version)
            self._rows.setdefault(ref, []).append(row)

    def stages(self, ref: VersionRef) -> tuple[str, ...]:
        """The stages for which `ref` is listed, by a promotion that counts now.

        Raises:
            RefusedError: one of its promotions is not what was signed.
        """
        found: set[str] = set()
        for row in self._rows.get(ref, ()):
            if row.stage in found:
                continue  # by a newer promotion
            promotion = self._requests.promotion(row)
            approvals = self._requests.approvals(promotion.number)
            if self._counting.counted(promotion, approvals).listed:
                found.add(promotion.stage)
        return tuple(sorted(found))


def version(hub: Hub, connection: Connection, ref: VersionRef) -> VersionView:
    """All about one version.

    Raises:
        NotFoundError: there is no such version.
        RefusedError: something of it is not what was signed.
    """
    catalog, repository = Catalog(connection), Repository(connection)
    found = catalog.version(ref)
    artifacts = forms(hub, connection, ref)
    every = [row.number for row in pages.promotions_of(connection, [ref])]
    newest_ones = sorted(every[:MOST_PROMOTIONS])
    return VersionView(
        version=found,
        source=json.loads(found.source),
        aliases=tuple(catalog.aliases(found)),
        goldens=catalog.goldens(ref),
        artifacts=artifacts,
        check_rows_travel=teams.lets_check_rows_travel(repository, ref.team),
        promotions=tuple(status_of(connection, number, hub.now()) for number in newest_ones),
        older_promotions=len(every) - len(newest_ones),
        runs=tuple(_runs(connection, ref)),
    )


def forms(hub: Hub, connection: Connection, ref: VersionRef) -> tuple[ArtifactView, ...]:
    """The forms of a version, each with all evidence about it, and whether we vouch for that.

    Raises:
        NotFoundError: there is no such version.
        RefusedError: something of it is not what was signed.
    """
    catalog, repository = Catalog(connection), Repository(connection)
    catalog.version(ref)
    gone = catalog.discards(ref)
    return tuple(
        replace(_artifact(hub, catalog, repository, one), discard=gone.get(str(one.path)))
        for one in catalog.artifacts(ref)
    )


def _runs(connection: Connection, ref: VersionRef) -> Iterator[RunsAt]:
    for one in where(connection, str(ref.of), ref.number):
        yield RunsAt(one.site, one.running.group, one.running.since, one.heard)


def _artifact(hub: Hub, catalog: Catalog, repository: Repository, row: ArtifactRow) -> ArtifactView:
    evidence = catalog.evidence(row.path)
    views = tuple(
        EvidenceView(one, repository.signer_of(one), left_by(hub, one.predicate))
        for one in evidence
    )
    parity = latest(evidence).get("parity")
    named = None if parity is None else named_check_rows(parity.predicate.details)
    rows = 0 if named is None else named.rows
    return ArtifactView(row, views, tuple(first_words(newest(evidence))), rows)


def left_by(hub: Hub, evidence: Evidence) -> Left:
    """What is here of what a proof left."""
    named = named_check_rows(evidence.details)
    lost = named is not None and not hub.home.blobs.has(named.sha256)
    return Left(has_picture(hub, evidence), named, lost)
