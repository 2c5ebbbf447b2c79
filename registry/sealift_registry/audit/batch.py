"""One commit: many callers' actions, each in a savepoint, and their entries, all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, RootTransaction, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFreeError

from sealift_registry.audit import pending, restored_backup, settling
from sealift_registry.audit.admission import Admission
from sealift_registry.audit.append import Appender
from sealift_registry.audit.newest_checkpoint import LostError
from sealift_registry.audit.savepoint import Savepoint
from sealift_registry.audit.settling import Place
from sealift_registry.storage.database import Database, busy, full
from sealift_signing import events
from sealift_signing.errors import FailedError, RefusedError, SealiftError
from sealift_signing.transparency.entry import Entry, body_of

T = TypeVar("T")
Joiners = Callable[[list["PendingAction[Any]"]], None]
"""Adds to a commit that begins those who have queued up meanwhile."""
Action = Callable[[Connection], tuple[Entry, T]]
"""Writes rows through the connection and says what happened. It never commits or rolls back."""


@dataclass(frozen=True)
class Committed(Generic[T]):
    """What is now in the log and on the disk.

    Attributes:
        result: what the action returned beside its entry.
        seq: the entry's place in the log, from 0.
        entry_id: the entry's own id.
        type: the entry's.
        size: of the checkpoint that was signed with it; the entry is in every proof from there on.
    """

    result: T
    seq: int
    entry_id: str
    type: str
    size: int


class PendingAction(Generic[T]):
    """A caller's action, and the answer that the caller waits for.

    `replaces_key` is whether it gives the log another key: the one thing that a restored hub does.
    """

    def __init__(self, action: Action[T], *, replaces_key: bool = False) -> None:
        self._action = action
        self.replaces_key = replaces_key
        self.answer: Future[Committed[T]] = Future()

    def run(self, connection: Connection, admission: Admission, savepoint: Savepoint) -> Done[T]:
        """Run it in a savepoint, undone alone when it raises or its entry cannot be written."""
        transaction = connection.get_transaction()
        savepoint.set()
        try:
            admission.check_may_write(replaces_key=self.replaces_key)
            entry, result = self._action(connection)
            admission.check_date(entry)
            done = Done(self, entry, body_of(entry), result)
        except BaseException as raised:  # noqa: BLE001 - it belongs to the caller, whatever it is
            _check_begun(connection, transaction)
            _undo(savepoint, raised)
            return Done(self, error=raised)
        _check_begun(connection, transaction)
        savepoint.keep()
        return done


class EntryRequest(PendingAction[None]):
    """An entry that comes with no rows: there is nothing to be undone, and so no savepoint.

    Its body is made here, in the caller's thread and before anybody holds the writers' lock.

    Raises:
        MalformedError, RefusedError: as `body_of`.
    """

    def __init__(self, entry: Entry) -> None:
        super().__init__(lambda _connection: (entry, None))
        self._entry = entry
        self._body = body_of(entry)

    def run(
        self,
        connection: Connection,  # noqa: ARG002 - it needs none
        admission: Admission,
        savepoint: Savepoint,  # noqa: ARG002 - nor this
    ) -> Done[None]:
        """The entry as it is, if the log takes it."""
        try:
            admission.check_may_write(replaces_key=False)
            admission.check_date(self._entry)
        except RefusedError as refused:
            return Done(self, error=refused)
        return Done(self, self._entry, self._body)


class CommitError(Exception):
    """COMMIT itself failed: nobody can say whether it happened."""


@dataclass
class Done(Generic[T]):
    """An action that ran: with its entry, or with the error that it raised."""

    request: PendingAction[T]
    entry: Entry | None = None
    body: bytes = b""
    result: T | None = None
    error: BaseException | None = None


_Answer = tuple[PendingAction[Any], Committed[Any] | BaseException]


class _UnusableError(Exception):
    """The transaction is not the one that was begun: nothing in it may be committed."""


def write(
    database: Database,
    appender: Appender,
    requests: list[PendingAction[Any]],
    stated: date | None = None,
    joiners: Joiners = lambda _: None,
) -> None:
    """Run, log and commit `requests`, and answer every one of them, as the one writer.

    `stated` is today's date, where a person stated it. `joiners` is asked once it is this writer's
    turn, and adds to `requests`.

    Raises:
        CommitError: COMMIT failed. The callers have been told so, or what had become of it where
            the database can be asked; where it cannot, write no more before checking.
    """
    done: list[Done[Any]] = []
    try:
        with database.writing() as connection:
            try:
                answers = _run(database, connection, appender, requests, done, stated, joiners)
            except BaseException:
                connection.invalidate()  # whatever state it is in, nobody gets it again
                raise
            # Before the connection is let go: that could fail, and this has happened.
            _give(answers)
    except LostError as lost:
        if _remember(database, requests, lost):
            write(database, appender, requests, stated, joiners)
    except CommitError as failed:
        found = _asked(database, done)
        if found:
            appender.keep()
        _answer_unconfirmed(done, failed, found)
        raise
    except DBAPIError as failed:
        answer_unwritten(requests, database.told(failed) if database.settles else failed)
    except NoneFreeError:
        answer_unwritten(requests, busy(database.where))
    except Exception as failed:  # noqa: BLE001 - whatever it was, nothing was committed
        answer_unwritten(requests, failed)


def write_alone(
    database: Database,
    connection: Connection,
    appender: Appender,
    request: PendingAction[Any],
    stated: date | None = None,
) -> None:
    """As `write`, of one action, through the connection of whoever is the one writer already.

    Raises:
        RestoredError: the database lacks what this home signed last.
        FailedError: COMMIT failed, or there was no room for it.
    """
    done: list[Done[Any]] = []
    try:
        answers = _run(database, connection, appender, [request], done, stated)
    except LostError as lost:
        raise restored_backup.restored(lost.kept.said) from lost
    except CommitError as failed:
        _answer_unconfirmed(done, failed, None)
        return
    _give(answers)


def _run(
    database: Database,
    connection: Connection,
    appender: Appender,
    requests: list[PendingAction[Any]],
    done: list[Done[Any]],
    stated: date | None,
    joiners: Joiners = lambda _: None,
) -> list[_Answer]:
    """The transaction itself; the answers may be given, for it is committed."""
    transaction = connection.begin()
    joiners(requests)
    event.listen(connection, "commit", _refuse_commit)
    wanted = (item for item in requests if item.answer.set_running_or_notify_cancel())
    admission = appender.admission(connection, stated)
    with (
        closing(Savepoint(connection, at_once=database.takes_several)) as savepoint,
        pending.collected(connection) as entries,
    ):
        for request in wanted:
            one = request.run(connection, admission, savepoint)
            done.append(one)
            if one.entry:
                entries.append(one.entry)
        savepoint.end()
    event.remove(connection, "commit", _refuse_commit)
    answers: list[_Answer] = [(item.request, item.error) for item in done if item.error]
    logged = [(item, item.entry) for item in done if item.entry]
    if not logged:
        transaction.rollback()
        return answers
    growth = appender.append(
        connection,
        [(entry, item.body) for item, entry in logged],
        replaces_key=any(item.request.replaces_key for item, _ in logged),
    )
    for row, (item, entry) in zip(growth.rows, logged, strict=True):
        committed = Committed(item.result, row.seq, entry.id, entry.type, growth.frontier.size)
        answers.append((item.request, committed))
    try:
        transaction.commit()
    except Exception as failed:
        if database.is_full(failed):
            raise full(database.where) from failed
        raise CommitError(_reason(failed)) from failed
    appender.keep()  # before anybody is told
    for row, (_, entry) in zip(growth.rows, logged, strict=True):
        events.tell("log", "entry-committed", seq=row.seq, type=entry.type)
    return answers


def _remember(database: Database, requests: Sequence[PendingAction[Any]], lost: LostError) -> bool:
    """Whether the database knows now that it lacks what its home signed; else all are refused.

    Whoever else works on it refuses, too, from then on, and one act it takes: another key.
    """
    try:
        restored_backup.remember(database, lost.kept.note)
    except (DBAPIError, SealiftError) as failed:
        refused = restored_backup.restored(lost.kept.said)
        refused.__cause__ = failed
        _give([(one, refused) for one in requests if _is_waiting(one)])
        return False
    events.tell("log", "entries-lost", size=lost.kept.said.size)
    return True


def _give(answers: Sequence[_Answer]) -> None:
    for request, answer in answers:
        if isinstance(answer, BaseException):
            request.answer.set_exception(answer)
        else:
            request.answer.set_result(answer)


_ENDED = "an action ended the transaction that it was given, or left a savepoint of its own"


def _check_begun(connection: Connection, begun: RootTransaction | None) -> None:
    """Check that the transaction is still the one that the action was given."""
    same = begun is not None and begun.is_active and connection.get_transaction() is begun
    if not same or connection.in_nested_transaction():
        raise _UnusableError(_ENDED)


def _undo(savepoint: Savepoint, raised: BaseException) -> None:
    try:
        savepoint.undo()
    except Exception as bad:
        # On some errors the whole transaction ends (a full disk, a lost server). There is no
        # savepoint to return to then, and each later statement would be committed by itself.
        raise _UnusableError(_reason(raised)) from bad


def _refuse_commit(_connection: Connection) -> None:
    raise FailedError(
        "log-action-commits",
        "An action tried to commit by itself: rows would be there without their log entry.",
    )


def answer_unwritten(requests: Sequence[PendingAction[Any]], failed: BaseException) -> None:
    """Tell every caller that has no answer yet that nothing was done, and why."""
    told = failed if isinstance(failed, SealiftError) else None
    for request in requests:
        if not _is_waiting(request):
            continue
        error = FailedError(
            told.code if told else "log-unwritten",
            f"The log could not be written, so nothing was done: {_reason(failed)}.",
            next_step=told.next_step if told else "Remove the cause and try again.",
        )
        error.__cause__ = failed
        request.answer.set_exception(error)


def _is_waiting(request: PendingAction[Any]) -> bool:
    """Whether the caller still wants an answer; from here on it cannot take its request back."""
    answer = request.answer
    return answer.running() or (not answer.done() and answer.set_running_or_notify_cancel())


def _asked(database: Database, done: Sequence[Done[Any]]) -> Mapping[str, Place] | None:
    """What became of these actions' entries; None where that cannot be asked."""
    if not database.settles:
        return None
    return settling.ask(database, [item.entry.id for item in done if item.entry])


