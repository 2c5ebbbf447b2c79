"""Whether check rows leave the hub is said by a team's stewards, and by nobody else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sealift_registry.delivery import check_row_permission
from sealift_registry.trust import hub_drafts
from sealift_registry.trust.repository import Repository
from sealift_signing import drafts, features, gate, shape
from sealift_signing.acts.material import Ask
from sealift_signing.documents import Members, read_members
from sealift_signing.errors import MalformedError, RefusedError, SealiftError
from tests.registry.hub_fixture import SITE, STEWARDS, TEAM, Acme, Loose
from tests.registry.signing_people import carry_out, members_of, sign
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_what_sites_read import says, without
from tests.site_on_paper import SiteOnPaper

FULL, SPELLED = features.CHECK_ROWS_TRAVEL.full, features.CHECK_ROWS_TRAVEL.spelled


def lets(hub: Acme, *, travel: bool = True, any_software: bool = False) -> None:
    """The stewards say it."""
    wanted = check_row_permission.wanted(hub.app.hub, TEAM, travel=travel)
    wanted = replace(wanted, check=hub_drafts.unchecked) if any_software else wanted
    carry_out(hub.app, wanted, hub.stewards)


def said(hub: Acme) -> Members:
    with hub.app.hub.reading() as connection:
        return members_of(Repository(connection), TEAM)


def newest(hub: Acme) -> tuple[str, Loose]:
    """The log's newest entry: its type and data."""
    with hub.app.hub.engine.connect() as connection:
        query = "SELECT type, body FROM log_entry ORDER BY seq DESC LIMIT 1"
        kind, body = connection.exec_driver_sql(query).one()
    return kind, json.loads(body)["data"]


def test_p0_195_check_rows_stay_until_the_stewards_say_otherwise(ready: Acme) -> None:
    hub, before = ready, said(ready)
    assert (before.check_rows, before.requires) == (None, ())
    lets(hub)
    assert (said(hub).check_rows, said(hub).requires) == ("travel", (SPELLED,))
    assert replace(said(hub), check_rows=None, requires=()) == before
    kind, data = newest(hub)
    assert (kind, data["object"]) == ("team.check-rows-changed", [TEAM, "travel"])
    rows = hub.rows()
    lets(hub)
    assert hub.rows() == rows, "said again, it adds nothing"
    hub.new_key("gina")
    hub.entitle("gina", "request")
    assert said(hub).check_rows == "travel", "another act leaves it as it is"
    lets(hub, travel=False)
    assert (said(hub).check_rows, said(hub).requires) == (None, ())


def test_p0_195_nobody_but_enough_stewards_says_so(ready: Acme) -> None:
    hub = ready
    wanted = check_row_permission.wanted(hub.app.hub, TEAM, travel=True)
    for signers in (hub.stewards[:1], [hub.signer("carla"), hub.signer("emil")]):
        with pytest.raises(RefusedError):
            carry_out(hub.app, wanted, signers)
    assert said(hub).check_rows is None


def test_p0_196_whoever_signs_reads_what_leaves_and_to_where(ready: Acme) -> None:
    hub, now = ready, ready.app.hub.now()

    def words(*, travel: bool) -> str:
        wanted = check_row_permission.wanted(hub.app.hub, TEAM, travel=travel)
        with hub.app.hub.reading() as connection:
            made = hub_drafts.draft(hub.app.hub, connection, wanted)
        key = hub.public(STEWARDS[0])
        return "\n".join(gate.examine(made, wanted.ask, None, now, key).words)

    assert f"Let check rows TRAVEL with all models of team {TEAM}" in words(travel=True)
    assert f"sites that would get them, as the hub says: {SITE}" in words(travel=True)
    assert "every site to which a model of the team is assigned later" in words(travel=True)
    lets(hub)
    with hub.app.hub.reading() as connection:
        made = hub_drafts.draft(
            hub.app.hub, connection, hub_drafts.Wanted(Ask("renew", (f"team.{TEAM}",)))
        )
    shown = gate.examine(made, Ask("renew", (f"team.{TEAM}",)), None, now, hub.public("anna"))
    assert "check rows TRAVEL with the team's models" in "\n".join(shown.words)
    assert "What has travelled is not called back." in words(travel=False)


def test_p0_197_a_site_that_could_not_read_it_is_named_before_anybody_signs(
    ready: Acme,
) -> None:
    hub = ready
    says(hub, without(FULL))
    rows = hub.rows()
    with pytest.raises(RefusedError) as error:
        lets(hub)
    assert error.value.code == "site-lacks-features"
    assert f"needs what its software does not read: {FULL} (teams/{TEAM}/members.json)" in str(
        error.value
    )
    assert f"Install Sealift 0.1 or newer at {SITE}" in str(error.value)
    assert hub.rows() == rows
    lets(hub, travel=False)
    lets(hub, any_software=True)
    with pytest.raises(RefusedError) as error:
        hub.export()
    assert error.value.code == "site-lacks-features"


