"""Reads a DVC repository, in a process of its own, and believes nothing that it has not re-hashed.

DVC does not compare what it reads with the digests in Git: a damaged or swapped object in a remote
would pass. So (1) every file is hashed while it is copied and compared with DVC's digest, and
(2) every directory's list of files is hashed as DVC wrote it and compared with the digest that the
commit holds, since that list is itself an object in the remote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sealift_registry.intake.source import spelled
from sealift_registry.intake.staging import CHUNK, check_name
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.quoting import first_line
from sealift_signing.errors import FailedError, NotFoundError, RefusedError

DIRECTORY = ".dir"
"""How the digest of a directory's list ends."""

HOUSEKEEPING = frozenset({"dvc.lock", "dvc.yaml"})


def fetch(request: Document, progress: Progress) -> Document:
    """Copy what DVC holds at a path and revision into a folder.

    Args:
        request: `repository` (a path or URL), `shown`, `revision`, `path` in the repository, and
            `into`.
        progress: told of each file's bytes.

    Returns:
        `commit`, `details`, and what the remote is.
    """
    _check_installed()
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.scm import RevError

    try:
        url = request["repository"]
        files = DVCFileSystem(url=url, rev=request["revision"], config=_remotes(url))
        _check_remote(files.repo)
        found = _find(files, request)
        _check_lists(files, found)
        copied = [_copy(files, found[name], name, request, progress) for name in sorted(found)]
        return _answer(files.repo, request, copied)
    except RevError as bad:
        raise NotFoundError(
            "dvc-revision-unknown",
            f"The repository {request['shown']} has no revision {request['revision']!r}.",
            subject=request["revision"],
            next_step="Give a tag, a branch or a commit.",
        ) from bad
    except DvcException as bad:
        raise FailedError(
            "dvc-failed",
            f"DVC could not read {request['shown']}: {first_line(bad)}.",
            subject=request["shown"],
            next_step="Check that it is a Git repository with DVC in it, and that "
            "`dvc pull` works there.",
        ) from bad


def _check_installed() -> None:
    try:
        import dvc.api
    except ImportError as bad:
        raise FailedError(
            "dvc-missing",
            f"Reading DVC needs the package {bad.name}, which is not installed here.",
            subject=str(bad.name),
            next_step="Install it: pip install 'sealift-registry[dvc]'.",
        ) from bad
    del dvc


def _remotes(url: str) -> Document:
    """The remotes that a repository on this machine has now, as settings for opening it.

    At a revision DVC reads the settings of then, in which a remote given relative to the
    repository no longer says relative to what; DVC itself mends only the default one of today.
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


def _check_remote(repo: Any) -> None:  # noqa: ANN401 - DVC is Any to us
    remote = _remote(repo)
    if remote and remote.fs.protocol != "local":
        raise RefusedError(
            "dvc-remote-kind",
            f"The DVC remote {remote.name!r} is of the kind {remote.fs.protocol!r}; this version "
            "of Sealift reads remotes that are a directory.",
            subject=str(remote.name),
            next_step="Copy the remote's objects to a directory, and make it the default remote.",
        )


def _remote(repo: Any) -> Any:  # noqa: ANN401 - DVC is Any to us
    """The remote that DVC reads from; None where there is only the repository's own cache."""
    from dvc.config import NoRemoteError

    try:
        return repo.cloud.get_remote()
    except NoRemoteError:
        return None


def _find(files: Any, request: Document) -> dict[str, Document]:  # noqa: ANN401 - DVC is Any
    """What lies at the path: relative name → what DVC says of the file."""
    path = request["path"]
    try:
        top = files.info(path)
        if top["type"] != "directory":
            found = {PurePosixPath(path).name: top}
        else:
            listed = files.find(path, detail=True).items()
            found = {PurePosixPath(at).relative_to(path).as_posix(): one for at, one in listed}
    except FileNotFoundError as bad:
        raise NotFoundError(
            "dvc-path-unknown",
            f"{request['shown']} has no {path!r} at {request['revision']}.",
            subject=path,
            next_step="Give the path of a file or folder that DVC tracks, from the repository's "
            "root.",
        ) from bad
    except Exception as bad:
        raise _unreadable(path, bad) from bad
    found = {name: one for name, one in found.items() if not _is_housekeeping(name, one)}
    for name in found:
        check_name(name)  # it becomes a path on our disk
    return found


def _is_housekeeping(name: str, entry: Document) -> bool:
    """Whether only Git keeps it, for Git's own use or DVC's."""
    last = PurePosixPath(name).name
    ours = last.startswith((".git", ".dvc")) or last.endswith(".dvc") or last in HOUSEKEEPING
    return ours and _digest(entry) is None


