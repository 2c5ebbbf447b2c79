"""The two logs behind one face, so that what must hold of both is tested on both.

Processes that tests start import it, and start fast: what servers need is imported where used.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from securesystemslib.signer import CryptoSigner
from sqlalchemy import Connection, Engine, text

from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.writer import AuditLog
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import Entry, Term, new_entry
from sealift_signing.transparency.growth import LogRow
from sealift_signing.transparency.history import StoredCheckpoint
from sealift_signing.transparency.question import Question
from sealift_signing.transparency.verdict import Verdict
from sealift_signing.vocabulary import instant
from sealift_sync.site.log.appending import SiteLog, create_tables
from sealift_sync.site.log.log_reader import SiteLogReader

ORIGIN = "sealift/0123456789abcdef/hub"
SIGNER = CryptoSigner.generate_ed25519()
KEY = PublicKey.from_tuf(SIGNER.public_key)


def numbered(number: int, moment: datetime | None = None) -> Entry:
    """An entry that knows its number, with terms that repeat."""
    return new_entry(
        "test.even" if number % 2 == 0 else "test.odd",
        f"person-{number % 3}",
        moment or datetime.now(UTC),
        {"number": number},
        [Term("number", str(number)), Term("model", f"vision/m{number % 4}")],
        site="north" if number % 5 == 0 else None,
    )


def number_of(row: LogRow) -> int:
    number = row.entry.data["number"]
    assert isinstance(number, int)
    return number


class Reader(Protocol):
    def page(
        self,
        question: Question,
        *,
        limit: int = 50,
        beyond: int | None = None,
        newest_first: bool = True,
    ) -> tuple[LogRow, ...]: ...

    def checkpoint(self, size: int | None = None) -> StoredCheckpoint: ...

    def inclusion_proof(self, seq: int, size: int) -> tuple[bytes, ...]: ...

    def consistency_proof(self, old_size: int, size: int) -> tuple[bytes, ...]: ...

    def verify(
        self,
        key: PublicKey,
        origin: str,
        *,
        seen: Sequence[Checkpoint] = (),
        every_signature: bool = False,
    ) -> Verdict: ...

    def fsck(self, key: PublicKey, origin: str, *, seen: Sequence[Checkpoint] = ()) -> Verdict: ...


class SomeLog(Protocol):
    """A log that can be written to one commit at a time."""

    side: str
    folder: Path
    path: Path
    """The file of SQLite's, where it is one."""

    @property
    def reader(self) -> Reader: ...

    def commit(self, entry: Entry) -> tuple[int, int]:
        """Write `entry`; its place and the checkpoint's size."""
        ...

    def behind(self) -> AbstractContextManager[Connection]:
        """A transaction of a stranger who may do everything there."""
        ...

    def close(self) -> None: ...


class HubSide:
    """The hub's log, through its writer's thread."""

    side = "hub"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "hub.db"
        from tests import stores

        there = stores.exists(folder)
        self.database = stores.opened_at(folder) if there else stores.new_database(folder)
        self.engine: Engine = self.database.engine
        self.log = AuditLog(self.database, lambda: SIGNER, ORIGIN, begins=True)
        self.reader = LogReader(self.database)

    def commit(self, entry: Entry) -> tuple[int, int]:
        self.log.stated = instant(entry.at).date()  # these tests date as they like
        committed = self.log.commit_entry(entry)
        return committed.seq, committed.size

    def behind(self) -> AbstractContextManager[Connection]:
        from tests import stores

        return stores.behind(self.database, strange=True)

    def close(self) -> None:
        self.log.close()
        self.database.close()


class SiteSide:
    """A site's log, in a transaction that the test begins."""

    side = "site"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "site.db"
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        create_tables(self.connection)
        self.log = SiteLog(self.connection, SIGNER, ORIGIN)
        self.reader = SiteLogReader(self.connection)

    def commit(self, entry: Entry) -> tuple[int, int]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            appended = self.log.append(entry)
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.execute("COMMIT")
        return appended.seq, appended.size

    def behind(self) -> AbstractContextManager[Connection]:
        from tests import stores

        return stores.stranger(self.path)

    def close(self) -> None:
        self.connection.close()


SIDES: dict[str, Callable[[Path], SomeLog]] = {"hub": HubSide, "site": SiteSide}


@contextmanager
def opened(side: str, folder: Path) -> Iterator[SomeLog]:
    log = SIDES[side](folder)
    try:
        yield log
    finally:
        log.close()


def copied(log: SomeLog, folder: Path) -> None:
    """A copy of the database of a log, which is closed, for `folder`."""
    from tests import stores

    if log.side == "hub":
        stores.copy_database(log.folder, folder)
    else:
        shutil.copy(log.folder / "site.db", folder / "site.db")


def triggers(log: SomeLog) -> list[str]:
    """The names of the database's triggers."""
    from tests import stores

    with log.behind() as connection:
        return sorted(stores.triggers(connection))


def tamper(log: SomeLog, *statements: str) -> None:
    """What somebody with the database does: drop the triggers, then change what he likes."""
    from tests import stores

    with log.behind() as connection:
        stores.unguard(connection)
        for statement in statements:
            assert connection.execute(text(statement)).rowcount != 0, statement
