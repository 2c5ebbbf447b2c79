"""Callers of the hub's log, as threads; run by the benchmark also as a process of its own.

python -m tests.benchmarks.log_appends_process FOLDER-OR-URL KEY-HEX KIND CALLERS SECONDS [HOME]

It says `ready`, waits for a line, and then prints how long each call took, in seconds, as JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Signer
from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, insert

from sealift_registry.audit.newest_checkpoint import NewestCheckpoint
from sealift_registry.audit.writer import AuditLog
from sealift_signing.transparency.entry import Entry, Term, new_entry
from tests.benchmarks.figures import clocked
from tests.logs import ORIGIN
from tests.registry.log_process import database_at

WHOLE, ALONE = "whole actions", "entries alone"

work = Table("work", MetaData(), Column("data", LargeBinary))


def whole_action(log: AuditLog) -> None:
    """A row, its entry and the entry's terms."""

    def action(connection: Connection) -> tuple[Entry, None]:
        connection.execute(insert(work), {"data": bytes(200)})
        return an_entry(log), None

    log.commit(action)


def entry_alone(log: AuditLog) -> None:
    """What a refusal or a check leaves: an entry, and no row of anybody's."""
    log.commit_entry(an_entry(log))


KINDS: Mapping[str, Callable[[AuditLog], None]] = {WHOLE: whole_action, ALONE: entry_alone}


def an_entry(log: AuditLog) -> Entry:
    terms = [Term("person", "anna"), Term("model", "vision/digits")]
    data = {"stage": "production", "artifacts": ["0" * 64] * 3}
    return new_entry("promotion.requested", "anna", log.clock(), data, terms)


def called(log: AuditLog, kind: str, callers: int, seconds: float) -> list[float]:
    """How long each call took of so many callers, who call again as soon as they are answered."""
    return timed(lambda: KINDS[kind](log), callers, seconds)


def timed(call_once: Callable[[], object], callers: int, seconds: float) -> list[float]:
    """The same of any call."""
    took: list[list[float]] = [[] for _ in range(callers)]
    together = threading.Barrier(callers + 1)
    stop = threading.Event()

    def call(mine: list[float]) -> None:
        together.wait()
        while not stop.is_set():
            with clocked(mine):
                call_once()

    threads = [threading.Thread(target=call, args=(mine,)) for mine in took]
    for thread in threads:
        thread.start()
    together.wait()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return [each for mine in took for each in mine]


@contextmanager
def opened(where: str, signer: Signer, home: str = "") -> Iterator[AuditLog]:
    """The log in a folder or at a URL, whose hub has that `home`."""
    kept = NewestCheckpoint(Path(home) / "newest-checkpoint") if home else None
    with (
        closing(database_at(where)) as database,
        AuditLog(database, lambda: signer, ORIGIN, home=kept, begins=True) as log,
    ):
        yield log


def main(where: str, key: str, kind: str, callers: int, seconds: float, home: str = "") -> None:
    signer = CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)))
    with opened(where, signer, home) as log:
        log.stated = log.clock().date()  # a grown log may end later than today
        print("ready", flush=True)
        sys.stdin.readline()
        took = called(log, kind, callers, seconds)
    print(json.dumps(took))


if __name__ == "__main__":
    home_given = sys.argv[6] if len(sys.argv) > 6 else ""
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]), home_given)
