"""What the proof says in words: its checks, and what whoever approves is told first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sealift_registry.frameworks.framework import Array, ModelFacts
from sealift_registry.proof.batches import ASKED, BATCHES
from sealift_registry.proof.columns import Columns
from sealift_registry.proof.expected_answers import ExpectationResult
from sealift_registry.proof.figures import decimal, percent
from sealift_registry.proof.proof_report import Verdict
from sealift_registry.proof.rounding import FEW, MOST_EXCUSED, Merged
from sealift_registry.proof.tally import ComparedRow, KindTally, RowTally
from sealift_registry.proof.withheld_outputs import ANOTHER, AWAY
from sealift_signing.drawing import word
from sealift_signing.statements import Check
from sealift_signing.vocabulary import sentence

ORDINARY = "ordinary"

CHECKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "goldens": ("golden rows", ("goldens",)),
    ORDINARY: ("rows as ordinary as the goldens", ("permuted", "noise", "corners", "mixed")),
    "range": (
        "rows of another range, scale or sign",
        (
            *("far-noise", "uniform", "sweep", "scaled", "scaled-back", "negated", "zeros"),
            "shifted",
        ),
    ),
    "missing": (
        "rows with something missing",
        ("missing", "missing-some", "missing-at-nodes"),
    ),
    "categories": ("rows of unknown and broken categories", ("fractions", "unknown")),
    "thresholds": (
        "rows beside thresholds, edges, jumps and what the model remembers",
        ("edges", "thresholds", "jumps", "stored"),
    ),
    "batches": ("rows asked again in other batches", tuple(BATCHES)),
}
"""Check → what its rows are, and the kinds of them."""

MOST_LOST = 0.01
"""Of the source's accuracy: no tie takes more."""

ALONE = (
    "The ONNX file was compared with itself: it was taken as it is, and nothing was asked of the "
    "model that it was exported from. An export that dropped something of that model passes. Only "
    "goldens with `expected`, the answers of the trained model itself, can show that the file is "
    "right."
)
"""What a proof is worth whose source is the file that it proves, and nobody knows its answers."""

MOST_TOLD = 3
"""Of things of which there may be many."""


def rows_checks(tally: RowTally) -> list[Check]:
    """A check for each group of kinds: all alike, or which row is not."""
    found = []
    for name, (what, kinds) in CHECKS.items():
        counts = [tally.kinds[kind] for kind in kinds if kind in tally.kinds]
        ran, dropped = sum(one.ran for one in counts), sum(one.dropped for one in counts)
        wrong = sum(one.wrong for one in counts)
        left_out = sum(one.left_out for one in counts)
        excused = sum(one.excused for one in counts)
        apart = sum(one.apart for one in counts)
        if not ran + dropped + left_out:
            continue
        counted = [(kind, tally.kinds[kind].ran) for kind in kinds if kind in tally.kinds]
        of_which = ", ".join(f"{count:,} {kind}" for kind, count in counted if count)
        which = f" ({of_which})" if len(kinds) > 1 else ""
        said = [f"{_of(ran, what)}{which}: {_alike(ran, wrong, excused, apart)}"] if ran else []
        if wrong:
            first = worst_of(tally, kinds)
            said += [row_words(first)] if first else []
        if dropped:
            rows = f"{dropped:,} more {_be(dropped)}" if ran else _all_of(dropped, what)
            said.append(f"{rows} refused by the source")
        if left_out:
            rows = f"{left_out:,} more" if said else _of(left_out, what)
            said.append(f"there was no time for {rows}")
        # Rows as ordinary as the goldens, and none is taken: then the goldens alone were compared.
        untried = name == ORDINARY and dropped and not ran
        verdict: Verdict = "fail" if wrong or untried else "pass"
        words = "; ".join(said)
        found.append(Check(name, verdict, sentence(f"{words[0].upper()}{words[1:]}.")))
    return found


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _all_of(count: int, what: str) -> str:
    return f"{_of(count, what)} {'is' if count == 1 else 'are all'}"


