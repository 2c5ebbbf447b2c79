"""Talks to MLflow, in a process of its own: importing it takes seconds and 190 MB.

It reads what the registry says and downloads what is not on this machine. No model is loaded, and
of a model's folder only `MLmodel` is read, as plain YAML.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sealift_registry.intake import mlflow_artifacts, origins
from sealift_registry.intake.library_refusals import raise_misled
from sealift_registry.intake.source import spelled
from sealift_registry.intake.yaml_bound import check_size
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.quoting import first_line
from sealift_registry.workers.tight_limits import brief
from sealift_signing.errors import FailedError, NotFoundError, RefusedError

LARGEST_MLMODEL = 4 * 1024**2
ANSWERS_WITHIN = 10
"""Seconds in which a tracking server must say something before we call it slow."""
PATIENCE = "MLFLOW_HTTP_REQUEST_TIMEOUT"
"""As `mlflow_source.PATIENCE`, to be told."""
RUNS = "runs"
"""The scheme of a name for what a run logged."""
BEGINNING = 512
"""Bytes of an answer by which a page for people is told."""

LOUD_TAGS = frozenset({"mlflow.log-model.history"})
"""Says again, at length, what MLmodel says."""


def fetch(request: Document, progress: Progress) -> Document:
    """Look up one model version, and download its files unless they are on this machine.

    Args:
        request: tracking_uri, name, version or alias, and `into`, the folder to download to.
        progress: told of each file.

    Returns:
        `version` (resolved), `details`, and `folder`: a folder on this machine that is to be
        copied, or nothing where the files have been downloaded.
    """
    _check_installed()
    from mlflow.exceptions import MlflowException

    origins.stay()
    try:
        return _fetch(request, progress)
    except MlflowException as bad:
        raise_misled(bad)
        if (status := bad.get_http_status_code()) in {401, 403}:
            what = f"the registered model {request['name']!r} at {request['tracking_uri']}"
            raise mlflow_artifacts.denied(what, status, request["tracking_uri"]) from bad
        raise FailedError(
            "mlflow-failed",
            f"MLflow at {request['tracking_uri']} answered: {first_line(bad)}.",
            subject=request["tracking_uri"],
            next_step="Check the tracking server, and that the address is its own: MLflow's page "
            "opens there in a browser.",
        ) from bad


def _check_installed() -> None:
    try:
        import mlflow
        import yaml
    except ImportError as bad:
        raise FailedError(
            "mlflow-missing",
            f"Reading MLflow needs the package {bad.name}, which is not installed here.",
            subject=str(bad.name),
            next_step="Install it: pip install 'sealift-registry[mlflow]'.",
        ) from bad
    del mlflow, yaml


def _fetch(request: Document, progress: Progress) -> Document:
    from mlflow import MlflowClient, set_registry_uri, set_tracking_uri

    uri = request["tracking_uri"]
    _check_reachable(uri, request.get("patience") or ANSWERS_WITHIN)
    set_tracking_uri(uri)  # the artifact repositories ask the global, not the client
    set_registry_uri(uri)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    with brief():
        version = _find_version(client, request)
        logged = _logged_model(client, version)
        location = logged.artifact_location if logged else _location(client, version)
        folder = _local_folder(location, uri)
    if folder is None:
        mlflow_artifacts.download(location, uri, Path(request["into"]), progress)
    with brief():
        details = _details(client, version, logged)
        details["mlmodel"] = _mlmodel(folder or Path(request["into"]))
        answer = {"version": str(version.version), "details": spelled(details)}
    return answer if folder is None else answer | {"folder": str(folder)}


def _check_reachable(uri: str, patience: int) -> None:
    """Ask once and briefly, where MLflow itself would retry for minutes."""
    if not uri.startswith(("http://", "https://")):
        return
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        ask_once = {"max_retries": 0, "timeout": patience, "raise_on_status": False}
        credentials = get_default_host_creds(uri)
        with http_request(credentials, "/health", "GET", stream=True, **ask_once) as answer:
            begun = next(answer.iter_content(BEGINNING), b"")
    except MlflowException as bad:
        raise_misled(bad)
        cause = type(bad.__cause__ or bad.__context__ or bad).__name__
        if "Timeout" in cause or "timed out" in str(bad):
            raise _slow(uri, patience) from bad
        raise FailedError(
            "mlflow-unreachable",
            f"No MLflow tracking server answers at {uri} ({cause}).",
            subject=uri,
            next_step="Check the address, and that the server runs; where its certificate is your "
            "own, set MLFLOW_TRACKING_SERVER_CERT_PATH.",
        ) from bad
    if begun.lstrip().startswith(b"<"):
        raise FailedError(
            "mlflow-sign-in-page",
            f"At {uri} a page for people answers, such as one to sign in on, and no MLflow.",
            subject=uri,
            next_step="Set MLFLOW_TRACKING_TOKEN to a token that whoever runs the server gives "
            "out, or name the address behind that page.",
        )


def _slow(uri: str, patience: int) -> FailedError:
    return FailedError(
        "mlflow-slow",
        f"The MLflow tracking server at {uri} said nothing for {patience} seconds: it is slow, or "
        "something on the way to it is.",
        subject=uri,
        next_step=f"Run the command again; to wait longer, set {PATIENCE} to more seconds.",
    )


def _find_version(client: Any, request: Document) -> Any:  # noqa: ANN401 - MLflow is Any to us
    name, asked = request["name"], request.get("version") or request["alias"]
    model = _or_none(lambda: client.get_registered_model(name))
    if model is None:
        raise NotFoundError(
            "mlflow-model-unknown",
            f"MLflow at {request['tracking_uri']} has no registered model {name!r}.",
            subject=name,
            next_step="Look up the name in MLflow: it distinguishes capitals.",
        )
    number = request.get("version") or model.aliases.get(request["alias"])
    version = number and _or_none(lambda: client.get_model_version(name, str(number)))
    if not version:
        kind = "version" if request.get("version") else "alias"
        known = ", ".join(sorted(model.aliases)) or "none"
        raise NotFoundError(
            f"mlflow-{kind}-unknown",
            f"The MLflow model {name!r} has no {kind} {asked!r}.",
            subject=f"{name}/{asked}",
            next_step=f"Its aliases are: {known}.",
        )
    if version.status != "READY":
        raise NotFoundError(
            "mlflow-version-pending",
            f"Version {version.version} of the MLflow model {name!r} is {version.status}.",
            subject=f"{name}/{version.version}",
            next_step="Wait until MLflow shows it as READY, and ingest again.",
        )
    return version


def _or_none(look_up: Any) -> Any:  # noqa: ANN401 - MLflow is Any to us
    """What `look_up` finds; None where MLflow says that there is no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return look_up()
    except MlflowException as bad:
        if bad.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def _logged_model(client: Any, version: Any) -> Any:  # noqa: ANN401 - MLflow is Any to us
    """MLflow 3's logged model behind `version`; None for one that an older MLflow registered."""
    source = version.source or ""
    found = version.model_id or (
        source.removeprefix("models:/") if source.startswith("models:/m-") else None
    )
    return _or_none(lambda: client.get_logged_model(found)) if found else None


