"""What entries of the log say of sites: who was enrolled, what was exported, and what came home.

Each was signed, but nothing that is signed says that it is there. So whoever goes by all of a
site's enrolments, or takes a transfer for one that was never written, asks the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from sealift_registry.delivery import tables
from sealift_registry.storage.queries import all_rows
from sealift_registry.trust import signed_log
from sealift_signing.drawing import word
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.verdict import LogFault, apart

AnyRow = Row[tuple[Any, ...]]
Named = Mapping[str, str]
"""Digests that the log names, and of what each is."""

ENROLLED = "site.enrolled"
EXPORTED = "transfer.exported"
RETURNED = "return.accepted"


def enrolments(connection: Connection, site: str) -> frozenset[str]:
    """The enrolments of a site that the log names.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    found = signed_log.every(connection, (ENROLLED,), ("site", site), site.encode())
    return frozenset(one.data["enrolment"] for one in found if one.data["site"] == site)


@dataclass(frozen=True)
class Returned:
    """A return that the hub's log says was taken in.

    Attributes:
        at: when.
        size: how many entries the site's log on it had.
        root: of the tree over them.
        brought: how many of them were new.
        transfers: those whose receipts were new.
    """

    at: str
    size: int
    root: bytes
    brought: int
    transfers: tuple[str, ...]


def returns(connection: Connection, site: str) -> list[Returned]:
    """The returns of a site that the log names, in its order.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    found = signed_log.every(connection, (RETURNED,), ("site", site), site.encode())
    return [
        Returned(
            one.at,
            one.data["size"],
            bytes.fromhex(one.data["root"]),
            one.data["entries"],
            tuple(one.data["transfers"]),
        )
        for one in reversed(list(found))
        if one.data["site"] == site
    ]


def check_not_exported(connection: Connection, transfer: str) -> None:
    """Check of a transfer whose bundle has no row that none was written.

    Raises:
        RefusedError: the log says that it was.
        FailedError: the log is not the one that was signed.
    """
    term = ("transfer", transfer)
    for entry in signed_log.every(connection, (EXPORTED,), term, transfer.encode()):
        if entry.data.get("transfer") == transfer:
            raise signed_log.missing(
                f"the bundle of {transfer}", f"bundle WHERE transfer = '{transfer}'"
            )


def check(connection: Connection) -> Iterator[LogFault]:
    """What the log says of sites and has no row, and rows of which it does not say so."""
    yield from apart("What the log says of enrolments", _enrolments(connection))
    yield from apart("What the log says of bundles", _bundles(connection))
    yield from apart("What the log says of returns", _returns(connection))


def _enrolments(connection: Connection) -> Iterator[LogFault]:
    named = {
        one.data["enrolment"]: f"site {word(one.data['site'])}"
        for one in signed_log.oldest_first(connection, ENROLLED)
    }
    t = tables.site
    query = select(t.c.enrolment, t.c.id).order_by(*t.primary_key)
    rows = {row.enrolment: f"site {word(row.id)}" for row in all_rows(connection, query)}
    yield from _compared("enrolment", named, rows)


def _bundles(connection: Connection) -> Iterator[LogFault]:
    named = {
        one.data["sha256"]: word(one.data["transfer"])
        for one in signed_log.oldest_first(connection, EXPORTED)
    }
    t = tables.bundle
    query = select(t.c.sha256, t.c.transfer).order_by(t.c.transfer)
    rows = {row.sha256: word(row.transfer) for row in all_rows(connection, query)}
    yield from _compared("bundle", named, rows)


def _compared(kind: str, named: Named, rows: Named) -> Iterator[LogFault]:
    for digest in sorted(rows.keys() - named.keys()):
        what = f"The {kind} {word(digest[:12])} of {rows[digest]} is in the database, and no entry "
        yield LogFault("row-not-logged", f"{what}of the log says so.", None)
    for digest in sorted(named.keys() - rows.keys()):
        what = f"The {kind} {word(digest[:12])} of {named[digest]} is in the log, and has no row."
        yield LogFault("row-missing", what, None)


def _returns(connection: Connection) -> Iterator[LogFault]:
    """What came home is there: each receipt, and how far each site's log was known."""
    r, c = tables.receipt.c, tables.site_checkpoint.c
    receipts = {(row.site, row.sha256) for row in all_rows(connection, select(r.site, r.sha256))}
    query = select(c.site, c.size, c.root)
    logs = {(row.site, row.size, bytes(row.root).hex()) for row in all_rows(connection, query)}
    for entry in signed_log.oldest_first(connection, RETURNED):
        site = entry.data["site"]
        for digest in entry.data["receipts"]:
            if (site, digest) not in receipts:
                what = f"The receipt {word(digest[:12])} of site {word(site)} is in the log, and "
                yield LogFault("row-missing", f"{what}has no row.", None)
        if _brought_more(entry) and (site, entry.data["size"], entry.data["root"]) not in logs:
            what = f"The log of site {word(site)} with {entry.data['size']} entries was accepted, "
            yield LogFault("row-missing", f"{what}by the log, and its checkpoint has no row.", None)


def _brought_more(entry: Entry) -> bool:
    """Whether a return brought entries that were new, and so a checkpoint over them."""
    return bool(entry.data["entries"])
