"""The page of all error codes, to which each problem's type leads; made once, from a local file."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import msgspec

HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/style.css">
<title>Sealift: what is wrong</title></head><body><main>
<h1>What is wrong</h1>
<p>Each problem that this server answers, and each error of a command, has one of these codes. A
code keeps its meaning. Words in <em>italics</em> stand for the thing at hand.</p>
"""
_MARKED = re.compile(r"\\(.)|\*([^*]+)\*")


class Listed(msgspec.Struct):
    """A code, and what is said under it: what happened, and what to do next."""

    code: str
    exit_code: int
    said: list[tuple[str, str]]


def listed() -> list[Listed]:
    """Every code that there is."""
    data = resources.files("sealift_registry.web").joinpath("errors.jsonl").read_bytes()
    return [msgspec.json.decode(line, type=Listed) for line in data.splitlines()]


@cache
def page() -> str:
    """The page: a section for each code, whose id is the code."""
    return "".join(
        [HEAD, *(part for one in listed() for part in _parts(one)), "</main></body></html>\n"]
    )


def _parts(one: Listed) -> Iterator[str]:
    code = html.escape(one.code)
    yield f'<section id="{code}"><h2><code>{code}</code></h2>'
    for what, step in one.said:
        yield f"<p>{_marked(what)}</p>"
        if step:
            yield f"<p>Next: {_marked(step)}</p>"
    yield f"<p>A command that ends with it has the exit code {one.exit_code}.</p></section>\n"


def _marked(text: str) -> str:
    """Text in Markdown, as the reference has it, in HTML."""

    def part(found: re.Match[str]) -> str:
        escaped: Any = found[1]
        return html.escape(escaped) if escaped is not None else f"<em>{html.escape(found[2])}</em>"

    pieces, last = [], 0
    for found in _MARKED.finditer(text):
        pieces += [html.escape(text[last : found.start()]), part(found)]
        last = found.end()
    return "".join([*pieces, html.escape(text[last:])])
