"""The hub's database schema, version by version (Alembic)."""
