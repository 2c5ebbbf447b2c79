"""`sealift sites`: what runs where, at every site, now and as the receipts of some time said."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from sealift_registry.access.calling import Grant
from sealift_registry.delivery import tables
from sealift_registry.delivery.site_state import Says
from sealift_registry.shown import overview as shown
from sealift_registry.views import overview
from sealift_registry.views.overview import Asked, RunsThere
from sealift_signing.transparency.entry import body_of
from sealift_signing.vocabulary import moment
from tests.registry.hub_fixture import GROUP, MODEL, SITE, Acme, copied
from tests.registry.test_delivery import carried
from tests.registry.test_g2_240_within_reach import seen_by
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_k1_80_every_log import FAR, enrolment_of, says, switched
from tests.registry.test_stored_sites import no_triggers
from tests.site_on_paper import SiteOnPaper

NEAR = "plant-9"


@pytest.fixture(scope="module")
def year(assigned: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[datetime]]:
    """Three sites: one that runs what it should, one that went back, one that never answered.

    And when what was known: before anything came home, after the first switch, after the last.
    """
    acme = copied(assigned, tmp_path_factory.mktemp("year"))
    begun = datetime.now(UTC)
    plant, far, near = (SiteOnPaper(acme.folder / name, begun) for name in ("site", "far", "near"))
    acme.enrol(far, FAR)
    acme.enrol(near, NEAR)
    acme.promoted(2)
    for site in (FAR, NEAR):
        acme.assign(2, fallbacks=(), site=site)
    carried(acme, plant)
    times = []
    for days, entries in ((10, (1, 2)), (20, (2, 1))):
        times.append(begun + timedelta(days=days - 1))
        acme.later(days=days)
        when = begun + timedelta(days=days)
        says(acme, far, *(switched(when, FAR, one) for one in entries))
        if days == 10:
            says(acme, plant)
    times.append(begun + timedelta(days=30))
    acme.close()
    return acme.folder, times


@pytest.fixture
def three(year: tuple[Path, list[datetime]], tmp_path: Path) -> Iterator[Acme]:
    """The same."""
    made = copied(year[0], tmp_path)
    made.later(days=31)
    yield made
    made.close()


def found(acme: Acme, **asked: Any) -> dict[tuple[str, str], tuple[int, int | None]]:  # noqa: ANN401
    """What is assigned and what runs, by site and model."""
    with acme.app.hub.reading() as connection:
        told = overview.overview(connection, Asked(**asked))
    assert told.refused == (), told.refused
    return {(one.site, one.model): (one.assigned, one.runs) for one in told.rows}


def test_k1_95_each_site_is_told_with_what_it_should_run_and_what_it_does(three: Acme) -> None:
    assert found(three) == {
        (SITE, MODEL): (1, 1),
        (FAR, MODEL): (2, 1),
        (NEAR, MODEL): (2, None),
    }
    with three.app.hub.reading() as connection:
        (one,) = overview.overview(connection, Asked(site=SITE)).rows
        two = overview.overview(connection, Asked(version=2))
    assert (one.group, one.receipt, one.is_as_assigned) == (GROUP, "plant-7-000001", True)
    assert one.since is not None
    assert two.rows == ()
    assert [each.site for each in two.elsewhere] == [FAR, NEAR]


def test_k1_96_at_a_time_it_is_as_the_receipts_of_then_said(
    three: Acme, year: tuple[Path, list[datetime]]
) -> None:
    first, second, third = map(moment, year[1])
    assert found(three, until=first) == {
        (SITE, MODEL): (1, None),
        (FAR, MODEL): (2, None),
        (NEAR, MODEL): (2, None),
    }
    assert found(three, until=second) == found(three) | {(FAR, MODEL): (2, 2)}
    assert found(three, until=third) == found(three)
    assert found(three, until="2000-01-01T00:00:00.000000Z") == {}, "no site was enrolled"


def test_k1_97_rows_that_nobody_signed_change_nothing_of_it(three: Acme) -> None:
    """What was derived is not asked; what was signed is named where it is not what it was."""
    before, state = found(three), tables.site_state
    no_triggers(three)
    with three.behind() as connection:
        connection.execute(delete(state).where(state.c.site == SITE))
        connection.execute(
            update(state).where(state.c.site == FAR, state.c.says == Says.RUNS).values(version=2)
        )
        late = body_of(switched(three.app.hub.now(), FAR, 2))
        row = {"site": FAR, "enrolment": enrolment_of(three, FAR), "seq": 99, "body": late}
        connection.execute(insert(tables.site_entry).values(**row))
    assert found(three) == before
    entry = tables.site_entry
    with three.behind() as connection:
        last = select(entry.c.seq).where(entry.c.site == FAR, entry.c.seq < 99)
        seq = connection.execute(last.order_by(entry.c.seq.desc()).limit(1)).scalar_one()
        where = (entry.c.site == FAR, entry.c.seq == seq)
        connection.execute(update(entry).where(*where).values(body=late))
    with three.app.hub.reading() as connection:
        told = overview.overview(connection, Asked())
    assert [one.name for one in told.refused] == [f"site {FAR}"]
    assert {one.site for one in told.rows} == {SITE, NEAR}


def test_k1_98_it_is_read_by_people_programs_and_spreadsheets(
    three: Acme, capsys: Capsys, year: tuple[Path, list[datetime]]
) -> None:
    cli = Cli(three, capsys)
    said = cli.says("sites")
    assert said.startswith(f"1 place runs other than is assigned: {FAR} {GROUP} {MODEL} (runs 1, ")
    assert f"Nothing came home yet of {NEAR}." in said
    assert all(len(line) <= 80 for line in said.splitlines()[3:]), said
    whole = cli.json("sites")["places"]
    code, out, _ = cli("sites", "--json-lines")
    assert (code, [json.loads(one) for one in out.splitlines()]) == (0, whole)
    code, out, _ = cli("sites", "--csv")
    rows = list(csv.DictReader(out.splitlines()))
    assert [one["site"] for one in rows] == [SITE, FAR, NEAR]
    assert [(one["assigned"], one["runs"]) for one in rows] == [("1", "1"), ("2", "1"), ("2", "")]
    assert f"Assigned, and not known to run: {FAR}" in cli.says("sites", f"{MODEL}/2")
    at = cli.json("sites", "--at", moment(year[1][1]))["places"]
    assert [one["runs"] for one in at] == [1, 2, None]
    for words, code in (
        (("vision/tinny",), 3),
        (("--site", "plant-77"), 3),
        (("--csv", "--json-lines"), 2),
        (("--at", "soon"), 2),
        (("vision",), 2),
    ):
        assert cli("sites", *words)[0] == code, words
    formula = RunsThere("=cmd()", GROUP, MODEL, 0, 0, None, None, "")
    (_, line) = shown.comma_separated([{"site": formula.site, "group": 'a"b,c'}])
    assert line.startswith('\'=cmd(),"a""b,c",')


def test_k1_99_over_the_server_it_is_of_the_sites_that_one_may_see(three: Acme) -> None:
    with seen_by(three, "vera", Grant("viewer")) as ask:
        assert [one["site"] for one in ask("overview").json()["places"]] == [SITE, FAR, NEAR]
        assert [one["site"] for one in ask(f"overview?of={MODEL}/1").json()["places"]] == [
            SITE,
            FAR,
        ]
        assert ask("overview?of=vision/tinny").status_code == 404
        assert f'"{FAR}"' in ask("overview?at=2100-01-01").text
    with seen_by(three, "sven", Grant("viewer", site=FAR)) as ask:
        assert {one["site"] for one in ask("overview").json()["places"]} == {FAR}
        assert ask(f"overview?site={SITE}").status_code == 403
        assert ask("overview?of=vision/tinny").json()["places"] == []
    with seen_by(three, "tea", Grant("viewer", team="vision")) as ask:
        assert ask("overview").status_code == 403


@pytest.mark.embedded("it copies the file that has the rows")
def test_k1_129_a_copy_without_any_key_is_verified_listed_and_shown(
    three: Acme, capsys: Capsys
) -> None:
    """As an auditor gets it: the settings and the rows, and nothing else."""
    cli, copy = Cli(three, capsys), three.folder / "for-the-auditor"
    three.close()
    copy.mkdir()
    for name in ("settings.toml", "sealift.db"):
        shutil.copy(three.root / name, copy)
    before = sorted(one.name for one in copy.iterdir())
    asked = (
        ("sites",),
        ("audit", "list", "--site", FAR),
        ("list", "sites"),
        ("show", SITE),
        ("show", f"{MODEL}/1"),
        ("audit", "verify"),
        ("audit", "fsck"),
    )
    for words in asked:
        code, out, err = cli("--home-is", copy, *words)
        assert (code, bool(out)) == (0, True), (words, err)
    assert "keys" not in [one.name for one in copy.iterdir()]
    assert {*before} <= {one.name for one in copy.iterdir()}
