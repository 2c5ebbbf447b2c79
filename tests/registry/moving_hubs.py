"""What the tests of moving a hub share: databases to move to, and what must be the same there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text

from sealift_registry.app import App, open_app
from sealift_registry.audit.reading import LogReader
from sealift_registry.moving import moves, row_copies
from sealift_registry.moving.moves import Moved, Progress
from sealift_registry.moving.route import route
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.trust.log_keys import log_keys
from tests.registry.hub_fixture import stage
from tests.servers.postgres import Database, postgres, set_up

QUIET = Progress(stage, lambda _table, _count: None)


def new_database() -> Database:
    """A database with the tables of a hub, and nothing in them."""
    made = postgres().fresh()
    set_up(made)
    return made


def url_of(database: Database) -> str:
    """As the hub is logged in."""
    return database.url(Roles().application)


def moved_to(app: App, database: str | None, blobs: Mapping[str, str] | None = None) -> Moved:
    way = route(app.hub.home, database, blobs)
    return moves.move(app.hub, way, {}, QUIET)


def opened(root: Path, act: Callable[[App], Any]) -> Any:  # noqa: ANN401 - whatever it gives
    """What `act` gives of the hub at `root`, which is closed again."""
    app = open_app(root, {})
    try:
        return act(app)
    finally:
        app.close()


def bodies(app: App) -> dict[str, bytes]:
    """The bytes of every TUF file that the hub has: all versions of all roles, all documents."""
    queries = {
        "SELECT role, version, body FROM tuf_metadata": "{0}.{1}",
        "SELECT role, version, body FROM tuf_online_body": "online/{0}.{1}",
        "SELECT path, sha256, body FROM tuf_document": "{0}/{1}",
    }
    found = {}
    with app.hub.reading() as connection:
        for query, name in queries.items():
            for *key, body in connection.execute(text(query)):
                found[name.format(*key)] = bytes(body)
    return found


def copies(root: Path) -> dict[str, bytes]:
    """The files in `metadata/`."""
    return {path.name: path.read_bytes() for path in (root / "metadata").iterdir()}


def blobs(app: App) -> set[str]:
    """Every blob that is whole where the hub keeps them."""
    store = app.hub.home.blobs
    return {digest for digest in store.digests() if not store.fault(digest)}


def root_of(app: App, size: int) -> str:
    """The root of the log as it was with so many entries, by a proof of its whole."""
    keys = log_keys(app.hub)
    reader = LogReader(app.hub.database)
    verdict = reader.fsck(keys.key, keys.origin, former=keys.former)
    assert verdict.ok, verdict.findings
    return reader.checkpoint(size).root.hex()


def rows(app: App) -> dict[str, row_copies.Summary]:
    """What every table holds."""
    with app.hub.reading() as connection:
        return row_copies.summaries(connection, QUIET.rows)
