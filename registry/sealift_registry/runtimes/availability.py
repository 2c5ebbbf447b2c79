"""What there is of releases, and whether what hardware targets promise can be tried here."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sealift_registry.runtimes import environments
from sealift_registry.runtimes.environments import Environments
from sealift_registry.runtimes.ranges import ONNX_RUNTIME, Promise, Release
from sealift_registry.runtimes.releases import KnownReleases
from sealift_registry.workers.channel import Progress
from sealift_registry.workers.software import installed
from sealift_signing.drawing import drawn, pasted, word
from sealift_signing.errors import FailedError, RefusedError, SealiftError, UsageError, shown

OURS, READY, HALF_MADE, ABSENT, BROKEN = (
    *("came with Sealift", "ready"),
    *("half made: add it again", "can be added", "does not start: add it again"),
)


@dataclass(frozen=True)
class ReleaseState:
    """One release.

    Attributes:
        release: of ONNX Runtime.
        state: whether variants can be tried on it.
        numpy: the release of NumPy beside it, or that would be.
        known_bad: why it is bad, if it is.
    """

    release: Release
    state: str
    numpy: str
    known_bad: str | None


def release_of(text: str) -> Release:
    """The release that somebody typed.

    Raises:
        UsageError: it is none.
    """
    found = Release.parse(text)
    if found is None:
        raise UsageError(
            "bad-release",
            f"{shown(text)} is not a release of {ONNX_RUNTIME}.",
            subject=text,
            next_step="Write its number, such as 1.17.3; see those that are known with: "
            "sealift runtime list",
        )
    return found


def states(known: KnownReleases, where: Environments, own: Release | None) -> list[ReleaseState]:
    """Every release that is known or there, the oldest first."""
    listed = (Release.parse(text) for text in (*known.releases, *known.bad))
    found: dict[Release, tuple[str, str]] = {}
    for release in listed:
        if release is not None:
            pins = known.of(str(release))
            found[release] = (ABSENT, pins.numpy) if pins else ("no pins are known", "")
    found |= dict.fromkeys(where.half_made(), (HALF_MADE, ""))
    found |= {one.release: (READY, one.software.get("numpy", "")) for one in where.all()}
    if own is not None:
        found[own] = (OURS, installed(("numpy",)).get("numpy", ""))
    bad = {Release.parse(text): why for text, why in known.bad.items()}
    return [ReleaseState(one, *said, bad.get(one)) for one, said in sorted(found.items())]


def started(
    known: KnownReleases, where: Environments, own: Release | None, progress: Progress
) -> tuple[list[ReleaseState], list[SealiftError]]:
    """As `states`, and every environment was started; the errors of those that did not."""
    found: list[ReleaseState] = []
    broken: list[SealiftError] = []
    for one in states(known, where, own):
        there = where.get(one.release) if one.state == READY else None
        if there is None:
            found.append(one)
            continue
        progress(f"{ONNX_RUNTIME} {one.release}", 0, 0)
        with tempfile.TemporaryDirectory() as work:
            try:
                environments.software_of(one.release, there.interpreter, Path(work))
            except FailedError as bad:
                broken.append(bad)
                one = replace(one, state=BROKEN)  # noqa: PLW2901 - the same release, as it was seen
        found.append(one)
    return found, broken


# -------------------------------------------------------------------- what is promised


@dataclass(frozen=True)
class PromiseState:
    """What a hardware target promises, for people and machines; the error, where it is no promise.

    Attributes:
        data: for machines.
        lines: for people.
        bad: why it cannot be held to.
    """

    data: dict[str, Any]
    lines: tuple[str, ...]
    bad: SealiftError | None = None


def promised(
    hardware_target: str,
    promise: Callable[[], Promise | None],
    triable: Callable[[Sequence[Release]], Iterable[Release]],
) -> PromiseState:
    """What the hardware target promises, and which ends of it can be tried here."""
    data: dict[str, Any] = {"hardware_target": hardware_target}
    try:
        asked = promise()
    except RefusedError as bad:
        return PromiseState({**data, "error": bad.code}, (f"{hardware_target}: {bad.what}",), bad)
    if asked is None:
        words = f"{hardware_target}: its runtime is not one that variants are tried on here"
        return PromiseState({**data, "ends": []}, (words,))
    can = set(triable(asked.ends))
    ends = [{"release": str(end), "can_be_tried": end in can} for end in asked.ends]
    without = {str(one): why for one, why in asked.without.items()}
    said = f"{hardware_target}: {ONNX_RUNTIME} {word(asked.asked)}, tried on "
    lines = [said + " and ".join(map(str, asked.ends))]
    lines += [f"  without {one}: {drawn(why)}" for one, why in without.items()]
    lines += [
        f"  {end} cannot be tried yet: sealift runtime add {pasted([str(end)])}"
        for end in asked.ends
        if end not in can
    ]
    return PromiseState(
        {**data, "asked": asked.asked, "ends": ends, "without": without}, tuple(lines)
    )
