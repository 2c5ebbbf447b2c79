"""Entries of the log, a page at a time: each is shown if it is what the log's key signed."""

from __future__ import annotations

from sqlalchemy import Connection

from sealift_registry.audit import edge, page_query
from sealift_registry.audit.page_query import PageBounds
from sealift_registry.audit.stored_hashes import damaged
from sealift_registry.storage.within import Within
from sealift_registry.trust import signed_log
from sealift_registry.views.pages import Page, told_or_refused
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.growth import LogRow
from sealift_signing.transparency.question import Question, answers


def page(connection: Connection, question: Question, place: PageBounds) -> Page[edge.Under]:
    """A page of entries that match, of one state of the log, and no further than it was signed.

    Columns and terms only find them. One that was edited, or does not say by what it was found, is
    not told of; `after` is the number of the last one where there may be more.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    end = signed_log.signed(connection)
    query = page_query.page(connection, question, place._replace(size=end.size))
    rows = [LogRow(*row) for row in connection.execute(query)]
    proved = edge.prover(connection, end)

    def shown(row: LogRow) -> edge.Under:
        entry = proved(row)
        if not (answers(entry, question) and _is_told(entry, place.within)):
            raise damaged(f"entry {row.seq} is found by what it does not say")
        return edge.Under(row.seq, entry)

    told, refused = told_or_refused(rows, shown, lambda row: f"entry {row.seq}")
    after = str(rows[-1].seq) if len(rows) == place.limit else None
    return Page(told, refused, after)


def _is_told(entry: Entry, within: Within) -> bool:
    """Whether an entry is of a team or site that is told of, by its own words."""
    if within.everything or (entry.site is not None and entry.site in within.sites):
        return True
    return any(one.kind == "team" and within.has_team(one.value) for one in entry.terms)
