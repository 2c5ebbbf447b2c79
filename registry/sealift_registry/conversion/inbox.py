"""Builders on other machines: what the hub asks them for, and taking in what they answer.

An answer is a row that whoever has a builder's role may add, and blobs in a place where builders
put them. So the result itself is fetched first, and verified: only what an active builder of
fleet/keys.json signed for, of the very order, is fetched besides, and judged as any result is
(`acceptance`). What does not count is told, taken out, and waited beyond.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.catalog.storing import copy_out
from sealift_registry.conversion import result_rules
from sealift_registry.conversion.acceptance import (
    MOST_EVIDENCE,
    Accepted,
    KnownResultError,
    NoVariantError,
    accept,
)
from sealift_registry.conversion.build_result import (
    CHECK_ROWS,
    RESULT,
    VARIANT,
    evidence_file,
)
from sealift_registry.conversion.work_order import LARGEST_ORDER, WorkOrder
from sealift_registry.jobs import elsewhere
from sealift_registry.jobs.elsewhere import Answer, Ordered
from sealift_registry.storage.workspace import workspace
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing import disk, dsse, events, shape
from sealift_signing.errors import (
    FailedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    SealiftError,
)
from sealift_signing.vocabulary import moment
from sealift_sync.blobs import BlobStore
from sealift_sync.check_rows import LARGEST


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
        made, digest = moment(self.hub.now()), order.digest()
        ordered = Ordered(digest, order.artifact, order.hardware_target.id, body, made)
        with self.hub.reading() as connection:
            if elsewhere.is_placed(connection, digest):
                return
        with self._writing() as connection:
            if self.hub.guard is not None:
                self.hub.guard(connection)
            elsewhere.place(connection, ordered)

    def withdraw(self, order: WorkOrder) -> None:
        """Have nobody asked for it any more; who waits for it as well asks again."""
        with self._writing() as connection:
            elsewhere.withdraw(connection, order.digest())

    def take_in(self, order: WorkOrder, actor: str) -> Accepted | None:
        """Take in what a builder answered; None while nobody did.

        Raises:
            RefusedError: a builder that counts says that no variant comes of it; that is logged.
            FailedError: something could not be read or written.
        """
        failed: FailedError | None = None
        for row, answer in self._answers(order):
            try:
                found = self._taken(row, answer, order, actor)
            except FailedError as bad:
                # One that a store does not give hides no other.
                events.tell("jobs", "answer-unread", "warning", code=bad.code, what=bad.what)
                failed = failed or bad
            else:
                if found is not None:
                    return found
        if failed is not None:
            raise failed
        return None

    def _taken(self, row: str, answer: Answer, order: WorkOrder, actor: str) -> Accepted | None:
        """What came of one answer; None where it does not count, and is taken out."""
        with workspace(self.hub.home.work) as folder:
            try:
                self._fetch(answer, order, folder)
            except (MalformedError, NotFoundError, RefusedError) as bad:
                self._passed_over(row, bad)
                return None
            try:
                accepted = accept(self.hub, folder, lambda _: [order], actor)
            except NoVariantError:
                self.withdraw(order)
                raise
            except (MalformedError, NotFoundError, KnownResultError) as bad:
                self._passed_over(row, bad)
                return None
            except RefusedError as bad:
                if not result_rules.is_of_result(bad.code):
                    raise  # nothing of it was recorded, and it stays for whoever may
                self._passed_over(row, bad)
                return None
        self.withdraw(order)
        return accepted

    def _answers(self, order: WorkOrder) -> Iterator[tuple[str, Answer]]:
        with self.hub.reading() as connection:
            found = list(elsewhere.answers(connection, order.digest()))
        for row, answer in found:
            if isinstance(answer, SealiftError):
                self._passed_over(row, answer)
            else:
                yield row, answer

    def _fetch(self, answer: Answer, order: WorkOrder, folder: Path) -> None:
        """Bring a result here: what a builder that counts signed for, of this order, and no more.

        Raises:
            RefusedError: nobody who counts signed it, or it is of another order, or damaged.
            MalformedError: it is no result, or lacks what it names.
            NotFoundError: a file is not where it is said to be.
        """
        self._bring(answer, RESULT, dsse.LARGEST_ENVELOPE, folder)
        signed = result_rules.read_result(disk.read(folder / RESULT))
        with self.hub.reading() as connection:
            machine = result_rules.machine_of(signed, Repository(connection).sound_fleet())
        said = result_rules.judge(signed, machine, [order], self.hub.now()).said
        for digest in said.evidence[: MOST_EVIDENCE + 1]:
            self._bring(answer, evidence_file(digest), dsse.LARGEST_ENVELOPE, folder)
        for file in said.files:
            self._bring(answer, f"{VARIANT}/{file.path}", file.size, folder)
        if CHECK_ROWS in answer.files:
            self._bring(answer, CHECK_ROWS, LARGEST, folder)

    def _bring(self, answer: Answer, path: str, most: int, folder: Path) -> None:
        named = answer.files.get(path)
        if named is None or named.size > most or self.put.size(named.sha256) != named.size:
            raise MalformedError(
                "bad-answer",
                f"A builder's answer lacks {path}, or has another one.",
                subject=path,
                next_step="Nothing has to be done: other answers are waited for.",
            )
        copy_out(self.put, named.sha256, folder / path)

    def _passed_over(self, row: str, bad: SealiftError) -> None:
        """What does not count is not looked at again, and whoever keeps the hub hears of it."""
        events.tell("jobs", "answer-refused", "warning", code=bad.code, what=bad.what)
        with self._writing() as connection:
            elsewhere.remove(connection, row)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        database = self.hub.database
        with database.in_words(), database.writing() as connection, connection.begin():
            yield connection
