"""What is checked before anything is written, and what is verified of a copy."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import replace
from enum import Enum

from sqlalchemy import Connection, select

from sealift_registry import blob_fsck, fsck
from sealift_registry.audit import moved
from sealift_registry.audit.edge import Edge, holds_all
from sealift_registry.audit.reading import LogReader
from sealift_registry.audit.signed_moves import NOT_DONE
from sealift_registry.audit.tables import log_checkpoint
from sealift_registry.delivery import tables
from sealift_registry.jobs import dbos_running
from sealift_registry.moving import row_copies
from sealift_registry.moving.route import Route
from sealift_registry.moving.row_copies import Summary, Told
from sealift_registry.storage.database import Database
from sealift_registry.trust import readiness, whereabouts
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.log_keys import log_keys
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import FailedError, RefusedError, SealiftError
from sealift_signing.vocabulary import counted
from sealift_sync.blobs import BlobFolder, BlobStore

ROOM_KEPT = 64 * 1024 * 1024
"""Bytes of a disk that are left free."""


class Found(Enum):
    """What is at the place that rows are to go to."""

    NOTHING = "nothing"
    COPY = "a copy that is whole, and does not count yet"


def edge(connection: Connection) -> Edge:
    """The newest checkpoint, as its row has it; of a log without any, nothing.

    It is to be compared. What is signed by it, or gone on from, is `whereabouts.edge`.
    """
    query = select(log_checkpoint.c.size, log_checkpoint.c.root)
    row = connection.execute(query.order_by(log_checkpoint.c.size.desc()).limit(1)).first()
    return Edge(0, b"") if row is None else Edge(row.size, bytes(row.root))


def holds(connection: Connection, one: Edge) -> bool:
    """Whether a log ended there once, or does, with every entry before it."""
    return holds_all(connection, one)


def check_source(hub: Hub) -> None:
    """Check that the hub may sign, and that all that its database holds is whole.

    Raises:
        ClockError, MovedHubError, RestoredError: it may not.
        RefusedError: something is not whole.
    """
    with hub.reading() as connection:
        readiness.check(hub, connection)
    wrong = faults(hub)
    if wrong:
        raise RefusedError(
            "move-not-whole",
            f"This hub is not whole, and is not moved so; faults found: {len(wrong)}. The first: "
            f"{wrong[0]}",
            next_step="See all of it, and what to do, with: sealift audit fsck",
        )


def faults(hub: Hub) -> list[str]:
    """What `sealift audit fsck` finds, in the database that this hub has."""
    built = fsck.built(hub.database)
    keys = log_keys(hub)
    verdict = LogReader(hub.database).fsck(keys.key, keys.origin, former=keys.former)
    with hub.reading() as connection:
        verdict = verdict.joined(fsck.check(connection))
    verdict = verdict.joined(dict.fromkeys((*built, *fsck.built(hub.database))))
    # Of a copy that is looked at, and of a hub that may sign, that is told otherwise, or right.
    return [one.sentence for one in verdict.findings if one.code != NOT_DONE]


def check_idle(hub: Hub) -> None:
    """Check that nobody writes to a medium, or does a job: its end is recorded when it comes.

    Raises:
        FailedError: somebody does.
    """
    dbos_running.check_idle(hub)
    for name in _unfinished(hub):
        claim = hub.database.claim(name, "to see whether it is written")
        if claim is None:
            said = hub.database.holder(name)
            raise FailedError(
                "move-during-export",
                f"{name} is being written to a medium"
                + (f" ({said})" if said else "")
                + ", and would find the hub elsewhere at its end.",
                subject=name,
                next_step="Wait until it is done, and run the command again. An export that was "
                "stopped goes on after the move.",
            )
        claim.let_go()


def _unfinished(hub: Hub) -> list[str]:
    """The transfers that were begun and not recorded, by their ids."""
    begun, done = tables.transfer.c.id, tables.bundle.c.transfer
    query = select(begun).where(begun.not_in(select(done))).order_by(begun)
    with hub.reading() as connection:
        return list(connection.execute(query).scalars())


def check_database(hub: Hub, target: Database) -> Found:
    """Check that the rows can go to `target`: it is new, or holds what an earlier run copied.

    Raises:
        FailedError: it is not reached, has another schema, or holds something else.
    """
    with target.in_words():
        target.bring_up_to_date()
        with target.reading() as connection:
            moves, there = moved.history(connection), edge(connection)
    if moves and moved.comes_from(moves) == hub.database.place:
        with hub.reading() as connection:
            if there == edge(connection):
                return Found.COPY
        raise FailedError(
            "move-stale-copy",
            f"{target.where} holds a copy of this hub that an earlier run made, and it has signed "
            "more since.",
            subject=target.where,
            next_step="Have that database emptied, or name a new one: a copy is made in one go. "
            "Nothing was signed there.",
        )
    _check_not_there(hub, target)
    target.check_new()
    return Found.NOTHING


def _check_not_there(hub: Hub, target: Database) -> None:
    """Check that `target` does not hold this very hub, which then is there, and not here.

    Raises:
        RefusedError: it does: this home is a copy from before it moved, or another history.
        FailedError: it holds what this hub was before.
    """
    with target.in_words(), target.reading() as connection:
        there = edge(connection)
        if there.size == 0:
            return
        try:
            if Repository(connection).organisation() != hub.home.organisation:
                return
        except SealiftError:
            return  # it is nobody's that we know
        went = whereabouts.went_to(connection)
        with hub.reading() as here:
            ours = edge(here)
            is_before = there.size < ours.size and holds(here, there)
        goes_on = holds(connection, ours)
    if is_before:
        raise FailedError(
            "move-older-hub",
            f"{target.where} "
            + ("was left by this hub" if went else "holds this hub as it was earlier")
            + f": its log ends there after {there.size} entries, and goes on here.",
            subject=target.where,
            next_step="Nothing of it is missing here. Have that database made new, or name another "
            "one: a hub is copied only to where no hub is.",
        )
    place = went or target.place
    if goes_on:
        raise RefusedError(
            "home-is-old",
            f"This hub is in {place} already, and its log goes on there from the {ours.size} "
            f"entries that this home has: {hub.home.root} is an old copy, from before it moved.",
            subject=place,
            next_step="Nothing is to be moved, and nothing is to be signed here. Name that place "
            "as database.url in settings.toml; put this home's sealift.db away, if it has one.",
        )
    raise RefusedError(
        "home-is-another-history",
        f"This hub is in {place} already, and this home has signed entries of its log that are "
        "not there: both went on from the same hub.",
        subject=place,
        next_step="Sign nothing more with this home. What to do with what it signed: "
        "docs/how-to/lost-and-found.md",
    )


def check_reached(way: Route) -> None:
    """Check that every host that has the rows then reaches the blobs, too.

    "The home" is another folder on each host. Where rows are on a server, whoever else is told
    that the blobs went home would look for them in its own.

    Raises:
        RefusedError: blobs are to go into a home, and rows not.
    """
    if way.moves_blobs and way.there.settings.blobs.address is None and not way.rows_at_home:
        raise RefusedError(
            "move-blobs-home",
            "The rows of this hub are on a server, or go to one, and its blobs were to go into a "
            "home: no other host that has its rows would reach them there.",
            subject=str(way.there.root),
            next_step="Move both home (sealift migrate --to-database home --to-blobs home), or "
            "name a bucket: sealift migrate --to-blobs s3://BUCKET/PREFIX. If they are "
            "in the home of another host, run that there.",
        )


def check_blobs(hub: Hub, there: Collection[str]) -> None:
    """Check that every blob that rows name is among those that are `there`, to be copied.

    Raises:
        RefusedError: one is not, or a manifest is damaged.
        FailedError: what a manifest names is not known.
    """
    of_each, unread = blob_fsck.named(hub)
    lost = {one: of for one, of in of_each.items() if one not in there}
    if lost:
        digest, of = min(lost.items())
        raise RefusedError(
            "move-blobs-missing",
            f"{counted(len(lost), 'blob')} that this hub names {'is' if len(lost) == 1 else 'are'} "
            f"not in {hub.home.blobs.where}, such as {digest[:12]} of {', '.join(sorted(of))}.",
            subject=digest,
            next_step="Where settings.toml names that place, see what is lost, and what brings it "
            "back: sealift blobs fsck",
        )
    store = hub.home.blobs
    for digest in sorted(unread):
        store.check(digest)
        raise blob_fsck.not_read(store, digest)


def check_room(there: BlobStore, needed: int) -> None:
    """Check that a folder has room for so many bytes; an S3 server says so itself.

    Raises:
        FailedError: it has not.
    """
    if not isinstance(there, BlobFolder):
        return
    folder = next(one for one in (there.root, *there.root.parents) if one.exists())
    free = shutil.disk_usage(folder).free
    if free < needed + ROOM_KEPT:
        raise FailedError(
            "move-no-room",
            f"{there.where} has {free:,} bytes free, and the blobs to be copied there are "
            f"{needed:,} bytes.",
            subject=there.where,
            next_step="Make room there, and run the command again.",
        )


def verify(
    hub: Hub, target: Database, here: dict[str, Summary] | None, told: Told
) -> dict[str, Summary]:
    """Check that `target` holds what the hub's database holds, and that it verifies by itself.

    `here` is what every table held when it was copied; None where that is to be read again. It is
    returned.

    Raises:
        FailedError: it does not.
    """
    if here is None:
        with hub.reading() as connection:
            here = row_copies.summaries(connection, told)
    with target.in_words(), target.reading() as connection:
        there = row_copies.summaries(connection, told)
    wrong = [*row_copies.differences(here, there), *faults(replace(hub, database=target))]
    if wrong:
        raise FailedError(
            "move-differs",
            f"What was copied to {target.where} is not what was to be copied: {wrong[0]}.",
            subject=target.where,
            next_step="The hub is where it was. Have that database emptied, or name another one, "
            "and run the command again.",
        )
    return here
