"""What people are shown of a request is what they sign, whatever somebody does to the database."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from sealift_registry.app import App
from sealift_registry.catalog import recording, tables
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.cli.terminal import Terminal
from sealift_registry.shown.promotion import status_data, status_lines
from sealift_registry.trust import hub_drafts
from sealift_signing import drafts, gate, statements
from sealift_signing.acts.material import Ask
from sealift_signing.approvals import NotCountedError
from sealift_signing.desk.cli.run import run as sealift_sign
from sealift_signing.documents import Withdrawal
from sealift_signing.drafts import Draft
from sealift_signing.errors import RefusedError
from sealift_signing.gate import ExaminedDraft
from sealift_signing.more_member import mark
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import Approval, Objection
from sealift_signing.vocabulary import moment
from tests.registry import test_stored_fsck as stored
from tests.registry.hub_fixture import MODEL, PASSPHRASE, STAGE, TARGET, Acme, Loose, version
from tests.registry.signing_people import sign
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_stored_sites import no_triggers

SAYING = ("--meaning", "validated", "--reason", "I tried it")


def request_of(acme: Acme, number: int) -> str:
    return acme.standing(number).promotion.request.sha256


def drafted(acme: Acme, number: int) -> Draft:
    """An approval of `number`, as the hub drafts it."""
    with acme.app.hub.reading() as connection:
        wanted = acme.app.promotions.approval_wanted(connection, number, "validated", "I tried it")
        return hub_drafts.draft(acme.app.hub, connection, wanted)


def ask_of(draft: Draft) -> Ask:
    return Ask(draft.act, draft.object, draft.details)


def examined(acme: Acme, draft: Draft, name: str = "carla") -> ExaminedDraft:
    """What the gate tells somebody of a draft."""
    key = PublicKey.from_tuf(acme.signer(name).public_key)
    return gate.examine(draft, ask_of(draft), None, acme.app.hub.now(), key)


def exchanged(acme: Acme) -> None:
    """Each of two labels stands for what the other stood for."""
    for before, after in ((1, 9), (2, 1), (9, 2)):
        acme.sql(f"UPDATE promotion SET number = {after} WHERE number = {before}")  # noqa: S608


def put_in_place(acme: Acme) -> None:
    """The label of the first stands for the second, and the first is nowhere."""
    acme.sql("DELETE FROM promotion WHERE number = 1")
    acme.sql("UPDATE promotion SET number = 1 WHERE number = 2")


@pytest.mark.parametrize("attack", [exchanged, put_in_place])
def test_t0_91_a_request_exchanged_between_display_and_yes_is_not_signed(
    hub: Acme,
    capsys: Capsys,
    monkeypatch: pytest.MonkeyPatch,
    attack: Callable[[Acme], None],
) -> None:
    """Another process has the label stand for another request while somebody reads the first."""
    hub.request(1)
    hub.request(2)
    read = request_of(hub, 1)

    def meanwhile(_self: Terminal, _question: str) -> bool:
        attack(hub)
        return True

    monkeypatch.setattr(Terminal, "ask", meanwhile)
    cli = Cli(hub, capsys)
    _, _, shown = cli("approve", "P-1", *SAYING, "--at-hub", "--key", cli.key("carla"))
    assert f"request {read}" in shown
    with hub.app.hub.reading() as connection:
        made = [one for n in (1, 2) for one in Catalog(connection).approvals(n)]
    assert {one.predicate.request for one in made} <= {read}
    assert shown.count("asked for by dora") == 1, "all is said once"


def test_t0_92_withdrawals_set_aside_are_the_first_thing_that_is_shown(hub: Acme) -> None:
    wrong = Withdrawal("w-1", STAGE, None, MODEL, 2, "It is wrong.", moment(hub.app.hub.now()))
    hub.change_members(lambda members: replace(members, withdrawn=(wrong,)))
    draft = drafted(hub, hub.asked(despite=["w-1"]))
    first, *more = examined(hub, draft).words
    assert first.startswith("SETS ASIDE the withdrawal w-1")
    assert f"“It is wrong.” ({wrong.digest})" in first
    assert not any("IS WITHDRAWN" in line for line in more)
    barred = examined(hub, drafted(hub, hub.asked(reason="Another."))).words
    assert any("IS WITHDRAWN: w-1" in line for line in barred)


def test_t0_93_a_label_decides_nothing(hub: Acme) -> None:
    """Two labels are exchanged before anything is drafted: version and sha256 are what is read."""
    for number in (1, 2):
        hub.request(number)
    second = request_of(hub, 2)
    exchanged(hub)
    found = examined(hub, drafted(hub, 1))
    first, asked, which, *_ = found.words
    assert first.startswith(f"LOOK AT THIS FIRST, of {version(2).path(TARGET)}")
    assert asked.startswith(f"{MODEL}/2 to {STAGE}, asked for by dora")
    assert which == f"request {second}"
    hub.app.submit(
        sign(found.draft, found.ask, [hub.signer("carla")], hub.app.hub.now()), at_hub=False
    )
    assert hub.standing(1).promotion.request.sha256 == second
    assert hub.standing(1).tally.people == ("carla",)
    assert hub.standing(2).tally.people == ()


def test_t0_113_a_request_300_days_old_is_approved_by_nobody(hub: Acme) -> None:
    """The hub says that the draft is of today; the request says when it was made."""
    hub.later(days=-300)
    number = hub.request()
    young = drafted(hub, number)
    hub.later(days=0)
    with pytest.raises(NotCountedError, match="300 days after its request"):
        drafted(hub, number)
    forged = replace(young, made=moment(hub.app.hub.now()))
    with pytest.raises(NotCountedError, match="300 days after its request"):
        examined(hub, forged)


def test_t0_94_an_approver_reads_all_that_the_hub_shows(hub: Acme) -> None:
    number = hub.request()
    words = "\n".join(examined(hub, drafted(hub, number)).words)
    standing = hub.standing(number)
    for one in standing.vouched:
        assert f"{one.artifact.path}  {one.artifact.sha256}" in words
        for evidence in one.evidence:
            said = evidence.predicate
            assert f"{said.kind}: {said.verdict}, on “{said.machine}”, {said.made}" in words
            assert f"signed by {standing.machines[evidence.sha256]} ({evidence.sha256})" in words
            assert all(f"{mark(c)}  {c.name}: “{c.words}”" in words for c in said.checks)
            assert all(f"“{name}” “{which}”" in words for name, which in said.tools.items())
    with hub.app.hub.reading() as connection:
        assert f"on the goldens “{Catalog(connection).goldens(version(1))}”" in words
    asked = standing.promotion.request
    assert f"request {asked.sha256}" in words
    assert f"the hub's log: {asked.predicate.log.size} entries" in words


# ---------------------------------------------------------------------- what the rows say


def evidence_swapped(acme: Acme) -> None:
    """Two pieces of evidence, each under the other's digest."""
    with acme.behind() as connection:
        catalog, t = Catalog(connection), tables.statement
        one, other, *_ = catalog.evidence(version(1).path(TARGET))
        for at, body in ((one, other), (other, one)):
            changed = update(t).where(t.c.sha256 == at.sha256).values(body=body.envelope.data)
            connection.execute(changed)


