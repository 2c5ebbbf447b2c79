"""The hub as a server: files that are fetched, what is read, and what is written by many at once.

Files go beside `mlflow server` and nginx; reading goes beside a server of the same make that does
nothing. Whoever asks is another process's thread each, over this machine's loopback.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from sealift_registry.access.calling import Grant
from sealift_registry.catalog.reference import ModelRef
from sealift_registry.intake.onnx_source import OnnxSource
from tests.benchmarks import bare_server, weights
from tests.benchmarks.figures import MB, Absent, Claim, Figure, Line, figure, over_rounds
from tests.benchmarks.grown_hub import Size, build
from tests.benchmarks.organisations import founded
from tests.benchmarks.racing import FailedError, tell
from tests.benchmarks.rivals import program
from tests.benchmarks.workloads import GB
from tests.registry.accounts_fixture import signed_in
from tests.registry.hub_fixture import MODEL, taken_in
from tests.registry.served_hub import serving
from tests.registry.test_g3_80_jobs_seen import asked
from tests.sources import serving_mlflow

FILE, QUICK_FILE = GB, 100 * MB
ROUNDS, QUICK_ROUNDS = 5, 2
READS, QUICK_READS = 2_000, 200
VERSIONS, QUICK_VERSIONS = 100_000, 1_000
PAGES, QUICK_PAGES = 200, 20
WRITERS = 16
WRITES, QUICK_WRITES = 60, 5
"""Of each writer."""
READERS = 4
PIECE = 1 << 20
DROPPED = getattr(socket, "MSG_TRUNC", 0)
PATIENCE = 60.0
OURS, MLFLOW, NGINX = "sealift serve", "mlflow server", "nginx, sendfile"


@dataclass(frozen=True)
class Address:
    """Something that is asked for: where, and as whom."""

    url: str
    secret: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it."""
        return {"authorization": f"Bearer {self.secret}"} if self.secret else {}

    @property
    def target(self) -> str:
        """What is asked for, as a request's first line says it (RFC 9112, section 3.2.1)."""
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def connect(self) -> http.client.HTTPConnection:
        """A connection to its server."""
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)

    def ask(self, connection: http.client.HTTPConnection, method: str = "GET") -> int:
        """Ask for it, and take all of the answer: how many bytes.

        Raises:
            FailedError: it is answered otherwise than with 200.
        """
        named = {"idempotency-key": str(uuid.uuid4())} if method == "POST" else {}
        connection.request(method, self.target, headers={**self.headers, **named})
        answer, size, room = connection.getresponse(), 0, bytearray(PIECE)
        while count := answer.readinto(room):
            size += count
        if answer.status != http.client.OK:
            raise FailedError(f"{self.url} was answered {answer.status}")
        return size


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """Files, then single reads and pages, then writers."""
    yield from _files(folder / "files", quick=quick)
    yield from _reads(folder / "reads", quick=quick)
    yield from _pages(folder / "pages", quick=quick)
    yield from _writers(folder / "writers", quick=quick)


# ---------------------------------------------------------------------- files


def _files(folder: Path, *, quick: bool) -> Iterator[Line]:
    folder.mkdir(parents=True)
    model = weights.make(folder / "model", [QUICK_FILE if quick else FILE])
    (source,) = model.glob("*.bin")
    size = source.stat().st_size
    with ExitStack() as stack:
        each = {OURS: stack.enter_context(_hubs_blob(folder / "ours", model))}
        each[MLFLOW] = stack.enter_context(_mlflows(folder / "mlflow", source))
        if program("nginx") is None:
            yield Absent(NGINX, "not installed: make bench-tools installs it on Debian")
        else:
            each[NGINX] = stack.enter_context(_nginxs(folder / "nginx", source))
        rounds: dict[str, list[float]] = {name: [] for name in each}
        for number in range(QUICK_ROUNDS if quick else ROUNDS):
            names = [*each][number % len(each) :] + [*each][: number % len(each)]
            for name in names:
                tell(f"fetching {size // MB} MB: {name}")
                rounds[name].append(_fetched(each[name], size))
        for name, took in rounds.items():
            rates = [size / MB / one for one in took]
            yield over_rounds("", f"fetch {size // MB:,} MB: {name}", "MB/s", rates)
        for name in rounds.keys() - {OURS}:
            pairs = zip(rounds[OURS], rounds[name], strict=True)
            ratios = [theirs / ours for ours, theirs in pairs]
            least = 5.0 if name == MLFLOW else None
            yield over_rounds("18.7", f"{OURS}, against {name}", "x", ratios, least=least)


