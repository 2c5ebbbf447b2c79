"""The work order: all that a build needs, as one document and the blobs that it names.

The hub makes it of one state of its database; whoever runs it needs neither. The same state makes
the same bytes, so that a result can be told from one of another order by their sha256 alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from sealift_registry.catalog.storing import copy_out
from sealift_registry.conversion.hardware import HardwareTarget
from sealift_registry.proof.models import ModelFile
from sealift_registry.runtimes.ranges import Release
from sealift_signing import shape
from sealift_signing.errors import MalformedError
from sealift_signing.shape import Distinct
from sealift_signing.vocabulary import (
    CatalogPath,
    CatalogPathText,
    Count,
    MediumPath,
    Name,
    Sentence,
    Sha256,
)
from sealift_sync import durable
from sealift_sync.artifact import LARGEST_MANIFEST, MOST_FILES, read_manifest
from sealift_sync.blobs import BlobFolder, BlobStore
from sealift_sync.bundle.medium import read_named

ORDER = "order.json"
BLOBS = "blobs"
"""Beside the order: a folder of the blobs that it names."""
LARGEST_ORDER = 16 * 1024 * 1024


@dataclass(frozen=True)
class OrderedSource:
    """What a variant is built from.

    Attributes:
        manifest: of the source artifact, by its sha256; it names every blob of it.
        format: what the scanner found it to be.
        model_files: the model itself; the first is the one to open.
        data_files: an ONNX model's external data.
        files: all of them, as the manifest names them.
    """

    manifest: Sha256
    format: Name
    model_files: tuple[MediumPath, ...]
    data_files: tuple[MediumPath, ...]
    files: Annotated[tuple[ModelFile, ...], Distinct(by="path")]

    @property
    def compared(self) -> tuple[ModelFile, ...]:
        """The files that a proof lets answer: the model's, then its data's."""
        by_path = {one.path: one for one in self.files}
        return tuple(by_path[path] for path in (*self.model_files, *self.data_files))


@dataclass(frozen=True)
class WhatIsRead:
    """What a release of a runtime reads.

    Attributes:
        ir: the newest version of ONNX's file format.
        opsets: operator domain → the newest version of its operators.
    """

    ir: Count
    opsets: Mapping[Sentence, Count]


@dataclass(frozen=True)
class PromisedReleases:
    """The releases of the runtime that the hardware target promises.

    Attributes:
        asked: the range, as it is written there.
        oldest: of them.
        newest: of them.
        without: release → why it is none of them, though it lies between.
        oldest_reads: what is known of the oldest; absent where nothing is.
    """

    asked: Sentence
    oldest: Sentence
    newest: Sentence
    without: Mapping[Sentence, Sentence]
    oldest_reads: WhatIsRead | None

    @property
    def ends(self) -> tuple[Release, ...]:
        """The oldest and the newest: what has to be tried."""
        oldest, newest = _release(self.oldest), _release(self.newest)
        return (oldest,) if oldest == newest else (oldest, newest)


@dataclass(frozen=True)
class WorkOrder:
    """A document: build this variant, or measure the one that is there anew.

    Attributes:
        format: of this document.
        requires: features that a reader must know.
        organisation: whose hub asks.
        software: the release of Sealift that asks; what a proof asks and allows is its code.
        artifact: the variant's catalog path.
        hardware_target: that it is for.
        source: what it is built from.
        goldens: the sha256 of their file.
        existing: the variant's manifest, where it is there and is only to be measured.
        runtimes: the releases that are promised; absent where none can be tried.
        replaces_runtimes: whether there is evidence of releases, whose place that of this takes.
        proof_seconds: that the probe rows of each proof may take.
    """

    DOCUMENT: ClassVar[str] = "work-order"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    software: Sentence
    artifact: CatalogPathText
    hardware_target: HardwareTarget
    source: OrderedSource
    goldens: Sha256
    existing: Sha256 | None
    runtimes: PromisedReleases | None
    replaces_runtimes: bool
    proof_seconds: Count

    @property
    def path(self) -> CatalogPath:
        """The variant's catalog path in its parts."""
        return CatalogPath.parse(self.artifact)

    def digest(self) -> str:
        """The sha256 of the canonical document: how a result names it."""
        return sha256(shape.write(self)).hexdigest()


def read_order(data: bytes) -> WorkOrder:
    """The order that `data` spells.

    Raises:
        MalformedError: it spells none, or one whose parts do not belong together.
        RefusedError: it requires what this software does not know.
    """
    order = shape.read(WorkOrder, data, what="the work order")
    if order.path.form != order.hardware_target.id:
        raise _wrong("its artifact is not one for its hardware target")
    source = order.source
    paths = {one.path for one in source.files}
    if not source.model_files or not paths.issuperset((*source.model_files, *source.data_files)):
        raise _wrong("the files of its model are not among those of its source")
    if len(source.files) > MOST_FILES:
        raise _wrong("its source has more files than any artifact has")
    if order.runtimes is not None:
        _ = order.runtimes.ends
    return order


def write_order(order: WorkOrder, blobs: BlobStore, folder: Path) -> None:
    """Write `order` to the empty folder `folder`, with every blob of `blobs` that it names.

    Raises:
        RefusedError: a blob is damaged.
        FailedError: something could not be read or written.
    """
    there = BlobFolder(folder / BLOBS)
    for digest in sorted(_named(order, blobs)):
        copy_out(blobs, digest, there.path(digest))
    durable.write(folder / ORDER, shape.write(order))


def order_in(folder: Path) -> tuple[WorkOrder, BlobFolder]:
    """The order that `write_order` wrote to `folder`, and the blobs beside it.

    Raises:
        SealiftError: there is none, or it is malformed.
    """
    advice = "Have the work order written again by the hub."
    data = read_named(folder / ORDER, LARGEST_ORDER, next_step=advice)
    return read_order(data), BlobFolder(folder / BLOBS)


def _named(order: WorkOrder, blobs: BlobStore) -> set[str]:
    found = {order.goldens}
    for manifest in filter(None, (order.source.manifest, order.existing)):
        known = read_manifest(blobs.read(manifest, LARGEST_MANIFEST), what="the manifest")
        found |= {manifest, *known.blobs}
    return found


def _release(text: str) -> Release:
    found = Release.parse(text)
    if found is None:
        raise _wrong("an end of what is promised is no release")
    return found


def _wrong(why: str) -> MalformedError:
    return MalformedError(
        "bad-order",
        f"The work order is not understood: {why}.",
        subject="the work order",
        next_step="Have the work order written again by the hub.",
    )
