"""Run by tests under strace, as a process of its own; says on the marks file what it acknowledged.

python -m tests.power.child MARKS WEAKENED (hub-log | site-log) FOLDER COUNT
python -m tests.power.child MARKS WEAKENED (sealift | sealift-site) ARGUMENT …

WEAKENED is what the test takes away to see that it would be missed: `nothing`, `synchronous`,
`flush`. No product code knows of it.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

from sealift_migrations import upgrade
from sealift_registry.audit.batch import Action, Committed
from sealift_registry.audit.writer import AuditLog
from sealift_registry.cli.run import run as run_hub
from sealift_registry.storage import sqlite
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency.entry import Entry
from sealift_sync import durable
from sealift_sync.cli.run import run as run_site
from sealift_sync.site.log.appending import SiteLog
from sealift_sync.site.state.database import State
from tests.logs import ORIGIN, numbered

Values = Any
"""What stands for the question marks of a statement."""
DATABASE = "sealift.db"
OFTEN = "PRAGMA wal_autocheckpoint = 100"
"""Pages after which SQLite copies its write-ahead log: ten times as often as by itself."""
SIGNER = CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
KEY = PublicKey.from_tuf(SIGNER.public_key)
FULL, NORMAL = "synchronous = FULL", "synchronous = NORMAL"


def main(marks: str, weakened: str, what: str, arguments: list[str]) -> int:
    """Do what the command line says."""
    tell = _marking(marks)
    _weaken(weakened)
    if what in {"hub-log", "site-log"}:
        _append(what.removesuffix("-log"), Path(arguments[0]), int(arguments[1]), tell)
        return 0
    _tell_of_commits(tell)
    code = (run_hub if what == "sealift" else run_site)(arguments)
    tell(f"exit {code}")
    return code


def _marking(path: str) -> Callable[[str], None]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def tell(text: str) -> None:
        os.write(descriptor, text.encode())

    return tell


def _append(side: str, folder: Path, count: int, tell: Callable[[str], None]) -> None:
    with written_log(side, folder) as commit:
        for number in range(count):
            tell(f"committed {commit(numbered(number))}")


@contextmanager
def written_log(side: str, folder: Path) -> Iterator[Callable[[Entry], int]]:
    """The log of a hub or a site in `folder`: what commits an entry and answers the log's size."""
    if side == "hub":
        sqlite._SETTINGS = (*sqlite._SETTINGS, OFTEN)  # type: ignore[assignment]
        new = not (folder / DATABASE).exists()
        hub = SqliteDatabase(folder / DATABASE, folder / "sealift.lock")
        if new:
            upgrade(hub.engine)
        with AuditLog(hub, lambda: SIGNER, ORIGIN, begins=True) as log:
            yield lambda entry: log.commit_entry(entry).size
        hub.close()
        return
    state = State(folder / DATABASE)
    state.connection.execute(OFTEN)
    state.bring_forward()

    def commit(entry: Entry) -> int:
        with state.transaction():
            return SiteLog(state.connection, SIGNER, ORIGIN).append(entry).size

    yield commit
    state.close()


def _tell_of_commits(tell: Callable[[str], None]) -> None:
    """Tell of every transaction that was answered as done."""
    commit, transaction = AuditLog.commit, State.transaction

    def commit_and_tell(log: AuditLog, action: Action[Any]) -> Committed[Any]:
        done = commit(log, action)
        tell(f"committed {done.size}")
        return done

    @contextmanager
    def transaction_and_tell(state: State) -> Iterator[None]:
        with transaction(state):
            yield
        ((size,),) = state.connection.execute("SELECT max(size) FROM log_checkpoint")
        tell(f"committed {size}")

    AuditLog.commit = commit_and_tell  # type: ignore[assignment,method-assign]
    State.transaction = transaction_and_tell  # type: ignore[assignment,method-assign]


def _weaken(what: str) -> None:
    if what == "synchronous":
        settings = [one.replace(FULL, NORMAL) for one in sqlite._SETTINGS]
        assert settings != list(sqlite._SETTINGS)
        sqlite._SETTINGS = tuple(settings)  # type: ignore[assignment]
        sqlite3.connect = _loose  # type: ignore[assignment]
    if what == "flush":
        durable.os.fsync = lambda _descriptor: None  # type: ignore[attr-defined]


class _Loose(sqlite3.Connection):
    """A connection that promises less than it was told to."""

    def execute(self, sql: str, values: Values = (), /) -> sqlite3.Cursor:
        return super().execute(sql.replace("synchronous=FULL", "synchronous=NORMAL"), values)


_connect = sqlite3.connect


def _loose(file: Path, *, isolation_level: None, timeout: float) -> sqlite3.Connection:
    return _connect(file, isolation_level=isolation_level, timeout=timeout, factory=_Loose)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
