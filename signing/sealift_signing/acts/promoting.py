"""A person's own statements: `request`, `approve`, `object`.

Their bytes are made when they are signed, with the date of the clock there. What a request names
comes from the hub and is shown whole; what is approved is the request that was read, by its sha256.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from hashlib import sha256

from sealift_signing import roles, shape, statements
from sealift_signing.acts import wording
from sealift_signing.acts.asking import Ask, Material, Prepared, Unsigned
from sealift_signing.acts.names import LABEL
from sealift_signing.approvals import (
    REQUEST,
    NotCountedError,
    Rules,
    approve,
    check_approval_before_signing,
    check_before_signing,
    check_objection,
    check_request,
    tally,
)
from sealift_signing.compromised import NONE, Compromised, barred, marked
from sealift_signing.documents import Members, Person, Withdrawal
from sealift_signing.drafts import STATEMENT
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError, UsageError, shown
from sealift_signing.organisation import Organisation, rules_for
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import (
    EVIDENCE_PURPOSE,
    Approval,
    CheckpointSeen,
    Evidence,
    Measured,
    Objection,
    Predicate,
    Request,
    Signed,
    Subject,
    subject,
)
from sealift_signing.vocabulary import SENTENCE, CatalogPath, instant, moment

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
    evidence = _evidence(organisation, material, subjects)
    _check_gates(rules, subjects, evidence)
    despite = tuple(sorted(_withdrawn(one, rules.members)[1] for one in ask.all("despite")))
    reason = _reason(ask)
    person = _person(material, rules, REQUEST, "request promotions")
    said = Request(
        format=1,
        requires=(),
        organisation=organisation.id,
        team=team,
        model=model,
        version=number,
        stage=stage,
        source_record=material.fact("source-record"),
        evidence=tuple(sorted(one.sha256 for one in evidence)),
        log=CheckpointSeen(
            material.fact("log-origin"),
            _whole(material.fact("log-size")),
            material.fact("log-root"),
        ),
        person=person.id if person else "somebody",
        reason=reason,
        made=moment(material.now),
        despite=despite,
    )
    words = (
        *_set_aside_words(despite, rules.members),
        f"Ask for {version} to be promoted to {stage}, because {wording.drawn(reason)}.",
        *_named_words(said, subjects, rules),
        *_subject_words(organisation, subjects, evidence),
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
    meaning, days = ask.one("meaning"), ask.one("days")
    if meaning not in rules.rule.meanings:
        raise UsageError(
            "bad-meaning",
            f"{shown(meaning)} is none of the policy's meanings.",
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
        valid_until=moment(material.now + timedelta(days=valid)),
        measured=tuple(_measured(request.subjects, evidence)),
    )
    check_approval_before_signing(request, said, material.key, rules)
    words = (
        *_request_words(organisation, request, rules, evidence, material),
        (
            f"You approve it: {wording.drawn(meaning)}, because {wording.drawn(reason)}, until "
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
        *_request_words(organisation, request, rules, evidence, material),
        f"You object, because {wording.drawn(reason)}.",
        "  It bars nothing; every later approver reads it.",
    )
    return Prepared(_own(said, request.subjects, "objection", person), words)


def verified_evidence(
    organisation: Organisation, one: Signed[Evidence], lost: Compromised = NONE
) -> str:
    """The name of the machine of ours that signed `one`, entitled to evidence of its kind.

    `lost` are keys that are remembered as compromised, whatever the newest list calls them.

    Raises:
        RefusedError: none did.
    """
    kind = one.predicate.kind
    what = f"the {kind} evidence {one.sha256[:12]}"
    fleet = marked(
        organisation.fleet_keys(), barred(lost, (roles.FLEET, roles.TARGETS, roles.ROOT))
    )
    for machine in fleet.of(EVIDENCE_PURPOSE.get(kind, "")):
        key = PublicKey.parse(machine.key)
        if key.keyid == one.envelope.keyid:
            statements.verify(one, key, what=what)
            if one.predicate.organisation != organisation.id:
                break
            return machine.name
    raise RefusedError(
        "gate",
        f"{what[0].upper()}{what[1:]} is signed by no machine that may sign evidence of its kind.",
        subject=one.sha256,
        next_step="See who may in fleet/keys.json, and check the hub: sealift audit fsck",
    )


# ---------------------------------------------------------------------- what is asked and shown


def _asked(
    organisation: Organisation, ask: Ask, material: Material, *, gates: bool = True
) -> tuple[Signed[Request], Rules, tuple[Signed[Evidence], ...]]:
    """The one request that is carried, verified, and the evidence that it names, all of it."""
    (label,) = ask.object
    if material.fact(LABEL) != label:
        raise RefusedError(
            "other-object",
            f"The draft is of {shown(material.fact(LABEL))}, not of {label}.",
            subject=label,
        )
    requests = material.carried.all(Request)
    if len(requests) != 1:
        raise MalformedError("bad-draft", "The draft does not carry one request.", subject=label)
    (request,) = material.carried.take(requests)
    said = request.predicate
    rules = rules_for(organisation, said.team, said.stage, material.now, material.compromised)
    check_request(request, rules)
    evidence = _evidence(organisation, material, request.subjects)
    if {one.sha256 for one in evidence} != set(said.evidence):
        raise RefusedError(
            "evidence-not-named",
            f"The evidence that comes with {label} is not what its request names.",
            subject=request.sha256,
            next_step="Do not sign it; have it drafted again.",
        )
    if gates:
        _check_gates(rules, request.subjects, evidence)
    return request, rules, evidence


def _evidence(
    organisation: Organisation, material: Material, subjects: tuple[Subject, ...]
) -> tuple[Signed[Evidence], ...]:
    found = material.carried.take(material.carried.all(Evidence))
    for one in found:
        verified_evidence(organisation, one, material.compromised)
        if not any(one.about(about.name, about.sha256) for about in subjects):
            raise RefusedError(
                "evidence-of-another",
                f"The {one.predicate.kind} evidence {one.sha256[:12]} is about none of these "
                "artifacts.",
                subject=one.sha256,
            )
    return found


def _check_gates(
    rules: Rules, subjects: Iterable[Subject], evidence: tuple[Signed[Evidence], ...]
) -> None:
    """Every variant has the evidence that the stage asks for, and all of it passed."""
    for about in subjects:
        if CatalogPath.parse(about.name).is_source:
            continue
        for kind in rules.rule.evidence:
            found = [
                one.predicate
                for one in evidence
                if one.predicate.kind == kind and one.about(about.name, about.sha256)
            ]
            failed = any(
                one.verdict != "pass" or any(c.verdict != "pass" for c in one.checks)
                for one in found
            )
            if not found or failed:
                raise RefusedError(
                    "gate",
                    f"{rules.stage} asks for {kind} evidence about {about.name}, and it "
                    f"{'failed' if failed else 'is missing'}.",
                    subject=about.name,
                    next_step="See all of it: sealift show "
                    f"{CatalogPath.parse(about.name).full_version}",
                )


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


def _withdrawn(given: str, members: Members) -> tuple[Withdrawal, str]:
    """A withdrawal by its digest, or by its id where that is one's."""
    known = [(one, sha256(shape.write(one)).hexdigest()) for one in members.withdrawn]
    found = [(one, digest) for one, digest in known if given in {digest, one.id}]
    if len(found) != 1:
        raise NotFoundError(
            "no-withdrawal",
            f"Team {members.team} has withdrawn nothing under {shown(given)}.",
            subject=given,
            next_step=f"Its withdrawals are: {', '.join(one.id for one, _ in known) or 'none'}.",
        )
    return found[0]


