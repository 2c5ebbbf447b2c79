"""A model version of an MLflow 3 registry, by number or by alias."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from sealift_registry.intake.incoming_folder import copy_tree, open_staging, take_stock
from sealift_registry.intake.source import FETCHING, SourceRecord, checked
from sealift_registry.workers.channel import Document, Progress
from sealift_registry.workers.environment import NETWORK, S3
from sealift_registry.workers.quoting import redacted
from sealift_registry.workers.runner import Worker, ask
from sealift_signing.errors import NotFoundError, UsageError

_BY_VERSION = re.compile(r"models:/(?P<name>[^/@:]+)/(?P<version>[1-9][0-9]*)")
_BY_ALIAS = re.compile(r"models:/(?P<name>[^/@:]+)@(?P<alias>[^/@:]+)")
_SQLITE_MAGIC = b"SQLite format 3\x00"

PATIENCE = "MLFLOW_HTTP_REQUEST_TIMEOUT"
"""MLflow's own setting for how many seconds it waits for an answer."""
WORKER = Worker(
    module="sealift_registry.intake.mlflow_worker",
    name="the MLflow reader",
    limits=FETCHING,
    carry=(
        *NETWORK,
        *S3,
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_TRACKING_INSECURE_TLS",
        "MLFLOW_TRACKING_SERVER_CERT_PATH",
        "MLFLOW_TRACKING_CLIENT_CERT_PATH",
        "MLFLOW_S3_ENDPOINT_URL",
        "MLFLOW_S3_IGNORE_TLS",
        "MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE",
    ),
    given={
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        PATIENCE: "60",
    },
    absent=("pandas",),
)


@dataclass(frozen=True)
class MlflowSource:
    """One version in an MLflow registry.

    Attributes:
        tracking_uri: of the server (`http://…`) or of its sqlite store (`sqlite:///…`).
        model_uri: `models:/NAME/VERSION` or `models:/NAME@ALIAS`.
    """

    tracking_uri: str
    model_uri: str

    def fetch(self, into: Path, progress: Progress) -> SourceRecord:
        """Copy or download the model into `into`; see `Source.fetch`.

        Raises:
            UsageError: one of the two addresses is not spelled as above.
        """
        worker = replace(WORKER, given={**WORKER.given, **_password(self.tracking_uri)})
        return self.fetch_by(worker, into, progress)

    def fetch_by(self, worker: Worker, into: Path, progress: Progress) -> SourceRecord:
        """The same, by a reader that was given what it needs to sign in.

        Raises:
            UsageError: as `fetch`.
        """
        asked = _parse(self.model_uri)
        uri = checked_uri(self.tracking_uri)
        open_staging(into)
        request: Document = {"tracking_uri": uri, "into": str(into.absolute())}
        if patience := _patience():
            request["patience"] = patience
            worker = replace(worker, given={**worker.given, PATIENCE: str(patience)})
        answer = ask(worker, "fetch", request | asked, progress, work=into.parent)
        if "folder" in answer:
            files = copy_tree(Path(answer["folder"]), into, progress)
        else:
            files = take_stock(into, progress)
        record = SourceRecord(
            format=1,
            requires=(),
            kind="mlflow",
            locator=f"models:/{asked['name']}/{answer['version']}",
            source_version=f"MLflow v{answer['version']}",
            aliases=(asked["alias"],) if "alias" in asked else (),
            details={"tracking_uri": uri} | answer["details"],
            files=tuple(files),
        )
        return checked(record)


def _patience() -> int:
    """For how many seconds somebody chose to wait for an answer; 0 where nobody did."""
    given = os.environ.get(PATIENCE, "")
    return int(given) if given.isdecimal() else 0


def check_asked(model_uri: str) -> None:
    """Check that `model_uri` names a model version.

    Raises:
        UsageError: it does not.
    """
    _parse(model_uri)


def name_of(model_uri: str) -> str:
    """The name of the registered model at an address.

    Raises:
        UsageError: it is the address of no model version.
    """
    return _parse(model_uri)["name"]


def _parse(model_uri: str) -> dict[str, str]:
    found = _BY_VERSION.fullmatch(model_uri) or _BY_ALIAS.fullmatch(model_uri)
    if found is None:
        raise UsageError(
            "mlflow-model-uri",
            f"{model_uri!r} is not the address of a model version in MLflow.",
            subject=model_uri,
            next_step="Write models:/NAME/VERSION or models:/NAME@ALIAS.",
        )
    return found.groupdict()


def _password(tracking_uri: str) -> dict[str, str]:
    """User and password of the address, as variables: within it they would be quoted in errors."""
    parts = urlsplit(tracking_uri)
    if not parts.username or not parts.password:
        return {}
    return {
        "MLFLOW_TRACKING_USERNAME": unquote(parts.username),
        "MLFLOW_TRACKING_PASSWORD": unquote(parts.password),
    }


def checked_uri(tracking_uri: str) -> str:
    """The address to use, show and record, which holds no password.

    Raises:
        UsageError: it is none that is read.
        NotFoundError: a sqlite store that is not there; MLflow would make an empty one.
    """
    parts = urlsplit(tracking_uri)
    if parts.scheme in {"http", "https"} and parts.hostname:
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    if not tracking_uri.startswith("sqlite:///"):
        raise UsageError(
            "mlflow-tracking-uri",
            f"{redacted(tracking_uri)!r} is not an MLflow tracking address that Sealift reads.",
            subject=redacted(tracking_uri),
            next_step="Give the server as http://HOST:PORT, or its store as sqlite:///PATH.",
        )
    store = Path(tracking_uri.removeprefix("sqlite:///")).absolute()
    try:
        with store.open("rb") as data:
            is_store = data.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError:
        is_store = False
    if not is_store:
        raise NotFoundError(
            "mlflow-store-not-found",
            f"There is no SQLite database at {store}.",
            subject=str(store),
            next_step="Check the path: sqlite:/// is followed by a path, so an absolute one "
            "has four slashes.",
        )
    return f"sqlite:///{store}"
