"""Work that outlives a command: what was asked for, who is at work at it, how it ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.column_types import Bytes, Number, Text

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the four tables. Their rows go when they are old, so none of them is guarded."""
    op.create_table(
        "job",
        sa.Column("number", Number, autoincrement=False, nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.Column("body", Bytes, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_job"),
        sa.UniqueConstraint("key", name="uq_job_key"),
    )
    op.create_table(
        "job_attempt",
        sa.Column("job", Number, autoincrement=False, nullable=False),
        sa.Column("number", Number, autoincrement=False, nullable=False),
        *(
            sa.Column(name, Text, nullable=False)
            for name in ("token", "host", "host_name", "worker", "software", "made")
        ),
        sa.PrimaryKeyConstraint("job", "number", name="pk_job_attempt"),
    )
    op.create_table(
        "job_setback",
        sa.Column("job", Number, autoincrement=False, nullable=False),
        sa.Column("attempt", Number, autoincrement=False, nullable=False),
        sa.Column("body", Bytes, nullable=False),
        sa.Column("made", Text, nullable=False),
        sa.Column("again", Text, nullable=False),
        sa.PrimaryKeyConstraint("job", "attempt", name="pk_job_setback"),
    )
    op.create_table(
        "job_end",
        sa.Column("job", Number, autoincrement=False, nullable=False),
        sa.Column("body", Bytes, nullable=False),
        sa.PrimaryKeyConstraint("job", name="pk_job_end"),
    )
