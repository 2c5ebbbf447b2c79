"""What is asked of a server has its effect once, by somebody who may at that moment."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from litestar import Litestar, post
from sqlalchemy import Connection, func, select

from sealift_registry import changing_jobs
from sealift_registry.access import accounts, granting, tables, tokens
from sealift_registry.access.calling import Grant, Where
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.access.once import Asked, Kept, Once
from sealift_registry.access.standing import DISABLED, STANDING
from sealift_registry.audit import pending
from sealift_registry.audit.tables import log_entry
from sealift_registry.shown.told import Told
from sealift_registry.trust.hub import Hub
from sealift_registry.web import api, guarding, job_routes
from sealift_signing.acts.material import Ask
from sealift_signing.canonical import Json
from sealift_signing.errors import FailedError
from sealift_signing.transparency.entry import Entry, read_entry
from tests.registry.accounts_fixture import code, signed_in
from tests.registry.desks_of_server import Desk, bound
from tests.registry.hub_fixture import APPROVERS, MODEL, REQUESTER, STAGE, TEAM, Acme
from tests.registry.served_hub import served
from tests.registry.test_g3_80_jobs_seen import asked

KEY = "0123-4567-89ab"
REQUEST = Ask("request", (f"{MODEL}/1", STAGE), {"reason": ("It is better.",)})
WORDS = {"meaning": ("validated",), "reason": ("It was tested.",)}


def approval(promotion: str) -> Ask:
    return Ask("approve", (promotion,), WORDS)


@contextmanager
def desks(acme: Acme, *people: str) -> Iterator[list[Desk]]:
    """Each of them is signed in, and proved their key."""
    with served(acme, Gatekeeper(acme.app.hub)) as client:
        yield [Desk(client, acme, one, bound(acme, one)) for one in people]


@contextmanager
def an_operator(acme: Acme) -> Iterator[Desk]:
    opened = signed_in(acme, "omar", Grant("operator"))
    with served(acme, Gatekeeper(acme.app.hub)) as client:
        yield Desk(client, acme, "omar", opened.secret)


def entries(acme: Acme) -> list[Entry]:
    """All that the log has."""
    with acme.app.hub.reading() as connection:
        bodies = connection.execute(select(log_entry.c.body).order_by(log_entry.c.seq)).scalars()
        return [read_entry(bytes(one)) for one in bodies]


def found_by(acme: Acme, kind: str, value: str) -> list[str]:
    """The types of the entries with this word."""
    return [
        one.type
        for one in entries(acme)
        if any((term.kind, term.value) == (kind, value) for term in one.terms)
    ]


def answers(acme: Acme) -> int:
    with acme.app.hub.reading() as connection:
        query = select(func.count()).select_from(tables.once_answer)
        return int(connection.execute(query).scalar_one())


# ---------------------------------------------------------------------- what people sign


def test_g2_190_a_promotion_is_asked_for_and_decided_from_desks(hub: Acme) -> None:
    with desks(hub, REQUESTER, *APPROVERS) as (dora, *approvers):
        made = dora.hands_in(dora.signed(REQUEST))
        assert made.status_code == 200, made.text
        promotion = made.json()["data"]["promotion"]
        for one in approvers:
            done = one.hands_in(one.signed(approval(promotion)))
            assert (done.status_code, done.json()["new"]) == (200, True), done.text
        shown = dora.get(f"/promotions/{promotion}").json()
    assert (shown["listed"], shown["have"]) == (True, 2)


def test_g2_191_the_log_names_who_handed_it_in_and_who_signed(hub: Acme) -> None:
    """They need not be one: what counts is the signature."""
    with desks(hub, REQUESTER, APPROVERS[0]) as (dora, carla):
        made = dora.hands_in(carla.signed(REQUEST, [REQUESTER]))
        assert made.status_code == 200, made.text
        promotion = made.json()["data"]["promotion"]
        done = dora.hands_in(carla.signed(approval(promotion)))
        assert done.status_code == 200, done.text
    (entry,) = [one for one in entries(hub) if one.type == "promotion.approved"]
    assert entry.actor == APPROVERS[0]
    words = {(term.kind, term.value) for term in entry.terms}
    assert {("account", REQUESTER), ("person", APPROVERS[0])} <= words
    assert ("request", done.headers["x-request-id"]) in words


def test_g2_191_what_nobody_signed_enough_counts_no_more_than_elsewhere(hub: Acme) -> None:
    with desks(hub, REQUESTER, APPROVERS[0]) as (dora, carla):
        bad = dora.hands_in(b64decode(dora.asks(REQUEST).json()["draft"]))
        assert bad.status_code == 409, "nobody signed it"
        assert carla.hands_in(b"{}").status_code == 400
        assert carla.post("/submissions", b"{}").status_code == 415
    assert hub.types().count("promotion.approved") == 0


def test_g2_192_who_did_not_prove_a_key_or_is_of_another_team_hands_nothing_in(hub: Acme) -> None:
    keeper = Gatekeeper(hub.app.hub)
    signed_in(hub, "viewer", Grant("viewer"))
    for name in ("zoe", "yuri"):
        hub.new_key(name)
    hub.add_team("audio", {one: hub.public(one) for one in ("zoe", "yuri")})
    with served(hub, keeper) as client:
        dora = Desk(client, hub, REQUESTER, bound(hub, REQUESTER))
        zoe = Desk(client, hub, "zoe", bound(hub, "zoe"))
        unbound = Desk(client, hub, "viewer", signed_in(hub, "viewer").secret)
        signed = dora.signed(REQUEST)
        for one, why in ((zoe, "forbidden"), (unbound, "not-bound")):
            for answer in (one.hands_in(signed), one.asks(REQUEST)):
                assert (answer.status_code, answer.json()["code"]) == (403, why)
    assert hub.types().count("access.refused") >= 4
    assert "promotion.requested" not in hub.types()


def test_g2_192_a_token_hands_nothing_in_and_has_nothing_drafted(hub: Acme) -> None:
    with desks(hub, REQUESTER) as (dora,):
        signed = dora.signed(REQUEST)
        accounts.invite(hub.app.hub, "ci", "service", [Grant("publisher")], "root")
        made = tokens.make(hub.app.hub, "ci", ["version.read"], "nightly", "root")
        ci = Desk(dora.client, hub, "ci", made.secret)
        assert ci.hands_in(signed).status_code == 403
        assert ci.asks(REQUEST).status_code == 403
    assert "promotion.requested" not in hub.types()


def test_g2_192_a_draft_of_what_is_just_published_says_so(acme: Acme) -> None:
    with desks(acme, "anna") as (anna,):
        answer = anna.asks(Ask("renew", (f"team.{TEAM}",))).json()
    assert answer["draft"] is None
    assert answer["unchanged"]["new"] is False


# ---------------------------------------------------------------------- once


def test_g2_193_asked_again_it_is_answered_again_and_done_once(acme: Acme) -> None:
    job = asked(acme.app.hub)
    with an_operator(acme) as omar:
        first = omar.post(f"/jobs/{job.id}/cancel", key=KEY)
        again = omar.post(f"/jobs/{job.id}/cancel", key=f'"{KEY}"')
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["new"] is True
    assert again.content == first.content
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert acme.types().count("job.ended") == 1


def test_g2_193_by_the_same_key_nothing_else_is_done(acme: Acme) -> None:
    one, other = asked(acme.app.hub), asked(acme.app.hub)
    ben = signed_in(acme, "ben-the-operator", Grant("operator"))
    with an_operator(acme) as omar:
        assert omar.post(f"/jobs/{one.id}/cancel", key=KEY).status_code == 200
        theirs = Desk(omar.client, acme, "ben", ben.secret)
        for answer in (
            omar.post(f"/jobs/{other.id}/cancel", key=KEY),
            omar.post(f"/jobs/{one.id}/cancel", b"{}", key=KEY),
            theirs.post(f"/jobs/{one.id}/cancel", key=KEY),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "once-other-body")
        assert omar.get(f"/jobs/{other.id}").json()["state"] == "waits"


@pytest.mark.parametrize("key", ["", "short", "with space in it", "x" * 129, 'quoted"inside'])
def test_g2_193_without_a_key_that_fits_nothing_is_done(acme: Acme, key: str) -> None:
    job = asked(acme.app.hub)
    with an_operator(acme) as omar:
        answer = omar.post(f"/jobs/{job.id}/cancel", key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "once-key-needed")
    assert answers(acme) == 0
    assert "job.ended" not in acme.types()


def test_g2_194_what_was_refused_can_be_asked_again_by_the_same_key(hub: Acme) -> None:
    """Nothing was done: once what was in its way is gone, it is."""
    with desks(hub, REQUESTER, APPROVERS[0]) as (dora, carla):
        signed = carla.signed(REQUEST, [REQUESTER])
        unsigned = b64decode(dora.asks(REQUEST).json()["draft"])
        assert dora.hands_in(unsigned, KEY).status_code == 409
        assert dora.hands_in(signed, KEY).status_code == 200
        again = dora.hands_in(signed, KEY)
        assert again.headers["idempotent-replay"] == "true"
    assert hub.types().count("promotion.requested") == 1


def test_g2_195_of_a_lost_answer_it_is_said_how_to_find_what_was_done(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between the commit and the answer."""
    job = asked(acme.app.hub)
    with an_operator(acme) as omar:
        with monkeypatch.context() as patch:
            patch.setattr(Once, "keep", lambda *_given, **_more: None)
            first = omar.post(f"/jobs/{job.id}/cancel", key=KEY)
        again = omar.post(f"/jobs/{job.id}/cancel", key=KEY)
    assert (again.status_code, again.json()["code"]) == (409, "once-answer-lost")
    run = first.headers["x-request-id"]
    assert f"--term request={run}" in again.json()["next"]
    assert found_by(acme, "request", run) == ["job.ended"]
    assert found_by(acme, "account", "omar").count("job.ended") == 1


