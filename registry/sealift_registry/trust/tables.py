"""What the hub's TUF repository has published.

Rows are only ever added; but bodies that the hub signed by itself make room for newer ones.
"""

from __future__ import annotations

from sqlalchemy import Column, Table

from sealift_registry.storage.schema import BytesType, Number, Text, metadata

tuf_metadata = Table(
    "tuf_metadata",
    metadata,
    Column("role", Text, primary_key=True),
    Column("version", Number, primary_key=True, autoincrement=False),
    Column("body", BytesType, nullable=False),
)
"""Every published version of every role that people sign, in the bytes that travel."""

tuf_online = Table(
    "tuf_online",
    metadata,
    Column("role", Text, primary_key=True),
    Column("version", Number, primary_key=True, autoincrement=False),
    Column("sha256", Text, nullable=False),
)
"""Every published version of the roles that the hub signs by itself, by the sha256 of what is
signed, as the log's entries have it."""

tuf_online_body = Table(
    "tuf_online_body",
    metadata,
    Column("role", Text, primary_key=True),
    Column("version", Number, primary_key=True, autoincrement=False),
    Column("body", BytesType, nullable=False),
)
"""Of those the newest, in the bytes that travel; what it superseded is gone."""

tuf_document = Table(
    "tuf_document",
    metadata,
    Column("path", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("body", BytesType, nullable=False),
)
"""Every published document that is a TUF target: policy, members, keys, assignments, recalls."""
