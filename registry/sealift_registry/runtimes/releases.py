"""What is known of releases of runtimes: how to install them, what they read, which are bad.

Data, in two files of ours and two of the hub's home (`runtimes/releases.toml` and
`runtimes/known-bad.toml`), which may have more of the same; of what stands in both, theirs counts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from sealift_signing import shape
from sealift_signing.drawing import word
from sealift_signing.errors import FailedError, MalformedError, RefusedError
from sealift_signing.vocabulary import Count, Sentence, Sha256

D = TypeVar("D", bound=shape.Dataclass)

RELEASES, KNOWN_BAD = "releases.toml", "known-bad.toml"
FOLDER = "runtimes"
"""In the hub's home."""


@dataclass(frozen=True)
class ReleasePins:
    """How a release of a runtime is installed, and what it reads.

    Attributes:
        numpy: the release of NumPy beside it.
        ir: the newest version of ONNX's file format that it reads.
        opsets: operator domain → the newest version of its operators that it runs.
        sha256: of the files of it that may be installed.
    """

    numpy: Sentence
    ir: Count
    opsets: Mapping[Sentence, Count]
    sha256: tuple[Sha256, ...]


@dataclass(frozen=True)
class _Wheels:
    """A release of NumPy."""

    sha256: tuple[Sha256, ...]


@dataclass(frozen=True)
class _Releases:
    """One file of releases."""

    onnxruntime: Mapping[Sentence, ReleasePins]
    numpy: Mapping[Sentence, _Wheels]


@dataclass(frozen=True)
class _Bad:
    """A release that answers wrongly, and what was seen."""

    release: Sentence
    reason: Sentence


@dataclass(frozen=True)
class _KnownBad:
    """One file of bad releases."""

    onnxruntime: tuple[_Bad, ...]


@dataclass(frozen=True)
class KnownReleases:
    """All that is known of ONNX Runtime.

    Attributes:
        releases: by number, how to install each and what it reads.
        numpy: release of NumPy → the sha256 of its files.
        bad: by number, why each is bad.
    """

    releases: Mapping[str, ReleasePins]
    numpy: Mapping[str, tuple[str, ...]]
    bad: Mapping[str, str]

    def of(self, release: str) -> ReleasePins | None:
        """The pins of a release, however its number is written; None where none are known."""
        wanted = _number(release)
        found = (one for text, one in self.releases.items() if _number(text) == wanted)
        return next(found, None)


def _number(release: str) -> str:
    """`1.17` is the same as `1.17.0`."""
    return f"{release}.0" if release.count(".") == 1 else release


def known(home: Path | None = None) -> KnownReleases:
    """What comes with Sealift, and what the hub at `home` adds to it; it need not be there.

    Raises:
        RefusedError: a file that is not understood.
        FailedError: one that cannot be read.
    """
    releases: dict[str, ReleasePins] = {}
    numpy: dict[str, tuple[str, ...]] = {}
    bad: dict[str, str] = {}
    for name, text in _texts("releases.toml", home, RELEASES):
        found = _read(_Releases, name, text)
        releases |= found.onnxruntime
        numpy |= {one: wheels.sha256 for one, wheels in found.numpy.items()}
    for name, text in _texts("known_bad.toml", home, KNOWN_BAD):
        bad |= {one.release: one.reason for one in _read(_KnownBad, name, text).onnxruntime}
    lacking = {one.numpy for one in releases.values()} - set(numpy)
    if lacking:
        raise _not_understood(RELEASES, f"it names NumPy {word(min(lacking))} and no sha256 of it")
    return KnownReleases(releases, numpy, bad)


def _texts(ours: str, home: Path | None, theirs: str) -> Iterator[tuple[str, str]]:
    yield ours, (files("sealift_registry.runtimes") / ours).read_text(encoding="utf-8")
    file = None if home is None else home / FOLDER / theirs
    try:
        if file is not None and file.is_file():
            yield theirs, file.read_text(encoding="utf-8")
    except OSError as bad:
        raise FailedError(
            "runtime-data-unreadable",
            f"{FOLDER}/{theirs} of the hub's home could not be read: {bad.strerror}.",
            subject=theirs,
            next_step="Check its permissions.",
        ) from bad
    except ValueError as bad:
        raise _not_understood(theirs, "it is not UTF-8") from bad


def _read(kind: type[D], name: str, text: str) -> D:
    try:
        said = tomllib.loads(text)
        if kind is _Releases:
            said = {"onnxruntime": {}, "numpy": {}} | said  # a file may have either alone
        return shape.from_json(kind, said, what=name)
    except MalformedError as bad:
        raise _not_understood(name, bad.what.rstrip(".")) from bad
    except ValueError as bad:
        raise _not_understood(name, str(bad)) from bad


def _not_understood(name: str, why: str) -> RefusedError:
    return RefusedError(
        "runtime-data-malformed",
        f"{FOLDER}/{name} is not understood: {why}.",
        subject=name,
        next_step="Correct it: docs/how-to/promise-a-range-of-runtimes.md shows how it is written.",
    )
