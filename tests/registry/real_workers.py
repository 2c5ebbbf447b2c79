"""Real workers of a hub in its home, and of one on a real PostgreSQL and a real S3, on two hosts.

A host is a home. Its worker is a process of its own (`killed_worker`), with an environment as an
administrator gives it: what S3 wants, a passphrase, a token of a source's.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, cast

from sealift_registry.jobs import records
from sealift_registry.jobs.dbos_watching import watched
from sealift_registry.jobs.job import Job, JobEnd
from sealift_registry.kinds import KINDS
from sealift_registry.storage.home import BlobSettings, DatabaseSettings
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.trust import founding
from sealift_registry.views.jobs import JobView, Looking
from tests.registry.hub_fixture import PASSPHRASE, Acme
from tests.registry.hubs_on_postgres import another_home
from tests.registry.killed_worker import HOST
from tests.registry.two_hosts import found, settings_url
from tests.servers.postgres import Database, postgres
from tests.servers.seaweed import seaweed

ROOT = Path(__file__).parents[2]
SECRET = "a-token-that-is-nobody-elses"
ONE, TWO = "prep-1", "prep-2"
PATIENCE = 120.0


def until(found: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is waited for
    """What `found` finds, as soon as it does."""
    end = time.monotonic() + PATIENCE
    while not (there := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return there


@dataclass
class AtWork:
    """A worker that was begun, and what it has said until now."""

    process: subprocess.Popen[bytes]
    said: Path

    def text(self) -> str:
        """All that it said."""
        return self.said.read_text()

    def hears(self, words: str) -> str:
        """All that it said, once these words are in it."""
        return cast("str", until(lambda: (text := self.text()) if words in self.text() else ""))

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(PATIENCE)


@dataclass
class Hosts:
    """A hub on servers, and two hosts of it.

    Attributes:
        one, two: their homes.
        database: its rows.
        environment: what all of their workers are given.
    """

    one: Acme
    two: Acme
    database: Database
    environment: Mapping[str, str]
    _begun: list[AtWork] = field(default_factory=list)

    def name(self, host: Acme) -> str:
        """How the machine of a host is called."""
        return TWO if host is self.two else ONE

    def begin(
        self, host: Acme, *words: str, before: Sequence[str] = (), **environment: str
    ) -> AtWork:
        """A worker of a host, begun."""
        command = [sys.executable, "-m", "tests.registry.killed_worker"]
        said = host.folder / f"said-{len(self._begun)}"
        with said.open("wb") as file:
            process = subprocess.Popen(
                [*before, *command, "worker", *words, "--home", str(host.root)],
                env={**self.environment, HOST: self.name(host), **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        made = AtWork(process, said)
        self._begun.append(made)
        return made

    def work(self, host: Acme, **environment: str) -> tuple[int, str]:
        """Have a worker of a host do what waits: its exit code, and what it said."""
        one = self.begin(host, "--once", **environment)
        return one.ended(), one.text()

    def passes(self, seconds: int = 3600) -> None:
        """As far as the server knows, so much time passes in which no worker says anything."""
        self.database.run(f"UPDATE sealift_jobs.sealift_worker SET seen = seen - {seconds}000")  # noqa: S608 - a number

    def end(self, job: Job) -> JobEnd | None:
        """How a job ended."""
        with self.one.app.hub.reading() as connection:
            return records.end(connection, job.number)

    def seen(self, job: Job, host: Acme | None = None) -> JobView:
        """A job as it is shown on a host."""
        hub = (host or self.one).app.hub
        there = watched(hub)
        with hub.reading() as connection:
            return Looking(connection, hub.now(), there, KINDS.keys()).job(job.number)

    def attempts(self, job: Job) -> list[str]:
        """On which hosts it was tried."""
        with self.one.app.hub.reading() as connection:
            return [one.host_name for one in records.attempts(connection, job.number)]

    def cells(self) -> Iterator[bytes]:
        """All that the engine keeps, all that the hub keeps of jobs, and its log."""
        named = (
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'sealift_jobs' "
            "OR schemaname = 'sealift' AND (tablename LIKE 'job%' OR tablename LIKE 'log%' "
            "OR tablename LIKE '%blob%')"
        )
        with closing(self.database.connect()) as connection:
            for schema, table in connection.execute(named.encode()).fetchall():
                query = f'SELECT * FROM {schema}."{table}"'  # noqa: S608 - its own names
                for row in connection.execute(query.encode()):
                    yield from (_bytes(cell) for cell in row)

    def close(self) -> None:
        """End all that was begun."""
        for one in self._begun:
            one.process.kill()
            one.process.wait()
        self.one.close()
        self.two.close()


def at_home(acme: Acme, *words: str, before: Sequence[str] = (), **environment: str) -> AtWork:
    """A worker of a hub in its home."""
    path = acme.folder / f"said-{len(list(acme.folder.glob('said-*')))}"
    command = [sys.executable, "-m", "tests.registry.killed_worker", "worker"]
    given = {**os.environ, "PYTHONPATH": str(ROOT), "SEALIFT_PASSPHRASE": PASSPHRASE}
    with path.open("wb") as file:
        process = subprocess.Popen(
            [*before, *command, *words, "--home", str(acme.root)],
            env={**given, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    atexit.register(process.kill)  # where a test fails
    return AtWork(process, path)


def _bytes(cell: object) -> bytes:
    return bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()


@cache
def made() -> tuple[Path, Database]:
    """The template: a closed hub on servers, whose site is to run a version; and its rows.

    The environment must have what the S3 server wants. It is there as long as this process.
    """
    folder = Path(mkdtemp(prefix="sealift-on-servers-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    database = postgres().migrated()
    bucket = BlobSettings(f"s3://{seaweed().bucket()}/hub", seaweed().endpoint, "us-east-1")
    url = DatabaseSettings(database.url(Roles().application))
    found(folder, database, replace(founding.EMBEDDED, database=url, blobs=bucket))
    return folder, database


@contextmanager
def hosts_of(template: tuple[Path, Database], to: Path) -> Iterator[Hosts]:
    """A copy of the template's rows and home, and another home; its blobs are shared by copies."""
    folder, rows = template
    shutil.copytree(folder, to, symlinks=True)
    database, one = rows.copy(), Acme(to)
    role = Roles().application
    settings_url(one.root, rows.url(role), database.url(role))
    environment = {
        **os.environ,
        **seaweed().environment,
        "PYTHONPATH": str(ROOT),
        "SEALIFT_PASSPHRASE": PASSPHRASE,
        "MLFLOW_TRACKING_TOKEN": SECRET,
    }
    with another_home(one, to / "second") as two:
        hosts = Hosts(one, two, database, environment)
        try:
            yield hosts
        finally:
            hosts.close()
            database.drop()
