"""Sites' logs as they came home, whole: for whoever asks what every log says.

A row of what came home is data. Whoever owns the database adds rows to a site's log, changes them,
puts one site's under another, or cuts the end off. So nothing of a log is told before all of it was
read: (1) the hub's own log says that so many entries with this root came home, (2) a checkpoint of
just those was signed by the site's key as it was enrolled then, (3) the rows give that root, and
each return that the hub's log names lies on the way there. What is then told is attested by the
site's key, as of the receipt that came with it, and no more.

No index is needed for it, which somebody could bend: to hash ten thousand entries takes less time
than to start a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from sealift_registry.delivery import filed, site_records, tables
from sealift_registry.delivery.site_records import not_signed
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.storage.queries import all_rows, in_parts
from sealift_signing.errors import RefusedError
from sealift_signing.transparency.entry import Entry, read_entry
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash

Took = Callable[[int, bytes, bytes], None]
"""Is given each entry of a log: its number, hash and bytes; none counts before all were given."""
_SHORT = 8
"""Digits of an enrolment that is no more; a site has few."""


@dataclass(frozen=True)
class CameHome:
    """How far a site's log had come home.

    Attributes:
        size: so many entries.
        root: of the tree over them.
        at: when the hub took the last of them in.
        receipt: the newest transfer whose receipt had come home by then; empty where none had.
    """

    size: int = 0
    root: bytes = b""
    at: str = ""
    receipt: str = ""


@dataclass(frozen=True)
class HomeLog:
    """The log of a site as it was enrolled once, as far as it came home.

    Attributes:
        name: what it is called: the site, and of an enrolment that is no more also which.
        passed: the sizes and roots that it had when each return came.
    """

    site: EnrolledSite
    name: str
    came: CameHome
    passed: Mapping[int, bytes]


@dataclass(frozen=True)
class HomeLogs:
    """All that came home of one site; `missing` is what the hub's log names and no row has."""

    logs: tuple[HomeLog, ...]
    missing: tuple[RefusedError, ...] = ()


def of_site(connection: Connection, name: str, until: str | None = None) -> HomeLogs:
    """The logs of a site, the one that it keeps now the last; as the hub knew them before `until`.

    Raises:
        RefusedError: the site's enrolments are not what was signed.
        FailedError: the hub's own log is not.
    """
    came = [one for one in filed.returns(connection, name) if until is None or one.at < until]
    every = Sites(connection).each(name)
    found, accounted = list[HomeLog](), set[tuple[int, bytes]]()
    for site in every:
        sizes = {(one.size, one.root) for one in came} & _signed_sizes(connection, site)
        kept = max(sizes, default=None)
        if kept is None:
            continue
        accounted |= sizes
        told = name if site is every[-1] else f"{name}@{site.enrolment[:_SHORT]}"
        found.append(HomeLog(site, told, _came(came, kept, sizes), dict(sizes)))
    lost = {(one.size, one.root) for one in came if one.brought} - accounted
    missing = tuple(_missing(name, size) for size, _ in sorted(lost))
    return HomeLogs(tuple(found), missing)


def read(connection: Connection, log: HomeLog, took: Took) -> None:
    """Give every entry of a log, in order.

    Raises:
        RefusedError: they are not what the site signed; nothing that was given counts.
    """
    edge = Frontier()
    marks = iter([*sorted(log.passed), 0])
    mark = next(marks)
    for seq, body in enumerate(_bodies(connection, log.site, log.came.size)):
        leaf = leaf_hash(body)
        edge = edge.extended([leaf])
        took(seq, leaf, body)
        if edge.size == mark:
            if edge.root != log.passed[mark]:
                break
            mark = next(marks)
    if (edge.size, edge.root) != (log.came.size, log.came.root):
        why = f"its {log.came.size} entries are not those that it signed for."
        raise not_signed(log.site.id, "the log", why)


def entries(connection: Connection, log: HomeLog, leaves: Mapping[int, bytes]) -> dict[int, Entry]:
    """Entries of a log that was read, by their numbers and the hashes that `read` gave.

    Raises:
        RefusedError: one is another by now.
    """
    t, found = tables.site_entry, dict[int, Entry]()
    for some in in_parts(sorted(leaves)):
        query = _of(log.site, t.c.seq, t.c.body).where(t.c.seq.in_(some))
        for row in connection.execute(query):
            body = bytes(row.body)
            if leaf_hash(body) == leaves[row.seq]:
                found[row.seq] = read_entry(body)
    if len(found) != len(leaves):
        raise not_signed(log.site.id, "the log", "its entries changed while they were read.")
    return found


def beyond(connection: Connection, log: HomeLog) -> RefusedError | None:
    """That there are rows where the log has no entries; None where there are none."""
    t = tables.site_entry
    elsewhere = or_(t.c.seq < 0, t.c.seq >= log.came.size)
    query = _of(log.site, func.count()).where(elsewhere)
    count = connection.execute(query).scalar_one()
    if not count:
        return None
    why = f"it has {log.came.size} entries, and {count} more rows are there, which nobody signed."
    return not_signed(log.site.id, "the log", why)


def _came(
    came: list[filed.Returned], kept: tuple[int, bytes], sizes: set[tuple[int, bytes]]
) -> CameHome:
    """How far that log had come, and with which receipt."""
    mine = [one for one in came if (one.size, one.root) in sizes]
    last = max(mine, key=lambda one: (one.size, one.brought))
    receipts = [transfer for one in mine for transfer in one.transfers]
    newest = max(receipts, key=lambda name: (len(name), name), default="")
    return CameHome(*kept, last.at, newest)


def _signed_sizes(connection: Connection, site: EnrolledSite) -> set[tuple[int, bytes]]:
    """The checkpoints of an enrolment that have a row, as far as the site signed the newest.

    That the others lie on the way to it is seen where all of it is read.
    """
    t = tables.site_checkpoint
    query = select(t.c.size, t.c.root).where(t.c.site == site.id, t.c.enrolment == site.enrolment)
    rows = sorted((row.size, bytes(row.root)) for row in connection.execute(query))
    while rows:
        try:
            site_records.checkpoint_of(connection, site, rows[-1][0])
        except RefusedError:
            rows.pop()  # nobody signed it: it counts for nothing, and takes nothing away
            continue
        break
    return set(rows)


def _bodies(connection: Connection, site: EnrolledSite, size: int) -> Iterator[bytes]:
    t = tables.site_entry
    query = _of(site, t.c.body).where(t.c.seq >= 0, t.c.seq < size).order_by(t.c.seq)
    return (bytes(row.body) for row in all_rows(connection, query))


def _of(site: EnrolledSite, *what: ColumnElement[Any]) -> Select[Any]:
    t = tables.site_entry
    return select(*what).where(t.c.site == site.id, t.c.enrolment == site.enrolment)


def _missing(site: str, size: int) -> RefusedError:
    return not_signed(
        site, "the log", f"{size} entries of it came home, by the hub's log, and are not there."
    )
