"""Transfers: a list of them, and all about one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, tuple_

from sealift_registry.catalog.pages import PagePlace
from sealift_registry.delivery import (
    receipts,
    tables,
    transfer_hosts,
    transfers,
    unsigned_transfers,
)
from sealift_registry.delivery.sites import Sites
from sealift_registry.delivery.unsigned_transfers import UnsignedTransfer
from sealift_registry.storage.within import ALL, Within
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.views.pages import Page, page_rows, told_or_refused
from sealift_signing.errors import NotFoundError
from sealift_signing.statements import Receipt, Signed, Transfer


@dataclass(frozen=True)
class BegunView:
    """A transfer that was begun, and that nobody vouched for yet.

    Attributes:
        taken_by: the newer transfer that took its place; None where none did.
        waits: where it waits to be signed; None where it is not written whole, or elsewhere.
        elsewhere: the other host that goes on with it; None where this one does.
    """

    id: str
    site: str
    begun: str
    taken_by: str | None
    waits: UnsignedTransfer | None
    elsewhere: str | None = None


@dataclass(frozen=True)
class TransferView:
    """All about a transfer that a dispatcher signed.

    Attributes:
        medium: where it was written to, as the hub says.
        receipt: what its site answered; None where nothing came home yet.
    """

    transfer: Signed[Transfer]
    medium: str
    receipt: Signed[Receipt] | None


@dataclass(frozen=True)
class TransferRow:
    """A transfer in a list.

    Attributes:
        made: when its dispatcher signed it; None while nobody has.
        answered: when its receipt was made; None where none came home yet.
        host: the one that goes on with it while it is not signed; None where that is not known.
        host_name: how people call that.
    """

    id: str
    site: str
    begun: str
    made: str | None
    answered: str | None
    host: str | None
    host_name: str | None


def transfer(hub: Hub, connection: Connection, name: str) -> TransferView | BegunView | None:
    """All about one transfer; None where nothing is called so.

    Raises:
        RefusedError: what the database has of it is not what was signed.
    """
    t = tables.bundle
    row = connection.execute(select(t).where(t.c.transfer == name)).first()
    if row is None:
        return _begun(hub, connection, name)
    found = transfers.verified(Repository(connection), row)
    receipt = receipts.answer_to(connection, found.predicate)
    return TransferView(found, row.medium, receipt)


def _begun(hub: Hub, connection: Connection, name: str) -> BegunView | None:
    t = tables.transfer
    row = connection.execute(select(t).where(t.c.id == name)).first()
    if row is None:
        return None
    newest = transfers.newest(connection, Sites(connection).get(row.site))
    taken_by = None if newest is None or newest.id == name else newest.id
    waits = unsigned_transfers.kept(hub, name)
    elsewhere = transfer_hosts.elsewhere(hub, row.host, row.host_name)
    return BegunView(name, row.site, row.begun, taken_by, waits, elsewhere)


def transfer_list(
    connection: Connection, place: PagePlace, site: str | None = None, within: Within = ALL
) -> Page[TransferRow]:
    """A page of transfers, by site and number; of one site, where it is given.

    Raises:
        NotFoundError: it is to begin after a transfer that there is not.
    """
    rows, after = page_rows(
        place, lambda part: _rows(connection, part, site, within), lambda row: row.id
    )
    repository = Repository(connection)

    def make(row: Row[tuple[Any, ...]]) -> TransferRow:
        signed = None if row.body is None else transfers.verified(repository, row)
        receipt = None if signed is None else receipts.answer_to(connection, signed.predicate)
        made = None if signed is None else signed.predicate.made
        answered = None if receipt is None else receipt.predicate.made
        return TransferRow(row.id, row.site, row.begun, made, answered, row.host, row.host_name)

    told, refused = told_or_refused(rows, make, lambda row: str(row.id))
    return Page(told, refused, after)


def _rows(
    connection: Connection, place: PagePlace, site: str | None, within: Within
) -> list[Row[tuple[Any, ...]]]:
    """Rows of a page, none of them believed."""
    t, b = tables.transfer, tables.bundle
    order = (t.c.site, t.c.number)
    query = select(t.c.id, t.c.site, t.c.begun, t.c.host, t.c.host_name, b).join(
        b, b.c.transfer == t.c.id, isouter=True
    )
    query = query.where(*within.of_sites(t.c.site))
    if site is not None:
        query = query.where(t.c.site == site)
    if place.after is not None:
        last = select(t.c.site, t.c.number).where(t.c.id == place.after)
        key = connection.execute(last).one_or_none()
        if key is None:
            raise missing(place.after)
        ours, theirs = tuple_(*order), tuple_(*key, types=[one.type for one in order])
        query = query.where(ours < theirs if place.newest_first else ours > theirs)
    query = query.order_by(*(one.desc() if place.newest_first else one for one in order))
    return list(connection.execute(query.limit(place.limit)).all())


def missing(name: str) -> NotFoundError:
    """The error where no transfer is called so."""
    return NotFoundError(
        "no-transfer",
        f"There is no transfer {name}.",
        subject=name,
        next_step="See which there are with: sealift list transfers",
    )
