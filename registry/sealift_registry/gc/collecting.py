"""What goes, and its removal: blobs that nothing names, old jobs, and work that was abandoned.

A blob goes once nothing needs it (`gc.marking`), and nobody relies on it (`storage.blob_claims`).
The order is what makes that safe, whoever writes meanwhile:

1. Claims of who has ended are removed. Whatever these named is in rows by now, or never will be:
   a commit checks that its claims are there.
2. One state of the rows is read, and checked against the log; then the manifests.
3. In a transaction of the writer's, those that are named by nothing and claimed by nobody are
   condemned. What was named after (2) was claimed before that, and its claim is there: only (1)
   removes any.
4. They are removed, and the notes of it.

Whoever needs a condemned blob waits for (4), and puts it again. This may be killed anywhere: what
was condemned is removed the next time.

It counts on being alone. At a server that can be lost, while it goes on: another one may then have
done (1), and what was claimed after (2) is named by now. So each of its transactions checks first
that nobody else can have begun.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from sealift_registry import fsck
from sealift_registry.audit.reading import LogReader
from sealift_registry.gc import left_work, marking, old_jobs
from sealift_registry.gc.marking import Marks
from sealift_registry.storage import blob_claims, blob_removal
from sealift_registry.storage.blob_claims import REMOVER
from sealift_registry.storage.blob_removal import StoredBlob
from sealift_registry.storage.blob_tables import condemned_blob
from sealift_registry.storage.claims import MOVING, Claim
from sealift_registry.storage.queries import in_parts
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.trust import readiness
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.log_keys import log_keys
from sealift_signing import events
from sealift_signing.canonical import Json
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.vocabulary import counted, moment
from sealift_sync.durable import BeginPhase

REMOVING, REMOVED = "gc.removing", "gc.removed"
"""Types of entries: before anything goes, what was to go; and afterwards what went."""
GC = "gc"
"""The name of the claim of the one process that removes."""
WORDS = "removes what is no longer needed"
BATCH = 200
"""Blobs that are condemned at once: so long others may wait."""


@dataclass
class Amount:
    """How much: blobs, and their bytes as the store has them, older versions among them."""

    blobs: int = 0
    size: int = 0

    def add(self, one: StoredBlob) -> None:
        """One more."""
        self.blobs += 1
        self.size += one.size

    def said(self) -> dict[str, Json]:
        """The same, as entries and answers say it."""
        return {"blobs": self.blobs, "bytes": self.size}


@dataclass
class Found:
    """What was found, and what went of it.

    Attributes:
        where: the store.
        kept: why blobs are kept (`marking.WORDS`), and how many are.
        unnamed: what nothing names.
        discarded: what only discarded forms consisted of.
        locked: what the store itself keeps, although nothing needs it.
        locked_until: the latest time of those.
        jobs: how many ended long ago.
        folders: how many folders of work nobody works in any more.
        unfinished: how many blobs were begun by work that was killed.
        needs_versions: why nothing can be removed from this store.
        removed: of what nothing names, what is gone.
        removed_discarded: of what was discarded, what is gone.
    """

    where: str
    kept: dict[str, Amount] = field(default_factory=dict)
    unnamed: Amount = field(default_factory=Amount)
    discarded: Amount = field(default_factory=Amount)
    locked: Amount = field(default_factory=Amount)
    locked_until: str = ""
    jobs: int = 0
    folders: int = 0
    unfinished: int = 0
    needs_versions: bool = False
    removed: Amount = field(default_factory=Amount)
    removed_discarded: Amount = field(default_factory=Amount)

    def lock(self, one: StoredBlob, until: str) -> None:
        """One more that the store keeps, until then."""
        self.locked.add(one)
        self.locked_until = max(self.locked_until, until)


@dataclass
class _Work:
    found: Found
    marks: Marks
    going: list[StoredBlob]
    locked: set[str]
    old: list[int]


def look(hub: Hub, begin_phase: BeginPhase) -> Found:
    """What would go; nothing is changed.

    Raises:
        RefusedError: rows are not what the log says, or a manifest is lost.
        FailedError: the database or the store could not be read.
    """
    return _look(hub, begin_phase).found


def collect(hub: Hub, actor: str, begin_phase: BeginPhase) -> Found:
    """Remove it.

    Raises:
        RefusedError: as `look`; or the store keeps no versions, and other hosts put blobs there.
        FailedError: as `look`; or another process removes, or moves the hub.
    """
    with _alone(hub) as alone:
        work = _look(hub, begin_phase)  # rows that nobody signed let no claim go either
        if work.found.needs_versions:
            raise _needs_versions(hub)
        with hub.reading() as connection:
            wanted = old_jobs.wanted(connection)
            dead = blob_claims.dead(hub.database, connection, wanted)
        with alone.writing() as connection:
            blob_claims.forget(connection, dead)
        step("swept")
        found = work.found
        planned = _said(found.unnamed, found.discarded, found.jobs)
        begun = found.unnamed.blobs or found.discarded.blobs or found.jobs
        if begun:
            hub.commit_entry(hub.entry(REMOVING, actor, planned))
        step("told")
        left_work.remove(hub)
        blob_removal.sweep(hub.home.blobs)
        removal = _Removal(hub, alone, work)
        progress = begin_phase("remove", sum(one.size for one in work.going))
        for start in range(0, len(work.going), BATCH):
            progress(removal.batch(work.going[start : start + BATCH]))
        removal.settle()
        step("settled")
        old_jobs.forget(hub, work.old)
        old_jobs.forget_orders(hub, _long_ago(hub))
        step("forgotten")
        if begun:
            removed = _said(found.removed, found.removed_discarded, found.jobs)
            hub.commit_entry(hub.entry(REMOVED, actor, removed))
    return found


def _said(unnamed: Amount, discarded: Amount, jobs: int) -> dict[str, Json]:
    """What an entry says of what goes or went."""
    return {**unnamed.said(), "discarded": discarded.said(), "jobs": jobs}


class _Alone:
    """Being the one process that removes, while nobody moves the hub.

    Attributes:
        remover: the name of this time.
    """

    def __init__(self, hub: Hub, remover: str, held: Sequence[Claim]) -> None:
        self.remover = remover
        self._hub = hub
        self._held = held

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction of the writer's, in which nobody else can have begun to remove.

        Raises:
            FailedError: somebody may have.
        """
        self._check()  # which may take a while; others wait for the writer's lock
        database = self._hub.database
        with database.in_words(), database.writing() as connection, connection.begin():
            self._check()
            yield connection

    def _check(self) -> None:
        if not all(one.was_kept() for one in self._held):
            raise FailedError(
                "gc-cut-off",
                f"The connection to the database {self._hub.database.where} was lost for a while, "
                "and another process may have removed things, or moved the hub, meanwhile. What "
                "is needed is there.",
                subject=self._hub.database.where,
                next_step="Run it again.",
            )


