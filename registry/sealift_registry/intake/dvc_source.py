"""A model in a Git repository with DVC, at a revision, by its path there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from sealift_registry.intake.source import SourceRecord, checked
from sealift_registry.intake.staging import open_staging, take_stock
from sealift_registry.workers.channel import Document, Progress
from sealift_registry.workers.environment import NETWORK
from sealift_registry.workers.runner import Limits, Worker, ask
from sealift_signing.errors import UsageError

WORKER = Worker(
    module="sealift_registry.intake.dvc_worker",
    name="the DVC reader",
    limits=Limits(seconds=3600),
    carry=(*NETWORK, "SSH_AUTH_SOCK", "GIT_SSH_COMMAND"),
)
_SHORT = 12
"""Hexadecimal digits of a commit that people read."""


@dataclass(frozen=True)
class DvcSource:
    """What DVC tracks at one path and revision.

    Attributes:
        repository: a path on this machine, or a URL that Git clones.
        path: of the file or folder, from the repository's root.
        revision: a tag, branch or commit.
    """

    repository: str
    path: str
    revision: str = "HEAD"

    def fetch(self, into: Path, progress: Progress) -> SourceRecord:
        """Copy the model into `into`; see `Source.fetch`.

        Raises:
            UsageError: the path does not stay in the repository.
        """
        repository, shown = _located(self.repository)
        path = _inside(self.path)
        open_staging(into)
        request: Document = {
            "repository": repository,
            "shown": shown,
            "revision": self.revision,
            "path": path,
            "into": str(into.absolute()),
        }
        answer = ask(WORKER, "fetch", request, progress, work=into.parent)
        commit = answer["commit"]
        resolved = commit == self.revision
        name = commit[:_SHORT] if resolved else f"{self.revision} ({commit[:_SHORT]})"
        record = SourceRecord(
            format=1,
            requires=(),
            kind="dvc",
            locator=f"{shown}@{commit}:{path}",
            source_version=f"DVC {name}",
            aliases=() if resolved else (self.revision,),
            details={"repository": shown, "commit": commit} | answer["details"],
            files=tuple(take_stock(into, progress)),
        )
        return checked(record)


def _located(repository: str) -> tuple[str, str]:
    """The repository to open, and the one to show and record, which holds no password.

    A `file:` URL is opened as the path that it is: in a clone, a remote given relative to the
    repository would be looked for beside the clone.
    """
    parts = urlsplit(repository)
    if parts.scheme == "file":
        return parts.path, parts.path
    if not parts.scheme or Path(repository).exists():
        place = str(Path(repository).resolve())
        return place, place
    host = parts.netloc.rpartition("@")[2]
    return repository, urlunsplit((parts.scheme, host, parts.path, "", ""))


def _inside(path: str) -> str:
    parts = Path(path).parts
    if not parts or Path(path).is_absolute() or ".." in parts:
        raise UsageError(
            "dvc-path",
            f"{path!r} is not a path inside the repository.",
            subject=path,
            next_step="Give the path from the repository's root, for example models/digits.",
        )
    return Path(path).as_posix()
