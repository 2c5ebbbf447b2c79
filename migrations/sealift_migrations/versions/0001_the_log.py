"""The log: entries, terms, tiles and checkpoints, which nobody can change or delete."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.append_only import guard
from sealift_migrations.column_types import Bytes, Number, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the four tables and their guards."""
    _create_tables()
    keys = {
        "log_entry": [["seq"], ["id"]],
        "log_term": [["kind", "value", "seq"]],
        "log_tile": [["level", "number"]],
        "log_checkpoint": [["size"]],
    }
    for table, unique in keys.items():
        guard(table, *unique)


def _create_tables() -> None:
    op.create_table(
        "log_entry",
        sa.Column("seq", Number, autoincrement=False, nullable=False),
        sa.Column("leaf", Bytes, nullable=False),
        sa.Column("body", Bytes, nullable=False),
        sa.Column("id", Text, nullable=False),
        sa.Column("type", Text, nullable=False),
        sa.Column("site", Text),
        sa.Column("recorded_at", Text, nullable=False),
        sa.Column("actor", Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_log_entry"),
        sa.UniqueConstraint("id", name="uq_log_entry_id"),
    )
    _create_indexes()
    op.create_table(
        "log_term",
        sa.Column("kind", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.Column("seq", Number, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "seq", name="pk_log_term"),
        sa.ForeignKeyConstraint(["seq"], ["log_entry.seq"], name="fk_log_term_seq"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_log_term_seq", "log_term", ["seq"])
    op.create_table(
        "log_tile",
        sa.Column("level", Number, autoincrement=False, nullable=False),
        sa.Column("number", Number, autoincrement=False, nullable=False),
        sa.Column("root", Bytes, nullable=False),
        sa.Column("hashes", Bytes, nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name="pk_log_tile"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_checkpoint",
        sa.Column("size", Number, autoincrement=False, nullable=False),
        sa.Column("root", Bytes, nullable=False),
        sa.Column("frontier", Bytes, nullable=False),
        sa.Column("leaves", Bytes, nullable=False),
        sa.Column("note", Bytes, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_log_checkpoint"),
    )


def _create_indexes() -> None:
    """Entries by their columns, those of one value in the order of the log: SQLite adds the key."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for column in ("type", "site", "recorded_at", "actor"):
        if sqlite:
            op.create_index(f"ix_log_entry_{column}", "log_entry", [column])
        elif column != "recorded_at":  # a later step exchanges it
            op.create_index(f"ix_log_entry_{column}_seq", "log_entry", [column, "seq"])
