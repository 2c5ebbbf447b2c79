"""What a site's host groups should run: signed by the dispatcher, and only what is listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from securesystemslib.signer import Signer
from sqlalchemy import Connection

from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.delivery.sites import Site, Sites
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Change, Repository, sign_enough
from sealift_registry.trust.unchanged import UnchangedError, check_changes
from sealift_signing import documents, publishing, roles, shape
from sealift_signing.approvals import NotCountedError, Tally, check_request, tally
from sealift_signing.canonical import Json
from sealift_signing.documents import (
    AssignedArtifact,
    Assignment,
    GroupAssignment,
    ModelAssignment,
)
from sealift_signing.errors import NotFoundError, RefusedError, UsageError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import CatalogPath

MOST_KEPT = 3
"""Fallbacks that an assignment keeps by itself: each is carried to the site in every bundle."""


class Assignments:
    """The use case."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def assign(
        self,
        site: str,
        ref: VersionRef,
        groups: Mapping[str, str],
        fallbacks: Sequence[int] | None,
        signer: Signer,
    ) -> Assignment:
        """Have host groups of `site` run `ref`; assigned so just now, nothing is published.

        Args:
            site: its id.
            ref: the version that becomes current.
            groups: host groups, each with its hardware target.
            fallbacks: earlier versions to go back to, in order; None keeps what was current, and
                the fallbacks it had, behind the new one.
            signer: the dispatcher's key.

        Raises:
            NotFoundError: no such site, host group, version or variant.
            RefusedError: something is not listed for the site's stage, or no longer approved.
        """
        with self._hub.reading() as connection:
            enrolled = Sites(connection).get(site)
            assignment = self._assigned(connection, enrolled, ref, groups, fallbacks)
            change = self._draft(Repository(connection), assignment, signer)

        def action(connection: Connection) -> tuple[Entry, None]:
            if Sites(connection).get(site).enrolment != enrolled.enrolment:
                raise RefusedError(
                    "site-moved-on",
                    f"Site {site} was enrolled again meanwhile.",
                    subject=site,
                    next_step="Run the command again.",
                )
            check_changes(connection, change)
            self._hub.publish(connection, change)
            return self._entry(connection, enrolled, ref, groups, assignment, signer), None

        with suppress(UnchangedError):
            self._hub.commit(action)
        self._hub.copy_metadata()
        return assignment

    def _assigned(
        self,
        connection: Connection,
        site: Site,
        ref: VersionRef,
        groups: Mapping[str, str],
        fallbacks: Sequence[int] | None,
    ) -> Assignment:
        """What the site is assigned now, with `ref` and its fallbacks in `groups`."""
        assignment = current(Repository(connection), site)
        for group, hardware_target in groups.items():
            _check_group(site, group, hardware_target)
            first = self._artifact(connection, site, ref.path(hardware_target))
            if fallbacks is None:
                behind = self._kept(connection, site, assignment, group, ref)
            else:
                _check_fallbacks(ref, fallbacks)
                versions = [replace(ref, number=n).path(hardware_target) for n in fallbacks]
                behind = [self._artifact(connection, site, path) for path in versions]
            assignment = _with(assignment, group, hardware_target, ref, [first, *behind])
        return assignment

    def _kept(
        self,
        connection: Connection,
        site: Site,
        assignment: Assignment,
        group: str,
        ref: VersionRef,
    ) -> list[AssignedArtifact]:
        """What was current before, and the fallbacks it had, up to `MOST_KEPT`.

        One whose approvals ran out stays as it was assigned: nothing is newly installed from them,
        and a site that has it must still be able to go back to it.
        """
        assigned = assignment.groups.get(group)
        before = assigned.models.get(str(ref.of)) if assigned else None
        kept = []
        for one in before.artifacts if before else ():
            if one.parsed.version == ref.number:
                continue
            try:
                kept.append(self._artifact(connection, site, one.parsed))
            except RefusedError:
                kept.append(one)
        return kept[:MOST_KEPT]

    def _entry(
        self,
        connection: Connection,
        site: Site,
        ref: VersionRef,
        groups: Mapping[str, str],
        assignment: Assignment,
        signer: Signer,
    ) -> Entry:
        behind = {
            group: [
                a.parsed.version for a in assignment.groups[group].models[str(ref.of)].fallbacks
            ]
            for group in groups
        }
        data: dict[str, Json] = {
            "version": str(ref),
            "groups": dict(groups),
            "fallbacks": behind,
            "stage": site.stage,
            "enrolment": site.enrolment,
        }
        actor = Repository(connection).who(roles.site_role(site.id), [signer])
        terms = {"site": site.id, "model": str(ref.of)}
        return self._hub.entry("site.assigned", actor, data, terms, site.id)

    def _artifact(self, connection: Connection, site: Site, path: CatalogPath) -> AssignedArtifact:
        """The artifact at `path`, with the newest promotion that still vouches for it."""
        catalog = Catalog(connection)
        catalog.version(VersionRef(path.team, path.model, path.version))
        row = catalog.artifact(path)
        if row is None:
            raise NotFoundError(
                "no-variant",
                f"{path.full_version} has no variant for {path.form}.",
                subject=str(path),
                next_step=f"Make it with: sealift convert {path.full_version} --for {path.form}",
            )
        why = f"is not promoted to {site.stage}, the stage of site {site.id}."
        there = Repository(connection).lists(path.team, str(path), row.sha256)
        for promotion in catalog.listing(path, site.stage) if there else ():
            if not promotion.request.about(str(path), row.sha256):
                continue
            try:
                counted = self._tally(connection, promotion)
            except NotCountedError as bad:  # its requester has left the team, or may no longer ask
                why = f"is listed, and its promotion counts no more: {bad.what}"
                continue
            if not counted.enough:
                why = f"is listed, and not approved any more: {' '.join(counted.set_aside)}"
            else:
                return AssignedArtifact(
                    path=str(path),
                    sha256=row.sha256,
                    request=promotion.request.sha256,
                    approvals=tuple(one.sha256 for one in counted.counted),
                    evidence=_named(catalog, path, promotion),
                )
        raise RefusedError(
            "not-listed",
            f"{path.full_version} for {path.form} {why}",
            subject=str(path),
            next_step=f"Ask for it: sealift promote {path.full_version} --to {site.stage}",
        )

    def _tally(self, connection: Connection, promotion: Promotion) -> Tally:
        rules = Repository(connection).rules(promotion.ref.team, promotion.stage, self._hub.now())
        check_request(promotion.request, rules)
        return tally(promotion.request, Catalog(connection).approvals(promotion.number), rules)

    def _draft(self, repository: Repository, assignment: Assignment, signer: Signer) -> Change:
        role = roles.site_role(assignment.site)
        before = repository.base(role)
        expires = publishing.expiry(self._hub.now(), repository.lifetime(role))
        metadata = (
            publishing.following(before, expires=expires)
            if before
            else publishing.first_targets(expires=expires)
        )
        path, data = documents.assignment_path(assignment.site), shape.write(assignment)
        documents.read_assignment(data, assignment.site)
        publishing.list_document(metadata.signed, path, data)
        sign_enough(metadata, role, [signer], repository.targets(roles.FLEET).signed)
        return Change({role: metadata}, {path: data})


