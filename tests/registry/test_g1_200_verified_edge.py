"""Rows of the log count where its key signed what is stored, whoever else may add rows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from sealift_registry.app import App
from sealift_registry.audit import edge
from sealift_registry.audit.edge import Vouch
from sealift_registry.audit.writer import utc_now
from sealift_registry.cli.run import run
from sealift_registry.moving import moves
from sealift_registry.trust import readiness
from sealift_registry.trust.log_keys import log_keys
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.transparency.entry import body_of, new_entry
from sealift_signing.transparency.merkle import leaf_hash
from tests.registry.hub_fixture import Acme, Loose
from tests.registry.hubs_on_postgres import APPLICATION, another_home, fail_over
from tests.registry.moving_hubs import moved_to, new_database, opened, url_of
from tests.registry.test_g1_190_forged_rows import THEIRS, found, says, signs
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


def asked(act: Callable[[Connection, Vouch], Any]) -> Callable[[App], Any]:
    def ask(app: App) -> Any:  # noqa: ANN401 - whatever it gives
        keys = log_keys(app.hub)
        with app.hub.reading() as connection:
            return act(connection, Vouch(keys.key, keys.origin))

    return ask


def bytes_of(kind: str, **data: str) -> bytes:
    """An entry that nobody signed."""
    return body_of(new_entry(kind, "hub", utc_now(), data, [], None))


def puts(database: Database, seq: int, kind: str, **data: str) -> None:
    """What the thief writes into `log_entry`."""
    body = bytes_of(kind, **data)
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
    ended = newest_rows(there)[0][0]
    assert refused(hub.root).code in {"hub-restored", "log-damaged"}
    assert newest_rows(there)[0][0] == ended


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


def refused(root: Path, act: Callable[[App], Any] = signs) -> SealiftError:
    with pytest.raises(SealiftError) as caught:
        opened(root, act)
    return caught.value


def newest_rows(database: Database) -> list[tuple[Any, ...]]:
    """The genuine checkpoints of a place, the newest first."""
    query = "SELECT size, root, frontier, leaves, note FROM sealift.log_checkpoint ORDER BY 1 DESC"
    with closing(database.connect(APPLICATION)) as connection:
        return connection.execute(query).fetchall()


def puts_back(database: Database, rows: list[tuple[Any, ...]]) -> None:
    """Checkpoints that the log's key did sign, and none of the entries that they are over."""
    with closing(database.connect(APPLICATION)) as connection:
        for row in rows:
            connection.execute("INSERT INTO sealift.log_checkpoint VALUES (%s,%s,%s,%s,%s)", row)


@pytest.mark.parametrize("entries", [False, True])
def test_g1_203_a_place_that_was_left_stays_so_whatever_of_the_new_one_is_put_there(
    hub: Acme, there: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, entries: bool
) -> None:
    """The thief reads at the new place what the hub signed since, and has the old one go on."""
    new = new_database()
    with another_home(hub, tmp_path / "other") as other:
        opened(other.root, signs)
        opened(hub.root, lambda app: moved_to(app, url_of(new)))
        opened(hub.root, signs)
        if entries:
            copied(new, there)
        puts_back(there, newest_rows(new)[:1])
        ended = newest_rows(there)[0][0]
        for _ in range(2):
            bad = refused(other.root)
            assert bad.code == ("database-moved" if entries else "log-damaged")
        assert newest_rows(there)[0][0] == ended
        capsys.readouterr()
        run(["audit", "verify", "--home", str(other.root)])
        told = "".join(capsys.readouterr())
        assert ("was deleted" in told) is not entries, told
    assert opened(hub.root, signs)
    assert opened(hub.root, found) == []


def copied(source: Database, target: Database) -> None:
    """Every entry that `target` lacks, as `source` has it."""
    columns = "seq, leaf, body, id, type, site, recorded_at, actor"
    with closing(source.connect()) as there, closing(target.connect(APPLICATION)) as here:
        last = here.execute("SELECT max(seq) FROM sealift.log_entry").fetchone()
        query = f"SELECT {columns} FROM sealift.log_entry WHERE seq > %s ORDER BY seq"  # noqa: S608 - our words
        for row in there.execute(query, last).fetchall():
            places = ", ".join(["%s"] * len(row))
            here.execute(f"INSERT INTO sealift.log_entry ({columns}) VALUES ({places})", row)  # noqa: S608 - our words


