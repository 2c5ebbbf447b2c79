"""No job holds a key: none of its arguments, rows and files has one, or what opens one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.kinds import KINDS
from tests.registry.hub_fixture import PASSPHRASE, Acme
from tests.registry.killed_worker import FOLDER, HELD
from tests.registry.real_workers import SECRET, AtWork, Hosts, at_home, until
from tests.registry.test_g3_127_killed_jobs import ask as ask_at_home
from tests.registry.test_g3_127_killed_jobs import cells as cells_at_home
from tests.registry.test_g3_170_killed_hosts import ask, hosts

__all__ = ["hosts"]

pytestmark = pytest.mark.socket
POINTS = {"ingest": "scan made", "convert": "build made", "export": "write made"}
KEYS = "keys"
"""The folder of a home where keys are, and are to be; all else is looked through."""


@dataclasses.dataclass
class Play:
    """A hub; what asks for a job; what begins a worker; and all that is kept of jobs."""

    acme: Acme
    ask: Callable[[str], object]
    begin: Callable[..., AtWork]
    cells: Callable[[], Iterator[bytes]]


QUICK = {("home", "export"), ("servers", "ingest"), ("servers", "convert")}


def plays() -> Iterator[Any]:
    for place in ("home", "servers"):
        for kind in POINTS:
            marks = [] if (place, kind) in QUICK else [pytest.mark.long]
            yield pytest.param(place, kind, marks=marks)


@pytest.fixture
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    if request.param == "servers":
        there: Hosts = request.getfixturevalue("hosts")
        acme = there.one
        yield Play(
            acme,
            lambda kind: ask(acme, kind),
            lambda *words, **told: there.begin(acme, *words, **told),
            there.cells,
        )
        return
    acme = request.getfixturevalue("ready")
    begun: list[AtWork] = []

    def begin(*words: str, **told: str) -> AtWork:
        begun.append(at_home(acme, *words, MLFLOW_TRACKING_TOKEN=SECRET, **told))
        return begun[-1]

    yield Play(acme, lambda kind: ask_at_home(acme, kind), begin, lambda: iter(at_rest(acme)))
    for one in begun:
        one.process.kill()
        one.process.wait()


def at_rest(acme: Acme) -> list[bytes]:
    """What a home keeps of jobs: the engine's rows, and the whole of the hub's own file."""
    files = [one.read_bytes() for one in acme.root.glob("sealift.db*")]
    return [*cells_at_home(acme), *files]


def secrets(acme: Acme) -> dict[str, bytes]:
    """What nobody but its owner is to have: each line of each key, and what opens keys."""
    found = {"the passphrase": PASSPHRASE.encode(), "a token": SECRET.encode()}
    places = (acme.root / "keys", acme.folder / "people", acme.folder / "offline")
    for file in [one for place in places for one in place.rglob("*.pem")]:
        lines = [one for one in file.read_bytes().splitlines() if not one.startswith(b"--")]
        found |= {f"{file.name}, line {n}": one for n, one in enumerate(lines) if len(one) > 16}
    assert len(found) > 10
    return found


def files(acme: Acme) -> dict[str, bytes]:
    """All that lies in the home, on the medium and beside it but keys themselves."""
    found = {}
    for path in (*acme.root.rglob("*"), *acme.medium.rglob("*"), *acme.folder.glob("said-*")):
        if path.is_file() and KEYS not in path.relative_to(acme.folder).parts:
            found[str(path)] = path.read_bytes()
    return found


@pytest.mark.parametrize("play, kind", list(plays()), indirect=["play"])
def test_g3_184_no_row_and_no_file_of_a_job_has_a_key(play: Play, kind: str) -> None:
    acme = play.acme
    play.ask(kind)
    folder = acme.folder / "held-here"
    folder.mkdir()
    log = acme.root / "log.jsonl"
    worker = play.begin(SEALIFT_LOG=str(log), **{HELD: POINTS[kind], FOLDER: str(folder)})
    until((folder / "held").exists)
    pids = (worker.process.pid, int((folder / "held").read_text()))
    wanted = secrets(acme)
    for _ in ("while it is done", "afterwards"):
        kept = {**files(acme), **{f"cell {n}": one for n, one in enumerate(play.cells())}}
        if worker.process.poll() is None and not (folder / "go").exists():
            kept |= {
                f"the words of {pid}": Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids
            }
            assert any("/work/jobs/" in name for name in kept), "no file of a job"
        assert str(log) in kept
        for where, data in kept.items():
            for what, secret in wanted.items():
                assert secret not in data, f"{what} is in {where}"
        (folder / "go").touch()
        worker.hears("done, after")


def test_g3_184_no_argument_of_a_job_is_to_be_one() -> None:
    """As they are named: whoever adds one thinks of it."""
    secret = re.compile(r"key|pass|secret|token|pin|credential|password")
    named = {
        f"{kind.name}.{field.name}"
        for kind in KINDS.values()
        for field in dataclasses.fields(kind.arguments)
    }
    assert len(named) > 10
    assert [one for one in named if secret.search(one.partition(".")[2])] == []
