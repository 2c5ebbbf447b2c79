"""Rows of the log count where its key signed what is stored, whoever else may add rows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection

from sealift_registry.app import App
from sealift_registry.audit import edge
from sealift_registry.audit.edge import Vouch
from sealift_registry.audit.writer import utc_now
from sealift_registry.trust.log_keys import log_keys
from sealift_signing.errors import FailedError
from sealift_signing.transparency.entry import body_of, new_entry
from sealift_signing.transparency.merkle import leaf_hash
from tests.registry.hub_fixture import Acme
from tests.registry.hubs_on_postgres import APPLICATION
from tests.registry.moving_hubs import moved_to, new_database, opened, url_of
from tests.servers.postgres import Database

pytestmark = pytest.mark.embedded("it puts its hub on a server by itself")
LAST = 2**63 - 1


@pytest.fixture
def there(hub: Acme) -> Database:
    """The database that the hub has been moved to."""
    database = new_database()
    moved_to(hub.app, url_of(database))
    hub.close()
    return database


def signs(app: App) -> int:
    return app.hub.log.commit_entry(app.hub.entry("work.resumed", "hub", {})).seq


def asked(act: Callable[[Connection, Vouch], Any]) -> Callable[[App], Any]:
    def ask(app: App) -> Any:  # noqa: ANN401 - whatever it gives
        keys = log_keys(app.hub)
        with app.hub.reading() as connection:
            return act(connection, Vouch(keys.key, keys.origin, lambda: keys.former))

    return ask


def puts(database: Database, seq: int, kind: str) -> None:
    """What the thief writes into `log_entry`."""
    body = body_of(new_entry(kind, "hub", utc_now(), {"place": "x"}, [], None))
    with closing(database.connect(APPLICATION)) as connection:
        connection.execute(
            "INSERT INTO sealift.log_entry (seq, leaf, body, id, type, recorded_at, actor) "
            "VALUES (%s, %s, %s, %s, %s, '2026-12-01T00:00:00Z', 'hub')",
            (seq, leaf_hash(body), body, f"x{seq}", kind),
        )


CHECKPOINT = (
    "INSERT INTO sealift.log_checkpoint SELECT {0}, root, frontier, leaves, note "
    "FROM sealift.log_checkpoint ORDER BY size DESC LIMIT 1"
)


def lose(database: Database, where: str) -> None:
    """Take entries out, as a server would that never had them; their checkpoints are put back."""
    database.run(
        "ALTER TABLE sealift.log_entry DISABLE TRIGGER ALL",
        "ALTER TABLE sealift.log_term DISABLE TRIGGER ALL",
        f"DELETE FROM sealift.log_term WHERE seq IN (SELECT seq FROM sealift.log_entry {where})",  # noqa: S608 - our words
        f"DELETE FROM sealift.log_entry WHERE seq IN (SELECT seq FROM sealift.log_entry {where})",  # noqa: S608 - our words
    )


def test_g1_200_the_edge_is_what_the_logs_key_signed(hub: Acme, there: Database) -> None:
    size = opened(hub.root, signs) + 1
    puts(there, LAST, "hub.leaving")
    puts(there, -1, "hub.leaving")
    assert opened(hub.root, asked(edge.signed)).size == size
    assert opened(hub.root, asked(edge.verified)).size == size


def test_g1_200_it_is_no_checkpoint_that_nobody_signed(hub: Acme, there: Database) -> None:
    there.run(CHECKPOINT.format(LAST), user=APPLICATION)
    for act in (edge.signed, edge.verified):
        with pytest.raises(FailedError) as caught:
            opened(hub.root, asked(act))
        assert caught.value.code == "log-damaged"


NEWEST = "ORDER BY seq DESC LIMIT 1"


@pytest.mark.parametrize("where", [NEWEST, "WHERE seq = 3"])
def test_g1_201_it_is_no_checkpoint_without_the_entries_before_it(
    hub: Acme, there: Database, where: str
) -> None:
    lose(there, where)
    for act in (edge.signed, edge.verified):
        with pytest.raises(FailedError) as caught:
            opened(hub.root, asked(act))
        assert caught.value.code == "log-damaged"


@pytest.mark.parametrize("where, cheap", [("WHERE seq = 3", False), (NEWEST, True)])
def test_g1_201_the_cheap_question_sees_the_entries_of_the_last_tile(
    hub: Acme, there: Database, where: str, *, cheap: bool
) -> None:
    """It is asked before every commit; what is before that tile is seen when a log is opened."""

    def sign(app: App) -> None:
        for _ in range(260):
            signs(app)

    opened(hub.root, sign)
    lose(there, where)
    with pytest.raises(FailedError):
        opened(hub.root, asked(edge.verified))
    if cheap:
        with pytest.raises(FailedError):
            opened(hub.root, asked(edge.signed))
    else:
        assert opened(hub.root, asked(edge.signed)).size > 256


@pytest.mark.parametrize("change", ["body = '\\x00'", "leaf = '\\x00'"])
def test_g1_202_an_entry_counts_by_its_bytes(hub: Acme, there: Database, change: str) -> None:
    """Whoever owns the tables writes another body, and another leaf, over the one that is there."""

    def moves(connection: Connection, vouch: Vouch) -> list[str]:
        found = edge.entries(connection, edge.signed(connection, vouch), "hub.moved", "hub.leaving")
        return [one.entry.type for one in found]

    puts(there, LAST, "hub.leaving")
    puts(there, -1, "hub.leaving")
    assert opened(hub.root, asked(moves)) == ["hub.moved", "hub.leaving"]
    there.run(
        "ALTER TABLE sealift.log_entry DISABLE TRIGGER ALL",
        f"UPDATE sealift.log_entry SET {change} WHERE type = 'hub.moved'",  # noqa: S608 - our words
    )
    with pytest.raises(FailedError) as caught:
        opened(hub.root, asked(moves))
    assert caught.value.code == "log-damaged"


def test_g1_202_nor_with_a_leaf_of_its_own(hub: Acme, there: Database) -> None:
    there.run(
        "ALTER TABLE sealift.log_entry DISABLE TRIGGER ALL",
        "UPDATE sealift.log_entry SET (leaf, body) = (SELECT leaf, body FROM sealift.log_entry "
        "WHERE type = 'hub.leaving') WHERE type = 'hub.moved'",
    )

    def moves(connection: Connection, vouch: Vouch) -> list[int]:
        found = edge.signed(connection, vouch)
        return [one.seq for one in edge.entries(connection, found, "hub.moved", "hub.leaving")]

    with pytest.raises(FailedError, match="not the one that was signed"):
        opened(hub.root, asked(moves))
