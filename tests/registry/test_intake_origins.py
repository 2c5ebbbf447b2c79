"""A source is read where it was named, and nowhere that it sends us on to.

Each attack has a server of its own, `elsewhere`, that must never be asked.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import urllib3
from requests.sessions import SessionRedirectMixin

from sealift_registry.intake import mlflow_artifacts, origins
from sealift_registry.intake.dvc_source import DvcSource
from sealift_registry.intake.mlflow_source import MlflowSource
from sealift_registry.intake.origins import LeftError
from sealift_signing.errors import RefusedError
from tests.sources import GIT_WHO, DvcRepository

pytestmark = pytest.mark.socket
"""Servers of its own on this machine."""


def silent(_path: str, _done: int, _total: int) -> None: ...


@dataclass
class Server:
    """Answers everything with `status` and `headers`, and keeps what it was asked."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            server.asked.append(f"{self.command} {self.path}")
            self.send_response(server.status)
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_HEAD = do_PUT = _answer  # noqa: N815 - the library's names

        def log_message(self, *_arguments: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.address = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_t1_05_a_tracking_server_sends_us_nowhere(
    elsewhere: Server, tmp_path: Path, status: int
) -> None:
    sends_on = Server(status, {"Location": f"{elsewhere.address}/health"})
    with serving(sends_on) as tracking, pytest.raises(RefusedError) as refused:
        MlflowSource(tracking.address, "models:/digits/1").fetch(tmp_path / "into", silent)
    assert refused.value.code == "redirected"
    assert elsewhere.asked == []
    assert tracking.asked


def test_t1_05_git_lfs_sends_us_nowhere(
    elsewhere: Server, dvc_repository: DvcRepository, tmp_path: Path
) -> None:
    """Whoever may push to a repository writes its .lfsconfig."""
    mine = dvc_repository.copied(tmp_path / "mine")
    (mine.path / ".lfsconfig").write_text(f"[lfs]\n\turl = {elsewhere.address}/lfs\n")
    (mine.path / ".gitattributes").write_text("*.ubj filter=lfs diff=lfs merge=lfs -text\n")
    (mine.path / "sent.ubj").write_text(
        "version https://git-lfs.github.com/spec/v1\n" + f"oid sha256:{'ab' * 32}\nsize 12345\n"
    )
    git = ("git", "-C", str(mine.path), *GIT_WHO, "-c", "filter.lfs.required=false")
    subprocess.run([*git, "add", "-A"], check=True, capture_output=True)
    subprocess.run([*git, "commit", "-q", "-m", "Sent on"], check=True, capture_output=True)
    with pytest.raises(RefusedError) as refused:
        DvcSource(str(mine.path), "sent.ubj", "HEAD").fetch(tmp_path / "into", silent)
    assert refused.value.code == "git-lfs"
    assert elsewhere.asked == []


def test_t1_05_a_git_server_sends_us_nowhere(elsewhere: Server, tmp_path: Path) -> None:
    target = f"{elsewhere.address}/models.git/info/refs?service=git-upload-pack"
    sends_on = Server(301, {"Location": target})
    with serving(sends_on) as git, pytest.raises(RefusedError, match="which is another server"):
        DvcSource(f"{git.address}/models.git", "model.ubj", "HEAD").fetch(tmp_path / "in", silent)
    assert git.asked
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "asked, told, stays",
    [
        ("http://host:5000/a", "/b", True),
        ("http://host:5000/a", "http://host:5000/b", True),
        ("http://host/a", "http://HOST:80/b", True),
        ("http://host/a", "https://host/b", False),
        ("https://host/a", "http://host/a", False),
        ("http://host:5000/a", "http://host:5001/a", False),
        ("http://host/a", "//other/a", False),
        ("http://host/a", "http://host.other/a", False),
        ("http://host/a", "http://host@other/a", False),
        ("http://host/a", "file:///etc/passwd", False),
        ("http://host/a", "http://host:99999/a", False),
        ("http://host/a", "http://[::1", False),
    ],
)
def test_where_a_redirect_leads(asked: str, told: str, stays: bool) -> None:
    if stays:
        origins.check_stays(asked, told)
    else:
        with pytest.raises(LeftError):
            origins.check_stays(asked, told)


