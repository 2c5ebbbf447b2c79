"""The rows of what sites said last: kept with the log, verified before they show, made anew."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, select, update

from sealift_registry import fsck, guide
from sealift_registry.delivery import (
    derived_rows,
    receipts,
    returns,
    site_records,
    site_rows,
    tables,
    whole_logs,
)
from sealift_registry.delivery.holdings import holdings
from sealift_registry.delivery.running import last_heard, running, where
from sealift_registry.delivery.site_state import Says, SiteState, state_of_log
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.shown.about import all_about
from sealift_registry.trust.repository import Repository
from sealift_signing.documents import FleetKeys
from sealift_signing.errors import RefusedError
from sealift_signing.transparency.entry import Entry, Term, new_entry, read_entry
from tests.registry.hub_fixture import GROUP, MODEL, SITE, Acme
from tests.registry.site_logs import log
from tests.registry.test_delivery import another, carried, made, received
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_stored_sites import no_triggers
from tests.site_on_paper import SiteOnPaper

T, E, C = tables.site_state, tables.site_entry, tables.site_checkpoint


@pytest.fixture
def heard(ready: Acme, plant: SiteOnPaper) -> Acme:
    """A hub to which the receipt and the log of a site have come home, which runs version 1."""
    carried(ready, plant)
    received(ready, ready.returned(plant))
    return ready


def said(acme: Acme) -> SiteState:
    with acme.app.hub.reading() as connection:
        return site_rows.state_of(connection, Sites(connection).get(SITE))


def by_the_whole_log(acme: Acme) -> SiteState:
    with acme.app.hub.reading() as connection:
        site = Sites(connection).get(SITE)
        sizes = [receipts.log_size(one.predicate) for one in receipts.every(connection, site)]
        bodies = site_records.entries(connection, site)
        return state_of_log(map(read_entry, bodies), max(sizes, default=0))


def findings(acme: Acme) -> list[str]:
    with acme.app.hub.reading() as connection:
        return [one.sentence for one in fsck.check(connection)]


def agrees(acme: Acme) -> None:
    """The rows say what the whole log does, each with a proof; and there are some."""
    assert said(acme) == by_the_whole_log(acme)
    assert acme.rows()["site_state"]
    assert findings(acme) == []


@contextmanager
def only_new_entries_are_read() -> Iterator[None]:
    """Nothing reads the whole log of a site meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whole_logs, "rebuild", _never)
        yield


def _never(*_: object) -> None:
    raise AssertionError("the whole log was read")


def activated(acme: Acme, version: int, kind: str = "model.activated") -> Entry:
    terms = [Term("host-group", GROUP), Term("model", MODEL)]
    return new_entry(kind, "site", acme.app.hub.now(), {"after": version, "words": "Ok."}, terms)


def enlarged(plant: SiteOnPaper, entries: Sequence[Entry]) -> None:
    """Let the site's software have written these into its log."""
    with plant.opened("log") as site, site.state.transaction():
        for one in entries:
            site.record(one)


# --------------------------------------------------------------------------- kept


def test_f2_036_a_return_keeps_what_it_says_by_the_new_entries_alone(
    ready: Acme, plant: SiteOnPaper
) -> None:
    carried(ready, plant)
    for seed in range(6):
        enlarged(plant, log(seed, 7))
        ready.returned(plant)
        with only_new_entries_are_read():
            assert received(ready).entries
        agrees(ready)
    before = ready.rows()
    assert received(ready).entries == 0
    assert ready.rows() == before


def test_f2_036_so_it_does_from_a_return_that_begins_before_what_is_known(
    ready: Acme, plant: SiteOnPaper
) -> None:
    carried(ready, plant)
    first = ready.returned(plant, made(ready.folder / "stick-1"))
    received(ready, first)
    enlarged(plant, log(3, 20))
    ready.returned(plant, everything=True)
    with only_new_entries_are_read():
        assert received(ready).entries == 20
        agrees(ready)
        assert received(ready, first).entries == 0
    agrees(ready)


