"""Claims on blobs: what somebody relies on that no row names yet, and gc therefore leaves.

Whoever takes in a blob, or finds that it is there already, names it in a row later. Until then
`sealift gc` must know of it. So its digest is noted first, in a transaction of the one writer's, as
a row of the process or the job that relies on it. gc reads these rows in such a transaction, too,
and notes in it what it is about to remove: whoever comes after that waits until it is gone.

That a holder has ended, only gc asks; it then removes its rows. Nothing rests on the answer being
right: each commit of a holder finds all its rows there, or is refused (`check`). So a process that
was suspended, or lost its server, names nothing that may be gone.

A gc that died leaves what it condemned. Whoever relies on that puts it anew, whether it is there or
not: were that gc only cut off, it removes what it had listed before (`storage.blob_removal`), and
not what was put since. The next gc takes the note away.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from sealift_registry.storage.blob_tables import blob_claim, condemned_blob
from sealift_registry.storage.claims import PAUSE, Claim
from sealift_registry.storage.database import Database
from sealift_registry.storage.queries import in_parts
from sealift_signing import events
from sealift_signing.errors import FailedError
from sealift_signing.vocabulary import counted, moment

PROCESS, JOB = "process-", "job-"
"""How holders' names begin."""
HOLDERS = re.compile(r"(?:process|job)-[0-9a-f]{32}")
REMOVER = "gc-"
"""How the name begins of whoever removes blobs, and of the claim that it holds meanwhile."""
REMOVERS = re.compile(r"gc-[0-9a-f]{32}")
PATIENCE = 120.0
"""Seconds that a batch of gc's is waited for."""
WORDS = "relies on blobs"


