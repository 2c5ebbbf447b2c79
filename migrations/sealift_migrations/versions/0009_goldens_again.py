"""Goldens that count again are a row more, and no row goes for it.

Rows of a version are counted from 1, and the last one counts: what was the newest by its time is
the last one now.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.column_types import Number, Text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

VERSION = ("team", "model", "number")


def upgrade() -> None:
    """Make the table anew, with all that it held."""
    op.execute(
        "CREATE TABLE goldens_of_before AS SELECT team, model, number, row_number() OVER "
        "(PARTITION BY team, model, number ORDER BY made, sha256) AS turn, sha256, made "
        "FROM goldens"
    )
    op.drop_table("goldens")
    op.create_table(
        "goldens",
        sa.Column("team", Text, nullable=False),
        sa.Column("model", Text, nullable=False),
        sa.Column("number", Number, autoincrement=False, nullable=False),
        sa.Column("turn", Number, autoincrement=False, nullable=False),
        sa.Column("sha256", Text, nullable=False),
        sa.Column("made", Text, nullable=False),
        sa.PrimaryKeyConstraint(*VERSION, "turn", name="pk_goldens"),
        sa.ForeignKeyConstraint(
            VERSION,
            [f"model_version.{column}" for column in VERSION],
            name="fk_goldens_team_model_number",
        ),
    )
    columns = "team, model, number, turn, sha256, made"
    op.execute(f"INSERT INTO goldens ({columns}) SELECT {columns} FROM goldens_of_before")  # noqa: S608 - our own names
    op.drop_table("goldens_of_before")
