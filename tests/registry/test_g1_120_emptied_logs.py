"""A log that somebody emptied begins no second history; and COMMIT waits for the disk."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_signing.errors import FailedError, SealiftError
from tests.registry.hub_fixture import Acme
from tests.registry.hubs_on_postgres import another_home, founded_on
from tests.servers.postgres import Database, postgres

LOG = ("log_term", "log_checkpoint", "log_tile", "log_entry")


def noted(acme: Acme) -> None:
    hub = acme.app.hub
    hub.log.commit_entry(hub.entry("work.resumed", "hub", {}))


def emptied(database: Database) -> None:
    """As the owner may: guards off, all rows gone, guards on."""
    for table in LOG:
        database.run(
            f"ALTER TABLE sealift.{table} DISABLE TRIGGER USER",
            f"DELETE FROM sealift.{table}",  # noqa: S608 - our names
            f"ALTER TABLE sealift.{table} ENABLE TRIGGER USER",
        )


def test_g1_120_an_emptied_log_does_not_begin_again(tmp_path: Path) -> None:
    database = postgres().migrated()
    one = founded_on(database, tmp_path / "one")
    noted(one)
    one.close()
    with another_home(one, tmp_path / "other") as other:
        emptied(database)
        for each, code in ((other, "log-damaged"), (one, "hub-restored")):
            with pytest.raises(SealiftError) as caught:
                noted(each)
            assert caught.value.code == code
            each.close()
    assert one.types() == []
    one.close()


def test_g1_120_an_emptied_file_does_not_either(hub: Acme) -> None:
    hub.close()
    for table in LOG:
        hub.sql(f"DROP TRIGGER IF EXISTS {table}_no_delete")
        hub.sql(f"DELETE FROM {table}")  # noqa: S608 - our names
    with pytest.raises(FailedError, match="nothing is left of it") as caught:
        noted(hub)
    assert caught.value.code == "log-damaged"


@pytest.mark.parametrize(
    "given, counts",
    [
        *(("off", "on"), ("local", "on"), ("remote_write", "on")),
        *(("on", "on"), ("remote_apply", "remote_apply")),
    ],
)
def test_g1_121_a_commit_waits_for_the_disk_whatever_a_role_was_given(
    given: str, counts: str
) -> None:
    database = postgres().migrated()
    database.run(f"ALTER ROLE sealift_app SET synchronous_commit = {given}")
    try:
        with closing(PostgresDatabase(database.url("sealift_app"))) as opened_:
            for way in (opened_.writing, opened_.alone):
                with way() as connection, connection.begin():
                    found = connection.execute(text("SHOW synchronous_commit")).scalar()
                    assert found == counts
            with opened_.reading() as connection:  # of no other transaction
                assert connection.execute(text("SHOW synchronous_commit")).scalar() == given
    finally:
        database.run("ALTER ROLE sealift_app RESET synchronous_commit")
