"""What consumers read: `models/<host group>/<team>/<model>/current` → an immutable folder.

The folder holds the artifact's files under their original names, hard-linked from the store. A
consumer that opened a file keeps it; one that opens `current` anew gets all of one version or all
of another, because a rename replaces the link at once. Links follow committed state, so whatever a
crash left behind is put right by the next command.

A file that no longer is the store's own, because the store got a whole copy in place of a damaged
one, is replaced where it lies: one rename a file, and a consumer never finds nothing.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sealift_signing import file_access
from sealift_signing.errors import FailedError, SealiftError
from sealift_sync import durable, stream
from sealift_sync.artifact import LARGEST_MANIFEST, Artifact, ArtifactFile, read_manifest
from sealift_sync.blobs import BlobFolder, damaged
from sealift_sync.site.running.choices import Choice, Place
from sealift_sync.site.setup.home_folder import Home
from sealift_sync.site.state.records import Current

CURRENT = "current"
READ_ONLY = 0o444
LOCKED = 0o555
"""The mode of a version's folders: nothing in them changes."""
GROUPS = frozenset({0o750, 0o710})
"""Modes of a folder whose group alone gets in, as an administrator sets them."""


class RepairedPlace(NamedTuple):
    """A place that did not show what it should; `problem` says why it still does not, if so."""

    place: Place
    problem: str


