"""The log's entries by their day, in the place of an index by their time.

That one gives all rows of a span of time, which are then to be sorted for their newest hundred.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Exchange the index; other databases than SQLite have none yet, and get the new one."""
    if op.get_bind().dialect.name != "sqlite":
        day = "substr(recorded_at, 1, 10), seq"
        op.execute(f"CREATE INDEX ix_log_entry_day_seq ON log_entry ({day})")
        return
    op.execute("CREATE INDEX ix_log_entry_day ON log_entry (substr(recorded_at, 1, 10))")
    op.drop_index("ix_log_entry_recorded_at", "log_entry")
