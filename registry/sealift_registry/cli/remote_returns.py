"""`sealift receive` of a hub behind its server: what a site sent home is sent on, as it lies.

Nothing is believed and nothing verified here: the server does that, as the hub does of a medium.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealift_registry.client.address import address_of
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import FailedError, RefusedError, SealiftError
from sealift_signing.vocabulary import counted
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.returned import LARGEST_EXTRACT, Returned, find_returns, read_return

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session

LARGEST = 64 << 20
"""Bytes of what is sent, as `delivery_routes.LARGEST_RETURN`."""
FRAME = 1 << 10
"""Bytes of it besides what lies on the medium."""


def send(session: Session, folder: Path) -> None:
    """Send each site's return below `folder`, and tell what became of them.

    Each stands for itself, and of one site the next longest is tried, as at the hub.

    Raises:
        NotFoundError: there is none.
        SealiftError: the first that was refused, once all that was taken in is told.
    """
    taken: list[Mapping[str, Any]] = []
    refused: list[SealiftError] = []
    for returns in find_returns(folder):
        for one in returns:
            try:
                taken += _sent(session, one)
                break
            except FailedError:
                raise  # the medium or the server: another return would not mend that
            except SealiftError as bad:
                refused.append(bad)
    lines = [text for one in taken for text in _lines(one, str(session.server))]
    lines += [f"Not taken in: {bad.what}" for bad in refused[1:]]
    data = {"returns": taken, "refused": [bad.as_json()["error"] for bad in refused]}
    session.terminal.answer("receive", data, lines)
    if refused:
        raise refused[0]


def _sent(session: Session, medium: Medium) -> list[Mapping[str, Any]]:
    """What the server says of one return."""
    found = read_return(medium)
    extract = medium.read(layout.EXTRACT, LARGEST_EXTRACT)
    _check_size(found, extract)
    receipts = {name: b64encode(body).decode() for name, body in found.receipts.items()}
    said = {"extract": b64encode(extract).decode(), "receipts": receipts}
    path = address_of("sites", found.site, "receipts")
    answer = session.remote.change("POST", path, said, {"returns": list})
    return [one for one in answer["returns"] if isinstance(one, dict)]


def _check_size(found: Returned, extract: bytes) -> None:
    """Check that a server takes so much, before it is sent.

    Raises:
        RefusedError: it does not.
    """
    each = [*map(len, found.receipts.values()), len(extract)]
    size = FRAME + sum(4 * (one // 3 + 1) for one in each) + 64 * len(each)
    if size > LARGEST:
        raise RefusedError(
            "return-too-long",
            f"The return of {found.site} has {sum(each):,} bytes, more than a server takes.",
            subject=found.site,
            next_step="Carry the medium to the hub: sealift receive DIR",
        )


def _lines(one: Mapping[str, Any], server: str) -> Sequence[str]:
    site = str(one.get("site", ""))
    came, ignored = one.get("receipts"), one.get("ignored")
    receipts = counted(len(came) if isinstance(came, list) else 0, "new receipt")
    entries = counted(_number(one, "entries"), "new log entry", "new log entries")
    lost, first = _number(one, "lost"), one.get("attention")
    return [
        f"{word(site)}: {receipts}, {entries} ({_number(one, 'size')} in all).",
        *(f"  {text}" for text in (first if isinstance(first, list) else ())),
        *([f"  {counted(lost, 'blob')} of what it is assigned: lost there."] if lost else []),
        *(f"  Not read: {word(str(name))}" for name in (ignored or ())),
        f"  What runs there:  sealift show {pasted([site])} --server {pasted([server])}",
    ]


def _number(one: Mapping[str, Any], name: str) -> int:
    found = one.get(name)
    return found if isinstance(found, int) else 0
