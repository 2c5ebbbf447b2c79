"""Step (9) of an import: all that it changes, in one transaction with its log entry."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import datetime
from hashlib import sha256

from sealift_signing import shape, statements
from sealift_signing.canonical import Json
from sealift_signing.errors import SealiftError
from sealift_signing.site_rules import raised_pins
from sealift_signing.statements import Receipt
from sealift_signing.transparency.entry import Term
from sealift_signing.vocabulary import instant, moment, sentence
from sealift_sync.site.importing.accepting import Accepted
from sealift_sync.site.importing.copying import adopt_copied
from sealift_sync.site.importing.making_receipt import make_receipt
from sealift_sync.site.importing.planning import Plan
from sealift_sync.site.log.restored_site import ACKNOWLEDGED
from sealift_sync.site.running.choices import ASSIGNMENT, Choices, Place
from sealift_sync.site.running.installed_parts import parts, record_lost
from sealift_sync.site.setup import software_told
from sealift_sync.site.setup.enrolment import ANSWER_CHECKED
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.check_results import rows_of, set_rows
from sealift_sync.site.state.records import Imported, Installed
from sealift_sync.site.verifying import log_witness, site_floors

MOST_TOLD = 20
"""Held artifacts that an entry names, of which the receipt names all; and remarks."""


def commit(site: OpenSite, accepted: Accepted) -> Receipt:
    """Make the import happen; returns the receipt.

    The blobs join the store a moment before: until the state names them they are not visible, and
    a crash in between leaves bytes that the next run hashes and uses.

    Raises:
        FailedError: it did not happen.
    """
    when = site.clock()
    adopt_copied(accepted.plan.copies, site.home)
    with site.state.transaction():
        _trust(site, accepted)
        _install(site, accepted, when)
        replaced = _keep_rows(site, accepted.plan)
        _remember(site, accepted.plan)
        site.record(site.entry("transfer.imported", _told(accepted), _terms(accepted)))
        receipt = make_receipt(site, accepted, when)
        name, digest = accepted.transfer.predicate.id, accepted.transfer.sha256
        site.state.add_imported(Imported(digest, name, when, receipt))
        software_told.remember_told(site)
    _sweep(site, replaced)
    return statements.read(Receipt, receipt, what="the receipt").predicate


def _trust(site: OpenSite, accepted: Accepted) -> None:
    state, visit, said = site.state, accepted.visit, accepted.transfer.predicate
    site_floors.raise_floors(
        state, visit.seen
    )  # before what was kept, which tells whose floors they are
    for kept in visit.kept:
        state.keep(kept)
    for recall in visit.recalls.recalls:
        state.add_recall(recall)
    for team, members in visit.members.items():
        for withdrawal in members.withdrawn:
            state.add_withdrawal(team, withdrawal)
    state.add_compromised(visit.compromised)
    rule = visit.policy.stages.get(site.enrolment.stage)
    pins = raised_pins(state.pins(site.enrolment.pins), rule, visit.walk.root, visit.walk.targets)
    state.set_fact("pins", shape.write(pins))
    state.set_fact("high-water", moment(_high_water(site, accepted)).encode())
    state.set_fact(ANSWER_CHECKED, b"1")
    log_witness.remember_hub_log(site, visit, said.log.encode())
    if said.site_log is not None:
        state.set_fact(ACKNOWLEDGED, said.site_log.encode())


def _high_water(site: OpenSite, accepted: Accepted) -> datetime:
    """The highest authenticated time, never beyond what the offline roles vouch for.

    Otherwise whoever steals an online key could push the site into the future, where everything
    has expired and nothing can be installed any more.
    """
    walk = accepted.visit.walk
    seen = site.state.high_water()
    made = instant(accepted.transfer.predicate.made)
    capped = min(made, walk.root.expires, walk.targets.expires)
    return capped if seen is None else max(seen, capped)


def _install(site: OpenSite, accepted: Accepted, when: datetime) -> None:
    before = {(i.group, i.path, i.sha256): i for i in site.state.installed()}
    name = accepted.transfer.predicate.id
    for one in accepted.plan.judged:
        if one.fate == "held":
            continue
        known = before.get((one.group, one.path, one.sha256))
        first = (known.transfer, known.installed_at) if known else (name, when)
        installed = Installed(one.group, one.path, one.sha256, one.despite, *first)
        site.state.add_installed(installed)
    site.state.set_fact(ASSIGNMENT, accepted.visit.assignment_bytes)
    site.state.clear_failures()
    _end_rollbacks(site)


def _keep_rows(site: OpenSite, plan: Plan) -> frozenset[str]:
    """By which rows each artifact is checked from now on; returns what was named and is no more.

    Where newer evidence brings none, the ones that are here still hold: nobody gets rid of a check
    by leaving something out.
    """
    before = rows_of(site.state)
    for artifact, rows in plan.rows.items():
        if before.get(artifact) != rows:
            set_rows(site.state, artifact, rows)
    now = {one.sha256 for rows in rows_of(site.state).values() for one in rows}
    return frozenset(one.sha256 for rows in before.values() for one in rows) - now


def _sweep(site: OpenSite, replaced: frozenset[str]) -> None:
    """Rows that nothing is checked by any more are somebody's data, and of no use here."""
    for digest in replaced - parts(site).keys() if replaced else ():
        with suppress(OSError, SealiftError):  # it is told as unused, and may go another time
            site.home.store.remove(digest)


def _remember(site: OpenSite, plan: Plan) -> None:
    """What the store was found to have lost of what is installed, and what it has whole again."""
    lost = plan.lost & set(parts(site)) if plan.lost else frozenset()
    record_lost(site, lost, site.state.lost() & {*plan.copies, *plan.reused})


def _end_rollbacks(site: OpenSite) -> None:
    """A rollback holds while the hub assigns the same version; another one for that model ends it.

    Other fallbacks do not: they say nothing of the version that people here went away from. Nor
    does one that is held, or that leaves the model out, for it changes nothing here.
    """
    choices = Choices(site.state, site.enrolment)
    for group, model in site.state.rollbacks():
        place = Place(group, model)
        if not (choices.held_back(place) or choices.goes_back(place)):
            site.state.clear_rollbacks(group, model)


def _told(accepted: Accepted) -> dict[str, Json]:
    said, judged = accepted.transfer.predicate, accepted.plan.judged
    held = [one for one in judged if one.fate == "held"]
    told: dict[str, Json] = {
        "transfer": said.id,
        "transfer_sha256": accepted.transfer.sha256,
        "assignment_sha256": sha256(accepted.visit.assignment_bytes).hexdigest(),
        "counts": dict(Counter(one.fate for one in judged)),
        "held": [
            {
                "group": one.group,
                "artifact": str(one.path),
                "sha256": one.sha256,
                "code": one.code,
                "words": sentence(one.words)[:200],
            }
            for one in held[:MOST_TOLD]
        ],
        "hub_log": said.log,
    }
    if remarks := accepted.visit.remarks:
        told["remarks"] = [sentence(one)[:500] for one in remarks[:MOST_TOLD]]
    return told


def _terms(accepted: Accepted) -> list[Term]:
    models = sorted({one.path.full_model for one in accepted.plan.judged})
    terms = [Term("transfer", accepted.transfer.predicate.id)]
    return terms + [Term("model", model) for model in models[:200]]
