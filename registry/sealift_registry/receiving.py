"""Taking in what sites sent home: from a medium at the hub, or as it was sent to a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sealift_registry.app import App
from sealift_registry.delivery import outcomes
from sealift_registry.delivery.returns import AcceptedReturn
from sealift_registry.shown.outcome import became
from sealift_registry.shown.told import Told
from sealift_registry.storage.workspace import workspace
from sealift_signing import file_access
from sealift_signing.drawing import drawn, word
from sealift_signing.errors import MalformedError, RefusedError, SealiftError
from sealift_signing.more_member import more_json, more_words
from sealift_signing.statements import NO_MORE, ArtifactOutcome, Receipt
from sealift_signing.vocabulary import TRANSFER_ID, counted
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium, foreign
from sealift_sync.bundle.returned import read_return

SHORT = 12
"""Hexadecimal digits of a digest that people read."""


def receive(app: App, medium: Path) -> tuple[Told, Sequence[SealiftError]]:
    """Take in what lies on a medium; what became of it, and why some of it was refused.

    Raises:
        NotFoundError: there is nothing of a site's.
        RestoredError: this hub was restored from a backup; nothing was taken in.
    """
    accepted, refused = app.returns.receive(medium)
    every = [_told(app, one) for one in accepted]
    # Sites where somebody should look at something come first.
    every.sort(key=lambda one: not (one.data["attention"] or one.data["lost"]))
    lines = [text for one in every for text in one.lines]
    lines += [f"Not taken in: {bad.what}" for bad in refused[1:]]
    data = {
        "returns": [one.data for one in every],
        "refused": [bad.as_json()["error"] for bad in refused],
    }
    return Told(data, lines), refused


def receive_sent(app: App, site: str, extract: bytes, receipts: Mapping[str, bytes]) -> Told:
    """Take in the return of one site, which was sent as the files that it would have on a medium.

    Args:
        app: of the hub.
        site: whose it is to be.
        extract: of the site's log, `log/extract.json`.
        receipts: each by the id of its transfer, as its file is called.

    Raises:
        MalformedError: it is no return.
        RefusedError: it is another site's, or as `Returns.receive`.
        SealiftError: as `Returns.receive`.
    """
    for name in receipts:
        if not TRANSFER_ID.matches(name):
            raise MalformedError(
                "bad-return", f"{word(name)} is not the id of a transfer.", subject=name
            )
    with workspace(app.hub.home.work) as folder:
        files = {layout.EXTRACT: extract}
        files |= {f"{layout.RECEIPTS}/{name}.json": body for name, body in receipts.items()}
        for name, body in files.items():
            path = folder / name
            path.parent.mkdir(mode=file_access.FOLDER, exist_ok=True)
            path.write_bytes(body)
        _check_site(folder, site)
        told, refused = receive(app, folder)
    if refused:
        raise refused[0]
    return told


def _check_site(folder: Path, site: str) -> None:
    """Check that a return is of the site for which it was sent: who may send one, goes by that."""
    found = read_return(Medium(folder)).site
    if found != site:
        raise RefusedError(
            "return-of-another",
            f"This came from the site {found}, and was sent as that of {site}.",
            subject=found,
            next_step=f"Send it as what it is: to the receipts of {found}.",
        )


def _told(app: App, one: AcceptedReturn) -> Told:
    lost, end = app.returns.missed(one.site), app.returns.ended(one.site)
    besides = {each.predicate.transfer: dict(each.predicate.more or {}) for each in one.receipts}
    data: dict[str, Any] = {
        "site": one.site,
        "receipts": [each.predicate.transfer for each in one.receipts],
        "entries": one.entries,
        "size": one.size,
        "lost": lost,
        "ignored": list(one.ignored),
        **outcomes.outcomes_json(end),
        **more_json({name: said for name, said in besides.items() if said}),
        **more_json(one.besides, "unsigned_more"),
    }
    receipts = counted(len(one.receipts), "new receipt")
    entries = counted(one.entries, "new log entry", "new log entries")
    lines = [
        f"{one.site}: {receipts}, {entries} ({one.size} in all).",
        *(f"  {text}" for text in outcomes.first_lines(end)),
        *_lost_lines(one.site, lost),
        *(text for each in one.receipts for text in _receipt_lines(each.predicate)),
        *(f"  on the medium, signed by nobody: {text}" for text in more_words(one.besides)),
        *(f"  {text}" for text in foreign(one.ignored)),
    ]
    return Told(data, lines)


def _receipt_lines(said: Receipt) -> Iterator[str]:
    yield f"  {said.transfer}, imported {said.made}"
    yield from (f"    {_artifact_line(one)}" for one in said.artifacts)
    yield from (f"    {text}" for text in more_words(said.more))


def _artifact_line(one: ArtifactOutcome) -> str:
    is_told = one.outcome == "held" or one.code in NO_MORE
    why = f"  {drawn(one.words)}" if is_told else ""
    return f"{became(one):9} {one.group}: {one.artifact}  {one.sha256[:SHORT]}{why}"


def _lost_lines(site: str, lost: int) -> Iterator[str]:
    if lost:
        are = "is" if lost == 1 else "are"
        yield f"  {counted(lost, 'blob')} of what {site} is assigned {are} lost there."
        yield f"  The next bundle brings it: sealift export {site} --to DIR"
