"""Receipts that came home: a list of them, each read again as its site's own key signed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select, tuple_

from sealift_registry.catalog.pages import PagePlace
from sealift_registry.delivery import receipts, tables
from sealift_registry.delivery.sites import Sites
from sealift_registry.storage.within import ALL, Within
from sealift_registry.views.pages import Page, page_rows, told_or_refused
from sealift_signing.errors import NotFoundError
from sealift_signing.statements import Receipt, Signed


@dataclass(frozen=True)
class ReceiptRow:
    """A receipt in a list.

    Attributes:
        made: when its site made it, by the site's clock.
        received: when it came home, as the hub says.
    """

    sha256: str
    transfer: str
    site: str
    made: str
    received: str


def receipt_list(
    connection: Connection, place: PagePlace, site: str | None = None, within: Within = ALL
) -> Page[ReceiptRow]:
    """A page of receipts, in the order in which they came; of one site, where it is given.

    Raises:
        NotFoundError: it is to begin after a receipt that there is not.
    """
    rows, after = page_rows(
        place, lambda part: _rows(connection, part, site, within), lambda row: row.sha256
    )

    def make(row: Row[tuple[Any, ...]]) -> ReceiptRow:
        found = receipts.verified(connection, row.site, row.sha256)
        made = "" if found is None else found.predicate.made
        return ReceiptRow(row.sha256, row.transfer, row.site, made, row.received)

    told, refused = told_or_refused(rows, make, lambda row: str(row.sha256))
    return Page(told, refused, after)


def receipt(connection: Connection, site: str, sha256: str) -> Signed[Receipt] | None:
    """One of a site's receipts; None where it has none of that digest.

    Raises:
        NotFoundError: there is no such site.
        RefusedError: it is none that the site signed.
    """
    Sites(connection).get(site)
    return receipts.verified(connection, site, sha256)


def check_there(connection: Connection, sha256: str, within: Within) -> None:
    """Check that there is a receipt, for who is told of it.

    Raises:
        NotFoundError: there is not.
    """
    t = tables.receipt
    query = select(t.c.site).where(t.c.sha256 == sha256, *within.of_sites(t.c.site))
    if connection.execute(query).first() is None:
        raise missing(sha256)


def missing(sha256: str) -> NotFoundError:
    """The error where there is no such receipt."""
    return NotFoundError(
        "no-receipt",
        f"There is no receipt {sha256}.",
        subject=sha256,
        next_step="See which there are with: sealift list receipts",
    )


def _rows(
    connection: Connection, place: PagePlace, site: str | None, within: Within
) -> list[Row[tuple[Any, ...]]]:
    """Rows of a page, none of them believed."""
    t = tables.receipt
    order = (t.c.received, t.c.sha256)
    query: Select[Any] = select(t.c.sha256, t.c.transfer, t.c.site, t.c.received)
    query = query.where(*within.of_sites(t.c.site))
    if site is not None:
        query = query.where(t.c.site == site)
    if place.after is not None:
        key = connection.execute(select(*order).where(t.c.sha256 == place.after)).one_or_none()
        if key is None:
            raise missing(place.after)
        ours, theirs = tuple_(*order), tuple_(*key, types=[one.type for one in order])
        query = query.where(ours < theirs if place.newest_first else ours > theirs)
    query = query.order_by(*(one.desc() if place.newest_first else one for one in order))
    return list(connection.execute(query.limit(place.limit)).all())
