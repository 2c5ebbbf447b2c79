"""What a superuser or the owner leaves beside the schema, and what it makes of the hub's names."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import select, text

from sealift_registry.audit.tables import log_entry
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.errors import FailedError
from tests.registry.test_g1_30_owner_tampers import (
    Capsys,
    Hub,
    hub,
    made,
)
from tests.registry.test_postgres_attacks import checked

__all__ = ("hub", "made")

APPLICATION = Roles().application
EVIL = ("CREATE SCHEMA evil", "GRANT USAGE ON SCHEMA evil TO PUBLIC")
"""A schema in which everybody may look."""


def at_login(setting: str, value: str) -> tuple[str, ...]:
    """Statements by which a setting is another's whenever the hub's role logs in."""
    return (
        *EVIL,
        (
            "CREATE FUNCTION evil.f() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER "
            "AS $$ "
            f"BEGIN IF session_user = '{APPLICATION}' THEN "
            f"PERFORM set_config('{setting}', '{value}', false); END IF; END $$"
        ),
        "CREATE EVENT TRIGGER hello ON login EXECUTE FUNCTION evil.f()",
        "ALTER EVENT TRIGGER hello ENABLE ALWAYS",
    )


LYING = (
    (
        "CREATE VIEW evil.pg_trigger AS SELECT tableoid, oid, tgrelid, tgparentid, tgname, tgfoid, "
        "tgtype, CASE WHEN tgenabled = 'D' THEN 'A'::\"char\" ELSE tgenabled END AS tgenabled, "
        "tgisinternal, tgconstrrelid, tgconstrindid, tgconstraint, tgdeferrable, tginitdeferred, "
        "tgnargs, tgattr, tgargs, tgqual FROM pg_catalog.pg_trigger"
    ),
    "CREATE VIEW evil.pg_event_trigger AS SELECT * FROM pg_catalog.pg_event_trigger WHERE false",
    "CREATE VIEW evil.log_entry AS SELECT * FROM sealift.log_entry WHERE seq <> 2",
    "GRANT SELECT ON ALL TABLES IN SCHEMA evil TO PUBLIC",
)


def found_by_check(hub: Hub) -> list[str]:
    """What `db check` says besides that the tests' server is careless of failing machines."""
    return [one for one in checked(hub.database) if "when the machine fails" not in one]


def opened() -> PostgresDatabase:
    """The hub's database, as its role."""
    return PostgresDatabase(os.environ["SEALIFT_DATABASE__URL"])


@pytest.mark.parametrize("which", ["verify", "fsck"])
def test_g1_130_a_login_trigger_has_no_other_tables_read(
    hub: Hub, capsys: Capsys, which: str
) -> None:
    path = "evil, pg_catalog, sealift"
    hub.tamper(*at_login("search_path", path), *LYING, "ALTER TABLE log_entry DISABLE TRIGGER USER")
    code, findings = hub.audit(capsys, which)
    assert code == 1
    assert any("log_entry_no_delete" in one for one in findings), findings
    assert any("event trigger runs at each login" in one for one in findings), findings


def test_g1_130_each_transaction_has_its_own_settings(hub: Hub) -> None:
    """Whoever reads, whoever writes, and whatever ran before in the session."""
    hub.tamper(*at_login("search_path", "evil, pg_catalog, sealift"), *LYING)
    database = opened()
    try:
        for begun in (database.reading, database.writing, database.alone):
            with begun() as connection, connection.begin():
                found = connection.execute(text("SHOW search_path")).scalar_one()
                assert found == "pg_catalog, sealift, pg_temp"
                assert connection.execute(text("SHOW row_security")).scalar_one() == "off"
                rows = connection.execute(select(log_entry.c.seq)).all()
                assert len(rows) == 4
    finally:
        database.close()


def test_g1_130_keys_that_are_not_enforced_stop_the_hub(hub: Hub) -> None:
    """By a login trigger whose function is a superuser's."""
    hub.tamper(*at_login("session_replication_role", "replica"))
    database = opened()
    try:
        for begun in (database.reading, database.writing):
            with (
                begun() as connection,
                pytest.raises(FailedError, match="enforces no keys"),
                connection.begin(),
            ):
                pass
    finally:
        database.close()


