"""What else people do at a desk: sites and builders, a terminal, a connection that ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.client import asking
from sealift_registry.client.hub import RemoteHub
from sealift_registry.delivery.sites import Sites
from sealift_signing.errors import FailedError
from sealift_sync.site.setup.initialising import begin_enrolment
from tests.registry.access_served import PASSWORD
from tests.registry.at_servers import AtServer, Desk, at_server
from tests.registry.hub_fixture import (
    GROUP,
    MODEL,
    REQUESTER,
    SITE,
    STAGE,
    TARGET,
    TEAM,
    Acme,
)
from tests.registry.test_g2_150_the_page_of_desks import took
from tests.registry.test_regression import compared
from tests.registry.test_regression_named import naming
from tests.site_on_paper import SiteOnPaper
from tests.terminals import on_a_terminal

pytestmark = pytest.mark.socket
TYPED = "import sys; from sealift_registry.cli.run import run; sys.exit(run(sys.argv[1:]))"


@pytest.fixture
def at(hub: Acme) -> Iterator[AtServer]:
    with at_server(hub) as made:
        yield made


def test_g2_151_a_site_is_enrolled_from_a_desk(at: AtServer, tmp_path: Path) -> None:
    plant = SiteOnPaper(tmp_path / "plant", datetime.now(UTC))
    asked = begin_enrolment(plant.root, {}, SITE, {GROUP: TARGET}, plant.clock)
    desk = at.desk("fleet-1", bound=True)
    (desk.folder / "site.request").write_bytes(asked)
    line = ["site", "enroll", "site.request", "--stage", STAGE]
    line += ["--dispatcher", desk.card("dispatcher-1"), "--yes", *desk.key]
    assert desk.refused(*line, "--answer", "site.answer") == "hub-needed"
    (told,) = desk(*line)["submitted"]
    assert (told["new"], told["site"]) == (True, SITE)
    with at.acme.app.hub.reading() as connection:
        enrolled = Sites(connection).get(SITE)
    assert SITE in desk.types("show", SITE).out
    answer = desk("site", "answer", SITE, "--out", "site.answer")
    assert (answer["words"], answer["enrolment"]) == (enrolled.words, enrolled.enrolment)
    assert (desk.folder / "site.answer").read_bytes() == enrolled.answer
    assert enrolled.words in desk.types("site", "answer", SITE, "--out", "site.answer").out
    (desk.folder / "other.answer").write_bytes(b"x")
    assert desk.refused("site", "answer", SITE, "--out", "other.answer") == "file-exists"


def test_g2_151_the_answer_to_another_site_is_not_carried(ready: Acme) -> None:
    with at_server(ready) as at:
        desk = at.desk("fleet-1", bound=True)
        with ready.app.hub.reading() as connection:
            data = Sites(connection).get(SITE).answer

        def another(_hub: RemoteHub, path: str) -> bytes:
            assert path == "/sites/plant-8/answer"
            return data

        with mock.patch.object(RemoteHub, "envelope", another):
            line = ["site", "answer", "plant-8", "--out", "x.answer"]
            assert desk.refused(*line) == "answer-of-another"
        stranger = at.desk("flora", Grant("viewer"), trusts=False)
        assert stranger.refused("site", "answer", SITE, "--out", "x.answer") == "not-trusted"
        assert not list(stranger.folder.glob("x.answer"))


def test_g2_151_a_builder_comes_and_goes(at: AtServer) -> None:
    for name in ("shop-2", "shop-2-scanner"):
        at.acme.new_key(name)
    desk = at.desk("fleet-1", bound=True)
    cards = [desk.card("shop-2"), desk.card("shop-2-scanner")]
    (told,) = desk("builder", "add", *cards, "--yes", *desk.key)["submitted"]
    assert told["new"]
    (told,) = desk("builder", "remove", "shop-2", "--yes", *desk.key)["submitted"]
    assert told["new"]


# ---------------------------------------------------------------------- on a terminal


def test_g2_152_what_is_secret_is_not_shown_where_it_is_typed(
    at: AtServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    vera = took(at.acme, "vera")
    desk = Desk(at, "vera", at.acme.folder / "vera")
    desk.folder.mkdir()
    code = vera.login(desk)[-1]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(desk.folder / "config"))
    said = on_a_terminal(
        *("-c", TYPED, "login", "vera", "--server", str(at.address)),
        typed=[("Password", PASSWORD), ("One-time code", code)],
    )
    assert f"You are signed in at {at.address} as vera" in " ".join(said.split())
    assert PASSWORD not in said
    assert code not in said


def test_g2_152_a_no_signs_nothing(at: AtServer, monkeypatch: pytest.MonkeyPatch) -> None:
    dora = at.desk(REQUESTER, bound=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(dora.folder / "config"))
    line = ["promote", f"{MODEL}/1", "--to", STAGE, "--reason", "It is better.", *dora.key]
    said = on_a_terminal(
        *("-c", TYPED, *line, "--server", str(at.address)), typed=[("[y/N]", "n")], columns=200
    )
    assert "You did not agree, so nothing was signed." in said
    assert not any(one.path.endswith("/submissions") for one in at.asked)
    said = on_a_terminal(
        *("-c", TYPED, *line, "--server", str(at.address)), typed=[("[y/N]", "y")], columns=200
    )
    assert "P-000001" in said
    question = said.index("[y/N]")
    assert said.index("It is better.") < question, "it is read before it is asked"


# ---------------------------------------------------------------------- what ends in the middle


def test_g2_153_what_was_signed_before_the_connection_ended_is_not_signed_again(
    at: AtServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command once more hands in the very bytes; a second content is never made."""
    monkeypatch.setattr(asking, "PAUSES", (0.0,))
    anna = at.desk("anna", bound=True)
    line = ["team", "requester", TEAM, anna.card("ben"), "--yes", *anna.keys("anna", "ben")]
    sent: list[bytes] = []
    submit = RemoteHub.submit

    def cut(_hub: RemoteHub, signed: bytes) -> None:
        sent.append(signed)
        raise FailedError("server-cut", "It ended.", next_step="Run the command again.")

    with monkeypatch.context() as patched:
        patched.setattr(RemoteHub, "submit", cut)
        assert anna.refused(*line) == "server-cut"

    def whole(hub: RemoteHub, signed: bytes) -> object:
        sent.append(signed)
        return submit(hub, signed)

    monkeypatch.setattr(RemoteHub, "submit", whole)
    (told,) = anna(*line)["submitted"]
    assert told["new"]
    assert sent[0] == sent[1]
    (told,) = anna(*line)["submitted"]
    assert not told["new"]


# ---------------------------------------------------------------------- what is told first


def test_g2_154_whoever_approves_is_told_what_the_hub_would_tell_them(at: AtServer) -> None:
    """That nothing was compared stands before all else, also at a desk."""
    at.acme.promoted(1)
    compared(at.acme, 2)
    naming(at.acme)
    emil = at.desk("emil", bound=True)
    line = ["approve", "P-000002", "--meaning", "validated", "--reason", "tested", "--yes"]
    said = emil.types(*line, *emil.key)
    assert said.code == 0, said.err
    first = said.out.splitlines()[0]
    assert first.startswith("The server says: ")
    assert "NOT COMPARED" in first
    assert "NOT COMPARED" in emil(*line, "--draft", "a.draft")["warnings"][0]


def test_g2_154_where_check_rows_would_go_is_told_before_it_is_signed(ready: Acme) -> None:
    with at_server(ready) as at:
        anna = at.desk("anna", bound=True)
        line = ["team", "check-rows", TEAM, "--travel", "--yes", *anna.keys("anna", "ben")]
        said = anna.types(*line)
        assert said.code == 0, said.err
        assert said.out.splitlines()[0] == (
            f"The server says: Sites that would get check rows of team {TEAM} with the next "
            f"export: {SITE}."
        )
