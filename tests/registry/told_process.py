"""Run by tests as a process of its own: commits entries for as long as it may, come what will.

python -m tests.registry.told_process URL KEY-HEX HOME FIRST THREADS

Its output tells what each number's caller was told: `N done SEQ`, `N not CODE`, `N unknown ID`.
It ends when its input does.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

from sealift_registry.audit.newest_checkpoint import NewestCheckpoint
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.errors import FailedError
from tests.logs import ORIGIN, numbered

AGAIN = 0.1
"""Seconds until somebody who was told that nothing was done tries something else."""


def told(log: AuditLog, number: int) -> str:
    try:
        return f"done {log.commit_entry(numbered(number)).seq}"
    except FailedError as bad:
        time.sleep(AGAIN)
        return f"unknown {bad.subject}" if bad.code == "log-unknown" else f"not {bad.code}"


def main(url: str, key: str, home: Path, first: int, threads: int) -> None:
    signer = CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)))
    kept = NewestCheckpoint(home / "newest-checkpoint")
    log = AuditLog(PostgresDatabase(url), lambda: signer, ORIGIN, home=kept, begins=True)
    numbers, telling, stop = itertools.count(first), threading.Lock(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            number = next(numbers)
            line = f"{number} {told(log, number)}\n"
            with telling:
                sys.stdout.write(line)
                sys.stdout.flush()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    sys.stdin.read()
    stop.set()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
