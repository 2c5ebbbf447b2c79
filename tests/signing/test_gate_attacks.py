"""What a hub tried that chose what a draft leaves out, or sets aside."""

from __future__ import annotations

from hashlib import sha256

import pytest

from sealift_signing import drafts, publishing
from sealift_signing.acts.material import SetAsideVersion
from sealift_signing.compromised import FIELD
from sealift_signing.errors import RefusedError
from sealift_signing.tuf_walk import WentBackError
from tests.desks import STEWARDS, TEAM, Acme, Loose, remembered

ROLE = f"team.{TEAM}"


@pytest.fixture
def acme() -> Acme:
    """Carla was removed by version 2, which everybody has seen."""
    made = Acme()
    made.trusting(*STEWARDS, "tina", "toni", "flora", "olga", "carla")
    made.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    made.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    for name in (*STEWARDS, "tina", "toni", "flora"):
        learn(made, name)
    return made


def learn(acme: Acme, name: str, role: str = ROLE) -> None:
    person = acme.person(name)
    reader = Acme(paper=acme.paper, keys=acme.keys, now=acme.now, people=acme.people)
    draft = reader.draft("renew", role)
    assert person.known is not None
    found = acme.examine(draft, "anna" if role == ROLE else name)
    person.known = remembered(person.known, found, acme.now)


def version(acme: Acme, number: int) -> SetAsideVersion:
    data = acme.paper.roles[ROLE][number]
    listed = drafts.spelled_role(ROLE, data).signed.targets
    found = {path: acme.paper.documents[path, one.hashes["sha256"]] for path, one in listed.items()}
    return SetAsideVersion(ROLE, data, found)


def without_team(acme: Acme) -> None:
    acme.paper.roles.pop(ROLE)


def test_t0_81_a_removal_that_is_set_aside_is_typed_not_only_shown(acme: Acme) -> None:
    newest = version(acme, 2)
    del acme.paper.roles[ROLE][2]
    draft = acme.draft("add-approver", TEAM, "dora", cards=["dora"], over=[newest])
    (asked,) = acme.examine(draft, "anna").confirm
    assert "seen published here" in asked.what


def test_t0_82_all_that_is_known_of_a_role_is_not_set_aside_by_leaving_it_out(acme: Acme) -> None:
    both = [version(acme, 1), version(acme, 2)]
    without_team(acme)
    draft = acme.draft("add-approver", TEAM, "dora", cards=["dora"], over=both)
    with pytest.raises(WentBackError) as error:
        acme.examine(draft, "anna")
    assert error.value.code == "role-missing"


def test_t0_83_a_role_that_is_known_is_not_begun_anew(acme: Acme) -> None:
    without_team(acme)
    draft = acme.draft("add-approver", TEAM, "dora", cards=["dora"])
    with pytest.raises(WentBackError) as error:
        acme.examine(draft, "anna")
    assert error.value.code == "role-missing"


def add_team(acme: Acme, key: str) -> Loose:
    facts = {"catalog-key": (acme.keys.public(key).text,)}
    return acme.draft("add-team", "ops", "zoe", "zack", cards=["zoe", "zack"], facts=facts)


def test_t0_120_a_persons_key_is_not_made_a_machines_by_leaving_their_team_out(acme: Acme) -> None:
    without_team(acme)
    with pytest.raises(RefusedError):
        acme.examine(add_team(acme, "carla"), "tina")


def test_t0_121_the_hub_lists_all_teams_with_one_key(acme: Acme) -> None:
    with pytest.raises(RefusedError) as error:
        add_team(acme, "nobodys")
    assert error.value.code == "other-catalog-key"
    acme.examine(add_team(acme, "hub-catalog"), "tina")


def compromised_frank(acme: Acme) -> None:
    """`targets` calls a fleet administrator's key compromised; nobody here has seen it."""
    metadata = publishing.following(
        acme.organisation.head("targets").metadata, expires=publishing.expiry(acme.now, 365)
    )
    metadata.signed.unrecognized_fields[FIELD] = [acme.keys.public("frank").text]
    publishing.sign(metadata, [acme.keys["tina"], acme.keys["toni"]])
    acme.paper.put("targets", publishing.to_bytes(metadata))


def test_t0_122_a_key_that_this_very_draft_calls_compromised_counts_for_nothing_new(
    acme: Acme,
) -> None:
    compromised_frank(acme)
    thief = Acme(paper=acme.paper, keys=acme.keys, now=acme.now)
    thief.person("frank").known = None
    metadata = publishing.following(
        acme.organisation.head("fleet").metadata, expires=publishing.expiry(acme.now, 365)
    )
    publishing.sign(metadata, [acme.keys["frank"]])
    acme.paper.put("fleet", publishing.to_bytes(metadata))
    with pytest.raises(RefusedError) as error:
        acme.examine(acme.draft("renew", "fleet"), "flora")
    assert error.value.code == "not-signed-enough"


