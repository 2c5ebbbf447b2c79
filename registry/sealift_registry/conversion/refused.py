"""Conversions that were refused, as the hub's log keeps them: the same again ends the same way."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version as package_version

from sqlalchemy import Connection

from sealift_registry.audit import page_query, pending
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.trust import signed_log
from sealift_signing.canonical import Json
from sealift_signing.errors import RefusedError
from sealift_signing.transparency.entry import Term, read_entry
from sealift_signing.transparency.question import Question
from sealift_signing.vocabulary import CatalogPath

REFUSED = "conversion.refused"
RESULT_TERM = "result"
"""The word by which an entry is found that a result led to: the sha256 of what was signed."""
MOST_READ = 100
"""Refusals of a model that are looked through, from the newest."""


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
    """The newest refusal of `ref` with these goldens by this software; None if there is none."""
    question = Question(type=REFUSED, terms=(Term("model", str(ref.of)),))
    query = page_query.page(connection, question, _newest(connection, MOST_READ))
    for row in connection.execute(query):
        said = read_entry(row.body).data
        if (said.get("goldens"), said.get("sealift")) != (goldens, _software()):
            continue
        path = CatalogPath.parse(str(said["artifact"]))
        if path.full_version == str(ref):
            return Refused(path, str(said["what"]))
    return None


def is_known(connection: Connection, result: str) -> bool:
    """Whether the log has this result of no variant already: replayed, it says nothing new."""
    term = Term(RESULT_TERM, result)
    if any(one.type == REFUSED and term in one.terms for one in pending.entries(connection)):
        return True  # by the very commit that this is asked in
    question = Question(type=REFUSED, terms=(term,))
    query = page_query.page(connection, question, _newest(connection, 1))
    return connection.execute(query).first() is not None


def _newest(connection: Connection, limit: int) -> page_query.PageBounds:
    size = signed_log.signed(connection).size
    return page_query.PageBounds(limit, None, newest_first=True, size=size)


def _software() -> str:
    return package_version("sealift-registry")
