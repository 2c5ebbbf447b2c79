"""Somebody takes their invitation at their desk, and changes their password there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pyotp
import pytest

from sealift_registry.access import accounts, granting, throttling
from sealift_registry.access.calling import Grant
from sealift_registry.cli.terminal import Terminal
from tests.registry.access_served import PASSWORD, goes_by, person
from tests.registry.accounts_fixture import invited, stands
from tests.registry.at_servers import AtServer, Desk, at_server
from tests.registry.http_answers import Asked
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.test_hub_cli import Capsys, Cli

NEW = "another horse, of which nobody heard"

pytestmark = pytest.mark.socket


@pytest.fixture
def at(acme: Acme) -> Iterator[AtServer]:
    with at_server(acme) as found:
        yield found


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Have somebody sit there who types these, one after the other; what they were asked."""

    def sits(*typed: str | Callable[[], str]) -> list[str]:
        left, asked = list(typed), []
        begun = Terminal.__init__

        def begins(self: Terminal, *, as_json: bool) -> None:
            begun(self, as_json=as_json)
            self.interactive = True

        def prompt(what: str, **given: object) -> str:
            assert given["hide_input"]
            assert given["err"]
            asked.append(what)
            one = left.pop(0)
            return one if isinstance(one, str) else one()

        monkeypatch.setattr(Terminal, "__init__", begins)
        monkeypatch.setattr(click, "prompt", prompt)
        return asked

    return sits


def desk(at: AtServer, name: str) -> Desk:
    """Of somebody who is not signed in."""
    made = Desk(at, name, at.acme.folder / "desks" / name)
    made.folder.mkdir(parents=True, exist_ok=True)
    return made


