"""Writing a bundle for a site: everything it needs, from the assignment down to the bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from securesystemslib.signer import Signer
from sqlalchemy import Connection, func, insert, select

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.delivery import assignments, tables
from sealift_registry.delivery.sites import Site, Sites
from sealift_registry.trust.hub import Hub, newest_note
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import documents, publishing, roles, statements
from sealift_signing.documents import Assignment
from sealift_signing.errors import FailedError, NotFoundError, RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import CarriedFile, Transfer, subject
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import CatalogPath, moment
from sealift_sync.artifact import read_manifest
from sealift_sync.blobs import BlobFolder
from sealift_sync.bundle import layout
from sealift_sync.bundle.writer import Contents, Stage, write_bundle

RENEW_WITHIN = timedelta(days=45)
"""The hub renews its own catalog roles when less than this is left, so no bundle outlives them."""


@dataclass(frozen=True)
class Exported:
    """A bundle that was written whole and read back."""

    transfer: str
    folder: Path
    files: int
    size: int
    artifacts: tuple[CatalogPath, ...]
    unprotected: tuple[str, ...]


class Exports:
    """The use case."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def export(self, name: str, medium: Path, signer: Signer, stage: Stage) -> Exported:
        """Write a bundle for site `name` to `medium`, signed by `signer`, its dispatcher.

        Raises:
            NotFoundError: no such site, or nothing assigned to it.
            RefusedError: a role has expired, or the key is not the dispatcher's.
            FailedError: the medium has no room, or did not keep what was written.
        """
        if not medium.is_dir():
            raise NotFoundError(
                "medium-missing",
                f"There is no folder {medium}.",
                subject=str(medium),
                next_step="Plug the medium in and mount it, or make the folder.",
            )
        with self._hub.reading() as connection:
            site, _ = self._ready(connection, name, signer)
        transfer = self._begin(site, signer)
        with self._hub.reading() as connection:
            # Again, and all of it from one state: it may have been assigned otherwise meanwhile.
            now, assignment = self._ready(connection, name, signer)
            _check_same(site, now)
            contents = self._contents(connection, site, assignment, transfer)
            draft = self._draft(connection, site, transfer, newest_note(connection).decode())
            unprotected = Repository(connection).unprotected()
        document = contents.targets[documents.assignment_path(name)]
        about = subject(documents.assignment_path(name), sha256(document).hexdigest())
        files: list[CarriedFile] = []

        def sign(found: tuple[CarriedFile, ...]) -> bytes:
            files.extend(found)
            return statements.sign(_with_files(draft, found), [about], signer)

        def record(body: bytes) -> None:
            self._finish(site, transfer, body, medium, signer)

        folder = write_bundle(contents, medium, transfer, sign, stage, record)
        size = sum(file.size for file in files)
        paths = tuple(sorted(contents.manifests))
        return Exported(transfer, folder, len(files) + 1, size, paths, unprotected)

    def _ready(self, connection: Connection, name: str, signer: Signer) -> tuple[Site, Assignment]:
        """The site and its assignment, if a bundle made now would be taken."""
        site = Sites(connection).get(name)
        repository = Repository(connection)
        assignment = assignments.current(repository, site)
        if not assignment.groups:
            raise NotFoundError(
                "nothing-assigned",
                f"Nothing is assigned to site {name}.",
                subject=name,
                next_step=f"Assign a version: sealift assign {name} TEAM/MODEL/VERSION "
                "--for GROUP=HARDWARE-TARGET",
            )
        holders = roles.keyholders(repository.targets(roles.FLEET).signed, roles.site_role(name))
        key = PublicKey.from_tuf(signer.public_key)
        if key.raw not in {one.raw for one in holders.keys}:
            raise RefusedError(
                "not-the-dispatcher",
                f"This key is not that of the dispatcher of site {name}.",
                subject=name,
                next_step="Give --key with the dispatcher's key file.",
            )
        for role in (roles.ROOT, *_people_roles(assignment)):
            expires = repository.targets(role).signed.expires  # root's, too
            if expires <= self._hub.now():
                raise RefusedError(
                    "role-expired",
                    f"The signature of {role} expired at {moment(expires)}; the site would refuse "
                    "the bundle.",
                    subject=role,
                    next_step=f"Have it signed again: sealift renew {role} --key FILE",
                )
        return site, assignment

    def _begin(self, site: Site, signer: Signer) -> str:
        """Give the transfer its number, and sign freshness that lasts for its journey."""

        def action(connection: Connection) -> tuple[Entry, str]:
            t = tables.transfer
            query = select(func.max(t.c.number)).where(t.c.site == site.id)
            number = (connection.execute(query).scalar() or 0) + 1
            made = layout.transfer_id(site.id, number)
            begun = moment(self._hub.now())
            connection.execute(
                insert(t).values(
                    site=site.id, number=number, id=made, enrolment=site.enrolment, begun=begun
                )
            )
            self._hub.publish(connection, self._renewed(connection))
            return self._entry(connection, "transfer.begun", made, site, signer, {}), made

        transfer = self._hub.commit(action).result
        self._hub.copy_metadata()
        return transfer

    def _renewed(self, connection: Connection) -> Change:
        """The catalog roles that would expire on the way, signed again."""
        repository = Repository(connection)
        change = Change()
        journey = timedelta(days=self._hub.home.settings.delivery.freshness_days)
        for role in repository.delegated(roles.CATALOG):
            metadata = repository.targets(role)
            if metadata.signed.expires - self._hub.now() < max(RENEW_WITHIN, journey):
                lifetime = repository.lifetime(role)
                expires = publishing.expiry(self._hub.now(), lifetime)
                renewed = publishing.successor(metadata, expires=expires)
                publishing.sign(renewed, [self._hub.online.signer("catalog")])
                change.metadata[role] = renewed
        return change

    def _contents(
        self, connection: Connection, site: Site, assignment: Assignment, transfer: str
    ) -> Contents:
        repository, catalog = Repository(connection), Catalog(connection)
        assigned = {a.path: a for _, _, a in assignment.artifacts()}
        store = self._hub.home.blobs
        _check_blobs(store, (a.sha256 for a in assigned.values()))
        manifests = {a.parsed: store.read(a.sha256) for a in assigned.values()}
        named = {
            digest for a in assigned.values() for digest in (a.request, *a.approvals, *a.evidence)
        }
        blobs = {
            blob.sha256
            for path, data in manifests.items()
            for blob in read_manifest(data, what=str(path)).blobs
        }
        _check_blobs(store, blobs)
        return Contents(
            read_me=_read_me(self._hub, repository, site, transfer),
            metadata=dict(_metadata(repository, assignment)),
            targets=dict(_documents(repository, assignment)),
            statements={digest: catalog.statement_body(digest) for digest in named},
            log={Path(layout.HUB_CHECKPOINT).name: newest_note(connection)},
            manifests=manifests,
            blobs=frozenset(blobs),
            store=store,
        )

    def _draft(self, connection: Connection, site: Site, transfer: str, note: str) -> Transfer:
        return Transfer(
            format=1,
            requires=(),
            organisation=Repository(connection).organisation(),
            id=transfer,
            site=site.id,
            enrolment=site.enrolment,
            made=moment(self._hub.now()),
            base=(),
            previous=_previous(connection, site),
            files=(),
            log=note,
            site_log=_accepted(connection, site),
        )

    def _finish(self, site: Site, transfer: str, body: bytes, medium: Path, signer: Signer) -> None:
        digest = sha256(body).hexdigest()

        def action(connection: Connection) -> tuple[Entry, None]:
            row = {"transfer": transfer, "sha256": digest, "body": body, "medium": str(medium)}
            made = moment(self._hub.now())
            connection.execute(insert(tables.bundle).values(**row, made=made))
            data = {"sha256": digest, "medium": str(medium)}
            return self._entry(connection, "transfer.exported", transfer, site, signer, data), None

        self._hub.commit(action)

    def _entry(
        self,
        connection: Connection,
        kind: str,
        transfer: str,
        site: Site,
        signer: Signer,
        data: dict[str, str],
    ) -> Entry:
        actor = Repository(connection).who(roles.site_role(site.id), [signer])
        said = {"transfer": transfer, "enrolment": site.enrolment, **data}
        return self._hub.entry(kind, actor, said, {"transfer": transfer, "site": site.id}, site.id)