def _of(count: int, what: str) -> str:
    """So many of the rows that `what` says, which begins with their plural, or `golden rows`."""
    return f"{count:,} {what.replace('rows', 'row', 1) if count == 1 else what}"


def _alike(ran: int, wrong: int, excused: int, apart: int) -> str:
    if wrong:
        return f"{wrong + apart:,} {_be(wrong + apart)} answered differently"
    if apart:
        return (
            f"{apart:,} {_be(apart)} answered differently, but nothing is missing in the goldens, "
            "and no operator of the file looks for it: nobody says what is right then"
        )
    but = f", but for {excused:,} that rounding or a tie excuses" if excused else ""
    return f"{'it is' if ran == 1 else 'all are'} answered alike{but}"


def worst_of(tally: RowTally, kinds: Sequence[str]) -> ComparedRow | None:
    """The row of some kinds that is furthest off, of those that were kept."""
    rows = [one for one in tally.differing if one.kind in kinds]
    return max(rows, key=lambda one: one.ratio, default=None)


def row_words(row: ComparedRow) -> str:
    """A row and both answers to it."""
    column = "" if row.column is None else f", column {row.column},"
    of = ASKED.get(row.kind, row.kind)
    where = f"in row {row.number} of {of}, {word(row.output)}{column}"
    if row.withheld:
        return f"{where} {_off(row)}{_may(row)}"
    apart = "" if row.apart is None else f"; they are {decimal(row.apart)} apart"
    return (
        f"{where} is {word(row.source)} in the source and {word(row.variant)} in the variant"
        f"{apart}{_may(row)}"
    )


def _may(row: ComparedRow) -> str:
    """How far apart two numbers may be; where one is none, that is no measure."""
    if row.allowed is None or row.apart is None:
        return ""
    return f"; they may be {decimal(row.allowed)} apart there"


def _off(row: ComparedRow) -> str:
    """How far two answers lie apart that are not shown."""
    if row.variant == ANOTHER:
        return "is different in the variant"
    if row.variant.endswith(AWAY):
        return f"differs by {row.variant.removesuffix(AWAY)}"
    return f"is {row.variant}"


def rounding_check(tally: RowTally) -> Check:
    """More rows excused than an accident would have are a fault, also of those asked again."""
    count, again = (sum(one.excused for one in kinds) for kinds in _once_and_again(tally))
    ran, ran_again = (sum(one.ran for one in kinds) for kinds in _once_and_again(tally))
    failed = _is_much(count, ran) or _is_much(again, ran_again)
    differ = "differs" if count == 1 else "differ"
    words = f"{count:,} of {ran:,} rows {differ} by the rounding of 32 bits alone"
    if tally.tied:
        words += f", or where two answers are equally good ({tally.tied:,})"
    if again:
        words += (
            f"; so {'does' if again == 1 else 'do'} {again:,} of {ran_again:,} that were asked "
            "again"
        )
    if failed:
        words += ", which is too often for an accident"
    return Check("rounding", "fail" if failed else "pass", f"{words}.")


def _once_and_again(tally: RowTally) -> tuple[list[KindTally], list[KindTally]]:
    """The kinds of rows that were asked first, and of those that were asked again."""
    kinds = tally.kinds.items()
    return (
        [one for kind, one in kinds if kind not in BATCHES],
        [one for kind, one in kinds if kind in BATCHES],
    )


def _is_much(count: int, ran: int) -> bool:
    return count > max(MOST_EXCUSED * ran, FEW)


def merging_check(merged: Merged, dtype: str) -> Check:
    """What the variant's type merges."""
    if merged.is_blind:
        words = (
            f"Whether {dtype} merges values that differ could not be seen: the source refused "
            f"{merged.refused:,} of the {merged.rows + merged.refused:,} rows that were tried."
        )
        return Check("merging", "fail", words)
    if not merged.rows:
        return Check("merging", "pass", f"{dtype} holds the goldens exactly as they are.")
    words = (
        f"The source answers {merged.merged:,} of {merged.rows:,} rows differently once their "
        f"values are rounded to {dtype}, as the variant takes them"
    )
    return Check("merging", "fail" if merged.too_many else "pass", f"{words}.")


