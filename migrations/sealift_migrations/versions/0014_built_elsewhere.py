"""What builders on other machines are asked for, and what they answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.column_types import Bytes, Text

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables. Their rows go when they are answered, so neither is guarded."""
    op.create_table(
        "build_order",
        sa.Column("digest", Text, nullable=False),
        sa.Column("artifact", Text, nullable=False),
        sa.Column("hardware_target", Text, nullable=False),
        sa.Column("body", Bytes, nullable=False),
        sa.Column("made", Text, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_build_order"),
    )
    op.create_table(
        "build_result",
        sa.Column("digest", Text, nullable=False),
        sa.Column("build_order", Text, nullable=False),
        sa.Column("machine", Text, nullable=False),
        sa.Column("files", Bytes, nullable=False),
        sa.Column("made", Text, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_build_result"),
    )
    op.create_index("ix_build_result_build_order", "build_result", ["build_order"])
