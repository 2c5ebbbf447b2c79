"""A hub of many versions, made quickly: rows, entries and blobs are real; no model is."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.catalog import recording
from sealift_registry.catalog.catalog import ArtifactRow, Catalog, Version
from sealift_registry.catalog.reference import ModelRef, VersionRef
from sealift_registry.catalog.storing import store_files, store_manifest
from sealift_registry.intake.source import SourceFile, SourceRecord
from sealift_registry.trust.hub import Hub
from sealift_signing import shape
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import SOURCE, moment
from sealift_sync.artifact import read_manifest

MANY = ModelRef("vision", "many")


def add_version(
    hub: Hub, folder: Path, files: Mapping[str, bytes], goldens: bytes | None = None
) -> tuple[VersionRef, set[str]]:
    """A version of these files, put into `folder`; the digests of all blobs that it needs."""
    folder.mkdir(parents=True)
    for path, data in files.items():
        (folder / path).write_bytes(data)
    blobs, expected = hub.home.blobs, {path: sha256(one).hexdigest() for path, one in files.items()}
    with hub.reading() as connection:
        ref = VersionRef(MANY.team, MANY.model, Catalog(connection).next_number(MANY))
    record = SourceRecord(
        format=1,
        requires=(),
        kind="onnx",
        locator=f"file-{ref.number}",
        source_version=f"v{ref.number}",
        aliases=(),
        details={},
        files=tuple(SourceFile(one, len(files[one]), expected[one]) for one in sorted(files)),
    )
    stored = store_files(blobs, folder, expected, lambda _: None)
    manifest = store_manifest(blobs, ref.path(SOURCE), "onnx", stored).sha256
    body = shape.write(record)
    needed = {manifest, blobs.put_bytes(body).sha256}
    needed |= read_manifest(blobs.read(manifest), what="it").blobs.keys()
    given = None if goldens is None else blobs.put_bytes(goldens).sha256
    needed |= {given} if given else set()

    def action(connection: Connection) -> tuple[Entry, None]:
        made = moment(hub.now())
        digest = sha256(body).hexdigest()
        version = Version(ref, body, digest, record.source_version, "onnx", made)
        recording.add_version(connection, version, record.identity())
        if given:
            recording.add_goldens(connection, ref, given, made)
        recording.add_artifact(connection, ArtifactRow(ref.path(SOURCE), manifest, None, made))
        data = {
            "version": str(ref),
            "source": record.source_version,
            "source_record": digest,
            "format": "onnx",
            "artifact": manifest,
            "scan": "",
            "goldens": given or "",
        }
        return hub.entry("version.ingested", "dora", dict(data), {"model": str(MANY)}), None

    hub.commit(action)
    return ref, needed
