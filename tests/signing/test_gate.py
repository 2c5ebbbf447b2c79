"""The gate before every signature: what is refused, what is said, and honest days."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sealift_signing import drafts, publishing
from sealift_signing.acts.material import Ask
from sealift_signing.errors import NotFoundError, RefusedError, SealiftError
from sealift_signing.tuf_walk import WentBackError
from sealift_signing.version_links import ForkedError
from tests.desks import (
    STEWARDS,
    TEAM,
    Acme,
    Loose,
    over,
    remembered,
    without_signatures,
)

ROLE = f"team.{TEAM}"


@pytest.fixture
def acme() -> Acme:
    made = Acme()
    made.trusting(*STEWARDS, "tina", "toni", "flora", "rosa", "rolf", "olga")
    made.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    return made


def approver(acme: Acme, name: str, signers: tuple[str, ...] = STEWARDS, **more: Loose) -> None:
    acme.publish(signers, "add-approver", TEAM, name, cards=[name], **more)


def learn(acme: Acme, name: str) -> None:
    """`name` looks at a draft, and signs nothing."""
    person = acme.person(name)
    found = acme.examine(acme.draft("renew", ROLE), name)
    assert person.known is not None
    person.known = remembered(person.known, found, acme.now)


def people(acme: Acme) -> list[str]:
    members = acme.organisation.members(TEAM)
    return [one.id for one in members.people] if members else []


def test_an_approver_is_entered_by_two_stewards(acme: Acme) -> None:
    approver(acme, "emil")
    assert people(acme) == ["carla", "emil"]
    assert acme.organisation.head(ROLE).version == 2
    assert acme.organisation.head(ROLE).signers == STEWARDS


def test_words_begin_with_the_base_and_say_all(acme: Acme) -> None:
    words = acme.examine(acme.draft("add-approver", TEAM, "emil", cards=["emil"]), "anna").words
    assert words[0].startswith(f"{ROLE}, version 1 (")
    assert "signed by anna and ben" in words[0]
    text = "\n".join(words)
    for key in ("emil", "carla"):
        assert acme.keys.public(key).text in text


def test_one_draft_is_one_act(acme: Acme) -> None:
    draft = acme.draft("add-approver", TEAM, "emil", cards=["emil"])
    for ask in (
        Ask("add-approver", (TEAM, "eve")),
        Ask("add-requester", (TEAM, "emil")),
        Ask("add-approver", (TEAM, "emil"), {"stage": ("production",)}),
        Ask("renew", (ROLE,)),
    ):
        with pytest.raises(RefusedError) as error:
            acme.sign(draft, "anna", ask)
        assert error.value.code == "other-act"


def test_a_second_act_inside_is_refused(acme: Acme) -> None:
    """The bytes to be signed enter somebody more, or somebody else."""
    draft = acme.draft("add-approver", TEAM, "emil", cards=["emil"])
    mallory = acme.draft("add-approver", TEAM, "mallory", cards=["mallory"])
    forged = replace(draft, parts=mallory.parts)
    with pytest.raises(RefusedError) as error:
        acme.sign(drafts.read(drafts.write(forged)), "anna")
    assert error.value.code == "draft-says-more"


def test_more_than_is_needed_is_refused(acme: Acme) -> None:
    draft = acme.draft("renew", ROLE)
    fleet = acme.draft("renew", "fleet")
    carried = tuple(one for one in fleet.roles if one.role == "fleet")
    forged = replace(draft, roles=tuple(sorted((*draft.roles, *carried), key=lambda r: r.role)))
    with pytest.raises(RefusedError) as error:
        acme.sign(drafts.read(drafts.write(forged)), "anna")
    assert error.value.code == "draft-holds-more"


def test_a_past_that_is_not_its_own_is_refused(acme: Acme) -> None:
    """By somebody who knows no version of that role, and would keep what is said of it."""
    acme.publish(("tina", "toni"), "renew", "targets")
    approver(acme, "emil")
    approver(acme, "fritz")
    draft = acme.draft("renew", ROLE)
    acme.trusting("anna")
    (past,) = (one.lineage for one in draft.roles if one.role == ROLE)
    for other in ((*past[:-1], replace(past[-1], digest="0" * 64)), (*past, past[-1])):
        roles = tuple(
            replace(one, lineage=other) if one.role == ROLE else one for one in draft.roles
        )
        with pytest.raises(RefusedError) as error:
            acme.sign(drafts.read(drafts.write(replace(draft, roles=roles))), "anna")
        assert error.value.code in {"draft-holds-more", "lineage-differs"}


def test_an_unsigned_base_is_refused_already_at_drafting(acme: Acme) -> None:
    """One inserted row, with three invented people, and a routine renewal."""
    forged = publishing.following(
        acme.organisation.head(ROLE).metadata, expires=publishing.expiry(acme.now, 180)
    )
    acme.paper.put(ROLE, publishing.to_bytes(forged))
    with pytest.raises(RefusedError):
        acme.draft("renew", ROLE)


def test_an_old_base_is_refused_by_whoever_knows_a_newer_one(acme: Acme) -> None:
    approver(acme, "emil")
    learn(acme, "anna")
    del acme.paper.roles[ROLE][2]
    draft = acme.draft("renew", ROLE)
    with pytest.raises(WentBackError):
        acme.sign(draft, "anna")


def test_who_signed_what_the_hub_lost_is_asked_to_give_it_back(acme: Acme) -> None:
    approver(acme, "emil")
    del acme.paper.roles[ROLE][2]
    with pytest.raises(RefusedError) as error:
        acme.sign(acme.draft("renew", ROLE), "anna")
    assert error.value.code == "second-content"
    assert "sealift submit" in error.value.next_step


def test_a_fork_is_refused_by_whoever_knows_the_other(acme: Acme) -> None:
    """Two stewards who were away signed from the older base; one who was there is asked next."""
    yesterday = acme.paper.copy()
    approver(acme, "emil")
    learn(acme, "anna")
    away = Acme(paper=yesterday, keys=acme.keys, now=acme.now + timedelta(hours=1))
    approver(away, "mallory")
    approver(away, "eve")
    acme.paper.roles = away.paper.roles
    acme.paper.documents |= away.paper.documents
    with pytest.raises(ForkedError):
        acme.sign(acme.draft("renew", ROLE), "anna")


def test_another_organisation_is_refused(acme: Acme) -> None:
    other = Acme()
    other.trusting(*STEWARDS)
    with pytest.raises(RefusedError) as error:
        acme.sign(other.draft("renew", "targets"), "tina")
    assert error.value.code == "other-organisation"


def test_a_draft_lasts_thirty_days(acme: Acme) -> None:
    draft = acme.draft("renew", ROLE)
    acme.later(days=3)
    acme.examine(draft, "anna")
    acme.later(days=28)
    with pytest.raises(RefusedError) as error:
        acme.examine(draft, "anna")
    assert error.value.code == "draft-old"
    acme.later(days=-40)
    with pytest.raises(RefusedError) as ahead:
        acme.examine(draft, "anna")
    assert ahead.value.code == "dated-ahead"


def test_who_holds_no_part_of_it_does_not_sign(acme: Acme) -> None:
    draft = acme.draft("renew", ROLE)
    with pytest.raises(RefusedError) as error:
        acme.sign(draft, "flora")
    assert error.value.code == "not-a-holder"


def test_a_second_content_for_a_number_is_refused_until_the_first_is_set_aside(
    acme: Acme,
) -> None:
    """A draft was signed by one of two and given up."""
    given_up = acme.sign(acme.draft("add-approver", TEAM, "emil", cards=["emil"]), "anna")
    acme.later(days=1)
    with pytest.raises(RefusedError) as error:
        acme.sign(acme.draft("add-approver", TEAM, "fritz", cards=["fritz"]), "anna")
    assert error.value.code == "second-content"
    draft = acme.draft("add-approver", TEAM, "fritz", cards=["fritz"], over=[over(given_up)])
    (said,) = (one for one in acme.examine(draft, "ben").words if one.startswith("SETS ASIDE"))
    assert "signed by anna. It takes 2, so it never counted." in said
    approver(acme, "fritz", over=[over(given_up)])
    head = acme.organisation.head(ROLE)
    assert head.version == 3
    assert head.follows is not None
    assert head.follows.set_aside[0].version == 2
    assert people(acme) == ["carla", "fritz"]


def test_a_given_up_draft_that_is_completed_later_goes_nowhere(acme: Acme) -> None:
    given_up = acme.sign(acme.draft("add-approver", TEAM, "emil", cards=["emil"]), "anna")
    acme.later(days=1)
    approver(acme, "fritz", over=[over(given_up)])
    with pytest.raises(RefusedError):
        acme.sign(given_up, "ben")


def test_two_of_two_sign_in_parallel_and_go_on(acme: Acme) -> None:
    one = acme.sign(acme.draft("add-approver", TEAM, "emil", cards=["emil"]), "anna")
    acme.later(minutes=5)
    other = acme.sign(acme.draft("add-approver", TEAM, "fritz", cards=["fritz"]), "ben")
    with pytest.raises(RefusedError):
        acme.sign(one, "ben")
    acme.later(minutes=5)
    approver(acme, "emil", over=[over(one), over(other)])
    assert acme.organisation.head(ROLE).version == 3
    approver(acme, "fritz")
    assert people(acme) == ["carla", "emil", "fritz"]


def test_a_number_is_passed_over_only_for_a_version_that_somebody_signed(acme: Acme) -> None:
    nobody = over(acme.draft("add-approver", TEAM, "emil", cards=["emil"]))
    with pytest.raises(RefusedError):
        acme.draft("renew", ROLE, over=[nobody])


def test_all_that_was_lost_is_set_aside_or_nothing(acme: Acme) -> None:
    """The hub was restored from yesterday; what was published today is not to come back."""
    yesterday = acme.paper.copy()
    lost = acme.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    acme.publish(STEWARDS, "renew", "team.vision")
    acme.paper = yesterday
    acme.later(hours=1)
    with pytest.raises(WentBackError):
        acme.sign(acme.draft("renew", ROLE), "anna")
    with pytest.raises(RefusedError):
        acme.sign(acme.draft("renew", ROLE, over=[over(lost)]), "anna")


def test_what_was_published_today_and_lost_is_set_aside(acme: Acme) -> None:
    yesterday = acme.paper.copy()
    lost = acme.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    acme.paper = yesterday
    acme.later(hours=1)
    words = "\n".join(acme.examine(acme.draft("renew", ROLE, over=[over(lost)]), "anna").words)
    assert acme.keys.public("emil").text in words
    assert "signed by anna and ben. That was enough for it to count, if it was published." in words
    with pytest.raises(AssertionError, match="which may have been: enough people signed it"):
        acme.publish(STEWARDS, "renew", ROLE, over=[over(lost)])
    acme.publish(STEWARDS, "renew", ROLE, over=[over(lost)], typed=True)
    assert acme.organisation.head(ROLE).version == 3
    approver(acme, "fritz")


def test_signed_again_it_is_the_same(acme: Acme) -> None:
    draft = acme.draft("renew", ROLE)
    once = acme.sign(draft, "anna")
    again = acme.sign(draft, "anna")
    assert once == again
    both = acme.sign(once, "ben")
    apart = acme.sign(draft, "ben")
    joined, foreign = drafts.join([once, apart])
    assert joined == both
    assert not foreign


def test_a_signature_over_other_bytes_is_told(acme: Acme) -> None:
    once = acme.sign(acme.draft("renew", ROLE), "anna")
    acme.later(hours=1)
    other = Acme(paper=acme.paper, keys=acme.keys, now=acme.now)
    twice = other.sign(other.draft("renew", ROLE), "ben")
    joined, foreign = drafts.join([once, twice])
    assert joined == once
    assert foreign == (twice,)


def test_a_foreign_signature_in_the_draft_is_refused(acme: Acme) -> None:
    signed = acme.sign(acme.draft("renew", ROLE), "anna")
    wrong = acme.sign(acme.draft("renew", "fleet"), "flora")
    (part,) = signed.parts
    forged = replace(signed, parts=(replace(part, signatures=wrong.parts[0].signatures),))
    with pytest.raises(RefusedError):
        acme.sign(drafts.read(drafts.write(forged)), "ben")


def test_one_byte_changed_anywhere_is_refused(acme: Acme) -> None:
    data = drafts.write(acme.draft("add-approver", TEAM, "emil", cards=["emil"]))
    step = max(len(data) // 400, 1)
    for place in range(0, len(data), step):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(RefusedError):
            acme.sign(drafts.read(changed), "anna")


def test_a_change_that_keeps_the_check_is_refused_all_the_same(acme: Acme) -> None:
    draft = acme.draft("add-approver", TEAM, "emil", cards=["emil"])
    later = replace(draft, made=draft.made.replace("2026", "2025"))
    for changed in (
        replace(draft, facts={"label": ("P-000001",)}),
        replace(draft, documents=draft.documents[1:]),
        replace(draft, roles=draft.roles[1:]),
        replace(draft, statements=()),
        replace(draft, organisation="0" * 64),
        later,
    ):
        with pytest.raises(SealiftError):
            acme.sign(drafts.read(drafts.write(changed)), "anna")


def test_a_key_of_somebody_elses_does_not_enter(acme: Acme) -> None:
    """Entered as another person's, it would void what its owner approved."""
    acme.people["double"] = replace(acme.person("carla"), name="double")
    with pytest.raises(RefusedError) as error:
        acme.draft("add-approver", TEAM, "double", cards=["double"])
    assert error.value.code == "key-of-another"
    acme.people["machine"] = replace(acme.person("scanner-1"), name="machine")
    with pytest.raises(RefusedError):
        acme.draft("add-approver", TEAM, "machine", cards=["machine"])


