"""A conversion as steps: what a killed one had built is taken in, and only if it would be again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_registry.app import App
from sealift_registry.catalog.catalog import Catalog, latest
from sealift_registry.catalog.logged import BUILT
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.conversion import acceptance, build_run, building
from sealift_registry.conversion.trying import Runtimes
from sealift_registry.jobs import records
from sealift_registry.jobs.job import Attempt, Job
from sealift_registry.jobs.plain import FOLDER, PlainSteps
from sealift_registry.jobs.steps import Made
from sealift_registry.kinds import CONVERT, KINDS, ConvertArguments, convert_wanted
from sealift_registry.proof.models import SourceModel, model_file
from sealift_registry.proof.proof_report import ProofReport
from sealift_registry.proof.prove import prove
from sealift_registry.storage.host import Host
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError
from tests import models
from tests.registry.hub_fixture import MODEL, TARGET, Acme, Loose, quiet

HERE = Host("0" * 32, "here")
ASKED = ConvertArguments(f"{MODEL}/1", TARGET)


class Killed(BaseException):
    """As if by kill -9: nothing that the code would do after it is done."""


@pytest.fixture
def ready(acme: Acme) -> Acme:
    """A hub with a version and its goldens."""
    acme.ingest(1, acme.goldens())
    return acme


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One line a build that was begun."""
    seen: list[str] = []
    run = build_run.run

    def noted(*given: object) -> None:
        seen.append("build")
        run(*given)  # type: ignore[arg-type]  # as they were given

    monkeypatch.setattr(building, "run", noted)
    return seen


def convert(app: App) -> Made:
    made: Made = CONVERT.in_foreground(app, ASKED, "dora", quiet)["artifacts"][0]  # type: ignore[assignment,index]  # JSON
    return made


