"""Accounts, grants, sessions and tokens: what the log says of them counts, and no row by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from sealift_registry.access import accounts, granting, sessions, tables, tokens, told_refusals
from sealift_registry.access.calling import Grant, Where
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.access.secret import digest
from sealift_signing.vocabulary import moment
from tests.registry.accounts_fixture import (
    caller,
    code,
    invited,
    is_let_in,
    row,
    signed_in,
    stands,
)
from tests.registry.hub_fixture import TEAM, Acme

VIEWER = Grant("viewer", team=TEAM)
OPERATOR = Grant("operator")


def test_g2_01_an_account_is_what_the_log_says(acme: Acme) -> None:
    told = invited(acme, "anna", VIEWER)
    assert told.secret.startswith("sli_")
    found = stands(acme, "anna")
    assert (found.kind, found.words, set(found.grants.values())) == ("person", "invited", {VIEWER})
    assert granting.grant(acme.app.hub, "anna", OPERATOR, "root")
    assert not granting.grant(acme.app.hub, "anna", OPERATOR, "root"), "it is so already"
    assert set(stands(acme, "anna").grants.values()) == {VIEWER, OPERATOR}
    assert granting.revoke(acme.app.hub, "anna", VIEWER, "root")
    assert not granting.revoke(acme.app.hub, "anna", VIEWER, "root")
    assert set(stands(acme, "anna").grants.values()) == {OPERATOR}
    assert acme.types()[-3:] == ["account.invited", "right.granted", "right.revoked"]


@pytest.mark.parametrize(
    "grant, why",
    [
        (Grant("viewer", team="visoin"), "no-such-team"),
        (Grant("auditor", site="plant-9"), "no-such-site"),
        (Grant("operator", team=TEAM), "bad-grant-limit"),
        (Grant("publisher", site="plant-7"), "bad-grant-limit"),
    ],
)
def test_g2_01_no_grant_of_what_there_is_not(acme: Acme, grant: Grant, why: str) -> None:
    """A misspelt team would be a right that nobody has, and that one day somebody gets."""
    before = acme.types()
    assert code(lambda: invited(acme, "anna", grant)) == why
    assert acme.types() == before
    invited(acme, "anna")
    assert code(lambda: granting.grant(acme.app.hub, "anna", grant, "root")) == why


@pytest.mark.parametrize(
    "text", ["viewer", "publisher:team=vision", "viewer:team=vision,site=plant-7"]
)
def test_g2_01_a_grant_is_spelled_as_it_is_read(text: str) -> None:
    assert Grant.parse(text).spelled == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "approver", "Viewer", "viewer:", "viewer:team=", "viewer:role=x", "viewer:team=a b"),
        *("viewer:team=a,team=b", "viewer team=a", "viewer:team=a,", "steward:team=vision"),
    ],
)
def test_g2_01_what_is_no_grant_is_refused(text: str) -> None:
    assert code(lambda: Grant.parse(text)) == "bad-grant"


def test_g2_01_a_program_administers_nothing(acme: Acme) -> None:
    grants = [Grant("administrator")]
    hub = acme.app.hub
    assert code(lambda: accounts.invite(hub, "ci", "service", grants, "root")) == (
        "service-administrator"
    )


def test_g2_02_no_name_is_given_twice(acme: Acme) -> None:
    invited(acme, "anna")
    assert code(lambda: invited(acme, "anna")) == "account-there"
    accounts.disable(acme.app.hub, "anna", "root")
    assert code(lambda: invited(acme, "anna")) == "account-there"
    with acme.behind() as connection:
        connection.execute(delete(tables.account))
    assert code(lambda: invited(acme, "anna")) == "account-there", "by the log"
    for name in ("Anna", "", "a b", "anna\u202e", "a" * 65):
        assert code(lambda name=name: invited(acme, name)) == "bad-account"  # type: ignore[misc]


def test_g2_03_nothing_that_is_kept_or_logged_is_a_secret(acme: Acme) -> None:
    told = invited(acme, "anna", VIEWER)
    opened = signed_in(acme, "anna")
    accounts.invite(acme.app.hub, "ci", "service", [OPERATOR], "root")
    made = tokens.make(acme.app.hub, "ci", ["job.read"], "nightly", "root")
    kept = repr(acme.rows())
    for shown in (told.secret, opened.secret, made.secret):
        assert shown not in kept
        assert shown.partition("_")[2] not in kept
    with acme.behind() as connection:
        bodies = b"".join(connection.exec_driver_sql("SELECT body FROM log_entry").scalars())
    for shown in (told.secret, opened.secret, made.secret):
        assert digest(shown).encode() not in bodies, "no hash of one is in the log"


def test_g2_04_a_session_lets_in_until_it_is_ended(acme: Acme) -> None:
    opened = signed_in(acme, "anna", VIEWER)
    keeper = Gatekeeper(acme.app.hub)
    who = keeper.caller(opened.secret, "desk")
    assert (who.name, who.kind, who.by, who.person) == ("anna", "person", "desk", None)
    assert who.grants == {VIEWER}
    assert not is_let_in(acme, opened.secret, "browser"), "a desk's secret is no cookie"
    assert not is_let_in(acme, opened.secret + "x")
    assert not is_let_in(acme, "sls_" + "x" * 10**6)
    assert not is_let_in(acme, opened.session.secret), "its hash is no secret"
    kept = row(acme, "session")
    sessions.close(acme.app.hub, who.account, who.credential, "anna")
    assert not is_let_in(acme, opened.secret, by=keeper), "whatever was remembered"
    with acme.behind() as connection:  # whoever has the database puts it back
        connection.execute(insert(tables.session).values(**kept))
    assert not is_let_in(acme, opened.secret)
    assert not is_let_in(acme, opened.secret, by=keeper)


def test_g2_04_nobody_ends_the_session_of_another(acme: Acme) -> None:
    opened = signed_in(acme, "anna")
    other = caller(acme, "ben")
    hub, theirs = acme.app.hub, opened.session.id
    assert code(lambda: sessions.close(hub, other.account, theirs, "ben")) == "no-session"
    assert is_let_in(acme, opened.secret)


def test_g2_05_a_session_has_an_idle_and_an_absolute_end(acme: Acme) -> None:
    opened = signed_in(acme, "anna")
    acme.later(minutes=50)
    assert is_let_in(acme, opened.secret), "which is noted"
    acme.later(minutes=100)
    assert is_let_in(acme, opened.secret)
    acme.later(minutes=161)
    assert not is_let_in(acme, opened.secret)
    used = signed_in(acme, "anna")
    for minutes in range(200, 161 + 12 * 60, 50):
        acme.later(minutes=minutes)
        assert is_let_in(acme, used.secret)
    acme.later(minutes=161 + 12 * 60 + 1)
    assert not is_let_in(acme, used.secret)


def test_g2_05_a_clock_that_was_set_back_opens_nothing(acme: Acme) -> None:
    """A session of the future would be good until its end comes again."""
    acme.later(days=1)
    opened = signed_in(acme, "anna")
    assert is_let_in(acme, opened.secret)
    acme.later(minutes=0)
    assert not is_let_in(acme, opened.secret)


def test_g2_05_who_has_the_database_prolongs_no_session(acme: Acme) -> None:
    opened = signed_in(acme, "anna")
    acme.later(hours=13)
    with acme.behind() as connection:
        connection.execute(update(tables.session).values(seen=moment(acme.app.hub.now())))
    assert not is_let_in(acme, opened.secret)


def test_g2_06_an_account_has_so_many_sessions(acme: Acme) -> None:
    every = [signed_in(acme, "anna") for _ in range(sessions.MOST + 1)]
    assert not is_let_in(acme, every[0].secret)
    assert all(is_let_in(acme, one.secret) for one in every[1:])
    assert acme.types().count("session.opened") == sessions.MOST + 1


def test_g2_07_a_row_of_nobodys_lets_nobody_in(acme: Acme) -> None:
    """Whoever owns the database chooses a secret, and adds the row that it finds."""
    opened = signed_in(acme, "anna", VIEWER)
    keeper = Gatekeeper(acme.app.hub)
    assert is_let_in(acme, opened.secret, by=keeper)
    mine = "sls_" + "m" * 43
    real = opened.session
    forged = type(real)(**{**vars(real), "secret": digest(mine)})
    with acme.behind() as connection:
        row_ = {"secret": digest(mine), "body": forged.body()}
        connection.execute(update(tables.session).values(**row_))
    assert not is_let_in(acme, mine)
    assert not is_let_in(acme, mine, by=keeper)
    new = type(real)(**{**vars(forged), "id": "session-forged"})
    with acme.behind() as connection:
        row_ = {"id": new.id, "account": new.account, "secret": new.secret, "body": new.body()}
        connection.execute(delete(tables.session))
        connection.execute(insert(tables.session).values(**row_))
    assert not is_let_in(acme, mine)
    assert not is_let_in(acme, mine, by=keeper)


def test_g2_08_a_grant_that_the_log_does_not_know_does_not_count(acme: Acme) -> None:
    opened = signed_in(acme, "anna", VIEWER)
    who = Gatekeeper(acme.app.hub).caller(opened.secret, "desk")
    added = {"id": "grant-forged", "account": who.account, "role": "administrator"}
    with acme.behind() as connection:
        connection.execute(insert(tables.account_grant).values(**added))
        connection.execute(update(tables.account_grant).values(team=None))
    keeper = Gatekeeper(acme.app.hub)
    again = keeper.caller(opened.secret, "desk")
    assert again.grants == {VIEWER}
    assert code(lambda: keeper.check(again, "account.invite", Where())) == "forbidden"
    assert code(lambda: keeper.check(again, "version.read", Where(team="audio"))) == "forbidden"
    keeper.check(again, "version.read", Where(team=TEAM))


def test_g2_09_what_changes_counts_in_the_next_request(acme: Acme) -> None:
    opened = signed_in(acme, "anna", VIEWER)
    keeper = Gatekeeper(acme.app.hub)
    with acme.another() as other:  # another process of the server
        who = keeper.caller(opened.secret, "desk")
        keeper.check(who, "version.read", Where(team=TEAM))
        granting.revoke(other.app.hub, "anna", VIEWER, "root")
        who = keeper.caller(opened.secret, "desk")
        assert code(lambda: keeper.check(who, "version.read", Where(team=TEAM))) == "forbidden"
        granting.grant(other.app.hub, "anna", VIEWER, "root")
        who = keeper.caller(opened.secret, "desk")
        keeper.check(who, "version.read", Where(team=TEAM))
        accounts.disable(other.app.hub, "anna", "root")
        assert not is_let_in(acme, opened.secret, by=keeper)


def test_g2_09_a_right_that_ended_since_the_request_began_commits_nothing(acme: Acme) -> None:
    who = caller(acme, "anna", OPERATOR)
    guard = Gatekeeper(acme.app.hub).guard(who, "job.cancel")
    with acme.app.hub.reading() as connection:
        guard(connection)
    granting.revoke(acme.app.hub, "anna", OPERATOR, "root")
    with acme.app.hub.reading() as connection:
        assert code(lambda: guard(connection)) == "forbidden"
    granting.grant(acme.app.hub, "anna", OPERATOR, "root")
    sessions.close(acme.app.hub, who.account, who.credential, "anna")
    with acme.app.hub.reading() as connection:
        assert code(lambda: guard(connection)) == "signed-out"


def test_g2_10_a_disabled_account_is_nobodys_way_in(acme: Acme) -> None:
    opened = signed_in(acme, "anna", VIEWER)
    before = acme.rows()
    assert accounts.disable(acme.app.hub, "anna", "root")
    assert not accounts.disable(acme.app.hub, "anna", "root")
    assert not is_let_in(acme, opened.secret)
    kept = dict(
        zip([one.name for one in tables.session.columns], before["session"][0], strict=True)
    )
    with acme.behind() as connection:
        connection.execute(insert(tables.session).values(**kept))
    assert not is_let_in(acme, opened.secret)
    assert code(lambda: granting.grant(acme.app.hub, "anna", OPERATOR, "root")) == (
        "account-disabled"
    )


def test_g2_11_who_recovers_an_account_has_it_alone(acme: Acme) -> None:
    """What it signed in with before may be in a thief's hands."""
    opened = signed_in(acme, "anna", VIEWER)
    kept = row(acme, "session")
    told = accounts.recover(acme.app.hub, "anna", "root")
    assert told.secret
    with acme.behind() as connection:
        connection.execute(insert(tables.session).values(**kept))
    assert not is_let_in(acme, opened.secret)
    assert set(stands(acme, "anna").grants.values()) == {VIEWER}
    assert code(lambda: accounts.recover(acme.app.hub, "ben", "root")) == "no-account"