def test_a_steward_may_approve_too(acme: Acme) -> None:
    approver(acme, "anna")
    assert people(acme) == ["anna", "carla"]


def test_a_card_that_came_with_the_draft_is_compared_by_words(acme: Acme) -> None:
    draft = acme.draft("add-approver", TEAM, "emil", cards=["emil"])
    person = acme.person("anna")
    from sealift_signing import gate
    from sealift_signing.words import words_of

    found = gate.examine(
        draft, Ask("add-approver", (TEAM, "emil")), person.known, acme.now, person.public
    )
    (card,) = found.confirm
    assert card.is_card
    assert gate.is_typed(words_of(card.digest), card)
    assert not gate.is_typed("yes", card)


def test_a_role_that_lapsed_is_renewed(acme: Acme) -> None:
    acme.later(days=400)
    words = acme.examine(acme.draft("renew", ROLE), "anna").words
    assert "EXPIRED" in "\n".join(words)
    acme.publish(STEWARDS, "renew", ROLE)


def test_every_role_that_people_sign_is_renewed(acme: Acme) -> None:
    acme.publish(("tina", "toni"), "renew", "targets")
    acme.publish(("flora",), "renew", "fleet")
    acme.publish(("olga",), "renew", "recall")
    acme.publish(("rosa", "rolf"), "renew", "root")
    assert acme.organisation.root.version == 2
    acme.publish(STEWARDS, "renew", ROLE)
    known = acme.person("anna").known
    assert known is not None
    assert known.root == acme.organisation.root.named