def test_g2_195_an_answer_that_cannot_be_kept_is_given_all_the_same(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = asked(acme.app.hub)
    with an_operator(acme) as omar:

        def full(*_given: object) -> None:
            raise FailedError("disk-full", "There is no room.")

        with monkeypatch.context() as patch:
            patch.setattr(type(acme.app.hub.database), "writing", full)
            patch.setattr("sealift_registry.access.sessions.note_seen", lambda *_given: None)
            patch.setattr(
                "sealift_registry.web.job_routes.cancel", lambda *_given: Told({"job": job.id}, [])
            )
            assert omar.post(f"/jobs/{job.id}/cancel", key=KEY).status_code == 200
    assert answers(acme) == 0


def test_g2_195_two_at_once_are_one(acme: Acme) -> None:
    job = asked(acme.app.hub)
    begun, ends = threading.Event(), threading.Event()
    genuine = changing_jobs.cancel

    def slow(*given: str) -> Told:
        begun.set()
        assert ends.wait(20)
        return genuine(*given)  # type: ignore[arg-type]  # as given

    with an_operator(acme) as omar, pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_routes, "cancel", slow)
        said: list[int] = []
        first = threading.Thread(
            target=lambda: said.append(omar.post(f"/jobs/{job.id}/cancel", key=KEY).status_code)
        )
        first.start()
        assert begun.wait(20)
        second = omar.post(f"/jobs/{job.id}/cancel", key=KEY)
        ends.set()
        first.join()
    assert said == [200]
    assert (second.status_code, second.json()["code"]) == (409, "once-under-way")


