"""Builders on other machines: what the hub asks them for, and taking in what they answer.

An answer is a row that whoever has a builder's role may add, and blobs in a place where builders
put them. So the result itself is fetched first, and its signature verified; only what an active
builder of fleet/keys.json vouches for is fetched as a whole, and judged as any result is
(`acceptance`). What does not count is told, taken out, and waited beyond.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealift_registry.catalog.storing import copy_out
from sealift_registry.conversion import result_rules
from sealift_registry.conversion.acceptance import Accepted, accept
from sealift_registry.conversion.build_result import RESULT
from sealift_registry.conversion.work_order import LARGEST_ORDER, WorkOrder
from sealift_registry.jobs import elsewhere
from sealift_registry.jobs.elsewhere import Answer, Ordered
from sealift_registry.storage.workspace import workspace
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing import dsse, events, shape
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.vocabulary import moment
from sealift_sync.blobs import BlobStore

LARGEST = 1 << 40
"""Bytes of a whole result: beyond that an answer is none."""


@dataclass(frozen=True)
class Inbox:
    """What builders are asked for and answer.

    Attributes:
        hub: that asks.
        put: the blobs that builders put; nothing in it is believed.
    """

    hub: Hub
    put: BlobStore

    def place(self, order: WorkOrder) -> None:
        """Ask builders for it, unless they are asked already.

        Raises:
            RefusedError: it is too large.
        """
        body = shape.write(order)
        if len(body) > LARGEST_ORDER:
            raise RefusedError(
                "order-too-large",
                f"The work order for {order.artifact} takes {len(body):,} bytes to say.",
                subject=order.artifact,
                next_step="Have fewer files in the version's source.",
            )
        made = moment(self.hub.now())
        ordered = Ordered(order.digest(), order.artifact, order.hardware_target.id, body, made)
        database = self.hub.database
        with database.in_words(), database.writing() as connection, connection.begin():
            elsewhere.place(connection, ordered)

    def take_in(self, order: WorkOrder, actor: str) -> Accepted | None:
        """Take in what a builder answered; None while nobody did.

        Raises:
            RefusedError: a builder that counts says that no variant comes of it; that is logged.
            FailedError: something could not be read or written.
        """
        for row, answer in self._answers(order):
            try:
                accepted = self._accepted(answer, order, actor)
            except (MalformedError, NotFoundError) as bad:
                self._passed_over(row, bad)
            except RefusedError as bad:
                if not result_rules.is_of_result(bad.code):
                    self._done(order)
                    raise
                self._passed_over(row, bad)
            else:
                self._done(order)
                return accepted
        return None

    def _answers(self, order: WorkOrder) -> Iterator[tuple[str, Answer]]:
        with self.hub.reading() as connection:
            found = list(elsewhere.answers(connection, order.digest()))
        for row, answer in found:
            if isinstance(answer, SealiftError):
                self._passed_over(row, answer)
            else:
                yield row, answer

    def _accepted(self, answer: Answer, order: WorkOrder, actor: str) -> Accepted:
        with workspace(self.hub.home.work) as folder:
            result = answer.files.get(RESULT)
            if result is None or result.size > dsse.LARGEST_ENVELOPE:
                raise MalformedError("bad-answer", "A builder's answer has no result.")
            self._fetch(answer, [RESULT], folder)
            signed = result_rules.read_result((folder / RESULT).read_bytes())
            with self.hub.reading() as connection:
                result_rules.machine_of(signed, Repository(connection).sound_fleet())
            size = sum(one.size for one in answer.files.values())
            if size > min(LARGEST, shutil.disk_usage(folder).free):
                raise MalformedError("bad-answer", f"A builder's answer has {size:,} bytes.")
            self._fetch(answer, [one for one in answer.files if one != RESULT], folder)
            return accept(self.hub, folder, lambda _: [order], actor)

    def _fetch(self, answer: Answer, paths: list[str], folder: Path) -> None:
        for path in paths:
            named = answer.files[path]
            if self.put.size(named.sha256) != named.size:
                raise MalformedError("bad-answer", "A builder's answer has files of other sizes.")
            copy_out(self.put, named.sha256, folder / path)

    def _done(self, order: WorkOrder) -> None:
        """Nobody needs to be asked any more."""
        database = self.hub.database
        with database.in_words(), database.writing() as connection, connection.begin():
            elsewhere.withdraw(connection, order.digest())

    def _passed_over(self, row: str, bad: SealiftError) -> None:
        """What does not count is not looked at again, and whoever keeps the hub hears of it."""
        events.tell("jobs", "answer-refused", "warning", code=bad.code, what=bad.what)
        database = self.hub.database
        with database.in_words(), database.writing() as connection, connection.begin():
            elsewhere.remove(connection, row)
