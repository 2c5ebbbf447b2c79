"""An artifact as an OCI manifest with ModelPack media types, and an OCI image layout of several.

Sources: OCI Image Specification 1.1 (manifest, index, image layout); CNCF ModelPack model-spec
(media types, `org.cncf.model.filepath`). TUF signs the manifest; the manifest names every file,
also those that lie together in a pack, each with its own digest. A manifest holds no time, so the
same content always has the same digest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from sealift_signing.canonical import decode, encode
from sealift_signing.errors import MalformedError
from sealift_signing.vocabulary import MEDIUM_PATH, SHA256, CatalogPath
from sealift_sync import ustar

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
MODEL = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = "application/vnd.cncf.model.config.v1+json"
WEIGHT = "application/vnd.cncf.model.weight.v1.raw"
PACK = "application/vnd.cncf.model.weight.v1.tar"
FILE_PATH = "org.cncf.model.filepath"
PACKED = "sealift.packed"
"""The files of a pack, a line for each: its sha256, its bytes, its path."""
REF_NAME = "org.opencontainers.image.ref.name"
CATALOG_PATH = "sealift.catalog-path"

LARGEST_MANIFEST = 4 * 1024 * 1024
"""What registries take. Thousands of files with long names can make a larger one, which the hub
does not write."""

MOST_FILES = 20_000
"""Twice what the hub takes in: a site makes each of them."""
LARGEST_PACKED = 128 * 1024
"""Bytes of a file in a pack: whoever reads a pack may hold one file of it in memory."""

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True, order=True)
class ArtifactFile:
    """One file of an artifact: its path as consumers see it, and its blob."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, order=True)
class Pack:
    """Small files that are one blob: a tar archive, as `ustar` spells it.

    Attributes:
        files: at least one, in order of path.
        sha256: of the archive.
    """

    files: tuple[ArtifactFile, ...]
    sha256: str

    def __hash__(self) -> int:
        """By the digest alone: to hash thousands of files anew each time takes longer than all."""
        return hash(self.sha256)

    @cached_property
    def size(self) -> int:
        """The bytes of the archive."""
        return ustar.size_of(file.size for file in self.files)


@dataclass(frozen=True)
class Artifact:
    """What a manifest says.

    Attributes:
        path: the catalog path that the artifact was made for.
        files: at least one, as consumers see them: those that travel in packs, too.
        config: the digest and size of the ModelPack config, a blob too.
        packs: in which some of the files travel.
    """

    path: CatalogPath
    files: tuple[ArtifactFile, ...]
    config: ArtifactFile
    packs: tuple[Pack, ...] = ()

    @cached_property
    def loose(self) -> tuple[ArtifactFile, ...]:
        """The files that are blobs of their own, in order of path."""
        return loose(self.files, self.packs)

    @cached_property
    def packed(self) -> Mapping[ArtifactFile, Pack]:
        """The files that travel in packs, each with its own."""
        return {file: pack for pack in self.packs for file in pack.files}

    @property
    def contents(self) -> tuple[ArtifactFile, ...]:
        """The config and the files: what a site keeps, each by its own digest."""
        return (self.config, *self.files)

    @property
    def blobs(self) -> Mapping[str, int]:
        """What the manifest names, digest to bytes: what the hub keeps, and a bundle carries."""
        alone = {file.sha256: file.size for file in (self.config, *self.loose)}
        return alone | {pack.sha256: pack.size for pack in self.packs}

    def lacking(self, held: Collection[str]) -> frozenset[str]:
        """The blobs that somebody needs who has the contents `held`: a pack for any file in it."""
        alone = {f.sha256 for f in (self.config, *self.loose) if f.sha256 not in held}
        packs = {p.sha256 for p in self.packs if any(f.sha256 not in held for f in p.files)}
        return frozenset(alone | packs)


def loose(files: Iterable[ArtifactFile], packs: Iterable[Pack]) -> tuple[ArtifactFile, ...]:
    """Those of `files` that lie in no pack, in order of path."""
    packed = {file for pack in packs for file in pack.files}
    return tuple(sorted(file for file in files if file not in packed))


def config_bytes(
    path: CatalogPath,
    model_format: str,
    files: Iterable[ArtifactFile],
    packs: Sequence[Pack] = (),
) -> bytes:
    """The ModelPack config of an artifact (model-spec, config.md)."""
    layers = [file.sha256 for file in loose(files, packs)] + [pack.sha256 for pack in sorted(packs)]
    return encode(
        {
            "descriptor": {"name": path.full_model, "version": str(path.version)},
            "config": {"format": model_format},
            "modelfs": {
                "type": "layers",
                "diffIds": [f"sha256:{digest}" for digest in layers],
            },
        }
    )


def manifest_bytes(artifact: Artifact) -> bytes:
    """The manifest of `artifact`, the same bytes for the same content."""
    files = [
        _descriptor(WEIGHT, file.sha256, file.size) | {"annotations": {FILE_PATH: file.path}}
        for file in artifact.loose
    ]
    packs = [
        _descriptor(PACK, pack.sha256, pack.size) | {"annotations": {PACKED: _packed(pack)}}
        for pack in sorted(artifact.packs)
    ]
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": MODEL,
            "config": _descriptor(CONFIG, artifact.config.sha256, artifact.config.size),
            "layers": files + packs,
            "annotations": {CATALOG_PATH: str(artifact.path)},
        }
    )


