"""In front of PostgreSQL, at a port: speaks TLS for it, or is somebody who only says to be it.

with Front(server, certificate=file) as front:     # passes on what it decrypts
    front.url(database, host="db.example")         # a name that is looked up at 127.0.0.1
with Front(asks="cleartext") as rogue:             # wants a password, and has no database
    rogue.got                                      # what it was sent

The server from the wheel is built without OpenSSL, so what is between speaks TLS in its place, by
Python's own. A name that is no loopback address stands for a host in the network.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers.postgres import PostgresServer

HOST = "db.example"
_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_ASKED = {"cleartext": struct.pack("!i", 3), "md5": struct.pack("!i", 5) + b"salt"}
_WITHIN = 30
"""Seconds after which whoever says nothing is let go."""


class Front:
    """Listens at a free port of 127.0.0.1.

    Args:
        server: what connections are passed on to.
        certificate: of TLS, with its key; None: it speaks none.
        asks: for a password in this way, in place of passing anything on.
        refuses: SQLSTATE and words by which it lets nobody in.
    """

    def __init__(
        self,
        server: PostgresServer | None = None,
        certificate: Path | None = None,
        asks: Literal["", "cleartext", "md5"] = "",
        refuses: tuple[str, str] | None = None,
    ) -> None:
        self.got: list[bytes] = []
        self.by_tls: list[bool] = []
        self._asks, self._refuses = asks, refuses
        self._there = f"{server.address[0]}/.s.PGSQL.{server.address[1]}" if server else ""
        self._context = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._closed = False
        self._threads: list[threading.Thread] = []

    def url(
        self, database: str = "hub", user: str = "sealift_app", host: str = HOST, **more: str
    ) -> str:
        """How `user` connects to it, by `host`."""
        query = urlencode({"hostaddr": "127.0.0.1", **more})
        return f"postgresql://{user}@{host}:{self.port}/{database}?{query}"

    def __enter__(self) -> Self:
        self._begin(self._listen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for one in self._threads:
            one.join(_WITHIN)

    def _begin(self, what: object, *args: object) -> None:
        assert callable(what)
        thread = threading.Thread(target=what, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                client.settimeout(_WITHIN)
                self._begin(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError), ExitStack() as opened:
            spoken = opened.enter_context(client)
            startup = _message(spoken)
            while _code(startup) in {_SSL_REQUEST, _GSS_REQUEST}:
                if _code(startup) == _SSL_REQUEST and self._context:
                    spoken.sendall(b"S")
                    wrapped = self._context.wrap_socket(
                        client, server_side=True, do_handshake_on_connect=False
                    )
                    spoken = opened.enter_context(wrapped)
                    wrapped.do_handshake()
                else:
                    spoken.sendall(b"N")
                startup = _message(spoken)
            self._answer(spoken, startup)

    def _answer(self, client: socket.socket, startup: bytes) -> None:
        self.by_tls.append(isinstance(client, ssl.SSLSocket))
        if self._refuses:
            client.sendall(_error(*self._refuses))
        elif self._asks:
            asked = _ASKED[self._asks]
            client.sendall(b"R" + struct.pack("!i", 4 + len(asked)) + asked)
            _exactly(client, 1)  # what kind of message it is
            self.got.append(_message(client)[4:].rstrip(b"\0"))
            client.sendall(_error("28P01", "password authentication failed"))
        else:
            with socket.socket(socket.AF_UNIX) as there:
                there.connect(self._there)
                there.sendall(startup)
                self._pass_on(client, there)

    def _pass_on(self, client: socket.socket, there: socket.socket) -> None:
        """One thread for both ways: OpenSSL's state is nobody else's meanwhile."""
        while not self._closed:
            ready, _, _ = select.select([client, there], [], [], 0.2)
            for one, other in ((client, there), (there, client)):
                if one in ready:
                    data = one.recv(65536)
                    while isinstance(one, ssl.SSLSocket) and one.pending():
                        data += one.recv(65536)
                    if not data:
                        return
                    other.sendall(data)


def _exactly(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = client.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def _message(client: socket.socket) -> bytes:
    """A message without a type, with its length before it."""
    length = _exactly(client, 4)
    return length + _exactly(client, int.from_bytes(length) - 4)


def _code(message: bytes) -> int:
    return int.from_bytes(message[4:8])


def _error(state: str, words: str) -> bytes:
    fields = {"S": "FATAL", "V": "FATAL", "C": state, "M": words}
    body = b"".join(key.encode() + value.encode() + b"\0" for key, value in fields.items()) + b"\0"
    return b"E" + struct.pack("!i", 4 + len(body)) + body


def certificate(folder: Path, host: str = HOST) -> Path:
    """A certificate of `host`, which nobody signed but itself, and its key: one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return file


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
