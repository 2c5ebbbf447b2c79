"""A hub that was restored from a backup signed more of its log than it knows, and must notice.

If it went on it would sign a second history under its own key. Each of its bundles carries a
checkpoint of the log, and each site's log says which one it took: so what the hub signed itself
comes home. Only what the log's key of today signed counts: a site's key, or one of the hub's that
was replaced, stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from sqlalchemy import Connection, insert, select

from sealift_registry.audit import edge
from sealift_registry.audit.newest_checkpoint import Kept
from sealift_registry.audit.tables import seen_ahead
from sealift_registry.storage.database import Database
from sealift_signing.errors import RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint


class RestoredHubError(RefusedError):
    """This database is older than what its hub has signed."""


def is_remembered(connection: Connection) -> bool:
    """Whether anything was found out; whether it counts today is another question."""
    return connection.execute(select(seen_ahead.c.note).limit(1)).first() is not None


def seen(
    connection: Connection, key: PublicKey, origin: str, more: Sequence[bytes] = ()
) -> list[Checkpoint]:
    """What `key` signed, was found out, and this database does not hold; the smallest first.

    `more` was found out, too, and is not in the database yet.
    """
    notes = {*connection.execute(select(seen_ahead.c.note)).scalars(), *more}
    found = [said for _, said in _verified(notes, key, origin) if not _holds(connection, said)]
    return sorted(found, key=lambda one: one.size)


def knows(connection: Connection, kept: Kept) -> bool:
    """Whether this database holds what its home signed last, or says by itself that it does not."""
    if _holds(connection, kept.said):
        return True
    query = select(seen_ahead.c.note).where(seen_ahead.c.note == kept.note)
    return connection.execute(query).first() is not None


def remember(database: Database, note: bytes) -> None:
    """Have this database say, to whoever asks, that it lacks the checkpoint `note`."""
    with database.writing() as connection, connection.begin():
        if note not in set(connection.execute(select(seen_ahead.c.note)).scalars()):
            connection.execute(insert(seen_ahead).values(note=note))


def notice(database: Database, notes: Iterable[bytes], key: PublicKey, origin: str) -> None:
    """Check that this database holds every one of `notes` that `key` signed; ignore the others.

    What it does not hold is remembered first, in a transaction of its own and without an entry,
    for an entry would begin the second history.

    Raises:
        RestoredError: the database is a restored backup.
    """
    given = _verified(notes, key, origin)
    with database.reading() as connection:
        given = [one for one in given if not _holds(connection, one[1])]
    if not given:
        return  # mostly; nobody has to wait for that
    with database.writing() as connection, connection.begin():
        # Again: another process may have signed it after we had looked.
        given = [one for one in given if not _holds(connection, one[1])]
        if not given:
            return
        note, said = max(given, key=lambda one: one[1].size)
        if note not in set(connection.execute(select(seen_ahead.c.note)).scalars()):
            connection.execute(insert(seen_ahead).values(note=note))
    raise restored(said)


def restored(said: Checkpoint) -> RestoredHubError:
    """The refusal, where `said` was signed."""
    return RestoredHubError(
        "hub-restored",
        f"This hub once signed {said.size} entries of its log, and they are not the ones in this "
        "database: it was restored from a backup, or its server failed over to one that lacks "
        "them. It no longer signs anything.",
        subject=said.origin,
        next_step="Restore the newest backup of the hub's home, or bring back the server that "
        "holds them. If none does, or if somebody else signed with the log's key, two fleet "
        "administrators replace that key: sealift key rotate log. Step by step: "
        "docs/how-to/lost-and-found.md",
    )


def _verified(
    notes: Iterable[bytes], key: PublicKey, origin: str
) -> list[tuple[bytes, Checkpoint]]:
    found = []
    for note in notes:
        with suppress(RefusedError):
            found.append((note, checkpoint.verify(note, key, origin)))
    return found


def _holds(connection: Connection, said: Checkpoint) -> bool:
    """Whether a commit ended there, and its entries are there, too.

    Its checkpoint alone is put back by whoever may add rows, where a server has lost the entries.
    """
    return edge.holds(connection, said.size, said.root)
