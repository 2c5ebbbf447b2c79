"""What a bundle for a site carries, from the assignment down to the bytes, and what not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.delivery import check_row_files
from sealift_registry.delivery.check_row_files import CheckRowFiles
from sealift_registry.delivery.holdings import NOTHING, Holdings, holdings
from sealift_registry.delivery.sites import EnrolledSite
from sealift_registry.trust.hub import Hub, newest_note
from sealift_registry.trust.repository import Repository
from sealift_signing import documents, roles, shape
from sealift_signing.documents import AssignedArtifact, Assignment
from sealift_signing.drawing import plain
from sealift_signing.errors import FailedError, NotFoundError
from sealift_signing.policy import POLICY_PATH
from sealift_signing.statements import Transfer
from sealift_signing.version_links import Lineage
from sealift_signing.vocabulary import CatalogPath, counted, moment
from sealift_sync import packs
from sealift_sync.artifact import LARGEST_MANIFEST, Artifact, read_manifest
from sealift_sync.blobs import BlobStore
from sealift_sync.bundle import layout
from sealift_sync.bundle.writer import Contents
from sealift_sync.check_rows import FEATURE as CHECK_ROWS

PASSING = (
    layout.READ_ME,
    layout.HUB_CHECKPOINT,
    layout.metadata_file(roles.TIMESTAMP, None),
)
"""Files that differ from bundle to bundle although nothing else does."""


@dataclass(frozen=True)
class BundleContents:
    """A bundle's contents, and beside them what they rest on.

    Attributes:
        left_out: the blobs that the site holds, digest to bytes.
        held: by which receipt.
        listed: what each manifest says, by its digest.
        rows: the check rows that travel, and why others stay at home.
    """

    contents: Contents
    left_out: Mapping[str, int]
    held: Holdings
    listed: Mapping[str, Artifact]
    rows: CheckRowFiles

    @property
    def base(self) -> tuple[str, ...]:
        """The transfer whose receipt allows to leave blobs out; none where none is left out."""
        return (self.held.transfer,) if self.left_out else ()

    @property
    def requires(self) -> tuple[str, ...]:
        """The features that a reader of the bundle must have."""
        packed = any(one.packs for one in self.listed.values())
        checked = (CHECK_ROWS,) if self.contents.checks else ()
        return (*checked, *((packs.FEATURE,) if packed else ()))

    @property
    def artifacts(self) -> tuple[CatalogPath, ...]:
        """What the bundle is about."""
        return tuple(sorted(self.contents.manifests))

    def same_as(self, said: Transfer) -> bool:
        """Whether a bundle that is made now would say what that transfer says, but for times."""
        small = {
            path: sha256(data).hexdigest() for path, data in self.contents.small_files().items()
        }
        there = {file.path: file.sha256 for file in said.files}
        now = small | self.contents.stored_files()
        return _lasting(now) == _lasting(there) and self.base == said.base


def gather(
    hub: Hub,
    connection: Connection,
    site: EnrolledSite,
    assignment: Assignment,
    *,
    full: bool,
    transfer: str,
    listed: Mapping[str, Artifact],
) -> BundleContents:
    """All that a bundle called `transfer` carries; all of it from one state of the database.

    `listed` are manifests that were read already, by their digest: one of a thousand files takes a
    while.

    Raises:
        FailedError: the hub itself misses a blob.
        NotFoundError: something that belongs in it was never published.
    """
    store, repository = hub.home.blobs, Repository(connection)
    assigned = [artifact for _, _, artifact in assignment.artifacts()]
    digests = frozenset(one.sha256 for one in assigned)
    bodies = store.read_all(digests, LARGEST_MANIFEST)
    check_blobs(store, sorted(digests - bodies.keys()))
    manifests = {
        one.parsed: bodies.get(one.sha256)
        or store.read(one.sha256, LARGEST_MANIFEST)  # which says what is wrong
        for one in assigned
    }
    read = {
        one.sha256: listed.get(one.sha256)
        or read_manifest(manifests[one.parsed], what=str(one.parsed))
        for one in assigned
    }
    # By what the manifests say: a blob that is left out need not be at the hub any more.
    sizes = {digest: n for artifact in read.values() for digest, n in artifact.blobs.items()}
    held = NOTHING if full else holdings(connection, site, store, read)
    lacking = (artifact.lacking(held.blobs) for artifact in read.values())
    carried = frozenset[str]().union(*lacking)
    left_out = {digest: sizes[digest] for digest in sorted(sizes.keys() - carried)}
    rows = check_row_files.of(hub, connection, site, assigned)
    contents = Contents(
        read_me=_read_me(hub, repository, site, transfer, left_out, held),
        metadata=dict(_metadata(repository, assignment)),
        targets=dict(_documents(repository, assignment)),
        statements=_statements(Catalog(connection), assigned),
        log={Path(layout.HUB_CHECKPOINT).name: newest_note(connection)},
        manifests=manifests,
        blobs=carried - frozenset(read),  # a model may hold another one's manifest
        store=store,
        checks=rows.travelling,
    )
    return BundleContents(contents, left_out, held, read, rows)


def people_roles(assignment: Assignment) -> list[str]:
    """The roles on a bundle that only people can sign again."""
    teams = [roles.team_role(team) for team in _teams(assignment)]
    return [roles.TARGETS, roles.FLEET, roles.RECALL, roles.site_role(assignment.site), *teams]


def _lasting(files: Mapping[str, str]) -> dict[str, str]:
    snapshot = f".{roles.SNAPSHOT}.json"
    return {
        path: digest
        for path, digest in files.items()
        if path not in PASSING and not path.endswith(snapshot)
    }


def _statements(catalog: Catalog, assigned: Iterable[AssignedArtifact]) -> dict[str, bytes]:
    named = {digest for a in assigned for digest in (a.request, *a.approvals, *a.evidence)}
    return {digest: catalog.statement_body(digest) for digest in sorted(named)}


def check_blobs(store: BlobStore, digests: Iterable[str]) -> None:
    """Check that the hub has what is to be carried.

    Raises:
        FailedError: it misses a blob.
    """
    asked = list(digests)
    there = store.sizes(frozenset(asked))
    for digest in asked:
        if digest not in there:
            raise FailedError(
                "hub-blob-missing",
                f"The blob {digest[:12]} is missing from the hub's own store {store.where}.",
                subject=digest,
                next_step="See what brings it back: sealift blobs fsck",
            )


def _teams(assignment: Assignment) -> list[str]:
    return sorted({artifact.parsed.team for _, _, artifact in assignment.artifacts()})


def _metadata(repository: Repository, assignment: Assignment) -> Iterator[tuple[str, bytes]]:
    """The TUF files that the site needs, every root since 1, and the past of people's roles."""
    for number, body in enumerate(repository.roots(), start=1):
        yield f"{number}.{roles.ROOT}.json", body
    catalogs = [roles.catalog_role(team) for team in _teams(assignment)]
    for role in (roles.SNAPSHOT, *people_roles(assignment), *catalogs):
        yield f"{repository.number(role)}.{role}.json", repository.body(role)
    yield f"{roles.TIMESTAMP}.json", repository.body(roles.TIMESTAMP)
    for role in (roles.ROOT, *people_roles(assignment)):
        if versions := repository.stored.lineage(role, down_to=1):
            yield layout.lineage_name(role), shape.write(Lineage(1, (), role, versions))