def test_f2_036_a_stick_that_was_overtaken_adds_its_receipt_and_no_entry(
    ready: Acme, plant: SiteOnPaper
) -> None:
    """The receipt lowers nothing: of what was lost since the newest one, all is still said."""
    carried(ready, plant)
    first = ready.returned(plant, made(ready.folder / "stick-1"))
    lost = new_entry("store.damaged", "site", plant.now, {"lost": ["ab" * 32]})
    enlarged(plant, [lost])
    (extract,) = ready.returned(plant, made(ready.folder / "stick-2")).rglob("receipts/*.json")
    extract.unlink()
    received(ready, ready.folder / "stick-2")
    agrees(ready)
    assert received(ready, first).receipts
    agrees(ready)
    assert list(said(ready).lost.values()) == [frozenset({"ab" * 32})]


def test_f2_048_what_was_lost_is_said_until_a_receipt_has_it(
    ready: Acme, plant: SiteOnPaper
) -> None:
    carried(ready, plant)
    received(ready, ready.returned(plant))
    enlarged(plant, [new_entry("store.damaged", "site", plant.now, {"lost": ["ab" * 32]})])
    received(ready, ready.returned(plant))
    assert list(said(ready).lost.values()) == [frozenset({"ab" * 32})]
    ready.promoted(2)
    ready.assign(2)
    carried(ready, plant)
    assert received(ready, ready.returned(plant)).receipts
    assert said(ready).lost == {}
    agrees(ready)


def test_f2_037_rows_that_do_not_verify_are_made_anew_by_the_next_return(
    ready: Acme, plant: SiteOnPaper
) -> None:
    carried(ready, plant)
    received(ready, ready.returned(plant))
    with ready.behind() as connection:
        connection.execute(update(T).where(T.c.says == "runs").values(proof=b"\0" * 32))
    with pytest.raises(RefusedError):
        said(ready)
    enlarged(plant, [activated(ready, 1)])
    received(ready, ready.returned(plant))
    agrees(ready)


def test_f2_038_rows_of_an_earlier_enrolment_are_not_of_the_present_one(
    ready: Acme, plant: SiteOnPaper
) -> None:
    carried(ready, plant)
    received(ready, ready.returned(plant))
    assert said(ready).runs
    again = another(plant)
    ready.enrol(again)
    assert said(ready) == SiteState()
    with ready.app.hub.reading() as connection:
        assert where(connection, MODEL, 1) == []
    assert findings(ready) == []
    ready.assign(1)
    carried(ready, again)
    with only_new_entries_are_read():
        received(ready, ready.returned(again))
    agrees(ready)
    with ready.app.hub.reading() as connection:
        assert [(one.site, one.running.group) for one in where(connection, MODEL, 1)] == [
            (SITE, GROUP)
        ]


# --------------------------------------------------------------------------- filled


def emptied(acme: Acme) -> None:
    """As a hub of before, whose database was just brought forward."""
    with acme.behind() as connection:
        connection.execute(delete(T))
        connection.execute(delete(tables.derived_table))


def test_f2_039_a_hub_of_before_is_filled_once_when_it_is_opened(heard: Acme) -> None:
    wanted, before = said(heard), heard.rows()["site_state"]
    emptied(heard)
    with heard.app.hub.reading() as connection:
        assert [one.site for one in where(connection, MODEL, 1)] == [SITE]  # not by its rows
    assert said(heard) == by_the_whole_log(heard)
    heard.close()
    assert heard.rows()["site_state"] == before
    heard.close()
    with only_new_entries_are_read():
        assert said(heard) == wanted


def test_f2_039_a_site_whose_log_is_damaged_keeps_no_hub_from_opening(heard: Acme) -> None:
    emptied(heard)
    no_triggers(heard)
    heard.sql("DELETE FROM site_entry WHERE seq = 0")
    heard.close()
    assert heard.rows()["derived_table"] == [(derived_rows.FILLED,)]
    assert heard.rows()["site_state"] == []
    with pytest.raises(RefusedError, match=SITE):
        said(heard)
    with heard.app.hub.reading() as connection, pytest.raises(RefusedError, match=SITE):
        where(connection, MODEL, 1)


