"""Every log is asked at once: the hub's, and sites' as they came home and as their keys signed."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from sealift_registry.access.calling import Grant
from sealift_registry.delivery import tables
from sealift_registry.delivery.sites import Sites
from sealift_registry.views import all_logs, entry_names
from sealift_registry.views.all_logs import LoggedEntry, LogsPage, LogsPlace
from sealift_signing.canonical import Json
from sealift_signing.errors import SealiftError
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, site_origin
from sealift_signing.transparency.entry import Entry, Term, body_of, new_entry
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash
from sealift_signing.transparency.question import Question
from tests.registry.hub_fixture import GROUP, MODEL, SITE, TEAM, Acme, copied
from tests.registry.test_delivery import another, carried, received
from tests.registry.test_g2_240_within_reach import seen_by
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_stored_sites import no_triggers
from tests.site_on_paper import SiteOnPaper

FAR = "plant-8"
SURFACE = Path(__file__).parents[1] / "surface"
E, C = tables.site_entry, tables.site_checkpoint
REASON = "It misreads sevens."


def switched(at: Any, site: str, after: int, kind: str = "model.activated") -> Entry:  # noqa: ANN401
    terms = [Term("model", MODEL), Term("host-group", GROUP)]
    data: dict[str, Json] = {"before": 0, "after": after, "words": "Ok.", "reason": "assigned"}
    return new_entry(kind, "operator", at, data, terms, site=site)


def says(acme: Acme, plant: SiteOnPaper, *entries: Entry) -> None:
    """These come home, in the site's log."""
    with plant.opened("log") as site, site.state.transaction():
        for one in entries:
            site.record(one)
    stick = acme.folder / f"stick of {plant.root.name}"
    stick.mkdir(exist_ok=True)
    received(acme, acme.returned(plant, stick))


