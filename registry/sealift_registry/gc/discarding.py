"""Saying that the files of a version, or of one form of it, may go.

It is refused while anybody has them, or is to have them (`gc.uses`); what it means is told before.
The log's entry is all that is written: no row changes, and `gc` removes what nothing else names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sealift_registry.audit import pending
from sealift_registry.blob_fsck import Named
from sealift_registry.catalog import discards
from sealift_registry.catalog.catalog import ArtifactRow, Catalog
from sealift_registry.catalog.discards import Discard
from sealift_registry.catalog.logged import DISCARDED
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.gc import marking
from sealift_registry.gc.collecting import Amount
from sealift_registry.gc.uses import Uses
from sealift_registry.intake.source import SourceRecord
from sealift_registry.trust import readiness, signed_log
from sealift_registry.trust.hub import Hub
from sealift_signing import shape
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import NotFoundError, RefusedError, UsageError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import SENTENCE, CatalogPath
from sealift_sync.artifact import LARGEST_MANIFEST, read_manifest

MOST_TRIES = 3
"""Times that who needs something is asked beside others who write."""
CATALOG = "catalog/"
"""How the paths of forms begin, as they are shown; whoever names one may leave it out."""


@dataclass(frozen=True)
class Consequence:
    """What it means to discard something.

    Attributes:
        version: of which it is.
        forms: what would be discarded by it, in order; none where all of it was before.
        before: what of it was discarded before.
        files: the blobs that gc would remove for it, as far as is known now.
        left: the forms of the version whose files stay.
        kind, locator: what the version was taken in from, and what it is called there.
    """

    version: VersionRef
    forms: tuple[CatalogPath, ...]
    before: tuple[Discard, ...]
    files: Amount
    left: tuple[CatalogPath, ...]
    kind: str
    locator: str

    @property
    def of_source(self) -> bool:
        """Whether the source is among it."""
        return any(one.is_source for one in self.forms)


class _MovedOnError(Exception):
    """The log has more entries than when it was asked who needs what."""


class _NothingToDoError(Exception):
    """All of it was discarded meanwhile."""


@dataclass(frozen=True)
class _Asked:
    """What somebody named: a version, and one form of it if any."""

    ref: VersionRef
    form: str = ""

    @classmethod
    def parse(cls, text: str) -> _Asked:
        parts = text.removeprefix(CATALOG).split("/")
        form = parts.pop() if len(parts) == 4 else ""  # noqa: PLR2004 - TEAM/MODEL/VERSION/FORM
        return cls(VersionRef.parse("/".join(parts)), form)


def consequence(hub: Hub, what: str) -> Consequence:
    """What discarding `what` would mean: a version, or one form of it.

    Raises:
        UsageError: it names neither.
        NotFoundError: there is no such version, or no such form of it.
        RefusedError: somebody needs it; or a manifest is lost, so nobody knows what would go.
        FailedError: the database or the store could not be read.
    """
    asked = _Asked.parse(what)
    with hub.reading() as connection:
        readiness.check(hub, connection)
        rows, before = _forms(connection, asked)
        _check_unused(hub, connection, asked.ref, rows)
        every = Catalog(connection).artifacts(asked.ref)
        gone = {*Catalog(connection).discards(asked.ref), *(str(one.path) for one in rows)}
        source = Catalog(connection).version(asked.ref).source
        named = marking.mark(hub, connection)
    record = shape.read(SourceRecord, source, what="the source's record")
    return Consequence(
        asked.ref,
        tuple(one.path for one in rows),
        before,
        _files(hub, named, rows),
        tuple(one.path for one in every if str(one.path) not in gone),
        record.kind,
        record.locator,
    )


def check_reason(reason: str) -> None:
    """Check that a reason is one.

    Raises:
        UsageError: it says nothing, or too much.
    """
    if not reason.strip() or not SENTENCE.matches(reason):
        raise UsageError(
            "reason-needed",
            "Whoever reads the log later is told why this was discarded, and no reason is given.",
            subject="--reason",
            next_step="Say why, in up to 2,000 characters: --reason '…'",
        )


def discard(hub: Hub, what: str, actor: str, reason: str) -> bool:
    """Record that `what` may go; False where all of it was discarded before.

    Raises:
        UsageError: the reason is none.
        RefusedError: somebody needs it meanwhile.
        FailedError: it could not be recorded.
    """
    check_reason(reason)
    asked = _Asked.parse(what)
    for _ in range(MOST_TRIES):
        with hub.reading() as connection:
            seen = signed_log.signed(connection).size
            _check_unused(hub, connection, asked.ref, _forms(connection, asked)[0])
        try:
            return _recorded(hub, asked, actor, reason, seen)
        except _MovedOnError:
            continue
    return _recorded(hub, asked, actor, reason, None)


def _recorded(hub: Hub, asked: _Asked, actor: str, reason: str, seen: int | None) -> bool:
    """Whether it was recorded, where the log has as many entries as when it was `seen`.

    All that needs a version has an entry. To ask every site takes seconds, for which others would
    wait to write: so it is asked before, and here only where the log grows all the time (None).

    Raises:
        _MovedOnError: it has others.
    """

    def action(connection: Connection) -> tuple[Entry, None]:
        rows, _ = _forms(connection, asked)
        if not rows:
            raise _NothingToDoError
        if seen is None:
            _check_unused(hub, connection, asked.ref, rows)
        elif signed_log.signed(connection).size != seen or pending.entries(connection):
            raise _MovedOnError
        forms = [(one.path, one.sha256) for one in rows]
        data = discards.entry_data(asked.ref, forms, reason)
        return hub.entry(DISCARDED, actor, data, {"model": str(asked.ref.of)}), None

    try:
        hub.commit(action)
    except _NothingToDoError:
        return False
    return True


def _forms(connection: Connection, asked: _Asked) -> tuple[list[ArtifactRow], tuple[Discard, ...]]:
    """The forms that are asked for and have their files, and those that were discarded before."""
    catalog, ref, form = Catalog(connection), asked.ref, asked.form
    catalog.version(ref)
    rows = [one for one in catalog.artifacts(ref) if form in {"", one.path.form}]
    if not rows:
        raise NotFoundError(
            "no-form",
            f"{ref} has no form {word(form)}.",
            subject=f"{ref}/{form}",
            next_step=f"See which it has: sealift show {pasted([str(ref)])}",
        )
    gone = catalog.discards(ref)
    before = tuple(gone[str(one.path)] for one in rows if str(one.path) in gone)
    return [one for one in rows if str(one.path) not in gone], before


def _check_unused(
    hub: Hub, connection: Connection, ref: VersionRef, rows: Sequence[ArtifactRow]
) -> None:
    for use in Uses(hub, connection).of(ref, rows) if rows else ():
        raise RefusedError(
            "discard-in-use",
            f"{use.sentence} So {'it' if len(rows) == 1 else 'that version'} is not discarded.",
            subject=str(ref),
            next_step=use.next_step,
        )


def _files(hub: Hub, named: Named, rows: Sequence[ArtifactRow]) -> Amount:
    """The blobs that nothing would name any more."""
    also = {str(one.path): Discard(one.path, one.sha256, "", "", "") for one in rows}
    marks = marking.finish(hub, replace(named, discards={**named.discards, **also}))
    store = hub.home.blobs
    bodies = store.read_all([one.sha256 for one in rows], LARGEST_MANIFEST)
    theirs = {
        digest
        for manifest, data in bodies.items()
        for digest in read_manifest(data, what=manifest).blobs
    }
    sizes = store.sizes(sorted(theirs & marks.discarded))
    return Amount(len(sizes), sum(sizes.values()))
