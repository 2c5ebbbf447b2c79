"""What the proof must see, each by the check that is there for it; and what it must let pass."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from sealift_registry.frameworks.framework import (
    LABEL,
    PROBABILITIES,
    VARIABLE,
    Array,
    ModelFacts,
    Tree,
)
from sealift_registry.proof.proof_report import Findings
from sealift_registry.proof.proving import ProofScope, proved
from sealift_signing import shape
from sealift_signing.errors import RefusedError
from tests.registry.proof_models import (
    TREE,
    WEIGHTS,
    Answer,
    Made,
    Typed,
    classifier,
    failing,
    linear,
    missing,
    proof,
    refusing,
    rows,
    tree,
)

TREES = ModelFacts(trees=(TREE,))


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e7])
def test_p0_20_an_output_is_measured_by_its_own_scale(scale: float) -> None:
    honest = proof(linear(scale), linear(scale))
    assert failing(honest) == set()
    assert "goldens" in failing(proof(linear(scale), linear(scale * 1.01)))
    assert "goldens" in failing(proof(linear(scale), linear(scale / 100)))


def test_p0_20_a_small_output_beside_a_large_one_is_measured_too() -> None:
    def both(small: float) -> Answer:
        def answer(x: Array) -> dict[str, Array]:
            large = x @ WEIGHTS.astype(x.dtype)
            return {VARIABLE: np.stack([large * 1e6, x[:, 0] * x.dtype.type(small)], axis=1)}

        return answer

    assert failing(proof(both(1e-6), both(1e-6))) == set()
    assert "goldens" in failing(proof(both(1e-6), both(1.1e-6)))


# -------------------------------------------------------------------- what a type cannot hold


@pytest.mark.parametrize(
    "kind, value",
    [
        ("tensor(uint8)", 300.7),
        ("tensor(uint8)", 44.5),
        ("tensor(uint8)", -1.0),
        ("tensor(int64)", np.nan),
        ("tensor(bool)", 2.0),
        ("tensor(float)", 1e300),
        ("tensor(float16)", 1e5),
    ],
)
def test_p0_21_a_value_that_the_variant_cannot_hold_is_not_cast_alike(
    kind: str, value: float
) -> None:
    goldens = np.round(np.abs(rows())) % 2
    goldens[3, 2] = value

    def answer(x: Array) -> dict[str, Array]:
        return {
            VARIABLE: x.astype(
                kind.replace("tensor(", "")[:-1].replace("float", "float32")
                if "float" not in kind
                else np.float32
            ).sum(axis=1)
            * 1.0
        }

    with pytest.raises(RefusedError) as caught:
        proof(answer, Typed(answer, kind=kind), goldens)
    assert caught.value.code == "goldens-not-held"
    assert "row 3, column 2" in caught.value.what
    assert str(value) not in caught.value.what


def test_p0_21_what_fits_is_taken() -> None:
    def answer(x: Array) -> dict[str, Array]:
        return {VARIABLE: x.astype(np.float64).sum(axis=1)}

    goldens = np.random.default_rng(1).integers(0, 256, (20, 3)).astype(np.float64)
    found = proof(answer, Typed(answer, kind="tensor(uint8)"), goldens)
    assert failing(found) == set()
    assert "missing" not in {one.kind for one in found.probes}


@pytest.mark.parametrize("large", [2**24 + 1, 2**24 + 2, 1_700_000_000])
def test_p0_22_whole_numbers_that_32_bits_merge_refuse(large: int) -> None:
    goldens = rows()
    goldens[:, 1] = large + np.arange(len(goldens))
    with pytest.raises(RefusedError) as caught:
        proof(linear(), linear(), goldens)
    assert caught.value.code == "goldens-merged"
    goldens[:, 1] = np.arange(len(goldens))
    assert failing(proof(linear(), linear(), goldens)) == set()


# -------------------------------------------------------------------- outputs that say nothing


def _fixed(value: float) -> Answer:
    return lambda x: {VARIABLE: np.full(len(x), value, x.dtype)}


def test_p0_23_a_variant_that_does_not_move_fails_though_it_is_near() -> None:
    """The source moves by less than a part in 100,000 of its answers."""
    near = proof(lambda x: {VARIABLE: 1000 + 1e-6 * (x @ WEIGHTS.astype(x.dtype))}, _fixed(1000))
    assert "moving" in failing(near)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_p0_23_constants_and_no_numbers_pass_only_where_the_source_has_them(value: float) -> None:
    assert {"goldens", "ordinary"} <= failing(proof(linear(), _fixed(value)))
    assert {"goldens", "ordinary"} <= failing(proof(_fixed(value), linear()))
    same = proof(_fixed(value), _fixed(value))
    assert failing(same) == set()
    assert "of the source as of the variant" in same.told_first[0]


def test_p0_23_a_saturated_variant_fails() -> None:
    def faint(x: Array) -> dict[str, Array]:
        one = np.where(x[:, 0] > 0, 1 - 3e-5, 3e-5)
        return {PROBABILITIES: np.stack([1 - one, one], axis=1)}

    def hard(x: Array) -> dict[str, Array]:
        return {PROBABILITIES: np.round(faint(x)[PROBABILITIES])}

    assert "moving" in failing(proof(faint, hard))


# -------------------------------------------------------------------- missing values


def test_p0_24_a_missing_value_that_goes_the_other_way_is_seen() -> None:
    honest = proof(tree(), tree(), facts=TREES)
    assert failing(honest) == set()
    assert next(one for one in honest.probes if one.kind == "missing").ran > 4
    other = proof(tree(), tree(missing_left=False), facts=TREES)
    assert failing(other) == {"missing"}
    assert other.worst is not None
    assert other.worst.kind == "missing"


def test_p0_24_what_is_missing_and_becomes_a_zero_is_seen() -> None:
    def zero_as_missing(x: Array) -> dict[str, Array]:
        return linear()(np.where(x == 0, np.asarray(9, x.dtype), x))

    assert failing(proof(zero_as_missing, linear())) == {"range"}


# -------------------------------------------------------------------- labels and what is expected

WORDS = ("1", "2", "5")


def _three(names: Array) -> Answer:
    def answer(x: Array) -> dict[str, Array]:
        weights = np.arange(12).reshape(4, 3) % 5 - 2.0
        scores = np.exp(np.clip(x @ weights.astype(x.dtype), -30, 30))
        return {
            LABEL: names[scores.argmax(axis=1)],
            PROBABILITIES: scores / scores.sum(axis=1, keepdims=True),
        }

    return answer


@pytest.mark.parametrize("facts", [ModelFacts(classes=("0", "1", "2")), ModelFacts()])
def test_p0_25_labels_that_the_model_cannot_answer_stop_it_by_name(facts: ModelFacts) -> None:
    """Labels 1, 2 and 5 had become 0, 1 and 2; also where the model does not say its classes."""
    numbered = _three(np.array([0, 1, 2]))
    right = numbered(rows())[LABEL]
    expected = np.array([1, 2, 5])[right]
    with pytest.raises(RefusedError) as caught:
        proof(numbered, numbered, expected=expected, facts=facts)
    assert caught.value.code == "labels-unknown"
    assert "the label 5," in caught.value.what
    assert "it answers 0, 1, 2" in caught.value.what
    found = proof(numbered, numbered, expected=right, facts=facts)
    assert found.expected is not None
    assert (found.expected.source, found.expected.variant) == ("1", "1")


def test_p0_25_labels_are_compared_by_what_they_say() -> None:
    """1, 1.0 and "1" are one label; words are compared as words."""
    numbered = _three(np.array([1, 2, 5]))
    right = numbered(rows())[LABEL]
    for expected in (right, right.astype(float), right.astype(str)):
        found = proof(numbered, numbered, expected=expected, facts=ModelFacts(classes=WORDS))
        assert found.expected is not None
        assert found.expected.source == "1"


def test_p0_26_an_accuracy_of_nothing_is_told_first() -> None:
    numbered = _three(np.array([0, 1, 2]))
    expected = (numbered(rows())[LABEL] + 1) % 3
    found = proof(numbered, numbered, expected=expected)
    assert found.verdict == "pass"
    assert found.told_first[0].startswith("THE ANSWERS ARE WRONG: of 20 expected labels")
    assert found.expected is not None
    assert found.expected.source == "0"
    said = next(one for one in found.checks if one.name == "expected").words
    assert "gets 0.0% right" in said
    assert "the classes are 0, 1, 2" in said


def test_p0_26_numbers_that_are_no_better_than_their_mean_are_told_first() -> None:
    right = linear()(rows())[VARIABLE]
    good = proof(linear(), linear(), expected=right)
    assert good.told_first == ()
    assert good.expected is not None
    assert good.expected.kind == "numbers"
    assert float(good.expected.source) < 1e-6
    bad = proof(linear(), linear(), expected=-right)
    assert bad.told_first[0].startswith("THE ANSWERS ARE WRONG: the source is off by")
    lost = right.copy()
    lost[:5] += 3
    assert "75.0% of the golden rows" in proof(linear(), linear(), expected=lost).told_first[0]


def test_p0_26_what_fits_no_output_is_told() -> None:
    found = proof(linear(), linear(), expected=np.ones((20, 7)))
    assert "fits none of the model's outputs" in found.told_first[0]


# -------------------------------------------------------------------- trees


@pytest.mark.parametrize("node", [0, 1, 4])
@pytest.mark.parametrize("towards", [-np.inf, np.inf])
@pytest.mark.parametrize("or_less", [False, True])
def test_p0_27_a_threshold_one_step_aside_is_seen(node: int, towards: float, or_less: bool) -> None:
    aside = TREE.threshold.astype(np.float32)
    aside[node] = np.nextafter(aside[node], np.float32(towards))
    source = tree(or_less=or_less)
    assert failing(proof(source, tree(or_less=or_less), facts=TREES)) == set()
    found = proof(source, tree(aside.astype(np.float64), or_less=or_less), facts=TREES)
    assert "thresholds" in failing(found)


def test_p0_27_at_a_threshold_the_other_way_is_seen() -> None:
    assert "thresholds" in failing(proof(tree(), tree(or_less=True), facts=TREES))


def test_p0_27_thresholds_in_64_bits_are_reached_from_32() -> None:
    """As the largest 32 bits that are not above, all agree; the nearest lie above."""
    exact = np.where(TREE.feature >= 0, [0.1, -0.7, 0, 0, 1.3, 0, 0], 0)
    facts = ModelFacts(trees=(replace(TREE, threshold=exact),))
    below = exact.astype(np.float32)
    below = np.where(below > exact, np.nextafter(below, np.float32(-np.inf)), below)
    assert failing(proof(tree(exact), tree(below.astype(np.float64)), facts=facts)) == set()
    nearest = np.nextafter(below, np.float32(np.inf)).astype(np.float64)
    assert "thresholds" in failing(proof(tree(exact), tree(nearest), facts=facts))


def test_p0_27_every_node_of_a_forest_is_reached() -> None:
    """Random trees: each of their nodes moved by one step is seen."""
    draw = np.random.default_rng(5)
    forest = tuple(_grown(draw) for _ in range(6))
    leaves = [draw.normal(size=len(one.feature)) for one in forest]

    def answers(trees: tuple[Tree, ...]) -> Answer:
        return lambda x: {VARIABLE: _summed(trees, leaves, x)}

    goldens = rows(40)
    facts = ModelFacts(trees=forest)
    assert failing(proof(answers(forest), answers(forest), goldens, facts=facts)) == set()
    seen = tried = 0
    for number, one in enumerate(forest):
        for node in np.flatnonzero(one.feature >= 0)[::3]:
            other = one.threshold.astype(np.float32)
            other[node] = np.nextafter(other[node], np.float32(np.inf))
            changed = replace(one, threshold=other.astype(np.float64))
            mutant = (*forest[:number], changed, *forest[number + 1 :])
            tried += 1
            found = proof(answers(forest), answers(mutant), goldens, facts=facts)
            seen += "thresholds" in failing(found)
    assert tried > 20
    assert seen >= 0.95 * tried


def _grown(draw: np.random.Generator, depth: int = 4) -> Tree:
    """A tree that is full, every node of which can be reached."""
    count = 2 ** (depth + 1) - 1
    inner = np.arange(count) < 2**depth - 1
    feature = np.where(inner, draw.integers(4, size=count), -1)
    threshold = np.zeros(count)
    between = [dict.fromkeys(range(4), (-3.0, 3.0)) for _ in range(count)]
    for node in np.flatnonzero(inner).tolist():
        at, known = int(feature[node]), between[node]
        low, high = known[at]
        threshold[node] = np.float32(draw.uniform(low, high))
        between[2 * node + 1] = known | {at: (low, threshold[node])}
        between[2 * node + 2] = known | {at: (threshold[node], high)}
    left = np.where(inner, 2 * np.arange(count) + 1, 0)
    right = np.where(inner, 2 * np.arange(count) + 2, 0)
    return Tree(feature, threshold, left, right)


def _summed(trees: tuple[Tree, ...], leaves: list[Array], x: Array) -> Array:
    total = np.zeros(len(x))
    for one, values in zip(trees, leaves, strict=True):
        node = np.zeros(len(x), dtype=int)
        for _ in range(5):
            at = one.feature[node]
            value = x[np.arange(len(x)), np.maximum(at, 0)].astype(np.float64)
            follow = np.where(value <= one.threshold[node], one.left[node], one.right[node])
            node = np.where(at >= 0, follow, node)
        total += values[node]
    return total


# -------------------------------------------------------------------- mutants, and by which check

MUTANTS: Mapping[str, tuple[Callable[[Array], Array], set[str]]] = {
    "clipped": (lambda x: np.clip(x, -2.9, 2.9), {"range"}),
    "clipped far out": (lambda x: np.clip(x, -8, 8), {"range"}),
    "its columns exchanged": (lambda x: x[:, [1, 0, 2, 3]], {"goldens"}),
    "a column ignored": (lambda x: x * np.array([1, 1, 0, 1], x.dtype), {"goldens"}),
    "without signs": (np.abs, {"goldens"}),
    "divided by its largest": (
        lambda x: x / np.maximum(x.max(axis=1, keepdims=True), 1e-9),
        {"goldens"},
    ),
    "in 16 bits": (lambda x: x.astype(np.float16).astype(x.dtype), {"goldens"}),
    "in whole numbers": (np.trunc, {"goldens"}),
    "without what is missing": (np.nan_to_num, {"missing"}),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_p0_28_what_is_done_to_the_inputs_is_seen_by_its_check(name: str) -> None:
    change, wanted = MUTANTS[name]
    assert wanted <= failing(proof(linear(), lambda x: linear()(change(x))))


def test_p0_28_casts_of_whole_numbers_are_seen_where_the_goldens_are_whole() -> None:
    goldens = np.random.default_rng(2).integers(0, 3, (20, 4)).astype(float)
    found = proof(linear(), lambda x: linear()(np.trunc(x)), goldens)
    assert "goldens" not in failing(found)
    assert "categories" in failing(found)


def test_p0_28_classes_exchanged() -> None:
    def swapped(x: Array) -> dict[str, Array]:
        found = classifier(x)
        return {LABEL: 1 - found[LABEL], PROBABILITIES: found[PROBABILITIES][:, ::-1]}

    assert "goldens" in failing(proof(classifier, swapped))


def test_p0_28_goldens_alone_see_less() -> None:
    alone = ProofScope(most_rows=0)
    assert failing(proof(tree(), tree(missing_left=False), facts=TREES, plan=alone)) == set()
    assert failing(proof(linear(), lambda x: linear()(np.clip(x, -2.9, 2.9)), plan=alone)) == set()


# -------------------------------------------------------------------- what is allowed


def test_p0_37_a_probability_may_be_off_by_a_hundredth_of_the_spread() -> None:
    def faint(by: float) -> Answer:
        def answer(x: Array) -> dict[str, Array]:
            one = 0.5 + 1e-3 * np.tanh(x[:, 0]) + by
            return {PROBABILITIES: np.stack([1 - one, one], axis=1)}

        return answer

    assert failing(proof(faint(0), faint(2e-6))) == set()
    assert "goldens" in failing(proof(faint(0), faint(5e-5)))


def test_p0_37_a_class_that_no_golden_row_meets_may_be_off_by_what_32_bits_lose() -> None:
    """Its spread is next to nothing, and on rows far away it is met all the same."""

    def rare(by: float) -> Answer:
        def answer(x: Array) -> dict[str, Array]:
            one = 1 / (1 + np.exp(np.clip(20 - x[:, 0].astype(np.float64), -50, 50))) + by
            return {PROBABILITIES: np.stack([1 - one, one], axis=1)}

        return answer

    goldens = rows()
    goldens[:, 0] /= 4
    assert failing(proof(rare(0), rare(1e-7), goldens)) == set()
    assert failing(proof(rare(0), rare(1e-6), goldens)) != set()


def test_p0_36_labels_may_differ_only_where_scores_tie() -> None:
    def close(gap: float, label: int) -> Answer:
        def answer(x: Array) -> dict[str, Array]:
            sure = ~(np.abs(x[:, 1].astype(np.float64)) * 1e4 % 1 < 0.005)
            one = np.where(sure, np.where(x[:, 0] > 0, 0.9, 0.1), 0.5 + gap)
            told = np.where(sure, x[:, 0] > 0, label).astype(int)
            return {LABEL: told, PROBABILITIES: np.stack([1 - one, one], axis=1)}

        return answer

    goldens = rows(200)
    goldens[0, 1] = 0.5
    found = proof(close(1e-6, 1), close(1e-6, 0), goldens)
    assert failing(found) == set()
    assert next(one.excused for one in found.probes if one.kind == "goldens")
    assert "goldens" in failing(proof(close(1e-4, 1), close(1e-4, 0), goldens))


def test_p0_38_other_outputs_types_and_shapes_are_refused() -> None:
    others: list[Answer] = [
        lambda x: {"other": x[:, 0]},
        lambda x: {VARIABLE: x[:, :2]},
        lambda x: {VARIABLE: x[:, 0].astype(str)},
    ]
    for other in others:
        with pytest.raises(RefusedError) as caught:
            proof(linear(), other)
        assert caught.value.code == "parity-outputs"
    found = proof(linear(), lambda x: {VARIABLE: np.trunc(linear()(x)[VARIABLE]).astype(int)})
    assert "goldens" in failing(found)


# -------------------------------------------------------------------- what is told


def test_p0_39_no_value_of_a_row_stands_in_the_findings() -> None:
    goldens = rows()
    goldens[0, 0] = 123.456789
    found = proof(
        linear(), lambda x: linear()(np.clip(x, -3, 3)), goldens, linear()(goldens)[VARIABLE]
    )
    assert found.worst is not None
    written = json.dumps(shape.to_json(found))
    for value in {*goldens.ravel().tolist(), *goldens.astype(np.float32).ravel().tolist()}:
        assert f"{value:.4g}" not in written


def test_p0_46_what_the_goldens_never_show_is_said() -> None:
    known = ModelFacts(
        trees=(replace(TREE, threshold=np.where(TREE.feature >= 0, 50.0, 0.0)),),
        categories={3: (0.0, 1.0, 2.0)},
        classes=("0", "1", "2", "9"),
    )
    goldens = rows()
    goldens[:, 3] = np.arange(len(goldens)) % 2
    numbered = _three(np.array([0, 1, 2]))
    said = " ".join(proof(numbered, numbered, goldens, facts=known).never)
    assert "answered with 9" in said
    assert "Categories of column 3" in said
    assert "The model also answers rows in which a value is missing" in said
    assert "beyond the goldens' range in columns 0, 1, 3" in said


def test_p0_39_the_summary_says_how_much_was_looked_at() -> None:
    found = proof(linear(), linear())
    assert found.words.startswith("On 20 golden rows and ")
    assert "where" in found.words
    assert {one.kind for one in found.probes} >= {"goldens", "noise", "missing", "jumps"}


def test_p0_31_rows_that_the_source_refuses_are_dropped_one_by_one() -> None:
    found = proof(refusing(linear(), missing), linear())
    assert failing(found) == set()
    counts = {one.kind: one for one in found.probes}
    assert (counts["missing"].ran, counts["missing"].dropped) == (0, 17)
    assert counts["noise"].dropped == 0
    assert "17 rows with something missing are all refused" in _words(found, "missing")


def test_p0_31_a_row_that_only_the_variant_refuses_is_wrong() -> None:
    found = proof(linear(), refusing(linear(), missing))
    assert failing(found) == {"missing"}
    assert "refused in the variant" in _words(found, "missing")


def _words(found: Findings, check: str) -> str:
    return str(next(one.words for one in found.checks if one.name == check))


# -------------------------------------------------------------------- models of other kinds


class OneByOne(Made):
    """A model with a batch of one, which says so by refusing."""

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        (found,) = inputs.values()
        if len(found) != 1:
            raise RefusedError("goldens-unfit", "Got invalid dimensions: expected 1.")
        return self.how(found)


class Misled(Made):
    """A model with a batch of one that answers for the first row only."""

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        (found,) = inputs.values()
        return self.how(found[:1])


@pytest.mark.parametrize("kind", [OneByOne, Misled])
def test_p0_32_a_fixed_batch_of_one_is_run_row_by_row(kind: type[Made]) -> None:
    found = proof(kind(linear()), kind(linear()))
    assert failing(found) == set()
    assert found.outputs[0].rows > 151
    assert "missing" in failing(proof(kind(linear()), kind(lambda x: linear()(np.nan_to_num(x)))))


class Batch(OneByOne):
    """A model that takes four rows and no other number."""

    @property
    def batch(self) -> int:
        return 4

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        (found,) = inputs.values()
        if len(found) != 4:
            raise RefusedError("goldens-unfit", "Got invalid dimensions: expected 4.")
        return self.how(found)


def test_p0_32_another_fixed_batch_is_filled_up() -> None:
    found = proof(linear(), Batch(linear()), rows(21))
    assert failing(found) == set()
    assert found.rows == 21


class Two:
    """A model of two inputs: a picture, and whole numbers that choose."""

    def __init__(self, sign: float = 1.0) -> None:
        self._sign = sign

    @property
    def inputs(self) -> dict[str, str]:
        return {"picture": "tensor(float)", "which": "tensor(int64)"}

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        picture, which = inputs["picture"], inputs["which"]
        assert which.dtype == np.int64
        assert picture.shape[1:] == (2, 3, 5)
        value = picture.mean(axis=(1, 2, 3)) + picture[:, 0, 0, 0]
        return {VARIABLE: value * np.where(which[:, 0] % 2, self._sign, 1.0)}

    def facts(self) -> ModelFacts:
        return ModelFacts()


def test_p0_33_several_inputs_images_and_whole_numbers() -> None:
    draw = np.random.default_rng(3)
    goldens = {
        "picture": draw.normal(size=(12, 2, 3, 5)),
        "which": np.arange(0, 24, 2).reshape(12, 1),
    }
    found = proved(Two(), Two(), goldens)
    assert failing(found) == set()
    assert sum(one.ran for one in found.probes) > 151
    assert failing(proved(Two(), Two(-1.0), goldens)), "odd numbers are in no golden row"


# -------------------------------------------------------------------- rounding


def _scaled_tree(x: Array) -> dict[str, Array]:
    """A tree that is fed what was computed before: its place depends on the rounding there."""
    scaled = (x - x.dtype.type(0.1)) / x.dtype.type(0.3)
    return {LABEL: (scaled[:, 0] > x.dtype.type(1.7)).astype(int)}


def test_p0_34_a_row_on_the_very_edge_is_rounding() -> None:
    """Of rows beside the edge that are so near, a few may go either way; more are a fault."""
    goldens = rows(400)
    near = np.float32(0.61)
    goldens[:2, 0] = [near, np.nextafter(near, np.float32(1))]
    found = proof(_scaled_tree, _scaled_tree, goldens)
    assert failing(found) == set()

    def moved(by: float) -> Answer:
        return lambda x: {LABEL: (x[:, 0].astype(np.float64) > 0.61 + by).astype(int)}

    shifted = proof(_scaled_tree, moved(1e-3), goldens)
    assert failing(shifted), "a thousandth is no step"


def test_p0_34_a_tree_that_is_fed_the_raw_input_does_not_round() -> None:
    aside = TREE.threshold.astype(np.float32)
    aside[0] = np.nextafter(aside[0], np.float32(np.inf))
    mutant = tree(aside.astype(np.float64))
    goldens = rows(400)
    goldens[0] = [np.float32(aside[0]), 0, 0, 0]
    assert "goldens" in failing(proof(tree(), mutant, goldens, facts=TREES))
    unsaid = proof(tree(), mutant, goldens)
    assert failing(unsaid) == set(), "nobody said that it is a tree: one step is rounding"
    assert sum(one.excused for one in unsaid.probes) >= 1


def test_p0_34_whole_numbers_do_not_round() -> None:
    goldens = np.random.default_rng(4).integers(0, 50, (400, 4)).astype(float)

    def counts(x: Array, most: float) -> dict[str, Array]:
        return {LABEL: (x[:, 0] >= most).astype(int)}

    found = proof(lambda x: counts(x, 1.0), lambda x: counts(x, np.nextafter(1.0, 2)), goldens)
    assert "goldens" in failing(found)


def test_p0_34_where_columns_are_whole_a_source_in_32_bits_excuses_nothing() -> None:
    """A whole number lies in the middle of two others, where trees split: one side is right."""

    def between(x: Array) -> dict[str, Array]:
        scaled = x[:, 0] * x.dtype.type(1 / 30)
        return {LABEL: (scaled <= 0.1).astype(int)}

    goldens = np.random.default_rng(4).normal(size=(400, 4))
    goldens[:, 1] = np.arange(400)
    goldens[0, 0] = 3.0
    assert between(np.array([[3.0]]))[LABEL] != between(np.array([[3.0]], np.float32))[LABEL]
    assert "goldens" in failing(proof(between, between, goldens))


def test_p0_34_nor_do_fractions_in_a_column_of_whole_numbers() -> None:
    """What happens at 7.37 and nowhere beside it is no rounding where the goldens are whole."""
    goldens = np.random.default_rng(4).permutation(np.tile(np.arange(20.0), (4, 1)).T)

    def spike(x: Array) -> dict[str, Array]:
        away = np.abs(x.astype(np.float64) % 1 - 0.37)
        return {LABEL: (away < 4e-7).any(axis=1).astype(int)}

    assert "categories" in failing(proof(spike, lambda x: {LABEL: np.zeros(len(x), int)}, goldens))


def test_p0_34_a_few_more_than_a_hundredth_are_too_many() -> None:
    goldens = rows(400)
    goldens[:8, 0] = np.nextafter(np.float32(0.25), np.float32(1))
    aside = TREE.threshold.copy()
    aside[0] = goldens[0, 0]
    found = proof(tree(), tree(aside), goldens)
    assert failing(found) == {"rounding"}
    assert "too often for an accident" in _words(found, "rounding")
    goldens[4:8, 0] = 0
    few = proof(tree(), tree(aside), goldens)
    assert failing(few) == set()
    (output,) = few.outputs
    assert (output.wrong, output.verdict) == (0, "pass"), "as of the kinds, what is excused is not"
    assert sum(one.excused for one in few.probes) == output.differences[-1] > 0
    assert re.search(
        r"does, but for \d where 32 bits .*; the worst difference is 0 where", few.words
    )


def test_p0_34_more_than_a_hundredth_excused_is_a_fault() -> None:
    goldens = rows(100)
    goldens[:, 0] = np.float32(0.25)
    goldens[50:, 0] = np.nextafter(np.float32(0.25), np.float32(1))
    aside = TREE.threshold.copy()
    aside[0] = np.nextafter(np.float32(0.25), np.float32(1))
    found = proof(tree(), tree(aside), goldens)
    assert {"goldens", "ordinary"} <= failing(found)
    assert sum(one.excused for one in found.probes) == 0, "with so many, none is looked at again"


def test_p0_35_what_32_bits_merge_is_counted_and_fails_where_it_is_much() -> None:
    goldens = rows()
    goldens[:, 0] = 1.7e9 + goldens[:, 0]

    def by_time(x: Array) -> dict[str, Array]:
        return {VARIABLE: x[:, 0] - x.dtype.type(1.7e9)}

    found = proof(by_time, by_time, goldens)
    assert "merging" in failing(found)
    assert found.merging.merged > found.merging.rows / 2
    mild = proof(linear(), linear())
    assert mild.merging.rows > 0
    assert mild.merging.merged == 0
    held = proof(linear(), linear(), rows().astype(np.float32))
    assert held.merging.rows == 0


# -------------------------------------------------------------------- time


def test_p0_30_time_ends_before_the_rows_do_and_at_least_151_are_run() -> None:
    found = proof(tree(), tree(), facts=TREES, plan=ProofScope(seconds=0))
    probes = [one for one in found.probes if one.kind != "goldens"]
    assert 151 <= sum(one.ran + one.dropped for one in probes) < 300
    left = sum(one.left_out for one in probes)
    assert left > 0
    assert "there was no time" in " ".join(one.words for one in found.checks)
    assert found.verdict == "pass"
    assert "missing" in failing(
        proof(tree(), tree(missing_left=False), facts=TREES, plan=ProofScope(seconds=0))
    )
