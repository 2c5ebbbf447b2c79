"""What a file is, told by its content and never by its name.

Only headers are read here: nothing is parsed in depth, imported or unpickled, so this may run
in the server's own process. What is recognised here is looked at closely by the scanner.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from sealift_registry.intake import pickles

HEAD = 4096
"""Bytes by which a file is known."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_XGBOOST_JSON = rb'\s*\{\s*("version"\s*:\s*\[[\d,\s]*\]\s*,\s*)?"learner"\s*:'


class ModelFormat(StrEnum):
    """The formats that are let in; and pickles, which are recognised so as to be refused."""

    ONNX = "onnx"
    SKOPS = "skops"
    XGBOOST_UBJ = "xgboost-ubj"
    XGBOOST_JSON = "xgboost-json"
    LIGHTGBM = "lightgbm"
    SAFETENSORS = "safetensors"
    PICKLE = "pickle"
    UNKNOWN = "unknown"

    @property
    def allowed(self) -> bool:
        """Whether a model of this format is let in."""
        return self not in {ModelFormat.PICKLE, ModelFormat.UNKNOWN}


def recognise(path: Path) -> ModelFormat:
    """The format of the regular file at `path`.

    Raises:
        OSError: it could not be read.
    """
    with path.open("rb") as data:
        head = data.read(HEAD)
        for is_it, found in _TESTS:
            data.seek(0)
            if is_it(head, data):
                return found
    return ModelFormat.UNKNOWN


# -------------------------------------------------------------------- pickles


def _is_pickle(head: bytes, data: BinaryIO) -> bool:
    """A pickle, one that joblib or gzip compressed, or what would be run as one."""
    return pickles.begins(head) or is_packed_pickle(head) or pickles.calls(data)


def is_packed_pickle(head: bytes) -> bool:
    """Whether what begins with `head` is what joblib would decompress and run as a pickle."""
    return any(pickles.begins(one) or pickles.calls(io.BytesIO(one)) for one in _decompressed(head))


def _decompressed(head: bytes) -> list[bytes]:
    """The first bytes of what `head` begins to compress, in each of the ways that joblib knows."""
    begins = []
    for decompress in (
        zlib.decompressobj(zlib.MAX_WBITS | 32).decompress,  # zlib and gzip
        bz2.BZ2Decompressor().decompress,
        lzma.LZMADecompressor().decompress,
    ):
        try:
            begins.append(decompress(head, HEAD))
        except (zlib.error, OSError, EOFError, lzma.LZMAError):
            continue
    return begins


# -------------------------------------------------------------------- archives


def _is_pickle_archive(head: bytes, data: BinaryIO) -> bool:
    """A torch checkpoint, or any other archive that has a pickle in it."""
    names = _archived(head, data)
    return any(name.endswith((".pkl", ".pickle", ".joblib")) for name in names)


def _is_skops(head: bytes, data: BinaryIO) -> bool:
    return "schema.json" in _archived(head, data)


def _archived(head: bytes, data: BinaryIO) -> list[str]:
    """The names in a zip archive; nothing where `data` does not begin as one.

    That an archive's list stands at the end lets anything hide in front of it: it must also begin
    as an archive.
    """
    if not head.startswith(b"PK\x03\x04"):
        return []
    try:
        with zipfile.ZipFile(data) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return []


def second(path: Path) -> str:
    """What the file at `path` is besides, for readers that do not begin at its first byte.

    Such a second thing fits into a field, or among numbers, that the file's own format lets be
    anything.

    Raises:
        OSError: it could not be read.
    """
    if zipfile.is_zipfile(path):
        return "a zip archive"
    with path.open("rb") as data:
        if _is_tar(data.read(tarfile.BLOCKSIZE)):
            return "a tar archive"
        return "an HDF5 file" if _is_hdf5(data) else ""


def _is_tar(head: bytes) -> bool:
    """A header whose checksum is right; the oldest archives have no other mark (POSIX, "pax")."""
    if len(head) < tarfile.BLOCKSIZE:
        return False
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _is_hdf5(data: BinaryIO) -> bool:
    """A signature at 0, 512, 1024, 2048 or at any doubling (HDF5 format, II.A, "superblock")."""
    end = data.seek(0, os.SEEK_END)
    places = [0, *(512 << n for n in range(end.bit_length()))]
    return any(_at(data, place, len(_HDF5)) == _HDF5 for place in places if place < end)


def _at(data: BinaryIO, place: int, length: int) -> bytes:
    data.seek(place)
    return data.read(length)


# -------------------------------------------------------------------- plain headers


def _is_xgboost_ubj(head: bytes, _data: BinaryIO) -> bool:
    """An object in Universal Binary JSON whose first member is `learner` or `version`."""
    members = (b"learner", b"version")
    return any(head.startswith(b"{L" + struct.pack(">q", len(one)) + one) for one in members)


def _is_xgboost_json(head: bytes, _data: BinaryIO) -> bool:
    return re.match(_XGBOOST_JSON, head) is not None


def _is_lightgbm(head: bytes, _data: BinaryIO) -> bool:
    return re.match(rb"tree\r?\nversion=v\d+\r?\n", head) is not None


def _is_safetensors(head: bytes, data: BinaryIO) -> bool:
    """A length in eight bytes, and so many bytes of JSON at once after it."""
    if head[8:9] != b"{":
        return False
    length = int.from_bytes(head[:8], "little")
    return len("{}") <= length <= data.seek(0, os.SEEK_END) - 8


# -------------------------------------------------------------------- ONNX

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_IR_VERSION, _GRAPH, _OPSET_IMPORT = 1, 7, 8
_MODEL_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""The fields of onnx.proto's ModelProto, and how each is written."""

_MOST_FIELDS = 100_000
"""More are no model, only a way to keep us busy."""


def _is_onnx(_head: bytes, data: BinaryIO) -> bool:
    """A protobuf message, to its last byte, with the fields of a ModelProto and no others."""
    seen = set()
    end = data.seek(0, os.SEEK_END)
    data.seek(0)
    try:
        for _ in range(_MOST_FIELDS):
            if data.tell() >= end:
                break
            key = _varint(data)
            field, wire = key >> 3, key & 7
            if _MODEL_FIELDS.get(field) != wire:
                return False
            seen.add(field)
            length = _varint(data)
            if wire == _BYTES:
                data.seek(min(length, end + 1), os.SEEK_CUR)  # any length may stand in weights
        return data.tell() == end and {_IR_VERSION, _GRAPH, _OPSET_IMPORT} <= seen
    except ValueError:
        return False


def _varint(data: BinaryIO) -> int:
    """A number in protobuf's variable-length spelling (at most ten bytes)."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:  # noqa: PLR2004 - the high bit says that more follows
            return value
    msg = "not a varint"
    raise ValueError(msg)


_TESTS: tuple[tuple[Callable[[bytes, BinaryIO], bool], ModelFormat], ...] = (
    (_is_pickle, ModelFormat.PICKLE),
    (_is_pickle_archive, ModelFormat.PICKLE),
    (_is_skops, ModelFormat.SKOPS),
    (_is_xgboost_ubj, ModelFormat.XGBOOST_UBJ),
    (_is_xgboost_json, ModelFormat.XGBOOST_JSON),
    (_is_lightgbm, ModelFormat.LIGHTGBM),
    (_is_safetensors, ModelFormat.SAFETENSORS),
    (_is_onnx, ModelFormat.ONNX),
)
"""Pickles first: a file that is both must count as the dangerous one."""
