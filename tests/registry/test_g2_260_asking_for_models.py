"""Who asks a server has models taken in from what has a name there, and converted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sealift_registry import changing_jobs
from sealift_registry.access.calling import Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.app import App
from sealift_registry.intake import dvc_source, mlflow_source
from sealift_registry.intake.named_sources import NamedReference, check, source
from sealift_registry.jobs import records
from sealift_registry.jobs.job import Job, parse_job
from sealift_registry.jobs.plain import PlainSteps
from sealift_registry.jobs.steps import Made
from sealift_registry.kinds import KINDS
from sealift_registry.storage.host import this_host
from sealift_registry.storage.named_places import SourceSettings
from sealift_registry.workers.environment import scrubbed
from sealift_registry.workers.runner import Worker
from sealift_signing.drawing import plain
from sealift_signing.errors import FailedError, SealiftError
from tests import models
from tests.registry.accounts_fixture import code, signed_in
from tests.registry.desks_of_server import Desk
from tests.registry.hub_fixture import MODEL, TEAM, Acme, quiet
from tests.registry.served_hub import served
from tests.registry.test_g2_190_writing import entries
from tests.sources import DvcRepository

INGEST = f"/teams/{TEAM}/versions"


@contextmanager
def publisher(acme: Acme, name: str = "paula", team: str = TEAM) -> Iterator[Desk]:
    opened = signed_in(acme, name, Grant("publisher", team=team))
    with served(acme, Gatekeeper(acme.app.hub)) as client:
        yield Desk(client, acme, name, opened.secret)


def sent(desk: Desk, file: Path, kind: str = "onnx", *, cut: int = 0) -> str:
    """The id of an upload of a file; of all of it but its last bytes."""
    data = file.read_bytes()
    said = {"kind": kind, "name": file.name, "size": len(data), "sha256": sha256(data).hexdigest()}
    begun = desk.post(f"/teams/{TEAM}/uploads", json.dumps(said).encode())
    assert begun.status_code == 201, begun.json()
    place = begun.headers["location"]
    headers = {
        **desk.headers,
        "content-type": "application/partial-upload",
        "upload-offset": "0",
    }
    added = desk.client.patch(place, content=data[: len(data) - cut], headers=headers)
    assert added.json()["complete"] is (cut == 0)
    return str(added.json()["upload"])


def asks(desk: Desk, path: str = INGEST, key: str | None = None, **said: object) -> Any:  # noqa: ANN401
    return desk.post(path, json.dumps(said).encode(), key=key)


def job_of(acme: Acme, answer: Any) -> Job:  # noqa: ANN401 - a client's
    assert answer.status_code == 202, answer.json()
    (one,) = answer.json()["jobs"]
    with acme.app.hub.reading() as connection:
        return records.asked(connection, parse_job(one["job"]))


def done(acme: Acme, job: Job) -> Made:
    """What a worker makes of a job."""
    begun = records.begin(acme.app.hub, job.number, "w", this_host(acme.root))
    app, order = App(records.at_work(acme.app.hub, begun)), job.order
    folder = acme.folder / f"attempt-{job.number}"
    folder.mkdir()
    steps = PlainSteps(folder, quiet, keeps=True)
    return KINDS[order.kind].run(app, order.arguments, order.asked_by, steps)


def named(acme: Acme, **sources: SourceSettings) -> None:
    """What the hub's settings say of sources."""
    vars(acme.app.hub.home.settings)["sources"] = sources


# ---------------------------------------------------------------------- uploads


def test_g2_260_what_was_sent_is_taken_in_by_a_job(acme: Acme) -> None:
    file = models.tiny_onnx(acme.folder / "tiny.onnx", 3)
    with publisher(acme) as desk:
        model, goldens = sent(desk, file), sent(desk, acme.goldens(), "goldens")
        answer = asks(desk, model="tiny", upload=model, goldens=goldens, priority=2)
        job = job_of(acme, answer)
        assert answer.headers["location"] == f"/api/v1/jobs/{job.id}"
        assert answer.json()["jobs"][0] == {
            "job": job.id,
            "new": True,
            "kind": "ingest",
            "queue": "hub",
            "priority": 2,
            "host": job.order.host_name,
        }
        assert job.order.host == this_host(acme.root).id, "it lies on this host alone"
        assert job.order.asked_by == "paula"
        made = done(acme, job)
        assert (made["version"], made["new"]) == (f"{MODEL}/1", True)
        assert desk.get(f"/versions/{MODEL}/1").json()["goldens"] == made["goldens"]
        shown = desk.get(f"/jobs/{job.id}").json()
    assert shown["asked_by"] == "paula"
    (asked,) = [one for one in entries(acme) if one.type == "job.asked"]
    said = {(term.kind, term.value) for term in asked.terms}
    assert ("account", "paula") in said
    assert {kind for kind, _ in said} >= {"account", "request", "job", "model", "team"}


