"""Several files at once: each is taken in or refused by itself, and told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealift_registry.trust import hub_drafts, teams
from sealift_registry.trust.hub_drafts import Wanted
from sealift_signing import drafts
from sealift_signing.drafts import Draft
from sealift_signing.errors import FailedError
from tests.registry.hub_fixture import MODEL, STAGE, TEAM, Acme, version
from tests.registry.signing_people import sign
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_signed_deliveries import asks, enrolment


def written(acme: Acme, name: str, made: Draft) -> Path:
    path = acme.folder / f"{name}.signed"
    path.write_bytes(drafts.write(made))
    return path


def carried_out(acme: Acme, wanted: Wanted, *signers: str) -> Draft:
    hub = acme.app.hub
    with hub.reading() as connection:
        made = hub_drafts.draft(hub, connection, wanted)
    return sign(made, wanted.ask, [acme.signer(one) for one in signers], hub.now())


def enrolments(acme: Acme) -> list[Path]:
    """Two, drafted of one state: each makes a version of `fleet` that follows the same."""
    files = []
    for name in ("plant-8", "plant-9"):
        made, ask = enrolment(acme, asks(acme, name))
        signed = sign(made, ask, [acme.signer("fleet-1")], acme.app.hub.now())
        files.append(written(acme, f"enroll-{name}", signed))
    return files


def test_what_was_taken_in_is_told_though_another_is_refused(acme: Acme, capsys: Capsys) -> None:
    files, cli = enrolments(acme), Cli(acme, capsys)
    code, out, err = cli("submit", *files)
    assert code == 1
    assert "Site plant-8 is enrolled" in out
    assert "  answer  " in out
    assert "plant-9" not in out
    assert "Refused: " in err
    assert "1 taken in, 1 refused." in err
    code, out, err = cli("submit", *files)  # again: the first is there, and told again
    assert (code, "Site plant-8 is enrolled" in out) == (1, True)


def test_machines_are_told_all_of_it(acme: Acme, capsys: Capsys) -> None:
    code, out, err = Cli(acme, capsys)("submit", *enrolments(acme), "--json")
    said = json.loads(out)
    assert (code, [one["site"] for one in said["submitted"]]) == (1, ["plant-8"])
    assert len(said["refused"]) == 1
    assert json.loads(err)["error"]["code"] == "partly-refused"


def test_a_glob_has_no_order(hub: Acme, capsys: Capsys) -> None:
    """An approval comes before its request, and what belongs to neither is refused by itself."""
    with hub.app.hub.reading() as connection:
        asked = hub.app.promotions.request_wanted(connection, version(1), STAGE, "It is better.")
    hub.new_key("gina")
    request = carried_out(hub, asked, "dora")
    people = carried_out(hub, teams.requester(TEAM, hub.card("gina")), "anna", "ben")
    number = hub.request()  # of the same, so that it can be approved before it is submitted
    with hub.app.hub.reading() as connection:
        wanted = hub.app.promotions.approval_wanted(connection, number, "validated", "Tested.")
    approval = carried_out(hub, wanted, "carla")
    files = [
        written(hub, "a-approval", approval),
        written(hub, "b-request", request),
        written(hub, "c-people", people),
    ]
    (hub.folder / "d.signed").write_text("nothing of ours")
    cli = Cli(hub, capsys)
    code, out, err = cli("submit", *files, hub.folder / "d.signed")
    assert code == 1
    assert "3 taken in, 1 refused." in err
    assert "d.signed" in err
    assert f"{MODEL}/1 to {STAGE}" in out
    assert "team.vision is now version" in out


def test_the_last_comes_first(hub: Acme, capsys: Capsys) -> None:
    """Two versions of one list, the later one given first: both are published."""
    for name in ("gina", "hans"):
        hub.new_key(name)
    first = carried_out(hub, teams.requester(TEAM, hub.card("gina")), "anna", "ben")
    hub.app.submit(first, at_hub=False)
    second = carried_out(hub, teams.requester(TEAM, hub.card("hans")), "anna", "ben")
    later, earlier = written(hub, "a", second), written(hub, "b", first)
    out = Cli(hub, capsys).says("submit", later, earlier)
    assert out.count("team.vision") == 2


def test_one_file_alone_ends_as_it_always_did(acme: Acme, capsys: Capsys) -> None:
    file = acme.folder / "x.signed"
    file.write_text("nothing of ours")
    code, out, err = Cli(acme, capsys)("submit", file)
    assert (code, out, "taken in" in err) == (1, "", False)


def test_once_the_machine_fails_the_rest_is_not_tried(
    acme: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise FailedError("disk-full", "The disk is full.", next_step="Make room.")

    files, cli = enrolments(acme), Cli(acme, capsys)
    monkeypatch.setattr("sealift_registry.app.App.submit", broken)
    code, out, err = cli("submit", *files)
    assert (code, out) == (4, "")
    assert "The disk is full." in err


def test_f2_445_a_log_file_names_what_was_submitted(
    acme: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, files = acme.folder / "operations.jsonl", enrolments(acme)
    monkeypatch.setenv("SEALIFT_LOG", str(file))
    Cli(acme, capsys)("submit", *files)
    found = [json.loads(line) for line in file.read_text().splitlines()]
    (told,) = [one["fields"] for one in found if one["event"] == "submitted"]
    assert told == {"new": True, "site": "plant-8"}
