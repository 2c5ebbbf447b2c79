"""Which releases of a runtime a hardware target asks of its machines: a range has two ends.

What is promised is tried at both ends, so an end must be a release: `>=1.17` alone promises what
nobody has seen yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sealift_registry.runtimes.releases import KnownReleases
from sealift_signing.drawing import drawn, word
from sealift_signing.errors import RefusedError

ONNX_RUNTIME = "onnxruntime"
"""The runtime that can be tried here."""
INSTALLED = "installed"
"""Asks for exactly the release that is installed with Sealift."""
INSTEAD = (
    "Write the oldest and the newest release that you promise, such as >=1.17.3,<=1.31.1, or one, "
    f"such as ==1.31.1, or the word {INSTALLED}: the one that came with Sealift."
)

_RELEASE = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})(?:\.(0|[1-9][0-9]{0,5}))?")
_PART = re.compile(r"(==|>=|<=|!=)\s*(\S+)")


@dataclass(frozen=True, order=True)
class Release:
    """A release of a runtime: `1.17.3`; `1.17` is the same as `1.17.0`."""

    numbers: tuple[int, int, int]

    @classmethod
    def parse(cls, text: str) -> Release | None:
        """The release that `text` spells; None where it spells none."""
        match = _RELEASE.fullmatch(text)
        if match is None:
            return None
        first, second, third = (int(one or 0) for one in match.groups())
        return cls((first, second, third))

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers))


@dataclass(frozen=True)
class Promise:
    """What a hardware target asks of the runtime of its machines.

    Attributes:
        hardware_target: that asks.
        asked: as it is written there.
        oldest: release that it may be.
        newest: likewise.
        without: releases between them that it may not be, with the reason of each.
    """

    hardware_target: str
    asked: str
    oldest: Release
    newest: Release
    without: Mapping[Release, str] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[Release, ...]:
        """The oldest and the newest: what has to be tried."""
        return (self.oldest,) if self.oldest == self.newest else (self.oldest, self.newest)


def promise(
    hardware_target: str, asked: str, installed: Release | None, known: KnownReleases
) -> Promise:
    """What the hardware target promises by the words `asked`.

    Args:
        hardware_target: its id.
        asked: its `runtime_version`.
        installed: the release that is installed with Sealift.
        known: which releases are bad.

    Raises:
        RefusedError: that is no range with two ends, or a release that is known to be bad is one.
    """
    oldest, newest, left_out = _read(hardware_target, asked, installed)
    bad = {
        release: reason
        for text, reason in known.bad.items()
        if (release := Release.parse(text)) is not None
    }
    for end in (oldest, newest):
        if end in bad:
            raise RefusedError(
                "runtime-known-bad",
                f"The hardware target {hardware_target} promises {ONNX_RUNTIME} {end} as an end of "
                f"{word(asked)}, and that release is known to be bad: {drawn(bad[end])}.",
                subject=hardware_target,
                next_step="Let the range begin or end with another release, or install another one "
                "where it is the one that came with Sealift.",
            )
    without = dict.fromkeys(left_out, f"{hardware_target} leaves it out") | bad
    between = {one: why for one, why in sorted(without.items()) if oldest < one < newest}
    return Promise(hardware_target, asked, oldest, newest, between)


def _read(
    target: str, asked: str, installed: Release | None
) -> tuple[Release, Release, list[Release]]:
    """The two ends, and what is left out between them."""
    text = asked.strip()
    if text == INSTALLED:
        if installed is None:
            raise _bad(target, asked, f"no {ONNX_RUNTIME} is installed here")
        text = f"=={installed}"
    found: dict[str, list[Release]] = {"==": [], ">=": [], "<=": [], "!=": []}
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        release = Release.parse(match[2]) if match else None
        if match is None or release is None:
            raise _bad(target, asked, f"{word(part.strip())} is not a release with == >= <= or !=")
        found[match[1]].append(release)
    only, low, high, left_out = found["=="], found[">="], found["<="], found["!="]
    if len(only) == 1 and not (low or high or left_out):
        return only[0], only[0], []
    if only or len(low) != 1 or len(high) != 1:
        raise _bad(target, asked, "it has no two ends")
    if low[0] > high[0]:
        raise _bad(target, asked, "its oldest release is newer than its newest")
    if left_out and {low[0], high[0]} & set(left_out):
        raise _bad(target, asked, "it leaves out one of its own ends")
    return low[0], high[0], left_out


def _bad(target: str, asked: str, why: str) -> RefusedError:
    return RefusedError(
        "runtime-range",
        f"The hardware target {target} asks for {ONNX_RUNTIME} {word(asked)}, and {why}.",
        subject=target,
        next_step=INSTEAD,
    )
