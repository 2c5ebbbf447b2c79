"""Sources on a network: DVC on a real S3 server, and a real MLflow server that has its files there.

One S3 server, one MLflow server with a password and one repository serve all tests of this module.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sealift_registry.catalog.reference import ModelRef
from sealift_registry.intake.dvc_source import DvcSource
from sealift_registry.intake.mlflow_source import MlflowSource
from sealift_registry.intake.source import SourceRecord
from sealift_signing import shape
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from tests import models
from tests.cutting_off import cutting_off
from tests.registry.hub_fixture import Acme, quiet, taken_in
from tests.s3_server import S3Server, serving_s3
from tests.sources import (
    MLFLOW_PASSWORD,
    DvcRepository,
    make_dvc_repository,
    register_in_mlflow,
    serving_mlflow,
)

pytestmark = pytest.mark.system

SECRETS = ("a-secret-of-tests", "a-password-of-tests", "sealift-tests", "ghp_a_token")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with serving_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.tiny_onnx(tmp_path_factory.mktemp("onnx") / "model.onnx")


@pytest.fixture(scope="module")
def mlflow(s3: S3Server, onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_mlflow(tmp_path_factory.mktemp("mlflow"), s3) as address:
        register_in_mlflow(address, onnx, s3)
        yield address


@pytest.fixture(scope="module")
def dvc(s3: S3Server, onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> DvcRepository:
    folder = tmp_path_factory.mktemp("dvc")
    model = folder / "digits"
    model.mkdir()
    (model / "model.onnx").write_bytes(onnx.read_bytes())
    (model / "config.json").write_text('{"classes": 3}')
    contents = {"models/digits": model, "models/digits.onnx": onnx}
    return make_dvc_repository(folder / "made", contents, s3)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials but those that a test sets; and nobody asks a cloud's metadata service."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def given(monkeypatch: pytest.MonkeyPatch, *sets: Mapping[str, str]) -> None:
    for variables in sets:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)


def from_dvc(
    repository: DvcRepository, into: Path, path: str = "models/digits.onnx"
) -> SourceRecord:
    return DvcSource(str(repository.path), path, "v1").fetch(into, quiet)


def from_mlflow(server: str, model: str, into: Path) -> SourceRecord:
    return MlflowSource(server, f"models:/{model}").fetch(into, quiet)


def holds_no_secret(*said: object) -> bool:
    return not [one for one in SECRETS if one in " ".join(map(str, said))]


def failure(caught: pytest.ExceptionInfo[SealiftError]) -> str:
    """The error's code; whatever it is, it tells no secret and what to do."""
    error = caught.value
    assert holds_no_secret(error.what, error.subject, error.next_step)
    assert error.next_step
    return error.code


# -------------------------------------------------------------------- DVC on S3


def test_dvc_with_its_own_credentials(dvc: DvcRepository, s3: S3Server, tmp_path: Path) -> None:
    record = from_dvc(dvc, tmp_path / "staging", "models/digits")
    assert [file.path for file in record.files] == ["config.json", "model.onnx"]
    remote = {"name": "store", "url": "s3://models/dvc", "endpoint": s3.endpoint}
    assert record.details["remote"] == remote
    assert holds_no_secret(shape.write(record))
    assert not (dvc.path / ".dvc" / "cache").exists()


