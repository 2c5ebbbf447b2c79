"""What a comparison says in words: its checks, and the table that people are shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from sealift_registry.proof.figures import percent
from sealift_registry.regression.breakdowns import CANDIDATES, breaks_down
from sealift_registry.regression.regression_report import (
    KIND,
    Comparison,
    LabelChurn,
    Lapse,
    NumberChurn,
    OnRows,
    ProvedBy,
    RegressionReport,
    Rows,
    Side,
    report_of,
)
from sealift_signing.drawing import cells, drawn, plain
from sealift_signing.errors import MalformedError
from sealift_signing.more_member import TOLD_FIRST
from sealift_signing.statements import Check, Evidence
from sealift_signing.vocabulary import sentence


def checks(said: RegressionReport) -> tuple[Check, ...]:
    """All that was found; none of it fails, for none of it is a gate."""
    name = "compared" if _is_quiet(said) else TOLD_FIRST
    found = [Check(name, "pass", sentence(one)) for one in first(said)]
    told = _measured(said)
    comparison, listed = told.comparison, told.listed
    if comparison is not None and listed is not None:
        found += [
            Check(one, "pass", sentence(text))
            for one, text in _details(told.candidate, listed, comparison)
        ]
    return tuple(found)


def _measured(said: RegressionReport) -> RegressionReport:
    """Without errors of no number, for which evidence from before has the largest that there is."""
    candidate, listed = said.candidate, said.listed
    candidate = replace(candidate, metric=_finite(candidate.metric))
    listed = None if listed is None else replace(listed, metric=_finite(listed.metric))
    rows, found = said.proved_by, None if said.proved_by is None else said.proved_by.found
    if rows is not None and found is not None:
        ours, theirs = _finite(found.candidate), _finite(found.listed)
        rows = replace(rows, found=replace(found, candidate=ours, listed=theirs))
    return replace(said, candidate=candidate, listed=listed, proved_by=rows)


def _finite(metric: str | None) -> str | None:
    return metric if metric is not None and math.isfinite(float(metric)) else None


def _is_quiet(said: RegressionReport) -> bool:
    """Whether nothing else of the model ever was listed: nobody has to look at that first."""
    if said.nothing == "itself":
        return not said.no_more and (said.proved_by is None or said.proved_by.nothing != "itself")
    return said.nothing == "first" and not said.why


def summary(said: RegressionReport) -> str:
    """What to look at before all else, in one sentence."""
    return first(said)[0]


def first(said: RegressionReport) -> list[str]:
    """What is told first: the worse of both sets of rows, whose rows they are, and the other set.

    Whoever asks chose the candidate's rows: on these alone it may look as right as they like.
    """
    said = _measured(said)
    listed, rows = said.listed, said.proved_by
    if listed is None:
        beside = f"; {said.why.rstrip('.')}" if said.why else ""
        where = f"no version for {said.hardware_target} is listed for {said.stage}"
        return [f"Nothing to compare with: {where}{beside}."]
    found = list(_found(said, listed))
    lead = f"Compared with version {listed.version}, which is listed for {said.stage}, on "
    others = [*_since(said, listed), *(_others(rows, listed) if rows is not None else ())]
    breaks = list(breaks_down(said, listed))
    if not found:
        return [*breaks, f"Nothing to compare with: {_nothing(said, listed)}.", *others]
    others += [UNMEASURED] if _is_unmeasured(said) else []
    told = [*breaks, f"{lead}{found[0]}", *others, *(f"On {one}" for one in found[1:])]
    if said.comparison is None:
        told.append(f"On its own golden rows nothing was compared: {_nothing(said, listed)}.")
    return told


UNMEASURED = (
    "BY ITS OWN golden rows neither could be measured: they do not say what is right, or what "
    "they say fits no answer."
)


def _is_unmeasured(said: RegressionReport) -> bool:
    """Whether only the listed version's rows say what is right."""
    own, theirs = said.comparison, None if said.proved_by is None else said.proved_by.found
    return own is not None and theirs is not None and bool(theirs.expected and not own.expected)


def _found(said: RegressionReport, listed: Side) -> Iterator[str]:
    """On which rows both were compared, and what was found there; the worst first."""
    found, rows, own = said.comparison, said.proved_by, None
    if found is not None:
        on = _own_rows(found, rows, listed)
        own = f"{on}: {'; '.join(_short(said.candidate, listed, found))}."
    if rows is None or rows.found is None:
        yield from [own] if own is not None else []
        return
    theirs = f"{_their_rows(rows, rows.found, listed)}: {'; '.join(_metrics(rows.found))}."
    if own is None or found is None:
        yield theirs
        return
    both = [theirs, own]
    fell = _fell(found, said.candidate.metric, listed.metric)
    fell_there = _fell(rows.found, rows.found.candidate, rows.found.listed)
    if fell is None and fell_there is None:
        is_worse = _moved(found) > _moved(rows.found)
    else:  # on doubt the listed version's rows come first: whoever asks did not choose these
        is_worse = fell is not None and fell > (fell_there or 0.0)
    yield from reversed(both) if is_worse else both


