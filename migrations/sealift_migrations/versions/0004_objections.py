"""Objections: why somebody would not approve a request, for every later approver to read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.column_types import Number, Text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "objection",
        sa.Column("sha256", Text, nullable=False),
        sa.Column("promotion", Number, nullable=False),
        sa.Column("person", Text, nullable=False),
        sa.Column("made", Text, nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
        sa.ForeignKeyConstraint(["sha256"], ["statement.sha256"]),
        sa.ForeignKeyConstraint(["promotion"], ["promotion.number"]),
    )
    op.create_index("ix_objection_promotion", "objection", ["promotion"])
