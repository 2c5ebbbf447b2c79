"""Read models: lists in pages, and what waits for somebody, as much work on a hub of any size."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, insert, select

from sealift_registry import guide
from sealift_registry.app import App, open_app
from sealift_registry.catalog import pages
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.pages import PagePlace, PromotionFilter, VersionDue, VersionFilter
from sealift_registry.catalog.reference import ModelRef, VersionRef, promotion_id
from sealift_registry.conversion.refused import Refused
from sealift_registry.delivery import assignments, attention, tables
from sealift_registry.delivery.attention import Rank, Seeming
from sealift_registry.delivery.site_state import Says
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.shown import lists
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.views import due, promotions, sites, transfers, trust, versions
from sealift_registry.views.due import SiteDue, SiteLack
from sealift_registry.views.pages import Page
from sealift_registry.views.versions import VersionRow
from sealift_signing import dsse
from sealift_signing.acts.wording import purposes
from sealift_signing.errors import NotFoundError, UsageError
from sealift_signing.transparency.entry import body_of, new_entry
from sealift_signing.vocabulary import CatalogPath
from tests.benchmarks.grown_hub import Size, build
from tests.registry.hub_fixture import STAGE, STEWARDS, TEAM, Acme
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_stored_sites import no_triggers

_LOOKED_THROUGH = re.compile("SCAN (?:artifact|approval|promotion|statement|log_entry|log_term)")
SIZE = Size(versions=111, sites=8, entries=12)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("read") / "hub", SIZE).root


@pytest.fixture
def app(grown: Path) -> Iterator[App]:
    with closing(open_app(grown, {})) as opened:
        yield opened


@pytest.fixture
def connection(app: App) -> Iterator[Connection]:
    with app.hub.reading() as opened:
        yield opened


def version_names(
    app: App,
    connection: Connection,
    place: PagePlace,
    team: str | None = None,
    model: ModelRef | None = None,
) -> Page[VersionRow]:
    return versions.versions(connection, app.hub.now(), VersionFilter(team, model), place)


def test_f2_01_pages_of_versions_hold_each_once_and_in_order(
    app: App, connection: Connection
) -> None:
    every = [one.ref for one in Catalog(connection).versions()]
    found, place = [], PagePlace(limit=7)
    while True:
        page = version_names(app, connection, place)
        assert page.refused == ()
        found += [row.head.ref for row in page.rows]
        if page.after is None:
            break
        assert len(page.rows) == 7
        place = PagePlace(limit=7, after=page.after)
    assert found == every
    assert len(found) == SIZE.versions
    backwards = version_names(app, connection, PagePlace(1000, newest_first=True))
    made = [row.head.made for row in backwards.rows]
    assert made == sorted(made, reverse=True)
    assert {row.head.ref for row in backwards.rows} == set(every)


@pytest.mark.parametrize("newest_first", [False, True])
def test_f2_02_pages_of_newest_first_meet_without_a_gap(
    app: App, connection: Connection, newest_first: bool
) -> None:
    whole = version_names(app, connection, PagePlace(1000, newest_first=newest_first)).rows
    first = version_names(app, connection, PagePlace(11, newest_first=newest_first))
    rest = version_names(app, connection, PagePlace(1000, first.after, newest_first))
    assert first.rows + rest.rows == whole
    whole_of = promotions.promotions(
        connection, app.hub.now(), PromotionFilter(), PagePlace(1000, None, newest_first)
    ).rows
    part = promotions.promotions(
        connection, app.hub.now(), PromotionFilter(), PagePlace(5, None, newest_first)
    )
    behind = PagePlace(1000, part.after, newest_first)
    others = promotions.promotions(connection, app.hub.now(), PromotionFilter(), behind)
    assert part.rows + others.rows == whole_of


def test_f2_03_lists_are_narrowed_down(app: App, connection: Connection) -> None:
    (model,) = {row.head.ref.of for row in version_names(app, connection, PagePlace(1)).rows}
    of_model = version_names(app, connection, PagePlace(1000), model=model).rows
    assert {row.head.ref.of for row in of_model} == {model}
    of_team = version_names(app, connection, PagePlace(1000), team=model.team).rows
    assert {row.head.ref.team for row in of_team} == {model.team}
    assert len(of_team) > len(of_model) > 1
    nothing = version_names(app, connection, PagePlace(1000), model=ModelRef("no", "model"))
    assert nothing == Page(())
    staged = promotions.promotions(
        connection, app.hub.now(), PromotionFilter(stage=STAGE), PagePlace(1000)
    )
    assert staged.rows
    assert {one.promotion.stage for one in staged.rows} == {STAGE}
    assert sites.sites(connection, PagePlace(100), "staging").rows == ()
    (first, *_) = Sites(connection).names()
    found = transfers.transfer_list(connection, PagePlace(100), first)
    assert {row.site for row in found.rows} == {first}


def test_f2_04_a_list_says_of_each_what_all_about_it_says(app: App, connection: Connection) -> None:
    """The list looks at no evidence, and at each team's rules once; it must not say otherwise."""
    now = app.hub.now()
    listed = promotions.promotions(connection, now, PromotionFilter(), PagePlace(1000)).rows
    assert [one.promotion.number for one in listed] == Catalog(connection).numbers()
    for one in listed:
        whole = promotions.promotion(connection, now, one.promotion.number).status
        assert (one.tally, one.listed, one.doubt) == (whole.tally, whole.listed, whole.doubt)
    for row in version_names(app, connection, PagePlace(1000)).rows:
        view = versions.version(app.hub, connection, row.head.ref)
        stages = {one.promotion.stage for one in view.promotions if one.listed}
        assert set(row.stages) == stages
        forms = {one.artifact.path.form for one in view.artifacts} - {"source"}
        assert set(row.variants) == forms
    for sent in transfers.transfer_list(connection, PagePlace(1000)).rows:
        shown = transfers.transfer(app.hub, connection, sent.id)
        assert isinstance(shown, transfers.TransferView)
        answered = shown.receipt.predicate.made if shown.receipt else None
        assert (sent.made, sent.answered) == (shown.transfer.predicate.made, answered)


