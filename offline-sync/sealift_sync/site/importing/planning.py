"""Step (7) of an import: what it takes from the medium, what from the store, and what is nowhere.

A blob that the medium leaves out must be whole in the store; where it is not, what needs it is
held.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from sealift_signing.site_rules import HeldError
from sealift_signing.statements import CarriedFile, Transfer
from sealift_sync.artifact import Artifact, ArtifactFile, Pack, manifest_bytes
from sealift_sync.blobs import Blob, BlobFolder
from sealift_sync.bundle import layout
from sealift_sync.site.verifying.rows_in_evidence import carried_rows, rows_to_keep, rows_to_take
from sealift_sync.site.verifying.six_conditions import Judged


@dataclass(frozen=True)
class Plan:
    """What an import will do, known in seconds and before any large copy.

    Attributes:
        judged: what becomes of every assigned artifact.
        copies: the blobs to take from the medium into the store, digest to bytes.
        packs: those of the medium in which some of them lie.
        rows: the check rows of every artifact that has some, by its digest.
        reused: the blobs that the store has already; they are hashed again before they are used.
        carried: every blob that the bundle lists, digest to bytes, and every file of check rows.
        paths: where those lie in the bundle.
        lost: the blobs that an artifact needs and neither the medium nor the store has whole.
        damaged: blobs of the store that were hashed, and are not whole.
    """

    judged: tuple[Judged, ...]
    copies: Mapping[str, int]
    packs: tuple[Pack, ...]
    rows: Mapping[str, tuple[Blob, ...]]
    reused: frozenset[str]
    carried: Mapping[str, int]
    paths: Mapping[str, str]
    lost: frozenset[str]
    damaged: frozenset[str]

    def provides(self, other: Plan) -> bool:
        """Whether all that `other` copies or takes from the store is so here, too.

        Both are what is known after all of this plan was hashed: `settle` sees to it.
        """
        return other.copies.keys() <= self.copies.keys() and other.reused <= self.reused

    @property
    def size(self) -> int:
        """The bytes to copy."""
        return sum(self.copies.values())


def make_plan(
    judged: tuple[Judged, ...],
    transfer: Transfer,
    store: BlobFolder,
    damaged: frozenset[str] = frozenset(),
) -> Plan:
    """The plan for what was judged.

    An artifact that needs a blob which is nowhere is held, and the rest goes on: half of a
    site's models must not wait because its disk lost a file of the other half. What is installed
    already and has lost a blob that the medium carries gets it back.

    Args:
        judged: what becomes of every assigned artifact, by the six conditions.
        transfer: what the bundle lists.
        store: the site's blobs.
        damaged: blobs of the store that were hashed, and are not whole.
    """
    wanted = [None if one.fate == "held" else one.artifact for one in judged]
    sources = Sources(transfer, store, damaged, filter(None, wanted))
    planned = []
    needed = Supply()
    lost: set[str] = set()
    rows: dict[str, tuple[Blob, ...]] = {}
    for one, artifact in zip(judged, wanted, strict=True):
        fresh = one.fate == "new"
        found = sources.find(one.sha256, artifact, fresh=fresh) if artifact else Supply()
        lost |= found.nowhere
        if found.nowhere and fresh:
            planned.append(_without_base(one, found.nowhere, transfer))
            continue
        planned.append(one)
        needed |= found
        if kept := rows_to_keep(one.checks, carried_rows(transfer), store):
            rows[one.sha256] = kept
            needed |= sources.find_rows(kept)
    return Plan(
        tuple(planned),
        needed.medium,
        tuple(sorted(needed.packs)),
        rows,
        frozenset(needed.store),
        sources.carried,
        sources.paths,
        frozenset(lost),
        damaged,
    )


def large_files(transfer: Transfer) -> dict[str, CarriedFile]:
    """Every blob that a transfer lists, and every file of check rows, by its digest."""
    files = sorted(transfer.files, key=lambda one: one.path, reverse=True)
    return {one.sha256: one for one in files if layout.is_large(one.path)}


@dataclass(frozen=True)
class Supply:
    """Where what an artifact consists of is to come from.

    Attributes:
        medium: what is taken from there, digest to bytes.
        packs: in which some of that lies.
        store: what is taken from there.
        nowhere: what neither has.
    """

    medium: dict[str, int] = field(default_factory=dict)
    packs: set[Pack] = field(default_factory=set)
    store: set[str] = field(default_factory=set)
    nowhere: set[str] = field(default_factory=set)

    def __or__(self, other: Supply) -> Supply:
        """Of both."""
        return Supply(
            self.medium | other.medium,
            self.packs | other.packs,
            self.store | other.store,
            self.nowhere | other.nowhere,
        )


class Sources:
    """The medium and the store, as places where a blob can be had.

    Args:
        transfer: what the medium carries.
        store: the site's.
        damaged: blobs of the store that are known not to be whole.
        artifacts: in whose packs on the medium files are looked for, whoever needs them.
    """

    def __init__(
        self,
        transfer: Transfer,
        store: BlobFolder,
        damaged: Collection[str],
        artifacts: Iterable[Artifact],
    ) -> None:
        listed = large_files(transfer)
        self.carried = {digest: file.size for digest, file in listed.items()}
        self.paths = {digest: file.path for digest, file in listed.items()}
        self._rows = carried_rows(transfer)
        self._store = store
        self._damaged = damaged
        self._packs = {
            (file.sha256, file.size): pack
            for artifact in artifacts
            for pack in artifact.packs
            if self.carried.get(pack.sha256) == pack.size
            for file in pack.files
        }

    def find(self, sha256: str, artifact: Artifact, *, fresh: bool) -> Supply:
        """Where the manifest `sha256`, the config and the files of `artifact` are.

        Args:
            sha256: of the manifest.
            artifact: what it says.
            fresh: it is not installed yet. Of what is, only what the medium could mend is worth
                the hashing.
        """
        found = Supply()
        manifest = ArtifactFile("manifest", sha256, len(manifest_bytes(artifact)))
        for file in (manifest, *artifact.contents):
            alone = self.carried.get(file.sha256) == file.size
            pack = None if alone else self._packs.get((file.sha256, file.size))
            carried = alone or pack is not None
            if file.sha256 not in self._damaged and self._store.holds(file.sha256, file.size):
                found.store.update([file.sha256] if carried or fresh else [])
            elif carried:
                found.medium[file.sha256] = file.size
                found.packs.update([pack] if pack is not None else [])
            else:
                found.nowhere.add(file.sha256)
        return found

    def find_rows(self, rows: Collection[Blob]) -> Supply:
        """Where check rows are; of what is nowhere a check will say so, and nothing is held."""
        medium, store = rows_to_take(rows, self._rows, self._store, self._damaged)
        return Supply(medium=medium, store=store)


def _without_base(one: Judged, missing: set[str], transfer: Transfer) -> Judged:
    """`one`, held: with what is nowhere named, and by whose receipt the hub left it out."""
    first = min(missing)
    parts = f"the blob {first[:12]}" if len(missing) == 1 else f"{len(missing)} blobs"
    base = f" by the receipt for {' and '.join(transfer.base)}" if transfer.base else ""
    reason = HeldError(
        "base-missing",
        f"{one.path} needs {parts}, which this bundle leaves out{base} and which this site does "
        "not have whole.",
        subject=first,
        next_step=f"Have all of it carried: sealift export {transfer.site} --full --to DIR",
    )
    return replace(one, fate="held", code=reason.code, words=str(reason), artifact=None)
