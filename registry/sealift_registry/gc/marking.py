"""Which blobs are needed, and what for: all that rows, drafts and jobs name.

What is not named here goes. So whoever comes to name blobs anywhere else adds it here; and what
cannot be read ends the work, since nobody knows what it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry import blob_fsck
from sealift_registry.catalog import discards
from sealift_registry.delivery.unsigned_transfers import FOLDER
from sealift_registry.gc import old_jobs, uses
from sealift_registry.trust.hub import Hub
from sealift_signing import disk
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import counted
from sealift_sync.blobs import unreadable

WORDS: Mapping[str, str] = {
    "file": "files of versions",
    "manifest": "their manifests",
    "goldens": "goldens",
    "source-record": "records of their sources",
    "picture": "pictures of proofs",
    "check-rows": "check rows",
    "draft": "named by drafts that wait to be signed",
    "job": "named by jobs that have not ended",
    "work": "relied on by work that is under way",
}
"""Why blobs are kept, in words."""
_DIGEST = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True)
class Marks:
    """What is needed.

    Attributes:
        why: of each blob, by its digest, one reason of `WORDS`.
        discarded: of what is not needed, that of which discarded forms consisted.
    """

    why: dict[str, str] = field(default_factory=dict)
    discarded: frozenset[str] = frozenset()


def mark(hub: Hub, connection: Connection) -> blob_fsck.Named:
    """What rows name, and what waits in this home, in one state of the database.

    `finish` reads the manifests: no server is asked within a transaction.

    Raises:
        RefusedError: a row of a site or a promotion is not what was signed.
        FailedError: the log is not the one that was signed.
    """
    gone = uses.unused(hub, connection, discards.of_all(connection))
    named = blob_fsck.named_by_rows(connection, gone)
    for order in old_jobs.orders(connection):
        for digest in _digests(order):
            named.others.setdefault(digest, "job")
    for data in _drafts(hub.home.root / FOLDER):
        for digest in _digests(data):
            named.others.setdefault(digest, "draft")
    return named


def finish(hub: Hub, named: blob_fsck.Named) -> Marks:
    """The marks, with what manifests name.

    Raises:
        RefusedError: a manifest is lost or damaged, or is none that this software reads, so nobody
            knows what it names.
        FailedError: the store could not be read.
    """
    lost = named.manifests.keys() - blob_fsck.read_manifests(hub.home.blobs, named, named.manifests)
    if lost:
        digest = min(lost)
        path = named.manifests[digest][0]
        raise RefusedError(
            "gc-manifest-lost",
            f"The manifest {digest[:12]} of {path} is lost or damaged"
            + (f", and so {counted(len(lost) - 1, 'other')}" if len(lost) > 1 else "")
            + ": which blobs belong to it nobody knows, so none is removed.",
            subject=str(path),
            next_step="See what brings it back: sealift blobs fsck",
        )
    if named.unread:
        digest = min(named.unread)
        path = named.manifests[digest][0]
        raise RefusedError(
            "gc-manifest-unread",
            f"The manifest {digest[:12]} of {path} is whole, and this software does not read it: "
            "which blobs belong to it it cannot know, so none is removed.",
            subject=str(path),
            next_step="Run it with the newest software that the hub's hosts have.",
        )
    why: dict[str, str] = {digest: min(parts).kind for digest, parts in named.parts.items()}
    for digest, reason in named.others.items():
        why.setdefault(digest, reason)
    return Marks(why, frozenset(named.let_go - why.keys()))


def _drafts(folder: Path) -> Iterator[bytes]:
    """What waits to be signed; one that cannot be read is an error."""
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            yield disk.read(path)
        except FileNotFoundError:  # it was signed just now, and what it named is in rows
            continue
        except OSError as bad:
            raise unreadable(str(path), bad) from bad


def _digests(data: bytes) -> Iterator[str]:
    """Whatever is spelled like a digest: rather too much is kept."""
    for found in _DIGEST.finditer(data):
        yield found[0].decode()
