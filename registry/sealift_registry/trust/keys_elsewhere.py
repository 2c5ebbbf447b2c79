"""Online keys that another process has replaced: the old ones sign nothing here.

`sealift key rotate` makes the new key on one host. Another one goes on with what its administrator
copied there, until the copy is made anew; a process that runs has the old one open. What TUF's
roles and evidence name is told from the key file at each signature (`OnlineKeys.signer_for`); the
log's signer stays open, and is asked here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from sealift_registry.trust import key_rotation
from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Repository
from sealift_signing import roles
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.public_key import PublicKey


class LogKeyCheck:
    """Asked, with the log as others left it, whether a key may still sign it."""

    def __init__(self, online: OnlineKeys) -> None:
        self._online = online
        self._file = online.path(key_rotation.LOG)
        self._seen: tuple[int | None, bytes] | None = None

    def __call__(self, connection: Connection, key: PublicKey) -> None:
        """Check that the fleet names `key`.

        Where it cannot be told whom it names, nobody could mend that if this said no: the log then
        goes on from a checkpoint of this very key, or not at all.

        Raises:
            FailedError: it names another one, or has never heard of it.
        """
        seen = (Repository(connection).stored.rows.newest(roles.FLEET), key.raw)
        if seen == self._seen:
            return
        try:
            held = key_rotation.held_as(Repository(connection), key_rotation.LOG)
        except SealiftError:
            return
        if key not in held:
            listed = {one.key for one in Repository(connection).fleet_keys().keys}
            if key.text not in listed:
                raise self._lost()
            raise self._replaced(held)
        self._seen = seen

    def _replaced(self, held: Sequence[PublicKey]) -> FailedError:
        here = (self._online.public(key_rotation.LOG), self._online.following(key_rotation.LOG))
        if any(one in held for one in here):
            return FailedError(
                "log-key-replaced",
                "The key of the log was replaced while this process had the old one open.",
                subject=str(self._file),
                next_step="Try again: the new one lies beside it.",
            )
        return FailedError(
            "log-key-replaced",
            "The key of the log was replaced, and this host still has the old one.",
            subject=str(self._file),
            next_step="Copy log.pem and log.pem.pub from keys/ of the host on which it was "
            f"replaced to {self._file.parent}, and run the command again.",
        )

    def _lost(self) -> FailedError:
        """A key is in the list for ever: where it is not, the list is an older one."""
        return FailedError(
            "log-key-lost",
            "The database does not know the key of the log that this host has: it lost that the "
            "log's key was replaced, and all that was signed since.",
            subject=str(self._file),
            next_step="Bring back the server, or the backup, that knows this key. Do not bring the "
            "old key back: it would sign a second history.",
        )


def verifying_key(online: OnlineKeys, connection: Connection) -> PublicKey:
    """The key by which to verify the log here: this host's own, unless the fleet names another."""
    own = online.public(key_rotation.LOG)
    try:
        held = key_rotation.held_as(Repository(connection), key_rotation.LOG)
    except SealiftError:
        return own
    return own if own in held or not held else held[-1]


def catalog_key(online: OnlineKeys, connection: Connection) -> PublicKey:
    """The key that signs catalogs today, which a new team's is to be signed by.

    Raises:
        FailedError: this host does not have it.
    """
    held = key_rotation.held_as(Repository(connection), "catalog")
    if not held:
        return online.public("catalog")
    return PublicKey.from_tuf(online.signer_for("catalog", held).public_key)