def test_the_hub_renews_its_own_roles_itself(acme: Acme) -> None:
    for role in ("snapshot", f"catalog.{TEAM}", "team.nobody"):
        with pytest.raises(NotFoundError):
            acme.draft("renew", role)


def test_five_stewards_become_three(acme: Acme) -> None:
    five = ("anna", "ben", "cora", "dirk", "ella")
    acme.publish(("tina", "toni"), "set-stewards", TEAM, *five, cards=five[2:])
    with pytest.raises(RefusedError):
        acme.publish(("anna", "ben"), "renew", ROLE)
    acme.later(hours=1)
    acme.publish(("tina", "toni"), "set-stewards", TEAM, "anna", "cora", "ella")
    acme.later(hours=1)
    acme.publish(("cora", "ella"), "renew", ROLE, typed=True)


def test_t0_97_who_lost_a_role_does_not_go_on_signing_it_unseen(acme: Acme) -> None:
    """Two stewards who were replaced sign one list more; it stands in no memory."""
    others = ("cora", "dirk")
    acme.trusting(*others)
    before = acme.paper.copy()
    acme.publish(("tina", "toni"), "set-stewards", TEAM, *others, cards=others)
    thieves = Acme(paper=before, keys=acme.keys, now=acme.now)
    thieves.publish(STEWARDS, "add-approver", TEAM, "mallory", cards=["mallory"])
    honest = acme.examine(acme.draft("renew", ROLE), "cora")
    assert [one.digest for one in honest.confirm] == [honest.heads[-1].digest]
    cora = acme.person("cora")
    assert cora.known is not None
    cora.known = remembered(cora.known, honest, acme.now)
    assert not acme.examine(acme.draft("renew", ROLE), "cora").confirm, "she has seen it"
    acme.paper.roles[ROLE] |= thieves.paper.roles[ROLE]
    acme.paper.documents |= thieves.paper.documents
    (asked,) = acme.examine(acme.draft("renew", ROLE), "cora").confirm
    assert "held the role before others did" in asked.what