class ModelTree:
    """The folder `models` of a site.

    Args:
        home: the site's folder.
        hashing: whether files that are no links to the store are hashed before they count as right.
        lost: blobs that the store is known not to have whole: nothing is replaced by them.
    """

    def __init__(
        self, home: Home, *, hashing: bool = False, lost: Collection[str] = frozenset()
    ) -> None:
        self._root = home.models
        self._hashing = hashing
        self._lost = lost
        self._store = home.store

    def link(self, place: Place) -> Path:
        """Where consumers of `place` look."""
        return self._root / place.group / place.model / CURRENT

    def shown(self) -> Iterator[tuple[Place, str]]:
        """What consumers see, by the links as they are: the digest of each place's artifact."""
        for place in self._linked():
            with suppress(OSError):  # no link; `repair` makes it one
                yield place, self.link(place).readlink().name.rpartition("-")[2]

    def check_not_lost(self, choice: Choice) -> None:
        """Check that nothing of `choice` is known to be damaged: it must not begin to be shown.

        Of what is missing there may be a link in the folder of a version that ran before.

        Raises:
            RefusedError: something is.
        """
        for file in self._artifact(choice).files if self._lost else ():
            if file.sha256 in self._lost and self._store.has(file.sha256):
                raise damaged(file.sha256)

    def switch(self, place: Place, choice: Choice | None) -> None:
        """Let `place` show `choice`, or nothing.

        Raises:
            FailedError: the store lacks it, or it could not be written; the old link still stands.
        """
        link = self.link(place)
        try:
            if choice is None:
                link.unlink(missing_ok=True)
                if link.parent.is_dir():
                    durable.flush_folder(link.parent)
                return
            self._open(link.parent)
            self._put(place, choice)
            aside = link.with_name(CURRENT + durable.PARTIAL)
            aside.unlink(missing_ok=True)
            aside.symlink_to(_name(choice))
            aside.replace(link)
            durable.flush_folder(link.parent)
        except OSError as bad:
            raise durable.unwritable(link, bad) from bad

    def prepare(self, place: Place, choice: Choice) -> Path:
        """The folder of `choice`, made beside what `place` shows; what it shows stays.

        Raises:
            FailedError: the store lacks it, or it could not be written.
        """
        folder = self.link(place).parent
        try:
            self._open(folder)
            self._put(place, choice)
        except OSError as bad:
            raise durable.unwritable(folder, bad) from bad
        return folder / _name(choice)

    def repair(self, current: Iterable[Current]) -> tuple[RepairedPlace, ...]:
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
        self._sweep()
        for place, choice in (should | stray).items():
            try:
                if choice is None or not self._shows(place, choice):
                    self.switch(place, choice)
                    found.append(RepairedPlace(place, ""))
            except SealiftError as bad:
                found.append(RepairedPlace(place, str(bad)))
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
        if folder.is_dir() and not folder.is_symlink():
            self._mend(folder, artifact)
            return
        aside = folder.with_name(folder.name + durable.PARTIAL)
        try:
            self._fill(aside, artifact)
            _remove(folder)
            aside.rename(folder)
        finally:
            _remove(aside)  # where the store lacks a file
        durable.flush_folder(folder.parent)

    def _fill(self, aside: Path, artifact: Artifact) -> None:
        _remove(aside)
        aside.mkdir(parents=True)
        for file in artifact.files:
            target = _inside(aside, file.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(self._store, file.sha256, target)
        for parent, _, _ in os.walk(aside, topdown=False):
            durable.flush_folder(Path(parent))
            Path(parent).chmod(LOCKED)

    def _mend(self, folder: Path, artifact: Artifact) -> None:
        """Replace what is wrong in a folder that a consumer may be looking at, file by file."""
        aside = folder.with_name(folder.name + durable.PARTIAL)
        for file in artifact.files:
            target = _inside(folder, file.path)
            if self._right(folder, file):
                continue
            # What lies there may be whole, and the store's not.
            self._store.check(file.sha256)
            _remove(aside)
            _link_or_copy(self._store, file.sha256, aside)
            _open_folders(folder, target.parent)
            if target.is_dir() and not target.is_symlink():
                _remove(target)
            aside.replace(target)
        for parent, _, _ in os.walk(folder, topdown=False):
            durable.flush_folder(Path(parent))
            Path(parent).chmod(LOCKED)

    def _open(self, folder: Path) -> None:
        """Have everybody who may come to `models` get to `folder`, in it, and nobody change it.

        A folder that lets in its group, and no others, was made so by somebody, and stays so.
        """
        for part in reversed([folder, *folder.parents]):
            if part.is_relative_to(self._root):
                file_access.shown_folder(part)
                mode = part.stat().st_mode & 0o777
                if mode != file_access.SHOWN_FOLDER and mode not in GROUPS:
                    file_access.show(part, file_access.SHOWN_FOLDER)

    def _artifact(self, choice: Choice) -> Artifact:
        data = self._store.read(choice.sha256, LARGEST_MANIFEST)
        return read_manifest(data, what=f"the manifest of {choice.path}")

    def _whole(self, folder: Path, artifact: Artifact) -> bool:
        there = folder.is_dir() and not folder.is_symlink()
        return there and all(self._right(folder, file) for file in artifact.files)

    def _right(self, folder: Path, file: ArtifactFile) -> bool:
        """Whether the file is the store's own, or a copy where none can be linked."""
        try:
            found = (folder / file.path).lstat()
        except OSError:
            return False
        if not stat.S_ISREG(found.st_mode) or found.st_size != file.size:
            return False
        try:
            stored = None if file.sha256 in self._lost else self._store.path(file.sha256).stat()
        except OSError:
            stored = None
        if stored is None:
            return True  # the store has lost it: what consumers have is all that there is
        one_disk = found.st_dev == stored.st_dev
        if one_disk and found.st_ino == stored.st_ino:
            return True
        if one_disk and self._links(file.sha256, folder.with_name(f"link{durable.PARTIAL}")):
            return False
        return not self._hashing or _hashes_to(folder / file.path, file.sha256)

    def _links(self, digest: str, probe: Path) -> bool:
        """Whether the store's file can be linked here: where it can, another file is an old one."""
        try:
            probe.unlink(missing_ok=True)
            os.link(self._store.path(digest), probe)
            probe.unlink()
        except OSError:
            return False
        return True

    def _sweep(self) -> None:
        """Throw away what a command that was cut had not finished; what does not go, stays.

        Somebody may have mounted something there, or left a file that is not ours to remove.
        """
        for path in self._root.glob(f"*/*/*/*{durable.PARTIAL}"):
            with suppress(OSError):
                _remove(path)

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
            stream.copy_hashed(file, copy)
            durable.flush(copy)
        target.chmod(READ_ONLY)


def _hashes_to(path: Path, digest: str) -> bool:
    try:
        with path.open("rb") as file:
            return stream.hash_file(file)[0] == digest
    except OSError:
        return False


def _inside(folder: Path, path: str) -> Path:
    """`path` below `folder`: the manifest's reader has seen to it; see twice."""
    target = folder / path
    if not target.is_relative_to(folder):
        raise _strange(path)
    return target


def _open_folders(folder: Path, inner: Path) -> None:
    """Let files be replaced in `inner`, and make it if somebody took it away."""
    for part in reversed([inner, *inner.parents]):
        if part == folder or folder in part.parents:
            if part.is_symlink() or part.is_file():
                part.unlink()
            part.mkdir(exist_ok=True)
            part.chmod(file_access.SHOWN_FOLDER)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    if not path.is_dir():
        return
    for parent, _, _ in os.walk(path):
        Path(parent).chmod(file_access.SHOWN_FOLDER)
    shutil.rmtree(path)


def _strange(path: str) -> FailedError:
    return FailedError(
        "path-outside",
        f"{path} would lie outside of its folder.",
        subject=path,
        next_step="Do not use the bundle; tell the hub's administrators what it holds.",
    )
