"""What holds after every step of a random journey."""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from pathlib import Path

from sqlalchemy import text

from sealift_registry.audit.reading import LogReader
from sealift_registry.delivery import site_records, whole_logs
from sealift_registry.delivery.running import running
from sealift_registry.delivery.sites import Sites
from sealift_registry.trust.repository import Repository
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_sync.site.log.log_reader import SiteLogReader
from tests.journeys.world import World
from tests.registry.hub_fixture import MODEL


def check_visible(world: World) -> None:
    """What consumers find is what was foretold to run, byte for byte, and nothing unapproved."""
    for site, known in world.reckoning.sites.items():
        models = world.plants[site].root / "models"
        shown = {}
        for group in known.groups:
            link = models / group / MODEL / "current"
            if link.is_symlink():
                number, _, digest = link.readlink().name.partition("-")
                assert digest == world.start.digests[int(number)]
                files = (path for path in link.rglob("*") if path.is_file())
                shas = {sha256(path.read_bytes()).hexdigest() for path in files}
                assert shas == world.start.files[int(number)]
                shown[group] = int(number)
        assert shown == known.running
        _check_folders(world, site, models)


def _check_folders(world: World, site: str, models: Path) -> None:
    """Every folder below models/, current or not, holds what was approved once for that group."""
    known = world.reckoning.sites[site]
    for folder in models.glob("*/*/*/*"):
        if folder.name != "current":
            group, number = folder.relative_to(models).parts[0], int(folder.name.partition("-")[0])
            assert (group, number) in known.installed
            assert folder.name == f"{number}-{world.start.digests[number]}"


def check_floors(world: World) -> None:
    """No role's version ever goes back at a site."""
    for site, before in world.floors.items():
        connection = sqlite3.connect(world.plants[site].root / "sealift.db")
        try:
            rows = "SELECT role, MAX(version) FROM floor_of_keys GROUP BY role"
            now = dict(connection.execute(rows).fetchall())
            kept = dict(connection.execute("SELECT role, version FROM trusted").fetchall())
        finally:
            connection.close()
        assert all(now.get(role, 0) >= version for role, version in before.items())
        assert all(now[role] >= version for role, version in kept.items())
        world.floors[site] = now


def check_logs(world: World) -> None:
    """Every log verifies, also against what the others have seen of it."""
    hub = world.acme.app.hub
    with hub.reading() as connection:
        organisation = Repository(connection).organisation()
    key, origin = hub.online.public("log"), hub_origin(organisation)
    verdict = LogReader(hub.database).verify(key, origin)
    assert not verdict.findings
    for plant in world.plants.values():
        with plant.opened("audit") as site:
            reader = SiteLogReader(site.state.connection)
            assert not reader.verify(site.key, site.origin).findings


def check_hub(world: World) -> None:
    """What the hub believes of each site is what came home, no more and no less."""
    hub = world.acme.app.hub
    with hub.reading() as connection:
        for site, known in world.hub.sites.items():
            enrolled = Sites(connection).get(site)
            assert enrolled.enrolment == known.enrolment
            believed = {one.group: one.version for one in running(connection, enrolled)}
            assert believed == dict(known.running)
            bodies = site_records.entries(connection, enrolled)
            assert list(whole_logs.differences(connection, enrolled, bodies)) == []
            query = text(
                "SELECT receipt.transfer FROM receipt JOIN transfer ON transfer.id = transfer "
                "WHERE enrolment = :enrolment"
            )
            kept = connection.execute(query, {"enrolment": known.enrolment}).scalars().all()
            assert sorted(kept) == sorted(known.receipts)
            query = text("SELECT count(*) FROM site_entry WHERE enrolment = :enrolment")
            entries = connection.execute(query, {"enrolment": known.enrolment}).scalar_one()
            assert entries == len(known.log)
        begun = connection.execute(text("SELECT id FROM transfer")).scalars().all()
    assert sorted(begun) == sorted(world.hub.transfers)
    assert len(set(begun)) == len(begun)
