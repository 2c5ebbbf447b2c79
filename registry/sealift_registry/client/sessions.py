"""Servers that somebody is signed in at, kept in files of their own beside what they remember.

    $XDG_CONFIG_HOME/sealift/servers/SHA256.json, else ~/.config/sealift/servers/…     mode 0600
                                     SHA256.device     of a server and an account, as long as told

A session opens what its person may look at and submit; it signs nothing, for that takes their key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from sealift_registry.client.address import ServerAddress
from sealift_registry.client.asking import Tls
from sealift_signing import file_access, memory_folder
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import FailedError, MalformedError, RefusedError

SERVERS = "servers"
FORMAT = 1
SECRET = re.compile(r"[A-Za-z0-9._~+/=-]{1,500}")
"""What is shown as a Bearer's (RFC 6750, section 2.1): it goes into a header of each request."""
LONGEST_DEVICE = 200
"""Characters of what a server tells to be known by; a longer one is not kept."""


@dataclass(frozen=True)
class OpenSession:
    """A session at a server.

    Attributes:
        url: the server's.
        secret: by which the server knows it.
        account: its account's id.
        name: what the account is called.
        ends: when it is over, whatever happens.
        authorities: as `Tls` has it, and the next two.
    """

    url: str
    secret: str
    account: str
    name: str
    ends: str
    authorities: str = ""
    certificate: str = ""
    key: str = ""

    @property
    def tls(self) -> Tls:
        """How its server is asked."""
        return Tls(self.authorities, self.certificate, self.key)


class Sessions:
    """The sessions of whoever runs this; `told` of a file that others could read."""

    def __init__(self, folder: Path, told: Callable[[str], None] = lambda _: None) -> None:
        self._folder = folder
        self._told = told

    @classmethod
    def located(
        cls, environment: Mapping[str, str], told: Callable[[str], None] = lambda _: None
    ) -> Sessions:
        """Theirs, by the environment.

        Raises:
            UsageError: nothing says where they lie: there is no home.
        """
        given = environment.get("XDG_CONFIG_HOME")
        base = Path(given) if given else memory_folder.home(environment) / ".config"
        return cls(base / "sealift" / SERVERS, told)

    def at(self, server: ServerAddress) -> OpenSession | None:
        """The session at a server; None where there is none.

        Raises:
            MalformedError: its file is damaged.
            FailedError: it cannot be read.
        """
        path = self.path(server)
        data = memory_folder.read(path)
        if data is None:
            return None
        self._close(path)
        found = _read(path, data)
        if found.url != str(server):
            raise _damaged(path)
        return found

    def get(self, server: ServerAddress) -> OpenSession:
        """As `at`.

        Raises:
            RefusedError: nobody is signed in there.
        """
        found = self.at(server)
        if found is None:
            raise RefusedError(
                "not-signed-in",
                f"You are not signed in at {server}.",
                subject=str(server),
                next_step=f"Sign in there: sealift login ACCOUNT --server {pasted([str(server)])}",
            )
        return found

    def keep(self, session: OpenSession) -> None:
        """Keep a session in the place of another at that server.

        Raises:
            FailedError: it could not be written.
        """
        said = {"format": FORMAT, **asdict(session)}
        path = self.path(ServerAddress.parse(session.url))
        self._write(path, json.dumps(said, indent=1).encode())

    def forget(self, server: ServerAddress) -> None:
        """Forget the session at a server, if there is one."""
        self.path(server).unlink(missing_ok=True)

    def device(self, server: ServerAddress, account: str) -> str:
        """By what a server knows that somebody signed in from here before; empty where it does not.

        Raises:
            FailedError: its file cannot be read.
        """
        path = self._device(server, account)
        data = memory_folder.read(path)
        if data is None:
            return ""
        self._close(path)
        found = data.decode("ascii", "replace")
        return found if len(found) <= LONGEST_DEVICE and found.isascii() else ""

    def keep_device(self, server: ServerAddress, account: str, device: str) -> None:
        """Keep what a server told for the next time that somebody signs in from here.

        Where it cannot be written, they are known as anybody is: nothing else comes of it.
        """
        if device.isascii() and device.isprintable() and 0 < len(device) <= LONGEST_DEVICE:
            with suppress(FailedError, OSError):
                self._write(self._device(server, account), device.encode())

    def _device(self, server: ServerAddress, account: str) -> Path:
        of = sha256(f"{server} {account}".encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / f"{of}.device"

    def path(self, server: ServerAddress) -> Path:
        """Where a session is kept."""
        return self._folder / f"{sha256(str(server).encode()).hexdigest()}.json"

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.parent.parent.mkdir(mode=file_access.FOLDER, parents=True, exist_ok=True)
        memory_folder.write(path, data)

    def _close(self, path: Path) -> None:
        """Close what others could read, and tell it: they may have read it."""
        if path.stat().st_mode & 0o077:
            path.chmod(file_access.FILE)
            self._told(
                f"{word(str(path))} was open to others on this machine, and was closed. Whoever "
                "read it is signed in as you: sign out, and in again."
            )


def _read(path: Path, data: bytes) -> OpenSession:
    names = {one.name for one in fields(OpenSession)}
    try:
        said: Any = json.loads(data)
        if said.pop("format") != FORMAT or said.keys() != names:
            raise _damaged(path)
        found = OpenSession(**said)
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as bad:
        raise _damaged(path) from bad
    texts = all(isinstance(one, str) for one in said.values())
    if not texts or not SECRET.fullmatch(found.secret):
        raise _damaged(path)
    return found


def _damaged(path: Path) -> MalformedError:
    return MalformedError(
        "session-file-damaged",
        f"{path} is not the session that was kept there.",
        subject=str(path),
        next_step="Remove it, and sign in again: sealift login ACCOUNT --server URL",
    )