def test_dvc_with_credentials_of_the_environment(
    dvc: DvcRepository, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a clone, where `.dvc/config.local` is not; by its name in GTO's registry."""
    mine = dvc.copied(tmp_path / "mine")
    (mine.path / ".dvc" / "config.local").unlink()
    with pytest.raises(FailedError) as caught:
        from_dvc(mine, tmp_path / "without")
    assert failure(caught) == "s3-denied"
    given(monkeypatch, s3.environment)
    named = DvcSource(str(mine.path), artifact="digits-onnx#prod").fetch(tmp_path / "with", quiet)
    assert named.locator.endswith(f"@{mine.commit}:models/digits.onnx")
    assert named.aliases == ("digits-onnx#prod",)
    assert holds_no_secret(shape.write(named))


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"secret_access_key": "another-secret-of-tests"}, "s3-denied"),
        ({"access_key_id": "another-id-of-tests"}, "s3-denied"),
        ({"url": "s3://absent/dvc"}, "s3-bucket-unknown"),
        ({"endpointurl": "http://127.0.0.1:9"}, "s3-unreachable"),
        ({"url": "s3://models/another"}, "dvc-unreadable"),
    ],
)
def test_dvc_and_a_remote_that_does_not_give_it(
    dvc: DvcRepository, s3: S3Server, tmp_path: Path, settings: Mapping[str, str], expected: str
) -> None:
    mine = dvc.copied(tmp_path / "mine")
    local = {"access_key_id": s3.key, "secret_access_key": s3.secret} | dict(settings)
    lines = "".join(f"{name} = {value}\n" for name, value in local.items())
    (mine.path / ".dvc" / "config.local").write_text(f"['remote \"store\"']\n{lines}")
    with pytest.raises((FailedError, NotFoundError)) as caught:
        from_dvc(mine, tmp_path / "staging", "models/digits")
    assert failure(caught) == expected
    assert local["secret_access_key"] not in str(caught.value)


@pytest.mark.parametrize("damage", ["content", "list", "gone"])
def test_dvc_and_a_remote_that_was_changed(
    dvc: DvcRepository, s3: S3Server, tmp_path: Path, damage: str
) -> None:
    (listing,) = dvc.remote.rglob("*.dir")
    entries = json.loads(listing.read_bytes())
    found = listing if damage == "list" else dvc.object(entries[1]["md5"])
    before = found.read_bytes()
    try:
        if damage == "gone":
            found.unlink()
        elif damage == "list":
            entries[0]["md5"], entries[1]["md5"] = entries[1]["md5"], entries[0]["md5"]
            found.write_text(json.dumps(entries))
        else:
            found.write_bytes(bytes(len(before)))
        s3.look_again()
        with pytest.raises((RefusedError, FailedError)) as caught:
            from_dvc(dvc, tmp_path / "staging", "models/digits")
    finally:
        found.write_bytes(before)
        s3.look_again()
    assert failure(caught) == ("dvc-unreadable" if damage == "gone" else "dvc-content-altered")
    assert "dvc push" in caught.value.next_step
    again = from_dvc(dvc, tmp_path / "again", "models/digits")
    assert len(again.files) == 2


# -------------------------------------------------------------------- MLflow on S3


@pytest.mark.parametrize("model", ["proxied@champion", "direct/1"])
def test_mlflow(
    mlflow: str,
    s3: S3Server,
    onnx: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
) -> None:
    """Behind the server its password is enough; on S3 the hub reads with its own credentials."""
    given(monkeypatch, MLFLOW_PASSWORD, s3.environment if "direct" in model else {})
    record = from_mlflow(mlflow, model, tmp_path / "staging")
    assert [file.path for file in record.files] == ["MLmodel", "model.onnx", "requirements.txt"]
    assert (tmp_path / "staging" / "model.onnx").read_bytes() == onnx.read_bytes()
    assert record.locator == f"models:/{model[:-9] if '@' in model else 'direct'}/1"
    assert record.details["tracking_uri"] == mlflow
    tags = record.details["run"]["tags"]
    assert tags["mlflow.source.git.repoURL"] == "https://github.invalid/a"
    assert holds_no_secret(shape.write(record))


def test_a_password_in_the_address_is_used_and_not_kept(mlflow: str, tmp_path: Path) -> None:
    who, password = MLFLOW_PASSWORD.values()
    address = mlflow.replace("http://", f"http://{who}:{password}@")
    record = from_mlflow(address, "proxied/1", tmp_path / "staging")
    assert record.details["tracking_uri"] == mlflow
    assert holds_no_secret(shape.write(record))


@pytest.mark.parametrize("password", [None, "another-password-of-tests"])
def test_mlflow_and_a_wrong_password(
    mlflow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str | None
) -> None:
    if password:
        given(monkeypatch, MLFLOW_PASSWORD | {"MLFLOW_TRACKING_PASSWORD": password})
    with pytest.raises(FailedError) as caught:
        from_mlflow(mlflow, "proxied/1", tmp_path / "staging")
    assert failure(caught) == "mlflow-denied"
    assert str(password) not in str(caught.value)
    assert "MLFLOW_TRACKING_USERNAME" in caught.value.next_step


