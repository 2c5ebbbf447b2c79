"""A person's own statements: `request`, `approve`, `object`.

Their bytes are made when they are signed, with the date of the clock there. What a request names
comes from the hub and is shown whole; what is approved is the request that was read, by its sha256.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealift_signing import features, statements
from sealift_signing.acts import carried_evidence, promotion_words
from sealift_signing.acts.carried_evidence import MachineEvidence
from sealift_signing.acts.material import Ask, Material, Prepared, Unsigned
from sealift_signing.acts.names import LABEL
from sealift_signing.approvals import (
    REQUEST,
    Rules,
    approve,
    check_approval_before_signing,
    check_before_signing,
    check_request,
)
from sealift_signing.counting_rules import rules_for
from sealift_signing.documents import Members, Person, Withdrawal
from sealift_signing.drafts import STATEMENT
from sealift_signing.drawing import drawn
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError, UsageError, shown
from sealift_signing.organisation import Organisation
from sealift_signing.statements import (
    Approval,
    CheckpointSeen,
    Objection,
    Predicate,
    Request,
    Signed,
    Subject,
    subject,
)
from sealift_signing.vocabulary import (
    ARTIFACT_POLICY,
    PORTABLE,
    SENTENCE,
    CatalogPath,
    later,
    moment,
)

LONGEST_NUMBER = 15
"""Digits; what is longer is no number of ours, and slow to read."""


def ask_for(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`request TEAM/MODEL/VERSION STAGE --reason WORDS [--despite WITHDRAWAL]…`.

    The draft brings the artifacts, the evidence about them, the source record and the hub's log.

    Raises:
        RefusedError: evidence that the stage asks for is missing, failed or signed by no machine of
            ours; or the key's owner may not request.
    """
    version, stage = ask.object
    team, model, number = _version(version)
    rules = rules_for(organisation, team, stage, material.now, material.compromised)
    subjects = tuple(_subject(text) for text in material.facts.get("artifact", ()))
    _check_subjects(subjects, version)
    evidence = carried_evidence.carried(organisation, material, subjects)
    policies = _policies(material.facts.get("artifact-policy", ()), subjects)
    carried_evidence.check_gates(rules, subjects, evidence, policies)
    despite = tuple(sorted(_withdrawn(one, rules.members).digest for one in ask.values("despite")))
    reason = _reason(ask)
    person = _person(material, rules, REQUEST, "request promotions")
    said = Request(
        format=1,
        requires=(features.ARTIFACT_POLICIES.spelled,) if policies else (),
        organisation=organisation.id,
        team=team,
        model=model,
        version=number,
        stage=stage,
        source_record=material.fact("source-record"),
        evidence=tuple(sorted(one.signed.sha256 for one in evidence)),
        log=CheckpointSeen(
            material.fact("log-origin"),
            _whole(material.fact("log-size")),
            material.fact("log-root"),
        ),
        person=person.id if person else "somebody",
        reason=reason,
        made=moment(material.now),
        despite=despite,
        artifact_policies=policies or None,
    )
    words = (
        *promotion_words.set_aside_words(despite, rules.members),
        *promotion_words.not_asked_words(said, rules),
        *promotion_words.first_words(evidence),
        f"Ask for {version} to be promoted to {stage}, because {drawn(reason)}.",
        *promotion_words.named_words(said, subjects, rules),
        *promotion_words.subject_words(subjects, evidence, said, rules),
    )
    if person is not None and material.key is not None:
        check_before_signing(said, material.key, rules)
    return Prepared(_own(said, subjects, "request", person), words)


