"""Checkpoints that the log's key signed and this database lacks: it was restored from a backup."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.append_only import guard

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and guard it: what was found out is not forgotten."""
    op.create_table(
        "seen_ahead",
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("note"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for statement in guard("seen_ahead", ["note"]):
            op.execute(statement)
