"""A key that was retired, or is compromised by itself, is entered again by its own card."""

from dataclasses import replace

import pytest

from sealift_signing import statements
from sealift_signing.acts.teams import with_person
from sealift_signing.desk.cards import make_card
from sealift_signing.documents import MemberKey, Members, StillCounts
from sealift_signing.errors import RefusedError
from sealift_signing.statements import KeyCard, Signed
from tests.trust import NOW, STAGE, Promotion

PURPOSE = f"approve:{STAGE}"


def card(promotion: Promotion, key: str) -> Signed[KeyCard]:
    return statements.read(KeyCard, make_card("bert", promotion.keys[key], "file", NOW), what="it")


def members(promotion: Promotion, **key: object) -> Members:
    people = tuple(
        replace(one, keys=(replace(one.keys[0], **key),))  # type: ignore[arg-type]
        if one.id == "bert"
        else one
        for one in promotion.people
    )
    return replace(promotion.members(), people=people)


COUNTS = (StillCounts("1" * 64, "2027-01-01T00:00:00.000000Z"),)


@pytest.mark.parametrize(
    "key", [{"status": "retired", "counts": COUNTS}, {"status": "compromised"}]
)
def test_k1_05_a_key_with_a_status_of_its_own_is_not_entered_again(key: dict[str, object]) -> None:
    promotion = Promotion()
    with pytest.raises(RefusedError) as error:
        with_person(members(promotion, **key), card(promotion, "bert"), [PURPOSE])
    assert error.value.code == "key-not-active"


def test_k1_05_a_new_key_stands_beside_the_retired_one_and_its_list() -> None:
    promotion = Promotion()
    before = members(promotion, status="retired", counts=COUNTS)
    after = with_person(before, card(promotion, "bert-2"), [PURPOSE]).person("bert")
    assert after is not None
    new = MemberKey(promotion.keys.public("bert-2").text, "file", (PURPOSE,))
    assert after.keys == (before.people[1].keys[0], new)
    assert after.active_keys == (new,)
