"""The receipt of an import: the site's signed answer, made within the commit and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from sealift_signing import roles, statements
from sealift_signing.statements import Receipt, subject
from sealift_signing.vocabulary import moment
from sealift_sync.site.importing.accepting import Accepted
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.running.recheck import told_in_receipt
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.verifying.tuf_metadata import Visit
from sealift_sync.software import READS, software


def make_receipt(site: OpenSite, accepted: Accepted, when: datetime) -> bytes:
    """The envelope of the receipt for the transfer that was accepted.

    Within the commit: the log's entry of this import is already appended, and what the store has
    lost is remembered.
    """
    plan, visit, name = accepted.plan, accepted.visit, accepted.transfer.predicate.id
    said = Receipt(
        format=1,
        requires=(),
        organisation=site.enrolment.organisation,
        site=site.enrolment.site,
        enrolment=site.enrolment.id,
        transfer=name,
        made=moment(when),
        artifacts=tuple(one.outcome for one in plan.judged),
        inventory=tuple(sorted({one.sha256 for one in site.state.installed()})),
        lost=tuple(sorted(site.state.lost() | plan.lost)),
        running=_running(site),
        roles=visit.versions,
        trusted_time=moment(accepted.now),
        unprotected=unprotected(visit),
        overrides=(),
        software=software(),
        reads=READS,
        log=SiteLogReader(site.state.connection).checkpoint().note.decode(),
        more=told_in_receipt(site) or None,
    )
    about = subject(f"transfers/{name}", sha256(accepted.data).hexdigest())
    return statements.sign(said, [about], site.signer())


def unprotected(visit: Visit) -> tuple[str, ...]:
    """Why one person, or one stolen key, could promote alone; computed from what was verified."""
    walk = visit.walk
    return roles.unprotected(walk.root, walk.targets, visit.policy, sorted(visit.members))


def _running(site: OpenSite) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (group, model), one in site.state.current().items():
        found.setdefault(group, {})[model] = one.path.version
    return found
