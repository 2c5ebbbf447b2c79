"""What the hub signs by itself, apart from what people sign: of it the newest bodies are kept.

Every listing makes a whole catalog and snapshot anew. Each version's role, number and sha256 stay
for ever; its body goes when the next one is published. What people sign stays where it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

from sealift_migrations.append_only import guard, guard_newest, unguard
from sealift_migrations.column_types import Bytes, Number, Text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ONLINE = "(role IN ('snapshot', 'timestamp', 'catalog') OR substr(role, 1, 8) = 'catalog.')"
MANY = 100
"""Rows that are read at once: a catalog may be megabytes long."""
SIGNED = b',"signed":{'


def upgrade() -> None:
    """Make the two tables, move the rows, and guard what is to stay."""
    _create_tables()
    _note_digests()
    newest = f"SELECT role, max(version) FROM tuf_metadata WHERE {ONLINE} GROUP BY role"  # noqa: S608 - ours
    op.execute(
        "INSERT INTO tuf_online_body (role, version, body) "  # noqa: S608 - our own names
        f"SELECT role, version, body FROM tuf_metadata WHERE (role, version) IN ({newest})"
    )
    unguard("tuf_metadata")
    op.execute(f"DELETE FROM tuf_metadata WHERE {ONLINE}")  # noqa: S608 - our own names
    guard("tuf_metadata", ["role", "version"])
    guard("tuf_online", ["role", "version"])
    guard_newest("tuf_online_body", "role", "version")


def _create_tables() -> None:
    for table, last in (
        ("tuf_online", sa.Column("sha256", Text, nullable=False)),
        ("tuf_online_body", sa.Column("body", Bytes, nullable=False)),
    ):
        op.create_table(
            table,
            sa.Column("role", Text, nullable=False),
            sa.Column("version", Number, autoincrement=False, nullable=False),
            last,
            sa.PrimaryKeyConstraint("role", "version", name=f"pk_{table}"),
            sqlite_with_rowid=False,
        )


def _note_digests() -> None:
    note = sa.text("INSERT INTO tuf_online (role, version, sha256) VALUES (:role, :version, :sha)")
    for rows in _rows():
        op.get_bind().execute(
            note, [{"role": r, "version": v, "sha": _digest(body)} for r, v, body in rows]
        )


def _rows() -> Iterator[list[Any]]:
    every = f"SELECT role, version, body FROM tuf_metadata WHERE {ONLINE}"  # noqa: S608 - ours
    for rows in op.get_bind().execute(sa.text(every)).partitions(MANY):
        yield list(rows)


def _digest(body: object) -> str:
    """The sha256 of what is signed, as the log's entries have it.

    Of what is no metadata, that of all its bytes: nothing says that it was published.
    """
    data = body if isinstance(body, bytes) else str(body).encode("utf-8", "surrogatepass")
    _, found, after = data.partition(SIGNED)
    if found and data.startswith(b'{"signatures":[') and b"\\" not in after:
        return sha256(b"{" + after[:-1]).hexdigest()  # as our writer spells it, which is canonical
    try:
        return sha256(_canonical(json.loads(data)["signed"]).encode()).hexdigest()
    except (ValueError, KeyError, TypeError, RecursionError):
        return sha256(data).hexdigest()


def _canonical(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Canonical JSON, as TUF signs it: members in order, no spaces, two escapes."""
    if isinstance(value, dict):
        members = (f"{_canonical(name)}:{_canonical(value[name])}" for name in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return json.dumps(value)
