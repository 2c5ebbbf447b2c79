"""The log's tables. Rows are inserted and read, ever; the database's triggers refuse the rest."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Column, ForeignKey, Index, Table, text
from sqlalchemy.sql.elements import TextClause

from sealift_registry.storage import along_indexes
from sealift_registry.storage.schema import BY_KEY, BytesType, Number, Text, metadata


def _in_order(name: str, what: str | TextClause) -> Iterator[Index]:
    """An index of entries by `what`, in which those of one value lie in the order of the log."""
    return along_indexes.in_order(f"ix_log_entry_{name}", what, "seq")


log_entry = Table(
    "log_entry",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("leaf", BytesType, nullable=False),
    Column("body", BytesType, nullable=False),
    # What follows is derived from the body, to be searched; fsck compares it.
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("site", Text),
    Column("recorded_at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    # A page of entries is read along these (`audit.page_query`).
    *_in_order("type", "type"),
    *_in_order("site", "site"),
    *_in_order("actor", "actor"),
    # Of a span of time, the first and the last row of each day.
    *_in_order("day", text("substr(recorded_at, 1, 10)")),
)
"""One row an entry. `seq` counts from 0 and is the leaf's index in the tree."""

log_term = Table(
    "log_term",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("seq", Number, ForeignKey("log_entry.seq"), primary_key=True, autoincrement=False),
    Index(None, "seq"),
    **BY_KEY,
)
"""The words an entry is found by: `person`, `model`, `medium`, `transfer` …"""

log_tile = Table(
    "log_tile",
    metadata,
    Column("level", Number, primary_key=True, autoincrement=False),
    Column("number", Number, primary_key=True, autoincrement=False),
    # Before the hashes, so that the next level's hashes are read without reading whole tiles.
    Column("root", BytesType, nullable=False),
    Column("hashes", BytesType, nullable=False),
    **BY_KEY,
)
"""Full tiles of the tree, 256 hashes each (C2SP tlog-tiles), with the root over them."""

log_checkpoint = Table(
    "log_checkpoint",
    metadata,
    Column("size", Number, primary_key=True, autoincrement=False),
    Column("root", BytesType, nullable=False),
    Column("frontier", BytesType, nullable=False),
    Column("leaves", BytesType, nullable=False),
    Column("note", BytesType, nullable=False),
)
"""One row a commit: the tree's edge, the hashes the commit added, and the signed note."""

seen_ahead = Table("seen_ahead", metadata, Column("note", BytesType, primary_key=True))
"""Checkpoints that this log's key signed and `log_checkpoint` lacks: see `audit.restored_backup`.

It gets rows without an entry.
"""

moved = Table(
    "moved",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("what", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("made", Text, nullable=False),
)
"""Where the rows of this database went, or whence they came, and where blobs are: `audit.moved`.

It gets rows without an entry: after the last of them that says so, there are no entries here.
"""
