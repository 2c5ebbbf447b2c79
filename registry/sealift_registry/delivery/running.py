"""What runs at a site, as its own log says it: attested by the site's key, nothing more."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.delivery import site_rows
from sealift_registry.delivery.site_entries import Running
from sealift_registry.delivery.sites import EnrolledSite, Sites


@dataclass(frozen=True)
class RunningAt:
    """A place where a version runs.

    Attributes:
        site: its id.
        running: what runs there, in which host group and since when.
        heard: the time of the newest entry of the site's log that came home.
    """

    site: str
    running: Running
    heard: str


def running(connection: Connection, site: EnrolledSite) -> list[Running]:
    """What runs at `site` by the newest of its log that came home, by host group and model."""
    return [one.what for _, one in sorted(site_rows.state_of(connection, site).runs.items())]


def last_heard(connection: Connection, site: EnrolledSite) -> str | None:
    """The time of the newest entry of the site's log that came home."""
    heard = site_rows.state_of(connection, site).heard
    return None if heard is None else heard.what


def where(connection: Connection, model: str, version: int) -> list[RunningAt]:
    """Where a version of `model` runs, by site and host group, as each site's own log says it.

    Only the sites that say so are read, however many there are.

    Raises:
        RefusedError: the database has something else than what one of them signed.
    """
    sites = Sites(connection)
    found = []
    for name in site_rows.running_at(connection, model, version):
        site = sites.get(name)
        heard = last_heard(connection, site) or ""
        found += [
            RunningAt(site.id, one, heard)
            for one in running(connection, site)
            if (one.model, one.version) == (model, version)
        ]
    return found
