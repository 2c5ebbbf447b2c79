"""What a command prints at a desk can be pasted there: it asks the same server."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from unittest import mock

import click
import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.cli.at_server import naming
from sealift_registry.cli.group import sealift
from tests.registry.at_servers import AtServer, at_server
from tests.registry.hub_fixture import MODEL, REQUESTER, STAGE, Acme

pytestmark = pytest.mark.socket
HUB = "https://hub.example"
CASES = {
    "Look: sealift show P-000001": "Look: sealift show --server https://hub.example P-000001",
    "  sealift job watch J-1": "  sealift job watch --server https://hub.example J-1",
    "sealift list": "sealift list --server https://hub.example",
    "sealift next, then sealift list": "sealift next --server https://hub.example, then sealift "
    "list --server https://hub.example",
    "sealift show x --server https://other.example": "",
    "sealift show x --home hub": "",
    "sealift audit fsck": "",
    "sealift gc --remove": "",
    "sealift-sign approve P-1": "",
    "sealift nothing here": "",
    "of sealift, and no command": "",
    "bin/sealift show x": "",
}
"""What is printed, and what becomes of it; empty where it stays as it is."""


@pytest.mark.parametrize("text", CASES)
def test_g2_77_what_can_be_asked_of_a_server_names_it(text: str) -> None:
    with click.Context(sealift):
        assert naming(text, HUB) == (CASES[text] or text)


@pytest.fixture
def at(hub: Acme) -> Iterator[AtServer]:
    with at_server(hub) as made:
        yield made


def test_g2_77_what_a_desk_is_told_to_do_next_works_as_it_is_pasted(at: AtServer) -> None:
    dora = at.desk(REQUESTER, Grant("viewer"), Grant("publisher"), bound=True)
    asked = dora.types("convert", f"{MODEL}/2", "--for", "cpu-aarch64", "--detach")
    assert asked.code == 0, asked.err
    line = next(one for one in asked.out.splitlines() if "sealift job watch" in one)
    words = shlex.split(line[line.index("sealift ") :])[1:]
    shown = dora.types("job", "show", *words[2:], server=False)
    assert shown.code == 0, shown.err
    request = ("promote", f"{MODEL}/1", "--to", STAGE, "--reason", "It is better.")
    told = dora.types(*request, "--yes", *dora.key)
    assert told.code == 0, told.err
    steps = [*_steps(dora.types("next").out), *_steps(told.out)]
    at_hub_alone = [one for one in steps if one.startswith("sealift worker")]
    assert len(steps) > len(at_hub_alone)
    for one in steps:
        if one in at_hub_alone:
            continue
        assert f"--server {at.address}" in one, one
        found = dora.types(*shlex.split(one)[1:], "--help", server=False)
        assert found.code == 0, found.err


def test_g2_77_so_does_what_an_error_says_to_do(at: AtServer) -> None:
    vera = at.desk("vera", Grant("viewer"))
    for line in (("show", "vision/none/1"), ("show", "P-000099")):
        step = vera.types(*line, "--json").json["error"]["next"]
        for one in _steps(step):
            assert f"--server {at.address}" in one, one


def test_g2_78_whoever_has_it_in_the_environment_needs_no_option(at: AtServer) -> None:
    vera = at.desk("vera", Grant("viewer"))
    with mock.patch.dict("os.environ", {"SEALIFT_SERVER": str(at.address)}):
        said = vera.types("next", server=False)
    assert said.code == 0, said.err
    assert "sealift " in said.out
    assert "--server" not in said.out


def _steps(said: str) -> list[str]:
    """The commands of a text, without what a sentence has behind them."""
    return [one.rstrip(".,") for one in re.findall(r"(?<![\w/.-])sealift [^\n]*", said)]