def test_g2_12_a_token_does_what_it_is_for_until_it_is_revoked(acme: Acme) -> None:
    hub = acme.app.hub
    accounts.invite(hub, "ci", "service", [OPERATOR], "root")
    made = tokens.make(hub, "ci", ["job.read", "version.read"], "nightly", "root", days=2)
    keeper = Gatekeeper(hub)
    who = keeper.caller(made.secret, "token")
    assert (who.kind, who.by) == ("service", "token")
    assert who.scopes == frozenset({"job.read", "version.read"})
    keeper.check(who, "job.read", Where())
    assert code(lambda: keeper.check(who, "job.cancel", Where())) == "token-without-scope"
    assert code(lambda: keeper.check(who, "version.read", Where(team=TEAM))) == "forbidden"
    kept = row(acme, "api_token")
    assert kept["used"] is not None
    tokens.revoke(hub, who.account, made.token.id, "root")
    with acme.behind() as connection:
        connection.execute(insert(tables.api_token).values(**kept))
    assert not is_let_in(acme, made.secret, "token")
    assert not is_let_in(acme, made.secret, "token", keeper)


def test_g2_12_a_token_ends(acme: Acme) -> None:
    hub = acme.app.hub
    accounts.invite(hub, "ci", "service", [OPERATOR], "root")
    made = tokens.make(hub, "ci", ["job.read"], "nightly", "root", days=2)
    acme.later(days=2, minutes=-1)
    assert is_let_in(acme, made.secret, "token")
    acme.later(days=2, minutes=1)
    assert not is_let_in(acme, made.secret, "token")


