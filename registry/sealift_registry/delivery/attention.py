"""Which of many sites to look at first: what rows say of them, none of which is believed.

To verify what two hundred sites were sent and answered takes seconds, and most are in order. Nobody
is told anything of what is here: it only says which sites are verified, and in what order.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select, tuple_

from sealift_registry.delivery import tables
from sealift_registry.delivery.site_state import Says
from sealift_registry.trust import skimming
from sealift_registry.trust.tables import tuf_document
from sealift_signing import roles
from sealift_signing.errors import MalformedError
from sealift_signing.vocabulary import CatalogPath

SitePlace = tuple[str, str]
"""A site and its enrolment."""
Assigned = tuple[str, str, int]
"""A host group, a model and a version of it."""
AT_ONCE = 400
"""Values in one query: databases bound how many parameters it may have."""


@dataclass(frozen=True)
class Seeming:
    """A site as rows have it, and whether something there seems to wait for somebody."""

    site: str
    waits: bool


def sites(connection: Connection) -> list[Seeming]:
    """Every site that has a row: first those where something seems to wait, each by its id."""
    sent = {
        (site, enrolment): (transfer, body)
        for site, enrolment, transfer, body in _newest_bundles(connection)
    }
    answered = _answered(connection, [transfer for transfer, _ in sent.values()])
    assigned = {one.role: one.digests for one in skimming.skim(connection, roles.SITE)}
    wanted = _assigned(connection, [digest for of in assigned.values() for digest in of])
    running, amiss = _said_last(connection)
    found = []
    for name, enrolment in _enrolments(connection):
        place = (name, enrolment)
        transfer, body = sent.get(place, ("", b""))
        digests = assigned.get(roles.site_role(name), frozenset())
        is_sent = transfer in answered and bool(digests) and _carries(body, digests)
        is_run = place not in amiss and wanted.get(name, set()) <= running.get(place, set())
        found.append(Seeming(name, not (is_sent and is_run)))
    return sorted(found, key=lambda one: (not one.waits, one.site))


def _said_last(
    connection: Connection,
) -> tuple[dict[SitePlace, set[Assigned]], set[SitePlace]]:
    """What each site seems to run; and those where a switch failed, or blobs were lost."""
    t = tables.site_state
    running: dict[SitePlace, set[Assigned]] = {}
    amiss: set[SitePlace] = set()
    query = select(t.c.site, t.c.enrolment, t.c.says, t.c.host_group, t.c.model, t.c.version)
    said = (Says.RUNS, Says.FAILED, Says.LOST)
    for row in connection.execute(query.where(t.c.says.in_(said))):
        place = (row.site, row.enrolment)
        if row.says == Says.RUNS:
            running.setdefault(place, set()).add((row.host_group, row.model, row.version))
        else:
            amiss.add(place)
    return running, amiss


def _assigned(connection: Connection, digests: list[str]) -> dict[str, set[Assigned]]:
    """What sites seem to be assigned, by their assignments, of these digests."""
    t, found = tuf_document, dict[str, set[Assigned]]()
    for start in range(0, len(digests), AT_ONCE):
        some = t.c.sha256.in_(digests[start : start + AT_ONCE])
        query = select(t.c.body).where(t.c.path.startswith("sites/"), some)
        for body in connection.execute(query).scalars():
            with suppress(ValueError, KeyError, TypeError, AttributeError, MalformedError):
                said = json.loads(body)
                found[said["site"]] = set(_current(said["groups"]))
    return found


def _current(groups: Any) -> Iterator[Assigned]:  # noqa: ANN401 - JSON
    for group, assigned in groups.items():
        for model, versions in assigned["models"].items():
            path = CatalogPath.parse(versions["current"]["path"])
            yield group, model, path.version


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
        select(t.c.site, func.max(t.c.number))
        .join(b, b.c.transfer == t.c.id)
        .group_by(t.c.site, t.c.enrolment)
    )
    query = (
        select(t.c.site, t.c.enrolment, t.c.id, b.c.body)
        .join(b, b.c.transfer == t.c.id)
        .where(tuple_(t.c.site, t.c.number).in_(newest))
    )
    for row in connection.execute(query):
        yield row.site, row.enrolment, row.id, bytes(row.body)


def _answered(connection: Connection, transfers: list[str]) -> set[str]:
    """Those of some transfers that have a receipt."""
    t = tables.receipt
    found: set[str] = set()
    for start in range(0, len(transfers), AT_ONCE):
        some = transfers[start : start + AT_ONCE]
        query = select(t.c.transfer).where(t.c.transfer.in_(some)).distinct()
        found |= set(connection.execute(query).scalars())
    return found


def _carries(body: bytes, digests: frozenset[str]) -> bool:
    """Whether a transfer.json names all of these digests, in whatever place."""
    with suppress(ValueError, KeyError, TypeError):
        payload = base64.b64decode(json.loads(body)["payload"])
        return all(digest.encode() in payload for digest in digests)
    return False
