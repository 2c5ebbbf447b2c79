"""A hub that was restored from a backup signed more of its log than it knows, and must notice.

If it went on it would sign a second history under its own key. Each of its bundles carries a
checkpoint of the log, and each site's log says which one it took: so what the hub signed itself
comes home. Only what the log's key of today signed counts: a site's key, or one of the hub's that
was replaced, stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select

from sealift_registry.audit.tables import log_checkpoint, seen_ahead
from sealift_registry.storage import file_lock
from sealift_registry.storage.engine import IMMEDIATE
from sealift_signing.errors import RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint


class RestoredError(RefusedError):
    """This database is older than what its hub has signed."""


def is_remembered(connection: Connection) -> bool:
    """Whether anything was found out; whether it counts today is another question."""
    return connection.execute(select(seen_ahead.c.note).limit(1)).first() is not None


def seen(connection: Connection, key: PublicKey, origin: str) -> list[Checkpoint]:
    """What `key` signed, was found out, and this database does not hold; the smallest first."""
    notes = connection.execute(select(seen_ahead.c.note)).scalars()
    return _missing(connection, notes, key, origin)


def notice(
    engine: Engine, lock_path: Path, notes: Iterable[bytes], key: PublicKey, origin: str
) -> None:
    """Check that this database holds every one of `notes` that `key` signed; ignore the others.

    What it does not hold is remembered first, in a transaction of its own and without an entry,
    for an entry would begin the second history.

    Raises:
        RestoredError: the database is a restored backup.
    """
    given = dict(_verified(notes, key, origin))
    if not given:
        return
    with file_lock.held(lock_path), engine.connect() as connection:
        connection.execution_options(**IMMEDIATE)
        with connection.begin():
            new = [one for one, said in given.items() if not _holds(connection, said)]
            known = set(connection.execute(select(seen_ahead.c.note)).scalars())
            for note in {max(new, key=lambda one: given[one].size)} - known if new else ():
                connection.execute(insert(seen_ahead).values(note=note))
    if new:
        raise restored(max((given[one] for one in new), key=lambda one: one.size))


def restored(said: Checkpoint) -> RestoredError:
    """The refusal, where `said` was signed."""
    return RestoredError(
        "hub-restored",
        f"This hub once signed {said.size} entries of its log, and they are not the ones in this "
        "database: it was restored from a backup. It signs nothing more.",
        subject=said.origin,
        next_step="Restore the newest backup of the hub's home. Is there none that holds them, or "
        "did somebody else sign with the log's key, then a fleet administrator replaces that key: "
        "sealift key rotate log",
    )


def _missing(
    connection: Connection, notes: Iterable[bytes], key: PublicKey, origin: str
) -> list[Checkpoint]:
    found = (said for _, said in _verified(notes, key, origin))
    return sorted((one for one in found if not _holds(connection, one)), key=lambda one: one.size)


def _verified(
    notes: Iterable[bytes], key: PublicKey, origin: str
) -> Iterator[tuple[bytes, Checkpoint]]:
    for note in notes:
        with suppress(RefusedError):
            yield note, checkpoint.verify(note, key, origin)


def _holds(connection: Connection, said: Checkpoint) -> bool:
    """Whether a commit ended there; each signs one checkpoint, and there are no others."""
    query = select(log_checkpoint.c.root).where(log_checkpoint.c.size == said.size)
    return not said.size or connection.execute(query).scalar() == said.root
