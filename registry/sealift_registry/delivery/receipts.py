"""The receipts that came home, and which of a site's is the newest: the one place that knows it.

A receipt was verified when it came. Its row is data all the same, and is read again as the site's
own key signed it: by what it says a bundle leaves blobs out.

Of a site's receipts the newest is the one whose import is the last in the site's log. Neither its
date tells, for a site's clock may go back, nor the order of arrival, for sticks overtake each
other. A site that comes home every day has thousands: so the log's end is searched for an import,
and no other receipt is opened but that import's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from sealift_registry.delivery import site_rows, tables
from sealift_registry.delivery.site_records import not_signed
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_signing import statements
from sealift_signing.errors import RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Receipt, Signed, Transfer
from sealift_signing.transparency.checkpoint import claimed
from sealift_signing.transparency.entry import read_entry

IMPORTED = "transfer.imported"
"""The entry of a site's log that each receipt is made right after."""
_SPELLED = f'"type":"{IMPORTED}"'.encode()
PAGE = 100
"""Entries of a site's log that are read at once."""

Keys = Mapping[str, PublicKey]
"""The key of a site by each enrolment that is asked about."""


def newest(connection: Connection, site: EnrolledSite) -> Signed[Receipt] | None:
    """The newest receipt of `site` as it is enrolled; None where none came home.

    Where no receipt belongs to an import that the log names, each is opened, and the one that says
    the longest log is the newest.

    Raises:
        RefusedError: it is none that the site signed.
    """
    keys = {site.enrolment: site.key}
    for transfer, size in _imports(connection, site):
        its = _of(site.id, transfer)
        found = _last(_verified(connection, site.organisation, site.id, keys, its))
        if found is not None and log_size(found.predicate) >= size:
            return found
    t, r = tables.transfer, tables.receipt
    mine = _of(site.id).join(t, t.c.id == r.c.transfer).where(t.c.enrolment == site.enrolment)
    return _last(_verified(connection, site.organisation, site.id, keys, mine))


def every(connection: Connection, site: EnrolledSite) -> list[Signed[Receipt]]:
    """All receipts of `site` as it is enrolled, for whoever checks each.

    Raises:
        RefusedError: one of them is none that the site signed.
    """
    keys = {site.enrolment: site.key}
    return _verified(connection, site.organisation, site.id, keys, _of(site.id))


def answer_to(connection: Connection, transfer: Transfer) -> Signed[Receipt] | None:
    """The receipt for a transfer, of whichever enrolment of its site; None where none came home.

    Raises:
        RefusedError: it is none that the site signed, with the key that it had then.
    """
    known = Sites(connection).enrolments(transfer.site)
    keys = {one.answer.sha256: PublicKey.parse(one.request.predicate.key) for one in known}
    site = transfer.site
    found = _verified(connection, transfer.organisation, site, keys, _of(site, transfer.id))
    return found[0] if found else None


def verified(connection: Connection, site: str, sha256: str) -> Signed[Receipt] | None:
    """A receipt of a site by its digest, of whichever enrolment; None where there is none.

    Raises:
        RefusedError: it is none that the site signed, with the key that it had then.
    """
    known = Sites(connection).enrolments(site)
    keys = {one.answer.sha256: PublicKey.parse(one.request.predicate.key) for one in known}
    row = connection.execute(_of(site).where(tables.receipt.c.sha256 == sha256)).first()
    if row is None:
        return None
    organisation = Sites(connection).get(site).organisation
    its = _of(site, row.transfer).where(tables.receipt.c.sha256 == sha256)
    found = _verified(connection, organisation, site, keys, its)
    if not found:
        raise not_signed(site, f"the receipt for {row.transfer}", "it is of no enrolment.")
    return found[0]


def _last(found: list[Signed[Receipt]]) -> Signed[Receipt] | None:
    return max(found, key=lambda one: in_order(one.predicate), default=None)


def in_order(receipt: Receipt) -> tuple[int, str, str]:
    """What puts receipts of one enrolment in order: the site's log, and no clock.

    Only of two for one transfer, after one size of the log, is it the date.
    """
    return log_size(receipt), receipt.transfer, receipt.made


def log_size(receipt: Receipt) -> int:
    """How many entries the site's log had when it made the receipt, its import's own the last."""
    return claimed(receipt.log.encode()).size if receipt.log else 0


def _imports(connection: Connection, site: EnrolledSite) -> Iterator[tuple[str, int]]:
    """The imports in the kept log of `site`, the last first: the transfer, and the log's size then.

    The last is known. Those before it, of which one counts where the last's receipt did not come
    home, are hints, of rows that nobody verified: what follows from one is checked by its receipt.
    """
    last = site_rows.state_of(connection, site).imported
    if last is not None:
        yield from ((transfer, last.seq + 1) for transfer in last.what)
    t = tables.site_entry
    mine = select(t.c.seq, t.c.body).where(t.c.site == site.id, t.c.enrolment == site.enrolment)
    page = mine.order_by(t.c.seq.desc()).limit(PAGE)
    while rows := connection.execute(page).all():
        for seq, body in rows:
            if _SPELLED in body:
                yield from ((transfer, seq + 1) for transfer in _transfers(body))
        page = mine.where(t.c.seq < rows[-1].seq).order_by(t.c.seq.desc()).limit(PAGE)


def _transfers(body: bytes) -> list[str]:
    """The transfer that an entry says was imported; none where it is no such entry."""
    with suppress(RefusedError):
        entry = read_entry(body)
        if entry.type == IMPORTED:
            return [term.value for term in entry.terms if term.kind == "transfer"]
    return []


def _of(site: str, transfer: str | None = None) -> Select[Any]:
    """The rows of a site's receipts, or of those for one transfer; those first that came first."""
    t = tables.receipt
    query = select(t.c.sha256, t.c.transfer, t.c.body).where(t.c.site == site)
    query = query.order_by(t.c.received, t.c.sha256)
    return query if transfer is None else query.where(t.c.transfer == transfer)


def _verified(
    connection: Connection, organisation: str, site: str, keys: Keys, query: Select[Any]
) -> list[Signed[Receipt]]:
    """The receipts of these rows that are of one of these enrolments, each by that one's key.

    Raises:
        RefusedError: a row is none that the site signed.
    """
    found = []
    for row in connection.execute(query):
        what = f"the receipt for {row.transfer}"
        try:
            one = _read(row, keys, what)
        except RefusedError as bad:
            raise not_signed(site, what, bad.what) from bad
        if one is None:
            continue
        said = one.predicate
        place = (said.organisation, said.site, said.transfer, one.sha256)
        if place != (organisation, site, row.transfer, row.sha256):
            raise not_signed(site, what, "it is of something else.")
        found.append(one)
    return found


def _read(row: Row[Any], keys: Keys, what: str) -> Signed[Receipt] | None:
    """The receipt of a row; None where it is of another enrolment."""
    one = statements.read(Receipt, bytes(row.body), what=what)
    key = keys.get(one.predicate.enrolment)
    if key is None:
        return None
    statements.verify(one, key, what=what)
    return one
