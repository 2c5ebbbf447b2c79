"""The schema of a site's database: counted, brought forward at once, and never worked in by older
software."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from sealift_signing.errors import FailedError
from sealift_signing.floors import ANY
from sealift_sync.cli.commands import site as sealift_site
from sealift_sync.cli.run import run
from sealift_sync.site.state import schema_steps
from sealift_sync.site.state.database import State
from sealift_sync.site.state.schema_steps import Step
from sealift_sync.software import software
from tests.hub_on_paper import HubOnPaper
from tests.offline_sync.databases import LATER, OLDER, UNCOUNTED, change, held
from tests.older.test_older import unpacked
from tests.site_on_paper import SiteOnPaper

__all__ = ["unpacked"]

SHAPES = {
    1: "f75489e784da306612ae320a54557ee0c925cb7b923f64b9f8e11da8a8455ecb",
    2: "d9848fbab3e0664031e18e69530b43f6996bc94abbcadd3216347df595124736",
}
"""The digest of what each step, once it was released, makes of an empty file: it never changes."""
HOMES = ("plant-7", "plant-7-cut", "plant-8", "plant-9", "plant-10")
"""Older homes: one that has imported, one whose import was cut, one that returns, one that asked,
and one that was answered."""


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A home of which only the database was made."""
    made(tmp_path / "empty")
    return tmp_path / "empty"


def made(home: Path) -> None:
    home.mkdir(exist_ok=True)
    state = State(home / "sealift.db")
    state.bring_forward()
    state.close()


@pytest.mark.parametrize("step", schema_steps.STEPS, ids=lambda step: str(step.number))
def test_f1_60_a_step_that_was_released_makes_what_it_always_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    monkeypatch.setattr(schema_steps, "STEPS", schema_steps.STEPS[: step.number])
    made(tmp_path)
    assert [one.number for one in schema_steps.STEPS] == list(range(1, step.number + 1))
    assert held(tmp_path).shape == SHAPES[step.number], "add a step instead of editing one"


@pytest.mark.parametrize("name", HOMES)
def test_f1_61_an_older_home_becomes_what_a_new_one_is(
    unpacked: Path, empty: Path, tmp_path: Path, name: str
) -> None:
    """And keeps every row, but for floors that are kept by their keys now."""
    home = tmp_path / name
    home.mkdir()
    (home / "sealift.db").write_bytes((unpacked / name / "sealift.db").read_bytes())
    before = held(home)
    made(home)
    after = held(home)
    assert before.number == 0
    assert (after.number, after.made) == (schema_steps.newest(), held(empty).made)
    for table, rows in before.rows.items():
        if table == "floor":
            kept = {(row[1], row[3]) for row in after.rows["floor_of_keys"] if row[2] == ANY}
            assert kept == set(rows)
        else:
            assert [row for row in after.rows[table] if row not in rows] == new(table)
            assert [row for row in rows if row not in after.rows[table]] == []


def new(table: str) -> list[tuple[str, bytes]]:
    """What the steps add to a table."""
    return [("schema-taken-by", software().encode())] if table == "fact" else []


