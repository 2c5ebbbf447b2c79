"""The description of the server's API, asked about at random: what it allows, and what it does not.

Schemathesis makes requests from the description; here they get names of what there is, and are
asked by whoever plays. An answer that is no fault of the server's and stands in the description, of
its kind and shape, is right; whatever else is told with the request that found it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from httpx import Response
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from litestar.testing import TestClient
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
KNOWN = 0.7
"""How often an address has the name of something that is there."""
TOO_MANY = 429
ENDS = {"delete", "DELETE"}


@dataclass
class Sweep:
    """Requests that are made, and what came of them.

    Attributes:
        client: asks the server.
        callers: headers, by the name of who sends them; nobody has none.
        known: names of what is there, by the parameter that takes them.
        number: it is always the same sweep by the same number.
        asked: how many requests there were, by operation, caller and status.
        wrong: of each kind of wrong answer the first.
    """

    client: TestClient[Any]
    callers: Mapping[str, Mapping[str, str]]
    known: Mapping[str, Sequence[str]]
    number: int = 0
    asked: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)

    def operations(self) -> list[APIOperation[Any, Any, Any, Any]]:
        """All that the server describes; last what ends a session, after which nobody asks."""
        described = self.client.get("/api/v1/openapi.json").json()
        schema = schemathesis.openapi.from_dict(described)
        found = [one.ok() for one in schema.get_all_operations()]  # type: ignore[union-attr]  # or it raises
        return sorted(found, key=lambda one: ("/session" in one.path, one.method in ENDS))

    def run(self, operation: APIOperation[Any, Any, Any, Any], examples: int) -> None:
        """Ask for one operation so often: half as described, half not."""
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            self._run(operation, mode, max(1, examples // 2))

    def _run(
        self, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, examples: int
    ) -> None:
        chance = random.Random(f"{self.number} {operation.label} {mode}")  # noqa: S311 - a test's own

        @seed(self.number)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            self._ask(case, chance)

        with suppress(Unsatisfiable):  # what takes nothing cannot be asked wrongly
            ask()

    def _ask(self, case: Case[Any], chance: random.Random) -> None:
        for name in case.path_parameters or {}:
            if self.known.get(name) and chance.random() < KNOWN:
                case.path_parameters[name] = chance.choice(self.known[name])
        caller = chance.choice(list(self.callers))
        said = case.as_transport_kwargs(base_url=str(self.client.base_url))
        headers = {**dict(said.get("headers") or {}), **self.callers[caller]}
        content = said.get("data")
        answer = self.client.request(
            said["method"],
            said["url"],
            params=said.get("params"),
            headers={name: _header(value) for name, value in headers.items()},
            content=content if isinstance(content, bytes | str) else None,
            json=said.get("json"),
        )
        name = str(case.operation.definition.raw["operationId"])
        self.asked[name, caller, answer.status_code] += 1
        self._judge(case, answer, caller)

    def _judge(self, case: Case[Any], answer: Response, caller: str) -> None:
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as bad:
            told = "; ".join(str(one) for one in bad.exceptions)
            kind = f"{case.operation.label} {answer.status_code} {told.splitlines()[0]}"
            said = f"{caller}: {case.as_curl_command()}\n{told}\n{answer.text[:500]}"
            self.wrong.setdefault(kind, said)

    def told(self) -> str:
        """What was wrong: each kind, and the first of some."""
        return "\n".join([*self.wrong, "", *[*self.wrong.values()][:9]])

    def total(self) -> int:
        """Requests that were answered, those aside that were too many."""
        return sum(count for (*_, status), count in self.asked.items() if status != TOO_MANY)


def _header(value: object) -> bytes:
    return str(value).encode("utf-8", "replace").replace(b"\r", b"").replace(b"\n", b"")
