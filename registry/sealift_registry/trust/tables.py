"""What the hub's TUF repository has published. Rows are only ever added."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table

from sealift_registry.storage.schema import Number, metadata

tuf_metadata = Table(
    "tuf_metadata",
    metadata,
    Column("role", String, primary_key=True),
    Column("version", Number, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""Every published version of every role, in the bytes that travel."""

tuf_document = Table(
    "tuf_document",
    metadata,
    Column("path", String, primary_key=True),
    Column("sha256", String, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""Every published document that is a TUF target: policy, members, keys, assignments, recalls."""