def _location(client: Any, version: Any) -> str:  # noqa: ANN401 - MLflow is Any to us
    """Where the files of a version lie; `runs:/RUN/PATH` is a name, and is looked up.

    Raises:
        NotFoundError: there is no such run any more.
    """
    location = str(client.get_model_version_download_uri(version.name, version.version))
    if urlsplit(location).scheme != RUNS:
        return location
    run_id, _, path = location.removeprefix(f"{RUNS}:").lstrip("/").partition("/")
    run = _or_none(lambda: client.get_run(run_id))
    if run is None:
        raise NotFoundError(
            "mlflow-run-unknown",
            f"Version {version.version} of the MLflow model {version.name!r} is of the run "
            f"{run_id!r}, which is not there.",
            subject=location,
            next_step="Restore the run in MLflow, or register the model again.",
        )
    # Since MLflow 3 what a run logs as a model lies beside the run's own files.
    for output in run.outputs.model_outputs if run.outputs else ():
        logged = _or_none(lambda of=output: client.get_logged_model(of.model_id))
        if logged is not None and logged.name == path:
            return str(logged.artifact_location)
    return f"{str(run.info.artifact_uri).rstrip('/')}/{path}"


def _local_folder(location: str, tracking_uri: str) -> Path | None:
    """The folder on this machine that `location` means; None where it must be downloaded."""
    parts = urlsplit(location)
    if parts.scheme == mlflow_artifacts.PROXIED and not tracking_uri.startswith("http"):
        raise RefusedError(
            "mlflow-proxied-artifacts",
            "This registry's models were stored through a tracking server, and are read from it.",
            subject=location,
            next_step="Give the server's address (http://HOST:PORT) instead of the sqlite store.",
        )
    if parts.scheme not in {"", "file"}:
        return None
    if tracking_uri.startswith("http"):
        # Otherwise whoever runs the server could have us ingest any file of this machine.
        raise RefusedError(
            "mlflow-local-artifacts",
            f"The tracking server says that the model lies at {location}, a path on its own disk.",
            subject=location,
            next_step="Start it with --serve-artifacts (the default) and an "
            "mlflow-artifacts:/ destination, and register the model again.",
        )
    return Path(unquote(parts.path))


