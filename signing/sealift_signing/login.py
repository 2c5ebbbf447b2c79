"""Who runs this program, as the system knows them; and whose a folder is that nobody named."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from sealift_signing.errors import RefusedError

ROOT = 0


def login_name() -> str | None:
    """The login name of whoever this process belongs to; None where the system has none for them.

    Not what the environment says (LOGNAME, USER), which anybody sets to somebody else.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # such as in a container that runs as an arbitrary user
        return None


def check_not_of_another(home: Path, variable: str) -> None:
    """Check that `home`, which nobody named, is not another user's.

    It is looked for in whatever folder a command is started, and settings in it name programs to
    run. Where there is none, or it is root's, there is nothing to check.

    Raises:
        RefusedError: it is.
    """
    try:
        owner = home.stat().st_uid
    except OSError:
        return  # whoever opens it is told
    if owner in {ROOT, os.geteuid()}:
        return
    raise RefusedError(
        "home-of-another",
        f"{home} belongs to another user of this machine (number {owner}), and was not named.",
        subject=str(home),
        next_step=f"Name it with --home, or in {variable}, if you mean it; or go to another "
        "folder.",
    )


def check_may_open(home: Path) -> None:
    """Check that `home` is not another user's and closed to whoever runs this.

    Raises:
        RefusedError: it is.
    """
    try:
        owner = home.stat().st_uid
    except OSError:
        return  # whoever opens it is told
    if owner == os.geteuid() or os.access(home, os.R_OK | os.X_OK):
        return
    raise RefusedError(
        "home-closed",
        f"{home} belongs to another user of this machine (number {owner}), and is closed to you.",
        subject=str(home),
        next_step="Run the command as that user, or as root. At a site a model server reads "
        "models/ all the same.",
    )
