"""Which approvals of a request count (DESIGN section 3, "A promotion is a signed request").

The hub asks this to know when to list artifacts; a site asks it again, with its own stage, its own
clock and its own pins, and believes only its own answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sealift_signing.documents import MemberKey, Members, Person, StageRule
from sealift_signing.errors import RefusedError, shown
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Approval, Request, Signed
from sealift_signing.vocabulary import instant

LARGEST_LEAD = timedelta(days=1)
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
class Tally:
    """The approvals of one request that count, one a person, and why the others do not."""

    counted: tuple[Signed[Approval], ...]
    set_aside: tuple[str, ...]
    needed: int

    @property
    def enough(self) -> bool:
        """Whether the request is approved."""
        return len(self.counted) >= max(self.needed, 1)

    @property
    def people(self) -> tuple[str, ...]:
        """Who approved."""
        return tuple(one.predicate.person for one in self.counted)

    @property
    def valid_until(self) -> datetime | None:
        """When the request stops being approved; None if it is not."""
        if not self.enough:
            return None
        ends = sorted((instant(one.predicate.valid_until) for one in self.counted), reverse=True)
        return ends[max(self.needed, 1) - 1]


def check_request(request: Signed[Request], rules: Rules) -> None:
    """Check that an entitled, active person of the team made this request for this stage.

    Raises:
        NotCountedError: not so, and why.
        BadSignatureError: the signature is wrong.
    """
    said = request.predicate
    what = f"the request {request.sha256[:12]} by {said.person}"
    _check_place(request, rules, what)
    _check_person(request, said.person, REQUEST, rules, what)
    _check_date(said.made, rules.now, what)


def tally(request: Signed[Request], approvals: Iterable[Signed[Approval]], rules: Rules) -> Tally:
    """Count the approvals of `request`, which `check_request` has passed.

    Raises:
        BadSignatureError: an approval by a known key bears a wrong signature: somebody forged it.
    """
    counted: dict[str, Signed[Approval]] = {}
    raw_keys: set[bytes] = set()
    aside = []
    # The longest valid first, so that an earlier, shorter approval does not hide a renewed one.
    for one in sorted(approvals, key=lambda a: (a.predicate.valid_until, a.sha256), reverse=True):
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
    return Tally(tuple(counted.values()), tuple(aside), rules.rule.approvals)


def _check_approval(request: Signed[Request], approval: Signed[Approval], rules: Rules) -> bytes:
    """The raw key of an approval that counts by itself."""
    said, asked = approval.predicate, request.predicate
    what = f"the approval {approval.sha256[:12]} by {said.person}"
    _check_place(approval, rules, what)
    if said.request != request.sha256:
        raise NotCountedError(
            "approval-of-another", f"{what} is of another request.", subject=approval.sha256
        )
    about = (said.organisation, said.team, said.model, said.version, said.stage)
    if about != (asked.organisation, asked.team, asked.model, asked.version, asked.stage):
        raise NotCountedError(
            "approval-of-another",
            f"{what} names {said.team}/{said.model}/{said.version} for {said.stage}, "
            "which is not what was requested.",
            subject=approval.sha256,
        )
    if set(approval.subjects) != set(request.subjects):
        raise NotCountedError(
            "approval-of-others",
            f"{what} is of other artifacts than the request's.",
            subject=approval.sha256,
        )
    key = _check_person(approval, said.person, approve(said.stage), rules, what)
    _check_terms(approval, key, rules, what)
    _check_age(request, approval, rules, what)
    raw = PublicKey.parse(key.key).raw
    if not rules.rule.requester_may_approve:
        _check_not_requester(request, approval, raw, rules, what)
    return raw


def _check_terms(approval: Signed[Approval], key: MemberKey, rules: Rules, what: str) -> None:
    said, rule = approval.predicate, rules.rule
    if key.key_class not in rule.key_classes:
        raise NotCountedError(
            "key-class",
            f"{what} was signed with a {key.key_class} key, which the policy does not count for "
            f"{rules.stage}.",
            subject=approval.sha256,
        )
    if said.meaning not in rule.meanings:
        raise NotCountedError(
            "meaning-unknown",
            f"{what} means {shown(said.meaning)}, which is none of the policy's meanings.",
            subject=approval.sha256,
        )
    _check_date(said.made, rules.now, what)
    made, until = instant(said.made), instant(said.valid_until)
    if until <= rules.now:
        raise NotCountedError(
            "approval-expired",
            f"{what} was valid until {said.valid_until}.",
            subject=approval.sha256,
            next_step="Have the request approved again.",
        )
    if until - made > timedelta(days=rule.longest_validity_days):
        raise NotCountedError(
            "approval-too-long",
            f"{what} is valid for longer than the policy's {rule.longest_validity_days} days.",
            subject=approval.sha256,
        )


def _check_age(
    request: Signed[Request], approval: Signed[Approval], rules: Rules, what: str
) -> None:
    """What was asked long ago is approved by nobody: its evidence and its reasons are as old."""
    age = instant(approval.predicate.made) - instant(request.predicate.made)
    if not -LARGEST_LEAD <= age <= rules.rule.within:
        when = f"{age.days} days after" if age.days >= 0 else "before"
        raise NotCountedError(
            "approval-too-late",
            f"{what} was made {when} its request; it counts within {rules.rule.within.days} days "
            "of it. Ask again.",
            subject=approval.sha256,
            next_step="Ask again, with a new request, and have that approved.",
        )


def _check_not_requester(
    request: Signed[Request], approval: Signed[Approval], raw: bytes, rules: Rules, what: str
) -> None:
    """The requester counts for none: by name, and behind another name with the same key."""
    asker = rules.members.person(request.predicate.person)
    asker_keys = {PublicKey.parse(key.key).raw for key in asker.keys} if asker else set()
    same_person = approval.predicate.person == request.predicate.person
    same_key = approval.envelope.keyid == request.envelope.keyid or raw in asker_keys
    if same_person or same_key:
        raise NotCountedError(
            "requester-approves",
            f"{what} does not count: {request.predicate.person} made the request, and who "
            "requests does not approve.",
            subject=approval.sha256,
        )


def _check_place(statement: Signed[Request] | Signed[Approval], rules: Rules, what: str) -> None:
    said = statement.predicate
    place = (said.organisation, said.team, said.stage)
    if place != (rules.organisation, rules.members.team, rules.stage):
        raise NotCountedError(
            "for-another-place",
            f"{what} is for team {said.team}, stage {said.stage}, and not for this organisation's "
            f"team {rules.members.team}, stage {rules.stage}.",
            subject=statement.sha256,
        )


def _check_person(
    statement: Signed[Request] | Signed[Approval],
    name: str,
    purpose: str,
    rules: Rules,
    what: str,
) -> MemberKey:
    person = rules.members.person(name)
    if person is None:
        raise NotCountedError(
            "person-unknown",
            f"{what} does not count: team {rules.members.team} knows no {name}.",
            subject=name,
        )
    _check_active(person, what)
    key = person.key_for(statement.envelope.keyid)
    if key is None or purpose not in key.purposes:
        raise NotCountedError(
            "not-entitled",
            f"{what} does not count: it is not signed with a key of {name} that may "
            f"{purpose.replace(':', ' for ')}.",
            subject=name,
        )
    public = PublicKey.parse(key.key)
    statement.envelope.verify(public, what=what)
    if public.raw in rules.compromised:
        # For ever: whoever stole it has it still, also when its owner is active again.
        raise NotCountedError(
            "key-compromised",
            f"{what} does not count: it is signed with a key that was called compromised.",
            subject=statement.sha256,
        )
    # Solo excepted, where one person is everything and every bundle says so.
    if public.raw in rules.machine_keys and not rules.rule.requester_may_approve:
        raise NotCountedError(
            "machine-key",
            f"{what} does not count: it is signed with the key of a machine, which is no person's.",
            subject=statement.sha256,
        )
    return key


def _check_active(person: Person, what: str) -> None:
    # A retired person's approvals will count again with their log entry and its pinned proof.
    if person.status != "active":
        raise NotCountedError(
            "person-not-active",
            f"{what} does not count: {person.id} is {person.status}.",
            subject=person.id,
        )


def _check_date(made: str, now: datetime, what: str) -> None:
    if instant(made) > now + LARGEST_LEAD:
        raise NotCountedError(
            "dated-ahead",
            f"{what} is dated {made}, more than a day ahead.",
            subject=made,
            next_step="Check the clock of this machine and of whoever signed.",
        )
