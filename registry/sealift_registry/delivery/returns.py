"""What comes home: a site's receipts and its log, verified before a word of it is believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select

from sealift_registry.audit.restored_backup import RestoredHubError
from sealift_registry.delivery import (
    assignments,
    receipts,
    site_records,
    site_rows,
    tables,
    whole_logs,
    witnesses,
)
from sealift_registry.delivery.holdings import missed
from sealift_registry.delivery.outcomes import Outcomes, outcomes_at
from sealift_registry.delivery.site_state import SiteState
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.trust import readiness
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing import events, statements
from sealift_signing.canonical import Json
from sealift_signing.errors import RefusedError, SealiftError
from sealift_signing.statements import Receipt, Signed
from sealift_signing.transparency import checkpoint as note
from sealift_signing.transparency.checkpoint import Checkpoint, claimed, site_origin
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.extract import Extract, check
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.growth import LogRow
from sealift_signing.transparency.merkle import ProofError, leaf_hash
from sealift_signing.vocabulary import moment
from sealift_sync.bundle.returned import Returned, find_returns, read_return

MOST_TOLD = 200
"""Receipts that an entry names, which has its largest size; all of them are kept."""


@dataclass(frozen=True)
class AcceptedReturn:
    """A return that was believed: what is new in it, and what lay beside it and was not read.

    `besides` is what it says under `more`, which nobody signed.
    """

    site: str
    receipts: tuple[Signed[Receipt], ...]
    entries: int
    size: int
    ignored: tuple[str, ...]
    besides: Mapping[str, Json] | None


class Returns:
    """The use case."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def receive(self, medium: Path) -> tuple[list[AcceptedReturn], list[SealiftError]]:
        """Take in every site's return on `medium`: those accepted, and why others were not.

        Each stands for itself: one site's damaged return does not keep another's from being
        believed, nor a longer one of the same site that is not the site's as it is enrolled now.
        The same return again is no error and adds nothing. Of one that is refused, nothing is kept
        but the entry that says so.

        A return may show that this hub was restored from a backup: then that is remembered, it is
        the first of the refusals, and nothing more is taken in.

        Raises:
            NotFoundError: there is none.
            RestoredError: this hub was restored from a backup; nothing was taken in.
        """
        readiness.notice(self._hub, witnesses.on_medium(medium))
        accepted: list[AcceptedReturn] = []
        refused: list[SealiftError] = []
        for returns in find_returns(medium):
            for one in returns:
                try:
                    accepted.append(self._receive(read_return(one)))
                    _tell_received(accepted[-1])
                    break
                except RestoredHubError as restored:
                    return accepted, [restored, *refused]
                except SealiftError as bad:
                    refused.append(bad)
                    fields = {"folder": one.inside, "code": bad.code, "what": bad.what}
                    events.tell("return", "return-refused", "warning", **fields)
        return accepted, refused

    def missed(self, name: str) -> int:
        """How many blobs of what it is assigned site `name` says it has lost."""

        def read(hub: Hub, connection: Connection) -> int:
            site = Sites(connection).get(name)
            wanted = assignments.current(Repository(connection), site)
            return missed(connection, site, hub.home.blobs, wanted)

        return self._hub.reading_blobs(read)

    def ended(self, name: str) -> Outcomes:
        """How switches and checks at site `name` ended, by all of its log that came home."""
        with self._hub.reading() as connection:
            site = Sites(connection).get(name)
            return outcomes_at(connection, site, assignments.current(Repository(connection), site))

    def _receive(self, returned: Returned) -> AcceptedReturn:
        # First: a hub that lost its end would call an honest return a forged one.
        readiness.notice(self._hub, witnesses.in_log(returned.log.entries))
        with self._hub.reading() as connection:
            readiness.check(self._hub, connection)
            site = Sites(connection).get(returned.site)
            organisation = Repository(connection).organisation()
        origin = site_origin(organisation, site.id)

        def action(connection: Connection) -> tuple[Entry, AcceptedReturn]:
            _check_current(connection, site)
            received, before = moment(self._hub.now()), site_rows.known_state(connection, site)
            rows, checkpoint = _keep_log(connection, site, returned.log, origin, received)
            kept = tuple(self._keep_receipt(connection, site, one) for one in came)
            fresh, new = tuple(one for one in kept if one is not None), len(rows)
            if new or fresh:
                _keep_state(connection, site, before, _new_entries(returned.log, rows, fresh))
            more = returned.log.more
            accepted = AcceptedReturn(site.id, fresh, new, checkpoint.size, returned.ignored, more)
            if not new and not fresh:
                raise _NothingNewError(accepted)
            return self._entry(site, accepted, checkpoint), accepted

        try:
            came = [
                _receipt(body, transfer, site, organisation, returned.size)
                for transfer, body in sorted(returned.receipts.items())
            ]
            came.sort(key=lambda one: receipts.in_order(one.predicate))
            return self._hub.commit(action).result
        except _NothingNewError as nothing:
            return nothing.accepted
        except RefusedError as refused:
            self._refused(site, refused, returned.log, origin)
            raise

    def _keep_receipt(
        self, connection: Connection, site: EnrolledSite, receipt: Signed[Receipt]
    ) -> Signed[Receipt] | None:
        """Keep a receipt of a transfer that the hub wrote; None if it was kept before."""
        known = select(tables.receipt.c.sha256).where(tables.receipt.c.sha256 == receipt.sha256)
        if connection.execute(known).first() is not None:
            return None
        transfer = receipt.predicate.transfer
        b, t = tables.bundle, tables.transfer
        # Of this site's own: another site's bundle may have lain on the same medium.
        query = (
            select(b.c.sha256)
            .join(t, t.c.id == b.c.transfer)
            .where(t.c.id == transfer, t.c.site == site.id, t.c.enrolment == site.enrolment)
        )
        written = connection.execute(query).scalar_one_or_none()
        if written is None or not receipt.about(f"transfers/{transfer}", written):
            raise RefusedError(
                "receipt-of-another",
                f"The receipt of {site.id} is for a transfer {transfer} that this hub did not "
                "write for it.",
                subject=transfer,
                next_step="Keep the medium. If this hub was restored from a backup, it lost that "
                "transfer: put a newer backup in its place, if there is one. Otherwise somebody "
                "else may hold this hub's keys.",
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

    def _entry(self, site: EnrolledSite, accepted: AcceptedReturn, checkpoint: Checkpoint) -> Entry:
        told = accepted.receipts[-MOST_TOLD:]
        transfers = [one.predicate.transfer for one in told]
        data: dict[str, Json] = {
            "site": site.id,
            "receipts": [one.sha256 for one in told],
            "transfers": list(transfers),
            "count": len(accepted.receipts),
            "entries": accepted.entries,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
        }
        terms: dict[str, str | list[str]] = {"site": site.id, "transfer": transfers}
        return self._hub.entry("return.accepted", f"site {site.id}", data, terms, site.id)

    def _refused(
        self, site: EnrolledSite, refused: RefusedError, extract: Extract, origin: str
    ) -> None:
        """Say in the log what was refused; a log that forked, with both signed checkpoints."""
        data: dict[str, Json] = {"code": refused.code, "what": refused.what}
        if isinstance(refused, ProofError):
            try:
                note.verify(extract.checkpoint.encode(), site.key, origin)
            except RefusedError:
                pass  # not signed by the site: no proof of anything
            else:
                with self._hub.reading() as connection:
                    known = site_records.note(connection, site) or ""
                data |= {"known": known, "checkpoint": extract.checkpoint}
        entry = self._hub.entry("return.refused", "hub", data, {"site": site.id}, site.id)
        self._hub.commit_entry(entry)


def _tell_received(done: AcceptedReturn) -> None:
    transfers = [one.predicate.transfer for one in done.receipts]
    fields = {"site": done.site, "transfers": transfers, "entries": done.entries}
    events.tell("return", "return-received", **fields)


class _NothingNewError(Exception):
    """All of it was known: there is nothing to write, and so there is nothing to log."""

    def __init__(self, accepted: AcceptedReturn) -> None:
        super().__init__()
        self.accepted = accepted


def _check_current(connection: Connection, site: EnrolledSite) -> None:
    if Sites(connection).get(site.id).enrolment != site.enrolment:
        raise RefusedError(
            "site-moved-on",
            f"Site {site.id} was enrolled again meanwhile.",
            subject=site.id,
            next_step="Run the command again.",
        )


def _receipt(
    body: bytes, transfer: str, site: EnrolledSite, organisation: str, size: int
) -> Signed[Receipt]:
    """The receipt in `body`, which came with the site's log of `size` entries."""
    what = f"the receipt for {transfer}"
    receipt = statements.read(Receipt, body, what=what)
    said = receipt.predicate
    ours = (organisation, site.id, site.enrolment, transfer)
    if (said.organisation, said.site, said.enrolment, said.transfer) != ours:
        earlier = (said.organisation, said.site) == (organisation, site.id)
        of_what = "an earlier enrolment" if earlier else "another site or organisation"
        raise RefusedError(
            "receipt-of-another",
            f"{what[0].upper()}{what[1:]} is of {of_what}, and not of {site.id} as it is enrolled.",
            subject=transfer,
            next_step="Have the site write a new return: sealift-site return --to DIR",
        )
    statements.verify(receipt, site.key, what=what)
    if said.log:
        # By its size the newest receipt is told, and so what the next bundle may leave out: one
        # from beyond the log would be the newest for ever.
        origin = site_origin(organisation, site.id)
        seen = note.verify(said.log.encode(), site.key, origin).size
        if seen > size:
            raise RefusedError(
                "receipt-of-another",
                f"{what[0].upper()}{what[1:]} was made after {seen} entries of the site's log, "
                f"which has {size}.",
                subject=transfer,
                next_step="Have the site write a new return: sealift-site return --to DIR",
            )
    return receipt


def _new_entries(
    extract: Extract, new: Sequence[LogRow], fresh: Sequence[Signed[Receipt]]
) -> site_rows.NewEntries:
    """What is new, and the tree that proves it: the leaves of the extract, after its edge."""
    edge = Frontier(extract.first, tuple(map(bytes.fromhex, extract.edge)))
    leaves = [leaf_hash(text.encode()) for text in extract.entries]
    return site_rows.NewEntries(
        entries=[(row.seq, row.body) for row in new],
        receipt=max((receipts.log_size(one.predicate) for one in fresh), default=0),
        size=extract.first + len(leaves),
        node=edge.reader(leaves),
    )


def _keep_state(
    connection: Connection, site: EnrolledSite, before: SiteState | None, new: site_rows.NewEntries
) -> None:
    """Keep what the site said last, by what is new; or by all, where it was not known before."""
    if before is None:
        whole_logs.rebuild(connection, site)
    else:
        site_rows.go_on(connection, site, before, new)


def _keep_log(
    connection: Connection, site: EnrolledSite, extract: Extract, origin: str, received: str
) -> tuple[Sequence[LogRow], Checkpoint]:
    """Append the site's new entries to what the hub kept of its log; returns those.

    Raises:
        ProofError: they do not continue it: a gap, an older log, or another history.
    """
    known = _known(connection, site)
    seen = _seen_by(connection, site, known, claimed(extract.checkpoint.encode()).size)
    try:
        checkpoint, rows = check(extract, site.key, origin, seen)
    except ProofError as bad:
        bad.next_step = _next_step(site, extract, known)
        raise
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
    return new, checkpoint


def _next_step(site: EnrolledSite, extract: Extract, known: Checkpoint | None) -> str:
    """What to do about a log that does not continue: is it a part of it, or another history?"""
    if extract.first > (known.size if known else 0):
        return "Have the site write all of its log: sealift-site return --all --to DIR"
    return (
        "What it signed is kept in the log here, as evidence, beside what was known: sealift audit "
        f"list --type return.refused --json. Either {site.id} was restored from a backup, or "
        "somebody else has its key. Have it enrolled anew, in a new home and so with another key: "
        "sealift site enroll REQUEST …"
    )


def _known(connection: Connection, site: EnrolledSite) -> Checkpoint | None:
    """The newest checkpoint of the site's log that the hub accepted."""
    found = site_records.note(connection, site)
    return None if found is None else claimed(found.encode())


def _seen_by(
    connection: Connection, site: EnrolledSite, known: Checkpoint | None, size: int
) -> Checkpoint | None:
    """What the hub knew of the site's log when that had `size` entries.

    A medium that was long on its way brings an older log: that is no rollback, if it is the
    beginning of the one that is known.
    """
    if known is None or size >= known.size:
        return known
    leaves = (leaf_hash(body) for body in site_records.entries(connection, site)[:size])
    return Checkpoint(known.origin, size, Frontier().extended(leaves).root)
