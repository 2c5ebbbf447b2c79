"""The tables of jobs. What was asked for is kept in the bytes that the log has the sha256 of."""

from __future__ import annotations

from sqlalchemy import Column, Table

from sealift_registry.storage.schema import BytesType, Number, Text, metadata

job = Table(
    "job",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False, unique=True),
    Column("body", BytesType, nullable=False),
)
"""One row a job that was asked for: `body` is its order. `key` is a random name: a number may come
again in a hub that was restored from a backup, and what an engine kept of it is another job's."""

job_attempt = Table(
    "job_attempt",
    metadata,
    Column("job", Number, primary_key=True, autoincrement=False),
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("token", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("host_name", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("software", Text, nullable=False),
    Column("made", Text, nullable=False),
)
"""One row a time that somebody began to work at a job; the newest one alone may record anything."""

job_setback = Table(
    "job_setback",
    metadata,
    Column("job", Number, primary_key=True, autoincrement=False),
    Column("attempt", Number, primary_key=True, autoincrement=False),
    Column("body", BytesType, nullable=False),
    Column("made", Text, nullable=False),
    Column("again", Text, nullable=False),
)
"""One row an attempt that failed and may be repeated: why, and not before which time."""

job_end = Table(
    "job_end",
    metadata,
    Column("job", Number, primary_key=True, autoincrement=False),
    Column("body", BytesType, nullable=False),
)
"""One row a job that has ended, and there is never a second: `body` says how."""

build_order = Table(
    "build_order",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("artifact", Text, nullable=False),
    Column("hardware_target", Text, nullable=False),
    Column("body", BytesType, nullable=False),
    Column("made", Text, nullable=False),
)
"""One row a work order that a builder on another machine is to run; `digest` is its sha256."""

build_result = Table(
    "build_result",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("build_order", Text, nullable=False, index=True),
    Column("machine", Text, nullable=False),
    Column("files", BytesType, nullable=False),
    Column("made", Text, nullable=False),
)
"""One row an answer to such an order; `digest` is that of `files`, which names every file of the
result and the blob that it is, among those that builders put. None of it is believed."""