# ---------------------------------------------------------------------- words


def _request_words(
    organisation: Organisation,
    request: Signed[Request],
    rules: Rules,
    evidence: tuple[Signed[Evidence], ...],
    material: Material,
) -> Iterator[str]:
    said = request.predicate
    yield from _set_aside_words(said.despite, rules.members)
    yield (
        f"{said.team}/{said.model}/{said.version} to {said.stage}, asked for by {said.person} on "
        f"{said.made}, because {wording.drawn(said.reason)}."
    )
    yield f"request {request.sha256}"
    yield from _named_words(said, request.subjects, rules)
    yield from _subject_words(organisation, request.subjects, evidence)
    yield from _approval_words(request, rules, material)
    found = material.carried.all(Objection)
    to_this = [one for one in found if one.predicate.request == request.sha256]
    for objection in material.carried.take(to_this):
        yield _objection_words(objection, request, rules)


def _named_words(said: Request, subjects: Iterable[Subject], rules: Rules) -> Iterator[str]:
    """What a request names beside the artifacts."""
    yield from _bars_words(subjects, rules, said.despite)
    yield f"source record {said.source_record}"
    yield f"the hub's log: {said.log.size} entries, root {said.log.root}"
    yield f"  of {wording.drawn(said.log.origin)}"


def _approval_words(request: Signed[Request], rules: Rules, material: Material) -> Iterator[str]:
    approvals = material.carried.take(material.carried.all(Approval))
    counted = tally(request, approvals, rules)
    for one in counted.counted:
        about = one.predicate
        yield (
            f"approved by {about.person} on {about.made}, until {about.valid_until}: "
            f"{wording.drawn(about.meaning)}, because {wording.drawn(about.reason)}"
        )
    for reason in counted.set_aside:
        yield f"an approval does not count: {wording.drawn(reason)}"
    yield f"{len(counted.counted)} of the {counted.needed} approvals that it needs count."


