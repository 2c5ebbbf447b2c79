"""A proxy before an S3 server that does it harm: by HTTP on loopback, one fault at a time.

    with hostile(server.endpoint) as proxy:
        proxy.fault = busy(20)          # called with every request, and with its answer
        store = blobs_at(proxy.endpoint, bucket, work)

What it passes on is what the client signed: the server is told the host that the client named.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAGE = b"<!DOCTYPE html><html><body>Please log in to the guest network.</body></html>"


@dataclass
class Request:
    """What a client asks; a fault may change it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def is_(self, method: str, pattern: str = "") -> bool:
        """Whether it is of this method, and of a path with this in it."""
        return self.method == method and re.search(pattern, self.path) is not None

    def has(self, *beginnings: str) -> bool:
        """Whether a header's name begins with one of these, in small letters."""
        return any(name.lower().startswith(beginnings) for name in self.headers)


@dataclass
class Answer:
    """What is answered; a fault may change it.

    Attributes:
        cut: after so many bytes of the body the connection is cut; the headers say what was meant.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    cut: int | None = None


Fault = Callable[[Request, Callable[[], Answer]], Answer]
"""Given a request and what passes it on; what is answered."""


def honest(_request: Request, passed: Callable[[], Answer]) -> Answer:
    """No fault."""
    return passed()


@dataclass
class Proxy:
    """A proxy that is running."""

    endpoint: str
    fault: Fault = honest
    seen: list[Request] = field(default_factory=list)


def said(code: str, status: int, message: str = "no") -> Answer:
    """An error, as S3 servers tell it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, {"Content-Type": "application/xml"}, body.encode())


def locked(request: Request, passed: Callable[[], Answer]) -> Answer:
    """As a bucket of Amazon's with object lock: nothing is put there without a checksum."""
    if request.method == "PUT" and not request.has("content-md5", "x-amz-checksum-"):
        words = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests "
        return said("InvalidRequest", 400, words + "with Object Lock parameters")
    return passed()


class _Dropped(Exception):  # noqa: N818 - it is no error of ours
    """The connection is cut before anything is answered."""


def drop() -> Answer:
    """Cut the connection without a word."""
    raise _Dropped


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.proxy = Proxy(f"http://127.0.0.1:{self.server_address[1]}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each body waits 40 ms for its head to be acknowledged
    server: _Server

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if "100-continue" in self.headers.get("Expect", ""):
            self.send_response_only(100)
            self.end_headers()
        headers = dict(self.headers.items())
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        proxy = self.server.proxy
        proxy.seen.append(request)
        try:
            answer = proxy.fault(request, lambda: _passed(self.server.behind, request))
        except _Dropped:
            self._hang_up()
            return
        self._answer(answer)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815 - http.server's names

    def _answer(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        length = str(len(answer.body))
        for name, value in answer.headers.items():
            if name.lower() == "content-length":
                length = value
            elif name.lower() not in {"transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.cut])
        if answer.cut is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def handle(self) -> None:
        with suppress(OSError):  # whoever asked has gone
            super().handle()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def hostile(endpoint: str) -> Iterator[Proxy]:
    """A proxy before the server at `endpoint`."""
    server = _Server(urlsplit(endpoint).netloc)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _passed(behind: str, request: Request) -> Answer:
    connection = http.client.HTTPConnection(behind, timeout=60)
    try:
        headers = {k: v for k, v in request.headers.items() if k.lower() != "expect"}
        connection.request(request.method, request.path, request.body, headers)
        said = connection.getresponse()
        body = said.read()
        return Answer(said.status, dict(said.getheaders()), body)
    finally:
        connection.close()
