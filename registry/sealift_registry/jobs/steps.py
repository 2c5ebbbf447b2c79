"""Steps: how a use case says what of it need not be done twice.

A use case that takes long is written as named steps, and given `Steps` by whoever runs it. Each
step is idempotent: one that was killed before it was recorded runs again, and changes nothing that
the first run had done. What a step answers is recorded, and is its answer from then on.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sealift_signing.canonical import Json
from sealift_sync import durable

Made = dict[str, Json]
"""What a step answers: a JSON object, small, with no secret in it."""

_PART = ".part"
_SHORT = 16
"""Of a digest, in the name of a folder."""


class Steps(Protocol):
    """Runs the steps of one piece of work, in order, each once."""

    @property
    def folder(self) -> Path:
        """A folder of this work's own on this host; what lies there may be gone the next time."""
        ...

    @property
    def keeps(self) -> bool:
        """Whether another process may go on with what lies there."""
        ...

    def step(self, name: str, make: Callable[[], Made], *, of: str = "") -> Made:
        """What the step `name` answers: as it was recorded, or as `make` does now.

        Args:
            name: of the step; within one piece of work each comes once, in the same order.
            make: does it; what it raises is not recorded.
            of: what it is made of, as a digest. A person who repeats a command is given what was
                recorded before only where this is the same, and never where it is empty.
        """
        ...

    def progress(self, subject: str, done: int, total: int) -> None:
        """Told what is being worked on, how many bytes of it are done, and of how many."""
        ...


def product(
    steps: Steps, name: str, make: Callable[[Path], Made], *, of: str = ""
) -> tuple[Path, Made]:
    """The folder that a step fills, and what the step answers.

    Where the answer is recorded and the folder is not there (another host had it, it was swept, or
    it was made of something else), it is filled again, and what was recorded stays the answer.
    What another process may go on with is on the disk before the step is finished.

    Raises:
        FailedError: it could not be written.
    """
    folder = steps.folder / (f"{name}-{of[:_SHORT]}" if of else name)

    def fill() -> Made:
        part = folder.with_name(folder.name + _PART)
        for left in (part, folder):
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True)
        made = make(part)
        try:
            if steps.keeps:
                durable.flush_tree(part)
            part.rename(folder)
            if steps.keeps:
                durable.flush_folder(folder.parent)
        except OSError as bad:
            raise durable.unwritable(folder, bad) from bad
        return made

    said = steps.step(name, fill, of=of)
    if not folder.is_dir():
        fill()
    return folder, said
