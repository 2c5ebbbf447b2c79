"""Pages of versions and promotions: as many queries for a page, however much there is besides.

A page begins behind the last thing of the page before it (a keyset, never an offset): what is added
meanwhile moves nothing, and the last page takes no longer than the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    func,
    not_,
    or_,
    select,
    tuple_,
)

from sealift_registry.catalog import page_sizes, tables
from sealift_registry.catalog.catalog import ArtifactRow, Catalog, Promotion, artifact_of_row
from sealift_registry.catalog.reference import ModelRef, VersionRef, parse_promotion
from sealift_registry.storage.queries import in_parts, is_one_of
from sealift_registry.storage.schema import Number
from sealift_registry.storage.within import ALL, Within
from sealift_signing.errors import NotFoundError
from sealift_signing.policy import StageRule
from sealift_signing.statements import Approval, Signed
from sealift_signing.vocabulary import SOURCE, moment

AnyRow = Row[tuple[Any, ...]]


@dataclass(frozen=True)
class PagePlace:
    """Where a page lies.

    Attributes:
        limit: how many it has at most.
        after: the name of the last thing of the page before it; None for the first page.
        newest_first: the other way round than things came to be.
    """

    limit: int = page_sizes.USUAL
    after: str | None = None
    newest_first: bool = False


@dataclass(frozen=True)
class VersionFilter:
    """Which versions: those of which all that is given holds."""

    team: str | None = None
    model: ModelRef | None = None
    within: Within = ALL


@dataclass(frozen=True)
class PromotionFilter:
    """Which promotions: those of which all that is given holds."""

    team: str | None = None
    model: ModelRef | None = None
    stage: str | None = None
    within: Within = ALL


@dataclass(frozen=True)
class VersionHead:
    """A version without its source record, which is long."""

    ref: VersionRef
    source_version: str
    format: str
    made: str


@dataclass(frozen=True)
class VersionDue:
    """The newest version of a model, where it lacks something on its way to a stage.

    Attributes:
        has_goldens: rows to compare it with its variants on.
        has_variant: a form for a hardware target.
    """

    ref: VersionRef
    has_goldens: bool
    has_variant: bool


@dataclass(frozen=True)
class PromotionHead:
    """A request, as its row names it; `made` is when it seems to have been made."""

    number: int
    made: str


def versions_due(connection: Connection) -> list[VersionDue]:
    """The newest version of each model that has no goldens, no variant or no promotion."""
    t, goldens, artifact, promotion = (
        tables.model_version,
        tables.goldens,
        tables.artifact,
        tables.promotion,
    )
    newest = (
        select(t.c.team, t.c.model, func.max(t.c.number).label("number"))
        .group_by(t.c.team, t.c.model)
        .subquery()
    )

    def has(table: Table, number: str, *more: ColumnElement[bool]) -> ColumnElement[bool]:
        same = (
            table.c.team == newest.c.team,
            table.c.model == newest.c.model,
            table.c[number] == newest.c.number,
        )
        return select(1).select_from(table).where(*same, *more).exists()

    has_goldens = has(goldens, "number")
    has_variant = has(artifact, "number", artifact.c.form != SOURCE)
    asked = has(promotion, "version")
    query = (
        select(newest, has_goldens.label("has_goldens"), has_variant.label("has_variant"))
        .where(not_(and_(has_goldens, has_variant, asked)))
        .order_by(newest.c.team, newest.c.model)
    )
    return [
        VersionDue(
            VersionRef(row.team, row.model, row.number),
            bool(row.has_goldens),
            bool(row.has_variant),
        )
        for row in connection.execute(query)
    ]


def versions(connection: Connection, wanted: VersionFilter, place: PagePlace) -> list[VersionHead]:
    """A page of versions, by team, model and number; or the newest taken in first.

    Raises:
        NotFoundError: the page is to begin after a version that there is not.
        UsageError: after what is no version's name.
    """
    t = tables.model_version
    query = select(t.c.team, t.c.model, t.c.number, t.c.source_version, t.c.format, t.c.made)
    key = [t.c.made, t.c.team, t.c.model, t.c.number][0 if place.newest_first else 1 :]
    query = query.where(*_of(t, wanted))
    if place.after is not None:
        query = query.where(_beyond(key, _version_key(connection, place), place))
    rows = connection.execute(_ordered(query, key, place))
    return [
        VersionHead(
            VersionRef(row.team, row.model, row.number), row.source_version, row.format, row.made
        )
        for row in rows
    ]


def models(connection: Connection, wanted: VersionFilter, place: PagePlace) -> list[VersionHead]:
    """A page of models, by team and model: of each its newest version.

    Raises:
        UsageError: the page is to begin after what is no model's name.
    """
    t = tables.model_version
    newest = select(t.c.team, t.c.model, func.max(t.c.number).label("number"))
    newest = newest.where(*_of(t, wanted)).group_by(t.c.team, t.c.model)
    key = [t.c.team, t.c.model]
    if place.after is not None:
        ref = ModelRef.parse(place.after)
        newest = newest.where(_beyond(key, [ref.team, ref.model], place))
    found = _ordered(newest, key, place).subquery()
    same = (t.c.team == found.c.team, t.c.model == found.c.model, t.c.number == found.c.number)
    query = select(t.c.team, t.c.model, t.c.number, t.c.source_version, t.c.format, t.c.made)
    rows = connection.execute(_ordered(query.join(found, and_(*same)), key, place))
    return [
        VersionHead(
            VersionRef(row.team, row.model, row.number), row.source_version, row.format, row.made
        )
        for row in rows
    ]


def _version_key(connection: Connection, place: PagePlace) -> list[Any]:
    ref = VersionRef.parse(place.after or "")
    if not place.newest_first:
        return [ref.team, ref.model, ref.number]
    t = tables.model_version
    query = select(t.c.made).where(
        t.c.team == ref.team, t.c.model == ref.model, t.c.number == ref.number
    )
    made = connection.execute(query).scalar_one_or_none()
    if made is None:
        raise NotFoundError(
            "no-version",
            f"There is no version {ref}.",
            subject=str(ref),
            next_step="Begin with the first page: sealift list versions",
        )
    return [made, ref.team, ref.model, ref.number]


def artifacts(
    connection: Connection, refs: Sequence[VersionRef]
) -> dict[VersionRef, list[ArtifactRow]]:
    """The artifacts of each version, in no order."""
    found: dict[VersionRef, list[ArtifactRow]] = {ref: [] for ref in refs}
    t = tables.artifact
    for some in in_parts(refs):
        named = [(ref.team, ref.model, ref.number) for ref in some]
        query = select(t).where(is_one_of([t.c.team, t.c.model, t.c.number], named))
        for row in connection.execute(query):
            found[VersionRef(row.team, row.model, row.number)].append(artifact_of_row(row))
    return found


def promotion_rows(
    connection: Connection, wanted: PromotionFilter, place: PagePlace
) -> list[AnyRow]:
    """The rows of a page of promotions, by number. None of them is believed here."""
    t = tables.promotion
    query = select(t).where(*_of(t, wanted))
    if place.after is not None:
        query = query.where(_beyond([t.c.number], [parse_promotion(place.after)], place))
    return list(connection.execute(_ordered(query, [t.c.number], place)).all())


def waiting(
    connection: Connection, stage: str, rule: StageRule, now: datetime, within: Within = ALL
) -> list[PromotionHead]:
    """The requests for a stage that seem to wait for approvals, or for being asked for again.

    Of those for the same version only the newest is there. Nothing of that version was ever listed
    for the stage, or none of the requests has as many approvals that hold at `now` as the stage
    needs. Columns say so; who is told verifies.
    """
    t = tables.promotion
    newest = (
        select(func.max(t.c.number))
        .where(t.c.stage == stage)
        .group_by(t.c.team, t.c.model, t.c.version)
    )
    query = select(t.c.number, t.c.made).where(
        t.c.number.in_(newest), or_(~_was_listed(), ~_is_approved(rule, now))
    )
    rows = connection.execute(query.where(*within.of_teams(t.c.team)).order_by(t.c.number))
    return [PromotionHead(row.number, row.made) for row in rows]


def promotions_named(connection: Connection, numbers: Sequence[int]) -> list[AnyRow]:
    """The rows of the promotions of these numbers, in their order. None of them is believed."""
    t = tables.promotion
    found: dict[int, AnyRow] = {}
    for some in in_parts(numbers):
        query = select(t).where(t.c.number.in_(some))
        found |= {row.number: row for row in connection.execute(query)}
    return [found[number] for number in numbers]


def promotions_of(connection: Connection, refs: Sequence[VersionRef]) -> list[AnyRow]:
    """The rows of all promotions of these versions, the newest first."""
    t = tables.promotion
    found: list[AnyRow] = []
    for some in in_parts(refs):
        named = [(ref.team, ref.model, ref.number) for ref in some]
        query = select(t).where(is_one_of([t.c.team, t.c.model, t.c.version], named))
        found += connection.execute(query).all()
    return sorted(found, key=lambda row: row.number, reverse=True)


class Requests:
    """Requests and approvals of some promotions, whose bytes are read at once."""

    def __init__(self, connection: Connection, rows: Sequence[AnyRow]) -> None:
        a, s = tables.approval, tables.statement
        self._approvals: dict[int, list[str]] = {row.number: [] for row in rows}
        bodies: dict[str, bytes] = {}
        for some in in_parts(list(self._approvals)):
            query = select(a.c.promotion, a.c.sha256).where(a.c.promotion.in_(some))
            for row in connection.execute(query.order_by(a.c.made, a.c.sha256)):
                self._approvals[row.promotion].append(row.sha256)
        named = [digest for digests in self._approvals.values() for digest in digests]
        for digests in in_parts([*(row.request for row in rows), *named]):
            query = select(s.c.sha256, s.c.body).where(s.c.sha256.in_(digests))
            bodies |= {row.sha256: bytes(row.body) for row in connection.execute(query)}
        self._catalog = Catalog(connection, bodies)

    def promotion(self, row: AnyRow) -> Promotion:
        """As `Catalog.promotion_of_row`."""
        return self._catalog.promotion_of_row(row)

    def approvals(self, number: int) -> list[Signed[Approval]]:
        """The approvals of a promotion, oldest first; none verified here."""
        return [self._catalog.statement(Approval, one) for one in self._approvals[number]]


def _was_listed() -> ColumnElement[bool]:
    """Of promotions: that something of the same version was listed for the same stage."""
    t, listing, a = tables.promotion, tables.listing, tables.artifact
    same = and_(
        a.c.team == t.c.team,
        a.c.model == t.c.model,
        a.c.number == t.c.version,
        listing.c.stage == t.c.stage,
    )
    return select(1).select_from(a.join(listing, listing.c.path == a.c.path)).where(same).exists()


def _is_approved(rule: StageRule, now: datetime) -> ColumnElement[bool]:
    """Of promotions: that one of the same version and stage has so many approvals that hold."""
    t, a, same = tables.promotion, tables.approval, tables.promotion.alias("same")
    query = (
        select(same.c.number)
        .join(a, a.c.promotion == same.c.number)
        .where(
            same.c.team == t.c.team,
            same.c.model == t.c.model,
            same.c.version == t.c.version,
            same.c.stage == t.c.stage,
            a.c.valid_until > moment(now),
            a.c.made > moment(now - rule.longest),
        )
        .group_by(same.c.number)
        .having(func.count(type_=Number()) >= max(rule.approvals, 1))
    )
    return query.exists()


def _of(table: Table, wanted: VersionFilter | PromotionFilter) -> list[ColumnElement[bool]]:
    model = wanted.model
    pairs = [(table.c.team, wanted.team)]
    if model is not None:
        pairs += [(table.c.team, model.team), (table.c.model, model.model)]
    if isinstance(wanted, PromotionFilter):
        pairs += [(table.c.stage, wanted.stage)]
    named = [column == value for column, value in pairs if value is not None]
    return named + wanted.within.of_teams(table.c.team)


def _beyond(
    key: Sequence[ColumnElement[Any]], values: Sequence[Any], place: PagePlace
) -> ColumnElement[bool]:
    ours, theirs = tuple_(*key), tuple_(*values, types=[one.type for one in key])
    return ours < theirs if place.newest_first else ours > theirs


def _ordered(
    query: Select[Any], key: Sequence[ColumnElement[Any]], place: PagePlace
) -> Select[Any]:
    order = [one.desc() if place.newest_first else one for one in key]
    return query.order_by(*order).limit(place.limit)
