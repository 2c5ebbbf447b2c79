"""A server that was named is read, and no other to which it sends us on.

The libraries of MLflow and DVC follow every redirect, and a repository's own word on where its LFS
lies. Whoever can write these could have the hub read from any address that it reaches (ADR 15).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

from sealift_registry.intake.library_refusals import MisledError

PORTS = {"http": 80, "https": 443}
_ADDRESS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
"""The characters of an address (RFC 3986, section 2): of others each library makes its own."""


class LeftError(MisledError):
    """A source sent us to another server than its own."""


def origin(address: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of `address` (RFC 6454, section 4)."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def check_stays(asked: str, told: str) -> None:
    """Check that the redirect to `told`, which the address `asked` answered, stays on its server.

    What is no address by RFC 3986 leads away, for the library that follows it may read it otherwise
    than we do: to urllib3 a host ends at a backslash, and to `urllib.parse` it does not.

    Raises:
        LeftError: it leads to another scheme, host or port, or is no address.
    """
    try:
        to = urljoin(asked, _spelled(told))
        if origin(to) == origin(asked):
            return
        where, shown = _server(to), _shown(to)
    except ValueError as bad:
        raise LeftError(
            "redirected",
            f"The server at {_shown(asked)} redirects us to something that is not an address.",
            subject=_shown(asked),
            next_step="Name the server that answers itself, with its scheme and port.",
        ) from bad
    raise LeftError(
        "redirected",
        f"The server at {_shown(asked)} redirects us to {where}, which is another server.",
        subject=shown,
        next_step=f"If {where} is the server that you mean, give its address; otherwise name the "
        "one that answers itself.",
    )


def _spelled(told: str) -> str:
    if not _ADDRESS.fullmatch(told):
        raise ValueError(told)
    return told


def names_server(place: str, address: str) -> bool:
    """Whether `place`, the host and perhaps the port of an address, is the server at `address`.

    However it is spelled: its case, a port that its scheme has anyway, a user before it. What names
    a user of its own does not count, for that one would be asked for.
    """
    asked = urlsplit(address)
    try:
        return "@" not in place and origin(f"{asked.scheme}://{place}") == origin(address)
    except ValueError:
        return False


def stay() -> None:
    """Have every later request of this process stay on the server that it is sent to.

    Of `requests` (MLflow) and of urllib3's own redirects (dulwich, with which DVC reads Git).
    boto3 follows none.
    """
    from requests.sessions import SessionRedirectMixin
    from urllib3 import PoolManager

    plain, follow = SessionRedirectMixin.get_redirect_target, PoolManager.urlopen
    asking: list[str] = []

    def target(self: Any, resp: Any) -> Any:  # noqa: ANN401 - as `requests` has it
        told = plain(self, resp)
        if told is not None:
            check_stays(resp.url, told)
        return told

    def urlopen(self: Any, method: str, url: str, *more: Any, **named: Any) -> Any:  # noqa: ANN401
        """It calls itself with where it was sent."""
        if asking:
            check_stays(asking[-1], url)
        asking.append(url)
        try:
            return follow(self, method, url, *more, **named)
        finally:
            asking.pop()

    SessionRedirectMixin.get_redirect_target = target  # type: ignore[method-assign]
    PoolManager.urlopen = urlopen  # type: ignore[method-assign]


POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file begins that stands for one in Git LFS (git-lfs, docs/spec.md)."""


def stay_without_lfs() -> None:
    """Have DVC fetch nothing of Git LFS, whose server the repository itself names."""
    from scmrepo.git.lfs.storage import LFSStorage

    def absent(*_given: Any, **_named: Any) -> NoReturn:  # noqa: ANN401 - as it is called
        raise FileNotFoundError

    LFSStorage.fetch = absent  # type: ignore[method-assign]
    LFSStorage.open = absent  # type: ignore[method-assign]


def check_no_pointer(file: Path) -> None:
    """Check that `file` is not what stands for it in Git.

    Raises:
        LeftError: it is, and the file itself is in Git LFS.
    """
    with file.open("rb") as data:
        if data.read(len(POINTER)) == POINTER:
            raise LeftError(
                "git-lfs",
                f"{file.name} is kept with Git LFS, on a server that the repository itself names, "
                "and Sealift reads nothing from there.",
                subject=file.name,
                next_step="Track the file with DVC (dvc add), and tag that commit.",
            )


def _shown(address: str) -> str:
    """`address` without a user, a password or what is asked."""
    return _server(address) + urlsplit(address).path


def _server(address: str) -> str:
    """The scheme, host and port of `address`, as they are given to a command."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}"
