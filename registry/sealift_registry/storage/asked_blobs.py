"""What somebody who reads rows asks of a store of blobs, answered between two transactions.

A server of blobs may be silent for a minute and more. Whoever reads one state of PostgreSQL all the
while holds up an upgrade, and keeps whatever was replaced since. So nothing is asked of a server
meanwhile: what is read is read again with the answers, until it has asked for nothing new.
"""

from __future__ import annotations

from collections.abc import Collection

from sealift_sync.blobs import BlobStore, damaged

LARGEST = 16 * 1024**2
"""Bytes of what is read by itself: a manifest, the picture of a proof."""
ROUNDS = 20
"""How often it is read, where it asks for more each time; whoever asks on is answered at once."""


class UnansweredError(Exception):
    """It is not known yet, and no guess would do."""


class AskedBlobs:
    """The answers of a store so far, and in the place of others a guess.

    What comes of a guess is thrown away by whoever asked (`is_guessed`), who asks again after
    `ask`. To guess finds out all that is asked at once: that everything is there, and that none of
    it could be read.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._sizes: dict[str, int | None] = {}
        self._bodies: dict[tuple[str, int], bytes | None] = {}
        self._due_sizes = set[str]()
        self._due_bodies = set[tuple[str, int]]()

    @property
    def where(self) -> str:
        """The store as people know it."""
        return self._store.where

    @property
    def is_guessed(self) -> bool:
        """Whether something was asked since `ask` that is not known."""
        return bool(self._due_sizes or self._due_bodies)

    def ask(self) -> None:
        """Ask the store all that was not known.

        Raises:
            FailedError: it cannot be asked.
        """
        due, self._due_sizes = self._due_sizes, set()
        if due:
            there = self._store.sizes(sorted(due))
            self._sizes |= {digest: there.get(digest) for digest in due}
        bodies, self._due_bodies = self._due_bodies, set()
        for most in {most for _, most in bodies}:
            wanted = sorted(digest for digest, one in bodies if one == most)
            read = self._store.read_all(wanted, most)
            self._bodies |= {(digest, most): read.get(digest) for digest in wanted}

    def has(self, digest: str) -> bool:
        """As a store's."""
        return bool(self.sizes([digest]))

    def sizes(self, digests: Collection[str]) -> dict[str, int]:
        """As a store's."""
        self._due_sizes |= {*digests} - self._sizes.keys()
        known = {digest: self._sizes.get(digest, 0) for digest in digests}
        return {digest: size for digest, size in known.items() if size is not None}

    def read_all(self, digests: Collection[str], most: int) -> dict[str, bytes]:
        """As a store's."""
        self._due_bodies |= {(one, most) for one in digests} - self._bodies.keys()
        known = {digest: self._bodies.get((digest, most)) for digest in digests}
        return {digest: data for digest, data in known.items() if data is not None}

    def read(self, digest: str, most: int = LARGEST) -> bytes:
        """As a store's.

        Raises:
            UnansweredError: it is not known yet.
            NotFoundError: the store has not got it.
            RefusedError: it is damaged, or larger than anything that is read so.
        """
        found = self.read_all([digest], most)
        if digest in found:
            return found[digest]
        if (digest, most) in self._due_bodies:
            raise UnansweredError
        if not self.has(digest):
            raise self._store.missing(digest)
        raise damaged(digest)
