"""The hub's log on both engines, beside the same rows through their drivers alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sealift_registry.audit.reading import LogReader
from sealift_signing.transparency.entry import Entry, Term, new_entry
from tests.benchmarks import log_appends
from tests.benchmarks.figures import Claim, Figure, Line, figure
from tests.benchmarks.log_appends_process import ALONE, WHOLE, called, opened, timed, work
from tests.benchmarks.racing import tell
from tests.benchmarks.raw_log import OPENERS, RawLog
from tests.logs import KEY, ORIGIN, SIGNER, HubSide
from tests.registry.log_process import database_at
from tests.servers.postgres import PostgresServer, starting

CALLERS = 64
SECONDS, QUICK_SECONDS = 5.0, 0.5
AIM: Mapping[str, float] = {"SQLite": 5_000.0, "PostgreSQL": 2_000.0}
"""Whole actions a second."""


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """SQLite in the folder, and a PostgreSQL server of our own, which flushes what it commits."""
    seconds = QUICK_SECONDS if quick else SECONDS
    yield from _engine("SQLite", _sqlite(folder / "ours"), _sqlite(folder / "raw"), seconds)
    home = folder / "home"
    home.mkdir()
    with starting(fsync=True) as server:
        ours, raw = _postgres(server), _postgres(server)
        yield from _engine("PostgreSQL", ours, raw, seconds, str(home))


def _sqlite(folder: Path) -> str:
    folder.mkdir()
    with closing(HubSide(folder)) as hub, hub.engine.begin() as connection:
        work.create(connection)
    return str(folder)


def _postgres(server: PostgresServer) -> str:
    database = server.migrated()
    database.run(
        "CREATE TABLE sealift.work (data bytea)",
        "GRANT INSERT, SELECT ON sealift.work TO sealift_app",
    )
    return database.url("sealift_app")


def _engine(name: str, ours: str, raw: str, seconds: float, home: str = "") -> Iterator[Line]:
    whole = None
    for kind in (WHOLE, ALONE):
        tell(f"{name}, {kind}")
        with opened(ours, SIGNER, home) as log:
            began = time.perf_counter()
            took = called(log, kind, CALLERS, seconds)
            found = figure(f"{name}, {kind}, {CALLERS} callers", took, time.perf_counter() - began)
        yield found
        whole = whole or found
        shared = log_appends.processes(ours, kind, seconds, home)
        yield Figure(f"{name}, {shared.name}", *list(vars(shared).values())[1:])
        yield _control(name, kind, raw, seconds)
    with closing(database_at(ours)) as database:
        verdict = LogReader(database).verify(KEY, ORIGIN)
        if not verdict.ok:
            raise AssertionError(verdict.findings)
    assert whole is not None
    told = f"{whole.name}, a second"
    yield Claim("", told, whole.per_second, "/s", aim=AIM[name])


def _control(name: str, kind: str, where: str, seconds: float) -> Figure:
    path = where if name == "PostgreSQL" else str(Path(where) / "hub.db")
    with closing(RawLog(OPENERS[name](path))) as log:
        began = time.perf_counter()
        took = timed(lambda: log.commit(_entry(), row=kind == WHOLE), CALLERS, seconds)
        elapsed = time.perf_counter() - began
    return figure(f"({name}, {kind}, {CALLERS} callers, the driver alone)", took, elapsed)


def _entry() -> Entry:
    """As long as those of `log_appends_process`."""
    terms = [Term("person", "anna"), Term("model", "vision/digits")]
    data = {"stage": "production", "artifacts": ["0" * 64] * 3}
    return new_entry("promotion.requested", "anna", datetime.now(UTC), data, terms)
