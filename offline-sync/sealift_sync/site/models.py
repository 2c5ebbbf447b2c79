"""What consumers read: `models/<host group>/<team>/<model>/current` → an immutable folder.

The folder holds the artifact's files under their original names, hard-linked from the store. A
consumer that opened a file keeps it; one that opens `current` anew gets all of one version or all
of another, because a rename replaces the link at once. Links follow committed state, so whatever a
crash left behind is put right by the next command.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sealift_signing.errors import FailedError, SealiftError
from sealift_sync import durable
from sealift_sync.artifact import Artifact, read_manifest
from sealift_sync.blobs import BlobFolder
from sealift_sync.site.home import Home
from sealift_sync.site.standing import Choice, Place
from sealift_sync.site.state import Current

CURRENT = "current"


class Mended(NamedTuple):
    """A place that did not show what it should; `problem` says why it still does not, if so."""

    place: Place
    problem: str


class ModelTree:
    """The folder `models` of a site."""

    def __init__(self, home: Home) -> None:
        self._root = home.models
        self._store = home.store

    def link(self, place: Place) -> Path:
        """Where consumers of `place` look."""
        return self._root / place.group / place.model / CURRENT

    def switch(self, place: Place, choice: Choice | None) -> None:
        """Let `place` show `choice`, or nothing.

        Raises:
            FailedError: the store lacks it, or it could not be written; the old link still stands.
        """
        link = self.link(place)
        try:
            if choice is None:
                link.unlink(missing_ok=True)
                return
            self._put(place, choice)
            aside = link.with_name(CURRENT + durable.PARTIAL)
            aside.unlink(missing_ok=True)
            aside.symlink_to(_name(choice))
            aside.replace(link)
            durable.flush_folder(link.parent)
        except OSError as bad:
            raise durable.unwritable(link, bad) from bad

    def repair(self, current: Iterable[Current]) -> tuple[Mended, ...]:
        """Make every link what committed state says; returns the places that were wrong.

        A place that cannot be mended is told of and left: the others, and a rollback away from it,
        must go on working.
        """
        should = {
            Place(one.group, one.path.full_model): Choice(one.path, one.sha256) for one in current
        }
        stray: dict[Place, Choice | None] = {
            place: None for place in self._linked() if place not in should
        }
        found = []
        for place, choice in (should | stray).items():
            try:
                if choice is None or not self._shows(place, choice):
                    self.switch(place, choice)
                    found.append(Mended(place, ""))
            except SealiftError as bad:
                found.append(Mended(place, str(bad)))
        return tuple(found)

    def _shows(self, place: Place, choice: Choice) -> bool:
        link = self.link(place)
        try:
            right = str(link.readlink()) == _name(choice)
        except OSError:
            return False
        return right and self._whole(link.parent / _name(choice), self._artifact(choice))

    def _put(self, place: Place, choice: Choice) -> None:
        """The folder of `choice`, made aside and renamed: it is there whole, or not there."""
        folder = self.link(place).parent / _name(choice)
        artifact = self._artifact(choice)
        if self._whole(folder, artifact):
            return
        aside = folder.with_name(folder.name + durable.PARTIAL)
        _remove(aside)
        aside.mkdir(parents=True)
        for file in artifact.files:
            target = aside / file.path
            if not target.is_relative_to(aside):  # the manifest's reader has seen to it; see twice
                raise _strange(file.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(self._store, file.sha256, target)
        for parent, _, _ in os.walk(aside, topdown=False):
            durable.flush_folder(Path(parent))
            Path(parent).chmod(0o555)
        _remove(folder)
        aside.rename(folder)
        durable.flush_folder(folder.parent)

    def _artifact(self, choice: Choice) -> Artifact:
        data = self._store.read(choice.sha256)
        return read_manifest(data, what=f"the manifest of {choice.path}")

    @staticmethod
    def _whole(folder: Path, artifact: Artifact) -> bool:
        for file in artifact.files:
            target = folder / file.path
            if target.is_symlink() or not target.is_file() or target.stat().st_size != file.size:
                return False
        return not folder.is_symlink()

    def _linked(self) -> Iterator[Place]:
        for link in sorted(self._root.glob(f"*/*/*/{CURRENT}")):
            group, team, model, _ = link.relative_to(self._root).parts
            yield Place(group, f"{team}/{model}")


def _name(choice: Choice) -> str:
    return f"{choice.path.version}-{choice.sha256}"


def _link_or_copy(store: BlobFolder, digest: str, target: Path) -> None:
    source = store.path(digest)
    if not source.is_file():
        raise store.missing(digest)
    try:
        os.link(source, target)
    except OSError:
        # Another file system, or one that knows no links: a second copy, flushed.
        with source.open("rb") as file, target.open("xb") as copy:
            durable.copy_hashed(file, copy)
        target.chmod(0o444)


def _remove(folder: Path) -> None:
    if not folder.is_dir():
        return
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o755)
    shutil.rmtree(folder)


def _strange(path: str) -> FailedError:
    return FailedError("path-outside", f"{path} would lie outside of its folder.", subject=path)
