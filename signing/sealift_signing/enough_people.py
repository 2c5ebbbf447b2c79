"""Whether a team has the people whom a stage asks for: told before it is too late."""

from __future__ import annotations

from sealift_signing.approvals import REQUEST, approve
from sealift_signing.documents import MemberKey, Members, Person
from sealift_signing.policy import StageRule
from sealift_signing.public_key import PublicKey


def who_may(members: Members, stage: str, rule: StageRule) -> tuple[str, ...]:
    """The people of a team whose approvals for a stage would count today, by id."""
    return tuple(sorted(_approvers(members, stage, rule)))


def meets(members: Members, stage: str, rule: StageRule) -> bool:
    """Whether somebody of the team may ask, and enough others approve with keys of their own."""
    approvers = _approvers(members, stage, rule)
    for person in members.people:
        if not _keys(person, REQUEST):
            continue
        others = dict(approvers)
        if not rule.requester_may_approve:
            others.pop(person.id, None)
            own = {PublicKey.parse(key.key).raw for key in person.keys}
            others = {who: keys - own for who, keys in others.items() if keys - own}
        if len(others) >= rule.approvals:  # no key is two people's: read_members sees to it
            return True
    return False


def _approvers(members: Members, stage: str, rule: StageRule) -> dict[str, frozenset[bytes]]:
    found = {}
    for person in members.people:
        keys = [
            PublicKey.parse(key.key)
            for key in _keys(person, approve(stage))
            if key.key_class in rule.key_classes
        ]
        sound = frozenset(key.raw for key in keys if not key.fault)
        if sound:
            found[person.id] = sound
    return found


def _keys(person: Person, purpose: str) -> list[MemberKey]:
    """Those with which they may sign something new: a single key may be retired."""
    return [key for key in person.active_keys if purpose in key.purposes]
