"""What `storage.database` promises, held by both engines; and what a server's errors say."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from sealift_migrations import upgrade
from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.tables import log_entry, seen_ahead
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage import postgresql
from sealift_registry.storage.database import Database
from sealift_registry.storage.postgresql import PostgresDatabase, open_postgres
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_signing.errors import FailedError
from sealift_signing.transparency.entry import Entry
from tests.logs import KEY, ORIGIN, SIGNER, numbered
from tests.registry import test_log_concurrency
from tests.servers.postgres import Database as OnServer
from tests.servers.postgres import PostgresServer, postgres, standby_of, starting

APPLICATION = "sealift_app"
SECRET = "correct-horse-battery"

Opener = Callable[[], Database]
"""Opens the same database once more, as another process does."""


@pytest.fixture(params=["sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    opened: list[Database] = []
    if request.param == "sqlite":
        make: Opener = lambda: SqliteDatabase(tmp_path / "hub.db", tmp_path / "lock")  # noqa: E731
    else:
        url = postgres().migrated().url(APPLICATION)
        make = lambda: PostgresDatabase(url)  # noqa: E731

    def another() -> Database:
        opened.append(make())
        return opened[-1]

    if request.param == "sqlite":
        upgrade(another().engine)
    yield another
    for one in opened:
        one.close()


@pytest.fixture
def database(opener: Opener) -> Database:
    return opener()


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(seen_ahead)).scalar_one()


def add(connection: Connection) -> int:
    """A row that is there already where somebody had counted at the same time."""
    time.sleep(0.001)
    number = count(connection)
    time.sleep(0.001)
    connection.execute(insert(seen_ahead).values(note=f"{number:06d}".encode()))
    return number


# ---------------------------------------------------------------------- both engines


def test_g1_60_a_reader_sees_one_state_while_others_write(opener: Opener) -> None:
    one, other = opener(), opener()
    with one.reading() as reader, reader.begin():
        assert count(reader) == 0
        with other.writing() as writer, writer.begin():
            add(writer)
        assert count(reader) == 0
    with one.reading() as reader:
        assert count(reader) == 1


def test_g1_60_writers_take_turns_and_each_sees_what_the_one_before_did(opener: Opener) -> None:
    """Each thread has a database of its own, which is what a process has."""

    def work(own: Database) -> list[int]:
        found = []
        for _ in range(10):
            with own.writing() as connection, connection.begin():
                found.append(add(connection))
        return found

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(work, [opener() for _ in range(6)]))
    assert sorted(number for each in told for number in each) == list(range(60))


def test_g1_60_threads_of_one_process_take_turns_as_well(database: Database) -> None:
    def work(_n: int) -> int:
        with database.writing() as connection, connection.begin():
            return add(connection)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(work, range(30))) == list(range(30))


def test_g1_60_what_a_writer_did_not_commit_was_never_there(opener: Opener) -> None:
    one, other = opener(), opener()
    with one.writing() as connection:
        transaction = connection.begin()
        add(connection)
        transaction.rollback()
    with other.writing() as connection, connection.begin():
        assert add(connection) == 0


def test_g1_60_an_action_that_the_database_refuses_undoes_itself_alone(database: Database) -> None:
    held = threading.Event()

    def first(connection: Connection) -> tuple[Entry, None]:
        held.wait(10)
        connection.execute(insert(seen_ahead).values(note=b"first"))
        return numbered(0), None

    def twice(connection: Connection) -> tuple[Entry, None]:
        connection.execute(insert(seen_ahead).values(note=b"second"))
        connection.execute(insert(seen_ahead).values(note=b"first"))
        return numbered(1), None

    def third(connection: Connection) -> tuple[Entry, None]:
        connection.execute(insert(seen_ahead).values(note=b"third"))
        return numbered(2), None

    with (
        AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log,
        ThreadPoolExecutor(3) as pool,
    ):
        answers = [pool.submit(log.commit, act) for act in (first, twice, third)]
        held.set()
        with pytest.raises(IntegrityError):
            answers[1].result()
        assert sorted([answers[0].result().seq, answers[2].result().seq]) == [0, 1]
    with database.reading() as connection:
        notes = set(connection.execute(select(seen_ahead.c.note)).scalars())
    assert notes == {b"first", b"third"}
    assert LogReader(database).fsck(KEY, ORIGIN).size == 2


# ---------------------------------------------------------------------- PostgreSQL's own


@pytest.fixture
def there() -> OnServer:
    return postgres().migrated()


@contextmanager
def opened(database: OnServer) -> Iterator[PostgresDatabase]:
    found = PostgresDatabase(database.url(APPLICATION))
    with closing(found):
        yield found


def refused(code: str, act: Callable[[], object]) -> FailedError:
    """A sentence with a next step, and no password, statement or page of anybody's."""
    with pytest.raises(FailedError) as caught:
        act()
    bad = caught.value
    assert bad.code == code, bad
    assert bad.next_step
    for hidden in (SECRET, "sqlalche.me", "[SQL", "Traceback", "(psycopg"):
        assert hidden not in f"{bad.what} {bad.next_step}"
    return bad


