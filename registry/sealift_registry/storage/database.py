"""What the hub asks of its database, whichever engine keeps it: the one seam between them.

Rooms speak SQLAlchemy Core, which is the same on both. All that is one engine's alone stands in
`storage.sqlite` or `storage.postgresql`, and in the module of that name of `sealift_migrations`,
and `tests/registry/test_g1_60_databases.py` holds that both keep what is promised here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from sealift_signing.errors import FailedError, SealiftError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

    from sealift_registry.storage.claims import Claim


DISK_FULL = "53100"
"""PostgreSQL's code of a disk that is full (its manual, appendix A)."""
_PLACE = "sealift_place"
"""Execution option of an engine, and so of its connections: the database's `place`."""


def at_place(engine: Engine, place: str) -> Engine:
    """The engine, whose connections know where they are (`place_of`)."""
    engine.update_execution_options(**{_PLACE: place})
    return engine


def place_of(connection: Connection) -> str | None:
    """The place of the database that a connection is to; None where no `Database` made it."""
    found = connection.get_execution_options().get(_PLACE)
    return found if isinstance(found, str) else None


class Database(Protocol):
    """The hub's database."""

    @property
    def engine(self) -> Engine:
        """Gives connections; for what `reading` and `writing` do not do."""
        ...

    @property
    def where(self) -> str:
        """The file, or the server and the name, as people are told; never a password."""
        ...

    @property
    def place(self) -> str:
        """As `where`, with all that tells it from every other: it is noted where rows move."""
        ...

    @property
    def settles(self) -> bool:
        """Whether it can be asked what became of a COMMIT that failed.

        Its callers are told, then, and the process goes on. Of a disk nothing is believed after.
        """
        ...

    @property
    def is_shared(self) -> bool:
        """Whether processes of other homes, on other hosts, may use it, too.

        It may then fail over as well, and lose what it acknowledged: so each home remembers what
        it signed last (`audit.newest_checkpoint`), and which organisation's it is.
        """
        ...

    @property
    def takes_several(self) -> bool:
        """Whether its driver takes several statements in one, where they have no parameters."""
        ...

    def claim(self, name: str, words: str, patience: float = 0.0) -> Claim | None:
        """Be the only process of the hub that works at `name`, or None while another does.

        Others are told these `words`; for so many seconds another is waited for.

        Raises:
            FailedError: the lock could not be made.
        """
        ...

    def holder(self, name: str) -> str:
        """Who works at `name`, in words; empty where that is not known."""
        ...

    def held(self, names: Collection[str]) -> set[str]:
        """Those of these claims that somebody has; of very many it is asked at once.

        Raises:
            FailedError: it could not be found out.
        """
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that sees one state of the database, and is to change nothing.

        Errors of the driver are as they are: `in_words` is around it where people are told.
        """
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """A connection whose transactions are those of the one writer.

        Nothing is read in one of them before every other writer has ended, and all that they have
        committed is seen. Whoever has it begins and commits.
        """
        ...

    def confirm(self, connection: Connection) -> None:
        """Have the next COMMIT of this writer keep all that was committed before it, too.

        A COMMIT that failed may have been kept where it was asked for alone, and not on a standby.
        """
        ...

    def alone(self) -> AbstractContextManager[Connection]:
        """As `writing`, for long: until the end of the block nobody else writes.

        Not this process either, but through this connection. Others wait, and then give up.

        Raises:
            FailedError: somebody else has been writing for too long; or the lock was lost, which
                whoever begins the next transaction is told.
        """
        ...

    def check_exists(self) -> None:
        """Check that there is a database to be opened.

        Raises:
            FailedError: it is missing, or cannot be reached.
        """
        ...

    def check_new(self) -> None:
        """Check that a hub can be founded in it.

        Raises:
            FailedError: it holds a hub already, or cannot be written to.
        """
        ...

    def check_writable(self) -> None:
        """Check, without asking the database, that it is one that may be written to.

        Raises:
            FailedError: it can only be read.
        """
        ...

    def bring_up_to_date(self) -> None:
        """Have the schema that this software works with; where opening may not, refuse.

        Raises:
            FailedError: it is newer than this software, or older and upgraded by a command alone.
        """
        ...

    def tampered(self) -> Iterator[str]:
        """A sentence on all by which its tables could show other rows than there are.

        None of it changes a row, so nothing that was signed contradicts it. Every room's tables
        must have been loaded.
        """
        ...

    def is_full(self, error: BaseException) -> bool:
        """Whether a statement, or COMMIT, failed for want of room, and so did nothing."""
        ...

    def told(self, error: DBAPIError) -> FailedError:
        """An error of the driver in words, with what to do about it."""
        ...

    def in_words(self) -> AbstractContextManager[None]:
        """Around statements: the driver's errors become `FailedError`.

        Raises:
            FailedError: the database could not be read or written.
        """
        ...

    def close(self) -> None:
        """Let go of every connection."""
        ...


@contextmanager
def in_words(database: Database) -> Iterator[None]:
    """What `in_words` of every database does."""
    from sqlalchemy.exc import DBAPIError, StatementError
    from sqlalchemy.exc import TimeoutError as NoneFreeError

    try:
        yield
    except DBAPIError as bad:
        raise database.told(bad) from bad
    except StatementError as bad:
        # What a column does not take (`storage.schema`): SQLAlchemy wraps it with the statement.
        raise (bad.orig if isinstance(bad.orig, SealiftError) else bad) from bad.orig
    except NoneFreeError as bad:
        raise busy(database.where) from bad


def full(where: str) -> FailedError:
    """What to say where the hub's database has no room."""
    return FailedError(
        "database-full",
        f"There is no room left for the hub's database {where}.",
        subject=where,
        next_step="Make room there, and run the command again.",
    )


def says_full(error: BaseException) -> bool:
    """Whether a database's driver says by this error that there is no room left."""
    driver = getattr(error, "orig", None) or error
    if getattr(driver, "sqlite_errorname", "") == "SQLITE_FULL":
        return True
    return getattr(driver, "sqlstate", "") == DISK_FULL


def not_new(where: str) -> FailedError:
    """What to say where a hub is to be founded and there is one."""
    return FailedError(
        "database-not-new",
        f"The database {where} holds a hub already, and each hub has its own.",
        subject=where,
        next_step="Name another database; or, to have another process of that hub, copy its "
        "settings.toml and keys/ to this machine.",
    )


UNTIL_ALONE = 60.0
"""Seconds that somebody who wants to be the only writer waits for the others."""


def occupied(where: str) -> FailedError:
    """What to say where another process keeps the writers' lock."""
    return FailedError(
        "database-occupied",
        f"Another process has been writing to {where} for {UNTIL_ALONE:.0f} seconds.",
        subject=where,
        next_step="Wait until it is done, or look for a sealift process that hangs.",
    )


def not_alone(where: str) -> FailedError:
    """What to say where the lock that kept other writers out was lost."""
    return FailedError(
        "database-not-alone",
        f"The connection to the database {where} was lost, and with it the lock that kept others "
        "from writing there meanwhile.",
        subject=where,
        next_step="Run the command again: it finds what is done, and goes on from there.",
    )


def busy(where: str) -> FailedError:
    """What to say where all of this process's connections are in use."""
    return FailedError(
        "database-busy",
        f"All connections of this process to the database {where} are in use.",
        subject=where,
        next_step="Try again in a moment; if it stays so, fewer things must run at once.",
    )
