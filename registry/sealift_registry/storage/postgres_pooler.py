"""Whether a session of ours is one at the server: a pooler may change it between transactions.

Behind one that does, a lock that is to be held for long is held by whoever comes next, and our next
transaction is not the session that has it: pgbouncer's `pool_mode = transaction`, and what is like
it. Poolers tell each client a process of the server's that is none. Where that is so, two sessions
are asked in turn which process they are: they never meet where each has its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, Engine, text

from sealift_signing.errors import FailedError

if TYPE_CHECKING:
    from sealift_registry.storage.postgres_connection import HubConnection

NEXT = (
    "Have the pooler leave each client its session (pgbouncer: pool_mode = session), or name the "
    "server itself in its address."
)
PROCESS = "pg_catalog.pg_backend_pid()"
"""The server's process that a session is."""
_TIMES = 3
"""In between others may take the session that would be ours again."""
_ASKED = text(f"SELECT {PROCESS}")


def changes(connection: Connection, engine: Engine) -> bool:
    """Whether transactions of `connection` may be of several sessions.

    Args:
        connection: in no transaction.
        engine: gives another one, to the same server.
    """
    own = _process(connection)
    raw = cast("HubConnection", connection.connection.dbapi_connection)
    if own == raw.info.backend_pid:
        return False
    for _ in range(_TIMES):
        # Twice: where the one that waited longest comes next, ours would come round.
        if own != _process(connection) or own != _process(connection):
            return True
        with engine.connect() as other:
            if own == _process(other):
                return True
    return own != _process(connection)


def check(connection: Connection, engine: Engine, where: str) -> None:
    """Check that they are of one; `where` names the database.

    Raises:
        FailedError: they may be of several.
    """
    if changes(connection, engine):
        raise FailedError(
            "database-pooled",
            f"A pooler before the database {where} gives each transaction another session, and a "
            "lock that is to be held for long would be lost.",
            subject=where,
            next_step=NEXT,
        )


def _process(connection: Connection) -> int:
    with connection.begin():
        found: int = connection.execute(_ASKED).scalar_one()
    return found
