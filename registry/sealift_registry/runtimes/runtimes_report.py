"""What was found on other releases of a runtime, as a document: it stands in signed evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from sealift_registry.runtimes.ranges import ONNX_RUNTIME, Release
from sealift_signing import shape
from sealift_signing.shape import Distinct
from sealift_signing.statements import Evidence
from sealift_signing.vocabulary import Count, Name, Sentence, Sha256

KIND = "runtimes"
"""Of the evidence."""


@dataclass(frozen=True)
class Tried:
    """One release that a variant was proved on.

    Attributes:
        release: of the runtime.
        software: package → version, of all that computed.
        rows: that were compared; none where it does not run the variant.
        wrong: of them, answered otherwise than the source does.
        verdict: `pass` only where every check's is.
        words: what was found.
    """

    release: Sentence
    software: Mapping[Sentence, Sentence]
    rows: Count
    wrong: Count
    verdict: Literal["pass", "fail"]
    words: Sentence


@dataclass(frozen=True)
class RuntimesReport:
    """A document: one variant, proved on the releases at the ends of what is promised.

    Attributes:
        format: of this document.
        requires: features that a reader must know.
        hardware_target: that promises them.
        runtime: whose releases they are.
        asked: the range, as it is written there.
        measured_on_target: whether the machine is of the hardware target's architecture.
        goldens: the sha256 of their file.
        tried: each release.
        without: release → why it is none of those promised, though it lies between the ends.
    """

    DOCUMENT: ClassVar[str] = "runtimes-report"

    format: Literal[1]
    requires: tuple[str, ...]
    hardware_target: Name
    runtime: Name
    asked: Sentence
    measured_on_target: bool
    goldens: Sha256
    tried: Annotated[tuple[Tried, ...], Distinct(by="release")]
    without: Mapping[Sentence, Sentence]


def by_release(
    parity: Evidence, runtimes: Evidence | None, goldens: str
) -> dict[Release, tuple[bool, str]]:
    """Release → whether a variant passed on it, and in words what was found.

    Args:
        parity: the newest about it; it says on which release it was measured.
        runtimes: likewise, if there is any; what was found on other goldens no longer counts.
        goldens: the sha256 of those that count.

    Raises:
        MalformedError: the evidence is not of the shape that it should be.
    """
    found: dict[Release, tuple[bool, str]] = {}
    if runtimes is not None:
        report = shape.from_json(RuntimesReport, runtimes.details, what="the runtimes evidence")
        for one in report.tried if report.goldens == goldens else ():
            release = Release.parse(one.release)
            if release is not None:
                found[release] = one.verdict == "pass", one.words
    own = Release.parse(parity.tools.get(ONNX_RUNTIME, ""))
    if own is not None and parity.details.get("goldens") == goldens:
        failed = " ".join(check.words for check in parity.failures)
        found[own] = parity.passed, failed
    return found