def test_g2_195_of_two_processes_one_marks_it(acme: Acme) -> None:
    hub = acme.app.hub
    here, there = Once(hub), Once(hub)
    mine = Asked("A-1", "POST /x", KEY, "0" * 64, "r-1")
    theirs = Asked("A-1", "POST /x", KEY, "0" * 64, "r-2")

    def marks(by: Once, one: Asked) -> Callable[[], object]:
        entry = hub.entry("test.entry", "omar", {})

        def act() -> None:
            def action(connection: Connection) -> tuple[Entry, None]:
                by.mark(connection, one)
                return entry, None

            hub.commit(action)

        return act

    with here.working(mine) as first, there.working(theirs) as second:
        assert (first, second) == (None, None)
        marks(here, mine)()
        marks(here, mine)()  # of its second commit
        assert code(marks(there, theirs)) == "once-answer-lost"
        there.keep(theirs, Kept(500, b"theirs"), is_done=False)
        here.keep(mine, Kept(200, b"mine"), is_done=True)
    with there.working(theirs) as kept:
        assert kept == Kept(200, b"mine")
    assert acme.types().count("test.entry") == 2


def test_g2_195_answers_are_forgotten_after_two_days(acme: Acme) -> None:
    hub = acme.app.hub
    there, one = Once(hub), Asked("A-1", "POST /x", KEY, "0" * 64, "r-1")
    there.keep(one, Kept(200, b"kept"), is_done=True)
    acme.later(hours=49)
    there.keep(Asked("A-1", "POST /y", KEY, "0" * 64, "r-2"), Kept(200, b"y"), is_done=True)
    with there.working(one) as kept:
        assert kept is None