def test_p0_197_nor_is_a_model_of_the_team_assigned_to_such_a_site(
    hub: Acme, plant: SiteOnPaper
) -> None:
    lets(hub)
    hub.promoted()
    hub.enrol(plant)
    says(hub, without(FULL))
    rows = hub.rows()
    with pytest.raises(RefusedError) as error:
        hub.assign()
    assert error.value.code == "site-lacks-features"
    assert f"{FULL} (teams/{TEAM}/members.json)" in str(error.value)
    assert hub.rows() == rows
    lets(hub, travel=False)
    hub.assign()


def test_p0_197_where_it_travels_a_reader_must_know_it(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    lets(acme)
    members = said(acme)
    data = shape.write(members)
    assert read_members(data, TEAM) == members
    for bad in (replace(members, requires=()), replace(members, check_rows=None)):
        with pytest.raises(MalformedError) as error:
            read_members(shape.write(bad), TEAM)
        assert error.value.code == "check-rows-unrequired"
    with pytest.raises(MalformedError):
        read_members(data.replace(b'"travel"', b'"stays"'), TEAM)
    # A desk or a site of before: it refuses by the feature, and says which release has it.
    monkeypatch.setitem(features._READ, "members", frozenset())
    with pytest.raises(RefusedError) as refused:
        read_members(data, TEAM)
    assert "check-rows" in str(refused.value)
    assert "0.1" in str(refused.value)


@pytest.mark.parametrize(
    "asked, code",
    [
        (Ask("set-check-rows", (TEAM, "whatever")), "bad-check-rows-word"),
        (Ask("set-check-rows", ("nobody", "travel")), "no-team"),
        (Ask("set-check-rows", ("sound", "travel")), "no-members"),
    ],
)
def test_p0_195_what_cannot_be_meant_is_refused_in_words(acme: Acme, asked: Ask, code: str) -> None:
    acme.add_team("sound", {name: acme.public(name) for name in STEWARDS})
    with acme.app.hub.reading() as connection, pytest.raises(SealiftError) as error:
        hub_drafts.draft(acme.app.hub, connection, hub_drafts.Wanted(asked))
    assert error.value.code == code


# -------------------------------------------------------------------- what holds


def test_p0_265_anybody_can_ask_what_holds_and_nothing_changes_by_it(
    ready: Acme, capsys: Capsys
) -> None:
    cli, rows = Cli(ready, capsys), ready.rows()
    told = cli.says("team", "check-rows", TEAM)
    assert f"Check rows of team {TEAM} stay at the hub." in told
    assert f"Sites that would get them with an export: {SITE}." in told
    assert f"sealift team check-rows {TEAM} --travel" in told
    assert ready.rows() == rows
    assert f"Check rows of team {TEAM} stay at the hub." in cli.says("team", "list")
    assert cli.json("team", "list")["check_rows"][TEAM] == "stay"
    lets(ready)
    told = cli.says("team", "check-rows", TEAM)
    assert f"Check rows of team {TEAM} travel with its models." in told
    assert f"Sites that get them with an export: {SITE}." in told
    assert f"sealift team check-rows {TEAM} --stay" in told
    said = cli.json("team", "check-rows", TEAM)
    assert (said["team"], said["check_rows"], said["sites"]) == (TEAM, "travel", [SITE])
    assert cli.json("team", "list")["check_rows"][TEAM] == "travel"
    code, _, err = cli("team", "check-rows", "nobody")
    assert (code, "There is no team nobody." in err) == (3, True)


def test_p0_265_submit_and_the_log_say_what_was_set(ready: Acme, capsys: Capsys) -> None:
    cli = Cli(ready, capsys)
    for travel, words in ((True, "travel with its models"), (False, "stay at the hub")):
        wanted = check_row_permission.wanted(ready.app.hub, TEAM, travel=travel)
        with ready.app.hub.reading() as connection:
            made = hub_drafts.draft(ready.app.hub, connection, wanted)
        signed = sign(made, wanted.ask, ready.stewards, ready.app.hub.now())
        file = ready.folder / f"{travel}.signed"
        file.write_bytes(drafts.write(signed))
        assert f"Check rows of team {TEAM} {words}." in cli.says("submit", file)
        log = cli.says("audit", "list", "--type", "team.check-rows-changed", "--limit", "1")
        assert f"check-rows={'travel' if travel else 'stay'}" in log
