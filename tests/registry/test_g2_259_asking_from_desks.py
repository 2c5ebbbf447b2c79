"""At a desk, long work is asked of the server: it is a job there, waited for or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.jobs import records
from sealift_registry.storage.named_places import SourceSettings
from tests.registry.at_servers import AtServer, at_server
from tests.registry.hub_fixture import MODEL, TEAM, Acme
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
        "  Watch:  sealift job watch J-000001",
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
    assert paula.refused(*given, "--goldens", "g.npz") == "hub-needed"
    assert at.desk("vera", Grant("viewer")).refused(*given, "--detach") == "forbidden"
    code, _, err = Cli(at.acme, capsys)(*given, "--detach")
    assert (code, "There is no source lab" in err) == (3, True), "its settings.toml names none"
    with (at.acme.root / "settings.toml").open("a") as settings:
        settings.write(
            '[sources.lab]\nkind = "mlflow"\norigin = "https://lab.example"\nteams = "*"\n'
        )
    told = Cli(at.acme, capsys).json(*given, "--detach")
    assert [one["new"] for one in told["jobs"]] == [False]
