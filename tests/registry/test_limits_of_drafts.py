"""What a hub can do with drafts in spite of all: limits that the threat model states."""

from __future__ import annotations

from dataclasses import replace

from sealift_registry.trust import hub_drafts, teams
from sealift_signing import drafts, statements
from sealift_signing.drafts import decoded
from sealift_signing.errors import SealiftError
from sealift_signing.statements import Objection
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.signing_people import sign
from tests.registry.test_shown_and_signed import ask_of, drafted, examined


def is_objection(statement: str) -> bool:
    try:
        statements.read(Objection, decoded(statement), what="it")
    except SealiftError:
        return False
    return True


def test_t0_limit_a_hub_that_leaves_an_objection_out_is_not_found_out_by_who_signs(
    hub: Acme,
) -> None:
    """What a draft leaves out nobody can compute; an honest hub says so where it is submitted."""
    number = hub.request()
    hub.objects(number, "carla", "It fails at night.")
    made = drafted(hub, number)
    left = tuple(one for one in made.statements if not is_objection(one))
    assert left != made.statements
    without = drafts.read(drafts.write(replace(made, statements=left)))
    assert not any("OBJECTED" in words for words in examined(hub, without, "emil").words)
    signed = sign(without, ask_of(without), [hub.signer("emil")], hub.app.hub.now())
    assert "carla objected" in hub.app.submit(signed, at_hub=False).sentence


def test_t0_limit_what_was_signed_may_be_published_much_later(ready: Acme) -> None:
    """Whoever carries a draft that is signed by enough chooses the day, until another is signed."""
    ready.new_key("gus")
    wanted = teams.approver(TEAM, ready.card("gus"))
    with ready.app.hub.reading() as connection:
        made = hub_drafts.draft(ready.app.hub, connection, wanted)
    signers = [ready.signer("anna"), ready.signer("ben")]
    signed = sign(made, wanted.ask, signers, ready.app.hub.now())
    ready.later(days=100)
    assert ready.app.submit(signed, at_hub=False).new
