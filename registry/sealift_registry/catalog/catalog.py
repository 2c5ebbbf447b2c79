"""Reading the catalog: rows into values, through one connection."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, func, select

from sealift_registry.catalog import discards, filed, kept_statements, logged, tables
from sealift_registry.catalog.discards import Discards
from sealift_registry.catalog.reference import ModelRef, VersionRef, promotion_id
from sealift_registry.trust import signed_log
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.evidence import stage_of
from sealift_signing.statements import (
    Approval,
    Evidence,
    Objection,
    Predicate,
    Request,
    Signed,
)
from sealift_signing.vocabulary import SOURCE, CatalogPath

P = TypeVar("P", bound=Predicate)


@dataclass(frozen=True)
class Version:
    """One version of a model.

    Attributes:
        source: the canonical bytes of its source record.
        source_version: how its source calls it, for people: `MLflow v17`.
        format: what kind of model file it is: `onnx`, `skops` …
    """

    ref: VersionRef
    source: bytes
    source_sha256: str
    source_version: str
    format: str
    made: str


@dataclass(frozen=True)
class ArtifactRow:
    """One form of a version; `sha256` is its manifest's digest."""

    path: CatalogPath
    sha256: str
    recipe: bytes | None
    made: str


@dataclass(frozen=True)
class Promotion:
    """A request under its number."""

    number: int
    ref: VersionRef
    stage: str
    person: str
    made: str
    request: Signed[Request]

    @property
    def id(self) -> str:
        """`P-000001`."""
        return promotion_id(self.number)