def approve_it(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`approve P-NUMBER --meaning WORDS --reason WORDS [--days N]`: the request that is carried.

    Raises:
        RefusedError: the request does not count, its evidence is not what the stage asks for, or
            this approval would not count.
    """
    request, rules, evidence = _asked(organisation, ask, material)
    meaning, days = ask.value("meaning"), ask.value("days")
    if meaning not in rules.rule.meanings:
        raise UsageError(
            "bad-meaning",
            f"{shown(meaning)} is not one of the policy's meanings.",
            subject=meaning,
            next_step=f"Say one of: {', '.join(map(repr, rules.rule.meanings))}.",
        )
    longest = rules.rule.longest_validity_days
    valid = _days(days) if days else longest
    if not 0 < valid <= longest:
        raise UsageError(
            "bad-validity",
            f"An approval is valid for 1 to {longest} days.",
            subject=days,
            next_step="Choose so many with --days, or leave it out for the longest.",
        )
    reason = _reason(ask)
    asked = request.predicate
    person = _person(material, rules, approve(asked.stage), f"approve for {asked.stage}")
    said = Approval(
        format=1,
        requires=(),
        organisation=organisation.id,
        team=asked.team,
        model=asked.model,
        version=asked.version,
        stage=asked.stage,
        request=request.sha256,
        person=person.id if person else "somebody",
        meaning=meaning,
        reason=reason,
        made=moment(material.now),
        valid_until=moment(later(material.now, valid)),
        measured=tuple(carried_evidence.measured(request.subjects, evidence)),
    )
    check_approval_before_signing(request, said, material.key, rules)
    words = (
        *promotion_words.request_words(request, rules, evidence, material),
        (
            f"You approve it: {drawn(meaning)}, because {drawn(reason)}, until "
            f"{said.valid_until[:10]}."
        ),
    )
    return Prepared(_own(said, request.subjects, "approval", person), words)


def object_to(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """`object P-NUMBER --reason WORDS`: why somebody would not approve; later approvers read it."""
    request, rules, evidence = _asked(organisation, ask, material, gates=False)
    reason, asked = _reason(ask), request.predicate
    person = _person(material, rules, approve(asked.stage), f"approve for {asked.stage}")
    said = Objection(
        format=1,
        requires=(),
        organisation=organisation.id,
        team=asked.team,
        request=request.sha256,
        person=person.id if person else "somebody",
        reason=reason,
        made=moment(material.now),
    )
    if person is not None and material.key is not None:
        check_before_signing(said, material.key, rules)
    words = (
        *promotion_words.request_words(request, rules, evidence, material),
        f"You object, because {drawn(reason)}.",
        "  It bars nothing; every later approver reads it.",
    )
    return Prepared(_own(said, request.subjects, "objection", person), words)


# ---------------------------------------------------------------------- what is asked and shown


def _asked(
    organisation: Organisation, ask: Ask, material: Material, *, gates: bool = True
) -> tuple[Signed[Request], Rules, tuple[MachineEvidence, ...]]:
    """The one request that is carried, verified, and the evidence that it names, all of it."""
    (label,) = ask.object
    if material.fact(LABEL) != label:
        raise RefusedError(
            "other-object",
            f"The draft is of {shown(material.fact(LABEL))}, not of {label}.",
            subject=label,
            next_step="Sign the draft of the promotion that you mean, or have it drafted again.",
        )
    requests = material.carried.of_kind(Request)
    if len(requests) != 1:
        raise MalformedError(
            "bad-draft",
            "The draft does not carry one request.",
            subject=label,
            next_step="Do not sign it; have it drafted again.",
        )
    (request,) = material.carried.take(requests)
    said = request.predicate
    rules = rules_for(organisation, said.team, said.stage, material.now, material.compromised)
    check_request(request, rules)
    evidence = carried_evidence.carried(organisation, material, request.subjects)
    if {one.signed.sha256 for one in evidence} != set(said.evidence):
        raise RefusedError(
            "evidence-not-named",
            f"The evidence that comes with {label} is not what its request names.",
            subject=request.sha256,
            next_step="Do not sign it; have it drafted again.",
        )
    if gates:
        carried_evidence.check_gates(
            rules, request.subjects, evidence, said.artifact_policies or {}
        )
    return request, rules, evidence


def _own(
    said: Predicate, subjects: tuple[Subject, ...], name: str, person: Person | None
) -> tuple[Unsigned, ...]:
    """The statement, once it is known whose it is."""
    if person is None:
        return ()
    return (Unsigned(STATEMENT, name, None, statements.payload(said, subjects)),)


def _person(material: Material, rules: Rules, purpose: str, deed: str) -> Person | None:
    """Whose key it is that signs; None while nobody does."""
    if material.key is None:
        return None
    members = rules.members
    for person, known in members.all_keys():
        if known.raw != material.key.raw:
            continue
        owned = person.key_for(known.keyid)
        if owned is not None and purpose in owned.purposes:
            return person
        raise RefusedError(
            "not-entitled",
            f"{person.id} of team {members.team} may not {deed} with this key.",
            subject=person.id,
            next_step="Have the team's stewards entitle the key (sealift team --help).",
        )
    raise RefusedError(
        "key-unknown",
        f"This key belongs to nobody of team {members.team}.",
        subject=material.key.text,
        next_step="Have the team's stewards add its card (sealift team --help).",
    )


def _withdrawn(given: str, members: Members) -> Withdrawal:
    """A withdrawal by its digest, or by its id where that is one's."""
    known = members.withdrawn
    found = [one for one in known if given in {one.digest, one.id}]
    if len(found) != 1:
        raise NotFoundError(
            "no-withdrawal",
            f"Team {members.team} has withdrawn nothing under {shown(given)}.",
            subject=given,
            next_step=f"Its withdrawals are: {', '.join(one.id for one in known) or 'none'}.",
        )
    return found[0]


# ---------------------------------------------------------------------- reading


def _version(text: str) -> tuple[str, str, int]:
    path = CatalogPath.parse(f"catalog/{text}/source")
    return path.team, path.model, path.version


def _subject(text: str) -> Subject:
    name, _, digest = text.partition(" ")
    CatalogPath.parse(name)
    return subject(name, digest)


def _policies(texts: Iterable[str], subjects: Iterable[Subject]) -> dict[str, str]:
    """The artifact policies that the draft brings: of the variants that are not portable."""
    found = dict(text.partition(" ")[::2] for text in texts)
    variants = {one.name for one in subjects if not CatalogPath.parse(one.name).is_source}
    for path, policy in found.items():
        known = ARTIFACT_POLICY.matches(policy) and policy != PORTABLE
        if path not in variants or not known:
            raise RefusedError(
                "other-object",
                f"{shown(path)} is not a variant of what is asked for, or {shown(policy)} not an "
                "artifact policy of a variant that is not portable.",
                subject=path,
                next_step="Do not sign it; have it drafted again.",
            )
    return found


def _check_subjects(subjects: Iterable[Subject], version: str) -> None:
    paths = [CatalogPath.parse(one.name) for one in subjects]
    if not any(not path.is_source for path in paths):
        raise NotFoundError(
            "no-variant",
            f"{version} has no variant for any hardware target yet.",
            subject=version,
            next_step=f"Make one with: sealift convert {version} --for HARDWARE-TARGET",
        )
    for path in paths:
        if path.full_version != version:
            raise RefusedError(
                "other-object",
                f"{path} is not an artifact of {version}.",
                subject=str(path),
                next_step="Do not sign it; have it drafted again.",
            )


def _reason(ask: Ask) -> str:
    reason = ask.value("reason")
    if not SENTENCE.matches(reason):
        raise UsageError(
            "bad-reason",
            f"A reason is {SENTENCE.words}.",
            subject="reason",
            next_step="Say why, in your own words, with --reason.",
        )
    return reason


def _days(text: str) -> int:
    """So many days; 0, which is never meant, for what is not a number."""
    return int(text) if _is_number(text) else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


def _whole(text: str) -> int:
    if not _is_number(text):
        raise UsageError(
            "bad-number",
            f"{shown(text)} is not a number.",
            subject=text,
            next_step="Write it in digits only, such as 7.",
        )
    return int(text)
