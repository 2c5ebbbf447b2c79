"""What came home from a site and was kept: read again as the site's own key signed it.

It was verified when it came. The rows are data all the same: by what they say a bundle leaves blobs
out, and people are told what runs where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, select

from sealift_registry.delivery import enrolments, tables
from sealift_registry.delivery.sites import Site, Sites
from sealift_signing import statements
from sealift_signing.errors import RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Receipt, Signed, Transfer
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import site_origin
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash


def note(connection: Connection, site: Site) -> str | None:
    """The last checkpoint of the site's log that the hub accepted, a signed note.

    Raises:
        RefusedError: the newest row is none that the site signed.
    """
    t = tables.site_checkpoint
    query = (
        select(t)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment)
        .order_by(t.c.size.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    try:
        said = checkpoint.verify(bytes(row.note), site.key, site_origin(site.organisation, site.id))
    except RefusedError as bad:
        raise _not_signed(site.id, "a checkpoint of the log", bad.what) from bad
    if (said.size, said.root) != (row.size, bytes(row.root)):
        raise _not_signed(
            site.id, "a checkpoint of the log", "its columns say other than its note."
        )
    return bytes(row.note).decode()


def entries(connection: Connection, site: Site) -> list[bytes]:
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
    found = note(connection, site)
    said = checkpoint.claimed(found.encode()) if found else None
    bodies = [bytes(row.body) for row in rows]
    if said is None and not bodies:
        return []
    whole = [row.seq for row in rows] == list(range(said.size if said else 0))
    if not whole or said is None or _root(bodies) != said.root:
        raise _not_signed(site.id, "the log", "its entries are not those of its newest checkpoint.")
    return bodies


def receipts(connection: Connection, site: Site) -> list[Signed[Receipt]]:
    """The receipts of this enrolment of the site.

    Raises:
        RefusedError: one of them is none that the site signed.
    """
    return list(_receipts(connection, site.organisation, site.id, {site.enrolment: site.key}))


def receipt_for(connection: Connection, transfer: Transfer) -> Signed[Receipt] | None:
    """The receipt for a transfer, of whichever enrolment of its site; None where none came home.

    Raises:
        RefusedError: it is none that the site signed, with the key that it had then.
    """
    every = Sites(connection).enrolments(transfer.site)
    keys = {one.answer.sha256: PublicKey.parse(one.request.predicate.key) for one in every}
    found = _receipts(connection, transfer.organisation, transfer.site, keys)
    return next((one for one in found if one.predicate.transfer == transfer.id), None)


def _receipts(
    connection: Connection, organisation: str, site: str, keys: Mapping[str, PublicKey]
) -> Iterator[Signed[Receipt]]:
    """Those that are of one of these enrolments, each verified by the key that it names."""
    t = tables.receipt
    query = select(t.c.sha256, t.c.transfer, t.c.body).where(t.c.site == site)
    for row in connection.execute(query):
        what = f"the receipt for {row.transfer}"
        try:
            one = statements.read(Receipt, bytes(row.body), what=what)
            key = keys.get(one.predicate.enrolment)
            if key is None:
                continue  # of another enrolment
            statements.verify(one, key, what=what)
        except RefusedError as bad:
            raise _not_signed(site, what, bad.what) from bad
        said = one.predicate
        place = (said.organisation, said.site, said.transfer, one.sha256)
        if place != (organisation, site, row.transfer, row.sha256):
            raise _not_signed(site, what, "it is of something else.")
        yield one


def _root(bodies: list[bytes]) -> bytes:
    return Frontier().extended([leaf_hash(body) for body in bodies]).root


def _not_signed(site: str, what: str, why: str) -> RefusedError:
    return RefusedError(
        "home-row-not-signed",
        f"What the database has as {what} of site {site} is not what the site signed: {why}",
        subject=site,
        next_step=enrolments.NEXT,
    )
