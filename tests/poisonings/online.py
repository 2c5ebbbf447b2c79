"""Poisonings with the keys that a hub keeps online: whoever has taken it has them all.

catalog     lists what nobody approved, or numbers far ahead
snapshot    and timestamp: far ahead, for ever, without a role or with an older one
evidence    of another artifact than people mean, by each key that there is
log         a checkpoint of another tree
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from securesystemslib.signer import Signer
from sqlalchemy import delete, select, text
from tuf.api.metadata import Metadata, MetaFile

from sealift_registry.audit.tables import log_checkpoint
from sealift_registry.catalog import recording, tables
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.catalog.storing import store_files, store_manifest
from sealift_registry.trust.keeping import keep
from sealift_registry.trust.repository import Repository
from sealift_signing import publishing, roles
from sealift_signing.transparency import checkpoint
from sealift_signing.vocabulary import CatalogPath
from tests.poisonings.poisoning import Poisoning
from tests.poisonings.world import GOLDENS, MODEL, TARGET, TEAM, THIEF, World

CATALOG = roles.catalog_role(TEAM)
FAR = 9 * 10**14
LISTED = (roles.TARGETS, roles.FLEET, roles.RECALL, roles.team_role(TEAM), CATALOG)
STOLEN = b"what nobody looked at"
Edit = Callable[[World, Any], None]


def poisonings(world: World) -> Iterator[Poisoning]:
    """Everything that those keys can sign."""
    number = max(world.versions())
    for label, edit in _listings(number):
        yield Poisoning(f"online: {CATALOG}: {label}", partial(_publish, CATALOG, "catalog", edit))
    for role in (roles.SNAPSHOT, roles.TIMESTAMP):
        for label, edit in _freshness(role):
            yield Poisoning(f"online: {role}: {label}", partial(_publish, role, role, edit))
    for label, key in _VOUCHING.items():
        poison = partial(_swap, number, key)
        yield Poisoning(f"online: evidence: another artifact, {label}", poison)
    yield Poisoning("online: log: a checkpoint of another tree", _checkpoint)


# ---------------------------------------------------------------------- metadata


def _listings(number: int) -> Iterator[tuple[str, Edit]]:
    for label, version in (("of the newest version", number), ("of version 1", 1)):
        yield f"lists stolen bytes {label}", partial(_list, version)
    yield "lists nothing any more", lambda _world, signed: signed.targets.clear()
    yield "far ahead", _far
    yield "for ever", _for_ever


def _freshness(role: str) -> Iterator[tuple[str, Edit]]:
    yield "far ahead", _far
    yield "for ever", _for_ever
    for listed in LISTED if role == roles.SNAPSHOT else ():
        name = f"{listed}.json"
        yield f"without {listed}", partial(_leave_out, name)
        yield f"{listed} at an older version", partial(_number, name, 1)
        yield f"{listed} far ahead", partial(_number, name, FAR)


def _list(version: int, world: World, signed: Any) -> None:  # noqa: ANN401 - tuf's own
    path = str(VersionRef(TEAM, MODEL, version).path(TARGET))
    manifest = _stolen(world, VersionRef(TEAM, MODEL, version))
    size = len(world.app.hub.home.blobs.read(manifest))
    signed.targets[path] = publishing.target_file(path, size, manifest)


def _far(_world: World, signed: Any) -> None:  # noqa: ANN401
    signed.version = FAR


def _for_ever(world: World, signed: Any) -> None:  # noqa: ANN401
    signed.expires = publishing.expiry(world.now, 20_000)


def _leave_out(name: str, _world: World, signed: Any) -> None:  # noqa: ANN401
    signed.meta.pop(name)


def _number(name: str, number: int, _world: World, signed: Any) -> None:  # noqa: ANN401
    signed.meta[name] = MetaFile(number)


def _publish(role: str, key: str, edit: Edit, world: World) -> None:
    """The next version of `role`, edited and signed; and what makes it current."""
    hub = world.app.hub
    with closing(world), world.writing() as connection:
        made = _next(world, role)
        edit(world, made.signed)
        _put(connection, role, made, hub.online.signer(key))
        if role == CATALOG:
            snapshot = _next(world, roles.SNAPSHOT)
            snapshot.signed.meta[f"{role}.json"] = MetaFile(made.signed.version)
            _put(connection, roles.SNAPSHOT, snapshot, hub.online.signer(roles.SNAPSHOT))
            made = snapshot
        if role != roles.TIMESTAMP:
            timestamp = _next(world, roles.TIMESTAMP)
            timestamp.signed.snapshot_meta = MetaFile(made.signed.version)
            _put(connection, roles.TIMESTAMP, timestamp, hub.online.signer(roles.TIMESTAMP))


def _next(world: World, role: str) -> Metadata[Any]:
    with world.app.hub.reading() as connection:
        before = Repository(connection).metadata(role)
    assert before is not None
    return publishing.successor(before, expires=publishing.expiry(world.now, 80))


def _put(connection: Any, role: str, made: Metadata[Any], signer: Signer) -> None:  # noqa: ANN401
    publishing.sign(made, [signer])
    keep(connection, role, made)


# ---------------------------------------------------------------------- evidence


@dataclass(frozen=True)
class Vouching:
    """Whose key vouches for the artifact that was put there."""

    scan: str
    build: str
    of_hub: bool = True

    def signer(self, world: World, machine: str) -> Signer:
        name = self.scan if machine == "scanner" else self.build
        return world.app.hub.online.signer(name) if self.of_hub else world.signer(name)


_VOUCHING = {
    "as the scanner and the builder say": Vouching("scanner", "builder"),
    "as the scanner says of all": Vouching("scanner", "scanner"),
    "as the builder says of all": Vouching("builder", "builder"),
    "as the log's key says": Vouching("log", "log"),
    "as the catalog's key says": Vouching("catalog", "catalog"),
    "as a compromised scanner says": Vouching("scanner-2", "scanner-2", of_hub=False),
    "as a thief says": Vouching(THIEF, THIEF, of_hub=False),
}


def _swap(number: int, vouching: Vouching, world: World) -> None:
    """The version that people are about to promote becomes another, with evidence of its own."""
    ref = VersionRef(TEAM, MODEL, number)
    path, manifest = ref.path(TARGET), _stolen(world, ref)
    goldens = sha256(GOLDENS).hexdigest()
    with closing(world), world.writing() as connection:
        named = {"path": str(path)}
        connection.execute(delete(tables.evidence).where(tables.evidence.c.path == str(path)))
        update = text("UPDATE artifact SET sha256 = :sha256 WHERE path = :path")
        connection.execute(update, {**named, "sha256": manifest})
        for body in world.vouched(path, manifest, goldens, partial(vouching.signer, world)):
            recording.add_evidence(connection, body, path)


def _stolen(world: World, ref: VersionRef) -> str:
    """The digest of a manifest of bytes that nobody approved, which the hub has."""
    folder = world.folder / "work"
    (folder / "model.onnx").write_bytes(STOLEN)
    blobs = world.app.hub.home.blobs
    expected = {"model.onnx": sha256(STOLEN).hexdigest()}
    found = store_files(blobs, folder, expected, lambda _: None)
    path: CatalogPath = ref.path(TARGET)
    return store_manifest(blobs, path, "onnx", found).sha256


# ---------------------------------------------------------------------- the log


def _checkpoint(world: World) -> None:
    hub = world.app.hub
    with closing(world), world.writing() as connection:
        newest = select(log_checkpoint).order_by(log_checkpoint.c.size.desc()).limit(1)
        row = connection.execute(newest).one()
        said = checkpoint.claimed(bytes(row.note))
        other = checkpoint.Checkpoint(said.origin, said.size, sha256(b"another tree").digest())
        note = checkpoint.sign(other, hub.online.signer("log"))
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS log_checkpoint_no_update")
        update = text("UPDATE log_checkpoint SET note = :note, root = :root WHERE size = :size")
        connection.execute(update, {"note": note, "root": other.root, "size": said.size})
