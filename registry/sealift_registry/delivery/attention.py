"""Which of many sites to look at first: what rows say of them, none of which is believed.

To verify what two hundred sites were sent and answered takes seconds, and most are in order. Nobody
is told anything of what is here: it only says which sites are verified, and in what order.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, and_, func, select

from sealift_registry.delivery import site_entries, tables
from sealift_registry.delivery.holdings import needed
from sealift_registry.delivery.site_entries import Place
from sealift_registry.delivery.site_state import Says
from sealift_registry.storage.queries import begins_with, in_parts
from sealift_registry.trust import skimming
from sealift_registry.trust.tables import tuf_document
from sealift_signing import roles
from sealift_signing.errors import MalformedError, SealiftError
from sealift_signing.transparency.entry import read_entry
from sealift_signing.vocabulary import CatalogPath
from sealift_sync.blobs import BlobStore

SitePlace = tuple[str, str]
"""A site and its enrolment."""


class Rank(IntEnum):
    """How a site seems to be, what is worst first."""

    AMISS = 0
    """It was sent and answered all that it is assigned, and does not run it, or has lost of it."""
    WAITS = 1
    """It was not assigned, sent or has not answered what it should run."""
    UNKNOWN = 2
    """It answered, and the rows do not say what it runs."""
    IN_ORDER = 3
    """Nothing of the others."""


@dataclass(frozen=True)
class Seeming:
    """A site as rows have it."""

    site: str
    rank: Rank


@dataclass
class _Said:
    """What the rows of a site say that it said last.

    Attributes:
        runs: the versions that run, by host group and model.
        failed: the places where a switch failed.
        lost: the blobs that were lost.
        refused: whether it did not believe a bundle, and took none in since.
    """

    runs: dict[Place, int] = field(default_factory=dict)
    failed: set[Place] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    refused: bool = False


@dataclass(frozen=True)
class _Wanted:
    """What a site seems to be assigned: versions by host group and model, and their manifests."""

    versions: dict[Place, int]
    manifests: frozenset[str]


def sites(connection: Connection, store: BlobStore, heard_since: str = "") -> list[Seeming]:
    """Every site that has a row: those that seem to be worst off first, each rank by its ids.

    Args:
        connection: to what says it.
        store: has the manifests of what is assigned; asked where a site has lost blobs.
        heard_since: of which nothing came home since then, those wait as well.
    """
    sent = {
        (site, enrolment): (transfer, body)
        for site, enrolment, transfer, body in _newest_bundles(connection)
    }
    answered = _answered(connection, [transfer for transfer, _ in sent.values()])
    assigned = {one.role: one.digests for one in skimming.skim(connection, roles.SITE)}
    wanted = _assigned(connection, [digest for of in assigned.values() for digest in of])
    said, heard = _said_last(connection), _heard_last(connection)
    found = []
    for name, enrolment in _enrolments(connection):
        transfer, body = sent.get((name, enrolment), ("", b""))
        digests = assigned.get(roles.site_role(name), frozenset())
        rank = Rank.WAITS
        if transfer in answered and digests and _carries(body, digests):
            lost = answered[transfer]
            rank = _rank(wanted.get(name), said.get((name, enrolment)), lost, store)
        elif _refused(said.get((name, enrolment))):
            rank = Rank.AMISS
        if rank is Rank.IN_ORDER and heard.get((name, enrolment), "") < heard_since:
            rank = Rank.WAITS
        found.append(Seeming(name, rank))
    return sorted(found, key=lambda one: (one.rank, one.site))


def _rank(wanted: _Wanted | None, said: _Said | None, lost: set[str], store: BlobStore) -> Rank:
    """That of a site which answered all that it was sent, and was sent all that it should run.

    Only what it is assigned counts: what else failed there or was lost, nobody waits for.
    """
    if wanted is None or said is None:
        return Rank.UNKNOWN
    unlike = any(said.runs.get(place) != version for place, version in wanted.versions.items())
    if unlike or said.refused or said.failed & wanted.versions.keys():
        return Rank.AMISS
    lost = lost | said.lost
    return Rank.AMISS if lost and lost & needed(store, wanted.manifests) else Rank.IN_ORDER


def _refused(said: _Said | None) -> bool:
    """Whether a site that did not answer seems to have refused what it was sent."""
    return said is not None and said.refused


def _heard_last(connection: Connection) -> dict[SitePlace, str]:
    """When something came home last of each site's log, as rows have it."""
    t = tables.site_checkpoint
    query = select(t.c.site, t.c.enrolment, func.max(t.c.received).label("received"))
    rows = connection.execute(query.group_by(t.c.site, t.c.enrolment))
    return {(row.site, row.enrolment): row.received for row in rows}


