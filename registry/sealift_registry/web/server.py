"""Serving: one process, one open hub, one socket; until it is told to end.

SIGTERM and Ctrl-C end it in order: no more connections are taken, and what runs gets its time. A
second one ends it at once. SIGHUP has it read its settings and its certificate again, and open the
log file anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from cryptography import x509

from sealift_registry.storage.server_settings import ServerSettings, is_loopback
from sealift_registry.web.api import Served, make_api
from sealift_registry.web.connections import Connection, most_connections, raise_limit
from sealift_registry.web.health import Health
from sealift_registry.web.reloading import Reloading
from sealift_signing import events
from sealift_signing.drawing import pasted
from sealift_signing.errors import FailedError, RefusedError, SealiftError, UsageError

Noted = Callable[[str], None]

KEEP_ALIVE = 20
"""Seconds that a connection may be quiet between two requests."""
BACKLOG = 1024
CUT_OFF = 4
"""The exit code of a server that ended before what it worked at did."""


@dataclass(frozen=True)
class Listening:
    """Where a server listens: its socket, and its certificate where it has one."""

    socket: socket.socket
    tls: ssl.SSLContext | None
    settings: ServerSettings

    @property
    def port(self) -> int:
        """The port, also where any would do."""
        return int(self.socket.getsockname()[1])

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()

    @property
    def url(self) -> str:
        """The server's name to everybody."""
        return replace(self.settings, port=self.port).public_url


def listen(settings: ServerSettings) -> Listening:
    """Listen, before the hub is opened: what is wrong is said before anything is done.

    Raises:
        RefusedError: whoever listens to the network would hear secrets.
        FailedError: the port is another's, or the certificate cannot be read.
    """
    if not settings.certificate and not is_loopback(settings.host) and not settings.proxies:
        raise RefusedError(
            "server-needs-tls",
            f"On {settings.host} others could hear what people send, for there is no certificate.",
            subject=settings.host,
            next_step="Name server.certificate and server.key in settings.toml; behind a proxy "
            "that has them, listen on 127.0.0.1, or name it in server.trusted_proxies.",
        )
    tls = _tls(settings) if settings.certificate else None
    return Listening(_bound(settings.host, settings.port), tls, settings)


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens; whoever connects waits until it is served.

    Raises:
        FailedError: that cannot be.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _let_go_of_the_dead(made)
            made.bind(address)
            made.listen(BACKLOG)
        except OSError:
            made.close()
            raise
    except OSError as bad:
        raise FailedError(
            "cannot-listen",
            f"Nothing can listen on {host} port {port}: {bad.strerror or bad}.",
            subject=f"{host}:{port}",
            next_step="End what listens there, or choose another with --host and --port.",
        ) from bad
    return made


