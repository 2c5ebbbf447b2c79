"""Appends through the hub's writer: whole actions, each with a row, an entry and its terms."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, insert

from sealift_registry.audit.writer import AuditLog
from sealift_signing.transparency.entry import Entry, Term, new_entry
from tests.benchmarks.figures import Figure, clocked, figure, repeated
from tests.logs import KEY, ORIGIN, HubSide

SECONDS, QUICK_SECONDS = 5.0, 1.0
CALLERS = (1, 8, 64)

work = Table("work", MetaData(), Column("data", LargeBinary))


def measure(folder: Path, *, quick: bool) -> Iterator[Figure]:
    """The disk's own flush first: no single caller can be faster than that."""
    yield _flushes(folder, 200 if quick else 1_000)
    hub = HubSide(folder)
    with hub.engine.begin() as connection:
        work.create(connection)
    for callers in CALLERS:
        yield _appends(hub.log, callers, QUICK_SECONDS if quick else SECONDS)
    verdict = hub.reader.fsck(KEY, ORIGIN)
    hub.close()
    if not verdict.ok:
        raise AssertionError(verdict.findings)


def _flushes(folder: Path, times: int) -> Figure:
    descriptor = os.open(folder / "flushed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    page = bytes(4096)

    def flush(_number: int) -> None:
        os.write(descriptor, page)
        os.fdatasync(descriptor)

    try:
        return repeated("append 4 KiB and fdatasync", times, flush)
    finally:
        os.close(descriptor)


def _appends(log: AuditLog, callers: int, seconds: float) -> Figure:
    took: list[list[float]] = [[] for _ in range(callers)]
    together = threading.Barrier(callers + 1)
    stop = threading.Event()

    def call(mine: list[float]) -> None:
        together.wait()
        while not stop.is_set():
            with clocked(mine):
                log.commit(_promote)

    def _promote(connection: Connection) -> tuple[Entry, None]:
        connection.execute(insert(work), {"data": bytes(200)})
        terms = [Term("person", "anna"), Term("model", "vision/digits")]
        data = {"stage": "production", "artifacts": ["0" * 64] * 3}
        return new_entry("promotion.requested", "anna", log.clock(), data, terms), None

    threads = [threading.Thread(target=call, args=(mine,)) for mine in took]
    for thread in threads:
        thread.start()
    together.wait()
    started = time.perf_counter()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    label = "1 caller" if callers == 1 else f"{callers} callers"
    return figure(f"append, {label}", [each for mine in took for each in mine], elapsed)