def next_root(acme: Acme, *signers: str, lost: str = "") -> None:
    """A root more, which calls the key of `lost` compromised; signed by these."""
    metadata = publishing.following(
        acme.organisation.root.metadata, expires=publishing.expiry(acme.now, 730)
    )
    if lost:
        metadata.signed.unrecognized_fields[FIELD] = [acme.keys.public(lost).text]
    publishing.sign(metadata, [acme.keys[name] for name in signers])
    acme.paper.put("root", publishing.to_bytes(metadata))


def test_t0_123_a_root_holders_key_that_was_called_compromised_signs_no_new_root(
    acme: Acme,
) -> None:
    """Root 2 calls rosa's key so, and her thief still signs root 2 with it; root 3 no longer."""
    next_root(acme, "rosa", "rolf", lost="rosa")
    learn(acme, "anna")
    known = acme.person("anna").known
    assert known is not None
    assert known.root.version == 2
    honest = acme.paper.copy()
    next_root(acme, "rosa", "ruth")
    for act in (("renew", ROLE), ("renew", "root")):
        with pytest.raises(RefusedError) as error:
            acme.examine(acme.draft(*act), "anna")
        assert error.value.code == "not-signed-enough"
    with pytest.raises(RefusedError) as error:
        known.check_pinned(acme.organisation.roots, "ben's memory")
    assert error.value.code == "not-signed-enough"
    acme.paper = honest
    next_root(acme, "rolf", "ruth")
    assert acme.examine(acme.draft("renew", ROLE), "anna").root.version == 3


def test_t0_124_it_counts_for_nothing_also_where_the_root_that_says_so_is_new(acme: Acme) -> None:
    next_root(acme, "rosa", "rolf", lost="rosa")
    next_root(acme, "rosa", "ruth")
    with pytest.raises(RefusedError) as error:
        acme.examine(acme.draft("renew", ROLE), "anna")
    assert error.value.code == "not-signed-enough"


def test_t0_125_what_was_pinned_before_stands(acme: Acme) -> None:
    """It was known when the key was called compromised by a list of its own memory."""
    next_root(acme, "rosa", "rolf")
    learn(acme, "anna")
    anna = acme.person("anna")
    assert anna.known is not None
    anna.known = anna.known.with_compromised([("root", acme.keys.public("rosa").text)])
    assert acme.examine(acme.draft("renew", ROLE), "anna").root.version == 2


def test_t0_126_targets_calls_no_root_holders_key_compromised(acme: Acme) -> None:
    """A word reaches only below: else the holders of targets bar those of root."""
    next_root(acme, "rosa", "rolf")
    anna = acme.person("anna")
    assert anna.known is not None
    anna.known = anna.known.with_compromised([("targets", acme.keys.public("rosa").text)])
    assert acme.examine(acme.draft("renew", ROLE), "anna").root.version == 2
    rosa = acme.person("rosa")
    acme.trusting("rosa")
    assert rosa.known is not None
    rosa.known = rosa.known.with_compromised([("targets", acme.keys.public("rosa").text)])
    assert acme.examine(acme.draft("renew", "root"), "rosa").words


def test_t0_78_what_is_signed_is_shown_with_its_keys(acme: Acme) -> None:
    compromised_frank(acme)
    words = "\n".join(acme.examine(acme.draft("renew", "targets"), "tina").words)
    assert f"calls compromised: {acme.keys.public('frank').text}" in words
    for name in ("flora", "frank", "anna", "hub-catalog"):
        assert acme.keys.public(name).text in words


def test_a_list_of_recalls_is_not_renewed_without_what_was_recalled(acme: Acme) -> None:
    before = acme.paper.copy()
    acme.publish(("olga",), "renew", "recall")
    learn(acme, "olga", "recall")
    acme.paper.roles["recall"] = before.roles["recall"]
    found = acme.examine(acme.draft("renew", "recall"), "olga")
    known = acme.person("olga").known
    assert known is not None
    newest = known.role("recall")
    assert newest is not None
    assert newest.digest in {one.digest for one in found.confirm}


def test_an_own_lost_change_is_told_also_where_the_past_is_cut_off(acme: Acme) -> None:
    mine = acme.sign(acme.draft("add-approver", TEAM, "fritz", cards=["fritz"]), "anna")
    acme.later(hours=1)
    acme.people["anna"].known, kept = None, acme.people["anna"].known
    acme.publish(STEWARDS, "add-approver", TEAM, "gina", cards=["gina"])
    acme.people["anna"].known = kept
    draft = acme.draft("renew", ROLE)
    from dataclasses import replace

    cut = replace(draft, roles=tuple(replace(one, lineage=()) for one in draft.roles))
    for one in (draft, drafts.read(drafts.write(cut))):
        try:
            asked = {c.digest for c in acme.examine(one, "anna").confirm}
        except RefusedError:
            continue
        assert mine.parts[0].digest in asked


def test_sha256_is_what_a_version_is_named_by(acme: Acme) -> None:
    head = acme.organisation.head(ROLE)
    assert head.digest == sha256(head.metadata.signed_bytes).hexdigest()
