"""Moving a hub: its rows, its blobs or both, and never so that two places could sign.

(1) Nothing is written before all is known: what is to be moved is whole, where it goes to is new.
(2) Blobs that are there already are hashed there, all others copied and hashed there; meanwhile the
    hub works.
(3) Nobody else writes from here on. What came of blobs meanwhile is copied, too.
(4) The rows are copied in one transaction, in which the copy says that it does not count yet.
(5) The copy is read again, compared row by row, and verified as `sealift audit fsck` does.
(6) What was copied is ended, by the last entry of its log, which says whereto. This is the moment
    that the hub moves at: until then it is where it was, whatever happens, and from then on nothing
    is signed there. The home keeps that it was left.
(7) The copy gets that entry, too, and counts. It goes on with the log from the very checkpoint that
    ended it: its first entry says that, whence and whereto the hub was moved.
(8) settings.toml says where it is.

Whoever runs it again goes on: before (6) with what is there, after it with (7) and (8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from sealift_registry.audit import edge, moved
from sealift_registry.audit.edge import Edge
from sealift_registry.audit.moved import ARRIVED, ARRIVING, BLOBS, LEFT, Move
from sealift_registry.audit.signed_moves import BLOBS_TO, MOVED, PLACE
from sealift_registry.moving import checks, embedded, interrupted, row_copies
from sealift_registry.moving.blob_copies import BlobCopies
from sealift_registry.moving.checks import Found
from sealift_registry.moving.route import Route
from sealift_registry.moving.row_copies import Summary, Told
from sealift_registry.storage import settings_file
from sealift_registry.storage.claims import MOVING
from sealift_registry.storage.database import Database
from sealift_registry.trust import founding, places_left, whereabouts
from sealift_registry.trust.hub import Hub
from sealift_signing import events
from sealift_signing.canonical import Json
from sealift_signing.errors import FailedError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import moment
from sealift_sync.durable import BeginPhase

CLAIM = MOVING
"""One process at a time moves a hub, from wherever it is."""
TRIES = 5
"""How often blobs are copied before it is given up that others add some meanwhile."""


@dataclass(frozen=True)
class Progress:
    """Who is told of what takes long: bytes of blobs, rows of tables."""

    blobs: BeginPhase
    rows: Told


@dataclass(frozen=True)
class Moved:
    """What was moved.

    Attributes:
        edge: where the old place's log ended; it goes on from there.
        rows: of every table, as they were compared; empty where they stayed, or were moved before.
        blobs: how many are there, each hashed there; `sent` of them were not there before.
        bytes: of them all.
        again: an earlier run had done all but the end of it.
        already: nothing was to be done, for it is there.
    """

    edge: Edge
    rows: Mapping[str, int] = field(default_factory=dict)
    blobs: int = 0
    sent: int = 0
    bytes: int = 0
    again: bool = False
    already: bool = False


def move(hub: Hub, way: Route, environment: Mapping[str, str], told: Progress) -> Moved:
    """Move the hub along its way, to the end, wherever an earlier run was stopped.

    Raises:
        RefusedError: it is not whole, or was moved elsewhere.
        FailedError: a place could not be read or written, or holds something else.
    """
    claim = hub.database.claim(CLAIM, "moves the hub")
    if claim is None:
        raise _under_way(hub)
    try:
        return _move(hub, way, environment, told)
    finally:
        claim.let_go()


def _move(hub: Hub, way: Route, environment: Mapping[str, str], told: Progress) -> Moved:
    if not way.moves_rows and not way.moves_blobs:
        return _is_there(hub)
    checks.check_reached(way)
    copies = BlobCopies(hub.home.blobs, way.there.blobs)
    with interrupted.told(hub, way, copies) as begins:
        if way.moves_rows:
            return _move_rows(hub, way, environment, copies, told, begins)
        return _move_blobs(hub, way, copies, told, begins)


def _move_rows(
    hub: Hub,
    way: Route,
    environment: Mapping[str, str],
    copies: BlobCopies,
    told: Progress,
    begins: Callable[[], None],
) -> Moved:
    """The rows, and with them the blobs where these go, too; it `begins` once it writes."""
    with closing(way.database()) as target:
        with hub.reading() as connection:
            went, ended = whereabouts.went_to(connection), whereabouts.edge(connection)
        if went is not None and went == target.place:
            return _finish(hub, way, target, environment, Moved(ended, again=True))
        found = _check(hub, way, target, copies)
        begins()
        if way.moves_blobs:
            way.there.claim_blobs()
            copies.copy(told.blobs)
        with hub.database.in_words(), hub.database.alone() as alone:
            _step("alone")
            checks.check_idle(hub)
            if way.moves_blobs:
                copies.copy(told.blobs)
            with hub.reading() as connection:
                _check_still_here(hub, connection)
                ended = whereabouts.edge(connection)
            rows = _copy_rows(hub, way, target, found, told.rows)
            ended = _end(hub, way, alone, target, ended)
        counts = {name: one.rows for name, one in rows.items()}
        sizes = copies.whole.values()
        done = Moved(ended, counts, len(sizes), copies.sent, sum(sizes))
        return _finish(hub, way, target, environment, done)


def check(hub: Hub, way: Route) -> BlobCopies:
    """Check all that can be known before anything is written; what there is of blobs.

    Raises:
        RefusedError, FailedError: as `move`.
    """
    checks.check_reached(way)
    copies = BlobCopies(hub.home.blobs, way.there.blobs)
    with closing(way.database()) as target:
        _check(hub, way, target if way.moves_rows else None, copies)
    return copies


def _check(hub: Hub, way: Route, target: Database | None, copies: BlobCopies) -> Found:
    """(1)."""
    checks.check_source(hub)
    checks.check_idle(hub)
    found = Found.NOTHING
    if target is not None and way.there.settings.database.url:
        found = checks.check_database(hub, target)
    elif target is not None:
        embedded.check_free(way.there, hub.database.place)
    if way.moves_blobs:
        way.there.check_blobs_ours()  # a hub without blobs asks for nothing else there
        sizes, there = copies.plan()
        checks.check_blobs(hub, sizes)
        checks.check_room(way.there.blobs, sum(n for one, n in sizes.items() if one not in there))
    return found


def _copy_rows(
    hub: Hub, way: Route, target: Database, found: Found, told: Told
) -> Mapping[str, Summary]:
    """(4) and (5). What every table holds, here as there."""
    here = None
    if way.there.settings.database.url:
        if found is Found.NOTHING:
            here = _copy_to(hub, target, told)
        return checks.verify(hub, target, here, told)
    with embedded.begun(way.there) as incoming:
        here = _copy_to(hub, incoming, told)
        here = checks.verify(hub, incoming, here, told)
    embedded.put_in_place(way.there)
    _step("in-place")
    return here


def _copy_to(hub: Hub, target: Database, told: Told) -> dict[str, Summary]:
    with hub.reading() as source, target.in_words(), target.alone() as connection:
        with connection.begin():
            here = row_copies.copy(source, connection, told)
            so_far = moved.history(source)
            moved.add(connection, [*so_far, Move(ARRIVING, hub.database.place)], _now(hub))
            _step("rows-written")
        _step("rows-committed")
    return here


def _check_still_here(hub: Hub, connection: Connection) -> None:
    """Check that nobody has moved the hub since it was looked at."""
    refused = whereabouts.refusal(connection, hub.home.blobs_place)
    if refused is not None:
        raise refused


def _end(hub: Hub, way: Route, alone: Connection, target: Database, ended: Edge) -> Edge:
    """(6). Where the log ends now."""

    def action(connection: Connection) -> tuple[Entry, None]:
        if checks.edge(connection) != ended:
            raise _written_meanwhile(hub)
        moved.add(connection, [Move(LEFT, target.place)], _now(hub))
        _step("end-written")
        data = {"from": hub.database.where, "to": target.where, PLACE: target.place}
        return hub.entry("hub.leaving", "hub", data | _blob_places(way)), None

    hub.log.commit_alone(alone, action)
    _step("ended")
    with hub.reading() as connection:
        return whereabouts.edge(connection)


def _finish(
    hub: Hub, way: Route, target: Database, environment: Mapping[str, str], done: Moved
) -> Moved:
    """(7) and (8)."""
    with hub.reading() as source:
        places_left.learn(hub.home, hub.online, source)
        _step("left-known")
        _arrive(hub, way, target, source)
    _step("arrived")
    places = {"from": hub.database.where, "to": target.where}
    with closing(founding.open_at(way.there, environment)) as there:
        there.log.clock, there.log.stated = hub.log.clock, hub.log.stated
        _log_move(there, done.edge, places | _blob_places(way))
        _step("logged")
        settings_file.change(way.here, way.values)
        _step("settings")
        there.copy_metadata()
    return done


def _arrive(hub: Hub, way: Route, target: Database, source: Connection) -> None:
    """The copy gets the entry that ended `source`, and counts; an earlier run may have done it.

    Raises:
        FailedError: its log is not the one that was ended, nor goes on from there.
    """
    rest = [Move(ARRIVED, hub.database.place)]
    rest += [Move(BLOBS, way.there.blobs_place)] if way.moves_blobs else []
    with target.in_words():
        target.check_exists()
        target.bring_up_to_date()
        with target.writing() as connection, connection.begin():
            moves, ended = moved.history(connection), whereabouts.edge(source)
            # Not by what its rows say last: whoever may only add some could say that it counts.
            whole = Move(ARRIVING, hub.database.place) in moves
            if whole and not checks.holds(connection, ended):
                row_copies.copy_end(source, connection)
            if not whole or not checks.holds(connection, ended):
                raise _not_there(target, ended)
            since = moves[max(n for n, one in enumerate(moves) if one.what == ARRIVING) :]
            moved.add(connection, [one for one in rest if one not in since], _now(hub))


def _not_there(target: Database, ended: Edge) -> FailedError:
    return FailedError(
        "move-target-differs",
        f"The rows of this hub were moved to {target.where}, and its log of {ended.size} "
        "entries is not there.",
        subject=target.where,
        next_step="Restore the newest backup of that database. Nothing else goes on: what is "
        "here has ended.",
    )


def _log_move(there: Hub, ended: Edge, places: Mapping[str, Json]) -> None:
    """The first entry of a place, unless an earlier run has made it."""

    def action(connection: Connection) -> tuple[Entry, None]:
        # Not by what a row beyond the end says: then the log would never say that it is here.
        newest = next(edge.entries(connection, whereabouts.edge(connection), MOVED), None)
        if newest is not None and newest.seq >= ended.size:
            raise _SaidError
        data = {**places, "size": ended.size, "root": ended.root.hex()}
        return there.entry("hub.moved", "hub", data), None

    with suppress(_SaidError):
        there.commit(action)


def _move_blobs(
    hub: Hub, way: Route, copies: BlobCopies, told: Progress, begins: Callable[[], None]
) -> Moved:
    """The same of blobs alone: what others add meanwhile is copied, until nothing was added."""
    with hub.reading() as connection:
        kept, ended = whereabouts.blobs_at(connection), whereabouts.edge(connection)
    if kept == way.there.blobs_place:
        _check_blobs_there(hub, way)
        settings_file.change(way.here, way.values)
        return Moved(ended, again=True)
    _check(hub, way, None, copies)
    begins()
    way.there.claim_blobs()
    for _ in range(TRIES):
        with hub.reading() as connection:
            ended = whereabouts.edge(connection)
        copies.copy(told.blobs)
        _step("blobs-copied")
        with suppress(_WrittenError):
            _say_blobs(hub, way, ended)
            _step("logged")
            settings_file.change(way.here, way.values)
            _step("settings")
            sizes = copies.whole.values()
            return Moved(ended, {}, len(sizes), copies.sent, sum(sizes))
    raise _written_meanwhile(hub)


def _check_blobs_there(hub: Hub, way: Route) -> None:
    """Check that blobs that were moved before, by whoever, are there: this hub's, and each of them.

    Raises:
        RefusedError: they are not.
    """
    way.there.check_blobs_ours()
    there = {digest for digest, _ in way.there.blobs.listed()}
    checks.check_blobs(replace(hub, home=way.there), there)


def _say_blobs(hub: Hub, way: Route, ended: Edge) -> None:
    def action(connection: Connection) -> tuple[Entry, None]:
        if checks.edge(connection) != ended:
            raise _WrittenError
        moved.add(connection, [Move(BLOBS, way.there.blobs_place)], _now(hub))
        data = {**_blob_places(way), "size": ended.size, "root": ended.root.hex()}
        return hub.entry("hub.moved", "hub", data), None

    hub.commit(action)


def _blob_places(way: Route) -> dict[str, Json]:
    if not way.moves_blobs:
        return {}
    return {"blobs_from": way.here.blobs_place, BLOBS_TO: way.there.blobs_place}


def _is_there(hub: Hub) -> Moved:
    """Nothing is to be moved: what an earlier run left undone is, at most, copies."""
    check_is_there(hub)
    hub.copy_metadata()
    with hub.reading() as connection:
        return Moved(checks.edge(connection), already=True)


def check_is_there(hub: Hub) -> None:
    """Check that the hub is where its settings say, and that its database counts.

    Raises:
        MovedHubError: it is elsewhere, or not there yet.
    """
    with hub.reading() as connection:
        _check_still_here(hub, connection)


class _SaidError(Exception):
    """The log says it already."""


class _WrittenError(Exception):
    """Somebody has written to the log since."""


def _under_way(hub: Hub) -> FailedError:
    said = hub.database.holder(CLAIM)
    return FailedError(
        "move-under-way",
        "Somebody else is moving this hub" + (f" ({said})." if said else "."),
        subject=hub.database.where,
        next_step="Wait until they are done, and run the command again if it is still needed.",
    )


def _written_meanwhile(hub: Hub) -> FailedError:
    return FailedError(
        "move-overtaken",
        "Somebody wrote to the hub while it was to be moved; it is where it was.",
        subject=hub.database.where,
        next_step="Run the command again when nobody works with the hub.",
    )


def _now(hub: Hub) -> str:
    return moment(hub.now())


def _step(name: str) -> None:
    """Tell the log file, and whoever stops a move at each of its steps to see what comes of it."""
    events.tell("migrate", "move-step", name=name)
