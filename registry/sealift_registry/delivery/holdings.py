"""What a site holds, as its newest receipt says: what the next bundle may leave out.

Only what came home counts, never what was sent: a bundle may not have arrived.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.delivery import receipts, site_rows
from sealift_registry.delivery.sites import EnrolledSite
from sealift_signing.documents import Assignment
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import SHA256
from sealift_sync.artifact import LARGEST_MANIFEST, Artifact, read_manifest
from sealift_sync.blobs import BlobStore


@dataclass(frozen=True)
class Holdings:
    """What a site holds.

    Attributes:
        manifests: the digests of its inventory.
        blobs: what those consist of, less what the site has lost since. Files that travel in packs
            are here by themselves: a site keeps no packs.
        lost: what the site says it has no more, of all that those are and name.
        transfer: whose receipt says so; empty if none does.
        made: when that was made.
    """

    manifests: frozenset[str] = frozenset()
    blobs: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    transfer: str = ""
    made: str = ""


NOTHING = Holdings()


def holdings(
    connection: Connection,
    site: EnrolledSite,
    store: BlobStore,
    known: Mapping[str, Artifact] | None = None,
) -> Holdings:
    """What `site` holds, by the newest receipt of its present enrolment and its log since then.

    What cannot be told, it does not hold: a manifest that the hub has no more, a log entry that
    makes no sense. Manifests that are `known`, by their digest, are not read again.
    """
    receipt = receipts.newest(connection, site)
    if receipt is None:
        return NOTHING
    newest = receipt.predicate
    lost = _lost_since(connection, site, receipts.log_size(newest))
    if lost is None:
        return NOTHING
    there = _contents(store, newest.inventory, known or {})
    manifests = frozenset(newest.inventory)
    lost |= set(newest.lost)
    gone = frozenset(lost & (there | manifests))
    return Holdings(manifests, frozenset(there - lost), gone, newest.transfer, newest.made)


def missed(connection: Connection, site: EnrolledSite, store: BlobStore, wanted: Assignment) -> int:
    """How many blobs of what it is assigned `site` says it has lost; the next bundle brings them.

    What only an older version consists of is missed by nobody.
    """
    if not _says_lost(connection, site):  # most sites: then no manifest is read
        return 0
    lost = holdings(connection, site, store).lost
    if not lost:
        return 0
    return len(lost & needed(store, {one.sha256 for _, _, one in wanted.artifacts()}))


def needed(store: BlobStore, assigned: Collection[str]) -> set[str]:
    """The digests of all blobs that a site needs for artifacts of these manifests."""
    return {*assigned, *_contents(store, assigned, {})}


def _says_lost(connection: Connection, site: EnrolledSite) -> bool:
    """Whether the site says that it has lost anything, of whatever."""
    receipt = receipts.newest(connection, site)
    if receipt is None:
        return False
    newest = receipt.predicate
    return bool(newest.lost or _lost_since(connection, site, receipts.log_size(newest)))


def inventory(connection: Connection, site: EnrolledSite) -> frozenset[str]:
    """The digests of the manifests that `site` holds; no blob is looked at."""
    receipt = receipts.newest(connection, site)
    if receipt is None:
        return frozenset()
    newest = receipt.predicate
    unclear = _lost_since(connection, site, receipts.log_size(newest)) is None
    return frozenset() if unclear else frozenset(newest.inventory)


def _lost_since(connection: Connection, site: EnrolledSite, size: int) -> set[str] | None:
    """What the site's log says was lost after its first `size` entries; None if unclear."""
    told = site_rows.state_of(connection, site).lost
    lost: set[str] = set()
    for blobs in (blobs for seq, blobs in told.items() if seq >= size):
        if blobs is None:
            return None
        lost |= blobs
    return lost


def _contents(
    store: BlobStore, manifests: Collection[str], known: Mapping[str, Artifact]
) -> set[str]:
    """What a site keeps of artifacts; nothing of one whose manifest the hub has not.

    A site may name anything, and a model is never held in memory.
    """
    asked = [one for one in manifests if one not in known and SHA256.matches(one)]
    read = [known[one] for one in manifests if one in known]
    for manifest, data in store.read_all(asked, LARGEST_MANIFEST).items():
        with suppress(SealiftError):
            read.append(read_manifest(data, what=manifest))
    return {one.sha256 for artifact in read for one in artifact.contents}
