"""A server's odd answers are told by name: names of runs, rights, slowness, pages to sign in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sealift_registry.intake import mlflow_source, mlflow_worker
from sealift_signing.errors import SealiftError

pytestmark = [pytest.mark.socket, pytest.mark.filterwarnings("ignore")]
"""MLflow warns of its own libraries."""
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server on this machine that answers so; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            """Nothing is written."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def said(handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str) -> None:
    handler.send_response(status)
    handler.send_header("content-type", kind)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def refused(uri: str, patience: int = 10) -> SealiftError:
    asked: dict[str, Any] = {
        "tracking_uri": uri,
        "name": "digits",
        "version": "3",
        "into": "/nowhere",
    }
    asked |= {"patience": patience}
    with pytest.raises(SealiftError) as caught:
        mlflow_worker.fetch(asked, lambda *_: None)
    return caught.value


def test_k1_122_a_page_to_sign_in_on_is_called_that_and_names_the_tokens_variable() -> None:
    page = b"\n <!doctype html><title>Sign in</title>"
    with answering(lambda handler: said(handler, 200, page, "text/html")) as uri:
        bad = refused(uri)
    assert bad.code == "mlflow-sign-in-page"
    assert "MLFLOW_TRACKING_TOKEN" in bad.next_step


def test_k1_123_a_slow_server_is_called_slow_with_the_setting_for_patience() -> None:
    free = threading.Event()

    def waits(_: BaseHTTPRequestHandler) -> None:
        free.wait(60)

    with answering(waits) as uri:
        bad = refused(uri, patience=1)
        free.set()
    assert bad.code == "mlflow-slow"
    assert "said nothing for 1 seconds" in bad.what
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" in bad.next_step


def test_k1_123_what_somebody_chose_to_wait_reaches_the_worker_and_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def ask(worker: Any, _what: str, request: Any, *_: Any, **__: Any) -> Any:  # noqa: ANN401
        asked.append((worker.given[mlflow_source.PATIENCE], request.get("patience")))
        raise SealiftError("x", "It is not asked here.")

    monkeypatch.setattr(mlflow_source, "ask", ask)
    source = mlflow_source.MlflowSource("http://mlflow.example", "models:/digits/3")
    for given in ("", "300"):
        monkeypatch.setenv(mlflow_source.PATIENCE, given)
        with pytest.raises(SealiftError):
            source.fetch(tmp_path / (given or "none"), lambda *_: None)
    assert asked == [("60", None), ("300", 300)]


def test_k1_124_what_may_not_be_read_is_named_with_the_right_that_is_missing() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/health"):
            said(handler, 200, b"OK", "text/html")
        else:
            said(handler, 403, b"Permission denied", "text/plain")

    with answering(answer) as uri:
        bad = refused(uri)
    assert bad.code == "mlflow-denied"
    assert "the registered model 'digits'" in bad.what
    assert "grant READ" in bad.next_step


class Runs:
    """What MLflow's client says of a run that logged a model, as MLflow 2 and 3 lay it down."""

    def __init__(self, source: str, models: tuple[tuple[str, str], ...] = ()) -> None:
        self.source = source
        outputs = [SimpleNamespace(model_id=name) for name, _ in models]
        self.logged = {n: SimpleNamespace(name=n, artifact_location=at) for n, at in models}
        info = SimpleNamespace(artifact_uri="mlflow-artifacts:/0/abc/artifacts")
        self.run = SimpleNamespace(info=info, outputs=SimpleNamespace(model_outputs=outputs))

    def get_model_version_download_uri(self, _name: str, _version: str) -> str:
        return self.source

    def get_run(self, run_id: str) -> Any:  # noqa: ANN401
        return self.run if run_id == "abc" else None

    def get_logged_model(self, model_id: str) -> Any:  # noqa: ANN401
        return self.logged[model_id]


def location(client: Runs) -> str:
    return mlflow_worker._location(client, SimpleNamespace(name="digits", version="3"))


def test_k1_125_what_a_run_logged_is_looked_up_by_the_run() -> None:
    inside = "mlflow-artifacts:/0/abc/artifacts/model"
    assert location(Runs("runs:/abc/model")) == inside
    assert location(Runs("runs:/abc/model", (("other", "s3://x/1"),))) == inside
    assert location(Runs("runs:/abc/model", (("model", "s3://x/2"),))) == "s3://x/2"
    assert location(Runs("s3://x/3")) == "s3://x/3"
    with pytest.raises(SealiftError) as caught:
        location(Runs("runs:/gone/model"))
    assert caught.value.code == "mlflow-run-unknown"


def test_k1_126_it_is_so_in_a_store_of_mlflows_own(tmp_path: Path) -> None:
    """A version that somebody registered by `runs:/…` alone."""
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("one", artifact_location=str(tmp_path / "artifacts"))
    run = client.create_run(experiment)
    folder = Path(run.info.artifact_uri.removeprefix("file://")) / "model"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    client.create_registered_model("digits")
    made = client.create_model_version("digits", f"runs:/{run.info.run_id}/model")
    found = mlflow_worker._location(client, made)
    assert Path(found.removeprefix("file://")) == folder