@pytest.mark.parametrize(
    "scopes, days, why",
    [
        ([], 1, "scope-needed"),
        (["job.read", "submission.make"], 1, "bad-scope"),
        (["account.invite"], 1, "bad-scope"),
        (["token.manage-own"], 1, "bad-scope"),
        (["everything"], 1, "bad-scope"),
        (["job.read"], 0, "bad-days"),
        (["job.read"], 367, "bad-days"),
    ],
)
def test_g2_13_no_token_signs_administers_or_lasts(
    acme: Acme, scopes: list[str], days: int, why: str
) -> None:
    accounts.invite(acme.app.hub, "ci", "service", [OPERATOR], "root")
    make = tokens.make
    assert code(lambda: make(acme.app.hub, "ci", scopes, "x", "root", days=days)) == why


def test_g2_13_a_scope_that_a_row_was_given_later_is_none(acme: Acme) -> None:
    hub = acme.app.hub
    accounts.invite(hub, "ci", "service", [OPERATOR], "root")
    made = tokens.make(hub, "ci", ["job.read"], "nightly", "root")
    wider = type(made.token)(**{**vars(made.token), "scopes": ("job.cancel", "job.read")})
    with acme.behind() as connection:
        connection.execute(update(tables.api_token).values(body=wider.body()))
    assert not is_let_in(acme, made.secret, "token")


