"""Objections: why somebody would not approve a request, for every later approver to read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "objection",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("promotion", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("made", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
        sa.ForeignKeyConstraint(["sha256"], ["statement.sha256"]),
        sa.ForeignKeyConstraint(["promotion"], ["promotion.number"]),
    )
    op.create_index("ix_objection_promotion", "objection", ["promotion"])
