"""Whether this hub may sign: not by a wrong clock, not as a restored backup, not once it moved.

The log's writer asks the same of every entry, under its lock, and decides. Here it is asked before
slow work, before anybody's signature, and for who only looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from sqlalchemy import Connection
from sqlalchemy.exc import NoResultFound

from sealift_registry.audit import admission, newest_checkpoint, restored_backup
from sealift_registry.audit.moved import MovedHubError
from sealift_registry.storage.writable import is_read_only
from sealift_registry.trust import places_left, whereabouts
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency.checkpoint import Checkpoint, hub_origin


def replaces_log(act: str, of: Sequence[str]) -> bool:
    """Whether an act gives the log another key: the only one that a restored hub takes."""
    return (act, *of) == ("rotate-keys", "log")


def check(hub: Hub, connection: Connection, *, replaces_key: bool = False) -> None:
    """Check that the log would take an entry that is made now.

    Args:
        hub: whose log it is.
        connection: to read through.
        replaces_key: it is to name another key of the log; a restored hub takes that, too.

    Raises:
        ClockError: this machine's clock cannot be right.
        MovedHubError: the hub is elsewhere.
        FailedError: whether it is cannot be told: the log is not what was signed.
        RestoredError: the database is a restored backup.
    """
    elsewhere: SealiftError | None
    try:
        elsewhere = whereabouts.refusal(connection, hub.home.blobs_place)
    except FailedError as bad:
        elsewhere = bad
    if isinstance(elsewhere, MovedHubError):
        raise elsewhere
    if not replaces_key:
        _check_not_restored(connection)
    if elsewhere is not None:
        raise elsewhere
    admission.check_clock(hub.log.dated(), admission.newest(connection), hub.log.stated)


def problems(hub: Hub) -> list[SealiftError]:
    """Why the hub signs nothing now, for who only looks."""
    found: list[SealiftError] = []
    with hub.reading() as connection:
        for replaces_key in (False, True):
            try:
                check(hub, connection, replaces_key=replaces_key)
            except RefusedError as bad:
                found.append(bad)
            except FailedError as bad:
                if bad.code != "log-damaged":
                    raise
                found.append(bad)
    return list({one.code: one for one in found}.values())


def notice(hub: Hub, notes: Iterable[bytes]) -> None:
    """Check that this database holds every checkpoint in `notes` that the log's key signed.

    Who signed them is all that counts, and not where they were found: nobody but the hub can sign
    one, so nobody else can stop it.

    Raises:
        RestoredError: it does not; that is remembered.
    """
    with hub.reading() as connection:
        key, origin = _log(connection)
    if key is not None:
        with hub.database.in_words():
            restored_backup.notice(hub.database, notes, key, origin)


def seen(connection: Connection, notes: Iterable[bytes] = ()) -> list[Checkpoint]:
    """The checkpoints that were found out, count today, and are not in this database.

    Of `notes`, too, which were read before the state that `connection` sees.
    """
    notes = tuple(notes)
    if not notes and not restored_backup.is_remembered(connection):
        return []
    key, origin = _log(connection)
    return [] if key is None else restored_backup.seen(connection, key, origin, notes)


def kept(hub: Hub) -> tuple[bytes, ...]:
    """What this home's hub signed last, where it keeps that."""
    return newest_checkpoint.notes(hub.home.newest_checkpoint)


def notice_lost(hub: Hub) -> None:
    """Have a database that lost what this home signed say so to whoever asks.

    Where that cannot be done now, the log's writer refuses all the same.
    """
    notes = kept(hub)
    if notes:
        with suppress(SealiftError):
            notice(hub, notes)


def keep(hub: Hub) -> None:
    """Have a home that is served keep what its hub signs last, also where its rows are in it.

    Desks and sites were told of what was signed, and somebody may put an older database there.

    Raises:
        FailedError: it could not be kept.
    """
    if hub.database.is_shared or is_read_only(hub.home.root):
        return
    with hub.reading() as connection:
        places_left.keep_newest(hub.home, hub.online, connection)
    hub.log.keep_in(newest_checkpoint.NewestCheckpoint(hub.home.newest_checkpoint))


def learn(hub: Hub) -> None:
    """Have a home of several know what its database says: where its log ended when it was left.

    A home that keeps no newest checkpoint yet takes it from the log, as it is there.
    """
    if not hub.database.is_shared or is_read_only(hub.home.root):
        return
    # A log that somebody emptied has nothing to be learnt, and the writer refuses it.
    with suppress(SealiftError, NoResultFound), hub.reading() as connection:
        places_left.learn(hub.home, hub.online, connection)
        if not hub.home.newest_checkpoint.exists():
            places_left.keep_newest(hub.home, hub.online, connection)


def _check_not_restored(connection: Connection) -> None:
    found = seen(connection)
    if found:
        raise restored_backup.restored(found[-1])


def _log(connection: Connection) -> tuple[PublicKey | None, str]:
    """The log's key of today and its name; a log without a key has signed nothing that counts."""
    repository = Repository(connection)
    origin = hub_origin(repository.organisation())
    try:
        return repository.log_key(), origin
    except NotFoundError:
        return None, origin
