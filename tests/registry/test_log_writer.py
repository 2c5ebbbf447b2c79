"""The hub's writer: rows and entry together or not at all, and never success without a commit."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    event,
    insert,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.pool import PoolProxiedConnection

from sealift_registry.audit import settling, writer
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_signing import locks
from sealift_signing.errors import FailedError, RefusedError, SealiftError
from sealift_signing.transparency.entry import LARGEST_BODY, Entry, new_entry
from sealift_signing.transparency.question import Question
from tests.logs import KEY, ORIGIN, SIGNER, HubSide, number_of, numbered, tamper
from tests.stores import opened_at

thing = Table("thing", MetaData(), Column("number", Integer, primary_key=True))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubSide]:
    side = HubSide(tmp_path)
    with side.behind() as connection:
        thing.create(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"GRANT SELECT, INSERT ON thing TO {Roles().application}"))
    yield side
    side.close()


def adding(number: int) -> Callable[[Connection], tuple[Entry, int]]:
    """An action that writes a row of its own and says so."""

    def action(connection: Connection) -> tuple[Entry, int]:
        connection.execute(insert(thing), {"number": number})
        return numbered(number), number * 10

    return action


def things(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(select(thing.c.number).order_by("number")).scalars())


def logged(hub: HubSide) -> list[int]:
    rows = hub.reader.page(Question(), limit=10_000, newest_first=False)
    return [number_of(row) for row in rows]


def in_one_batch(
    hub: HubSide, *actions: Callable[[Connection], tuple[Entry, Any]] | Entry
) -> list[Any]:
    """Commit `actions`, or entries, together; each answer is what `commit` returned or raised."""
    running, go_on = threading.Event(), threading.Event()

    def holding_up(_connection: Connection) -> tuple[Entry, None]:
        running.set()
        assert go_on.wait(30)
        return numbered(-1), None

    def commit(action: Callable[[Connection], tuple[Entry, Any]] | Entry) -> object:
        try:
            if isinstance(action, Entry):
                return hub.log.commit_entry(action)
            return hub.log.commit(action)
        except Exception as raised:  # noqa: BLE001 - the answer under test
            return raised

    with ThreadPoolExecutor(len(actions) + 1) as callers:
        first = callers.submit(commit, holding_up)
        assert running.wait(30)
        answers = []
        for place, action in enumerate(actions):
            answers.append(callers.submit(commit, action))
            while hub.log._queue.qsize() <= place:
                time.sleep(0.001)
        go_on.set()
        first.result()
        return [answer.result() for answer in answers]


def test_rows_and_entry_are_there_when_commit_returns(hub: HubSide) -> None:
    committed = hub.log.commit(adding(7))
    assert committed.result == 70
    assert (committed.seq, committed.size) == (0, 1)
    assert things(hub.engine) == [7]
    (row,) = hub.reader.page(Question(id=committed.entry_id))
    assert row.entry.id == committed.entry_id
    assert hub.reader.verify(KEY, ORIGIN).ok


def test_an_action_that_raises_leaves_nothing(hub: HubSide) -> None:
    def failing(connection: Connection) -> tuple[Entry, None]:
        connection.execute(insert(thing), {"number": 1})
        raise RefusedError("not-allowed", "No.")

    with pytest.raises(RefusedError, match="No") as refused:
        hub.log.commit(failing)
    assert refused.value.code == "not-allowed"
    assert things(hub.engine) == []
    assert logged(hub) == []


def test_others_in_the_same_commit_go_on(hub: HubSide) -> None:
    def failing(connection: Connection) -> tuple[Entry, None]:
        connection.execute(insert(thing), {"number": 100})
        connection.execute(insert(thing), {"number": 1})  # is there already
        raise AssertionError

    answers = in_one_batch(hub, adding(1), failing, adding(2))
    assert [answers[0].result, answers[2].result] == [10, 20]
    assert answers[0].size == answers[2].size == 3  # one checkpoint for both, after the holding up
    assert isinstance(answers[1], IntegrityError)
    assert things(hub.engine) == [1, 2]
    assert logged(hub) == [-1, 1, 2]
    assert hub.reader.fsck(KEY, ORIGIN).ok


@pytest.mark.parametrize("why", ["too large", "misspelled"])
def test_an_action_whose_entry_cannot_be_written_did_not_happen(hub: HubSide, why: str) -> None:
    def speechless(connection: Connection) -> tuple[Entry, None]:
        connection.execute(insert(thing), {"number": 5})
        data = {"text": "x" * LARGEST_BODY} if why == "too large" else {}
        return new_entry("a.b", "" if why == "misspelled" else "anna", hub.log.clock(), data), None

    answers = in_one_batch(hub, adding(1), speechless)
    assert isinstance(answers[1], RefusedError)
    assert things(hub.engine) == [1]
    assert logged(hub) == [-1, 1]


def test_entries_without_rows_stand_in_the_same_commit_in_their_order(hub: HubSide) -> None:
    def failing(connection: Connection) -> tuple[Entry, None]:
        connection.execute(insert(thing), {"number": 3})
        raise LookupError

    answers = in_one_batch(hub, adding(1), numbered(2), failing, numbered(4))
    assert [answer.seq for answer in (answers[0], answers[1], answers[3])] == [1, 2, 3]
    assert {answer.size for answer in (answers[0], answers[1], answers[3])} == {4}
    assert isinstance(answers[2], LookupError)
    assert things(hub.engine) == [1]
    assert logged(hub) == [-1, 1, 2, 4]
    assert hub.reader.fsck(KEY, ORIGIN).ok


def test_an_entry_that_cannot_be_written_is_refused_where_it_was_made(hub: HubSide) -> None:
    too_large = new_entry("a.b", "anna", hub.log.clock(), {"text": "x" * LARGEST_BODY})
    misspelled = new_entry("a.b", "", hub.log.clock(), {})
    for entry, code in ((too_large, "entry-too-large"), (misspelled, "bad-shape")):
        with pytest.raises(RefusedError) as error:
            hub.log.commit_entry(entry)
        assert error.value.code == code
    assert hub.log.commit_entry(numbered(1)).seq == 0
    assert logged(hub) == [1]


def test_the_same_entry_twice_is_not_written(hub: HubSide) -> None:
    entry = numbered(1)
    hub.log.commit_entry(entry)
    with pytest.raises(FailedError, match="nothing was done") as failed:
        hub.log.commit_entry(entry)
    server = hub.database.settles
    assert failed.value.code == ("database-unreadable" if server else "log-unwritten")
    assert logged(hub) == [1]
    hub.log.commit_entry(numbered(2))
    assert hub.reader.verify(KEY, ORIGIN).size == 2


def test_an_action_cannot_commit_another(hub: HubSide) -> None:
    def nested(_connection: Connection) -> tuple[Entry, None]:
        hub.log.commit(adding(2))
        return numbered(1), None

    with pytest.raises(FailedError, match="cannot commit another") as failed:
        hub.log.commit(nested)
    assert failed.value.code == "log-nested"
    assert things(hub.engine) == []


@pytest.mark.parametrize("how", ["commit", "rollback"])
def test_an_action_cannot_end_the_transaction(hub: HubSide, how: str) -> None:
    def ending(connection: Connection) -> tuple[Entry, None]:
        connection.execute(insert(thing), {"number": 3})
        getattr(connection, how)()
        return numbered(3), None

    with pytest.raises(FailedError, match="nothing was done: an action ended the transaction"):
        hub.log.commit(ending)
    assert things(hub.engine) == []
    assert hub.log.commit(adding(4)).seq == 0


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("how", ["ROLLBACK", "RELEASE SAVEPOINT action"])
def test_an_action_cannot_end_the_transaction_in_words_of_its_own(
    hub: HubSide, how: str, *, raises: bool
) -> None:
    def ending(connection: Connection) -> tuple[Entry, None]:
        connection.execute(insert(thing), {"number": 3})
        connection.exec_driver_sql(how)
        if raises:
            raise LookupError
        return numbered(3), None

    answers = in_one_batch(hub, adding(1), ending, adding(2))
    assert all(isinstance(one, FailedError) for one in answers)
    assert things(hub.engine) == []
    assert logged(hub) == [-1]
    assert hub.log.commit(adding(4)).seq == 1


@pytest.mark.parametrize("raises", [False, True])
def test_an_action_cannot_leave_a_savepoint_open(hub: HubSide, *, raises: bool) -> None:
    def leaving(connection: Connection) -> tuple[Entry, None]:
        connection.begin_nested()
        connection.execute(insert(thing), {"number": 3})
        if raises:
            raise LookupError
        return numbered(3), None

    with pytest.raises(FailedError, match="nothing was done: an action"):
        hub.log.commit(leaving)
    assert things(hub.engine) == []
    assert hub.log.commit(adding(4)).seq == 0


def test_an_action_may_have_savepoints_of_its_own(hub: HubSide) -> None:
    def trying(connection: Connection) -> tuple[Entry, None]:
        with suppress(LookupError), connection.begin_nested():
            connection.execute(insert(thing), {"number": 3})
            raise LookupError
        with connection.begin_nested():
            connection.execute(insert(thing), {"number": 4})
        return numbered(5), None

    hub.log.commit(trying)
    assert things(hub.engine) == [4]
    assert logged(hub) == [5]


@pytest.mark.embedded("it limits SQLite's pages")
def test_a_full_disk_is_told_and_nothing_is_half_done(hub: HubSide) -> None:
    def small(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 100")

    event.listen(hub.engine, "connect", small)
    hub.engine.dispose()

    def greedy(connection: Connection) -> tuple[Entry, None]:
        connection.exec_driver_sql("CREATE TABLE large (data)")
        for _ in range(10_000):
            connection.exec_driver_sql("INSERT INTO large VALUES (zeroblob(10000))")
        raise AssertionError

    answers = in_one_batch(hub, adding(1), greedy, adding(2))
    told = [answer for answer in answers if isinstance(answer, Exception)]
    assert all("disk is full" in str(answer) for answer in told)
    done = [answer.result // 10 for answer in answers if not isinstance(answer, Exception)]
    assert things(hub.engine) == done
    assert logged(hub) == [-1, *done]
    hub.log.commit(adding(3))
    assert hub.reader.fsck(KEY, ORIGIN).ok


@pytest.mark.parametrize("happened", [False, True])
def test_a_failed_commit_is_unknown_and_never_success(
    hub: HubSide, monkeypatch: pytest.MonkeyPatch, happened: bool
) -> None:
    """Nor where a server is asked what became of it, and cannot say."""
    monkeypatch.setattr(settling, "PATIENCE", 0.05)
    hub.log.commit(adding(1))
    honest = hub.engine.dialect.do_commit

    def failing(connection: PoolProxiedConnection) -> None:
        if happened:
            honest(connection)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(hub.engine.dialect, "do_commit", failing)
    with pytest.raises(FailedError, match="could not confirm") as failed:
        hub.log.commit(adding(2))
    monkeypatch.undo()
    assert failed.value.code == "log-unknown"
    assert "disk I/O error" in failed.value.what
    # It is resolved by the entry's id.
    found = hub.reader.page(Question(id=failed.value.subject))
    assert len(found) == (1 if happened else 0)
    assert failed.value.subject in failed.value.next_step
    assert things(hub.engine) == ([1, 2] if happened else [1])
    if hub.database.settles:
        assert hub.log.commit(adding(3)).result == 30
    else:
        # After a failed flush nothing is believed in this process; another one goes on.
        with pytest.raises(FailedError, match="could not confirm an earlier commit") as stopped:
            hub.log.commit(adding(3))
        assert stopped.value.code == "log-stopped"
    with AuditLog(hub.database, lambda: SIGNER, ORIGIN) as other:
        other.commit(adding(4))
    assert hub.reader.fsck(KEY, ORIGIN).ok


@pytest.mark.embedded("how SQLite says that a COMMIT found no room")
def test_a_commit_that_met_a_full_disk_did_not_happen_and_the_log_goes_on(
    hub: HubSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says which it was: what did not fit has no last frame, and counts for nobody."""

    def failing(_connection: PoolProxiedConnection) -> None:
        bad = sqlite3.OperationalError("database or disk is full")
        bad.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise bad

    hub.log.commit(adding(1))
    monkeypatch.setattr(hub.engine.dialect, "do_commit", failing)
    with pytest.raises(FailedError, match="There is no room left for the hub's database") as failed:
        hub.log.commit(adding(2))
    monkeypatch.undo()
    assert failed.value.code == "database-full"
    assert "so nothing was done: There is no room left" in failed.value.what
    assert failed.value.what.endswith(f" {hub.path}.")
    assert "Make room" in failed.value.next_step
    hub.log.commit(adding(3))
    assert things(hub.engine) == [1, 3]
    assert hub.reader.fsck(KEY, ORIGIN).ok


