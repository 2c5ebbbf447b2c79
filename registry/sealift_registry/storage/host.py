"""Which host this is, for hubs whose processes run on several.

A host is a home: what waits on a medium to be signed lies there, and whoever goes on with a
transfer must have it. So the name that counts is a random one in the home (`host`), made when it is
first needed. It is hashed together with the machine's own id (machine-id(5)) where there is one, so
that a home which was copied as a whole is another host. A container mostly has no machine-id, and
its name changes; its home, on a volume, does not. People are told the name of the machine.

A medium's identity is its file system's, and of the kernel that runs: all containers and homes on
one see the same, and after it was started anew nobody holds anything. So there its own id counts.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sealift_signing import disk
from sealift_signing.vocabulary import visible
from sealift_sync import durable

FILE = "host"
"""In the home."""
MACHINE_ID = Path("/etc/machine-id")
KERNEL_ID = Path("/proc/sys/kernel/random/boot_id")
LONGEST = 4096
LONGEST_NAME = 64


@dataclass(frozen=True)
class Host:
    """A host: what tells it from others, and how people call it."""

    id: str
    name: str


def this_name() -> str:
    """How this machine is called."""
    return visible(socket.gethostname())[:LONGEST_NAME] or "a host without a name"


def known(root: Path) -> str | None:
    """The id of the host whose home is `root`; None where nothing has needed it yet."""
    with suppress(OSError, UnicodeDecodeError):
        own = disk.read(root / FILE, LONGEST).decode("ascii").strip()
        if own:
            return sha256(f"{_read(MACHINE_ID)}\n{own}".encode()).hexdigest()[:32]
    return None


def this_host(root: Path) -> Host:
    """The host whose home is `root`, which gets an id if it has none.

    Two commands that need it first at once must not differ: hold a lock of the home's.

    Raises:
        FailedError: it could not be written.
    """
    found = known(root)
    if found is None:
        durable.write(root / FILE, f"{secrets.token_hex(16)}\n".encode())
        found = known(root)
    if found is None:
        raise durable.unwritable(root / FILE, OSError("it does not say what was written"))
    return Host(found, this_name())


def kernel() -> str:
    """The id of the kernel that runs, as long as it does; without one, the machine's name."""
    return _read(KERNEL_ID) or this_name()


def _read(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return disk.read(path, LONGEST).decode("ascii").strip()
    return ""