def evidence_forged(acme: Acme) -> None:
    """Evidence that says otherwise, under the signature that a machine of ours made."""
    with acme.behind() as connection:
        genuine, *_ = Catalog(connection).evidence(version(1).path(TARGET))
        said = replace(genuine.predicate, made="2099-01-01T00:00:00.000000Z")
        made = statements.sign(said, genuine.subjects, acme.app.hub.online.signer("builder"))
        forged = made.replace(signature_of(made), signature_of(genuine.envelope.data))
        recording.add_evidence(connection, forged, version(1).path(TARGET))


def signature_of(envelope: bytes) -> bytes:
    return envelope.partition(b'"sig":"')[2].partition(b'"')[0]


@pytest.mark.parametrize("attack", [evidence_swapped, evidence_forged, stored.evidence_moved])
def test_t0_16_tampered_evidence_is_signed_by_nobody(
    hub: Acme, attack: Callable[[Acme], None]
) -> None:
    number = hub.request()
    no_triggers(hub)
    attack(hub)
    for action in (hub.asked, lambda: hub.approve(number, "carla")):
        with pytest.raises(RefusedError):
            action()


def forged_approval(acme: Acme, number: int, name: str) -> None:
    """An approval by emil that `name` signed, in the database."""
    request = acme.standing(number).promotion.request
    draft = sign(
        drafted(acme, number),
        ask_of(drafted(acme, number)),
        [acme.signer("carla")],
        acme.app.hub.now(),
    )
    genuine = statements.read(Approval, drafts.to_envelope(draft.parts[0]), what="it").predicate
    said = replace(genuine, person="emil")
    body = statements.sign(said, request.subjects, acme.signer(name))
    with acme.behind() as connection:
        recording.add_approval(connection, number, statements.read(Approval, body, what="it"))


