"""Sites: a list of them, and all about one."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.catalog.pages import PagePlace
from sealift_registry.delivery import assignments, outcomes, receipts, site_records, site_software
from sealift_registry.delivery.outcomes import Outcomes
from sealift_registry.delivery.running import last_heard, running
from sealift_registry.delivery.site_entries import Running
from sealift_registry.delivery.site_software import SiteSoftware
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.storage.within import ALL, Within
from sealift_registry.trust.repository import Repository
from sealift_registry.views.pages import Page, page_rows, told_or_refused
from sealift_signing.documents import Assignment
from sealift_signing.statements import Receipt, Signed
from sealift_signing.transparency.checkpoint import Checkpoint, claimed


@dataclass(frozen=True)
class SiteView:
    """All about a site.

    Attributes:
        assignment: what it should run now.
        receipt: its newest, by its own log; None where none came home.
        ended: how switches and checks there ended.
        reads: what it says that its software reads.
        lacks: what this hub may write, and it does not read.
        log: the newest checkpoint of its log that came home.
        running: what runs there.
        heard: when the newest entry of its log was made.
    """

    site: EnrolledSite
    assignment: Assignment
    receipt: Signed[Receipt] | None
    ended: Outcomes
    reads: SiteSoftware
    lacks: tuple[str, ...]
    log: Checkpoint | None
    running: tuple[Running, ...]
    heard: str | None


def sites(
    connection: Connection, place: PagePlace, stage: str | None = None, within: Within = ALL
) -> Page[EnrolledSite]:
    """A page of sites, by their ids; of one stage, where it is given."""
    found = Sites(connection)
    names, after = page_rows(
        place, lambda part: found.names(part.limit, part.after, stage, within), lambda name: name
    )
    rows, refused = told_or_refused(names, found.get)
    return Page(rows, refused, after)


def site(connection: Connection, name: str) -> SiteView:
    """All about one site.

    Raises:
        NotFoundError: no such site is enrolled.
        RefusedError: a row of it is not what was signed.
    """
    found = Sites(connection).get(name)
    assignment = assignments.current(Repository(connection), found)
    reads, note = site_software.software_of(connection, found), site_records.note(connection, found)
    return SiteView(
        site=found,
        assignment=assignment,
        receipt=receipts.newest(connection, found),
        ended=outcomes.outcomes_at(connection, found, assignment),
        reads=reads,
        lacks=site_software.lacking(reads),
        log=claimed(note.encode()) if note else None,
        running=tuple(running(connection, found)),
        heard=last_heard(connection, found),
    )
