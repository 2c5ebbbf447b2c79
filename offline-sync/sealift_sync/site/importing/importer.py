"""The import of a bundle, in nine steps (docs/explanation/nine-steps.md).

    (1) recalls first, whatever else is wrong: what they stand on is read into memory
    (2) everything small is copied once into quarantine; from here on only the copy is read
    (3) the walk of TUF at trusted time
    (4) the floors
    (5) transfer.json: for this site and enrolment, by its dispatcher, every file as listed
    (6) the six conditions, for every host group and artifact
    (7) the plan: what is installed, kept, held; room for it
    (8) each blob hashed while it is copied
    (9) one commit: store, state, floors, trusted time, log entry, receipt

Nothing is visible before (9). Forged or damaged bytes refuse the transfer, and nothing changes but
one log entry; a recall that the medium brought is honoured all the same. Then links follow what was
committed, the hook and the health check run, and their outcome is a second entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from sealift_signing import events, statements
from sealift_signing.canonical import Json
from sealift_signing.documents import Recall
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.statements import Receipt, Transfer
from sealift_signing.transparency.entry import Term
from sealift_signing.vocabulary import TRANSFER_ID, sentence
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.quarantine import Quarantine, quarantine
from sealift_sync.durable import BeginPhase
from sealift_sync.site.importing.accepting import Accepted, accept, settle, unlisted_files
from sealift_sync.site.importing.committing import commit
from sealift_sync.site.importing.copying import (
    check_packs,
    check_present,
    check_room,
    clear_incoming,
    copy_blobs,
    hash_blobs,
    kept_for_later,
)
from sealift_sync.site.importing.finding_transfer import find_transfer
from sealift_sync.site.importing.old_disk import told_by_bundles
from sealift_sync.site.importing.replacing_lost import replace_lost
from sealift_sync.site.importing.stopping_recalled import RecallsTold, honour_recalls, recalls_on
from sealift_sync.site.log.restored_site import RestoredError
from sealift_sync.site.running.activation import Activation, activate
from sealift_sync.site.setup.open_site import OpenSite

NEXT_STEP = "Nothing of it was taken. Have the bundle copied or exported again."


@dataclass(frozen=True)
class Watch:
    """Whom an import tells what it does.

    Attributes:
        begin_phase: told of every long phase, and of its progress.
        plan: told of the plan before any big copy.
        recalled: told of recalls that the medium brought, and of what stopped.
    """

    begin_phase: BeginPhase
    plan: Callable[[Accepted, tuple[str, ...]], None]
    recalled: RecallsTold


@dataclass(frozen=True)
class Import:
    """How an import ended.

    Attributes:
        transfer: the transfer's id.
        receipt: what the site signed.
        already: the very same transfer was imported before; only what was lost was mended.
        activations: what was switched.
        stopped: what was switched before anything else, for a recall.
        mended: how many blobs such a transfer brought back.
        remarks: what people here should know of the roles' versions.
    """

    transfer: str
    receipt: Receipt
    already: bool
    activations: tuple[Activation, ...]
    stopped: tuple[Activation, ...] = ()
    mended: int = 0
    remarks: tuple[str, ...] = ()


def find_bundle(
    site: OpenSite, folder: Path, recalled: RecallsTold = lambda _recalls, _switched: None
) -> Medium:
    """The transfer for this site that `folder` is or holds, to be imported; see `find_transfer`.

    Where there is none, what `folder` recalls is honoured all the same, and `recalled` is told.

    Raises:
        NotFoundError: there is none.
        RefusedError: the medium is prepared to lead elsewhere; nothing changed but one log entry.
    """
    try:
        with site.aside():
            return find_transfer(folder, site.enrolment.site)
    except SealiftError as problem:
        with suppress(RefusedError, NotFoundError):  # what is wrong first is what is told
            honour_recalls(site, Medium(folder), recalled)
        if isinstance(problem, RefusedError):
            _log_refusal(site, problem, [])
        raise


def import_bundle(site: OpenSite, medium: Medium, watch: Watch) -> Import:
    """Import the bundle that is the folder `medium`.

    Raises:
        RefusedError: it is refused; nothing changed but one log entry.
        FailedError: something could not be read or written; the next run goes on from there.
    """
    stopped: list[Activation] = []

    def recalled(recalls: tuple[Recall, ...], switched: tuple[Activation, ...]) -> None:
        stopped.extend(switched)
        watch.recalled(recalls, switched)

    events.about(transfer=_claimed_by(medium))
    with _told_when_stopped(site):
        done = _take(site, medium, replace(watch, recalled=recalled))
        watch.begin_phase("activate", 0)  # a hook may take its time, and the copy is over
        events.about(transfer=done.transfer)
        switched = activate(site.as_set_now(), done.transfer)
        return replace(done, activations=switched, stopped=tuple(stopped))


def _take(site: OpenSite, medium: Medium, watch: Watch) -> Import:
    """Steps (1) to (9)."""
    claimed: list[Term] = []
    with _told_to_log(site, medium, claimed):
        recalls = honour_recalls(site, medium, watch.recalled)  # (1)
        site.reserve.take_back()  # for whoever goes back while this medium is copied
        with (
            _quarantined(site, medium) as bundle,
            _noting(bundle, claimed),  # (2)
            told_by_bundles(site, bundle),
        ):
            return _copied(site, bundle, recalls, medium, watch)


def _copied(
    site: OpenSite,
    bundle: Quarantine,
    recalls: tuple[Recall, ...],
    medium: Medium,
    watch: Watch,
) -> Import:
    """Steps (3) to (9), of what is in quarantine."""
    done = _imported_before(site, bundle)
    if done is None:
        done = _install(site, bundle, recalls, medium, watch)
    else:
        done = replace(done, mended=replace_lost(site, bundle, medium, watch.begin_phase))
    clear_incoming(site.home)
    return done


def verify_bundle(site: OpenSite, medium: Medium, watch: Watch) -> Accepted:
    """Steps (1) to (7), and every blob hashed where it lies; nothing is kept.

    Raises:
        RefusedError: an import would refuse it.
        FailedError: there is no room here for what an import would copy.
    """
    recalls = recalls_on(site, medium)
    with (
        _as_refusal(),
        _quarantined(site, medium) as bundle,
        told_by_bundles(site, bundle),
    ):
        if recalls:
            watch.recalled(recalls, ())
        accepted = accept(site, bundle, recalls)
        watch.plan(accepted, unlisted_files(bundle, accepted.transfer.predicate))
        with site.aside():
            check_present(accepted.plan, medium)
            check_room(accepted.plan.copies, site.home)
            hash_blobs(accepted.plan, medium, watch.begin_phase)
            accepted = settle(site, accepted, watch.begin_phase)
            check_room(accepted.plan.copies, site.home)
            check_packs(accepted.plan.packs, medium, watch.begin_phase)
            return accepted


def _install(
    site: OpenSite,
    bundle: Quarantine,
    recalls: tuple[Recall, ...],
    medium: Medium,
    watch: Watch,
) -> Import:
    """Steps (3) to (9). Others may work here during (8), so that (3) to (7) are done once more."""
    now = site.clock()  # of all of it (TUF 5.1): nothing expires because a medium is slow
    then = replace(site, clock=lambda: now)
    accepted = accept(then, bundle, recalls)  # (3) to (7)
    try:
        watch.plan(accepted, unlisted_files(bundle, accepted.transfer.predicate))
        accepted = _gathered(then, bundle, accepted, recalls, medium, watch.begin_phase)  # (8)
    except FailedError:
        raise  # what is copied stays: the next run hashes it again and goes on
    except SealiftError:
        clear_incoming(site.home)
        raise
    receipt = commit(site, accepted)  # (9)
    remarks = accepted.visit.remarks
    return Import(receipt.transfer, receipt, already=False, activations=(), remarks=remarks)


def _gathered(
    site: OpenSite,
    bundle: Quarantine,
    accepted: Accepted,
    recalls: tuple[Recall, ...],
    medium: Medium,
    begin_phase: BeginPhase,
) -> Accepted:
    """`accepted`, as it is accepted once all that it needs is hashed, in the store or beside it."""
    while True:
        known = site.state.lost()
        with site.aside():
            check_present(accepted.plan, medium)
            check_room(accepted.plan.copies, site.home)
            ready = settle(site, accepted, begin_phase).plan
            check_room(ready.copies, site.home)
            copy_blobs(ready.copies, ready.packs, ready.paths, medium, site.home, begin_phase)
        # What `fsck` found meanwhile is newer than what was hashed here. Of what was lost before it
        # finds nothing new: that is whole again where it is hashed now.
        lost = site.state.lost()
        damaged = (lost - known) | {
            one for one in ready.reused & lost if site.home.store.fault(one)
        }
        accepted = accept(site, bundle, recalls, ready.damaged | damaged)
        if ready.provides(accepted.plan):
            site.as_set_now()  # where the settings were spoiled meanwhile, nothing is changed
            return accepted
        events.tell("import", "import-retried", "warning", transfer=accepted.transfer.predicate.id)


def _imported_before(site: OpenSite, bundle: Quarantine) -> Import | None:
    """The same transfer.json again is no error, even when it has expired since."""
    digest = sha256(bundle.read(layout.TRANSFER)).hexdigest()
    for one in site.state.imported():
        if one.transfer_sha256 == digest:
            receipt = statements.read(Receipt, one.receipt, what=f"the receipt for {one.id}")
            return Import(one.id, receipt.predicate, already=True, activations=())
    return None


@contextmanager
def _told_when_stopped(site: OpenSite) -> Iterator[None]:
    """Whoever presses Ctrl-C learns what was done by then, as the state has it."""
    recalls, imported = len(site.state.every_recall()), len(site.state.imported())
    try:
        yield
    except KeyboardInterrupt as stop:
        if len(site.state.every_recall()) > recalls:
            stop.add_note("The recalls on the medium are remembered.")
        done = site.state.imported()
        if len(done) > imported:
            stop.add_note(f"{done[-1].id} is imported; not all of it may run yet.")
        elif kept := kept_for_later(site.home):
            stop.add_note(kept)
        raise


@contextmanager
def _quarantined(site: OpenSite, medium: Medium) -> Iterator[Quarantine]:
    try:
        with site.aside():
            bundle = quarantine(medium, site.home.quarantine)
        yield bundle
    finally:
        with suppress(FileNotFoundError):
            remove_quarantine(site)


def remove_quarantine(site: OpenSite) -> None:
    """Throw away the copy that was judged."""
    Quarantine(site.home.quarantine, frozenset()).close()


@contextmanager
def _as_refusal() -> Iterator[None]:
    """A part that is missing refuses the transfer, like one that is wrong."""
    try:
        yield
    except FailedError:
        raise
    except SealiftError as bad:
        bad.next_step = bad.next_step or NEXT_STEP
        if isinstance(bad, RefusedError):
            raise
        raise RefusedError(
            bad.code, bad.what, subject=bad.subject, next_step=bad.next_step
        ) from bad


@contextmanager
def _told_to_log(site: OpenSite, medium: Medium, claimed: list[Term]) -> Iterator[None]:
    """A refusal is one entry of the log, and an entry that cannot be written is an error.

    The medium is not read for it: it may answer never, or otherwise than before.
    """
    try:
        with _as_refusal():
            yield
    except RestoredError:
        raise  # it is remembered, and a second history is not begun with this
    except RefusedError as refusal:
        _log_refusal(site, refusal, claimed or _named(medium))
        raise


def _log_refusal(site: OpenSite, refusal: RefusedError, terms: list[Term]) -> None:
    data: dict[str, Json] = {
        "code": refusal.code,
        "what": sentence(refusal.what),
        "subject": sentence(refusal.subject)[:500],
    }
    with site.state.transaction():
        site.record(site.entry("transfer.refused", data, terms))


@contextmanager
def _noting(bundle: Quarantine, claimed: list[Term]) -> Iterator[None]:
    """What a refused bundle calls itself is noted, to be found again; nothing of it is believed."""
    try:
        yield
    except SealiftError:
        with suppress(SealiftError):
            data = bundle.read(layout.TRANSFER)
            said = statements.read(Transfer, data, what=layout.TRANSFER)
            claimed.append(Term("transfer", said.predicate.id))
        raise


def _named(medium: Medium) -> list[Term]:
    return [Term("transfer", name)] if (name := _claimed_by(medium)) else []


def _claimed_by(medium: Medium) -> str | None:
    """The transfer that a folder calls itself; nothing of it is believed."""
    return medium.name if TRANSFER_ID.matches(medium.name) else None
