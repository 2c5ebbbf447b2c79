"""Whose hub keeps its blobs below a prefix: a small object says it, and no other hub writes there.

Two hubs of one organisation may share a store: a blob has the same bytes under its digest whoever
wrote it. Two organisations may not: each would count, mend and clear away what is the other's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sealift_registry.storage import s3_faults
from sealift_registry.storage.s3_address import S3Address
from sealift_registry.storage.s3_behaviour import Behaviour
from sealift_registry.storage.s3_calls import Calls, Patience
from sealift_registry.storage.s3_reading import open_object
from sealift_registry.storage.s3_sending import send_small
from sealift_signing.drawing import word
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.vocabulary import SHA256

MARKER = "sealift-hub.json"
LONGEST = 64 * 1024
"""Bytes of a marker that are read."""


def claim(calls: Calls, organisation: str, behaviour: Callable[[], Behaviour]) -> None:
    """Say that this prefix is of `organisation`, unless it was said before.

    How the server behaves is found out by writing: `behaviour` is called where it is nobody's yet.

    Raises:
        RefusedError: it is another's.
        FailedError: nobody knows yet whose hub this is.
    """
    if not organisation:
        raise FailedError(
            "blobs-of-nobody",
            f"Nothing is written to {calls.address.where} before it is known whose hub this is.",
            subject=calls.address.where,
            next_step="Open the hub with a command of sealift, such as: sealift next",
        )
    if owner(calls) is None:
        _write(calls, organisation, behaviour())
    found = owner(calls)
    if found != organisation:
        raise not_ours(calls.address.where, found or "")


def check_free(address: S3Address) -> None:
    """Check that nobody keeps blobs there yet: for a hub that is about to be set up.

    Raises:
        RefusedError: somebody does.
    """
    calls = Calls(address, Patience())
    with calls.told():
        calls.ask("list_objects_v2", Prefix=address.key("sha256/"), MaxKeys=1)
        found = owner(calls)
    if found is not None:
        raise not_ours(address.where, found)


def owner(calls: Calls) -> str | None:
    """The organisation that the marker names; None where there is none.

    Raises:
        RefusedError: something else lies there.
    """
    key = calls.address.key(MARKER)
    try:
        _, source = open_object(calls, key)
    except Exception as bad:
        if s3_faults.is_missing(bad):
            return None
        raise
    with source:
        data = source.read(LONGEST)
    try:
        said: Any = json.loads(data)
        found = said["organisation"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if not isinstance(found, str) or not SHA256.matches(found):
        raise RefusedError(
            "blobs-marker-wrong",
            f"What lies at {key} in {calls.address.where} does not say whose blobs these are.",
            subject=key,
            next_step="Find out who writes there. If it is yours alone, remove that object.",
        )
    return found


def _write(calls: Calls, organisation: str, behaviour: Behaviour) -> None:
    """Of two who begin at once, one is first, if the server can; it is read again afterwards."""
    body = json.dumps({"organisation": organisation, "software": "sealift"}, indent=1).encode()
    send_small(calls, calls.address.key(MARKER), body, behaviour, only_new=True)


def not_ours(where: str, found: str) -> RefusedError:
    """The error for a prefix below which another organisation keeps its blobs."""
    return RefusedError(
        "blobs-of-another-hub",
        f"{where} holds the blobs of another hub, that of the organisation {word(found[:12])}.",
        subject=where,
        next_step="Choose another prefix or bucket: blobs.url, or the option that names it.",
    )