@contextmanager
def _alone(hub: Hub) -> Iterator[_Alone]:
    held = list[Claim]()
    remover = f"{REMOVER}{secrets.token_hex(16)}"
    try:
        for name in (GC, MOVING, remover):
            claim = hub.database.claim(name, WORDS)
            if claim is None:
                raise _not_alone(hub, name)
            held.append(claim)
        yield _Alone(hub, remover, held)
    finally:
        for claim in reversed(held):
            claim.let_go()


def _long_ago(hub: Hub) -> datetime:
    return hub.now() - timedelta(days=hub.home.settings.retention.job_days)


def _look(hub: Hub, begin_phase: BeginPhase) -> _Work:
    begin_phase("check", 0)
    _check_log(hub)
    with hub.reading() as connection:
        _check_rows(connection)
        named = marking.mark(hub, connection)
        old = old_jobs.ended_before(connection, _long_ago(hub))
        wanted = old_jobs.wanted(connection)
        relied = blob_claims.relied_on(hub.database, connection, wanted)
    marks = marking.finish(hub, named)
    store = hub.home.blobs
    only_here = not isinstance(store, S3Blobs) or not hub.database.is_shared
    needs_versions = not only_here and not blob_removal.keeps_versions(store)
    found = Found(store.where, jobs=len(old), needs_versions=needs_versions)
    going = list[StoredBlob]()
    for one in blob_removal.stored(store, versions=blob_removal.has_versions(store)):
        why = marks.why.get(one.sha256) or ("work" if one.sha256 in relied else "")
        if why:
            found.kept.setdefault(why, Amount()).add(one)
        else:
            going.append(one)
    locked = blob_removal.locked(store, going, hub.now())
    for one in going:
        if one.sha256 in locked:
            found.lock(one, locked[one.sha256])
        else:
            _amount(one, marks, found.unnamed, found.discarded).add(one)
    found.folders, found.unfinished = len(left_work.find(hub)), blob_removal.unfinished(store)
    left = [one for one in going if one.sha256 not in locked]
    return _Work(found, marks, left, set(locked), old)


