"""Reads a DVC repository, in a process of its own, and believes nothing that it has not re-hashed.

DVC does not compare what it reads with the digests in Git: a damaged or swapped object in a remote
would pass. So (1) every file is hashed while it is copied and compared with DVC's digest, and
(2) every directory's list of files is hashed as DVC wrote it and compared with the digest that the
commit holds, since that list is itself an object in the remote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sealift_registry.intake import dvc_artifact, dvc_repository, origins, s3_faults, yaml_bound
from sealift_registry.intake.dvc_repository import digest
from sealift_registry.intake.incoming_folder import CAPS, CHUNK, check_name, receive
from sealift_registry.intake.library_refusals import raise_misled
from sealift_registry.intake.source import spelled
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_registry.workers.quoting import first_line
from sealift_registry.workers.tight_limits import brief
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError

DIRECTORY = ".dir"
"""How the digest of a directory's list ends."""

HOUSEKEEPING = frozenset({"dvc.lock", "dvc.yaml"})


def fetch(request: Document, progress: Progress) -> Document:
    """Copy what DVC holds at a path and revision, or under an artifact's name, into a folder.

    Args:
        request: `repository` (a path or URL), `shown`, `into`, and either `revision` and `path` in
            the repository, or `artifact` with `version` or `stage` (see `dvc_artifact.find`).
        progress: told of each file's bytes.

    Returns:
        `commit`, `path`, and `details`.
    """
    _check_installed()
    from dvc.exceptions import DvcException
    from dvc.fs import RemoteMissingDepsError
    from dvc.scm import RevError
    from pygit2 import GitError

    origins.stay()
    origins.stay_without_lfs()
    yaml_bound.of_dvc()
    try:
        return _fetch(request, progress)
    except RevError as bad:
        raise NotFoundError(
            "dvc-revision-unknown",
            f"The repository {request['shown']} has no revision {request['revision']!r}.",
            subject=request["revision"],
            next_step="Give a tag, a branch or a commit.",
        ) from bad
    except RemoteMissingDepsError as bad:
        raise s3_faults.missing("dvc-s3") from bad
    except GitError as bad:
        raise dvc_repository.not_opened(request, first_line(bad)) from bad
    except DvcException as bad:
        raise_misled(bad)
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


def _fetch(request: Document, progress: Progress) -> Document:
    url = request["repository"]
    with brief():
        named = dvc_artifact.find(url, request) if request.get("artifact") else None
        files = dvc_repository.open_at(url, named.commit if named else request["revision"])
        path = dvc_artifact.path_of(files.repo, named) if named else request["path"]
        dvc_repository.check_origins(files.repo, path)
        found = _find(files, path, request)
        _check_lists(files, found)
    copied, left = [], CAPS.size
    for name in sorted(found):
        told = _copy(files, found[name], name, Path(request["into"]), left, progress)
        left -= told.pop("size")
        copied.append(told)
    with brief():
        details = _details(files.repo, copied) | {"path": path}
        details |= named.described(files.repo) if named else {"revision": request["revision"]}
    return {"commit": files.repo.get_rev(), "path": path, "details": spelled(details)}


def _find(files: Any, path: str, request: Document) -> dict[str, Document]:  # noqa: ANN401
    """What lies at `path`: relative name → what DVC says of the file."""
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
        raise _unreadable(files.repo, path, bad) from bad
    found = {name: one for name, one in found.items() if not _is_housekeeping(name, one)}
    for name, entry in found.items():
        check_name(name)  # it becomes a path on our disk
        dvc_repository.check_entry(name, entry)
    return found


def _is_housekeeping(name: str, entry: Document) -> bool:
    """Whether only Git keeps it, for Git's own use or DVC's."""
    last = PurePosixPath(name).name
    ours = last.startswith((".git", ".dvc")) or last.endswith(".dvc") or last in HOUSEKEEPING
    return ours and not entry.get("dvc_info")


