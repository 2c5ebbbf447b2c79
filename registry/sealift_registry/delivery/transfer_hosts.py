"""A transfer names the host that began it: there its medium is, and its draft waits to be signed.

Several hosts may use one database, and none of them sees what another has written to a medium. What
is whole on a medium that was carried elsewhere is finished there all the same: it is hashed first.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from sealift_registry.delivery import transfers
from sealift_registry.delivery.sites import EnrolledSite
from sealift_registry.delivery.transfers import Begun
from sealift_registry.storage import host
from sealift_registry.trust.hub import Hub
from sealift_signing.errors import RefusedError

UNNAMED = "another host"


def columns(hub: Hub) -> dict[str, str]:
    """What a row of `transfer` says of this host; ask for it as the one writer.

    Raises:
        FailedError: this host has no id yet, and could not be given one.
    """
    here = host.this_host(hub.home.root)
    return {"host": here.id, "host_name": here.name}


def elsewhere(hub: Hub, host_id: str | None, host_name: str | None) -> str | None:
    """The name of the other host on which a transfer was begun; None where that was this one.

    A transfer that names none is from a time when there was one host. A database in the home goes
    wherever that goes, and knows no other.
    """
    if not hub.database.is_shared or host_id in (None, host.known(hub.home.root)):
        return None
    return host_name or UNNAMED


def checked_here(hub: Hub, same: Begun, site: EnrolledSite) -> Begun:
    """`same`, if it is recorded, or this host is the one to go on with it.

    Raises:
        RefusedError: another host is.
    """
    other = elsewhere(hub, same.host, same.host_name) if same.body is None else None
    if other is None:
        return same
    raise RefusedError(
        "transfer-elsewhere",
        f"{same.id} was begun on {other} at {same.begun}, and its medium is there.",
        subject=same.id,
        next_step=f"Go on with it there: sealift export {site.id} --to DIR; or, here, begin "
        "another one that takes its place, with --anew.",
    )


def unfinished(hub: Hub, connection: Connection, site: EnrolledSite) -> tuple[str, str] | None:
    """The site's newest transfer, and the other host that goes on with it; None where none does."""
    return _unfinished(hub, transfers.newest(connection, site), site)


def _unfinished(hub: Hub, newest: Begun | None, site: EnrolledSite) -> tuple[str, str] | None:
    if newest is None or newest.body is not None or newest.enrolment != site.enrolment:
        return None
    other = elsewhere(hub, newest.host, newest.host_name)
    return None if other is None else (newest.id, other)


def replaced(hub: Hub, newest: Begun | None, site: EnrolledSite) -> Iterator[str]:
    """What to say of an unfinished transfer that another host began, where a new one is begun."""
    found = _unfinished(hub, newest, site)
    if newest is not None and found is not None:
        _, other = found
        yield (
            f"{newest.id}, begun {newest.begun} on {other}, is replaced by this: what is written "
            "or signed of it there is of no use."
        )
