"""How fast a medium is: measured on the medium itself, because what is printed on it is not.

What is written for it has lost its name before the first byte, so that nothing of it stays, also
when the power goes.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from sealift_sync import durable, stream

SAMPLE = 8 * 1024 * 1024
"""Bytes written and read to measure; less would measure the medium's own buffer."""
SMALL = 8
"""Files written and flushed to measure what each costs by itself."""
PROBE = ".sealift-probe-"


@dataclass(frozen=True)
class Speed:
    """`write` and `read` in bytes a second; `each`, in seconds, is what any file costs besides."""

    write: float
    read: float
    each: float

    def seconds(self, size: int, files: int) -> float:
        """How long a bundle of `size` bytes in so many files takes to write and to read back."""
        return size / self.write + size / self.read + files * self.each


def measure(medium: Path) -> Speed | None:
    """The speed of `medium`; None where nothing can be written there."""
    try:
        _sweep(medium)
        write, read = _stream(medium)
        return Speed(write, read, _each(medium))
    except OSError:
        return None


def _stream(medium: Path) -> tuple[float, float]:
    """Write and read as an export does, hashing on the way: the slower of the two counts."""
    # Some media compress, and are fast with zeros.
    source = BytesIO(os.urandom(stream.CHUNK) * (SAMPLE // stream.CHUNK))
    with _nameless(medium) as file:
        begun = time.perf_counter()
        stream.copy_hashed(source, file, stays=False)
        durable.flush(file)
        written = time.perf_counter()
        durable.drop_cache(file)
        file.seek(0)
        stream.hash_file(file)
        done = time.perf_counter()
    return _rate(written - begun), _rate(done - written)


def _rate(seconds: float) -> float:
    return SAMPLE / max(seconds, 1e-6)


def _each(medium: Path) -> float:
    begun = time.perf_counter()
    for _ in range(SMALL):
        with _nameless(medium) as file:
            file.write(b"x")
            durable.flush(file)
    return (time.perf_counter() - begun) / SMALL


@contextmanager
def _nameless(medium: Path) -> Iterator[BinaryIO]:
    path = medium / f"{PROBE}{uuid.uuid4().hex}{durable.PARTIAL}"
    with path.open("x+b") as file:
        path.unlink()
        yield file


def _sweep(medium: Path) -> None:
    """Take away what a run left that was cut between making a file and removing its name.

    What cannot be removed (a folder of that name, which no run made) is in nobody's way.
    """
    for path in medium.glob(f"{PROBE}*{durable.PARTIAL}"):
        with suppress(OSError):
            path.unlink()
