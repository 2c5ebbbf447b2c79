"""Packs: the archive to the byte, which files lie in one, and manifests that name them."""

import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_signing.canonical import decode, encode
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.vocabulary import CatalogPath
from sealift_sync import packs, ustar
from sealift_sync.artifact import (
    LARGEST_PACKED,
    Artifact,
    ArtifactFile,
    Pack,
    loose,
    manifest_bytes,
    read_manifest,
)

PATH = CatalogPath("vision", "digits", 1, "cpu-x86_64")
CONFIG = ArtifactFile("config.json", "c" * 64, 12)
CONTENTS = {
    "a": b"",
    "b/c.txt": b"x" * 511,
    "b/d.txt": b"y" * 512,
    "b/e.txt": b"z" * 513,
    f"{'folder/' * 20}{'n' * 100}": b"a long path",
}


def file_of(path: str, data: bytes) -> ArtifactFile:
    return ArtifactFile(path, sha256(data).hexdigest(), len(data))


def pack_of(contents: Mapping[str, bytes]) -> tuple[Pack, bytes]:
    """A pack of these files, and its bytes."""
    files = tuple(file_of(path, contents[path]) for path in sorted(contents))
    data = packs.archive(files, lambda file: contents[file.path]).read()
    return Pack(files, sha256(data).hexdigest()), data


def unpacked(pack: Pack, data: bytes) -> dict[str, bytes]:
    return {file.path: content for file, content in packs.unpack(pack, io.BytesIO(data))}


# -------------------------------------------------------------------- the archive


@given(
    st.lists(st.text("abcXYZ019._-", min_size=1, max_size=60), min_size=1, max_size=9),
    st.integers(0, ustar.LARGEST),
)
def test_a_header_is_the_one_that_tar_writes(parts: list[str], size: int) -> None:
    """By Python's own tar, which splits long paths elsewhere: what is read is compared, too."""
    path = "/".join(parts)
    told = tarfile.TarInfo(path)
    told.size = size
    if not ustar.takes(path):
        with pytest.raises(ValueError, match=r"prefix|too long"):
            told.tobuf(tarfile.USTAR_FORMAT)
        return
    header = ustar.header(path, size)
    if len(path) <= ustar.LONGEST_NAME:
        assert header == told.tobuf(tarfile.USTAR_FORMAT)
    read = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    assert (read.name, read.size, read.mode, read.mtime, read.type) == (
        path,
        size,
        0o644,
        0,
        tarfile.REGTYPE,
    )


@pytest.mark.parametrize("path, size", [("a", -1), ("a", 8**11), ("n" * 101, 1)])
def test_what_no_header_can_say_is_an_error(path: str, size: int) -> None:
    with pytest.raises(ValueError, match="takes no file"):
        ustar.header(path, size)


def test_tar_reads_a_pack() -> None:
    pack, data = pack_of(CONTENTS)
    assert pack.size == len(data)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        read = {one.name: archive.extractfile(one) for one in archive}
    assert {name: file.read() for name, file in read.items() if file} == CONTENTS


def test_a_pack_gives_back_what_went_in() -> None:
    pack, data = pack_of(CONTENTS)
    assert unpacked(pack, data) == CONTENTS


def test_every_other_byte_is_refused() -> None:
    """Headers and padding too: nobody finds a file in it that the manifest does not name."""
    pack, data = pack_of({"a": b"one", "b": b"two"})
    for at in range(len(data)):
        spoiled = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(RefusedError, match="does not hold the files"):
            unpacked(pack, spoiled)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[: -len(ustar.END)],
        lambda data: data[:600],
        lambda data: b"",
        lambda data: data + b"\0",
        lambda data: data + data,
        lambda data: data[1024:2048] + data[:1024] + data[2048:],
    ],
)
def test_less_more_or_another_order_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    pack, data = pack_of({"a": b"one", "b": b"two"})
    with pytest.raises(RefusedError, match="does not hold the files"):
        unpacked(pack, spoil(data))


# -------------------------------------------------------------------- which files lie in one


def sizes(count: int, **more: int) -> dict[str, int]:
    return {f"part-{n:03d}.bin": 1000 + n for n in range(count)} | more


def test_few_small_files_are_blobs_like_all_others() -> None:
    assert packs.groups(sizes(packs.WORTH_PACKING - 1)) == ()
    assert packs.groups(sizes(packs.WORTH_PACKING - 1, large=LARGEST_PACKED + 1)) == ()
    assert packs.groups(sizes(packs.WORTH_PACKING)) != ()


def test_large_files_and_names_that_tar_cannot_say_are_blobs_of_their_own() -> None:
    long = "n" * 101
    every = sizes(200, large=LARGEST_PACKED + 1, largest=LARGEST_PACKED, **{long: 1})
    packed = {path for group in packs.groups(every) for path in group}
    assert packed == every.keys() - {"large", long}


@pytest.mark.parametrize("change", ["grown", "added", "gone"])
def test_a_version_shares_all_packs_but_one_with_the_version_before_it(change: str) -> None:
    before = sizes(500)
    after = dict(before)
    if change == "grown":
        after["part-250.bin"] += 1
    elif change == "added":
        after["part-250-and-a-half.bin"] = 7
    else:
        del after["part-250.bin"]

    def stated(known: dict[str, int]) -> set[tuple[tuple[str, int], ...]]:
        return {tuple((path, known[path]) for path in group) for group in packs.groups(known)}

    assert len(stated(before)) == 16
    assert len(stated(before) - stated(after)) == 1