def test_g2_14_a_refusal_is_in_the_log_and_does_not_fill_it(acme: Acme) -> None:
    who = caller(acme, "anna", VIEWER)
    keeper, elsewhere = Gatekeeper(acme.app.hub), Where(team="audio")
    before = acme.types().count("access.refused")
    for _ in range(50):
        assert code(lambda: keeper.check(who, "version.read", elsewhere)) == "forbidden"
    assert code(lambda: keeper.check(who, "job.cancel", Where())) == "forbidden"
    assert acme.types().count("access.refused") == before + 2
    acme.later(minutes=11)
    assert code(lambda: keeper.check(who, "version.read", elsewhere)) == "forbidden"
    assert acme.types().count("access.refused") == before + 3
    for number in range(40):
        code(lambda number=number: keeper.check(who, "version.read", Where(team=f"t{number}")))  # type: ignore[misc]
    assert acme.types().count("access.refused") == before + 1 + told_refusals.MOST_A_DAY
    assert code(lambda: keeper.check(who, "right.grant", Where())) == "forbidden"
    assert acme.types()[-1] == "access.refused", "what does no harm hides nothing else"
    assert acme.types().count("access.refused-more") == 1, "that the bound was met is told at once"


def test_g2_14_an_action_that_is_not_in_the_table_is_nobodys(acme: Acme) -> None:
    who = caller(acme, "anna", *(Grant(one) for one in ("administrator", "operator", "viewer")))
    for action in ("", "model.delete", "version.read ", "VERSION.READ"):
        keeper = Gatekeeper(acme.app.hub)
        assert code(lambda a=action, k=keeper: k.check(who, a, Where())) == "forbidden"  # type: ignore[misc]


def test_g2_15_an_invitation_waits_so_long(acme: Acme) -> None:
    hub = acme.app.hub
    told = accounts.invite(hub, "anna", "person", [], "root", hours=2)
    assert told.ends <= moment(hub.now() + timedelta(hours=2))
    for hours in (0, -1, 169):
        assert code(lambda h=hours: accounts.recover(hub, "anna", "root", h)) == "bad-hours"  # type: ignore[misc]
