"""The hunt itself is tried: its judge, its draws, its mutants; and a tiny hunt is made."""

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, load_from_string, numpy_helper

from sealift_registry.proof import prove
from tests.hunt import hunting, judge, models, product
from tests.hunt.draws import Array
from tests.hunt.judge import Answers, judged
from tests.hunt.mutants import MUTANTS, Told, mutated
from tests.hunt.records import Records
from tests.hunt.report import summary

TINY = range(20)
"""Models of which the quick tests make a hunt: one of each family."""


# -------------------------------------------------------------------- the judge


def test_p0_80_the_judge_knows_nothing_of_what_it_judges() -> None:
    tree = ast.parse(Path(judge.__file__).read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.name.partition(".")[0] for one in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    ours = {one for one in found if one not in sys.stdlib_module_names}
    assert ours == {"numpy", "onnxruntime"}


WEIGHTS = np.array([[1.0, -1.0], [0.5, 2.0]], np.float32)
ROWS = np.random.default_rng(7).normal(size=(1000, 2))


def plain(weights: Array = WEIGHTS) -> bytes:
    """The scores of two classes, and the best of them."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["X", "W"], ["scores"]),
            helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        ],
        "plain",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", 2])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", 2]),
        ],
        [numpy_helper.from_array(weights, "W")],
    )
    sets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(graph, ir_version=8, opset_imports=sets)
    return bytes(made.SerializeToString(deterministic=True))


def original(change: Callable[[Array, Array], None] = lambda scores, rows: None) -> judge.Original:
    def answer(rows: Array) -> Answers:
        scores = rows @ WEIGHTS.astype(float)
        change(scores, rows)
        return Answers(scores.argmax(axis=1), scores, tied=judge.tied(scores))

    return answer


def test_p0_81_the_judge_calls_right_what_is_right() -> None:
    found = judged(original(), plain(), ROWS)
    assert (found.wrong, found.merged, found.is_wrong, found.merges) == (0, 0, False, False)
    assert found.rows == 1000


@pytest.mark.parametrize("rows, wrong", [(1, False), (2, True)])
def test_p0_81_the_judge_calls_wrong_what_is_wrong_on_more_than_one_row_of_a_thousand(
    rows: int, wrong: bool
) -> None:
    def change(scores: Array, _rows: Array) -> None:
        scores[:rows] = -scores[:rows]

    found = judged(original(change), plain(), ROWS)
    assert (found.labels, found.numbers, found.is_wrong) == (rows, rows, wrong)


@pytest.mark.parametrize("part, wrong", [(0.009, False), (0.011, True)])
def test_p0_81_numbers_may_be_off_by_a_hundredth_of_their_spread(part: float, wrong: bool) -> None:
    spread = (ROWS @ WEIGHTS.astype(float))[:, 0].std()

    def change(scores: Array, _rows: Array) -> None:
        scores[:, 0] += part * spread

    assert judged(original(change), plain(), ROWS).numbers == 1000 * wrong


def test_p0_81_small_numbers_are_held_to_their_own_spread() -> None:
    """A target of 1e-7 was off by a factor of 100, and nobody saw it."""
    tiny = judged(
        lambda rows: Answers(None, rows @ WEIGHTS.astype(float) * 1e-9),
        plain(WEIGHTS * np.float32(1.2e-9)),
        ROWS,
    )
    assert tiny.is_wrong


def test_p0_81_a_tie_has_two_right_labels_and_one_right_number() -> None:
    tied = np.zeros((1000, 2))

    def shifted(by: float) -> judge.Original:
        return lambda rows: Answers(np.ones(len(rows), int), tied + by, tied=judge.tied(tied))

    assert judged(shifted(0.0), plain(), tied).wrong == 0
    assert judged(shifted(1e-3), plain(), tied).wrong == 1000


def test_p0_81_where_many_rows_are_right_by_a_tie_alone_nobody_knows() -> None:
    def nearest(rows: int) -> judge.Original:
        even = np.arange(1000) < rows
        return lambda rows: Answers(None, rows @ WEIGHTS.astype(float) + even[:, None], even=even)

    few, many = (judged(nearest(rows), plain(), ROWS) for rows in (10, 11))
    assert (few.wrong, few.spared, few.is_open) == (0, 10, False)
    assert (many.wrong, many.spared, many.is_open) == (0, 11, True)


@pytest.mark.parametrize("step, still", [(1e-9, True), (1.0, False)])
def test_p0_173_where_32_bits_cannot_tell_the_answers_apart_nobody_knows(
    step: float, still: bool
) -> None:
    weights = np.full((2, 2), step, np.float32)

    def original(rows: Array) -> Answers:
        return Answers(None, 1e6 + rows @ weights.astype(np.float64))

    graph = load_from_string(plain(weights))
    graph.graph.node[0].output[0] = "product"
    graph.graph.initializer.append(numpy_helper.from_array(np.array(1e6, np.float32), "base"))
    graph.graph.node.insert(1, helper.make_node("Add", ["product", "base"], ["scores"]))
    found = judged(original, graph.SerializeToString(), ROWS)
    assert (found.still, found.is_open) == (still, still)


def test_p0_81_what_float32_merges_is_counted_apart() -> None:
    rows = 2.0**24 + np.arange(1000)[:, None] * np.array([[1.0, 0.0]])

    def answer(given: Array) -> Answers:
        return Answers(None, given[:, 0] % 2)

    graph = helper.make_graph(
        [helper.make_node("Sub", ["X", "X"], ["answer"])],
        "nothing",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", 2])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["rows", 2])],
    )
    nothing = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    found = judged(answer, nothing.SerializeToString(), rows)
    assert (found.wrong, found.merged) == (0, 500)
    assert found.merges
    assert not found.is_wrong


def test_p0_81_between_a_row_and_its_32_bits_either_answer_is_the_originals() -> None:
    """A threshold lies between 0.1 and what 32 bits hold of it; the variant's is the latter."""
    rows = np.where(np.arange(1000)[:, None] < 500, 0.1, -1.0) * np.ones((1, 2))
    found = judged(lambda given: Answers(None, (given[:, :1] > 0.1) * 1.0), above(0.1), rows)
    assert (found.wrong, found.merged) == (0, 500)
    off = judged(lambda given: Answers(None, (given[:, :1] > 0.1) * 1.0), above(-2.0), rows)
    assert (off.wrong, off.merged) == (500, 500)


def test_p0_81_a_row_on_the_threshold_is_rounding_only_where_something_is_computed() -> None:
    """A scaler in 64 bits, and one in 32, fall to either side of it."""
    rows = np.where(np.arange(1000)[:, None] < 8, 0.1, -1.0) * np.ones((1, 2))

    def original(given: Array) -> Answers:
        return Answers(None, (given[:, :1] > np.float32(0.1)) * 1.0)

    variant = above(float(np.nextafter(np.float32(0.1), np.float32(0))))
    asked = judged(original, variant, rows)
    assert (asked.wrong, asked.rounded, asked.is_wrong) == (8, 0, True)
    computed = judged(original, variant, rows, computes=True)
    assert (computed.wrong, computed.rounded, computed.is_wrong) == (0, 8, False)
    often = judged(original, variant, np.repeat(rows[:100], 10, axis=0), computes=True)
    assert (often.rounded, often.is_wrong) == (80, True)


def above(threshold: float) -> bytes:
    """Whether the first column is above a threshold."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["X", "first"], ["x"], axis=1),
            helper.make_node("Greater", ["x", "threshold"], ["is"]),
            helper.make_node("Cast", ["is"], ["answer"], to=TensorProto.FLOAT),
        ],
        "above",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", 2])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["rows", 1])],
        [
            numpy_helper.from_array(np.array([0]), "first"),
            numpy_helper.from_array(np.array([threshold], np.float32), "threshold"),
        ],
    )
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    return bytes(made.SerializeToString(deterministic=True))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_p0_81_what_is_no_number_is_no_number_on_both_sides(number: float) -> None:
    def change(scores: Array, _rows: Array) -> None:
        scores[:2] = number

    there = np.where(np.arange(1000)[:, None] < 2, number, ROWS)
    with np.errstate(invalid="ignore"):
        assert judged(original(change), plain(), ROWS).numbers == 2
        assert judged(original(), plain(), there).numbers == 0


def test_p0_81_what_does_not_run_is_wrong() -> None:
    assert judged(original(), b"no model", ROWS).is_wrong
    assert judged(original(), plain(), ROWS[:, :1]).is_wrong


# -------------------------------------------------------------------- the draws


@pytest.mark.parametrize("seed", [0, 3, 11, 14, 17, 19], ids=lambda seed: models.family(seed)[1])
def test_p0_82_a_number_makes_its_model_again(seed: int, tmp_path: Path) -> None:
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        drawn = models.drawn(seed, tmp_path / name)
        rows = drawn.rows.fresh(50)
        answer = drawn.original(rows)
        found.append((drawn.words, rows, answer.labels, answer.numbers))
    assert found[0][0] == found[1][0]
    for one, other in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_p0_82_every_converter_is_hunted() -> None:
    assert {converter for converter, _, _ in models.FAMILIES} == product.converters()


# -------------------------------------------------------------------- the mutants


def forest() -> bytes:
    """Two trees of one question each, for two classes by their names."""
    graph = helper.make_graph(
        [
            helper.make_node(
                "TreeEnsembleClassifier",
                ["X"],
                ["label", "scores"],
                domain="ai.onnx.ml",
                classlabels_strings=["no", "yes"],
                nodes_treeids=[0, 0, 0, 1, 1, 1],
                nodes_nodeids=[0, 1, 2, 0, 1, 2],
                nodes_featureids=[0, 0, 0, 1, 0, 0],
                nodes_values=[0.25, 0.0, 0.0, -0.5, 0.0, 0.0],
                nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * 2,
                nodes_truenodeids=[1, 0, 0] * 2,
                nodes_falsenodeids=[2, 0, 0] * 2,
                class_treeids=[0, 0, 0, 0, 1, 1, 1, 1],
                class_nodeids=[1, 1, 2, 2] * 2,
                class_ids=[0, 1] * 4,
                class_weights=[0.45, 0.05, 0.1, 0.4, 0.3, 0.2, 0.15, 0.35],
            )
        ],
        "forest",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", 2])],
        [
            helper.make_tensor_value_info("label", TensorProto.STRING, ["rows"]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", 2]),
        ],
    )
    sets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(graph, ir_version=8, opset_imports=sets)
    return bytes(made.SerializeToString(deterministic=True))


def run(model: bytes, rows: Array) -> list[Array]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return [np.asarray(one) for one in session.run(None, {"X": rows.astype(np.float32)})]


HARD = ROWS.copy()
HARD[::7, 0] = np.nan
HARD[3::7, 1] = np.nan
HARD[1::5, 0] = np.float32(0.25)
HARD[2::5, 0] = np.nextafter(np.float32(0.25), np.float32(1))
HARD[3::5, 1] = -0.5
HARD[4::5, 1] = np.nextafter(np.float32(-0.5), np.float32(1))
HARD[5::11, :] = 0.2501


@pytest.mark.parametrize("kind", MUTANTS)
def test_p0_83_a_mutant_answers_otherwise_somewhere(kind: str) -> None:
    right = plain() if kind in ("answers clipped", "inputs clipped") else forest()
    told = Told(HARD, run(forest(), HARD)[1])
    differ = set()
    for number in range(6):
        mutant = mutated(right, kind, number, told)
        assert mutant is not None
        ours, theirs = run(right, HARD), run(mutant, HARD)
        differ.add(any((one != other).any() for one, other in zip(ours, theirs, strict=True)))
    assert True in differ


def test_p0_83_a_mutant_is_made_again_by_its_number() -> None:
    told = Told(HARD, run(forest(), HARD)[1])
    for kind in MUTANTS:
        assert mutated(forest(), kind, 5, told) == mutated(forest(), kind, 5, told)


def test_p0_83_a_dropped_tree_leaves_the_others_as_they_were() -> None:
    mutant = mutated(forest(), "the last tree", 0, Told(HARD, None))
    assert mutant is not None
    scores = run(mutant, ROWS)[1]
    low = ROWS.astype(np.float32)[:, :1] <= 0.25
    np.testing.assert_array_equal(
        scores, np.where(low, [[0.45, 0.05]], [[0.1, 0.4]]).astype(np.float32)
    )
    (node,) = load_from_string(mutant).graph.node
    lengths: dict[str, set[int]] = {}
    for one in node.attribute:
        part = one.name.partition("_")[0]
        lengths.setdefault(part, set()).add(len(one.ints) + len(one.floats) + len(one.strings))
    assert lengths == {"nodes": {3}, "class": {4}, "classlabels": {2}}


def test_p0_83_without_trees_there_is_no_tree_to_drop() -> None:
    told = Told(ROWS, None)
    absent = {kind for kind in MUTANTS if mutated(plain(), kind, 1, told) is None}
    assert {"the last tree", "a threshold, 1 %", "two labels swapped"} <= absent
    assert {"a weight", "a feature ignored"}.isdisjoint(absent)


# -------------------------------------------------------------------- the hunt


def test_p0_84_what_was_found_outlives_a_hunt_that_is_cut_off(tmp_path: Path) -> None:
    records = Records(tmp_path)
    one = hunting.Tried(3, "sklearn", "tree", outcome="signed", truth="wrong", seen=("numbers",))
    mutant = hunting.Mutant(4, "none", "float16", True, False, False, ())
    records.begin(0, "model", 3)
    records.add(0, "model", 3, [one])
    records.begin(1, "mutants", 4)
    records.add(1, "mutants", 4, [mutant])
    records.begin(0, "model", 5)  # ended the process
    records.begin(0, "model", 6)  # cut off here
    with (tmp_path / "0.jsonl").open("a") as file:
        file.write('{"done": "mod')
    assert records.tried() == [one]
    assert records.mutants() == [mutant]
    assert records.done() == {("model", 3), ("mutants", 4), ("model", 5)}
    assert records.fatal() == [("model", 5)]


def test_p0_84_the_summary_names_what_is_signed_and_wrong() -> None:
    figures = {"wrong": 7, "labels": 7, "merged": 0, "rounded": 1}
    one = hunting.Tried(
        1234, "sklearn", "tree", "a tree", True, "signed", truth="wrong", judgement=figures
    )
    unseen = hunting.Mutant(77, "none", "float16", True, False, False, ())
    text = summary([one], [unseen])
    assert "- 1234 sklearn/tree: wrong 7, labels 7, merged 0, rounded 1; a tree" in text
    assert "- 77 none: float16" in text
    assert "| float16 | 1 | 0 (0.0%) | 0 (0.0%) | 0 (0.0%) | 0 | 0 |" in text


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[hunting.Tried]:
    return [hunting.tried(seed, tmp_path_factory.mktemp("hunt")) for seed in TINY]


def told(some: list[hunting.Tried]) -> list[dict[str, Any]]:
    return [vars(one) for one in some]


def test_p0_85_of_a_tiny_hunt_nothing_is_signed_and_wrong(tiny: list[hunting.Tried]) -> None:
    assert told([one for one in tiny if one.key == ("signed", "wrong")]) == []
    assert len([one for one in tiny if one.key == ("signed", "right")]) >= len(TINY) // 4


def test_p0_171_a_part_of_the_hunt_goes_by_files_and_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a hub asks of a report is asked there too, and what was expected is laid beside it."""
    assert hunting.tried(0, tmp_path).key == ("signed", "right")
    monkeypatch.setattr(prove, "is_sound", lambda _: False)
    assert hunting.tried(0, tmp_path).outcome == "refused"
    assert hunting.tried(20, tmp_path).outcome == "signed"


def test_p0_172_weights_in_doubles_are_mutated_too(tmp_path: Path) -> None:
    """What scikit-learn computes in 64 bits is."""
    assert hunting.tried(0, tmp_path).key == ("signed", "right")
    right = (tmp_path / "variant.onnx").read_bytes()
    told = Told(models.drawn(0, tmp_path).rows.fresh(200, 2), None)
    assert mutated(right, "a weight", 1, told) is not None
    assert mutated(right, "float16", 1, told) is not None