def _documents(repository: Repository, assignment: Assignment) -> Iterator[tuple[str, bytes]]:
    site = assignment.site
    wanted = [
        (roles.TARGETS, POLICY_PATH),
        (roles.FLEET, documents.FLEET_KEYS_PATH),
        (roles.RECALL, documents.RECALL_PATH),
        (roles.site_role(site), documents.assignment_path(site)),
        *((roles.team_role(team), documents.members_path(team)) for team in _teams(assignment)),
    ]
    for role, path in wanted:
        data = repository.document(role, path)
        if data is None:
            raise NotFoundError(
                "not-published",
                f"Nothing has been published at {path}.",
                subject=path,
                next_step="Run `sealift next` to see what is missing.",
            )
        yield path, data


def _read_me(
    hub: Hub,
    repository: Repository,
    site: EnrolledSite,
    transfer: str,
    left_out: Mapping[str, int],
    held: Holdings,
) -> str:
    """For whoever finds the medium; it says how well the bundle is protected, too."""
    organisation = hub.home.settings.organisation
    reasons = repository.unprotected()
    lines = [
        f"This medium carries models from {organisation.name} to its site {site.id}.",
        f"Transfer {transfer}, exported {moment(hub.now())}.",
        "",
        "If you found it: it is of no use elsewhere. Please return it"
        + (f" to {organisation.contact}." if organisation.contact else " to its owner."),
        "",
        "At the site, check it with:   sealift-site verify THIS-FOLDER",
        "and install it with:          sealift-site import THIS-FOLDER",
        "",
    ]
    if left_out:
        count, size = len(left_out), sum(left_out.values())
        lines += [
            f"It leaves out {counted(count, 'blob')} of models ({counted(size, 'byte')})",
            f"that {site.id} has, by its receipt for {held.transfer}.",
            "If the site has lost one, run at the hub:",
            f"sealift export {site.id} --full --to DIR",
            "",
        ]
    if reasons:
        lines += ["UNPROTECTED: one person alone could have made this bundle, because", ""]
        lines += [f"  - {reason}" for reason in reasons]
        lines += [""]
    return "\n".join(map(plain, lines))
