"""Whether what a hardware target promises of its runtime was tried, at both ends of the range."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sealift_registry.promotion.gates import Vouched
from sealift_registry.runtimes.ranges import INSTALLED, ONNX_RUNTIME, Promise, Release
from sealift_registry.runtimes.report import KIND, by_release
from sealift_signing.drawing import drawn, pasted, word
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import CatalogPath

PromiseOf = Callable[[str], Promise | None]
"""What the hardware target of that name promises; None where nothing of it can be tried here."""


def nothing(_name: str) -> Promise | None:
    """No hardware target promises anything."""
    return None


def check(found: Sequence[Vouched], goldens: str | None, promise_of: PromiseOf) -> None:
    """Check that each variant was tried on both ends of what is promised, and passed.

    A variant for machines of another architecture was never run there, which its evidence says:
    what was tried here says nothing of them, and is not asked for. What failed here stops it.

    Args:
        found: the artifacts of a version, each with the newest evidence about it.
        goldens: the digest of those that count for it now.
        promise_of: what hardware targets promise.

    Raises:
        RefusedError: a release was not tried, failed, or is known to be bad.
    """
    for one in found:
        asked = None if one.artifact.path.is_source else promise_of(one.artifact.path.form)
        if asked is not None:
            _check(one, asked, goldens or "")


def _check(one: Vouched, asked: Promise, goldens: str) -> None:
    parity, runtimes = one.of_kind("parity"), one.of_kind(KIND)
    if parity is None:
        return  # whether it is asked for is the stage's to say
    tried = by_release(parity.predicate, None if runtimes is None else runtimes.predicate, goldens)
    there = parity.predicate.details.get("measured_on_target") is not False
    for end in asked.ends:
        passed, words = tried.get(end, (False, ""))
        if end in tried and not passed:
            raise _failed(one.artifact.path, asked, end, words)
        if end not in tried and there:
            raise _untried(one.artifact.path, asked, end)


def _failed(path: CatalogPath, asked: Promise, end: Release, words: str) -> RefusedError:
    return RefusedError(
        "runtime-failed",
        f"{asked.hardware_target} promises {ONNX_RUNTIME} {word(asked.asked)}, and {path} failed "
        f"on {end}: {drawn(words)}",
        subject=str(path),
        next_step=f"Let {asked.hardware_target} begin or end with another release; then: sealift "
        f"convert {path.full_version} --for {path.form}",
    )


def _untried(path: CatalogPath, asked: Promise, end: Release) -> RefusedError:
    # What came with Sealift needs no environment.
    first = f"sealift runtime add {pasted([str(end)])}; and then: "
    first = "" if asked.asked == INSTALLED else first
    return RefusedError(
        "runtime-untried",
        f"{asked.hardware_target} promises {ONNX_RUNTIME} {word(asked.asked)}, and {path} was "
        f"never tried on {end}.",
        subject=str(path),
        next_step=f"Run: {first}sealift convert {path.full_version} --for {path.form}",
    )
