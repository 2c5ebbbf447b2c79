"""A site's judgement of a bundle, of which parts were changed and signed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from tuf.api.metadata import Metadata

from sealift_signing import dsse, publishing, shape, statements
from sealift_signing.errors import SealiftError
from sealift_signing.statements import CarriedFile, Transfer
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.quarantine import Quarantine, quarantine
from sealift_sync.site.importing.accepting import accept, unlisted_files
from sealift_sync.site.importing.making_receipt import make_receipt
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.verifying.authentic_recalls import Grounds, authentic_recalls
from tests.fuzz.forging import TAPES, Files, resigned, role_of
from tests.fuzz.mutating import mutate, mutate_bytes, nudge
from tests.fuzz.organisation import organisation, scratch
from tests.fuzz.tape import Tape
from tests.fuzz.target import Target
from tests.hub_on_paper import SITE, HubOnPaper
from tests.site_on_paper import SiteOnPaper
from tests.trust import NOW


class BundleInMemory(Quarantine):
    """A quarantined copy that lies in memory: the same questions, no disk."""

    def __init__(self, files: Files) -> None:
        super().__init__(Path("/nonexistent"), frozenset(files), tuple(files))
        self._data = files

    def read(self, path: str) -> bytes:
        found = self._data.get(path)
        return super().read(path) if found is None else found


@cache
def _enrolled() -> tuple[HubOnPaper, OpenSite, Files]:
    """A site that took one bundle, and the small files of the next one."""
    hub, _ = organisation("bundle")
    paper = SiteOnPaper(scratch() / "site", NOW)
    paper.enrol(hub)
    first = hub.export(scratch() / "medium")
    paper.take(first)
    newest = hub.promote(3)
    hub.assign(newest)
    hub.publish_assignment()
    second = hub.export(scratch() / "medium")
    kept = quarantine(Medium(second), scratch() / "copy")
    files = {path: kept.read(path) for path in kept.paths}
    return hub, _OPEN.enter_context(paper.opened("fuzz")), files


_OPEN = ExitStack()
"""The site stays open as long as the process lives."""


def _bundle(data: bytes) -> None:
    hub, site, files = _enrolled()
    tape = Tape(data)
    changed = dict(files)
    for _ in range(1 + tape.below(3)):
        _edit_bundle(hub, changed, tape)
    if not tape.chance(3):
        changed[layout.TRANSFER] = relisted(hub, changed)
    bundle = BundleInMemory(changed)
    recalls = authentic_recalls(bundle, Grounds.of(site))
    assert all(recall.sha256 for recall in recalls)
    accepted = accept(site, bundle, recalls)
    unlisted_files(bundle, accepted.transfer.predicate)
    # What was accepted can be told: a receipt that could not be written would end the import.
    make_receipt(site, accepted, site.clock())


def _edit_bundle(hub: HubOnPaper, files: Files, tape: Tape) -> None:
    path = tape.pick(sorted(files))
    how = tape.below(8)
    random = tape.random()
    others = list(files.values())
    change = partial(_rewritten, random, others) if how == 3 else partial(_nudged, random)
    if how == 0:
        files.pop(path)
    elif how == 1:
        files[path] = files[tape.pick(sorted(files))]
    elif how == 2:
        files[path] = mutate_bytes(files[path], random)
    elif path.startswith(f"{layout.METADATA}/"):
        files[path] = resigned(hub, role_of(path), change(files[path]))
    elif path.startswith(f"{layout.TARGETS}/"):
        _list_document(hub, files, path, change(files[path]))
    elif path.startswith(f"{layout.STATEMENTS}/"):
        _sign_statement(hub, files, path, change)
    elif path == layout.TRANSFER:
        edited = change(dsse.read(files[path], what=path).payload)
        files[path] = dsse.sign(dsse.IN_TOTO, edited, hub.keys["dora"])
    else:
        files[path] = change(files[path])


def _rewritten(random: Random, others: Sequence[bytes], data: bytes) -> bytes:
    return mutate(data, random, others)


def _nudged(random: Random, data: bytes) -> bytes:
    return nudge(data, random)


def _list_document(hub: HubOnPaper, files: Files, path: str, data: bytes) -> None:
    """Put a document in place and have its role list it, as a hub with all keys would."""
    files[path] = data
    name = path.removeprefix(f"{layout.TARGETS}/")
    for place in [one for one in files if one.startswith(f"{layout.METADATA}/")]:
        try:
            metadata: Metadata[Any] = Metadata.from_bytes(files[place])
            listed = metadata.signed.targets[name]
        except Exception:  # noqa: BLE001, S112 - not metadata any more, or not of that role
            continue
        listed.length, listed.hashes = len(data), {"sha256": sha256(data).hexdigest()}
        files[place] = resigned(hub, role_of(place), publishing.to_bytes(metadata))


def _sign_statement(
    hub: HubOnPaper, files: Files, path: str, edit: Callable[[bytes], bytes]
) -> None:
    """Have who signed a statement sign a changed one, and all that name it name it anew.

    Evidence is named by its request, requests by their approvals, and all by the assignment.
    """
    renamed: dict[str, str] = {}
    pending: list[tuple[str, Callable[[bytes], bytes]]] = [(path, edit)]
    while pending and len(renamed) < 8:
        place, change = pending.pop(0)
        if place not in files:
            continue
        try:
            envelope = dsse.read(files[place], what=place)
        except SealiftError:
            continue
        signer = next(
            (s for s in hub.keys._signers.values() if s.public_key.keyid == envelope.keyid), None
        )
        if signer is None:
            continue
        data = dsse.sign(dsse.IN_TOTO, change(envelope.payload) or b"x", signer)
        digest, old = sha256(data).hexdigest(), place.rpartition("/")[2].removesuffix(".json")
        del files[place]
        files[layout.statement_file(digest)] = data
        renamed[old] = digest
        pending += [(other, _renaming(old, digest)) for other in _naming(files, old)]
    for old, digest in renamed.items():
        for place in [one for one in files if one.startswith(f"{layout.TARGETS}/")]:
            if old.encode() in files[place]:
                _list_document(
                    hub, files, place, files[place].replace(old.encode(), digest.encode())
                )


def _renaming(old: str, new: str) -> Callable[[bytes], bytes]:
    return lambda payload: payload.replace(old.encode(), new.encode())


def _naming(files: Files, digest: str) -> list[str]:
    found = []
    for place, data in files.items():
        if place.startswith(f"{layout.STATEMENTS}/"):
            try:
                if digest.encode() in dsse.read(data, what=place).payload:
                    found.append(place)
            except SealiftError:
                continue
    return found


def relisted(hub: HubOnPaper, files: Files) -> bytes:
    """transfer.json that lists `files` as they are, signed by the dispatcher if it still can be."""
    data = files.get(layout.TRANSFER, b"")
    try:
        said = statements.read(Transfer, data, what="transfer.json")
    except SealiftError:
        return data
    listed = [
        one
        for one in said.predicate.files
        if one.path not in files and one.path.startswith("blobs/")
    ]
    listed += [
        CarriedFile(path, len(body), sha256(body).hexdigest())
        for path, body in files.items()
        if path != layout.TRANSFER
    ]
    whole = {one.path: one for one in listed}
    assignment = files.get(f"targets/sites/{SITE}/assignment.json", b"")
    about = statements.subject(f"sites/{SITE}/assignment.json", sha256(assignment).hexdigest())
    changed = shape.to_json(said.predicate) | {
        "files": [shape.to_json(whole[path]) for path in sorted(whole)]
    }
    try:
        predicate = shape.from_json(Transfer, changed, what="transfer.json")
        return statements.sign(predicate, [about], hub.keys["dora"])
    except SealiftError:
        return data


BUNDLE = Target("bundle", _bundle, lambda: TAPES, "tape", 64)