def test_t0_18_an_approval_that_nobody_signed_is_no_approval(hub: Acme) -> None:
    number = hub.request()
    hub.approve(number, "carla")
    hub.new_key("mallory")
    forged_approval(hub, number, "mallory")
    with hub.behind() as connection:
        recording.add_listing(connection, version(1).path(TARGET), STAGE, number, "now")
    standing = hub.standing(number)
    assert (standing.tally.people, standing.listed) == (("carla",), False)
    told = examined(hub, drafted(hub, number), "emil").words
    assert "1 of the 2 approvals that it needs count." in told
    assert any(line.startswith("an approval does not count: “the approval") for line in told)
    data = status_data(standing)
    assert (data["have"], data["listed"]) == (1, False)


# ---------------------------------------------------------------------- objections


def test_t0_95_an_objection_is_shown_to_every_later_approver(hub: Acme, capsys: Capsys) -> None:
    number = hub.request()
    standing = hub.objects(number, "carla", "It fails at night.")
    (objection,) = standing.objections
    words = f"OBJECTED to by carla on {objection.predicate.made}: “It fails at night.”"
    assert words in examined(hub, drafted(hub, number), "emil").words
    cli = Cli(hub, capsys)
    assert "OBJECTED to by carla" in cli.says("show", "P-1")
    assert cli.json("show", "P-1")["objections"][0]["sha256"] == objection.sha256
    _, _, shown = cli("approve", "P-1", *SAYING, "--yes", "--at-hub", "--key", cli.key("emil"))
    assert "OBJECTED to by carla" in shown
    assert hub.standing(number).tally.people == ("emil",), "it bars nothing"
    assert hub.types()[-2:] == ["promotion.objected", "promotion.approved"]
    before = hub.rows()
    hub.objects(number, "carla", "It fails at night.")
    assert hub.rows() == before, "the same again adds nothing"
    assert cli("audit", "fsck")[0] == 0


def test_t0_96_an_objection_of_nobody_is_told_as_such(hub: Acme) -> None:
    number = hub.request()
    request = hub.standing(number).promotion.request
    hub.new_key("mallory")
    said = Objection(
        format=1,
        requires=(),
        organisation=request.predicate.organisation,
        team="vision",
        request=request.sha256,
        person="carla",
        reason="Mallory says so.",
        made=moment(hub.app.hub.now()),
    )
    body = statements.sign(said, request.subjects, hub.signer("mallory"))
    with hub.behind() as connection:
        invented = statements.read(Objection, body, what="it")
        recording.add_objection(connection, number, invented)
    words = "\n".join(examined(hub, drafted(hub, number)).words)
    assert "an objection is by nobody who may approve" in words
    assert "Mallory says so" not in words + "\n".join(status_lines(hub.standing(number)))
    assert not hub.standing(number).objections