@pytest.fixture(scope="module")
def heard(assigned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub of two sites: of `plant-7` an import and a rollback came home, of `plant-8` less."""
    acme = copied(assigned, tmp_path_factory.mktemp("heard"))
    now = datetime.now(UTC)
    plant, far = (SiteOnPaper(acme.folder / name, now) for name in ("site", "far"))
    carried(acme, plant)
    back = new_entry(
        "model.rolled-back",
        "olga",
        now,
        {"from": 2, "to": 1, "reason": REASON},
        [Term("model", MODEL), Term("host-group", GROUP)],
        site=SITE,
    )
    says(acme, plant, back)
    acme.enrol(far, FAR)
    says(acme, far, switched(now, FAR, 1), switched(now, FAR, 3))
    acme.close()
    return acme.folder


@pytest.fixture
def two(heard: Path, tmp_path: Path) -> Iterator[Acme]:
    """The same."""
    made = copied(heard, tmp_path)
    yield made
    made.close()


def page(acme: Acme, place: LogsPlace | None = None, **asked: Any) -> LogsPage:  # noqa: ANN401
    with acme.app.hub.reading() as connection:
        return all_logs.page(connection, Question(**asked), place or LogsPlace(10_000))


def logs(found: LogsPage) -> set[str]:
    return {one.log for one in found.rows}


def named(found: LogsPage) -> str:
    return " ".join(f"{one.name}: {one.error.what}" for one in found.refused)


# --------------------------------------------------------------------- one answer


def test_k1_80_the_hubs_entries_and_the_sites_are_one_answer(two: Acme) -> None:
    found = page(two)
    assert logs(found) == {"hub", SITE, FAR}
    assert found.refused == ()
    for name in ("hub", SITE, FAR):
        numbers = [one.seq for one in found.rows if one.log == name]
        assert numbers == list(range(len(numbers)))[::-1], "each whole, and in its own order"
    imports = page(two, type="transfer.imported")
    assert [(one.log, one.entry.type) for one in imports.rows] == [(SITE, "transfer.imported")]
    (back,) = page(two, type="model.rolled-back", terms=(Term("model", MODEL),)).rows
    assert (back.log, back.entry.data["reason"]) == (SITE, REASON)
    assert logs(page(two, LogsPlace(100, at="hub"))) == {"hub"}
    assert logs(page(two, LogsPlace(100, at=FAR))) == {FAR}
    assert logs(page(two, site=SITE)) == {"hub", SITE}
    assert logs(page(two, LogsPlace(100, at=SITE), site=FAR)) == set()
    assert {one.entry.actor for one in page(two, actor="olga").rows} == {"olga"}
    assert {one.number for one in page(two, id=back.entry.id).rows} == {back.number}
    for log in found.asked:
        assert log.came.receipt == ("plant-7-000001" if log.name == SITE else "")


def test_k1_81_page_after_page_is_each_entry_once_whatever_their_clocks_said(
    two: Acme, plant: SiteOnPaper
) -> None:
    """Both ways; and a site's clock that went back moves no entry before one that it follows."""
    dice = random.Random(int(two.app.hub.now().timestamp()))  # noqa: S311 - a test's
    back = [switched(plant.now - timedelta(days=n), SITE, n) for n in (3, 40, 1)]
    says(two, plant, *back)
    for newest_first in (True, False):
        whole = page(two, LogsPlace(10_000, newest_first=newest_first)).rows
        limit, beyond = dice.randint(1, 7), None
        read: list[LoggedEntry] = []
        while True:
            some = page(two, LogsPlace(limit, beyond, newest_first))
            read += some.rows
            beyond = some.after
            if beyond is None:
                break
        assert read == list(whole), (limit, newest_first)
        assert len({one.number for one in read}) == len(read)
    bad = ("x", "1,2", "plant-7/1,plant-8/1", "plant-7/999999", "plant-9/0", ",", "-1")
    for beyond in bad:
        with pytest.raises(SealiftError) as caught:
            page(two, LogsPlace(5, beyond))
        assert caught.value.exit_code == 2, beyond


# ------------------------------------------------------------------- rows are data


def body_changed(acme: Acme) -> None:
    forged = body_of(switched(acme.app.hub.now(), SITE, 9))
    last = select(E.c.seq).where(E.c.site == SITE).order_by(E.c.seq.desc()).limit(1)
    with acme.behind() as connection:
        seq = connection.execute(last).scalar_one()
        where = (E.c.site == SITE, E.c.seq == seq)
        connection.execute(update(E).where(*where).values(body=forged))


def put_under_another(acme: Acme) -> None:
    """What `plant-8` signed, as what `plant-7` did: the same numbers, other words."""
    with acme.behind() as connection:
        rows = connection.execute(select(E.c.seq, E.c.body).where(E.c.site == FAR)).all()
        for seq, body in rows[1:]:
            where = (E.c.site == SITE, E.c.seq == seq)
            connection.execute(update(E).where(*where).values(body=body))


def one_taken_out(acme: Acme) -> None:
    with acme.behind() as connection:
        connection.execute(delete(E).where(E.c.site == SITE, E.c.seq == 1))


@pytest.mark.parametrize("attack", [body_changed, put_under_another, one_taken_out])
def test_k1_82_a_log_that_its_site_did_not_sign_is_named_and_tells_nothing(
    two: Acme, capsys: Capsys, attack: Callable[[Acme], None]
) -> None:
    before = {one.number for one in page(two).rows}
    no_triggers(two)
    attack(two)
    found = page(two)
    assert logs(found) == {"hub", FAR}
    assert {one.number for one in found.rows} == {n for n in before if not n.startswith(SITE)}
    assert f"the log of {SITE}" in named(found)
    code, out, err = Cli(two, capsys)("audit", "list", "--type", "model.*")
    assert (code, FAR in out, "is not what the site signed" in err) == (1, True, True)
    assert f"{SITE}/" not in out


def enrolment_of(acme: Acme, name: str) -> str:
    with acme.app.hub.reading() as connection:
        return Sites(connection).get(name).enrolment


def put_entry(acme: Acme, site: str, seq: int, entry: Entry) -> None:
    row = {"site": site, "enrolment": enrolment_of(acme, site), "seq": seq, "body": body_of(entry)}
    with acme.behind() as connection:
        connection.execute(insert(E).values(**row))


def test_k1_83_entries_beyond_what_came_home_are_named_and_hide_nothing(two: Acme) -> None:
    """Whoever may only add rows adds some behind the end, before the beginning, or elsewhere."""
    before = [one.number for one in page(two).rows]
    no_triggers(two)
    forged = switched(two.app.hub.now(), SITE, 9)
    for seq in (10_000, -5):
        put_entry(two, SITE, seq, forged)
    row = {"site": "plant-9", "enrolment": "ab" * 32, "seq": 0, "body": body_of(forged)}
    with two.behind() as connection:
        connection.execute(insert(E).values(**row))
    found = page(two)
    assert [one.number for one in found.rows] == before
    assert f"what lies behind the log of {SITE}" in named(found)
    assert "2 more rows are there, which nobody signed" in named(found)
    assert page(two, id=forged.id).rows == ()


def test_k1_84_an_end_that_was_cut_off_is_missed_by_the_hubs_own_log(
    two: Acme, plant: SiteOnPaper
) -> None:
    """The rows that are left agree with each other, and with an older checkpoint of the site's."""
    with two.app.hub.reading() as connection:
        query = select(C.c.size).where(C.c.site == SITE).order_by(C.c.size.desc())
        before = connection.execute(query).scalar()
    says(two, plant, switched(plant.now, SITE, 4, "model.stopped"))
    assert page(two, type="model.stopped").rows
    no_triggers(two)
    with two.behind() as connection:
        connection.execute(delete(E).where(E.c.site == SITE, E.c.seq >= before))
        connection.execute(delete(C).where(C.c.site == SITE, C.c.size > before))
    found = page(two)
    assert "came home, by the hub's log, and are not there" in named(found)
    assert logs(found) == {"hub", SITE, FAR}, "what is left is what the site signed"


def test_k1_85_a_checkpoint_that_never_came_home_counts_for_nothing(two: Acme) -> None:
    """Signed by a stranger; and one that the site's own key signed and no return ever brought."""
    before = [one.number for one in page(two).rows]
    no_triggers(two)
    with two.app.hub.reading() as connection:
        site = Sites(connection).get(SITE)
        query = select(E.c.body).where(E.c.site == SITE).order_by(E.c.seq)
        bodies = [bytes(one) for one in connection.execute(query).scalars()]
    bodies.append(body_of(switched(two.app.hub.now(), SITE, 9)))
    root = Frontier().extended(map(leaf_hash, bodies)).root
    said = Checkpoint(site_origin(site.organisation, SITE), len(bodies), root)
    two.new_key("mallory")
    with SiteOnPaper(two.folder / "site", two.app.hub.now()).opened() as opened:
        signers = (opened.signer(), two.signer("mallory"))
    put_entry(two, SITE, len(bodies) - 1, switched(two.app.hub.now(), SITE, 9))
    for size, signer in zip((len(bodies), 2**40), signers, strict=True):
        note = checkpoint.sign(Checkpoint(said.origin, size, root), signer)
        row = {"site": SITE, "enrolment": site.enrolment, "size": size, "root": root}
        with two.behind() as connection:
            connection.execute(insert(C).values(**row, note=note, received="now"))
    found = page(two)
    assert [one.number for one in found.rows] == before
    assert "1 more rows are there" in named(found)


def test_k1_86_a_site_answers_for_itself_alone(two: Acme, plant: SiteOnPaper) -> None:
    """Its key signs whatever its software writes, also that it is another site's."""
    says(two, plant, switched(plant.now, FAR, 7))
    told = [one for one in page(two, site=FAR).rows if one.log != "hub"]
    assert {one.log for one in told} == {FAR}
    assert 7 not in [one.entry.data.get("after") for one in told]
    assert 7 in [one.entry.data.get("after") for one in page(two, site=SITE).rows]


def test_k1_87_what_a_site_said_as_it_was_enrolled_before_is_told_as_that(
    two: Acme, plant: SiteOnPaper
) -> None:
    former, before = enrolment_of(two, SITE), page(two, LogsPlace(100, at=SITE)).rows
    again = another(plant)
    two.enrol(again)
    says(two, again, switched(plant.now, SITE, 5))
    found = page(two, LogsPlace(100, at=SITE))
    old = f"{SITE}@{former[:8]}"
    assert logs(found) == {SITE, old}
    assert [one.entry for one in found.rows if one.log == old] == [one.entry for one in before]
    assert page(two, LogsPlace(100, at=old)).rows == tuple(
        one for one in found.rows if one.log == old
    )
    assert [one.came.receipt for one in found.asked] == ["plant-7-000001", ""]


# -------------------------------------------------------------------- what is asked


def test_k1_88_every_type_that_is_written_is_known() -> None:
    """`tests/surface` compares its list with all that the code spells."""
    recorded = (SURFACE / "recorded" / "entry.txt").read_text("utf-8").splitlines()
    changes = (SURFACE / "changes.txt").read_text("utf-8")
    written = {*recorded, *re.findall(r"^\+ entry (\S+)", changes, re.MULTILINE)}
    written -= set(re.findall(r"^- entry (\S+)", changes, re.MULTILINE))
    assert {one for one in written if "…" not in one} == set(entry_names.TYPES)


UNKNOWN: Mapping[str, tuple[int, str, str]] = {
    "--type transfer.import": (2, "No entry is of the type transfer.import", "transfer.imported"),
    "--type transfers.*": (2, "No entry is of the type", "transfer.*"),
    "--term modle=vision/tiny": (2, "no kind of term modle", "model"),
    "--term model=vision/tinny": (3, "No entry tells of the model vision/tinny", "vision/tiny"),
    "--term person=carl": (3, "the person carl", "carla"),
    "--actor olgaa": (3, "anybody called olgaa", "See what there is"),
    "--actor ann": (3, "anybody called ann", "anna"),
    "--site plant7": (3, "a site plant7", "plant-7"),
    "--at plant-77": (3, "No log of a site plant-77", "plant-7"),
    "--id 00000000-0000-7000-8000-000000000000": (3, "the id 0000", "See what there is"),
}


def test_k1_89_what_no_log_knows_is_refused_by_its_name_with_the_nearest(
    two: Acme, capsys: Capsys
) -> None:
    cli = Cli(two, capsys)
    for words, (exit_code, what, near) in UNKNOWN.items():
        code, out, err = cli("audit", "list", *words.split(), "--since", "2000-01-01")
        assert (code, out) == (exit_code, ""), (words, err)
        assert what in " ".join(err.split()), words
        assert near in err.partition("Next:")[2], words
    said = cli.says("audit", "list", "--type", "recall.honoured")
    assert said.startswith("No entry is all that was asked for: of ")
    assert f"of {SITE}'s, 2 entries of {FAR}'s" in said.replace(
        "3 entries of plant-8", "2 entries of plant-8"
    )
    said = cli.says(
        "audit", "list", "--term", f"model={MODEL}", "--actor", "olga", "--until", "2000-01-01"
    )
    assert said.startswith("No entry is all that was asked for")


def test_k1_90_as_json_lines_each_entry_is_a_line_and_says_whose_log_it_is(
    two: Acme, capsys: Capsys
) -> None:
    cli = Cli(two, capsys)
    code, out, err = cli("audit", "list", "--type", "model.*", "--json-lines")
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines == cli.json("audit", "list", "--type", "model.*")["entries"]
    assert {one["log"] for one in lines} == {SITE, FAR}
    shown = cli.says("audit", "list", "--type", "model.rolled-back")
    assert re.search(rf"^{SITE}/\d+ ", shown, re.MULTILINE)
    assert f"{SITE}: attested by that site's key, as of receipt plant-7-000001 (" in shown
    assert "came home" not in shown
    only = cli.json("audit", "list", "--at", "hub")
    assert only["logs"] == []
    assert {one["log"] for one in only["entries"]} == {"hub"}


def test_k1_91_over_the_server_each_is_told_of_the_sites_and_teams_that_they_may_see(
    two: Acme, plant: SiteOnPaper
) -> None:
    other = new_entry(
        "model.activated", "x", plant.now, {"after": 1}, [Term("model", "sound/hum")], site=SITE
    )
    says(two, plant, other)
    shown = [one.number for one in page(two).rows]
    with seen_by(two, "aura", Grant("auditor")) as ask:
        entries = ask("log/entries?limit=1000").json()
        of = [one["log"] for one in entries["entries"]]
        assert len([one for one in of if one != "hub"]) == len([one for one in shown if "/" in one])
        answer = ask("log/entries?limit=3&type=model.*")
        assert answer.json()["beyond"] in answer.headers["link"].replace("%2F", "/")
        assert ask("log/entries?type=transfer.import").status_code == 400
        assert "vision/tiny" in ask("log/entries?term=model=vision/tinny").json()["next"]
    with seen_by(two, "sven", Grant("auditor", site=FAR)) as ask:
        mine = ask("log/entries?limit=1000").json()
        assert {one["log"] for one in mine["entries"]} == {"hub", FAR}
        assert {one["log"] for one in mine["logs"]} == {FAR}
        assert ask(f"log/entries?at={SITE}").status_code == 403
        assert ask(f"log/entries?site={SITE}").status_code == 403
        for words in ("actor=ann", "term=person=carl"):
            answer = ask(f"log/entries?{words}")
            assert answer.status_code == 200, "who may not see every name is told of none"
            assert answer.json()["entries"] == []
    with seen_by(two, "tea", Grant("auditor", team=TEAM)) as ask:
        mine = ask("log/entries?limit=1000").json()["entries"]
        theirs = [one for one in mine if one["log"] != "hub"]
        assert {one["log"] for one in theirs} == {SITE, FAR}
        for one in theirs:
            models = [term["value"] for term in one["terms"] if term["kind"] == "model"]
            assert models == [MODEL]
