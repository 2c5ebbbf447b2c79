"""The one `MetaData` that every room's tables stand on.

A room defines its tables in its own `tables.py`. The database itself is made and changed only by
the migrations (`sealift_migrations`), which a test compares with this.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite keeps a row by its key only if that key's type is spelled INTEGER.
Number = BigInteger().with_variant(Integer, "sqlite")
"""The type of a whole number that may exceed 2^31."""
