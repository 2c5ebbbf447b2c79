"""A Git repository with DVC in it, opened at a commit: what it may make us read, and from where.

Whoever may push to the repository writes DVC's settings, and DVC does what they say. So (1) no
setting may name a file that could name a program, (2) nothing is read whose digest is not in the
commit: DVC would fetch an import without one from any address, or from this machine's own disk,
(3) files come from the kinds of remote that were tried, and from no other, and (4) there is one
repository: what the commit says of another one, whose settings nobody looked at, leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from sealift_registry.intake import s3_faults
from sealift_registry.intake.library_refusals import MisledError
from sealift_registry.workers.channel import Document
from sealift_registry.workers.quoting import redacted
from sealift_signing.drawing import pasted
from sealift_signing.errors import FailedError, RefusedError, SealiftError

READABLE = frozenset({"local", "s3"})
"""Protocols of the remotes that files are read from."""

_OF_A_PROGRAM = ("configpath", "credentialpath")
"""Settings that name a file of AWS's, in which `credential_process` names a program to run."""


def open_at(url: str, revision: str) -> Any:  # noqa: ANN401 - DVC is Any to us
    """DVC's file system of the repository at `url` as it was at `revision`.

    From then on this process opens no other repository (4).

    Raises:
        RefusedError: its settings could run a program (1).
        DvcException: it cannot be opened, or has no such revision.
    """
    from dvc.api import DVCFileSystem

    files = DVCFileSystem(url=url, rev=revision, config=_remotes(url))
    _check_settings(files.repo.config["remote"])
    _open_no_other()
    return files


def _open_no_other() -> None:
    """(4) Whatever DVC is asked of an import from another repository is a refusal."""
    from dvc.repo import Repo

    def refused(url: object = None, *_given: object, **_named: object) -> NoReturn:
        raise MisledError(
            "dvc-import",
            f"The commit points to another repository, {redacted(str(url))}, which is not read.",
            subject=redacted(str(url)),
            next_step="Ingest from that repository itself; or track a copy here with `dvc add`, "
            "push, and ingest that.",
        )

    Repo.open = refused


def without_data(repo: Any) -> Any:  # noqa: ANN401 - DVC is Any to us
    """`repo`, of which only what Git keeps is read: no cache, no remote and no import is asked."""
    repo.dvcfs.fs.__dict__["_datafss"] = {}  # what would be made when it is first wanted
    return repo


def _remotes(url: str) -> Document:
    """The remotes that a repository on this machine has now, as settings for opening it.

    At a revision DVC reads the settings of then, in which a remote given relative to the
    repository no longer says relative to what; DVC itself mends only the default one of today.
    Also, only now do they hold the credentials in `.dvc/config.local`.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    if not Path(url).is_dir():
        return {}
    try:
        with Repo(url, uninitialized=True) as repo:
            remotes = dict(repo.config["remote"])
    except NotDvcRepoError:
        return {}
    return {"remote": remotes} if remotes else {}


def _check_settings(remotes: Mapping[str, Mapping[str, Any]]) -> None:
    for name, options in remotes.items():
        for option in _OF_A_PROGRAM:
            if options.get(option):
                raise RefusedError(
                    "dvc-remote-option",
                    f"The DVC remote {name!r} sets {option}, a file that may name a program to "
                    "run, and so is not followed.",
                    subject=name,
                    next_step="Remove the option, and name the file for Sealift alone: set "
                    "AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE in its environment.",
                )


def not_opened(request: Document, said: str) -> FailedError:
    """What to tell where libgit2 opens no repository: it is asked for another user's, or damaged.

    Args:
        request: the worker's; see `dvc_worker.fetch`.
        said: libgit2's own words.
    """
    path = pasted([request["shown"]])
    return FailedError(
        "git-not-opened",
        f"Git will not open {request['shown']}: {said}.",
        subject=request["shown"],
        next_step="Where it is another user's repository, and you trust whoever writes there: git "
        f"config --global --add safe.directory {path}. Else check it with: git fsck",
    )


def digest(entry: Document) -> str | None:
    """DVC's digest of a file or directory; None for what only Git tracks."""
    found = (entry.get("dvc_info") or {}).get("entry")
    return found.hash_info.value if found is not None and found.hash_info else None


def check_origins(repo: Any, path: str) -> None:  # noqa: ANN401 - DVC is Any to us
    """(3) What lies at `path` is on remotes that are read, before anything is asked of one.

    Raises:
        RefusedError: not so, or it comes from outside the repository and its remotes.
    """
    wanted = PurePosixPath(path).parts
    for key, storage in repo.index.data["repo"].storage_map.items():
        shared = min(len(key), len(wanted))
        if storage.remote is None or key[:shared] != wanted[:shared]:
            continue
        name, kind = "/".join(key), storage.remote.fs.protocol
        if isinstance(storage.remote, _file_storage()) and storage.remote.read_only:
            raise RefusedError(
                "dvc-import",
                f"{name} was imported from elsewhere, and is not on the repository's own remote.",
                subject=name,
                next_step="Ingest it from where it was imported; or track a copy of it here with "
                "`dvc add`, push, and ingest that.",
            )
        if kind not in READABLE:
            raise RefusedError(
                "dvc-remote-kind",
                f"{name} is kept on a DVC remote of the kind {kind!r}; this version of Sealift "
                "reads remotes that are a directory or on S3.",
                subject=name,
                next_step="Copy the remote's objects to one of the two, and make it the default "
                "remote.",
            )


def _file_storage() -> Any:  # noqa: ANN401 - DVC is Any to us
    from dvc_data.index import FileStorage

    return FileStorage


def check_entry(name: str, entry: Document) -> None:
    """(2) The commit says what the file `name` is.

    Raises:
        RefusedError: it does not.
    """
    if entry.get("dvc_info") and digest(entry) is None:
        raise RefusedError(
            "dvc-no-digest",
            f"The commit holds no digest of {name}, so nobody can tell what it was.",
            subject=name,
            next_step="Run `dvc commit` and `dvc push`, commit to Git, and ingest again.",
        )


def remote(repo: Any) -> Document | None:  # noqa: ANN401 - DVC is Any to us
    """What the default remote is, for the record; None where there is only the cache.

    Of its settings only the two that say where it is, and these without a password.
    """
    from dvc.config import NoRemoteError

    try:
        found = repo.cloud.get_remote()
    except NoRemoteError:
        return None
    options = repo.config["remote"].get(found.name, {})
    local = found.fs.protocol == "local"
    told = {"name": found.name, "url": found.path if local else redacted(str(options["url"]))}
    endpoint = options.get("endpointurl")
    return told | {"endpoint": redacted(str(endpoint))} if endpoint else told


def s3_fault(repo: Any, bad: BaseException) -> SealiftError | None:  # noqa: ANN401 - as above
    """What `bad` says of the S3 server that the default remote is on; None where of none."""
    known = remote(repo)
    place = f"{known['url']}{_at(known)}" if known else "the DVC remote"
    return s3_faults.as_ours(bad, place)


def _at(known: Document) -> str:
    return f" at {known['endpoint']}" if "endpoint" in known else ""