def entry_of(database: Database) -> Callable[[], object]:
    def act() -> object:
        with AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:
            return log.commit_entry(numbered(1))

    return act


def question_of(database: Database) -> Callable[[], object]:
    def act() -> object:
        with database.in_words(), database.reading() as connection:
            return connection.execute(select(func.count()).select_from(log_entry)).scalar_one()

    return act


def test_g1_60_a_reader_changes_nothing(there: OnServer) -> None:
    with (
        opened(there) as database,
        database.reading() as connection,
        pytest.raises(DBAPIError, match="read-only"),
    ):
        connection.execute(insert(seen_ahead).values(note=b"x"))


def test_g1_60_without_read_committed_a_waiter_sees_what_was_before(there: OnServer) -> None:
    """Why a writer's transaction is what it is: the two who take turns would both write row 0."""
    with opened(there) as database, opened(there) as other:
        engine = open_postgres(database.url).execution_options(isolation_level="REPEATABLE READ")
        database.__dict__["engine"] = engine
        found: list[int] = []

        def wait() -> None:
            with database.writing() as connection, connection.begin():
                found.append(count(connection))

        waiter = threading.Thread(target=wait)
        with other.writing() as connection, connection.begin():
            add(connection)
            waiter.start()
            _until(lambda: _waiting(there) == 1)
        waiter.join()
        assert found == [0]
        del database.__dict__["engine"]
        engine.dispose()
        wait()
        assert found == [0, 1]


