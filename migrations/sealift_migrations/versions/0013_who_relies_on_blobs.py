"""Who relies on which blob, and which ones are being removed, for `sealift gc`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.column_types import Text

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables. Their rows pass, so neither is guarded."""
    op.create_table(
        "blob_claim",
        *(sa.Column(name, Text, nullable=False) for name in ("digest", "holder", "made")),
        sa.PrimaryKeyConstraint("digest", "holder", name="pk_blob_claim"),
    )
    op.create_index("ix_blob_claim_holder", "blob_claim", ["holder"])
    op.create_table(
        "condemned_blob",
        *(sa.Column(name, Text, nullable=False) for name in ("digest", "holder", "made")),
        sa.PrimaryKeyConstraint("digest", name="pk_condemned_blob"),
    )
