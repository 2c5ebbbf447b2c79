"""`sealift account`, as whoever runs the hub types it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sealift_registry.cli.run import run
from tests.registry.accounts_fixture import is_let_in, stands
from tests.registry.hub_fixture import TEAM, Acme

Capture = pytest.CaptureFixture[str]


def said(acme: Acme, capsys: Capture, *words: str) -> Any:  # noqa: ANN401 - JSON
    """What a command answers to machines; it ends well."""
    acme.close()
    capsys.readouterr()
    assert run(["account", *words, "--home", str(acme.root), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(acme: Acme, capsys: Capture, *words: str) -> str:
    acme.close()
    capsys.readouterr()
    assert run(["account", *words, "--home", str(acme.root), "--json"]) in {1, 2, 3}
    return str(json.loads(capsys.readouterr().err)["error"]["code"])


def test_g2_26_an_account_from_its_invitation_to_its_end(acme: Acme, capsys: Capture) -> None:
    role = f"viewer:team={TEAM}"
    told = said(acme, capsys, "invite", "anna", "--role", role, "--role", "operator")
    assert told["secret"].startswith("sli_")
    assert told["grants"] == ["operator", role]
    (listed,) = said(acme, capsys, "list")["accounts"]
    assert (listed["account"], listed["state"]) == ("anna", "invited")
    assert said(acme, capsys, "grant", "anna", "auditor")["new"]
    assert not said(acme, capsys, "grant", "anna", "auditor")["new"]
    assert said(acme, capsys, "revoke", "anna", "operator")["new"]
    assert not said(acme, capsys, "revoke", "anna", "operator")["new"]
    shown = said(acme, capsys, "show", "anna")
    assert shown["grants"] == ["auditor", role]
    assert told["secret"] not in json.dumps(shown), "it was told once"
    assert said(acme, capsys, "disable", "anna")["new"]
    assert stands(acme, "anna").words == "disabled"
    again = said(acme, capsys, "recover", "anna", "--hours", "1")
    assert again["secret"] not in {None, told["secret"]}
    assert stands(acme, "anna").words == "invited"


def test_g2_26_a_program_has_tokens_alone(acme: Acme, capsys: Capture) -> None:
    told = said(acme, capsys, "invite", "ci", "--service", "--role", f"publisher:team={TEAM}")
    assert told["secret"] is None
    made = said(acme, capsys, "token", "ci", "--scope", "version.ingest", "--note", "nightly")
    assert is_let_in(acme, made["secret"], "token")
    (one,) = said(acme, capsys, "show", "ci")["tokens"]
    assert (one["token"], one["note"], one["scopes"]) == (
        made["token"],
        "nightly",
        ["version.ingest"],
    )
    said(acme, capsys, "revoke-token", "ci", made["token"])
    assert not is_let_in(acme, made["secret"], "token")
    assert refused(acme, capsys, "revoke-token", "ci", made["token"]) == "no-token"


def test_g2_26_what_cannot_be_is_said_with_its_name(acme: Acme, capsys: Capture) -> None:
    assert refused(acme, capsys, "invite", "Anna") == "bad-account"
    assert refused(acme, capsys, "invite", "anna", "--role", "approver") == "bad-grant"
    assert refused(acme, capsys, "invite", "anna", "--role", "viewer:team=x") == "no-such-team"
    for act in ("show", "recover", "disable"):
        assert refused(acme, capsys, act, "anna") == "no-account"
    assert refused(acme, capsys, "grant", "anna", "viewer") == "no-account"
    assert refused(acme, capsys, "token", "anna", "--scope", "job.read") == "no-account"


def test_g2_26_people_read_what_it_is_and_what_to_do(acme: Acme, capsys: Capture) -> None:
    acme.close()
    for words in (
        ("list",),
        ("invite", "anna", "--role", f"viewer:team={TEAM}"),
        ("invite", "ci", "--service"),
        ("token", "ci", "--scope", "version.ingest"),
        ("list",),
        ("show", "ci"),
    ):
        assert run(["account", *words, "--home", str(acme.root)]) == 0
    out = capsys.readouterr().out
    assert "There is no account yet. Invite somebody: sealift account invite NAME" in out
    assert "anna, a person's account: invited" in out
    assert f"viewer of team {TEAM}" in out
    assert out.count("sli_") == 1
    assert out.count("slt_") == 1
