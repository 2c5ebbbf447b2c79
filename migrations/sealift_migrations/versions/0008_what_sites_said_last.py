"""What each site said last: derived from its log, so that no question reads all of that again.

The one table of what came home that may change: it holds nothing that the logs do not say, and is
made anew from them. `derived_table` names the derived tables that were filled from what was there.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.column_types import Bytes, Number, Text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables, empty: they are filled when the hub is opened."""
    op.create_table(
        "site_state",
        sa.Column("site", Text, nullable=False),
        sa.Column("enrolment", Text, nullable=False),
        sa.Column("says", Text, nullable=False),
        sa.Column("host_group", Text, nullable=False),
        sa.Column("model", Text, nullable=False),
        sa.Column("seq", Number, autoincrement=False, nullable=False),
        sa.Column("version", Number, nullable=False),
        sa.Column("size", Number, nullable=False),
        sa.Column("proof", Bytes, nullable=False),
        sa.PrimaryKeyConstraint(
            "site", "enrolment", "says", "host_group", "model", "seq", name="pk_site_state"
        ),
    )
    op.create_index("ix_site_state_model_version", "site_state", ["model", "version"])
    op.create_table(
        "derived_table",
        sa.Column("name", Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_derived_table"),
    )