def _waiting(there: OnServer) -> int:
    with closing(there.connect()) as connection:
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _until(so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_g1_60_no_such_database(there: OnServer) -> None:
    url = there.url(APPLICATION).replace(there.name, "nowhere")
    with closing(PostgresDatabase(url)) as database:
        for act in (question_of(database), entry_of(database), database.check_exists):
            refused("database-missing", act)


def test_g1_60_no_such_user(there: OnServer) -> None:
    with closing(PostgresDatabase(there.url("nobody_here"))) as database:
        refused("database-login", question_of(database))


@pytest.fixture(scope="module")
def strict() -> Iterator[PostgresServer]:
    """A server of our own, which asks for a password and may be stopped."""
    with starting() as server:
        server.migrated()
        server.administration.run(f"ALTER ROLE {APPLICATION} PASSWORD '{SECRET}'")
        file = server.data / "pg_hba.conf"
        rules = file.read_text(encoding="utf-8")
        file.write_text(f"local all {APPLICATION} scram-sha-256\n{rules}", encoding="utf-8")
        server.set(log_connections="off")
        yield server


def with_password(there: OnServer, password: str) -> PostgresDatabase:
    url = there.url(APPLICATION).replace(f"{APPLICATION}@", f"{APPLICATION}:{password}@")
    return PostgresDatabase(url)


def test_g1_60_a_wrong_password_and_none(strict: PostgresServer) -> None:
    there = strict.migrated()
    with closing(with_password(there, f"not-{SECRET}")) as database:
        for act in (question_of(database), entry_of(database)):
            refused("database-login", act)
        assert SECRET not in database.where
    with opened(there) as database:
        refused("database-login", question_of(database))
    with closing(with_password(there, SECRET)) as database:
        assert question_of(database)() == 0


def test_g1_60_a_stopped_server_and_the_same_process_afterwards(strict: PostgresServer) -> None:
    there = strict.migrated()
    with (
        closing(with_password(there, SECRET)) as database,
        AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log,
    ):
        assert log.commit_entry(numbered(0)).seq == 0
        assert question_of(database)() == 1
        strict.shut_down()
        try:
            for _ in range(2):
                refused("database-unreachable", lambda: log.commit_entry(numbered(1)))
                refused("database-unreachable", question_of(database))
        finally:
            strict.start()
        assert log.commit_entry(numbered(2)).seq == 1
        assert question_of(database)() == 2


def test_g1_60_a_replica_is_read_and_not_written(strict: PostgresServer) -> None:
    there = strict.migrated()
    with closing(with_password(there, SECRET)) as primary:
        entry_of(primary)()
        with standby_of(strict) as standby:
            copy = OnServer(standby, there.name)
            with closing(with_password(copy, SECRET)) as database:
                assert question_of(database)() == 1
                refused("database-read-only", entry_of(database))
                with AuditLog(primary, lambda: SIGNER, ORIGIN, begins=True) as log:
                    log.commit_entry(numbered(2))
                _until(lambda: question_of(database)() == 2)


def test_g1_60_a_server_that_takes_no_writes(there: OnServer) -> None:
    there.run(f'ALTER DATABASE "{there.name}" SET default_transaction_read_only = on')
    with opened(there) as database:
        assert question_of(database)() == 0
        refused("database-read-only", entry_of(database))


def test_g1_60_too_many_connections(there: OnServer) -> None:
    alone = there.server.administration
    alone.run(f'ALTER DATABASE "{there.name}" CONNECTION LIMIT 1')
    with closing(alone.connect()) as connection:
        query = "SELECT 1 FROM pg_stat_activity WHERE datname = %s"
        _until(lambda: not connection.execute(query, [there.name]).fetchall())
    with opened(there) as database, opened(there) as other, other.reading() as held:
        count(held)
        refused("database-too-many", question_of(database))
        refused("database-too-many", entry_of(database))
    with opened(there) as database:
        entry_of(database)()


def test_g1_60_all_connections_of_the_process_in_use(
    there: OnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("CONNECTIONS", 1), ("MORE_CONNECTIONS", 0), ("UNTIL_FREE", 0.2)):
        monkeypatch.setattr(postgresql, name, value)
    with opened(there) as database:
        with database.reading() as held:
            count(held)
            refused("database-busy", question_of(database))
            refused("database-busy", entry_of(database))
        entry_of(database)()


def test_g1_60_a_statement_that_was_cancelled(there: OnServer) -> None:
    with opened(there) as database, AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:

        def slow(connection: Connection) -> tuple[Entry, None]:
            connection.execute(text("SELECT pg_sleep(60)"))
            return numbered(0), None

        def cancel() -> None:
            query = (
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'"
            )
            with closing(there.connect()) as connection:
                _until(lambda: bool(connection.execute(query).fetchall()))

        canceller = threading.Thread(target=cancel)
        canceller.start()

        def act() -> None:
            with database.in_words():  # as the hub has around its actions
                log.commit(slow)

        refused("database-cancelled", act)
        canceller.join()
        assert log.commit_entry(numbered(1)).seq == 0


@pytest.mark.parametrize("when", ["", "DEFERRABLE INITIALLY DEFERRED"])
def test_g1_60_a_full_disk(there: OnServer, when: str) -> None:
    """At a statement, and at COMMIT: nothing was done, and both are said as what they are."""
    kind = "CONSTRAINT TRIGGER" if when else "TRIGGER"
    there.run(
        "CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$",
        f"CREATE {kind} is_full AFTER INSERT ON sealift.log_checkpoint {when} "
        "FOR EACH ROW EXECUTE FUNCTION public.full()",
    )
    with opened(there) as database, AuditLog(database, lambda: SIGNER, ORIGIN, begins=True) as log:
        bad = refused("database-full", lambda: log.commit_entry(numbered(0)))
        assert "nothing was done" in bad.what
        there.run("DROP TRIGGER is_full ON sealift.log_checkpoint")
        assert log.commit_entry(numbered(1)).seq == 0
    with opened(there) as database:
        assert LogReader(database).fsck(KEY, ORIGIN).findings == ()


def test_g1_60_a_writer_that_was_stopped_keeps_others_out_no_longer_than_the_limit(
    there: OnServer,
) -> None:
    module = [sys.executable, "-m", "tests.registry.stopped_process"]
    words = [there.url(APPLICATION), test_log_concurrency.SECRET.hex(), "7", "2s"]
    with (
        opened(there) as database,
        subprocess.Popen(
            [*module, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        signer = test_log_concurrency.SIGNER
        with AuditLog(database, lambda: signer, ORIGIN, begins=True) as log:
            assert log.commit_entry(numbered(0)).seq == 0
        assert time.monotonic() - began < 30
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate("go on\n", timeout=60)
        assert said == "not log-unwritten\n"
        verdict = LogReader(database).fsck(test_log_concurrency.KEY, ORIGIN)
        assert (verdict.size, verdict.findings) == (1, ())


def test_g1_60_who_may_not_and_where_nothing_is_told_apart(there: OnServer) -> None:
    there.run(f"REVOKE INSERT ON sealift.log_entry FROM {APPLICATION}")
    with opened(there) as database:
        refused("database-not-allowed", entry_of(database))
    bare = postgres().fresh()
    with closing(PostgresDatabase(bare.url())) as database:
        refused("database-no-table", question_of(database))
