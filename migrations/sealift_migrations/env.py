"""Alembic's entry: it runs the steps inside the transaction that `upgrade` has begun."""

from __future__ import annotations

from alembic import context

from sealift_migrations import SCHEMA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    # SQLite can undo a CREATE TABLE; Alembic only assumes that it cannot.
    transactional_ddl=True,
    version_table_schema=SCHEMA if connection.dialect.name == "postgresql" else None,
)
with context.begin_transaction():
    context.run_migrations()