def killed_before_accepting(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    def stop(*_given: object, **_named: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(building, "accept", stop)
        work()
        pytest.fail("it was not killed")


def killed_after_commit(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    accept = acceptance.accept

    def stop(*given: object, **named: object) -> None:
        accept(*given, **named)  # type: ignore[arg-type]  # as they were given
        raise Killed

    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(building, "accept", stop)
        work()
        pytest.fail("it was not killed")


# ---------------------------------------------------------------------- in the foreground


def test_g3_60_what_a_killed_command_had_built_is_taken_in(
    ready: Acme, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_before_accepting(monkeypatch, lambda: convert(ready.app))
    assert convert(ready.app)["new"] is True
    assert runs == ["build"]
    assert not list((ready.app.hub.home.work / FOLDER).glob("*/"))
    assert convert(ready.app)["new"] is False


def test_g3_60_other_goldens_are_measured_anew(
    ready: Acme, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_before_accepting(monkeypatch, lambda: convert(ready.app))
    ready.ingest(1, ready.goldens(2))
    made = convert(ready.app)
    assert runs == ["build", "build"]
    assert made["new"] is True
    with ready.app.hub.reading() as connection:
        counting = Catalog(connection).goldens(VersionRef.parse(ASKED.version))
    assert parity(ready)["goldens"] == counting


def parity(acme: Acme) -> Made:
    path = VersionRef.parse(ASKED.version).path(TARGET)
    with acme.app.hub.reading() as connection:
        known = latest(Catalog(connection).evidence(path))
    return dict(known["parity"].predicate.details)


@pytest.mark.parametrize("other", ["software", "runtimes", "target", "key"])
def test_g3_60_so_is_what_would_be_built_otherwise_by_now(
    ready: Acme, runs: list[str], monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    killed_before_accepting(monkeypatch, lambda: convert(ready.app))
    builder = ready.app.conversion
    order, machine = builder._order, builder._machine
    if other == "software":
        release = lambda *given: replace(order(*given), software="0.0.9")  # noqa: E731 - short
        monkeypatch.setattr(builder, "_order", release)
    elif other == "target":
        target = builder._hardware_targets[TARGET]
        builder._hardware_targets = {TARGET: replace(target, description="Another")}
    elif other == "key":
        named = lambda: replace(machine(), name="another")  # noqa: E731 - short
        monkeypatch.setattr(builder, "_machine", named)
    else:
        monkeypatch.setattr(Runtimes, "triable", lambda *_: [])
    with suppress(RefusedError):  # the software and the name are none of this hub's
        convert(ready.app)
    assert runs == ["build", "build"]


# ---------------------------------------------------------------------- as a job


@pytest.fixture
def job(ready: Acme) -> Job:
    return records.ask(ready.app.hub, convert_wanted(ready.app, ASKED), "dora")


def attempt_at(acme: Acme, job: Job) -> tuple[App, Attempt]:
    """The hub as one who works at the job has it."""
    attempt = records.begin(acme.app.hub, job.number, "w", HERE)
    return App(records.at_work(acme.app.hub, attempt)), attempt


@pytest.fixture
def steps(tmp_path: Path) -> Callable[[], PlainSteps]:
    """Steps as each attempt on one host has them."""
    folder = tmp_path / "job"
    folder.mkdir()
    return lambda: PlainSteps(folder, quiet, keeps=True)


def work(app: App, job: Job, steps: PlainSteps) -> Made:
    order = job.order
    done = KINDS[order.kind].run(app, order.arguments, order.asked_by, steps)
    made: Made = json.loads(json.dumps(done))["artifacts"][0]
    return made


def test_g3_61_a_job_waits_for_whoever_has_that_machine(job: Job) -> None:
    order = job.order
    assert (order.kind, order.queue, order.host) == ("convert", TARGET, None)
    assert order.arguments == {"version": ASKED.version, "hardware_target": TARGET}


@pytest.mark.parametrize("asked", [("vision/tiny/7", TARGET), (ASKED.version, "other")])
def test_g3_61_what_is_not_there_is_said_when_it_is_asked_for(
    ready: Acme, asked: tuple[str, str]
) -> None:
    with pytest.raises(NotFoundError):
        convert_wanted(ready.app, ConvertArguments(*asked))


def test_g3_61_what_no_such_job_is_asked_with_is_refused(ready: Acme) -> None:
    with pytest.raises(MalformedError, match="what a job of the kind convert was asked with"):
        CONVERT.run(ready.app, {"version": ASKED.version}, "dora", None)  # type: ignore[arg-type]  # not reached


def test_g3_62_its_entries_are_found_by_the_job(
    ready: Acme, job: Job, steps: Callable[[], PlainSteps]
) -> None:
    app, _ = attempt_at(ready, job)
    assert work(app, job, steps())["new"] is True
    with ready.app.hub.reading() as connection:
        said = records.said_before(app.hub, connection, (BUILT,), lambda _: True)
        assert said is not None
        assert said["artifact"] == str(VersionRef.parse(ASKED.version).path(TARGET))
        other = replace(app.hub, job="J-000099")
        assert records.said_before(other, connection, (BUILT,), lambda _: True) is None


@pytest.mark.parametrize("host", ["same", "other"])
def test_g3_62_an_attempt_after_the_commit_answers_what_the_first_would_have(
    ready: Acme,
    job: Job,
    steps: Callable[[], PlainSteps],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    host: str,
) -> None:
    first, _ = attempt_at(ready, job)
    killed_after_commit(monkeypatch, lambda: work(first, job, steps()))
    size = len(ready.types())
    second, _ = attempt_at(ready, job)
    there = steps() if host == "same" else PlainSteps(tmp_path, quiet, keeps=True)
    assert work(second, job, there)["new"] is True
    assert len(ready.types()) == size
    assert convert(ready.app)["new"] is False, "and nobody else does"


def test_g3_62_a_refusal_is_logged_once(
    ready: Acme,
    job: Job,
    steps: Callable[[], PlainSteps],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def refuse(*_given: object) -> None:
        raise RefusedError("parity-failed", "It is not faithful.")

    monkeypatch.setattr(build_run._Running, "built", refuse)
    told = []
    for there in (steps(), steps(), PlainSteps(tmp_path, quiet, keeps=True)):
        app, _ = attempt_at(ready, job)
        with pytest.raises(RefusedError) as bad:
            work(app, job, there)
        told.append(bad.value.what)
    assert told == ["It is not faithful."] * 3
    assert ready.types().count("conversion.refused") == 1


def against_another(acme: Acme) -> Callable[..., ProofReport]:
    """A proof that has another model answer for the source."""
    folder = acme.folder / "another"
    folder.mkdir()
    models.tiny_onnx(folder / "tiny-1.onnx", 2)

    def proved(source: SourceModel, *given: Loose, **named: Loose) -> ProofReport:
        report = prove(replace(source, folder=folder), *given, **named)
        files = tuple(model_file(source.folder, one.path) for one in report.source_files)
        return replace(report, source_files=files)

    return proved


def test_g3_62_what_an_attempt_measured_is_as_bad_in_the_next(
    ready: Acme, steps: Callable[[], PlainSteps], monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(ready.app)
    ready.ingest(1, ready.goldens(2))
    monkeypatch.setattr(build_run, "prove", against_another(ready))
    job = records.ask(ready.app.hub, convert_wanted(ready.app, ASKED), "dora")
    told = []
    for _ in range(2):
        app, _ = attempt_at(ready, job)
        with pytest.raises(RefusedError) as bad:
            work(app, job, steps())
        told.append((bad.value.code, bad.value.what))
    assert told[0] == told[1]
    assert ready.types().count("variant.measured") == 1


def test_g3_62_a_job_whose_order_changed_builds_what_is_asked_for_now(
    ready: Acme,
    job: Job,
    steps: Callable[[], PlainSteps],
    runs: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _ = attempt_at(ready, job)
    killed_before_accepting(monkeypatch, lambda: work(first, job, steps()))
    ready.ingest(1, ready.goldens(2))
    second, _ = attempt_at(ready, job)
    assert work(second, job, steps())["new"] is True
    assert runs == ["build", "build"]


def test_g3_62_a_superseded_attempt_takes_nothing_in(
    ready: Acme, job: Job, steps: Callable[[], PlainSteps]
) -> None:
    first, _ = attempt_at(ready, job)
    attempt_at(ready, job)
    with pytest.raises(records.SupersededError):
        work(first, job, steps())
    assert "variant.built" not in ready.types()


# ---------------------------------------------------------------------- the command itself


KILLED = """
import os, signal, sys
from sealift_registry.conversion import building
building.accept = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
from sealift_registry.cli.run import run
sys.exit(run(sys.argv[1:]))
"""


def test_g3_63_a_command_killed_between_its_steps_goes_on_when_given_again(
    ready: Acme, runs: list[str]
) -> None:
    given = ["convert", ASKED.version, "--for", TARGET, "--home", str(ready.root)]
    done = subprocess.run([sys.executable, "-c", KILLED, *given], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert convert(ready.app)["new"] is True
    assert runs == [], "it was built by the one that was killed"
