"""Real workers of two hosts on real servers, killed at every step: each job ends once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.intake.mlflow_source import MlflowSource
from sealift_registry.jobs import folders, records
from sealift_registry.jobs.job import Job
from sealift_registry.kinds import (
    ConvertArguments,
    ExportArguments,
    IngestArguments,
    convert_wanted,
    export_wanted,
    ingest_wanted,
)
from sealift_registry.storage import host
from tests import models
from tests.registry.hub_fixture import MODEL, PASSPHRASE, SITE, TARGET, Acme, Loose
from tests.registry.killed_worker import VARIABLE
from tests.registry.real_workers import ONE, SECRET, TWO, Hosts, hosts_of, made
from tests.registry.test_g3_127_killed_jobs import ONCE, POINTS, came_of, is_pickled
from tests.registry.test_hub_cli import Capsys, Cli
from tests.servers.seaweed import seaweed

pytestmark = pytest.mark.socket
BOUND = {"ingest", "export"}
"""Kinds that read or write on the host where they were asked for."""
QUICK = {
    ("convert", "build made", TWO),
    ("ingest", "fetch recorded", TWO),
    ("export", "write made", TWO),
}


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """A hub on two hosts; this process is at the first."""
    for name, value in seaweed().environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(host, "this_name", lambda: ONE)
    with hosts_of(made(), tmp_path / "acme") as found:
        yield found


def points() -> Iterator[Any]:
    for kind, those in POINTS.items():
        for point in those:
            for who in (ONE, TWO):
                marks = [] if (kind, point, who) in QUICK else [pytest.mark.long]
                yield pytest.param(kind, point, who, marks=marks)


def ask(acme: Acme, kind: str) -> Job:
    """Ask for a job that makes version 2, or a variant of it, or a bundle."""
    if kind == "ingest":
        path, goldens = models.tiny_onnx(acme.folder / "tiny-3.onnx", 3), acme.goldens(3)
        wanted = ingest_wanted(acme.app, IngestArguments(MODEL, str(goldens), onnx=str(path)))
    elif kind == "convert":
        ref = acme.ingest(3, acme.goldens(3)).version.ref
        wanted = convert_wanted(acme.app, ConvertArguments(str(ref), TARGET))
    else:
        places = (str(acme.medium), str(acme.folder))
        asked = ExportArguments(SITE, *places, full=False, any_software=False, anew=False)
        wanted = export_wanted(acme.app, asked)
    return records.ask(acme.app.hub, wanted, "dora")


def is_as_expected(kind: str, result: Loose) -> bool:
    """Whether that is what a job that nobody killed comes to."""
    said: Loose = came_of(kind, result)
    if kind == "ingest":
        return bool(said["new"] and said["version"] == f"{MODEL}/2")
    if kind == "convert":
        return bool(said["new"] and said["path"] == f"catalog/{MODEL}/2/{TARGET}")
    return bool(said["transfer"] == f"{SITE}-000001" and said["warnings"] == [])


def keeps_no_secret(hosts: Hosts) -> None:
    """Nothing that is kept is pickled, or says what a worker's environment has."""
    secrets = (PASSPHRASE, SECRET, "PRIVATE KEY", hosts.environment["AWS_SECRET_ACCESS_KEY"])
    for cell in hosts.cells():
        assert not is_pickled(cell), cell
        for secret in secrets:
            assert secret.encode() not in cell


def ended_once(hosts: Hosts, kind: str, job: Job, before: int) -> None:
    end = hosts.end(job)
    assert end is not None
    assert end.outcome == "done", end.problem
    types = hosts.one.types()
    assert types.count("job.ended") == 1
    assert types.count(ONCE[kind]) == before + 1
    assert is_as_expected(kind, end.result), end.result
    assert end.attempt == len(hosts.attempts(job))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind, point, who", list(points()))
def test_g3_170_a_host_killed_with_its_job_at_any_step(
    hosts: Hosts, kind: str, point: str, who: str, capsys: Capsys
) -> None:
    job = ask(hosts.one, kind)
    before = hosts.one.types().count(ONCE[kind])
    code, said = hosts.work(hosts.one, **{VARIABLE: point})
    assert code == -9, said
    assert any(job.order.key.encode() in cell for cell in hosts.cells()), "nothing to look at"
    keeps_no_secret(hosts)
    hosts.passes()
    if who == TWO:
        code, said = hosts.work(hosts.two)
        assert code == 0, said
        if kind in BOUND and point != "job ended":
            waits_for_its_host(hosts, job, capsys)
    if who == ONE or kind in BOUND:
        code, said = hosts.work(hosts.one)
        assert code == 0, said
    ended_once(hosts, kind, job, before)
    by = [] if point == "job ended" else [ONE if kind in BOUND else who]
    assert hosts.attempts(job) == [ONE, *by]
    assert folders.kept(hosts.two.root / "work") == frozenset()
    keeps_no_secret(hosts)


def waits_for_its_host(hosts: Hosts, job: Job, capsys: Capsys) -> None:
    """Another host has left it alone, and says what it waits for."""
    assert hosts.end(job) is None
    assert hosts.attempts(job) == [ONE]
    view = hosts.seen(job, hosts.two)
    assert view.waits is not None
    assert (view.state, view.waits.reason) == ("waits", "host")
    shown = Cli(hosts.two, capsys).says("job", "show", job.id)
    assert f"only on        {ONE}: it reads or writes there" in shown
    assert f"No worker on {ONE} takes it. Start one there:  sealift worker --queue hub" in shown


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS["ingest"])
def test_g3_171_what_comes_over_a_network_is_taken_in_by_another_host(
    hosts: Hosts, mlflow_server: str, point: str
) -> None:
    asked = IngestArguments("vision/digits", mlflow=MlflowSource(mlflow_server, "models:/digits/1"))
    job = records.ask(hosts.one.app.hub, ingest_wanted(hosts.one.app, asked), "dora")
    assert job.order.host is None
    before = hosts.one.types().count(ONCE["ingest"])
    assert hosts.work(hosts.one, **{VARIABLE: point})[0] == -9
    hosts.passes()
    code, said = hosts.work(hosts.two)
    assert code == 0, said
    end = hosts.end(job)
    assert end is not None
    assert end.outcome == "done", end.problem
    result: Loose = end.result
    assert (result["version"], result["new"]) == ("vision/digits/1", True)
    assert hosts.one.types().count(ONCE["ingest"]) == before + 1
    assert hosts.one.types().count("job.ended") == 1
    keeps_no_secret(hosts)