def _let_go_of_the_dead(made: socket.socket) -> None:
    """Have the kernel end connections whose other end is gone without a word, or takes nothing.

    Those that come over a socket have what is set for it.
    """
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 60),
        ("TCP_KEEPINTVL", 15),
        ("TCP_KEEPCNT", 4),
        ("TCP_USER_TIMEOUT", 300_000),
    ):
        if hasattr(socket, name):  # not on every system
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _tls(settings: ServerSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_certificate(context, settings)
    if settings.client_ca:
        try:
            context.load_verify_locations(settings.client_ca)
        except (OSError, ssl.SSLError) as bad:
            raise _unreadable(settings.client_ca, "server.client_ca", bad) from bad
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def load_certificate(context: ssl.SSLContext, settings: ServerSettings) -> None:
    """Have a server show the certificate that lies in its file now.

    Raises:
        FailedError: it or its key cannot be read, or they do not belong together.
    """
    try:
        context.load_cert_chain(settings.certificate, settings.key, password=_no_password)
    except (OSError, ssl.SSLError, UsageError) as bad:
        raise _unreadable(settings.certificate, "server.certificate", bad) from bad


def _no_password() -> str:
    """OpenSSL would ask on the terminal, and the server would wait for ever."""
    raise UsageError(
        "server-key-encrypted",
        "The key of the server's certificate is encrypted, and nobody is there to type.",
        subject="server.key",
        next_step="Keep it unencrypted in a file that its user alone can read.",
    )


def _unreadable(path: str, name: str, bad: Exception) -> FailedError:
    why = getattr(bad, "what", None) or getattr(bad, "strerror", None) or str(bad)
    return FailedError(
        "certificate-unreadable",
        f"{name} names {path}, and that cannot be used: {why}",
        subject=path,
        next_step="Name files in PEM that belong together and that the server's user can read.",
    )


def open_to_all(settings: ServerSettings) -> str:
    """What is to be said where every user of the machine can read the certificate's key."""
    try:
        mode = Path(settings.key).stat().st_mode if settings.key else 0
    except OSError:
        return ""
    if not mode & stat.S_IROTH:
        return ""
    events.tell("web", "key-open-to-others", "warning")
    return (
        f"Every user of this machine can read {settings.key}, and with it be this server. Close "
        f"it: {pasted(['chmod', 'o-rwx', settings.key])}; and have a new certificate made for a "
        "new key where somebody may have read it."
    )


def valid_until(settings: ServerSettings) -> datetime | None:
    """When the server's certificate ends; None where it has none.

    Raises:
        FailedError: it cannot be read.
    """
    if not settings.certificate:
        return None
    try:
        found = x509.load_pem_x509_certificates(Path(settings.certificate).read_bytes())
        return found[0].not_valid_after_utc
    except (OSError, ValueError) as bad:
        raise _unreadable(settings.certificate, "server.certificate", bad) from bad


# ---------------------------------------------------------------------- the process


class _Config(uvicorn.Config):
    """uvicorn's, with a context for TLS that was made before."""

    def __init__(self, *given: Any, listening: Listening, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*given, **named)
        self.tls = listening.tls

    def load(self) -> None:
        """Load what it says."""
        super().load()
        self.ssl = self.tls


class _Server(uvicorn.Server):
    """uvicorn's, which ends in order, and quietly."""

    def __init__(
        self,
        config: _Config,
        health: Health,
        begun: Callable[[], None],
        noted: Noted,
        reloading: Reloading,
    ) -> None:
        super().__init__(config)
        self._made = config
        self._health = health
        self._begun = begun
        self._noted = noted
        self._reloading = reloading
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._loop.run_in_executor(None, self._reloading.tell_log)
        self._begun()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Have signals end it; what they were before is theirs again afterwards."""
        asked: dict[int, Any] = {signal.SIGTERM: self.handle_exit, signal.SIGINT: self.handle_exit}
        asked[signal.SIGHUP] = self._read_again
        before = {number: signal.signal(number, handler) for number, handler in asked.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """End in order; at once, where this is asked again."""
        if self.should_exit:
            self._cut_off()
        self._health.stopping = True
        self.should_exit = True
        # uvicorn gives up what waits for others; what works in a thread, nothing can.
        late = threading.Timer(self.config.timeout_graceful_shutdown or 0, self._cut_off)
        late.daemon = True
        late.start()

    def _cut_off(self) -> None:
        """End now, as a power cut would: what is not committed did not happen."""
        events.tell("web", "server-cut-off", "warning")
        self._noted("The server ends now; requests that still ran are cut off.")
        os._exit(CUT_OFF)

    def _read_again(self, *_: object) -> None:
        """Read what can be read anew; between two requests, and not within one."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._renew)

    def _renew(self) -> None:
        """Take up settings, certificate and log file as they are: what cannot be used stays."""
        if why := events.reopen():
            self._noted(f"The log file could not be opened anew: {why}. The old one is written to.")
        try:
            taken = self._reloading.take_up()
        except SealiftError as bad:
            events.tell("web", "settings-unread", "error", code=bad.code)
            self._noted(f"{bad.what} The server goes on by the settings that it had. {bad.advice}")
        else:
            self._noted(taken.words)
            if taken.now and self._loop is not None:
                self._loop.run_in_executor(None, self._reloading.tell_log)
        if self._made.tls is not None:
            self._renew_certificate(self._made.tls)

    def _renew_certificate(self, tls: ssl.SSLContext) -> None:
        """Show the certificate as it is: whoever connects from now on is shown the new one."""
        settings = self._reloading.running.server
        try:
            until = valid_until(settings)
            # On a context of its own first: one that half fits would take the old one away.
            load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)
            load_certificate(tls, settings)
        except FailedError as bad:
            events.tell("web", "certificate-unreadable", "error", what=bad.what)
            self._noted(f"{bad.what} The server goes on with the one that it had. {bad.advice}")
            return
        if warning := open_to_all(settings):
            self._noted(warning)
        self._health.valid_until = until
        events.tell("web", "certificate-renewed")
        self._noted("The server shows its certificate as it is now.")


def serve(
    served: Served,
    listening: Listening,
    grace: int,
    begun: Callable[[], None],
    noted: Noted,
    reloading: Reloading,
) -> None:
    """Serve until told to end; what runs then gets `grace` seconds.

    `begun` is called when it answers, and `noted` with what whoever runs it is to know.
    """
    settings, health = listening.settings, served.health
    _quieten()
    raise_limit()
    Connection.most = most_connections()
    config = _Config(
        make_api(served),
        listening=listening,
        http=Connection,
        ws="none",
        lifespan="on",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=grace,
    )
    health.settings = reloading.state
    server = _Server(config, health, begun, noted, reloading)
    events.tell("web", "server-started", host=settings.host, port=listening.port)
    server.run([listening.socket])
    events.tell("web", "server-ended")


def _quieten() -> None:
    """Keep what uvicorn says of itself from the terminal: events tell what is to be known."""
    logger = logging.getLogger("uvicorn")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
