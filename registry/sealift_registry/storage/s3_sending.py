"""Bytes to an S3 server: once, under their digest, hashed again while they are sent.

What arrives is checked by the server where it can (`s3_behaviour`): the SHA-256 of what is sent in
one piece; of parts the CRC32, which servers put together to that of the whole. Beyond that it is
hashed here while it is read; an object of several parts is completed only if that is its digest.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from sealift_registry.storage import s3_faults
from sealift_registry.storage.crc32 import joined
from sealift_registry.storage.s3_behaviour import (
    Behaviour,
    PartsBehaviour,
    beginning,
    checksum,
    crc32,
    crc32_of,
    is_whole,
    part_of,
)
from sealift_registry.storage.s3_calls import HANDS, Calls
from sealift_signing.errors import FailedError
from sealift_sync.blobs import damaged, unreadable
from sealift_sync.durable import Progress

PART = 8 * 1024 * 1024
"""Bytes of a part; whatever is no longer is sent in one piece."""
MOST_PARTS = 9_000
"""S3 takes 10,000: above 70 GB parts are larger."""
GROWING = 1_000
"""Of bytes that nobody has counted, after so many parts each is twice as large as before."""
LARGEST = 5 * 2**40
"""Bytes: the most that S3 keeps as one object."""


def send_small(
    calls: Calls, key: str, data: bytes, behaviour: Behaviour, *, only_new: bool
) -> bool:
    """Send what fits into one request; False where something is there and `only_new`.

    Where the server heeds no conditions, it is written over what is there all the same.

    Raises:
        Exception: botocore's own.
    """
    more = {"IfNoneMatch": "*"} if only_new and behaviour.conditions else {}
    try:
        calls.ask("put_object", Key=key, Body=data, **checksum(data, behaviour.named), **more)
    except Exception as bad:
        if s3_faults.exists(bad):
            return False
        raise
    return True


def part_size(size: int | None, number: int = 1) -> int:
    """How large the part with this number is, so that there are not too many up to `LARGEST`.

    Of an object of `size` bytes all are as large, unless more comes than was said; where nobody
    knows that, they grow with their number.
    """
    if size is None or number > MOST_PARTS:
        return PART << ((number - 1) // GROWING)
    least = -(-size // MOST_PARTS)
    return max(PART, -(-least // 2**20) * 2**20)


def check_size(size: int, what: str, where: str) -> None:
    """Check that one object may have so many bytes.

    Raises:
        FailedError: it may not.
    """
    if size > LARGEST:
        raise FailedError(
            "blob-too-large-for-s3",
            f"{what} is larger than {LARGEST:,} bytes (5 TiB), the most that the store of blobs "
            f"{where} keeps as one object.",
            subject=what,
            next_step="Split the model into several files.",
        )


class Source:
    """Bytes to be taken in: that they cannot be read is told apart from what a server does."""

    def __init__(self, source: BinaryIO, what: str = "") -> None:
        self._source = source
        name = getattr(source, "name", None)
        named = str(name) if isinstance(name, (str, Path)) else ""
        self.what = what or named or "What was to be taken in"
        self._ahead = b""

    def small(self, most: int) -> bytes | None:
        """All of it, where it has no more than `most` bytes; else None, and nothing is taken."""
        first = read_fully(self, most + 1)
        if len(first) <= most:
            return first
        # Nobody else has them: they are given up as soon as they are read.
        self._ahead = first
        return None

    def read(self, most: int) -> bytes:
        """Up to `most` bytes.

        Raises:
            FailedError: they could not be read.
        """
        if self._ahead:
            taken, self._ahead = self._ahead[:most], self._ahead[most:]
            return taken
        try:
            return self._source.read(most)
        except OSError as bad:
            raise unreadable(self.what, bad) from bad

    @property
    def size(self) -> int | None:
        """How many bytes there are from here on; None where nobody knows.

        A blob of another store knows it, too. Parts that are all as large are what every server
        takes: there are some that complete no others.
        """
        left = getattr(getattr(self._source, "raw", None), "left", None)
        if isinstance(left, int):
            return left + len(self._ahead)
        try:
            about = os.fstat(self._source.fileno())
            left = about.st_size - self._source.tell()
        except (AttributeError, OSError, ValueError):
            return None
        return max(left, 0) + len(self._ahead) if stat.S_ISREG(about.st_mode) else None


@dataclass
class Sending:
    """An object on its way, in parts.

    Attributes:
        size: its bytes, where they are known: they only say how large parts are.
        behaviour: the server's.
        only_new: it is not completed where something is there by then, if the server heeds that.
    """

    calls: Calls
    key: str
    digest: str
    size: int | None
    progress: Progress
    behaviour: PartsBehaviour
    only_new: bool

    def send(self, source: Source) -> tuple[bool, int]:
        """Send what is left of `source`; whether it was written, and how many bytes it has.

        Raises:
            RefusedError: those bytes have another digest; nothing was kept.
            Exception: botocore's own.
        """
        check_size(self.size or 0, f"The blob {self.digest[:12]}", self.calls.address.where)
        begins = beginning(self.behaviour)
        upload = self.calls.ask("create_multipart_upload", Key=self.key, **begins)
        self._upload = str(upload["UploadId"])
        self._full, self._crc = is_whole(upload), 0
        try:
            parts, size = self._parts(source)
            return self._complete(parts, size), size
        except BaseException:
            self._abort()
            raise

    def _parts(self, source: Source) -> tuple[list[dict[str, Any]], int]:
        """Read one part after the other, which are sent side by side."""
        digest, size = sha256(), 0
        what, where = f"The blob {self.digest[:12]}", self.calls.address.where
        done: list[dict[str, Any]] = []
        due: deque[tuple[int, Future[dict[str, Any]]]] = deque()

        def finish() -> None:
            count, sent = due.popleft()
            part = sent.result()
            done.append(part)
            if self._full:
                self._crc = joined(self._crc, crc32_of(part), count)
            self.progress(count)

        hands = ThreadPoolExecutor(HANDS)
        try:
            while True:
                number = len(done) + len(due) + 1
                data = read_fully(source, part_size(self.size, number))
                if not data:
                    break
                digest.update(data)
                size += len(data)
                check_size(size, what, where)
                due.append((len(data), hands.submit(partial(self._part, number, data))))
                del data  # whoever sends it has it, and no longer than that
                while len(due) >= HANDS:
                    finish()
            while due:
                finish()
        finally:
            hands.shutdown(cancel_futures=True)
        if digest.hexdigest() != self.digest:
            raise damaged(self.digest)
        return done, size

    def _part(self, number: int, data: bytes) -> dict[str, Any]:
        named = checksum(data, self.behaviour.named)
        answer = self.calls.ask(
            "upload_part",
            Key=self.key,
            UploadId=self._upload,
            PartNumber=number,
            Body=data,
            **named,
        )
        return part_of(number, answer["ETag"], named)

    def _complete(self, parts: list[dict[str, Any]], size: int) -> bool:
        only_new = self.only_new and self.behaviour.conditions
        more: dict[str, Any] = {"IfNoneMatch": "*"} if only_new else {}
        if self._full:
            more |= {"ChecksumCRC32": crc32(self._crc), "ChecksumType": "FULL_OBJECT"}
            more |= {"MpuObjectSize": size}
        try:
            self.calls.ask(
                "complete_multipart_upload",
                Key=self.key,
                UploadId=self._upload,
                MultipartUpload={"Parts": parts},
                **more,
            )
        except Exception as bad:
            if s3_faults.exists(bad):
                self._abort()
                return False
            # It may have been completed, and the answer was lost: then the upload is not there.
            if s3_faults.code_of(bad) != "NoSuchUpload":
                raise
            return False
        return True

    def _abort(self) -> None:
        """What cannot be taken back now is swept a week later."""
        with suppress(Exception):
            self.calls.client.abort_multipart_upload(
                Bucket=self.calls.address.bucket, Key=self.key, UploadId=self._upload
            )


def not_kept(where: str, digest: str) -> FailedError:
    """The error for a server that has not what it said it took."""
    return FailedError(
        "blob-not-kept",
        f"The store of blobs {where} took the blob {digest[:12]}, and has something else or "
        "nothing under its name.",
        subject=digest,
        next_step="Do not trust that server, nor what lies between; see: sealift blobs check",
    )


def read_fully(source: Source, most: int) -> bytes:
    """Up to `most` bytes: fewer only at the end."""
    pieces, left = [], most
    while left and (piece := source.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
