"""A site's newest receipt is known in one place, by the site's log: all who ask get the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from sqlalchemy import event

from sealift_registry.delivery import holdings, receipts, site_software, tables
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_signing import statements
from sealift_signing.errors import RefusedError
from sealift_signing.statements import Receipt
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import Term, new_entry
from sealift_sync.software import READS
from tests.registry.hub_fixture import SITE, Acme, Loose
from tests.registry.test_delivery import carried, made, received
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_stored_sites import change, no_triggers, put, row_of
from tests.site_on_paper import SiteOnPaper

Way = Callable[[Acme, SiteOnPaper], None]
FIRST, SECOND = f"{SITE}-000001", f"{SITE}-000002"


def in_order(hub: Acme, plant: SiteOnPaper) -> None:
    """Both receipts come home, each after its import."""
    carried(hub, plant)
    received(hub, hub.returned(plant))
    another_version(hub)
    plant.later(days=-20000)
    carried(hub, plant)
    received(hub, hub.returned(plant))


def overtaken(hub: Acme, plant: SiteOnPaper) -> None:
    """Two sticks go home, and the one that left first arrives last: it adds nothing."""
    carried(hub, plant)
    first = hub.returned(plant, made(hub.folder / "stick-1"))
    another_version(hub)
    plant.later(days=-20000)
    carried(hub, plant)
    received(hub, hub.returned(plant, made(hub.folder / "stick-2")))
    received(hub, first)


def another_version(hub: Acme) -> None:
    hub.promoted(2)
    hub.assign(2)


@pytest.mark.parametrize("way", [in_order, overtaken])
def test_f2_400_a_clock_that_goes_back_does_not_divide_show_export_and_next(
    ready: Acme, plant: SiteOnPaper, capsys: Capsys, way: Way
) -> None:
    way(ready, plant)
    cli = Cli(ready, capsys)
    shown = cli.json("show", SITE)
    plan = cli.json("export", SITE, "--to", ready.medium, "--plan")
    assert [shown["last_receipt"]] == plan["left_out"]["base"] == [SECOND]
    assert f"last receipt   {SECOND}, 19" in cli.says("show", SITE)
    with ready.app.hub.reading() as connection:
        site = Sites(connection).get(SITE)
        assert site_software.software_of(connection, site).where == f"its receipt for {SECOND}"
        assert holdings.holdings(connection, site, ready.app.hub.home.blobs).transfer == SECOND
    asked = [step["sentence"] for step in cli.json("next")["missing"]]
    assert not [text for text in asked if "has not answered" in text]


def newest(hub: Acme) -> str | None:
    with hub.app.hub.reading() as connection:
        one = receipts.newest(connection, Sites(connection).get(SITE))
        return one.predicate.transfer if one else None


def signed_again(hub: Acme, plant: SiteOnPaper, size: int, **changes: Loose) -> None:
    """Keep another receipt by the site's own key, made after `size` entries of its log."""
    row = row_of(hub, tables.receipt)
    genuine = statements.read(Receipt, row["body"], what="it")
    with plant.opened() as site:
        signer = site.signer()
        root = Checkpoint(site.origin, size, b"\0" * 32)
        note = checkpoint.sign(root, signer).decode() if size else ""
    body = statements.sign(
        replace(genuine.predicate, log=note, **changes), genuine.subjects, signer
    )
    changed = {"sha256": sha256(body).hexdigest(), "body": body}
    if "transfer" in changes:
        changed["transfer"] = changes["transfer"]
    put(hub, tables.receipt, {**row, **changed})


