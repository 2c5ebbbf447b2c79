"""Which files of check rows belong to an artifact: those that its verified parity evidence names.

A bundle lists a file by its digest, and the dispatcher's key signs that list. What the file is good
for, only the builder's key says: a file that no such evidence names is left on the medium.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sealift_signing import statements
from sealift_signing.canonical import Json
from sealift_signing.documents import AssignedArtifact
from sealift_signing.evidence import entitled_machine
from sealift_signing.site_rules import ConditionFacts
from sealift_signing.statements import Evidence, Transfer
from sealift_signing.vocabulary import SHA256
from sealift_sync.blobs import Blob, BlobFolder
from sealift_sync.bundle import layout
from sealift_sync.check_rows import LARGEST

PARITY = "parity"
MEMBER = "check_rows"
"""Of the details of such evidence."""


def named_rows(facts: ConditionFacts, artifact: AssignedArtifact) -> tuple[str, ...]:
    """The digest of the check rows of an artifact that passed the six conditions, if it has any.

    Those of the newest evidence that names some count: a hub makes one file a proof, and many
    would have a site's runtime asked for ever.

    Raises:
        BadSignatureError, MalformedError: a carried statement was forged or damaged.
    """
    found = max(_named(facts, artifact), default=None)
    return () if found is None else (found[1],)


def carried_rows(transfer: Transfer) -> dict[str, int]:
    """The files of check rows that a transfer lists, digest to bytes; no larger than any is."""
    files = (file for file in transfer.files if file.path == layout.check_file(file.sha256))
    return {file.sha256: file.size for file in files if file.size <= LARGEST}


def rows_to_keep(
    named: Collection[str], carried: Mapping[str, int], store: BlobFolder
) -> tuple[Blob, ...]:
    """Of the check rows that are `named`, those on the medium or in the store already."""
    sizes = {one: carried.get(one, -1) for one in named}
    sizes |= {one: store.size(one) for one, size in sizes.items() if size < 0 and store.has(one)}
    return tuple(Blob(one, size) for one, size in sorted(sizes.items()) if size >= 0)


def rows_to_take(
    rows: Collection[Blob],
    carried: Mapping[str, int],
    store: BlobFolder,
    damaged: Collection[str],
) -> tuple[dict[str, int], set[str]]:
    """Of check rows: what is taken from the medium, digest to bytes, and what the store has.

    What the medium lacks is not hashed either: nothing could mend it, and a check will say so.
    """
    medium, kept = {}, set()
    for one in rows:
        if one.sha256 in carried and one.sha256 not in damaged and store.holds(*_both(one)):
            kept.add(one.sha256)
        elif one.sha256 in carried:
            medium[one.sha256] = one.size
    return medium, kept


def _both(one: Blob) -> tuple[str, int]:
    return one.sha256, one.size


def _named(facts: ConditionFacts, artifact: AssignedArtifact) -> Iterator[tuple[str, str]]:
    """When evidence was made that names a file of check rows, and which."""
    for digest in artifact.evidence:
        data = facts.statement(digest)  # judged before: it has that digest
        if data is None:
            continue
        evidence = statements.read(Evidence, data, what=f"the evidence {digest[:12]}")
        said = evidence.predicate
        ours = said.kind == PARITY and said.organisation == facts.organisation and said.passed
        if not ours or not evidence.about(artifact.path, artifact.sha256):
            continue
        if entitled_machine(evidence, facts.fleet) is not None:
            for one in _digest(said.details):
                yield said.made, one


def _digest(details: Json) -> Iterator[str]:
    rows = details.get(MEMBER) if isinstance(details, Mapping) else None
    digest = rows.get("sha256") if isinstance(rows, Mapping) else None
    if isinstance(digest, str) and SHA256.matches(digest):
        yield digest
