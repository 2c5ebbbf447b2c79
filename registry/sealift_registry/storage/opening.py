"""Which database a home names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sealift_registry.storage.database import Database
from sealift_registry.storage.home import Home

if TYPE_CHECKING:
    from sealift_registry.storage.postgresql import PostgresDatabase


def database_of(home: Home) -> Database:
    """The database of the hub at `home`; nothing is opened yet.

    Raises:
        UsageError: `database.url` names none.
        FailedError: what is needed to speak with it is not installed.
    """
    if not home.settings.database.url:
        return embedded(home, home.database_file)
    return postgres_at(home.settings.database.url, home.claims)


def embedded(home: Home, path: Path) -> Database:
    """The database in a file of the home's, behind its lock; nothing is opened yet."""
    from sealift_registry.storage.sqlite import SqliteDatabase

    return SqliteDatabase(path, home.lock, home.claims)


def postgres_at(
    url: str, claimed: Path | None = None, named: str = "database.url"
) -> PostgresDatabase:
    """The database on PostgreSQL at `url`; nothing is opened yet.

    Args:
        url: `postgresql://USER@HOST/DATABASE`.
        claimed: a folder for claims, as `PostgresDatabase` has it.
        named: the setting or option that `url` is from.

    Raises:
        UsageError: `url` names none.
        FailedError: what is needed to speak with it is not installed.
    """
    from sealift_signing.errors import FailedError

    try:
        import psycopg  # noqa: F401 - only whether it is there; SQLAlchemy loads it later
    except ImportError as bad:
        raise FailedError(
            "no-postgresql",
            "This hub's database is on PostgreSQL, and what speaks with it is not installed here.",
            subject=named,
            next_step="Install sealift-registry[postgresql].",
        ) from bad
    from sealift_registry.storage.postgresql import PostgresDatabase

    return PostgresDatabase(url, claimed, named)
