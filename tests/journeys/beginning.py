"""The beginning of every random journey: an organisation, three versions of a model, two sites."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.trust.repository import Repository
from sealift_signing import roles
from sealift_signing.approvals import REQUEST, approve
from tests.journeys.ground import ASKERS, GROUPS, MEDIA, NODDERS, VERSIONS, Cargo, Reckoning, Start
from tests.journeys.hub_oracle import HubReckoning
from tests.journeys.world import World
from tests.registry.hub_fixture import STEWARDS, TARGET, TEAM, Acme, copied, version

OFFICES = ("dispatcher-1", "fleet-1", "recall-1", "targets-1", "targets-2")


def begin(stocked: Path, folder: Path) -> Start:
    """Every version is approved; both sites run the second, and the hub knows that they do."""
    acme = copied(stocked, folder)
    for number in VERSIONS[2:]:
        acme.ingest(number, acme.goldens())
        acme.convert(number)
    acme.new_key("gina")
    acme.entitle("gina", approve("production"))
    acme.entitle(ASKERS[1], REQUEST)
    manifests = _manifests(acme)
    digests = {number: sha256(data).hexdigest() for number, data in manifests.items()}
    blobs = {number: blobs_of(data) for number, data in manifests.items()}
    files = {number: files_of(data) for number, data in manifests.items()}
    hub = HubReckoning(
        datetime.now(UTC) + timedelta(minutes=1), _expires(acme), {*ASKERS, *NODDERS}
    )
    signers = {name: acme.signer(name) for name in (*ASKERS, *NODDERS, *STEWARDS, *OFFICES)}
    acme.close()
    nowhere = Reckoning(hub, {}, {}, [Cargo() for _ in range(MEDIA)])
    world = World(Start(acme.folder, nowhere, digests, blobs, files, signers), folder / "begun")
    for number in VERSIONS:
        world.request(number, ASKERS[0], despite=False)
        for person in NODDERS:
            world.approve(number, person)
    for site, groups in GROUPS.items():
        world.enrol(site, site)
        for group in groups:
            world.assign(site, group, [2, 1], keep=False)
        world.journey(site, 0, home=True)
    world.lose(0)
    world.acme.close()
    return Start(world.folder, world.reckoning, digests, blobs, files, signers)


def _manifests(acme: Acme) -> dict[int, bytes]:
    """The manifest of every version's variant."""
    found = {}
    with acme.app.hub.reading() as connection:
        for number in VERSIONS:
            row = Catalog(connection).artifact(version(number).path(TARGET))
            assert row is not None
            found[number] = acme.app.hub.home.blobs.read(row.sha256)
    return found


def _expires(acme: Acme) -> dict[str, datetime]:
    """When the roles of a new organisation do; what is signed later is reckoned."""
    names = {
        "root": roles.ROOT,
        "targets": roles.TARGETS,
        "fleet": roles.FLEET,
        "recall": roles.RECALL,
        "team": roles.team_role(TEAM),
        "catalog": roles.catalog_role(TEAM),
    }
    with acme.app.hub.reading() as connection:
        repository = Repository(connection)
        return {name: repository.targets(role).signed.expires for name, role in names.items()}


def blobs_of(manifest: bytes) -> frozenset[str]:
    """The blobs that an OCI manifest names."""
    said = json.loads(manifest)
    return files_of(manifest) | {said["config"]["digest"].removeprefix("sha256:")}


def files_of(manifest: bytes) -> frozenset[str]:
    """The blobs that are files of a model."""
    layers = json.loads(manifest)["layers"]
    return frozenset(one["digest"].removeprefix("sha256:") for one in layers)
