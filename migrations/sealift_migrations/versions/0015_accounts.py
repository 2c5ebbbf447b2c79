"""Accounts of the server: who may sign in, with what, and what each may do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sealift_migrations.column_types import Bytes, Number, Text

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. Of those that decide anything the log has what they say: none is guarded."""
    _accounts()
    _shown()
    _passing()


def _accounts() -> None:
    op.create_table(
        "account",
        _text("id"),
        _text("name"),
        _text("kind"),
        _text("made"),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("name", name="uq_account_name"),
    )
    op.create_table(
        "account_grant",
        _text("id"),
        _text("account"),
        _text("role"),
        sa.Column("team", Text),
        sa.Column("site", Text),
        sa.PrimaryKeyConstraint("id", name="pk_account_grant"),
    )
    op.create_index("ix_account_grant_account", "account_grant", ["account"])
    op.create_table(
        "account_secret",
        _text("account"),
        sa.Column("body", Bytes, nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_account_secret"),
    )


def _shown() -> None:
    """What is found by the sha256 of what somebody shows."""
    for name, last in (("invitation", None), ("session", "seen"), ("api_token", "used")):
        op.create_table(
            name,
            _text("id"),
            _text("secret"),
            _text("account"),
            sa.Column("body", Bytes, nullable=False),
            *([] if last is None else [sa.Column(last, Text)]),
            sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
            sa.UniqueConstraint("secret", name=f"uq_{name}_secret"),
        )
        op.create_index(f"ix_{name}_account", name, ["account"])


def _passing() -> None:
    op.create_table(
        "account_challenge",
        _text("challenge"),
        _text("account"),
        _text("ends"),
        sa.PrimaryKeyConstraint("challenge", name="pk_account_challenge"),
    )
    op.create_table(
        "one_time_code",
        _text("account"),
        sa.Column("step", Number, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("account", "step", name="pk_one_time_code"),
    )
    op.create_table(
        "sign_in_failure",
        _text("kind"),
        _text("key"),
        sa.Column("failures", Number, autoincrement=False, nullable=False),
        _text("began"),
        _text("until"),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_sign_in_failure"),
    )
    op.create_table(
        "once_answer",
        _text("route"),
        _text("key"),
        _text("account"),
        _text("body_sha256"),
        _text("run"),
        sa.Column("status", Number, autoincrement=False),
        sa.Column("answer", Bytes),
        _text("made"),
        sa.PrimaryKeyConstraint("route", "key", name="pk_once_answer"),
    )
    op.create_index("ix_once_answer_made", "once_answer", ["made"])


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, Text, nullable=False)