def test_f2_401_of_a_hundred_receipts_one_is_read_and_verified(
    ready: Acme, plant: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_order(ready, plant)
    read: list[str] = []
    verify = statements.verify

    def counted(*given: Loose, what: str) -> None:
        read.append(what)
        verify(*given, what=what)

    monkeypatch.setattr(statements, "verify", counted)
    asked = questions(ready)
    assert newest(ready) == SECOND
    once, queries = list(read), list(asked)
    for number in range(100):
        signed_again(ready, plant, 2, transfer=f"{SITE}-{number + 100:06}")
    read.clear()
    asked.clear()
    assert newest(ready) == SECOND
    assert read == once
    # What a process has shown to be under the log's edge it need not read once more.
    tiles = "SELECT log_entry.leaf"
    assert [one for one in asked if not one.startswith(tiles)] == [
        one for one in queries if not one.startswith(tiles)
    ]
    assert len(asked) <= len(queries)
    assert [what for what in read if "receipt" in what] == [f"the receipt for {SECOND}"]


def forget(hub: Acme, transfer: str) -> None:
    t = tables.receipt
    with hub.behind() as connection:
        connection.execute(t.delete().where(t.c.transfer == transfer))


def questions(hub: Acme) -> list[str]:
    """The statements that the database is asked from now on."""
    asked: list[str] = []

    def heard(_c: Loose, _cursor: Loose, statement: str, *_: Loose) -> None:
        asked.append(statement)

    event.listen(hub.app.hub.engine, "before_cursor_execute", heard)
    return asked


def test_f2_402_no_receipt_is_newest_by_what_a_row_says_alone(
    ready: Acme, plant: SiteOnPaper
) -> None:
    """The log names an import, the receipt says how long the log was then, and the site signed."""
    in_order(ready, plant)
    signed_again(ready, plant, 2, made="2099-01-01T00:00:00.000000Z", reads=READS[:1])
    assert newest(ready) == SECOND
    again = new_entry("transfer.imported", "site", plant.now, {}, [Term("transfer", FIRST)])
    ready.site_says(again)
    assert newest(ready) == SECOND
    no_triggers(ready)
    change(ready, tables.receipt, transfer=SECOND)
    with pytest.raises(RefusedError, match=SITE) as refused:
        newest(ready)
    assert refused.value.code == "home-row-not-signed"


def test_f2_403_a_receipt_that_no_entry_of_the_log_is_about_counts_by_its_size(
    ready: Acme, plant: SiteOnPaper
) -> None:
    """As where a site's software says less in its log: then each receipt is looked at."""
    in_order(ready, plant)
    no_triggers(ready)
    for table in ("site_entry", "site_checkpoint", "site_state"):  # nothing of it came home
        ready.sql(f"DELETE FROM {table}")  # noqa: S608 - our names
    assert newest(ready) == SECOND
    signed_again(ready, plant, 0, made="2099-01-01T00:00:00.000000Z")
    assert newest(ready) == SECOND
    forget(ready, SECOND)
    assert newest(ready) == FIRST
    forget(ready, FIRST)
    assert newest(ready) is None


def test_f2_404_the_receipts_of_an_earlier_enrolment_are_none_of_this_one(
    ready: Acme, plant: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_order(ready, plant)
    again = SiteOnPaper(plant.root.with_name("again"), ready.app.hub.now())
    ready.enrol(again)
    with monkeypatch.context() as patched:
        patched.setattr(receipts, "_read", None)  # nor is one opened
        assert newest(ready) is None
    with ready.app.hub.reading() as connection:
        site = Sites(connection).get(SITE)
        assert receipts.every(connection, site) == []
        (first, _) = earlier(ready, site)
        known = receipts.answer_to(connection, first)
    assert known is not None
    assert known.predicate.transfer == FIRST


def earlier(hub: Acme, site: EnrolledSite) -> list[statements.Transfer]:
    with hub.app.hub.engine.connect() as connection:
        rows = connection.execute(tables.bundle.select().order_by(tables.bundle.c.transfer)).all()
    found = [statements.read(statements.Transfer, bytes(row.body), what="it") for row in rows]
    assert all(one.predicate.enrolment in site.earlier for one in found)
    return [one.predicate for one in found]


def test_f2_405_what_one_return_brings_is_told_in_the_order_of_the_log(
    ready: Acme, plant: SiteOnPaper
) -> None:
    carried(ready, plant)
    another_version(ready)
    plant.later(days=-20000)
    carried(ready, plant)
    home = received(ready, ready.returned(plant))
    assert [one.predicate.transfer for one in home.receipts] == [FIRST, SECOND]
    sizes = [receipts.log_size(one.predicate) for one in home.receipts]
    assert sizes == sorted(sizes)
