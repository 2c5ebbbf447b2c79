"""Inputs as large as a reader takes: time and memory grow with their length, and no faster.

A fuzzer tries small inputs; what is quadratic shows only in large ones. Each family is a way to
make a parser work: nesting, digits, escapes, many values, many names, deep paths, many keys.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from tuf.api.metadata import Root

from sealift_signing import canonical, shape
from sealift_signing.canonical import Json
from sealift_signing.errors import MalformedError, SealiftError
from sealift_signing.statements import CarriedFile, Transfer
from sealift_signing.tuf_walk import LIMITS, check_signed, read_metadata
from sealift_signing.vocabulary import CatalogPath
from sealift_sync.artifact import (
    LARGEST_MANIFEST,
    MOST_FILES,
    Artifact,
    ArtifactFile,
    Pack,
    manifest_bytes,
    read_manifest,
)
from sealift_sync.blobs import BlobFolder
from sealift_sync.bundle import layout
from sealift_sync.site.importing.planning import Sources
from tests.fuzz.parsers import KEYS, PARSERS, make_extract
from tests.fuzz.target import Target, hold

MIB = 1024 * 1024

FAMILIES: dict[str, Callable[[int], bytes]] = {
    "lists": lambda size: b"[" + b",".join([b"[]"] * (size // 3)) + b"]",
    "objects": lambda size: b"[" + b",".join([b"{}"] * (size // 3)) + b"]",
    "numbers": lambda size: b"[" + b",".join([b"1"] * (size // 2)) + b"]",
    "strings": lambda size: b"[" + b",".join([b'""'] * (size // 3)) + b"]",
    "members": lambda size: b"{" + b",".join(b'"%08d":1' % n for n in range(size // 13)) + b"}",
    "one member again": lambda size: b"{" + b",".join([b'"a":1'] * (size // 6)) + b"}",
    "digits": lambda size: b"7" * size,
    "many digits": lambda size: b"[" + b",".join([b"7" * 4300] * (size // 4301)) + b"]",
    "a fraction": lambda size: b"0." + b"7" * size,
    "a string": lambda size: b'"' + b"a" * size + b'"',
    "escapes": lambda size: b'"' + b"\\n" * (size // 2) + b'"',
    "backslashes": lambda size: b'"' + b"\\" * size,
    "open strings": lambda size: b'"a\\' * (size // 3),
    "nesting": lambda size: b"[" * size,
    "closed nesting": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
    "nested names": lambda size: b'{"a":' * (size // 5),
    "no UTF-8": lambda size: b"\xff" * size,
    "no JSON": lambda size: b"A" * size,
    "zeroes": lambda size: b"\0" * size,
    "a name": lambda size: b'{"' + b"a" * size + b'":1}',
    "dots": lambda size: b"a." * (size // 2),
    "slashes": lambda size: b"a/" * (size // 2),
    "base64": lambda size: b'{"payload":"' + b"A" * size + b'="}',
}
SELECTORS = {"documents": 5, "statements": 14, "metadata": 7, "oci": 2, "log": 4}


def parsers() -> list[tuple[Target, bytes]]:
    """Every parser by itself: a target, and the byte that selects it."""
    return [
        (target, b"" if target.name == "names" else bytes((n,)))
        for target in PARSERS
        for n in range(SELECTORS.get(target.name, 1))
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_large_inputs_are_refused_in_moments(family: str) -> None:
    """Canonical JSON, which stands before most, and two of the others."""
    data = FAMILIES[family](256 * 1024)
    first, *others = parsers()
    for target, selector in [first, *Random(family).sample(others, 2)]:  # noqa: S311 - a sample
        hold(target, selector + data)


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_the_largest_inputs_are_refused_in_moments(family: str) -> None:
    """But for names, which are never so long: no reader of theirs takes more than a megabyte."""
    for target, selector in parsers():
        data = FAMILIES[family](MIB if target.name == "names" else 16 * MIB)
        if target.name != "statements" or selector in {b"\x00", b"\x0a"}:
            hold(target, selector + data)


def parser(run: Callable[[bytes], object]) -> Target:
    def tried(data: bytes) -> None:
        run(data)

    return Target("one", tried, list, "bytes")


def test_too_many_values_are_refused_before_they_are_parsed() -> None:
    most = canonical.MOST_VALUES
    within = b"[" + b",".join([b"1"] * (most - 1)) + b"]"
    assert len(canonical.decode(within, what="it")) == most - 1  # type: ignore[arg-type]
    for data in (
        b"[" + b",".join([b"1"] * (most + 1)) + b"]",
        b"[" * (most + 1),
        b'[""' + b',""' * (2 * most) + b"]",
        b'["\\\\",' + b'"\\"[",' * most + b'""]',
    ):
        with pytest.raises(SealiftError) as refused:
            canonical.decode(data, what="it")
        assert refused.value.code == "json-too-large"


@pytest.mark.parametrize("text", [",[{" * 1_000_000, '\\",' * 500_000, "\\\\" * 500_000 + '\\"'])
def test_what_stands_in_a_string_is_no_value(text: str) -> None:
    data = canonical.encode([text, "the end"])
    assert canonical.decode(data, what="it") == [text, "the end"]


def test_nobody_writes_what_nobody_reads() -> None:
    with pytest.raises(SealiftError) as refused:
        canonical.encode([[]] * (canonical.MOST_VALUES + 1))
    assert refused.value.code == "json-too-large"


def test_a_manifest_of_deep_paths() -> None:
    """Found by reading: each folder of each path was looked up, a million and more of them."""
    blob = sha256(b"").hexdigest()

    def layer(n: int) -> Json:
        path = "/".join(["a"] * 253) + f"/{n:05}"
        said = {"org.cncf.model.filepath": path}
        return {"annotations": said, "digest": f"sha256:{blob}", "mediaType": "x", "size": 1}

    layers = [layer(n) for n in range(LARGEST_MANIFEST // 700)]
    config: Json = {"digest": f"sha256:{blob}", "mediaType": "x", "size": 1}
    path = {"sealift.catalog-path": "catalog/vision/digits/1/cpu-x86_64"}
    data = canonical.encode({"annotations": path, "config": config, "layers": layers})
    assert len(data) > LARGEST_MANIFEST // 2
    hold(parser(lambda data: read_manifest(data, what="it")), data)


@pytest.mark.parametrize("packs", [1, 2000])
@pytest.mark.parametrize("count", [MOST_FILES, 48_000])
def test_a_manifest_of_packs(packs: int, count: int, tmp_path: Path) -> None:
    """Its files are lines of a text, which is one value of JSON however many they are."""
    files = [ArtifactFile(f"{n:05}", sha256(b"").hexdigest(), 0) for n in range(count)]
    each = count // packs
    some = [
        Pack(tuple(files[n * each : (n + 1) * each]), sha256(str(n).encode()).hexdigest())
        for n in range(packs)
    ]
    path = CatalogPath("vision", "digits", 1, "cpu-x86_64")
    config = ArtifactFile("config.json", sha256(b"c").hexdigest(), 1)
    data = manifest_bytes(Artifact(path, tuple(files), config, tuple(some)))
    assert len(data) <= LARGEST_MANIFEST
    hold(parser(lambda data: read_manifest(data, what="it")), data)
    if count == MOST_FILES:
        found = read_manifest(data, what="it")
        assert len(found.files) == count
        carried = tuple(CarriedFile(f"blobs/sha256/{d}", n, d) for d, n in found.blobs.items())
        hold(parser(lambda _: _sources(tmp_path, carried, found)), data)
        return
    with pytest.raises(MalformedError):
        read_manifest(data, what="it")


def _sources(store: Path, carried: tuple[CarriedFile, ...], artifact: Artifact) -> None:
    """Where a site takes each file from."""
    sources = Sources(_transfer(carried), BlobFolder(store), (), [artifact])
    assert sources.find("a" * 64, artifact, fresh=True).nowhere == {"a" * 64}  # the manifest alone


def _transfer(files: tuple[CarriedFile, ...]) -> Transfer:
    digest = "a" * 64
    return Transfer(
        1, (), digest, "plant-7-000001", "plant-7", digest, "2026-11-21T10:00:00.000000Z", (), None,
        files, "", None,
    )  # fmt: skip


def test_a_root_of_a_thousand_keys_and_signatures() -> None:
    """Found by reading: what is signed was spelled out anew for each signature."""
    keys = {}
    for n in range(1000):
        key = KEYS.public(f"nobody-{n}").tuf_key()
        keys[key.keyid] = key.to_dict()
    everybody = {"keyids": sorted(keys), "threshold": len(keys)}
    few = {"keyids": sorted(keys)[:1], "threshold": 1}
    said = {
        "_type": "root",
        "consistent_snapshot": True,
        "expires": "2030-01-01T00:00:00Z",
        "keys": keys,
        "roles": {"root": everybody, "snapshot": few, "targets": few, "timestamp": few},
        "spec_version": "1.0.31",
        "version": 1,
    }
    signatures = [{"keyid": keyid, "sig": "00" * 64} for keyid in sorted(keys)]
    whole = {"signatures": signatures, "signed": said}
    data = json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()
    assert LIMITS["root"] / 2 < len(data) < LIMITS["root"]

    def run(data: bytes) -> None:
        metadata = read_metadata(data, "root", Root)
        check_signed(metadata.signed, "root", metadata)

    hold(parser(run), data)


def test_an_extract_whose_entries_are_not_entries() -> None:
    extract = json.loads(make_extract(0))
    for entries in (["x" * (4 * MIB)], ["{}"] * 20_000, ["[" * 30_000] * 60):
        data = canonical.encode(extract | {"entries": entries})
        for target in PARSERS:
            if target.name == "log":
                hold(target, b"\x02" + data)
                hold(target, b"\x03" + data)


def test_an_envelope_of_nothing_but_length() -> None:
    (statements,) = (one for one in PARSERS if one.name == "statements")
    envelope: dict[str, Json] = {
        "payload": base64.b64encode(b"[" * MIB).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": "0" * 64, "sig": "AA=="}],
    }
    for n in (0, 3):
        hold(statements, bytes((n,)) + canonical.encode(envelope))


@pytest.mark.long
def test_the_largest_document_of_ours_is_read() -> None:
    """The caps leave room: fifty thousand files in a transfer are read."""
    digest = "a" * 64
    files = tuple(
        CarriedFile(f"statements/{n:064}.json", n, digest) for n in range(layout.MOST_SMALL_FILES)
    )
    said = _transfer(files)
    assert shape.read(Transfer, shape.write(said), what="transfer.json") == said
