"""A site whose key signed more than its log holds: it imports nothing more, and stops all the same.

Either the site was restored from a backup, and an import would be a second receipt for one
transfer; or somebody else has its key. It cannot tell which. What the key signed shows it: the
checkpoint that the hub accepted, which a bundle carries, and the one in a return that lies on the
medium. Only what this site's own key signed counts; a key belongs to one home, so another enrolment
of the same name cannot be meant.

Whoever has the key could bar the site for ever with one such checkpoint. So what people here do
goes on, and so do recalls; each entry is marked with the checkpoint that its log does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from sealift_signing.canonical import Json
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import LARGEST_NOTE, Checkpoint
from sealift_signing.transparency.entry import Entry, Term
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.state.database import State

AHEAD = "ahead"
"""The fact that is a checkpoint of this site's log which its database does not hold."""
ACKNOWLEDGED = "acknowledged"
"""The fact that is the last checkpoint of this site's log which the hub accepted."""
GOES_ON = frozenset(
    {
        "model.activated",
        "model.activation-failed",
        "model.rolled-back",
        "model.stopped",
        "model.tried-again",
        "recall.honoured",
        "transfer.refused",
    }
)
"""The entries that such a log still takes: none of them says that something new was taken in."""
MARK = "not_in_this_log"
"""The member of an entry's data that is the checkpoint, as it was signed."""
MARK_TERM = Term("log", "behind")
"""By which marked entries are found."""
_SIZE = re.compile("[0-9]{1,15}")


class RestoredError(RefusedError):
    """The log in this database is not all that its site's key signed: `note` is what says so."""

    note: bytes = b""


def check_holds(state: State, signed: Checkpoint, note: bytes) -> None:
    """Check that the log in `state` holds what this site signed in `note`, which says `signed`.

    Raises:
        RestoredError: it does not.
    """
    reader = SiteLogReader(state.connection)
    try:
        kept = reader.checkpoint(signed.size) if signed.size else None
    except NotFoundError:
        kept = None
    if signed.size and (kept is None or kept.root != signed.root):
        raise _restored(signed, note)


def own_notes(notes: Iterable[bytes], key: PublicKey, origin: str) -> list[bytes]:
    """Those of `notes` that are by this site's key, the largest first; the others are forgotten.

    Only these are held in memory: there may be any number of what others made.
    """
    found: dict[bytes, int] = {}
    for note in notes:
        with suppress(SealiftError):
            found[note] = checkpoint.verify(note, key, origin).size
    return sorted(found, key=found.__getitem__, reverse=True)


def check_notes(state: State, notes: Iterable[bytes]) -> None:
    """Check the log against every one of `notes`, which are `own_notes` of this site.

    Raises:
        RestoredError: it does not hold one of them.
    """
    for note in notes:
        check_holds(state, checkpoint.claimed(note), note)


def check_remembered(state: State) -> None:
    """Refuse, if it was found out before that this log is not all that was signed.

    Raises:
        RestoredError: it was.
    """
    note = state.fact(AHEAD)
    if note is not None:
        raise _restored(checkpoint.claimed(note), note)  # verified when it was remembered


def marked(state: State, entry: Entry) -> Entry:
    """`entry` as this log takes it: where it is not all that was signed, each entry says so.

    Raises:
        RestoredError: it is not, and `entry` says that something new was taken in.
    """
    note = state.fact(AHEAD)
    if note is None:
        return entry
    if entry.type not in GOES_ON:
        check_remembered(state)
    said: dict[str, Json] = dict(entry.data) if isinstance(entry.data, Mapping) else {}
    return replace(entry, data=said | {MARK: note.decode()}, terms=(*entry.terms, MARK_TERM))


def restored_words(state: State) -> str:
    """The sentences of `check_remembered`, for who only looks; empty if it would not refuse."""
    try:
        check_remembered(state)
    except RestoredError as bad:
        return str(bad)
    return ""


def notes_beside(medium: Medium, site: str) -> Iterator[bytes]:
    """The checkpoints in the returns of `site` on the medium that a bundle lies on.

    Nothing of them is verified, and all are looked at: of a part, a stranger would choose which by
    making more. What he made of them instead is passed over, because he could have taken them away
    as well.

    Raises:
        FailedError: the medium could not be read.
    """
    for top, path in _tops(medium, site):
        for name in filter(_SIZE.fullmatch, _folders(top, path)):
            try:
                yield top.read(f"{path}/{name}/{layout.SITE_CHECKPOINT}", LARGEST_NOTE)
            except FailedError:
                raise
            except SealiftError:
                continue


def _tops(medium: Medium, site: str) -> Iterator[tuple[Medium, str]]:
    """Where returns may lie: below the medium's top, or beside the one transfer that was named."""
    yield Medium(medium.root), f"{layout.SEALIFT}/{layout.RETURNS}/{site}"
    above = medium.root.absolute().parent
    if not medium.inside and above.name == layout.SEALIFT:
        yield Medium(above), f"{layout.RETURNS}/{site}"


def _folders(medium: Medium, path: str) -> list[str]:
    try:
        return medium.folders(path)
    except FailedError:
        raise
    except SealiftError:
        return []


def _restored(said: Checkpoint, note: bytes) -> RestoredError:
    refusal = RestoredError(
        "log-restored",
        f"This site's key once signed {said.size:,} entries of its log, and they are not the ones "
        "in this database: it was restored from a backup, or somebody else has the key.",
        subject=said.origin,
        next_step="Rollback, activation and recalls go on here, and nothing is imported. If "
        "there is a newer backup of this site's folder, put it in place of this one; if there is "
        "none, or it says the same, enrol anew in a new home, with another key: "
        "sealift-site --home DIR init …",
    )
    refusal.note = note
    return refusal
