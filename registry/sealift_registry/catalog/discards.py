"""What was discarded: forms of versions whose files somebody said may go, as the log says it.

Nothing of such a form changes but that nothing needs its files any more, so `sealift gc` removes
those that nothing else names. Its rows stay, and its manifest, and all evidence about it. The log
alone says what was discarded: a row that says so could be anybody's, and one that does not could
have been taken out. Whoever brings the files back says that in the log, too, and the later counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from sealift_registry.audit import pending
from sealift_registry.catalog.logged import DISCARDED, RESTORED
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.trust import signed_log
from sealift_registry.trust.stored import once_read
from sealift_signing.drawing import drawn, word
from sealift_signing.errors import RefusedError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import CatalogPath

TYPES = (DISCARDED, RESTORED)


@dataclass(frozen=True)
class Discard:
    """That the files of a form may go.

    Attributes:
        path: of the form.
        sha256: the digest of its manifest.
        by: who said so.
        at: when, by the log.
        reason: in their words.
    """

    path: CatalogPath
    sha256: str
    by: str
    at: str
    reason: str

    @property
    def words(self) -> str:
        """The same in a sentence."""
        return f"{self.path} was {self.done}."

    @property
    def done(self) -> str:
        """What was done to it: by whom, when, and why."""
        return f"discarded by {word(self.by)} on {self.at[:10]} because {drawn(self.reason)}"

    def refusal(self) -> RefusedError:
        """The error for who needs its files."""
        version, form = self.path.full_version, self.path.form
        again = f"Build it again: sealift convert {version} --for {form}"
        if self.path.is_source:
            again = (
                "Ingest it again from where it came from, which brings it back: "
                f"sealift show {version} names that."
            )
        return RefusedError("discarded", self.words, subject=str(self.path), next_step=again)


Discards = Mapping[str, Discard]
"""By the paths of forms; those that are there again are not among them."""


def of_all(connection: Connection) -> Discards:
    """All forms that are discarded.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    before = (one for one in reversed(pending.entries(connection)) if one.type in TYPES)
    found = (one.entry for one in signed_log.entries(connection, *TYPES))
    return _standing(chain(before, found))


def of_version(connection: Connection, ref: VersionRef) -> Discards:
    """The forms of one version that are discarded.

    Raises:
        FailedError: the log is not the one that was signed.
    """
    stem, term = str(ref.path("")), ("model", str(ref.of))

    def read() -> Discards:
        found = _standing(signed_log.every(connection, TYPES, term, stem.encode()))
        return {path: one for path, one in found.items() if path.startswith(stem)}

    return once_read(connection, f"discards of {ref}", read)


def check_there(discards: Discards, path: CatalogPath) -> None:
    """Check that a form was not discarded.

    Raises:
        RefusedError: it was; by whom, when and why, is said.
    """
    found = discards.get(str(path))
    if found is not None:
        raise found.refusal()


def entry_data(
    ref: VersionRef, forms: Iterable[tuple[CatalogPath, str]], reason: str
) -> dict[str, Any]:
    """What the entry says of forms that are discarded, each with its manifest's digest."""
    named = [{"path": str(path), "sha256": digest} for path, digest in forms]
    return {"version": str(ref), "artifacts": named, "reason": reason}


def _standing(newest_first: Iterable[Entry]) -> Discards:
    """Of each form what was said of it last, where that is that it was discarded."""
    said: dict[str, Discard | None] = {}
    for entry in newest_first:
        for path, one in _said(entry):
            said.setdefault(path, one)
    return {path: one for path, one in said.items() if one is not None}


def _said(entry: Entry) -> Iterator[tuple[str, Discard | None]]:
    data: Mapping[str, Any] = entry.data
    if entry.type == RESTORED:
        yield data["artifact"], None
        return
    for one in data["artifacts"]:
        path = CatalogPath.parse(one["path"])
        yield str(path), Discard(path, one["sha256"], entry.actor, entry.at, data["reason"])
