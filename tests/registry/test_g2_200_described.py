"""What the server answers is what its description says, whoever asks and however oddly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from sealift_registry.access import accounts, tokens
from sealift_registry.access.calling import ROLES, Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.access.rights import SCOPES
from sealift_registry.catalog import tables as catalog
from sealift_registry.changing_jobs import cancel
from sealift_registry.delivery import tables as delivery
from tests.registry.accounts_fixture import signed_in
from tests.registry.described import Sweep
from tests.registry.desks_of_server import bound
from tests.registry.hub_fixture import APPROVERS, REQUESTER, SITE, STEWARDS, TEAM, Acme
from tests.registry.served_hub import served
from tests.registry.test_delivery import carried, received
from tests.registry.test_g3_80_jobs_seen import asked
from tests.site_on_paper import SiteOnPaper

REQUESTS = 20_000


@contextmanager
def swept(acme: Acme, plant: SiteOnPaper, number: int) -> Iterator[Sweep]:
    """A sweep of a hub with something of everything, by people of each right and a program."""
    hub = acme.app.hub
    carried(acme, plant)
    received(acme, acme.returned(plant))
    job = asked(hub)
    cancel(hub, job.id, "root")
    callers = {"nobody": ""}
    for role in ROLES:
        callers[role] = signed_in(acme, f"a-{role}", Grant(role)).secret
    for person in (REQUESTER, APPROVERS[0], STEWARDS[0]):
        callers[person] = bound(acme, person)
    accounts.invite(hub, "ci", "service", [Grant("publisher", TEAM)], "root")
    callers["ci"] = tokens.make(hub, "ci", sorted(SCOPES), "ci", "root").secret
    known = {
        "team": [TEAM],
        "model": ["tiny"],
        "number": ["1", "2"],
        "form": ["source", "cpu-x86_64"],
        "promotion": ["P-000001"],
        "site": [SITE],
        "transfer": [f"{SITE}-000001"],
        "person": [REQUESTER, *APPROVERS],
        "job": [job.id],
        "sha256": _digests(acme),
    }
    headers = {
        name: {"authorization": f"Bearer {secret}"} if secret else {}
        for name, secret in callers.items()
    }
    with served(acme, Gatekeeper(hub)) as client:
        yield Sweep(client, headers, known, number)


def _digests(acme: Acme) -> list[str]:
    """Of what was signed."""
    with acme.app.hub.reading() as connection:
        return [
            *connection.execute(select(catalog.statement.c.sha256)).scalars(),
            *connection.execute(select(delivery.receipt.c.sha256)).scalars(),
        ]


def test_g2_200_a_sample_of_requests_is_answered_as_described(
    ready: Acme, plant: SiteOnPaper
) -> None:
    with swept(ready, plant, 0) as sweep:
        operations = sweep.operations()
        for operation in operations:
            sweep.run(operation, 20)
    assert not sweep.wrong, sweep.told()
    assert sweep.total() > 500
    done = {name for name, _, status in sweep.asked if status in range(200, 300)}
    reads = [one for one in operations if one.method.upper() == "GET"]
    assert len(done) > len(reads) * 2 / 3, "what is there is found"


@pytest.mark.long
def test_g2_200_twenty_thousand_requests_are_answered_as_described(
    ready: Acme, plant: SiteOnPaper
) -> None:
    with swept(ready, plant, 1) as sweep:
        operations = sweep.operations()
        for operation in operations:
            sweep.run(operation, REQUESTS * 6 // 5 // len(operations))
    assert not sweep.wrong, sweep.told()
    assert sweep.total() >= REQUESTS
