"""`assign SITE VERSION --for GROUP=HARDWARE-TARGET…`: what a site's host groups should run.

The dispatcher's signature is no wall; but also it is only given to what was promoted, by the
counting rule, from requests and approvals that the draft carries and that are verified here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sealift_signing import documents, roles, shape, statements
from sealift_signing.acts import assignment_changes, versions, wording
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.approvals import check_request, tally
from sealift_signing.counting_rules import rules_for
from sealift_signing.documents import (
    BACK,
    AssignedArtifact,
    Assignment,
    GroupAssignment,
    ModelAssignment,
)
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError, UsageError
from sealift_signing.organisation import Organisation, holders_of
from sealift_signing.statements import (
    Approval,
    Evidence,
    Request,
    Signed,
    SiteAnswer,
    SiteRequest,
)
from sealift_signing.vocabulary import CatalogPath

MOST_KEPT = 3
"""Fallbacks that an assignment keeps by itself: each is carried to the site in every bundle."""

NO_FALLBACK = "none"


def assign(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """The site's next assignment, with one version in some of its host groups.

    Without `--fallback` what was current, and its fallbacks, stay behind the new version.

    Raises:
        NotFoundError: no such site or host group.
        RefusedError: something is not promoted to the site's stage, or no longer; or it goes back,
            which is not said.
    """
    site, version = ask.object
    enrolled = enrolled_site(organisation, material, site)
    groups = dict(_pair(text) for text in ask.values("for"))
    if not groups:
        raise UsageError(
            "group-needed",
            "Nothing says which host groups should run it.",
            next_step="Give --for GROUP=HARDWARE-TARGET.",
        )
    before = after = current(organisation, enrolled)
    for group, target in sorted(groups.items()):
        _check_target(enrolled, group, target)
        path = CatalogPath.parse(f"catalog/{version}/{target}")
        first = _promoted(organisation, material, enrolled, path)
        behind = _behind(organisation, ask, material, enrolled, after, group, path)
        after = _with(after, group, target, path.full_model, [first, *behind])
    after = assignment_changes.assigned(before, after, ask, groups)
    words = (
        f"Assign {version} to {site} ({enrolled.stage}): "
        + ", ".join(f"{group} ({target})" for group, target in sorted(groups.items()))
        + ".",
        *assignment_changes.words(before, after),
    )
    return prepared(organisation, material, enrolled, after, words)


def prepared(
    organisation: Organisation,
    material: Material,
    site: Enrolled,
    after: Assignment,
    words: Iterable[str],
) -> Prepared:
    """The next version of the site's role, with the assignment `after`; `words` say what changes.

    Raises:
        MalformedError: no site would take it.
    """
    role, path = roles.site_role(site.id), documents.assignment_path(site.id)
    data = shape.write(after)
    documents.read_assignment(data, site.id)
    signed, part = versions.listing(organisation, role, material, path, data)
    said = (
        *words,
        *_no_longer(organisation, site),
        f"{wording.becomes(role, signed)}. The site should then run:",
        *wording.indented(wording.assignment(after)),
    )
    return Prepared((part,), said)


class Enrolled:
    """A site by the answer that a fleet administrator signed and the request that it made.

    Attributes:
        enrolment: the answer's sha256.
        groups: its host groups, each with its hardware target.
    """

    def __init__(self, answer: Signed[SiteAnswer], request: Signed[SiteRequest]) -> None:
        self.id = answer.predicate.site
        self.stage = answer.predicate.stage
        self.enrolment = answer.sha256
        self.groups: Mapping[str, str] = request.predicate.groups


def enrolled_site(organisation: Organisation, material: Material, site: str) -> Enrolled:
    """The site whose answer and request the draft carries, both verified.

    Raises:
        RefusedError: they are not this site's, or not signed by those who may.
    """
    answers, requests = material.carried.of_kind(SiteAnswer), material.carried.of_kind(SiteRequest)
    if len(answers) != 1 or len(requests) != 1:
        raise MalformedError(
            "bad-draft",
            f"The draft does not carry the enrolment of {site}.",
            subject=site,
            next_step="Do not sign it; have it drafted again.",
        )
    (answer,), (request,) = material.carried.take(answers), material.carried.take(requests)
    check_enrolment(organisation, answer, request, site)
    return Enrolled(answer, request)


def check_enrolment(
    organisation: Organisation,
    answer: Signed[SiteAnswer],
    request: Signed[SiteRequest],
    site: str,
) -> None:
    """Check that a fleet administrator answered this request of this site.

    Raises:
        RefusedError: nobody did.
    """
    said = answer.predicate
    about = answer.about(f"sites/{site}/request", request.sha256)
    right = (said.site, said.request, said.organisation) == (
        site,
        request.sha256,
        organisation.id,
    )
    if not (about and right and site in organisation.sites):
        raise RefusedError(
            "site-not-enrolled",
            f"The answer {answer.sha256[:12]} is not an enrolment of site {site} in this "
            "organisation.",
            subject=site,
            next_step="Check the hub: sealift audit fsck",
        )
    what = f"the enrolment of {site}"
    key = next(
        (
            one
            for one in holders_of(organisation, roles.FLEET).keys
            if one.keyid == answer.envelope.keyid
        ),
        None,
    )
    if key is None:
        raise RefusedError(
            "site-not-enrolled",
            f"{what[0].upper()}{what[1:]} is not signed by a fleet administrator.",
            subject=site,
            next_step="Have the site enrolled again, by a fleet administrator.",
        )
    statements.verify(answer, key, what=what)


def _promoted(
    organisation: Organisation, material: Material, site: Enrolled, path: CatalogPath
) -> AssignedArtifact:
    """The artifact at `path`, by the newest request about it that the draft carries.

    Raises:
        RefusedError: none is carried, or it is not approved.
    """
    found = _vouched(organisation, material, site, path)
    if found is None:
        raise RefusedError(
            "not-listed",
            f"{path.full_version} for {path.form} comes without a promotion to {site.stage}, the "
            f"stage of site {site.id}.",
            subject=str(path),
            next_step=f"Ask for it: sealift promote {path.full_version} --to {site.stage}",
        )
    return found


def _vouched(
    organisation: Organisation, material: Material, site: Enrolled, path: CatalogPath
) -> AssignedArtifact | None:
    requests = [
        one
        for one in material.carried.of_kind(Request)
        if any(about.name == str(path) for about in one.subjects)
    ]
    if not requests:
        return None
    # Several, where another one vouches for another variant of the same version.
    newest = max(requests, key=lambda one: (one.predicate.made, one.sha256))
    (request,) = material.carried.take([newest])
    rules = rules_for(organisation, path.team, site.stage, material.made, material.compromised)
    check_request(request, rules)
    approvals = material.carried.take(
        one for one in material.carried.of_kind(Approval) if one.predicate.request == request.sha256
    )
    # As it was drafted, so that Friday's draft is the same on Monday; and still so today.
    listed = tally(request, approvals, rules)
    counted = tally(request, approvals, replace(rules, now=material.now))
    if not (listed.enough and counted.enough):
        raise RefusedError(
            "not-listed",
            f"{path.full_version} for {path.form} is no longer approved: "
            f"{' '.join(counted.set_aside) or 'too few approvals.'}",
            subject=str(path),
            next_step=f"Ask for it: sealift promote {path.full_version} --to {site.stage}",
        )
    digest = next(about.sha256 for about in request.subjects if about.name == str(path))
    named = set(request.predicate.evidence)
    evidence = material.carried.take(
        one
        for one in material.carried.of_kind(Evidence)
        if one.sha256 in named and one.about(str(path), digest)
    )
    return AssignedArtifact(
        path=str(path),
        sha256=digest,
        request=request.sha256,
        approvals=tuple(sorted(one.sha256 for one in listed.counted)),
        evidence=tuple(sorted(one.sha256 for one in evidence)),
    )


def _behind(
    organisation: Organisation,
    ask: Ask,
    material: Material,
    site: Enrolled,
    assignment: Assignment,
    group: str,
    path: CatalogPath,
) -> list[AssignedArtifact]:
    """What the group goes back to.

    By itself that is what ran before, or, of what goes back, what is lower still. One whose
    approvals ran out stays as it was assigned: nothing is newly installed from them, and a site
    that has it must still be able to go back to it.
    """
    given = ask.values("fallback")
    if given == (NO_FALLBACK,):
        return []
    if given:
        versions_given = [_number(text) for text in given]
        check_fallbacks(path.full_version, path.version, versions_given)
        return [
            _promoted(organisation, material, site, replace(path, version=number))
            for number in versions_given
        ]
    before = assignment.of(group, path.full_model)
    kept = [one for one in (before.artifacts if before else ()) if one.parsed != path]
    if ask.value(BACK):  # what it goes away from is nothing to go back to
        kept = [one for one in kept if one.parsed.version < path.version]
    return [_vouched(organisation, material, site, one.parsed) or one for one in kept[:MOST_KEPT]]


def check_fallbacks(version: str, number: int, given: Sequence[int]) -> None:
    """Check what `version`, which has this number, is to go back to.

    Raises:
        UsageError: a fallback is named twice, or is the version itself.
    """
    if number in given or len(set(given)) != len(given):
        raise UsageError(
            "bad-fallback",
            "A fallback is a version other than the current one, and is named once.",
            subject=version,
            next_step="Name earlier versions, each with its own --fallback.",
        )


def current(organisation: Organisation, site: Enrolled) -> Assignment:
    """What the site is assigned now; nothing, where that was for an earlier enrolment."""
    found = organisation.assignment(site.id)
    if found is None or found.enrolment != site.enrolment:
        return Assignment(1, (), site.id, site.enrolment, {})
    return found


def _no_longer(organisation: Organisation, site: Enrolled) -> tuple[str, ...]:
    """What was assigned under an enrolment that this one is said to have come after.

    Nothing that is carried shows which of both is the newer: whoever signs knows.
    """
    found = organisation.assignment(site.id)
    if found is None or found.enrolment == site.enrolment:
        return ()
    what = (
        f"THIS BEGINS WITH NOTHING: what {site.id} was assigned goes by an earlier enrolment "
        f"({found.enrolment[:12]}), and none of it is kept. It must be so once, after the site was "
        f"enrolled again ({site.enrolment[:12]}); if it was not, do not sign. No longer assigned:"
    )
    return (what, *wording.indented(wording.assignment(found)))


def check_group(site: Enrolled, group: str) -> str:
    """The hardware target of one of the site's host groups.

    Raises:
        NotFoundError: it has no such group.
    """
    pinned = site.groups.get(group)
    if pinned is None:
        raise NotFoundError(
            "no-group",
            f"Site {site.id} has no host group {group}.",
            subject=group,
            next_step=f"Its host groups are: {', '.join(sorted(site.groups))}.",
        )
    return pinned


def _check_target(site: Enrolled, group: str, target: str) -> None:
    pinned = check_group(site, group)
    if pinned != target:
        raise UsageError(
            "other-hardware-target",
            f"Host group {group} of {site.id} is for {pinned}, not for {target}.",
            subject=group,
            next_step=f"Write: --for {group}={pinned}",
        )


def _with(
    assignment: Assignment,
    group: str,
    hardware_target: str,
    model: str,
    found: list[AssignedArtifact],
) -> Assignment:
    before = assignment.groups.get(group)
    models = dict(before.models) if before else {}
    models[model] = ModelAssignment(found[0], tuple(found[1:]))
    groups = {**assignment.groups, group: GroupAssignment(hardware_target, models)}
    return replace(assignment, groups=groups)


def _pair(text: str) -> tuple[str, str]:
    group, equals, target = text.partition("=")
    if not (group and equals and target):
        raise UsageError(
            "bad-pair",
            f"{text!r} is not GROUP=HARDWARE-TARGET.",
            subject=text,
            next_step="Write GROUP=HARDWARE-TARGET.",
        )
    return group, target


def _number(text: str) -> int:
    return CatalogPath.parse(f"catalog/x/x/{text}/x").version