FUNCTION = (
    "CREATE FUNCTION {}.f(varchar) RETURNS varchar LANGUAGE plpgsql IMMUTABLE AS "
    "$$ BEGIN RETURN $1; END $$"
)
ADDED = [
    (
        (
            "CREATE FUNCTION pg_catalog.veq(varchar, varchar) RETURNS boolean LANGUAGE sql "
            "AS 'SELECT false'; CREATE OPERATOR pg_catalog.= "
            "(LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = pg_catalog.veq)"
        ),
        "An operator was added to PostgreSQL's own: =",
    ),
    (FUNCTION.format("pg_catalog"), "A function was added to PostgreSQL's own: f"),
    (
        (
            "SET allow_system_table_mods = on; "
            "CREATE VIEW pg_catalog.log_entry AS SELECT * FROM sealift.log_entry WHERE false"
        ),
        "A relation was added to PostgreSQL's own: log_entry",
    ),
    (
        (
            "CREATE FUNCTION evil.c(varchar) RETURNS integer LANGUAGE sql AS 'SELECT 1'; "
            "CREATE CAST (varchar AS integer) WITH FUNCTION evil.c(varchar) AS IMPLICIT"
        ),
        "A cast was added to PostgreSQL's own: “character varying to integer”",
    ),
    (
        (
            f"{FUNCTION.format('evil')}; DROP INDEX sealift.ix_receipt_site; "
            "CREATE INDEX ix_receipt_site ON sealift.receipt (evil.f(site))"
        ),
        "The index ix_receipt_site of receipt is not made as Sealift makes it.",
    ),
    (
        (
            f"{FUNCTION.format('evil')}; DROP INDEX sealift.ix_receipt_site; "
            "CREATE INDEX ix_receipt_site ON sealift.receipt (evil.f(site))"
        ),
        "of the schema sealift uses what is not Sealift's: “function evil.f",
    ),
    *(
        (
            (
                "DROP INDEX sealift.ix_receipt_site; "
                f"CREATE {unique} INDEX ix_receipt_site ON sealift.receipt {how}"
            ),
            "The index ix_receipt_site of receipt is not made as Sealift makes it.",
        )
        for unique, how in (
            ("", "(site) WHERE site <> ''"),
            ("", "USING hash (site)"),
            ("", "(site varchar_pattern_ops)"),
            ("", '(site COLLATE "C.utf8")'),
            ("", "(site DESC)"),
            ("", "(site) INCLUDE (sha256)"),
            ("", "(sha256)"),
            ("UNIQUE", "(site)"),
        )
    ),
    (
        (
            "CREATE TABLE evil.statement (LIKE sealift.statement INCLUDING ALL); "
            "ALTER TABLE sealift.approval DROP CONSTRAINT fk_approval_sha256; "
            "ALTER TABLE sealift.approval ADD CONSTRAINT fk_approval_sha256 "
            "FOREIGN KEY (sha256) REFERENCES evil.statement (sha256)"
        ),
        "The table approval lacks its foreign key (sha256) to statement (sha256).",
    ),
]


@pytest.mark.parametrize("attack,said", ADDED)
def test_g1_131_what_is_not_ours_and_not_the_servers_is_named(
    hub: Hub, capsys: Capsys, attack: str, said: str
) -> None:
    hub.tamper(*EVIL, attack)
    code, findings = hub.audit(capsys)
    assert code == 1
    assert any(said in one for one in findings), findings
    assert any(said in one for one in found_by_check(hub))


def test_g1_132_a_function_that_acts_as_the_owner_is_named(hub: Hub) -> None:
    hub.database.run(
        *EVIL,
        "GRANT USAGE, CREATE ON SCHEMA evil TO sealift_owner",
        "SET ROLE sealift_owner",
        "CREATE FUNCTION evil.gone() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$ BEGIN DELETE FROM sealift.listing; END $$",
        "GRANT EXECUTE ON FUNCTION evil.gone() TO PUBLIC",
    )
    (found,) = found_by_check(hub)
    assert f"{APPLICATION} may run the function evil.gone, which acts as sealift_owner" in found
    hub.database.run("REVOKE EXECUTE ON FUNCTION evil.gone() FROM PUBLIC")
    assert found_by_check(hub) == []
    hub.database.run(f"GRANT EXECUTE ON FUNCTION evil.gone() TO {APPLICATION}")
    assert len(found_by_check(hub)) == 1
    hub.database.run("ALTER FUNCTION evil.gone() SECURITY INVOKER")
    assert found_by_check(hub) == []


def test_g1_132_a_view_by_which_rows_are_changed_as_the_owner_is_named(hub: Hub) -> None:
    hub.database.run(*EVIL, "CREATE VIEW evil.door AS SELECT * FROM sealift.listing")
    assert found_by_check(hub) == []
    hub.database.run("GRANT UPDATE (stage) ON evil.door TO PUBLIC")
    (found,) = found_by_check(hub)
    assert "may change Sealift's rows by the view or rule evil.door, which acts as" in found
