"""What is done once, however often it is asked for: requests that their callers name (RFC draft).

After the IETF's draft of the Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header):
whoever lost an answer asks again by the same key, and is answered the same. That a request was
begun is a row of its first commit, so that there is no effect without it; what it was answered
follows. A server that dies between the two leaves a row without an answer: what was done then is
in the log, under the request's id.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from sealift_registry.access import tables
from sealift_registry.trust.hub import Hub
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.vocabulary import moment

KEPT = timedelta(days=2)
"""So long an answer is kept."""
LARGEST = 4 << 20
"""Bytes of an answer that is kept. Of a larger one a repeat is told only that it was given."""


@dataclass(frozen=True)
class Asked:
    """A request, as its caller named it.

    Attributes:
        account: the caller's.
        route: what is asked, without what it is asked of.
        key: the caller's name for it.
        body: the sha256 of all that was asked with it.
        run: the server's name for it, under which the log has what it did.
    """

    account: str
    route: str
    key: str
    body: str
    run: str


@dataclass(frozen=True)
class Kept:
    """What a request was answered."""

    status: int
    answer: bytes


@dataclass
class _Keeping:
    """An answer that somebody waits to have kept."""

    asked: Asked
    kept: Kept
    is_done: bool
    is_over: bool = False


class Once:
    """Requests of one process: which are being worked at, and what those before were answered."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._working: set[tuple[str, str]] = set()
        self._waiting: deque[_Keeping] = deque()
        self._turn = threading.Lock()

    @contextmanager
    def working(self, asked: Asked) -> Iterator[Kept | None]:
        """What it was answered before; None where it is now to be done.

        Raises:
            RefusedError: by this key something else was asked, or somebody else asked; it is being
                worked at; or it was done, and the answer is lost.
        """
        named = asked.route, asked.key
        with self._lock:
            if named in self._working:
                raise _under_way(asked)
            self._working.add(named)
        try:
            with self._hub.reading() as connection:
                row = _row(connection, asked)
            yield None if row is None else _answered(asked, row)
        finally:
            with self._lock:
                self._working.discard(named)

    def mark(self, connection: Connection, asked: Asked) -> None:
        """Mark within a commit that a request did something.

        Raises:
            RefusedError: as `working`: another process was faster.
        """
        row = _row(connection, asked)
        if row is not None:
            if row.run != asked.run:
                _answered(asked, row)
                raise _under_way(asked)
            return
        _add(connection, self._hub, asked)

    def keep(self, asked: Asked, kept: Kept, *, is_done: bool) -> None:
        """Keep what a request was answered; of a refusal only where something had been done by it.

        Where that cannot be written, as on a full disk, a repeat is told that the answer was lost.
        """
        if len(kept.answer) > LARGEST:
            return
        ours = _Keeping(asked, kept, is_done)
        self._waiting.append(ours)
        with self._turn:  # whose turn it is writes for all who wait: that is one commit
            if not ours.is_over:
                self._keep_all()

    def _keep_all(self) -> None:
        every = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            with (
                suppress(FailedError),
                self._hub.database.in_words(),
                self._hub.database.writing() as connection,
                connection.begin(),
            ):
                for one in every:
                    _keep(connection, self._hub, one)
        finally:
            for one in every:
                one.is_over = True


def _keep(connection: Connection, hub: Hub, one: _Keeping) -> None:
    t, asked = tables.once_answer, one.asked
    said = {"status": one.kept.status, "answer": one.kept.answer}
    row = _row(connection, asked)
    if row is None and one.is_done:
        _add(connection, hub, asked, **said)
    elif row is not None and row.run == asked.run:
        query = update(t).where(t.c.route == asked.route, t.c.key == asked.key)
        connection.execute(query.values(**said))


def _add(connection: Connection, hub: Hub, asked: Asked, **said: Any) -> None:  # noqa: ANN401 - columns
    t, now = tables.once_answer, hub.now()
    connection.execute(delete(t).where(t.c.made < moment(now - KEPT)))
    row = {"account": asked.account, "route": asked.route, "key": asked.key}
    row |= {"body_sha256": asked.body, "run": asked.run, "made": moment(now)}
    connection.execute(insert(t).values(**row, **said))


def _row(connection: Connection, asked: Asked) -> Row[Any] | None:
    """The row of a request, whoever's it is: nobody else uses the key of one that was made so."""
    t = tables.once_answer
    query = select(t).where(t.c.route == asked.route, t.c.key == asked.key)
    return connection.execute(query).first()


def _answered(asked: Asked, row: Row[Any]) -> Kept:
    """What a row says of a request that is asked again.

    Raises:
        RefusedError: it is of something else or somebody else, or has no answer.
    """
    if row.account != asked.account or row.body_sha256 != asked.body:
        raise RefusedError(
            "once-other-body",
            f"By the Idempotency-Key {word(asked.key)} something else was asked before.",
            subject=asked.key,
            next_step="Use a new key for each new request, and the same one only to ask for the "
            "very same thing again.",
        )
    if row.status is None or row.answer is None:
        request = f"request={row.run}"
        raise RefusedError(
            "once-answer-lost",
            "This was asked before and had an effect, and what it was answered is not known.",
            subject=asked.key,
            next_step=f"See what it did: sealift audit list --term {pasted([request])}. To ask for "
            "more, use a new Idempotency-Key.",
        )
    return Kept(int(row.status), bytes(row.answer))


def _under_way(asked: Asked) -> RefusedError:
    return RefusedError(
        "once-under-way",
        f"The request with the Idempotency-Key {word(asked.key)} is being worked at.",
        subject=asked.key,
        next_step="Ask again in a moment, by the same key.",
    )
