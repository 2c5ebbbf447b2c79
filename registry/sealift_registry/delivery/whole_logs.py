"""Rows of what sites said last, made from the whole of their logs and compared with those."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, delete, exists, select

from sealift_registry.delivery import derived_rows, receipts, site_records, tables
from sealift_registry.delivery.site_rows import WHAT, pointer, rows_of, verified, write
from sealift_registry.delivery.site_state import Pointer, Says, SiteState, state_of_log
from sealift_registry.delivery.sites import EnrolledSite
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError
from sealift_signing.transparency.entry import read_entry
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash

_LATER = {Says.BACK, Says.REFUSED}
"""What rows of an older hub do not say, which are made anew once it is opened to be written."""


def rebuild(connection: Connection, site: EnrolledSite) -> None:
    """Make the rows of `site` from all of its log that came home, as if there were none.

    Raises:
        RefusedError: the database has something else than what the site signed; nothing is changed.
    """
    bodies = site_records.entries(connection, site)
    wanted = _of_whole(connection, site, bodies).pointers()
    node = Frontier().reader([leaf_hash(body) for body in bodies])
    t = tables.site_state
    connection.execute(delete(t).where(t.c.site == site.id, t.c.enrolment == site.enrolment))
    write(connection, site, wanted, len(bodies), node)


def differences(
    connection: Connection, site: EnrolledSite, bodies: Sequence[bytes]
) -> Iterator[str]:
    """A sentence on each row of `site` that says other than the whole of its log, `bodies`.

    Of a site without rows nothing is said before the rows were filled.
    """
    rows, filled = rows_of(connection, site), derived_rows.is_filled(connection)
    if not rows and (not bodies or not filled):
        return
    there = {pointer(row) for row in rows}
    wanted = _of_whole(connection, site, bodies).pointers()
    if not filled:  # of a hub that was written by older software and is only read
        wanted = frozenset(one for one in wanted if one.says not in _LATER)
    begin = f"The rows of {WHAT} say of site {site.id} that"
    for one in sorted(there - wanted):
        yield f"{begin} {_claim(one)}; by its log that is not so."
    for one in sorted(wanted - there):
        yield f"{begin} nothing more is known; by its log {_claim(one)}."
    if there == wanted:
        try:
            verified(connection, site, rows)
        except RefusedError as bad:
            yield bad.what


def of_nobody(connection: Connection) -> Iterator[str]:
    """A sentence on the rows of each site that has no such enrolment."""
    t, s = tables.site_state, tables.site
    known = exists().where(s.c.id == t.c.site, s.c.enrolment == t.c.enrolment)
    query = select(t.c.site).where(~known).distinct().order_by(t.c.site)
    for name in connection.execute(query).scalars():
        yield f"There are rows of {WHAT} for an enrolment of site {word(name)} that there is not."


def remove_of_nobody(connection: Connection) -> None:
    """Remove the rows of sites that have no such enrolment."""
    t, s = tables.site_state, tables.site
    known = exists().where(s.c.id == t.c.site, s.c.enrolment == t.c.enrolment)
    connection.execute(delete(t).where(~known))


_CLAIMS = {
    Says.HEARD: "entry {seq} is its newest",
    Says.RUNS: "{model}/{version} runs in {group} since entry {seq}",
    Says.FAILED: "a switch of {model} in {group} failed at entry {seq}, {version} running after it",
    Says.CHECKED: "the newest check of {model}/{version} in {group} is in entry {seq}",
    Says.SOFTWARE: "its software changed last at entry {seq}",
    Says.IMPORTED: "its last import is entry {seq}",
    Says.BACK: "{model} in {group} was had go back to version {version} by entry {seq}",
    Says.REFUSED: "the newest bundle that it did not believe is told of by entry {seq}",
    Says.LOST: "entry {seq} says what it lost since its newest receipt",
}


def _claim(one: Pointer) -> str:
    words = _CLAIMS.get(one.says, "entry {seq} says something of {group} {model} {version}")
    group, model = map(word, (one.group, one.model))
    return words.format(group=group, model=model, version=one.version, seq=one.seq)


def _of_whole(connection: Connection, site: EnrolledSite, bodies: Iterable[bytes]) -> SiteState:
    sizes = [receipts.log_size(one.predicate) for one in receipts.every(connection, site)]
    return state_of_log(map(read_entry, bodies), max(sizes, default=0))
