"""Rows of sites and of what came home from them are data: only what was signed of them counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import Table, insert, select, update

from sealift_registry import fsck, guide
from sealift_registry.delivery import assignments, tables
from sealift_registry.delivery.sites import Sites
from sealift_registry.shown.about import all_about
from sealift_registry.trust import hub_drafts
from sealift_registry.trust.hub_drafts import Wanted
from sealift_signing import gate, statements
from sealift_signing.errors import RefusedError
from sealift_signing.statements import Receipt, SiteAnswer, Transfer, subject
from tests.registry.hub_fixture import GROUP, SITE, TARGET, Acme, version
from tests.registry.signing_people import assign, enrol
from tests.site_on_paper import SiteOnPaper
from tests.stores import unguard

Attack = Callable[[Acme], None]


def no_triggers(acme: Acme) -> None:
    """Take the database's guards away, as whoever owns it can."""
    with acme.behind() as connection:
        unguard(connection)


def row_of(acme: Acme, table: Table) -> dict[str, Any]:
    with acme.app.hub.engine.connect() as connection:
        return dict(connection.execute(select(table)).mappings().first() or {})


def change(acme: Acme, table: Table, **values: object) -> None:
    with acme.behind() as connection:
        connection.execute(update(table).values(**values))


def put(acme: Acme, table: Table, row: dict[str, Any]) -> None:
    with acme.behind() as connection:
        connection.execute(insert(table).values(**row))


def another_stage(acme: Acme) -> None:
    change(acme, tables.site, stage="staging")


def answered_by_nobody(acme: Acme) -> None:
    """A later enrolment for another stage, which the attacker signed himself."""
    acme.new_key("mallory")
    row = row_of(acme, tables.site)
    said = statements.read(SiteAnswer, row["answer"], what="it").predicate
    about = subject(f"sites/{SITE}/request", said.request)
    forged = statements.sign(
        replace(said, stage="staging", made="2099-01-01T00:00:00.000000Z"),
        [about],
        acme.signer("mallory"),
    )
    changed = {"stage": "staging", "enrolment": sha256(forged).hexdigest(), "answer": forged}
    put(acme, tables.site, {**row, **changed, "made": "2099-01-01T00:00:00.000000Z"})


def renamed(acme: Acme) -> None:
    """The genuine enrolment as that of a site which nobody enrolled."""
    put(acme, tables.site, {**row_of(acme, tables.site), "id": "plant-8"})


@pytest.mark.parametrize("attack", [another_stage, answered_by_nobody, renamed])
def test_t0_12_a_site_that_nobody_enrolled_so_is_refused_by_name(
    ready: Acme, attack: Attack
) -> None:
    no_triggers(ready)
    attack(ready)
    name = "plant-8" if attack is renamed else SITE
    hub = ready.app.hub
    with hub.reading() as connection:
        with pytest.raises(RefusedError, match=name) as refused:
            Sites(connection).get(name)
        with pytest.raises(RefusedError, match=name):
            Sites(connection).all()
    assert refused.value.code == "site-row-not-signed"
    with pytest.raises(RefusedError, match=name):
        ready.export(name)
    with pytest.raises(RefusedError, match=name):
        ready.assign(site=name)
    with pytest.raises(RefusedError, match=name):
        guide.missing(hub, ready.app.hardware_targets)


def test_t0_13_an_enrolment_whose_newest_row_was_deleted_does_not_come_back(
    ready: Acme, plant: SiteOnPaper
) -> None:
    """The earlier one is genuine, and of a key that `fleet` retired."""
    before = row_of(ready, tables.site)
    again = SiteOnPaper(plant.root.parent / "again", plant.now)
    ready.enrol(again)
    no_triggers(ready)
    with ready.behind() as connection:
        t = tables.site
        connection.execute(t.delete().where(t.c.enrolment != before["enrolment"]))
    with ready.app.hub.reading() as connection, pytest.raises(RefusedError, match=SITE) as refused:
        Sites(connection).get(SITE)
    assert refused.value.code == "site-row-missing"


@pytest.fixture
def home(ready: Acme, plant: SiteOnPaper) -> Acme:
    """A hub to which the site's receipt and log have come home."""
    exported = ready.export()
    plant.take(exported.folder)
    ready.app.returns.receive(ready.returned(plant))
    return ready


def receipt_for_more(acme: Acme) -> None:
    """A receipt by which the site has what the attacker would have left out."""
    acme.new_key("mallory")
    row = row_of(acme, tables.receipt)
    genuine = statements.read(Receipt, row["body"], what="it")
    said = replace(genuine.predicate, inventory=("f" * 64,), made="2099-01-01T00:00:00.000000Z")
    body = statements.sign(said, genuine.subjects, acme.signer("mallory"))
    put(acme, tables.receipt, {**row, "sha256": sha256(body).hexdigest(), "body": body})


