"""People at a server with its real gatekeeper: invited, signed in by password and code, or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pyotp
from httpx import Response
from litestar.testing import TestClient

from sealift_registry.access import signing_in
from sealift_registry.access.calling import Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.web.api import Served, make_api
from sealift_registry.web.health import Health
from tests.registry.accounts_fixture import invited
from tests.registry.hub_fixture import Acme
from tests.registry.served_hub import URL

PASSWORD = "a horse that nobody knows"
SERVER = "https://hub.example"
HERE = {"origin": SERVER, "sec-fetch-site": "same-origin"}
"""What a browser sends with what a page of the server asks for."""
Headers = Mapping[str, str]


def goes_by(acme: Acme, **span: float) -> None:
    """Time goes by, by the hub's clock."""
    moved = acme.app.hub.now() + timedelta(**span)
    acme.app.hub.log.stated = moved.date()
    acme.app.hub.log.clock = lambda: moved


@dataclass
class Person:
    """Somebody with an account, and an authenticator."""

    acme: Acme
    name: str
    seed: str
    password: str = PASSWORD

    def says(self, way: str = "desk", **other: str) -> dict[str, str]:
        """What they send to sign in, with a code that they did not use yet."""
        goes_by(self.acme, minutes=1)
        code = pyotp.TOTP(self.seed).at(self.acme.app.hub.now())
        said = {"account": self.name, "password": self.password, "code": code, "for": way}
        return said | other


def person(acme: Acme, name: str, *grants: Grant) -> Person:
    """Somebody who took their invitation."""
    told = invited(acme, name, *grants)
    seed = signing_in.new_seed(acme.app.hub, told.secret).text
    code = pyotp.TOTP(seed).at(acme.app.hub.now())
    signing_in.take(acme.app.hub, told.secret, PASSWORD, seed, code)
    return Person(acme, name, seed)


@dataclass
class Site:
    """A server, and who asks it."""

    acme: Acme
    client: TestClient[Any]
    served: Served
    number: int = field(default=0)

    def desk(self, who: Person) -> Headers:
        """Somebody signs in at a desk: what they send from then on."""
        answer = self.client.post("/api/v1/session", json=who.says())
        assert answer.status_code == 201, answer.text
        return {"authorization": f"Bearer {answer.json()['session']}"}

    def browser(self, who: Person, cookie: str = "") -> dict[str, str]:
        """Somebody signs in with a browser, which may have a cookie: what its pages send then."""
        headers = HERE | ({"cookie": cookie} if cookie else {})
        answer = self.client.post("/api/v1/session", json=who.says("browser"), headers=headers)
        assert answer.status_code == 201, answer.text
        self.client.cookies.clear()
        return HERE | {
            "cookie": answer.headers["set-cookie"].partition(";")[0],
            "x-sealift-csrf": answer.json()["csrf"],
        }

    def ask(
        self,
        method: str,
        path: str,
        headers: Headers | None = None,
        **said: Any,  # noqa: ANN401 - the client's own
    ) -> Response:
        """What is answered; of what changes something, each is a new request."""
        self.number += 1
        named = {"idempotency-key": f"request-{self.number}"}
        return self.client.request(
            method, f"/api/v1{path}", headers={**named, **(headers or {})}, **said
        )


@contextmanager
def at_server(acme: Acme, url: str = SERVER) -> Iterator[Site]:
    """The server of a hub."""
    hub = acme.app.hub
    made = Served(acme.app, Gatekeeper(hub), url, "0.0.1", Health(hub))
    with TestClient(make_api(made), base_url=URL, raise_server_exceptions=False) as client:
        yield Site(acme, client, made)


def code_of(answer: Response, status: int) -> str:
    """The code of a problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["next"], said
    assert answer.headers["cache-control"] == "no-store"
    return str(said["code"])
