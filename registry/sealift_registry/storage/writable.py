"""Whether a home may be written to: its file system, or who runs this, may not allow it."""

from __future__ import annotations

import os
from pathlib import Path

from sealift_signing.errors import FailedError


def is_read_only(folder: Path) -> bool:
    """Whether nothing can be written to `folder`: its file system, or who runs this, may not."""
    return folder.exists() and not os.access(folder, os.W_OK)


def check_writable(root: Path) -> None:
    """Check that the hub at `root` can be written to.

    Raises:
        FailedError: it can only be read.
    """
    if is_read_only(root):
        raise FailedError(
            "hub-read-only",
            f"The hub at {root} can only be read here, and this would write to it.",
            subject=str(root),
            next_step="Run it where the hub may be written. What only reads works here: sealift "
            "audit fsck, list and show.",
        )
