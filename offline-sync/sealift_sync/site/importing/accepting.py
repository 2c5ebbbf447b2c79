"""Steps (3) to (7) of an import: from a quarantined copy to a plan. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sealift_signing import statements
from sealift_signing.documents import Recall
from sealift_signing.site_rules import brought_back
from sealift_signing.statements import Signed, Transfer
from sealift_sync.bundle import layout
from sealift_sync.bundle.quarantine import Quarantine
from sealift_sync.durable import BeginPhase
from sealift_sync.site.importing.copying import hash_reused
from sealift_sync.site.importing.planning import Plan, make_plan
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.verifying.root_chain import check_root_chain
from sealift_sync.site.verifying.six_conditions import Judge, Judged
from sealift_sync.site.verifying.transfer_checks import check_transfer, check_unverified
from sealift_sync.site.verifying.tuf_metadata import Visit, Walker


@dataclass(frozen=True)
class Accepted:
    """A bundle that was found good.

    Attributes:
        transfer: what it says.
        visit: what was found on the way there.
        judged: what becomes of every assigned artifact.
        plan: what will be done.
        now: what the site took the time to be.
    """

    transfer: Signed[Transfer]
    visit: Visit
    judged: tuple[Judged, ...]
    plan: Plan
    now: datetime

    @property
    def data(self) -> bytes:
        """The bytes of transfer.json."""
        return self.transfer.envelope.data


def accept(
    site: OpenSite,
    bundle: Quarantine,
    recalls: tuple[Recall, ...],
    damaged: frozenset[str] = frozenset(),
) -> Accepted:
    """Judge the quarantined `bundle`.

    Args:
        site: where it is to be imported.
        bundle: its copy.
        recalls: those that this medium itself brought.
        damaged: blobs of the store that were hashed, and are not whole.

    Raises:
        RefusedError: the transfer is refused; the sentence names what is wrong.
        NotFoundError: a part of it is missing.
    """
    data = bundle.read(layout.TRANSFER)
    transfer = statements.read(Transfer, data, what=layout.TRANSFER)
    listed = {file.path: file for file in transfer.predicate.files}
    check_unverified(site, transfer.predicate)
    check_root_chain(bundle, site.state.roots())  # a gap says more than a file that is missing
    bundle.check_listed(listed)  # before any signature: a copy that was cut or damaged is named
    now = site.trusted_time()
    walker = Walker(bundle, site.state, now, listed.keys())
    visit = walker.visit(site.enrolment.site)  # (3) the walk and (4) the floors
    pins = brought_back(site.state.pins(site.enrolment.pins))
    visit = replace(visit, remarks=(*visit.remarks, *pins))
    check_transfer(site, visit, transfer)  # (5) transfer.json
    judged = Judge(bundle, site, visit, recalls).all()  # (6) the six conditions
    plan = make_plan(judged, transfer.predicate, site.home.store, damaged)  # (7) the plan
    return Accepted(transfer, visit, judged, plan, now)


def settle(site: OpenSite, accepted: Accepted, begin_phase: BeginPhase) -> Accepted:
    """`accepted` with every blob hashed that it takes from the store, and planned anew if need be.

    What turns out damaged is copied from the medium, if it is there; else what needs it is held.
    """
    store, said = site.home.store, accepted.transfer.predicate
    hashed = accepted.plan.reused
    damaged = hash_reused(hashed, store, begin_phase)
    while damaged:
        every = accepted.plan.damaged | damaged
        accepted = replace(accepted, plan=make_plan(accepted.judged, said, store, every))
        # Somebody may have put back by hand what was not there at first.
        new = accepted.plan.reused - hashed
        damaged = hash_reused(new, store, begin_phase) if new else frozenset()
        hashed |= new
    return accepted


def unlisted_files(bundle: Quarantine, transfer: Transfer) -> tuple[str, ...]:
    """What lies there and nobody signed for: each file, and each folder with a slash at its end."""
    listed = {file.path for file in transfer.files} | {layout.TRANSFER}
    return tuple(sorted(name for name in bundle.names if name not in listed))