def _fell(found: Comparison | OnRows, ours: str | None, theirs: str | None) -> float | None:
    """How much worse the candidate is on some rows, as a part of 1; None if nobody knows."""
    if theirs is None:
        return None
    if ours is None:  # what cannot be told may be anything
        return 1.0
    now, before = float(ours), float(theirs)
    if found.expected == "labels":
        return before - now
    return (now - before) / max(now, before, TINY)


def _moved(found: Comparison | OnRows) -> float:
    """How much of what it answers on some rows is something else, as a part of 1."""
    if found.without_labels:
        return 1.0
    lost = _lost(found) / max(found.rows, 1)
    if found.labels is not None:
        return max(lost, found.labels.differing / max(found.rows, 1))
    if found.numbers is None:
        return lost
    return lost + (1 - lost) * min(float(_parts(found.numbers)[0]), 1.0)


def _lost(found: Comparison | OnRows) -> int:
    """Rows on which the candidate answers no number, and the listed version does."""
    return 0 if found.numbers is None else found.numbers.lost or 0


TINY = 1e-300
"""Instead of dividing by nothing."""


# -------------------------------------------------------------------- whose rows they are


def _own_rows(found: Comparison, rows: ProvedBy | None, listed: Side) -> str:
    """The candidate's golden rows; in evidence from before, all that was said of them."""
    if rows is None:
        return f"the same {found.rows:,} golden rows"
    left, total = found.left_out, found.rows + found.left_out
    some = f"{found.rows:,} of " if left else ""
    if rows.nothing == "same":
        return f"{some}the same {total:,} golden rows{_distinct(rows.own)} by which {_was(listed)}"
    return f"{some}its own {total:,} golden rows{_distinct(rows.own)}"


def _their_rows(rows: ProvedBy, found: OnRows, listed: Side) -> str:
    total = found.rows + found.left_out
    some = f"{found.rows:,} of " if found.left_out else ""
    return f"{some}the {total:,} golden rows{_distinct(rows.theirs)} by which {_was(listed)}"


def _was(listed: Side) -> str:
    return f"version {listed.version} was approved"


def _distinct(rows: Rows | None) -> str:
    """Rows that count many times make any share of them what whoever chose them likes."""
    if rows is None or rows.distinct == rows.total:
        return ""
    return f" (REPEATED: {rows.distinct:,} distinct)"


def _others(rows: ProvedBy, listed: Side) -> Iterator[str]:
    """How the candidate's golden rows differ, and what was not compared on the listed version's."""
    by = f"by which {_was(listed)}"
    if rows.own and rows.theirs and rows.both is not None:
        yield from _strange(rows.own, rows.theirs, rows.both, by)
        if rows.otherwise:
            count = f"{_rows(rows.otherwise)} that {'is' if rows.otherwise == 1 else 'are'} in both"
            yield f"Of {count} its goldens EXPECT SOMETHING ELSE than those {by}."
        if rows.unsaid:
            count = f"{_rows(rows.both)} that {'is' if rows.both == 1 else 'are'} in both"
            yield f"Of {count} its goldens NO LONGER SAY of {rows.unsaid:,} what is right."
    if rows.nothing == "itself":
        yield "Its golden rows DIFFER FROM those by which it was approved."
    elif rows.nothing == "none":
        yield f"No golden rows are known {by}: WHOEVER ASKS CHOSE those that there are."
    elif rows.nothing == "gone":
        yield f"The golden rows {by} ARE LOST or damaged in the hub's store: NOT COMPARED on them."
    elif rows.nothing in {"not-run", "broke-down"} and rows.why and rows.broke not in CANDIDATES:
        listed_does = f"version {listed.version} BREAKS DOWN on them: " if rows.broke else ""
        why = rows.why.rstrip(".")
        yield f"On the golden rows {by} it was NOT COMPARED: {listed_does}{why}."


def _since(said: RegressionReport, listed: Side) -> Iterator[str]:
    """What was listed after the listed version and no longer counts: its rows may be the harder."""
    asked = {said.goldens, None if said.proved_by is None else said.proved_by.goldens, None}
    for one in said.no_more or ():
        itself = " itself" if one.version == said.candidate.version else ""
        rows = (
            ""
            if one.goldens in asked
            else " NOT COMPARED on the golden rows by which it was approved."
        )
        yield (
            f"Version {one.version}{itself} was listed after version {listed.version}, and NO "
            f"LONGER COUNTS: {LAPSED[one.why]}.{rows}"
        )


