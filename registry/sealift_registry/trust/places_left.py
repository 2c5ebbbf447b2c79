"""Places that this hub has left: kept in the home, for such a place may forget it.

A database says itself that it was left (`audit.moved`). Restored to a moment before that, or failed
over to a server that never heard of it, it would take entries again. The last entry of its log says
whereto the hub went (`hub.leaving`), and every later place holds it. So a database that lacks one
which this home knows is one that was left, whatever it says, and is not opened.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, select

from sealift_registry.audit import moved
from sealift_registry.audit.newest_checkpoint import NewestCheckpoint
from sealift_registry.audit.tables import log_checkpoint
from sealift_registry.storage.database import Database
from sealift_registry.storage.home import Home
from sealift_registry.trust import whereabouts
from sealift_registry.trust.hub import newest_note
from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Repository
from sealift_signing import disk
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_sync import durable

FILE = "places-left"
"""In the home: a line for each, `[size, root, whereto]` as JSON."""
LARGEST = 1024 * 1024
"""Bytes of that file."""


class Leaving(NamedTuple):
    """How a log ended at a place: its size and root then, and whereto the hub went."""

    size: int
    root: str
    whereto: str


def check(home: Home, database: Database, connection: Connection) -> None:
    """Check that a database is none that this home knows to have been left.

    One that says itself that it was, or that it is a copy which does not count, takes no entry.

    Raises:
        FailedError: it is one, or what this home knows cannot be read.
    """
    known = _known(home)
    if not known:  # nearly always
        return
    arrives = moved.comes_from(moved.history(connection)) is not None
    try:
        if arrives or whereabouts.went_to(connection) is not None:
            return
    except FailedError:
        return  # the writer asks the same, and takes nothing; fsck is to name what is damaged
    for one in known:
        if not _knows(connection, one):
            raise _left(home, database, one)


def learn(home: Home, online: OnlineKeys, connection: Connection) -> None:
    """Keep in the home how the log ended in a database that was left, if it says that it was.

    It stays there for ever, and says where people are to go: so only what the log's key signed.

    Raises:
        FailedError: it could not be kept; or the log there is not the one that was signed.
    """
    whereto = whereabouts.went_to(connection)
    if whereto is None:
        return
    ended = whereabouts.edge(connection)
    keep_newest(home, online, connection)
    one = Leaving(ended.size, ended.root.hex(), whereto)
    known = _known(home)
    if one not in known:
        lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in (*known, one)]
        durable.write(home.root / FILE, "".join(lines).encode())


def keep_newest(home: Home, online: OnlineKeys, connection: Connection) -> None:
    """Keep in the home what its log's key signed last, by the database.

    Raises:
        FailedError: it could not be kept.
    """
    from sealift_registry.trust import key_rotation  # which asks here before it drafts

    key = key_rotation.log_signer(online, connection)
    origin = hub_origin(Repository(connection).organisation())
    with suppress(RefusedError):  # by a key from before, which binds nobody any more
        NewestCheckpoint(home.newest_checkpoint).take(newest_note(connection), key, origin)


def _known(home: Home) -> tuple[Leaving, ...]:
    path = home.root / FILE
    try:
        lines = disk.read(path, LARGEST).decode().splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as bad:
        raise _unusable(path) from bad
    try:
        found = tuple(Leaving(*json.loads(line)) for line in lines)
        whole = all(type(one.size) is int and len(bytes.fromhex(one.root)) for one in found)
    except (ValueError, TypeError) as bad:
        raise _unusable(path) from bad
    if not whole:
        raise _unusable(path)
    return found


def _knows(connection: Connection, one: Leaving) -> bool:
    """Whether the log's checkpoint then is there.

    Where its entries are not, nobody is sent anywhere: the log is damaged, or somebody put that row
    there. The writer takes nothing then, and `sealift audit verify` names what is missing.
    """
    query = select(log_checkpoint.c.root).where(log_checkpoint.c.size == one.size)
    root = connection.execute(query).scalar()
    return root is not None and bytes(root).hex() == one.root


def _unusable(path: Path) -> FailedError:
    return FailedError(
        "places-left-unusable",
        f"{path}, in which this home keeps which places the hub has left, cannot be read.",
        subject=str(path),
        next_step="Restore it from a backup of the home, or copy it from another host of this hub.",
    )


def _left(home: Home, database: Database, one: Leaving) -> FailedError:
    return FailedError(
        "database-left",
        f"The database {database.where} does not know that this hub went to {one.whereto} after "
        f"{one.size} entries of its log: it was put back to a moment before, and is not opened.",
        subject=one.whereto,
        next_step=f"Work with {one.whereto}: an address is named as database.url in settings.toml; "
        "a file is in the home of one machine, and any other is put away. Only where every later "
        f"place is lost for ever: take the line of {one.whereto} out of {home.root / FILE}; what "
        "is missing is then given up as docs/how-to/lost-and-found.md says.",
    )
