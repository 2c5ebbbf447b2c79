"""Changes to a valid document that a parser might not expect: to its tree, its spelling, its bytes.

Blind flips of bytes die in the first check of the JSON; so most changes here are of the parsed
tree, also of the trees that are wrapped in it (the payload of an envelope, the entries of an
extract), and most results are spelled canonically again.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Node = Any
"""A JSON value."""

MOST_NODES = 3000
HUGE = "@HUGE@"
"""Stands for an integer of more digits than Python would print; spelled out at the end."""

STRINGS = (
    "", "\x00", "\ud800", "\u202eevil", "\x1b[2J", "a" * 65, "a" * 70_000, "é", "e\u0301",
    "\U0001f600",
    "../../../etc/passwd", "a/b", ".", "..", "-", "a..b", "A", "source", "root", "0", "-0", "1e400",
    "٣",
    "0" * 64, "f" * 64, "F" * 64, "ed25519:" + "0" * 64, "ed25519:" + "f" * 64,
    "ecdsa-p256:04" + "0" * 128, "0000-01-01T00:00:00.000000Z", "0001-01-01T00:00:00.000000Z",
    "9999-12-31T23:59:59.999999Z", "2026-02-30T00:00:00.000000Z", "2026-01-01T24:00:00.000000Z",
    "2026-01-01T00:00:60.000000Z", "9999-12-31T23:59:59Z", "=", "A===", "AA==", "AB==",
    "catalog/vision/digits/1/cpu-x86_64", "catalog/vision/digits/1/source",
    "catalog/../../x/1/y", "team.vision", "site.plant-7", "catalog.vision", "*", "sites/*/*",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2, 10**15 - 1, 10**15, 2**31, 2**53, 2**53 + 1, 2**63, 10**30, 1.0, 0.5, 1e308)


def mutate(data: bytes, random: Random, seeds: Sequence[bytes] = ()) -> bytes:
    """`data` changed once to four times, in its tree where it has one."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_bytes(data, random, seeds)
    if random.random() < 0.15:
        return mutate_bytes(data, random, seeds)
    try:
        for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
            tree = _changed(tree, random, seeds)
        return spelled(tree, random)
    except RecursionError:  # several deep nests in each other: too deep for whoever made them
        return mutate_bytes(data, random, seeds)


def nudge(data: bytes, random: Random) -> bytes:
    """`data` with one small change of its tree, spelled canonically: it may well still be read.

    Of what lies many checks deep: whatever is changed more dies at the first of them.
    """
    try:
        tree = copy.deepcopy(json.loads(data))
        holder, name = random.choice(_places(tree))
        _SMALL[random.randrange(len(_SMALL))](holder, name, random, _places(tree), ())
        return spelled(tree, random, canonical=True)
    except (ValueError, IndexError, RecursionError):
        return mutate_bytes(data, random)


def mutate_bytes(data: bytes, random: Random, seeds: Sequence[bytes] = ()) -> bytes:
    """`data` with some of its bytes changed, taken away, doubled or joined with another's."""
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(found) + 1)
        length = random.choice((1, 1, 2, 4, 16, 64))
        how = random.randrange(6)
        if how == 0 and at < len(found):
            found[at] ^= 1 << random.randrange(8)
        elif how == 1:
            del found[at : at + length]
        elif how == 2:
            found[at:at] = bytes(random.randrange(256) for _ in range(min(length, 8)))
        elif how == 3:
            found[at:at] = found[at : at + length] * random.choice((1, 2, 50))
        elif how == 4 and seeds:
            other = random.choice(seeds)
            start = random.randrange(len(other) + 1)
            found[at : at + length] = other[start : start + length * 4]
        else:
            found[at:at] = random.choice(STRINGS).encode("utf-8", "surrogatepass")
    return bytes(found)


