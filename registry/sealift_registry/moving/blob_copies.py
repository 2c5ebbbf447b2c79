"""Every blob of a hub, copied from one store to another, and hashed where it arrived."""

from __future__ import annotations

from dataclasses import dataclass, field

from sealift_signing import events
from sealift_signing.errors import FailedError, RefusedError
from sealift_sync import stream
from sealift_sync.blobs import BlobStore
from sealift_sync.durable import BeginPhase, Progress


@dataclass
class BlobCopies:
    """The copies of what is in `here`, in `there`.

    Attributes:
        whole: those that were hashed at `there`, and the bytes of each.
    """

    here: BlobStore
    there: BlobStore
    whole: dict[str, int] = field(default_factory=dict)
    _arrived: set[str] = field(default_factory=set)

    @property
    def sent(self) -> int:
        """How many were copied."""
        return len(self._arrived)

    def plan(self) -> tuple[dict[str, int], set[str]]:
        """The bytes of every blob that is not known to be whole there, and which of them are there.

        Raises:
            FailedError: a store could not be read.
        """
        sizes = {one: size for one, size in self.here.listed() if one not in self.whole}
        return sizes, set(self.there.sizes(sizes))

    def copy(self, begin: BeginPhase) -> None:
        """Have every blob there, whole: what lies there is hashed, and what is not whole is sent.

        Raises:
            RefusedError: a blob is damaged here.
            FailedError: a store could not be read or written.
        """
        sizes, there = self.plan()
        found = {digest: sizes[digest] for digest in sorted(there)}
        if found:
            self._hash(found, begin(f"hash what is in {self.there.where}", sum(found.values())))
        lacking = {one: size for one, size in sizes.items() if one not in self.whole}
        if not lacking:
            return
        small_first = sorted(lacking, key=lambda one: lacking[one])

        def send(digest: str, progress: Progress) -> None:
            try:
                with self.here.open(digest) as file:
                    anew = digest in there
                    self.there.put(file, expect=digest, progress=progress, anew=anew)
            except RefusedError as bad:
                raise _damaged(digest, self.here) from bad
            self._arrived.add(digest)  # as it happens: whoever stops this is told
            events.tell("migrate", "blob-copied", sha256=digest)

        begun = begin("copy blobs", sum(lacking.values()))
        for _ in stream.side_by_side(send, small_first, begun):
            pass
        self._hash(lacking, begin("hash the copies", sum(lacking.values())))
        for digest in lacking:
            if digest not in self.whole:
                raise _not_whole(digest, self.there)

    def _hash(self, sizes: dict[str, int], progress: Progress) -> None:
        """Take note of those that are whole there."""

        def hashed(digest: str, progress: Progress) -> bool:
            return not self.there.fault(digest, progress)

        for digest, whole in zip(sizes, stream.side_by_side(hashed, sizes, progress), strict=True):
            if whole:
                self.whole[digest] = sizes[digest]


def _damaged(digest: str, here: BlobStore) -> RefusedError:
    return RefusedError(
        "move-blob-damaged",
        f"The blob {digest[:12]} in {here.where} is damaged: what is read there is not what its "
        "digest names. The hub is where it was.",
        subject=digest,
        next_step="Mend it first (sealift blobs fsck says how), or restore it from a backup; then "
        "run the command again.",
    )


def _not_whole(digest: str, there: BlobStore) -> FailedError:
    return FailedError(
        "move-blob-not-whole",
        f"The blob {digest[:12]} was copied to {there.where}, and what is read there is not what "
        "was written.",
        subject=digest,
        next_step="Check that store, or the disk; then run the command again.",
    )