def entry_changed(acme: Acme) -> None:
    """The one that says what runs; what says nothing any more is shown to nobody but fsck."""
    t, s = tables.site_entry, tables.site_state
    with acme.behind() as connection:
        runs = select(s.c.seq).where(s.c.says == "runs").scalar_subquery()
        body = connection.execute(select(t.c.body).where(t.c.seq == runs)).scalar_one()
        changed = body.replace(b"plant", b"plans") if b"plant" in body else body + b" "
        connection.execute(update(t).where(t.c.seq == runs).values(body=changed))


def entry_deleted(acme: Acme) -> None:
    acme.sql("DELETE FROM site_entry WHERE seq = (SELECT max(seq) FROM site_entry)")


def checkpoint_changed(acme: Acme) -> None:
    change(acme, tables.site_checkpoint, size=1)


@pytest.mark.parametrize(
    "attack", [receipt_for_more, entry_changed, entry_deleted, checkpoint_changed]
)
def test_t0_14_what_no_site_sent_home_is_refused_by_name(home: Acme, attack: Attack) -> None:
    no_triggers(home)
    attack(home)
    with home.app.hub.reading() as connection, pytest.raises(RefusedError, match=SITE) as refused:
        all_about(home.app.hub, connection, SITE)
    assert refused.value.code == "home-row-not-signed"
    with pytest.raises(RefusedError, match=SITE):
        home.export()


def test_another_dispatcher_is_given_a_site_and_assigns_anew(
    ready: Acme, plant: SiteOnPaper
) -> None:
    """What the one before signed is no row of the attacker's; nor does it count any more."""
    ready.new_key("dina")
    with ready.app.hub.reading() as connection:
        request = Sites(connection).get(SITE).request.envelope.data
    enrol(ready.app, request, "production", [ready.card("dina")], ready.signer("fleet-1"))
    with ready.app.hub.reading() as connection:
        assert all_about(ready.app.hub, connection, SITE)[1]["assigned"] == []
    assert guide.missing(ready.app.hub, ready.app.hardware_targets)
    assign(ready.app, SITE, version(1), {GROUP: TARGET}, None, ready.signer("dina"))
    with ready.app.hub.reading() as connection:
        assert all_about(ready.app.hub, connection, SITE)[1]["assigned"]


@pytest.fixture
def enrolled_again(ready: Acme) -> Acme:
    """The site is enrolled twice with one key, and what it should run was said after that."""
    with ready.app.hub.reading() as connection:
        site = Sites(connection).get(SITE)
    ready.later(hours=2)
    ready.enrolled(site.request.envelope.data)
    ready.assign()
    return ready


def test_t0_141_nothing_is_assigned_to_an_older_enrolment_as_if_nothing_had_been(
    enrolled_again: Acme,
) -> None:
    """Its newest row was deleted: the older one is genuine, and of a key that is active."""
    hub = enrolled_again.app.hub
    with hub.reading() as connection:
        older = min(Sites(connection).enrolments(SITE), key=lambda one: one.answer.predicate.made)
    no_triggers(enrolled_again)
    with enrolled_again.behind() as connection:
        t = tables.site
        connection.execute(t.delete().where(t.c.enrolment != older.answer.sha256))
    for use in (enrolled_again.assign, enrolled_again.export, lambda: summary_of(enrolled_again)):
        with pytest.raises(RefusedError, match=SITE) as refused:
            use()
        assert refused.value.code == "site-row-missing"


def summary_of(acme: Acme) -> None:
    with acme.app.hub.reading() as connection:
        all_about(acme.app.hub, connection, SITE)


def test_who_is_enrolled_again_begins_with_nothing_and_that_is_said(enrolled_again: Acme) -> None:
    """Honest: the words say what is no longer assigned, and that it is so but once."""
    hub = enrolled_again.app.hub
    with hub.reading() as connection:
        site = Sites(connection).get(SITE)
    words = words_of_assigning(enrolled_again)
    assert not any("earlier enrolment" in line for line in words)
    enrolled_again.later(hours=4)
    enrolled_again.enrolled(site.request.envelope.data)
    words = words_of_assigning(enrolled_again)
    assert "earlier enrolment" in words[1]
    assert any("runs version 1" in line for line in words[2:])
    enrolled_again.assign()
    assert not any("earlier enrolment" in line for line in words_of_assigning(enrolled_again))