@pytest.mark.parametrize(
    "model, code",
    [
        ("emptied/1", "mlflow-artifact-missing"),
        ("elsewhere/1", "s3-bucket-unknown"),
    ],
)
def test_mlflow_knows_a_model_whose_files_are_gone(
    mlflow: str,
    s3: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    code: str,
) -> None:
    given(monkeypatch, MLFLOW_PASSWORD, s3.environment)
    shutil.rmtree(s3.bucket("models") / "emptied", ignore_errors=True)
    s3.look_again()
    with pytest.raises(NotFoundError) as caught:
        from_mlflow(mlflow, model, tmp_path / "staging")
    assert failure(caught) == code


@pytest.mark.parametrize(
    "wrong, code",
    [
        ({"AWS_SECRET_ACCESS_KEY": "another-secret-of-tests"}, "s3-denied"),
        ({"MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9"}, "s3-unreachable"),
    ],
)
def test_mlflow_and_an_s3_server_that_does_not_give_it(
    mlflow: str,
    s3: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Mapping[str, str],
    code: str,
) -> None:
    given(monkeypatch, MLFLOW_PASSWORD, s3.environment, wrong)
    with pytest.raises(FailedError) as caught:
        from_mlflow(mlflow, "direct/1", tmp_path / "staging")
    assert failure(caught) == code
    assert "another-secret-of-tests" not in str(caught.value)


# -------------------------------------------------------------------- cut half-way


@pytest.mark.socket
@pytest.mark.parametrize("model", ["proxied/1", "direct/1"])
def test_mlflow_and_a_server_that_is_gone_half_way(
    mlflow: str, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    given(monkeypatch, MLFLOW_PASSWORD, s3.environment)
    with cutting_off(s3.endpoint if "direct" in model else mlflow, "model.onnx") as address:
        if "direct" in model:
            monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", address)
        server = mlflow if "direct" in model else address
        with pytest.raises(FailedError) as caught:
            from_mlflow(server, model, tmp_path / "staging")
    assert failure(caught) == ("s3-unreachable" if "direct" in model else "mlflow-artifact-cut")


@pytest.mark.socket
def test_dvc_and_a_server_that_is_gone_half_way(
    dvc: DvcRepository, s3: S3Server, tmp_path: Path
) -> None:
    mine = dvc.copied(tmp_path / "mine")
    (listing,) = dvc.remote.rglob("*.dir")
    md5 = json.loads(listing.read_bytes())[1]["md5"]
    with cutting_off(s3.endpoint, md5[2:]) as address:
        with (mine.path / ".dvc" / "config.local").open("a") as local:
            local.write(f"    endpointurl = {address}\n")
        with pytest.raises(FailedError) as caught:
            from_dvc(mine, tmp_path / "staging", "models/digits")
    assert failure(caught) == "s3-unreachable"


# -------------------------------------------------------------------- the whole way


def test_an_ingestion_that_was_cut_leaves_nothing_and_is_said_again(
    mlflow: str, s3: S3Server, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a server that is not there, and by Ctrl-C when the first bytes have come."""
    given(monkeypatch, MLFLOW_PASSWORD, s3.environment)
    source, model = MlflowSource(mlflow, "models:/direct/1"), ModelRef.parse("vision/tiny")
    before = left_at(acme)
    with monkeypatch.context() as cut:
        given(cut, {"MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9"})
        with pytest.raises(FailedError):
            taken_in(acme.app, source, model, None)
    assert left_at(acme) == before

    def interrupt(path: str, done: int, total: int) -> None:
        assert (path, done) == ("MLmodel", total)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taken_in(acme.app, source, model, None, interrupt)
    assert left_at(acme) == before
    done = taken_in(acme.app, source, model, None)
    assert done.new
    assert done.version.format == "onnx"
    assert not taken_in(acme.app, source, model, None).new
    acme.close()  # as long as it is open, it relies on blobs
    assert not [one for one in (acme.root / "work").rglob("*") if not one.is_dir()]


def left_at(acme: Acme) -> set[Path]:
    """Every file of blobs and work."""
    folders = (acme.root / "blobs", acme.root / "work")
    return {path for folder in folders for path in folder.rglob("*")}
