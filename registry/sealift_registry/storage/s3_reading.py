"""An object of an S3 server as a file: ranges ahead of the reader, resumed where they are cut off.

Nothing here says that the bytes are right: whoever reads hashes them. But they are all of one and
the same object (If-Match), in order, and as many as were said, or it is an error.
"""

from __future__ import annotations

import io
import mmap
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from sealift_registry.storage import s3_answers, s3_faults
from sealift_registry.storage.s3_calls import Calls, cut_off
from sealift_registry.storage.s3_sending import PART
from sealift_signing.errors import FailedError

RANGE = PART
"""Bytes that are asked for at once: those of a part as it was sent, for many servers keep it so,
and read two of them for what lies across."""
PIECE = 256 * 1024
"""Bytes that are taken from a connection at once: urllib3 has them a second time meanwhile."""
AHEAD = 3
"""Ranges that are under way while one is read: 32 MiB are held at most."""


@dataclass(frozen=True)
class Found:
    """An object: its key, its size in bytes, and by which tag it is known not to have changed."""

    key: str
    size: int
    etag: str


def open_object(calls: Calls, key: str, start: int = 0) -> tuple[Found, io.BufferedReader]:
    """An object, to be read once from its beginning, or from byte `start` on.

    Raises:
        Exception: botocore's own where it is not there (`s3_faults.is_missing`).
        FailedError: it cannot be read.
    """
    room = _room()
    if start:
        answer = calls.ask("head_object", Key=key)
        found = Found(key, int(answer["ContentLength"]), s3_answers.tag(answer))
        return found, io.BufferedReader(_Ahead(calls, found, room, 0, start), 1)
    found, count = _first(calls, key, room)
    return found, io.BufferedReader(_Ahead(calls, found, room, count, 0), 1)


def _room() -> memoryview:
    """Room for a range: what of it is not written to, as for a small object, is no memory yet."""
    return memoryview(mmap.mmap(-1, RANGE))


class _Ahead(io.RawIOBase):
    """What is read, and the ranges behind it that are under way.

    Memory is used again, once it was read: what was never used costs more than to copy into it.
    """

    def __init__(
        self, calls: Calls, found: Found, first: memoryview, count: int, start: int
    ) -> None:
        super().__init__()
        self._calls, self._found = calls, found
        self._room, self._now = first, first[:count]
        self._asked = start + count
        self.left = found.size - start  # of bytes that nobody has read yet
        self._spare: list[memoryview] = []
        self._due: deque[tuple[memoryview, Future[memoryview]]] = deque()
        self._hands: ThreadPoolExecutor | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever holds bytes, as in `io`
        self._ask()
        if not len(self._now) and self._due:
            self._spare.append(self._room)
            self._room, due = self._due.popleft()
            self._now = due.result()
            self._ask()
        count = min(len(buffer), len(self._now))
        buffer[:count] = self._now[:count]
        self._now = self._now[count:]
        self.left -= count
        return count

    def _ask(self) -> None:
        """Only once somebody reads: many are opened and then closed."""
        while self._asked < self._found.size and len(self._due) < AHEAD:
            if self._hands is None:
                self._hands = ThreadPoolExecutor(AHEAD)
            end = min(self._asked + RANGE, self._found.size)
            room = self._spare.pop() if self._spare else _room()
            into = room[: end - self._asked]
            read = partial(_range, self._calls, self._found, self._asked, into)
            self._due.append((room, self._hands.submit(read)))
            self._asked = end

    def close(self) -> None:
        if self._hands is not None:
            self._hands.shutdown(wait=False, cancel_futures=True)
            self._hands = None
        self._due.clear()
        super().close()


def _first(calls: Calls, key: str, into: memoryview) -> tuple[Found, int]:
    """The first range, which tells how large the object is, and how much of it came."""
    waiting = calls.patience.waiting()
    while True:
        try:
            answer = calls.ask("get_object", Key=key, Range=f"bytes=0-{RANGE - 1}")
        except Exception as bad:
            if s3_faults.status_of(bad) != _NO_SUCH_RANGE:
                raise
            answer = calls.ask("head_object", Key=key)
            if answer["ContentLength"]:  # it is not empty
                raise s3_faults.no_ranges(calls.address.where) from bad
            return Found(key, 0, s3_answers.tag(answer)), 0
        try:
            found = Found(key, _size(calls, answer), s3_answers.tag(answer))
        except FailedError:
            answer["Body"].close()
            raise
        wanted = min(found.size, RANGE)
        count = _read(answer["Body"], into[:wanted], calls.address.where)
        if count < wanted and count:  # the rest of it, with the tag that it had
            count += len(_range(calls, found, count, into[count:wanted]))
        if count == wanted:
            return found, count
        if not waiting.goes_on():
            raise cut_off(calls.address.where)


_NO_SUCH_RANGE = 416


def _size(calls: Calls, answer: dict[str, Any]) -> int:
    """How large the whole object is, by what was answered to a question for its beginning."""
    part = s3_answers.part(answer)
    if part is not None:
        if part[0] != 0:
            raise s3_faults.no_ranges(calls.address.where)
        return part[2]
    length = answer.get("ContentLength")
    if length is None or length > RANGE:  # all of it: it was not asked for
        raise s3_faults.no_ranges(calls.address.where)
    return int(length)


def _range(calls: Calls, found: Found, start: int, room: memoryview) -> memoryview:
    """`room` with the bytes from `start` on, asked for again from wherever they are cut off."""
    count, waiting = 0, calls.patience.waiting()
    while count < len(room):
        with calls.told():
            got = _some(calls, found, start + count, room[count:])
        if got:
            waiting.anew()
        elif not waiting.goes_on():
            raise cut_off(calls.address.where)
        count += got
    return room


def _some(calls: Calls, found: Found, start: int, room: memoryview) -> int:
    """How many bytes from `start` came this time."""
    match = {"IfMatch": found.etag} if found.etag else {}
    end = start + len(room)
    try:
        answer = calls.ask("get_object", Key=found.key, Range=f"bytes={start}-{end - 1}", **match)
    except Exception as bad:
        gone = s3_faults.exists(bad) or s3_faults.is_missing(bad)
        if gone or s3_faults.status_of(bad) == _NO_SUCH_RANGE:  # it became shorter
            raise _changed(calls.address.where, found.key) from bad
        raise
    part = s3_answers.part(answer)
    if part is None or part[0] != start:
        answer["Body"].close()
        raise s3_faults.no_ranges(calls.address.where)
    if (s3_answers.tag(answer) or found.etag) != found.etag or part[2] != found.size:
        answer["Body"].close()
        raise _changed(calls.address.where, found.key)
    return _read(answer["Body"], room, calls.address.where)


def _read(body: Any, room: memoryview, where: str) -> int:  # noqa: ANN401 - botocore's
    """How many bytes of an answer came, up to the length of `room`; then it is over."""
    count = 0
    try:
        while count < len(room):
            got = body.readinto(room[count : count + PIECE])
            if not got:
                break
            count += got
    except Exception as bad:
        if isinstance(bad, s3_answers.UNREADABLE):
            raise s3_answers.unread(bad, where) from bad
        if not s3_faults.passes(bad):
            raise
    finally:
        with suppress(Exception):
            body.close()
    return count


def _changed(where: str, key: str) -> FailedError:
    name = key.rpartition("/")[2]
    return FailedError(
        "blob-changed-meanwhile",
        f"The blob {name[:12]} at {where} was replaced or removed while it was read.",
        subject=name,
        next_step="Find out who else writes to that bucket, and run it again.",
    )
