"""The types of columns, on either database: what they hold and how it is ordered is the same."""

from __future__ import annotations

import sqlalchemy as sa

COLLATION = "C"
"""PostgreSQL's name for the order of bytes, which is SQLite's own: lists are paged along it."""

Text = sa.String().with_variant(sa.String(collation=COLLATION), "postgresql")
Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite keeps a row by its key only if that key's type is spelled INTEGER."""
Bytes = sa.LargeBinary()
