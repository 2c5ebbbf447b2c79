"""Whether what a hardware target promises of its runtime was tried, at both ends of the range."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sealift_registry.promotion.gates import ArtifactEvidence
from sealift_registry.proof.proof_report import named_check_rows, never_run
from sealift_registry.runtimes.ranges import INSTALLED, ONNX_RUNTIME, Promise, Release
from sealift_registry.runtimes.runtimes_report import KIND, by_release
from sealift_signing.drawing import drawn, pasted, word
from sealift_signing.errors import RefusedError
from sealift_signing.statements import Evidence, Signed
from sealift_signing.vocabulary import CatalogPath

PromiseOf = Callable[[str], Promise | None]
"""What the hardware target of that name promises; None where nothing of it can be tried here."""


def nothing(_name: str) -> Promise | None:
    """No hardware target promises anything."""
    return None


def check(
    found: Sequence[ArtifactEvidence], goldens: str | None, promise_of: PromiseOf, *, travel: bool
) -> None:
    """Check that each variant was tried on both ends of what is promised, and passed.

    A variant for machines of another architecture was never run there, which its evidence says:
    what was tried here says nothing of them, and is not asked for. What failed here stops it. In
    place of the ends the site asks its own runtime check rows; so these must be able to travel.

    Args:
        found: the artifacts of a version, each with the newest evidence about it.
        goldens: the digest of those that count for it now.
        promise_of: what hardware targets promise.
        travel: whether their team lets check rows travel.

    Raises:
        RefusedError: a release was not tried, failed, or is known to be bad; or nobody would ever
            have run a variant on its architecture, nor could the site.
    """
    for one in found:
        _check_run(one, travel=travel)
        asked = None if one.artifact.path.is_source else promise_of(one.artifact.path.form)
        if asked is not None:
            _check(one, asked, goldens or "")


def _check_run(one: ArtifactEvidence, *, travel: bool) -> None:
    """Check that a variant that was never run on its architecture can be tried by the site."""
    parity = one.of_kind("parity")
    bad = None if parity is None else untriable(one.artifact.path, parity, travel=travel)
    if bad is not None:
        raise bad


def untriable(path: CatalogPath, parity: Signed[Evidence], *, travel: bool) -> RefusedError | None:
    """Why a variant cannot be promoted that nobody ever ran where it belongs; None if it can."""
    if not never_run(parity.predicate.details):
        return None
    if not travel:
        return RefusedError(
            "never-run",
            f"{path} was never run on its architecture, and the site could not try it either: "
            f"team {path.team} does not let check rows travel.",
            subject=str(path),
            next_step=f"Convert it at a hub on a machine of that architecture; or have the "
            f"stewards let them: sealift team check-rows {pasted([path.team])} --travel",
        )
    if named_check_rows(parity.predicate.details) is None:
        return RefusedError(
            "no-check-rows",
            f"{path} was never run on its architecture, and its proof left no check rows by which "
            "the site could try it.",
            subject=str(path),
            next_step=f"Run: sealift convert {path.full_version} --for {path.form}; where it "
            "leaves none again, convert it at a hub on a machine of that architecture.",
        )
    return None


def _check(one: ArtifactEvidence, asked: Promise, goldens: str) -> None:
    parity, runtimes = one.of_kind("parity"), one.of_kind(KIND)
    if parity is None:
        return  # whether it is asked for is the stage's to say
    tried = by_release(parity.predicate, None if runtimes is None else runtimes.predicate, goldens)
    there = not never_run(parity.predicate.details)
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
