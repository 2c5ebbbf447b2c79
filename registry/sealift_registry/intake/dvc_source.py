"""A model in a Git repository with DVC: by its path at a revision, or by its name in GTO."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from sealift_registry.intake.incoming_folder import open_staging, take_stock
from sealift_registry.intake.source import FETCHING, SourceRecord, checked
from sealift_registry.workers.channel import Document, Progress
from sealift_registry.workers.environment import NETWORK, S3
from sealift_registry.workers.runner import Worker, ask
from sealift_signing.errors import UsageError

WORKER = Worker(
    module="sealift_registry.intake.dvc_worker",
    name="the DVC reader",
    limits=FETCHING,
    carry=(*NETWORK, *S3, "SSH_AUTH_SOCK", "GIT_SSH_COMMAND"),
)
_SHORT = 12
"""Hexadecimal digits of a commit that people read."""

_NAME = r"(?P<artifact>(?:[\w./-]+:)?[A-Za-z0-9](?:[\w/-]*[A-Za-z0-9])?)"
_BY_VERSION = re.compile(_NAME + r"@(?P<version>latest|v[0-9][0-9A-Za-z.+-]*)", re.ASCII)
_BY_STAGE = re.compile(_NAME + r"#(?P<stage>[A-Za-z0-9][\w/-]*)", re.ASCII)
_COPIED_BY_SSH = re.compile(r"(?:[^/@:]+@)?(?P<host>[^/@:]+):(?P<path>[^/:].*|/.+)")
"""`git@host:team/models`, which is no URL."""


@dataclass(frozen=True)
class DvcSource:
    """What DVC tracks at one path and revision, or as one artifact of GTO's registry.

    Attributes:
        repository: a path on this machine, or a URL that Git clones.
        path: of the file or folder, from the repository's root; empty with `artifact`.
        revision: a tag, branch or commit; not looked at with `artifact`.
        artifact: `NAME@VERSION`, `NAME@latest` or `NAME#STAGE`, empty with `path`.
    """

    repository: str
    path: str = ""
    revision: str = "HEAD"
    artifact: str = ""

    def fetch(self, into: Path, progress: Progress) -> SourceRecord:
        """Copy the model into `into`; see `Source.fetch`.

        Raises:
            UsageError: the path does not stay in the repository, or the artifact is none.
        """
        return self.fetch_by(WORKER, into, progress)

    def fetch_by(self, worker: Worker, into: Path, progress: Progress) -> SourceRecord:
        """The same, by a reader that was given what it needs to sign in.

        Raises:
            UsageError: as `fetch`.
        """
        repository, shown = _located(self.repository)
        asked = _asked(self)
        open_staging(into)
        request: Document = {
            "repository": repository,
            "shown": shown,
            "revision": self.revision,
            "into": str(into.absolute()),
        }
        answer = ask(worker, "fetch", request | asked, progress, work=into.parent)
        commit, said = answer["commit"], answer["details"].get("artifact")
        alias = self.artifact or self.revision
        name = f"{said['name']} {said['version'] or alias}" if said else self.revision
        record = SourceRecord(
            format=1,
            requires=(),
            kind="dvc",
            locator=f"{shown}@{commit}:{answer['path']}",
            source_version=f"DVC {_named(name, commit)}",
            aliases=() if commit == alias else (alias,),
            details={"repository": shown, "commit": commit} | answer["details"],
            files=tuple(take_stock(into, progress)),
        )
        return checked(record)


def checked_repository(source: DvcSource) -> str:
    """Where Git finds the repository from any folder; that of `source` is spelled as it has to be.

    Raises:
        UsageError: its path does not stay in the repository, or its artifact is none.
    """
    _asked(source)
    return _located(source.repository)[0]


def _asked(source: DvcSource) -> Document:
    return _artifact(source.artifact) if source.artifact else {"path": _inside(source.path)}


def _named(name: str, commit: str) -> str:
    short = commit[:_SHORT]
    return short if name == commit else f"{name} ({short})"


def _artifact(asked: str) -> Document:
    found = _BY_VERSION.fullmatch(asked) or _BY_STAGE.fullmatch(asked)
    if found is None:
        raise UsageError(
            "dvc-artifact",
            f"{asked!r} is not a version or stage of an artifact in GTO's registry.",
            subject=asked,
            next_step="Write NAME@VERSION, NAME@latest or NAME#STAGE, for example fraud@v2.0.0.",
        )
    return found.groupdict()


def _located(repository: str) -> tuple[str, str]:
    """The repository to open, and the one to show and record, which holds no password.

    A `file:` URL is opened as the path that it is: in a clone, a remote given relative to the
    repository would be looked for beside the clone.
    """
    parts = urlsplit(repository)
    if parts.scheme == "file":
        return parts.path, parts.path
    by_ssh = None if "://" in repository else _COPIED_BY_SSH.fullmatch(repository)
    if Path(repository).exists() or not (parts.scheme or by_ssh):
        place = str(Path(repository).resolve())
        return place, place
    if by_ssh:
        return repository, f"{by_ssh['host']}:{by_ssh['path']}"
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