def test_only_who_may_approve_objects(hub: Acme) -> None:
    number = hub.request()
    for name, code in (("dora", "not-entitled"), ("anna", "key-unknown")):
        with pytest.raises(RefusedError) as refused:
            hub.objects(number, name)
        assert refused.value.code == code


# ---------------------------------------------------------------------- from draft to submission


def test_t0_23_cut_between_signing_and_submitting_an_approval_is_signed_once(
    hub: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.request()
    cli = Cli(hub, capsys)
    line = ("approve", "P-1", *SAYING, "--yes", "--at-hub", "--key", cli.key("carla"))
    signed: list[Draft] = []
    submit = App.submit

    def cut(_self: App, draft: Draft, **_: Loose) -> None:
        signed.append(draft)
        raise KeyboardInterrupt

    monkeypatch.setattr(App, "submit", cut)
    assert cli(*line)[0] == 130
    monkeypatch.setattr(App, "submit", submit)
    assert cli(*line)[0] == 0
    (made,) = hub.rows()["approval"]
    assert (
        made[0]
        == statements.read(Approval, drafts.to_envelope(signed[0].parts[0]), what="it").sha256
    )
    before = hub.rows()
    assert cli(*line)[0] == 0
    assert not hub.app.submit(signed[0], at_hub=False).new
    assert hub.rows() == before


def test_a_request_and_an_approval_go_by_files_from_desk_to_desk(
    hub: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub opens no key: it drafts, and whoever it speaks for signs where their key is."""
    cli = Cli(hub, capsys)
    monkeypatch.chdir(hub.folder)
    begins = ("promote", f"{MODEL}/1", "--to", STAGE, "--reason", "It's better")
    assert [at_desk(cli, "dora", *begins)["promotion"]] == ["P-000001"]
    for person in ("carla", "emil"):
        at_desk(cli, person, "approve", "P-1", *SAYING, "--days", "30")
    assert hub.standing(1).listed
    at_desk(cli, "carla", "object", "P-1", "--reason", "Too late, but still")
    entries = cli.json("audit", "list", "--term", "promotion=P-000001")["entries"]
    assert [one["data"]["at_hub"] for one in entries] == [False] * 4
    assert all(one["data"]["keyid"] and one["data"]["sha256"] for one in entries)
    with hub.app.hub.reading() as connection:
        (approval, _) = Catalog(connection).approvals(1)
    said = approval.predicate
    assert said.valid_until[:10] == moment(hub.app.hub.now() + timedelta(days=30))[:10]


def at_desk(cli: Cli, person: str, *line: str) -> Loose:
    """A command of the hub, signed as it says and submitted; what the hub answers."""
    made = cli.json(*line, "--draft", f"{person}.draft")
    words = shlex.split(made["sign"].replace("--key FILE", f"--key {cli.key(person)}"))
    assert words[0] == "sealift-sign"
    Path("secret").write_text(f"{PASSPHRASE}\n")
    out = f"{person}-{len(list(Path().glob('*.signed')))}.signed"
    assert sealift_sign([*words[1:], "--passphrase-file", "secret", "--yes", "--out", out]) == 0
    Path(f"{person}.draft").unlink()
    (told,) = cli.json("submit", out)["submitted"]
    assert told["new"]
    (again,) = cli.json("submit", out)["submitted"]
    assert not again["new"]
    return told


def test_a_draft_that_nobody_signed_is_not_submitted(hub: Acme) -> None:
    with pytest.raises(RefusedError) as refused:
        hub.app.submit(drafted(hub, hub.request()), at_hub=False)
    assert refused.value.code == "not-signed"
