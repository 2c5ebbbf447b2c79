"""Whoever owns the PostgreSQL database changes it behind the hub's back: `audit verify` says what.

Each statement is run as the server's administrator, for whom nothing is forbidden.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_migrations.table_rules import RULES
from sealift_registry.cli.run import run
from sealift_registry.storage.home import DatabaseSettings, Settings
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.trust import founding
from sealift_signing.transparency.entry import new_entry
from tests.registry.test_migrations import all_tables
from tests.servers.postgres import Database, postgres

Capsys = pytest.CaptureFixture[str]
ROWS = "SET session_replication_role = replica"
"""With it no trigger runs but those that always do."""


class Hub:
    """A hub in `root`, its database, and what `audit` says of it."""

    def __init__(self, root: Path, database: Database) -> None:
        self.root = root
        self.database = database

    def tamper(self, *statements: str) -> None:
        """As the administrator, in one session, in the hub's schema."""
        self.database.run("SET search_path = sealift", *statements)

    def audit(self, capsys: Capsys, which: str = "verify") -> tuple[int, list[str]]:
        """The exit code, and each finding: its code and its sentence."""
        capsys.readouterr()
        code = run(["--home", str(self.root), "audit", which, "--json"])
        said = json.loads(capsys.readouterr().out)
        return code, [f"{one['code']}: {one['what']}" for one in said["findings"]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """A hub of one person, with a few entries; nobody is connected to its database."""
    root, database = tmp_path_factory.mktemp("hub") / "hub", postgres().migrated()
    stores = Settings(database=DatabaseSettings(database.url(Roles().application)))
    hub = founding.found_solo(root, "Acme", "dora", {}, stores)
    for number in range(3):
        entry = new_entry("test.entry", "dora", hub.now(), {"number": number})
        hub.log.commit_entry(entry)
    hub.close()
    return Hub(root, database)


@pytest.fixture
def hub(made: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The same, with a database of the test's own."""
    database = made.database.copy()
    for name in [name for name in os.environ if name.startswith("SEALIFT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SEALIFT_DATABASE__URL", database.url(Roles().application))
    yield Hub(made.root, database)
    database.drop()


def test_g1_30_what_nobody_touched_is_whole(hub: Hub, capsys: Capsys) -> None:
    assert hub.audit(capsys) == (0, [])
    assert hub.audit(capsys, "fsck") == (0, [])


GUARDS_OFF = "ALTER TABLE {table} DISABLE TRIGGER USER"
GUARDS_ON = "ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_{change}"


def unguarded(table: str, *statements: str) -> list[str]:
    """`statements`, with the guards taken away for them and put back as they were."""
    back = [GUARDS_ON.format(table=table, change=one) for one in ("update", "delete", "truncate")]
    return [GUARDS_OFF.format(table=table), *statements, *back]


@pytest.mark.parametrize(
    "table, statement, found",
    [
        ("log_entry", "UPDATE log_entry SET body = body || ' '::bytea WHERE seq = 1", "row-edited"),
        ("log_entry", "UPDATE log_entry SET leaf = body WHERE seq = 1", "leaf-differs"),
        ("log_checkpoint", "UPDATE log_checkpoint SET note = note || 'x'::bytea", "checkpoint"),
        (
            "log_checkpoint",
            "UPDATE log_checkpoint SET root = 'x'::bytea WHERE size = 2",
            "checkpoint-edited",
        ),
    ],
)
def test_g1_31_a_changed_row_is_named_though_the_guards_are_back(
    hub: Hub, capsys: Capsys, table: str, statement: str, found: str
) -> None:
    hub.tamper(*unguarded(table, statement))
    code, findings = hub.audit(capsys)
    assert code == 1
    assert any(found in one for one in findings), findings
    assert not any(one.startswith("database-built-otherwise") for one in findings)


def test_g1_32_a_row_that_went_and_one_that_came_are_named(hub: Hub, capsys: Capsys) -> None:
    hub.tamper(
        *unguarded("log_term", "DELETE FROM log_term WHERE seq = 2"),
        *unguarded("log_entry", "DELETE FROM log_entry WHERE seq = 2"),
    )
    code, findings = hub.audit(capsys)
    assert (code, bool(findings)) == (1, True)


def test_g1_32_a_forged_entry_is_named(hub: Hub, capsys: Capsys) -> None:
    """To insert a row is allowed: the tree and its signature do not have it."""
    hub.tamper(
        "INSERT INTO log_entry SELECT seq + 1, leaf, body, 'forged', type, site, recorded_at, actor"
        " FROM log_entry ORDER BY seq DESC LIMIT 1"
    )
    code, findings = hub.audit(capsys)
    assert (code, bool(findings)) == (1, True)


def test_g1_33_newest_entries_that_went_with_their_checkpoint_are_named(
    hub: Hub, capsys: Capsys
) -> None:
    """What is left is what was once signed: the home knows that there was more."""
    hub.tamper(
        *unguarded("log_checkpoint", "DELETE FROM log_checkpoint WHERE size = 4"),
        *unguarded("log_entry", "DELETE FROM log_entry WHERE seq = 3"),
    )
    code, findings = hub.audit(capsys)
    assert (code, bool(findings)) == (1, True)


@pytest.mark.parametrize("table", [table for table, rule in RULES.items() if rule.guarded])
def test_g1_34_guards_that_are_off_are_named(hub: Hub, capsys: Capsys, table: str) -> None:
    hub.tamper(GUARDS_OFF.format(table=table))
    code, findings = hub.audit(capsys)
    assert code == 1
    assert any("database-built-otherwise" in one and table in one for one in findings), findings


@pytest.mark.parametrize("table", sorted(RULES))
def test_g1_35_hidden_rows_are_named(hub: Hub, capsys: Capsys, table: str) -> None:
    """Row security shows the hub less than there is, and whoever looks as the owner all of it."""
    hub.tamper(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    code, findings = hub.audit(capsys)
    assert code == 1
    assert any("database-built-otherwise" in one and table in one for one in findings), findings


@pytest.mark.parametrize("table", sorted(RULES))
def test_g1_36_a_view_in_a_tables_place_is_named(hub: Hub, capsys: Capsys, table: str) -> None:
    hub.tamper(
        f"ALTER TABLE {table} RENAME TO {table}_kept",
        f"CREATE VIEW {table} AS SELECT * FROM {table}_kept",  # noqa: S608 - our own names
        f"GRANT SELECT, INSERT ON {table} TO {Roles().application}",
    )
    code, findings = hub.audit(capsys)
    assert code == 1
    assert any("database-built-otherwise" in one and table in one for one in findings), findings


@pytest.mark.parametrize("table", sorted(RULES))
def test_g1_37_a_table_that_is_gone_is_named(hub: Hub, capsys: Capsys, table: str) -> None:
    hub.tamper(f"DROP TABLE {table} CASCADE")
    code, findings = hub.audit(capsys)
    assert code == 1
    assert any("database-built-otherwise" in one and table in one for one in findings), findings


def test_g1_38_a_superuser_is_stopped_by_the_guards_unless_they_are_taken_off(hub: Hub) -> None:
    for table in ("log_entry", "log_checkpoint", "tuf_metadata"):
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):  # noqa: S608 - ours
            with pytest.raises(Exception, match="append-only"):
                hub.tamper(ROWS, statement)


def test_g1_39_the_application_can_do_none_of_it(hub: Hub) -> None:
    user = Roles().application
    tables = all_tables().tables
    for table, rule in RULES.items():
        attacks = [
            f"TRUNCATE {table}",
            f"ALTER TABLE {table} DISABLE TRIGGER ALL",
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"DROP TABLE {table}",
            f"CREATE VIEW {table}_too AS SELECT * FROM {table}",  # noqa: S608 - our own names
            f"CREATE RULE r AS ON INSERT TO {table} DO INSTEAD NOTHING",
        ]
        if "DELETE" not in rule.privileges:
            attacks.append(f"DELETE FROM {table}")  # noqa: S608 - our own names
        if "UPDATE" not in rule.privileges:
            one = next(iter(tables[table].columns.keys())) if table in tables else "version_num"
            attacks.append(f"UPDATE {table} SET {one} = NULL")  # noqa: S608 - our own names
        for statement in attacks:
            with pytest.raises(Exception, match=r"denied|must be owner"):
                hub.database.run("SET search_path = sealift", statement, user=user)
    with pytest.raises(Exception, match="denied"):
        hub.database.run(ROWS, user=user)
