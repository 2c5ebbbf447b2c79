"""One savepoint around each of a commit's actions, in SQL of ours, as cheaply as the engine has it.

SQLAlchemy's own savepoints take a third of the time of a small action. After an action ours is let
go of and set anew in one question, where the engine takes two statements in one: each question is a
round trip to the server, in which every caller's thread may run before the writer's does again.
"""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

_SET, _RELEASE = "SAVEPOINT action", "RELEASE SAVEPOINT action"
_UNDO = "ROLLBACK TO SAVEPOINT action"


class Savepoint:
    """The savepoint of whichever action runs, in the transaction of `connection`.

    Args:
        connection: its transaction has begun.
        at_once: whether the engine takes two statements in one.
    """

    def __init__(self, connection: Connection, *, at_once: bool) -> None:
        self._connection = connection
        self._cursor = connection.connection.cursor()
        self._next = (f"{_RELEASE}; {_SET}",) if at_once else (_RELEASE, _SET)
        self._is_set = False

    def set(self) -> None:
        """Before an action: it is set already where another ran before."""
        if not self._is_set:
            self._ask(_SET)
            self._is_set = True

    def keep(self) -> None:
        """Keep what the action did.

        Raises:
            DBAPIError: the savepoint is not there any more: the action ended the transaction.
        """
        for statement in self._next:
            self._ask(statement)

    def undo(self) -> None:
        """Undo what the action did; it is still set then.

        Raises:
            DBAPIError: it is not there any more: the error ended the transaction.
        """
        self._ask(_UNDO)

    def end(self) -> None:
        """After the last action."""
        if self._is_set:
            self._ask(_RELEASE)

    def close(self) -> None:
        """Whatever happened: a closed connection may keep its lock while a cursor is open."""
        self._cursor.close()

    def _ask(self, statement: str) -> None:
        """By the driver's cursor: SQLAlchemy's way to it takes longer than the statement."""
        try:
            self._cursor.execute(statement)
        except Exception as bad:
            errors = self._connection.dialect.loaded_dbapi.Error
            raise DBAPIError.instance(statement, None, bad, errors) from bad
