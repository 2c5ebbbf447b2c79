"""What comes home: a site's receipts and its log, verified before a word of it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select

from sealift_registry.delivery import tables
from sealift_registry.delivery.sites import Site, Sites
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing import statements
from sealift_signing.canonical import Json
from sealift_signing.errors import RefusedError
from sealift_signing.statements import Receipt, Signed
from sealift_signing.transparency.checkpoint import Checkpoint, claimed, site_origin
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.extract import Extract, check
from sealift_signing.vocabulary import moment
from sealift_sync.bundle.returned import Returned, find_returns, read_return


@dataclass(frozen=True)
class Accepted:
    """A return that was believed: what is new in it."""

    site: str
    receipts: tuple[Signed[Receipt], ...]
    entries: int
    size: int


class Returns:
    """The use case."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def receive(self, medium: Path) -> list[Accepted]:
        """Take in every site's return on `medium`.

        The same return again is no error and adds nothing.

        Raises:
            NotFoundError: there is none, or it is from a site that is not enrolled.
            RefusedError: a signature, a receipt or the log is not right; nothing of that return
                was kept but the entry that says so.
        """
        return [self._receive(read_return(folder)) for folder in find_returns(medium)]

    def _receive(self, returned: Returned) -> Accepted:
        with self._hub.reading() as connection:
            site = Sites(connection).get(returned.site)
            organisation = Repository(connection).organisation()
        try:
            receipts = [
                _receipt(body, transfer, site, organisation)
                for transfer, body in sorted(returned.receipts.items())
            ]
        except RefusedError as refused:
            self._refused(site, refused)
            raise
        origin = site_origin(organisation, site.id)

        def action(connection: Connection) -> tuple[Entry, Accepted]:
            received = moment(self._hub.now())
            new, checkpoint = _keep_log(connection, site, returned.log, origin, received)
            kept = tuple(self._keep_receipt(connection, site, one) for one in receipts)
            fresh = tuple(one for one in kept if one is not None)
            accepted = Accepted(site.id, fresh, new, checkpoint.size)
            return self._entry(site, accepted, checkpoint), accepted

        try:
            return self._hub.log.commit(action).result
        except RefusedError as refused:
            self._refused(site, refused)
            raise

    def _keep_receipt(
        self, connection: Connection, site: Site, receipt: Signed[Receipt]
    ) -> Signed[Receipt] | None:
        """Keep a receipt of a transfer that the hub wrote; None if it was kept before."""
        known = select(tables.receipt.c.sha256).where(tables.receipt.c.sha256 == receipt.sha256)
        if connection.execute(known).first() is not None:
            return None
        transfer = receipt.predicate.transfer
        query = select(tables.bundle.c.sha256).where(tables.bundle.c.transfer == transfer)
        written = connection.execute(query).scalar_one_or_none()
        if written is None or not receipt.about(f"transfers/{transfer}", written):
            raise RefusedError(
                "receipt-of-another",
                f"The receipt of {site.id} is for a transfer {transfer} that this hub did not "
                "write.",
                subject=transfer,
                next_step="Keep the medium: somebody may hold this hub's keys.",
            )
        connection.execute(
            insert(tables.receipt).values(
                sha256=receipt.sha256,
                transfer=transfer,
                site=site.id,
                body=receipt.envelope.data,
                received=moment(self._hub.now()),
            )
        )
        return receipt

    def _entry(self, site: Site, accepted: Accepted, checkpoint: Checkpoint) -> Entry:
        data: dict[str, Json] = {
            "site": site.id,
            "receipts": [one.sha256 for one in accepted.receipts],
            "transfers": [one.predicate.transfer for one in accepted.receipts],
            "entries": accepted.entries,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
        }
        terms = {"site": site.id}
        if accepted.receipts:
            terms["transfer"] = accepted.receipts[-1].predicate.transfer
        return self._hub.entry("return.accepted", f"site {site.id}", data, terms, site.id)

    def _refused(self, site: Site, refused: RefusedError) -> None:
        data = {"code": refused.code, "what": refused.what}
        self._hub.log.commit_entry(
            self._hub.entry("return.refused", "hub", data, {"site": site.id}, site.id)
        )


def _receipt(body: bytes, transfer: str, site: Site, organisation: str) -> Signed[Receipt]:
    what = f"the receipt for {transfer}"
    receipt = statements.read(Receipt, body, what=what)
    statements.verify(receipt, site.key, what=what)
    said = receipt.predicate
    ours = (organisation, site.id, site.enrolment, transfer)
    if (said.organisation, said.site, said.enrolment, said.transfer) != ours:
        raise RefusedError(
            "receipt-of-another",
            f"{what[0].upper()}{what[1:]} is of another site, enrolment or organisation.",
            subject=transfer,
        )
    return receipt


def _keep_log(
    connection: Connection, site: Site, extract: Extract, origin: str, received: str
) -> tuple[int, Checkpoint]:
    """Append the site's new entries to what the hub kept of its log; returns how many are new.

    Raises:
        ProofError: they do not continue it: a gap, an older log, or another history.
    """
    known = _known(connection, site)
    checkpoint, rows = check(extract, site.key, origin, known)
    new = [row for row in rows if known is None or row.seq >= known.size]
    for row in new:
        place = {"site": site.id, "enrolment": site.enrolment, "seq": row.seq}
        connection.execute(insert(tables.site_entry).values(**place, body=row.body))
    if known is None or checkpoint.size > known.size:
        connection.execute(
            insert(tables.site_checkpoint).values(
                site=site.id,
                enrolment=site.enrolment,
                size=checkpoint.size,
                root=checkpoint.root,
                note=extract.checkpoint.encode(),
                received=received,
            )
        )
    return len(new), checkpoint


def _known(connection: Connection, site: Site) -> Checkpoint | None:
    """The newest checkpoint of the site's log that the hub accepted."""
    t = tables.site_checkpoint
    query = (
        select(t.c.note)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment)
        .order_by(t.c.size.desc())
        .limit(1)
    )
    note = connection.execute(query).scalar_one_or_none()
    return None if note is None else claimed(bytes(note))
