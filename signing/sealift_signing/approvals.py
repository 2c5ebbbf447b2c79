"""Which approvals of a request count (docs/explanation/six-conditions.md).

The hub asks this to know when to list artifacts; a site asks it again, with its own stage, its own
clock and its own pins, and believes only its own answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sealift_signing import clock, features
from sealift_signing.documents import MemberKey, Members, Person
from sealift_signing.errors import RefusedError, shown
from sealift_signing.policy import StageRule
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Approval, Objection, Request, Signed
from sealift_signing.vocabulary import PORTABLE, CatalogPath, instant, moment

LARGEST_LEAD = clock.SKEW
"""How far ahead of trusted time a statement may be dated: clocks differ, a year does not."""

REQUEST = "request"


def approve(stage: str) -> str:
    """The purpose of a key that may approve for `stage`."""
    return f"approve:{stage}"


class NotCountedError(RefusedError):
    """An authentic statement that does not count, and why."""


@dataclass(frozen=True)
class Rules:
    """What counting is done by.

    Attributes:
        organisation: the sha256 of root 1.
        members: the team's people.
        stage: the stage asked about.
        rule: what the policy says of that stage.
        now: the trusted time.
        machine_keys: raw public keys of machines, and of the roles that the hub signs by itself;
            none of them is a person's.
        compromised: raw public keys that the team, or a role above it, ever called compromised.
    """

    organisation: str
    members: Members
    stage: str
    rule: StageRule
    now: datetime
    machine_keys: frozenset[bytes]
    compromised: frozenset[bytes]


@dataclass(frozen=True)
class ApprovalTally:
    """The approvals of one request that count, one a person, and why the others do not."""

    counted: tuple[Signed[Approval], ...]
    set_aside: tuple[str, ...]
    needed: int
    longest: timedelta
    """How long an approval counts at most, whatever it says itself."""

    @property
    def enough(self) -> bool:
        """Whether the request is approved."""
        return len(self.counted) >= max(self.needed, 1)

    def ends(self, approval: Signed[Approval]) -> datetime:
        """When one of those that count stops counting."""
        return ends_of(approval.predicate, self.longest)

    @property
    def people(self) -> tuple[str, ...]:
        """Who approved."""
        return tuple(one.predicate.person for one in self.counted)

    @property
    def valid_until(self) -> datetime | None:
        """When the request stops being approved; None if it is not."""
        if not self.enough:
            return None
        ends = sorted(map(self.ends, self.counted), reverse=True)
        return ends[max(self.needed, 1) - 1]


def ends_of(said: Approval, longest: timedelta) -> datetime:
    """When an approval stops counting: as it says, or before, where the policy lets none so long.

    A policy that was made stricter cuts what was signed by the one before, and refuses none of it.
    """
    return min(instant(said.valid_until), instant(said.made) + longest)


def check_request(request: Signed[Request], rules: Rules) -> None:
    """Check that an entitled, active person of the team made this request for this stage.

    Raises:
        NotCountedError: not so, and why.
        BadSignatureError: the signature is wrong.
    """
    said = request.predicate
    of = _named("request", request)
    _check_place(request, rules, of)
    _check_policies(request, of)
    _check_person(request, said.person, REQUEST, rules, of)
    _check_date(said.made, rules.now, of)


def _check_policies(request: Signed[Request], of: _Of) -> None:
    """What is not portable is one of the request's own variants, and said by a feature.

    Whoever approves is shown it: by it a stage may ask for less evidence.
    """
    said = request.predicate
    found = said.artifact_policies
    if found is None:
        return
    variants = {one.name for one in request.subjects if not CatalogPath.parse(one.name).is_source}
    spelled = bool(found) and found.keys() <= variants and PORTABLE not in found.values()
    if not spelled or features.ARTIFACT_POLICIES.spelled not in said.requires:
        raise NotCountedError(
            "bad-artifact-policies",
            f"{of.what} says of artifacts that are not its own, or without requiring "
            f"{features.ARTIFACT_POLICIES.spelled}, that they are not portable.",
            subject=of.sha256,
            next_step="Do not approve it; have it asked for again.",
        )


def tally(
    request: Signed[Request], approvals: Iterable[Signed[Approval]], rules: Rules
) -> ApprovalTally:
    """Count the approvals of `request`, which `check_request` has passed.

    Raises:
        BadSignatureError: an approval by a known key bears a wrong signature: somebody forged it.
    """
    counted: dict[str, Signed[Approval]] = {}
    raw_keys: set[bytes] = set()
    aside = []
    longest = rules.rule.longest
    # The longest valid first, so that an earlier, shorter approval does not hide a renewed one.
    for one in sorted(
        approvals, key=lambda a: (ends_of(a.predicate, longest), a.sha256), reverse=True
    ):
        person = one.predicate.person
        try:
            raw = _check_approval(request, one, rules)
        except NotCountedError as reason:
            aside.append(reason.what)
            continue
        if person in counted or raw in raw_keys:
            aside.append(
                f"{person} has approved already; one person counts once, with however many keys."
            )
            continue
        counted[person] = one
        raw_keys.add(raw)
    return ApprovalTally(tuple(counted.values()), tuple(aside), rules.rule.approvals, longest)


def check_objection(objection: Signed[Objection], request: Signed[Request], rules: Rules) -> None:
    """Check that somebody who may approve `request` objects to it.

    Raises:
        NotCountedError: not so, and why.
        BadSignatureError: the signature is wrong.
    """
    said, of = objection.predicate, _named("objection", objection)
    if said.request != request.sha256 or set(objection.subjects) != set(request.subjects):
        raise NotCountedError(
            "objection-to-another",
            f"{of.what} is to another request.",
            subject=of.sha256,
            next_step="Object again, to the request that is shown.",
        )
    if (said.organisation, said.team) != (rules.organisation, rules.members.team):
        raise _elsewhere(f"team {said.team}", rules, of)
    _check_person(objection, said.person, approve(rules.stage), rules, of)
    _check_date(said.made, rules.now, of)


def check_before_signing(
    said: Request | Approval | Objection, key: PublicKey, rules: Rules
) -> MemberKey:
    """Refuse before signing what nobody would count: who `said.person` is, and their key.

    Raises:
        NotCountedError: why it would not count.
    """
    kind = type(said).__name__.lower()
    purpose = REQUEST if isinstance(said, Request) else approve(rules.stage)
    of = _Of(f"the {kind} by {said.person}", said.person)
    owned = _entitled(said.person, key.keyid, purpose, rules, of)
    _check_key(key, rules, of)
    return owned


def check_approval_before_signing(
    request: Signed[Request], said: Approval, key: PublicKey | None, rules: Rules
) -> None:
    """Refuse before signing an approval of `request` that would not count.

    Args:
        request: that was shown.
        said: what is to be signed.
        key: of whoever signs; None while it is drafted, for anybody.
        rules: of its stage.

    Raises:
        NotCountedError: why it would not.
    """
    of = _Of(f"the approval by {said.person}", said.person)
    _check_age(request, said, rules, of)
    if instant(said.valid_until) - instant(said.made) > rules.rule.longest:
        raise NotCountedError(
            "approval-too-long",
            f"{of.what} is valid for longer than the policy's {rules.rule.longest.days} days.",
            subject=of.sha256,
            next_step="Approve again, for fewer days.",
        )
    if key is None:
        return
    owned = check_before_signing(said, key, rules)
    _check_terms(said, owned, rules, of)
    if not rules.rule.requester_may_approve:
        _check_not_requester(request, said, key, rules, of)


@dataclass(frozen=True)
class _Of:
    """What a refusal is about: in words, and its digest or, before it is signed, whose it is."""

    what: str
    sha256: str


def _named(kind: str, one: Signed[Request] | Signed[Approval] | Signed[Objection]) -> _Of:
    return _Of(f"the {kind} {one.sha256[:12]} by {one.predicate.person}", one.sha256)


def _check_approval(request: Signed[Request], approval: Signed[Approval], rules: Rules) -> bytes:
    """The raw key of an approval that counts by itself."""
    said, asked = approval.predicate, request.predicate
    of = _named("approval", approval)
    _check_place(approval, rules, of)
    if said.request != request.sha256:
        raise NotCountedError(
            "approval-of-another",
            f"{of.what} is of another request.",
            subject=of.sha256,
            next_step="Have the request that is shown approved.",
        )
    about = (said.organisation, said.team, said.model, said.version, said.stage)
    if about != (asked.organisation, asked.team, asked.model, asked.version, asked.stage):
        raise NotCountedError(
            "approval-of-another",
            f"{of.what} names {said.team}/{said.model}/{said.version} for {said.stage}, "
            "which is not what was requested.",
            subject=of.sha256,
            next_step="Have the request that is shown approved.",
        )
    if set(approval.subjects) != set(request.subjects):
        raise NotCountedError(
            "approval-of-others",
            f"{of.what} is about artifacts other than the request's.",
            subject=of.sha256,
            next_step="Have the request that is shown approved.",
        )
    key = _check_person(approval, said.person, approve(said.stage), rules, of)
    _check_terms(said, key, rules, of)
    _check_age(request, said, rules, of)
    public = PublicKey.parse(key.key)
    if not rules.rule.requester_may_approve:
        _check_not_requester(request, said, public, rules, of)
    return public.raw


def _check_terms(said: Approval, key: MemberKey, rules: Rules, of: _Of) -> None:
    rule = rules.rule
    if key.key_class not in rule.key_classes:
        raise NotCountedError(
            "key-class",
            f"{of.what} was signed with a key of class {key.key_class}, which the policy does not "
            f"count for {rules.stage}.",
            subject=of.sha256,
            next_step=f"Sign with a key of one of these classes: {', '.join(rule.key_classes)}.",
        )
    if said.meaning not in rule.meanings:
        raise NotCountedError(
            "meaning-unknown",
            f"{of.what} means {shown(said.meaning)}, which is not one of the policy's meanings.",
            subject=of.sha256,
            next_step=f"Say one of: {', '.join(map(repr, rule.meanings))}.",
        )
    _check_date(said.made, rules.now, of)
    until = ends_of(said, rule.longest)
    if until <= rules.now:
        cut = until < instant(said.valid_until)
        why = f": the policy lets none count for more than {rule.longest.days} days" * cut
        raise NotCountedError(
            "approval-expired",
            f"{of.what} was valid until {moment(until)}{why}.",
            subject=of.sha256,
            next_step="Have the request approved again.",
        )


def _check_age(request: Signed[Request], said: Approval, rules: Rules, of: _Of) -> None:
    """What was asked long ago is approved by nobody: its evidence and its reasons are as old."""
    age = instant(said.made) - instant(request.predicate.made)
    if not -LARGEST_LEAD <= age <= rules.rule.within:
        if age < -LARGEST_LEAD:  # it names the request by its sha256, so a clock was wrong
            raise NotCountedError(
                "approval-before-request",
                f"{of.what} is dated {said.made}, more than a day before its request: "
                f"{request.predicate.made}.",
                subject=of.sha256,
                next_step="Whoever's clock was wrong sets it right and signs another, with --anew.",
            )
        raise NotCountedError(
            "approval-too-late",
            f"{of.what} was made {age.days} days after its request; it counts within "
            f"{rules.rule.within.days} days of it. Ask again.",
            subject=of.sha256,
            next_step="Ask again, with a new request, and have that approved.",
        )


def _check_not_requester(
    request: Signed[Request], said: Approval, key: PublicKey, rules: Rules, of: _Of
) -> None:
    """The requester counts for none: by name, and behind another name with the same key."""
    asker = rules.members.person(request.predicate.person)
    asker_keys = {PublicKey.parse(key.key).raw for key in asker.keys} if asker else set()
    same_person = said.person == request.predicate.person
    same_key = key.keyid == request.envelope.keyid or key.raw in asker_keys
    if same_person or same_key:
        raise NotCountedError(
            "requester-approves",
            f"{of.what} does not count: {request.predicate.person} made the request, and whoever "
            "requests does not approve.",
            subject=of.sha256,
            next_step="Have somebody else approve it.",
        )


def _check_place(statement: Signed[Request] | Signed[Approval], rules: Rules, of: _Of) -> None:
    said = statement.predicate
    place = (said.organisation, said.team, said.stage)
    if place != (rules.organisation, rules.members.team, rules.stage):
        raise _elsewhere(f"team {said.team}, stage {said.stage}", rules, of)


def _elsewhere(place: str, rules: Rules, of: _Of) -> NotCountedError:
    return NotCountedError(
        "for-another-place",
        f"{of.what} is for {place}, and not for this organisation's team {rules.members.team}, "
        f"stage {rules.stage}.",
        subject=of.sha256,
        next_step=f"Ask for team {rules.members.team}, stage {rules.stage}, with a"
        " request of its own.",
    )


def _check_person(
    statement: Signed[Request] | Signed[Approval] | Signed[Objection],
    name: str,
    purpose: str,
    rules: Rules,
    of: _Of,
) -> MemberKey:
    key = _entitled(name, statement.envelope.keyid, purpose, rules, of)
    public = PublicKey.parse(key.key)
    if public.fault:
        raise NotCountedError(
            "weak-key",
            f"{of.what} does not count: the key that it is signed with {public.fault}.",
            subject=of.sha256,
            next_step=f"Have {name} make a new key, and the team's stewards enter it.",
        )
    statement.envelope.verify(public, what=of.what)
    _check_key(public, rules, of)
    return key


def _entitled(name: str, keyid: str, purpose: str, rules: Rules, of: _Of) -> MemberKey:
    person = rules.members.person(name)
    if person is None:
        raise NotCountedError(
            "person-unknown",
            f"{of.what} does not count: team {rules.members.team} knows no {name}.",
            subject=name,
            next_step="Have the team's stewards add their card (sealift team --help).",
        )
    key = person.key_for(keyid)
    _check_status(person, key, of)
    if key is None or purpose not in key.purposes:
        raise NotCountedError(
            "not-entitled",
            f"{of.what} does not count: it is not signed with a key of {name} that may "
            f"{purpose.replace(':', ' for ')}.",
            subject=name,
            next_step="Have the team's stewards entitle the key (sealift team --help).",
        )
    return key


def _check_key(public: PublicKey, rules: Rules, of: _Of) -> None:
    if public.raw in rules.compromised:
        # For ever: whoever stole it has it still, also when its owner is active again.
        raise _compromised(of)
    # Solo excepted, where one person is everything and every bundle says so.
    if public.raw in rules.machine_keys and not rules.rule.requester_may_approve:
        raise NotCountedError(
            "machine-key",
            f"{of.what} does not count: it is signed with the key of a machine, which is not a "
            "person's.",
            subject=of.sha256,
            next_step="Sign with a key of your own; its card is entered by the team's stewards.",
        )


def _compromised(of: _Of) -> NotCountedError:
    return NotCountedError(
        "key-compromised",
        f"{of.what} does not count: it is signed with a key that was called compromised.",
        subject=of.sha256,
        next_step="Make a new key, and have the team's stewards enter its card.",
    )


def _check_status(person: Person, key: MemberKey | None, of: _Of) -> None:
    """Of a retired key only that counts which the stewards listed, whenever the rest was signed."""
    status = person.status if key is None else person.status_of(key)
    if key is not None and status == "retired" and key.counts is not None:
        if not key.goes_on_counting(of.sha256):
            raise NotCountedError(
                "key-retired",
                f"{of.what} does not count: the key of {person.id} that it is signed with is "
                "retired, and it is not among what goes on counting.",
                subject=person.id,
                next_step="Have somebody sign with a key that is active in the team.",
            )
    elif person.status != "active":
        raise NotCountedError(
            "person-not-active",
            f"{of.what} does not count: {person.id} is {person.status}.",
            subject=person.id,
            next_step="Have somebody who is active in the team sign.",
        )
    elif status == "compromised":
        raise _compromised(of)


def _check_date(made: str, now: datetime, of: _Of) -> None:
    if not clock.is_possible(instant(made)):
        raise NotCountedError(
            "dated-before",
            f"{of.what} is dated {made}, before Sealift was made: the clock was wrong where it was "
            "signed.",
            subject=made,
            next_step="Have that clock set. Then whoever signed it signs another, with --anew.",
        )
    if instant(made) - now > LARGEST_LEAD:
        raise NotCountedError(
            "dated-ahead",
            f"{of.what} is dated {made}, more than a day ahead of the clock here: {moment(now)}.",
            subject=made,
            next_step="Set right the clock that is wrong. If it was that of whoever signed, they "
            "sign another, with --anew: what they signed keeps its date.",
        )