def _objection_words(one: Signed[Objection], request: Signed[Request], rules: Rules) -> str:
    said = one.predicate
    try:
        check_objection(one, request, rules)
    except NotCountedError as bad:
        # Whoever objected may have left; that they did is said, their words are nobody's now.
        return f"an objection is by nobody who may approve: {wording.drawn(bad.what)}"
    return f"OBJECTED to by {said.person} on {said.made}: {wording.drawn(said.reason)}"


def _set_aside_words(despite: Iterable[str], members: Members) -> Iterator[str]:
    """Withdrawals that are set aside come first, each whole."""
    known = {sha256(shape.write(one)).hexdigest(): one for one in members.withdrawn}
    for digest in despite:
        one = known.get(digest)
        what = wording.withdrawal(one, digest) if one else f"{digest}, which is not known now"
        yield f"SETS ASIDE the withdrawal {what}"


def _bars_words(subjects: Iterable[Subject], rules: Rules, despite: Iterable[str]) -> Iterator[str]:
    """Withdrawals that cover it and are not set aside: what is signed would install nothing."""
    aside = set(despite)
    for about in subjects:
        path = CatalogPath.parse(about.name)
        for one in rules.members.withdrawn:
            digest = sha256(shape.write(one)).hexdigest()
            if digest not in aside and one.covers(path, about.sha256, rules.stage):
                yield f"{about.name} IS WITHDRAWN: {wording.withdrawal(one, digest)}"


def _subject_words(
    organisation: Organisation,
    subjects: Iterable[Subject],
    evidence: Iterable[Signed[Evidence]],
) -> Iterator[str]:
    found = tuple(evidence)
    for about in sorted(subjects, key=lambda one: one.name):
        yield f"{about.name}  {about.sha256}"
        for one in found:
            if one.about(about.name, about.sha256):
                signer = verified_evidence(organisation, one)
                yield from wording.indented(_evidence_words(one, signer))


def _evidence_words(one: Signed[Evidence], signer: str) -> Iterator[str]:
    """A piece of evidence: its verdict, every check, what looked, and on which goldens."""
    said = one.predicate
    yield (
        f"{said.kind}: {said.verdict}, on {wording.drawn(said.machine)}, {said.made}, signed by "
        f"{signer} ({one.sha256})"
    )
    yield from (f"  {c.verdict}  {c.name}: {wording.drawn(c.words)}" for c in said.checks)
    for name, version in sorted(said.tools.items()):
        yield f"  with {wording.drawn(name)} {wording.drawn(version)}"
    goldens = said.details.get("goldens") if isinstance(said.details, Mapping) else None
    if isinstance(goldens, str):
        yield f"  on the goldens {wording.drawn(goldens)}"


def _measured(
    subjects: Iterable[Subject], evidence: Iterable[Signed[Evidence]]
) -> Iterator[Measured]:
    found = tuple(evidence)
    for about in sorted(subjects, key=lambda one: one.name):
        parities = [
            one.predicate
            for one in found
            if one.predicate.kind == "parity" and one.about(about.name, about.sha256)
        ]
        if parities:
            newest = max(parities, key=lambda one: instant(one.made))
            yield Measured(about.name, newest.machine)


# ---------------------------------------------------------------------- reading


def _version(text: str) -> tuple[str, str, int]:
    team, model, number = _split(text)
    return team, model, _whole(number)


def _split(text: str) -> tuple[str, str, str]:
    path = CatalogPath.parse(f"catalog/{text}/source")
    return path.team, path.model, str(path.version)


def _subject(text: str) -> Subject:
    name, _, digest = text.partition(" ")
    CatalogPath.parse(name)
    return subject(name, digest)


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
                "other-object", f"{path} is no artifact of {version}.", subject=str(path)
            )


def _reason(ask: Ask) -> str:
    reason = ask.one("reason")
    if not SENTENCE.matches(reason):
        raise UsageError(
            "bad-reason",
            f"A reason is {SENTENCE.words}.",
            subject="reason",
            next_step="Say why, in your own words, with --reason.",
        )
    return reason


def _days(text: str) -> int:
    """So many days; 0, which is never meant, for what is no number."""
    return int(text) if _is_number(text) else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


def _whole(text: str) -> int:
    if not _is_number(text):
        raise UsageError("bad-number", f"{shown(text)} is no number.", subject=text)
    return int(text)
