"""The tables of delivery. Documents are kept in the bytes that were signed."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, String, Table

from sealift_registry.storage.schema import Number, metadata

site = Table(
    "site",
    metadata,
    Column("id", String, primary_key=True),
    Column("enrolment", String, primary_key=True),
    Column("stage", String, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("made", String, nullable=False),
)
"""One row an enrolment; the newest of a site counts. `enrolment` is the answer's sha256."""

transfer = Table(
    "transfer",
    metadata,
    Column("site", String, primary_key=True),
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("id", String, nullable=False, unique=True),
    Column("enrolment", String, nullable=False),
    Column("begun", String, nullable=False),
)
"""One row an export that was begun; its number is never given again."""

bundle = Table(
    "bundle",
    metadata,
    Column("transfer", String, primary_key=True),
    Column("sha256", String, nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("medium", String, nullable=False),
    Column("made", String, nullable=False),
)
"""transfer.json of every bundle that was written whole and read back."""

receipt = Table(
    "receipt",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("transfer", String, nullable=False),
    Column("site", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received", String, nullable=False),
    Index(None, "site"),
)
"""What sites answered, as signed."""

site_entry = Table(
    "site_entry",
    metadata,
    Column("site", String, primary_key=True),
    Column("enrolment", String, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""The entries of sites' logs, as they came home."""

site_checkpoint = Table(
    "site_checkpoint",
    metadata,
    Column("site", String, primary_key=True),
    Column("enrolment", String, primary_key=True),
    Column("size", Number, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("received", String, nullable=False),
)
"""The checkpoints of sites' logs that the hub accepted."""
