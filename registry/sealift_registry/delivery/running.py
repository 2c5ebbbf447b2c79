"""What runs at a site, as its own log says it: attested by the site's key, nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.delivery import site_records
from sealift_registry.delivery.sites import Site
from sealift_signing.transparency.entry import Entry, read_entry

FAILED = "model.activation-failed"
SWITCHES = {"model.activated", "model.stopped", FAILED}
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
    found: dict[tuple[str, str], Running] = {}
    for body in site_records.entries(connection, site):
        entry = read_entry(body)
        one = switched(entry)
        if one is not None and not _ran_on(found.get((one.group, one.model)), one, entry):
            found[one.group, one.model] = one
    return [one for _, one in sorted(found.items()) if one.version]


def _ran_on(known: Running | None, one: Running, entry: Entry) -> bool:
    """Whether what ran went on: of it an attempt to switch to another says no newer time."""
    return entry.type == FAILED and known is not None and known.version == one.version


def last_heard(connection: Connection, site: Site) -> str | None:
    """The time of the newest entry of the site's log that came home."""
    bodies = site_records.entries(connection, site)
    return read_entry(bodies[-1]).at if bodies else None


def switched(entry: Entry) -> Running | None:
    """What `entry` says was switched; None if it says nothing of the kind.

    The site's key vouches for the entry, and nothing vouches for the site's software: an entry
    that lacks a member must not keep the hub from showing all the others, for ever.
    """
    if entry.type not in SWITCHES or not isinstance(entry.data, Mapping):
        return None
    terms = {term.kind: term.value for term in entry.terms}
    group, model, version = terms.get("host-group"), terms.get("model"), entry.data.get("after")
    if group is None or model is None or type(version) is not int:
        return None
    return Running(group, model, version, entry.at, str(entry.data.get("words", "")))
