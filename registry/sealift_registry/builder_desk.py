"""A builder at work: takes work orders from the hub's database, and answers with signed results.

It has neither a hub nor its keys: a role at the database that reads orders and adds answers, the
right to read the hub's blobs and to put others elsewhere, and its own two keys. Two of them that
look for work never run the same order at once: an order is claimed by a lock at the server, which
goes when its builder is lost. Killed, it begins the order anew.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sealift_registry.conversion import work_order
from sealift_registry.conversion.build_result import RESULT
from sealift_registry.conversion.work_order import WorkOrder
from sealift_registry.jobs import elsewhere
from sealift_registry.jobs.elsewhere import Answer, AnsweredFile, Ordered
from sealift_registry.storage import workspace
from sealift_registry.storage.builder_database import BuilderDatabase
from sealift_registry.trust.online_keys import VARIABLE, OnlineKeys
from sealift_registry.workers import runner
from sealift_registry.workers.channel import Progress
from sealift_registry.workers.runner import GIB, Worker, WorkerLimits
from sealift_signing import events
from sealift_signing.acts.builders import keys_of
from sealift_signing.errors import FailedError, NotFoundError, SealiftError
from sealift_signing.vocabulary import moment
from sealift_sync.blobs import BlobStore

HOUR = 60 * 60
NOTHING = "0" * 64
"""The digest of no blob that there is."""
LOOK = 5.0
"""Seconds between two looks for work."""
PUT_OFF = 300.0
"""Seconds until an order is tried again that could not be run here."""
BUILD = Worker(
    "sealift_registry.build_process",
    "the build",
    WorkerLimits(seconds=6 * HOUR, cpu_seconds=6 * HOUR * 256, memory_bytes=4096 * GIB),
    carry=(VARIABLE, "HOME", "XDG_CACHE_HOME"),
)


@dataclass(frozen=True)
class Happened:
    """What happened to an order here.

    Attributes:
        order: which.
        error: why nothing came of it here; None where it was answered.
        seconds: how long it took.
    """

    order: WorkOrder
    error: SealiftError | None
    seconds: float


@dataclass
class Desk:
    """One builder.

    Attributes:
        name: of its builder's key in fleet/keys.json.
        hardware_targets: what it builds for.
        database: the hub's, as a builder's role.
        inputs: the hub's blobs.
        inbox: where results are put, by the organisation whose they are.
        keys: the folder of its two keys.
        work: a folder to work in.
        begun: told when an order is begun.
        told: told what came of one.
        progress: told what is being built.
        put_off: orders that are not tried now, and until when (`time.monotonic`).
        stops: whether it is to take no more.
    """

    name: str
    hardware_targets: tuple[str, ...]
    database: BuilderDatabase
    inputs: BlobStore
    inbox: Callable[[str], BlobStore]
    keys: Path
    work: Path
    begun: Callable[[WorkOrder], None] = lambda _: None
    told: Callable[[Happened], None] = lambda _: None
    progress: Progress = lambda _subject, _done, _total: None
    put_off: dict[str, float] = field(default_factory=dict)
    stops: bool = False

    def check(self, organisation: str = "") -> None:
        """Check that it could work: its keys, its role, and both places, before anybody waits.

        Raises:
            NotFoundError: it has no keys yet.
            RefusedError: its role is another's.
            FailedError: something cannot be reached.
        """
        if not all(OnlineKeys(self.keys, {}).has_public(one) for one in keys_of("")):
            raise NotFoundError(
                "no-builder-keys",
                f"There are no keys of a builder in {self.keys}.",
                subject=str(self.keys),
                next_step="Make them: sealift builder keys --settings FILE",
            )
        self.database.check_role()
        self._orders()
        for store in (self.inputs, self.inbox(organisation)):
            store.has(NOTHING)

    def close(self) -> None:
        """Let go of the database's connections."""
        self.database.close()

    def run(self, *, once: bool = False) -> None:
        """Run orders until `stops`; with `once`, until none is there that it can run.

        Raises:
            FailedError: the database cannot be reached, and `once` is asked for.
        """
        workspace.sweep(self.work)
        while not self.stops:
            try:
                found = self._look()
            except SealiftError as bad:
                if once:
                    raise
                events.tell("jobs", "builder-cut-off", "warning", code=bad.code, what=bad.what)
                found = False
            if found:
                continue
            if once:
                return
            time.sleep(LOOK)

    def _look(self) -> bool:
        """Run one order, if there is one; whether there was."""
        for ordered in self._orders():
            claim = self.database.claim(f"build {ordered.digest}", f"builds {ordered.digest[:12]}")
            if claim is None:
                continue
            try:
                # Another may have answered between the look and the claim.
                if ordered.digest in {one.digest for one in self._orders()}:
                    self._run(ordered)
                    return True
            finally:
                claim.let_go()
        return False

    def _orders(self) -> list[Ordered]:
        """What is to be done here and now, the oldest first."""
        now = time.monotonic()
        with self.database.connected() as connection:
            return [
                one
                for one in elsewhere.orders(connection, self.hardware_targets)
                if one.is_whole
                and self.put_off.get(one.digest, 0.0) <= now
                and not elsewhere.is_answered(connection, one.digest, self.name)
            ]

    def _run(self, ordered: Ordered) -> None:
        began, error = time.monotonic(), None
        try:
            order = work_order.read_order(ordered.body)
        except SealiftError as bad:
            self._put_off(ordered, bad)
            return
        self.begun(order)
        try:
            self._answer(ordered, order)
        except SealiftError as bad:
            self._put_off(ordered, bad)
            error = bad
        seconds = round(time.monotonic() - began, 3)
        events.tell("jobs", "order-run", order=ordered.digest, ok=error is None, seconds=seconds)
        self.told(Happened(order, error, seconds))

    def _answer(self, ordered: Ordered, order: WorkOrder) -> None:
        with workspace.workspace(self.work) as folder:
            inputs, result = folder / "order", folder / "result"
            for one in (inputs, result):
                one.mkdir()
            try:
                work_order.write_order(order, self.inputs, inputs)
            except NotFoundError as bad:
                raise FailedError(
                    "no-input",
                    f"{bad.what} The order for {order.artifact} names it.",
                    subject=bad.subject,
                    next_step="Check that blobs.url in the builder's settings is the hub's own; "
                    "else see at the hub what it lost: sealift blobs fsck",
                ) from bad
            asked = {"order": inputs, "result": result, "keys": self.keys, "name": self.name}
            request = {name: str(one) for name, one in asked.items()}
            runner.ask(BUILD, "build", request, self.progress, work=folder)
            shutil.rmtree(inputs)
            answer = Answer(
                format=1,
                requires=(),
                order=ordered.digest,
                machine=self.name,
                made=moment(datetime.now(UTC)),
                files=self._put(result, self.inbox(order.organisation)),
            )
        with self.database.connected() as connection:
            elsewhere.answer(connection, answer)

    def _put(self, result: Path, inbox: BlobStore) -> dict[str, AnsweredFile]:
        """Put every file of a result where the hub looks; which blob each is."""
        files = sorted(one for one in result.rglob("*") if one.is_file())
        if not (result / RESULT).is_file():
            raise FailedError(
                "no-result",
                "The build ended without a result.",
                next_step="It is tried again later.",
            )
        # Anew: what lies there under a digest may be damaged, and whoever takes it hashes it.
        put = {str(one.relative_to(result)): inbox.put_file(one, anew=True) for one in files}
        return {path: AnsweredFile(blob.sha256, blob.size) for path, blob in put.items()}

    def _put_off(self, ordered: Ordered, bad: SealiftError) -> None:
        events.tell("jobs", "order-put-off", "warning", code=bad.code, what=bad.what)
        self.put_off[ordered.digest] = time.monotonic() + PUT_OFF