def test_t0_118_a_stolen_stewards_key_signs_no_base_that_others_go_on_from(acme: Acme) -> None:
    """`targets` called anna's key compromised; its thief and ben sign one list more."""
    acme.publish(STEWARDS, "renew", ROLE)
    learn(acme, "ben")
    lost = acme.keys.public("anna").text
    stolen = Acme(paper=acme.paper.copy(), keys=acme.keys, now=acme.now + timedelta(hours=2))
    stolen.publish(STEWARDS, "add-approver", TEAM, "mallory", cards=["mallory"])
    ben = acme.person("ben")
    assert ben.known is not None
    ben.known = ben.known.with_compromised([("targets", lost)])
    assert acme.examine(acme.draft("renew", ROLE), "ben").words, "what he knew stands"
    acme.paper.roles[ROLE] |= stolen.paper.roles[ROLE]
    acme.paper.documents |= stolen.paper.documents
    acme.later(hours=3)
    with pytest.raises(RefusedError) as error:
        acme.examine(acme.draft("renew", ROLE), "ben")
    assert error.value.code == "not-signed-enough"


def test_t0_119_a_compromised_key_signs_nothing_more(acme: Acme) -> None:
    learn(acme, "anna")
    anna = acme.person("anna")
    assert anna.known is not None
    lost = [("targets", acme.keys.public("anna").text)]
    anna.known = anna.known.with_compromised(lost)
    with pytest.raises(RefusedError) as error:
        acme.examine(acme.draft("renew", ROLE), "anna")
    assert error.value.code == "key-compromised"


