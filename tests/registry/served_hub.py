"""A hub that is served: within this process over ASGI, or by the real `sealift serve`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litestar.testing import TestClient
from sqlalchemy import Connection

from sealift_registry.web.api import Served, make_api
from sealift_registry.web.callers import Caller, Gatekeeper, Reach, Way, Where, signed_out
from sealift_registry.web.health import Health
from sealift_signing.errors import RefusedError, SealiftError
from tests.registry.hub_fixture import Acme

URL = "http://hub.test"
PATIENCE = 60.0


@dataclass(frozen=True)
class Somebody:
    """A caller of tests."""

    name: str
    account: str = "A-000001"
    person: str | None = None
    by: Way = "desk"
    csrf: str = ""


@dataclass
class Doorkeeper:
    """Lets in whom a test lets in, by their secret; `may` says who may do what."""

    callers: dict[str, Caller] = field(default_factory=dict)
    may: Callable[[Caller, str, Where], bool] = lambda _caller, _action, _where: True
    asked: list[tuple[str, str, Where]] = field(default_factory=list)

    def caller(self, secret: str, kind: Way) -> Caller:
        if secret not in self.callers:
            raise signed_out()
        return self.callers[secret]

    def reach(self, caller: Caller, action: str) -> Reach:
        return Reach(everything=self.may(caller, action, Where()))

    def check(self, caller: Caller, action: str, where: Where) -> None:
        self.asked.append((caller.name, action, where))
        if not self.may(caller, action, where):
            raise RefusedError("forbidden", "They may not.", next_step="Ask an administrator.")

    def tell_refused(self, caller: Caller, action: str, where: Where) -> None:
        """What the log would be told."""

    def tell_request_refused(
        self, caller: Caller, asked: str, kind: str, bad: SealiftError, run: str
    ) -> None:
        """Likewise."""

    def tell_more_refused(self, *, rest: bool = False) -> None:
        """Likewise."""

    def guard(self, caller: Caller, action: str, where: Where) -> Callable[[Connection], None]:
        return lambda _connection: self.check(caller, action, where)


@contextmanager
def served(
    hub: Acme, keeper: Gatekeeper | None = None, url: str = URL
) -> Iterator[TestClient[Any]]:
    """The hub, asked in this process; errors of the application are answered, not raised."""
    made = Served(hub.app, keeper or Doorkeeper(), url, "0.0.1", Health(hub.app.hub))
    with TestClient(make_api(made), base_url=URL, raise_server_exceptions=False) as client:
        yield client


def signed_in(keeper: Doorkeeper, name: str = "anna") -> Mapping[str, str]:
    """The header by which somebody is let in."""
    secret = f"sls_{name}"
    keeper.callers[secret] = Somebody(name, f"A-{name}", name)
    return {"authorization": f"Bearer {secret}"}


@dataclass
class Process:
    """A `sealift serve` that runs, and what it has said."""

    process: subprocess.Popen[str]
    port: int
    url: str

    def ends(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Tell it to end; its exit code, and the rest of what it said."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@contextmanager
def serving(root: Path, *options: str, **environment: str) -> Iterator[Process]:
    """The real thing, on a port of its own."""
    given = [sys.executable, "-m", "tests.registry.serve_process", "--home", str(root)]
    process = subprocess.Popen(
        [*given, "serve", "--port", "0", "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            assert process.stderr is not None
            raise AssertionError(process.stderr.read())
        said = json.loads(first)
        yield Process(process, said["port"], said["url"])
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