def test_nobody_in_a_failed_commit_hears_of_success(
    hub: HubSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PATIENCE", 0.05)

    def failing(_connection: PoolProxiedConnection) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    def refusing(_connection: Connection) -> tuple[Entry, None]:
        monkeypatch.setattr(hub.engine.dialect, "do_commit", failing)
        raise RefusedError("no", "No, because of what another action in this commit wrote.")

    answers = in_one_batch(hub, adding(1), refusing, adding(2))
    monkeypatch.undo()
    assert [answer.code for answer in answers] == ["log-unknown", "log-unwritten", "log-unknown"]
    assert logged(hub) == [-1]


@pytest.mark.embedded("the lock file of SQLite's writers")
def test_a_locked_log_is_told_and_the_action_never_runs(
    hub: HubSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.05)
    with locks.held(hub.path.with_name("writer.lock")):
        with pytest.raises(FailedError, match="nothing was done") as failed:
            hub.log.commit(adding(1))
        assert failed.value.code == "log-busy"
    monkeypatch.setattr(writer, "PATIENCE", 30)
    hub.log.commit(adding(2))
    assert things(hub.engine) == [2]


def test_whoever_is_interrupted_learns_what_had_begun_and_nothing_else_begins(
    hub: HubSide,
) -> None:
    """Ctrl-C comes while the writer is at work: what it has in hand is finished and is told."""

    def interrupted(connection: Connection) -> tuple[Entry, int]:
        os.kill(os.getpid(), signal.SIGINT)  # the main thread gets it, which waits
        return adding(2)(connection)

    hub.log.commit(adding(1))
    with pytest.raises(KeyboardInterrupt):
        hub.log.commit(interrupted)
    assert [one.seq for one in hub.log.kept] == [0, 1]
    assert hub.log.kept[1].type == logged_types(hub)[1]
    assert things(hub.engine) == [1, 2]


def logged_types(hub: HubSide) -> list[str]:
    return [row.entry.type for row in hub.reader.page(Question(), newest_first=False)]


@pytest.mark.embedded("the lock file of SQLite's writers")
def test_a_lock_that_cannot_be_had_is_told(tmp_path: Path, hub: HubSide) -> None:
    log = AuditLog(
        SqliteDatabase(hub.path, tmp_path / "not there" / "lock"), lambda: SIGNER, ORIGIN
    )
    with log, pytest.raises(FailedError, match="nothing was done") as failed:
        log.commit(adding(1))
    assert failed.value.code == "log-unwritten"


def test_a_closed_log_takes_no_more(hub: HubSide) -> None:
    hub.log.commit(adding(1))
    hub.log.close()
    hub.log.close()
    with pytest.raises(FailedError, match="closed"):
        hub.log.commit(adding(2))
    assert logged(hub) == [1]


def test_closing_writes_what_is_queued(hub: HubSide) -> None:
    with ThreadPoolExecutor(8) as callers:
        answers = [callers.submit(hub.log.commit, adding(n)) for n in range(40)]
        answers[0].result()
        time.sleep(0.01)
        hub.log.close()
        outcomes = [answer.exception() for answer in answers]
    done = [n for n, outcome in enumerate(outcomes) if outcome is None]
    refused = [outcome.code for outcome in outcomes if isinstance(outcome, SealiftError)]
    assert things(hub.engine) == done
    assert set(refused) <= {"log-closed"}
    assert len(done) + len(refused) == 40


def test_the_signer_is_asked_for_once_and_in_the_callers_thread(hub: HubSide) -> None:
    asked: list[str] = []

    def provider() -> CryptoSigner:
        asked.append(threading.current_thread().name)
        if len(asked) == 1:
            raise RefusedError("bad-passphrase", "Wrong passphrase.")
        return SIGNER

    with AuditLog(hub.database, provider, ORIGIN, begins=True) as log:
        with pytest.raises(RefusedError, match="Wrong passphrase"):
            log.commit(adding(1))
        log.commit(adding(2))
        log.commit(adding(3))
    assert asked == [threading.current_thread().name] * 2
    assert things(hub.engine) == [2, 3]


FORGERIES = [
    "UPDATE log_checkpoint SET frontier = zeroblob(64) WHERE size = 3",
    "UPDATE log_checkpoint SET root = zeroblob(32), frontier = zeroblob(64) WHERE size = 3",
    "UPDATE log_checkpoint SET frontier = x'00' WHERE size = 3",
    "UPDATE log_checkpoint SET size = 5 WHERE size = 3",
]


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("running", [True, False])
def test_a_forged_history_is_not_signed(hub: HubSide, forgery: str, running: bool) -> None:
    """Neither by the process that wrote the last checkpoint nor by one that starts now."""
    for number in range(3):
        hub.log.commit(adding(number))
    tamper(hub, forgery)
    log = hub.log
    if not running:
        log = AuditLog(hub.database, lambda: SIGNER, ORIGIN)
    with log, pytest.raises(FailedError, match="is not the one that was signed") as failed:
        log.commit(adding(9))
    assert failed.value.code == "log-damaged"
    assert things(hub.engine) == [0, 1, 2]


def test_a_log_whose_newest_checkpoint_is_not_signed_is_not_continued(hub: HubSide) -> None:
    hub.log.commit(adding(1))
    tamper(hub, "UPDATE log_checkpoint SET note = x'00'")
    with (
        AuditLog(opened_at(hub.folder), lambda: SIGNER, ORIGIN) as log,
        pytest.raises(FailedError, match="not a signed checkpoint"),
    ):
        log.commit(adding(2))


def test_another_keys_log_is_not_continued(hub: HubSide) -> None:
    hub.log.commit(adding(1))
    stranger = CryptoSigner.generate_ed25519()
    with (
        AuditLog(opened_at(hub.folder), lambda: stranger, ORIGIN) as log,
        pytest.raises(FailedError, match="another key"),
    ):
        log.commit(adding(2))


def test_rows_that_were_slipped_in_stop_the_log(hub: HubSide) -> None:
    hub.log.commit(adding(1))
    with hub.behind() as connection:
        slipped = "INSERT INTO log_entry VALUES (1, x'', x'', 'id', 'a.b', NULL, '', '')"
        connection.execute(text(slipped))
    said = "duplicate key" if hub.database.settles else "append-only"
    with pytest.raises(FailedError, match=said):
        hub.log.commit(adding(2))
    assert things(hub.engine) == [1]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_opens_the_log_itself(hub: HubSide) -> None:
    hub.log.commit(adding(1))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            hub.log.close()
            hub.log.commit(adding(2))
        except FailedError as failed:
            code = 0 if failed.code == "log-forked" else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    hub.log.commit(adding(3))
    assert things(hub.engine) == [1, 3]


@pytest.mark.embedded("a stranger's lock of SQLite's file")
def test_a_database_locked_by_a_stranger_is_told(
    hub: HubSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    event.listen(hub.engine, "connect", impatient)
    hub.engine.dispose()
    with closing(sqlite3.connect(hub.path, isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(FailedError, match="database is locked") as failed:
            hub.log.commit(adding(1))
        raw.execute("ROLLBACK")
    assert failed.value.code == "log-unwritten"
    assert isinstance(failed.value.__cause__, OperationalError)
    hub.log.commit(adding(2))
    assert things(hub.engine) == [2]