def _fetched(one: Address, size: int) -> float:
    """Seconds until all of a file has come, and its connection is closed.

    What comes is dropped by the kernel (`MSG_TRUNC`, tcp(7)): else it is whoever asks that limits.
    """
    parts, count = urlsplit(one.url), 0
    said = {"host": parts.netloc, "connection": "close", **one.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    began = time.perf_counter()
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as there:
        there.sendall(f"GET {parts.path} HTTP/1.1\r\n{head}\r\n".encode())
        room = bytearray(PIECE)
        first = there.recv_into(room)
        if not room.startswith(b"HTTP/1.1 200"):
            raise FailedError(f"{one.url} is answered {bytes(room[:30])!r}")
        while more := there.recv_into(room, PIECE, DROPPED):
            count += more
    if count + first < size:
        raise FailedError(f"{one.url} is another file")
    return time.perf_counter() - began


@contextmanager
def _hubs_blob(folder: Path, model: Path) -> Iterator[Address]:
    """The one large file of a model, in a hub."""
    acme = founded(folder)
    goldens = model.with_name(f"{model.name}.npz")
    taken_in(acme.app, OnnxSource(model), ModelRef.parse(MODEL), goldens)
    form = f"/api/v1/versions/{MODEL}/1/source"
    secret = signed_in(acme, "viewer", Grant("viewer")).secret
    acme.close()
    with serving(acme.root) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)
        headers = Address("", secret).headers
        connection.request("GET", f"{form}/manifest", headers=headers)
        layers = json.loads(connection.getresponse().read())["layers"]
        connection.close()
        digest = max(layers, key=lambda one: int(one["size"]))["digest"].removeprefix("sha256:")
        yield Address(f"{server.url}{form}/blobs/{digest}", secret)


@contextmanager
def _mlflows(folder: Path, source: Path) -> Iterator[Address]:
    """The same bytes as an artifact that MLflow's server sends itself."""
    folder.mkdir()
    with serving_mlflow(folder) as address:
        there = folder / "artifacts" / "0" / "large"
        there.mkdir(parents=True)
        shutil.copyfile(source, there / "artifact.bin")
        yield Address(f"{address}/api/2.0/mlflow-artifacts/artifacts/0/large/artifact.bin")


@contextmanager
def _nginxs(folder: Path, source: Path) -> Iterator[Address]:
    """The same bytes, as nginx sends them."""
    folder.mkdir()
    port = _free_port()
    settings = folder / "nginx.conf"
    settings.write_text(
        f"""{"user root;" if os.getuid() == 0 else ""}
daemon off; pid {folder}/pid; error_log stderr crit; worker_processes 1;
events {{}}
http {{
  access_log off; sendfile on; tcp_nopush on;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {source.parent}; }}
}}
"""
    )
    with _running([str(program("nginx")), "-p", str(folder), "-c", str(settings)], port):
        yield Address(f"http://127.0.0.1:{port}/{source.name}")


# ---------------------------------------------------------------------- reading


def _reads(folder: Path, *, quick: bool) -> Iterator[Line]:
    """One version, by somebody who is signed in; and the same bytes from memory, by nobody."""
    acme = founded(folder)
    acme.ingest(1, acme.goldens())
    secret = signed_in(acme, "viewer", Grant("viewer")).secret
    acme.close()
    count = QUICK_READS if quick else READS
    with serving(acme.root) as server:
        ours = Address(f"{server.url}/api/v1/versions/vision/tiny/1", secret)
        connection = ours.connect()
        connection.request("GET", urlsplit(ours.url).path, headers=ours.headers)
        body = folder / "body"
        body.write_bytes(connection.getresponse().read())
        connection.close()
        port = _free_port()
        with _running([sys.executable, "-m", bare_server.__name__, str(port), str(body)], port):
            bare = Address(f"http://127.0.0.1:{port}{bare_server.ADDRESS}")
            tell(f"{count:,} reads")
            each = [_read("show a version", ours, count), _read("(a bare handler)", bare, count)]
    yield from each
    own, other = each
    told = "a bare handler's reads, for each of ours"
    yield Claim("18.7", told, other.per_second / own.per_second, "x")


