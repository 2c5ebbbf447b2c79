"""Hubs whose rows are on a real PostgreSQL, and further homes of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, text

from sealift_registry.storage.home import (
    DatabaseSettings,
    Settings,
    open_home,
)
from sealift_registry.storage.settings_file import put_in_force, write_settings
from sealift_registry.trust import founding
from tests.registry.hub_fixture import Acme, secrets
from tests.registry.test_migrations import all_tables
from tests.servers.postgres import Database, engine_of

APPLICATION = "sealift_app"


def founded_on(database: Database, folder: Path, name: str = "Acme") -> Acme:
    """A new organisation's hub, as the application's role."""
    folder.mkdir(exist_ok=True)
    made = Acme(folder)
    stores = Settings(database=DatabaseSettings(database.url(APPLICATION)))
    founding.found(made.root, name, folder / "offline", secrets(), {}, stores).close()
    return made


def moved(acme: Acme, database: Database) -> None:
    """Give a hub that was founded on SQLite all of its rows on `database`, row by row."""
    rows: dict[Table, list[dict[str, Any]]] = {}
    with acme.app.hub.engine.connect() as connection:
        for table in all_tables().sorted_tables:
            columns = ", ".join(one.name for one in table.columns)
            found = connection.execute(text(f"SELECT {columns} FROM {table.name}"))  # noqa: S608 - our names
            rows[table] = [dict(zip(found.keys(), row, strict=True)) for row in found]
    acme.close()
    engine = engine_of(database)
    with engine.begin() as connection:
        for table, held in rows.items():
            if held:
                connection.execute(insert(table), held)
    engine.dispose()
    stores = DatabaseSettings(database.url(APPLICATION))
    home = open_home(acme.root, {})
    home = replace(home, settings=replace(home.settings, database=stores))
    write_settings(home)
    put_in_force(home)
    for file in acme.root.glob("sealift.db*"):
        file.unlink()


@contextmanager
def another_home(acme: Acme, folder: Path) -> Iterator[Acme]:
    """The same hub from another machine: its settings and its keys were copied there."""
    other = Acme(folder)
    other.root.mkdir(parents=True)
    shutil.copy(acme.root / "settings.toml", other.root)
    shutil.copytree(acme.root / "keys", other.root / "keys")
    shutil.copytree(acme.folder / "offline", folder / "offline")
    try:
        yield other
    finally:
        other.close()


def fail_over(database: Database, older: Database) -> None:
    """Have the server hold `older` under the name of `database`; whoever is connected is cut off.

    So it is after a failover to a standby that lacks what the primary acknowledged last.
    """
    database.drop()
    name, was = database.name, older.name
    database.server.administration.run(f'ALTER DATABASE "{was}" RENAME TO "{name}"')