def spelled(tree: Node, random: Random, *, canonical: bool = False) -> bytes:
    """The bytes of `tree`: canonical as a rule, now and then in another spelling."""
    how = 0.0 if canonical else random.random()
    if how < 0.9:
        text = json.dumps(sorted_tree(tree), ensure_ascii=False, separators=(",", ":"))
    elif how < 0.94:
        text = json.dumps(tree, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    elif how < 0.97:
        text = json.dumps(tree)
    else:
        text = json.dumps(sorted_tree(tree), separators=(",", ":"))
        text = text.replace("{", '{"format":1,', 1)
    text = text.replace(f'"{HUGE}"', "7" * 5000)
    return text.encode("utf-8", "surrogatepass")


def sorted_tree(tree: Node) -> Node:
    """`tree` with the members of every object in RFC 8785's order."""
    if isinstance(tree, dict):
        names = sorted(tree, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: sorted_tree(tree[name]) for name in names}
    return [sorted_tree(one) for one in tree] if isinstance(tree, list) else tree


def _changed(tree: Node, random: Random, seeds: Sequence[bytes]) -> Node:
    tree = copy.deepcopy(tree)
    places = list(_places(tree))
    if not places:
        return _hostile(random)
    holder, name = random.choice(places)
    _CHANGES[random.randrange(len(_CHANGES))](holder, name, random, places, seeds)
    return tree


def _places(tree: Node) -> list[tuple[Node, Any]]:
    """Where every value of the tree stands: its holder and its name or number there."""
    found: list[tuple[Node, Any]] = []
    left = [tree]
    while left and len(found) < MOST_NODES:
        node = left.pop()
        names = (
            list(node)
            if isinstance(node, dict)
            else range(len(node))
            if isinstance(node, list)
            else ()
        )
        for name in names:
            found.append((node, name))
            left.append(node[name])
    return found


def _replace(holder: Node, name: Any, random: Random, _p: Any, _s: Any) -> None:  # noqa: ANN401
    holder[name] = _hostile(random)


def _remove(holder: Node, name: Any, _r: Random, _p: Any, _s: Any) -> None:  # noqa: ANN401
    del holder[name]


def _double(holder: Node, name: Any, random: Random, _p: Any, _s: Any) -> None:  # noqa: ANN401
    value = copy.deepcopy(holder[name])
    if isinstance(holder, list):
        holder[name:name] = [value] * random.choice((1, 1, 2, 30))
    else:
        holder[_string(random)] = value


def _rename(holder: Node, name: Any, random: Random, places: Any, _s: Any) -> None:  # noqa: ANN401
    if isinstance(holder, dict):
        others = [other for _, other in places if isinstance(other, str)]
        holder[random.choice([*others, _string(random)])] = holder.pop(name)
    else:
        random.shuffle(holder)


def _take(holder: Node, name: Any, random: Random, places: Any, _s: Any) -> None:  # noqa: ANN401
    """Another value of the same document, as an attacker who plays parts against each other."""
    other, there = random.choice(places)
    holder[name] = copy.deepcopy(other[there])


def _graft(holder: Node, name: Any, random: Random, _p: Any, seeds: Any) -> None:  # noqa: ANN401
    """A value of another document."""
    try:
        tree = (
            json.loads(random.choice(seeds).partition(b"{")[2].join((b"{", b""))) if seeds else {}
        )
        other, there = random.choice(_places(tree))
        holder[name] = copy.deepcopy(other[there])
    except (ValueError, IndexError):
        holder[name] = _hostile(random)


def _tweak(holder: Node, name: Any, random: Random, _p: Any, seeds: Any) -> None:  # noqa: ANN401
    value = holder[name]
    if isinstance(value, bool):
        holder[name] = not value
    elif isinstance(value, int):
        holder[name] = value + random.choice((-1, 1, 2**31))
    elif isinstance(value, str):
        holder[name] = _tweaked(value, random, seeds)
    else:
        holder[name] = [value]


def _tweaked(text: str, random: Random, seeds: Sequence[bytes]) -> str:
    """`text` with a small change; in the tree that it wraps, if it wraps one."""
    if text.startswith("{"):
        return mutate(text.encode("utf-8", "surrogatepass"), random, seeds).decode(
            "utf-8", "replace"
        )
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if data.startswith(b"{"):
        return base64.b64encode(mutate(data, random, seeds)).decode()
    at = random.randrange(len(text) + 1)
    return random.choice(
        (
            text[:at] + text[at + 1 :],
            text[:at] + _string(random)[:8] + text[at:],
            text.upper(),
            text[:at],
        )
    )


Change = Callable[[Node, Any, Random, Any, Any], None]
_CHANGES: tuple[Change, ...] = (
    _replace,
    _replace,
    _remove,
    _double,
    _rename,
    _take,
    _graft,
    _tweak,
    _tweak,
)


_SMALL: tuple[Change, ...] = (_remove, _double, _take, _tweak, _tweak)


def _hostile(random: Random) -> Node:
    return _HOSTILE[random.randrange(len(_HOSTILE))](random)


def _string(random: Random) -> str:
    return random.choice(STRINGS)


def _deep(random: Random) -> Node:
    tree: Node = random.choice(([], {}, 1))
    as_list = random.random() < 0.5
    for _ in range(random.choice((3, 60, 64, 65, 300))):
        tree = [tree] if as_list else {"a": tree}
    return tree


_HOSTILE: tuple[Callable[[Random], Node], ...] = (
    lambda random: None,
    lambda random: random.random() < 0.5,
    lambda random: random.choice(NUMBERS),
    _string,
    _string,
    lambda random: HUGE,
    _deep,
    lambda random: [],
    lambda random: {},
    lambda random: [_string(random)] * random.choice((1, 2, 200)),
    lambda random: {_string(random): _string(random)},
)
