"""Where the hubs of the tests keep rows and blobs: in their homes, or on servers that tests start.

`on_servers` is what `--engines=shared` (`tests.engines`) is made of. As long as it lasts, every hub
that is founded in this process has a new database of its own on a real PostgreSQL, in which it is
logged in as `sealift db init` has it: as the application's role, which adds rows and reads them.
Its blobs have a new prefix in a bucket of a real S3 server. Whoever copies a hub's home with
`copy_tree` gets copies of both, too. A hub that keeps something in its home all the same is an
error.

What a test does to a database behind the hub's back, it does by `behind`, as the administrator. It
is written in SQLite's words, and `in_postgres` puts it in the server's.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url, text

from sealift_migrations import SCHEMA, upgrade
from sealift_registry.storage import home, postgresql
from sealift_registry.storage.database import Database
from sealift_registry.storage.home import (
    SETTINGS,
    BlobSettings,
    DatabaseSettings,
    Settings,
    open_home,
)
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_registry.trust import founding
from sealift_sync.blobs import BlobFolder, BlobStore
from tests.registry.log_process import database_at
from tests.servers import postgres
from tests.servers.seaweed import seaweed

EMBEDDED, SHARED, SERVERS = "embedded", "shared", "servers"
HANDS = 16
"""Objects that are copied at once."""


class _Mode:
    shared = False
    made: list[postgres.Database]
    engines: list[Engine]
    connections: list[Any]
    prefixes: Iterator[int]


_mode = _Mode()
_mode.made = []
_mode.engines = []
_mode.connections = []
_mode.prefixes = itertools.count(1)


def shared() -> bool:
    """Whether hubs keep rows and blobs on servers."""
    return _mode.shared


@contextmanager
def on_servers() -> Iterator[None]:
    """As long as this lasts, hubs that are founded in this process are kept on servers."""
    import boto3

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_mode, "shared", True)
        for name, value in seaweed().environment.items():
            patched.setenv(name, value)
        # What S3's clients are made of takes long to read, and each hub that is opened makes one.
        patched.setattr(boto3.session, "Session", cache(boto3.session.Session))
        patched.setattr(home, "BlobFolder", _unwanted_folder)
        patched.setattr(postgresql, "open_postgres", _opened(postgresql.open_postgres))
        patched.setattr(founding, "found", _placed(founding.found, 5))
        patched.setattr(founding, "found_solo", _placed(founding.found_solo, 4))
        patched.setattr(SqliteDatabase, "engine", property(_unwanted))
        yield


@contextmanager
def cleared() -> Iterator[None]:
    """What is made meanwhile goes at the end."""
    before = len(_mode.made)
    try:
        yield
    finally:
        while _mode.engines:  # SQLite does not mind a hub that its test leaves open
            _mode.engines.pop().dispose()
        while _mode.connections:  # a thread that was left may have had one of them meanwhile
            _mode.connections.pop().close()
        while len(_mode.made) > before:
            _mode.made.pop().drop()


def stores(settings: Settings = founding.EMBEDDED) -> Settings:
    """The same, with new places for rows and blobs where hubs keep them on servers."""
    if not shared():
        return settings
    if not settings.database.url:
        database = DatabaseSettings(_kept(postgres.postgres().migrated()))
        settings = replace(settings, database=database)
    if not settings.blobs.url:
        blobs = BlobSettings(_new_prefix(), seaweed().endpoint, "us-east-1")
        settings = replace(settings, blobs=blobs)
    return settings


@cache
def _bucket() -> str:
    return seaweed().bucket()


def _new_prefix() -> str:
    return f"s3://{_bucket()}/{next(_mode.prefixes)}"


def environment() -> dict[str, str]:
    """What gives a hub of another process new places, where rows and blobs are on servers."""
    if not shared():
        return {}
    made = stores()
    return {
        "SEALIFT_DATABASE__URL": made.database.url,
        "SEALIFT_BLOBS__URL": made.blobs.url,
        "SEALIFT_BLOBS__ENDPOINT": made.blobs.endpoint,
        "SEALIFT_BLOBS__REGION": made.blobs.region,
    }


def check_kept(root: Path) -> None:
    """Check that the hub at `root` keeps rows and blobs there, or, where they are shared, not."""
    assert (root / SETTINGS).exists()
    assert (root / "sealift.db").exists() != shared(), root
    assert not (shared() and (root / "blobs").exists()), root


def _placed(found: Callable[..., Any], place: int) -> Callable[..., Any]:
    """`found`, whose argument at `place` says where a hub's stores are."""

    def placed(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - as `found`
        if len(given) > place:
            given = (*given[:place], stores(given[place]), *given[place + 1 :])
        else:
            named["stores"] = stores(named.get("stores", founding.EMBEDDED))
        return found(*given, **named)

    return placed


def _unwanted(database: SqliteDatabase) -> object:
    raise AssertionError(f"{database.path} is to be kept on a server.")


def _opened(opens: Callable[[URL], Engine]) -> Callable[[URL], Engine]:
    """`opens`, of whose engines we know."""

    def opened(url: URL) -> Engine:
        engine = opens(url)
        event.listen(engine, "connect", lambda raw, _: _mode.connections.append(raw))
        _mode.engines.append(engine)
        return engine

    return opened


def _unwanted_folder(folder: Path, *_: object) -> object:
    raise AssertionError(f"{folder} is to be kept on a server.")


def _kept(database: postgres.Database) -> str:
    _mode.made.append(database)
    return database.url(Roles().application)


# -------------------------------------------------------------------- homes


def copy_tree(source: Path, target: Path, **how: Any) -> Path:  # noqa: ANN401 - as shutil's
    """As `shutil.copytree`; and what servers keep for a hub there, or in `hub/` there, as well."""
    shutil.copytree(source, target, **how)
    if shared():
        for root in (target, target / "hub"):
            move(root)
    return target


def move(root: Path) -> None:
    """Give the copy of a hub's home copies of what is kept elsewhere."""
    settings = _read(root / SETTINGS)
    for url in re.findall(r'^url = "(.+)"$', settings, re.MULTILINE):
        copy = _copied_blobs(url) if url.startswith("s3:") else _kept(_copied(_named(url)))
        settings = settings.replace(f'"{url}"', f'"{copy}"')
    if settings:
        (root / SETTINGS).write_text(settings)


def backed_up(root: Path) -> Callable[[], None]:
    """A backup of the database alone of the hub at `root`, which is closed; calling restores it."""
    if not shared():
        data = (root / "sealift.db").read_bytes()

        def restore() -> None:
            for file in root.glob("sealift.db*"):
                file.unlink()
            (root / "sealift.db").write_bytes(data)

        return restore
    home_of = open_home(root, {})
    backup = _copied(_named(home_of.settings.database.url))
    _kept(backup)
    # It knows what was signed later; a machine that was restored as well does not.
    newest = home_of.newest_checkpoint.read_bytes()

    def replace_database() -> None:
        settings = _read(root / SETTINGS)
        now = open_home(root, {}).settings.database.url
        (root / SETTINGS).write_text(settings.replace(now, _kept(_copied(backup))))
        home_of.newest_checkpoint.write_bytes(newest)

    return replace_database


def _copied_blobs(url: str) -> str:
    """The address of copies of all objects at `url`; the server itself makes them."""
    bucket, prefix = url.removeprefix("s3://").split("/")
    made, client = _new_prefix(), seaweed().client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
    there = made.rpartition("/")[2]

    def copy(key: str) -> None:
        to = f"{there}/{key.removeprefix(f'{prefix}/')}"
        client.copy_object(Bucket=bucket, Key=to, CopySource={"Bucket": bucket, "Key": key})

    with ThreadPoolExecutor(HANDS) as hands:
        list(hands.map(copy, keys))
    return made


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _named(url: str) -> postgres.Database:
    name = make_url(url).database
    assert name
    return postgres.Database(postgres.postgres(), name)


def _copied(database: postgres.Database) -> postgres.Database:
    """A copy; who is connected to the original is sent away, and comes back by itself."""
    there = f"FROM pg_stat_activity WHERE datname = '{database.name}'"
    database.server.administration.run(f"SELECT pg_terminate_backend(pid, 5000) {there}")
    return database.copy()


# -------------------------------------------------------------------- databases


def new_database(folder: Path) -> Database:
    """A database with the newest schema, for a log alone; `opened_at` opens it again."""
    if not shared():
        made = SqliteDatabase(folder / "hub.db", folder / "writer.lock")
        upgrade(made.engine)
        return made
    (folder / "hub.url").write_text(_kept(postgres.postgres().migrated()))
    return opened_at(folder)


def exists(folder: Path) -> bool:
    """Whether `new_database` made one in `folder`."""
    return (folder / "hub.url").exists() or (folder / "hub.db").exists()


def opened_at(folder: Path) -> Database:
    """The database that `new_database` made in `folder`."""
    return database_at(place_of(folder))


def place_of(folder: Path) -> str:
    """How another process names it to `database_at`."""
    return _read(folder / "hub.url") or str(folder)


def copy_database(source: Path, target: Path) -> None:
    """What `new_database` made in `source`, for the folder `target`; it is closed."""
    if shared():
        copy = _copied(_named(place_of(source)))
        (target / "hub.url").write_text(_kept(copy))
    else:
        shutil.copy(source / "hub.db", target / "hub.db")


# -------------------------------------------------------------------- behind the hub's back


@contextmanager
def behind(database: Database, *, strange: bool = False) -> Iterator[Connection]:
    """A transaction of whoever may do everything in the database; what is guarded stays guarded.

    Args:
        database: open or not.
        strange: and none of its references is checked, as by whoever opens an SQLite file with
            SQLite's own settings.
    """
    if isinstance(database, PostgresDatabase):
        engine = _administration(database)
    elif strange:
        assert isinstance(database, SqliteDatabase)
        engine = _file(database.path)
    else:
        engine = database.engine
    with engine.begin() as connection:
        if strange and engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection


def stranger(path: Path) -> AbstractContextManager[Connection]:
    """A transaction in a file of SQLite's, with SQLite's own settings."""
    return _file(path).begin()


def _file(path: Path) -> Engine:
    return create_engine(f"sqlite:///{path}", poolclass=NullPool)


def _administration(database: PostgresDatabase) -> Engine:
    named = _named(database.url.render_as_string(hide_password=False))
    url = make_url(named.url()).set(drivername="postgresql+psycopg")
    options = f"-c search_path={SCHEMA},pg_temp"
    engine = create_engine(url, poolclass=NullPool, connect_args={"options": options})
    event.listen(engine, "before_cursor_execute", _translated, retval=True)
    return engine


def _translated(*given: Any) -> tuple[str, Any]:  # noqa: ANN401 - SQLAlchemy's
    _connection, _cursor, statement, parameters, *_ = given
    return in_postgres(statement), parameters


_WORDS = (
    (re.compile(r"\bx'([0-9a-f]*)'", re.IGNORECASE), r"'\\x\1'::bytea"),
    (re.compile(r"\bzeroblob\((\d+)\)"), r"decode(repeat('00', \1), 'hex')"),
    (re.compile(r"\bAS BLOB\b"), "AS bytea"),
    (
        re.compile(r"^DROP INDEX IF EXISTS uq_promotion_request$"),
        "ALTER TABLE promotion DROP CONSTRAINT uq_promotion_request",
    ),
    (re.compile(r"^UPDATE OR (REPLACE|IGNORE) "), "UPDATE "),
    (re.compile(r"^DROP TRIGGER (IF EXISTS )?((\w+?)_no_\w+)$"), r"DROP TRIGGER \1\2 ON \3"),
)


def in_postgres(statement: str) -> str:
    """A statement of SQLite's in PostgreSQL's words, as far as tests need it."""
    for pattern, words in _WORDS:
        statement = pattern.sub(words, statement)
    return statement


def triggers(connection: Connection) -> dict[str, str]:
    """The tables of the database's triggers, by their names."""
    found = connection.execute(text(_TRIGGERS[connection.dialect.name]))
    return {row[0]: row[1] for row in found}


_TRIGGERS = {
    "sqlite": "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY name",
    "postgresql": "SELECT tgname, c.relname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
    "WHERE NOT tgisinternal ORDER BY tgname",
}


def unguard(connection: Connection) -> None:
    """Drop all triggers."""
    for name, table in triggers(connection).items():
        on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
        connection.execute(text(f"DROP TRIGGER {name}{on}"))


def refuse_rows(connection: Connection, table: str, why: str, only: str = "true") -> None:
    """Have the database refuse each new row of `table` of which `only` is so, and say `why`."""
    begins = f"CREATE TRIGGER refusing BEFORE INSERT ON {table}"
    if connection.dialect.name == "sqlite":
        connection.execute(text(f"{begins} WHEN {only} BEGIN SELECT RAISE(ABORT, '{why}'); END"))
        return
    connection.execute(
        text(
            "CREATE FUNCTION refusing() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{why}'; END $$"
        )
    )
    each = f"FOR EACH ROW WHEN ({only}) EXECUTE FUNCTION refusing()"
    connection.execute(text(f"{begins} {each}"))


def take_rows(connection: Connection, table: str) -> None:
    """Have it take them again."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("DROP TRIGGER refusing"))
    else:
        connection.execute(text(f"DROP TRIGGER refusing ON {table}"))
        connection.execute(text("DROP FUNCTION refusing()"))


@contextmanager
def no_writer(database: Database) -> Iterator[None]:
    """As long as this lasts, nobody can become the one writer: the lock cannot be had."""
    if isinstance(database, PostgresDatabase):
        function = "ON FUNCTION pg_advisory_xact_lock(integer, integer)"
        with behind(database) as connection:
            connection.execute(text(f"REVOKE EXECUTE {function} FROM PUBLIC"))
        yield
        with behind(database) as connection:
            connection.execute(text(f"GRANT EXECUTE {function} TO PUBLIC"))
    else:
        assert isinstance(database, SqliteDatabase)
        lock, aside = database._lock, database._lock.with_name("aside")
        lock.rename(aside)
        lock.mkdir()
        yield
        lock.rmdir()
        aside.rename(lock)


def spoil(blobs: BlobStore, digest: str, data: bytes | None) -> None:
    """Have a blob be something else, or, by None, have it gone."""
    if isinstance(blobs, S3Blobs):
        client, there = seaweed().client(), {"Bucket": blobs.address.bucket}
        there["Key"] = blobs.key(digest)
        client.delete_object(**there) if data is None else client.put_object(**there, Body=data)
        return
    assert isinstance(blobs, BlobFolder)
    path = blobs.path(digest)
    path.chmod(0o644)
    path.unlink() if data is None else path.write_bytes(data)
