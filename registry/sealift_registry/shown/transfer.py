"""A transfer as it is shown."""

from __future__ import annotations

from typing import Any

from sealift_registry.shown.outcome import outcome_line
from sealift_registry.views.transfers import BegunView, TransferView
from sealift_signing.drawing import pasted, word
from sealift_signing.more_member import more_json, more_words
from sealift_signing.vocabulary import counted


def transfer_lines(view: TransferView) -> list[str]:
    """All about a transfer that was signed, in words."""
    said = view.transfer.predicate
    size = sum(file.size for file in said.files)
    lines = [
        f"Transfer {said.id} to {said.site}, made {said.made}",
        f"  transfer.json  {view.transfer.sha256[:12]}",
        f"  carries        {counted(len(said.files), 'file')}, {counted(size, 'byte')}",
        f"  written to     {word(view.medium)}, the hub says",
        f"  previous       {said.previous or 'none'}",
    ]
    if view.receipt is None:
        return [*lines, "  The site has not answered yet."]
    receipt = view.receipt.predicate
    return [
        *lines,
        f"  imported       {receipt.made}",
        *(f"    {outcome_line(artifact)}" for artifact in receipt.artifacts),
        *(f"    {text}" for text in more_words(receipt.more)),
    ]


def transfer_data(view: TransferView) -> dict[str, Any]:
    """The same, for machines."""
    said, receipt = view.transfer.predicate, view.receipt
    return {
        "transfer": said.id,
        "site": said.site,
        "sha256": view.transfer.sha256,
        "made": said.made,
        "files": len(said.files),
        "bytes": sum(file.size for file in said.files),
        "receipt": receipt.sha256 if receipt else None,
        **more_json(receipt.predicate.more if receipt else None),
    }


def begun_lines(view: BegunView) -> list[str]:
    """A transfer that nobody signed yet, in words."""
    first = f"Transfer {view.id} to {view.site}, begun {view.begun}"
    if view.taken_by is not None:
        return [first, f"  It was never signed; {view.taken_by} took its place."]
    if view.elsewhere is not None:
        other = word(view.elsewhere)
        return [
            first,
            f"  It is not signed yet. Its medium is at {other}, which goes on with it.",
            f"  Or, here:  sealift export {view.site} --to DIR --anew",
        ]
    if view.waits is None:
        go_on = f"  Go on:  sealift export {view.site} --to DIR"
        return [first, "  It is not written whole.", go_on]
    files, medium = view.waits.transfer.files, str(view.waits.medium)
    size = sum(file.size for file in files)
    return [
        first,
        f"  carries        {counted(len(files), 'file')}, {counted(size, 'byte')}",
        f"  written to     {medium}, where it waits to be signed",
        f"  its draft is   {view.waits.draft.parts[0].digest}",
        f"  Draft again:   sealift export {view.site} --to {pasted([medium])}",
        f"  Then, signed:  sealift submit FILE --medium {pasted([medium])}",
    ]


def begun_data(view: BegunView) -> dict[str, Any]:
    """The same, for machines."""
    data: dict[str, Any] = {
        "transfer": view.id,
        "site": view.site,
        "begun": view.begun,
        "waits": None,
        **({} if view.elsewhere is None else {"elsewhere": view.elsewhere}),
    }
    if view.taken_by is None and view.waits is not None:
        digest = view.waits.draft.parts[0].digest
        waits = {"medium": str(view.waits.medium), "sha256": digest}
        data |= {"waits": waits, "files": len(view.waits.transfer.files)}
    return data
