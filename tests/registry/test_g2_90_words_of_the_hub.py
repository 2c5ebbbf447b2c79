"""`sealift comment`, `policy` and `settings`: at the hub, at a desk, and to whom what is told."""

from __future__ import annotations

from typing import Any

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.storage.named_places import ExportSettings
from tests.registry.access_served import at_server, code_of, person
from tests.registry.hub_fixture import REQUESTER, Acme
from tests.registry.test_g2_190_writing import entries
from tests.registry.test_hub_cli import Capsys, Cli


@pytest.fixture
def asked(hub: Acme) -> Acme:
    hub.request()
    return hub


def test_g2_90_a_comment_at_the_hub_is_logged_and_shown(asked: Acme, capsys: Capsys) -> None:
    cli = Cli(asked, capsys)
    said = cli.json("comment", "P-1", "Please look at the night rows.")
    (one,) = [one for one in entries(asked) if one.type == "promotion.commented"]
    assert said["promotion"] == "P-000001"
    assert one.data["text"] == "Please look at the night rows."
    assert "Please look at the night rows." in cli.says("show", "P-000001")


@pytest.mark.parametrize(
    "promotion,text,code,word",
    [
        ("P-9", "x", 3, "no promotion"),
        ("P-1", "", 2, "A comment is a text"),
        ("P-1", "bell\x07", 2, "A comment is a text"),
        ("Q", "x", 2, ""),
    ],
)
def test_g2_90_what_is_no_comment_leaves_nothing(
    asked: Acme, capsys: Capsys, promotion: str, text: str, code: int, word: str
) -> None:
    ended, _, err = Cli(asked, capsys)("comment", promotion, text)
    assert (ended, word in err) == (code, True), err
    assert "promotion.commented" not in asked.types()


def shown(acme: Acme, *grants: Grant) -> Any:  # noqa: ANN401 - JSON
    """The settings, as somebody reads them."""
    exports = {"gate": ExportSettings("/media/gate", "*")}
    vars(acme.app.hub.home.settings)["exports"] = exports
    vars(acme.app.hub.home.settings.database)["url"] = "postgresql://hub@db.inside/hub"
    with at_server(acme) as site:
        desk = site.desk(person(acme, "vera", *grants))
        return site.ask("GET", "/settings", desk)


def test_g2_91_where_things_are_is_told_to_administrators_alone(acme: Acme) -> None:
    told = shown(acme, Grant("administrator")).json()["settings"]
    assert told["exports.gate"] == {"folder": "/media/gate", "sites": "*"}
    assert told["database"]["url"].endswith("@db.inside/hub")


def test_g2_91_an_auditor_reads_how_the_hub_is_set_and_no_place(acme: Acme) -> None:
    answer = shown(acme, Grant("auditor"))
    told = answer.json()["settings"]
    assert told["exports.gate"] == {"folder": "***", "sites": "*"}
    assert told["delivery"]["freshness_days"] == 30
    assert "db.inside" not in answer.text
    assert "/media" not in answer.text


def test_g2_91_nobody_else_reads_settings(acme: Acme) -> None:
    assert code_of(shown(acme, Grant("operator"), Grant("viewer")), 403) == "forbidden"


def test_g2_92_the_policy_is_shown_as_it_was_signed(acme: Acme, capsys: Capsys) -> None:
    cli = Cli(acme, capsys)
    assert "production" in cli.says("policy", "show")
    assert cli.json("policy", "show")["policy"]["stages"]
    assert REQUESTER


def test_g2_92_settings_at_the_hub_are_those_of_the_file(acme: Acme, capsys: Capsys) -> None:
    cli = Cli(acme, capsys)
    assert cli.json("settings")["settings"]["organisation"]["name"] == "Acme"
    assert "server.port = 8700" in cli.says("settings")
