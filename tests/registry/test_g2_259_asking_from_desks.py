"""At a desk, long work is asked of the server: it is a job there, waited for or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.client import sending
from sealift_registry.jobs import records
from sealift_registry.jobs.job import parse_job
from sealift_registry.storage.named_places import SourceSettings
from tests import models
from tests.registry.at_servers import AtServer, at_server
from tests.registry.http_answers import Asked
from tests.registry.hub_fixture import MODEL, TEAM, Acme
from tests.registry.test_g2_260_asking_for_models import done
from tests.registry.test_hub_cli import Capsys, Cli

pytestmark = pytest.mark.socket
PUBLISHER = Grant("publisher", team=TEAM)


@pytest.fixture
def at(hub: Acme) -> Iterator[AtServer]:
    lab = SourceSettings("mlflow", "https://lab.example", "digits", teams=TEAM)
    vars(hub.app.hub.home.settings)["sources"] = {"lab": lab}
    with at_server(hub) as made:
        yield made


def test_g2_259_variants_are_asked_for_and_not_waited_for(at: AtServer) -> None:
    paula = at.desk("paula", PUBLISHER)
    targets = ("--for", "cpu-x86_64", "--for", "cpu-aarch64")
    said = paula("convert", f"{MODEL}/2", *targets, "--detach", "--priority", "2")
    assert [(one["queue"], one["priority"], one["new"]) for one in said["jobs"]] == [
        ("cpu-x86_64", 2, True),
        ("cpu-aarch64", 2, True),
    ]
    again = paula.types("convert", f"{MODEL}/2", *targets, "--detach").out
    assert again.splitlines()[:3] == [
        "The same was asked for, and it has not ended:",
        "J-000001 waits in queue cpu-x86_64.",
        f"  Watch:  sealift job watch --server {at.address} J-000001",
    ]
    assert paula.refused("convert", f"{MODEL}/2", *targets) == "one-is-waited-for"
    assert paula.refused("convert", f"{MODEL}/9", "--for", "cpu-x86_64", "--detach") == "no-version"


def test_g2_259_what_is_waited_for_ends_as_the_job_did(at: AtServer) -> None:
    paula, hub = at.desk("paula", PUBLISHER), at.acme.app.hub
    asked = ("convert", f"{MODEL}/2", "--for", "cpu-x86_64")
    paula(*asked, "--detach")
    records.finish(hub, 1, "cancelled", attempt=None, by="root")
    with pytest.MonkeyPatch.context() as patch:
        from sealift_registry.cli import remote_jobs

        watched: list[str] = []
        patch.setattr(remote_jobs, "watch", lambda _session, name: watched.append(name))
        assert paula.types(*asked).code == 0
    assert watched == ["J-000002"]
    assert paula.refused("job", "watch", "J-000001") == "job-ended"


def test_g2_259_a_version_of_a_named_source(at: AtServer, capsys: Capsys) -> None:
    paula = at.desk("paula", PUBLISHER)
    given = ("ingest", "named", "lab", "models:/digits@champion", "--as", f"{TEAM}/digits")
    said = paula(*given, "--detach")
    assert [one["kind"] for one in said["jobs"]] == ["ingest"]
    other = ("ingest", "named", "lab", "models:/other/1", "--as", f"{TEAM}/digits", "--detach")
    assert paula.refused(*other) == "source-root"
    assert paula.refused(*given, "--goldens", "g.npz") == "source-not-found"
    assert at.desk("vera", Grant("viewer")).refused(*given, "--detach") == "forbidden"
    code, _, err = Cli(at.acme, capsys)(*given, "--detach")
    assert (code, "There is no source lab" in err) == (3, True), "its settings.toml names none"
    with (at.acme.root / "settings.toml").open("a") as settings:
        settings.write(
            '[sources.lab]\nkind = "mlflow"\norigin = "https://lab.example"\nteams = "*"\n'
        )
    told = Cli(at.acme, capsys).json(*given, "--detach")
    assert [one["new"] for one in told["jobs"]] == [False]


def test_g2_259_a_file_is_sent_and_taken_in(at: AtServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "PIECE", 100)
    paula, acme = at.desk("paula", PUBLISHER), at.acme
    model, goldens = models.tiny_onnx(acme.folder / "five.onnx", 5), acme.goldens(5)
    given = ("ingest", "onnx", str(model), "--as", f"{TEAM}/five", "--goldens", str(goldens))
    cut: list[int] = []

    def loses_a_piece(asked: Asked, said: dict[str, Any]) -> dict[str, Any]:
        """Once it is told that less is there, as to one whose answer was cut off."""
        if asked.method == "PATCH" and not cut:
            cut.append(said["offset"])
            return {**said, "offset": 0}
        return said

    at.alters = loses_a_piece
    said = paula(*given, "--detach")
    job = said["jobs"][0]["job"]
    assert cut == [100]
    assert any(one.method == "GET" for one in at.asked), "it asked how far it is"
    assert [one.method for one in at.asked].count("PATCH") > 2, "in pieces"
    with acme.app.hub.reading() as connection:
        order = records.asked(connection, parse_job(job))
    assert done(acme, order)["version"] == f"{TEAM}/five/1"
    assert paula.refused("ingest", "onnx", str(acme.folder), "--as", MODEL) == "upload-folder"
    assert paula.refused("ingest", "onnx", "none.onnx", "--as", MODEL) == "source-not-found"


def test_g2_259_a_server_that_never_gets_on_is_left(at: AtServer) -> None:
    def stuck(asked: Asked, said: dict[str, Any]) -> dict[str, Any]:
        return {**said, "offset": 7, "complete": False} if "upload" in said else said

    paula = at.desk("paula", PUBLISHER)
    model = models.tiny_onnx(at.acme.folder / "five.onnx", 5)
    for wrong in (stuck, lambda _asked, said: {**said, "offset": 2**60, "complete": False}):
        at.alters = wrong
        assert paula.refused("ingest", "onnx", str(model), "--as", MODEL) == "server-answer"
    at.alters = lambda _asked, said: {**said, "upload": "../../me"}
    assert paula.refused("ingest", "onnx", str(model), "--as", MODEL) == "server-answer"
