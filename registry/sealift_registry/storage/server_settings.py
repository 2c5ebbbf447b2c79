"""`[server]` of settings.toml: where `sealift serve` answers, and to whom."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from sealift_signing.errors import UsageError

PORT = 8700
LOOPBACK_NAMES = {"localhost", "ip6-localhost"}


@dataclass(frozen=True)
class ServerSettings:
    """Where the hub is served to desks.

    Attributes:
        url: as desks and browsers reach it; named in what people sign to be bound to an account.
            Empty: what it listens on.
        host: the address to listen on.
        port: its port.
        certificate: a file with the server's certificate and those above it, in PEM. Empty: no TLS.
        key: a file with the certificate's key, in PEM.
        client_ca: a file with the certificates that those of clients must come from, in PEM.
            Empty: clients need none.
        trusted_proxies: addresses of proxies whose word counts about who asks; with commas between.
        upload_gib: how much one account may have on its way at once, in GiB.
        uploads_at_once: how many files one account may have on their way at once.
        requests_a_minute: how many requests an account may make, and an address of nobody who is
            known; 0: as many as they like.
    """

    url: str = ""
    host: str = "127.0.0.1"
    port: int = PORT
    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    trusted_proxies: str = ""
    upload_gib: int = 20
    uploads_at_once: int = 20
    requests_a_minute: int = 6000

    @property
    def proxies(self) -> tuple[str, ...]:
        """The proxies, each by itself."""
        return tuple(filter(None, map(str.strip, self.trusted_proxies.split(","))))

    @property
    def public_url(self) -> str:
        """The server's name to everybody, without a slash at its end."""
        if self.url:
            return self.url.rstrip("/")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_server(server: ServerSettings, path: Path) -> None:
    """Check what `[server]` says, as far as no file has to be opened.

    Raises:
        UsageError: it cannot be meant.
    """
    if server.url:
        _check_url(server.url, path)
    if bool(server.certificate) != bool(server.key):
        raise UsageError(
            "bad-setting",
            f"server.certificate and server.key in {path} belong together, and one is missing.",
            subject="server.key",
            next_step="Name the files of both, or of neither.",
        )
    if server.client_ca and not server.certificate:
        raise UsageError(
            "bad-setting",
            f"server.client_ca in {path} is about TLS, and there is no server.certificate.",
            subject="server.client_ca",
            next_step="Name server.certificate and server.key, or leave server.client_ca empty.",
        )
    if server.requests_a_minute < 0:
        raise UsageError(
            "bad-setting",
            f"server.requests_a_minute in {path} must not be below 0.",
            subject="server.requests_a_minute",
            next_step="Name how many requests an account may make in a minute; 0: no bound.",
        )
    if server.uploads_at_once < 1:
        raise UsageError(
            "bad-setting",
            f"server.uploads_at_once in {path} must be 1 or more.",
            subject="server.uploads_at_once",
            next_step="Name how many files an account may have on their way at once.",
        )
    for one in server.proxies:
        _check_proxy(one, path)


def _check_url(url: str, path: Path) -> None:
    parts = _split(url)
    plain = parts is not None and parts.scheme == "http" and is_loopback(parts.hostname or "")
    if parts is None or not (parts.scheme == "https" or plain) or not parts.hostname:
        raise _bad_url(path)
    if parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"):
        raise _bad_url(path)
    from sealift_signing.account_binding import SERVER  # loads much, and is asked of servers alone

    if not SERVER.matches(url.rstrip("/")):  # people sign it, to bind an account
        raise _bad_url(path)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if url.isascii() and url.isprintable() and " " not in url else None


def _bad_url(path: Path) -> UsageError:
    return UsageError(
        "bad-setting",
        f"server.url in {path} must be https://HOST or https://HOST:PORT, and nothing more.",
        subject="server.url",
        next_step="Write the address by which desks reach the server, in lower case; http:// is "
        "for this machine alone.",
    )


def _check_proxy(one: str, path: Path) -> None:
    try:
        ipaddress.ip_network(one)
    except ValueError as bad:
        raise UsageError(
            "bad-setting",
            f"server.trusted_proxies in {path} must be addresses or networks: {one} is neither.",
            subject="server.trusted_proxies",
            next_step="Write such as 10.0.0.5 or 10.0.0.0/24, with commas between.",
        ) from bad
