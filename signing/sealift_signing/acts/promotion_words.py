"""What whoever promotes reads: the request, all that it names, and what others said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sealift_signing.acts import wording
from sealift_signing.acts.carried_evidence import MachineEvidence
from sealift_signing.acts.material import Material
from sealift_signing.approvals import NotCountedError, Rules, check_objection, tally
from sealift_signing.documents import Members
from sealift_signing.drawing import drawn
from sealift_signing.more_member import LOOK, TOLD_FIRST, mark, more_of, more_words
from sealift_signing.statements import Approval, Objection, Request, Signed, Subject
from sealift_signing.vocabulary import PORTABLE, CatalogPath, counted


def request_words(
    request: Signed[Request],
    rules: Rules,
    evidence: Iterable[MachineEvidence],
    material: Material,
) -> Iterator[str]:
    """A request as whoever approves or objects reads it, and what others said of it."""
    said, found = request.predicate, tuple(evidence)
    yield from set_aside_words(said.despite, rules.members)
    yield from not_asked_words(said, rules)
    yield from first_words(found)
    yield (
        f"{said.team}/{said.model}/{said.version} to {said.stage}, asked for by {said.person} on "
        f"{said.made}, because {drawn(said.reason)}."
    )
    yield f"request {request.sha256}"
    yield from named_words(said, request.subjects, rules)
    yield from subject_words(request.subjects, found, said, rules)
    yield from _approval_words(request, rules, material)
    objections = material.carried.of_kind(Objection)
    to_this = [one for one in objections if one.predicate.request == request.sha256]
    for objection in material.carried.take(to_this):
        yield _objection_words(objection, request, rules)


def named_words(said: Request, subjects: Iterable[Subject], rules: Rules) -> Iterator[str]:
    """What a request names beside the artifacts."""
    yield from _bars_words(subjects, rules, said.despite)
    yield f"source record {said.source_record}"
    yield f"the hub's log: {counted(said.log.size, 'entry', 'entries')}, root {said.log.root}"
    yield f"  of {drawn(said.log.origin)}"


def _approval_words(request: Signed[Request], rules: Rules, material: Material) -> Iterator[str]:
    approvals = material.carried.take(material.carried.of_kind(Approval))
    counted = tally(request, approvals, rules)
    for one in counted.counted:
        about = one.predicate
        yield (
            f"approved by {about.person} on {about.made}, until {about.valid_until}: "
            f"{drawn(about.meaning)}, because {drawn(about.reason)}"
        )
    for reason in counted.set_aside:
        yield f"an approval does not count: {drawn(reason)}"
    yield f"{len(counted.counted)} of the {counted.needed} approvals that it needs count."


def _objection_words(one: Signed[Objection], request: Signed[Request], rules: Rules) -> str:
    said = one.predicate
    try:
        check_objection(one, request, rules)
    except NotCountedError as bad:
        # Whoever objected may have left; that they did is said, their words are nobody's now.
        return f"an objection is by nobody who may approve: {drawn(bad.what)}"
    return f"OBJECTED to by {said.person} on {said.made}: {drawn(said.reason)}"


def set_aside_words(despite: Iterable[str], members: Members) -> Iterator[str]:
    """Withdrawals that are set aside come first, each whole."""
    known = {one.digest: one for one in members.withdrawn}
    for digest in despite:
        one = known.get(digest)
        what = wording.withdrawal(one) if one else f"{digest}, which is not known now"
        yield f"SETS ASIDE the withdrawal {what}"


def not_asked_words(said: Request, rules: Rules) -> Iterator[str]:
    """What the stage would ask of an artifact, were it not called what it is: as early."""
    for path, policy in sorted((said.artifact_policies or {}).items()):
        lacks = [k for k in rules.rule.evidence if k not in rules.rule.evidence_of(policy)]
        if lacks:
            yield f"NO {', '.join(lacks).upper()} IS ASKED of {path}: the request calls it {policy}"


def first_words(evidence: Iterable[MachineEvidence]) -> Iterator[str]:
    """What a machine of ours found that is to be known before all else: as early."""
    for one in evidence:
        for check in one.predicate.checks:
            if check.name == TOLD_FIRST:
                about = ", ".join(sorted(subject.name for subject in one.signed.subjects))
                yield f"{LOOK}, of {about}: {drawn(check.words)}"


def _bars_words(subjects: Iterable[Subject], rules: Rules, despite: Iterable[str]) -> Iterator[str]:
    """Withdrawals that cover it and are not set aside: what is signed would install nothing."""
    aside = set(despite)
    for about in subjects:
        path = CatalogPath.parse(about.name)
        for one in rules.members.withdrawn:
            if one.digest not in aside and one.covers(path, about.sha256, rules.stage):
                yield f"{about.name} IS WITHDRAWN: {wording.withdrawal(one)}"


def subject_words(
    subjects: Iterable[Subject], evidence: Iterable[MachineEvidence], asked: Request, rules: Rules
) -> Iterator[str]:
    """Every artifact, with all evidence about it; and which of them is not portable."""
    found = tuple(evidence)
    for about in sorted(subjects, key=lambda one: one.name):
        yield f"{about.name}  {about.sha256}"
        policy = asked.artifact_policy(about.name)
        if policy != PORTABLE:
            kinds = ", ".join(rules.rule.evidence_of(policy))
            yield f"  {policy.upper()}: of it {rules.stage} asks for {kinds}"
        for one in found:
            if one.about(about):
                yield from wording.indented(_evidence_words(one))


def _evidence_words(one: MachineEvidence) -> Iterator[str]:
    """A piece of evidence: its verdict, every check, what looked, and on which goldens."""
    said = one.predicate
    yield (
        f"{said.kind}: {said.verdict}, on {drawn(said.machine)}, {said.made}, signed by "
        f"{one.machine} ({one.signed.sha256})"
    )
    yield from (f"  {mark(c)}  {c.name}: {drawn(c.words)}" for c in said.checks)
    for name, version in sorted(said.tools.items()):
        yield f"  with {drawn(name)} {drawn(version)}"
    goldens = said.details.get("goldens") if isinstance(said.details, Mapping) else None
    if isinstance(goldens, str):
        yield f"  on the goldens {drawn(goldens)}"
    yield from (f"  {text}" for text in more_words(more_of(said.details)))
