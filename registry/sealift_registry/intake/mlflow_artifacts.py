"""Fetches a model's files from where MLflow keeps them: on S3, or behind its tracking server.

Where that is, the registry says, and so whoever may write to it. Followed are only (1) an address
on the very tracking server that was named on the command line, since its password goes along, and
(2) S3, with the credentials that the hub was given. Files are streamed, and a server that sends
more than it listed, or less, is not believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sealift_registry.intake import s3_faults
from sealift_registry.intake.incoming_folder import CAPS, CHUNK, LEFT_OUT, check_name, receive
from sealift_registry.intake.library_refusals import raise_misled
from sealift_registry.intake.origins import names_server
from sealift_registry.workers.channel import Progress
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError

PROXIED = "mlflow-artifacts"
"""The scheme of what the tracking server itself hands out."""

_DENIED = frozenset({401, 403})
_ABSENT, _FORBIDDEN = 404, 403


def download(location: str, tracking_uri: str, into: Path, progress: Progress) -> None:
    """Download every file below `location` into the folder `into`.

    Raises:
        RefusedError: an address that is not followed, a name or a size that is not let in.
        NotFoundError: there is nothing.
        FailedError: it could not be read, or not be written here.
    """
    check_location(location, tracking_uri)
    repository = _repository(location, tracking_uri)
    found = dict(_listed(repository, location))
    if not found:
        raise _nothing(location)
    left = CAPS.size
    for path, size in found.items():
        left -= _download_one(repository, location, (path, size), into, left, progress)


def check_location(location: str, tracking_uri: str) -> None:
    """(1) and (2).

    Raises:
        RefusedError: the address is neither.
    """
    parts = urlsplit(location)
    elsewhere = parts.netloc and not names_server(parts.netloc, tracking_uri)
    if parts.scheme == PROXIED and elsewhere:
        raise RefusedError(
            "mlflow-artifact-host",
            f"The registry says that the model lies on {parts.netloc}, which is not the tracking "
            "server that you named: your password for that one would go there.",
            subject=location,
            next_step="Name the server that has the model with --tracking, or have it stored on "
            "S3.",
        )
    if parts.scheme not in {PROXIED, "s3"}:
        raise RefusedError(
            "mlflow-artifact-kind",
            f"The model lies at an address of the kind {parts.scheme!r}, from which Sealift does "
            "not read.",
            subject=location,
            next_step="Have MLflow keep its artifacts on S3, or behind the tracking server "
            "(mlflow-artifacts:/), and register the model again.",
        )


def _repository(location: str, tracking_uri: str) -> Any:  # noqa: ANN401 - MLflow is Any to us
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    if urlsplit(location).scheme == "s3":
        try:
            import boto3
        except ImportError as bad:
            raise s3_faults.missing(str(bad.name)) from bad
        del boto3
    return get_artifact_repository(location, tracking_uri=tracking_uri, registry_uri=tracking_uri)


def _listed(repository: Any, location: str) -> Iterator[tuple[str, int | None]]:  # noqa: ANN401
    """Every file with its size, in bytes, where the server says one."""
    folders: list[str | None] = [None]
    seen = 0
    while folders:
        try:
            entries = repository.list_artifacts(folders.pop())
        except Exception as bad:
            raise _unreadable(location, location, bad) from bad
        seen += len(entries)
        if seen > CAPS.files:
            raise _too_many(location)
        for entry in entries:
            if entry.is_dir:
                check_name(entry.path)
                folders.append(entry.path)
            elif entry.path not in LEFT_OUT:
                check_name(entry.path)  # it becomes a path on our disk
                yield entry.path, None if entry.file_size is None else int(entry.file_size)


def _download_one(
    repository: Any,  # noqa: ANN401 - MLflow is Any to us
    location: str,
    listed: tuple[str, int | None],
    into: Path,
    left: int,
    progress: Progress,
) -> int:
    """The number of bytes of one file, which now lies below `into`."""
    path, size = listed

    def pieces() -> Iterator[bytes]:
        done = 0
        for piece in _stream(repository, location, path):
            done += len(piece)
            progress(path, done, size or 0)
            yield piece

    got = receive(pieces(), into, path, left if size is None else min(left, size))
    if size not in {None, got}:
        raise FailedError(
            "mlflow-artifact-cut",
            f"{path} ended after {got:,} of {size:,} bytes.",
            subject=path,
            next_step="Run the command again; nothing was kept.",
        )
    return got


def _stream(repository: Any, location: str, path: str) -> Iterator[bytes]:  # noqa: ANN401 - as above
    """The bytes of one file; whatever goes wrong at the server, told as ours."""
    on_s3 = urlsplit(location).scheme == "s3"
    try:
        yield from _from_s3(repository, path) if on_s3 else _from_server(repository, path)
    except Exception as bad:
        raise _unreadable(location, path, bad) from bad


def _from_s3(repository: Any, path: str) -> Iterator[bytes]:  # noqa: ANN401 - MLflow is Any to us
    bucket, root = repository.parse_s3_compliant_uri(repository.artifact_uri)
    key = f"{root.rstrip('/')}/{path}" if root.strip("/") else path
    client = repository._get_s3_client()  # noqa: SLF001 - it knows all of MLflow's settings for S3
    # Its own `with` gives what is beneath it, which does not notice a connection that ends early.
    with closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
        yield from body.iter_chunks(CHUNK)


def _from_server(repository: Any, path: str) -> Iterator[bytes]:  # noqa: ANN401 - as above
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    credentials = get_default_host_creds(repository.artifact_uri)
    with http_request(credentials, f"/{path}", "GET", stream=True) as answer:
        answer.raise_for_status()
        yield from answer.iter_content(CHUNK)


def _unreadable(location: str, subject: str, bad: Exception) -> SealiftError:
    import requests

    raise_misled(bad)
    told = s3_faults.as_ours(bad, location)
    if told:
        return told
    answer = bad.response if isinstance(bad, requests.HTTPError) else None
    if answer is not None and answer.status_code in _DENIED:
        return denied(subject, answer.status_code)
    if (answer is not None and answer.status_code == _ABSENT) or _is_absent(bad):
        return _nothing(subject)
    if isinstance(bad, requests.RequestException) and answer is None:
        return FailedError(
            "mlflow-artifact-cut",
            f"The MLflow server stopped answering while it sent {subject} ({type(bad).__name__}).",
            subject=subject,
            next_step="Check that it runs, and run the command again; nothing was kept.",
        )
    return FailedError(
        "mlflow-artifact-unreadable",
        f"{subject} could not be read from where MLflow keeps it: {first_line(bad)}.",
        subject=subject,
        next_step="Check that MLflow itself can show the model's files, and run the command again; "
        "nothing was kept.",
    )


def _is_absent(bad: Exception) -> bool:
    """Whether an S3 server said that there is no such object."""
    said = getattr(bad, "response", None)
    code = said.get("Error", {}).get("Code") if isinstance(said, dict) else None
    return code in {"NoSuchKey", str(_ABSENT)}


def denied(what: str, status: int, subject: str = "") -> FailedError:
    """The error where the tracking server does not take who asks, or not for that."""
    who = "whoever we are signed in as has no right to read it"
    said = who if status == _FORBIDDEN else "it does not take the name and password, or token"
    need = "Have whoever runs it grant READ on that to the account of MLFLOW_TRACKING_USERNAME"
    other = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    return FailedError(
        "mlflow-denied",
        f"The MLflow server lets us read nothing of {what}: {said} (HTTP status {status}).",
        subject=subject or what,
        next_step=f"{need}, or {other}, of somebody who may read it.",
    )


def _nothing(subject: str) -> NotFoundError:
    return NotFoundError(
        "mlflow-artifact-missing",
        f"MLflow knows the model, and there is nothing at {subject}.",
        subject=subject,
        next_step="Its files were deleted or moved: restore them, or register the model again.",
    )


def _too_many(location: str) -> RefusedError:
    return RefusedError(
        "source-too-big",
        f"The model has more than {CAPS.files:,} files.",
        subject=location,
        next_step="Register a folder that holds only the model.",
    )