def current(repository: Repository, site: Site) -> Assignment:
    """What the site is assigned now; nothing, where that was for an earlier enrolment."""
    role, empty = roles.site_role(site.id), Assignment(1, (), site.id, site.enrolment, {})
    if repository.stored.is_superseded(role):
        return empty  # others dispatch there since
    data = repository.document(role, documents.assignment_path(site.id))
    if data is None:
        return empty
    found = documents.read_assignment(data, site.id)
    return found if found.enrolment == site.enrolment else empty


def _check_group(site: Site, group: str, hardware_target: str) -> None:
    pinned = site.groups.get(group)
    if pinned is None:
        raise NotFoundError(
            "no-group",
            f"Site {site.id} has no host group {group}.",
            subject=group,
            next_step=f"Its host groups are: {', '.join(sorted(site.groups))}.",
        )
    if pinned != hardware_target:
        raise UsageError(
            "other-hardware-target",
            f"Host group {group} of {site.id} is for {pinned}, not for {hardware_target}.",
            subject=group,
            next_step=f"Write: --for {group}={pinned}",
        )


def _check_fallbacks(ref: VersionRef, given: Sequence[int]) -> None:
    if ref.number in given or len(set(given)) != len(given):
        raise UsageError(
            "bad-fallback",
            "A fallback is another version than the current one, and named once.",
            subject=str(ref),
            next_step="Name earlier versions, each with its own --fallback.",
        )


def _with(
    assignment: Assignment,
    group: str,
    hardware_target: str,
    ref: VersionRef,
    found: Sequence[AssignedArtifact],
) -> Assignment:
    before = assignment.groups.get(group)
    models = dict(before.models) if before else {}
    models[str(ref.of)] = ModelAssignment(found[0], tuple(found[1:]))
    groups = {**assignment.groups, group: GroupAssignment(hardware_target, models)}
    return replace(assignment, groups=groups)


def _named(catalog: Catalog, path: CatalogPath, promotion: Promotion) -> tuple[str, ...]:
    named = promotion.request.predicate.evidence
    return tuple(one.sha256 for one in catalog.evidence(path) if one.sha256 in named)
