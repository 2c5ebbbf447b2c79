"""What every use case of the hub stands on: its home, its database, its log and its online keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, select
from tuf.api.metadata import Metadata

from sealift_registry.audit.batch import Action, Committed
from sealift_registry.audit.tables import log_checkpoint
from sealift_registry.audit.writer import AuditLog
from sealift_registry.storage.asked_blobs import ROUNDS, AskedBlobs
from sealift_registry.storage.blob_claims import BlobClaims
from sealift_registry.storage.database import Database
from sealift_registry.storage.home import Home
from sealift_registry.trust.copies import write_copies
from sealift_registry.trust.entry_terms import with_terms
from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Change, publish
from sealift_registry.trust.stored import READING
from sealift_registry.trust.unchanged import UnchangedError, check_changes
from sealift_signing import events, locks, roles, version_links
from sealift_signing.canonical import Json
from sealift_signing.errors import FailedError
from sealift_signing.statements import CheckpointSeen
from sealift_signing.transparency.checkpoint import claimed
from sealift_signing.transparency.entry import Entry, Term, new_entry
from sealift_sync.blobs import BlobFolder

T = TypeVar("T")

MOST_TOLD = 200
"""Versions that an entry names, which has its largest size: a hub renews its own by the hundred."""

_PUBLISHED = "sealift_published"
"""Where the connection of an action keeps what the action published."""


@dataclass(frozen=True)
class OnBehalf:
    """For whom a server does something: who asked for it, and by which request.

    They say nothing of who signed: what counts is the same, whoever brings it.

    Attributes:
        account: the name of the account that asked.
        request: the server's name for the request.
    """

    account: str
    request: str

    @property
    def terms(self) -> tuple[Term, ...]:
        """By which entries are found."""
        return Term("account", self.account), Term("request", self.request)


@dataclass(frozen=True)
class Hub:
    """An open hub. Use cases read through `reading`, and change through the log's writer.

    Attributes:
        home: its folder, its settings and its blobs.
        database: its rows.
        log: the log's writer.
        online: its own keys.
        guard: asked first within every action, which it refuses by raising: of a hub that an
            attempt at a job was given, whether that attempt may still record anything.
        job: the id of that job, by which each of its entries is found; empty for no job.
        on_behalf: of a hub that a server's request was given: for whom; each of its entries is
            found by that, too.
        claims: on the blobs that this process takes in or finds, until rows name them.
    """

    home: Home
    database: Database
    log: AuditLog
    online: OnlineKeys
    guard: Callable[[Connection], None] | None = None
    job: str = ""
    on_behalf: OnBehalf | None = None
    claims: BlobClaims | None = None

    @property
    def engine(self) -> Engine:
        """The database's engine, for what neither reads one state nor writes with an entry."""
        return self.database.engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database, and changes nothing.

        Raises:
            FailedError: the database could not be read.
        """
        with self.database.in_words(), self.database.reading() as connection:
            yield connection.execution_options(**{READING: {}})

    def reading_blobs(self, read: Callable[[Hub, Connection], T]) -> T:
        """What `read` finds in one state of the database, and asks of the store of blobs.

        It is given a hub whose store it may ask, and is called again where a server has to be asked
        first, which nobody does in a transaction. It changes nothing.

        Raises:
            FailedError: the database or the store could not be read.
        """
        if not isinstance(self.home.blobs, BlobFolder):  # a folder answers at once
            answers, home = AskedBlobs(self.home.blobs), replace(self.home)
            vars(home)["blobs"] = answers
            asking = replace(self, home=home)
            for _ in range(ROUNDS):
                with self.reading() as connection:
                    try:
                        found = read(asking, connection)
                    except Exception:
                        if not answers.is_guessed:
                            raise
                    else:
                        if not answers.is_guessed:
                            return found
                answers.ask()
        with self.reading() as connection:
            return read(self, connection)

    def close(self) -> None:
        """Write what is queued, and let go of the database."""
        self.log.close()
        if self.claims is not None:
            self.claims.close()
        self.database.close()

    def now(self) -> datetime:
        """The time by the hub's clock."""
        return self.log.clock()

    def latest(self) -> datetime:
        """The time by which what lets people in is over (`AuditLog.latest`)."""
        return self.log.latest()

    def publish(self, connection: Connection, change: Change, freshness: int | None = None) -> None:
        """Publish `change` within an action; `freshness` in days, else the settings'."""
        days = freshness or self.home.settings.delivery.freshness_days
        publish(connection, change, self.online, self.log.dated(), days)
        connection.info.setdefault(_PUBLISHED, {}).update(change.metadata)

    def commit(self, action: Action[T], *, replaces_key: bool = False) -> Committed[T]:
        """Run `action` in the log's writer (`AuditLog.commit`): rows and entry, or neither.

        `replaces_key` is whether the action gives the log another key.

        Its entry says which versions were published, so that none can go without being missed, and
        is found by whoever signed them.

        Raises:
            FailedError: as `AuditLog.commit`; or the database refused one of the action's rows.
        """
        versions: dict[str, int] = {}

        def told(connection: Connection) -> tuple[Entry, T]:
            connection.info.pop(_PUBLISHED, None)  # of an action before it, which failed
            if self.guard is not None:
                self.guard(connection)
            if self.claims is not None:
                self.claims.check(connection)
            entry, result = action(connection)
            entry = replace(entry, terms=tuple(dict.fromkeys((*entry.terms, *self._found_by()))))
            published = connection.info.pop(_PUBLISHED, {})
            versions.update({role: one.signed.version for role, one in published.items()})
            return with_terms(with_published(entry, published)), result

        with self.database.in_words():
            done = self.log.commit_new_key(told) if replaces_key else self.log.commit(told)
        if versions:
            events.tell("trust", "metadata-published", versions=versions)
        return done

    def commit_entry(self, entry: Entry) -> Committed[None]:
        """Log something that changes no rows: a refusal, an outcome.

        Raises:
            FailedError: as `commit`.
        """
        if self.guard is None and self.on_behalf is None:
            return self.log.commit_entry(entry)
        return self.commit(lambda _connection: (entry, None))

    def _found_by(self) -> tuple[Term, ...]:
        """What all entries of this hub are found by."""
        job = (Term("job", self.job),) if self.job else ()
        return job + (self.on_behalf.terms if self.on_behalf else ())

    def commit_change(
        self,
        change: Change,
        entry: Entry,
        *,
        replaces_key: bool = False,
        check: Callable[[Connection], None] = lambda _: None,
    ) -> bool:
        """Publish `change` with `entry`, where no other rows belong to it, and `check` lets it.

        Returns whether it was: of a change that is published already, and just now, nothing is.
        """

        def action(connection: Connection) -> tuple[Entry, None]:
            check_changes(connection, change)
            check(connection)
            self.publish(connection, change)
            return entry, None

        try:
            self.commit(action, replaces_key=replaces_key)
            new = True
        except UnchangedError:
            new = False
        self.copy_metadata()  # also of what an earlier run published, and was killed before this
        return new

    def entry(
        self,
        kind: str,
        actor: str,
        data: Mapping[str, Json],
        terms: Mapping[str, str | Sequence[str]] | None = None,
        site: str | None = None,
    ) -> Entry:
        """An entry made now. `terms` are the words to find it by, such as a model or a person.

        Of a model its team is one, too; who signed is added when it is committed.
        """
        words = [
            Term(name, value)
            for name, given in (terms or {}).items()
            for value in ([given] if isinstance(given, str) else given)
        ]
        words += [Term("team", one.value.partition("/")[0]) for one in words if one.kind == "model"]
        return new_entry(kind, actor, self.log.dated(), data, words, site)

    def copy_metadata(self) -> None:
        """Bring the copies in `metadata/` up to the rows.

        It comes after the commit, and what it copies has happened: a copy that cannot be written
        is no failure of the command, and the next one writes it.
        """
        # Two processes would otherwise write the same file, or an older one last.
        with (
            suppress(FailedError, OSError),
            locks.held(self.home.lock),
            self.reading() as connection,
        ):
            write_copies(connection, self.home.metadata)


def with_published(entry: Entry, metadata: Mapping[str, Metadata[Any]]) -> Entry:
    """`entry` with the versions in its data: role, version, digest, and the keys that signed."""
    said = [
        {
            "role": role,
            "version": one.signed.version,
            "sha256": version_links.digest(one),
            "keyids": sorted(one.signatures),
        }
        for role, one in sorted(metadata.items(), key=_hubs_own)[:MOST_TOLD]
    ]
    if not said or not isinstance(entry.data, Mapping):
        return entry
    return replace(entry, data={**entry.data, "published": said})


def _hubs_own(named: tuple[str, object]) -> tuple[bool, str]:
    return roles.kind(named[0]) == roles.CATALOG, named[0]


def newest_note(connection: Connection) -> bytes:
    """The log's newest checkpoint, as the signed note."""
    query = select(log_checkpoint.c.note).order_by(log_checkpoint.c.size.desc()).limit(1)
    return bytes(connection.execute(query).scalar_one())


def checkpoint_seen(connection: Connection) -> CheckpointSeen:
    """The log's newest checkpoint, as a request names it."""
    seen = claimed(newest_note(connection))
    return CheckpointSeen(seen.origin, seen.size, seen.root.hex())
