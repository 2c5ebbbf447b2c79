"""What became of a document's bytes on their way: what mail, editors and copying do to them.

Nothing is mended here: one content has one spelling. But whoever is told only that a file is not
readable asks for it again by the same mail.
"""

from __future__ import annotations

import base64
import binascii
import quopri
from collections.abc import Callable

_WAY = (
    "Have it brought again in a way that leaves it as it is: on a medium, or packed (zip) where it "
    "goes by mail."
)
_UNPACK = "Unpack it, and give the file that was in it."
_DECODE = "Decode it: base64 -d FILE > NEW-FILE"


def altered(data: bytes) -> tuple[str, str]:
    """What happened to the canonical JSON in `data`, and what to do; empty where nobody can say."""
    for is_so, words, step in _WAYS:
        if is_so(data):
            return words, step
    return "", ""


def _is_whole(data: bytes) -> bool:
    return data.startswith(b'{"') and data.endswith(b"}")


def _is_base64(data: bytes) -> bool:
    try:
        return base64.b64decode(b"".join(data.split()), validate=True).startswith(b'{"')
    except (binascii.Error, ValueError):
        return False


def _has_more(data: bytes) -> bool:
    return data.strip() != data and _is_whole(data.strip())


def _is_quoted(data: bytes) -> bool:
    return b"=\n" in data and _is_whole(quopri.decodestring(data))


def _is_cut(data: bytes) -> bool:
    return data.startswith(b'{"') and not data.rstrip().endswith(b"}")


_WAYS: tuple[tuple[Callable[[bytes], bool], str, str], ...] = (
    (lambda data: not data, "is empty", _WAY),
    (lambda data: data.startswith(b"\x1f\x8b"), "is compressed (gzip)", _UNPACK),
    (lambda data: data.startswith(b"PK\x03\x04"), "is packed (zip)", _UNPACK),
    (
        lambda data: data.startswith((b"\xff\xfe", b"\xfe\xff")),
        "was saved in another encoding (UTF-16) on its way",
        _WAY,
    ),
    (
        lambda data: data.startswith(b"\xef\xbb\xbf"),
        "was given a mark (BOM) at its beginning on its way",
        _WAY,
    ),
    (_has_more, "was given extra blank space or an extra line break on its way", _WAY),
    (_is_base64, "is encoded (base64)", _DECODE),
    (_is_quoted, "was encoded by mail (quoted-printable) on its way", _WAY),
    (_is_cut, "was cut short on its way", _WAY),
)
