"""The two logs as witnesses of each other, at the site's end.

A bundle carries the hub's checkpoint: a site remembers it, and a hub whose log shrank or split is
found out. It also carries the last checkpoint of the site's own log that the hub accepted: a site
that knows less than the hub was restored from a backup, and must not write a second history.
"""

from __future__ import annotations

from sealift_signing.errors import RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, claimed, hub_origin
from sealift_signing.tuf_walk import WentBackError
from sealift_sync.site.opened import Site
from sealift_sync.site.restored import check_holds
from sealift_sync.site.walking import Visit

HUB_CHECKPOINT = "hub-checkpoint"
ACKNOWLEDGED = "acknowledged"


def check_hub_log(site: Site, visit: Visit, note: bytes) -> Checkpoint:
    """The hub's checkpoint in `note`, signed by its log's key and not behind the last one seen.

    Raises:
        RefusedError: another log's, or signed by no key of that purpose.
        WentBackError: the hub's log shrank, or there are two of one size.
    """
    origin = hub_origin(site.enrolment.organisation)
    said = _verified(note, visit, origin)
    known = site.state.fact(HUB_CHECKPOINT)
    if known is None:
        return said
    seen = claimed(known)  # verified when it was kept
    if said.size < seen.size:
        raise WentBackError(
            "hub-log-went-back",
            f"The hub's log has {said.size} entries in this bundle; this site has seen "
            f"{seen.size}.",
            subject=origin,
            next_step="Use a newer bundle; if there is none, the hub lost part of its log.",
        )
    if said.size == seen.size and said.root != seen.root:
        raise WentBackError(
            "hub-log-forked",
            f"The hub's log has two histories of {said.size} entries: this bundle's is not the "
            "one this site has seen.",
            subject=origin,
            next_step="Keep this medium as evidence, and tell the organisation's auditors.",
        )
    return said


def check_own_log(site: Site, note: bytes | None) -> None:
    """Check that this site's log still holds what the hub accepted of it.

    Raises:
        RestoredError: it does not; the database is a restored backup, or another's.
    """
    if note is None:
        return
    check_holds(site.state, checkpoint.verify(note, site.key, site.origin), note)


def _verified(note: bytes, visit: Visit, origin: str) -> Checkpoint:
    keys = [PublicKey.parse(key.key) for key in visit.fleet.of("log")]
    refusal: RefusedError = RefusedError(
        "no-log-key",
        "The fleet's keys name none for the hub's log.",
        subject=origin,
        next_step="Have a fleet administrator add the log's key to fleet/keys.json.",
    )
    for key in keys:
        try:
            return checkpoint.verify(note, key, origin)
        except RefusedError as bad:
            refusal = bad
    raise refusal
