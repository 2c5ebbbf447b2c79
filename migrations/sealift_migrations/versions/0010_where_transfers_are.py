"""Which host began a transfer: its medium is there, and no other goes on with it.

Of what was begun before nothing is known, and whoever has the database goes on with that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.column_types import Text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns."""
    op.add_column("transfer", sa.Column("host", Text))
    op.add_column("transfer", sa.Column("host_name", Text))