def test_f2_040_where_it_can_only_be_read_it_is_not_filled_and_still_answers(
    heard: Acme,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emptied(heard)
    monkeypatch.setattr(derived_rows, "is_read_only", lambda _: True)
    heard.close()
    assert heard.rows()["site_state"] == heard.rows()["derived_table"] == []
    assert said(heard).runs.keys() == {(GROUP, MODEL)}


def test_k1_139_what_is_signed_is_read_once_for_however_many_sites(
    heard: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub of 2,000 sites was being opened for half an hour."""
    read, fleet = [], Repository._sound_fleet

    def counted(repository: Repository) -> FleetKeys:
        read.append(repository)
        return fleet(repository)

    monkeypatch.setattr(Repository, "_sound_fleet", counted)
    monkeypatch.setattr(Sites, "names", lambda _: [SITE] * 5)
    before = heard.rows()["site_state"]
    derived_rows.make_anew(heard.app.hub)
    assert len(read) <= 2
    assert heard.rows()["site_state"] == before


# --------------------------------------------------------------------------- verified


def another_entry(acme: Acme) -> None:
    _change(acme, Says.RUNS, seq=0)


def another_version(acme: Acme) -> None:
    _change(acme, Says.RUNS, version=2)


def another_group(acme: Acme) -> None:
    _change(acme, Says.RUNS, host_group="line-9")


def another_model(acme: Acme) -> None:
    _change(acme, Says.RUNS, model="vision/other")


def another_kind(acme: Acme) -> None:
    _change(acme, Says.RUNS, says="failed")


def a_kind_that_is_none(acme: Acme) -> None:
    _change(acme, Says.RUNS, says="guessed")


def no_proof(acme: Acme) -> None:
    _change(acme, Says.RUNS, proof=b"")


def a_proof_of_something_else(acme: Acme) -> None:
    _change(acme, Says.RUNS, proof=b"\0" * 64)


def a_size_that_was_never_signed(acme: Acme) -> None:
    _change(acme, Says.RUNS, size=1)


def a_negative_size(acme: Acme) -> None:
    _change(acme, Says.RUNS, size=-1)


def not_the_newest(acme: Acme) -> None:
    with acme.behind() as connection:
        connection.execute(delete(T).where(T.c.says == Says.HEARD))


def the_checkpoint_gone(acme: Acme) -> None:
    with acme.behind() as connection:
        connection.execute(delete(C))


def another_body(acme: Acme) -> None:
    with acme.behind() as connection:
        runs = select(T.c.seq).where(T.c.says == Says.RUNS).scalar_subquery()
        forged = connection.execute(select(E.c.body).where(E.c.seq == runs)).scalar_one()
        changed = forged.replace(b'"after":1', b'"after":2')
        assert changed != forged
        connection.execute(update(E).where(E.c.seq == runs).values(body=changed))


def twice(acme: Acme) -> None:
    """Two entries since which the same runs."""
    acme.site_says(activated(acme, 2))
    acme.site_says(activated(acme, 1))
    with acme.behind() as connection:
        row = connection.execute(select(T).where(T.c.says == Says.RUNS)).mappings().one()
        other = connection.execute(select(T).where(T.c.says == Says.IMPORTED)).mappings().one()
        changed = {**other, **{name: row[name] for name in ("says", "host_group", "model")}}
        connection.execute(insert(T).values(**changed | {"version": 1}))


def a_failure_that_was_made_good(acme: Acme) -> None:
    """Of before the switch since which the same runs: a log cannot end so."""
    acme.site_says(activated(acme, 1, "model.activation-failed"))
    with acme.behind() as connection:
        row = connection.execute(select(T).where(T.c.says == Says.FAILED)).mappings().one()
    acme.site_says(activated(acme, 1))
    with acme.behind() as connection:
        connection.execute(insert(T).values(**row))


def a_failure_left_out(acme: Acme) -> None:
    """Of the switch since which something runs, as if that had been wanted."""
    acme.site_says(activated(acme, 2, "model.activation-failed"))
    with acme.behind() as connection:
        connection.execute(delete(T).where(T.c.says == Says.FAILED))


def a_failure_after_which_another_ran(acme: Acme) -> None:
    """What runs, said to run since before it."""
    with acme.behind() as connection:
        row = connection.execute(select(T).where(T.c.says == Says.RUNS)).mappings().one()
    acme.site_says(activated(acme, 2, "model.activation-failed"))
    with acme.behind() as connection:
        connection.execute(delete(T).where(T.c.says == Says.RUNS))
        connection.execute(insert(T).values(**row))


def _change(acme: Acme, which: Says, /, **values: object) -> None:
    with acme.behind() as connection:
        connection.execute(update(T).where(T.c.says == which).values(**values))


ATTACKS: list[Callable[[Acme], None]] = [
    another_entry,
    another_version,
    another_group,
    another_model,
    another_kind,
    a_kind_that_is_none,
    no_proof,
    a_proof_of_something_else,
    a_size_that_was_never_signed,
    a_negative_size,
    not_the_newest,
    the_checkpoint_gone,
    another_body,
    twice,
    a_failure_that_was_made_good,
    a_failure_left_out,
    a_failure_after_which_another_ran,
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_f2_041_a_row_that_does_not_verify_is_shown_to_nobody_and_named(
    heard: Acme,
    attack: Callable[[Acme], None],
) -> None:
    no_triggers(heard)
    attack(heard)
    hub = heard.app.hub
    with hub.reading() as connection:
        site = Sites(connection).get(SITE)
        for asked in (running, last_heard):
            with pytest.raises(RefusedError, match=SITE) as refused:
                asked(connection, site)
            assert refused.value.code == "home-row-not-signed"
        with pytest.raises(RefusedError, match=SITE):
            all_about(hub, connection, SITE)
        with pytest.raises(RefusedError, match=SITE):
            holdings(connection, site, hub.home.blobs)
    with pytest.raises(RefusedError, match=SITE):
        guide.missing(hub, heard.app.hardware_targets)
    assert [one for one in findings(heard) if SITE in one]


# --------------------------------------------------------------------------- compared


def stale(acme: Acme) -> None:
    """A row that points to an authentic entry, after which something else was switched to."""
    with acme.behind() as connection:
        mine = connection.execute(select(T).where(T.c.says == Says.RUNS)).mappings().one()
    acme.site_says(activated(acme, 2))
    with acme.behind() as connection:
        connection.execute(delete(T).where(T.c.says == Says.RUNS))
        connection.execute(insert(T).values(**mine))


def left_out(acme: Acme) -> None:
    """A site at which nothing seems to run."""
    with acme.behind() as connection:
        connection.execute(delete(T).where(T.c.says == Says.RUNS))


def failed(cli: Cli, *words: str) -> dict[str, Any]:
    """The error that a command ends with."""
    code, _, err = cli(*words, "--json")
    assert code
    said: dict[str, Any] = json.loads(err)["error"]
    return said


@pytest.mark.parametrize(
    "attack, words",
    [
        (stale, f"{MODEL}/1 runs in {GROUP} since entry"),
        (left_out, f"by its log {MODEL}/1 runs in {GROUP} since entry"),
    ],
)
def test_f2_042_fsck_names_authentic_rows_that_say_what_was_and_makes_them_anew(
    heard: Acme,
    capsys: Capsys,
    attack: Callable[[Acme], None],
    words: str,
) -> None:
    """Nothing else can: they verify, and are shown. Whoever owns the database can do that."""
    attack(heard)
    with suppress(RefusedError):
        assert said(heard) != by_the_whole_log(heard)
    assert any(words in one and SITE in one for one in findings(heard))
    cli = Cli(heard, capsys)
    refused = failed(cli, "audit", "fsck")
    assert refused["code"] == "log-not-whole"
    assert "it is right again" in refused["next"]
    agrees(heard)
    assert "is whole" in cli.says("audit", "fsck")


def test_f2_042_rows_of_a_site_that_nobody_enrolled_are_named_and_removed(
    heard: Acme,
    capsys: Capsys,
) -> None:
    with heard.behind() as connection:
        row = connection.execute(select(T).where(T.c.says == Says.RUNS)).mappings().one()
        connection.execute(insert(T).values(**{**row, "site": "plant-8"}))
    with heard.app.hub.reading() as connection:
        assert [one.site for one in where(connection, MODEL, 1)] == [SITE]
    assert any("plant-8" in one for one in findings(heard))
    cli = Cli(heard, capsys)
    failed(cli, "audit", "fsck")
    assert "is whole" in cli.says("audit", "fsck")


def test_f2_043_where_more_is_wrong_fsck_leaves_the_database_as_it_is(
    heard: Acme,
    capsys: Capsys,
) -> None:
    cli = Cli(heard, capsys)
    left_out(heard)
    no_triggers(heard)
    heard.sql("UPDATE tuf_document SET body = x'7b7d' WHERE path = 'policy.json'")
    before = heard.rows()
    refused = failed(cli, "audit", "fsck")
    assert "Keep the database as it is" in refused["next"]
    assert heard.rows() == before


def test_f2_043_an_entry_that_says_nothing_any_more_and_was_changed_is_named_by_fsck(
    heard: Acme,
) -> None:
    """`show` reads only what it shows."""
    no_triggers(heard)
    pointed = {one[5] for one in heard.rows()["site_state"]}
    unsaid = min(set(range(len(heard.rows()["site_entry"]))) - pointed)
    heard.sql(f"UPDATE site_entry SET body = x'7b7d' WHERE seq = {unsaid}")  # noqa: S608
    assert said(heard).runs
    assert any("are not those of its newest checkpoint" in one for one in findings(heard))


# --------------------------------------------------------------------------- bounded


@contextmanager
def rows_read(acme: Acme) -> Iterator[list[str]]:
    """The bodies of sites' entries that are read meanwhile."""
    asked: list[str] = []

    def noted(connection: Any, _c: Any, statement: str, parameters: Any, *_: Any) -> None:  # noqa: ANN401
        if "FROM site_entry" in statement and "COUNT" not in statement:
            counted = f"SELECT count(*) FROM ({statement})"  # noqa: S608 - our own statement
            raw = connection.connection.dbapi_connection
            asked.extend(["row"] * raw.execute(counted, parameters).fetchone()[0])

    event.listen(acme.app.hub.engine, "before_cursor_execute", noted)
    try:
        yield asked
    finally:
        event.remove(acme.app.hub.engine, "before_cursor_execute", noted)


def asked_of(acme: Acme) -> int:
    hub = acme.app.hub
    with rows_read(acme) as read:
        with hub.reading() as connection:
            all_about(hub, connection, SITE)
        guide.missing(hub, acme.app.hardware_targets)
        with hub.reading() as connection:
            assert where(connection, MODEL, 1)
    return len(read)


def test_f2_044_a_log_of_two_thousand_entries_costs_no_more_than_one_of_fifty(
    heard: Acme,
) -> None:
    size = len(heard.rows()["site_entry"])
    quiet = [new_entry("store.checked", "site", datetime.now(UTC), {}) for _ in range(50 - size)]
    heard.site_says(*quiet, activated(heard, 2), activated(heard, 1))
    few = asked_of(heard)
    switches = [activated(heard, 1 + number % 2) for number in range(974)]
    checks = [new_entry("store.checked", "site", datetime.now(UTC), {}) for _ in range(974)]
    heard.site_says(*switches, *checks, activated(heard, 2), activated(heard, 1))
    assert asked_of(heard) == few < 60


def test_f2_045_where_a_version_runs_is_asked_of_the_sites_that_say_so(
    heard: Acme,
    plant: SiteOnPaper,
) -> None:
    for name in ("quiet-1", "quiet-2", "quiet-3"):
        heard.enrol(SiteOnPaper(plant.root.parent / name, plant.now), name)
    asked: list[str] = []
    get = Sites.get

    def noted(sites: Sites, name: str) -> EnrolledSite:
        asked.append(name)
        return get(sites, name)

    with pytest.MonkeyPatch.context() as patch, heard.app.hub.reading() as connection:
        patch.setattr(Sites, "get", noted)
        (one,) = where(connection, MODEL, 1)
        assert where(connection, MODEL, 2) == where(connection, "vision/other", 1) == []
    assert (one.site, one.running.group, asked) == (SITE, GROUP, [SITE])


def test_f2_046_whatever_a_site_says_the_rows_say_it_too(heard: Acme) -> None:
    dice = random.Random(46)  # noqa: S311 - a test's
    for seed in range(4):
        heard.site_says(*log(seed, dice.randint(1, 40)))
        agrees(heard)


def test_f2_047_what_a_return_is_refused_for_leaves_the_rows_as_they_were(
    heard: Acme,
    plant: SiteOnPaper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are written with the entries, or not at all."""
    enlarged(plant, [activated(heard, 2)])
    medium, before = heard.returned(plant), heard.rows()

    def fails(*_: object) -> None:
        raise RefusedError("site-moved-on", "It was enrolled again.", subject=SITE, next_step="-")

    monkeypatch.setattr(returns, "_keep_state", fails)
    with pytest.raises(RefusedError):
        received(heard, medium)
    for table in ("site_entry", "site_checkpoint", "site_state", "receipt"):
        assert heard.rows()[table] == before[table]