def _amount(one: StoredBlob, marks: Marks, unnamed: Amount, discarded: Amount) -> Amount:
    """Among which of the two a blob counts."""
    return discarded if one.sha256 in marks.discarded else unnamed


class _Removal:
    """The removal of blobs, batch by batch."""

    def __init__(self, hub: Hub, alone: _Alone, work: _Work) -> None:
        self._hub = hub
        self._alone = alone
        self._work = work

    def batch(self, some: Sequence[StoredBlob]) -> int:
        """Remove those of them that still nobody needs; how many bytes are done with."""
        found, doomed = self._work.found, self._condemned(some)
        step("condemned")
        locked = blob_removal.remove(self._hub.home.blobs, doomed, self._hub.now())
        step("removed")
        with self._alone.writing() as connection:
            c = condemned_blob.c
            for part in in_parts([one.sha256 for one in doomed]):
                mine = c.holder == self._alone.remover, c.digest.in_(part)
                connection.execute(delete(condemned_blob).where(*mine))
        gone = Amount()
        for one in doomed:
            if one.sha256 in locked:
                found.lock(one, locked[one.sha256])
                continue
            gone.add(one)
            _amount(one, self._work.marks, found.removed, found.removed_discarded).add(one)
        events.tell("gc", "blobs-removed", blobs=gone.blobs, bytes=gone.size)
        return sum(one.size for one in some)

    def _condemned(self, some: Sequence[StoredBlob]) -> list[StoredBlob]:
        digests = [one.sha256 for one in some]
        made, remover = moment(self._hub.now()), self._alone.remover
        with self._alone.writing() as connection:
            claimed = blob_claims.claimed(connection, digests)
            doomed = [one for one in some if one.sha256 not in claimed]
            for part in in_parts([one.sha256 for one in doomed]):  # of a gc that was killed
                connection.execute(delete(condemned_blob).where(condemned_blob.c.digest.in_(part)))
            rows = [{"digest": one.sha256, "holder": remover, "made": made} for one in doomed]
            if rows:
                connection.execute(insert(condemned_blob), rows)
        return doomed

    def settle(self) -> None:
        """Take away what a gc left that was killed, where nothing can come of it any more.

        What somebody is just putting anew because of such a note keeps it. What rows name was put
        since, for nothing that they named was ever condemned.
        """
        c, store = condemned_blob.c, self._hub.home.blobs
        with self._alone.writing() as connection:
            left = connection.execute(select(c.digest).where(c.holder != self._alone.remover))
            digests = list(left.scalars())
            kept = set[str]()
            if isinstance(store, S3Blobs):
                claimed = blob_claims.claimed(connection, digests)
                kept = {one for one in claimed if one not in self._work.marks.why}
                kept |= self._work.locked
            for part in in_parts([one for one in digests if one not in kept]):
                connection.execute(delete(condemned_blob).where(c.digest.in_(part)))


def step(_name: str) -> None:
    """Where tests stop this."""


def _check_log(hub: Hub) -> None:
    """Check that the log is the one that was signed: rows are compared with what it says."""
    kept = readiness.kept(hub)
    with hub.reading() as connection:
        seen = readiness.seen(connection, kept)
    key, origin, former = log_keys(hub)
    verdict = LogReader(hub.database).fsck(key, origin, seen=seen, former=former)
    _refuse([one.sentence for one in (*verdict.findings, *fsck.built(hub.database))])


def _check_rows(connection: Connection) -> None:
    """Check that no row is missing that would have kept a blob."""
    _refuse([one.sentence for one in fsck.check(connection)])


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        more = f" And {counted(len(faults) - 1, 'finding')} more." if len(faults) > 1 else ""
        raise RefusedError(
            "gc-not-sound",
            f"Something is wrong with this hub's rows, so what they name cannot be gone by, and "
            f"nothing is removed: {faults[0]}{more}",
            next_step="See all of it: sealift audit fsck",
        )


def _not_alone(hub: Hub, name: str) -> FailedError:
    who = hub.database.holder(name)
    return FailedError(
        "gc-under-way",
        "Another process removes what is no longer needed here, or moves the hub"
        + (f" ({who})." if who else "."),
        subject=hub.database.where,
        next_step="Wait until it is done.",
    )


def _needs_versions(hub: Hub) -> RefusedError:
    where = hub.home.blobs.where
    return RefusedError(
        "gc-needs-versions",
        f"The bucket of {where} keeps no versions, and other hosts may put there what is just "
        "being removed: without versions nothing tells the two apart.",
        subject=where,
        next_step="Have it keep versions: sealift blobs init. Then run it again.",
    )