def _check_blobs(store: BlobFolder, digests: Iterable[str]) -> None:
    for digest in digests:
        if not store.has(digest):
            raise FailedError(
                "hub-blob-missing",
                f"The blob {digest[:12]} is missing from the hub's own store {store.root}.",
                subject=digest,
                next_step="Restore it from a backup; a source's own files come back when it is "
                "ingested again.",
            )


def _check_same(begun: Site, now: Site) -> None:
    if begun.enrolment != now.enrolment:
        raise RefusedError(
            "site-moved-on",
            f"Site {begun.id} was enrolled again meanwhile.",
            subject=begun.id,
            next_step="Run the command again.",
        )


def _with_files(draft: Transfer, files: tuple[CarriedFile, ...]) -> Transfer:
    return Transfer(**{**vars(draft), "files": files})


def _teams(assignment: Assignment) -> list[str]:
    return sorted({artifact.parsed.team for _, _, artifact in assignment.artifacts()})


def _people_roles(assignment: Assignment) -> list[str]:
    """The roles on a bundle that only people can sign again."""
    teams = [roles.team_role(team) for team in _teams(assignment)]
    return [roles.TARGETS, roles.FLEET, roles.RECALL, roles.site_role(assignment.site), *teams]


def _metadata(repository: Repository, assignment: Assignment) -> Iterator[tuple[str, bytes]]:
    """The TUF files that the site needs, and every root since 1."""
    for number, body in enumerate(repository.roots(), start=1):
        yield f"{number}.{roles.ROOT}.json", body
    catalogs = [roles.catalog_role(team) for team in _teams(assignment)]
    versions = repository.versions()
    for role in (roles.SNAPSHOT, *_people_roles(assignment), *catalogs):
        yield f"{versions[role]}.{role}.json", _body(repository, role)
    yield f"{roles.TIMESTAMP}.json", _body(repository, roles.TIMESTAMP)


