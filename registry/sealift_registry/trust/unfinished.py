"""A set-up that was stopped: undone where nothing can have been founded, and else finished.

Keys are made before the hub is founded, and what a server has committed nobody takes back. So from
the moment on at which that is tried, nothing is removed, unless it is known that it did not happen:
the same command, run again, looks into the database and goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.audit.admission import newest
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage import settings_file
from sealift_registry.storage.database import Database
from sealift_registry.storage.home import Home, with_environment
from sealift_registry.storage.opening import database_of
from sealift_registry.trust import own_database
from sealift_registry.trust.ceremony import first_offline_key
from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Repository
from sealift_signing import keys
from sealift_signing.errors import FailedError, SealiftError, UsageError

FOUNDED = "organisation.founded"
UNCONFIRMED = "log-unknown"
"""What a commit says of which nobody knows whether it happened."""


@dataclass
class Attempt:
    """A set-up of the hub at `home`, and what it has made elsewhere.

    Attributes:
        may_be_founded: whether its hub is in the database, or may be.
    """

    home: Home
    made: list[Path] = field(default_factory=list)
    may_be_founded: bool = False

    @contextmanager
    def founding(self, log: AuditLog, database: Database, organisation: str) -> Iterator[None]:
        """Around the commit, and all that comes after it in its block."""
        self.may_be_founded = True
        try:
            yield
        except BaseException as stop:
            done = any(one.type == FOUNDED for one in log.kept)
            if not done and isinstance(stop, Exception):
                self.may_be_founded = getattr(stop, "code", "") == UNCONFIRMED
            elif not done:
                self.may_be_founded = _may_hold(database, organisation)
            raise

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Leave nothing of a set-up that failed, where nothing trusts the keys that it made.

        Raises:
            FailedError: the hub may be founded; everything is left as it is.
        """
        try:
            yield
        except BaseException as stop:
            if not self.may_be_founded:
                self._undo()
                raise
            if isinstance(stop, SealiftError | OSError):
                raise self._stopped(stop) from stop
            again = (
                "The same command goes on: it finishes the set-up, or says that nothing was done."
            )
            stop.add_note(f"{self._left} {again}")
            raise

    def _undo(self) -> None:
        for path in self.made:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.pub").unlink(missing_ok=True)
        for path in self.home.root.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    @property
    def _left(self) -> str:
        root = self.home.root
        return f"The hub at {root} may be founded, so its home and its keys are left as they are."

    def _stopped(self, stop: SealiftError | OSError) -> FailedError:
        why = stop.what if isinstance(stop, SealiftError) else f"{stop}."
        return FailedError(
            "init-unfinished",
            f"The set-up was stopped before its end: {why} {self._left}",
            subject=str(self.home.root),
            next_step="Run the same command again: it finishes the set-up, or says that nothing "
            "was founded.",
        )


def finish(home: Home, environment: Mapping[str, str], offline: Path | None = None) -> bool:
    """Whether a set-up of this very hub was stopped after it was founded; it is finished now.

    `home` has the settings that are asked for, and `offline` is where the offline keys are.

    Raises:
        UsageError: it was begun with other settings, or other offline keys.
        FailedError: its database cannot be asked.
    """
    waits = settings_file.waits(home)
    if waits is None:
        return False
    there = with_environment(home, environment)
    online = OnlineKeys(home.keys, environment)
    if not online.has_public(own_database.LOG):
        return False
    if not waits:
        raise _otherwise(home, "with other settings")
    if not there.settings.database.url and not home.database_file.is_file():
        return False
    with closing(database_of(there)) as database, database.in_words():
        database.bring_up_to_date()
        # Behind every writer: a commit that is still under way is seen, or will never be.
        with database.writing() as connection, connection.begin():
            organisation = _own(there, online, database, connection)
            if organisation is None:
                return False
            if offline is not None and not _is_of(connection, offline):
                raise _otherwise(home, f"and its offline keys are not in {offline}")
    end(home, environment, organisation)
    return True


def end(home: Home, environment: Mapping[str, str], organisation: str) -> None:
    """The end of every set-up: its settings are put in force, and its bucket is claimed."""
    settings_file.put_in_force(home)
    with suppress(SealiftError):  # else whatever is written first does it, or is told why not
        replace(with_environment(home, environment), organisation=organisation).claim_blobs()


def _own(home: Home, online: OnlineKeys, database: Database, connection: Connection) -> str | None:
    """The organisation that was founded here; None where there is none, or another's."""
    if newest(connection) is None:
        return None
    try:
        own_database.check(home, online, database, connection)
    except FailedError:
        return None
    return Repository(connection).organisation()


def _is_of(connection: Connection, offline: Path) -> bool:
    path = first_offline_key(offline)
    known = Repository(connection).root().signed.keys
    return path.exists() and keys.read_public(str(path)).keyid in known


def _may_hold(database: Database, organisation: str) -> bool:
    try:
        with database.writing() as connection, connection.begin():
            return (
                newest(connection) is not None
                and Repository(connection).organisation() == organisation
            )
    except Exception:  # noqa: BLE001 - whatever it was, it says nothing of the commit
        return True


def _otherwise(home: Home, how: str) -> UsageError:
    return UsageError(
        "init-otherwise",
        f"{home.root} holds a set-up that did not finish, {how}.",
        subject=str(home.root),
        next_step="Run sealift init as it was run there first. "
        f"What it was told is in {home.root / settings_file.WAITING}.",
    )
