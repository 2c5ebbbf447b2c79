"""Every operation of the server: somebody may, somebody may not, and the log says who did not."""

from __future__ import annotations

import pytest

from sealift_registry.access.calling import ROLES, Role
from sealift_registry.changing_jobs import cancel
from tests.registry.hub_fixture import Acme
from tests.registry.test_g2_20_rights import EVERYBODY, GRANTED
from tests.registry.test_g2_190_writing import entries
from tests.registry.tour_of_server import APART, NARROW, NARROWER, TOUR, World, touring
from tests.site_on_paper import SiteOnPaper


def operations(world: World) -> dict[str, str | None]:
    """Every operation that is described, with the action that it needs."""
    described = world.client.get("/api/v1/openapi.json").json()
    return {
        one["operationId"]: one.get("x-sealift-action")
        for item in described["paths"].values()
        for one in item.values()
    }


LAST = ("bind_account", "sign_out")
"""Who proved a key may do more, and who signs out is nobody."""


def in_order(names: list[str]) -> list[str]:
    """So that what one operation does changes nothing for others."""
    return sorted(names, key=lambda name: LAST.index(name) if name in LAST else -1)


def test_g2_202_the_tour_is_of_all_that_there_is(ready: Acme, plant: SiteOnPaper) -> None:
    with touring(ready, plant) as world:
        assert {*TOUR, *APART} == {*operations(world)}


def test_g2_202_each_operation_is_done_for_one_who_may_and_refused_to_one_who_may_not(
    ready: Acme, plant: SiteOnPaper
) -> None:
    with touring(ready, plant) as world:
        cancel(ready.app.hub, world.jobs["over"].id, "root")
        for name, action in operations(world).items():
            if action is not None and name in TOUR:
                who = NARROWER if action == "me.read" else NARROW
                answer = TOUR[name].send(world, world.desks[who])
                assert answer.status_code == 403, (name, answer.text)
        for name in in_order([*TOUR]):
            answer = TOUR[name].send(world, world.desks[TOUR[name].by])
            assert answer.is_success, (name, answer.status_code, answer.text)


@pytest.mark.parametrize("role", ROLES)
def test_g2_203_a_role_opens_over_http_what_the_table_says(
    ready: Acme, plant: SiteOnPaper, role: Role
) -> None:
    with touring(ready, plant) as world:
        cancel(ready.app.hub, world.jobs["over"].id, "root")
        needs = operations(world)
        refused: set[str] = set()
        for name in in_order([name for name in TOUR if needs[name]]):
            action, stop = str(needs[name]), TOUR[name]
            may = stop.own or action in GRANTED[role] | EVERYBODY
            answer = stop.send(world, world.desks[role])
            assert (answer.status_code not in {401, 403}) == may, (name, answer.text)
            if not may:
                assert answer.headers["content-type"] == "application/problem+json"
                refused.add(action)
        told = {
            str(one.data["action"])
            for one in entries(ready)
            if one.type == "access.refused" and one.actor == f"a-{role}"
        }
        assert told == refused


def test_g2_203_who_was_granted_nothing_is_let_in_to_their_own_things_alone(
    ready: Acme, plant: SiteOnPaper
) -> None:
    with touring(ready, plant) as world:
        needs = operations(world)
        for name in in_order([name for name in TOUR if needs[name]]):
            answer = TOUR[name].send(world, world.desks["stranger"])
            may = TOUR[name].own or needs[name] in EVERYBODY
            assert (answer.status_code != 403) == may, (name, answer.text)


def test_g2_203_nobody_is_let_in_without_being_somebody(ready: Acme, plant: SiteOnPaper) -> None:
    with touring(ready, plant) as world:
        needs = operations(world)
        nobody = world.desks["viewer"].__class__(world.client, ready, "nobody", "sls_unknown")
        for name in [name for name in TOUR if needs[name]]:
            assert TOUR[name].send(world, nobody).status_code == 401, name
        assert "access.refused" not in ready.types()
