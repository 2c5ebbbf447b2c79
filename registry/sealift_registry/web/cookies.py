"""The cookie by which a browser is signed in: no script reads it, and no other site sends it.

Over TLS its name begins with `__Host-`, so that no neighbour of this host can put one in (RFC 6265
bis, section 4.1.3). Without TLS it is kept on this machine alone.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from sealift_registry.storage.server_settings import is_loopback
from sealift_signing.errors import RefusedError

OVER_TLS, ON_LOOPBACK = "__Host-sealift", "sealift"
DEVICE = "-device"
YEAR = 365 * 24 * 3600
SCOPE = "Path=/; HttpOnly; SameSite=Strict"

Connection = ASGIConnection[Any, Any, Any, Any]


def name(url: str) -> str:
    """What the cookie of a server is called.

    Raises:
        RefusedError: others could read it on its way.
    """
    parts = urlsplit(url)
    if parts.scheme == "https":
        return OVER_TLS
    if is_loopback(parts.hostname or ""):
        return ON_LOOPBACK
    raise RefusedError(
        "browser-needs-tls",
        f"No browser is signed in at {url}: others could read what it sends.",
        subject=url,
        next_step="Have the server use TLS, and name its address in server.url of settings.toml.",
    )


def setting(url: str, secret: str) -> dict[str, str]:
    """The header by which a browser keeps it until it is closed."""
    return {"set-cookie": f"{name(url)}={secret}; {_scope(url)}"}


def ending(url: str) -> dict[str, str]:
    """The header by which a browser forgets it."""
    return {"set-cookie": f"{name(url)}=; {_scope(url)}; Max-Age=0"}


def device(url: str, mark: str) -> Cookie:
    """What a browser keeps for a year, to be known as one that signed in before."""
    over_tls = name(url) == OVER_TLS
    called = name(url) + DEVICE
    return Cookie(
        called, value=mark, max_age=YEAR, secure=over_tls, httponly=True, samesite="strict"
    )


def devices(connection: Connection, url: str) -> list[str]:
    """The marks of a sign-in before that a browser shows."""
    return _shown(connection, url, DEVICE)


def shown(connection: Connection, url: str) -> list[str]:
    """What a browser shows: nothing, or one value; several where somebody put one in."""
    return _shown(connection, url)


def _shown(connection: Connection, url: str, after: str = "") -> list[str]:
    parts = urlsplit(url)
    wanted = (OVER_TLS if parts.scheme == "https" else ON_LOOPBACK) + after
    given = ";".join(connection.headers.getall("cookie", [])).split(";")
    pairs = [one.strip().partition("=") for one in given]
    return [value.strip() for called, _, value in pairs if called.strip() == wanted]


def _scope(url: str) -> str:
    return f"{SCOPE}; Secure" if name(url) == OVER_TLS else SCOPE