class BlobClaims:
    """What this process relies on, or the job that it works at; a `Relied` of stores of blobs."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._lock = threading.Lock()
        self._holder = ""
        self._alive: Claim | None = None
        self._noted: set[str] = set()
        self._doubtful: set[str] = set()

    def belong_to_job(self, key: str) -> None:
        """Have all that is relied on from now on be relied on until the job has ended.

        Steps of it that are recorded are not done again, and rest on what they took in.
        """
        with self._lock:
            self._holder, self._noted = f"{JOB}{key}", set()

    def __call__(self, digests: Collection[str], /) -> Collection[str]:
        """Note that these are relied on; those of which nothing that is there counts.

        It is called in no transaction.

        Raises:
            FailedError: it could not be noted; or gc does not get on with removing one of them.
        """
        new = [one for one in dict.fromkeys(digests) if one not in self._noted]
        if new:
            with self._lock:
                self._note_all(new)
        return self._doubtful.intersection(digests)

    def check(self, connection: Connection) -> None:
        """Check, in the transaction that records something, that gc left all that it rests on.

        Raises:
            FailedError: it took this process for dead, or the job for ended.
        """
        count = select(func.count()).select_from(blob_claim)
        there = connection.execute(count.where(blob_claim.c.holder == self._holder)).scalar_one()
        if there < len(self._noted):  # gc removes all claims of a holder, or none
            raise FailedError(
                "blobs-not-kept",
                "This command lost its lock for a while, and blobs that it put or found may have "
                "been removed meanwhile; nothing was recorded.",
                subject=self._database.where,
                next_step="Run it again.",
            )

    def close(self) -> None:
        """Rely on nothing any more."""
        if self._alive is not None:
            self._alive.let_go()
            self._alive = None

    def _note_all(self, digests: Sequence[str]) -> None:
        self._begin()
        until, told = time.monotonic() + PATIENCE, False
        left, dead = list(digests), set[str]()
        while True:
            condemned = self._note(left, dead)
            self._noted.update(set(left) - condemned.keys())
            if not condemned:
                return
            ended = {one for one in set(condemned.values()) if self._has_ended(one)}
            if not ended:
                if time.monotonic() > until:
                    raise _removing(len(condemned), self._database.holder(min(condemned.values())))
                if not told:
                    events.tell("blobs", "waits-for-gc", "warning", blobs=len(condemned))
                told = True
                time.sleep(PAUSE)
            dead |= ended
            left = [*condemned]

    def _begin(self) -> None:
        """Hold what shows that this process lives; a job lives as long as its rows say."""
        if not self._holder:
            holder = f"{PROCESS}{secrets.token_hex(16)}"
            self._alive = self._database.claim(holder, WORDS)
            self._holder = holder

    def _note(self, digests: Sequence[str], dead: Collection[str]) -> dict[str, str]:
        """Note those that nobody is removing; the others, each with who is.

        What one of the `dead` was removing is noted, too, and put anew by whoever relies on it:
        also after us, so what that left stays (`blob_removal`).
        """
        condemned: dict[str, str] = {}
        known: set[str] = set()
        with (
            self._database.in_words(),
            self._database.writing() as connection,
            connection.begin(),
        ):
            for part in in_parts(digests):
                c, d = blob_claim.c, condemned_blob.c
                mine = select(c.digest).where(c.holder == self._holder, c.digest.in_(part))
                known.update(connection.execute(mine).scalars())
                query = select(d.digest, d.holder).where(d.digest.in_(part))
                condemned |= {row.digest: row.holder for row in connection.execute(query)}
            doubtful = {one for one, holder in condemned.items() if holder in dead}
            waiting = {one: holder for one, holder in condemned.items() if one not in doubtful}
            made = moment(self._now())
            rows = [
                {"digest": one, "holder": self._holder, "made": made}
                for one in digests
                if one not in waiting and one not in known
            ]
            if rows:
                connection.execute(insert(blob_claim), rows)
        self._doubtful |= doubtful
        return waiting

    def _has_ended(self, remover: str) -> bool:
        """Whether nobody is removing anything under this name any more."""
        if not REMOVERS.fullmatch(remover):  # forged, or damaged
            return True
        claim = self._database.claim(remover, WORDS)
        if claim is not None:
            claim.let_go()
        return claim is not None


def dead(database: Database, connection: Connection, wanted: Collection[str]) -> tuple[str, ...]:
    """The holders that have ended: none of them ever lives again.

    Nobody asks while others wait to write.

    Args:
        database: that knows which processes live.
        connection: that sees the claims.
        wanted: the keys of the jobs that have not ended, by the same state of the rows.
    """
    holders = connection.execute(select(blob_claim.c.holder).distinct()).scalars().all()
    ours = [one for one in holders if HOLDERS.fullmatch(one)]  # else forged: it is nobody's name
    living = {f"{JOB}{key}" for key in wanted}
    living |= database.held([one for one in ours if one.startswith(PROCESS)])
    return tuple(sorted(set(holders) - living.intersection(ours)))


def forget(connection: Connection, holders: Sequence[str]) -> int:
    """Remove, in a transaction of the writer's, the claims of holders that have ended.

    Returns:
        How many claims that were.
    """
    c, count = blob_claim.c, 0
    for part in in_parts(holders):
        gone = c.holder.in_(part)
        count += connection.execute(select(func.count()).where(gone)).scalar_one()
        connection.execute(delete(blob_claim).where(gone))
    return count


def relied_on(database: Database, connection: Connection, wanted: Collection[str]) -> set[str]:
    """All that holders which have not ended rely on; as for `dead`, and nothing is changed."""
    c, gone = blob_claim.c, frozenset(dead(database, connection, wanted))
    rows = connection.execute(select(c.digest, c.holder))
    return {row.digest for row in rows if row.holder not in gone}


def claimed(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those of them that somebody relies on."""
    c, found = blob_claim.c, set[str]()
    for part in in_parts(digests):
        found.update(connection.execute(select(c.digest).where(c.digest.in_(part))).scalars())
    return found


def _removing(count: int, who: str) -> FailedError:
    by = f" ({who})" if who else ""
    return FailedError(
        "blobs-being-removed",
        f"Another process{by} has been removing {counted(count, 'blob')} that this command needs "
        f"for {PATIENCE:.0f} seconds; nothing was recorded.",
        next_step="Wait until it is done, or end it if it hangs: it may be run again. Then run "
        "this command again.",
    )
