"""Whether the database that a home names holds this hub, and not another's.

A database in the home itself always does. One on a server is named by a setting, which may be
written wrongly: a hub that went on there would sign another organisation's log with its own keys,
and show its people what is none of theirs.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection

from sealift_registry.storage.database import Database
from sealift_registry.storage.home import Home
from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Repository
from sealift_signing import disk, roles
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.tuf_walk import LARGEST

FIRST_ROOT = f"1.{roles.ROOT}.json"
LOG = "log"


def check(home: Home, online: OnlineKeys, database: Database, connection: Connection) -> None:
    """Check that what `database` holds is this home's: its organisation, and its log's key.

    A home that was made of settings and keys alone has no copy of the first root yet.

    Raises:
        FailedError: it is another hub's.
    """
    repository = Repository(connection)
    try:
        first = disk.read(home.metadata / FIRST_ROOT, LARGEST)
    except OSError:
        first = None
    if first is not None and sha256(first).hexdigest() != repository.organisation():
        raise _another(database, "it is of another organisation")
    keys = {key.text for key in online.every_public(LOG)}
    try:
        known = {one.key for one in repository.fleet_keys().keys}
    except SealiftError:
        if first is None:
            raise
        return  # it is this hub's, and was damaged: fsck is to name where
    # A backup of the database may be older than the newest key, and newer than none.
    if keys and keys.isdisjoint(known):
        raise _another(database, "its log has never been signed with a key that lies here")


def _another(database: Database, why: str) -> FailedError:
    return FailedError(
        "database-of-another-hub",
        f"The database {database.where} holds another hub than this home's: {why}.",
        subject=database.where,
        next_step="Name this hub's own database in database.url (settings.toml, or the environment "
        "variable SEALIFT_DATABASE__URL).",
    )