# ---------------------------------------------------------------------- who may, at that moment


def test_g2_196_a_right_that_ended_a_second_ago_decides_nothing(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard let the request in; before its commit the account was disabled."""
    job, genuine = asked(acme.app.hub), changing_jobs.cancel

    def late(hub: Hub, name: str, by: str) -> Told:
        accounts.disable(acme.app.hub, "omar", "root")
        return genuine(hub, name, by)

    monkeypatch.setattr(job_routes, "cancel", late)
    with an_operator(acme) as omar:
        answer = omar.post(f"/jobs/{job.id}/cancel", key=KEY)
    assert (answer.status_code, answer.json()["code"]) == (401, "signed-out")
    assert changing_jobs.look(acme.app.hub, job.id).state == "waits"
    assert answers(acme) == 0


def test_g2_196_a_grant_that_was_revoked_meanwhile_decides_nothing(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, genuine = asked(acme.app.hub), changing_jobs.retry
    changing_jobs.cancel(acme.app.hub, job.id, "root")

    def late(hub: Hub, name: str, by: str) -> Told:
        granting.revoke(acme.app.hub, "omar", Grant("operator"), "root")
        return genuine(hub, name, by)

    monkeypatch.setattr(job_routes, "retry", late)
    with an_operator(acme) as omar:
        answer = omar.post(f"/jobs/{job.id}/retry", key=KEY)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert acme.types().count("job.asked") == 1


def test_g2_197_jobs_are_taken_back_and_done_again_by_who_asked_or_sees_to_them(
    acme: Acme,
) -> None:
    mine, theirs = asked(acme.app.hub, "dora"), asked(acme.app.hub, "emil")
    dora = signed_in(acme, "dora")
    with an_operator(acme) as omar:
        her = Desk(omar.client, acme, "dora", dora.secret)
        assert her.post(f"/jobs/{theirs.id}/cancel").status_code == 403
        assert her.post(f"/jobs/{mine.id}/cancel").json()["state"] == "cancelled"
        assert her.post(f"/jobs/{theirs.id}/retry").status_code == 403
        assert omar.post(f"/jobs/{theirs.id}/retry").status_code == 404, "it has not failed"
        made = omar.post(f"/jobs/{mine.id}/retry").json()
        assert made["retries"] == mine.id
        assert omar.post(f"/jobs/{mine.id}/retry").json() == {**made, "new": False}
        assert omar.get(f"/jobs/{made['job']}").json()["asked_by"] == "omar"
        assert omar.post("/jobs/J-000099/cancel").status_code == 404
    assert json.dumps(found_by(acme, "account", "omar")).count("job.asked") == 1


# ---------------------------------------------------------------------- how routes are declared


def test_g2_198_a_route_that_writes_says_how_a_repeat_is_known() -> None:
    @post("/forgotten", opt=guarding.allowed("job.cancel"))
    async def forgotten() -> None: ...

    with pytest.raises(RuntimeError, match="repeat"):
        api.check_guarded(Litestar([forgotten], openapi_config=None))


def test_g2_198_what_a_body_says_is_checked_by_whoever_reads_it(acme: Acme) -> None:
    """A route that leaves it to its body and then tells nobody does nothing."""
    with an_operator(acme) as omar, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sealift_registry.web.signing_routes.about_act", lambda *_given: None)
        answer = omar.asks(REQUEST)
    assert answer.status_code == 500


def test_g2_196_nor_does_one_that_ends_in_the_very_same_commit(acme: Acme) -> None:
    """Actions of many share a commit; the entries of those before are not in the log yet."""
    hub, keeper = acme.app.hub, Gatekeeper(acme.app.hub)
    who = keeper.caller(signed_in(acme, "omar", Grant("operator")).secret, "desk")
    guard = keeper.guard(who, "job.cancel", Where())
    data: dict[str, Json] = {"account": who.account}
    over = hub.entry(DISABLED, "root", data, {STANDING: "omar"})
    with hub.engine.connect() as connection, pending.collected(connection) as before:
        guard(connection)
        before.append(over)
        assert code(lambda: guard(connection)) == "signed-out"
