"""Mallory, who has copied the hub with every key on it and stolen the dispatcher's besides.

He does what the hub's rules prevent: lists an artifact that nobody approved, assigns it, and files
an approval that does not count. Everything that he signs is signed with real keys; only the rules
are not asked. A site must hold what he sends, whoever signed for its listing and its assignment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import Signer
from sqlalchemy import Connection

from sealift_registry.app import App, open_app
from sealift_registry.catalog import recording
from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.catalog.reference import parse_promotion
from sealift_registry.delivery import assignments
from sealift_registry.delivery.sites import Sites
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import documents, publishing, roles, shape, statements
from sealift_signing.documents import AssignedArtifact, Assignment, ModelAssignment
from sealift_signing.keys import Passphrases, open_signer
from sealift_signing.statements import Approval
from sealift_signing.transparency.entry import Entry

DISPATCHER = "dispatcher-1"
LIFETIME_DAYS = 90


def assign_anyway(home: Path, people: Path, promotion: str, site: str, group: str) -> None:
    """List and assign what `promotion` is about, approved or not; the old current falls back.

    Args:
        home: of the stolen hub.
        people: where the stolen key lies, in a folder of its own.
        promotion: its id.
        site: to be deceived.
        group: its host group.
    """
    dispatcher = _signer(people, DISPATCHER)
    with _opened(home) as app:
        with app.hub.reading() as connection:
            repository, catalog = Repository(connection), Catalog(connection)
            before = assignments.current(repository, Sites(connection).get(site))
            form = before.groups[group].hardware_target
            asked = catalog.promotion(parse_promotion(promotion))
            one = _artifact(catalog, asked, form)
            change = _listed(app, repository, one)
            _add_assignment(change, repository, _with(before, group, one), dispatcher)
        app.hub.commit_change(change, app.hub.entry("site.assigned", "mallory", {}, {}, site))


def approve_anyway(
    home: Path, people: Path, genuine: Path, promotion: str, requester: tuple[str, str]
) -> None:
    """File every genuine approval of `promotion`, and one by its requester, whose does not count.

    Args:
        home: of the stolen hub.
        people: where the requester's key lies: the two work together.
        genuine: the home of the hub that was copied; it has approvals that came later.
        promotion: its id.
        requester: who that is, and the reason she gives.
    """
    number = parse_promotion(promotion)
    with _opened(genuine) as real, real.hub.reading() as connection:
        approvals = Catalog(connection).approvals(number)
    person, reason = requester
    said = replace(approvals[0].predicate, person=person, reason=reason)
    signer = _signer(people, person)
    envelope = statements.sign(said, approvals[0].subjects, signer)
    own = statements.read(Approval, envelope, what="the approval")
    with _opened(home) as app:

        def action(connection: Connection) -> tuple[Entry, None]:
            for one in (*approvals, own):
                recording.add_approval(connection, number, one)
            return app.hub.entry("promotion.approved", "mallory", {}), None

        app.hub.log.commit(action)


def _artifact(catalog: Catalog, asked: Promotion, form: str) -> AssignedArtifact:
    """The variant that `asked` is about, with every approval there is, be it none."""
    path = asked.ref.path(form)
    (sha256,) = (one.sha256 for one in asked.request.subjects if one.name == str(path))
    named = asked.request.predicate.evidence
    evidence = tuple(one.sha256 for one in catalog.evidence(path) if one.sha256 in named)
    approvals = tuple(one.sha256 for one in catalog.approvals(asked.number))
    return AssignedArtifact(str(path), sha256, asked.request.sha256, approvals, evidence)


def _listed(app: App, repository: Repository, one: AssignedArtifact) -> Change:
    """The team's catalog with `one` in it, signed with the hub's own key; no approval is asked."""
    role = roles.catalog_role(one.parsed.team)
    catalog = publishing.successor(repository.targets(role), expires=_expires(app))
    size = app.hub.home.blobs.size(one.sha256)
    catalog.signed.targets[one.path] = publishing.target_file(one.path, size, one.sha256)
    publishing.sign(catalog, [app.hub.online.signer("catalog")])
    return Change({role: catalog})


def _with(before: Assignment, group: str, one: AssignedArtifact) -> Assignment:
    """The assignment with `one` current; what was current stays to be gone back to."""
    assigned, model = before.groups[group], one.parsed.full_model
    behind = tuple(a for a in assigned.models[model].artifacts if a.path != one.path)
    models = {**assigned.models, model: ModelAssignment(one, behind)}
    return replace(before, groups={**before.groups, group: replace(assigned, models=models)})


def _add_assignment(
    change: Change, repository: Repository, assignment: Assignment, dispatcher: Signer
) -> None:
    role, path = roles.site_role(assignment.site), documents.assignment_path(assignment.site)
    earlier = repository.targets(role)
    metadata = publishing.following(earlier, expires=earlier.signed.expires)
    data = shape.write(assignment)
    publishing.list_document(metadata.signed, path, data)
    publishing.sign(metadata, [dispatcher])
    change.metadata[role], change.documents[path] = metadata, data


def _expires(app: App) -> datetime:
    return publishing.expiry(app.hub.now(), LIFETIME_DAYS)


def _signer(people: Path, person: str) -> Signer:
    key = people / person / f"{person}.pem"
    return open_signer(str(key), Passphrases(people / "passphrase", {}, None))


@contextmanager
def _opened(home: Path) -> Iterator[App]:
    app = open_app(home, {})
    try:
        yield app
    finally:
        app.close()
