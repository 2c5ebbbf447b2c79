"""What a signer's memory holds of an organisation, as an organisation's files."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256

from sealift_signing.drafts import RoleVersion, decoded
from sealift_signing.organisation_memory import KnownRole, OrganisationMemory
from sealift_signing.roles import ROOT
from sealift_signing.version_links import Follows


class MemoryFiles:
    """The files of what is `known`; `read` gives a version that is kept, and is asked once."""

    def __init__(self, known: OrganisationMemory, read: Callable[[str], RoleVersion]) -> None:
        self._known = known
        self._version = cache(read)

    def data(self, one: KnownRole) -> bytes:
        """The file of a version."""
        return decoded(self._version(one.file).data)

    @property
    def lineages(self) -> dict[str, tuple[Follows, ...]]:
        """What the versions below each newest one say of their past."""
        return {one.role: self._version(one.file).lineage for one in self._known.roles}

    def metadata(self, role: str, version: int | None = None) -> bytes | None:
        """A version that is remembered; the newest of several that have one number."""
        if role == ROOT:
            roots = self._version(self._known.root_file).roots
            number = len(roots) if version is None else version
            return decoded(roots[number - 1]) if 0 < number <= len(roots) else None
        newest = self._known.role(role)
        if version is None or (newest is not None and newest.version == version):
            return self.data(newest) if newest else None
        older = [one for one in self._known.older if (one.role, one.version) == (role, version)]
        return self.data(older[-1]) if older else None

    def document(self, path: str, digest: str) -> bytes | None:
        """A document that a remembered version lists."""
        for one in (*self._known.roles, *self._known.older):
            for carried in self._version(one.file).documents:
                if carried.path == path and sha256(decoded(carried.data)).hexdigest() == digest:
                    return decoded(carried.data)
        return None
