"""Run by tests as a process of its own: a writer that holds the lock before its COMMIT, and waits.

python -m tests.registry.stopped_process URL KEY-HEX NUMBER LIMIT

It says `holding`, waits for a line, and then tells what its caller was told. LIMIT is how long the
server lets it do nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from sqlalchemy import Connection

from sealift_registry.audit.append import Appender
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage import postgresql
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.growth import Growth
from tests.logs import ORIGIN
from tests.registry.told_process import told


def main(url: str, key: str, number: int, limit: str) -> None:
    postgresql._FIRST = postgresql._FIRST.bindparams(idle=limit)
    append = Appender.append

    def slow(
        self: Appender,
        connection: Connection,
        written: Sequence[tuple[Entry, bytes]],
        *,
        replaces_key: bool = False,
    ) -> Growth:
        grown = append(self, connection, written, replaces_key=replaces_key)
        print("holding", flush=True)  # noqa: T201
        sys.stdin.readline()
        return grown

    Appender.append = slow  # type: ignore[method-assign]
    signer = CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)))
    with AuditLog(PostgresDatabase(url), lambda: signer, ORIGIN, begins=True) as log:
        print(told(log, number), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
