"""The two logs as witnesses of each other, at the site's end.

A bundle carries the hub's checkpoint: a site remembers it, by the key that signed it, and a hub
whose log shrank or split is found out. It also carries the last checkpoint of the site's own log
that the hub accepted: a site that knows less than the hub was restored from a backup, and must not
write a second history.
"""

from __future__ import annotations

from contextlib import suppress

from sealift_signing.documents import MachineKey
from sealift_signing.errors import RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, claimed, hub_origin
from sealift_signing.tuf_walk import WentBackError
from sealift_sync.site.log.restored_site import check_holds
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.verifying.tuf_metadata import Visit

HUB_CHECKPOINT = "hub-checkpoint"


def check_hub_log(site: OpenSite, visit: Visit, note: bytes) -> None:
    """Check that `note` is signed by the log's key and not behind what this site has seen of it.

    A stolen key of the log can sign any size. So what was seen counts by the key that signed it,
    and a new key starts where the fleet's administrator said; where nothing is said, it starts
    behind all that was seen.

    Raises:
        RefusedError: another log's, or signed by no key of that purpose.
        WentBackError: the hub's log shrank, or there are two of one size.
    """
    origin = hub_origin(site.enrolment.organisation)
    key, said = _verified(note, visit, origin)
    known = seen_by_key(site, visit)
    if key.key in known or key.starts is None:
        least = known.get(key.key) or max(known.values(), key=lambda one: one.size, default=None)
        _check_not_behind(said, least, origin)
    if key.starts is not None and said.size < key.starts.size:
        raise _behind(said, key.starts.size, origin)


def seen_by_key(site: OpenSite, visit: Visit) -> dict[str, Checkpoint]:
    """What this site has seen of the hub's log, by the key that signed it."""
    found = {key: claimed(note) for key, note in site.state.hub_checkpoints().items()}
    before = site.state.fact(HUB_CHECKPOINT)
    if before is not None:  # as an earlier release kept it: the last one, whoever signed it
        key = _signer(before, visit, hub_origin(site.enrolment.organisation))
        found.setdefault(key, claimed(before))
    return found


def remember_hub_log(site: OpenSite, visit: Visit, note: bytes) -> None:
    """Within the commit of a visit: this site has seen `note`, which was checked."""
    origin = hub_origin(site.enrolment.organisation)
    before = site.state.fact(HUB_CHECKPOINT)
    if before is not None:
        site.state.set_hub_checkpoint(_signer(before, visit, origin), before)
        site.state.clear_fact(HUB_CHECKPOINT)
    key, _ = _verified(note, visit, origin)
    site.state.set_hub_checkpoint(key.key, note)


def _check_not_behind(said: Checkpoint, seen: Checkpoint | None, origin: str) -> None:
    if seen is None:
        return
    if said.size < seen.size:
        raise _behind(said, seen.size, origin)
    if said.size == seen.size and said.root != seen.root:
        raise WentBackError(
            "hub-log-forked",
            f"The hub's log has two histories of {said.size} entries: this bundle's is not the "
            "one this site has seen.",
            subject=origin,
            next_step="Keep this medium as evidence, and tell the organisation's auditors.",
        )


def _behind(said: Checkpoint, least: int, origin: str) -> WentBackError:
    return WentBackError(
        "hub-log-went-back",
        f"The hub's log has {said.size} entries in this bundle; by the key that signs it now it "
        f"has at least {least}.",
        subject=origin,
        next_step="Use a newer bundle; if there is none, the hub lost part of its log, or somebody "
        "counted far ahead with its key: then have that key replaced at the hub.",
    )


def check_own_log(site: OpenSite, note: bytes | None) -> None:
    """Check that this site's log still holds what the hub accepted of it.

    Raises:
        RestoredError: it does not; the database is a restored backup, or another's.
    """
    if note is None:
        return
    check_holds(site.state, checkpoint.verify(note, site.key, site.origin), note)


def _verified(note: bytes, visit: Visit, origin: str) -> tuple[MachineKey, Checkpoint]:
    """What `note` says, and the key of the fleet that signed it."""
    refusal: RefusedError = RefusedError(
        "no-log-key",
        "None of the fleet's keys is the key of the hub's log.",
        subject=origin,
        next_step="Have a fleet administrator add the log's key to fleet/keys.json.",
    )
    # Of a key that is retired nothing new comes: who has it still shows a log of long ago.
    for key in (one for one in visit.fleet.of("log") if one.status == "active"):
        try:
            return key, checkpoint.verify(note, PublicKey.parse(key.key), origin)
        except RefusedError as bad:
            refusal = bad
    raise refusal


def _signer(note: bytes, visit: Visit, origin: str) -> str:
    """The text of the key that signed a note which was verified once; empty if it is forgotten."""
    for key in visit.fleet.keys:
        with suppress(RefusedError):
            checkpoint.verify(note, PublicKey.parse(key.key), origin)
            return key.key
    return ""