def test_recall_waits_for_nobody(acme: Acme) -> None:
    """An officer who signed a list that was lost signs another of its number."""
    acme.sign(acme.draft("renew", "recall"), "olga")
    acme.later(hours=1)
    words = acme.examine(acme.draft("renew", "recall"), "olga").words
    assert "bars nothing" in "\n".join(words)
    acme.publish(("olga",), "renew", "recall")


def test_a_second_team_is_added(acme: Acme) -> None:
    facts = {"catalog-key": (acme.keys.public("hub-catalog").text,)}
    stewards = ("gina", "hans")
    acme.publish(("tina", "toni"), "add-team", "sound", *stewards, cards=stewards, facts=facts)
    assert acme.organisation.teams == ("sound", TEAM)
    acme.publish(stewards, "add-requester", "sound", "ida", cards=["ida"])


def test_own_changes_that_were_lost_are_told(acme: Acme) -> None:
    """What anna signed went nowhere, and others published another version of that number."""
    mine = acme.sign(acme.draft("add-approver", TEAM, "emil", cards=["emil"]), "anna")
    acme.publish(("tina", "toni"), "set-stewards", TEAM, "anna", "ben", "cora", cards=["cora"])
    acme.later(hours=1)
    approver(acme, "fritz", ("ben", "cora"))
    found = acme.examine(acme.draft("renew", ROLE), "anna")
    assert [one.digest for one in found.confirm] == [mine.parts[0].digest]
    acme.publish(("anna", "ben"), "renew", ROLE, typed=True)
    assert not acme.examine(acme.draft("renew", ROLE), "anna").confirm


@pytest.mark.parametrize("role", ["root", "targets"])
def test_what_was_renewed_year_after_year_is_no_lost_change(acme: Acme, role: str) -> None:
    """Also root's past is told whole: who signed version 2 of it finds that below version 5."""
    holders = {"root": ("rosa", "rolf"), "targets": ("tina", "toni")}[role]
    for _ in range(4):
        acme.publish(holders, "renew", role)  # who would have to type something refuses
        acme.later(days=85)
    assert acme.organisation.head(role).version == 5


def test_a_draft_is_read_without_its_signatures_the_same(acme: Acme) -> None:
    draft = acme.draft("renew", ROLE)
    signed = acme.sign(draft, "anna")
    assert without_signatures(signed) == draft
