"""What a file is that somebody gave in place of another: said, so that they find the right one.

People carry many files that look alike. Nothing that is said here is verified, and nothing goes by
it: a file that could not be read as what was wanted is looked at once more, for a sentence.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from sealift_signing.altered_bytes import altered
from sealift_signing.errors import MalformedError, RefusedError, shown

Kind = Literal["draft", "memory", "version", "card", "request", "key", "other"]

WANTED: dict[Kind, tuple[str, str]] = {
    "draft": ("a draft", "Give the draft, as the hub wrote it or somebody signed it."),
    "memory": (
        "what somebody knows",
        "Give the file that a colleague wrote: sealift-sign share FILE",
    ),
    "version": ("a version", "Give the file that sealift-sign write wrote."),
    "card": ("a key card", "Its owner makes it with: sealift-sign card PERSON --key FILE"),
    "request": ("a site's request", "Give the file that `sealift-site init --request` wrote."),
}
"""What each kind is called, and how somebody comes by it."""
_STATEMENTS: dict[str, tuple[Kind, str]] = {
    "key-card": ("card", "a key card"),
    "site-request": ("request", "a site's request"),
    "site-answer": ("other", "the answer to a site"),
    "receipt": ("other", "a site's receipt"),
    "transfer": ("other", "what a bundle says of itself"),
}


@contextmanager
def reading(data: bytes, name: str, *wanted: Kind) -> Iterator[None]:
    """While `data` is read as one of the kinds that are `wanted`, say what else it may be.

    Raises:
        MalformedError: it is something else; and whatever the block raises.
    """
    try:
        yield
    except RefusedError as bad:
        kind, said = _kind_of(data)
        if kind in wanted or altered(data)[0]:  # what became of its bytes is said already
            raise
        names = " or ".join(WANTED[one][0] for one in wanted)
        raise MalformedError(
            "wrong-file",
            f"{name} is {said}; {names} is wanted.",
            subject=name,
            next_step=WANTED[wanted[0]][1],
        ) from bad


def _kind_of(data: bytes) -> tuple[Kind, str]:
    if b"PRIVATE KEY" in data[:200]:
        return "key", "a private key, which never leaves its owner"
    if b"PUBLIC KEY" in data[:200] or data.startswith((b"ed25519:", b"ecdsa-p256:")):
        return "key", "a public key"
    value = _value(data)
    return _kind_of_object(value) if value else ("other", "no file of Sealift")


def _kind_of_object(value: dict[str, Any]) -> tuple[Kind, str]:
    if "payload" in value:
        return _statement(value)
    if "act" in value and "parts" in value:
        return "draft", _draft(value)
    if "former" in value:
        return "memory", "what somebody knows (of sealift-sign share)"
    if "role" in value and "lineage" in value:
        return "version", f"a version of {shown(value['role'], 80)} (of sealift-sign write)"
    role = "signed" in value and "signatures" in value
    return "other", "the file of a role" if role else "a file of another kind"


def _draft(value: dict[str, Any]) -> str:
    said = value.get("object")
    named = " ".join(map(str, said)) if isinstance(said, list) else ""
    parts = value["parts"] if isinstance(value["parts"], list) else []
    signed = any(isinstance(one, dict) and one.get("signatures") for one in parts)
    about = shown(f"{value['act']} {named}".strip(), 120)
    return f"a {'signed ' if signed else ''}draft of {about}"


def _statement(value: dict[str, Any]) -> tuple[Kind, str]:
    try:
        inner = json.loads(base64.b64decode(str(value["payload"])))
        name = str(inner["predicateType"]).split(":")[2]
        owner = inner["predicate"].get("owner")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return "other", "a signed statement that cannot be read"
    kind, said = _STATEMENTS.get(name, ("other", f"a signed {shown(name, 40)}"))
    return kind, f"the key card of {shown(owner, 80)}" if kind == "card" else said


def _value(data: bytes) -> dict[str, Any]:
    """The object in it, in whatever spelling; empty where there is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