@contextmanager
def counted(app: App) -> Iterator[list[str]]:
    """The queries that are made, as they are spelled."""
    found: list[str] = []

    def executed(*given: object) -> None:
        found.append(str(given[2]))

    event.listen(app.hub.engine, "before_cursor_execute", executed)
    yield found
    event.remove(app.hub.engine, "before_cursor_execute", executed)


def test_f2_05_a_page_takes_as_many_queries_whatever_is_on_it(app: App) -> None:
    """Ten rows or more: rows are read together, and trust once a connection."""

    def queries(limit: int, kind: str) -> int:
        place = PagePlace(limit)
        with app.hub.reading() as state, counted(app) as found:
            if kind == "versions":
                versions.versions(state, app.hub.now(), VersionFilter(team="motion"), place)
            else:
                wanted = PromotionFilter(team="motion")
                promotions.promotions(state, app.hub.now(), wanted, place)
        return len(found)

    for kind in ("versions", "promotions"):
        few, many = queries(10, kind), queries(25, kind)
        assert few <= many <= few + 2, (kind, few, many)


@pytest.mark.embedded("it asks SQLite how it looks for rows")
def test_g2_322_what_belongs_to_a_page_is_found_along_an_index(app: App) -> None:
    """A page of a hundred thousand versions takes no longer than one of a hundred."""
    made: list[tuple[str, Any]] = []

    def executed(*given: object) -> None:
        made.append((str(given[2]), given[3]))

    event.listen(app.hub.engine, "before_cursor_execute", executed)
    try:
        with app.hub.reading() as state:
            found = versions.versions(state, app.hub.now(), VersionFilter(), PagePlace(10))
    finally:
        event.remove(app.hub.engine, "before_cursor_execute", executed)
    assert any(row.stages for row in found.rows)
    whole = []
    with app.hub.engine.connect() as connection:
        for statement, values in made:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            steps = [str(row[-1]) for row in plan]
            whole += [(one, statement) for one in steps if _LOOKED_THROUGH.match(one)]
    assert whole == []