def _body(repository: Repository, role: str) -> bytes:
    body = repository.body(role)
    if body is None:
        raise NotFoundError(
            "not-published", f"Nothing has been published for {role}.", subject=role
        )
    return body


def _documents(repository: Repository, assignment: Assignment) -> Iterator[tuple[str, bytes]]:
    site = assignment.site
    wanted = [
        (roles.TARGETS, documents.POLICY_PATH),
        (roles.FLEET, documents.FLEET_KEYS_PATH),
        (roles.RECALL, documents.RECALL_PATH),
        (roles.site_role(site), documents.assignment_path(site)),
        *((roles.team_role(team), documents.members_path(team)) for team in _teams(assignment)),
    ]
    for role, path in wanted:
        data = repository.document(role, path)
        if data is None:
            raise NotFoundError(
                "not-published", f"Nothing has been published at {path}.", subject=path
            )
        yield path, data


def _previous(connection: Connection, site: Site) -> str | None:
    """The last transfer that was written for this enrolment of the site."""
    t, b = tables.transfer, tables.bundle
    query = (
        select(t.c.id)
        .join(b, b.c.transfer == t.c.id)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment)
        .order_by(t.c.number.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def _accepted(connection: Connection, site: Site) -> str | None:
    """The last checkpoint of the site's log that the hub accepted."""
    t = tables.site_checkpoint
    query = (
        select(t.c.note)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment)
        .order_by(t.c.size.desc())
        .limit(1)
    )
    note = connection.execute(query).scalar_one_or_none()
    return None if note is None else bytes(note).decode()


def _read_me(hub: Hub, repository: Repository, site: Site, transfer: str) -> str:
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
    if reasons:
        lines += ["UNPROTECTED: one person alone could have made this bundle, because", ""]
        lines += [f"  - {reason}" for reason in reasons]
        lines += [""]
    return "\n".join(lines)
