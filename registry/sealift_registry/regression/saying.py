"""What a comparison says in words: its checks, and the table that people are shown."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sealift_registry.regression.report import (
    KIND,
    Comparison,
    LabelChurn,
    NumberChurn,
    RegressionReport,
    Side,
    report_of,
)
from sealift_signing.drawing import cells, drawn, plain
from sealift_signing.errors import MalformedError
from sealift_signing.informing import TOLD_FIRST
from sealift_signing.statements import Check, Evidence
from sealift_signing.vocabulary import sentence


def checks(said: RegressionReport) -> tuple[Check, ...]:
    """All that was found; none of it fails, for none of it is a gate."""
    found = [Check("compared" if _is_quiet(said) else TOLD_FIRST, "pass", sentence(summary(said)))]
    comparison, listed = said.comparison, said.listed
    if comparison is not None and listed is not None:
        found += [
            Check(one, "pass", sentence(text))
            for one, text in _details(said.candidate, listed, comparison)
        ]
    return tuple(found)


def _is_quiet(said: RegressionReport) -> bool:
    """Whether nothing else of the model ever was listed: nobody has to look at that first."""
    return said.nothing == "itself" or (said.nothing == "first" and not said.why)


def summary(said: RegressionReport) -> str:
    """All of it in one sentence."""
    listed = said.listed
    if listed is None:
        beside = f"; {said.why.rstrip('.')}" if said.why else ""
        return (
            f"Nothing to compare with: no version for {said.hardware_target} is listed for "
            f"{said.stage}{beside}."
        )
    if said.comparison is None:
        return f"Nothing to compare with: {_nothing(said, listed)}."
    parts = "; ".join(_short(said.candidate, listed, said.comparison))
    return (
        f"Compared with version {listed.version}, which is listed for {said.stage}, on the same "
        f"{said.comparison.rows:,} golden rows: {parts}."
    )


def _nothing(said: RegressionReport, listed: Side) -> str:
    other = f"version {listed.version}, which is listed for {said.stage},"
    why = (said.why or "").rstrip(".")
    return {
        "itself": f"version {listed.version} itself is what is listed for {said.stage}",
        "inputs": f"{other} takes other inputs: {why}",
        "gone": f"the files of {other} are lost or damaged in the hub's store",
        "not-run": f"{other} does not answer these goldens: {why}",
        "broke-down": f"{other} could not be run beside this one: {why}",
    }.get(said.nothing or "", f"{other} was not compared")


def _short(ours: Side, theirs: Side, found: Comparison) -> Iterator[str]:
    if ours.metric is not None and theirs.metric is not None:
        yield f"{_metric(found)} {ours.metric}, was {theirs.metric}"
    yield _churn(found)
    if found.outputs or found.classes_new or found.classes_gone:
        yield "its outputs or classes are OTHERS"
    if ours.microseconds is not None and theirs.microseconds is not None:
        yield _more(ours.microseconds, theirs.microseconds, "as much", "time")
    yield _more(ours.size, theirs.size, "as many", "bytes")


def _details(ours: Side, theirs: Side, found: Comparison) -> Iterator[tuple[str, str]]:
    """Name and words of every check."""
    if ours.metric is not None and theirs.metric is not None:
        before = f"version {theirs.version} has {theirs.metric}"
        yield (
            _metric(found).replace(" ", "-"),
            f"On what the goldens expect: {ours.metric}, and {before}.",
        )
    elif found.expected is None:
        yield "expected", "What is right is not known of both, so neither is said to be better."
    words = _churn(found)
    left = f" Time was not enough for {found.left_out:,} rows." if found.left_out else ""
    yield "answers", f"{words[0].upper()}{words[1:]}.{left}"
    if found.outputs:
        yield "outputs", f"Of its outputs: {'; '.join(found.outputs)}."
    if found.classes_new:
        yield "classes-new", f"It can answer what the other cannot: {_names(found.classes_new)}."
    if found.classes_gone:
        yield "classes-gone", f"It cannot answer what the other can: {_names(found.classes_gone)}."
    other, batch = f"version {theirs.version}", found.batch
    time = (
        f"A batch of {batch.rows:,} rows takes {_ms(ours)} ms, and {other} {_ms(theirs)} ms: the "
        f"median of {batch.repeats} each, in turns, on a machine that may do other things. It is "
        "no gate."
    )
    yield "latency", time
    yield "size", f"Its files have {ours.size:,} bytes, and those of {other} {theirs.size:,}."


def _metric(found: Comparison) -> str:
    return "accuracy" if found.expected == "labels" else "mean error"


def _churn(found: Comparison) -> str:
    if found.labels is None and found.numbers is None:
        return "what both ANSWER IS OF DIFFERENT KINDS, and cannot be laid side by side"
    what = "numbers" if found.labels is None else "scores"
    told = [_labels(found.labels, found.rows)] if found.labels is not None else []
    told += [_numbers(found.numbers, what)] if found.numbers is not None else []
    return ", and ".join(told)


def _labels(found: LabelChurn, rows: int) -> str:
    count, tied = found.differing, found.tied
    ties = f", {tied:,} of them where two labels are as good" if tied else ""
    of_all = f"{_rows(count)} of {rows:,} ({_share(count, rows)})"
    return f"{of_all} get{'s' if count == 1 else ''} another label{ties}"


def _numbers(found: NumberChurn, what: str) -> str:
    none = found.no_number
    lone = f", and on {_rows(none)} only one answers a number" if none else ""
    return (
        f"its {what} are {_percent(found.median)} away in the median, and "
        f"{_percent(found.largest)} at most{lone}"
    )


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _share(count: int, rows: int) -> str:
    return f"{100 * count / max(rows, 1):.1f} %"


def _percent(part: str) -> str:
    return f"{100 * float(part):.3g} %"


def _more(now: int, before: int, same: str, of: str) -> str:
    """Against what it was, in percent."""
    change = 100 * (now - before) / max(before, 1)
    if abs(change) < 1:
        return f"{same} {of}"
    return f"{abs(change):,.0f} % {'more' if change > 0 else 'less'} {of}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(drawn(one) for one in names)


def _ms(side: Side) -> str:
    return f"{Decimal(side.microseconds or 0) / 1000:.3f}"


# -------------------------------------------------------------------- the table


def shown(said: Evidence) -> list[str]:
    """The table of a comparison; nothing of other evidence."""
    if said.kind != KIND:
        return []
    try:
        return [plain(text) for text in table(report_of(said))]
    except MalformedError:
        return ["what it compared is not understood"]


def table(said: RegressionReport) -> list[str]:
    """Both side by side; nothing where there is nothing to compare with."""
    found, listed, ours = said.comparison, said.listed, said.candidate
    if found is None or listed is None:
        return []
    rows = [("", f"version {listed.version} (listed)", f"version {ours.version}")]
    if ours.metric is not None and listed.metric is not None:
        rows.append((_metric(found), listed.metric, ours.metric))
    if found.labels is not None:
        rows.append(("other labels", "", f"{_share(found.labels.differing, found.rows)} of rows"))
    if found.numbers is not None:
        rows.append(("median difference", "", _percent(found.numbers.median)))
        rows.append(("largest difference", "", _percent(found.numbers.largest)))
    rows.append((f"ms for {found.batch.rows:,} rows", _ms(listed), _ms(ours)))
    rows.append(("bytes", f"{listed.size:,}", f"{ours.size:,}"))
    widths = [max(cells(row[at]) for row in rows) for at in range(3)]
    return [
        "  ".join(one + " " * (w - cells(one)) for one, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
