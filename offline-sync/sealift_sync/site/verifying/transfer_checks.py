"""Step (5) of an import: transfer.json, for this site and enrolment, by its dispatcher.

What says itself that it is not for this site is refused before anything is verified: that needs no
proof, and the sentence is the right one. Nothing is believed of it before its signature is.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

from sealift_signing import clock, roles, statements
from sealift_signing.approvals import LARGEST_LEAD
from sealift_signing.documents import assignment_path
from sealift_signing.errors import MalformedError, NoKeyError, RefusedError
from sealift_signing.statements import CarriedFile, Signed, Transfer
from sealift_signing.vocabulary import instant, moment
from sealift_sync import check_rows
from sealift_sync.bundle import layout
from sealift_sync.site.setup.enrolment import ANSWER_CHECKED, check_answerer
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.verifying.log_witness import check_hub_log, check_own_log
from sealift_sync.site.verifying.tuf_metadata import Visit

WHAT = layout.TRANSFER


def check_unverified(site: OpenSite, transfer: Transfer) -> None:
    """Check what transfer.json says of itself, before anybody's signature was looked at.

    Raises:
        RefusedError: it is for another site, made by a hub without a clock, or not of our layout.
    """
    _check_address(site, transfer)
    _check_hubs_clock(transfer)
    for file in transfer.files:
        _check_name(file)
    _check_requires(transfer)


def _check_address(site: OpenSite, said: Transfer) -> None:
    known = site.enrolment
    if said.organisation != known.organisation:
        raise _misdirected(
            "another-organisation",
            f"This bundle belongs to another organisation ({said.organisation[:12]}), not to this "
            f"site's ({known.organisation[:12]}).",
            said.organisation,
        )
    if said.site != known.site:
        raise _misdirected(
            "another-site",
            f"This bundle is for the site {said.site}, not for {known.site}.",
            said.site,
        )
    if said.enrolment != known.id:
        raise _misdirected(
            "another-enrolment",
            f"This bundle is for another enrolment of {known.site} ({said.enrolment[:12]}) than "
            f"the present one ({known.id[:12]}).",
            said.enrolment,
        )


def _misdirected(code: str, what: str, subject: str) -> RefusedError:
    step = "Bring it where it belongs, and have one exported for this site."
    return RefusedError(code, what, subject=subject, next_step=step)


def check_transfer(site: OpenSite, visit: Visit, transfer: Signed[Transfer]) -> None:
    """Check the dispatcher's signature, the assignment it is about, date and id, and the two logs.

    With that signature the list is true too, by which every file was checked.

    Raises:
        RefusedError: the transfer is refused; the sentence names what is wrong.
    """
    said = transfer.predicate
    _check_dispatcher(site, visit, transfer)
    about = (assignment_path(said.site), sha256(visit.assignment_bytes).hexdigest())
    if len(transfer.subjects) != 1 or not transfer.about(*about):
        raise RefusedError(
            "transfer-of-another",
            f"{WHAT} is not about the assignment that this bundle carries, and that alone.",
            subject=about[0],
            next_step="Have the bundle exported again.",
        )
    if visit.assignment.enrolment != site.enrolment.id:
        raise _misdirected(
            "another-enrolment",
            f"The assignment is for another enrolment of {said.site} than the present one.",
            visit.assignment.enrolment,
        )
    _check_date(site, said)
    _check_id(site, transfer)
    check_hub_log(site, visit, said.log.encode())
    check_own_log(site, said.site_log.encode() if said.site_log else None)
    if site.state.fact(ANSWER_CHECKED) is None:
        check_answerer(site.enrolment, visit.walk.targets)


def _check_dispatcher(site: OpenSite, visit: Visit, transfer: Signed[Transfer]) -> None:
    fleet = visit.walk.role(roles.TARGETS, roles.FLEET)
    role = roles.site_role(site.enrolment.site)
    lost = visit.barred(role)
    for key in roles.keyholders(fleet, role).keys:
        if key.keyid == transfer.envelope.keyid and key.raw not in lost:
            statements.verify(transfer, key, what=WHAT)
            return
    raise NoKeyError(
        "transfer-not-by-dispatcher",
        f"{WHAT} is not signed by the dispatcher of {site.enrolment.site}.",
        subject=role,
        next_step="Do not use this medium; have the bundle exported again.",
    )


def _check_hubs_clock(said: Transfer) -> None:
    """All that such a hub signed has lapsed, which would say of each part that it is too old."""
    if not clock.is_possible(instant(said.made)):
        raise RefusedError(
            "hub-clock-wrong",
            f"This bundle was made when the clock of the hub said {said.made[:10]}, before Sealift "
            "was made.",
            subject=said.id,
            next_step="Have the hub's clock set, and the bundle exported again. Nobody needs to "
            "approve anything again.",
        )


def _check_date(site: OpenSite, said: Transfer) -> None:
    """A transfer from next year would carry this site's trusted time there."""
    now = site.trusted_time()
    lead: timedelta = instant(said.made) - now
    if lead > LARGEST_LEAD:
        raise RefusedError(
            "transfer-dated-ahead",
            f"This bundle is dated {said.made}; here it is {moment(now)}.",
            subject=said.id,
            next_step="Set the clock of this machine, and import the bundle again."
            if site.wrong_clock()
            else "One of the two clocks is wrong. If it is this machine's, set it and import the "
            "bundle again; if it is the hub's, have it set and the bundle exported again.",
        )


def _check_id(site: OpenSite, transfer: Signed[Transfer]) -> None:
    """Of two receipts for one id, the second would take the place of the first on its way home.

    The very one that was imported is no other: `verify` may look at its medium once more.
    """
    said, digest = transfer.predicate, transfer.sha256
    known = site.state.imported()
    if any(one.id == said.id and one.transfer_sha256 != digest for one in known):
        raise RefusedError(
            "transfer-id-again",
            f"Another transfer called {said.id} was imported before.",
            subject=said.id,
            next_step="Keep this medium, and have a bundle exported again; each has its own id.",
        )


def _check_requires(said: Transfer) -> None:
    """What came later stands under `requires`: older software must not pass over it."""
    rows = [file.path for file in said.files if file.path.startswith(f"{layout.CHECKS}/")]
    if rows and check_rows.FEATURE not in said.requires:
        raise MalformedError(
            "bad-transfer",
            f"{WHAT} lists {rows[0]}, and does not require {check_rows.FEATURE}.",
            subject=rows[0],
            next_step="Do not use this medium; have the bundle exported again.",
        )


def _check_name(file: CarriedFile) -> None:
    """What is used by the digest in its name must have that digest."""
    named = {
        layout.BLOBS: layout.blob_file,
        layout.CHECKS: layout.check_file,
        layout.STATEMENTS: layout.statement_file,
    }
    for folder, path in named.items():
        if not file.path.startswith(f"{folder}/") or file.path == path(file.sha256):
            continue
        raise MalformedError(
            "file-misnamed",
            f"{file.path} is listed with a digest that is not the one in its name.",
            subject=file.path,
            next_step="Do not use this medium; have the bundle exported again.",
        )