def _answer_unconfirmed(
    done: Sequence[Done[Any]], failed: CommitError, found: Mapping[str, Place] | None
) -> None:
    for item in done:
        if item.entry is None or (found is not None and item.entry.id not in found):
            # What it saw may have been written by an action whose own fate is unclear.
            answer_unwritten([item.request], failed)
        elif found is None:
            item.request.answer.set_exception(unknown(item.entry, failed))
        else:
            place, entry = found[item.entry.id], item.entry
            committed = Committed(item.result, place.seq, entry.id, entry.type, place.size)
            item.request.answer.set_result(committed)


def unknown(entry: Entry, failed: CommitError) -> FailedError:
    """The answer to a caller whose entry may or may not be in the log."""
    return FailedError(
        "log-unknown",
        f"The database could not confirm that {entry.type} was written ({_reason(failed)}): it may "
        "or may not have happened.",
        subject=entry.id,
        next_step=f"Look it up by its id, and repeat it only if it is not there: "
        f"sealift audit list --id {entry.id}",
    )


def _reason(failed: BaseException) -> str:
    """The database's own words, without the statement and the page that SQLAlchemy adds."""
    cause = getattr(failed, "orig", None) or failed
    words = cause.what if isinstance(cause, SealiftError) else str(cause)
    return words.strip().rstrip(".") or type(cause).__name__
