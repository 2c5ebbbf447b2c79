"""What a server answered: bounded bytes, read strictly, and its problems as our errors."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from sealift_registry.client import faults
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import (
    FailedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    UsageError,
)

JSON, TEXT, PROBLEM = "application/json", "text/plain", "application/problem+json"
_CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){0,9}")
LONGEST_CODE = 60
SAYS = "The server says: "
OURS = ("Error:", "Next:", "Note:", "Warning:")
"""How what this program itself tells people begins."""
DEEPEST = 60
"""Levels of JSON."""
SIGNED_OUT = "signed-out"
"""The code of what needs somebody who is signed in."""
USAGE = frozenset({400, 405, 406, 411, 412, 413, 414, 415, 422, 428, 431})
"""Statuses that say that something was asked wrongly."""

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP.
        kind: the media type, without its parameters.
        body: all of it.
        server: whose it is, for errors.
        tag: by which the state that it tells of is named (ETag); empty where it has none.
    """

    status: int
    kind: str
    body: bytes
    server: str
    tag: str = ""

    def check(self) -> None:
        """Check that it is no problem.

        Raises:
            SealiftError: it is one, as the server's own code has it.
        """
        if 200 <= self.status < 300:  # noqa: PLR2004 - RFC 9110, section 15.3
            return
        if self.kind == PROBLEM:
            raise self._problem()
        raise self.odd(f"status {self.status} and no reason")

    def json(self) -> Object:
        """The one object that it holds.

        Raises:
            MalformedError: it holds something else.
        """
        if self.kind not in {JSON, PROBLEM}:
            raise self.odd(f"{word(self.kind or 'nothing', 60)} where JSON was asked for")
        try:
            found = json.loads(
                self.body.decode(), object_pairs_hook=_once, parse_constant=_no_number
            )
        except (ValueError, RecursionError) as bad:
            raise self.odd("what is not JSON") from bad
        if not isinstance(found, dict) or _depth(found) > DEEPEST:
            raise self.odd("JSON of another form")
        return found

    def lines(self) -> list[str]:
        """The lines of a text.

        Raises:
            MalformedError: it is no text.
        """
        if self.kind != TEXT:
            raise self.odd(f"{word(self.kind or 'nothing', 60)} where text was asked for")
        try:
            found = self.body.decode().removesuffix("\n").split("\n")
        except UnicodeDecodeError as bad:
            raise self.odd("what is not text") from bad
        return list(map(of_theirs, found))

    def odd(self, what: str) -> MalformedError:
        """It is not what a hub's server answers."""
        return faults.odd(self.server, what)

    def _problem(self) -> SealiftError:
        said = self.json()
        code, title, subject, step = (
            _text(said.get(name)) for name in ("code", "title", "subject", "next")
        )
        if len(code) > LONGEST_CODE or not _CODE.fullmatch(code) or not title:
            raise self.odd("a problem without a code")
        found = theirs(kind_of(self.status), code, title, subject, step)
        if code == SIGNED_OUT:  # which we know better how to do
            named = f"--server {pasted([self.server])}"
            found.next_step = "Sign in again: sealift login ACCOUNT " + named
        return found


def theirs(
    kind: type[SealiftError], code: str, what: str, subject: str = "", step: str = ""
) -> SealiftError:
    """An error in a server's words, each of which says so: none of them is taken for ours.

    Somebody who reads what went wrong does what it says next, and so that is marked like the rest.
    """
    return kind(code, f"{SAYS}{what}", subject=subject, next_step=step and f"{SAYS}{step}")


def of_theirs(line: str) -> str:
    """A line that a server has for people: said to be its own, where it begins as ours do."""
    return f"{SAYS}{line.lstrip()}" if line.lstrip().startswith(OURS) else line


def kind_of(status: int) -> type[SealiftError]:
    """Which of our errors a problem of this status is."""
    if status >= 500:  # noqa: PLR2004 - RFC 9110, section 15.6
        return FailedError
    if status in USAGE:
        return UsageError
    return NotFoundError if status in {404, 410} else RefusedError


def text_of(said: Object, name: str, answer: Answer) -> str:
    """A member that is text.

    Raises:
        MalformedError: it is something else.
    """
    found = said.get(name)
    if not isinstance(found, str):
        raise answer.odd(f"no {name}")
    return found


def texts_of(said: Object, name: str, answer: Answer) -> tuple[str, ...]:
    """A member that is a list of texts; none where it is not there.

    Raises:
        MalformedError: it is something else.
    """
    found = said.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise answer.odd(f"a {name} that is no list of lines")
    return tuple(found)


def bytes_of(said: Object, name: str, answer: Answer) -> bytes:
    """A member that is bytes in base64.

    Raises:
        MalformedError: it is something else.
    """
    try:
        return base64.b64decode(text_of(said, name, answer), validate=True)
    except (binascii.Error, ValueError) as bad:
        raise answer.odd(f"a {name} that is not base64") from bad


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members are each named once: of two, programs would take either."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_number(_name: str) -> NoReturn:
    raise ValueError


def _depth(value: object) -> int:
    """The levels of a value, counted without recursion."""
    deepest, level = 0, [value]
    while level and deepest <= DEEPEST:
        deepest += 1
        below: list[object] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
            elif isinstance(one, list):
                below += one
        level = below
    return deepest
