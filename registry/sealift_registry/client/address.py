"""Where a hub's server is: its address, in the one spelling by which a desk knows it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from sealift_signing.drawing import plain
from sealift_signing.errors import UsageError

PORTS = {"https": 443, "http": 80}
LONGEST = 300
"""Characters of an address."""


@dataclass(frozen=True)
class ServerAddress:
    """A server: whether it is asked over TLS, its host, its port."""

    scheme: str
    host: str
    port: int

    @property
    def is_encrypted(self) -> bool:
        """Whether it is asked over TLS."""
        return self.scheme == "https"

    def __str__(self) -> str:
        """As it is written: without the port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """The server that `text` names.

        Raises:
            UsageError: it names none, names more than one, or is one that is not asked unencrypted.
        """
        try:
            parts = urlsplit(text)
            scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        except ValueError as bad:
            raise _odd(text) from bad
        plainly = len(text) <= LONGEST and text.isascii() and plain(text) == text
        more = parts.path not in {"", "/"} or parts.query or parts.fragment or "?" in text
        if not plainly or scheme not in PORTS or not host or more or "\\" in text or " " in text:
            raise _odd(text)
        if "@" in parts.netloc:
            raise UsageError(
                "server-address-secret",
                "The address of a server holds a name or a password.",
                subject=host,
                next_step="Leave it out, and say who you are when you sign in: sealift login "
                "ACCOUNT --server URL",
            )
        found = cls(scheme, host, PORTS[scheme] if port is None else port)
        if not found.is_encrypted and not _is_loopback(host):
            raise UsageError(
                "server-not-encrypted",
                f"{found} would be asked over plain HTTP: whoever is on the way reads your "
                "password, and answers in its place.",
                subject=str(found),
                next_step="Name it with https; plain HTTP is for a server on this machine alone.",
            )
        return found


def address_of(*parts: str) -> str:
    """The path of a resource: what people name is one part each, whatever it holds."""
    return "".join(f"/{quote(one, safe='')}" for one in parts)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _odd(text: str) -> UsageError:
    return UsageError(
        "bad-server-address",
        "The address of a server is its scheme, host and port, and nothing else.",
        subject=text,
        next_step="Write it like https://hub.example or https://hub.example:8700",
    )
