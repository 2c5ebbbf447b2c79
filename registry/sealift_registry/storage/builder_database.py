"""The hub's database as a builder's role sees it: two tables, and locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from sealift_migrations import SCHEMA
from sealift_registry.storage.claims import Claim
from sealift_registry.storage.opening import postgres_at
from sealift_registry.storage.postgresql import open_beside
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError

_MAY_READ = text(
    "SELECT pg_catalog.has_table_privilege(c.oid, 'SELECT') FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = :schema AND c.relname = 'log_entry'"
).bindparams(schema=SCHEMA)


class BuilderDatabase:
    """The database at `url`, which names a builder's role; nothing is connected to yet.

    Raises:
        UsageError: `url` names no database on PostgreSQL.
        FailedError: what is needed to speak with it is not installed.
    """

    def __init__(self, url: str) -> None:
        self._database = postgres_at(url)
        engine = open_beside(self._database.url)
        self._engine = engine.execution_options(schema_translate_map={None: SCHEMA})

    @property
    def where(self) -> str:
        """The database in words."""
        return self._database.where

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection; what is done through it is committed at the end.

        Raises:
            FailedError: it cannot be reached, or the role may not.
        """
        with self._database.in_words(), self._engine.begin() as connection:
            yield connection

    def check_role(self) -> None:
        """Check that whoever is logged in is a builder, and no more.

        Raises:
            RefusedError: it may read the hub's own rows.
            FailedError: the database cannot be reached, or the role may not do what it needs to.
        """
        with self.connected() as connection:
            if not connection.execute(_MAY_READ).scalar():
                return
            name = connection.execute(text("SELECT CURRENT_USER")).scalar_one()
        raise RefusedError(
            "not-a-builder",
            f"The role {word(name)} at {self.where} reads what a builder has no business with: it "
            "is the hub's, or an administrator's.",
            subject=name,
            next_step="Name a builder's role in database.url. Have an administrator run what this "
            "prints: sealift db init --builder sealift_builder",
        )

    def claim(self, name: str, words: str) -> Claim | None:
        """The claim of this name, told to others in `words`; None while another has it.

        Raises:
            FailedError: the server cannot be asked.
        """
        return self._database.claim(name, words)

    def close(self) -> None:
        """Let go of its connections."""
        self._engine.dispose()
        self._database.close()