def test_g2_260_asked_again_it_is_the_same_job(acme: Acme) -> None:
    file = models.tiny_onnx(acme.folder / "tiny.onnx", 3)
    with publisher(acme) as desk:
        upload = sent(desk, file)
        first = asks(desk, key="0123-4567", model="tiny", upload=upload)
        again = asks(desk, key="0123-4567", model="tiny", upload=upload)
        other = asks(desk, key="0123-4567", model="tall", upload=upload)
        anew = asks(desk, model="tiny", upload=upload)
    assert again.json() == first.json()
    assert again.headers["idempotent-replay"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert (other.status_code, other.json()["code"]) == (409, "once-other-body")
    assert anew.json()["jobs"][0]["job"] == first.json()["jobs"][0]["job"]
    assert anew.json()["jobs"][0]["new"] is False
    assert [one.type for one in entries(acme)].count("job.asked") == 1


def test_g2_261_what_is_not_whole_or_not_theirs_is_not_taken_in(acme: Acme) -> None:
    file = models.tiny_onnx(acme.folder / "tiny.onnx", 3)
    with publisher(acme, "peter") as other:
        theirs = sent(other, file)
    with publisher(acme) as desk:
        half, goldens = sent(desk, file, cut=3), sent(desk, acme.goldens(), "goldens")
        for said, wrong in (
            ({"upload": half}, "upload-not-whole"),
            ({"upload": theirs}, "no-upload"),
            ({"upload": goldens}, "no-upload"),
            ({"upload": "../../keys"}, "no-upload"),
            ({"upload": half, "goldens": theirs}, "upload-not-whole"),
            ({}, "ingest-which"),
            ({"source": "lab"}, "ingest-which"),
            ({"reference": "models:/x/1"}, "ingest-which"),
            ({"source": "lab", "reference": "x", "upload": half}, "upload-not-whole"),
        ):
            answer = asks(desk, model="tiny", **said)
            assert answer.json()["code"] == wrong, (said, answer.json())
            assert answer.json()["next"]
    assert "job.asked" not in acme.types()


def test_g2_261_no_path_and_no_address_can_be_said(acme: Acme) -> None:
    with publisher(acme) as desk:
        for said in (
            {"onnx": "/etc/passwd"},
            {"mlflow": {"tracking_uri": "http://10.0.0.1", "model_uri": "models:/x/1"}},
            {"dvc": {"repository": "/root"}},
            {"goldens": "/etc/passwd"},
        ):
            answer = asks(desk, model="tiny", **said)
            assert answer.status_code in {400, 404, 422}, answer.json()
        model = asks(desk, model="../tiny", source="lab", reference="models:/x/1")
    assert model.json()["code"] == "bad-model"
    assert "job.asked" not in acme.types()


def test_g2_261_an_upload_stays_until_its_job_has_ended(acme: Acme) -> None:
    from sealift_registry.web.upload_routes import _is_over, uploads_of

    hub, file = acme.app.hub, models.tiny_onnx(acme.folder / "tiny.onnx", 3)
    with publisher(acme) as desk:
        kept, left = sent(desk, file), sent(desk, acme.goldens(), "goldens")
        job = job_of(acme, asks(desk, model="tiny", upload=kept))
    later = hub.now() + timedelta(days=9)
    there = uploads_of(hub)
    assert there.sweep(later, lambda name: _is_over(hub, name)) == 1
    assert not (there.folder / left).exists()
    changing_jobs.cancel(hub, job.id, "paula")
    assert there.sweep(later, lambda name: _is_over(hub, name)) == 1
    assert not (there.folder / kept).exists()


# ---------------------------------------------------------------------- sources


def test_g2_262_a_version_of_a_registry_with_a_name(acme: Acme, mlflow_store: str) -> None:
    named(acme, lab=SourceSettings("mlflow", mlflow_store, "digits", teams=TEAM))
    with publisher(acme) as desk:
        listed = desk.get(f"/teams/{TEAM}/sources")
        assert listed.json() == {
            "sources": [{"source": "lab", "kind": "mlflow", "root": "digits"}]
        }, "and not where it is"
        answer = asks(desk, model="digits", source="lab", reference="models:/digits@champion")
        job = job_of(acme, answer)
        out = asks(desk, model="digits", source="lab", reference="models:/other/1")
        odd = asks(desk, model="digits", source="lab", reference="file:///etc/passwd")
    assert "named" in job.order.arguments
    assert mlflow_store not in str(job.order.arguments), (
        "who asks says a name, and the job keeps it"
    )
    assert (out.status_code, out.json()["code"]) == (409, "source-root")
    assert (odd.status_code, odd.json()["code"]) == (400, "mlflow-model-uri")
    assert done(acme, job)["source"] == "MLflow v2"


def test_g2_262_a_path_of_a_repository_with_a_name(
    acme: Acme, dvc_repository: DvcRepository
) -> None:
    here = str(dvc_repository.path)
    named(acme, lab=SourceSettings("dvc", here, teams=f"{TEAM}, sound"))
    with publisher(acme) as desk:
        job = job_of(
            acme,
            asks(desk, model="digits", source="lab", reference="models/digits.txt", revision="v1"),
        )
        for reference in ("../digits.skops", "/etc/passwd", "models/../../x"):
            answer = asks(desk, model="digits", source="lab", reference=reference, revision="HEAD")
            assert (answer.status_code, answer.json()["code"]) == (400, "dvc-path"), reference
    assert job.order.host == this_host(acme.root).id
    assert here not in str(job.order.arguments)


@pytest.mark.parametrize(
    "root,reference,revision,refused",
    [
        ("models", "models/digits", "v1", ""),
        ("models/", "models/digits", "v1", ""),
        ("models", "models", "v1", ""),
        ("models", "modelsmore/digits", "v1", "source-root"),
        ("models", "digits", "v1", "source-root"),
        ("models", "models/../digits", "v1", "dvc-path"),
        ("models", "fraud@v2.0.0", "", "source-root"),
        ("", "fraud@v2.0.0", "", ""),
        ("", "fraud#prod", "", ""),
        ("", "odd@file", "main", ""),
    ],
)
def test_g2_262_a_reference_stays_in_the_root(
    root: str, reference: str, revision: str, refused: str
) -> None:
    sources = {"lab": SourceSettings("dvc", "https://git.example/x", root, teams="*")}
    asked = NamedReference("lab", reference, revision)
    if refused:
        assert code(lambda: check(sources, TEAM, asked)) == refused
    else:
        assert check(sources, TEAM, asked) is False


@pytest.mark.parametrize("kind", ["mlflow", "dvc"])
def test_g2_262_what_a_reference_holds_is_no_line_of_ours(kind: str) -> None:
    odd = "x\u202e\x1b[31m\nP-000001: 2 of 2; listed"
    of = SourceSettings(kind, "https://lab.example/x", "tiny", teams="*")
    asked = NamedReference("there", f"models:/{odd}/1" if kind == "mlflow" else odd, odd)
    with pytest.raises(SealiftError) as caught:
        check({"there": of}, TEAM, asked)
    told = caught.value.what + caught.value.advice
    assert plain(told) == told
    assert "\x1b" not in told


def test_g2_262_a_source_of_another_team_is_as_one_that_there_is_not(acme: Acme) -> None:
    named(acme, lab=SourceSettings("mlflow", "https://lab.example", teams="sound"))
    with publisher(acme) as desk:
        assert desk.get(f"/teams/{TEAM}/sources").json() == {"sources": []}
        theirs = asks(desk, model="x", source="lab", reference="models:/x/1")
        nobodys = asks(desk, model="x", source="den", reference="models:/x/1")
    assert (theirs.status_code, theirs.json()["code"]) == (404, "no-named-source")
    assert theirs.json()["title"].replace("lab", "den") == nobodys.json()["title"]
    assert theirs.json()["next"] == nobodys.json()["next"]


def test_g2_263_whoever_fetches_goes_by_the_settings_of_then(acme: Acme) -> None:
    """A source that is taken away from a team while its job waits gives it nothing any more."""
    named(acme, lab=SourceSettings("mlflow", "https://lab.example", teams=TEAM))
    with publisher(acme) as desk:
        job = job_of(acme, asks(desk, model="x", source="lab", reference="models:/x/1"))
    named(acme, lab=SourceSettings("mlflow", "https://lab.example", teams="sound"))
    with pytest.raises(SealiftError) as caught:
        done(acme, job)
    assert caught.value.code == "no-named-source"


def test_g2_263_a_credential_is_given_to_its_own_source_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a worker signs in with elsewhere goes to no source with a name."""
    everybodys = {
        "MLFLOW_TRACKING_USERNAME": "everybody",
        "MLFLOW_TRACKING_PASSWORD": "everybodys-word",
        "MLFLOW_TRACKING_TOKEN": "everybodys-token",
        "HOME": "/home/of-the-worker",
    }
    own = {
        "SEALIFT_CREDENTIAL_LAB_TOKEN": "lab-token",
        "SEALIFT_CREDENTIAL_GIT_USERNAME": "git-user",
        "SEALIFT_CREDENTIAL_GIT_PASSWORD": "git@word",
    }
    for name, value in {**everybodys, **own}.items():
        monkeypatch.setenv(name, value)
    given: list[tuple[dict[str, str], dict[str, Any]]] = []

    def ask(worker: Worker, _call: str, request: dict[str, Any], *_: object, work: Path) -> None:
        given.append((scrubbed(work, worker.carry, worker.given), request))
        raise FailedError("asked", "It was asked.", next_step="Nothing.")

    monkeypatch.setattr(mlflow_source, "ask", ask)
    monkeypatch.setattr(dvc_source, "ask", ask)
    sources = {
        "lab": SourceSettings("mlflow", "https://lab.example", "", "LAB", "*"),
        "open": SourceSettings("mlflow", "https://open.example", "", "", "*"),
        "git": SourceSettings("dvc", "https://git.example/models", "", "GIT", "*"),
    }
    for name, reference in (("lab", "models:/x/1"), ("open", "models:/x/1"), ("git", "x")):
        found = source(sources, TEAM, NamedReference(name, reference), {**everybodys, **own})
        with pytest.raises(FailedError):
            found.fetch(tmp_path / name, quiet)
    (lab, _), (open_, _), (git, asked) = given
    assert lab["MLFLOW_TRACKING_TOKEN"] == "lab-token"
    assert "lab-token" not in {*open_.values(), *git.values()}
    for one in (lab, open_, git):
        assert not {*everybodys.values()} & {*one.values()}
        assert not [name for name in one if name.startswith("SEALIFT_CREDENTIAL")]
    assert asked["repository"] == "https://git-user:git%40word@git.example/models"
    assert asked["shown"] == "https://git.example/models"
    missing = NamedReference("lab", "models:/x/1")
    assert code(lambda: source(sources, TEAM, missing, everybodys)) == "no-credential"


# ---------------------------------------------------------------------- conversions


def test_g2_264_variants_are_asked_for_a_job_each(hub: Acme) -> None:
    place = f"/versions/{MODEL}/2/conversions"
    with publisher(hub) as desk:
        targets = ["cpu-x86_64", "cpu-aarch64", "cpu-x86_64"]
        answer = asks(desk, place, hardware_targets=targets, priority=1)
        assert answer.status_code == 202, answer.json()
        jobs = answer.json()["jobs"]
        assert [(one["kind"], one["queue"], one["new"]) for one in jobs] == [
            ("convert", "cpu-x86_64", True),
            ("convert", "cpu-aarch64", True),
        ]
        for path, said, wrong in (
            (place, {"hardware_targets": ["abacus"]}, "hardware-target-unknown"),
            (place, {"hardware_targets": []}, "bad-body"),
            (place, {"hardware_targets": ["cpu-x86_64"], "priority": 0}, "bad-body"),
            (place, {"hardware_targets": ["cpu-x86_64"], "like": "x"}, "bad-body"),
            (
                f"/versions/{MODEL}/9/conversions",
                {"hardware_targets": ["cpu-x86_64"]},
                "no-version",
            ),
        ):
            refused = asks(desk, path, **said)
            assert refused.json()["code"] == wrong, refused.json()
    assert [one.type for one in entries(hub)].count("job.asked") == 2


def test_g2_265_only_publishers_of_the_team_ask(hub: Acme) -> None:
    hub.add_team("sound", {name: hub.new_key(name) for name in ("hans", "ines")})
    grants = (Grant("viewer"), Grant("operator"), Grant("publisher", team="sound"))
    opened = signed_in(hub, "vera", *grants)
    with served(hub, Gatekeeper(hub.app.hub)) as client:
        desk = Desk(client, hub, "vera", opened.secret)
        ingest = asks(desk, model="x", source="lab", reference="models:/x/1")
        convert = asks(desk, f"/versions/{MODEL}/1/conversions", hardware_targets=["cpu-x86_64"])
        no_key = client.post(
            f"/api/v1/versions/{MODEL}/1/conversions",
            json={"hardware_targets": ["cpu-x86_64"]},
            headers=desk.headers,
        )
    assert [one.status_code for one in (ingest, convert, no_key)] == [403, 403, 403]
    with publisher(hub) as desk:
        no_key = desk.client.post(
            f"/api/v1/versions/{MODEL}/1/conversions",
            json={"hardware_targets": ["cpu-x86_64"]},
            headers=desk.headers,
        )
    assert (no_key.status_code, no_key.json()["code"]) == (400, "once-key-needed")
    assert "job.asked" not in hub.types()