# -------------------------------------------------------------------- manifests


def artifact() -> Artifact:
    pack, _ = pack_of({"a/small.bin": b"one", "b.bin": b"two"})
    other, _ = pack_of({"c.bin": b"three"})
    files = (*pack.files, *other.files, file_of("model.onnx", b"the model"))
    return Artifact(PATH, tuple(sorted(files)), CONFIG, (pack, other))


def test_a_manifest_names_the_files_of_its_packs() -> None:
    made = artifact()
    read = read_manifest(manifest_bytes(made), what="it")
    assert read == made
    assert [file.path for file in read.files] == ["a/small.bin", "b.bin", "c.bin", "model.onnx"]
    assert [file.path for file in read.loose] == ["model.onnx"]
    assert read.blobs == {
        CONFIG.sha256: CONFIG.size,
        sha256(b"the model").hexdigest(): 9,
        **{pack.sha256: pack.size for pack in made.packs},
    }


def test_an_artifact_of_packs_alone_is_one() -> None:
    made = artifact()
    alone = replace(made, files=tuple(f for f in made.files if f in made.packed))
    assert read_manifest(manifest_bytes(alone), what="it").loose == ()


def said(made: Artifact) -> Any:  # noqa: ANN401 - JSON
    """The manifest, to be spoiled."""
    return decode(manifest_bytes(made), what="it")


def refused(made: Artifact) -> None:
    with pytest.raises(MalformedError):
        read_manifest(manifest_bytes(made), what="it")


def with_pack(*files: ArtifactFile) -> Artifact:
    """The artifact with a pack of these files more."""
    made = artifact()
    pack = Pack(files, "d" * 64)
    return replace(made, files=(*made.files, *files), packs=(*made.packs, pack))


@pytest.mark.parametrize(
    "path", ["b.bin", "B.bin", "a", "model.onnx", "MODEL.onnx", "a/small.bin/inner"]
)
def test_two_files_in_one_place_are_in_no_manifest(path: str) -> None:
    """Whether both lie in packs, in one or in two, or one of them is a blob of its own."""
    refused(with_pack(file_of(path, b"other")))
    refused(with_pack(*sorted([file_of("a0", b""), file_of(path, b"other")])))


@pytest.mark.parametrize("path", ["../x", "/x", "x/../y", ".x", "x//y", "x\n", "n" * 101, ""])
def test_a_pack_has_no_file_that_is_none(path: str) -> None:
    refused(with_pack(ArtifactFile(path, "e" * 64, 1)))


def test_a_pack_has_no_large_files() -> None:
    """Whoever unpacks holds one of them in memory."""
    read_manifest(manifest_bytes(with_pack(ArtifactFile("x", "e" * 64, LARGEST_PACKED))), what="it")
    refused(with_pack(ArtifactFile("x", "e" * 64, LARGEST_PACKED + 1)))


def test_a_pack_has_files_and_in_order() -> None:
    refused(with_pack())
    refused(with_pack(file_of("y", b""), file_of("x", b"")))
    refused(with_pack(file_of("x", b""), file_of("x", b"")))


@pytest.mark.parametrize(
    "old, new",
    [
        (" 3 b.bin", " 4 b.bin"),  # the archive would have as many bytes all the same
        (" 3 b.bin", " 03 b.bin"),
        (" 3 b.bin", " +3 b.bin"),
        (" 3 b.bin", " -3 b.bin"),
        (" 3 b.bin", " 3  b.bin"),
        (" 3 b.bin", " \N{ARABIC-INDIC DIGIT THREE} b.bin"),
        (" 3 b.bin", "\n3 b.bin"),
        ("b.bin\n", "b.bin"),
        ("b.bin\n", "b.bin\n\n"),
        ("b.bin\n", "b.bin\n\N{SNOWMAN}\n"),
    ],
)
def test_a_list_that_is_spelled_otherwise_is_refused(old: str, new: str) -> None:
    value = said(artifact())
    (annotations,) = (
        layer["annotations"] for layer in value["layers"] if "b.bin" in str(layer["annotations"])
    )
    assert old in annotations["sealift.packed"]
    annotations["sealift.packed"] = annotations["sealift.packed"].replace(old, new)
    if " 4 " not in new:
        with pytest.raises(MalformedError):
            read_manifest(encode(value), what="it")
        return
    # Canonical, so it is a manifest: of files that no archive of this digest holds.
    pack = read_manifest(encode(value), what="it").packs[0]
    _, data = pack_of({"a/small.bin": b"one", "b.bin": b"two"})
    with pytest.raises(RefusedError, match="does not hold the files"):
        unpacked(pack, data)


@pytest.mark.parametrize("packed", [None, 7, [], {}, ["a"], "", " ", "\n", "a b c\n"])
def test_a_list_that_is_none_is_refused(packed: object) -> None:
    value = said(artifact())
    value["layers"][1]["annotations"]["sealift.packed"] = packed
    with pytest.raises(MalformedError):
        read_manifest(encode(value), what="it")


def test_a_size_that_is_not_the_archives_is_refused() -> None:
    value = said(artifact())
    value["layers"][1]["size"] += 1
    with pytest.raises(MalformedError):
        read_manifest(encode(value), what="it")


def test_loose_files_are_those_in_no_pack() -> None:
    made = artifact()
    assert loose(made.files, made.packs) == made.loose
    assert loose(made.files, ()) == made.files