def test_t0_142_who_signs_is_shown_that_a_draft_goes_by_another_enrolment(
    enrolled_again: Acme,
) -> None:
    """A hub that carries the older answer: nothing in a draft shows which of both is the newer."""
    with enrolled_again.app.hub.reading() as connection:
        both = [one.answer.envelope.data for one in Sites(connection).enrolments(SITE)]
    asked = asked_to_assign(enrolled_again)
    older = next(one for one in both if one not in asked.statements)
    statements = (*(one for one in asked.statements if one not in both), older)
    words = words_of_assigning(enrolled_again, replace(asked, statements=statements))
    assert "earlier enrolment" in words[1]


def asked_to_assign(acme: Acme) -> Wanted:
    return assignments.wanted(acme.app.hub, SITE, version(1), {GROUP: TARGET}, None)


def words_of_assigning(acme: Acme, wanted: Wanted | None = None) -> tuple[str, ...]:
    """What the dispatcher is shown, from the line that names the act on."""
    hub, asked = acme.app.hub, wanted or asked_to_assign(acme)
    with hub.reading() as connection:
        draft = hub_drafts.draft(hub, connection, asked)
    found = gate.examine(draft, asked.ask, None, hub.now(), acme.public("dispatcher-1"))
    first = next(n for n, line in enumerate(found.words) if line.startswith("Assign "))
    return found.words[first:]


def transfer_of_nobodys(acme: Acme) -> None:
    """As if a bundle of the newest assignment had been written, signed by somebody."""
    acme.new_key("mallory")
    row = row_of(acme, tables.bundle)
    one = statements.read(Transfer, row["body"], what="it")
    forged = statements.sign(one.predicate, one.subjects, acme.signer("mallory"))
    change(acme, tables.bundle, body=forged, sha256=sha256(forged).hexdigest())


def transfer_of_another_number(acme: Acme) -> None:
    """A genuine one, under the id of a later transfer."""
    row, t = row_of(acme, tables.bundle), row_of(acme, tables.transfer)
    later = f"{SITE}-000002"
    put(acme, tables.transfer, {**t, "number": 2, "id": later})
    change(acme, tables.bundle, transfer=later)
    assert row["transfer"] != later


def transfer_with_another_digest(acme: Acme) -> None:
    change(acme, tables.bundle, sha256="0" * 64)


@pytest.mark.parametrize(
    "attack", [transfer_of_nobodys, transfer_of_another_number, transfer_with_another_digest]
)
def test_t0_182_a_transfer_that_no_dispatcher_signed_is_shown_to_nobody(
    home: Acme, attack: Attack
) -> None:
    no_triggers(home)
    attack(home)
    hub = home.app.hub
    name = row_of(home, tables.bundle)["transfer"]
    with hub.reading() as connection, pytest.raises(RefusedError, match=name) as refused:
        all_about(home.app.hub, connection, name)
    assert refused.value.code == "transfer-row-not-signed"
    with pytest.raises(RefusedError, match=name):
        guide.missing(hub, home.app.hardware_targets)
    with hub.reading() as connection:
        assert "transfer-row-not-signed" in {one.code for one in fsck.check(connection)}


def test_t0_183_a_receipt_that_the_site_did_not_sign_is_shown_to_nobody(home: Acme) -> None:
    row = row_of(home, tables.receipt)
    said = statements.read(Receipt, row["body"], what="it")
    home.new_key("mallory")
    forged = statements.sign(
        replace(said.predicate, made="2099-01-01T00:00:00.000000Z"),
        said.subjects,
        home.signer("mallory"),
    )
    no_triggers(home)
    change(home, tables.receipt, body=forged, sha256=sha256(forged).hexdigest())
    with home.app.hub.reading() as connection, pytest.raises(RefusedError, match=SITE) as refused:
        all_about(home.app.hub, connection, row["transfer"])
    assert refused.value.code == "home-row-not-signed"
    with pytest.raises(RefusedError, match=SITE):
        guide.missing(home.app.hub, home.app.hardware_targets)


def test_a_transfer_of_an_earlier_enrolment_and_dispatcher_is_shown(
    home: Acme, plant: SiteOnPaper
) -> None:
    """What was signed then was signed; the site has another key since."""
    name = row_of(home, tables.bundle)["transfer"]
    home.enrol(SiteOnPaper(plant.root.parent / "again", plant.now))
    with home.app.hub.reading() as connection:
        _, data, lines = all_about(home.app.hub, connection, name)
    assert data["receipt"] is not None
    assert any(line.startswith("  imported") for line in lines)
    assert "the hub says" in "\n".join(lines)