def moving_check(still: Mapping[str, str]) -> Check:
    """Outputs that do not move as the source's do, by name."""
    if not still:
        return Check(
            "moving", "pass", "Every output moves where the source's does, and only there."
        )
    said = "; ".join(f"the variant's {word(name)} {what}" for name, what in still.items())
    return Check("moving", "fail", sentence(f"{said}."))


def coverage_check(lacks: Sequence[str]) -> Check:
    """What only rows that were made to find out have shown."""
    words = " ".join(lacks) or "The goldens show everything that the model says it knows."
    return Check("coverage", "pass", sentence(words))


def expected_check(judged: ExpectationResult, classes: Sequence[str]) -> Check:
    """How both do what is expected of them."""
    if judged.kind == "labels":
        words = (
            f"Of {judged.rows:,} expected labels the source gets {percent(judged.source)}% right, "
            f"the variant {percent(judged.variant)}%"
        )
        if classes:
            words += f"; the classes are {named(classes)}"
    else:
        words = (
            f"Of {judged.rows:,} expected numbers the source {_error(judged.source)}, "
            f"the variant {_error(judged.variant)}; always answering their mean is "
            f"off by {decimal(judged.chance)}"
        )
    lost = judged.kind == "labels" and judged.source - judged.variant > MOST_LOST
    return Check("expected", "fail" if lost else "pass", sentence(f"{words}."))


def _error(mean: float) -> str:
    """The largest number of all would be read as one that was measured."""
    if not math.isfinite(mean):
        return "answers NO NUMBER on some"
    return f"is off by {decimal(mean)} on average"


