"""Signing at a desk: in which order things happen, and what is never signed twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sealift_signing import drafts, statements
from sealift_signing.acts.material import Ask
from sealift_signing.desk.signing import Desk
from sealift_signing.drafts import Draft
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.memory_updates import everything
from sealift_signing.statements import Approval
from tests.desk.every_act import every_act
from tests.desk.people import Listener, Signer
from tests.desks import STEWARDS, TEAM, Acme, over, without_signatures

ROLE = f"team.{TEAM}"


@pytest.fixture
def acme() -> Acme:
    made = Acme()
    made.trusting(*STEWARDS, "tina", "toni", "rosa", "rolf")
    made.publish(STEWARDS, "add-approver", TEAM, "carla", cards=["carla"])
    return made


@pytest.fixture
def anna(acme: Acme, tmp_path: Path) -> Signer:
    made = Signer(acme, "anna", tmp_path / "anna")
    made.trust()
    return made


def test_two_sign_one_after_the_other(acme: Acme, anna: Signer, tmp_path: Path) -> None:
    ben = Signer(acme, "ben", tmp_path / "ben")
    ben.trust()
    draft = acme.draft("add-approver", TEAM, "emil", cards=["emil"])
    acme.submit(ben.sign(anna.sign(draft)))
    assert acme.organisation.head(ROLE).version == 2


def test_all_words_come_before_the_question(acme: Acme, anna: Signer) -> None:
    draft = acme.draft("add-approver", TEAM, "emil", cards=["emil"])
    anna.sign(draft)
    assert anna.said.asked == ["Sign this: add-approver vision emil?"]
    assert anna.said.shown[0].startswith(f"{ROLE}, version 1")


def test_who_does_not_agree_has_signed_nothing(acme: Acme, anna: Signer) -> None:
    draft = acme.draft("renew", ROLE)
    with pytest.raises(RefusedError) as error:
        anna.sign(draft, agrees=False)
    assert error.value.code == "not-agreed"
    assert not anna.known.signed


def test_what_was_read_is_remembered_though_it_was_not_signed(acme: Acme, anna: Signer) -> None:
    acme.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    with pytest.raises(RefusedError):
        anna.sign(acme.draft("renew", ROLE), agrees=False)
    known = anna.known.role(ROLE)
    assert known is not None
    assert known.version == 2


def test_signed_again_it_comes_from_memory(acme: Acme, anna: Signer) -> None:
    draft = acme.draft("renew", ROLE)
    once = anna.sign(draft)
    acme.later(days=29)
    assert anna.sign(draft) == once
    assert not anna.said.asked
    assert "given out again" in anna.said.shown[0]
    assert len(anna.known.signed) == 1


def test_given_again_it_keeps_what_others_signed(acme: Acme, anna: Signer) -> None:
    draft = acme.draft("renew", ROLE)
    anna.sign(draft)
    bens = acme.sign(draft, "ben")
    both = anna.sign(bens)
    assert len(both.parts[0].signatures) == 2
    assert without_signatures(both) == draft


def test_nothing_is_given_again_under_another_name(acme: Acme, anna: Signer) -> None:
    draft = acme.draft("renew", ROLE)
    anna.sign(draft)
    with pytest.raises(RefusedError) as error:
        anna.sign(draft, Ask("renew", ("targets",)))
    assert error.value.code == "other-act"


def test_t0_90_what_reads_alike_is_not_the_same_act(tmp_path: Path) -> None:
    """A reason that holds the words of an option: for three days is not for a year."""
    acme = Acme()
    case = next(one for one in every_act(acme) if one.draft.act == "approve")
    carla = Signer(acme, "carla", tmp_path / "carla")
    carla.trust()
    reason, days = ("It answers well --days 3",), ("3",)
    year = {"meaning": ("validated",), "reason": reason}
    three = {"meaning": ("validated",), "reason": ("It answers well",), "days": days}
    asks = [Ask("approve", case.draft.object, given) for given in (year, three)]
    assert str(asks[0]) == str(asks[1])
    first, second = (carla.sign(case.draft, ask) for ask in asks)
    assert carla.said.asked
    ends = [said(Approval, one).valid_until for one in (first, second)]
    assert ends[1] < ends[0]
    assert carla.sign(case.draft, asks[0]) == first
    assert carla.sign(case.draft, asks[1]) == second


def said(kind: type[Approval], signed: Draft) -> Approval:
    return statements.read_payload(kind, signed.parts[0].data, what="it")[0]


def test_a_second_content_is_refused_by_the_memory_on_the_disk(acme: Acme, anna: Signer) -> None:
    given_up = anna.sign(acme.draft("add-approver", TEAM, "emil", cards=["emil"]))
    acme.later(days=1)
    with pytest.raises(RefusedError) as error:
        anna.sign(acme.draft("add-approver", TEAM, "fritz", cards=["fritz"]))
    assert error.value.code == "second-content"
    later = acme.draft("add-approver", TEAM, "fritz", cards=["fritz"], over=[over(given_up)])
    anna.sign(later)


def test_a_lost_change_is_typed(acme: Acme, anna: Signer) -> None:
    mine = anna.sign(acme.draft("add-approver", TEAM, "emil", cards=["emil"]))
    acme.publish(("tina", "toni"), "set-stewards", TEAM, "anna", "ben", "cora", cards=["cora"])
    acme.later(hours=1)
    acme.publish(("ben", "cora"), "add-approver", TEAM, "fritz", cards=["fritz"])
    draft = acme.draft("renew", ROLE)
    with pytest.raises(RefusedError) as error:
        anna.sign(draft)
    assert error.value.code == "not-typed"
    anna.sign(draft, types=[mine.parts[0].digest])
    acme.later(hours=1)
    assert anna.known.signed[0].settled


def test_a_card_that_the_draft_does_not_go_by_is_told(acme: Acme, anna: Signer) -> None:
    """Its owner gave it; the hub drafted with another, which it made itself."""
    draft = acme.draft("add-approver", TEAM, "emil", cards=["emil"])
    acme.people.pop("emil")
    acme.keys._signers.pop("emil")
    right = acme.person("emil").card(acme.now)
    desk = Desk(anna.memory, lambda: acme.now, Listener())
    with pytest.raises(RefusedError) as error:
        desk.sign(draft, Ask(draft.act, draft.object), acme.keys["anna"], [right])
    assert error.value.code == "card-not-carried"


def test_two_commands_at_once_do_not_sign_two_contents(acme: Acme, anna: Signer) -> None:
    """While one is read, another is signed."""
    one = acme.draft("add-approver", TEAM, "emil", cards=["emil"])
    acme.later(minutes=1)
    other = acme.draft("add-approver", TEAM, "fritz", cards=["fritz"])

    class Slow(Listener):
        def agree(self, question: str) -> bool:
            anna.sign(other)
            return True

    desk = Desk(anna.memory, lambda: acme.now, Slow())
    with pytest.raises(RefusedError) as error:
        desk.sign(one, Ask(one.act, one.object), acme.keys["anna"], anna.cards(one))
    assert error.value.code == "memory-changed"
    assert [once.digest for once in anna.known.signed] == [other.parts[0].digest]


def test_the_same_command_twice_at_once_signs_once(acme: Acme, anna: Signer) -> None:
    draft = acme.draft("renew", ROLE)

    class Slow(Listener):
        def agree(self, question: str) -> bool:
            anna.sign(draft)
            return True

    said = Slow()
    desk = Desk(anna.memory, lambda: acme.now, said)
    desk.sign(draft, Ask(draft.act, draft.object), acme.keys["anna"], anna.cards(draft))
    assert said.shown[-1].startswith("You signed this on")
    assert len(anna.known.signed) == 1


def test_without_a_memory_only_solo_signs(acme: Acme) -> None:
    draft = acme.draft("renew", ROLE)
    with pytest.raises(NotFoundError) as error:
        Desk(None, lambda: acme.now, Listener()).sign(
            draft, Ask("renew", (ROLE,)), acme.keys["anna"]
        )
    assert error.value.code == "not-trusted"


def test_t0_77_a_restored_hub_is_told_and_given_back(acme: Acme, anna: Signer) -> None:
    """The hub has yesterday's files; whoever remembers today's submits them."""
    yesterday = acme.paper.copy()
    acme.publish(STEWARDS, "add-approver", TEAM, "emil", cards=["emil"])
    anna.memory.learn(everything(acme.paper, "the hub"), acme.now)
    today = acme.paper
    acme.paper = yesterday
    acme.later(hours=1)
    with pytest.raises(RefusedError) as error:
        anna.sign(acme.draft("renew", ROLE))
    assert f"sealift-sign write {ROLE}" in error.value.next_step
    known = anna.known.role(ROLE)
    assert known is not None
    whole = anna.memory.version(anna.known, known.file)
    listed = {one.path: drafts.decoded(one.data) for one in whole.documents}
    acme.paper.put(ROLE, drafts.decoded(whole.data), listed)
    assert acme.paper.metadata(ROLE) == today.metadata(ROLE)
    anna.sign(acme.draft("renew", ROLE))


def test_t0_80_fridays_draft_is_signed_on_monday(acme: Acme, anna: Signer) -> None:
    draft = acme.draft("renew", ROLE)
    acme.later(days=3)
    signed = anna.sign(draft)
    assert replace(signed, parts=()) == replace(draft, parts=())
    acme.later(days=28)
    fresh = Signer(acme, "ben", anna.folder.parent / "ben")
    fresh.trust()
    with pytest.raises(RefusedError) as error:
        fresh.sign(draft)
    assert error.value.code == "draft-old"


def test_t0_84_a_split_view_is_found_when_two_meet(
    acme: Acme, anna: Signer, tmp_path: Path
) -> None:
    """The hub shows the stewards who agree with it another team than the others."""
    acme.publish(
        ("tina", "toni"),
        "set-stewards",
        TEAM,
        "anna",
        "ben",
        "cora",
        "dirk",
        cards=["cora", "dirk"],
    )
    acme.later(hours=1)
    split = Acme(paper=acme.paper.copy(), keys=acme.keys, now=acme.now)
    zoe = Signer(split, "cora", tmp_path / "cora")
    zoe.trust()
    for side, name in ((acme, "emil"), (split, "fritz")):
        document = side.draft("add-approver", TEAM, name, cards=[name])
        _forced(side, document, ("ben", "cora", "dirk"))
    anna.memory.learn(everything(acme.paper, "the hub"), acme.now)
    zoe.memory.learn(everything(split.paper, "the hub"), split.now)
    before = anna.known
    found = anna.memory.learn(zoe.share(), acme.now)
    (fork,) = found.forks
    for paper in (acme.paper, split.paper):
        assert Acme(paper=paper, keys=acme.keys).organisation.head(ROLE).digest in fork.what
    assert anna.known.role(ROLE) == before.role(ROLE)


def _forced(acme: Acme, draft: drafts.Draft, names: tuple[str, ...]) -> None:
    """People who sign whatever they are shown, without a memory."""
    for name in names:
        part = draft.parts[0]
        signature = acme.keys[name].sign(part.signed_data)
        draft = drafts.with_signature(
            draft, part.name, signature.keyid, bytes.fromhex(signature.signature)
        )
    acme.submit(draft)
