"""Every text of every write is as long as somebody likes: it is refused, and never a fault."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from sealift_registry.access.calling import Grant
from sealift_registry.web.limits import Limits
from tests.registry.access_served import at_server, person
from tests.registry.hub_fixture import TEAM, Acme

TEXTS = (
    *("x" * 10, "x" * 255, "x" * 256, "x" * 300, "x" * 5000),
    *("ä" * 200, "ä" * 300, "x" * 300 + ".onnx"),
)
LONE = "\ud83dx"
KNOWN = {"sha256": "ab" * 32, "team": TEAM, "kind": "onnx", "name": "a.onnx", "model": "tiny"}
WRITES = {"post", "put", "patch", "delete"}
LEAST = 500
"""Requests, of which fewer would say that nothing is played any more."""


def example(schemas: Any, of: Any, name: str = "") -> Any:  # noqa: ANN401 - JSON
    """Something that fits a schema, as far as that says."""
    while "$ref" in of:
        of = schemas[of["$ref"].rpartition("/")[2]]
    for either in ("oneOf", "anyOf"):
        if either in of:
            return example(schemas, of[either][0], name)
    if "enum" in of:
        return of["enum"][0]
    kind = of.get("type")
    if "properties" in of or kind == "object":
        return {one: example(schemas, said, one) for one, said in of.get("properties", {}).items()}
    if kind == "array":
        return [example(schemas, of.get("items", {}), name)]
    if kind == "integer":
        return of.get("minimum", 1)
    return True if kind == "boolean" else KNOWN.get(name, "x")


def places(said: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Where in it texts are."""
    if isinstance(said, str):
        yield at
    elif isinstance(said, (dict, list)):
        for key, value in said.items() if isinstance(said, dict) else enumerate(said):
            yield from places(value, (*at, key))


def with_text(said: Any, at: tuple[Any, ...], text: str) -> Any:  # noqa: ANN401 - JSON
    """The same with another text at that place."""
    made = copy.deepcopy(said)
    there = made
    for key in at[:-1]:
        there = there[key]
    there[at[-1]] = text
    return made


def tries(described: Any) -> Iterator[tuple[str, str, Any]]:  # noqa: ANN401 - JSON
    """Methods, addresses and bodies, each with one text that is long or odd."""
    schemas = described["components"]["schemas"]
    for path, operations in described["paths"].items():
        for method in WRITES & set(operations):
            content = operations[method].get("requestBody", {}).get("content", {})
            of = content.get("application/json", {}).get("schema")
            body = None if of is None else example(schemas, of)
            plain = re.sub(r"\{\w+\}", "x", path.replace("{team}", TEAM))
            for at in () if body is None else places(body):
                for text in (*TEXTS, LONE):
                    yield method, plain, with_text(body, at, text)
            for name in re.findall(r"\{\w+\}", path):
                for text in TEXTS:
                    there = path.replace(name, text).replace("{team}", TEAM)
                    yield method, re.sub(r"\{\w+\}", "x", there), body


def test_g2_307_no_text_of_any_write_is_a_fault_of_ours(acme: Acme) -> None:
    roles = [Grant(one) for one in ("viewer", "publisher", "operator", "administrator")]
    anna = person(acme, "anna", *roles)
    with at_server(acme) as server:
        shows = server.desk(anna)
        server.served.limits = Limits(0)
        described = server.client.get("/api/v1/openapi.json", headers=dict(shows)).json()
        count, faults = 0, []
        for method, path, body in tries(described):
            said = {} if body is None else {"content": json.dumps(body)}
            kind = {} if body is None else {"content-type": "application/json"}
            place = path.removeprefix("/api/v1")
            answer = server.ask(method.upper(), place, {**shows, **kind}, **said)
            count += 1
            if answer.status_code >= 500:
                faults.append((method, path[:200], answer.text[:200]))
        assert server.ask("GET", "/me", shows).status_code == 200, "she is still signed in"
    assert not faults
    assert count > LEAST
    begun = [one.parent for one in acme.root.glob("uploads/*/*/data")]
    assert all((one / "declared.json").exists() for one in begun)