def _read(name: str, one: Address, count: int) -> Figure:
    """So many reads by a few readers, each over a connection of their own."""

    def reads(_: int) -> list[float]:
        connection = one.connect()
        try:
            one.ask(connection)  # what is made once
            return [_timed(lambda: one.ask(connection)) for _ in range(count // READERS)]
        finally:
            connection.close()

    return _together(f"{name}, {READERS} readers", READERS, reads)


def _pages(folder: Path, *, quick: bool) -> Iterator[Line]:
    """Pages of a hundred versions, of a hub of very many: one after the other, and one again."""
    versions = QUICK_VERSIONS if quick else VERSIONS
    tell(f"growing a hub of {versions:,} versions")
    acme = build(folder, Size.of(versions))
    secret = signed_in(acme, "viewer", Grant("viewer")).secret
    acme.close()
    count = QUICK_PAGES if quick else PAGES
    with serving(acme.root) as server:
        first = Address(f"{server.url}/api/v1/versions?limit=100&newest_first=true", secret)
        connection = first.connect()
        took, beyond = [], ""
        for _ in range(min(count, versions // 100)):
            page = Address(f"{first.url}{beyond}", secret)
            began = time.perf_counter()
            connection.request("GET", page.target, headers=page.headers)
            answer = connection.getresponse().read()
            took.append(time.perf_counter() - began)
            beyond = f"&beyond={quote(json.loads(answer)['beyond'] or '', safe='')}"
        first.ask(connection)
        again = [_timed(lambda: first.ask(connection)) for _ in range(count)]
        connection.close()
    for name, each in (
        (f"page after page of 100 of {versions:,} versions", took),
        (f"the newest page of {versions:,} versions, again", again),
    ):
        found = figure(name, each)
        yield found
        yield Claim("18.7", f"{name}, p99", found.p99_ms, "ms", aim=50.0)


# ---------------------------------------------------------------------- writing


def _writers(folder: Path, *, quick: bool) -> Iterator[Line]:
    """Sixteen who each take jobs back, one after the other, on SQLite."""
    acme = founded(folder)
    count = QUICK_WRITES if quick else WRITES
    jobs = [[asked(acme.app.hub).id for _ in range(count + 1)] for _ in range(WRITERS)]
    secret = signed_in(acme, "operator", Grant("operator")).secret
    acme.close()
    with serving(acme.root) as server:
        tell(f"{WRITERS} writers")

        def writes(number: int) -> list[float]:
            each = [
                Address(f"{server.url}/api/v1/jobs/{job}/cancel", secret) for job in jobs[number]
            ]
            connection = each[0].connect()
            try:
                each[0].ask(connection, "POST")  # what is made once
                return [_timed(lambda: one.ask(connection, "POST")) for one in each[1:]]  # noqa: B023 - called at once
            finally:
                connection.close()

        found = _together(f"{WRITERS} writers on SQLite", WRITERS, writes)
    yield found
    yield Claim("18.7", f"{found.name}, p99", found.p99_ms, "ms", aim=100.0)


# ---------------------------------------------------------------------- both


def _together(name: str, many: int, does: Callable[[int], list[float]]) -> Figure:
    began = time.perf_counter()
    with ThreadPoolExecutor(many) as pool:
        took: list[Sequence[float]] = list(pool.map(does, range(many)))
    elapsed = time.perf_counter() - began
    return figure(name, [one for each in took for one in each], elapsed)


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    """A server, from its first answer on."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
                break
            except OSError:
                time.sleep(0.05)
            finally:
                connection.close()
        else:
            raise FailedError(f"{command[0]} did not answer")
        yield
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
