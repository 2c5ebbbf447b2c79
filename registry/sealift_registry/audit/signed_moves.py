"""What the log says of where the hub is: a row of `moved` counts only if an entry says the same.

Whoever stole the hub's role on a database adds rows and signs none. A row alone would send people,
and what opens a database, to a place of a thief's. So the rows say when the log is to be asked, and
the log says where the hub is: by entries under its verified edge (`audit.edge`), and where that
cannot be verified nothing is signed.

Who owns the tables takes rows out as well. So what the log itself ends with is looked at whatever
rows say: it ends with the entry that the hub left, where it did, and goes on in the new place only.

That a copy does not count yet (`ARRIVING`) no entry can say: there it is the row that counts, for a
copy that signed would be a second hub. Forged, it stops a hub, and names no place to go to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache

from sqlalchemy import Connection

from sealift_registry.audit import edge, moved
from sealift_registry.audit.edge import Edge, Vouch
from sealift_registry.audit.moved import (
    BLOBS,
    LEFT,
    WORDS,
    Move,
    MovedHubError,
    history,
    numbers,
)
from sealift_registry.storage.database import place_of
from sealift_signing.canonical import Json
from sealift_signing.drawing import word
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.verdict import LogFault

LEAVING, MOVED = "hub.leaving", "hub.moved"
NOT_DONE = "move-not-done"
"""The code of what is wrong with a copy that does not count yet, and with no row of it."""
PLACE, BLOBS_TO = "place", "blobs_to"
"""In such entries: whereto, as `Database.place` and `Home.blobs_place` have it."""


Asked = Callable[[], Vouch | None]
"""Gives that, where a row says anything; None where the log has no key."""


def went_to(connection: Connection, vouch: Asked) -> str | None:
    """Where the rows went, if a row says so and an entry names the same place.

    Raises:
        FailedError: a row says so, and the log is not what was signed.
    """
    places = _left(history(connection))
    return _gone(connection, edge.verified(connection, vouch()), places) if places else None


def blobs_at(connection: Connection, vouch: Asked) -> str | None:
    """Where blobs are, as the newest entry says that moved any; None where none did.

    Raises:
        FailedError: the log is not what was signed.
    """
    return next(_blobs(connection, edge.verified(connection, vouch())), None)


def refusal(connection: Connection, vouch: Asked, blobs: str | None = None) -> MovedHubError | None:
    """Why this database takes no entry; None where it does.

    `blobs` is where whoever asks keeps blobs.

    Raises:
        FailedError: the log is not what was signed.
    """
    moves = history(connection)
    # Who reads is told what a row says by all of the log, and else by its end: it is asked often.
    end = edge.verified if moves else edge.signed
    return _refusal(connection, moves, lambda: end(connection, vouch()), blobs)


class StillHere:
    """`refusal`, for who asks before every commit: of the same rows the log is asked once.

    A move is a row and an entry, in one commit. So what was found of these rows holds until one is
    added, or until such an entry was written, or anything by somebody else (`forget`).
    """

    def __init__(self) -> None:
        self._found: list[Move] | None = None

    def forget(self) -> None:
        """Have the log asked again."""
        self._found = None

    def refusal(
        self, connection: Connection, end: Callable[[], Edge], blobs: str | None
    ) -> MovedHubError | None:
        """Why this database takes no entry; `end` gives the verified edge.

        Raises:
            FailedError: as `refusal`.
        """
        moves = history(connection)
        if moves == self._found:
            return None
        self._found = None
        refused = _refusal(connection, moves, end, blobs)
        if refused is None:
            self._found = moves
        return refused


def _refusal(
    connection: Connection, moves: list[Move], end: Callable[[], Edge], blobs: str | None
) -> MovedHubError | None:
    verified = cache(end)
    places = _left(moves)
    there = _gone(connection, verified(), places) if places else None
    there = there or _ended(connection, verified())
    if there is not None:
        return moved.left(there)
    here = moved.comes_from(moves)
    if here is not None:
        return moved.arriving(here)
    if blobs is None:
        return None
    kept = next(_blobs(connection, verified()), None)
    return None if kept in {None, blobs} else moved.blobs_elsewhere(str(kept), blobs)


def faults(connection: Connection, vouch: Asked) -> Iterator[LogFault]:
    """Every row that says what no entry says, and what entries say that has no row.

    The entries themselves are checked with the log.
    """
    moves = history(connection)
    blobs, gone = set[str](), None
    with suppress(SealiftError):  # it is named with the log; no entry of it counts
        end = edge.verified(connection, vouch())
        blobs = set(_blobs(connection, end))
        gone = _gone(connection, end, _left(moves))
        yield from _without_row(moves, _ended(connection, end), blobs)
    for expected, (number, one) in enumerate(zip(numbers(connection), moves, strict=True), 1):
        if (
            one.what not in WORDS
            or (one.what == LEFT and one.place != gone)
            or (one.what == BLOBS and one.place not in blobs)
        ):
            yield _not_signed(number, one)
        elif number != expected:
            what = f"Row {number} of moved stands where row {expected} would."
            yield LogFault("move-misnumbered", what, None)
    yield from _not_done(connection, moves)


def _without_row(moves: list[Move], ended: str | None, blobs: set[str]) -> Iterator[LogFault]:
    """What the log says and no row does; where rows were `ended`, those of blobs went with them."""
    rows = set(moves)
    said = {Move(BLOBS, one) for one in blobs} if ended is None else {Move(LEFT, ended)}
    for one in sorted(said - rows):
        what = (
            f"The log says {word(one.what)} of {word(one.place)}, and no row of moved does: "
            "somebody took it out who has the database."
        )
        yield LogFault("row-missing", what, None)


def _not_done(connection: Connection, moves: list[Move]) -> Iterator[LogFault]:
    """The row by which this database is a copy that does not count yet, true or forged."""
    found = moved.arriving_row(connection, moves)
    if found is not None:
        number, one = found
        what = (
            f"This database does not count yet, by row {number} of moved: the rows are in "
            f"{word(one.place)}, it says. If no `sealift migrate` was under way, somebody added it "
            "who has the database: docs/how-to/lost-and-found.md."
        )
        yield LogFault(NOT_DONE, what, None)


def _left(moves: Iterable[Move]) -> frozenset[str]:
    """The places that rows say the hub went to."""
    return frozenset(one.place for one in moves if one.what == LEFT)


def _gone(connection: Connection, end: Edge, places: Collection[str]) -> str | None:
    """To which of `places` the hub went, and did not come here after that.

    Not only by the last entry: of a place that was left, others may put there what the hub signed
    since, and it is left all the same.
    """
    here = place_of(connection)
    for _, entry in edge.entries(connection, end, LEAVING, MOVED):
        place = _data(entry).get(PLACE)
        if place is not None and place == here:
            if entry.type == MOVED:
                return None
        elif entry.type == LEAVING and place in places:
            return str(place)
    return None


def _ended(connection: Connection, end: Edge) -> str | None:
    """To which other place the hub went by the last entry of all; None where that says no such.

    Of the last one alone, whatever it is listed as: where the hub came to it goes on.
    """
    last = edge.last(connection, end)
    if last is None or last.type != LEAVING:
        return None
    place = _data(last).get(PLACE)
    return None if place is None or place == place_of(connection) else str(place)


def _blobs(connection: Connection, end: Edge) -> Iterator[str]:
    """Where entries say that blobs are, the newest first."""
    for _, entry in edge.entries(connection, end, LEAVING, MOVED):
        if BLOBS_TO in _data(entry):
            yield str(_data(entry)[BLOBS_TO])


def _data(entry: Entry) -> Mapping[str, Json]:
    return entry.data if isinstance(entry.data, Mapping) else {}


def _not_signed(number: int, one: Move) -> LogFault:
    what = (
        f"Row {number} of moved says {word(one.what)} of {word(one.place)}, and no entry of the "
        "log does: somebody added it who has the database, and not the log's key."
    )
    return LogFault("move-not-signed", what, None)
