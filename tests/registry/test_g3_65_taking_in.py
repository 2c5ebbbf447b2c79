"""An ingestion as steps, and as a job: what a killed attempt did is not done twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_registry.app import App
from sealift_registry.intake import ingest
from sealift_registry.intake.dvc_source import DvcSource
from sealift_registry.intake.mlflow_source import MlflowSource
from sealift_registry.jobs import records
from sealift_registry.jobs.job import Job
from sealift_registry.jobs.plain import PlainSteps
from sealift_registry.jobs.steps import Made
from sealift_registry.kinds import INGEST, KINDS, IngestArguments, ingest_wanted
from sealift_registry.shown.ingested import ingested_lines
from sealift_registry.storage.host import this_host
from sealift_signing import canonical
from sealift_signing.canonical import Json
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError, UsageError
from tests import models
from tests.registry.hub_fixture import MODEL, Acme, Loose, quiet


class Killed(BaseException):
    """As if by kill -9: nothing that the code would do after it is done."""


@pytest.fixture
def asked(acme: Acme) -> IngestArguments:
    path = models.tiny_onnx(acme.folder / "tiny-1.onnx", 1)
    return IngestArguments(MODEL, str(acme.goldens()), onnx=str(path))


@pytest.fixture
def job(acme: Acme, asked: IngestArguments) -> Job:
    return records.ask(acme.app.hub, ingest_wanted(acme.app, asked), "dora")


@pytest.fixture
def steps(tmp_path: Path) -> Callable[[], PlainSteps]:
    """Steps as each attempt on one host has them."""
    (tmp_path / "job").mkdir()
    return lambda: PlainSteps(tmp_path / "job", quiet, keeps=True)


def attempt(acme: Acme, job: Job, steps: PlainSteps) -> Made:
    """What one attempt at the job answers."""
    begun = records.begin(acme.app.hub, job.number, "w", this_host(acme.root))
    app, order = App(records.at_work(acme.app.hub, begun)), job.order
    made = KINDS[order.kind].run(app, order.arguments, order.asked_by, steps)
    canonical.encode(made)  # as an end keeps it
    return made


def killed(monkeypatch: pytest.MonkeyPatch, name: str, work: Callable[[], object]) -> None:
    """Do `work`, and be killed when the method of that name has done its part."""
    method = getattr(ingest.Intake, name)

    def stop(*given: Loose) -> None:
        method(*given)
        raise Killed

    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(ingest.Intake, name, stop)
        work()
        pytest.fail("it was not killed")


def test_g3_65_a_job_on_paths_waits_for_their_host(acme: Acme, job: Job) -> None:
    order = job.order
    assert (order.kind, order.queue) == ("ingest", "hub")
    assert order.host == this_host(acme.root).id
    assert order.arguments["onnx"] == str(acme.folder / "tiny-1.onnx")


def test_g3_65_paths_are_said_whole(
    acme: Acme, asked: IngestArguments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(acme.folder)
    near = replace(asked, onnx="tiny-1.onnx", goldens="goldens-1.npz")
    wanted = ingest_wanted(acme.app, near)
    assert wanted.arguments["onnx"] == str(acme.folder / "tiny-1.onnx")
    assert wanted.arguments["goldens"] == str(acme.folder / "goldens-1.npz")


@pytest.mark.parametrize(
    "other", [{"model": "nobody/tiny"}, {"onnx": "/not/there"}, {"goldens": "/not/there.npz"}]
)
def test_g3_65_what_is_not_there_is_said_when_it_is_asked_for(
    acme: Acme, asked: IngestArguments, other: dict[str, str]
) -> None:
    with pytest.raises(NotFoundError):
        ingest_wanted(acme.app, replace(asked, **other))  # type: ignore[arg-type]  # as named


def test_g3_65_what_comes_over_a_network_is_fetched_anywhere(acme: Acme) -> None:
    for asked in (
        IngestArguments(MODEL, mlflow=MlflowSource("http://mlflow:5000/", "models:/digits@best")),
        IngestArguments(MODEL, dvc=DvcSource("ssh://git@git.acme.example/models.git", "a.onnx")),
        IngestArguments(MODEL, dvc=DvcSource("git@git.acme.example:models", "a.onnx")),
    ):
        wanted = ingest_wanted(acme.app, asked)
        assert wanted.host is None
        assert INGEST.name == wanted.kind
    near = IngestArguments(MODEL, dvc=DvcSource(str(acme.folder), "a.onnx"))
    assert ingest_wanted(acme.app, near).host == this_host(acme.root)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "asked",
    [
        IngestArguments(MODEL, mlflow=MlflowSource(f"http://ben:{SECRET}@mlflow", "models:/d/1")),
        IngestArguments(MODEL, mlflow=MlflowSource(f"http://m?token={SECRET}", "models:/d/1")),
        IngestArguments(MODEL, dvc=DvcSource(f"https://{SECRET}@git.acme.example/models", "a")),
        IngestArguments(MODEL, dvc=DvcSource(f"ssh://git:{SECRET}@git.acme.example/models", "a")),
        IngestArguments(MODEL, dvc=DvcSource(f"https://git.acme.example/m?sig={SECRET}", "a")),
    ],
)
def test_g3_66_no_password_is_kept_in_a_job(acme: Acme, asked: IngestArguments) -> None:
    with pytest.raises(UsageError) as told:
        ingest_wanted(acme.app, asked)
    assert told.value.code == "password-in-job"
    assert SECRET not in f"{told.value.what} {told.value.subject} {told.value.advice}"


def test_g3_66_an_order_of_no_place_or_two_is_refused(acme: Acme) -> None:
    mlflow: Json = {"tracking_uri": "http://m", "model_uri": "x"}
    for given in ({"model": MODEL}, {"model": MODEL, "onnx": "/a", "mlflow": mlflow}):
        with pytest.raises(MalformedError):
            INGEST.run(acme.app, given, "dora", None)  # type: ignore[arg-type]  # not reached


@pytest.mark.parametrize("at", ["_scanned", "_goldens", "_record", "_again"])
@pytest.mark.parametrize("host", ["same", "other"])
def test_g3_67_an_attempt_after_one_that_was_killed_answers_the_same(
    acme: Acme,
    job: Job,
    steps: Callable[[], PlainSteps],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    at: str,
    host: str,
) -> None:
    if at == "_again":  # other goldens of a version that is there
        acme.ingest(1, acme.goldens(2))
    killed(monkeypatch, at, lambda: attempt(acme, job, steps()))
    if host == "other":
        shutil.rmtree(tmp_path / "job")
        (tmp_path / "job").mkdir()
    said = attempt(acme, job, steps())
    new = at != "_again"
    assert (said["version"], said["new"]) == (f"{MODEL}/1", new)
    assert said["goldens_words"] == "8 rows; the right answers are not known (`expected`)"
    assert acme.types().count("version.ingested") == 1
    assert acme.types().count("version.seen-again") == (0 if new else 1)
    assert ("is new" in ingested_lines(said)[0]) is new
    # What somebody else asks for later is theirs.
    assert acme.ingest(1, acme.goldens()).new is False


def test_g3_67_an_alias_that_moved_meanwhile_makes_no_second_version(
    acme: Acme, job: Job, steps: Callable[[], PlainSteps], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(monkeypatch, "_record", lambda: attempt(acme, job, steps()))
    shutil.rmtree(steps().folder)
    steps().folder.mkdir()
    models.tiny_onnx(acme.folder / "tiny-1.onnx", 2)
    assert attempt(acme, job, steps())["version"] == f"{MODEL}/1"
    assert acme.types().count("version.ingested") == 1


def test_g3_67_what_was_fetched_is_not_fetched_again(
    acme: Acme, job: Job, steps: Callable[[], PlainSteps], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(monkeypatch, "_scanned", lambda: attempt(acme, job, steps()))
    (acme.folder / "tiny-1.onnx").unlink()
    assert attempt(acme, job, _recorded(steps()))["new"] is True


def _recorded(steps: PlainSteps) -> PlainSteps:
    """With what an engine records: every step that was finished, whatever it is made of."""
    step = steps.step

    def known(name: str, make: Callable[[], Made], *, of: str = "") -> Made:
        return {} if name == "fetch" else step(name, make, of=of)

    steps.step = known  # type: ignore[method-assign]  # as an engine's recorder
    return steps


def test_g3_67_a_refusal_is_logged_once_and_keeps_nothing(
    acme: Acme, steps: Callable[[], PlainSteps]
) -> None:
    path = acme.folder / "bad.onnx"
    path.write_bytes(b"no model")
    asked = IngestArguments(MODEL, onnx=str(path))
    job = records.ask(acme.app.hub, ingest_wanted(acme.app, asked), "dora")
    before, told = set(acme.app.hub.home.blobs.digests()), []
    for _ in range(2):
        with pytest.raises(RefusedError) as bad:
            attempt(acme, job, steps())
        told.append((bad.value.code, bad.value.what))
    assert told[0] == told[1]
    assert acme.types().count("intake.refused") == 1
    assert set(acme.app.hub.home.blobs.digests()) == before
    with pytest.raises(RefusedError):
        INGEST.in_foreground(acme.app, asked, "dora", quiet)
    assert acme.types().count("intake.refused") == 2


def test_g3_67_a_superseded_attempt_takes_nothing_in(
    acme: Acme, job: Job, steps: Callable[[], PlainSteps]
) -> None:
    here = this_host(acme.root)
    first = records.begin(acme.app.hub, job.number, "w", here)
    records.begin(acme.app.hub, job.number, "w", here)
    app = App(records.at_work(acme.app.hub, first))
    with pytest.raises(records.SupersededError):
        INGEST.run(app, job.order.arguments, "dora", steps())
    assert "version.ingested" not in acme.types()
