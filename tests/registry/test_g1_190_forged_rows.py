"""Whoever stole the hub's role on PostgreSQL, and none of its keys, adds rows that nobody signed.

They can stop a hub. They send nobody to a place of theirs, and have nothing signed that nobody did.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from sealift_registry.app import App
from sealift_registry.moving import checks, moves
from sealift_registry.trust.tables import tuf_metadata, tuf_online_body
from sealift_signing import roles
from sealift_signing.approvals import REQUEST
from sealift_signing.errors import SealiftError
from tests.pages import ROOT, blocks
from tests.registry.hub_fixture import Acme, Loose
from tests.registry.hubs_on_postgres import APPLICATION, another_home
from tests.registry.moving_hubs import moved_to, new_database, opened, url_of
from tests.registry.test_migrations import all_tables
from tests.registry.test_postgres_attacks import checked
from tests.servers.postgres import Database

pytestmark = pytest.mark.embedded("it puts its hub on a server by itself")
THEIRS = "postgresql://sealift_app@thief.example/hub"
LAST = 2**63 - 1
"""The largest number that a column holds."""


@pytest.fixture
def there(hub: Acme) -> Database:
    """The database that the hub has been moved to."""
    database = new_database()
    moved_to(hub.app, url_of(database))
    hub.close()
    return database


def says(database: Database, *rows: tuple[str, str]) -> None:
    """What the thief writes into `moved`."""
    for what, place in rows:
        database.run(
            "INSERT INTO sealift.moved SELECT coalesce(max(number), 0) + 1, "  # noqa: S608 - our words
            f"'{what}', '{place}', '2026-12-01T12:00:00Z' FROM sealift.moved",
            user=APPLICATION,
        )


def signs(app: App) -> int:
    """Where one more entry is."""
    return app.hub.log.commit_entry(app.hub.entry("work.resumed", "hub", {})).seq


def found(app: App) -> list[str]:
    return checks.faults(app.hub)


@pytest.mark.parametrize("row", [("left", THEIRS), ("blobs", "s3://thief/models")])
def test_g1_190_a_row_that_nobody_signed_moves_no_hub(
    hub: Acme, there: Database, tmp_path: Path, row: tuple[str, str]
) -> None:
    """It would send whoever reads it there, with the models and with what opens the database."""
    says(there, row)
    before = opened(hub.root, signs)
    assert opened(hub.root, signs) == before + 1
    (fault,) = opened(hub.root, found)
    assert row[1] in fault
    assert "no entry of the log does" in fault
    with another_home(hub, tmp_path / "other") as other:
        assert opened(other.root, signs) == before + 2
        assert not (other.root / "places-left").exists()


def test_g1_190_nor_with_an_entry_and_a_checkpoint_that_nobody_signed(
    hub: Acme, there: Database
) -> None:
    """The log is then another one than was signed: that is said, and no place is named."""
    says(there, ("left", THEIRS))
    there.run(
        "INSERT INTO sealift.log_entry SELECT seq + 1, leaf, body, 'x', 'hub.leaving', site, "
        "recorded_at, actor FROM sealift.log_entry ORDER BY seq DESC LIMIT 1",
        "INSERT INTO sealift.log_checkpoint SELECT size + 1, root, frontier, leaves, note "
        "FROM sealift.log_checkpoint ORDER BY size DESC LIMIT 1",
        user=APPLICATION,
    )
    with pytest.raises(SealiftError) as caught:
        opened(hub.root, signs)
    assert caught.value.code == "log-damaged"
    assert THEIRS not in f"{caught.value.what} {caught.value.next_step}"


def test_g1_190_a_place_that_was_left_is_left_whatever_is_added(
    hub: Acme, there: Database, tmp_path: Path
) -> None:
    with another_home(hub, tmp_path / "other") as other:
        opened(other.root, signs)
        moved_to(hub.app, "home")
        hub.close()
        says(there, ("left", THEIRS), ("arrived", "x"), ("arriving", "x"), ("arrived", "x"))
        with pytest.raises(SealiftError) as caught:
            opened(other.root, signs)
    assert caught.value.code == "database-moved"
    assert str(hub.root) in caught.value.what


def test_g1_191_a_copy_that_is_said_to_count_is_brought_to_its_end(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thief at the new place, between the copy and the moment that it counts."""
    database = new_database()
    real = moves._end

    def end(*given: Loose) -> Loose:
        says(database, ("arrived", str(hub.root / "sealift.db")))
        return real(*given)

    monkeypatch.setattr(moves, "_end", end)
    moved_to(hub.app, url_of(database))
    hub.close()
    assert opened(hub.root, signs)
    assert opened(hub.root, found) == []


