"""People sign at their desks what a server drafts, and hand it in: each for themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.trust.repository import Repository
from sealift_signing import drafts
from sealift_signing.acts.material import Ask
from sealift_signing.public_key import PublicKey
from tests.registry.at_servers import AtServer, Desk, at_server
from tests.registry.hub_fixture import APPROVERS, MODEL, REQUESTER, SITE, STAGE, TEAM, Acme
from tests.registry.signing_people import members_of, sign
from tests.registry.test_g3_80_jobs_seen import asked as job_asked

pytestmark = pytest.mark.socket
REQUEST = ["promote", f"{MODEL}/1", "--to", STAGE, "--reason", "It is better."]
APPROVE = ["approve", "P-000001", "--meaning", "validated", "--reason", "It was tested."]


@pytest.fixture
def at(hub: Acme) -> Iterator[AtServer]:
    with at_server(hub) as made:
        yield made


@pytest.fixture
def at_ready(ready: Acme) -> Iterator[AtServer]:
    with at_server(ready) as made:
        yield made


def done(told: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    """The one thing that became of what was handed in."""
    (one,) = told["submitted"]
    return one


def test_g2_130_a_version_is_promoted_by_three_people_at_their_desks(at: AtServer) -> None:
    dora = at.desk(REQUESTER, bound=True)
    said = done(dora(*REQUEST, "--yes", *dora.key))
    assert (said["new"], said["promotion"]) == (True, "P-000001")
    for name in APPROVERS:
        desk = at.desk(name, bound=True)
        assert done(desk(*APPROVE, "--yes", *desk.key))["new"]
    assert at.acme.standing(1).listed
    assert "P-000001" in dora.types("show", "P-000001").out


def test_g2_130_what_is_signed_is_read_first_and_whole(at: AtServer) -> None:
    dora = at.desk(REQUESTER, bound=True)
    said = dora.types(*REQUEST, "--yes", *dora.key)
    assert said.code == 0, said.err
    before, _, after = said.out.partition("It needs")
    assert f"{MODEL}/1" in before
    assert "It is better." in before
    assert "P-000001" in said.out, after


def test_g2_131_nothing_is_signed_without_a_yes(at: AtServer) -> None:
    dora = at.desk(REQUESTER, bound=True)
    assert dora.refused(*REQUEST, *dora.key) == "not-confirmed"
    assert not any("submissions" in one.path for one in at.asked)


def test_g2_131_nobody_signs_for_an_organisation_that_they_do_not_trust(at: AtServer) -> None:
    dora = at.desk(REQUESTER, bound=True, trusts=False)
    assert dora.refused(*REQUEST, "--yes", *dora.key) == "not-trusted"


def test_g2_131_a_key_never_leaves_the_desk(at: AtServer) -> None:
    dora = at.desk(REQUESTER, bound=True)
    dora(*REQUEST, "--yes", *dora.key)
    secret = at.acme.key(REQUESTER).read_bytes()
    sent = b"".join(one.body for one in at.asked)
    assert secret[30:60] not in sent
    assert b"PRIVATE" not in sent


def test_g2_131_at_hub_is_not_at_a_desk(at: AtServer) -> None:
    dora = at.desk(REQUESTER, bound=True)
    assert dora.refused(*REQUEST, "--at-hub", *dora.key) == "at-hub-from-desk"


def test_g2_132_without_a_key_the_draft_is_written_for_another_machine(at: AtServer) -> None:
    dora = at.desk(REQUESTER, bound=True)
    told = dora(*REQUEST)
    file = dora.folder / told["draft"]
    made = drafts.read(file.read_bytes(), what="it")
    assert made.act == "request"
    assert not made.is_signed
    assert told["sign"].startswith("sealift-sign request")
    assert str(at.address) in dora.types(*REQUEST).out


def signs_members(desk: Desk, *keys: str) -> list[str]:
    return ["team", "requester", TEAM, desk.card("carla"), "--yes", *desk.keys(*keys)]


def test_g2_133_two_keys_of_one_command_are_enough(at: AtServer) -> None:
    anna = at.desk("anna", bound=True)
    assert done(anna(*signs_members(anna, "anna", "ben")))["new"]
    with at.acme.app.hub.reading() as connection:
        people = {one.id for one in members_of(Repository(connection), TEAM).people}
    assert "carla" in people


def test_g2_133_what_too_few_have_signed_goes_on_to_the_next(at: AtServer) -> None:
    anna, ben = at.desk("anna", bound=True), at.desk("ben", bound=True)
    told = anna(*signs_members(anna, "anna"))
    first = anna.folder / told["draft"]
    assert first.name == "add-requester-vision-carla.anna.signed"
    assert "2 of" in told["holders"]
    assert "--card" in told["sign"]
    assert told["warnings"], "why it does not count yet"
    again = anna(*signs_members(anna, "anna"))
    assert again["draft"] == told["draft"], "the same is given out again"
    assert ben.refused("submit", str(first)) == "not-signed-enough"
    second = ben.folder / "both.signed"
    signed = at.acme.signer("ben")
    made = drafts.read(first.read_bytes(), what="it")
    part = made.parts[0]
    key = PublicKey.from_tuf(signed.public_key)
    bytes_of = bytes.fromhex(signed.sign(part.signed_data).signature)
    made = drafts.with_signature(made, part.name, key.keyid, bytes_of)
    second.write_bytes(drafts.write(made))
    assert done(ben("submit", str(second)))["new"]
    assert not done(ben("submit", str(second)))["new"]


def test_g2_134_copies_are_joined_and_each_draft_is_by_itself(at: AtServer) -> None:
    anna = at.desk("anna", bound=True)
    told = anna(*signs_members(anna, "anna"))
    copy = anna.folder / "copy.signed"
    copy.write_bytes((anna.folder / told["draft"]).read_bytes())
    bad = anna.folder / "bad.signed"
    bad.write_bytes(b"{}")
    said = anna.types("submit", str(copy), told["draft"], str(bad), "--json")
    assert said.code != 0
    asked = [one for one in at.asked if one.path.endswith("/submissions")]
    assert len(asked) == 2, "once with the command before, and once for both copies"


def test_g2_135_what_stands_already_is_said_and_not_signed(at: AtServer) -> None:
    anna = at.desk("anna", bound=True)
    line = ["renew", f"team.{TEAM}", "--yes", *anna.keys("anna", "ben")]
    assert not done(anna(*line))["new"], "it was signed within the hour"
    assert not any(one.path.endswith("/submissions") for one in at.asked)


ACTS: dict[str, Callable[[Desk], list[str]]] = {
    "team approver": lambda d: ["team", "approver", TEAM, d.card("dora")],
    "team check-rows": lambda _: ["team", "check-rows", TEAM, "--travel"],
    "policy set": lambda _: ["policy", "set", "staging", "--days", "90"],
    "policy lifetime": lambda _: ["policy", "lifetime", "team", "120"],
    "person retire": lambda _: ["person", "retire", TEAM, "carla"],
    "person compromised": lambda _: ["person", "compromised", TEAM, "dora"],
    "person key replace": lambda d: ["person", "key", "replace", TEAM, d.other_card("emil")],
    "team add": lambda d: [
        *("team", "add", "audio", "--steward", d.card("anna"), "--steward", d.card("ben"))
    ],
    "team stewards": lambda d: ["team", "stewards", TEAM, "anna", "ben", "--card", d.card("carla")],
    "key rotate": lambda _: ["key", "rotate", "freshness"],
    "unassign": lambda _: ["unassign", SITE, MODEL, "--reason", "It misreads sevens."],
    "object": lambda _: ["object", "P-000001", "--reason", "It fails at night."],
}
SIGNERS = {
    "team approver": ("anna", "ben"),
    "team check-rows": ("anna", "ben"),
    "policy set": ("targets-1", "targets-2"),
    "policy lifetime": ("targets-1", "targets-2"),
    **dict.fromkeys(("person retire", "person compromised", "person key replace"), ("anna", "ben")),
    "team add": ("targets-1", "targets-2"),
    "team stewards": ("targets-1", "targets-2"),
    "key rotate": ("root-1", "root-2"),
    "unassign": ("dispatcher-1",),
    "object": ("emil",),
}


@pytest.mark.parametrize("act", ACTS)
def test_g2_136_every_act_is_carried_out_at_a_desk(at_ready: AtServer, act: str) -> None:
    who = SIGNERS[act][0]
    desk = at_ready.desk(who, bound=True)
    said = done(desk(*ACTS[act](desk), "--yes", *desk.keys(*SIGNERS[act])))
    assert said["new"], said


def test_g2_136_a_site_is_told_to_stop_and_to_begin_again(at_ready: AtServer) -> None:
    desk = at_ready.desk("dispatcher-1", bound=True)
    stop = ["unassign", SITE, MODEL, "--reason", "It misreads sevens."]
    assert done(desk(*stop, "--yes", *desk.key))["new"]
    begin = ["assign", SITE, f"{MODEL}/1", "--for", "line-1=cpu-x86_64", "--no-fallback"]
    assert done(desk(*begin, "--yes", *desk.key))["new"]


def test_g2_137_a_job_is_taken_back_and_asked_for_again(acme: Acme) -> None:
    job = job_asked(acme.app.hub).id
    with at_server(acme) as at:
        desk = at.desk("omar", Grant("operator"))
        told = desk("job", "cancel", job)
        assert (told["job"], told["state"], told["new"]) == (job, "cancelled", True)
        assert not desk("job", "cancel", job)["new"]
        again = desk("job", "retry", job)
        assert (again["retries"], again["new"]) == (job, True)
        assert again["job"] in desk.types("job", "list").out
        assert "was cancelled by omar at" in desk.types("job", "cancel", job).out
        watch = f"sealift job watch --server {at.address} {again['job']}"
        assert watch in desk.types("job", "retry", job).out


def test_g2_138_the_servers_warnings_are_shown_as_the_servers(at: AtServer) -> None:
    dora = at.desk(REQUESTER, bound=True)

    def warns(asked: object, said: dict[str, object]) -> dict[str, object]:
        return said | ({"warnings": ["All is well.\x1b[2J"]} if "draft" in said else {})

    at.alters = warns
    said = dora.types(*REQUEST, "--yes", *dora.key)
    assert "The server says: All is well." in said.out
    assert "\x1b" not in said.out


def test_g2_139_an_account_is_bound_by_whoever_signs_in(at: AtServer) -> None:
    dora = at.desk(REQUESTER)
    assert dora("whoami")["person"] is None
    line = ["login", REQUESTER, "--bind", "--yes"]
    said = dora.types(*line, *dora.key, "--json")
    assert done(said.json)["person"] == REQUESTER, said.err
    assert dora("whoami")["person"] == REQUESTER
    assert done(dora(*REQUEST, "--yes", *dora.key))["new"]


def test_g2_139_a_binding_is_signed_on_another_machine_as_well(at: AtServer) -> None:
    dora = at.desk(REQUESTER)
    told = dora("login", REQUESTER, "--bind")
    assert told["sign"].startswith(f"sealift-sign bind-account {REQUESTER} {at.address} ")
    made = drafts.read((dora.folder / told["draft"]).read_bytes(), what="it")
    ask = Ask("bind-account", (REQUESTER, str(at.address)))
    signed = sign(made, ask, [at.acme.signer(REQUESTER)], at.acme.app.hub.now())
    (dora.folder / "bound.signed").write_bytes(drafts.write(signed))
    assert done(dora("submit", "bound.signed"))["person"] == REQUESTER
    assert dora.refused("submit", "bound.signed") == "binding-refused"


def test_g2_139_what_binds_is_for_the_server_that_is_named(at: AtServer) -> None:
    """A server that hands on another's challenge would be taken for whoever signs it there."""
    dora = at.desk(REQUESTER)
    other = replace(at.address, host="localhost")
    kept = dora.sessions.at(at.address)
    assert kept is not None
    dora.sessions.keep(replace(kept, url=str(other)))
    line = ["login", REQUESTER, "--bind", "--yes", *dora.key, "--json", "--server", str(other)]
    assert dora.types(*line, server=False).error == "other-act"


def test_g2_139_nobody_binds_with_a_session_that_ended(at: AtServer) -> None:
    dora = at.desk(REQUESTER)
    at.acme.later(days=60)
    assert dora.refused("login", REQUESTER, "--bind", "--yes", *dora.key) == "nobody-to-ask"