def read_manifest(data: bytes, *, what: str) -> Artifact:
    """The artifact that manifest `data` describes, with every path and digest checked.

    Raises:
        MalformedError: not such a manifest, a path that is not a plain relative one, or two files
            of one path, or one in the other's place of a folder (letter case set aside: a site may
            be on a file system that does so), or of two sizes and one digest, or too many.
    """
    try:
        value = _object(decode(data, what=what))
        path = CatalogPath.parse(str(value["annotations"][CATALOG_PATH]))
        packs = tuple(_pack(layer) for layer in value["layers"] if layer["mediaType"] == PACK)
        alone = [
            _file(layer, str(layer["annotations"][FILE_PATH]))
            for layer in value["layers"]
            if layer["mediaType"] != PACK
        ]
        config = _file(value["config"], "config.json")
    except (MalformedError, ValueError, KeyError, TypeError) as bad:
        raise _unreadable(what) from bad
    files = tuple(sorted([*alone, *(file for pack in packs for file in pack.files)]))
    artifact = Artifact(path, files, config, packs)
    wrong = (
        not 0 < len(files) <= MOST_FILES or _in_each_others_place(files) or _of_two_sizes(artifact)
    )
    if wrong or manifest_bytes(artifact) != data:
        raise _unreadable(what)
    return artifact


def _of_two_sizes(artifact: Artifact) -> bool:
    """Whether a digest stands for bytes of two sizes: at least one of them is none."""
    sizes = {(file.sha256, file.size) for file in artifact.contents}
    sizes |= {(pack.sha256, pack.size) for pack in artifact.packs}
    return len(sizes) != len({digest for digest, _ in sizes})


def _in_each_others_place(files: Iterable[ArtifactFile]) -> bool:
    """Whether a file has the path of another, or of a folder that another lies in.

    In order, what lies in a folder comes right after it: one look at each neighbour, where a look
    at each folder of each path would be a million looks at a manifest made of deep ones.
    """
    parts = sorted(file.path.casefold().split("/") for file in files)
    return any(after[: len(before)] == before for before, after in pairwise(parts))


def index_bytes(
    manifests: Mapping[CatalogPath, bytes], digests: Mapping[CatalogPath, str]
) -> bytes:
    """The index.json of an OCI image layout; `ref.name` is `team/model/version/form`."""
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                _descriptor(MANIFEST, digests[path], len(manifests[path]))
                | {"artifactType": MODEL, "annotations": {REF_NAME: ref_name(path)}}
                for path in sorted(manifests)
            ],
        }
    )


def index_digests(data: bytes) -> tuple[str, ...]:
    """The digests of the manifests that an index.json lists, each once.

    Raises:
        MalformedError: it is no such index.
    """
    try:
        entries = _object(decode(data, what="index.json"))["manifests"]
        digests = dict.fromkeys(_digest(str(entry["digest"])) for entry in entries)
    except (MalformedError, ValueError, KeyError, TypeError) as bad:
        raise _unreadable("index.json") from bad
    return tuple(digests)


def ref_name(path: CatalogPath) -> str:
    """What an OCI tool calls the artifact in a bundle."""
    return f"{path.team}/{path.model}/{path.version}/{path.form}"


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}


def _file(descriptor: Mapping[str, Any], path: str) -> ArtifactFile:
    size = descriptor["size"]
    if type(size) is not int or size < 0 or not MEDIUM_PATH.matches(path):
        msg = f"{path!r} is not a plain relative path, or its size is not a size"
        raise ValueError(msg)
    return ArtifactFile(path, _digest(str(descriptor["digest"])), size)


def _packed(pack: Pack) -> str:
    return "".join(f"{file.sha256} {file.size} {file.path}\n" for file in pack.files)


def _pack(layer: Mapping[str, Any]) -> Pack:
    """The pack that a layer describes; that it is spelled so, and of that size, is seen to later.

    Raises:
        ValueError: a file in it is none that a pack takes, or they are not in order.
    """
    lines = str(layer["annotations"][PACKED]).split("\n")[:-1]
    files = tuple(_packed_file(*line.split(" ", 2)) for line in lines)
    if not files or any(one.path >= after.path for one, after in pairwise(files)):
        msg = "a pack has no files, or not in order"
        raise ValueError(msg)
    return Pack(files, _digest(str(layer["digest"])))


def _packed_file(digest: str, size: str, path: str) -> ArtifactFile:
    file = _file({"digest": f"sha256:{digest}", "size": int(size)}, path)
    if file.size > LARGEST_PACKED or not ustar.takes(path):
        msg = f"no pack takes {path!r} of {file.size} bytes"
        raise ValueError(msg)
    return file


def _digest(text: str) -> str:
    algorithm, _, digest = text.partition(":")
    if algorithm != "sha256" or not SHA256.matches(digest):
        msg = f"{text!r} is not a sha256 digest"
        raise ValueError(msg)
    return digest


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = "not an object"
        raise TypeError(msg)
    return value


def _unreadable(what: str) -> MalformedError:
    return MalformedError(
        "bad-manifest",
        f"{what} is not a manifest as Sealift writes them.",
        subject=what,
        next_step="Have the bundle exported again.",
    )
