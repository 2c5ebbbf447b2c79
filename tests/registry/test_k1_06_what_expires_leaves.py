"""What expired leaves the list of a retired key at the next version, whichever act makes it."""

from dataclasses import replace
from datetime import timedelta

from sealift_registry.trust.repository import Repository
from sealift_signing import key_status
from sealift_signing.approvals import REQUEST
from sealift_signing.documents import MemberKey, Members, StillCounts
from sealift_signing.vocabulary import moment
from tests.registry.hub_fixture import STEWARDS, TEAM, Acme


def listed(hub: Acme) -> list[str]:
    """What goes on counting of carla, by the list that stands."""
    with hub.app.hub.reading() as connection:
        members = Repository(connection).members(TEAM)
    carla = members.person("carla") if members else None
    assert carla is not None
    (key,) = carla.keys
    assert isinstance(key, MemberKey)
    assert key.status == "retired"
    return [one.sha256[0] for one in key.counts or ()]


def test_k1_06_what_expired_leaves_the_list_when_it_is_renewed_or_changed(acme: Acme) -> None:
    now = acme.app.hub.now()
    ends = [StillCounts(f"{n}" * 64, moment(now + timedelta(days=10 * n))) for n in (1, 2, 3)]

    def retire(members: Members) -> Members:
        people = tuple(
            replace(one, keys=(replace(one.keys[0], status="retired", counts=tuple(ends)),))
            if one.id == "carla"
            else one
            for one in members.people
        )
        return key_status.requiring(replace(members, people=people))

    acme.change_members(retire)
    assert listed(acme) == ["1", "2", "3"]
    acme.later(days=11)
    acme.renew("team.vision", *STEWARDS)
    assert listed(acme) == ["2", "3"]
    acme.later(days=21)
    acme.entitle("gina", REQUEST, key=acme.new_key("gina"))
    assert listed(acme) == ["3"]
