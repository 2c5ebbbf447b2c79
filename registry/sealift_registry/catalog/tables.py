"""The catalog's tables. What people and machines signed is kept in the bytes they signed."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
)

from sealift_registry.storage.schema import BytesType, Number, Text, metadata

model_version = Table(
    "model_version",
    metadata,
    Column("team", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("number", Number, primary_key=True, autoincrement=False),
    # What makes it the same version when it is ingested again (`SourceRecord.identity`).
    Column("identity", Text, nullable=False),
    Column("source", BytesType, nullable=False),
    Column("source_sha256", Text, nullable=False),
    Column("source_version", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("made", Text, nullable=False),
    UniqueConstraint("team", "model", "identity"),
    Index(None, "made", "team", "model", "number"),
)
"""One row a version. `source` is the source record, the canonical bytes of a SourceRecord."""

version_alias = Table(
    "version_alias",
    metadata,
    Column("team", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("alias", Text, primary_key=True),
    Column("made", Text, nullable=False),
    ForeignKeyConstraint(
        ["team", "model", "number"],
        ["model_version.team", "model_version.model", "model_version.number"],
    ),
)
"""Under which names of its source a version was asked for."""

goldens = Table(
    "goldens",
    metadata,
    Column("team", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("turn", Number, primary_key=True, autoincrement=False),
    Column("sha256", Text, nullable=False),
    Column("made", Text, nullable=False),
    ForeignKeyConstraint(
        ["team", "model", "number"],
        ["model_version.team", "model_version.model", "model_version.number"],
    ),
)
"""The inputs on which a version's variants are compared with it: those of its last turn count.

A version's turns are counted from 1. Goldens that count again are a turn more.
"""

artifact = Table(
    "artifact",
    metadata,
    Column("path", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("number", Number, nullable=False),
    Column("form", Text, nullable=False),
    Column("recipe", BytesType),
    Column("made", Text, nullable=False),
    ForeignKeyConstraint(
        ["team", "model", "number"],
        ["model_version.team", "model_version.model", "model_version.number"],
    ),
    Index(None, "team", "model", "number"),
)
"""One form of a version by its catalog path; `sha256` is its manifest's digest, in the blobs."""

statement = Table(
    "statement",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("body", BytesType, nullable=False),
)
"""Every request, approval, objection and piece of evidence, as it was signed."""

evidence = Table(
    "evidence",
    metadata,
    Column("sha256", Text, ForeignKey("statement.sha256"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("path", Text, ForeignKey("artifact.path"), nullable=False),
    Column("made", Text, nullable=False),
    Index(None, "path"),
)
"""Which evidence is about which artifact."""

promotion = Table(
    "promotion",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("request", Text, ForeignKey("statement.sha256"), nullable=False, unique=True),
    Column("team", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Number, nullable=False),
    Column("stage", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("made", Text, nullable=False),
    Index(None, "team", "model", "version"),
)
"""A signed request, under the number that people call it by: P-000001."""

approval = Table(
    "approval",
    metadata,
    Column("sha256", Text, ForeignKey("statement.sha256"), primary_key=True),
    Column("promotion", Number, ForeignKey("promotion.number"), nullable=False),
    Column("person", Text, nullable=False),
    Column("made", Text, nullable=False),
    Column("valid_until", Text),
    Index(None, "promotion"),
)
"""Which approvals a promotion has. Its columns find one; what counts is what was signed."""

objection = Table(
    "objection",
    metadata,
    Column("sha256", Text, ForeignKey("statement.sha256"), primary_key=True),
    Column("promotion", Number, ForeignKey("promotion.number"), nullable=False),
    Column("person", Text, nullable=False),
    Column("made", Text, nullable=False),
    Index(None, "promotion"),
)
"""Which objections a promotion has."""

listing = Table(
    "listing",
    metadata,
    Column("path", Text, ForeignKey("artifact.path"), primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("promotion", Number, ForeignKey("promotion.number"), primary_key=True),
    Column("made", Text, nullable=False),
)
"""What the hub listed in the catalog role, for which stage, because of which promotion."""
