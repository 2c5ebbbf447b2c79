"""What came home of a site's log and was kept: read again as the site's own key signed it.

It was verified when it came. The rows are data all the same: by what they say people are told what
runs where.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, select

from sealift_registry.delivery import enrolments, tables
from sealift_registry.delivery.sites import EnrolledSite
from sealift_signing.errors import RefusedError
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, site_origin
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash

AnyRow = Row[tuple[Any, ...]]


def note(connection: Connection, site: EnrolledSite) -> str | None:
    """The last checkpoint of the site's log that the hub accepted, a signed note.

    Raises:
        RefusedError: the newest row is none that the site signed.
    """
    row = _newest_row(connection, site)
    if row is None:
        return None
    _signed(site, row)
    return bytes(row.note).decode()


def newest_checkpoint(connection: Connection, site: EnrolledSite) -> Checkpoint | None:
    """The same, as what it says.

    Raises:
        RefusedError: as `note`.
    """
    row = _newest_row(connection, site)
    return None if row is None else _signed(site, row)


def checkpoint_of(connection: Connection, site: EnrolledSite, size: int) -> Checkpoint | None:
    """The checkpoint of the site's log that the hub accepted when that had `size` entries.

    Raises:
        RefusedError: the row is none that the site signed.
    """
    t = tables.site_checkpoint
    query = _checkpoints(site).where(t.c.size == size)
    row = connection.execute(query).first()
    return None if row is None else _signed(site, row)


def _newest_row(connection: Connection, site: EnrolledSite) -> AnyRow | None:
    query = _checkpoints(site).order_by(tables.site_checkpoint.c.size.desc()).limit(1)
    return connection.execute(query).first()


def _checkpoints(site: EnrolledSite) -> Select[Any]:
    t = tables.site_checkpoint
    return select(t).where(t.c.site == site.id, t.c.enrolment == site.enrolment)


def _signed(site: EnrolledSite, row: AnyRow) -> Checkpoint:
    what = "a checkpoint of the log"
    try:
        said = checkpoint.verify(bytes(row.note), site.key, site_origin(site.organisation, site.id))
    except RefusedError as bad:
        raise not_signed(site.id, what, bad.what) from bad
    if (said.size, said.root) != (row.size, bytes(row.root)):
        raise not_signed(site.id, what, "its columns say other than its note.")
    return said


def entries(connection: Connection, site: EnrolledSite) -> list[bytes]:
    """The entries of the site's log that came home, in order: those that it signed for.

    Raises:
        RefusedError: they are not those of the checkpoint.
    """
    t = tables.site_entry
    query = (
        select(t.c.seq, t.c.body)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment)
        .order_by(t.c.seq)
    )
    rows = connection.execute(query).all()
    said = newest_checkpoint(connection, site)
    bodies = [bytes(row.body) for row in rows]
    if said is None and not bodies:
        return []
    whole = [row.seq for row in rows] == list(range(said.size if said else 0))
    if not whole or said is None or _root(bodies) != said.root:
        raise not_signed(site.id, "the log", "its entries are not those of its newest checkpoint.")
    return bodies


def _root(bodies: list[bytes]) -> bytes:
    return Frontier().extended([leaf_hash(body) for body in bodies]).root


def not_signed(site: str, what: str, why: str) -> RefusedError:
    """The refusal of a row of what came home from a site that is none that the site signed."""
    return RefusedError(
        "home-row-not-signed",
        f"What the database has as {what} of site {site} is not what the site signed: {why}",
        subject=site,
        next_step=enrolments.NEXT,
    )
