"""Writing the catalog: the rows of one action, each beside its entry in the log.

Every function here runs within an action of the log's writer and neither commits nor logs.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, func, insert, select

from sealift_registry.catalog import tables
from sealift_registry.catalog.catalog import ArtifactRow, Catalog, Version
from sealift_registry.catalog.reference import VersionRef
from sealift_signing import statements
from sealift_signing.statements import Approval, Evidence, Objection, Request, Signed
from sealift_signing.vocabulary import CatalogPath


def add_version(connection: Connection, version: Version, identity: str) -> None:
    """A new version."""
    connection.execute(
        insert(tables.model_version).values(
            team=version.ref.team,
            model=version.ref.model,
            number=version.ref.number,
            identity=identity,
            source=version.source,
            source_sha256=version.source_sha256,
            source_version=version.source_version,
            format=version.format,
            made=version.made,
        )
    )


def add_aliases(
    connection: Connection, ref: VersionRef, aliases: Iterable[str], made: str
) -> list[str]:
    """Note under which names of its source a version was asked for; returns the new ones."""
    t = tables.version_alias
    known = select(t.c.alias).where(
        t.c.team == ref.team, t.c.model == ref.model, t.c.number == ref.number
    )
    before = set(connection.execute(known).scalars())
    new = [alias for alias in dict.fromkeys(aliases) if alias not in before]
    for alias in new:
        connection.execute(insert(t).values(**_of(ref), alias=alias, made=made))
    return new


def add_goldens(connection: Connection, ref: VersionRef, sha256: str, made: str) -> bool:
    """Have `sha256` be the goldens that count for a version; False if they do already."""
    if Catalog(connection).goldens(ref) == sha256:
        return False
    t = tables.goldens
    of = (t.c.team == ref.team, t.c.model == ref.model, t.c.number == ref.number)
    turns: int = connection.execute(
        select(func.coalesce(func.max(t.c.turn), 0)).where(*of)
    ).scalar_one()
    row = {"turn": turns + 1, "sha256": sha256, "made": made}
    connection.execute(insert(t).values(**_of(ref), **row))
    return True


def add_artifact(connection: Connection, artifact: ArtifactRow) -> None:
    """A form of a version."""
    path = artifact.path
    connection.execute(
        insert(tables.artifact).values(
            path=str(path),
            sha256=artifact.sha256,
            team=path.team,
            model=path.model,
            number=path.version,
            form=path.form,
            recipe=artifact.recipe,
            made=artifact.made,
        )
    )


def add_evidence(connection: Connection, body: bytes, path: CatalogPath) -> Signed[Evidence]:
    """A signed piece of evidence about the artifact at `path`."""
    signed = statements.read(Evidence, body, what="the evidence")
    _add_statement(connection, signed.sha256, "evidence", body)
    connection.execute(
        insert(tables.evidence).values(
            sha256=signed.sha256,
            kind=signed.predicate.kind,
            verdict=signed.predicate.verdict,
            path=str(path),
            made=signed.predicate.made,
        )
    )
    return signed


def add_promotion(connection: Connection, number: int, request: Signed[Request]) -> None:
    """A signed request, under its number."""
    said = request.predicate
    _add_statement(connection, request.sha256, "request", request.envelope.data)
    connection.execute(
        insert(tables.promotion).values(
            number=number,
            request=request.sha256,
            team=said.team,
            model=said.model,
            version=said.version,
            stage=said.stage,
            person=said.person,
            made=said.made,
        )
    )


def add_approval(connection: Connection, number: int, approval: Signed[Approval]) -> None:
    """An approval of promotion `number`."""
    _add_statement(connection, approval.sha256, "approval", approval.envelope.data)
    connection.execute(
        insert(tables.approval).values(
            sha256=approval.sha256,
            promotion=number,
            person=approval.predicate.person,
            made=approval.predicate.made,
            valid_until=approval.predicate.valid_until,
        )
    )


def add_objection(connection: Connection, number: int, objection: Signed[Objection]) -> None:
    """An objection to promotion `number`."""
    _add_statement(connection, objection.sha256, "objection", objection.envelope.data)
    connection.execute(
        insert(tables.objection).values(
            sha256=objection.sha256,
            promotion=number,
            person=objection.predicate.person,
            made=objection.predicate.made,
        )
    )


def add_listing(
    connection: Connection, path: CatalogPath, stage: str, promotion: int, made: str
) -> None:
    """An artifact listed for a stage; again, where too few approvals counted meanwhile."""
    t, row = tables.listing, {"path": str(path), "stage": stage, "promotion": promotion}
    known = select(t.c.made).where(*(t.c[name] == value for name, value in row.items()))
    if connection.execute(known).first() is None:
        connection.execute(insert(t).values(**row, made=made))


def _add_statement(connection: Connection, sha256: str, kind: str, body: bytes) -> None:
    connection.execute(insert(tables.statement).values(sha256=sha256, kind=kind, body=body))


def _of(ref: VersionRef) -> dict[str, object]:
    return {"team": ref.team, "model": ref.model, "number": ref.number}
