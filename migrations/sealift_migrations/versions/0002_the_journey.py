"""The rooms of the journey: trust, catalog and delivery.

What was signed or published is kept in the bytes that were signed, and is never changed: those
tables have the log's guards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from sealift_migrations.append_only import guard
from sealift_migrations.column_types import Bytes, Number, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

VERSION = ("team", "model", "number")
APPEND_ONLY = {
    "tuf_metadata": [["role", "version"]],
    "tuf_document": [["path", "sha256"]],
    "statement": [["sha256"]],
    "site": [["id", "enrolment"]],
    "bundle": [["transfer"], ["sha256"]],
    "receipt": [["sha256"]],
    "site_entry": [["site", "enrolment", "seq"]],
    "site_checkpoint": [["site", "enrolment", "size"]],
}
"""Each with all its unique sets of columns."""


def upgrade() -> None:
    """Make the tables, and guard those that hold what was signed."""
    _trust()
    _versions()
    _statements()
    _promotions()
    _delivery()
    for table, unique in APPEND_ONLY.items():
        guard(table, *unique)


def _trust() -> None:
    _table("tuf_metadata", [_text("role"), _number("version"), _bytes("body")], 2)
    _table("tuf_document", [_text("path"), _text("sha256"), _bytes("body")], 2)


def _versions() -> None:
    version = [_text("team"), _text("model"), _number("number")]
    words = ["source_sha256", "source_version", "format", "made"]
    columns = [*version, _text("identity"), _bytes("source"), *map(_text, words)]
    same = sa.UniqueConstraint(
        "team", "model", "identity", name="uq_model_version_team_model_identity"
    )
    _table("model_version", columns, 3, same)
    for table, last in (("version_alias", "alias"), ("goldens", "sha256")):
        version = [_text("team"), _text("model"), _number("number")]
        _table(table, [*version, _text(last), _text("made")], 4, _of_version(table))
    columns = [_text("path"), _text("sha256"), _text("team"), _text("model"), _number("number")]
    more = [_text("form"), _bytes("recipe", nullable=True), _text("made")]
    _table("artifact", [*columns, *more], 1, _of_version("artifact"))
    op.create_index("ix_artifact_team_model_number", "artifact", list(VERSION))


def _statements() -> None:
    _table("statement", [_text("sha256"), _text("kind"), _bytes("body")], 1)
    columns = [_text("sha256"), _text("kind"), _text("verdict"), _text("path"), _text("made")]
    _table(
        "evidence",
        columns,
        1,
        _reference("evidence", "sha256", "statement.sha256"),
        _reference("evidence", "path", "artifact.path"),
    )
    op.create_index("ix_evidence_path", "evidence", ["path"])


def _promotions() -> None:
    columns = [_number("number"), _text("request"), _text("team"), _text("model")]
    more = [_number("version"), _text("stage"), _text("person"), _text("made")]
    _table(
        "promotion",
        [*columns, *more],
        1,
        _reference("promotion", "request", "statement.sha256"),
        sa.UniqueConstraint("request", name="uq_promotion_request"),
    )
    op.create_index("ix_promotion_team_model_version", "promotion", ["team", "model", "version"])
    _table(
        "approval",
        [_text("sha256"), _number("promotion"), _text("person"), _text("made")],
        1,
        _reference("approval", "sha256", "statement.sha256"),
        _reference("approval", "promotion", "promotion.number"),
    )
    op.create_index("ix_approval_promotion", "approval", ["promotion"])
    _table(
        "listing",
        [_text("path"), _text("stage"), _number("promotion"), _text("made")],
        3,
        _reference("listing", "path", "artifact.path"),
        _reference("listing", "promotion", "promotion.number"),
    )


def _delivery() -> None:
    words = [_text("id"), _text("enrolment"), _text("stage")]
    _table("site", [*words, _bytes("request"), _bytes("answer"), _text("made")], 2)
    columns = [_text("site"), _number("number"), _text("id"), _text("enrolment"), _text("begun")]
    _table("transfer", columns, 2, sa.UniqueConstraint("id", name="uq_transfer_id"))
    columns = [_text("transfer"), _text("sha256"), _bytes("body"), _text("medium"), _text("made")]
    _table("bundle", columns, 1, sa.UniqueConstraint("sha256", name="uq_bundle_sha256"))
    words = [_text("sha256"), _text("transfer"), _text("site")]
    _table("receipt", [*words, _bytes("body"), _text("received")], 1)
    op.create_index("ix_receipt_site", "receipt", ["site"])
    columns = [_text("site"), _text("enrolment"), _number("seq"), _bytes("body")]
    _table("site_entry", columns, 3)
    columns = [_text("site"), _text("enrolment"), _number("size"), _bytes("root"), _bytes("note")]
    _table("site_checkpoint", [*columns, _text("received")], 3)


def _table(
    name: str, columns: Sequence[sa.Column[Any]], keys: int, *constraints: sa.Constraint
) -> None:
    """A table whose first `keys` columns are its primary key.

    An append-only one has no hidden row number besides: INSERT OR REPLACE at a number that is
    taken would throw that row out, and no guard looks for it.
    """
    key = sa.PrimaryKeyConstraint(*(one.name for one in columns[:keys]), name=f"pk_{name}")
    op.create_table(name, *columns, key, *constraints, sqlite_with_rowid=name not in APPEND_ONLY)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, Text, nullable=False)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Bytes, nullable=nullable)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, Number, autoincrement=False, nullable=False)


def _of_version(table: str) -> sa.ForeignKeyConstraint:
    there = [f"model_version.{column}" for column in VERSION]
    return sa.ForeignKeyConstraint(VERSION, there, name=f"fk_{table}_team_model_number")


def _reference(table: str, column: str, there: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [there], name=f"fk_{table}_{column}")
