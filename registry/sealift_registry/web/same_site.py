"""Whether a browser that is signed in was sent here by a page of this server.

A browser sends its cookie along whoever asks it to. So what changes something must say that it
comes from here, which no other page can have it say, and show what pages of here alone were told.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

from sealift_signing.errors import RefusedError

Connection = ASGIConnection[Any, Any, Any, Any]

HEADER = "x-sealift-csrf"
READS = frozenset({"GET", "HEAD", "OPTIONS"})
USUAL = {"https": 443, "http": 80}


class CrossSiteError(RefusedError):
    """What a browser sends was asked for by a page of somebody else, for all that is known."""


def check(connection: Connection, url: str, csrf: str) -> None:
    """Check that what a signed-in browser changes was asked for by a page of this server.

    Raises:
        CrossSiteError: it was not, or does not show that.
    """
    if connection.scope.get("method") in READS:
        return
    check_origin(connection, url)
    given = connection.headers.getall(HEADER, [])
    if len(given) != 1 or not csrf or not compare_digest(given[0].encode(), csrf.encode()):
        raise _refused("it has not the X-Sealift-CSRF that the session was told", url)


def check_origin(connection: Connection, url: str) -> None:
    """Check that a browser says that it was sent by a page of this server.

    Raises:
        CrossSiteError: it says another, or nothing.
    """
    origins = connection.headers.getall("origin", [])
    sites = connection.headers.getall("sec-fetch-site", [])
    if origins and [_origin(one) for one in origins] != [_origin(url)]:
        raise _refused("another site's page asked for it", url)
    if (sites and sites != ["same-origin"]) or not (origins or sites):
        raise _refused("it does not say that a page of this server asked for it", url)


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address, however it is spelled."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or USUAL.get(parts.scheme)
    except ValueError:
        return "", "", None


def _refused(why: str, url: str) -> CrossSiteError:
    return CrossSiteError(
        "cross-site",
        f"This is not done for a browser: {why}.",
        subject=url,
        next_step=f"Open the server as {url}, and sign in there; a program signs in as a desk, or "
        "has a token.",
    )
