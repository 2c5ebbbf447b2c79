"""Conversions that were refused, as the hub's log keeps them: the same again ends the same way."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version as package_version

from sqlalchemy import Connection

from sealift_registry.catalog.reference import VersionRef
from sealift_registry.trust import signed_log
from sealift_signing.canonical import Json
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import CatalogPath

REFUSED = "conversion.refused"
RESULT_TERM = "result"
"""The word by which an entry is found that a result led to: the sha256 of what was signed."""


@dataclass(frozen=True)
class Refused:
    """One that was refused; `words` are what was told of it."""

    path: CatalogPath
    words: str


def refusal(path: CatalogPath, goldens: str, refused: RefusedError) -> dict[str, Json]:
    """What the log keeps of a refusal.

    A version's bytes stay as they are; its goldens and our software may not.
    """
    return {
        "artifact": str(path),
        "code": refused.code,
        "what": refused.what,
        "goldens": goldens,
        "sealift": _software(),
    }


def refused_as_it_is(connection: Connection, ref: VersionRef, goldens: str) -> Refused | None:
    """The newest refusal of `ref` with these goldens by this software; None if there is none.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    term, stem = ("model", str(ref.of)), f"{ref}/".encode()
    for entry in signed_log.every(connection, (REFUSED,), term, stem):
        said = entry.data
        if (said.get("goldens"), said.get("sealift")) != (goldens, _software()):
            continue
        path = CatalogPath.parse(str(said["artifact"]))
        if path.full_version == str(ref):
            return Refused(path, str(said["what"]))
    return None


def is_known(connection: Connection, result: str) -> bool:
    """Whether the log has this result of no variant already: replayed, it says nothing new.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    found = signed_log.every(connection, (REFUSED,), (RESULT_TERM, result), b"")
    return any(True for _ in found)


def _software() -> str:
    return package_version("sealift-registry")
