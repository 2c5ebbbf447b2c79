"""Which engine a hub has: one in its home, or, where its database is at a server, one there.

Nothing but this loads one: it takes most of a second, and needs what not everybody installs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealift_registry.storage.database import Database
from sealift_registry.storage.home import Home
from sealift_registry.storage.host import this_host
from sealift_signing.errors import FailedError

if TYPE_CHECKING:
    from sealift_registry.jobs.engine import Engine


def open_engine(home: Home, database: Database) -> Engine:
    """The engine of the hub at `home`, whose database this is.

    Raises:
        FailedError: it is not installed; or what it keeps cannot be used.
    """
    try:
        import dbos  # noqa: F401 - only whether it is there
    except ImportError as bad:
        raise FailedError(
            "engine-missing",
            "What keeps jobs and works at them is not installed here.",
            subject="dbos",
            next_step="Install sealift-registry[jobs]. Without it everything can be done in the "
            "foreground: leave --detach out.",
        ) from bad
    from sealift_registry.jobs.dbos_embedded import embedded
    from sealift_registry.jobs.dbos_engine import DbosEngine

    if not database.is_shared:
        return DbosEngine(embedded(home.root), this_host(home.root))
    from sealift_registry.jobs.dbos_shared import shared

    return DbosEngine(shared(database), this_host(home.root))
