"""What each site said last, as rows: verified when they are read, written as its log comes home.

A row points to an entry of a site's log. It is data, as every row: what it points to is shown only
once (1) a checkpoint of the size that it names was signed by the site's key as it is enrolled,
(2) the entry is in the log of that checkpoint, at that place, and (3) it says what the row claims;
and all rows together only if (4) one of them is of the newest entry of the newest checkpoint.

Somebody who can change the database can still leave a row out, or have it point to an entry that a
newer one took the place of, as they can cut off the end of a log: that is found by whoever reads
the whole log, which is what `sealift audit fsck` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, insert, select

from sealift_registry.delivery import site_records, tables
from sealift_registry.delivery.site_records import AnyRow, not_signed
from sealift_registry.delivery.site_state import (
    Pointer,
    Says,
    SiteState,
    state_of_log,
    state_of_pointers,
)
from sealift_registry.delivery.sites import EnrolledSite
from sealift_registry.storage.queries import in_parts
from sealift_registry.trust.stored import READING
from sealift_signing.errors import RefusedError
from sealift_signing.transparency.entry import read_entry
from sealift_signing.transparency.merkle import (
    HASH_BYTES,
    NodeReader,
    inclusion_proof_from,
    leaf_hash,
    verify_inclusion,
)

WHAT = "what it said last"


def state_of(connection: Connection, site: EnrolledSite) -> SiteState:
    """What the log of `site` says last, as far as it came home; nobody may change it.

    It is read from the entries that still say something. Only of a site that has no rows yet the
    whole log is read.

    Raises:
        RefusedError: the database has something else than what the site signed.
    """
    kept: dict[Any, Any] | None = connection.get_execution_options().get(READING)
    if kept is None:
        return _state(connection, site)
    place = (WHAT, site.id, site.enrolment)
    if place not in kept:
        kept[place] = _state(connection, site)
    found: SiteState = kept[place]
    return found


def _state(connection: Connection, site: EnrolledSite) -> SiteState:
    rows = rows_of(connection, site)
    return verified(connection, site, rows) if rows else _from_log(connection, site)


def running_at(connection: Connection, model: str, version: int) -> list[str]:
    """The sites of which a row says that they run a version, and those that have no rows yet.

    A row is only where to look: what `state_of` says of the site counts.
    """
    s, c, t = tables.site, tables.site_checkpoint, tables.site_state
    of_it = and_(t.c.site == s.c.id, t.c.enrolment == s.c.enrolment)
    named = (
        select(s.c.id)
        .join(t, of_it)
        .where(t.c.model == model, t.c.version == version, t.c.says == Says.RUNS)
    )
    other = tables.site.alias()
    newest = select(func.max(other.c.made)).where(other.c.id == s.c.id).scalar_subquery()
    unknown = select(s.c.id).where(
        s.c.made == newest,
        exists().where(c.c.site == s.c.id, c.c.enrolment == s.c.enrolment),
        ~exists().where(of_it),
    )
    return sorted({*connection.execute(named).scalars(), *connection.execute(unknown).scalars()})


# --------------------------------------------------------------------------- written


def known_state(connection: Connection, site: EnrolledSite) -> SiteState | None:
    """What the rows say, to go on from there; None where all of the log is to be read."""
    rows = rows_of(connection, site)
    if not rows:
        return SiteState() if site_records.note(connection, site) is None else None
    try:
        return verified(connection, site, rows)
    except RefusedError:
        return None


@dataclass(frozen=True)
class NewEntries:
    """What a log grew by, and what proves it.

    Attributes:
        entries: the new ones, each with its number.
        receipt: how many entries the newest of the new receipts knew; 0 without one.
        size: that of the log now.
        node: reads its tree, as far as proofs of the new entries need it.
    """

    entries: Sequence[tuple[int, bytes]]
    receipt: int
    size: int
    node: NodeReader


def go_on(connection: Connection, site: EnrolledSite, known: SiteState, new: NewEntries) -> None:
    """Bring the rows of `site` up to its log, of which more was just kept with `connection`.

    `known` is what they said before that (`known_state`); it is read on.
    """
    for seq, body in new.entries:
        known.read(seq, read_entry(body))
    known.read_receipt(new.receipt)
    write(connection, site, known.pointers(), new.size, new.node)


def write(
    connection: Connection,
    site: EnrolledSite,
    wanted: frozenset[Pointer],
    size: int,
    node: NodeReader,
) -> None:
    """Make the rows of `site` those that are `wanted`, new ones with a proof in its log of `size`.

    Rows that stay are left as they are, with their proofs: an older checkpoint holds them.
    """
    t = tables.site_state
    of = {"site": site.id, "enrolment": site.enrolment}
    there = {pointer(row) for row in rows_of(connection, site)}
    for gone in there - wanted:
        connection.execute(delete(t).where(*_is(gone, of)))
    new = [
        of | _columns(one) | {"size": size, "proof": _proof(node, one.seq, size)}
        for one in sorted(wanted - there)
    ]
    if new:
        connection.execute(insert(t), new)


def _is(one: Pointer, of: dict[str, str]) -> Iterator[Any]:
    t = tables.site_state
    key = {column.name for column in t.primary_key}
    for name, value in (of | _columns(one)).items():
        if name in key:
            yield t.c[name] == value


def _columns(one: Pointer) -> dict[str, Any]:
    return {
        "says": str(one.says),
        "host_group": one.group,
        "model": one.model,
        "version": one.version,
        "seq": one.seq,
    }


def _proof(node: NodeReader, seq: int, size: int) -> bytes:
    return b"".join(inclusion_proof_from(node, seq, size))


# --------------------------------------------------------------------------- read


def rows_of(connection: Connection, site: EnrolledSite) -> Sequence[AnyRow]:
    """The rows of `site` as it is enrolled, as they lie there."""
    t = tables.site_state
    mine = select(t).where(t.c.site == site.id, t.c.enrolment == site.enrolment)
    return connection.execute(mine.order_by(*t.primary_key)).all()


def verified(connection: Connection, site: EnrolledSite, rows: Sequence[AnyRow]) -> SiteState:
    """The state that `rows` say, each verified as this module's first words tell.

    Raises:
        RefusedError: one is none of what the site signed, or does not say that.
    """
    bodies = _bodies(connection, site, {row.seq for row in rows})
    roots = {size: _root(connection, site, size) for size in {row.size for row in rows}}  # (1)
    for row in rows:
        _check_proof(site, row, bodies.get(row.seq), roots[row.size])  # (2)
    entries = {seq: read_entry(body) for seq, body in bodies.items()}
    pointers = [pointer(row) for row in rows]
    found = None
    if all(one.says in set(Says) for one in pointers):
        found = state_of_pointers(pointers, entries)  # (3)
    if found is None:
        raise not_signed(site.id, WHAT, "an entry does not say what its row does.")
    newest = site_records.newest_checkpoint(connection, site)
    if newest is None or found.heard is None or found.heard.seq != newest.size - 1:  # (4)
        raise not_signed(site.id, WHAT, "its rows end elsewhere than its newest checkpoint.")
    return found


def _bodies(connection: Connection, site: EnrolledSite, wanted: Iterable[int]) -> dict[int, bytes]:
    t = tables.site_entry
    found: dict[int, bytes] = {}
    for some in in_parts(sorted(wanted)):
        query = select(t.c.seq, t.c.body).where(
            t.c.site == site.id, t.c.enrolment == site.enrolment, t.c.seq.in_(some)
        )
        found |= {row.seq: bytes(row.body) for row in connection.execute(query)}
    return found


def _root(connection: Connection, site: EnrolledSite, size: int) -> bytes:
    said = site_records.checkpoint_of(connection, site, size)
    if said is None:
        raise not_signed(site.id, WHAT, f"it has no checkpoint of {size} entries.")
    return said.root


def _check_proof(site: EnrolledSite, row: AnyRow, body: bytes | None, root: bytes) -> None:
    if body is None:
        raise not_signed(site.id, WHAT, f"it has no entry {row.seq}.")
    proof = bytes(row.proof)
    parts = [proof[start : start + HASH_BYTES] for start in range(0, len(proof), HASH_BYTES)]
    try:
        verify_inclusion(leaf_hash(body), row.seq, row.size, parts, root)
    except RefusedError as bad:
        raise not_signed(site.id, WHAT, bad.what) from bad


def pointer(row: AnyRow) -> Pointer:
    """What a row claims, of the entry that it points to."""
    return Pointer(row.says, row.host_group, row.model, row.version, row.seq)


def _from_log(connection: Connection, site: EnrolledSite) -> SiteState:
    return state_of_log(map(read_entry, site_records.entries(connection, site)))
