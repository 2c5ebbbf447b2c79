"""Real places that models come from: an MLflow server, its sqlite store, a DVC repository.

The fixtures are made once a session, and only if a test asks. A conftest.py makes them known by
importing them. Tests that ask for `mlflow_server` name the xdist group "mlflow", so that one
server serves them all.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from tests.s3_server import S3Server

TRAINER = Path(__file__).with_name("train_into_mlflow.py")
STARTS_WITHIN = 180
"""Seconds; a server takes 6 to 90 on two cores."""

MLFLOW_PASSWORD = {
    "MLFLOW_TRACKING_USERNAME": "admin",
    "MLFLOW_TRACKING_PASSWORD": "a-password-of-tests",
}
"""What the server with a password wants; MLflow asks for at least twelve characters."""

GIT_WHO = ("-c", "user.name=Sealift", "-c", "user.email=tests@sealift.invalid")


def train_into_mlflow(tracking_uri: str, artifacts: Path | None = None) -> None:
    """Register the models that train_into_mlflow.py describes."""
    folder = [str(artifacts)] if artifacts else []
    _run(sys.executable, str(TRAINER), tracking_uri, *folder)


@contextmanager
def serving_mlflow(folder: Path, s3: S3Server | None = None) -> Iterator[str]:
    """An MLflow tracking server that keeps everything in `folder`; its address.

    With `s3` it asks for a password (`MLFLOW_PASSWORD`) and keeps its artifacts there.
    """
    log = folder / "server.log"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "0"]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db"]
    # Without it the server starts nine more processes, for jobs that nobody gives it.
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    if s3:
        s3.bucket("models")
        command += ["--artifacts-destination", "s3://models/proxied", "--app-name", "basic-auth"]
        environment |= s3.environment | _asking_for_a_password(folder)
    else:
        command += ["--artifacts-destination", str(folder / "artifacts")]
    with log.open("wb") as words:
        server = subprocess.Popen(
            command, env=environment, stdout=words, stderr=words, start_new_session=True
        )
    try:
        yield _address(server, log)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _asking_for_a_password(folder: Path) -> dict[str, str]:
    settings = folder / "auth.ini"
    who, password = MLFLOW_PASSWORD.values()
    settings.write_text(
        "[mlflow]\ndefault_permission = NO_PERMISSIONS\n"
        f"database_uri = sqlite:///{folder}/auth.db\n"
        f"admin_username = {who}\nadmin_password = {password}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    return {"MLFLOW_AUTH_CONFIG_PATH": str(settings), "MLFLOW_FLASK_SERVER_SECRET_KEY": "tests"}


def register_in_mlflow(tracking_uri: str, model: Path, s3: S3Server) -> None:
    """Register the models that register_in_mlflow.py describes."""
    script = str(TRAINER.with_name("register_in_mlflow.py"))
    environment = os.environ | s3.environment | MLFLOW_PASSWORD
    _run(sys.executable, script, tracking_uri, str(model), environment=environment)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server says that it listens, once it does."""
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        said = re.search(r"running on (http://127\.0\.0\.1:\d+)", log.read_text("utf-8", "replace"))
        if said:
            return said.group(1)
        time.sleep(0.2)
    pytest.fail(f"mlflow server did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow server, with the models of train_into_mlflow.py."""
    with serving_mlflow(tmp_path_factory.mktemp("mlflow-server")) as address:
        train_into_mlflow(address)
        yield address


@pytest.fixture(scope="session")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sqlite URI of a real MLflow store, with the models of train_into_mlflow.py."""
    folder = tmp_path_factory.mktemp("mlflow-store")
    uri = f"sqlite:///{folder}/mlflow.db"
    train_into_mlflow(uri, folder / "artifacts")
    return uri


@dataclass(frozen=True)
class DvcRepository:
    """A Git repository with DVC and a remote that is a directory, given relative to it.

    Attributes:
        path: of the repository, with nothing in its cache: it reads from the remote.
        remote: the directory.
        commit: that the tag `v1` names.
    """

    path: Path
    remote: Path
    commit: str

    def copied(self, folder: Path) -> DvcRepository:
        """The same in `folder`, to be damaged."""
        shutil.copytree(self.path.parent, folder)
        return DvcRepository(folder / self.path.name, folder / self.remote.name, self.commit)

    def object(self, md5: str) -> Path:
        """Where the remote keeps the content with this digest."""
        return self.remote / "files" / "md5" / md5[:2] / md5[2:]


def make_dvc_repository(
    folder: Path, contents: Mapping[str, Path], s3: S3Server | None = None
) -> DvcRepository:
    """Add files and folders to DVC under the given paths, push and tag them as `v1`.

    It also has a metric and a parameter, and in GTO's registry each content under its own name,
    with - for the dot, as the version v1.0.0 and in the stage `prod`. With `s3`, the remote is
    there, and its credentials are in `.dvc/config.local`, which Git ignores.
    """
    repository, remote = folder / "repository", folder / "remote"
    repository.mkdir(parents=True)
    remote.mkdir()
    git = ("git", *GIT_WHO)
    dvc = (sys.executable, "-m", "dvc")
    _run("git", "init", "-q", "-b", "main", ".", cwd=repository)
    _run(*dvc, "init", "-q", cwd=repository)
    settings, local = "    url = ../../remote\n", ""
    if s3:
        remote = s3.bucket("models") / "dvc"
        settings = f"    url = s3://models/dvc\n    endpointurl = {s3.endpoint}\n"
        local = f"    access_key_id = {s3.key}\n    secret_access_key = {s3.secret}\n"
        (repository / ".dvc" / "config.local").write_text(f"['remote \"store\"']\n{local}")
    (repository / ".dvc" / "config").write_text(
        f"[core]\n    remote = store\n['remote \"store\"']\n{settings}"
    )
    for path, content in contents.items():
        target = repository / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if content.is_dir() else shutil.copyfile)(content, target)
        _run(*dvc, "add", "-q", path, cwd=repository)
    (repository / "metrics.json").write_text('{"accuracy": 0.9}')
    (repository / "params.yaml").write_text("depth: 3\n")
    names = {PurePosixPath(path).name.replace(".", "-"): path for path in contents}
    artifacts = {name: {"path": path, "labels": ["test"]} for name, path in names.items()}
    about = {"metrics": ["metrics.json"], "params": ["params.yaml"], "artifacts": artifacts}
    (repository / "dvc.yaml").write_text(json.dumps(about))  # which is YAML too
    _run(*git, "add", "-A", cwd=repository)
    _run(*git, "commit", "-q", "-m", "Add models", cwd=repository)
    for tag in ("v1", *(f"{name}@v1.0.0" for name in names), *(f"{name}#prod#1" for name in names)):
        add_tag(repository, tag)
    _run(*dvc, "push", "-q", cwd=repository)
    shutil.rmtree(repository / ".dvc" / "cache")
    commit = _run("git", "rev-parse", "HEAD", cwd=repository).strip()
    return DvcRepository(repository, remote, commit)


def add_tag(repository: Path, name: str, *, annotated: bool = True, at: str = "") -> None:
    """Tag the current commit; `at` a time as Git writes it, where it matters which one."""
    kind = ("-a", "-m", name) if annotated else ()
    when = {"GIT_COMMITTER_DATE": at} if at else {}
    command = ("git", *GIT_WHO, "tag", *kind, name)
    _run(*command, cwd=repository, environment={**os.environ, **when})


@pytest.fixture(scope="session")
def dvc_repository(tmp_path_factory: pytest.TempPathFactory) -> DvcRepository:
    """A real DVC repository with `models/digits` (a folder: XGBoost and its config.json) and
    `models/digits.txt` (LightGBM).
    """
    from tests.models import lightgbm_digits, xgboost_digits

    folder = tmp_path_factory.mktemp("dvc")
    model = folder / "model"
    model.mkdir()
    xgboost_digits(model / "model.ubj")
    (model / "config.json").write_text('{"classes": 10}')
    text = lightgbm_digits(folder / "digits.txt")
    contents = {"models/digits": model, "models/digits.txt": text}
    return make_dvc_repository(folder / "made", contents)


def _run(
    *command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout
