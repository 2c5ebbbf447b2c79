"""The description of the API (OpenAPI 3.1), and a page of it that asks no other server.

Litestar makes it from the routes. What holds for all of them is added here, in one place: that each
may answer a problem, and with which statuses.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import Method

from sealift_registry.web import cookies, guarding, problems

Schema = dict[str, Any]

REF = "#/components/schemas/"
TEMPLATE = REF + "name".join("{}")  # msgspec fills in the name
WORDS = (
    "The hub of an organisation, asked from desks and by machines. What it answers are the members "
    "that the commands print under --json. What signs stays with people: the server gives drafts, "
    "and takes what was signed."
)
KEY_WORDS = (
    "The caller's name for this request: letters, digits and ._:~+/=-. By the same one a repeat is "
    "answered as it was before, and has no second effect."
)
ALWAYS = {
    429: "They ask too much; Retry-After says when again.",
    500: "A fault of the server's.",
    503: "The hub cannot be read or written now.",
}
"""Of every route."""
SIGNED_IN = {
    400: "What was asked cannot be meant.",
    401: "Nobody is signed in.",
    403: "They may not.",
}
"""Of each that is not open to all."""


def operation_id(handler: HTTPRouteHandler, method: Method, _parts: list[Any]) -> str:
    """The name of an operation: its function's, with the method where it has a second one."""
    name = handler.handler_name.rpartition(".")[2]
    return f"{name}_head" if method == "HEAD" and len(handler.http_methods) > 1 else name


def described(routes: Sequence[Any], version: str) -> Schema:
    """The description of an application that has these routes.

    Litestar would answer at addresses of its own as well; so it is asked by one that nobody serves.
    """
    config = OpenAPIConfig(
        title="Sealift",
        version=version,
        description=WORDS,
        use_handler_docstrings=True,
        operation_id_creator=operation_id,
        render_plugins=[JsonRenderPlugin()],
    )
    api = Litestar(routes, openapi_config=config, logging_config=None)
    return completed(api.openapi_schema.to_schema(), api)


def completed(schema: Schema, api: Litestar) -> Schema:
    """The description with what holds for every operation."""
    found: Schema = msgspec.json.decode(msgspec.json.encode(schema))
    (_,), parts = msgspec.json.schema_components([problems.Problem], ref_template=TEMPLATE)
    found.setdefault("components", {}).setdefault("schemas", {}).update(parts)
    found["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": cookies.OVER_TLS},
    }
    said = dict(_said(api))
    for path, item in found.get("paths", {}).items():
        for method, operation in item.items():
            if isinstance(operation, dict):
                _complete(operation, said.get((path, method.upper()), {}))
    return found


def _said(api: Litestar) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """What each route says of itself, by its address and method."""
    for route in api.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in getattr(handler, "http_methods", ()):
                yield (route.path_format, method), handler.opt


def _complete(operation: Schema, said: Mapping[str, Any]) -> None:
    statuses = dict(ALWAYS)
    if said.get(guarding.ACTION):
        operation["security"] = [{"bearer": []}, {"cookie": []}]
        operation["x-sealift-action"] = said[guarding.ACTION]
        statuses |= SIGNED_IN
    if any(one["in"] == "path" for one in operation.get("parameters", ())):
        statuses[404] = PROBLEMS[404]
    for status in said.get("problems", ()):
        statuses[status] = PROBLEMS[status]
    if "requestBody" in operation:  # as Litestar has it: JSON
        statuses |= {status: PROBLEMS[status] for status in (415, 422)}
    _asked_with(operation, said)
    answers = operation.setdefault("responses", {})
    if said.get("text"):
        _as_text(operation, answers)
    if said.get("tagged"):
        _as_tagged(operation, answers)
    answers.get("204", {}).pop("content", None)
    answers.pop("400", None)  # Litestar's own, in a shape that is never answered
    for one in operation.get("parameters", ()):
        one["schema"] = _not_null(one["schema"])
    for status, words in sorted(statuses.items()):
        answer = answers.setdefault(str(status), {"description": words, "content": {}})
        answer.setdefault("content", {})[problems.MEDIA_TYPE] = {
            "schema": {"$ref": f"{REF}Problem"}
        }


def _asked_with(operation: Schema, said: Mapping[str, Any]) -> None:
    """What a write is asked with: the caller's name for it, what was read before, its body."""
    if said.get("takes"):
        schema = {"type": "string", "format": "binary"}
        operation["requestBody"] = {
            "required": True,
            "content": {said["takes"]: {"schema": schema}},
        }
    if said.get(guarding.ONCE) and not isinstance(said[guarding.ONCE], str):
        _header(operation, "Idempotency-Key", KEY_WORDS, {"minLength": 8, "maxLength": 128})
    if said.get("if_match"):
        _header(operation, "If-Match", "The ETag of what is to be changed, as it was read.")


def _header(operation: Schema, name: str, words: str, more: Schema | None = None) -> None:
    schema = {"type": "string", **(more or {})}
    said = {"name": name, "in": "header", "schema": schema, "description": words, "required": True}
    operation.setdefault("parameters", []).append(said)


def _not_null(schema: Schema) -> Schema:
    """What is in an address is text or is not there: there is no null in it."""
    kinds = [one for one in schema.get("oneOf", ()) if one.get("type") != "null"]
    if len(kinds) != 1:
        return schema
    return {**{name: one for name, one in schema.items() if name != "oneOf"}, **kinds[0]}


def _as_text(operation: Schema, answers: Schema) -> None:
    """What is read is answered as lines, too, and not at all where it is the same as before."""
    found = answers["200"]
    found["content"]["text/plain"] = {"schema": {"type": "string"}}
    _as_tagged(operation, answers)
    found["headers"]["link"] = {
        "schema": {"type": "string"},
        "description": "The next page, where there is one.",
    }


def _as_tagged(operation: Schema, answers: Schema) -> None:
    """What has a tag is not sent again to whoever has it."""
    answers["200"]["headers"] = {
        "etag": {"schema": {"type": "string"}, "description": "The tag of these bytes."},
    }
    answers["304"] = {"description": "It is as it was when it had the tag that was sent."}
    operation.setdefault("parameters", []).append(
        {
            "name": "If-None-Match",
            "in": "header",
            "schema": {"type": "string"},
            "description": "Tags of answers that are there already.",
            "required": False,
        }
    )


PROBLEMS: Mapping[int, str] = {
    400: "What was asked cannot be meant.",
    401: "Nobody is signed in by this.",
    403: "This is done for nobody here.",
    404: "There is no such thing.",
    406: "There is no answer of that kind.",
    409: "A rule says no, or it was done already.",
    412: "It has changed since it was read.",
    413: "More bytes than are taken.",
    415: "A body of another kind than is taken.",
    422: "The body is not what is asked for.",
    428: "It must be said which state is to be changed.",
    507: "There is no room.",
}
"""Statuses of problems that routes name in `problems`."""


# ---------------------------------------------------------------------- the page

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/style.css">
<title>Sealift: the API</title></head><body><main>
"""


def page(schema: Schema) -> str:
    """The description as a page: one part for each operation, with its answers."""
    info = schema["info"]
    parts = [
        _HEAD,
        f"<h1>{_text(info['title'])} {_text(info['version'])}</h1>",
        f"<p>{_text(info.get('description', ''))}</p>",
        '<p>For machines: <a href="/api/v1/openapi.json">openapi.json</a></p>',
        '<p>What may be wrong: <a href="/docs/errors">errors</a></p>',
    ]
    for path, item in sorted(schema.get("paths", {}).items()):
        for method, operation in sorted(item.items()):
            if isinstance(operation, dict):
                parts.append(_operation(method.upper(), path, operation))
    return "".join([*parts, "</main></body></html>\n"])


def _operation(method: str, path: str, said: Schema) -> str:
    words = said.get("description") or said.get("summary") or ""
    action = said.get("x-sealift-action")
    rows = [
        f"<tr><td><code>{_text(one['name'])}</code></td><td>{_text(one['in'])}</td>"
        f"<td>{_text(one.get('description', ''))}</td></tr>"
        for one in said.get("parameters", ())
    ]
    answers = [
        f"<tr><td>{_text(status)}</td><td>{_text(', '.join(one.get('content', {})))}</td>"
        f"<td>{_text(one.get('description', ''))}</td></tr>"
        for status, one in sorted(said.get("responses", {}).items())
    ]
    return "".join(
        [
            f'<section id="{_text(said["operationId"])}">',
            f"<h2><code>{_text(method)} {_text(path)}</code></h2><p>{_text(words)}</p>",
            f"<p>Needs the right to: <code>{_text(action)}</code></p>" if action else "",
            f"<table><caption>Asked with</caption>{''.join(rows)}</table>" if rows else "",
            f"<table><caption>Answered</caption>{''.join(answers)}</table></section>",
        ]
    )


def _text(value: object) -> str:
    return html.escape(str(value))