class Catalog:
    """What the hub knows of models, read through one connection.

    Args:
        connection: of one state of the hub.
        bodies: statements that were read already, by their digests.
    """

    def __init__(self, connection: Connection, bodies: Mapping[str, bytes] | None = None) -> None:
        self._connection = connection
        self._bodies = bodies or {}

    def models(self, limit: int | None = None) -> list[ModelRef]:
        """Every model that has a version; `limit` of them."""
        t = tables.model_version
        query = select(t.c.team, t.c.model).distinct().order_by(t.c.team, t.c.model).limit(limit)
        return [ModelRef(team, model) for team, model in self._connection.execute(query)]

    def versions(self, model: ModelRef | None = None) -> list[Version]:
        """Every version, newest last; of one model if it is given."""
        t = tables.model_version
        query = select(t).order_by(t.c.team, t.c.model, t.c.number)
        if model is not None:
            query = query.where(t.c.team == model.team, t.c.model == model.model)
        return [_version(row) for row in self._connection.execute(query)]

    def version(self, ref: VersionRef) -> Version:
        """One version.

        Raises:
            NotFoundError: there is no such version.
            RefusedError: the log says otherwise than its row, or that there was one.
        """
        t = tables.model_version
        query = select(t).where(
            t.c.team == ref.team, t.c.model == ref.model, t.c.number == ref.number
        )
        row = self._connection.execute(query).first()
        if row is None:
            filed.check_no_version(self._connection, ref)
            raise NotFoundError(
                "no-version",
                f"There is no version {ref}.",
                subject=str(ref),
                next_step="See what there is with: sealift list",
            )
        return self._taken_in(row)

    def same(self, model: ModelRef, identity: str) -> Version | None:
        """The version of `model` with this identity, if it was ingested before.

        That its source record has this identity is for whoever reads such records to see.

        Raises:
            RefusedError: the log does not say that it was.
        """
        t = tables.model_version
        query = select(t).where(
            t.c.team == model.team, t.c.model == model.model, t.c.identity == identity
        )
        row = self._connection.execute(query).first()
        return None if row is None else self._taken_in(row)

    def _taken_in(self, row: Row[tuple[object, ...]]) -> Version:
        """The version of a row, where the log says that it was taken in so."""
        found = _version(row)
        says = {
            "source_record": found.source_sha256,
            "source": found.source_version,
            "format": found.format,
        }
        at = filed.check_version(self._connection, found.ref, found.source, says)
        return replace(found, made=at)

    def next_number(self, model: ModelRef) -> int:
        """The number that the next version of `model` gets.

        No number is given twice: the log keeps those whose rows are not there any more.

        Raises:
            RefusedError: the newest version is not the one that the log says was taken in last.
            FailedError: the log is not the one that was signed.
        """
        t = tables.model_version
        query = select(func.max(t.c.number)).where(t.c.team == model.team, t.c.model == model.model)
        newest = int(self._connection.execute(query).scalar() or 0)
        last = logged.last_version(self._connection, model)
        signed_log.check_last(
            last,
            newest,
            lambda number: f"the version {VersionRef(model.team, model.model, number)}",
            f"model_version WHERE team = '{model.team}' AND model = '{model.model}' AND "
            f"number = {newest}",
        )
        return last + 1

    def aliases(self, version: Version) -> list[str]:
        """Under which names of its source a version was asked for.

        Raises:
            RefusedError: they are not those that the log says it was asked for by.
        """
        t, ref = tables.version_alias, version.ref
        query = (
            select(t.c.alias)
            .where(t.c.team == ref.team, t.c.model == ref.model, t.c.number == ref.number)
            .order_by(t.c.made, t.c.alias)
        )
        found = list(self._connection.execute(query).scalars())
        at_first = json.loads(version.source)["aliases"]
        logged.check_aliases(self._connection, ref, at_first, set(found))
        return found

    def goldens(self, ref: VersionRef) -> str | None:
        """The digest of the version's goldens, None if it has none.

        Raises:
            RefusedError: the newest are not those that the log says were given last.
        """
        t = tables.goldens
        query = (
            select(t.c.turn, t.c.sha256)
            .where(t.c.team == ref.team, t.c.model == ref.model, t.c.number == ref.number)
            .order_by(t.c.turn.desc())
            .limit(1)
        )
        newest = self._connection.execute(query).one_or_none()
        if newest is None:
            return None
        logged.check_goldens(self._connection, ref, newest.turn, newest.sha256)
        return str(newest.sha256)

    def artifacts(self, ref: VersionRef) -> list[ArtifactRow]:
        """Every form of a version, the source artifact first.

        Raises:
            RefusedError: one that the log names has no row, or the log names none of one.
        """
        t = tables.artifact
        query = select(t).where(
            t.c.team == ref.team, t.c.model == ref.model, t.c.number == ref.number
        )
        found = [artifact_of_row(row) for row in self._connection.execute(query)]
        filed.check_artifacts(self._connection, ref, {str(one.path) for one in found})
        return sorted(found, key=lambda one: (one.path.form != SOURCE, one.path.form))

    def artifact(self, path: CatalogPath) -> ArtifactRow | None:
        """One form of a version, None if it was not made.

        Raises:
            RefusedError: the log says that it was.
        """
        query = select(tables.artifact).where(tables.artifact.c.path == str(path))
        row = self._connection.execute(query).first()
        if row is None:
            filed.check_no_artifact(self._connection, path)
            return None
        return artifact_of_row(row)

    def discards(self, ref: VersionRef) -> Discards:
        """The forms of a version that are discarded, by their paths.

        Raises:
            FailedError: the log is not the one that was signed.
        """
        return discards.of_version(self._connection, ref)

    def evidence(self, path: CatalogPath) -> list[Signed[Evidence]]:
        """The evidence about an artifact, newest last, as its statements say when it was made.

        Who signed it is for whoever goes by it to verify (`Repository.signer_of`).

        Raises:
            RefusedError: what a row has as evidence about it is about something else, or some that
                the log names has no row.
        """
        t, artifact = tables.evidence, self.artifact(path)
        digests = self._connection.execute(select(t.c.sha256).where(t.c.path == str(path)))
        found = [self.statement(Evidence, digest) for digest in digests.scalars().all()]
        filed.check_evidence(self._connection, path, {one.sha256 for one in found})
        for one in found:
            if artifact is None or not one.about(str(path), artifact.sha256):
                raise _differs(f"the evidence {one.sha256[:12]} about {path}")
        return sorted(found, key=lambda one: (one.predicate.made, one.predicate.kind, one.sha256))

    def statement(self, kind: type[P], sha256: str) -> Signed[P]:
        """A statement of one kind; its signature is for whoever goes by it to verify.

        Raises:
            NotFoundError: the hub has none with this digest.
            RefusedError: what it has is not the statement that was signed.
        """
        what = f"statement {sha256[:12]}"
        found = kept_statements.read(kind, self.statement_body(sha256), what)
        if found.sha256 != sha256:
            raise _differs(what)
        return found

    def statement_body(self, sha256: str) -> bytes:
        """A statement in the bytes that were signed."""
        if sha256 in self._bodies:
            return self._bodies[sha256]
        t = tables.statement
        body = self._connection.execute(
            select(t.c.body).where(t.c.sha256 == sha256)
        ).scalar_one_or_none()
        if body is None:
            raise NotFoundError(
                "no-statement",
                f"The hub has no statement {sha256[:12]}.",
                subject=sha256,
                next_step="See what it has with: sealift show TEAM/MODEL/VERSION",
            )
        return bytes(body)

    def promotion(self, number: int) -> Promotion:
        """A promotion by its number: what its request says. Its columns only find it.

        Raises:
            NotFoundError: there is none.
            RefusedError: its columns say something other than its request, or the log says that
                there was one.
        """
        t = tables.promotion
        row = self._connection.execute(select(t).where(t.c.number == number)).first()
        if row is None:
            filed.check_promotion(self._connection, number)
            raise NotFoundError(
                "no-promotion",
                f"There is no promotion {promotion_id(number)}.",
                subject=promotion_id(number),
                next_step="See what is asked for with: sealift list promotions",
            )
        return self.promotion_of_row(row)

    def promotion_of(self, request: str) -> Promotion:
        """The promotion whose request has this sha256.

        Raises:
            NotFoundError: there is none.
        """
        t = tables.promotion
        row = self._connection.execute(select(t).where(t.c.request == request)).first()
        if row is None:
            raise NotFoundError(
                "no-such-request",
                f"The request {request} is not here.",
                subject=request,
                next_step="Submit the request first; see what is asked for with: sealift list "
                "promotions",
            )
        return self.promotion_of_row(row)

    def promotions(self, ref: VersionRef | None = None) -> list[Promotion]:
        """Every promotion, oldest first; of one version if it is given."""
        t = tables.promotion
        query = select(t).order_by(t.c.number)
        if ref is not None:
            query = query.where(
                t.c.team == ref.team, t.c.model == ref.model, t.c.version == ref.number
            )
        return [self.promotion_of_row(row) for row in self._connection.execute(query).all()]

    def numbers(self) -> list[int]:
        """The numbers of all promotions, in order."""
        query = select(tables.promotion.c.number).order_by(tables.promotion.c.number)
        return list(self._connection.execute(query).scalars())

    def next_promotion(self) -> int:
        """The number that the next promotion gets.

        Raises:
            RefusedError: the newest promotion is not the one that the log says was asked for last.
            FailedError: the log is not the one that was signed.
        """
        query = select(func.max(tables.promotion.c.number))
        newest = int(self._connection.execute(query).scalar() or 0)
        last = logged.last_promotion(self._connection)
        signed_log.check_last(
            last,
            newest,
            lambda number: f"the promotion {promotion_id(number)}",
            f"promotion WHERE number = {newest}",
        )
        return last + 1

    def approvals(self, promotion: int) -> list[Signed[Approval]]:
        """The approvals of a promotion, oldest first, counted or not.

        Raises:
            RefusedError: one that the log names has no row.
        """
        t = tables.approval
        query = select(t.c.sha256).where(t.c.promotion == promotion).order_by(t.c.made, t.c.sha256)
        digests = self._connection.execute(query).scalars().all()
        filed.check_statements(self._connection, promotion, filed.APPROVED, digests)
        return [self.statement(Approval, digest) for digest in digests]

    def objections(self, promotion: int) -> list[Signed[Objection]]:
        """The objections to a promotion, oldest first; none verified here.

        Raises:
            RefusedError: one that the log names has no row.
        """
        t = tables.objection
        query = select(t.c.sha256).where(t.c.promotion == promotion).order_by(t.c.made, t.c.sha256)
        digests = self._connection.execute(query).scalars().all()
        filed.check_statements(self._connection, promotion, filed.OBJECTED, digests)
        return [self.statement(Objection, digest) for digest in digests]

    def listing(self, path: CatalogPath, stage: str) -> list[Promotion]:
        """The promotions because of which an artifact is listed for a stage, newest first.

        Raises:
            RefusedError: one that the log names is not noted.
        """
        t = tables.listing
        query = (
            select(t.c.promotion)
            .where(t.c.path == str(path), t.c.stage == stage)
            .order_by(t.c.promotion.desc())
        )
        numbers = self._connection.execute(query).scalars().all()
        there = {filed.Listed(str(path), stage, promotion_id(number)) for number in numbers}
        filed.check_listings(
            self._connection,
            ModelRef(path.team, path.model),
            there,
            lambda one: (one.path, one.stage) == (str(path), stage),
        )
        return [self.promotion(number) for number in numbers]

    def listings(
        self, model: ModelRef, form: str | None, stage: str
    ) -> list[tuple[ArtifactRow, int]]:
        """What was listed of `model` in one form for a stage, each with its promotion's number.

        In any form where none is given.

        The newest comes first; whether it counts today is for whoever asks to find out.

        Raises:
            RefusedError: something that the log names is not noted.
        """
        t, a = tables.listing, tables.artifact
        query = (
            select(a, t.c.promotion)
            .join(t, t.c.path == a.c.path)
            .where(a.c.team == model.team, a.c.model == model.model)
            .where(t.c.stage == stage, *(() if form is None else (a.c.form == form,)))
            .order_by(t.c.made.desc(), t.c.promotion.desc(), a.c.path)
        )
        found = [
            (artifact_of_row(row), row.promotion) for row in self._connection.execute(query).all()
        ]
        filed.check_listings(
            self._connection,
            model,
            {filed.Listed(str(row.path), stage, promotion_id(number)) for row, number in found},
            lambda one: one.stage == stage and form in {None, one.form},
        )
        return found

    def promotion_of_row(self, row: Row[tuple[Any, ...]]) -> Promotion:
        """A promotion by its row: what its request says. Its columns only find it.

        Raises:
            RefusedError: its columns say other than its request.
        """
        request = self.statement(Request, row.request)
        said = request.predicate
        columns = (row.team, row.model, row.version, row.stage, row.person, row.made)
        if columns != (said.team, said.model, said.version, said.stage, said.person, said.made):
            raise _differs(promotion_id(row.number))
        ref = VersionRef(said.team, said.model, said.version)
        return Promotion(row.number, ref, said.stage, said.person, said.made, request)


