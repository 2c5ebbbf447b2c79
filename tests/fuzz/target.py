"""What a parser of a medium's bytes promises, and one input held against the promise.

A target is a function of bytes. It returns, or it raises our own error; anything else is broken:
another exception, more than a moment, more memory than the input explains, or a sentence that could
not be shown to a person. What comes back from a target must also be right, which each one asserts.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import visible

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
CRASHES = HERE / "crashes"

MOST_SECONDS = 2.0
"""Of processor time for one input, on any machine that runs the tests."""
MOST_GROWTH = 128 * 1024 * 1024
"""Bytes by which one small input may raise the process's peak memory."""
GROWTH_A_BYTE = 16
"""And for each byte of a large one."""
LONGEST_ERROR = 4000
"""Characters of a sentence with its next step: other people's words in it are cut."""


class BrokenError(AssertionError):
    """A promise that does not hold."""


@dataclass(frozen=True)
class Target:
    """One parser, or a few that belong together.

    Attributes:
        name: also the folder of its corpus and of its crashes.
        run: feeds the bytes to the parser, and asserts what must hold if it returns.
        seeds: valid inputs, to begin from.
        form: what the bytes are: `json` after one byte that selects the parser; plain `bytes`; a
            `tape` of choices.
        most: the largest input that is tried.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    form: Literal["json", "bytes", "tape"]
    most: int = 16_384

    @property
    def corpus(self) -> list[Path]:
        """The inputs that were kept."""
        return _files(CORPUS / self.name)

    @property
    def crashes(self) -> list[Path]:
        """The inputs that once broke a promise."""
        return _files(CRASHES / self.name)


def hold(target: Target, data: bytes) -> float:
    """Run `target` on `data`; returns the processor seconds that it took.

    Raises:
        BrokenError: it took too long or too much memory, or its error cannot be shown.
        Exception: whatever it let through that is not ours.
    """
    before = peak()
    begun = time.process_time()
    try:
        target.run(data)
    except SealiftError as told:
        check_told(told)
    took = time.process_time() - begun
    if took > MOST_SECONDS:
        raise BrokenError(f"{target.name}: {took:.1f} s for {len(data)} bytes")
    grown = peak() - before
    if grown > MOST_GROWTH + GROWTH_A_BYTE * len(data):
        raise BrokenError(f"{target.name}: {grown:,} bytes of memory for {len(data)} bytes")
    return took


def check_told(told: SealiftError) -> None:
    """An error is a sentence that fits a screen and cannot rewrite it, as text and as JSON."""
    text = str(told)
    if not told.what or len(text) > LONGEST_ERROR:
        raise BrokenError(f"{told.code}: a sentence of {len(text)} characters")
    if visible(text) != text:
        raise BrokenError(f"{told.code}: {text!r:.200} would rewrite a terminal")
    json.dumps(told.as_json(), ensure_ascii=False).encode()


def place(bad: BaseException) -> str:
    """Where in our code `bad` comes from: what tells one finding from another."""
    frames = traceback.extract_tb(bad.__traceback__)
    ours = [
        f"{Path(one.filename).name}:{one.lineno}" for one in frames if "/sealift_" in one.filename
    ]
    return f"{type(bad).__name__} {ours[-1] if ours else str(bad).partition(':')[0][:80]}"


def peak() -> int:
    """The most memory this process ever had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file())
