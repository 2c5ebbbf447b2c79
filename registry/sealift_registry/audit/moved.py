"""Where a hub went: a database whose rows were moved elsewhere signs nothing more.

Two databases with the same rows and keys would sign two histories. So a copy says that it is one
(`ARRIVING`) from its first moment on, and takes no entry; then what was copied is ended (`LEFT`),
which is the moment that the hub moves at; and only then the copy counts (`ARRIVED`). All of it is
read under the lock of the one writer: whoever has the old database open is refused as well.

Of blobs there is no copy that could sign. Where they are is said (`BLOBS`), and who keeps them
elsewhere adds nothing: it would be missing where everybody else looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select

from sealift_registry.audit.tables import moved
from sealift_signing.errors import RefusedError

LEFT, ARRIVING, ARRIVED, BLOBS = "left", "arriving", "arrived", "blobs"


_ALL = "SELECT what, place FROM moved ORDER BY number"
"""In SQL: it is asked before every commit, and SQLAlchemy's own way takes several times as long."""


class MovedHubError(RefusedError):
    """The hub is elsewhere, or not here yet."""


class Move(NamedTuple):
    """A row: what happened, and the place it names: never with a password."""

    what: str
    place: str


def history(connection: Connection) -> list[Move]:
    """Every move that this database knows of, the oldest first."""
    return [Move(*row) for row in connection.exec_driver_sql(_ALL).all()]


def add(connection: Connection, moves: Iterable[Move], at: str) -> None:
    """Note moves, made `at` a time; in a transaction of the one writer."""
    number = connection.execute(select(func.max(moved.c.number))).scalar() or 0
    for count, move in enumerate(moves, 1):
        row = {"number": number + count, "what": move.what, "place": move.place, "made": at}
        connection.execute(insert(moved).values(**row))


def went_to(moves: Iterable[Move]) -> str | None:
    """Where the rows went, if they did."""
    return next((one.place for one in moves if one.what == LEFT), None)


def comes_from(moves: Iterable[Move]) -> str | None:
    """Whence the rows are copied, where that was not done to its end."""
    found = None
    for one in moves:
        if one.what in {ARRIVING, ARRIVED}:
            found = one.place if one.what == ARRIVING else None
    return found


def blobs_at(moves: Sequence[Move]) -> str | None:
    """Where blobs are; None where they never were elsewhere."""
    return next((one.place for one in reversed(moves) if one.what == BLOBS), None)


def refusal(connection: Connection, blobs: str | None = None) -> MovedHubError | None:
    """Why this database takes no entry; None where it does.

    `blobs` is where whoever asks keeps blobs.
    """
    moves = history(connection)
    if not moves:  # nearly always
        return None
    there = went_to(moves)
    if there is not None:
        return _left(there)
    here = comes_from(moves)
    if here is not None:
        return _arriving(here)
    kept = blobs_at(moves)
    if kept is not None and blobs is not None and kept != blobs:
        return _blobs_elsewhere(kept, blobs)
    return None


def _left(place: str) -> MovedHubError:
    return MovedHubError(
        "database-moved",
        f"The rows of this hub were moved to {place}. What is left here signs nothing more.",
        subject=place,
        next_step="Name that database as database.url in settings.toml; or, if the move was "
        "stopped before its end, run the same sealift migrate again.",
    )


def _arriving(place: str) -> MovedHubError:
    return MovedHubError(
        "database-arriving",
        f"This database holds a copy of the hub whose rows are in {place}, and does not count "
        "yet: the move was not done to its end.",
        subject=place,
        next_step="Run the same sealift migrate again, with the home as it was.",
    )


def _blobs_elsewhere(kept: str, blobs: str) -> MovedHubError:
    return MovedHubError(
        "blobs-moved",
        f"The blobs of this hub were moved to {kept}, and here they are kept in {blobs}.",
        subject=kept,
        next_step="Name that place as blobs.url in settings.toml; what a command put into the "
        "other one meanwhile, it puts there when it is run again.",
    )
