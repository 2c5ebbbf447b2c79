"""What the log says of the versions of a page: by few questions, however many they are.

A row of a list is told where the log says so, and as it says it: what a row of a version says of
itself, and which forms have rows, was signed by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sealift_registry.catalog import filed
from sealift_registry.catalog.logged import BUILT, INGESTED
from sealift_registry.catalog.pages import VersionHead
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.trust import signed_log
from sealift_signing.transparency.entry import Entry, Term
from sealift_signing.vocabulary import CatalogPath

_NAMES = re.compile(rb'"(?:version":"|artifact":"catalog/)([^"/]+/[^"/]+/\d+)["/]')
"""A version in an entry, or that of an artifact. What is found so is read and asked again."""


@dataclass
class _Filed:
    """What the log says of a version: the entry of when it was taken in, and its forms' paths."""

    taken_in: Entry | None = None
    paths: set[str] = field(default_factory=set)


class FiledPage:
    """What the log says of some versions, read at once.

    Raises:
        FailedError: the log is not the one that was signed.
    """

    def __init__(self, connection: Connection, heads: Collection[VersionHead]) -> None:
        self._found = {str(head.ref): _Filed() for head in heads}
        terms = {Term("model", str(head.ref.of)) for head in heads}
        names = {str(head.ref).encode() for head in heads}

        def is_asked(body: bytes) -> bool:
            return not names.isdisjoint(_NAMES.findall(body))

        for entry in signed_log.every_of(connection, (INGESTED, BUILT), terms, is_asked):
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        path = CatalogPath.parse(filed.evidence_of(entry)[0])
        found = self._found.get(str(VersionRef(path.team, path.model, path.version)))
        if found is None:
            return
        found.paths.add(str(path))
        if entry.type == INGESTED and found.taken_in is None:
            found.taken_in = entry

    def check(self, head: VersionHead, paths: Iterable[str]) -> str:
        """When a version was taken in, as its row says; `paths` are those of forms that have rows.

        Raises:
            RefusedError: the log says otherwise, or of other forms.
        """
        found = self._found[str(head.ref)]
        entry, says = found.taken_in, {"source": head.source_version, "format": head.format}
        if entry is None or not filed.says_so(entry.data, says):
            raise signed_log.not_logged(f"the version {head.ref}", filed.row_of(head.ref))
        filed.check_same_artifacts(found.paths, set(paths))
        return entry.at
