"""What goes on counting of a key that is retired: found anew by whoever signs it.

The statements come with the draft, and each is verified by the key itself. So a hub can leave one
out, which is told as what it is, and can put nothing in that the key did not sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sealift_signing import statements
from sealift_signing.acts.material import Material
from sealift_signing.approvals import REQUEST, approve
from sealift_signing.documents import MemberKey, StillCounts
from sealift_signing.organisation import Organisation
from sealift_signing.policy import StageRule
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Approval, Request, Signed
from sealift_signing.vocabulary import instant, moment


@dataclass(frozen=True)
class Found:
    """A statement that goes on counting.

    Attributes:
        counts: as the list of people names it.
        words: what it is: `the approval of vision/digits/3 for production`.
    """

    counts: StillCounts
    words: str


def found(
    organisation: Organisation, team: str, person: str, key: MemberKey, material: Material
) -> tuple[Found, ...]:
    """What goes on counting of all that `key` signed and that came along, by digest.

    Raises:
        BadSignatureError: one is said to be signed with the key, and is not.
    """
    of_key = _Key(organisation, team, person, key)
    each = [*of_key.requests(material), *of_key.approvals(material)]
    return tuple(sorted(each, key=lambda one: one.counts.sha256))


@dataclass(frozen=True)
class _Key:
    organisation: Organisation
    team: str
    person: str
    key: MemberKey

    def requests(self, material: Material) -> Iterator[Found]:
        """Of each until when an approval of it could last, by the policy as it stands."""
        policy = self.organisation.policy()
        for one in material.carried.of_kind(Request):
            rule = policy.stages.get(one.predicate.stage)
            if rule is not None and self._signed(one, REQUEST):
                until = instant(one.predicate.made) + _longest(rule)
                if until > material.made:
                    yield self._taken("request", one, moment(until), material)

    def approvals(self, material: Material) -> Iterator[Found]:
        for one in material.carried.of_kind(Approval):
            until = one.predicate.valid_until
            if self._signed(one, approve(one.predicate.stage)) and instant(until) > material.made:
                yield self._taken("approval", one, until, material)

    def _signed(self, one: Signed[Request] | Signed[Approval], purpose: str) -> bool:
        """Whether it says that this key of this person signed it, as it might."""
        said = one.predicate
        place = (said.organisation, said.team, said.person)
        return (
            place == (self.organisation.id, self.team, self.person)
            and one.envelope.keyid == PublicKey.parse(self.key.key).keyid
            and purpose in self.key.purposes
        )

    def _taken(
        self,
        kind: str,
        one: Signed[Any],
        until: str,
        material: Material,
    ) -> Found:
        """As it goes on counting, once its signature was verified."""
        said, public = one.predicate, PublicKey.parse(self.key.key)
        statements.verify(one, public, what=f"the {kind} {one.sha256[:12]} by {self.person}")
        material.carried.take((one,))
        words = f"the {kind} of {said.team}/{said.model}/{said.version} for {said.stage}"
        return Found(StillCounts(one.sha256, until), words)


def _longest(rule: StageRule) -> timedelta:
    """For how long after its request the last approval of it can count."""
    return rule.within + timedelta(days=rule.longest_validity_days)
