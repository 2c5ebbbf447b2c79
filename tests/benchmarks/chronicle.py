"""What happened at a hub over months, written in its order: hundreds of entries in one commit.

Rows and entries go through the log's own writing of a commit, so that numbers, hashes, tiles and
checkpoints are as they would be. The clock is the chronicle's: every entry is a step later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, insert
from tuf.api.metadata import Metadata

from sealift_registry.audit import batch
from sealift_registry.audit.append import Appender
from sealift_registry.audit.batch import EntryRequest, PendingAction
from sealift_registry.audit.writer import LARGEST_BATCH
from sealift_registry.storage import schema
from sealift_registry.trust.entry_terms import with_terms
from sealift_registry.trust.hub import Hub, newest_note, with_published
from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.tables import tuf_document, tuf_metadata
from sealift_signing import publishing
from sealift_signing.canonical import Json
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import moment


class Chronicle:
    """The log of `hub` and all rows that go with it, from its own time on to `until`.

    Args:
        hub: open, and nobody else's meanwhile.
        until: when the last entry is made.
        entries: about how many there will be.
    """

    def __init__(self, hub: Hub, until: datetime, entries: int) -> None:
        self.hub = hub
        self.now = hub.now()
        self._until = until
        self._step = (until - self.now) / max(entries, 1)
        self._rows: dict[Table, list[dict[str, Any]]] = defaultdict(list)
        self._entries: list[Entry] = []
        hub.log.clock = lambda: self.now
        with hub.reading() as connection:
            self.organisation = Repository(connection).organisation()
            self.note = newest_note(connection)
        self._appender = Appender(hub.online.signer("log"), hub_origin(self.organisation))

    @property
    def made(self) -> str:
        """The time of the next entry, as documents spell it."""
        return moment(self.now)

    def add(self, table: Table, **row: object) -> None:
        """A row that is committed with the next entry."""
        self._rows[table].append(row)

    def publish(self, role: str, metadata: Metadata[Any], documents: Mapping[str, bytes]) -> None:
        """A version of a role that people signed, as rows; the next snapshot has the newest."""
        version, body = metadata.signed.version, publishing.to_bytes(metadata)
        self.add(tuf_metadata, role=role, version=version, body=body)
        for path, data in documents.items():
            digest = metadata.signed.targets[path].hashes["sha256"]
            self.add(tuf_document, path=path, sha256=digest, body=data)

    def happened(
        self,
        kind: str,
        actor: str,
        data: Mapping[str, Json],
        terms: Mapping[str, str | Sequence[str]],
        site: str | None = None,
        published: Mapping[str, Metadata[Any]] | None = None,
    ) -> None:
        """An entry, of which the rows were added just before."""
        entry = self.hub.entry(kind, actor, data, terms, site)
        self._entries.append(with_terms(with_published(entry, published or {})))
        self.now = min(self.now + self._step, self._until)
        if len(self._entries) == LARGEST_BATCH:
            self.write()

    def write(self) -> None:
        """Commit what is not committed yet."""
        if not self._entries:
            return
        first, *others = self._entries

        def action(connection: Connection) -> tuple[Entry, None]:
            self._insert(connection)
            return first, None

        requests: list[PendingAction[Any]] = [PendingAction(action), *map(EntryRequest, others)]
        batch.write(self.hub.database, self._appender, requests)
        for one in requests:
            one.answer.result()  # or the error
        self._entries.clear()
        self._rows.clear()
        with self.hub.reading() as connection:
            self.note = newest_note(connection)

    def commit_change(self, change: Change, kind: str, data: Mapping[str, Json]) -> None:
        """Have the hub publish `change`, and with it all that was added as rows."""
        self.write()
        self.hub.commit_change(change, self.hub.entry(kind, "hub", data))
        self.now = min(self.now + self._step, self._until)

    def _insert(self, connection: Connection) -> None:
        for table in schema.metadata.sorted_tables:  # what is named by others comes first
            if rows := self._rows.get(table):
                connection.execute(insert(table), rows)
