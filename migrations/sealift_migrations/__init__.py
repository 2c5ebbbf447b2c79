"""The hub's database schema, as numbered steps from an empty database.

`upgrade(engine)` brings a database to the newest step, all of it or nothing.

To add a step, write `versions/<number>_<what_it_is_for>.py`: its number, four digits, is the one
after the newest, which is `down_revision`. Spell the tables out with `op.create_table` and never
import them from a room: a step must do next year what it did today. Rows that must never change get
the triggers of `append_only.guard(…)`, and every table its line in `table_rules`. There is no way
back: a database is older, newer, or restored from a backup. `tests/registry/test_migrations.py`
compares the result with every room's `tables.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sealift_signing.errors import FailedError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SCHEMA = "sealift"
"""Where the hub's rows lie in a database on PostgreSQL."""
JOBS_SCHEMA = "sealift_jobs"
"""Where the engine's lie: what it forgets, the hub's rows ask for again."""

_HERE = Path(__file__).parent


def newest() -> str:
    """The revision that this version of Sealift works with, such as `0001`."""
    return max(file.name[:4] for file in (_HERE / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def current(engine: Engine) -> str:
    """The revision of the database, or nothing if it is empty."""
    from sqlalchemy import inspect, text

    schema = SCHEMA if engine.dialect.name == "postgresql" else None
    table = ".".join(filter(None, (schema, "alembic_version")))
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version", schema=schema):
            return ""
        return connection.execute(text(f"SELECT version_num FROM {table}")).scalar() or ""  # noqa: S608 - our own names


def upgrade(engine: Engine, check: Callable[[Connection], None] | None = None) -> None:
    """Bring the database to `newest()`. Cheap when it is there already.

    Hold the writers' lock when other processes may have the database open. `check` is called first
    in the transaction that changes it, where there is something to be done, and may refuse.

    Raises:
        FailedError: the database was made by a newer Sealift; or, on PostgreSQL, it has no schema,
            or this role may not change it.
    """
    found = current(engine)
    if found == newest():
        return
    if found > newest():
        raise FailedError(
            "database-newer",
            f"The database has schema {found}, and this version of Sealift knows only {newest()}.",
            next_step="Update Sealift on this machine.",
        )
    _run(engine, check)


def _run(engine: Engine, check: Callable[[Connection], None] | None) -> None:
    # Alembic takes a while to import, and almost every command finds nothing to upgrade.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    with _migrating(engine) as connection:
        if check is not None:
            check(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _migrating(engine: Engine) -> AbstractContextManager[Connection]:
    """The one transaction in which a database is brought to its newest step."""
    if engine.dialect.name == "postgresql":
        from sealift_migrations import postgres_session

        return postgres_session.migrating(engine)
    return _migrating_sqlite(engine)


@contextmanager
def _migrating_sqlite(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        connection.execution_options(sealift_begin="IMMEDIATE")
        with connection.begin():
            yield connection
