"""What the hub's TUF repository has published. Rows are only ever added."""

from __future__ import annotations

from sqlalchemy import Column, Table

from sealift_registry.storage.schema import Blob, Number, Text, metadata

tuf_metadata = Table(
    "tuf_metadata",
    metadata,
    Column("role", Text, primary_key=True),
    Column("version", Number, primary_key=True, autoincrement=False),
    Column("body", Blob, nullable=False),
)
"""Every published version of every role, in the bytes that travel."""

tuf_document = Table(
    "tuf_document",
    metadata,
    Column("path", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("body", Blob, nullable=False),
)
"""Every published document that is a TUF target: policy, members, keys, assignments, recalls."""