@pytest.mark.parametrize("as_it_was", [UNCOUNTED, OLDER], ids=["uncounted", "older"])
def test_f1_62_what_earlier_releases_left_is_brought_forward_by_any_command(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, as_it_was: tuple[str, ...]
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    expected = held(site.root)
    change(site.root, as_it_was)
    assert held(site.root).number == 0
    assert run(["--home", str(site.root), "audit", "verify"]) == 0
    found = held(site.root)
    assert (found.number, found.made) == (expected.number, expected.made)
    dropped = set(LATER) if as_it_was == OLDER else set()
    assert {one for one in found.rows if found.rows[one] != expected.rows[one]} <= dropped


# -- newer software has worked here


def leaves(program: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, one in program.commands.items():
        if isinstance(one, click.Group):
            yield from leaves(one, (*before, name))
        else:
            yield (*before, name)


GIVEN = {
    ("init",): ["--answer", "answer"],
    ("verify",): ["medium"],
    ("import",): ["medium"],
    ("status",): [],
    ("rollback",): ["vision/digits", "--reason", "wrong"],
    ("activate",): ["vision/digits", "--reason", "mended"],
    ("check",): [],
    ("return",): ["--to", "medium"],
    ("fsck",): [],
    ("audit", "list"): [],
    ("audit", "verify"): [],
    ("audit", "fsck"): [],
}
"""What each command is given."""
ALSO = [
    ["init", "--id", "plant-7", "--group", "cpu=cpu-x86_64", "--request", "asked"],
    ["return", "--print"],
]
EVERY = [*([*command, *GIVEN[command]] for command in GIVEN), *ALSO]


@pytest.fixture
def running(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> SiteOnPaper:
    """Version 2 runs, 1 is its fallback, and a further transfer waits on its medium."""
    first = hub.promote(1)
    hub.assign(hub.promote(2), first)
    site.take(hub.export(medium))
    hub.export(medium)
    monkeypatch.chdir(medium.parent)
    Path("answer").write_bytes(b"{}")
    return site


def test_f1_63_every_command_is_tried() -> None:
    assert set(leaves(sealift_site)) == GIVEN.keys()


@pytest.mark.parametrize(
    "words, number",
    [
        *((words, schema_steps.newest() + 1) for words in EVERY),
        (["status"], 2**31 - 1),
    ],
    ids=str,
)
def test_f1_63_a_newer_database_is_refused_by_every_command_and_not_touched(
    running: SiteOnPaper, capsys: pytest.CaptureFixture[str], words: list[str], number: int
) -> None:
    """Also by a rollback: nobody knows what its rows would mean to who wrote the others."""
    change(running.root, (TAKEN, f"PRAGMA user_version = {number}"))
    database, before = running.root / "sealift.db", running.picture()
    data, shown = database.read_bytes(), running.running()
    capsys.readouterr()
    assert run(["--home", str(running.root), *words, "--json"]) == 4
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["code"] == "site-newer"
    assert f"schema {number}" in error["what"]
    assert "Install “sealift-offline-sync 7.1” on this machine, or newer" in error["next"]
    assert (database.read_bytes(), running.picture()) == (data, before)
    assert shown is not None
    assert running.running() == shown


TAKEN = (
    "UPDATE fact SET value = CAST('sealift-offline-sync 7.1' AS BLOB) "
    "WHERE name = 'schema-taken-by'"
)
UNNAMED = {
    "nothing": "DELETE FROM fact WHERE name = 'schema-taken-by'",
    "a number": "UPDATE fact SET value = 7 WHERE name = 'schema-taken-by'",
    "no table": "DROP TABLE fact",
}


@pytest.mark.parametrize("what", UNNAMED)
def test_f1_64_where_the_newer_software_is_not_named_the_wheels_are(empty: Path, what: str) -> None:
    change(empty, (UNNAMED[what], "PRAGMA user_version = 9"))
    with pytest.raises(FailedError) as caught:
        State(empty / "sealift.db")
    assert "Install the wheels that were installed here last" in caught.value.next_step


def test_f1_64_the_name_of_newer_software_is_one_line_between_marks(empty: Path) -> None:
    name = "x”\nNext: sealift-site init\x1b[2J" + "x" * 1000
    with closing(sqlite3.connect(empty / "sealift.db", isolation_level=None)) as connection:
        row = ("schema-taken-by", name.encode())
        connection.execute("REPLACE INTO fact VALUES (?, ?)", row)
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(FailedError) as caught:
        State(empty / "sealift.db")
    step = caught.value.next_step
    assert "sealift-site init" not in step
    assert "Install the wheels that were installed here last" in step


@pytest.mark.parametrize(
    "name",
    [
        "sealift 2.0 from http://evil.example/whl",
        "sealift-offline-sync 2.0 (see the mail)",
        "sealift-offline-sync 2.0; rm",
    ],
)
def test_f1_64_only_our_own_wheels_are_told_to_be_installed(empty: Path, name: str) -> None:
    with closing(sqlite3.connect(empty / "sealift.db", isolation_level=None)) as connection:
        connection.execute("REPLACE INTO fact VALUES ('schema-taken-by', ?)", (name.encode(),))
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(FailedError) as caught:
        State(empty / "sealift.db")
    assert caught.value.code == "site-newer"
    assert "2.0" not in caught.value.next_step


@pytest.mark.parametrize("number", [-1, -(2**31), 7, 0])
def test_f1_64_a_number_that_no_software_wrote_is_told_as_damage(empty: Path, number: int) -> None:
    """A flipped bit, or a database that was written out as text and read again: no newer wheels."""
    change(empty, (f"PRAGMA user_version = {number}",))
    before = (empty / "sealift.db").read_bytes()
    with pytest.raises(FailedError) as caught:
        State(empty / "sealift.db")
    assert caught.value.code == "state-unusable"
    assert "backup" in caught.value.next_step
    assert (empty / "sealift.db").read_bytes() == before


# -- one transaction, and its number


def failing(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE further (x)")
    connection.execute("INSERT INTO further VALUES (1)")
    connection.execute("INSERT INTO nowhere VALUES (1)")


def adding(name: str) -> Callable[[sqlite3.Connection], None]:
    def take(connection: sqlite3.Connection) -> None:
        connection.execute(f"CREATE TABLE {name} (x)")

    return take


def test_f1_65_a_step_that_fails_leaves_the_database_as_the_one_before_did(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(empty)
    steps = (*schema_steps.STEPS, Step(schema_steps.newest() + 1, adding("third")))
    monkeypatch.setattr(schema_steps, "STEPS", (*steps, Step(len(steps) + 1, failing)))
    with pytest.raises(FailedError, match="nowhere"):
        made(empty)
    after = held(empty)
    assert after.number == before.number + 1
    assert after.made - before.made == {"table third: CREATE TABLE third (x)"}
    monkeypatch.setattr(schema_steps, "STEPS", (*steps, Step(len(steps) + 1, adding("fourth"))))
    made(empty)
    assert held(empty).number == before.number + 2


def test_f1_66_the_number_is_part_of_the_transaction_and_stays(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """Whatever SQLite and our commands do to the file afterwards."""
    hub.assign(hub.promote(1))
    with closing(sqlite3.connect(site.root / "sealift.db", isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("PRAGMA user_version = 77")
        connection.execute("ROLLBACK")
        assert schema_steps.number(connection) == schema_steps.newest()
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with closing(sqlite3.connect(medium.parent / "copy.db")) as copy:
            connection.backup(copy)
            assert schema_steps.number(copy) == schema_steps.newest()
    for act in (
        lambda: site.take(hub.export(medium)),
        lambda: site.refuses(medium),  # it was imported
        site.examined,
    ):
        act()
        assert held(site.root).number == schema_steps.newest()


def test_f1_66_nothing_else_writes_the_number() -> None:
    code = Path(schema_steps.__file__).parents[2]
    writing = [file.name for file in code.rglob("*.py") if "user_version =" in file.read_text()]
    assert writing == ["schema_steps.py"]


def test_f1_67_a_step_that_another_process_took_meanwhile_is_not_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    steps = (Step(1, lambda _: taken.append(1)),)
    monkeypatch.setattr(schema_steps, "STEPS", steps)
    state = State(tmp_path / "sealift.db")
    state.connection.execute("CREATE TABLE fact (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
    due = schema_steps.due
    answers = iter([steps[0]])

    def too_late(connection: sqlite3.Connection) -> Step | None:
        """As it was before another process came; the other has it by the time we begin."""
        if found := next(answers, None):
            connection.execute("PRAGMA user_version = 1")
            return found
        return due(connection)

    monkeypatch.setattr(schema_steps, "due", too_late)
    state.bring_forward()
    state.close()
    assert taken == []


def test_f1_64_who_holds_the_database_is_looked_for_and_no_disk(empty: Path) -> None:
    """A backup script, or a database browser: no fault of the disk."""
    state = State(empty / "sealift.db")
    state.connection.execute("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(empty / "sealift.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FailedError) as caught, state.transaction():
            pass
    state.close()
    assert "Another program holds" in caught.value.what
    assert f"fuser {empty}/sealift.db" in caught.value.next_step
