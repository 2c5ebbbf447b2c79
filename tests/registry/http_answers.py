"""A server that answers what a test wants, byte for byte, over HTTP or TLS."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sealift_registry.client.address import ServerAddress

LOOPBACK = "127.0.0.1"
PATIENCE = 20.0
TLS = b"\x16"
"""How somebody begins who speaks TLS."""


@dataclass(frozen=True)
class Asked:
    """A request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answers = Callable[[Asked], bytes]
"""The bytes that are answered; after them the connection is closed."""


@dataclass
class Server:
    """What it was asked, in order."""

    address: ServerAddress
    asked: list[Asked] = field(default_factory=list)


def answer(
    body: bytes | str | dict[str, Any],
    status: str = "200 OK",
    kind: str = "application/json",
    **headers: str,
) -> bytes:
    """An answer that is whole; `headers` besides, with `_` for `-`."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    data = data.encode() if isinstance(data, str) else data
    said = {"content-type": kind, "content-length": str(len(data)), "connection": "close"}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + data


def problem(status: str, **members: Any) -> bytes:  # noqa: ANN401 - JSON
    """A problem of a hub's server."""
    said = {"type": "/docs/errors", "status": 0, "request": "r", "subject": "", "next": ""}
    return answer(said | members, status, "application/problem+json")


@contextmanager
def answering(answers: Answers, certificate: Path | None = None) -> Iterator[Server]:
    """Listen at a free port of this machine; with a certificate and its key in one file, by TLS."""
    listener = socket.create_server((LOOPBACK, 0))
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    scheme = "http" if context is None else "https"
    server = Server(ServerAddress(scheme, LOOPBACK, listener.getsockname()[1]))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), connection:
                connection.settimeout(PATIENCE)
                one = connection
                if context is not None:
                    one = context.wrap_socket(connection, server_side=True)
                found = _read(one)
                server.asked.append(found)
                one.sendall(answers(found))
                one.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _read(connection: socket.socket) -> Asked:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
        if data.startswith(TLS):
            return Asked("", "", {}, data)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += _more(connection)
    return Asked(method, path, headers, body)


def _more(connection: socket.socket) -> bytes:
    found = connection.recv(65536)
    if not found:
        raise ConnectionResetError
    return found


def certificate(
    folder: Path, host: str = LOOPBACK, begins: timedelta = timedelta(), days: int = 1
) -> Path:
    """A certificate of `host`, which nobody signed but itself, and its key: one file."""
    key, since = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) + begins
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    known = host.replace(".", "").isdigit()
    by = x509.IPAddress(ip_address(host)) if known else x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since - timedelta(hours=1))
        .not_valid_after(since + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([by]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / f"{host}.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return file
