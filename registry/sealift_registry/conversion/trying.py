"""What hardware targets promise of runtimes, held to: a variant is proved on both ends of a range.

What was tried is evidence of its own kind: whether the variant is faithful is the proof's to say,
and which releases run it is said beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version as package_version
from pathlib import Path

from sealift_registry.catalog.findings import Finding
from sealift_registry.conversion.hardware import HardwareTarget
from sealift_registry.conversion.work_order import PromisedReleases, WhatIsRead, WorkOrder
from sealift_registry.frameworks.onnx_graph import written_in
from sealift_registry.proof.batches import BATCHES
from sealift_registry.proof.models import SourceModel, VariantModel
from sealift_registry.proof.proof_report import SECONDS, ProofReport, Verdict, first_failed
from sealift_registry.proof.prove import How, prove
from sealift_registry.runtimes import environments
from sealift_registry.runtimes.environments import Environments
from sealift_registry.runtimes.ranges import INSTALLED, ONNX_RUNTIME, Promise, Release, promise
from sealift_registry.runtimes.releases import KnownReleases, known
from sealift_registry.runtimes.runtimes_report import KIND, RuntimesReport, Tried
from sealift_registry.workers.channel import Progress
from sealift_signing import shape
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import FailedError, RefusedError
from sealift_signing.statements import Check
from sealift_signing.vocabulary import sentence

CRASHED = "runtime-crashed"
"""The failure that is the runtime's own answer to a variant."""


