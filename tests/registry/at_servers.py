"""People at desks of their own, who type `sealift … --server`: over a real socket, to a real hub.

What comes back may be altered on the way, by a test that stands for the server's owner.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from litestar.testing import TestClient

from sealift_registry.access import binding
from sealift_registry.access.calling import Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.cli.run import run
from sealift_registry.client.address import ServerAddress
from sealift_registry.client.sessions import OpenSession, Sessions
from sealift_registry.trust import hub_drafts
from sealift_signing.memory import Memory
from tests.registry.accounts_fixture import signed_in
from tests.registry.http_answers import Asked, answer, answering, problem
from tests.registry.hub_fixture import PASSPHRASE, Acme
from tests.registry.served_hub import served
from tests.registry.signing_people import sign

Told = Any
"""What a command said under --json; of a refusal, its error."""
Alters = Callable[[Asked, dict[str, Any]], dict[str, Any]]
"""What a server's owner makes of an answer in JSON, knowing what was asked."""


def honest(_asked: Asked, said: dict[str, Any]) -> dict[str, Any]:
    """Nothing else than the hub says."""
    return said


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Told:
        """Under --json."""
        return json.loads(self.out if self.code == 0 else self.err)

    @property
    def error(self) -> str:
        """The code of a refusal."""
        return str(self.json["error"]["code"])


@dataclass
class AtServer:
    """A hub behind its server.

    Attributes:
        alters: what its owner does to answers.
        says: what its owner puts in the place of lines for people, if anything.
        asked: all that was asked of it.
    """

    acme: Acme
    address: ServerAddress
    asked: list[Asked] = field(default_factory=list)
    alters: Alters = honest
    says: bytes | None = None

    def desk(self, name: str, *grants: Grant, trusts: bool = True, bound: bool = False) -> Desk:
        """Somebody at a desk of theirs, who is signed in there."""
        made = Desk(self, name, self.acme.folder / "desks" / name)
        made.folder.mkdir(parents=True)
        made.has_passphrase()
        secret = signed_in(self.acme, name, *grants).secret
        if bound:
            self._bind(name, secret)
        made.sessions.keep(OpenSession(str(self.address), secret, "A-1", name, "2099-01-01"))
        if trusts:
            self.acme.trusted(made.memory)
        return made

    def _bind(self, name: str, secret: str) -> None:
        hub, url = self.acme.app.hub, str(self.address)
        who = Gatekeeper(hub).caller(secret, "desk")
        wanted = binding.wanted(hub, who, url)
        with hub.reading() as connection:
            made = hub_drafts.draft(hub, connection, wanted)
        binding.take(hub, who, url, sign(made, wanted.ask, [self.acme.signer(name)], hub.now()))


@dataclass
class Desk:
    """One person's."""

    at: AtServer
    name: str
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        return {"XDG_CONFIG_HOME": str(self.folder / "config")}

    def has_passphrase(self) -> None:
        """Write down what opens every key."""
        (self.folder / "pass").write_text(f"{PASSPHRASE}\n")

    @property
    def sessions(self) -> Sessions:
        return Sessions.located(self.environment)

    @property
    def memory(self) -> Memory:
        return Memory.located(self.environment)

    @property
    def key(self) -> list[str]:
        """The options that name this person's own key."""
        return self.keys(self.name)

    def keys(self, *names: str) -> list[str]:
        found = [word for one in names for word in ("--key", str(self.at.acme.key(one)))]
        return [*found, "--passphrase-file", str(self.folder / "pass")]

    def card(self, of: str) -> str:
        """The file of somebody's key card, which they brought."""
        path = self.folder / f"{of}.card"
        if not path.exists():
            path.write_bytes(self.at.acme.card(of)[1])
        return str(path)

    def other_card(self, of: str) -> str:
        """The file of the card of a new key of theirs."""
        path, key = self.folder / f"{of}-2.card", self.at.acme.new_key(f"{of}-2")
        path.write_bytes(self.at.acme.card(of, key)[1])
        return str(path)

    def types(self, *words: str, server: bool = True, first: bool = False) -> Said:
        """Type a command here; the server is named last, or `first`."""
        named = ["--server", str(self.at.address)] if server else []
        given = [*named, *words] if first else [*words, *named]
        out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
        with (
            mock.patch.dict(os.environ, self.environment),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            os.chdir(self.folder)
            try:
                code = run(given)
            finally:
                os.chdir(before)
        return Said(code, out.getvalue(), err.getvalue())

    def __call__(self, *words: str, code: int = 0) -> Told:
        """What is answered to machines."""
        said = self.types(*words, "--json")
        assert said.code == code, said.err or said.out
        return said.json

    def refused(self, *words: str) -> str:
        """The code with which a command is refused; it says what to do next."""
        said = self.types(*words, "--json")
        assert said.code != 0, said.out
        assert said.json["error"]["next"], said.err
        return said.error


@contextmanager
def at_server(acme: Acme) -> Iterator[AtServer]:
    """The hub behind a server that listens, with the gatekeeper that it has."""
    there: list[tuple[TestClient[Any], AtServer]] = []

    def answers(asked: Asked) -> bytes:
        client, at = there[0]
        at.asked.append(asked)
        said = {k: v for k, v in asked.headers.items() if k not in {"host", "content-length"}}
        found = client.request(asked.method, asked.path, headers=said, content=asked.body)
        kind = found.headers.get("content-type", "application/json")
        body = found.content
        if kind == "application/json" and found.status_code < 300 and body:
            try:
                body = json.dumps(at.alters(asked, json.loads(body))).encode()
            except Exception as bad:  # noqa: BLE001 - told where it is waited for, and not here
                return problem("500 Test", code="test-failed", title=repr(bad)[:500])
        if kind.startswith("text/plain") and at.says is not None:
            body = at.says
        tag = {"etag": found.headers["etag"]} if "etag" in found.headers else {}
        return answer(body, f"{found.status_code} Said", kind, **tag)

    with answering(answers) as server:
        at = AtServer(acme, server.address)
        with served(acme, Gatekeeper(acme.app.hub), str(server.address)) as client:
            there.append((client, at))
            yield at
