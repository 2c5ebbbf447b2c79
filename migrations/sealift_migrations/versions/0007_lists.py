"""What lists are asked: until when an approval holds, the newest version, the answer to a transfer.

How long an approval is valid stands in what its owner signed. The column is that, to be searched.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress

import sqlalchemy as sa
from alembic import op

from sealift_migrations.column_types import Text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, with what was signed so far, and the indexes."""
    op.add_column("approval", sa.Column("valid_until", Text, nullable=True))
    connection = op.get_bind()
    query = "SELECT a.sha256, s.body FROM approval a JOIN statement s ON s.sha256 = a.sha256"
    for digest, body in connection.execute(sa.text(query)).all():
        connection.execute(
            sa.text("UPDATE approval SET valid_until = :until WHERE sha256 = :digest"),
            {"until": _valid_until(body), "digest": digest},
        )
    op.create_index(
        "ix_model_version_made_team_model_number",
        "model_version",
        ["made", "team", "model", "number"],
    )
    op.create_index("ix_receipt_transfer", "receipt", ["transfer"])


def _valid_until(body: bytes) -> str | None:
    """Of an approval's envelope; None where it is damaged: whoever goes by it finds that out."""
    with suppress(ValueError, KeyError, TypeError):
        said = json.loads(base64.b64decode(json.loads(body)["payload"]))
        until = said["predicate"]["valid_until"]
        return until if isinstance(until, str) else None
    return None