def _said_last(connection: Connection) -> dict[SitePlace, _Said]:
    """What each site seems to have said last; nothing of those that have no row of it."""
    t, e = tables.site_state, tables.site_entry
    found: dict[SitePlace, _Said] = {}
    query = select(t.c.site, t.c.enrolment, t.c.says, t.c.host_group, t.c.model, t.c.version)
    told = (Says.HEARD, Says.RUNS, Says.FAILED, Says.REFUSED)
    for row in connection.execute(query.where(t.c.says.in_(told))):
        said = found.setdefault((row.site, row.enrolment), _Said())
        place = (row.host_group, row.model)
        if row.says == Says.RUNS:
            said.runs[place] = row.version
        elif row.says == Says.FAILED:
            said.failed.add(place)
        elif row.says == Says.REFUSED:
            said.refused = True
    same = and_(e.c.site == t.c.site, e.c.enrolment == t.c.enrolment, e.c.seq == t.c.seq)
    entries = select(e.c.site, e.c.enrolment, e.c.body).join(t, same).where(t.c.says == Says.LOST)
    for site, enrolment, body in connection.execute(entries):
        with suppress(SealiftError):
            lost = site_entries.lost(read_entry(bytes(body))) or frozenset()
            found.setdefault((site, enrolment), _Said()).lost.update(lost)
    return found


def _assigned(connection: Connection, digests: list[str]) -> dict[str, _Wanted]:
    """What sites seem to be assigned, by their assignments, of these digests."""
    t, found = tuf_document, dict[str, _Wanted]()
    for some in in_parts(digests):
        query = select(t.c.body).where(begins_with(t.c.path, "sites/"), t.c.sha256.in_(some))
        for body in connection.execute(query).scalars():
            with suppress(ValueError, KeyError, TypeError, AttributeError, MalformedError):
                said = json.loads(body)
                found[said["site"]] = _wanted(said["groups"])
    return found


def _wanted(groups: Any) -> _Wanted:  # noqa: ANN401 - JSON
    versions: dict[Place, int] = {}
    manifests = set[str]()
    for group, assigned in groups.items():
        for model, kept in assigned["models"].items():
            versions[group, model] = CatalogPath.parse(kept["current"]["path"]).version
            manifests.update(one["sha256"] for one in (kept["current"], *kept["fallbacks"]))
    return _Wanted(versions, frozenset(manifests))


def _enrolments(connection: Connection) -> Iterator[tuple[str, str]]:
    """Each site with its newest enrolment."""
    t = tables.site
    newest = select(t.c.id, func.max(t.c.made).label("made")).group_by(t.c.id).subquery()
    same = and_(t.c.id == newest.c.id, t.c.made == newest.c.made)
    for row in connection.execute(select(t.c.id, t.c.enrolment).join(newest, same)):
        yield row.id, row.enrolment


def _newest_bundles(connection: Connection) -> Iterator[tuple[str, str, str, bytes]]:
    """Site, enrolment, transfer and transfer.json of the newest bundle for each enrolment."""
    t, b = tables.transfer, tables.bundle
    newest = (
        select(t.c.site, func.max(t.c.number).label("number"))
        .join(b, b.c.transfer == t.c.id)
        .group_by(t.c.site, t.c.enrolment)
        .subquery()
    )
    query = (
        select(t.c.site, t.c.enrolment, t.c.id, b.c.body)
        .join(b, b.c.transfer == t.c.id)
        .join(newest, and_(t.c.site == newest.c.site, t.c.number == newest.c.number))
    )
    for row in connection.execute(query):
        yield row.site, row.enrolment, row.id, bytes(row.body)


def _answered(connection: Connection, transfers: list[str]) -> dict[str, set[str]]:
    """Those of some transfers that have a receipt, each with what its newest says is lost."""
    t = tables.receipt
    found: dict[str, tuple[str, set[str]]] = {}
    for some in in_parts(transfers):
        query = select(t.c.transfer, t.c.body).where(t.c.transfer.in_(some))
        for row in connection.execute(query.order_by(t.c.sha256)):
            found[row.transfer] = max(
                found.get(row.transfer, ("", set())), _lost(row.body), key=itemgetter(0)
            )
    return {transfer: lost for transfer, (_, lost) in found.items()}


def _lost(body: bytes) -> tuple[str, set[str]]:
    """When a receipt seems to have been made, and what it seems to say is lost."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        said = json.loads(base64.b64decode(json.loads(body)["payload"]))["predicate"]
        return str(said["made"]), set(map(str, said["lost"]))
    return "", set()


def _carries(body: bytes, digests: frozenset[str]) -> bool:
    """Whether a transfer.json names all of these digests, in whatever place."""
    with suppress(ValueError, KeyError, TypeError):
        payload = base64.b64decode(json.loads(body)["payload"])
        return all(digest.encode() in payload for digest in digests)
    return False
