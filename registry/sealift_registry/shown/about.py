"""What `sealift show` prints of each kind of thing: lines for people, members for machines."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection

from sealift_registry.catalog.reference import ModelRef, VersionRef, parse_promotion
from sealift_registry.shown import model, person, promotion, site, transfer, version
from sealift_registry.trust.hub import Hub
from sealift_registry.views import people, promotions, sites, transfers, versions
from sealift_signing.errors import NotFoundError

Shown = tuple[str, dict[str, Any], list[str]]
"""Which kind of thing it is, its members for machines, and its lines for people."""


def all_about(hub: Hub, connection: Connection, what: str) -> Shown:
    """All about the version, model, promotion, site, transfer or person that `what` names.

    Raises:
        NotFoundError: it names nothing that there is.
        RefusedError: something of it is not what was signed.
    """
    if what.count("/") == 1:
        said = model.told(hub, connection, ModelRef.parse(what))
        return "model", dict(said.data), list(said.lines)
    if "/" in what:
        found = versions.version(hub, connection, VersionRef.parse(what))
        return "version", version.version_data(found), version.version_lines(found)
    if re.fullmatch(r"P-[0-9]+", what):  # in lower case it may be a site's id
        asked = promotions.promotion(connection, hub.now(), parse_promotion(what))
        return "promotion", promotion.promotion_data(asked), promotion.promotion_lines(asked)
    carried = transfers.transfer(hub, connection, what)
    if isinstance(carried, transfers.TransferView):
        return "transfer", transfer.transfer_data(carried), transfer.transfer_lines(carried)
    if carried is not None:
        return "transfer", transfer.begun_data(carried), transfer.begun_lines(carried)
    for kind in (_site, _person):
        with suppress(NotFoundError):
            return kind(connection, what)
    raise NotFoundError(
        "nothing-of-that-name",
        f"Nothing here is called {what}.",
        subject=what,
        next_step="Write TEAM/MODEL/VERSION, TEAM/MODEL, P-000001, or the id of a site, a "
        "transfer or a person.",
    )


def _site(connection: Connection, what: str) -> Shown:
    found = sites.site(connection, what)
    return "site", site.site_data(found), site.site_lines(found)


def _person(connection: Connection, what: str) -> Shown:
    found = people.person(connection, what)
    return "person", person.person_data(found), person.person_lines(found)
