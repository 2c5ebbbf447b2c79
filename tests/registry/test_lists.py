"""One bad row stops no list: the others are shown, and it is named with what to do."""

from __future__ import annotations

from sqlalchemy import select

from sealift_registry.delivery import tables
from sealift_registry.trust import teams
from tests.registry.hub_fixture import SITE, STEWARDS, TEAM, Acme
from tests.registry.signing_people import carry_out
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_stored_sites import no_triggers
from tests.site_on_paper import SiteOnPaper


def two_teams(hub: Acme) -> None:
    """One has people; the other has new stewards who have not signed yet."""
    hub.add_team("fraud", {name: hub.new_key(name) for name in ("hans", "ines")})
    hub.promoted()
    gina = hub.card("gina", hub.new_key("gina"))
    hub.later(hours=2)
    people = [one for one in STEWARDS if one != "ben"]
    wanted = teams.stewards(TEAM, (*people, "gina"), [gina])
    carry_out(hub.app, wanted, [hub.signer("targets-1"), hub.signer("targets-2")])


def test_a_team_that_awaits_its_stewards_hides_no_other(hub: Acme, capsys: Capsys) -> None:
    two_teams(hub)
    cli = Cli(hub, capsys)
    said = cli.says("team", "list")
    assert "hans" in said
    assert "gina" in said
    assert "carla" not in said  # who may approve is what nobody vouches for now
    assert f"Not listed is who may do what in team {TEAM}: Others hold team.{TEAM}" in said
    assert f"sealift renew team.{TEAM}" in said
    assert cli.json("team", "list")["refused"][0]["code"] == "role-handed-on"
    assert "Not listed is P-000001" in cli.says("list", "promotions")
    assert "Not listed is vision/tiny/1" in cli.says("list", "versions")


def test_a_site_row_that_nobody_signed_is_refused_by_name_and_the_rest_is_shown(
    ready: Acme, capsys: Capsys, plant: SiteOnPaper
) -> None:
    del plant
    no_triggers(ready)
    with ready.behind() as connection:
        row = connection.execute(select(tables.site)).mappings().one()
        forged = dict(row) | {"id": "plant-9", "enrolment": "0" * 64}
        connection.execute(tables.site.insert().values(**forged))
    code, out, err = Cli(ready, capsys)("list", "sites")
    assert code == 1
    assert out.splitlines()[1].startswith(SITE)
    assert "Not listed is plant-9" in out
    assert "plant-9" in err


def test_a_promotion_row_that_nobody_signed_is_refused_by_name_and_the_rest_is_shown(
    hub: Acme, capsys: Capsys
) -> None:
    hub.promoted()
    hub.promoted(2)
    no_triggers(hub)
    hub.sql("UPDATE promotion SET stage = 'staging' WHERE number = 2")
    code, out, err = Cli(hub, capsys)("list", "promotions")
    assert code == 1
    assert "P-000001  " in out
    assert "Not listed is P-000002" in out
    assert err
