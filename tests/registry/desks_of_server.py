"""People at their desks, asking a hub's server: each with a session, a key, and nothing of the hub.

They sign what the server drafts through the gate, and remember nothing; what a desk's memory adds
is tested where desks are.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from httpx import Response
from litestar.testing import TestClient

from sealift_registry.access import binding
from sealift_registry.access.calling import Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.trust import hub_drafts
from sealift_signing import drafts
from sealift_signing.acts.material import Ask
from sealift_signing.drafts import Draft
from tests.registry.accounts_fixture import signed_in
from tests.registry.hub_fixture import Acme
from tests.registry.served_hub import URL
from tests.registry.signing_people import sign

API = "/api/v1"
Finds = Callable[[Draft], Draft]


def bound(acme: Acme, person: str, *grants: Grant, account: str = "") -> str:
    """The secret of a session of a person who proved their key."""
    name = account or person
    opened = signed_in(acme, name, *grants)
    who = Gatekeeper(acme.app.hub).caller(opened.secret, "desk")
    hub = acme.app.hub
    wanted = binding.wanted(hub, who, URL)
    with hub.reading() as connection:
        made = hub_drafts.draft(hub, connection, wanted)
    binding.take(hub, who, URL, sign(made, wanted.ask, [acme.signer(person)], hub.now()))
    return opened.secret


@dataclass
class Desk:
    """One person's; `account` is what they are signed in with, where that is called otherwise."""

    client: TestClient[Any]
    acme: Acme
    person: str
    secret: str
    account: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"}

    def get(self, path: str) -> Response:
        return self.client.get(f"{API}{path}", headers=self.headers)

    def post(
        self,
        path: str,
        body: bytes = b"",
        kind: str = "application/json",
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        said = {"idempotency-key": str(uuid.uuid4()) if key is None else key}
        said |= {"content-type": kind, **self.headers, **(headers or {})}
        return self.client.post(f"{API}{path}", content=body, headers=said)

    def delete(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        said = {"idempotency-key": str(uuid.uuid4()), **self.headers, **(headers or {})}
        return self.client.delete(f"{API}{path}", headers=said)

    def matching(self, path: str) -> dict[str, str]:
        """What to send with a change of what stands there."""
        return {"if-match": self.get(path).headers.get("etag", '"none"')}

    def asks(self, ask: Ask, key: str | None = None, **more: Any) -> Response:  # noqa: ANN401 - JSON
        """Have an act drafted."""
        details = {name: list(given) for name, given in ask.details.items()}
        said = {"act": ask.act, "object": list(ask.object), "details": details, **more}
        return self.post("/drafts", json.dumps(said).encode(), key=key)

    def signed(self, ask: Ask, signers: Sequence[str] = (), **more: Any) -> bytes:  # noqa: ANN401 - JSON
        """The file of an act that this person had drafted, and signed."""
        answer = self.asks(ask, **more)
        assert answer.status_code == 200, answer.text
        draft = drafts.read(b64decode(answer.json()["draft"]))
        keys = [self.acme.signer(one) for one in signers or [self.person]]
        return drafts.write(sign(draft, ask, keys, self.acme.app.hub.now()))

    def hands_in(self, signed: bytes, key: str | None = None) -> Response:
        return self.post("/submissions", signed, "application/octet-stream", key)
