"""Acts as people ask for them, from wherever: one table drafts them, and refuses what is amiss."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sealift_registry import wanting
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_registry.wanting import Asked
from sealift_signing import drafts
from sealift_signing.acts.material import Ask
from sealift_signing.acts.names import ACTS
from sealift_signing.desk.cards import make_card
from sealift_signing.errors import SealiftError, UsageError
from tests.registry.hub_fixture import MODEL, TARGET, TEAM, Acme


def card(acme: Acme, person: str) -> bytes:
    if not (acme.folder / "people" / f"{person}.pem").exists():
        acme.new_key(person)
    return make_card(person, acme.signer(person), "file", datetime.now(UTC))


def code(acme: Acme, asked: Asked) -> str:
    with pytest.raises(SealiftError) as caught:
        wanting.draft(acme.app, asked)
    return caught.value.code


def test_g2_110_every_act_is_drafted_or_it_is_said_how_it_comes_to_be() -> None:
    assert {*wanting.MAKE, *wanting.ELSEWHERE} == {*ACTS}
    assert not wanting.MAKE.keys() & wanting.ELSEWHERE.keys()
    assert wanting.ALREADY.keys() <= wanting.MAKE.keys()


@pytest.mark.parametrize("act", wanting.ELSEWHERE)
def test_g2_110_what_nobody_can_ask_for_says_how_it_comes_to_be(acme: Acme, act: str) -> None:
    about = tuple(ACTS[act].object)
    with pytest.raises(UsageError) as caught:
        wanting.wanted(acme.app, Asked(Ask(act, about)))
    assert caught.value.code == "drafted-elsewhere"
    assert caught.value.next_step == wanting.ELSEWHERE[act]


def test_g2_111_the_draft_is_the_act_that_was_named(acme: Acme) -> None:
    made = wanting.draft(
        acme.app, Asked(Ask("add-approver", (TEAM, "gina")), (card(acme, "gina"),))
    )
    assert not isinstance(made, AcceptedSubmission)
    assert (made.draft.act, made.draft.object) == ("add-approver", (TEAM, "gina"))
    assert not any(part.signatures for part in made.draft.parts)


def test_g2_111_what_is_published_just_now_is_not_drafted_again(acme: Acme) -> None:
    """Founding signed the team's list within the hour."""
    made = wanting.draft(acme.app, Asked(Ask("renew", (f"team.{TEAM}",))))
    assert isinstance(made, AcceptedSubmission)
    assert not made.new


@pytest.mark.parametrize(
    "ask, cards, why",
    [
        (Ask("add-approver", (TEAM, "emil")), (), "cards-of-others"),
        (Ask("add-approver", (TEAM, "emil")), ("dora",), "cards-of-others"),
        (Ask("add-requester", (TEAM, "emil")), ("emil", "dora"), "cards-of-others"),
        (Ask("add-team", ("sound", "emil")), ("dora",), "cards-of-others"),
        (Ask("add-builder", ("shop-2",)), ("shop-2",), "builder-cards"),
        (Ask("add-builder", ("shop-2",)), ("shop-2", "shop-2"), "builder-cards"),
        (Ask("set-check-rows", (TEAM, "perhaps")), (), "check-rows-word"),
        (
            Ask("approve", ("P-1",), {"meaning": ("validated",), "reason": ("x",)}),
            (),
            "no-promotion",
        ),
        (
            Ask("approve", ("P-1",), {"meaning": ("v",), "reason": ("x",), "days": ("1e9",)}),
            (),
            "bad-number",
        ),
        (Ask("assign", ("plant-7", f"{MODEL}/1"), {"for": ("line",)}), (), "bad-pair"),
        (
            Ask("assign", ("plant-7", f"{MODEL}/1"), {"for": ("a=b",), "back": ("yes",)}),
            (),
            "back-needs-reason",
        ),
        (Ask("request", (f"{MODEL}/1", "nowhere"), {"reason": ("x",)}), (), "no-version"),
        (Ask("enroll", ("plant-7",), {"stage": ("staging",)}), (), "json-unreadable"),
        (Ask("nothing", ("at", "all")), (), "no-act"),
        (Ask("renew", ()), (), "bad-act"),
        (Ask("renew", ("root",), {"stage": ("x",)}), (), "bad-act"),
    ],
    ids=lambda one: str(one) if isinstance(one, Ask) else None,
)
def test_g2_112_what_is_amiss_is_named(
    acme: Acme, ask: Ask, cards: tuple[str, ...], why: str
) -> None:
    made = {one: card(acme, one) for one in dict.fromkeys(cards)}
    assert code(acme, Asked(ask, tuple(made[one] for one in cards))) == why


def test_g2_112_a_card_that_somebody_altered_is_refused(acme: Acme) -> None:
    good, other = card(acme, "emil"), card(acme, "dora")
    bad = good.replace(b'"payload":"', b'"payload":"AAAA')
    asked = Asked(Ask("add-approver", (TEAM, "emil")), (bad,))
    assert code(acme, asked) in {
        "json-unreadable",
        "not-canonical",
        "bad-statement",
        "bad-envelope",
    }
    assert code(acme, replace(asked, cards=(other,))) == "cards-of-others"


def test_g2_113_a_draft_of_versions_asks_what_is_there_first(acme: Acme) -> None:
    acme.ingest(1, acme.goldens())
    acme.convert()
    asked = Asked(Ask("request", (f"{MODEL}/1", "production"), {"reason": ("better",)}))
    made = wanting.draft(acme.app, asked)
    assert not isinstance(made, AcceptedSubmission)
    assert f"catalog/{MODEL}/1/{TARGET}" in str(made.draft.facts["artifact"])
    assert drafts.read(drafts.write(made.draft)) == made.draft
