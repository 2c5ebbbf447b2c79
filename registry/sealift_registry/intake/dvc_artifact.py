"""A model by its name: GTO's registry, which is annotated Git tags and `artifacts` in dvc.yaml.

`digits@v1.2.0` is a tag and names the commit of a version; `digits#prod` is a stage, and
`digits#prod#3` the third tag that moved it. A tag that ends in `!` takes back what the one before
it gave. The path is in the dvc.yaml of that commit. Only annotated tags count, as for GTO: they say
who gave the name, and when.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sealift_registry.workers.channel import Document
from sealift_signing.errors import NotFoundError

LATEST = "latest"


@dataclass(frozen=True)
class ResolvedName:
    """What a name means.

    Attributes:
        artifact: its name, with its folder and a colon before it where that is not the root.
        commit: that it names.
        tag: the annotated tag that says so.
        version: `v1.2.0`; empty where a stage was asked for that no version of the commit has.
        stage: that was asked for, or empty.
    """

    artifact: str
    commit: str
    tag: str
    version: str
    stage: str

    def described(self, repo: Any) -> Document:  # noqa: ANN401 - DVC is Any to us
        """For the record: all of it, and what dvc.yaml says of the artifact."""
        folder, name = repo.artifacts.parse_path(self.artifact)
        said = _in_yaml(repo, folder or "", name)
        told = {"name": self.artifact, "tag": self.tag, "version": self.version}
        told |= {"stage": self.stage} if self.stage else {}
        about = {"type": said.type, "description": said.desc, "labels": said.labels or None}
        return {"artifact": told | about, "revision": self.tag}


def find(url: str, request: Document) -> ResolvedName:
    """The commit that a name means now.

    Args:
        url: of the repository, or its path.
        request: `artifact`, and `version` (`v1.2.0` or `latest`) or `stage`; `shown`.

    Raises:
        NotFoundError: no such version or stage, or it was taken back.
        DvcException: the repository cannot be read.
    """
    from dvc.repo import Repo

    name, stage = request["artifact"], request.get("stage") or ""
    with Repo.open(url, uninitialized=True) as repo:
        given = _in_force(_tags(repo, name))
    found = given.get(f"#{stage}") if stage else _registered(given, request["version"])
    if found is None:
        raise _unknown(request, [f"{name}{slot}" for slot in sorted(given)])
    same = {slot: tag for slot, tag in given.items() if tag.target == found.target}
    version = _greatest(same) if stage else _parsed(found)["version"]
    return ResolvedName(name, found.target, found.name, version, stage)


def _tags(repo: Any, name: str) -> list[Any]:  # noqa: ANN401 - DVC is Any to us
    """The annotated tags of the artifact, oldest first."""
    from gto.tag import find as annotated

    scm = repo.artifacts.scm
    found = annotated(name=name, scm=scm) if scm is not None else []
    # Git's times are whole seconds; of two tags in one, the higher count is the later.
    return sorted(found, key=lambda tag: (tag.tag_time, _parsed(tag).get("counter", 0)))


def _parsed(tag: Any) -> Document:  # noqa: ANN401 - GTO is Any to us
    from gto.tag import parse_name

    said: Document = parse_name(tag.name)
    return said


def _in_force(tags: list[Any]) -> dict[str, Any]:
    """`@version` or `#stage` → the last tag that gave it, unless a later one took it back."""
    from gto.constants import Action

    given: dict[str, Any] = {}
    for tag in tags:
        said = _parsed(tag)
        slot = f"#{said['stage']}" if said.get("stage") else f"@{said.get('version')}"
        if said["action"] in {Action.REGISTER, Action.ASSIGN}:
            given[slot] = tag
        elif said["action"] in {Action.DEREGISTER, Action.UNASSIGN}:
            given.pop(slot, None)
    return given


def _registered(given: Mapping[str, Any], asked: str) -> Any:  # noqa: ANN401 - GTO is Any to us
    """The tag that registered the version `asked`, or the greatest one."""
    return given.get(f"@{_greatest(given) if asked == LATEST else asked}")


def _greatest(given: Iterable[str]) -> str:
    """The greatest of the versions among the slots `given`; empty where there is none."""
    from gto.versions import SemVer

    versions = [slot[1:] for slot in given if slot.startswith("@")]
    return str(max(versions, key=SemVer)) if versions else ""


def path_of(repo: Any, named: ResolvedName) -> str:  # noqa: ANN401 - DVC is Any to us
    """Where the artifact lies in the repository, at the commit that `repo` is opened at.

    Raises:
        NotFoundError: its dvc.yaml does not have it, or says a path outside the repository.
    """
    folder, name = repo.artifacts.parse_path(named.artifact)
    said = _in_yaml(repo, folder or "", name)
    path = posixpath.normpath(posixpath.join(folder or "", str(said.path or "")))
    parts = PurePosixPath(path).parts
    if not said.path or not parts or path.startswith("/") or ".." in parts:
        raise _no_path(named.artifact, f"gives it the path {said.path!r}")
    return path


def _in_yaml(repo: Any, folder: str, name: str) -> Any:  # noqa: ANN401 - DVC is Any to us
    file = posixpath.join(folder, "dvc.yaml")
    found = repo.artifacts.read().get(file, {}).get(name)
    if found is None:
        raise _no_path(name, "does not have it")
    return found


def _no_path(artifact: str, why: str) -> NotFoundError:
    return NotFoundError(
        "dvc-artifact-path",
        f"At the commit of its tag, dvc.yaml {why}: the artifact {artifact!r}.",
        subject=artifact,
        next_step="Add it to dvc.yaml under artifacts, with its path, and register a version of "
        "that commit; or ingest it by --path and --rev.",
    )


def _unknown(request: Document, known: list[str]) -> NotFoundError:
    asked = f"#{request['stage']}" if request.get("stage") else f"@{request['version']}"
    shown = ", ".join(known[-5:]) or "none"
    return NotFoundError(
        "dvc-artifact-unknown",
        f"{request['shown']} has no {request['artifact']}{asked}.",
        subject=f"{request['artifact']}{asked}",
        next_step=f"In force: {shown}. Only annotated tags count (git tag -a, or gto register "
        "and gto assign), and none that was taken back.",
    )
