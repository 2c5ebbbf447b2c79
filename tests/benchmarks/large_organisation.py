"""Organisations as large as they get, published by the code that a hub publishes with.

Two shapes: one catalog role with very many artifacts, and very many sites and teams. In both one
site's bundle is written, and then a later one, so that a walk can be measured with and without
what an earlier visit kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from sealift_signing import publishing, roles, shape
from sealift_signing.documents import FleetKeys, MachineKey, Members, members_path
from tests.hub_on_paper import GROUP, GROUPS, SITE, TEAM, HubOnPaper, Release
from tests.site_on_paper import SiteOnPaper
from tests.trust import STAGE, person

STEWARDS = 3


class LargeOrganisation:
    """A hub on paper, grown, and an enrolled `site`. All of it lies in `folder`, which is made."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.hub = HubOnPaper(folder)
        self.site = SiteOnPaper(folder / SITE, self.hub.now)
        self.site.enrol(self.hub, groups=GROUPS)

    def bundles(self) -> tuple[Path, Path]:
        """A bundle, and a later one in which every role is of a newer version."""
        first = self.hub.export(self.folder / "medium")
        for role in list(self.hub.repository.current):
            if role not in roles.TOP_ROLES:
                self._sign_anew(role)
        self._sign_anew(roles.TARGETS)
        return first, self.hub.export(self.folder / "later")

    def assign(self, releases: Iterable[Release]) -> None:
        """Give the site's host group each release, as the current version of its model."""
        for release in releases:
            self.hub.assign(release, group=GROUP)

    def list_artifacts(self, number: int) -> None:
        """Grow `catalog.vision` to `number` artifacts, ten versions a model."""
        with self.hub.repository.next(roles.catalog_role(TEAM)) as signed:
            for n in range(number - len(signed.targets)):
                path = f"catalog/{TEAM}/defect-detector-{n // 10:05d}/{n % 10 + 1}/cuda-sm89-fp16"
                digest = sha256(path.encode()).hexdigest()
                signed.targets[path] = publishing.target_file(path, 1_000 + n, digest)

    def add_teams(self, names: Iterable[str]) -> None:
        """Teams, each with stewards, a catalog and members of its own."""
        new = list(names)
        repository = self.hub.repository
        for team in new:
            stewards = tuple(f"{team}-steward-{n}" for n in range(STEWARDS))
            repository.holders[roles.team_role(team)] = (2, stewards)
            repository.holders[roles.catalog_role(team)] = (1, (f"{team}-catalog",))
        added = [of(team) for team in new for of in (roles.team_role, roles.catalog_role)]
        self._delegate(roles.TARGETS, added)
        for team in new:
            self._publish_members(team)

    def add_sites(self, names: Iterable[str]) -> None:
        """Sites, each with a dispatcher and a key of its own, and nothing assigned yet."""
        new = list(names)
        for site in new:
            self.hub.repository.holders[roles.site_role(site)] = (1, (f"{site}-dispatcher",))
        self._delegate(roles.FLEET, [roles.site_role(site) for site in new])
        known = self.hub.documents["fleet/keys.json"]
        fleet = shape.read(FleetKeys, known, what="fleet/keys.json")
        keys = tuple(MachineKey(self.hub.public(site), site, "site", "active") for site in new)
        data = shape.write(FleetKeys(1, (), (*fleet.keys, *keys)))
        self.hub.publish(roles.FLEET, "fleet/keys.json", data)

    def _sign_anew(self, role: str) -> None:
        """The same content once more, as the next version; the snapshot stays as it is."""
        repository = self.hub.repository
        following = repository.draft(role)
        repository.publish(role, following, refresh=False)

    def _delegate(self, owner: str, names: list[str]) -> None:
        repository = self.hub.repository
        with repository.next(owner) as signed:
            for name in names:
                repository.delegate(signed, name)
        for name in names:
            first = publishing.first_targets(expires=repository.expiry(name))
            repository.publish(name, first, refresh=False)
        repository.refresh()

    def _publish_members(self, team: str) -> None:
        purposes = ("request", f"approve:{STAGE}")
        names = ("anna", "bert", "carla")
        people = tuple(person(self.hub.keys, name, *purposes) for name in names)
        path, data = members_path(team), shape.write(Members(1, (), team, people, ()))
        self.hub.documents[path] = data
        role, repository = roles.team_role(team), self.hub.repository
        following = repository.draft(role)
        publishing.list_document(following.signed, path, data)
        repository.publish(role, following, refresh=False)
