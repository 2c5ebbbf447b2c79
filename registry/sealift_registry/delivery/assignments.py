"""What a site's host groups should run: gathered here, computed and signed by the dispatcher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import Connection

from sealift_registry.catalog.catalog import Catalog, Promotion
from sealift_registry.catalog.discards import check_there
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.delivery import check_row_files, enrolments, retiring, site_software
from sealift_registry.delivery.retiring import SignedRetirement
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.trust import readiness, submitting
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import stored
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_registry.trust.unchanged import is_published
from sealift_signing import documents, drafts, roles, version_links
from sealift_signing.acts.assigning import NO_FALLBACK, check_fallbacks
from sealift_signing.acts.material import Ask, SetAsideVersion
from sealift_signing.acts.names import GIVEN
from sealift_signing.approvals import ApprovalTally, NotCountedError, check_request, tally
from sealift_signing.canonical import Json
from sealift_signing.documents import Assignment
from sealift_signing.drafts import Draft, decoded
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import CatalogPath


def wanted(
    hub: Hub,
    site: str,
    ref: VersionRef,
    groups: Mapping[str, str],
    fallbacks: Sequence[int] | None,
    aside: Sequence[SetAsideVersion] = (),
    *,
    back: str = "",
) -> Wanted:
    """To have host groups of `site` run `ref`.

    Args:
        hub: that gathers what vouches for it.
        site: its id.
        ref: the version that becomes current.
        groups: host groups, each with its hardware target.
        fallbacks: earlier versions to go back to, in order; None keeps what was current, and the
            fallbacks it had, behind the new one.
        aside: versions of the site's role that are to be set aside.
        back: why it goes back, where it does; see `acts.assignment_changes`.

    Raises:
        NotFoundError: no such site, version or variant.
        RefusedError: something is not listed for the site's stage, or no longer approved.
        UsageError: a fallback is named twice, or is the version itself.
    """
    check_fallbacks(str(ref), ref.number, fallbacks or ())
    details = {"for": tuple(f"{group}={target}" for group, target in sorted(groups.items()))}
    if fallbacks is not None:
        details["fallback"] = tuple(map(str, fallbacks)) or (NO_FALLBACK,)
    if back:
        details |= {"back": (GIVEN,), "reason": (back,)}
    with hub.reading() as connection:
        readiness.check(hub, connection)  # by a wrong clock nothing is approved any more, or yet
        enrolled = Sites(connection).get(site)
        envelopes = {enrolled.answer, enrolled.request.envelope.data}
        gathering = _Gathering(hub, connection, enrolled)
        for group, target in groups.items():
            if enrolled.groups.get(group) != target:
                continue  # the act says what is wrong with it
            for number in (ref.number, *(fallbacks or ())):
                envelopes |= set(gathering.needed(replace(ref, number=number).path(target)))
            if fallbacks is None:
                for path in _kept(current(Repository(connection), enrolled), group, ref):
                    envelopes |= set(gathering.kept(path))
    return Wanted(
        Ask("assign", (site, str(ref)), details),
        tuple(envelopes),
        others=tuple(aside),
        check=lambda state, made: _check(hub, state, enrolled, made),
    )


def _check(hub: Hub, connection: Connection, site: EnrolledSite, made: Draft) -> None:
    """Check that the site reads what it is assigned, and can try what was never run."""
    site_software.check_assignment(connection, site, made)
    before = current(Repository(connection), site)
    check_row_files.check_assignment(hub, connection, site, before, made)


def check_assigned(connection: Connection, assignment: Assignment) -> None:
    """Check that nothing of what is assigned was discarded: it would not be there to be brought.

    Raises:
        RefusedError: something was.
    """
    catalog = Catalog(connection)
    for _, _, one in assignment.artifacts():
        path = one.parsed
        ref = VersionRef(path.team, path.model, path.version)
        check_there(catalog.discards(ref), path)


def already(
    connection: Connection, made: Draft, keyids: frozenset[str] | None
) -> AcceptedSubmission | None:
    """The assignment of a moment ago, if `made` would only sign it again."""
    if not is_published(connection, made, keyids):
        return None
    assignment = _listed(made.parts[0], made.object[0])
    return _told(made, assignment).accepted


def submit(hub: Hub, draft: Draft, *, at_hub: bool) -> AcceptedSubmission:
    """Publish a site's next assignment; what is there stays.

    Raises:
        RefusedError: as `submitting.change_of`; or it is for an enrolment that is over.
    """
    (part,) = draft.parts
    site = roles.whose(part.name)
    metadata = drafts.to_metadata(part)
    assignment = _listed(part, site)
    told = _told(draft, assignment)
    with hub.reading() as connection:
        enrolled = Sites(connection).get(site)
        new = not submitting.is_there(stored(connection), part.name, version_links.named(metadata))
        change = submitting.change_of(connection, draft) if new else None
        actor = submitting.signers_of(connection, part)
        number = metadata.signed.version
        if not new and stored(connection).rows.newest(part.name) != number:
            stands = submitting.published_words(connection, part.name, number)
            return AcceptedSubmission(new=False, sentence=stands, data={"site": site})
    data: dict[str, Json] = {
        **told.data,
        "stage": enrolled.stage,
        "enrolment": enrolled.enrolment,
        "at_hub": at_hub,
    }

    def action(connection: Connection) -> tuple[Entry, None]:
        if Sites(connection).get(site).enrolment != assignment.enrolment:
            raise RefusedError(
                "site-moved-on",
                f"Site {site} was enrolled again meanwhile.",
                subject=site,
                next_step="Assign it again.",
            )
        check_assigned(connection, assignment)
        if change is not None:
            hub.publish(connection, change)
        terms = {"site": site, "model": told.model}
        return hub.entry(told.type, actor, data, terms, site), None

    if new:
        hub.commit(action)
    hub.copy_metadata()
    return replace(told.accepted, new=new)


def _told(draft: Draft, assignment: Assignment) -> SignedRetirement:
    """What the log and whoever submits are told of what was signed.

    Raises:
        RefusedError: it is not what the draft says.
    """
    if draft.act == retiring.ACT:
        return retiring.signed_retirement(draft, assignment)
    groups, ref = _said(draft, assignment), VersionRef.parse(draft.object[1])
    data: dict[str, Json] = {
        "version": str(ref),
        "groups": dict(groups),
        "fallbacks": {group: _behind(assignment, group, ref) for group in groups},
    }
    if draft.details.get("back"):
        data["back"] = {
            one.group: {"from": one.version, "reason": one.reason}
            for one in assignment.back or ()
            if one.group in groups and one.model == str(ref.of)
        }
    done = _accepted(assignment.site, ref, groups, assignment)
    return SignedRetirement("site.assigned", str(ref.of), data, done)


def _accepted(
    site: str, ref: VersionRef, groups: Mapping[str, str], assignment: Assignment
) -> AcceptedSubmission:
    """What is said of what a site should run now."""
    rows: list[Json] = []
    lines = []
    for group in sorted(groups):
        behind = [str(number) for number in _behind(assignment, group, ref)]
        rows.append({"group": group, "current": str(ref), "fallbacks": [*behind]})
        lines.append(f"{site} {group}: {ref}, falling back to {', '.join(behind) or 'nothing'}.")
    said: dict[str, Json] = {"site": site, "groups": rows}
    return AcceptedSubmission(new=False, sentence=lines[0], data=said, more=tuple(lines[1:]))


def current(repository: Repository, site: EnrolledSite) -> Assignment:
    """What the site is assigned now; nothing, where that was for an earlier enrolment.

    Raises:
        RefusedError: it is for an enrolment that is not in the database.
    """
    role, empty = roles.site_role(site.id), Assignment(1, (), site.id, site.enrolment, {})
    if repository.stored.is_superseded(role):
        return empty  # others dispatch there since
    data = repository.document(role, documents.assignment_path(site.id))
    if data is None:
        return empty
    found = documents.read_assignment(data, site.id)
    if found.enrolment == site.enrolment:
        return found
    if found.enrolment not in site.earlier:
        # Else a deleted row would have the dispatcher begin with nothing, and say nothing of it.
        raise enrolments.missing(site.id, f"by which it is assigned to ({found.enrolment[:12]})")
    return empty


class _Gathering:
    """What vouches for artifacts: a request that counts, its approvals, and its evidence."""

    def __init__(self, hub: Hub, connection: Connection, site: EnrolledSite) -> None:
        self._now = hub.now()
        self._site, self._stage = site.id, site.stage
        self._catalog = Catalog(connection)
        self._repository = Repository(connection)

    def kept(self, path: CatalogPath) -> Iterator[bytes]:
        """The envelopes for `path`; none where its approvals ran out, for it stays as it was."""
        with suppress(RefusedError, NotFoundError):
            yield from self.needed(path)

    def needed(self, path: CatalogPath) -> list[bytes]:
        """The envelopes for `path`, of the newest promotion that still vouches for it.

        Raises:
            NotFoundError: there is no such version, or no such variant of it.
            RefusedError: none does; why, is said.
        """
        ref = VersionRef(path.team, path.model, path.version)
        self._catalog.version(ref)
        check_there(self._catalog.discards(ref), path)
        row = self._catalog.artifact(path)
        if row is None:
            raise NotFoundError(
                "no-variant",
                f"{path.full_version} has no variant for {path.form}.",
                subject=str(path),
                next_step=f"Make it with: sealift convert {path.full_version} --for {path.form}",
            )
        why = f"is not promoted to {self._stage}, the stage of site {self._site}."
        there = self._repository.lists(path.team, str(path), row.sha256)
        for promotion in self._catalog.listing(path, self._stage) if there else ():
            if not promotion.request.about(str(path), row.sha256):
                continue
            try:
                counted = self._tally(promotion)
            except NotCountedError as bad:  # its requester has left the team, or may no longer ask
                why = f"is listed, and its promotion no longer counts: {bad.what}"
                continue
            if not counted.enough:
                why = f"is listed, and is no longer approved: {' '.join(counted.set_aside)}"
                continue
            named = promotion.request.predicate.evidence
            evidence = (e for e in self._catalog.evidence(path) if e.sha256 in named)
            found = [one.envelope for one in counted.counted] + [one.envelope for one in evidence]
            return [one.data for one in (promotion.request.envelope, *found)]
        raise RefusedError(
            "not-listed",
            f"{path.full_version} for {path.form} {why}",
            subject=str(path),
            next_step=f"Ask for it: sealift promote {path.full_version} --to {self._stage}",
        )

    def _tally(self, promotion: Promotion) -> ApprovalTally:
        rules = self._repository.rules(promotion.ref.team, promotion.stage, self._now)
        check_request(promotion.request, rules)
        return tally(promotion.request, self._catalog.approvals(promotion.number), rules)


def _kept(assignment: Assignment, group: str, ref: VersionRef) -> list[CatalogPath]:
    """What may stay behind the new version by itself."""
    before = assignment.of(group, str(ref.of))
    return [one.parsed for one in (before.artifacts if before else ())]


def _listed(part: drafts.DraftPart, site: str) -> Assignment:
    path = documents.assignment_path(site)
    data = next((decoded(one.data) for one in part.documents if one.path == path), None)
    if data is None:
        raise RefusedError(
            "not-listed",
            f"The draft comes without {path}, which it lists.",
            subject=path,
            next_step="Submit the file as sealift-sign wrote it.",
        )
    return documents.read_assignment(data, site)


def _said(draft: Draft, assignment: Assignment) -> Mapping[str, str]:
    """The host groups that the draft names, each with its target, if it is so as it says.

    Raises:
        RefusedError: the log would say what was not signed.
    """
    groups = dict(text.partition("=")[::2] for text in draft.details.get("for", ()))
    version = draft.object[1]
    for group, target in groups.items():
        now = assignment.of(group, version.rpartition("/")[0])
        said = now.current.parsed if now else None
        if said is None or (said.full_version, said.form) != (version, target):
            raise RefusedError(
                "other-act",
                f"What was signed does not assign {version} to {group} of {assignment.site}.",
                subject=assignment.site,
                next_step="Submit the file as sealift-sign wrote it.",
            )
    return groups


def _behind(assignment: Assignment, group: str, ref: VersionRef) -> list[int]:
    fallbacks = assignment.groups[group].models[str(ref.of)].fallbacks
    return [one.parsed.version for one in fallbacks]