@dataclass(frozen=True)
class Trial:
    """What came of trying: evidence, where another release than Sealift's own was tried.

    Attributes:
        said: what was tried; None where the runtime is none that is tried here.
        others: whether another release than Sealift's own was.
        untried: ends that could not be tried, each with why and what to do.
    """

    said: Finding | None = None
    others: bool = False
    untried: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Evidence, where the proof does not say all of it already."""
        return (self.said,) if self.said is not None and self.others else ()

    def said_again(self) -> Trial:
        """The same, as evidence also where the proof says it: it takes the place of what was."""
        return replace(self, others=True)


class Runtimes:
    """The releases that are promised, and where each can be tried.

    Args:
        home: of the hub; what it adds to what is known lies there.
        environment: of this process, which says where the user's cache is.
        seconds: that the probe rows of each proof may take.
    """

    def __init__(
        self, home: Path, environment: Mapping[str, str], seconds: float = SECONDS
    ) -> None:
        self._home = home
        self.seconds = seconds
        self._environment = environment

    @cached_property
    def known(self) -> KnownReleases:
        """What is known of releases."""
        return known(self._home)

    @cached_property
    def where(self) -> Environments:
        """Where other releases can be tried."""
        return Environments.located(self._environment, self._home)

    @property
    def own(self) -> Release | None:
        """The release that Sealift itself runs with."""
        return environments.own()

    def promise(self, target: HardwareTarget) -> Promise | None:
        """What `target` promises; None where nothing of it can be tried here.

        That is so of another runtime, and of the installed one where none is installed.

        Raises:
            RefusedError: it is no range with two ends, or one of them is known to be bad.
        """
        own, asked = self.own, target.runtime_version
        if target.runtime != ONNX_RUNTIME or (asked == INSTALLED and own is None):
            return None
        return promise(target.id, asked, own, self.known)

    def triable(self, ends: Sequence[Release]) -> list[Release]:
        """Those of `ends` that can be tried now."""
        return [one for one in ends if one == self.own or self.where.get(one) is not None]

    def ordered(self, target: HardwareTarget) -> PromisedReleases | None:
        """What `target` promises, as a work order says it.

        Raises:
            RefusedError: as `promise`.
        """
        asked = self.promise(target)
        if asked is None:
            return None
        pins = self.known.of(str(asked.oldest))
        return PromisedReleases(
            asked=sentence(asked.asked),
            oldest=str(asked.oldest),
            newest=str(asked.newest),
            without={str(one): sentence(why) for one, why in asked.without.items()},
            oldest_reads=None if pins is None else WhatIsRead(pins.ir, pins.opsets),
        )


def check_written(order: WorkOrder, variant: VariantModel) -> None:
    """Check that the oldest release that is promised reads how the variant is written.

    Of a release that nothing is known of, it is seen once it is tried.

    Raises:
        RefusedError: it does not.
    """
    asked = order.runtimes
    reads = None if asked is None else asked.oldest_reads
    if asked is None or reads is None:
        return
    ir, opsets = written_in(variant.folder / variant.model)
    if ir > reads.ir:
        raise _too_new(order, asked, "ONNX IR version", ir, reads.ir)
    for domain, number in sorted(opsets.items()):
        if number > reads.opsets.get(domain, number):
            raise _too_new(order, asked, f"opset of {domain}:", number, reads.opsets[domain])


@dataclass(frozen=True)
class Trying:
    """Trying the releases that an order names.

    Attributes:
        order: that names them.
        where: where other releases than Sealift's own are, on this machine.
        source: what the variant is compared with.
        variant: what is tried.
        goldens: their file.
        progress: told what is done.
    """

    order: WorkOrder
    where: Callable[[], Environments]
    source: SourceModel
    variant: VariantModel
    goldens: Path
    progress: Progress

    def tried(self, report: ProofReport) -> Trial:
        """Prove the variant on the ends; `report` is of the runtime that Sealift has here."""
        asked = self.order.runtimes
        if asked is None:
            return Trial()
        found: list[Tried] = []
        lacking: list[str] = []
        for end in asked.ends:
            try:
                found.append(self._at(end, report))
            except FailedError as bad:
                lacking.append(f"{ONNX_RUNTIME} {end} was not tried. {bad.what} {bad.next_step}")
        others = any(one.release != str(environments.own()) for one in found)
        return Trial(_finding(self.order, asked, found, report), others, tuple(lacking))

    def _at(self, end: Release, report: ProofReport) -> Tried:
        """One release.

        Raises:
            FailedError: it could not be tried.
        """
        if end == environments.own():
            return _of(end, report)
        there = self.where().get(end)
        if there is None:
            raise _untriable(end)

        def told(subject: str, done: int, total: int) -> None:
            self.progress(f"{ONNX_RUNTIME} {end}: {subject}", done, total)

        how = How(float(self.order.proof_seconds), there)
        target = self.order.hardware_target
        try:
            return _of(end, prove(self.source, self.variant, target, self.goldens, told, how))
        except RefusedError as bad:
            why = bad.what
        except FailedError as bad:
            if bad.code != CRASHED:
                raise
            why = bad.what
        return Tried(str(end), there.software, 0, 0, "fail", sentence(why))


def untried(end: Release) -> str:
    """What is said of a release that could not be tried, for want of an environment."""
    bad = _untriable(end)
    return f"{ONNX_RUNTIME} {end} was not tried. {bad.what} {bad.next_step}"


def _untriable(end: Release) -> FailedError:
    return FailedError(
        "runtime-untriable",
        f"There is no environment of {ONNX_RUNTIME} {end}.",
        subject=str(end),
        next_step=f"Make one with: sealift runtime add {pasted([str(end)])}; then convert again.",
    )


def _of(end: Release, report: ProofReport) -> Tried:
    """What a proof says of the release that ran it.

    Raises:
        FailedError: another one did.
    """
    ran = report.runtimes[0].version
    if Release.parse(ran) != end:
        raise FailedError(
            "runtime-broken",
            f"The environment of {ONNX_RUNTIME} {end} runs {word(ran)}.",
            subject=str(end),
            next_step=f"Make it again with: sealift runtime add {pasted([str(end)])}",
        )
    kinds = [one for one in report.findings.probes if one.kind not in BATCHES]
    return Tried(
        str(end),
        report.machine.software,
        sum(one.ran for one in kinds),
        sum(one.wrong for one in kinds),
        report.verdict,
        sentence(_words(report)),
    )


def _words(report: ProofReport) -> str:
    said = f": {first_failed(report.checks).words}" if report.verdict == "fail" else ""
    return report.findings.words + said


def _finding(
    order: WorkOrder, asked: PromisedReleases, found: Sequence[Tried], report: ProofReport
) -> Finding:
    without = asked.without
    said = RuntimesReport(
        format=1,
        requires=(),
        hardware_target=order.hardware_target.id,
        runtime=ONNX_RUNTIME,
        asked=asked.asked,
        measured_on_target=report.measured_on_target,
        goldens=report.goldens,
        tried=tuple(found),
        without=without,
    )
    checks = [
        Check(f"{ONNX_RUNTIME}-{one.release}", one.verdict, sentence(_said(one))) for one in found
    ]
    if without:
        left_out = "; ".join(f"{one}: {why}" for one, why in without.items())
        words = f"Between the ends, but not promised: {left_out}."
        checks.append(Check("without", "pass", sentence(words)))
    verdict: Verdict = "pass" if all(one.verdict == "pass" for one in found) else "fail"
    tools = {"sealift": package_version("sealift-registry")}
    machine = report.machine
    where = f"{machine.cpu}, {machine.arch}, {machine.os}"
    return Finding(KIND, verdict, tuple(checks), tools, where, shape.to_json(said))


def _said(one: Tried) -> str:
    numpy = one.software.get("numpy", "")
    return f"On {ONNX_RUNTIME} {one.release} with NumPy {numpy}: {one.words}"


def _too_new(
    order: WorkOrder, asked: PromisedReleases, what: str, found: int, most: int
) -> RefusedError:
    hardware_target = order.hardware_target.id
    return RefusedError(
        "variant-too-new",
        f"The variant is written in {what} {found}, and {ONNX_RUNTIME} {asked.oldest}, the oldest "
        f"that {hardware_target} promises, reads {most} and nothing newer.",
        subject=hardware_target,
        next_step="Promise newer releases only, or export the model for an older ONNX and ingest "
        "that.",
    )
