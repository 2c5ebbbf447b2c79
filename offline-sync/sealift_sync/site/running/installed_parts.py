"""What the installed artifacts consist of, and which part of it the store no longer has whole.

A site that has lost a blob says so in its log and in its next receipt, and the next bundle brings
it again: what a bundle may leave out is what its site really holds
(docs/adr/0011-receipts-say-what-is-left-out.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sealift_signing.canonical import Json
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Term
from sealift_sync.artifact import LARGEST_MANIFEST, Artifact, read_manifest
from sealift_sync.site.running.choices import Choices
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.check_results import rows_of
from sealift_sync.site.state.records import Installed

MOST_IN_ENTRY = 200
"""Digests that one entry names; of more there are several entries."""
ROWS = "check rows"
"""What a file of check rows is to an artifact; it is no file of its model."""


@dataclass(frozen=True)
class InstalledPart:
    """One blob of what is installed, or of the rows that it is checked by.

    Attributes:
        size: in bytes; -1 of a manifest that cannot be read.
        used_by: every installed artifact that consists of it, and as which file.
    """

    sha256: str
    size: int
    used_by: tuple[tuple[Installed, str], ...]


def parts(site: OpenSite) -> Mapping[str, InstalledPart]:
    """Every blob of what is installed, by digest."""
    found: dict[str, InstalledPart] = {}
    rows = rows_of(site.state)
    for one in site.state.installed():
        data = manifest_of(site, one.sha256)
        size = -1 if data is None else len(data)
        _add(found, one, "manifest", one.sha256, size)
        for file in artifact_of(one, data).contents if data is not None else ():
            _add(found, one, file.path, file.sha256, file.size)
        for blob in rows.get(one.sha256, ()):
            _add(found, one, ROWS, blob.sha256, blob.size)
    return found


def in_use(site: OpenSite) -> Collection[tuple[str, str]]:
    """The artifacts that are assigned or run, each by host group and digest."""
    choices = Choices(site.state, site.enrolment)
    assigned = {
        (place.group, one.sha256) for place, given in choices.assigned() for one in given.artifacts
    }
    return assigned | {(one.group, one.sha256) for one in choices.current.values()}


def lost_and_missed(site: OpenSite) -> frozenset[str]:
    """The blobs that are known to be lost, and that something assigned or running consists of.

    What an older version lost is in the receipt too, but there is nothing that anybody should do.
    """
    lost = site.state.lost()
    used = in_use(site) if lost else ()
    found = parts(site) if lost else {}
    return frozenset(
        digest
        for digest in lost & found.keys()
        if any((one.group, one.sha256) in used for one, _ in found[digest].used_by)
    )


def manifest_of(
    site: OpenSite, digest: str, elsewhere: Callable[[str], bytes | None] = lambda _: None
) -> bytes | None:
    """The manifest with this digest, from the store or else from `elsewhere`; hashed."""
    try:
        return site.home.store.read(digest, LARGEST_MANIFEST)
    except (SealiftError, OSError):
        return elsewhere(digest)


def artifact_of(installed: Installed, manifest: bytes) -> Artifact:
    """What the manifest of an installed artifact says."""
    return read_manifest(manifest, what=f"the manifest of {installed.path}")


def record_lost(site: OpenSite, lost: Collection[str], mended: Collection[str]) -> None:
    """Note, within a transaction, which blobs are lost now and which are whole again.

    An entry tells of what was not known before, and of nothing else.
    """
    known = site.state.lost()
    fresh = sorted(set(lost) - known)
    whole = sorted(set(mended))
    if not fresh and not whole:
        return
    site.state.set_lost((known | set(fresh)) - set(whole))
    for kind, member, digests in (("damaged", "lost", fresh), ("mended", "whole", whole)):
        for first in range(0, len(digests), MOST_IN_ENTRY):
            some: list[Json] = list(digests[first : first + MOST_IN_ENTRY])
            site.record(site.entry(f"store.{kind}", {member: some}, _terms(site, some)))


def _terms(site: OpenSite, digests: Collection[Json]) -> list[Term]:
    """The models that these blobs are part of, to be found again."""
    wanted = {part for digest, part in parts(site).items() if digest in digests}
    models = {one.path.full_model for part in wanted for one, _ in part.used_by}
    return [Term("model", model) for model in sorted(models)[:MOST_IN_ENTRY]]


def _add(
    found: dict[str, InstalledPart], one: Installed, file: str, digest: str, size: int
) -> None:
    before = found[digest].used_by if digest in found else ()
    found[digest] = InstalledPart(digest, size, (*before, (one, file)))
