"""A proxy on loopback whose line breaks in the middle of one file."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@contextmanager
def cutting_off(upstream: str, file: str) -> Iterator[str]:
    """The address of a proxy for `upstream`: of a GET whose path ends in `file` it sends half."""
    handler = type("_Handler", (_Passing,), {"upstream": urlsplit(upstream).netloc, "file": file})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Passing(BaseHTTPRequestHandler):
    upstream: str
    file: str
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        there = http.client.HTTPConnection(self.upstream, timeout=60)
        # The headers as they came, Host too: an S3 client has signed them.
        there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            there.putheader(name, value)
        there.endheaders(body)
        answer = there.getresponse()
        self._answer(answer, answer.read())
        there.close()

    def _answer(self, answer: http.client.HTTPResponse, body: bytes) -> None:
        size = answer.headers.get("Content-Length") or str(len(body))  # of a HEAD, the file's
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", size)
        self.end_headers()
        cut = self.command == "GET" and urlsplit(self.path).path.endswith(self.file)
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    do_GET = do_HEAD = do_POST = _pass_on  # noqa: N815 - the names that http.server calls

    def log_message(self, *_said: object) -> None:
        """Nothing: pytest shows what matters."""
