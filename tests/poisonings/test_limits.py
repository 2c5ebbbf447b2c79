"""The limits that the threat model states, tested as limits: what these defences do not do.

Each of them is so; a change that takes one away changes the threat model with it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sealift_signing import drafts, memory_updates, publishing, roles, words
from sealift_signing.errors import RefusedError
from sealift_signing.memory import Memory
from sealift_signing.organisation import Organisation
from tests.desk.every_act import every_act
from tests.desks import STEWARDS, TEAM, Acme
from tests.hub_on_paper import HubOnPaper
from tests.poisonings.claims import Beheaded
from tests.poisonings.playing import EXEMPT
from tests.site_on_paper import SiteOnPaper

ROLE = roles.team_role(TEAM)


def with_people(*names: str) -> Acme:
    acme = Acme()
    for name in names:
        acme.publish(STEWARDS, "add-approver", TEAM, name, cards=[name])
    return acme


def remove(acme: Acme, name: str) -> None:
    members = acme.organisation.members(TEAM)
    assert members is not None
    left = tuple(replace(p, status="retired") if p.id == name else p for p in members.people)
    acme.put_members(replace(members, people=left), STEWARDS)


def test_t0_limit_what_a_threshold_signed_cannot_be_unsigned() -> None:
    """The version by which somebody was let in stays a version that its holders signed."""
    acme = with_people("carla", "emil")
    before = acme.organisation.head(ROLE).data
    remove(acme, "emil")
    old = Organisation(Beheaded(acme.paper, ROLE, before))
    members = old.members(TEAM)
    assert members is not None
    assert [one.status for one in members.people] == ["active", "active"]


def test_t0_limit_a_single_signer_without_colleagues_has_no_freshness() -> None:
    """Who never saw the removal, and hears of it from nobody, signs over what came before it."""
    acme = with_people("carla", "emil")
    acme.trusting("anna")
    stale = acme.paper.copy()
    remove(acme, "emil")  # which anna's memory has not seen
    acme.paper = stale
    signed = acme.sign(acme.draft("renew", ROLE), "anna")
    assert signed.is_signed


def test_t0_limit_a_role_of_half_or_less_can_be_split() -> None:
    """Two of four: each half signs another version, and nobody signs twice."""
    acme = Acme()
    four = (*STEWARDS, "gina", "hans")
    metadata = publishing.following(
        acme.organisation.head(roles.TARGETS).metadata, expires=publishing.expiry(acme.now, 365)
    )
    publishing.delegate(metadata.signed, ROLE, 3, acme.keys.publics(four))
    assert metadata.signed.delegations is not None
    assert metadata.signed.delegations.roles is not None
    metadata.signed.delegations.roles[ROLE].threshold = 2  # an older layout's
    publishing.sign(metadata, [acme.keys[name] for name in ("tina", "toni")])
    acme.paper.put(roles.TARGETS, publishing.to_bytes(metadata))
    acme.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    acme.trusting(*four)
    halves = []
    for name, signers in (("emil", STEWARDS), ("erik", ("gina", "hans"))):
        draft = acme.draft("add-approver", TEAM, name, cards=[name])
        for signer in signers:
            draft = acme.sign(draft, signer)
        metadata = drafts.to_metadata(draft.parts[0])
        data = publishing.to_bytes(metadata)
        halves.append(acme.organisation.verified(ROLE, data))
    one, other = halves
    assert one.version == other.version
    assert one.digest != other.digest


def test_t0_limit_older_people_stand_at_a_site_until_their_role_expires() -> None:
    """A hub that signs freshness can offer the version before a removal, to who saw no later one.

    Who saw the removal refuses it; for the others it lasts as long as that version does.
    """
    acme = with_people("carla", "emil")
    before = acme.organisation.head(ROLE)
    remove(acme, "emil")
    shown = Organisation(Beheaded(acme.paper, ROLE, before.data)).head(ROLE)
    assert shown.expires == before.expires
    acme.trusting("ben")
    acme.draft("renew", ROLE)
    acme.sign(acme.draft("renew", ROLE), "ben")  # over the removal, which ben has seen by that
    acme.paper.roles[ROLE].popitem()
    with pytest.raises(RefusedError) as refused:
        acme.sign(acme.draft("renew", ROLE), "ben")
    assert refused.value.code == "role-went-back"


def test_t0_limit_approvers_know_no_more_than_the_evidence_keys_said() -> None:
    """Whoever has the scanner's and builder's keys says what they like; approvers are shown that.

    The evidence here is of artifacts that nobody ever had, by keys that a hub keeps online.
    """
    acme = Acme()
    asked = next(case for case in every_act(acme) if case.draft.act == "approve")
    assert acme.sign(asked.draft, "carla").is_signed


def test_t0_limit_a_recall_is_signed_over_any_list_and_who_saw_it_keeps_it() -> None:
    """An officer who must stop something waits for no lost version, so an older list is renewed.

    It is said, and bars nothing. What is dropped by it stays recalled wherever it was seen
    (tests/attacks/test_recalls.py); a site that is enrolled later does not hear of it.
    """
    acme = Acme()
    acme.trusting("olga")
    acme.publish(("olga",), "renew", roles.RECALL)
    acme.sign(acme.draft("renew", roles.RECALL), "olga")
    acme.paper.roles[roles.RECALL].popitem()
    acme.later(hours=2)
    draft = acme.draft("renew", roles.RECALL)
    assert EXEMPT in " ".join(acme.examine(draft, "olga").words)
    assert acme.sign(draft, "olga", typed=True).is_signed


def test_t0_limit_whoever_exchanges_the_paper_has_the_first_meeting(tmp_path: Path) -> None:
    """A memory that begins believes the fingerprint that was typed, of whichever organisation."""
    acme, mallory = Acme(), Acme()
    offer = memory_updates.everything(mallory.paper, "a file")
    honest, exchanged = (
        words.fingerprint(one.organisation.root.metadata) for one in (acme, mallory)
    )
    with pytest.raises(RefusedError):
        Memory(tmp_path / "on paper").begin(offer, honest, acme.now)
    begun = Memory(tmp_path / "exchanged").begin(offer, exchanged, acme.now)
    assert begun.organisation == mallory.organisation.id != acme.organisation.id


@pytest.mark.parametrize("role", [roles.TIMESTAMP, roles.SNAPSHOT])
def test_t0_limit_online_keys_put_numbers_far_ahead(role: str, tmp_path: Path) -> None:
    """A site that took such a number takes no lower one: a hub restored from before is refused.

    What runs there was approved all the same.
    """
    hub, medium = HubOnPaper(tmp_path), tmp_path / "medium"
    site = SiteOnPaper(tmp_path / "site", hub.now)
    site.enrol(hub)
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    signed = hub.repository.current[role].signed
    before, signed.version = signed.version, 9 * 10**14
    site.take(hub.export(medium))
    hub.repository.current[role].signed.version = before
    refusal = site.refuses(hub.export(medium))
    assert (refusal.code, refusal.subject) == ("role-went-back", role)
