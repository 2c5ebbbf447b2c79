"""Sending a blob: in pieces, from wherever it is asked for, so that whoever was cut off goes on.

A blob is named by its digest, which is its tag: what is asked for with another one has changed.
What is sent is not hashed here; its digest stands in the answer (`Repr-Digest`, RFC 9530), and
whoever takes it compares it with the one that was signed.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, cast

from litestar.types import Message, Receive, Scope, Send

from sealift_registry.web import byte_ranges, refusals
from sealift_registry.web.byte_ranges import ByteRange, UnsatisfiableError
from sealift_registry.web.zero_copy import EXTENSION, PART, in_sender
from sealift_signing.errors import FailedError
from sealift_sync.blobs import BlobStore

PIECE = 1 << 20
"""Bytes that are read and sent at once: of each answer two such are held at most."""
FOR_EVER = "private, max-age=31536000, immutable"
"""Of what is named by its digest: it never changes, and is for whoever may read it."""


@dataclass(frozen=True)
class Conditions:
    """Under which conditions something is asked for (RFC 9110, section 13)."""

    method: str
    span: str | None
    if_range: str | None
    if_match: str | None
    if_none_match: str | None


@dataclass
class SentBlob:
    """An answer that is a blob, or part of it; an ASGI application.

    Attributes:
        store: where it is.
        digest: which.
        size: in bytes.
        conditions: of who asks.
        media_type: of what it is.
    """

    store: BlobStore
    digest: str
    size: int
    conditions: Conditions
    media_type: str = "application/octet-stream"

    @property
    def tag(self) -> str:
        """Its entity tag: strong, for other bytes have another digest."""
        return f'"{self.digest}"'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            SealiftError: it is not there, or not as it is asked for; nothing was sent.
        """
        del receive
        if not _matches(self.conditions.if_match, self.tag, otherwise=True):
            raise refusals.changed_since(self.digest)
        if _matches(_weakly(self.conditions.if_none_match), self.tag, otherwise=False):
            await self._head(send, 304, {})
            return
        try:
            part = self._part()
        except UnsatisfiableError:
            told = {"content-range": f"bytes */{self.size}", "cache-control": "no-store"}
            await self._head(send, 416, told)
            return
        told = {"content-length": str(part.count if part else self.size)}
        if part is not None:
            told["content-range"] = part.content_range(self.size)
        status = 206 if part else 200
        if self.conditions.method == "HEAD":
            await self._head(send, status, told)
            return
        whole = part or ByteRange(0, self.size - 1)
        source = await in_sender(partial(self.store.open, self.digest, whole.first))
        try:
            await self._start(send, status, told)
            if whole.count and EXTENSION in (scope.get("extensions") or {}) and _is_file(source):
                await self._from_file(send, source.fileno(), whole)
            else:
                await self._pieces(send, source, whole.count)
        finally:
            await in_sender(source.close)

    def _part(self) -> ByteRange | None:
        given = self.conditions
        if given.if_range is not None and given.if_range.strip() != self.tag:
            return None  # also of a date: a blob has none
        return byte_ranges.asked(given.span, self.size)

    async def _from_file(self, send: Send, file: int, whole: ByteRange) -> None:
        """Have the server send so many bytes itself, without reading them.

        Raises:
            FailedError: as of `_pieces`.
        """
        sent = 0
        while sent < whole.count:
            count = min(PART, whole.count - sent)
            part: dict[str, Any] = {"type": EXTENSION, "file": file, "count": count}
            part["offset"] = whole.first + sent
            sent += count
            part["more_body"] = sent < whole.count
            try:
                await send(cast("Message", part))
            except EOFError as bad:
                raise self._shorter() from bad

    async def _pieces(self, send: Send, source: BinaryIO, left: int) -> None:
        """Send so many bytes, the next being read while the last are on their way.

        Raises:
            FailedError: it is shorter; the answer is cut off, so that nobody takes it for whole.
        """
        while left:
            piece = await in_sender(partial(source.read, min(PIECE, left)))
            if not piece:
                raise self._shorter()
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": bool(left)})
        if not self.size:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _shorter(self) -> FailedError:
        return FailedError(
            "blob-shorter",
            f"The blob {self.digest[:12]} is shorter than it was.",
            subject=self.digest,
            next_step="See what the store lost: sealift blobs fsck",
        )

    async def _start(self, send: Send, status: int, told: dict[str, str]) -> None:
        digest = base64.b64encode(bytes.fromhex(self.digest)).decode()
        headers = {
            "content-type": self.media_type,
            "etag": self.tag,
            "accept-ranges": "bytes",
            "cache-control": FOR_EVER,
            "vary": "Authorization, Cookie",
            "repr-digest": f"sha-256=:{digest}:",
            "content-disposition": f'attachment; filename="{self.digest}"',
            **told,
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})

    async def _head(self, send: Send, status: int, told: dict[str, str]) -> None:
        await self._start(send, status, told)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_file(source: BinaryIO) -> bool:
    """Whether it is a file as it lies on a disk, and nothing that is computed from one."""
    return isinstance(source, io.BufferedReader) and isinstance(source.raw, io.FileIO)


def _weakly(header: str | None) -> str | None:
    """Tags that are weak, as a proxy that compresses makes them, are as good for whoever has it.

    So for `If-None-Match` alone (RFC 9110, section 13.1.2).
    """
    if header is None:
        return None
    return ",".join(one.strip().removeprefix("W/") for one in header.split(","))


def _matches(header: str | None, tag: str, *, otherwise: bool) -> bool:
    """Whether a header names the tag, or anything; `otherwise` where there is none."""
    if header is None:
        return otherwise
    return any(one.strip() in {tag, "*"} for one in header.split(","))
