"""Run by tests as a process of its own: commits numbered entries and tells each on its output.

python -m tests.registry.log_process FOLDER-OR-URL KEY-HEX FIRST COUNT THREADS
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage.database import Database
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.sqlite import SqliteDatabase
from tests.logs import ORIGIN, numbered


def database_at(where: str) -> Database:
    """The database at a URL, or in the file `hub.db` of a folder."""
    if where.startswith("postgresql://"):
        return PostgresDatabase(where)
    return SqliteDatabase(Path(where) / "hub.db", Path(where) / "writer.lock")


def main(where: str, key: str, first: int, count: int, threads: int) -> None:
    signer = CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)))
    log = AuditLog(database_at(where), lambda: signer, ORIGIN, begins=True)
    telling = threading.Lock()

    def commit(thread: int) -> None:
        for number in range(first + thread, first + count, threads):
            committed = log.commit_entry(numbered(number))
            with telling:  # only what was acknowledged is told
                sys.stdout.write(f"{number} {committed.seq}\n")
                sys.stdout.flush()

    workers = [threading.Thread(target=commit, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))
