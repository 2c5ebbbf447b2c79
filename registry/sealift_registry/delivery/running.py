"""What runs at a site, as its own log says it: attested by the site's key, nothing more."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from sealift_registry.delivery import tables
from sealift_registry.delivery.sites import Site
from sealift_signing.transparency.entry import Entry, read_entry

SWITCHES = {"model.activated", "model.stopped", "model.activation-failed"}
"""The entries of a site's log that say what runs after them; 0 says that nothing does."""


@dataclass(frozen=True)
class Running:
    """One model in one host group of a site.

    Attributes:
        since: when the site says it switched.
        words: what the site says happened then.
    """

    group: str
    model: str
    version: int
    since: str
    words: str


def running(connection: Connection, site: Site) -> list[Running]:
    """What runs at `site` by the newest of its log that came home, by host group and model."""
    t = tables.site_entry
    query = (
        select(t.c.body)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment)
        .order_by(t.c.seq)
    )
    found: dict[tuple[str, str], Running] = {}
    for body in connection.execute(query).scalars():
        entry = read_entry(bytes(body))
        if entry.type in SWITCHES:
            one = _switched(entry)
            found[one.group, one.model] = one
    return [one for _, one in sorted(found.items()) if one.version]


def last_heard(connection: Connection, site: Site) -> str | None:
    """The time of the newest entry of the site's log that came home."""
    t = tables.site_entry
    query = (
        select(t.c.body)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment)
        .order_by(t.c.seq.desc())
        .limit(1)
    )
    body = connection.execute(query).scalar_one_or_none()
    return None if body is None else read_entry(bytes(body)).at


def _switched(entry: Entry) -> Running:
    terms = {term.kind: term.value for term in entry.terms}
    version, words = int(entry.data["after"]), str(entry.data["words"])
    return Running(terms["host-group"], terms["model"], version, entry.at, words)
