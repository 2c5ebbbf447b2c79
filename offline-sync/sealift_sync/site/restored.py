"""A site that was restored from a backup knows less than it once did, and must notice.

If it went on, it would write a second history under its own key, and the receipts of the first
would stand against it. What it signed itself tells: the checkpoint that the hub accepted, which a
bundle carries, and the one in a return that lies on the medium. Only what this site's own key
signed counts; a key belongs to one home, so another enrolment of the same name cannot be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import LARGEST_NOTE, Checkpoint
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.site.log_reading import SiteLogReader
from sealift_sync.site.state import State

AHEAD = "ahead"
"""The fact that is a checkpoint of this site's log which its database does not hold."""
MOST_RETURNS = 64
"""Returns that are looked at, the largest first: a stranger may have made any number of them."""
_SIZE = re.compile("[0-9]{1,15}")


class RestoredError(RefusedError):
    """This database is older than what its site has signed: `note` is what says so."""

    note: bytes = b""


def check_holds(state: State, said: Checkpoint, note: bytes) -> None:
    """Check that the log in `state` holds what this site signed in `note`, and `said` in it.

    Raises:
        RestoredError: it does not; the database is a restored backup.
    """
    reader = SiteLogReader(state.connection)
    try:
        kept = reader.checkpoint(said.size) if said.size else None
    except NotFoundError:
        kept = None
    if said.size and (kept is None or kept.root != said.root):
        raise _restored(said, note)


def check_notes(state: State, key: PublicKey, origin: str, notes: Iterable[bytes]) -> None:
    """Check the log against every one of `notes` that is by this site's key; ignore the others.

    Raises:
        RestoredError: the database is a restored backup.
    """
    for note in notes:
        try:
            said = checkpoint.verify(note, key, origin)
        except SealiftError:
            continue
        check_holds(state, said, note)


def check_remembered(state: State) -> None:
    """Refuse, if it was found out before that this database is a restored backup.

    Raises:
        RestoredError: it is.
    """
    note = state.fact(AHEAD)
    if note is not None:
        raise _restored(checkpoint.claimed(note), note)  # verified when it was remembered


def restored_words(state: State) -> str:
    """The sentences of `check_remembered`, for who only looks; empty if it would not refuse."""
    try:
        check_remembered(state)
    except RestoredError as bad:
        return str(bad)
    return ""


def notes_beside(medium: Medium, site: str) -> Iterator[bytes]:
    """The checkpoints in the returns of `site` on the medium that a bundle lies on.

    Nothing of them is verified. What a stranger made of them instead is passed over, because he
    could have taken them away as well.

    Raises:
        FailedError: the medium could not be read.
    """
    for top, path in _tops(medium, site):
        sizes = [name for name in _folders(top, path) if _SIZE.fullmatch(name)]
        for name in sorted(sizes, key=int, reverse=True)[:MOST_RETURNS]:
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
        f"This site once signed {said.size} entries of its log, and they are not the ones in this "
        "database: it was restored from a backup.",
        subject=said.origin,
        next_step="Nothing was changed. Restore the newest backup of this site's folder, or enrol "
        "anew in a new home: sealift-site --home DIR init …",
    )
    refusal.note = note
    return refusal
