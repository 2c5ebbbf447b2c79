"""What whoever stops a move is told: how much was done, and where the hub is by now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sealift_registry.moving.blob_copies import BlobCopies
from sealift_registry.moving.route import Route
from sealift_registry.trust import whereabouts
from sealift_registry.trust.hub import Hub
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import counted


@contextmanager
def told(hub: Hub, way: Route, copies: BlobCopies) -> Iterator[Callable[[], None]]:
    """Around a move, which calls what it is given before it first writes anything."""
    begun: list[bool] = []
    try:
        yield lambda: begun.append(True)
    except KeyboardInterrupt as stop:
        note = _so_far(hub, way, copies) if begun else _left(hub)
        if note:
            stop.add_note(note)
        raise


def _so_far(hub: Hub, way: Route, copies: BlobCopies) -> str:
    if way.moves_rows:
        left = _left(hub)
        if left:
            return left
    elif _blobs_at(hub) == way.there.blobs_place:
        return (
            f"The blobs are in {way.there.blobs_place} from now on, and settings.toml does not "
            "say so yet: the same command changes it."
        )
    goes_on = "The hub is where it was, and the same command goes on with what is there."
    if not copies.sent:
        return f"{goes_on} What was written at the new place does not count."
    some = counted(copies.sent, "blob")
    were = "was" if copies.sent == 1 else "were"
    return f"{some} {were} copied to {way.there.blobs.where}, and stay there. {goes_on}"


def _left(hub: Hub) -> str:
    """A sentence where the old place has ended; empty where it has not."""
    try:
        with hub.reading() as connection:
            there = whereabouts.went_to(connection)
    except SealiftError as bad:
        return f"Where the hub is by now is not known, for it could not be asked. {bad.what}"
    if there is None:
        return ""
    return (
        f"The hub has moved to {there}, and nobody can write to it until the same command has been "
        "run again: it does the rest."
    )


def _blobs_at(hub: Hub) -> str | None:
    try:
        with hub.reading() as connection:
            return whereabouts.blobs_at(connection)
    except SealiftError:
        return None
