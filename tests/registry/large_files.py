"""Somebody who sends and fetches large files, is cut off, and goes on; and what a server holds."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.registry.hub_fixture import TEAM

MB = 1_000_000
ROOM = 1 << 20
PATIENCE = 300.0
OFTEN = 0.02
"""Seconds between two looks at a server's memory."""
UPLOADS = f"/api/v1/teams/{TEAM}/uploads"
PIECE = "application/partial-upload"


@dataclass
class Memory:
    """What a process holds by itself, in bytes: no file that it maps, and no cache of the disk's.

    It is `RssAnon` and `RssShmem` of /proc/PID/status (proc_pid_status(5)).

    Attributes:
        idle: before anything large was asked of it.
        most: of all that was seen since.
    """

    pid: int
    idle: int = 0
    most: int = 0
    _ends: threading.Event = field(default_factory=threading.Event)

    def now(self) -> int:
        said = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        lines = (one.split() for one in said)
        return sum(int(one[1]) << 10 for one in lines if one[0] in {"RssAnon:", "RssShmem:"})

    @property
    def above(self) -> int:
        """By how much it grew."""
        return self.most - self.idle

    def _look(self) -> None:
        while not self._ends.wait(OFTEN):
            self.most = max(self.most, self.now())

    @classmethod
    @contextmanager
    def watched(cls, pid: int) -> Iterator[Memory]:
        """Of a process that is idle now, as long as the block takes."""
        memory = cls(pid)
        memory.idle = memory.most = memory.now()
        thread = threading.Thread(target=memory._look)
        thread.start()
        try:
            yield memory
        finally:
            memory._ends.set()
            thread.join()


@dataclass(frozen=True)
class Somebody:
    """Whoever asks a server at `url`, with a token or a session."""

    url: str
    secret: str

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)

    def asks(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, Any]:
        """The status, the headers, and what is said in JSON."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            told["content-type"] = "application/json"
        with closing(self.connect()) as connection:
            connection.request(method, path, data, {**self._signed_in, **told})
            answer = connection.getresponse()
            found = answer.read()
        is_json = found and "json" in answer.headers.get("content-type", "")
        return answer.status, answer.headers, json.loads(found) if is_json else found

    @property
    def _signed_in(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"}

    # ------------------------------------------------------------------ sending

    def declares(self, size: int, digest: str, name: str = "model.onnx") -> tuple[int, Any]:
        said = {"kind": "onnx", "name": name, "size": size, "sha256": digest}
        status, _, told = self.asks("POST", UPLOADS, said)
        return status, told

    def far(self, place: str) -> int:
        """How much of an upload is there."""
        status, headers, _ = self.asks("HEAD", place)
        assert status == 200
        return int(headers["upload-offset"])

    def adds(self, place: str, file: Path, count: int, *, cut: bool) -> tuple[int, Any]:
        """Send so many bytes of a file from where the upload ends; all, or `cut` off there.

        While another request still writes what came before a cut, it is tried again.
        """
        while True:
            begin = self.far(place)
            with closing(self.begins(place, begin, file.stat().st_size - begin)) as there:
                refused = suppress(BrokenPipeError, ConnectionResetError)
                with file.open("rb") as source, refused:  # before all of it had come
                    there.sendfile(source, begin, count)
                if cut:
                    return 0, None
                answer = http.client.HTTPResponse(there)
                answer.begin()
                said = json.loads(answer.read())
            if said.get("code") not in {"upload-under-way", "upload-offset"}:
                return answer.status, said

    def begins(self, place: str, offset: int, length: int) -> socket.socket:
        """A connection on which so many bytes of a piece are to follow."""
        parts = urlsplit(self.url)
        said = {
            **self._signed_in,
            "host": parts.netloc,
            "content-type": PIECE,
            "upload-offset": str(offset),
            "content-length": str(length),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        there = socket.create_connection((str(parts.hostname), parts.port), timeout=PATIENCE)
        there.sendall(f"PATCH {place} HTTP/1.1\r\n{head}\r\n".encode())
        return there

    # ------------------------------------------------------------------ fetching

    def fetches(self, path: str, size: int, cuts: Sequence[int]) -> str:
        """The sha256 of a file that is fetched, cut off at each of these bytes."""
        digest, begin, tag = sha256(), 0, ""
        room = memoryview(bytearray(ROOM))
        for end in (*cuts, size):
            said = {"range": f"bytes={begin}-", "if-range": tag} if begin else {}
            with closing(self.connect()) as connection:
                connection.request("GET", path, headers={**self._signed_in, **said})
                answer = connection.getresponse()
                assert answer.status == (206 if begin else 200)
                assert int(answer.headers["content-length"]) == size - begin
                tag = answer.headers["etag"]
                while begin < end:
                    count = answer.readinto(room[: min(ROOM, end - begin)])
                    assert count, "it ended early"
                    digest.update(room[:count])
                    begin += count
        return digest.hexdigest()
