"""Check rows: which of a proof's rows a site is to ask its own runtime, and what it compares."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from sealift_registry.frameworks.framework import LABEL, PROBABILITIES, VARIABLE, Array, ModelFacts
from sealift_registry.proof import chosen_check_rows
from sealift_registry.proof.comparing import side_by_side
from sealift_registry.proof.probe_rows import KINDS
from sealift_registry.proof.prove import _kept
from sealift_registry.proof.proving import ProofScope
from sealift_registry.proof.tally import RowTally
from sealift_signing.errors import FailedError
from sealift_sync.check_rows import (
    LARGEST,
    CheckRowsContent,
    Tensor,
    differences,
    tensor,
    unpack,
)
from tests.registry.hub_fixture import Acme
from tests.registry.proof_models import (
    TREE,
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
from tests.registry.test_proof_evidence import parity, shown
from tests.registry.test_proof_findings import Batch, _scaled_tree


def left(
    source: Answer | Made,
    variant: Answer | Made,
    goldens: Array | None = None,
    facts: ModelFacts | None = None,
    seed: bytes = b"s",
) -> bytes:
    """The file of check rows that a proof leaves; nothing where it leaves none."""
    kept: list[bytes] = []
    plan = ProofScope(seed, check_rows=kept.append)
    found = proof(source, variant, goldens, facts=facts, plan=plan)
    assert (not kept) or found.verdict == "pass"
    return kept[0] if kept else b""


def array(one: Tensor) -> Array:
    if one.dtype == "text":
        return np.array(list(one.values())).reshape(one.shape)
    return np.frombuffer(one.data, one.dtype).reshape(one.shape)


def asked(content: CheckRowsContent) -> Array:
    (given,) = content.inputs
    return array(given.tensor)


def answered(content: CheckRowsContent, how: Answer) -> Mapping[str, Tensor]:
    """What a runtime answers to check rows."""
    found = how(asked(content))
    return {
        name: tensor("text", one.shape, one.ravel().tolist())
        if one.dtype.kind == "U"
        else Tensor(one.dtype.name, one.shape, one.tobytes())
        for name, one in found.items()
    }


def test_p0_198_at_most_64_rows_with_the_sources_answers_in_the_variants_types() -> None:
    goldens = rows(40)
    content = unpack(left(linear(), linear(), goldens))
    (output,) = content.outputs
    given = asked(content)
    assert (content.rows, content.alone, given.shape, given.dtype) == (64, False, (64, 4), "f4")
    expected = linear()(given.astype(np.float64))[VARIABLE].astype(np.float32)
    assert output.tensor == Tensor("float32", (64,), expected.tobytes())
    assert output.allowed is not None
    assert (array(output.allowed) > 0).all()
    held = {one.tobytes() for one in goldens.astype(np.float32)}
    assert sum(one.tobytes() in held for one in given) >= 16, "some are goldens"
    assert not differences(content, answered(content, linear()))
    assert left(linear(), linear(), goldens) == left(linear(), linear(), goldens)
    assert left(linear(), linear(), goldens, seed=b"t") != left(linear(), linear(), goldens)


@pytest.mark.parametrize(
    "wrong",
    [
        linear(scale=1.01),
        linear(offset=0.01),
        lambda x: linear()(np.clip(x, -3, 3)),
        lambda x: linear()(np.nan_to_num(x)),
    ],
    ids=["scale", "offset", "cut off", "missing"],
)
def test_p0_198_a_runtime_that_answers_otherwise_is_found(wrong: Answer) -> None:
    content = unpack(left(linear(), linear()))
    assert differences(content, answered(content, wrong))


def test_p0_198_rows_beside_the_thresholds_of_trees_are_among_them() -> None:
    content = unpack(left(tree(), tree(), facts=ModelFacts(trees=(TREE,))))
    assert not differences(content, answered(content, tree()))
    for wrong in (
        tree(TREE.threshold + 1e-6),
        tree(TREE.threshold - 1e-6),
        tree(or_less=True),
        tree(missing_left=False),
    ):
        assert differences(content, answered(content, wrong))


def test_p0_199_rows_of_every_kind_are_chosen() -> None:
    agreed = {kind: list(range(100)) for kind in ("goldens", *KINDS)}
    found = chosen_check_rows.chosen(agreed, 64, b"s")
    kinds = [kind for kind, _ in found]
    assert len(found) == len(set(found)) == 64
    assert set(kinds) == {"goldens", *KINDS}
    assert kinds.count("goldens") == 16
    assert all(kinds.count(one) >= 4 for one in chosen_check_rows.FIRST)
    assert found == chosen_check_rows.chosen(agreed, 64, b"s")
    few = chosen_check_rows.chosen(agreed, 8, b"s")
    assert [kind for kind, _ in few].count("goldens") == 2
    assert {kind for kind, _ in few[2:]} <= set(chosen_check_rows.FIRST)
    assert chosen_check_rows.chosen({"goldens": [4, 7]}, 64, b"s")
    assert chosen_check_rows.chosen({"goldens": [4]}, 1, b"s") == [("goldens", 4)]
    assert chosen_check_rows.chosen({}, 64, b"s") == []


def test_p0_199_none_is_a_row_on_which_the_two_differed_or_that_was_refused() -> None:
    content = unpack(left(refusing(linear(), missing), linear()))
    assert not np.isnan(asked(content)).any()
    goldens = rows(400)
    near = np.float32(0.61)
    goldens[:2, 0] = [near, np.nextafter(near, np.float32(1))]
    content = unpack(left(_scaled_tree, _scaled_tree, goldens))
    given = asked(content)
    theirs = _scaled_tree(given.astype(np.float64))[LABEL]
    assert (theirs == _scaled_tree(given)[LABEL]).all(), "nothing that was excused as rounding"


def test_p0_199_none_is_a_row_of_which_the_source_says_that_two_answers_are_right() -> None:
    class Tied(Made):
        def ties(self, inputs: Mapping[str, Array]) -> Array:
            (found,) = inputs.values()
            return np.asarray(found[:, 0] > 0)

    assert (asked(unpack(left(linear(), linear())))[:, 0] > 0).any()
    assert not (asked(unpack(left(Tied(linear()), linear())))[:, 0] > 0).any()


def test_p0_199_what_used_up_most_of_what_is_allowed_is_not_chosen() -> None:
    """On the next processor it would be a false alarm."""

    def shaking(x: Array) -> dict[str, Array]:
        found = linear()(x)
        if x.dtype == np.float32:
            found[VARIABLE] += np.where(x[:, 0] > 0, np.float32(2e-4), np.float32(0))
        return found

    assert failing(proof(linear(), shaking)) == set()
    content = unpack(left(linear(), shaking))
    (output,) = content.outputs
    assert output.allowed is not None
    away = np.abs(shaking(asked(content))[VARIABLE] - array(output.tensor).astype(np.float64))
    assert (np.isnan(away) | (away <= 0.5 * array(output.allowed))).all()


def test_p0_199_a_proof_that_fails_leaves_none() -> None:
    assert left(linear(), linear(scale=1.1)) == b""


def named(x: Array) -> dict[str, Array]:
    found = classifier(x)
    return {LABEL: np.array(["no", "yes"])[found[LABEL]], PROBABILITIES: found[PROBABILITIES]}


@pytest.mark.parametrize("how, dtype", [(classifier, "int64"), (named, "text")])
def test_p0_200_labels_are_equal_but_where_the_source_is_undecided(how: Answer, dtype: str) -> None:
    goldens = rows(60)
    goldens[:30] = 0.0  # both classes are as good
    goldens[:30, 0] = np.linspace(1e-6, 2e-6, 30) * np.tile([1, -1], 15)  # and 32 bits know which
    content = unpack(left(how, how, goldens))
    by_name = {one.name: one for one in content.outputs}
    label = by_name[LABEL]
    assert (label.kind, label.tensor.dtype, label.allowed) == ("labels", dtype, None)
    both = how(asked(content).astype(np.float64))[PROBABILITIES]
    tied = set(np.flatnonzero(np.abs(both[:, 0] - both[:, 1]) < 1e-6).tolist())
    assert tied
    assert set(label.free) >= tied
    assert len(label.free) < content.rows / 2
    turned = how(asked(content))
    turned[LABEL] = turned[LABEL][::-1]
    told = differences(content, answered(content, lambda _: turned))
    assert {one.output for one in told} == {LABEL}
    assert not {one.row - 1 for one in told if one.row} & set(label.free)


def test_p0_200_an_input_has_the_name_and_type_that_the_model_knows() -> None:
    content = unpack(left(linear(), Typed(linear(), kind="tensor(double)")))
    assert [(one.name, one.tensor.dtype) for one in content.inputs] == [("X", "float64")]


def test_p0_200_a_model_that_takes_so_many_rows_gets_so_many() -> None:
    content = unpack(left(linear(), Batch(linear()), rows(21)))
    assert (content.rows, content.alone) == (4, False)

    class One(Batch):
        batch = 1

        def answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
            (found,) = inputs.values()
            assert len(found) == 1
            return self.how(found)

    content = unpack(left(linear(), One(linear()), rows(21)))
    assert (content.rows, content.alone) == (64, True)


def test_p0_200_of_large_rows_there_are_fewer() -> None:
    def size(width: int) -> tuple[int, int]:
        how: Answer = lambda x: {VARIABLE: x[:, :4].sum(axis=1)}  # noqa: E731 - of one line
        goldens = np.random.default_rng(1).normal(size=(20, width))
        kept: list[bytes] = []
        proof(how, how, goldens, plan=ProofScope(b"s", most_rows=0, check_rows=kept.append))
        return unpack(kept[0]).rows, len(kept[0])

    assert size(4)[0] == 20
    count, length = size(70_000)
    assert (count, length < 4.1 * 1024**2) == (14, True)
    assert size(150_000)[0] == 8
    wide = {"x": np.zeros((1, 4 * 1024**2), np.float32)}
    assert chosen_check_rows.most_rows(wide, {}) == 3, "eight would be too large for any file"
    assert LARGEST > 3 * 16 * 1024**2
    assert chosen_check_rows.most_rows({"x": np.zeros((1, LARGEST // 4), np.float32)}, {}) == 0


def test_p0_201_the_evidence_names_them_by_digest_and_the_hub_keeps_them(hub: Acme) -> None:
    said = parity(hub)
    assert isinstance(said.details, dict)
    told = said.details["check_rows"]
    assert isinstance(told, dict)
    digest = str(told["sha256"])
    data = hub.app.hub.home.blobs.read(digest)
    content = unpack(data)
    assert told == {"sha256": digest, "size": len(data), "rows": content.rows}
    assert digest == hashlib.sha256(data).hexdigest()
    assert 0 < content.rows <= 64
    assert f"{content.rows} check rows, which stay at the hub" in shown(hub)


def test_p0_201_what_the_worker_says_of_them_is_looked_at(tmp_path: Path) -> None:
    good = left(linear(), linear())
    to = tmp_path / "rows"
    for bad in (good[:-1], good + b"x", b"", b"\0"):
        with pytest.raises(FailedError) as error:
            _kept(base64.b64encode(bad).decode(), to)
        assert error.value.code == "worker-rubbish"
    odd: object
    for odd in (7, "no base64!", {}):
        with pytest.raises(FailedError):
            _kept(odd, to)
    with pytest.raises(FailedError):
        _kept(base64.b64encode(good).decode(), None)
    assert not to.exists()
    assert _kept(None, to) == {}


def test_p0_229_a_file_says_of_each_output_whether_its_answers_may_be_told() -> None:
    """What a transformer answers is the row; what a model predicts is not."""
    incomes = np.round(np.random.default_rng(4).normal(52_000, 9_000, size=(30, 4)), 2)
    same: Answer = lambda x: {VARIABLE: x}  # noqa: E731 - of one line
    content = unpack(left(same, same, incomes))
    assert [one.shown for one in content.outputs] == [False]
    found = differences(content, answered(content, lambda x: {VARIABLE: x * np.float32(1.5)}))
    assert found
    told = "; ".join(one.words for one in found)
    assert " where " in told
    numbers = asked(content).ravel()
    assert not any(f"{value:.9g}" in told for value in numbers[numbers != 0].tolist())
    assert [
        one.shown
        for one in unpack(left(linear(), linear(), facts=ModelFacts(predicts=True))).outputs
    ]
    both = unpack(left(classifier, classifier))
    assert {one.name: one.shown for one in both.outputs} == {LABEL: True, PROBABILITIES: True}


def test_p0_231_no_more_answers_are_chosen_than_a_file_holds() -> None:
    row = {"x": np.zeros((1, 4), np.float32)}
    assert chosen_check_rows.most_rows(row, {"mask": np.zeros((1, 500_000), np.uint8)}) == 4
    assert chosen_check_rows.most_rows(row, {"mask": np.zeros((1, 2_000_001), np.uint8)}) == 0
    texts = {"words": np.full((1, 1_000_000), "a", dtype=object)}
    assert chosen_check_rows.most_rows(texts, {"y": np.zeros((1, 1), np.float32)}) == 1


def test_p0_278_a_fraction_is_no_whole_number_though_it_would_be_cast_to_it() -> None:
    right = chosen_check_rows._right({"y": np.array([1.5, 2.0])}, {"y": np.array([1, 2])}, {})
    assert right.tolist() == [False, True]


def test_p0_278_rows_that_differ_are_not_among_those_to_choose_from() -> None:
    tally, ours, theirs = RowTally(), {"y": np.array([1, 2])}, {"y": np.array([1, 3])}
    named = [("goldens", 0), ("goldens", 1)]
    tally.add(named, np.zeros((2, 1)), ours, theirs, side_by_side(ours, theirs, {}))
    assert tally.agreed == {"goldens": [0]}
