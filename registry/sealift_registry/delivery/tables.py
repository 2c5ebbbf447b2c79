"""The tables of delivery. Documents are kept in the bytes that were signed."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table

from sealift_registry.storage.schema import BytesType, Number, Text, metadata

site = Table(
    "site",
    metadata,
    Column("id", Text, primary_key=True),
    Column("enrolment", Text, primary_key=True),
    Column("stage", Text, nullable=False),
    Column("request", BytesType, nullable=False),
    Column("answer", BytesType, nullable=False),
    Column("made", Text, nullable=False),
)
"""One row an enrolment; the newest of a site counts. `enrolment` is the answer's sha256."""

transfer = Table(
    "transfer",
    metadata,
    Column("site", Text, primary_key=True),
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("enrolment", Text, nullable=False),
    Column("begun", Text, nullable=False),
    Column("host", Text),
    Column("host_name", Text),
)
"""One row an export that was begun; its number is never given again.

`host` goes on with it, and is called `host_name`; what is older than they are has neither.
"""

bundle = Table(
    "bundle",
    metadata,
    Column("transfer", Text, primary_key=True),
    Column("sha256", Text, nullable=False, unique=True),
    Column("body", BytesType, nullable=False),
    Column("medium", Text, nullable=False),
    Column("made", Text, nullable=False),
)
"""transfer.json of every bundle that was written whole and read back."""

receipt = Table(
    "receipt",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("transfer", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("body", BytesType, nullable=False),
    Column("received", Text, nullable=False),
    Index(None, "site"),
    Index(None, "transfer"),
)
"""What sites answered, as signed."""

site_entry = Table(
    "site_entry",
    metadata,
    Column("site", Text, primary_key=True),
    Column("enrolment", Text, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("body", BytesType, nullable=False),
)
"""The entries of sites' logs, as they came home."""

site_checkpoint = Table(
    "site_checkpoint",
    metadata,
    Column("site", Text, primary_key=True),
    Column("enrolment", Text, primary_key=True),
    Column("size", Number, primary_key=True, autoincrement=False),
    Column("root", BytesType, nullable=False),
    Column("note", BytesType, nullable=False),
    Column("received", Text, nullable=False),
)
"""The checkpoints of sites' logs that the hub accepted."""

site_state = Table(
    "site_state",
    metadata,
    Column("site", Text, primary_key=True),
    Column("enrolment", Text, primary_key=True),
    Column("says", Text, primary_key=True),
    Column("host_group", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("version", Number, nullable=False),
    Column("size", Number, nullable=False),
    Column("proof", BytesType, nullable=False),
    Index(None, "model", "version"),
)
"""Which entries of a site's log still say something, and what (`delivery.site_state`).

Derived from `site_entry`, and changed with it: the one table here whose rows may change. `proof` is
the path from the entry to the root of the checkpoint of `size` (RFC 9162 §2.1.3): 32 bytes a hash.
"""

derived_table = Table("derived_table", metadata, Column("name", Text, primary_key=True))
"""The derived tables that were filled from what was there before they were."""
