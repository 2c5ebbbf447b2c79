"""What goes home: the receipts and the log entries that the hub has not acknowledged."""

from __future__ import annotations

from pathlib import Path

from sealift_signing import statements
from sealift_signing.statements import Receipt
from sealift_signing.transparency.checkpoint import claimed
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.returned import Returned
from sealift_sync.bundle.returning import write_return
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.log.restored_site import (
    ACKNOWLEDGED,
    AHEAD,
    RestoredError,
    check_notes,
    check_remembered,
    notes_beside,
    own_notes,
)
from sealift_sync.site.setup import software_told
from sealift_sync.site.setup.home_locks import one_return
from sealift_sync.site.setup.open_site import OpenSite


def write_home(site: OpenSite, medium: Path, *, everything: bool) -> tuple[Path, Returned]:
    """Write the return to `medium`; returns its folder and what it holds.

    Args:
        site: the site.
        medium: the medium's top folder.
        everything: all receipts and the log from its first entry, acknowledged or not.

    Raises:
        RestoredError: this site's key signed more than this log holds, as was found out before or
            an earlier return on the medium shows: that one is not touched.
        FailedError: it could not be written.
    """
    _check_not_restored(site, medium)
    software_told.tell_software(site)
    first = 0 if everything else acknowledged(site)
    extract = SiteLogReader(site.state.connection).extract(first)
    returned = Returned(site.enrolment.site, _receipts(site, everything=everything), extract)
    with site.aside(), one_return(site.home, "return"):  # a stick may answer never
        return write_return(returned, medium), returned


def _check_not_restored(site: OpenSite, medium: Path) -> None:
    check_remembered(site.state)
    key = site.key
    with site.aside():
        there = medium.is_dir()
        beside = notes_beside(Medium(medium), site.enrolment.site) if there else ()
        notes = own_notes(beside, key, site.origin)
    try:
        check_notes(site.state, notes)
    except RestoredError as bad:
        with site.state.transaction():
            site.state.set_fact(AHEAD, bad.note)
        raise


def acknowledged(site: OpenSite) -> int:
    """How many entries of this site's log the hub had accepted, as the last bundle says."""
    note = site.state.fact(ACKNOWLEDGED)
    return claimed(note).size if note else 0  # verified when the bundle was imported


def _receipts(site: OpenSite, *, everything: bool) -> dict[str, bytes]:
    """The receipts of imports that the hub's last word does not cover, and the last in any case.

    A receipt holds the log's checkpoint of its own import, so the sizes tell.
    """
    done = site.state.imported()
    if everything:
        return {one.id: one.receipt for one in done}
    known = acknowledged(site)
    fresh = [one for one in done if _size(one.receipt) > known]
    return {one.id: one.receipt for one in (fresh or done[-1:])}


def _size(receipt: bytes) -> int:
    said = statements.read(Receipt, receipt, what="a receipt").predicate
    return claimed(said.log.encode()).size
