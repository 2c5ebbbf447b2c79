"""Whether a file would be run as a pickle, whatever else it may be.

An unpickler reads from the first byte on, and asks neither for the opcode PROTO nor for an end: it
has called what it was told to call before it finds that the rest makes no sense. So a file may be a
valid model of another format and a pickle at once. Opcodes are followed here as an unpickler
follows them, their arguments skipped, and nothing is built or imported. Where they call nothing,
only a beginning as picklers write it makes a pickle: by chance anything has some good opcodes.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import pickletools
import re
import zlib
from pathlib import Path
from typing import BinaryIO

from sealift_registry.frameworks.content import HEAD, archived

MOST_OPCODES = 1_000_000
"""After so many that are all right, something is called, whatever comes."""
LONGEST_LINE = 65_536
_NAME = re.compile(rb"[^\x00-\x20]+\n")
"""What can name a module or what is in it. With spaces it would be most of what people write."""

_OLD = rb"\([dlt]p\d+\n|c[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n(p[01]\n|q[\x00\x01]|\.\Z)"
"""How pickles of protocols 0 and 1 begin. What they name they remember at once, as the first thing:
without that, a list of words (`cat`, `dog`) would be one.
"""
_BY_CODE = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_TEXTS = frozenset(
    f"{length}{kind}"
    for kind in ("UNICODE", "STRING", "BINUNICODE", "BINSTRING", "BINUNICODE8")
    for length in ("", "SHORT_")
)
"""Opcodes with a text, two of which STACK_GLOBAL takes for a name."""
_CALLS = frozenset(
    (
        *("REDUCE", "BUILD", "OBJ", "NEWOBJ", "NEWOBJ_EX"),
        *("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"),
    )
)
"""Opcodes that call what was brought in, or change it: `sys.path` and `os.environ` need no call."""
_ENDS_LINE = pickletools.UP_TO_NEWLINE
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
"""Opcodes that remember what is on the stack, which `pickletools` does not say they need."""
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
"""In how many bytes an argument's length is written."""
_SIGNED = frozenset({pickletools.TAKEN_FROM_ARGUMENT4})


def is_pickle(path: Path) -> bool:
    """Whether the file at `path` is one: plain, compressed, or in an archive.

    Raises:
        OSError: it could not be read.
    """
    with path.open("rb") as data:
        head = data.read(HEAD)
        return begins(head) or is_packed(head) or calls(data) or _is_archive(head, data)


def is_packed(head: bytes) -> bool:
    """Whether what begins with `head` is what joblib would decompress and run as a pickle."""
    return any(begins(one) or calls(io.BytesIO(one)) for one in _decompressed(head))


def _decompressed(head: bytes) -> list[bytes]:
    """The first bytes of what `head` begins to compress, in each of the ways that joblib knows."""
    found = []
    for decompress in (
        zlib.decompressobj(zlib.MAX_WBITS | 32).decompress,  # zlib and gzip
        bz2.BZ2Decompressor().decompress,
        lzma.LZMADecompressor().decompress,
    ):
        try:
            found.append(decompress(head, HEAD))
        except (zlib.error, OSError, EOFError, lzma.LZMAError):
            continue
    return found


def _is_archive(head: bytes, data: BinaryIO) -> bool:
    """A torch checkpoint, or any other archive that has a pickle in it."""
    data.seek(0)
    return any(name.endswith((".pkl", ".pickle", ".joblib")) for name in archived(head, data))


def begins(head: bytes) -> bool:
    """PROTO, its number (protocols 2 to 5) and an opcode; or how older pickles begin.

    A safetensors file may begin with the same two bytes, which are then the length of its header.
    """
    if head[:1] == b"\x80" and b"\x02" <= head[1:2] <= b"\x05":
        return head[2:3] in _BY_CODE
    return re.match(_OLD, head) is not None


def calls(data: BinaryIO) -> bool:
    """Whether an unpickler would call or change what `data` names, read from its first byte."""
    end = data.seek(0, os.SEEK_END)
    data.seek(0)
    text = named = False
    stack: list[bool] = []
    for _ in range(MOST_OPCODES):
        opcode = _BY_CODE.get(data.read(1))
        if opcode is None or opcode.name == "STOP":
            return False
        if opcode.name in {"GLOBAL", "INST"}:
            if not all(_NAME.fullmatch(_line(data)) for _ in range(2)):
                return False
        elif not _skipped(data, opcode, end):
            return False
        if not _taken(stack, opcode):
            return False
        if opcode.name == "INST" or (named and opcode.name in _CALLS):
            return True
        text = text or opcode.name in _TEXTS
        named = named or opcode.name == "GLOBAL" or (text and opcode.name == "STACK_GLOBAL")
    return True


def _skipped(data: BinaryIO, opcode: pickletools.OpcodeInfo, end: int) -> bool:
    """Whether the argument of `opcode` is there; it is skipped."""
    if opcode.arg is None:
        return True
    if opcode.arg.n == _ENDS_LINE:
        return _line(data).endswith(b"\n")
    length = opcode.arg.n
    if length < 0:
        size = _LENGTHS[length]
        length = int.from_bytes(data.read(size), "little", signed=opcode.arg.n in _SIGNED)
    if not 0 <= length <= end - data.tell():
        return False
    data.seek(length, os.SEEK_CUR)
    return True


def _line(data: BinaryIO) -> bytes:
    """The beginning of a line, and its end; an unpickler reads one of any length."""
    begin = data.readline(LONGEST_LINE)
    last = begin
    while len(last) == LONGEST_LINE and not last.endswith(b"\n"):
        last = data.readline(LONGEST_LINE)
    return begin if last is begin else begin[:-1] + last[-1:]


def _taken(stack: list[bool], opcode: pickletools.OpcodeInfo) -> bool:
    """Whether `stack` has what `opcode` takes; what it leaves is there afterwards.

    Of each thing on it `stack` says whether it is a mark.
    """
    if opcode.name in _PUTS:
        return bool(stack)
    before = opcode.stack_before
    if pickletools.markobject in before:
        if True not in stack:
            return False
        while not stack.pop():
            pass
        before = before[: before.index(pickletools.markobject)]
    if len(stack) < len(before):
        return False
    del stack[len(stack) - len(before) :]
    stack += [one is pickletools.markobject for one in opcode.stack_after]
    return True
