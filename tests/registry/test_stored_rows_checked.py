"""Every check of `sealift audit fsck` stands for itself, and no row lies where nobody looks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Table, delete, select, text
from sqlalchemy.exc import DBAPIError

from sealift_registry import fsck
from sealift_registry.catalog import statement_rows, tables
from sealift_registry.delivery import derived_rows
from sealift_registry.delivery import tables as delivery
from sealift_registry.storage.schema import BytesType, Number, Text, metadata
from sealift_registry.trust import checking
from sealift_signing import roles
from sealift_signing.errors import FailedError
from tests.registry import test_stored_metadata as rows
from tests.registry.hub_fixture import APPROVERS, Acme
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_pruned_history import CATALOG, list_another
from tests.registry.test_site_rows import T, agrees, failed, findings, heard  # noqa: F401 - a fixture
from tests.registry.test_stored_fsck import column_changed, document_changed, found
from tests.registry.test_stored_sites import no_triggers
from tests.registry.test_stored_types import WRONG
from tests.stores import shared

Attack = Callable[[Acme], None]


def digest(acme: Acme, table: Table) -> str:
    with acme.app.hub.engine.connect() as connection:
        return str(connection.execute(select(table.c.sha256)).scalars().first())


def forge(acme: Acme, statement: str) -> None:
    """Change the database as whoever owns it can: no key has to be of anything."""
    with acme.stranger() as connection:
        connection.execute(text(statement))


# --------------------------------------------------------------------------- each for itself


@pytest.mark.parametrize("table", ["objection", "approval"])
def test_f2_080_a_row_of_another_kind_keeps_nothing_else_from_being_told(
    ready: Acme, capsys: Capsys, table: str
) -> None:
    cli = Cli(ready, capsys)
    no_triggers(ready)
    document_changed(ready)
    column_changed(ready)
    until = ", NULL" if table == "approval" else ""
    evidence = digest(ready, tables.evidence)
    forge(ready, f"INSERT INTO {table} VALUES ('{evidence}', 33, 'emil', '2026'{until})")  # noqa: S608
    said = "\n".join(found(ready))
    assert f"The columns of {table} {evidence[:12]} say other than what was signed" in said
    assert "policy.json was changed" in said
    assert "The columns of P-000001" in said
    code, out, _ = cli("audit", "fsck")
    assert code == 1
    assert f"{table} {evidence[:12]}" in out


@pytest.mark.parametrize(
    "room, name, part",
    [
        (fsck, "_listing_rows", "The rows of listing"),
        (fsck, "_statement", "The statement"),
        (fsck, "_home_from", "What came home from site"),
        (fsck, "_listed", f"The role {CATALOG}"),
        (statement_rows, "_named", "The rows of approval"),
        (checking, "_check_role", f"The role {roles.ROOT}"),
        (checking, "_check_logged", "What was published"),
    ],
)
@pytest.mark.parametrize("bad", [AttributeError("no"), FailedError("row-no-number", "It is none.")])
def test_f2_081_a_check_that_raises_is_a_finding_and_the_others_go_on(
    ready: Acme,
    monkeypatch: pytest.MonkeyPatch,
    room: object,
    name: str,
    part: str,
    bad: Exception,
) -> None:
    def raises(*_: object) -> Iterator[Any]:
        yield from ()
        raise bad

    no_triggers(ready)
    another_listing(ready)
    forge(ready, "INSERT INTO tuf_document VALUES ('more.json', 'ab', x'7b7d')")
    if name != "_home_from":
        forge(ready, "UPDATE site SET stage = 'staging'")
    monkeypatch.setattr(room, name, raises)
    said = "\n".join(found(ready))
    assert part in said or isinstance(bad, FailedError)
    assert "could not be checked to the end" in said
    assert name == "_home_from" or "its columns say something other than the answer" in said
    assert "more.json" in said
    assert name in ("_listing_rows", "_statement") or "staging" in said


def test_f2_082_what_was_found_is_told_where_the_rows_cannot_be_made_anew(
    heard: Acme,  # noqa: F811
    capsys: Capsys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(_: object) -> None:
        raise FailedError("disk-full", "The disk is full.")

    with heard.behind() as connection:
        connection.execute(delete(T).where(T.c.says == "runs"))
    monkeypatch.setattr(derived_rows, "make_anew", fails)
    code, out, _ = Cli(heard, capsys)("audit", "fsck")
    assert code == 1
    assert "by its log" in out


def foreign(acme: Acme, column: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a column
    """What may lie in a column: digests of other things, other kinds, and things of odd types."""
    kinds = {
        Text: (digest(acme, tables.statement), "ab" * 32, "approval", "2026", "", "\x1b[2J"),
        Number: (0, -1, 33, 2**62),
        BytesType: (b"", b"{}", b"\x00" * 32),
    }
    kind = type(column.type)
    return (*kinds[kind], *WRONG[kind])


PYTHON = {Text: str, Number: int, BytesType: bytes}
SOME = 3
"""Of what may lie in a column, so many are tried each time: other ones in each."""
UNSIGNED = {"listing": {"made"}}
MINE = ("approval", "evidence", "listing", "objection", "promotion", "statement")


@pytest.mark.parametrize("name", MINE)
def test_f2_083_of_no_row_that_was_changed_is_it_said_that_all_is_whole(
    ready: Acme, name: str
) -> None:
    ready.objects(1, APPROVERS[0]) if name == "objection" else None
    changed_in_every_column(ready, metadata.tables[name], UNSIGNED.get(name, set()), SOME)


@pytest.mark.long
@pytest.mark.parametrize("name", MINE)
def test_f2_083_nor_of_one_that_was_changed_to_whatever(ready: Acme, name: str) -> None:
    ready.objects(1, APPROVERS[0]) if name == "objection" else None
    changed_in_every_column(ready, metadata.tables[name], UNSIGNED.get(name, set()))


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(metadata.tables) - set(MINE)))
def test_f2_083_no_row_whatever_makes_fsck_raise(heard: Acme, name: str) -> None:  # noqa: F811
    table = metadata.tables[name]
    changed_in_every_column(heard, table, {column.name for column in table.columns})


def changed_in_every_column(
    acme: Acme, table: Table, silent: set[str], most: int | None = None
) -> None:
    """Each column of a row with each thing that may lie there, in turn; the others as they were.

    Args:
        acme: a hub with a row of it.
        table: the table.
        silent: columns of which nothing need be said.
        most: so many things a column; all of them if None.
    """
    no_triggers(acme)
    missed = []
    key = [column.name for column in table.primary_key]
    where = " AND ".join(f"{name} = :{name}" for name in key)
    with acme.stranger() as connection:
        rows = connection.execute(text(f"SELECT * FROM {table.name} LIMIT 1"))  # noqa: S608
        row = dict(rows.mappings().first() or {})
    assert row or silent
    for place, column in enumerate(table.columns if row else ()):
        change = f"UPDATE OR IGNORE {table.name} SET {column.name} = :new WHERE {where}"  # noqa: S608
        values = {name: row[name] for name in key}
        every = foreign(acme, column)
        for wrong in (every[place % 3 :: 3] if most else every)[:most]:
            if shared() and not isinstance(wrong, PYTHON[type(column.type)]):
                continue  # a server makes it what the column holds, or refuses it
            try:
                with acme.stranger() as connection:
                    count = connection.execute(text(change), {**values, "new": wrong}).rowcount
            except DBAPIError:  # it cannot lie there
                continue
            same = wrong == row[column.name] or not count
            if not findings(acme) and not same and column.name not in silent:
                missed.append((column.name, wrong))
            changed = values | ({column.name: wrong} if column.name in values else {})
            with acme.stranger() as connection:
                connection.execute(text(change), {**changed, "new": row[column.name]})
    assert not missed


# --------------------------------------------------------------------------- rows of nothing


def another_listing(acme: Acme) -> None:
    forge(acme, "UPDATE listing SET stage = 'staging'")


def listed_because_of_none(acme: Acme) -> None:
    forge(acme, "UPDATE listing SET promotion = 33")


def listed_because_of_another(acme: Acme) -> None:
    """A genuine request, of another version."""
    number = acme.request(2)
    forge(acme, f"UPDATE listing SET promotion = {number}")  # noqa: S608


def _one(table: str) -> str:
    """Of several rows, one."""
    key = "number" if table == "promotion" else "sha256"
    return f"{key} = (SELECT min({key}) FROM {table})"  # noqa: S608


def names_nothing(table: str, column: str = "sha256") -> Attack:
    def attack(acme: Acme) -> None:
        forge(acme, f"UPDATE {table} SET {column} = '{'ab' * 32}' WHERE {_one(table)}")  # noqa: S608

    return attack


def names_another(table: str, column: str, other: Table) -> Attack:
    def attack(acme: Acme) -> None:
        named = digest(acme, other)
        forge(acme, f"UPDATE {table} SET {column} = '{named}' WHERE {_one(table)}")  # noqa: S608

    return attack


def row_deleted(table: str) -> Attack:
    def attack(acme: Acme) -> None:
        forge(acme, f"DELETE FROM {table}")  # noqa: S608

    return attack


CASES: list[tuple[Attack, str]] = [
    (another_listing, "because of P-000001, which asks for something else"),
    (listed_because_of_none, "because of P-000033, and there is no such promotion"),
    (listed_because_of_another, "because of P-000002, which asks for something else"),
    (names_nothing("approval"), f"approval {'ab' * 6} names a statement that there is not"),
    (names_nothing("evidence"), f"evidence {'ab' * 6} names a statement that there is not"),
    (names_nothing("objection"), f"objection {'ab' * 6} names a statement that there is not"),
    (names_nothing("promotion", "request"), "P-000001 names a statement that there is not"),
    (names_another("approval", "sha256", tables.evidence), "say other than what was signed"),
    (names_another("objection", "sha256", tables.evidence), "say other than what was signed"),
    (names_another("evidence", "sha256", tables.approval), "say other than what was signed"),
    (names_another("promotion", "request", tables.evidence), "The columns of P-000001 say other"),
    (row_deleted("objection"), "was signed, and no row of objection names it"),
    (row_deleted("approval"), "was signed, and no row of approval names it"),
    (row_deleted("promotion"), "was signed, and no row of promotion names it"),
]


@pytest.mark.parametrize("attack, said", CASES)
def test_f2_084_a_row_of_nothing_or_of_something_else_is_named(
    ready: Acme, attack: Attack, said: str
) -> None:
    ready.objects(1, APPROVERS[0])
    assert found(ready) == []
    no_triggers(ready)
    forge(ready, "DROP INDEX IF EXISTS uq_promotion_request")
    attack(ready)
    assert said in "\n".join(found(ready))


# --------------------------------------------------------------------------- left out


def test_f2_085_a_site_without_rows_is_named_and_they_are_made_anew(
    heard: Acme,  # noqa: F811
    capsys: Capsys,
) -> None:
    before = heard.rows()["site_state"]
    with heard.behind() as connection:
        connection.execute(delete(T))
    assert any("runs in" in one for one in findings(heard))
    cli = Cli(heard, capsys)
    assert "it is right again" in failed(cli, "audit", "fsck")["next"]
    assert heard.rows()["site_state"] == before
    agrees(heard)
    assert json.loads(cli("audit", "fsck", "--json")[1])["ok"]


def test_f2_085_nothing_is_missed_before_the_rows_were_filled(heard: Acme) -> None:  # noqa: F811
    with heard.behind() as connection:
        connection.execute(delete(T))
        connection.execute(delete(delivery.derived_table))
    assert findings(heard) == []


# --------------------------------------------------------------------------- put back


def test_f2_086_a_superseded_body_beside_the_newest_is_named(ready: Acme) -> None:
    before = rows.newest(ready, CATALOG)
    list_another(ready, 9)
    wanted = found(ready)
    no_triggers(ready)
    body, number = before.to_bytes(), before.signed.version
    forge(ready, f"INSERT INTO tuf_online_body VALUES ('{CATALOG}', {number}, x'{body.hex()}')")  # noqa: S608
    (said,) = set(found(ready)) - set(wanted)
    assert f"Version {number} of {CATALOG} is kept, and made room for a newer one" in said


def test_f2_087_a_member_that_nobody_committed_hides_no_other(ready: Acme) -> None:
    no_triggers(ready)
    body = b'{"data":{"published":[{"role":7}]}}'
    forge(ready, f"UPDATE log_entry SET body = x'{body.hex()}' WHERE seq = 0")  # noqa: S608
    document_changed(ready)
    with ready.app.hub.reading() as connection:
        said = [one.sentence for one in fsck.check(connection)]
    assert any("policy.json was changed" in one for one in said)
