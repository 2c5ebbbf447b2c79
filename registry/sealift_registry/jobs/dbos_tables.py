"""The engine's own two tables beside those of DBOS: who works, and how far a job is.

They lie where DBOS has its tables, in the file `jobs.db` or in the schema `sealift_jobs`, and may
be lost with them.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData, Table, Text

metadata = MetaData()

worker = Table(
    "sealift_worker",
    metadata,
    Column("name", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("host_name", Text, nullable=False),
    Column("queues", Text, nullable=False),
    Column("software", Text, nullable=False),
    Column("seen", BigInteger, nullable=False),
)
"""One row a process that takes jobs; `seen` is when it last said so, in ms of the server."""

standing = Table(
    "sealift_standing",
    metadata,
    Column("key", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
"""One row a job of which somebody told how far it is: `body` is JSON."""