def test_f2_06_of_what_waits_a_page_is_verified_and_the_others_are_counted(
    app: App, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = guide.missing(app.hub, app.hardware_targets)
    assert not [one for one in whole if " more " in one.sentence]
    every = {
        "versions": len(due.versions(connection).versions),
        "sites": len(due.sites(app.hub, connection).sites),
        "promotions": len(due.promotions(connection, app.hub.now()).promotions),
    }
    assert every["sites"] > 1
    assert every["promotions"]
    monkeypatch.setattr(due, "PAGE", 1)
    some = due.sites(app.hub, connection)
    assert [one.lack.is_amiss for one in some.sites] == [True, False]
    assert sum(map(len, some.beyond.values())) == every["sites"] - 2
    told = [one.sentence for one in guide.missing(app.hub, app.hardware_targets)]
    assert [one for one in told if "1 more site seems to wait for something." in one]
    assert len([one for one in told if " more " not in one]) < len(whole)


def test_f2_07_sites_that_seem_to_wait_come_first(
    app: App, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are in order before them."""
    every = due.sites(app.hub, connection).sites
    assert SiteLack.ATTENTION in {one.lack for one in every}
    waiting = {one.site.id for one in every}
    monkeypatch.setattr(due, "PAGE", len(waiting))
    assert {one.site.id for one in due.sites(app.hub, connection).sites} == waiting


def test_f2_08_what_next_says_needs_no_evidence_and_no_old_request(app: App) -> None:
    """Of a listed promotion whose approvals hold, no statement is read."""
    read: list[bytes] = []
    real = dsse.read

    def reading(data: bytes, *, what: str) -> dsse.Envelope:
        read.append(data)
        return real(data, what=what)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dsse, "read", reading)
        guide.missing(app.hub, app.hardware_targets)
    with app.hub.reading() as state:
        catalog = Catalog(state)
        for one in promotions.promotions(
            state, app.hub.now(), PromotionFilter(), PagePlace(1000)
        ).rows:
            if one.listed:
                assert one.promotion.request.envelope.data not in read
            for digest in one.promotion.request.predicate.evidence:
                assert catalog.statement_body(digest) not in read


def test_f2_09_the_roles_are_told_with_who_signed_them(connection: Connection) -> None:
    page = trust.role_list(connection, PagePlace())
    by = {one.role: one for one in page.rows}
    assert {"root", "targets", "fleet", "recall", "team.motion"} <= by.keys()
    assert not [name for name in by if name.startswith(("catalog.", "snapshot", "timestamp"))]
    assert by["root"].signers
    assert page.refused == ()
    assert not any(one.handed_on for one in page.rows)
    first = trust.role_list(connection, PagePlace(3))
    assert first.after == first.rows[-1].role
    assert first.rows + trust.role_list(connection, PagePlace(100, first.after)).rows == page.rows
    assert trust.trust(connection).unprotected == ()


def test_f2_14_people_are_told_with_every_office_and_how_many_keys(
    hub: Acme, capsys: Capsys
) -> None:
    cli = Cli(hub, capsys)
    whole = cli.json("list", "people")["people"]
    names = [one["person"] for one in whole]
    assert names == sorted(names)
    assert {"carla", "emil", "dora", *STEWARDS} <= set(names)
    (ann,) = [one for one in whole if one["person"] == STEWARDS[0]]
    assert (ann["keys"], ann["offices"]) == (1, [f"steward of team {TEAM}"])
    first = cli.json("list", "people", "--limit", "2")
    rest = cli.json("list", "people", "--beyond", first["beyond"])["people"]
    assert first["people"] + rest == whole
    said = cli.says("show", "carla")
    assert said.startswith("carla, one key")
    assert f"  may approve for production and staging in team {TEAM}" in said
    assert cli.json("show", "carla")["offices"][0]["keyid"] == hub.public("carla").keyid
    code, _, err = cli("show", "nobody")
    assert code == 3
    assert "Nothing here is called nobody." in err


def test_f2_10_a_page_begins_after_what_there_is(app: App, connection: Connection) -> None:
    with pytest.raises(NotFoundError, match="vision/tiny/99"):
        version_names(app, connection, PagePlace(5, "vision/tiny/99", newest_first=True))
    with pytest.raises(UsageError):
        version_names(app, connection, PagePlace(5, "what is this"))
    with pytest.raises(NotFoundError, match="list transfers"):
        raise transfers.missing("plant-0000-009999")
    with pytest.raises(NotFoundError, match="plant-0000-009999"):
        transfers.transfer_list(connection, PagePlace(5, "plant-0000-009999"))
    beyond = promotion_id(10_000_000)
    page = promotions.promotions(connection, app.hub.now(), PromotionFilter(), PagePlace(5, beyond))
    assert page == Page(())


def test_f2_11_the_command_names_the_next_page_and_machines_are_told_where_it_begins(
    hub: Acme, capsys: Capsys
) -> None:
    hub.promoted()
    hub.request(2)
    cli = Cli(hub, capsys)
    said = cli.says("list", "promotions", "--limit", "1")
    assert said.splitlines()[-1] == "There is more: add --beyond P-000001"
    data = cli.json("list", "promotions", "--limit", "1")
    assert data["beyond"] == "P-000001"
    (second,) = cli.json("list", "promotions", "--beyond", data["beyond"])["promotions"]
    assert second["promotion"] == "P-000002"
    assert cli.json("list", "promotions", "--newest-first", "--limit", "1")["beyond"] == "P-000002"
    hub.add_team("idle", {name: hub.new_key(name) for name in ("hans", "ines")})
    assert "Nothing matches." in cli.says("list", "versions", "--team", "idle")
    assert "Nothing was exported yet" in cli.says("list", "transfers")
    code, _, err = cli("list", "sites", "--newest-first")
    assert code == 2
    assert "A list of sites cannot be narrowed down or turned round by --newest-first" in err
    assert "--stage" in err


def test_f2_12_a_lapsed_approval_is_asked_for_again_and_a_forged_end_hides_it_from_no_check(
    hub: Acme,
) -> None:
    """The column finds what to look at. Whoever changes it is named, and approves nothing."""
    number = hub.promoted()
    assert not [one for one in hub.app.missing() if "P-000001" in one.sentence]
    hub.later(days=400)
    (again,) = [one for one in hub.app.missing() if "P-000001" in one.sentence]
    assert "has 0 of 2 approvals" in again.sentence
    no_triggers(hub)
    hub.sql("UPDATE approval SET valid_until = '2999-01-01T00:00:00.000000Z'")
    assert hub.standing(number).tally.counted == ()
    from sealift_registry import fsck

    with hub.app.hub.reading() as state:
        assert {one.code for one in fsck.check(state)} == {"row-differs"}
        (row,) = promotions.promotions(
            state, hub.app.hub.now(), PromotionFilter(), PagePlace()
        ).rows
    assert (row.listed, len(row.tally.counted)) == (False, 0)


def test_f2_13_older_homes_get_the_column_filled(hub: Acme) -> None:
    """As the migration does it: from what was signed, and damaged statements stay without."""
    from importlib import import_module

    step = import_module("sealift_migrations.versions.0007_lists")
    hub.promoted()
    with hub.app.hub.reading() as state:
        (approval, _) = Catalog(state).approvals(1)
    assert step._valid_until(approval.envelope.data) == approval.predicate.valid_until
    for damaged in (b"", b"{}", b'{"payload": 7}', b'{"payload": "e30="}', b"\xff"):
        assert step._valid_until(damaged) is None


@contextmanager
def undone(app: App) -> Iterator[Connection]:
    """A connection with which rows can be changed; nothing of it stays."""
    with app.hub.engine.connect() as opened:
        yield opened
        opened.rollback()


def ranks(app: App, connection: Connection) -> dict[str, Rank]:
    return {one.site: one.rank for one in attention.sites(connection, app.hub.home.blobs)}


def test_f2_060_sites_are_ranked_by_what_their_rows_say(app: App) -> None:
    """Of a grown hub three of five answered, and of those one has not switched."""
    with undone(app) as connection:
        found = ranks(app, connection)
        assert {name for name, rank in found.items() if rank is Rank.AMISS} == {"plant-0007"}
        waits = {name for name, rank in found.items() if rank is Rank.WAITS}
        assert waits == {"plant-0003", "plant-0004"}
        state = tables.site_state
        connection.execute(delete(state).where(state.c.site == "plant-0000"))
        runs = delete(state).where(state.c.says == Says.RUNS)
        connection.execute(runs.where(state.c.site == "plant-0001"))
        later = ranks(app, connection)
    assert later["plant-0000"] is Rank.UNKNOWN
    assert later["plant-0001"] is Rank.AMISS
    others = found.keys() - {"plant-0000", "plant-0001"}
    assert {name: later[name] for name in others} == {name: found[name] for name in others}


def test_f2_061_what_failed_where_nothing_is_assigned_makes_nobody_look(app: App) -> None:
    with undone(app) as connection:
        state = tables.site_state
        (row, *_) = connection.execute(
            select(state).where(state.c.site == "plant-0000", state.c.says == Says.RUNS)
        ).all()
        failed = dict(row._mapping) | {"says": Says.FAILED, "model": "vision/no-more"}
        connection.execute(insert(state), failed)
        assert ranks(app, connection)["plant-0000"] is Rank.IN_ORDER
        connection.execute(insert(state), failed | {"model": row.model})
        assert ranks(app, connection)["plant-0000"] is Rank.AMISS


def test_f2_062_what_is_lost_counts_where_what_is_assigned_needs_it(app: App) -> None:
    """By the entry of its log, and by the receipt that came after it."""
    with undone(app) as connection:
        site = Sites(connection).get("plant-0000")
        assigned = assignments.current(Repository(connection), site)
        (needed, *_) = [one.sha256 for _, _, one in assigned.artifacts()]
        state, entry = tables.site_state, tables.site_entry
        (row, *_) = connection.execute(select(state).where(state.c.site == site.id)).all()
        lost = dict(row._mapping) | {"says": Says.LOST, "host_group": "", "model": ""}
        cases = (("0" * 64, 9998, Rank.IN_ORDER), (needed, 9999, Rank.AMISS))
        for digest, seq, rank in cases:
            said = new_entry("store.damaged", "site", app.hub.now(), {"lost": [digest]}, [])
            of = {"site": site.id, "enrolment": site.enrolment, "seq": seq}
            connection.execute(insert(entry), of | {"body": body_of(said)})
            connection.execute(insert(state), lost | {"seq": seq})
            assert ranks(app, connection)[site.id] is rank
        connection.execute(delete(state).where(state.c.seq >= 9998))
        assert ranks(app, connection)[site.id] is Rank.IN_ORDER
        receipt = tables.receipt
        its = select(receipt).where(receipt.c.site == site.id)
        (row,) = connection.execute(its).all()
        envelope = json.loads(row.body)
        statement = json.loads(base64.b64decode(envelope["payload"]))
        statement["predicate"] |= {"lost": [needed], "made": "2999-01-01T00:00:00.000000Z"}
        envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
        another = {"sha256": "0" * 64, "body": json.dumps(envelope).encode()}
        connection.execute(insert(receipt), dict(row._mapping) | another)
        assert ranks(app, connection)[site.id] is Rank.AMISS


def test_f2_063_hints_that_are_wrong_hide_no_site_that_failed(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is to be told of those that rows say nothing of, or something false."""
    monkeypatch.setattr(due, "PAGE", 2)
    with undone(app) as connection:
        wrong = [Seeming(f"plant-000{n}", Rank.AMISS) for n in (0, 1, 2, 5)]
        right = [Seeming("plant-0007", Rank.AMISS), Seeming("plant-0003", Rank.WAITS)]
        monkeypatch.setattr(attention, "sites", lambda *_: [*wrong, *right])
        found = due.sites(app.hub, connection)
        assert [one.site.id for one in found.sites] == ["plant-0007", "plant-0003"]
        assert found.beyond == {}
        monkeypatch.undo()
        monkeypatch.setattr(due, "PAGE", 1)
        state = tables.site_state
        connection.execute(delete(state).where(state.c.site < "plant-0007"))
        found = due.sites(app.hub, connection)
        assert [one.site.id for one in found.sites] == ["plant-0007", "plant-0003"]
        waiting = ("plant-0004",)
        unknown = ("plant-0000", "plant-0001", "plant-0002", "plant-0005", "plant-0006")
        assert found.beyond == {Rank.WAITS: waiting, Rank.UNKNOWN: unknown}


def test_f2_064_what_failed_is_told_first_and_counted_apart_from_what_waits(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty that failed, and very many that only have not answered."""
    monkeypatch.setattr(due, "PAGE", 2)
    names = [f"plant-000{n}" for n in (7, 0, 1, 2)]

    def one(_hub: Hub, _connection: Connection, site: EnrolledSite) -> SiteDue:
        amiss = site.id in names
        return SiteDue(site, SiteLack.ATTENTION if amiss else SiteLack.ANSWER, transfer="x")

    monkeypatch.setattr(due, "_site", one)
    waits = [Seeming(f"plant-000{n}", Rank.WAITS) for n in (3, 4, 5)]
    seeming = [*(Seeming(name, Rank.AMISS) for name in names), *waits]
    monkeypatch.setattr(attention, "sites", lambda *_: seeming)
    with app.hub.reading() as connection:
        found = due.sites(app.hub, connection).sites
    assert [one.site.id[-1] for one in found] == ["0", "7", "3", "4"]
    told = guide.missing(app.hub, app.hardware_targets)
    amiss = [step for step in told if "is assigned does not run there" in step.sentence]
    assert [step.command for step in amiss] == [
        "sealift show plant-0000",
        "sealift show plant-0007",
    ]
    (more,) = [step for step in told if "2 more sites seem not to run" in step.sentence]
    assert more.command == "sealift show plant-0001"
    (others,) = [step for step in told if "1 more site seems to wait" in step.sentence]
    assert others.command == "sealift show plant-0005"
    (version, *_) = [n for n, step in enumerate(told) if step.command.startswith("sealift promote")]
    assert told.index(amiss[1]) < told.index(more) < version < told.index(others)


def test_f2_065_who_asks_ten_times_hides_nobody_else(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "PAGE", 1)
    hub.request(2)
    for number in range(3):
        hub.asked(1, reason=f"It is better, I say for the {number + 1}. time.")
    sentences = [step.sentence for step in hub.app.missing()]
    assert [one for one in sentences if one.startswith("P-000001 (vision/tiny/2 to production)")]
    (more,) = [step for step in hub.app.missing() if "1 more request seems" in step.sentence]
    assert more.command == "sealift show P-000004"
    hub.request(1, "staging")
    (more,) = [step for step in hub.app.missing() if "2 more requests seem" in step.sentence]
    assert more.command == "sealift show P-000004"


def test_f2_066_who_waits_longest_is_told_first_and_what_is_too_old_last(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of requests that nobody makes again, none keeps the place of somebody who waits."""
    monkeypatch.setattr(due, "PAGE", 1)
    hub.request(1)
    hub.later(days=31)
    hub.request(2)
    with hub.app.hub.reading() as state:
        found = due.promotions(state, hub.app.hub.now())
    assert [(one.counted.promotion.number, one.too_old) for one in found.promotions] == [(2, False)]
    assert found.beyond == (1,)


def test_f2_067_what_rows_say_waits_and_is_listed_takes_no_place(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is full of what is told, not of what was looked at."""
    monkeypatch.setattr(due, "PAGE", 1)
    hub.promoted(1)
    hub.request(2)
    no_triggers(hub)
    hub.sql("UPDATE approval SET valid_until = '2000-01-01T00:00:00.000000Z'")
    with hub.app.hub.reading() as state:
        found = due.promotions(state, hub.app.hub.now())
    assert [one.counted.promotion.number for one in found.promotions] == [2]
    assert found.beyond == ()


def test_f2_068_models_that_were_refused_take_no_place_of_others(
    app: App, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ref(number: int) -> VersionRef:
        return VersionRef("vision", f"m{number}", 1)

    every = [VersionDue(ref(n), has_goldens=True, has_variant=n > 1) for n in range(4)]
    refused = Refused(CatalogPath.parse("catalog/vision/m0/1/cpu-x86_64"), "No.")
    monkeypatch.setattr(due, "PAGE", 1)
    monkeypatch.setattr(pages, "versions_due", lambda _: every)
    monkeypatch.setattr(Catalog, "goldens", lambda *_: "0" * 64)
    monkeypatch.setattr(due, "refused_as_it_is", lambda *_: refused)
    found = due.versions(connection)
    assert [one.ref for one in found.versions] == [ref(2)]
    assert [one for one, _ in found.refused] == [ref(0), ref(1)]
    assert found.beyond == (ref(3),)


def test_f2_069_older_promotions_of_a_version_are_counted_for_machines_too(
    hub: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        hub.asked(1, reason=f"It is better, I say for the {number + 1}. time.")
    cli = Cli(hub, capsys)
    assert cli.json("show", "vision/tiny/1")["older_promotions"] == 0
    for most, told, older in ((1, ["P-000003"], 2), (2, ["P-000002", "P-000003"], 1)):
        monkeypatch.setattr(versions, "MOST_PROMOTIONS", most)
        data = cli.json("show", "vision/tiny/1")
        assert ([one["promotion"] for one in data["promotions"]], data["older_promotions"]) == (
            told,
            older,
        )
        words = f"{older} older promotion{'s' if older > 1 else ''}:  sealift list promotions"
        assert words in cli.says("show", "vision/tiny/1")


def test_f2_070_no_page_is_larger_than_the_largest(
    app: App, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read model holds it, and not only the command that asks it."""
    monkeypatch.setattr("sealift_registry.views.pages.LARGEST", 3)
    page = version_names(app, connection, PagePlace(1000))
    assert len(page.rows) == 3
    assert page.after == str(page.rows[-1].head.ref)
    assert len(trust.role_list(connection, PagePlace(1000)).rows) == 3


@pytest.mark.parametrize(
    "given, what, step",
    [
        (("versions", "--team", "visoin"), "There is no team visoin.", "The teams are: "),
        (("promotions", "--team", "visoin"), "There is no team visoin.", "The teams are: "),
        (("--model", f"{TEAM}/nope"), f"There is no model {TEAM}/nope.", f"--team {TEAM}"),
        (("--model", "lab/nope"), "There is no team lab.", "The teams are: "),
        (("promotions", "--stage", "prod"), "The policy has no stage prod.", "Its stages are: "),
        (("sites", "--stage", "prod"), "The policy has no stage prod.", "Its stages are: "),
        (("transfers", "--site", "plant-0099"), "No site plant-0099 is", "sealift list sites"),
        (("versions", "--beyond", "a/b/7"), "There is no version a/b/7.", "list versions"),
        (("promotions", "--beyond", "P-77"), "There is no promotion P-000077.", "list promotions"),
        (("sites", "--beyond", "none"), "No site none is enrolled.", "sealift list sites"),
        (("transfers", "--beyond", "none"), "There is no transfer none.", "list transfers"),
        (("people", "--beyond", "none"), "Nobody called none holds", "list people"),
        (("roles", "--beyond", "none"), "There is no role none.", "list roles"),
        (("hardware-targets", "--beyond", "no"), "There is no hardware target no.", "hardware"),
    ],
)
def test_f2_440_what_a_list_is_asked_for_must_be_there(
    hub: Acme, capsys: Capsys, given: tuple[str, ...], what: str, step: str
) -> None:
    code, out, err = Cli(hub, capsys)("list", *given)
    assert (code, out) == (3, "")
    told = " ".join(err.split())
    assert what in told
    assert step in told


def test_f2_440_what_is_there_and_holds_nothing_is_no_error(hub: Acme, capsys: Capsys) -> None:
    cli = Cli(hub, capsys)
    for given in (("--stage", STAGE), ("--team", TEAM), ("--model", f"{TEAM}/tiny")):
        assert "Nothing matches." in cli.says("list", "promotions", *given)


def test_f2_441_hardware_targets_come_in_pages_too(hub: Acme, capsys: Capsys) -> None:
    cli = Cli(hub, capsys)
    whole = cli.json("list", "hardware-targets")["hardware_targets"]
    first = cli.json("list", "hardware-targets", "--limit", "1")
    assert first["beyond"] == whole[0]["hardware target"]
    rest = cli.json("list", "hardware-targets", "--beyond", first["beyond"])
    assert first["hardware_targets"] + rest["hardware_targets"] == whole


def test_f2_442_the_nearest_kind_of_list_is_named(hub: Acme, capsys: Capsys) -> None:
    code, _, err = Cli(hub, capsys)("list", "version")
    told = " ".join(err.split())
    assert code == 2
    assert "'version' is not one of versions, models, promotions, sites" in told
    assert "Did you mean versions?" in told
    _, _, err = Cli(hub, capsys)("list", "qqqq")
    assert "Did you mean" not in err


def test_f2_443_all_offices_are_told_to_machines_and_a_few_to_people() -> None:
    offices = tuple(f"dispatcher of site plant-{n}" for n in range(7))
    told = lists._told(("person", "keys", "offices"), ("anna", 2, offices))
    assert told == ("anna", "2", "; ".join([*offices[:4], "3 more"]))


@pytest.mark.parametrize(
    "given, said",
    [
        (("approve:production",), "approve for production"),
        (("approve:production", "approve:staging"), "approve for production and staging"),
        (("approve:staging", "request"), "approve for staging, request promotions"),
        (("request",), "request promotions"),
        ((), "nothing"),
    ],
)
def test_f2_444_what_a_key_may_do_is_said_once(given: tuple[str, ...], said: str) -> None:
    assert purposes(given) == said
