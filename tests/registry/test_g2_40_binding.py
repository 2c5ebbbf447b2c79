"""An account is bound to who signs for it: there, for that account, once, by a key that counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import insert

from sealift_registry.access import accounts, binding, tables
from sealift_registry.access.calling import Caller, Where
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.trust import hub_drafts
from sealift_signing.documents import Members
from sealift_signing.drafts import Draft
from tests.registry.accounts_fixture import caller, code, signed_in, stands
from tests.registry.hub_fixture import REQUESTER, TEAM, Acme
from tests.registry.signing_people import sign

SERVER = "https://hub.example"


def answered(acme: Acme, who: Caller, by: str, server: str = SERVER) -> Draft:
    """What somebody signs for the account that they are signed in with."""
    hub = acme.app.hub
    wanted = binding.wanted(hub, who, server)
    with hub.reading() as connection:
        made = hub_drafts.draft(hub, connection, wanted)
    return sign(made, wanted.ask, [acme.signer(by)], hub.now())


def take(acme: Acme, who: Caller, draft: Draft, server: str = SERVER) -> Callable[[], object]:
    return lambda: binding.take(acme.app.hub, who, server, draft)


def test_g2_40_an_account_is_whose_key_signed_for_it(acme: Acme) -> None:
    opened = signed_in(acme, "anna-at-acme")
    keeper = Gatekeeper(acme.app.hub)
    who = keeper.caller(opened.secret, "desk")
    assert code(lambda: keeper.check(who, "submission.make", Where(team=TEAM))) == "not-bound"
    found = binding.take(acme.app.hub, who, SERVER, answered(acme, who, "anna"))
    assert (found.person, found.keyid) == ("anna", acme.public("anna").keyid)
    assert stands(acme, "anna-at-acme").person == "anna"
    who = keeper.caller(opened.secret, "desk")
    keeper.check(who, "submission.make", Where(team=TEAM))
    accounts.recover(acme.app.hub, "anna-at-acme", "root")
    assert stands(acme, "anna-at-acme").person is None


def test_g2_41_a_binding_is_for_one_server_account_and_challenge(acme: Acme) -> None:
    who, other = caller(acme, "anna"), caller(acme, "ben")
    signed = answered(acme, who, "anna")
    assert code(take(acme, who, signed, "https://other.example")) == "binding-refused"
    assert code(take(acme, other, signed)) == "binding-refused"
    again = answered(acme, who, "anna")
    assert code(take(acme, who, signed)) == "binding-refused", "another challenge followed"
    take(acme, who, again)()
    assert code(take(acme, who, again)) == "binding-refused"


def test_g2_41_nor_is_it_taken_again_where_its_challenge_is_put_back(acme: Acme) -> None:
    """By whoever owns the database, once the account was recovered and is another's."""
    who = caller(acme, "anna")
    signed = answered(acme, who, "anna")
    with acme.behind() as connection:
        kept = dict(connection.execute(tables.account_challenge.select()).mappings().one())
    take(acme, who, signed)()
    accounts.recover(acme.app.hub, "anna", "root")
    with acme.behind() as connection:
        connection.execute(insert(tables.account_challenge).values(**kept))
    assert code(take(acme, who, signed)) == "binding-refused"
    assert stands(acme, "anna").person is None


def test_g2_41_another_act_binds_nothing(acme: Acme) -> None:
    who = caller(acme, "anna")
    signed = answered(acme, who, "anna")
    assert code(take(acme, who, replace(signed, act="renew"))) == "binding-refused"
    assert code(take(acme, who, replace(signed, parts=()))) == "binding-refused"


@pytest.mark.parametrize("minutes", [31, 24 * 60])
def test_g2_42_it_counts_until_its_end(acme: Acme, minutes: int) -> None:
    who = caller(acme, "anna")
    signed = answered(acme, who, "anna")
    acme.later(minutes=minutes)
    assert code(take(acme, who, signed)) == "binding-refused"


def test_g2_43_a_key_of_nobodys_now_binds_nothing(acme: Acme) -> None:
    who = caller(acme, REQUESTER)
    acme.new_key("stranger")
    assert code(take(acme, who, answered(acme, who, "stranger"))) == "key-of-nobody"
    signed = answered(acme, who, REQUESTER)

    def lost(said: Members) -> Members:
        changed = [
            replace(one, status="compromised") if one.id == REQUESTER else one
            for one in said.people
        ]
        return replace(said, people=tuple(changed))

    acme.change_members(lost)
    assert code(take(acme, who, signed)) == "key-of-nobody"


def test_g2_44_an_account_is_taken_from_nobody(acme: Acme) -> None:
    """Whoever can sign in as somebody makes of the account none of their own."""
    who = caller(acme, "anna-at-acme")
    take(acme, who, answered(acme, who, "anna"))()
    bens = answered(acme, who, "ben")
    assert code(take(acme, who, bens)) == "account-is-anothers"
    assert stands(acme, "anna-at-acme").person == "anna"
    take(acme, who, answered(acme, who, "anna"))()
    accounts.recover(acme.app.hub, "anna-at-acme", "root")
    again = caller(acme, "anna-at-acme")
    take(acme, again, answered(acme, again, "ben"))()
    assert stands(acme, "anna-at-acme").person == "ben"


def test_g2_44_nobody_has_two_accounts(acme: Acme) -> None:
    """One person would be two who decide, and an administrator could make a second one."""
    first, second = caller(acme, "anna"), caller(acme, "anna-too")
    take(acme, first, answered(acme, first, "anna"))()
    assert code(take(acme, second, answered(acme, second, "anna"))) == "person-has-account"
    assert acme.types()[-1] == "access.refused"
    accounts.disable(acme.app.hub, "anna", "root")
    take(acme, second, answered(acme, second, "anna"))()
    assert stands(acme, "anna-too").person == "anna"


def test_g2_44_nor_by_having_the_disabled_one_again(acme: Acme) -> None:
    first, second = caller(acme, "anna"), caller(acme, "anna-too")
    take(acme, first, answered(acme, first, "anna"))()
    accounts.disable(acme.app.hub, "anna", "root")
    take(acme, second, answered(acme, second, "anna"))()
    accounts.recover(acme.app.hub, "anna", "root")
    assert stands(acme, "anna").person is None
    again = caller(acme, "anna")
    assert code(take(acme, again, answered(acme, again, "anna"))) == "person-has-account"


def test_g2_45_an_account_that_is_disabled_meanwhile_is_not_bound(acme: Acme) -> None:
    who = caller(acme, "anna")
    signed = answered(acme, who, "anna")
    accounts.disable(acme.app.hub, "anna", "root")
    assert code(take(acme, who, signed)) == "binding-refused"
