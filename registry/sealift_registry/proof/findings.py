"""From all that is known in the end to the findings that stand in the evidence."""

from __future__ import annotations

import numpy as np

from sealift_registry.frameworks.framework import TIE
from sealift_registry.proof import comparing, proof_words
from sealift_registry.proof.batches import BATCHES
from sealift_registry.proof.expected_answers import ExpectationResult
from sealift_registry.proof.figures import decimal
from sealift_registry.proof.probe_rows import KINDS
from sealift_registry.proof.proof_report import (
    Expected,
    Findings,
    KindProof,
    Merging,
    OutputProof,
    Tolerances,
    Verdict,
    WorstRow,
)
from sealift_registry.proof.result import Result
from sealift_registry.proof.tally import KindTally, OutputTally
from sealift_signing.statements import Check
from sealift_signing.vocabulary import sentence

_KINDS = ("goldens", *KINDS, *BATCHES)

MOST_CLASSES = 200
"""Class names in the evidence."""


def findings(result: Result) -> Findings:
    """The findings."""
    checks = _checks(result)
    verdict: Verdict = "pass" if all(one.verdict == "pass" for one in checks) else "fail"
    tally = result.tally
    return Findings(
        verdict=verdict,
        words=sentence(proof_words.summary(tally, verdict)),
        told_first=tuple(
            proof_words.first(
                result.judged,
                " ".join(filter(None, (proof_words.repeated(result.goldens), result.unfit))),
                result.constant,
                result.strange,
                as_it_is=result.as_it_is,
                of_nobody=proof_words.of_nobody(tally),
            )
        ),
        checks=tuple(checks),
        rows=len(result.goldens),
        outputs=tuple(_output(name, one, result) for name, one in sorted(tally.outputs.items())),
        probes=tuple(
            _kind(kind, one)
            for kind, one in sorted(tally.kinds.items(), key=lambda at: _KINDS.index(at[0]))
        ),
        worst=_worst(result),
        never=tuple(_never(result)),
        classes=tuple(sentence(one) for one in result.labels[:MOST_CLASSES]),
        tolerances=_tolerances(),
        merging=Merging(result.merged.rows, result.merged.merged),
        expected=_expected(result.judged),
    )


def _kind(name: str, one: KindTally) -> KindProof:
    told = one.apart or None
    return KindProof(name, one.ran, one.dropped, one.left_out, one.wrong, one.excused, told)


def _checks(result: Result) -> list[Check]:
    dtypes = sorted({str(one) for one in result.known.dtypes})
    found = proof_words.rows_checks(result.tally)
    found.append(proof_words.rounding_check(result.tally))
    found.append(proof_words.merging_check(result.merged, " and ".join(dtypes)))
    found.append(proof_words.moving_check(result.still))
    found.append(proof_words.coverage_check(_never(result)))
    if result.judged is not None:
        found.append(proof_words.expected_check(result.judged, result.labels))
    return found


def _output(name: str, tally: OutputTally, result: Result) -> OutputProof:
    numbers = tally.kind == "numbers"
    by = result.scales.get(name)
    finite = numbers and bool(np.isfinite(tally.away))
    refused = any(one.output == name and one.refused for one in result.tally.differing)
    failed = bool(tally.wrong) or refused
    return OutputProof(
        name=sentence(name),
        kind="numbers" if numbers else "labels",
        rows=tally.rows,
        wrong=tally.wrong,
        spread=decimal(float(by.spread.max(initial=0.0))) if numbers and by else None,
        largest_difference=decimal(tally.away) if finite else None,
        allowed=decimal(tally.allowed) if numbers else None,
        differences=tuple(int(one) for one in tally.bins),
        constant=name in result.constant,
        verdict="fail" if failed or name in result.still else "pass",
    )


def _worst(result: Result) -> WorstRow | None:
    """A row that counts against the variant, if there is one; else the one that is furthest off."""
    tally = result.tally
    row = max(tally.differing, key=lambda one: one.ratio, default=tally.worst)
    if row is None or row.ratio <= 0:
        return None
    return WorstRow(
        kind=row.kind,
        number=row.number,
        sha256=result.layout.digest(row.values),
        output=sentence(row.output),
        column=row.column,
        source=sentence(row.source),
        variant=sentence(row.variant),
        allowed=None if row.allowed is None else decimal(row.allowed),
    )


def _never(result: Result) -> list[str]:
    labels = [
        one
        for one in result.answers[0].values()
        if comparing.is_labels(one) and comparing.flat(one).shape[1] == 1
    ]
    seen = {str(one) for array in labels for one in np.unique(array.astype(str)).tolist()}
    missing = result.tally.kinds.get("missing")
    return proof_words.never(
        result.goldens,
        result.known,
        result.facts,
        result.labels if labels else (),
        seen,
        missing.ran if missing else 0,
    )


def _expected(judged: ExpectationResult | None) -> Expected | None:
    if judged is None:
        return None
    figures = [_figure(one) for one in (judged.source, judged.variant, judged.chance)]
    return Expected(judged.kind, judged.rows, *figures)


def _figure(number: float) -> str:
    """A number that is not finite is as large as there is one."""
    return decimal(min(number, float(np.finfo(np.float64).max)))


def _tolerances() -> Tolerances:
    return Tolerances(
        of_spread=decimal(comparing.OF_SPREAD),
        of_answer=decimal(comparing.OF_ANSWER),
        of_largest=decimal(comparing.OF_LARGEST),
        most_of_spread=decimal(comparing.MOST_OF_SPREAD),
        probability=decimal(comparing.PROBABILITY),
        tie=decimal(TIE),
    )
