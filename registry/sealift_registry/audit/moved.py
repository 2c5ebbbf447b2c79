"""Where a hub went: a database whose rows were moved elsewhere signs nothing more.

Two databases with the same rows and keys would sign two histories. So a copy says that it is one
(`ARRIVING`) from its first moment on, and takes no entry; then what was copied is ended (`LEFT`),
which is the moment that the hub moves at; and only then the copy counts (`ARRIVED`). All of it is
read under the lock of the one writer: whoever has the old database open is refused as well.

Of blobs there is no copy that could sign. Where they are is said (`BLOBS`), and who keeps them
elsewhere adds nothing: it would be missing where everybody else looks.

Who may add rows is not who has the log's key: what a row says of another place counts only if an
entry says it, too (`audit.signed_moves`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select

from sealift_registry.audit.tables import moved
from sealift_registry.storage.s3_address import SCHEME, place_named
from sealift_signing.drawing import pasted
from sealift_signing.errors import RefusedError, UsageError

LEFT, ARRIVING, ARRIVED, BLOBS = "left", "arriving", "arrived", "blobs"
_SERVER = "://"
"""What the address of a server holds, and no path."""
WORDS = frozenset({LEFT, ARRIVING, ARRIVED, BLOBS})


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


def numbers(connection: Connection) -> list[int]:
    """The numbers of all rows, in the order of `history`."""
    query = select(moved.c.number).order_by(moved.c.number)
    return list(connection.execute(query).scalars())


def comes_from(moves: Iterable[Move]) -> str | None:
    """Whence the rows are copied, where that was not done to its end."""
    found = None
    for one in moves:
        if one.what in {ARRIVING, ARRIVED}:
            found = one.place if one.what == ARRIVING else None
    return found


def arriving_row(connection: Connection, moves: Iterable[Move]) -> tuple[int, Move] | None:
    """The row, and its number, by which a copy does not count yet; None where it does."""
    if comes_from(moves := list(moves)) is None:
        return None
    rows = zip(numbers(connection), moves, strict=True)
    return [(number, one) for number, one in rows if one.what == ARRIVING][-1]


def left(place: str) -> MovedHubError:
    """The refusal of a database whose rows went to `place`: to a server's, or into a home."""
    if _SERVER in place:
        return MovedHubError(
            "database-moved",
            f"The rows of this hub were moved to {place}. What is left here signs nothing more.",
            subject=place,
            next_step="Name that database as database.url in settings.toml; or, if the move was "
            "stopped before its end, run the same sealift migrate again.",
        )
    return MovedHubError(
        "database-moved",
        f"The rows of this hub were moved to {place}. What is left here signs nothing more.",
        subject=place,
        next_step="That is a file in the home of one machine: work there. On any other the hub is "
        "no more, so put this home away. Or, if the move was stopped before its end, run the same "
        "sealift migrate again there.",
    )


def arriving(place: str) -> MovedHubError:
    """The refusal of a copy that does not count, of what is in `place`."""
    return MovedHubError(
        "database-arriving",
        f"This database holds a copy of the hub whose rows are in {place}, and does not count "
        "yet: the move was not done to its end.",
        subject=place,
        next_step="Run the same sealift migrate again, with the home as it was. If none was under "
        "way, somebody added that: sealift audit fsck names the row.",
    )


def blobs_elsewhere(kept: str, blobs: str) -> MovedHubError:
    """The refusal of whoever keeps in `blobs` what belongs in `kept`."""
    command = to_blobs(kept)
    return MovedHubError(
        "blobs-moved",
        f"The blobs of this hub were moved to {kept}, and here they are kept in {blobs}.",
        subject=kept,
        next_step=f"Have settings.toml say so, too: {command}; what a command put into the "
        "other one meanwhile, it puts there when it is run again.",
    )


def to_blobs(kept: str) -> str:
    """The command that has settings say that blobs are in `kept`, as the log names it."""
    if not kept.startswith(SCHEME):
        return "sealift migrate --to-blobs home"
    try:
        address = place_named(kept)
    except UsageError:  # another release spells it otherwise
        return "sealift migrate --help"
    server = ["--blobs-endpoint", address.endpoint] if address.endpoint else []
    return f"sealift migrate --to-blobs {pasted([address.url, *server])}"
