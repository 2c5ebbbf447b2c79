"""Where the hub's own checkpoints come home: in sites' logs, and in bundles that lie on a medium.

Nothing here is verified, and nobody who put it there is believed: a checkpoint counts by the key of
the hub's log alone (`sealift_registry.trust.readiness.notice`). So all of them are looked at: of a
part, whoever may add to them would choose which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sealift_signing.errors import SealiftError
from sealift_signing.transparency.checkpoint import LARGEST_NOTE
from sealift_signing.transparency.entry import read_entry
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium

_NAMED = b'"hub_log"'


def on_medium(folder: Path) -> Iterator[bytes]:
    """The hub's checkpoints in the bundles on the medium whose top folder is `folder`.

    What cannot be read is passed over: whoever hides a bundle could have taken it away as well, and
    an old one that nobody may read must not keep a new one from being written.
    """
    medium = Medium(folder)
    names: list[str] = []
    with suppress(SealiftError):
        names += filter(layout.is_transfer_id, medium.folders(layout.SEALIFT))
    for name in names:
        with suppress(SealiftError):
            yield medium.read(f"{layout.SEALIFT}/{name}/{layout.HUB_CHECKPOINT}", LARGEST_NOTE)


def in_log(bodies: Sequence[str]) -> Iterator[bytes]:
    """The hub's checkpoints that a site's log names: of the bundles that the site took."""
    for body in bodies:
        data = body.encode()
        if _NAMED not in data:
            continue
        with suppress(SealiftError):
            said = read_entry(data).data
            note = said.get("hub_log") if isinstance(said, Mapping) else None
            if isinstance(note, str):
                yield note.encode()
