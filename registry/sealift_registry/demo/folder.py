"""The demo's folder, and the rule by which it is replaced: only if the demo made it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sealift_signing.errors import FailedError, UsageError

MARKER = ".made-by-sealift-demo"
MARKER_TEXT = "The Sealift demo made this folder, and replaces all of it when it runs again.\n"


PLAYED = ".played-to-its-end"


@dataclass(frozen=True)
class Folder:
    """Where the demo plays.

    Attributes:
        root: as an absolute path.
        shown: as the person who runs it would type it.
    """

    root: Path
    shown: str

    @property
    def people(self) -> Path:
        """A folder for each person, which stands for a machine of their own."""
        return self.root / "people"

    @property
    def sources(self) -> Path:
        """MLflow's store, the DVC repository and the held-out rows."""
        return self.root / "sources"

    @property
    def medium(self) -> Path:
        """What is carried."""
        return self.root / "medium"

    @property
    def tampered(self) -> Path:
        """What an attacker made of it."""
        return self.root / "tampered"


def prepare(given: Path) -> Folder:
    """An empty demo folder at `given`; an earlier demo there is thrown away.

    Raises:
        UsageError: something else is there; nothing was touched.
        FailedError: it could not be made or emptied.
    """
    root = given.absolute()
    _check_ours(root, given)
    try:
        root.mkdir(parents=True, exist_ok=True)
        # First and last: a run that is interrupted here leaves a folder that is still ours.
        (root / MARKER).write_text(MARKER_TEXT, encoding="utf-8")
        for entry in sorted(root.iterdir()):
            if entry.name != MARKER:
                _remove(entry)
        for part in ("people", "drafts", "medium", "tampered", "sources"):
            (root / part).mkdir()
    except OSError as bad:
        raise _unwritable(given, bad) from bad
    return Folder(root, str(given))


def finish(folder: Folder) -> None:
    """Note that the demo was played to its end there.

    Raises:
        FailedError: that could not be written.
    """
    try:
        (folder.root / PLAYED).touch()
    except OSError as bad:
        raise _unwritable(folder.root, bad) from bad


def found(given: Path) -> Folder | None:
    """The demo that was played to its end at `given`; None where it is to be played yet.

    Raises:
        UsageError: something else is there; nothing was touched.
    """
    root = given.absolute()
    _check_ours(root, given)
    return Folder(root, str(given)) if (root / PLAYED).is_file() else None


def _unwritable(given: Path, bad: OSError) -> FailedError:
    return FailedError(
        "demo-folder-unwritable",
        f"The demo's folder {given} could not be made anew: {bad.strerror}.",
        subject=str(given),
        next_step="Give another one with --folder DIR.",
    )


def _check_ours(root: Path, given: Path) -> None:
    if not os.path.lexists(root):
        return
    is_folder = root.is_dir() and not root.is_symlink()
    if is_folder and not any(root.iterdir()):
        return
    marker = root / MARKER
    if is_folder and marker.is_file() and not marker.is_symlink():
        return
    raise UsageError(
        "not-a-demo-folder",
        f"{given} is there already and was not made by the demo; nothing in it was touched.",
        subject=str(given),
        next_step="Move it away, or give another folder with --folder DIR.",
    )


def _remove(entry: Path) -> None:
    if entry.is_symlink() or not entry.is_dir():
        entry.unlink()
        return
    for parent, _, _ in os.walk(entry):
        Path(parent).chmod(0o755)  # installed models lie in folders that nobody may write to
    shutil.rmtree(entry)
