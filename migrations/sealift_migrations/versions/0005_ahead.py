"""Checkpoints that the log's key signed and this database lacks: it was restored from a backup."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.append_only import guard
from sealift_migrations.column_types import Bytes

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and guard it: what was found out is not forgotten."""
    op.create_table(
        "seen_ahead",
        sa.Column("note", Bytes, nullable=False),
        sa.PrimaryKeyConstraint("note"),
    )
    guard("seen_ahead", ["note"])
