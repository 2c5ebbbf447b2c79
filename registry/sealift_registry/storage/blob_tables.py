"""The tables of blobs: who relies on which, and which are just being removed."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table

from sealift_registry.storage.schema import Text, metadata

blob_claim = Table(
    "blob_claim",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("made", Text, nullable=False),
    Index(None, "holder"),
)
"""One row a blob that somebody relies on before any other row names it; `holder` says who."""

condemned_blob = Table(
    "condemned_blob",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("made", Text, nullable=False),
)
"""One row a blob that `holder` is removing at this moment."""