def publishes(hub: Acme, database: Database) -> None:
    """The stewards sign a list with one person more, and the hub's own roles follow it."""
    with closing(Acme(hub.folder, {"SEALIFT_DATABASE__URL": url_of(database)}, hub.opened)) as one:
        one.new_key("zoe")
        one.entitle("zoe", REQUEST)


def ahead(table: str, number: str, more: str = "") -> str:
    """The SQL that adds the row of a table that is there, again under the largest number."""
    columns = [column.name for column in all_tables().tables[table].columns]
    values = ", ".join(str(LAST) if one == number else one for one in columns)
    values = values.replace(" id,", " 'x',")
    return f"INSERT INTO sealift.{table} SELECT {values} FROM sealift.{table} {more} LIMIT 1"  # noqa: S608 - our words


NUMBERS = {
    "noted": (ahead("tuf_online", "version", "WHERE role = 'timestamp'"), "row-missing"),
    "kept": (ahead("tuf_online_body", "version", "WHERE role = 'timestamp'"), ""),
    "fleet": (ahead("tuf_metadata", "version", "WHERE role = 'fleet'"), "row-not-signed"),
    "checkpoint": (ahead("log_checkpoint", "size"), "log-damaged"),
    "entry": (ahead("log_entry", "seq"), ""),
    "moved": (ahead("moved", "number", "WHERE what = 'arrived'"), ""),
}
"""A row that nobody signed, and by which code publishing is refused, if it is."""


def signed_numbers(app: App) -> dict[str, int]:
    """The largest number that the hub has ever signed of each of these, whatever its row says."""
    newest: dict[str, int] = {}
    with app.hub.reading() as connection:
        for t in (tuf_metadata, tuf_online_body):
            for row in connection.execute(select(t.c.role, t.c.body)):
                if row.role in {roles.TIMESTAMP, roles.SNAPSHOT}:
                    version = json.loads(row.body)["signed"]["version"]
                    newest[row.role] = max(version, newest.get(row.role, 0))
    return newest


@pytest.mark.parametrize("name", NUMBERS)
def test_g1_192_a_number_that_is_far_ahead_is_signed_by_nobody(
    hub: Acme, there: Database, name: str
) -> None:
    """It may stop the hub, by an error that names it; `audit fsck` names the row in any case."""
    attack, code = NUMBERS[name]
    there.run(attack, user=APPLICATION)
    before = opened(hub.root, signed_numbers)
    if code:
        with pytest.raises(SealiftError) as caught:
            publishes(hub, there)
        assert caught.value.code == code
        assert caught.value.next_step
    else:
        publishes(hub, there)
        after = opened(hub.root, signed_numbers)
        assert after == {role: number + 1 for role, number in before.items()}
    faults = opened(hub.root, found)
    assert any(str(LAST) in one for one in faults), faults
    assert len(faults) < 50


OUT = ROOT / "docs/how-to/lost-and-found.md"


@pytest.mark.parametrize(
    "name, place",
    [
        ("noted", f"tuf_online WHERE role = 'timestamp' AND version = {LAST}"),
        ("kept", f"tuf_online_body WHERE version = {LAST}"),
        ("checkpoint", f"log_checkpoint WHERE size = {LAST}"),
        ("moved", f"moved WHERE number = {LAST}"),
    ],
)
def test_g1_193_what_was_added_is_taken_out_as_the_page_says(
    hub: Acme, there: Database, name: str, place: str
) -> None:
    before = checked(there)
    there.run(NUMBERS[name][0], user=APPLICATION)
    assert opened(hub.root, found)
    closed, taken = (one.text for one in blocks(OUT, "sql"))
    assert "ALTER ROLE sealift_app NOLOGIN" in closed
    table, _, where = place.partition(" WHERE ")
    taken = taken.replace("number = 4", where).replace("moved", table)
    there.run(*(one for one in taken.split(";") if one.strip()))
    assert opened(hub.root, found) == []
    assert checked(there) == before
    publishes(hub, there)
