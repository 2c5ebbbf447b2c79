"""RFC 8785 JSON, in the part of it that Sealift uses: one value, exactly one spelling.

Objects, arrays, strings, booleans and integers up to 2^53; no null and no fraction (a quantity that
is not whole travels as a decimal string, so that no two languages can round it apart).
A reader refuses every other spelling of the same value: what was signed is what is read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import NoReturn

from sealift_signing.altered_bytes import altered
from sealift_signing.errors import MalformedError, shown

Json = bool | int | str | Sequence["Json"] | Mapping[str, "Json"]

LARGEST_INTEGER = 2**53
DEEPEST = 64
"""Nesting beyond this is refused: a parser's recursion is not for a stranger to steer."""
MOST_VALUES = 500_000
"""Values in one document. Each takes some hundred bytes once it is parsed, and two in its spelling:
16 MB of `[],[],…` would be a gigabyte, and half a minute of work."""


def encode(value: Json, *, what: str = "The document") -> bytes:
    """The canonical bytes of `value` (RFC 8785 §3.2), UTF-8; `what` names it in errors.

    Raises:
        MalformedError: the value holds something that has no canonical spelling here, or more
            values than a reader takes.
    """
    ordered = _ordered(value, 0, what)
    try:
        text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        data = text.encode("utf-8")
    except UnicodeEncodeError as bad:
        raise MalformedError(
            "json-not-canonical",
            f"{what} holds half a surrogate pair, which is not Unicode.",
            subject=what,
        ) from bad
    check_values(data, what=what)
    return data


def decode(data: bytes, *, what: str) -> Json:
    """The value that canonical `data` spells; `what` names the document in errors.

    Raises:
        MalformedError: not JSON, a duplicated member, more values than any document has, or any
            spelling but the canonical one.
    """
    check_values(data, what=what)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=lambda pairs: _no_duplicates(pairs, what),
            parse_float=lambda text: _no_number(text, what),
            parse_constant=lambda text: _no_number(text, what),
        )
    except (UnicodeDecodeError, ValueError, RecursionError) as bad:
        how, step = altered(data)
        if how:
            raise MalformedError(
                "json-unreadable", f"{what} {how}.", subject=what, next_step=step
            ) from bad
        raise MalformedError(
            "json-unreadable", f"{what} is not readable JSON.", subject=what
        ) from bad
    if encode(value, what=what) != data:
        how, step = altered(data)
        if how:
            raise MalformedError(
                "json-not-canonical", f"{what} {how}.", subject=what, next_step=step
            )
        raise MalformedError(
            "json-not-canonical",
            f"{what} is not spelled canonically (RFC 8785): another spelling of the same content "
            "is not the document that was signed.",
            subject=what,
        )
    return value  # type: ignore[no-any-return]  # json.loads is Any; encode() has just checked it


def check_values(data: bytes, *, what: str) -> None:
    """Check, before the JSON in `data` is parsed, that it does not hold too many values.

    A value follows a comma or the beginning of an array or object; those within strings do not
    count. It is counted by replacing and splitting alone: an expression could be made to go back.

    Raises:
        MalformedError: more than `MOST_VALUES`.
    """
    if len(data) <= MOST_VALUES:
        return
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # At most a name and a string each, and two quotes around them; so that the parts are few too.
    if plain.count(b'"') <= 4 * MOST_VALUES:
        outside = b"".join(plain.split(b'"')[::2])
        if sum(map(outside.count, (b",", b"[", b"{"))) <= MOST_VALUES:
            return
    raise MalformedError(
        "json-too-large", f"{what} holds more values than any document has.", subject=what
    )


def _ordered(value: object, depth: int, what: str) -> object:
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return _whole(value, what)
    if isinstance(value, (dict, Mapping)):
        if not all(isinstance(key, str) for key in value):
            raise MalformedError(
                "json-not-canonical",
                f"{what} has a member whose name is not a string.",
                subject=what,
            )
        inner = _inside(value, depth, what)
        return {
            # Most values are strings, and a call takes longer than all else that is done for one.
            name: item if type(item := value[name]) is str else _ordered(item, inner, what)
            for name in _sorted(value)
        }
    if isinstance(value, (list, tuple)):
        inner = _inside(value, depth, what)
        return [_ordered(item, inner, what) for item in value]
    kind = {type(None): "null", float: "a fraction"}.get(type(value), type(value).__name__)
    raise MalformedError(
        "json-not-canonical", f"{what} holds {kind}, which has no spelling here.", subject=what
    )


def _inside(values: Sized, depth: int, what: str) -> int:
    """How deep lies what is in `values`, which lies at `depth`."""
    if values and depth >= DEEPEST:
        raise MalformedError(
            "json-too-deep", f"{what} is nested deeper than {DEEPEST} levels.", subject=what
        )
    return depth + 1


def _sorted(names: Iterable[str]) -> list[str]:
    """By UTF-16 code units (RFC 8785 §3.2.3), which differ from code points beyond the BMP."""
    if all(map(str.isascii, names)):
        return sorted(names)
    return sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))


def _whole(number: int, what: str) -> int:
    if abs(number) > LARGEST_INTEGER:
        raise MalformedError(
            "json-number",
            f"{what} holds a number beyond 2^53; such a number is written as a string.",
            subject=what,
        )
    return number


def _no_duplicates(pairs: list[tuple[str, object]], what: str) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise MalformedError(
            "json-duplicate", f"{what} has the member {shown(twice)} twice.", subject=what
        )
    return found


def _no_number(text: str, what: str) -> NoReturn:
    raise MalformedError(
        "json-number",
        f"{what} holds the number {shown(text)}; only whole numbers are read.",
        subject=what,
    )
