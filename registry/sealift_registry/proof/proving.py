"""The heart of the proof, in one process: two models and goldens in, findings out.

(1) The goldens are held by the variant's types, or refused. (2) Both models answer them. (3) Rows
of every kind are made. (4) Both answer those, slice by slice, as long as there is time; the first
slice tells how large the outputs are; some that went well are asked again, alone and a few at once.
(5) What differs is looked at again: is it rounding? (6) What
is expected is compared with what was answered. (7) All of it is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sealift_registry.frameworks.framework import Array, Model
from sealift_registry.proof import (
    batches,
    chosen_check_rows,
    comparing,
    expected_answers,
    findings,
    rounding,
    ties,
)
from sealift_registry.proof.advice import UNLIKE
from sealift_registry.proof.budget import Budget
from sealift_registry.proof.columns import columns
from sealift_registry.proof.comparing import Answers, Compared, Scale
from sealift_registry.proof.model_runs import HasInputs, Runner, joined, taken, types
from sealift_registry.proof.output_movement import Moving
from sealift_registry.proof.probe_order import Named, at_once, ordered, slices
from sealift_registry.proof.probe_rows import MEASURED, MILD, MOST_ROWS, Making, probes
from sealift_registry.proof.proof_report import SECONDS, Findings
from sealift_registry.proof.result import Result
from sealift_registry.proof.rounding import Merged
from sealift_registry.proof.table import held, laid_out
from sealift_registry.proof.tally import GOLDENS, MOST_KEPT, ComparedRow, RowTally
from sealift_registry.proof.withheld_outputs import shown_outputs
from sealift_registry.workers.channel import Progress
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import sentence

FOR_JUMPS = 0.2
"""Of the time: halving asks the source many times."""
LEAST_MERGED = 5
"""Golden rows that are looked at for what 32 bits merge, however large the answers are."""
FOR_THRESHOLDS = 0.1
"""Of the time: the ways to the nodes of deep trees are long."""


@dataclass(frozen=True)
class ProofScope:
    """How much is tried.

    Attributes:
        seed: of the rows; from the digests of goldens and model.
        seconds: that probe rows may take.
        most_rows: of them; 0 for goldens alone.
        as_it_is: the variant is a copy of the source, and nothing else was asked.
        labels_alone: what is expected are labels, and of no model's numbers.
        progress: told how many rows have been run.
        check_rows: given a file of check rows, where the proof passes and there are any.
    """

    seed: bytes = b""
    seconds: float = SECONDS
    most_rows: int = MOST_ROWS
    as_it_is: bool = False
    labels_alone: bool = False
    progress: Progress = lambda _subject, _done, _total: None
    check_rows: Callable[[bytes], object] | None = None


def proved(
    source: Model,
    variant: Model,
    goldens: Mapping[str, Array],
    expected: Array | None = None,
    plan: ProofScope | None = None,
) -> Findings:
    """Whether `variant` answers as `source` does, on goldens and on rows made to find out.

    Args:
        source: the model as it came.
        variant: what was made of it. Where it has `inputs` (name → type in ONNX Runtime's words),
            rows are of these types; else of 32-bit floats.
        goldens: inputs by name; the first axis counts the rows.
        expected: of each golden row, the right label, or number or numbers; None if not known.
        plan: how much is tried; all of it if None.

    Raises:
        RefusedError: the goldens do not fit, a label is expected that the model cannot answer, or
            one of the models cannot be run.
    """
    proof = _Proof(source, variant, goldens, plan or ProofScope())
    proof.run_goldens()
    if proof.plan.most_rows:
        proof.run_probes()
        proof.ask_again()
    else:
        proof.measure(proof.golden_answers[0])
        proof.count_goldens()
    proof.excuse()
    found = findings.findings(proof.result(expected))
    if found.verdict == "pass" and proof.plan.check_rows is not None:
        proof.hand_over(proof.plan.check_rows)
    return found


class _Proof:
    """What is known so far."""

    def __init__(
        self, source: Model, variant: Model, goldens: Mapping[str, Array], plan: ProofScope
    ) -> None:
        self.plan = plan
        self._given = goldens
        self._held = held(goldens, types(variant, goldens))  # (1)
        self._names = tuple(variant.inputs) if isinstance(variant, HasInputs) else ()
        self._source = Runner(source, in_doubles=True)
        self._variant = Runner(variant, in_doubles=False)
        self._single = Runner(source, in_doubles=False)
        self._facts = source.facts()
        self.layout = laid_out(self._held)
        self._table = self.layout.table(self._held)
        self._known = columns(self._table, self.layout.dtypes, self._facts)
        # Of a file that is compared with itself, that both readers differ there says nothing of it.
        nobody_says = self.plan.as_it_is and self._facts.no_promise
        self._no_promise = nobody_says and not np.isnan(self._table).any()
        self._tally = RowTally()
        self._made: Mapping[str, Array] = {}
        self._scales: Mapping[str, Scale] = {}
        self._measured_yet = False
        self._moving = Moving()
        self._at_once = 1
        self._seen: set[str] = set()
        self._total = len(self._table)
        self.golden_answers: tuple[Answers, Answers] = ({}, {})

    # ---------------------------------------------------------------- (2) goldens

    def run_goldens(self) -> None:
        """Let both models answer the goldens.

        Raises:
            RefusedError: one of them does not, or their answers are of different shapes.
        """
        self.plan.progress("both models answer the goldens", 0, 0)
        theirs = self._source.answers(self._held)
        ours = self._variant.answers(self._held)
        fault = comparing.fault(theirs, ours)
        if fault:
            raise RefusedError(
                "parity-outputs",
                f"The two models' answers cannot be compared: {fault}.",
                subject=", ".join(sorted(ours)),
                next_step=UNLIKE,
            )
        _check_names(theirs)
        self.golden_answers = theirs, ours
        self._at_once = at_once(theirs, len(self._table))
        for at in self._parts():
            self._keep(taken(theirs, at), taken(ours, at))

    def _parts(self) -> Iterator[Array]:
        """The numbers of the golden rows, so many at once as may be compared."""
        numbers = np.arange(len(self._table))
        return (numbers[at : at + self._at_once] for at in range(0, len(numbers), self._at_once))

    def measure(self, mild: Answers, noise: Answers | None = None) -> None:
        """Take the outputs' scale from ordinary answers."""
        self._scales = comparing.scales(mild, noise)
        self._tally.shown = shown_outputs(self.golden_answers[0], self._scales, self._facts)
        self._measured_yet = True

    def count_goldens(self) -> None:
        """Compare the answers to the goldens."""
        for at in self._parts():
            theirs, ours = (taken(one, at) for one in self.golden_answers)
            found = self._compared(self._table[at], theirs, ours)
            named = [(GOLDENS, number) for number in at.tolist()]
            self._tally.add(named, self._table[at], theirs, ours, found)

    def _compared(self, rows: Array, theirs: Answers, ours: Answers) -> dict[str, Compared]:
        """Both answers to `rows`; where labels seem to tie, the source is asked what decided."""

        def decisions() -> Array | None:
            return self._source.decisions(self.layout.inputs(rows))

        return comparing.side_by_side(theirs, ours, self._scales, decisions)

    # ---------------------------------------------------------------- (3) and (4) probes

    def run_probes(self) -> None:
        """Make rows, and let both models answer them as long as there is time."""
        budget = Budget(self.plan.seconds)
        self.plan.progress("making rows to find out", 0, 0)
        ask = self._within(Budget(FOR_JUMPS * self.plan.seconds))
        thresholds = Budget((FOR_JUMPS + FOR_THRESHOLDS) * self.plan.seconds)
        making = Making(self._table, self._known, self._facts, self.plan.seed, ask, thresholds)
        made, left_out = probes(making, self.plan.most_rows)
        for kind, count in left_out.items():
            self._tally.kind(kind).left_out += count
        self._made = made
        order = ordered(made)
        mild, ran = sum(kind in MILD for kind, _ in order), 0
        self._total += len(order)
        for some in slices(order, mild, budget, self._at_once):
            self._run(some, np.array([made[kind][at] for kind, at in some]))
            ran += len(some)
            self.plan.progress("both models answer rows", len(self._table) + ran, self._total)
        for kind, _ in order[ran:]:
            self._tally.kind(kind).left_out += 1
        if not self._measured_yet:
            self.measure(self.golden_answers[0])
            self.count_goldens()

    def _within(self, budget: Budget) -> Callable[[Array], Answers]:
        def ask(rows: Array) -> Answers:
            if budget.left < 0:
                raise TimeoutError
            return self._source.answers(self.layout.inputs(rows))

        return ask

    def _run(self, named: Named, rows: Array) -> None:
        """One slice: what the source refuses is dropped, what the variant refuses is wrong."""
        inputs = self.layout.inputs(rows)
        kinds = [kind for kind, _ in named]
        kept, theirs = self._source.tried(inputs, kinds)
        answered = set(kept.tolist())
        for at, (kind, _) in enumerate(named):
            if at not in answered:
                self._tally.kind(kind).dropped += 1
        if not len(kept):
            return
        those = [kinds[at] for at in kept.tolist()]
        took, ours = self._variant.tried(taken(inputs, kept), those)
        if not self._measured_yet:
            self._measured(named, rows, kept, theirs)
            self.count_goldens()
        names = [named[at] for at in kept.tolist()]
        self._count(names, rows[kept], theirs, took, ours)
        mild = np.array([kind in MILD for kind, _ in names])[took]
        both = taken(theirs, took)
        self._keep(taken(both, mild), taken(ours, mild), both)

    def _count(
        self, named: Named, rows: Array, theirs: Answers, took: Array, ours: Answers
    ) -> None:
        """Compare the variant's answers to those of `rows` that it took; the others are wrong."""
        apart = self._is_apart(rows)
        for at in sorted(set(range(len(rows))) - set(took.tolist())):
            if apart[at]:
                self._tally.set_apart([named[at]], np.ones(1, dtype=bool))
            else:
                self._tally.refused(*named[at], rows[at], theirs, at)
        for which in (np.flatnonzero(~apart[took]), np.flatnonzero(apart[took])):
            if not len(which):
                continue
            these, answers = took[which], taken(ours, which)
            both, names = taken(theirs, these), [named[at] for at in these.tolist()]
            found = self._compared(rows[these], both, answers)
            if apart[these].all():
                self._tally.set_apart(names, comparing.wrong_rows(found))
            else:
                self._tally.add(names, rows[these], both, answers, found)

    def _is_apart(self, rows: Array) -> Array:
        """By row, whether something is missing, and nobody says what is right then."""
        return np.asarray(np.isnan(rows).any(axis=1) & self._no_promise)

    def _keep(self, theirs: Answers, ours: Answers, seen: Answers | None = None) -> None:
        """Keep what ordinary answers tell: whether an output moves, and what labels there are."""
        self._moving.add(theirs, ours)
        for one in (theirs if seen is None else seen).values():
            if comparing.is_labels(one) and comparing.flat(one).shape[1] == 1:
                self._seen |= set(np.unique(one.astype(str)).tolist())

    def _measured(self, named: Named, rows: Array, kept: Array, answers: Answers) -> None:
        """The outputs' scale, by the goldens and the mildest rows of the first slice."""
        mild = np.array([named[at][0] in MEASURED for at in kept.tolist()])
        ordinary = rows[kept[mild]]
        those = taken(answers, mild)
        all_of = joined([self.golden_answers[0], those])
        table = np.concatenate([self._table, ordinary])
        try:
            noise = rounding.noise(self._source.answers, self.layout, self._known, table, all_of)
        except RefusedError:
            noise = {}
        self.measure(all_of, noise)

    def ask_again(self) -> None:
        """Ask the variant in other batches for some of the rows on which both agree."""
        most = min(batches.most_rows(self.layout.width), self._at_once)
        chosen = chosen_check_rows.chosen(self._tally.agreed, most, self.plan.seed)
        if not chosen:
            return
        self.plan.progress("rows in other batches", 0, 0)
        rows, theirs = self._answered(self._rows(chosen))
        draw = np.random.default_rng([*self.plan.seed, 5])
        inputs, count = self.layout.inputs(rows), len(rows)
        asked = batches.asked_again(self._variant, inputs, count, self.plan.seconds, draw)
        left: dict[str, int] = {}
        for kind, at, took, ours in asked:
            named = [(kind, number) for number in at.tolist()]
            self._count(named, rows[at], taken(theirs, at), took, ours)
            left[kind] = len(chosen) - int(at[-1]) - 1
        for kind, number in left.items():
            self._tally.kind(kind).left_out += number

    def _answered(self, rows: Array) -> tuple[Array, Answers]:
        """Those of `rows` that the source answers while there is time, and its answers."""
        budget, kept, parts, at = Budget(batches.SHARE * self.plan.seconds), [], [], 0
        while at < len(rows) and (at < batches.LEAST or budget.left > 0):
            some = rows[at : at + batches.SLICE]
            took, answers = self._source.tried(self.layout.inputs(some), ["again"] * len(some))
            if len(took):
                kept.append(some[took])
                parts.append(answers)
            at += len(some)
        return (np.concatenate(kept), joined(parts)) if parts else (rows[:0], {})

    @property
    def _rows_of(self) -> dict[str, Array]:
        """The rows of each kind, but for those that were asked again."""
        return {GOLDENS: self._table, **self._made}

    def _rows(self, named: Named) -> Array:
        return np.array([self._rows_of[kind][number] for kind, number in named])

    # ---------------------------------------------------------------- (5) rounding

    def excuse(self) -> None:
        """Find out which of the differing rows are rounding, and which are ties."""
        most = min(MOST_KEPT - 1, max(rounding.MOST_EXCUSED * self._tally.ran * 2, 10))
        if not 0 < len(self._differing()) <= most:
            return
        self.plan.progress("looking again at rows that differ", 0, 0)
        if not self._facts.trees:  # those that are fed the raw input round not
            self._excused(self._rounded)
        if self._facts.may_tie:
            self._tally.tied += self._excused(self._tied)

    def _rounded(self, rows: Sequence[ComparedRow]) -> Array:
        return rounding.excused(
            self._single.answers,  # in 32 bits, where the inputs are
            self.layout,
            self._known,
            np.array([one.values for one in rows]),
            joined([one.answers for one in rows]),
            self._scales,
            np.random.default_rng([*self.plan.seed, 1]),
        )

    def _tied(self, rows: Sequence[ComparedRow]) -> Array:
        return ties.shown(
            self._source,
            self.layout,
            self._known,
            rows,
            self._scales,
            np.random.default_rng([*self.plan.seed, 3]),
            may_turn=not self._facts.trees,
        )

    def _differing(self) -> list[ComparedRow]:
        return [one for one in self._tally.differing if not one.refused]

    def _excused(self, which: Callable[[Sequence[ComparedRow]], Array]) -> int:
        """Excuse those of the differing rows that `which` finds; and how many those are."""
        rows = self._differing()
        if not rows:
            return 0
        try:
            found = which(rows)
        except RefusedError:
            return 0
        for row, is_excused in zip(rows, found.tolist(), strict=True):
            if is_excused:
                self._tally.excuse(row)
        return int(found.sum())

    # ---------------------------------------------------------------- check rows

    def hand_over(self, to: Callable[[bytes], object]) -> None:
        """Give a file of check rows, if one can be made."""
        self.plan.progress("check rows", 0, 0)
        most = chosen_check_rows.most_rows(self._held, self.golden_answers[1])
        agreed = {kind: at for kind, at in self._tally.agreed.items() if kind in self._rows_of}
        named = chosen_check_rows.chosen(agreed, most, self.plan.seed)
        if not named:
            return
        packing = chosen_check_rows.Packing(
            *(self._source, self._variant, self.layout, self._scales, self._names),
            shown=self._tally.shown,
        )
        data = packing.packed(named, self._rows(named))
        if data is not None:
            to(data)

    # -------------------------------------------------------------- in the end: (6) and (7) follow

    def result(self, expected: Array | None) -> Result:
        """All that is known, with what is expected."""
        theirs, ours = self.golden_answers
        labels = self._labels(theirs)
        judged = None
        if expected is not None:
            expected, known = expected_answers.known(expected)
            both = taken(theirs, known), taken(ours, known)
            numbers = self._facts.predicts or not self.plan.labels_alone
            if known.any():
                judged = expected_answers.judged(expected, *both, labels, numbers=numbers)
        return Result(
            tally=self._tally,
            scales=self._scales,
            layout=self.layout,
            known=self._known,
            facts=self._facts,
            goldens=self._table,
            answers=(theirs, ours),
            labels=labels,
            merged=self._merged(),
            judged=judged,
            strange=expected_answers.strange(expected, self._seen, judged) if not labels else (),
            unfit=expected_answers.unfit(expected, judged),
            still=self._moving.still,
            constant=self._moving.constant,
            as_it_is=self.plan.as_it_is,
        )

    def _labels(self, answers: Answers) -> list[str]:
        """The labels that the model can answer: as it says, or as many as it has scores for."""
        if self._facts.classes:
            return list(self._facts.classes)
        width = expected_answers.width(answers)
        return sorted(self._seen) if len(self._seen) == width else []

    def _merged(self) -> Merged:
        wide = self.layout.in_doubles()
        # Four rows are made of each.
        table = wide.table(self._given)[: max(self._at_once // 4, LEAST_MERGED)]
        return rounding.merged(
            lambda rows, kinds: self._single.tried(wide.inputs(rows), kinds),
            table,
            self.layout.dtypes,
            np.random.default_rng([*self.plan.seed, 2]),
        )


def _check_names(answers: Answers) -> None:
    """Evidence names each output; two of one spelling would be one.

    Raises:
        RefusedError: two outputs are spelled alike once what no line shows is left out.
    """
    spelled = [sentence(name) for name in answers]
    alike = sorted({one for one in spelled if spelled.count(one) > 1})
    if alike:
        raise RefusedError(
            "parity-outputs",
            f"Two outputs of the model are both shown as {word(alike[0])}.",
            subject=alike[0],
            next_step="Export the model with other names for its outputs, in letters.",
        )