def test_g1_204_a_home_keeps_no_place_that_nobody_signed(
    hub: Acme, there: Database, tmp_path: Path
) -> None:
    """It keeps them for ever: whoever took the rows out again would not have the hub back."""
    says(there, ("left", THEIRS))
    puts(there, -1, "hub.leaving", place=THEIRS)
    there.run(CHECKPOINT.format(LAST), user=APPLICATION)
    with another_home(hub, tmp_path / "other") as other:
        bad = refused(other.root)
        assert bad.code == "log-damaged"
        assert THEIRS not in f"{bad.what} {bad.next_step}"
        assert not (other.root / "places-left").exists()
    there.run(
        "ALTER TABLE sealift.log_checkpoint DISABLE TRIGGER ALL",
        f"DELETE FROM sealift.log_checkpoint WHERE size = {LAST}",  # noqa: S608 - our words
    )
    assert opened(hub.root, signs)  # -1 is below the log: it is no entry


def test_g1_205_blobs_are_not_looked_for_where_nobody_signed_that_they_are(
    hub: Acme, there: Database
) -> None:
    """`migrate --to-blobs` to where they are already writes no more than settings.toml."""
    before = (hub.root / "settings.toml").read_bytes()
    says(there, ("blobs", "s3://thief/models"))
    puts(there, -1, "hub.moved", blobs_to="s3://thief/models", place="x")
    blobs = {"url": "s3://thief/models", "endpoint": "http://127.0.0.1:9"}
    bad = refused(hub.root, lambda app: moved_to(app, None, blobs))
    assert bad.code == "move-not-whole"
    assert (hub.root / "settings.toml").read_bytes() == before
    assert opened(hub.root, signs)


def test_g1_206_checkpoints_alone_are_no_entries(hub: Acme, there: Database) -> None:
    """A server that lost what was acknowledged does not have it again by what was signed of it."""
    older = there.copy()
    for _ in range(3):
        opened(hub.root, signs)
    rows = newest_rows(there)[:3]
    fail_over(there, older)
    puts_back(there, rows)
    size = rows[0][0]
    assert refused(hub.root).code in {"hub-restored", "log-damaged"}
    assert newest_rows(there)[0][0] == size
    assert refused(hub.root, readiness_of).code == "hub-restored"


def readiness_of(app: App) -> None:
    with app.hub.reading() as connection:
        readiness.check(app.hub, connection)


def test_g1_207_the_last_entry_says_what_was_signed(hub: Acme, there: Database) -> None:
    """Whoever owns the tables writes over it that the hub went to them."""
    says(there, ("left", THEIRS))
    with closing(there.connect()) as connection:
        connection.execute("ALTER TABLE sealift.log_entry DISABLE TRIGGER ALL")
        connection.execute(
            "UPDATE sealift.log_entry SET body = %s, type = 'hub.leaving' "
            "WHERE seq = (SELECT max(seq) FROM sealift.log_entry)",
            (bytes_of("hub.leaving", place=THEIRS),),
        )
    for act in (signs, readiness_of):
        bad = refused(hub.root, act)
        assert bad.code == "log-damaged"
        assert THEIRS not in f"{bad.what} {bad.next_step}"
    assert THEIRS not in (hub.root / "places-left").read_text()
    faults = opened(hub.root, found)
    assert any(one.startswith("Row 10 ") for one in faults), faults


def test_g1_208_a_move_is_in_the_log_whatever_is_beyond_its_end(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = new_database()
    real = moves._end

    def end(*given: Loose) -> Loose:
        puts(database, 2**62, "hub.moved", place="x")
        return real(*given)

    monkeypatch.setattr(moves, "_end", end)
    done = moved_to(hub.app, url_of(database))
    hub.close()
    with closing(database.connect()) as connection:
        query = "SELECT type FROM sealift.log_entry WHERE seq = %s"
        assert connection.execute(query, (done.edge.size,)).fetchone() == ("hub.moved",)


def test_g1_209_what_others_have_written_since_is_looked_at(
    hub: Acme, there: Database, tmp_path: Path
) -> None:
    """By a process that has the log open, too: not all of it again, but that."""
    with another_home(hub, tmp_path / "other") as other:
        signs(other.app)
        for _ in range(2):
            opened(hub.root, signs)
        ended = newest_rows(there)[0][0]
        lose(there, f"WHERE seq = {ended - 2}")
        with pytest.raises(FailedError) as caught:
            signs(other.app)
    assert caught.value.code == "log-damaged"
    assert newest_rows(there)[0][0] == ended