def _check_lists(files: Any, found: Mapping[str, Document]) -> None:  # noqa: ANN401 - DVC is Any
    """(2) Every directory that DVC tracks as one and that `found` lies in has the list it signed.

    Raises:
        RefusedError: the list in the remote is not the one that the commit names.
    """
    above = {parent for one in found.values() for parent in PurePosixPath(one["name"]).parents}
    for folder in sorted(map(str, above - {PurePosixPath()})):
        wanted = digest(files.info(folder))
        if wanted is None or not wanted.endswith(DIRECTORY):
            continue
        entries = [
            {"md5": digest(one), "relpath": PurePosixPath(at).relative_to(folder).as_posix()}
            for at, one in files.find(folder, detail=True).items()
        ]
        entries.sort(key=lambda entry: str(entry["relpath"]))
        listed = json.dumps(entries, sort_keys=True).encode()  # DVC's own spelling of the list
        if hashlib.md5(listed, usedforsecurity=False).hexdigest() + DIRECTORY != wanted:
            raise _altered(folder + "/", wanted)


def _copy(
    files: Any,  # noqa: ANN401 - DVC is Any to us
    entry: Document,
    name: str,
    into: Path,
    most: int,
    progress: Progress,
) -> Document:
    """(1) Copy one file and compare it with its digest.

    Raises:
        RefusedError: its bytes are not the ones that were added to DVC, or too many.
        FailedError: the object is in neither the remote nor the cache, or cannot be written here.
    """
    wanted, md5 = digest(entry), hashlib.md5(usedforsecurity=False)

    def pieces() -> Iterator[bytes]:
        done = 0
        for piece in _read(files, entry["name"], name):
            md5.update(piece)
            done += len(piece)
            progress(name, done, entry["size"] or 0)
            yield piece

    size = receive(pieces(), into, name, most)
    if wanted is None:
        origins.check_no_pointer(into / name)
        return {"path": name, "kept_by": "git", "size": size}
    if md5.hexdigest() != wanted and _old_digest(entry, into / name) != wanted:
        raise _altered(name, wanted)
    return {"path": name, "kept_by": "dvc", "md5": wanted, "size": size}


def _read(files: Any, at: str, name: str) -> Iterator[bytes]:  # noqa: ANN401 - DVC is Any to us
    """The bytes of a file, wherever DVC keeps it; whatever goes wrong there, told as ours."""
    try:
        with files.open(at, "rb") as data:
            while piece := data.read(CHUNK):
                yield piece
    except Exception as bad:
        raise _unreadable(files.repo, name, bad) from bad


def _old_digest(entry: Document, path: Path) -> str | None:
    """The digest as DVC 2 took it of text files, with line ends made Unix's."""
    from dvc.fs import localfs
    from dvc_data.hashfile.hash import file_md5

    kind = entry["dvc_info"]["entry"].hash_info.name
    return str(file_md5(str(path), localfs, name=kind)) if kind == "md5-dos2unix" else None


def _details(repo: Any, copied: list[Document]) -> Document:  # noqa: ANN401 - DVC is Any to us
    kept_by_git = dvc_repository.without_data(repo)
    return {
        "remote": dvc_repository.remote(repo),
        "files": copied,
        "metrics": _shown(repo, kept_by_git.metrics),
        "params": _shown(repo, kept_by_git.params),
    }


def _shown(repo: Any, kind: Any) -> Document | None:  # noqa: ANN401 - DVC is Any to us
    """The metrics or params that Git keeps, by file; None where there are none to be read.

    Of what DVC keeps or imports, nobody has compared the digest, nor looked at where it lies.
    """
    from dvc.exceptions import DvcException

    try:
        by_revision: Document = kind.show()
    except (DvcException, OSError, ValueError):
        return None  # they describe the model and do not make it: no reason to refuse it
    by_file: Document = next(iter(by_revision.values()), {"data": {}}).get("data", {})
    kept = [path for path in by_file if repo.fs.exists(repo.fs.join(repo.root_dir, path))]
    shown = {path: by_file[path]["data"] for path in kept if "data" in by_file[path]}
    return shown or None


def _altered(name: str, wanted: str) -> RefusedError:
    return RefusedError(
        "dvc-content-altered",
        f"{name} is not what was added to DVC: its content does not have the MD5 {wanted}.",
        subject=name,
        next_step="The remote or the cache is damaged or was changed: restore it (`dvc push` from "
        "an intact copy), and ingest again.",
    )


def _unreadable(repo: Any, name: str, bad: Exception) -> SealiftError:  # noqa: ANN401 - as above
    raise_misled(bad)
    return dvc_repository.s3_fault(repo, bad) or FailedError(
        "dvc-unreadable",
        f"{name} could not be read from the DVC remote: {first_line(bad)}.",
        subject=name,
        next_step="Check that the remote is there and that the version was pushed (`dvc push`).",
    )


if __name__ == "__main__":
    serve({"fetch": fetch})