def test_g2_217_somebody_takes_their_invitation_at_their_desk(
    at: AtServer, somebody: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = invited(at.acme, "vera", Grant("viewer"))
    vera, seeds = desk(at, "vera"), []
    real = pyotp.random_base32

    def seed(length: int) -> str:
        seeds.append(real(length))
        return seeds[-1]

    monkeypatch.setattr(pyotp, "random_base32", seed)

    def code() -> str:
        return pyotp.TOTP(seeds[-1]).at(at.acme.app.hub.now())

    asked = somebody(
        told.secret,
        *("a" * 12, "a" * 12, code),
        *(PASSWORD, "a slip", PASSWORD, PASSWORD, "000000"),
        *(PASSWORD, PASSWORD, code),
    )
    said = vera.types("account", "take")
    assert said.code == 0, said.err
    assert seeds[-1] in said.err
    assert "otpauth://totp/" in said.err
    assert any(
        "otpauth://" in one and "issuer=Sealift%20" in one for one in said.err.splitlines()
    ), "on one line"
    assert "A password has 12 to 1024 characters" in said.err
    assert "two different ones" in said.err
    assert len(asked) == 12
    assert f"sealift login vera --server {at.address}" in said.out
    assert stands(at.acme, "vera").words == "open"
    for one in (told.secret, PASSWORD, seeds[-1]):
        assert one not in said.out
    somebody(told.secret)
    assert vera.refused("account", "take") == "no-invitation"
    goes_by(at.acme, minutes=2)
    somebody(PASSWORD, code)
    assert vera("login", "vera")["name"] == "vera"


def test_g2_217_where_the_answer_was_cut_off_signing_in_is_tried(
    at: AtServer, somebody: Callable[..., list[str]]
) -> None:
    told = invited(at.acme, "vera")
    somebody(told.secret, PASSWORD, PASSWORD, lambda: _taken(at.acme))
    said = desk(at, "vera").types("account", "take", "--json")
    error = json.loads(said.err.splitlines()[-1])["error"]
    assert error["code"] == "no-invitation"
    assert "try to sign in" in error["next"]


def _taken(acme: Acme) -> str:
    from sealift_registry.access import accounts

    accounts.recover(acme.app.hub, "vera", "root")  # so that the one at hand is none any more
    return "000000"


def test_g2_220_somebody_changes_their_password_at_their_desk(
    at: AtServer, somebody: Callable[..., list[str]], tmp_path: Path
) -> None:
    del tmp_path
    who = person(at.acme, "vera")
    vera, other = desk(at, "vera"), desk(at, "vera-elsewhere")
    for one in (vera, other):
        somebody(PASSWORD, who.says()["code"])
        one("login", "vera")
    goes_by(at.acme, minutes=1)
    somebody("wrong", NEW, NEW, lambda: who.says()["code"])
    assert vera.refused("account", "password") == "wrong-password"
    somebody(PASSWORD, NEW, NEW, lambda: who.says()["code"])
    said = vera.types("account", "password")
    assert said.code == 0, said.err
    assert "With that 1 other session ended." in said.out
    assert vera("whoami")["account"] == "vera"
    assert other.refused("whoami") == "signed-out"
    somebody(NEW, lambda: who.says()["code"])
    assert other("login", "vera")["name"] == "vera"


def test_g2_223_an_administrator_sees_to_accounts_from_a_desk(at: AtServer, capsys: Capsys) -> None:
    cli, root = Cli(at.acme, capsys), at.desk("root", Grant("administrator"))

    def same(*words: str) -> None:
        """A desk is told what the hub tells."""
        kept = json.loads(cli(*words, "--json")[1])
        assert root(*words) == kept
        assert root.types(*words).out == cli(*words)[1]

    told = root.types("account", "invite", "vera", "--role", f"viewer:team={TEAM}")
    assert told.code == 0, told.err
    assert "sli_" in told.out
    assert f"sealift account take --server {at.address}" in told.out
    assert stands(at.acme, "vera").invited_by == "root"
    program = root("account", "invite", "ci", "--service")
    assert program["secret"] is None
    same("account", "list")
    same("account", "show", "vera")
    assert root("account", "grant", "vera", "auditor")["new"]
    assert not root("account", "grant", "vera", "auditor")["new"]
    assert root("account", "revoke", "vera", f"viewer:team={TEAM}")["new"]
    assert [str(one) for one in stands(at.acme, "vera").grants.values()] == ["auditor"]
    assert root.refused("account", "grant", "root", "viewer") == "own-right"
    token = json.loads(cli("account", "token", "ci", "--scope", "me.read", "--json")[1])["token"]
    assert root("account", "revoke-token", "ci", token)["token"] == token
    again = root("account", "recover", "vera")
    assert again["secret"].startswith("sli_")
    assert root("account", "disable", "vera")["new"]
    assert root.types("account", "disable", "vera").out == (
        "The account vera is disabled already.\n"
    )
    assert root.refused("account", "show", "nobody") == "no-account"
    assert at.desk("ben").refused("account", "list") == "forbidden"


def test_g2_219_a_token_of_ones_own_is_made_at_a_desk(at: AtServer) -> None:
    person(at.acme, "vera", Grant("viewer"))
    person(at.acme, "ben")
    vera = at.desk("vera")
    said = vera.types("account", "token", "vera", "--scope", "me.read", "--note", "a notebook")
    assert said.code == 0, said.err
    assert "slt_" in said.out
    made = vera("account", "token", "vera", "--scope", "version.read", "--days", "3")
    assert made["scopes"] == ["version.read"]
    assert vera.refused("account", "token", "ben", "--scope", "me.read") == "forbidden"
    assert vera("account", "revoke-token", "vera", made["token"])["token"] == made["token"]
    assert vera.refused("account", "revoke-token", "ben", made["token"]) == "forbidden"
    assert vera.refused("account", "revoke-token", "vera", made["token"]) == "no-token"


def test_g2_283_an_administrator_makes_a_programs_at_their_desk(at: AtServer) -> None:
    accounts.invite(at.acme.app.hub, "ci", "service", [Grant("publisher")], "root")
    person(at.acme, "root", Grant("administrator"))
    person(at.acme, "ben")
    root = at.desk("root")
    made = root("account", "token", "ci", "--scope", "version.ingest", "--note", "nightly")
    assert made["secret"].startswith("slt_")
    assert made["account"] == "ci"
    assert [one["token"] for one in root("account", "show", "ci")["tokens"]] == [made["token"]]
    assert root.refused("account", "token", "ci", "--scope", "audit.read") == "scope-not-granted"
    assert root.refused("account", "token", "ben", "--scope", "me.read") == "own-token-alone"
    assert root("account", "revoke-token", "ci", made["token"])["token"] == made["token"]


def test_g2_219_what_a_server_answers_of_a_token_or_a_grant_is_read_strictly(
    at: AtServer,
) -> None:
    person(at.acme, "root", Grant("administrator"))
    root = at.desk("root")
    invited(at.acme, "vera")
    at.alters = lambda asked, said: said if asked.method == "GET" else {"new": "yes", "token": 1}
    assert root.refused("account", "token", "root", "--scope", "me.read") == "server-answer"
    assert root.refused("account", "grant", "vera", "auditor") == "server-answer"
    assert root.refused("account", "disable", "vera") == "server-answer"


def test_g2_224_another_administrator_was_faster(at: AtServer) -> None:
    root = at.desk("root", Grant("administrator"))
    invited(at.acme, "vera")

    def meanwhile(asked: Asked, said: dict[str, object]) -> dict[str, object]:
        if asked.method == "GET":
            granting.grant(at.acme.app.hub, "vera", Grant("viewer"), "another")
        return said

    at.alters = meanwhile
    assert root.refused("account", "grant", "vera", "auditor") == "changed-since"
    assert list(stands(at.acme, "vera").grants.values()) == [Grant("viewer")]


def test_g2_217_nobody_is_asked_where_nobody_sits(at: AtServer) -> None:
    vera = desk(at, "vera")
    assert vera.refused("account", "take") == "nobody-to-ask"
    assert vera.types("account", "take", "--json", server=False).error == "server-needed"
    assert vera.refused("account", "password") == "not-signed-in"
    assert not at.asked


def test_g2_320_a_desk_where_somebody_signed_in_is_not_kept_out_by_who_guesses(
    at: AtServer, somebody: Callable[..., list[str]]
) -> None:
    who = person(at.acme, "vera")
    vera, other = desk(at, "vera"), desk(at, "mallory")
    somebody(PASSWORD, who.says()["code"])
    vera("login", "vera")
    vera("logout")
    code = who.says()["code"]
    refused = []
    for _ in range(throttling.FREE + 2):
        somebody("a guess of no worth", "000000")
        refused.append(other.refused("login", "vera"))
    assert refused[-1] == "sign-in-throttled"
    (kept,) = vera.folder.rglob("*.device")
    assert kept.stat().st_mode & 0o777 == 0o600
    somebody(PASSWORD, code)
    assert vera("login", "vera")["name"] == "vera"
    kept.write_bytes(b"\xff" * 50)
    somebody(PASSWORD, lambda: who.says()["code"])
    assert vera("login", "vera")["name"] == "vera", "what is damaged is none"
