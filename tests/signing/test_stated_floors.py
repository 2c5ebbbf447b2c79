"""What a delegator states of new keys: computed by whoever signs, from what they verified."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealift_signing import drafts, floors, roles
from sealift_signing.errors import RefusedError
from tests.desks import STEWARDS, TEAM, Acme

ROLE = roles.team_role(TEAM)
TARGETS = ("tina", "toni")


@pytest.fixture
def acme() -> Acme:
    return Acme()


def stated(acme: Acme) -> int | None:
    return floors.stated(acme.organisation.head(roles.TARGETS).targets, ROLE)


def test_t1_01_new_stewards_go_on_from_the_version_that_was_verified(acme: Acme) -> None:
    acme.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    version = acme.organisation.head(ROLE).version
    made = acme.draft("set-stewards", TEAM, *STEWARDS, "gina", cards=["gina"])
    words = "\n".join(acme.examine(made, "tina").words)
    assert f"sites take no list of theirs below version {version}" in words
    acme.publish(TARGETS, "set-stewards", TEAM, *STEWARDS, "gina", cards=["gina"])
    assert stated(acme) == version
    acme.later(hours=2)
    acme.publish(TARGETS, "renew", roles.TARGETS)
    assert stated(acme) == version, "it stays while the keys do"
    acme.publish(TARGETS, "set-stewards", TEAM, *STEWARDS)
    assert stated(acme) == version


def test_t1_01_a_floor_that_the_hub_chose_is_not_signed(acme: Acme) -> None:
    """Not lower, not higher, and not left out: the signer computes it."""
    acme.publish(STEWARDS, "add-requester", TEAM, "dora", cards=["dora"])
    acme.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    made = acme.draft("set-stewards", TEAM, *STEWARDS, "gina", cards=["gina"])
    (part,) = made.parts
    for number in (None, 1, 10**14):
        metadata = drafts.to_metadata(part)
        spec = metadata.signed.delegations.roles[ROLE]
        if number is None:
            del spec.unrecognized_fields[floors.FIELD]
        else:
            spec.unrecognized_fields[floors.FIELD] = number
        payload = drafts.encoded(metadata.signed_bytes)
        forged = replace(made, parts=(replace(part, payload=payload),))
        with pytest.raises(RefusedError) as refused:
            acme.examine(forged, "tina")
        assert refused.value.code == "draft-says-more"


def test_t1_01_a_floor_is_never_below_what_the_signer_remembers(acme: Acme) -> None:
    acme.trusting("tina")
    acme.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    before = acme.paper.copy()
    acme.publish(STEWARDS, "add-requester", TEAM, "dora", cards=["dora"])
    seen = acme.draft("set-stewards", TEAM, *STEWARDS, "gina", cards=["gina"])
    acme.sign(seen, "tina")
    old = Acme(paper=before, keys=acme.keys, now=acme.now)
    old.person("tina").known = acme.person("tina").known
    with pytest.raises(RefusedError) as refused:
        old.examine(old.draft("set-stewards", TEAM, *STEWARDS, "hans", cards=["hans"]), "tina")
    assert (refused.value.code, refused.value.subject) == ("role-went-back", ROLE)