LAPSED: Mapping[Lapse, str] = {
    "withdrawn": "it was withdrawn",
    "approvals": "too few of its approvals still count",
    "request": "its request no longer counts",
    "not-listed": "the catalog no longer lists it",
    "lost": "the hub lacks something that its promotion names",
}


def _strange(own: Rows, theirs: Rows, both: int, by: str) -> Iterator[str]:
    if both == own.distinct == theirs.distinct:
        return
    if both == own.distinct:
        left = theirs.distinct - both
        yield (
            f"Its own golden rows are ONLY {both:,} OF THE {theirs.distinct:,} {by}: "
            f"{left:,} {'is' if left == 1 else 'are'} left out."
        )
        return
    ours = f"{own.distinct:,}{' distinct ones' if own.distinct < own.total else ''}"
    among = f"{both:,} of its {ours} {'is' if both == 1 else 'are'} among them"
    yield f"Its own golden rows DIFFER FROM the {theirs.total:,} {by}: {among}."


# -------------------------------------------------------------------- what was found


def _nothing(said: RegressionReport, listed: Side) -> str:
    other = f"version {listed.version}, which is listed for {said.stage},"
    why = (said.why or "").rstrip(".")
    if said.broke in CANDIDATES:
        return "this version breaks down on its own golden rows"
    if said.nothing == "broke-down" and said.broke == "listed":
        return f"{other} breaks down on them: {why}"
    return {
        "itself": f"version {listed.version} itself is what is listed for {said.stage}",
        "inputs": f"{other} takes other inputs: {why}",
        "gone": f"the files of {other} are lost or damaged in the hub's store",
        "not-run": f"{other} does not answer these goldens: {why}",
        "broke-down": f"{other} could not be run beside this one: {why}",
    }.get(said.nothing or "", f"{other} was not compared")


def _short(ours: Side, theirs: Side, found: Comparison) -> Iterator[str]:
    yield from _figures(found, ours.metric, theirs.metric)
    if found.outputs or found.classes_new or found.classes_gone:
        yield "its outputs or classes DIFFER"
    if ours.microseconds is not None and theirs.microseconds is not None:
        yield _more(ours.microseconds, theirs.microseconds, "as much", "time")
    yield _more(ours.size, theirs.size, "as many", "bytes")


def _metrics(found: OnRows) -> Iterator[str]:
    yield from _figures(found, found.candidate, found.listed)
    if found.outputs:
        yield "its outputs DIFFER on them"


def _figures(found: Comparison | OnRows, ours: str | None, theirs: str | None) -> Iterator[str]:
    if _lost(found):
        yield _no_number(found)
    if theirs is not None:
        now = f" {ours}, was {theirs}"
        lost = f" was {theirs}, and this version's CANNOT BE TOLD"
        yield f"{_metric(found)}{lost if ours is None else now}{_of_known(found)}"
    if found.without_labels:
        yield "WHICH LABELS it answers cannot be told, and those of the listed version can"
    yield _churn(found)


def _no_number(found: Comparison | OnRows) -> str:
    lost = _lost(found)
    on = f"{_rows(lost)} of {found.rows:,} ({_share(lost, found.rows)})"
    return f"it answers NO NUMBER on {on}, and the listed version does"


def _of_known(found: Comparison | OnRows) -> str:
    """Whoever asks may leave out the answers to rows that the candidate gets wrong."""
    if found.known is None or found.known == found.rows:
        return ""
    return f", of the {_rows(found.known)} whose answer is known"


def _details(ours: Side, theirs: Side, found: Comparison) -> Iterator[tuple[str, str]]:
    """Name and words of every check."""
    if _lost(found):
        told = _no_number(found)
        yield "no-number", f"{told[0].upper()}{told[1:]}."
    if theirs.metric is not None:
        known = "" if found.known is None else f" of {found.known:,} of {found.rows:,} rows"
        now = f"{ours.metric}" if ours.metric is not None else "it CANNOT BE TOLD"
        before = f"version {theirs.version} has {theirs.metric}"
        words = f"On what the goldens expect{known}: {now}, and {before}."
        yield _metric(found).replace(" ", "-"), words
    elif found.expected is None:
        yield "expected", "The right answers are not known for both, so neither is called better."
    words = _churn(found)
    left = f" There was no time for {_rows(found.left_out)}." if found.left_out else ""
    yield "answers", f"{words[0].upper()}{words[1:]}.{left}"
    if found.outputs:
        yield "outputs", f"Of its outputs: {'; '.join(found.outputs)}."
    if found.classes_new:
        yield "classes-new", f"It can answer what the other cannot: {_names(found.classes_new)}."
    if found.classes_gone:
        yield "classes-gone", f"It cannot answer what the other can: {_names(found.classes_gone)}."
    other, batch = f"version {theirs.version}", found.batch
    time = "They were not timed: they could not be run side by side."
    if batch is not None:
        time = (
            f"A batch of {batch.rows:,} rows takes {_ms(ours)} ms, and {other} {_ms(theirs)} ms: "
            f"the median of {batch.repeats} each, in turns, on a machine that may have other "
            "work. It is not a gate."
        )
    yield "latency", time
    yield "size", f"Its files have {ours.size:,} bytes, and those of {other} {theirs.size:,}."


