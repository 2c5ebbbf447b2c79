"""Where a hub went, when its rows or its blobs were moved: what has left signs nothing more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.append_only import guard
from sealift_migrations.column_types import Number, Text

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and guard it: what has left does not come back."""
    op.create_table(
        "moved",
        sa.Column("number", Number, autoincrement=False, nullable=False),
        sa.Column("what", Text, nullable=False),
        sa.Column("place", Text, nullable=False),
        sa.Column("made", Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_moved"),
    )
    guard("moved", ["number"])
