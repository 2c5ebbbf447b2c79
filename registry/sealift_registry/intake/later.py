"""Sources that somebody else reads later: spelled for that, and without what opens a door.

What a job is asked with is kept, and is in the log. A password or a token in it would be, too; it
belongs into the environment of whoever reads.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from sealift_registry.intake import dvc_source, mlflow_source
from sealift_registry.intake.dvc_source import DvcSource
from sealift_registry.intake.mlflow_source import MlflowSource
from sealift_registry.workers.quoting import redacted
from sealift_signing.errors import NotFoundError, UsageError

_HTTP = {"http", "https"}
"""Where a user alone is a secret as well: a token stands in its place."""


def mlflow_later(source: MlflowSource) -> tuple[MlflowSource, bool]:
    """The same, to be read from any folder; and whether only this host has it.

    Raises:
        UsageError: it is spelled wrongly, or holds a password.
        NotFoundError: its store is not there.
    """
    if _opens_a_door(source.tracking_uri):
        shown = redacted(source.tracking_uri)
        raise UsageError(
            "password-in-job",
            f"The address {shown} is given with a password, which a job would keep.",
            subject=shown,
            next_step="Leave it out of the address, and give the worker MLFLOW_TRACKING_USERNAME "
            "and MLFLOW_TRACKING_PASSWORD in its environment.",
        )
    mlflow_source.check_asked(source.model_uri)
    uri = mlflow_source.checked_uri(source.tracking_uri)
    return replace(source, tracking_uri=uri), uri.startswith("sqlite:")


def dvc_later(source: DvcSource) -> tuple[DvcSource, bool]:
    """As `mlflow_later`.

    Raises:
        UsageError: it is spelled wrongly, or holds a password.
        NotFoundError: it is a path, and nothing is there.
    """
    if _opens_a_door(source.repository):
        shown = redacted(source.repository)
        raise UsageError(
            "password-in-job",
            f"The address {shown} is given with a password, which a job would keep.",
            subject=shown,
            next_step="Leave it out of the address, and let Git have it where the worker runs: by "
            "a credential helper, or an SSH key and an address that begins with ssh://.",
        )
    repository = dvc_source.checked_repository(source)
    here = Path(repository).is_absolute()
    if here:
        check_there(Path(repository))
    return replace(source, repository=repository), here


def check_there(path: Path) -> None:
    """Check that something is at `path` by now.

    Raises:
        NotFoundError: nothing is.
    """
    if not path.exists():
        raise NotFoundError(
            "source-not-found",
            f"There is nothing at {path}.",
            subject=str(path),
            next_step="Check the path.",
        )


def _opens_a_door(address: str) -> bool:
    if "://" not in address:
        return False
    parts = urlsplit(address)
    query = f"?{parts.query}"
    token = parts.username is not None and parts.scheme in _HTTP
    return token or parts.password is not None or redacted(query) != query