def _metric(found: Comparison | OnRows) -> str:
    return "accuracy" if found.expected == "labels" else "mean error"


def _churn(found: Comparison | OnRows) -> str:
    if found.labels is None and found.numbers is None:
        return "the two ANSWER WITH DIFFERENT KINDS of values, which cannot be compared"
    what = "numbers" if found.labels is None else "scores"
    told = [_labels(found.labels, found.rows)] if found.labels is not None else []
    told += [_numbers(found.numbers, what, found.rows)] if found.numbers is not None else []
    return ", and ".join(told)


def _labels(found: LabelChurn, rows: int) -> str:
    count, tied = found.differing, found.tied
    good = "of them where the listed version has two equally good answers"
    ties = f", {tied:,} {good}" if tied else ""
    of_all = f"{_rows(count)} of {rows:,} ({_share(count, rows)})"
    return f"{of_all} get{'s' if count == 1 else ''} another label{ties}"


def _numbers(found: NumberChurn, what: str, rows: int) -> str:
    none = found.no_number
    if none and none == rows:
        return f"on no row do both answer {what}"
    lone = f", and on {_rows(none)} only one answers a number" if none else ""
    (median, largest), of_spread = map(_percent, _parts(found)), _of_spread(found)
    return f"its {what} are {median}{of_spread} away in the median, and {largest} at most{lone}"


def _parts(found: NumberChurn) -> tuple[str, str]:
    """Median and largest of what numbers moved by: as parts of their spread, if they have one."""
    by = found.by_spread or found
    return by.median, by.largest


def _of_spread(found: NumberChurn) -> str:
    return " of the listed version's spread" if found.by_spread is not None else ""


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _share(count: int, rows: int) -> str:
    return f"{percent(count / max(rows, 1))} %"


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
    said = _measured(said)
    found, listed, ours = said.comparison, said.listed, said.candidate
    theirs = None if said.proved_by is None else said.proved_by.found
    if listed is None or (found is None and theirs is None):
        return []
    rows = [("", f"version {listed.version} (listed)", f"version {ours.version}")]
    if theirs is not None:
        rows.append((f"on version {listed.version}'s golden rows", "", ""))
        rows += _row_figures(theirs, theirs.candidate, theirs.listed)
    if theirs is not None and found is not None:
        rows.append(("on its own golden rows", "", ""))
    if found is not None:
        rows += _row_figures(found, ours.metric, listed.metric)
        if found.batch is not None:
            rows.append((f"ms for {found.batch.rows:,} rows", _ms(listed), _ms(ours)))
    rows.append(("bytes", f"{listed.size:,}", f"{ours.size:,}"))
    widths = [max(cells(row[at]) for row in rows) for at in range(3)]
    return [
        "  ".join(one + " " * (w - cells(one)) for one, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _of_rows(found: Comparison | OnRows) -> str:
    if found.known is None:
        return ""
    known = "" if found.known == found.rows else f"{found.known:,} of "
    return f" ({known}{found.rows:,} rows)"


def _row_figures(
    found: Comparison | OnRows, ours: str | None, listed: str | None
) -> Iterator[tuple[str, str, str]]:
    if _lost(found):
        yield "NO NUMBER", "", f"{_share(_lost(found), found.rows)} of rows"
    if listed is not None:
        yield (
            f"{_metric(found)}{_of_rows(found)}",
            listed,
            "CANNOT BE TOLD" if ours is None else ours,
        )
    if found.without_labels:
        yield "labels", "", "CANNOT BE TOLD"
    if found.labels is not None:
        yield "other labels", "", f"{_share(found.labels.differing, found.rows)} of rows"
    if found.numbers is not None and found.numbers.no_number < found.rows:
        yield "median difference", "", _percent(found.numbers.median)
        yield "largest difference", "", _percent(found.numbers.largest)