def _differs(what: str) -> RefusedError:
    return RefusedError(
        "row-differs",
        f"What the database has as {what} is not what was signed.",
        subject=what,
        next_step="Somebody changed the database, or it is damaged. See all that is wrong with it "
        "with: sealift audit fsck; then restore it from a backup.",
    )


def latest(found: Iterable[Signed[Evidence]]) -> dict[str, Signed[Evidence]]:
    """The newest evidence of each kind: for what is asked by kind, of those that have no stage."""
    return {one.predicate.kind: one for one in found}


def newest(found: Iterable[Signed[Evidence]]) -> tuple[Signed[Evidence], ...]:
    """The newest evidence of each kind and stage: what is found of one says nothing of another."""
    by = {(one.predicate.kind, stage_of(one.predicate)): one for one in found}
    return tuple(by.values())


def _version(row: Row[tuple[object, ...]]) -> Version:
    return Version(
        VersionRef(row.team, row.model, row.number),
        bytes(row.source),
        row.source_sha256,
        row.source_version,
        row.format,
        row.made,
    )


def artifact_of_row(row: Row[tuple[Any, ...]]) -> ArtifactRow:
    """An artifact by its row."""
    recipe = None if row.recipe is None else bytes(row.recipe)
    return ArtifactRow(CatalogPath.parse(row.path), row.sha256, recipe, row.made)
