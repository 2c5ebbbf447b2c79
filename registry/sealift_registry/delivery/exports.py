"""Writing a bundle for a site: everything it needs and does not have already.

An export may be cut at any moment. Its transfer is begun with an entry of intent, and recorded with
one of completion, after everything was read back and before the bundle has its name. The same
command again goes on from wherever the first one was: it takes up what was begun, or gives what was
recorded its name, or finds the bundle there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, insert

from sealift_registry.delivery import (
    export_locks,
    site_records,
    tables,
    transfer_hosts,
    transfers,
    unsigned_transfers,
)
from sealift_registry.delivery.export_locks import Holding, OvertakenError
from sealift_registry.delivery.finishing import (
    check_enrolment,
    check_kept,
    dispatchers,
    entry,
    record_bundle,
    survey,
)
from sealift_registry.delivery.preparing import Order, Ready, prepare, renewed
from sealift_registry.delivery.sites import EnrolledSite
from sealift_registry.delivery.transfer_statement import TransferSigner, ask_of, written
from sealift_registry.delivery.unsigned_transfers import begun_by_this_job
from sealift_registry.trust.hub import Hub
from sealift_signing import events
from sealift_signing.canonical import Json
from sealift_signing.drafts import Draft, envelopes
from sealift_signing.errors import (
    FailedError,
    SealiftError,
)
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import CarriedFile, Transfer
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import CatalogPath, moment
from sealift_sync.bundle import fitting, layout, partial, speed
from sealift_sync.bundle.fitting import Space
from sealift_sync.bundle.speed import Speed
from sealift_sync.bundle.writer import (
    GONE_WRONG,
    finish_bundle,
    lies_whole,
    write_bundle,
    write_unsigned,
)
from sealift_sync.durable import BeginPhase

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Write(Protocol[T_co]):
    """Writes what is ready as a transfer."""

    def __call__(
        self,
        ready: Ready,
        transfer: str,
        warnings: tuple[str, ...],
        holding: Holding,
        *,
        again: bool,
    ) -> T_co:
        """The outcome; `again` where an earlier run is gone on with."""
        ...


@dataclass(frozen=True)
class Exported:
    """A bundle that was written whole and read back.

    Attributes:
        files: how many, transfer.json among them.
        size: their bytes, without it.
        ready: what it rests on.
        again: an earlier run was gone on with.
        warnings: what somebody should know.
    """

    transfer: str
    folder: Path
    files: int
    size: int
    ready: Ready
    again: bool
    warnings: tuple[str, ...]

    @property
    def artifacts(self) -> tuple[CatalogPath, ...]:
        """What it carries, or the site has."""
        return self.ready.load.artifacts

    @property
    def unprotected(self) -> tuple[str, ...]:
        """Why one person alone could have made it."""
        return self.ready.unprotected


@dataclass(frozen=True)
class DraftedBundle:
    """A bundle that was written and read back, all but the transfer.json, which is to be signed.

    Attributes:
        files: how many, transfer.json among them.
        size: their bytes, without it.
        ready: what it rests on.
        warnings: what somebody should know.
    """

    transfer: str
    draft: Draft
    files: int
    size: int
    ready: Ready
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ExportPlan:
    """What an export would do now.

    Attributes:
        files: how many, transfer.json among them.
        size: their bytes, without it.
        space: what the medium takes.
        needed: the bytes of the medium that are taken up.
        misfits: why it cannot be written; empty where it can.
        speed: of the medium, measured; None where nothing could be written there.
        seconds: how long writing and reading back takes at that speed.
    """

    files: int
    size: int
    ready: Ready
    space: Space
    needed: int
    misfits: tuple[FailedError, ...]
    speed: Speed | None
    seconds: float | None


class Exports:
    """The use cases."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def plan(
        self,
        name: str,
        medium: Path,
        *,
        full: bool = False,
        any_software: bool = False,
        anew: bool = False,
    ) -> ExportPlan:
        """What exporting for site `name` to `medium` would do; nothing is written.

        Raises:
            NotFoundError, RefusedError: as `export`.
        """
        order = Order(name, medium, None, full, any_software, anew)
        space = survey(medium, name)
        ready = prepare(self._hub, order)
        sizes = ready.load.contents.sizes
        misfits = fitting.misfits(sizes, space, medium)
        measured = speed.measure(medium)
        size, files = sum(sizes.values()), len(sizes) + 1
        seconds = measured.seconds(size, files) if measured else None
        needed = space.takes(sizes)
        return ExportPlan(files, size, ready, space, needed, misfits, measured, seconds)

    def export(
        self,
        name: str,
        medium: Path,
        hand: TransferSigner,
        begin_phase: BeginPhase,
        *,
        full: bool = False,
        any_software: bool = False,
        anew: bool = False,
    ) -> Exported:
        """Write a bundle for site `name` to `medium`, signed by `hand`, its dispatcher.

        It leaves out the blobs that the site has by its newest receipt; `full` leaves out none.
        With `any_software` it may need what the site's software does not read, by the site's word.
        `anew` goes on with no earlier run.

        Raises:
            NotFoundError: no such site, or nothing assigned to it.
            RefusedError: a role has expired, the key is not the dispatcher's, the gate refuses,
                the site's software would not read it, or another host is to go on with it.
            FailedError: another export writes there, the bundle does not fit, or the medium did
                not keep what was written.
        """
        order = Order(name, medium, hand.key, full, any_software, anew)

        def write(
            ready: Ready,
            transfer: str,
            warnings: tuple[str, ...],
            holding: Holding,
            *,
            again: bool,
        ) -> Exported:
            folder, files = self._write(order, ready, transfer, hand, begin_phase, holding)
            return _exported(transfer, folder, files, ready, again=again, warnings=warnings)

        return self._ordered(order, begin_phase, write, hand)

    def draft(
        self,
        name: str,
        medium: Path,
        begin_phase: BeginPhase,
        *,
        full: bool = False,
        any_software: bool = False,
        anew: bool = False,
    ) -> DraftedBundle | Exported:
        """Write all of a bundle but its transfer.json, and draft that; else as `export`.

        Returns the bundle itself where it was signed and recorded already.
        """
        order = Order(name, medium, None, full, any_software, anew)

        def write(
            ready: Ready,
            transfer: str,
            warnings: tuple[str, ...],
            holding: Holding,
            *,
            again: bool,
        ) -> DraftedBundle:
            del again, holding
            return self._write_unsigned(order, ready, transfer, begin_phase, warnings)

        def waits(ready: Ready) -> DraftedBundle | None:
            return self._waiting(order, ready, begin_phase)

        return self._ordered(order, begin_phase, write, waits=waits)

    def _ordered(
        self,
        order: Order,
        begin_phase: BeginPhase,
        write: Write[T],
        hand: TransferSigner | None = None,
        waits: Callable[[Ready], T | None] = lambda _: None,
    ) -> T | Exported:
        events.about(site=order.site)
        space, words = survey(order.medium, order.site), f"for site {order.site}"
        database = self._hub.database
        with export_locks.medium(database, space.identity, order.medium, words) as holding:
            return self._export(order, begin_phase, write, hand, waits, holding)

    def _export(
        self,
        order: Order,
        begin_phase: BeginPhase,
        write: Write[T],
        hand: TransferSigner | None,
        waits: Callable[[Ready], T | None],
        holding: Holding,
    ) -> T | Exported:
        space = survey(order.medium, order.site)
        ready = prepare(self._hub, order)
        if hand is not None:
            hand.check(ready.draft, ask_of(ready.draft))  # before anything is written
        told: list[str] = []
        if ready.same is not None:
            holding.take(ready.same.id)  # so that its file goes, if its process was killed
        done = self._finished(order, ready, begin_phase, told) or waits(ready)
        if done is not None:
            return done
        if ready.same is not None and ready.same.body is not None:
            holding.let_go(ready.same.id)  # another one follows: were this cut, its file would stay
        self._replaced(ready, told)
        fitting.check(ready.load.contents.sizes, space, order.medium)
        with self._transfer(ready, order, holding) as (transfer, again):
            # Again: it may have been assigned otherwise meanwhile.
            now = prepare(self._hub, order, transfer, ready)
            check_enrolment(ready.site, now.site)
            fitting.check_same(order.medium, space)
            self._sweep(order, keep=transfer)
            return write(now, transfer, (*told, *now.lapsed), holding, again=again)

    # ------------------------------------------------------------------ going on

    def _finished(
        self, order: Order, ready: Ready, begin_phase: BeginPhase, told: list[str]
    ) -> Exported | None:
        """The bundle that an earlier run recorded and was cut before it could say so."""
        same = ready.same
        said = same.statement if same else None
        if not (same and same.body and said and self._says_the_same(ready, said)):
            return None
        events.about(transfer=same.id)
        try:
            folder = finish_bundle(order.medium, same.id, same.body, said.files, begin_phase)
        except SealiftError as bad:
            if bad.code not in GONE_WRONG:
                raise
            events.tell("export", "export-retried", "warning", transfer=same.id, code=bad.code)
            told.append(
                f"{same.id} was recorded, and what is on the medium of it is not whole: "
                f"{bad.what} It is written anew, as another transfer."
            )
            return None
        if folder is None:
            return None
        unsigned_transfers.forget(self._hub, same.id)  # an earlier run was killed before it did
        self._hub.copy_metadata()  # as above
        warnings = (*told, *ready.lapsed)
        return _exported(same.id, folder, said.files, ready, again=True, warnings=warnings)

    def _waiting(self, order: Order, ready: Ready, begin_phase: BeginPhase) -> DraftedBundle | None:
        """What waits on this medium to be signed, as it was drafted: where it is still what is so.

        The dispatcher's signature on the draft that is out finishes it, whichever copy they signed.
        """
        found = unsigned_transfers.kept(self._hub, ready.same.id) if ready.same else None
        if found is None or not self._says_the_same(ready, found.transfer):
            return None
        files = found.transfer.files
        events.about(transfer=found.transfer.id)
        if not lies_whole(order.medium, found.transfer.id, files, begin_phase):
            return None
        size = sum(file.size for file in files)
        again = f"{found.transfer.id} waits there already, and this is the same draft again."
        told = () if begun_by_this_job(self._hub, found.transfer.id) else (again,)
        return DraftedBundle(found.transfer.id, found.draft, len(files) + 1, size, ready, told)

    def _replaced(self, ready: Ready, told: list[str]) -> None:
        """Say what waits elsewhere, or otherwise, and is of no use once this is written."""
        with self._hub.reading() as connection:
            found = unsigned_transfers.newest(self._hub, connection, ready.site)
        if found is not None:
            told.append(
                f"{found.transfer.id}, drafted {found.transfer.made} on {found.medium}, is "
                "replaced by this: what is signed of that draft is of no use."
            )
        told.extend(transfer_hosts.replaced(self._hub, ready.newest, ready.site))

    def _says_the_same(self, ready: Ready, said: Transfer) -> bool:
        with self._hub.reading() as connection:
            known = site_records.note(connection, ready.site)
        return ready.load.same_as(said) and said.site_log == known

    @contextmanager
    def _transfer(self, ready: Ready, order: Order, holding: Holding) -> Iterator[tuple[str, bool]]:
        """The transfer to write, an unfinished one or a new one, and no other process's meanwhile.

        Whoever stops it is told that it can be gone on with.
        """
        begun = None
        try:
            begun = self._taken_up(ready, order.medium, order.key, holding)
            transfer = begun or self._begin(ready.site, order, holding)
            events.about(transfer=transfer)
            self._hub.copy_metadata()
            yield transfer, begun is not None
        except KeyboardInterrupt as cut:
            if begun or any(one.type == transfers.BEGUN for one in self._hub.log.kept):
                cut.add_note(
                    f"The transfer is begun, and what is written of it on {order.medium} is kept: "
                    "the same command goes on from there."
                )
            raise

    def _taken_up(
        self, ready: Ready, medium: Path, key: PublicKey | None, holding: Holding
    ) -> str | None:
        """The unfinished transfer of a run that was cut short; None if there is none.

        Where something has its name already (a hub that was restored from a backup gives numbers
        again) it could never be written.
        """
        same = ready.same
        if same is None or same.body is not None:
            return None
        if key is None and unsigned_transfers.kept(self._hub, same.id):
            return None  # signed for, what is written now would be of no use: two drafts, one name
        if os.path.lexists(medium / layout.SEALIFT / same.id) or not holding.take(same.id):
            return None
        with self._hub.reading() as connection:
            now = transfers.newest(connection, ready.site)
        return same.id if now == same else None

    def _sweep(self, order: Order, keep: str) -> None:
        """Take away what earlier exports to this site left half-written on the medium."""
        for one in partial.unfinished(order.medium, order.site):
            if one != keep:
                partial.remove(partial.folder(order.medium, one))

    # ------------------------------------------------------------------ writing

    def _begin(self, site: EnrolledSite, order: Order, holding: Holding) -> str:
        """Give the transfer its number, and sign freshness that lasts for its journey."""
        key = order.key
        said: dict[str, Json] = {"any_software": True} if order.any_software else {}

        def ours() -> str:
            with self._hub.reading() as connection:
                return transfers.next_id(connection, site)[1]

        # Before anybody can see it: an unfinished transfer without a lock is taken up. And before
        # the writers' lock, which nobody is to wait for while we ask for this one.
        held = holding.take_next(ours)

        def action(connection: Connection) -> tuple[Entry, str]:
            number, made = transfers.next_id(connection, site)
            if made != held:
                raise OvertakenError
            row = {"site": site.id, "number": number, "id": made, "enrolment": site.enrolment}
            row |= {"begun": moment(self._hub.now()), **transfer_hosts.columns(self._hub)}
            connection.execute(insert(tables.transfer).values(**row))
            self._hub.publish(connection, renewed(self._hub, connection))
            actor = dispatchers(connection, site).get(key.keyid, key.text) if key else "hub"
            return entry(self._hub, transfers.BEGUN, made, site, actor, said), made

        try:
            return self._hub.commit(action).result
        except OvertakenError:  # another began it, and ended, after we had asked which is next
            holding.let_go(held)
            return self._begin(site, order, holding)

    def _write(
        self,
        order: Order,
        ready: Ready,
        transfer: str,
        hand: TransferSigner,
        begin_phase: BeginPhase,
        holding: Holding,
    ) -> tuple[Path, tuple[CarriedFile, ...]]:
        files: list[CarriedFile] = []

        def sign(found: tuple[CarriedFile, ...]) -> bytes:
            files.extend(found)
            draft = written(ready.draft, found, self._hub.now())
            (envelope,) = envelopes(hand.sign(draft, ask_of(draft)).parts[0])
            return envelope

        def record(body: bytes) -> None:
            check_kept(holding, order.medium, transfer, tuple(files), begin_phase)
            record_bundle(self._hub, ready.site, body, order.medium, at_hub=True)

        folder = write_bundle(
            ready.load.contents, order.medium, transfer, sign, begin_phase, record
        )
        return folder, tuple(files)

    def _write_unsigned(
        self,
        order: Order,
        ready: Ready,
        transfer: str,
        begin_phase: BeginPhase,
        warnings: tuple[str, ...],
    ) -> DraftedBundle:
        files = write_unsigned(ready.load.contents, order.medium, transfer, begin_phase)
        draft = written(ready.draft, files, self._hub.now())
        unsigned_transfers.keep(self._hub, order.medium, draft)
        size = sum(file.size for file in files)
        return DraftedBundle(transfer, draft, len(files) + 1, size, ready, warnings)


def _exported(
    transfer: str,
    folder: Path,
    files: tuple[CarriedFile, ...],
    ready: Ready,
    *,
    again: bool,
    warnings: tuple[str, ...],
) -> Exported:
    size = sum(file.size for file in files)
    return Exported(transfer, folder, len(files) + 1, size, ready, again, warnings)
