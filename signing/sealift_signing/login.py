"""Who runs this program, as the system knows them; the log says it of what people do."""

from __future__ import annotations

import os
import pwd


def login_name() -> str | None:
    """The login name of whoever this process belongs to; None where the system has none for them.

    Not what the environment says (LOGNAME, USER), which anybody sets to somebody else.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # such as in a container that runs as an arbitrary user
        return None