def _check_lists(files: Any, found: Mapping[str, Document]) -> None:  # noqa: ANN401 - DVC is Any
    """(2) Every directory that DVC tracks as one and that `found` lies in has the list it signed.

    Raises:
        RefusedError: the list in the remote is not the one that the commit names.
    """
    above = {parent for one in found.values() for parent in PurePosixPath(one["name"]).parents}
    for folder in sorted(map(str, above - {PurePosixPath()})):
        wanted = _digest(files.info(folder))
        if wanted is None or not wanted.endswith(DIRECTORY):
            continue
        entries = [
            {"md5": _digest(one), "relpath": PurePosixPath(at).relative_to(folder).as_posix()}
            for at, one in files.find(folder, detail=True).items()
        ]
        entries.sort(key=lambda entry: str(entry["relpath"]))
        listed = json.dumps(entries, sort_keys=True).encode()  # DVC's own spelling of the list
        if hashlib.md5(listed, usedforsecurity=False).hexdigest() + DIRECTORY != wanted:
            raise _altered(folder + "/", wanted)


def _digest(entry: Document) -> str | None:
    """DVC's digest of a file or directory; None for what only Git tracks."""
    found = (entry.get("dvc_info") or {}).get("entry")
    return found.hash_info.value if found is not None and found.hash_info else None


def _copy(
    files: Any,  # noqa: ANN401 - DVC is Any to us
    entry: Document,
    name: str,
    request: Document,
    progress: Progress,
) -> Document:
    """(1) Copy one file and compare it with its digest.

    Raises:
        RefusedError: its bytes are not the ones that were added to DVC.
        FailedError: the object is in neither the remote nor the cache.
    """
    wanted = _digest(entry)
    target = Path(request["into"]) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, done = hashlib.md5(usedforsecurity=False), 0
    try:
        with files.open(entry["name"], "rb") as data, target.open("xb") as written:
            while piece := data.read(CHUNK):
                written.write(piece)
                digest.update(piece)
                done += len(piece)
                progress(name, done, entry["size"] or 0)
    except OSError as bad:
        raise _unreadable(name, bad) from bad
    if wanted is None:
        return {"path": name, "kept_by": "git"}
    if digest.hexdigest() != wanted and _old_digest(entry, target) != wanted:
        raise _altered(name, wanted)
    return {"path": name, "kept_by": "dvc", "md5": wanted}


def _old_digest(entry: Document, path: Path) -> str | None:
    """The digest as DVC 2 took it of text files, with line ends made Unix's."""
    from dvc.fs import localfs
    from dvc_data.hashfile.hash import file_md5

    kind = entry["dvc_info"]["entry"].hash_info.name
    return str(file_md5(str(path), localfs, name=kind)) if kind == "md5-dos2unix" else None


def _answer(repo: Any, request: Document, copied: list[Document]) -> Document:  # noqa: ANN401
    remote = _remote(repo)
    details: Document = {
        "path": request["path"],
        "revision": request["revision"],
        "remote": {"name": remote.name, "url": remote.path} if remote else None,
        "files": copied,
        "metrics": _shown(repo.metrics),
        "params": _shown(repo.params),
    }
    return {"commit": repo.get_rev(), "details": spelled(details)}


def _shown(kind: Any) -> Document | None:  # noqa: ANN401 - DVC is Any to us
    """The repository's metrics or params by file; None where it has none that can be read."""
    from dvc.exceptions import DvcException

    try:
        by_revision: Document = kind.show()
    except (DvcException, OSError, ValueError):
        return None  # they describe the model and do not make it: no reason to refuse it
    by_file: Document = next(iter(by_revision.values()), {"data": {}}).get("data", {})
    shown = {path: one["data"] for path, one in by_file.items() if "data" in one}
    return shown or None


def _altered(name: str, wanted: str) -> RefusedError:
    return RefusedError(
        "dvc-content-altered",
        f"{name} is not what was added to DVC: its content does not have the MD5 {wanted}.",
        subject=name,
        next_step="The remote or the cache is damaged or was changed: restore it (`dvc push` from "
        "an intact copy), and ingest again.",
    )


def _unreadable(name: str, bad: Exception) -> FailedError:
    return FailedError(
        "dvc-unreadable",
        f"{name} could not be read from the DVC remote: {first_line(bad)}.",
        subject=name,
        next_step="Check that the remote is there and that the version was pushed (`dvc push`).",
    )


if __name__ == "__main__":
    serve({"fetch": fetch})
