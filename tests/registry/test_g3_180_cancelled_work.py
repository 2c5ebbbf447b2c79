"""A job that is cancelled in the middle: its processes end, and what it had in hand can be used."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealift_registry.delivery.exports import DraftedBundle
from sealift_registry.jobs import folders
from tests.registry.hub_fixture import SITE, Acme, stage
from tests.registry.killed_worker import FOLDER, HELD
from tests.registry.real_workers import AtWork, Hosts, at_home, until
from tests.registry.test_g3_40_workers import is_there
from tests.registry.test_g3_127_killed_jobs import ask
from tests.registry.test_g3_170_killed_hosts import hosts
from tests.registry.test_g3_176_upgrades import said
from tests.registry.test_hub_cli import Capsys

__all__ = ["hosts"]

pytestmark = pytest.mark.socket
Begin = Callable[..., AtWork]


@pytest.fixture(params=["home", "servers"])
def play(request: pytest.FixtureRequest) -> Iterator[tuple[Acme, Begin]]:
    """A hub, and what begins a worker of it."""
    if request.param == "servers":
        there: Hosts = request.getfixturevalue("hosts")
        yield there.one, lambda **told: there.begin(there.one, **told)
        return
    acme: Acme = request.getfixturevalue("ready")
    begun: list[AtWork] = []

    def begin(**told: str) -> AtWork:
        begun.append(at_home(acme, **told))
        return begun[-1]

    yield acme, begin
    for one in begun:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize(
    "point",
    [
        "copy under way",
        *(
            pytest.param(one, marks=pytest.mark.long)
            for one in ("read back under way", "write made")
        ),
    ],
)
def test_g3_180_an_export_that_is_cancelled_leaves_the_medium_to_the_next(
    play: tuple[Acme, Begin], point: str, capsys: Capsys
) -> None:
    acme, begin = play
    job = ask(acme, "export")
    folder = acme.folder / "held-here"
    folder.mkdir()
    worker = begin(**{HELD: point, FOLDER: str(folder)})
    until((folder / "held").exists)
    process = int((folder / "held").read_text())
    assert is_there(process)
    assert any(acme.medium.iterdir()), "nothing lies there yet"
    acme.close()
    done = said(capsys, acme.root, "job", "cancel", job.id)
    assert (done["state"], done["new"]) == ("cancelled", True)
    until(lambda: not is_there(process))
    worker.hears(f"{job.id} stopped: it was cancelled")
    until(lambda: folders.kept(acme.root / "work") == frozenset())
    made = acme.app.exports.draft(SITE, acme.medium, stage)
    assert isinstance(made, DraftedBundle)
    was_whole = point == "write made"
    assert (made.transfer, len(made.warnings)) == (f"{SITE}-000001", int(was_whole))
    assert not was_whole or "waits there already" in made.warnings[0]
    assert acme.types().count("transfer.begun") == 1
    assert said(capsys, acme.root, "job", "show", job.id)["state"] == "cancelled"
    worker.process.send_signal(signal.SIGTERM)
    assert worker.ended() == 0
    left = sorted(one.name for one in Path(acme.medium).iterdir())
    assert left, "the bundle"