@pytest.mark.parametrize("told", ["http://host:99999/a", "http://[bad/a", "http://host:port/a"])
def test_t1_74_a_redirect_to_no_address_is_said_to_be_so(told: str) -> None:
    with pytest.raises(LeftError, match="not an address"):
        origins.check_stays("http://host/a", told)


def test_t1_74_a_server_that_moved_to_https_is_told_as_it_is_given() -> None:
    with pytest.raises(LeftError) as refused:
        origins.check_stays("http://mlflow.example/health", "https://mlflow.example/health")
    assert "If https://mlflow.example is the server that you mean" in refused.value.next_step
    with pytest.raises(LeftError, match=r"http://\[::1\]:5000/a redirects us to http://\[::2\],"):
        origins.check_stays("http://[::1]:5000/a", "http://[::2]/a")


@pytest.mark.parametrize(
    "location, tracking, is_its",
    [
        ("mlflow-artifacts:/1/a", "http://host:5000/prefix/", True),
        ("mlflow-artifacts://host:5000/1/a", "http://host:5000", True),
        ("mlflow-artifacts://Host:5000/1/a", "http://host:5000", True),
        ("mlflow-artifacts://host/1/a", "https://host:443", True),
        ("mlflow-artifacts://host:443/1/a", "https://host/mlflow", True),
        ("mlflow-artifacts://host:5000/1/a", "http://me:secret@host:5000", True),
        ("mlflow-artifacts://[::1]:5000/1/a", "http://[::1]:5000", True),
        ("mlflow-artifacts://host:443/1/a", "http://host", False),
        ("mlflow-artifacts://host:5001/1/a", "http://host:5000", False),
        ("mlflow-artifacts://host.other/1/a", "http://host", False),
        ("mlflow-artifacts://me@host/1/a", "http://host", False),
        ("mlflow-artifacts://host:port/1/a", "http://host", False),
        ("mlflow-artifacts://host\\.other/1/a", "http://host", False),
    ],
)
def test_t1_74_the_tracking_server_is_known_however_it_is_spelled(
    location: str, tracking: str, is_its: bool
) -> None:
    if is_its:
        mlflow_artifacts.check_location(location, tracking)
    else:
        with pytest.raises(RefusedError) as refused:
            mlflow_artifacts.check_location(location, tracking)
        assert refused.value.code == "mlflow-artifact-host"


LIBRARIES: dict[str, Callable[[str], object]] = {
    "requests": lambda address: requests.get(address, timeout=10),
    "urllib3": lambda address: urllib3.PoolManager().request("GET", address),
}
NO_ADDRESS = [
    "http://{elsewhere}\\@{here}/a",
    "//{elsewhere}\\@{here}/a",
    "\\\\{elsewhere}/a",
    "http://{here}\t@{elsewhere}/a",
    "http://{here}/\u2028a",
]


@pytest.mark.parametrize("told", NO_ADDRESS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_t1_63_what_two_libraries_read_differently_leads_nowhere(
    elsewhere: Server, monkeypatch: pytest.MonkeyPatch, library: str, told: str
) -> None:
    """A backslash ends a host to urllib3, and is a part of what stands before it to urlsplit."""
    kept = SessionRedirectMixin.get_redirect_target
    monkeypatch.setattr(SessionRedirectMixin, "get_redirect_target", kept)
    monkeypatch.setattr(urllib3.PoolManager, "urlopen", urllib3.PoolManager.urlopen)
    origins.stay()
    sends_on = Server(302)
    with serving(sends_on) as asked:
        places = {"here": asked.address[7:], "elsewhere": elsewhere.address[7:]}
        sends_on.headers["Location"] = told.format(**places).encode().decode("latin-1")
        with pytest.raises(LeftError, match="redirects us to"):
            LIBRARIES[library](asked.address)
    assert elsewhere.asked == []
    assert len(sends_on.asked) == 1


def test_an_address_is_told_without_its_password() -> None:
    with pytest.raises(LeftError) as refused:
        origins.check_stays("http://me:secret@host/a", "http://you:hidden@other/a?token=hidden")
    assert "secret" not in str(refused.value) + refused.value.subject
    assert "hidden" not in str(refused.value) + refused.value.subject