def _details(client: Any, version: Any, logged: Any) -> Document:  # noqa: ANN401 - as above
    details: Document = {
        "registered_model": version.name,
        "version": str(version.version),
        "source": version.source,
        "run_id": version.run_id,
        "aliases": sorted(version.aliases),
        "description": version.description,
        "tags": _quiet(version.tags),
        "registered_at_ms": version.creation_timestamp,
    }
    if logged:
        details["model_id"] = logged.model_id
        details["model"] = {
            "params": dict(logged.params or {}),
            "tags": _quiet(logged.tags or {}),
            "metrics": [
                {"name": one.key, "value": one.value, "step": one.step, "dataset": one.dataset_name}
                for one in logged.metrics or ()
            ],
        }
    run = _or_none(lambda: client.get_run(version.run_id)) if version.run_id else None
    if run:
        details["run"] = {
            "metrics": dict(run.data.metrics),
            "params": dict(run.data.params),
            "tags": _quiet(run.data.tags),
        }
    return details


def _quiet(tags: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if name not in LOUD_TAGS}


def _mlmodel(folder: Path) -> Document:
    """What `MLmodel` says: flavours, signature, input example, MLflow's version."""
    import yaml

    path, said = folder / "MLmodel", None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with path.open("rb") as data:
            text = data.read(LARGEST_MLMODEL + 1)
        if len(text) <= LARGEST_MLMODEL:
            check_size(yaml.parse(text, Loader=loader), what=str(path))
            said = yaml.load(text, Loader=loader)  # noqa: S506 - it is the safe one
    except (OSError, yaml.YAMLError, RecursionError) as bad:
        raise _no_mlmodel(folder) from bad
    if not isinstance(said, dict):
        raise _no_mlmodel(folder)
    wanted = ("flavors", "signature", "saved_input_example_info", "mlflow_version", "model_id")
    return {name: said[name] for name in (*wanted, "run_id", "utc_time_created") if name in said}


def _no_mlmodel(folder: Path) -> RefusedError:
    return RefusedError(
        "mlflow-mlmodel",
        "The model has no readable MLmodel file, so it is not one that MLflow logged.",
        subject=str(folder),
        next_step="Log it with MLflow's log_model, and register that.",
    )


if __name__ == "__main__":
    serve({"fetch": fetch})
