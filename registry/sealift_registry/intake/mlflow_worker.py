"""Talks to MLflow, in a process of its own: importing it takes seconds and 190 MB.

It reads what the registry says and downloads what is not on this machine. No model is loaded, and
of a model's folder only `MLmodel` is read, as plain YAML.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sealift_registry.intake.source import spelled
from sealift_registry.intake.staging import CAPS, LEFT_OUT, check_name
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import FailedError, NotFoundError, RefusedError

LARGEST_MLMODEL = 4 * 1024**2
ANSWERS_WITHIN = 10
"""Seconds in which a tracking server must say something before we call it unreachable."""

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

    try:
        return _fetch(request, progress)
    except MlflowException as bad:
        raise FailedError(
            "mlflow-failed",
            f"MLflow at {request['shown_uri']} answered: {first_line(bad)}.",
            subject=request["shown_uri"],
            next_step="Check the tracking server and, where it asks for them, "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_TOKEN.",
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
    _check_reachable(uri, request["shown_uri"])
    set_tracking_uri(uri)  # the artifact repositories ask the global, not the client
    set_registry_uri(uri)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    version = _find_version(client, request)
    logged = _logged_model(client, version)
    location = logged.artifact_location if logged else _download_location(client, version)
    folder = _local_folder(location, uri)
    if folder is None:
        _download(location, uri, Path(request["into"]), progress)
    details = _details(client, version, logged)
    details["mlmodel"] = _mlmodel(folder or Path(request["into"]))
    answer = {"version": str(version.version), "details": spelled(details)}
    return answer if folder is None else answer | {"folder": str(folder)}


def _check_reachable(uri: str, shown: str) -> None:
    """Ask once and briefly, where MLflow itself would retry for minutes."""
    if not uri.startswith(("http://", "https://")):
        return
    import requests

    try:
        requests.get(uri.rstrip("/") + "/health", timeout=ANSWERS_WITHIN, stream=True).close()
    except requests.RequestException as bad:
        raise FailedError(
            "mlflow-unreachable",
            f"No MLflow tracking server answers at {shown} ({type(bad).__name__}).",
            subject=shown,
            next_step="Check the address, and that the server runs.",
        ) from bad


def _find_version(client: Any, request: Document) -> Any:  # noqa: ANN401 - MLflow is Any to us
    name, asked = request["name"], request.get("version") or request["alias"]
    model = _or_none(lambda: client.get_registered_model(name))
    if model is None:
        raise NotFoundError(
            "mlflow-model-unknown",
            f"MLflow at {request['shown_uri']} has no registered model {name!r}.",
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


def _download_location(client: Any, version: Any) -> str:  # noqa: ANN401 - MLflow is Any to us
    return str(client.get_model_version_download_uri(version.name, version.version))


def _local_folder(location: str, tracking_uri: str) -> Path | None:
    """The folder on this machine that `location` means; None where it must be downloaded."""
    parts = urlsplit(location)
    if parts.scheme == "mlflow-artifacts" and not tracking_uri.startswith("http"):
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


def _download(location: str, uri: str, into: Path, progress: Progress) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(location, tracking_uri=uri, registry_uri=uri)
    found = list(islice(_listed(repository, None), CAPS.files + 1))
    if len(found) > CAPS.files:
        raise RefusedError(
            "source-too-big",
            f"The model has more than {CAPS.files:,} files.",
            subject=location,
            next_step="Register a folder that holds only the model.",
        )
    for path, _ in found:
        check_name(path)  # it becomes a path on our disk
    for path, size in found:
        progress(path, 0, size)
        repository.download_artifacts(path, dst_path=str(into))
        progress(path, size, size)


def _listed(
    repository: Any,  # noqa: ANN401 - MLflow is Any to us
    folder: str | None,
) -> Iterator[tuple[str, int]]:
    for found in repository.list_artifacts(folder):
        if found.is_dir:
            check_name(found.path)
            yield from _listed(repository, found.path)
        elif found.path not in LEFT_OUT:
            yield found.path, int(found.file_size or 0)


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

    path = folder / "MLmodel"
    try:
        with path.open("rb") as data:
            text = data.read(LARGEST_MLMODEL + 1)
        said = yaml.safe_load(text) if len(text) <= LARGEST_MLMODEL else None
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