def named(names: Sequence[str], most: int = 12) -> str:
    """Names of things, not more than can be read."""
    shown = ", ".join(word(one) for one in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


# -------------------------------------------------------------------- told first, and never shown


def first(
    judged: ExpectationResult | None,
    unfit: str,
    constant: Mapping[str, str],
    strange: Sequence[str],
    *,
    as_it_is: bool = False,
    of_nobody: str = "",
) -> list[str]:
    """What whoever approves is told before all else."""
    poorly = _poorly(judged) if judged is not None else ""
    said = [poorly] if poorly else []
    if strange:
        said.append(f"The goldens expect {named(strange)}, which the model answered on no row.")
    missed = [one for one in judged.missed if one[0] not in strange] if judged is not None else []
    said += [_missed(missed)] if missed else []
    said += [unfit] if unfit else []
    said += [f"{word(name)} {what}." for name, what in constant.items()]
    said += [of_nobody] if of_nobody else []
    said += [ALONE] if as_it_is and judged is None else []
    return [sentence(one) for one in said]


def of_nobody(tally: RowTally) -> str:
    """That both readers of one file differ where something is missing; empty if they do not."""
    if not tally.apart:
        return ""
    ran = sum(one.ran for kind, one in tally.kinds.items() if kind in CHECKS["missing"][1])
    return (
        f"{tally.apart:,} of {_of(ran, 'rows with something missing')} {_be(tally.apart).upper()} "
        "ANSWERED DIFFERENTLY by ONNX Runtime and the reference evaluator. Nothing is missing in "
        "the goldens, and no operator of the file looks for it: what it answers to NaN is nobody's "
        "promise."
    )


def _missed(missed: Sequence[tuple[str, int]]) -> str:
    """Classes that nobody gets from this model, though its accuracy may be high."""
    named = [
        f"{count:,} golden {'rows expect' if count > 1 else 'row expects'} {word(name)}"
        for name, count in missed[:MOST_TOLD]
    ]
    more = len(missed) - MOST_TOLD
    further = f", and the same holds for {more:,} more {'label' if more == 1 else 'labels'}"
    words = f"{', '.join(named)}; the model answers none of them as expected"
    return f"{words}{further if len(missed) > MOST_TOLD else ''}."


def repeated(goldens: Array) -> str:
    """That most golden rows are repetitions of others; empty where they are not.

    Rows that count many times make any share of them what whoever chose them likes.
    """
    distinct = len({one.tobytes() for one in np.ascontiguousarray(goldens)})
    if 2 * distinct >= len(goldens):
        return ""
    only = "1 is" if distinct == 1 else f"{distinct:,} are"
    return f"MOST GOLDEN ROWS ARE REPEATED: of {len(goldens):,} only {only} distinct."


def _poorly(judged: ExpectationResult) -> str:
    """What is to be said of how often, or how nearly, both answer as is expected; empty if well."""
    if not judged.is_poor:
        if judged.kind == "labels" or not 1 / 2 <= judged.exact < 1:
            return ""
        return (
            f"{percent(judged.exact)}% of the golden rows are answered exactly as expected, and "
            "the others are not: something of the model may have been lost before its file."
        )
    how = "THE ANSWERS ARE WRONG" if judged.is_wrong else "THE ANSWERS ARE NO BETTER THAN GUESSING"
    if judged.kind == "labels":
        return (
            f"{how}: of {judged.rows:,} expected labels the source gets {percent(judged.source)}% "
            f"right and the variant {percent(judged.variant)}%; always answering the most "
            f"frequent one would get {percent(judged.chance)}%."
        )
    return (
        f"{how}: the source {_error(judged.source)}, the variant {_error(judged.variant)}; "
        f"always answering the mean of what is expected is off by "
        f"{decimal(judged.chance)}."
    )


def never(
    goldens: Array,
    known: Columns,
    facts: ModelFacts,
    labels: Sequence[str],
    seen: set[str],
    missing: int,
) -> list[str]:
    """What the goldens never show, though the model knows of it.

    Args:
        goldens: as a table.
        known: of its columns.
        facts: of the source.
        labels: that it can answer.
        seen: labels that it answers on the goldens.
        missing: rows with something missing that it answers.
    """
    said = []
    lacks = [one for one in labels if one not in seen]
    if lacks:
        said.append(f"No golden row is answered with {named(lacks)}.")
    unseen = [
        at
        for at, values in sorted(facts.categories.items())
        if at < goldens.shape[1] and not np.isin(values, goldens[:, at]).all()
    ]
    if unseen:
        said.append(f"Categories of {_columns(unseen)} appear in no golden row.")
    if missing and not np.isnan(goldens).any():
        said.append(
            "The model also answers rows in which a value is missing. No golden row is such a row: "
            "nobody says what is right there."
        )
    if known.beyond:
        said.append(f"The model decides beyond the goldens' range in {_columns(known.beyond)}.")
    return [sentence(one) for one in said]


def _columns(at: Sequence[int]) -> str:
    if len(at) == 1:
        return f"column {at[0]}"
    if len(at) <= MOST_TOLD:
        return f"columns {', '.join(map(str, at))}"
    return f"{len(at):,} columns"


def summary(tally: RowTally, verdict: str) -> str:
    """All of it in one sentence."""
    goldens = tally.kind("goldens").ran
    made = tally.ran - goldens
    again = sum(one.wrong for kind, one in tally.kinds.items() if kind in BATCHES)
    wrong = sum(one.wrong for one in tally.kinds.values()) - again
    rows = f"On {goldens:,} golden rows and {made:,} probe {'row' if made == 1 else 'rows'}"
    if wrong:
        said = f"{rows} {wrong:,} {_be(wrong)} answered differently"
    elif again:
        differ = "differs" if again == 1 else "differ"
        said = f"{rows} the answers are alike, but {again:,} {differ} in other batches"
    elif verdict == "pass":
        said = f"{rows} the variant answers as the source does"
    else:
        said = f"{rows} the answers are alike, but not all is well"
    nearest = max(
        (one.near for one in tally.outputs.values() if one.kind == "numbers" and one.near[0] >= 0),
        default=None,
    )
    excused = sum(one.excused for one in _once_and_again(tally)[0])
    if excused:
        said += f", but for {excused:,} where 32 bits round to the other side"
        said += " or two answers are equally good" if tally.tied else ""
    if tally.apart:
        said += f", but for {tally.apart:,} with something missing, where nobody says what is right"
    if nearest is not None and not wrong + again:
        part, may = nearest
        said += f"; the worst difference is {decimal(part * may)} where {decimal(may)} is allowed"
    return said
