"""What the proof tells people, and what it may not tell; and that it counts nothing for shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.frameworks.framework import LABEL, PROBABILITIES, VARIABLE, Array, ModelFacts
from sealift_registry.frameworks.supported import CONVERTERS
from sealift_registry.proof import expected_answers, golden_rows, proof_words
from sealift_registry.proof.proof_words import ALONE
from sealift_registry.proof.proving import ProofScope
from sealift_registry.proof.tally import MOST_KEPT, RowTally
from sealift_registry.shown.about import all_about
from sealift_registry.shown.promotion import status_lines
from sealift_registry.trust.hub_drafts import draft
from sealift_signing import gate
from sealift_signing.drawing import drawn
from sealift_signing.errors import RefusedError
from tests import models
from tests.registry.hub_fixture import TARGET, Acme, version
from tests.registry.proof_models import classifier, linear, missing, proof, refusing, rows
from tests.registry.test_hub_cli import Capsys, Cli

COPY = ProofScope(as_it_is=True)


# -------------------------------------------------------------------- a file against itself


def test_p0_150_a_file_that_was_compared_with_itself_alone_is_told_first() -> None:
    found = proof(linear(), linear(), plan=COPY)
    assert found.verdict == "pass"
    assert found.told_first == (ALONE,)
    assert "compared with itself" in ALONE
    assert "`expected`" in ALONE
    assert proof(linear(), linear()).told_first == ()


def test_p0_150_what_the_trained_model_answers_is_more_than_the_file_itself() -> None:
    goldens = rows()
    right = linear()(goldens)["variable"]
    assert proof(linear(), linear(), goldens, right, plan=COPY).told_first == ()
    nobody_knows = np.full(len(goldens), np.nan)
    assert ALONE in proof(linear(), linear(), goldens, nobody_knows, plan=COPY).told_first
    unfit = proof(linear(), linear(), goldens, np.zeros((len(goldens), 7)), plan=COPY)
    assert unfit.told_first[-1] == ALONE
    wrong = proof(linear(), linear(), goldens, right[::-1], plan=COPY)
    assert wrong.told_first[0].startswith("THE ANSWERS ARE WRONG")


def test_p0_150_only_onnx_is_taken_as_it_is() -> None:
    assert {name for name, one in CONVERTERS.items() if one.takes_as_it_is} == {"onnx"}


def _told(acme: Acme) -> dict[str, Sequence[str]]:
    """What each place says before all else."""
    number = acme.request(1)
    with acme.app.hub.reading() as connection:
        hub, promotions = acme.app.hub, acme.app.promotions
        wanted = promotions.approval_wanted(connection, number, "validated", "tested")
        made = draft(hub, connection, wanted)
        words = gate.examine(made, wanted.ask, None, hub.now(), acme.public("carla")).words
        _, _, version_lines = all_about(hub, connection, str(version(1)))
    return {
        "approve": words,
        "promotion": status_lines(acme.standing(number)),
        "version": version_lines,
    }


def test_p0_150_whoever_promotes_approves_or_looks_reads_it_first(acme: Acme) -> None:
    acme.ingest(1, acme.goldens())
    acme.convert(1)
    said = _told(acme)
    for lines in said.values():
        assert lines[0] == f"LOOK AT THIS FIRST, of {version(1).path(TARGET)}: {drawn(ALONE)}"
    noted = [line for lines in said.values() for line in lines if line.lstrip().startswith("note")]
    assert len(noted) == 3
    with acme.app.hub.reading() as connection:
        _, data, _ = all_about(acme.app.hub, connection, str(version(1)))
    everywhere = [*data["artifacts"], *data["promotions"][0]["artifacts"]]
    told = [one["told_first"] for one in everywhere if one["path"] == str(version(1).path(TARGET))]
    assert told == [[ALONE], [ALONE]]
    passed = [line for line in said["version"] if line.lstrip().startswith("pass")]
    assert passed
    assert not [line for line in passed if ALONE in line]


def test_p0_156_of_rows_that_the_variant_refuses_some_hundreds_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A variant of a large model that takes nothing would fill the memory with its rows."""
    kept: list[int] = []
    refused = RowTally.refused

    def watched(self: RowTally, *given: Any) -> None:  # noqa: ANN401 - as it is given them
        refused(self, *given)
        kept.append(len(self.differing))

    monkeypatch.setattr(RowTally, "refused", watched)
    goldens = rows()
    seen = {row.tobytes() for row in goldens.astype(np.float32)}
    odd = refusing(linear(), lambda x: np.array([row.tobytes() not in seen for row in x]))
    found = proof(linear(), odd, goldens)
    assert found.verdict == "fail"
    assert len(kept) > MOST_KEPT
    assert max(kept) == MOST_KEPT


# -------------------------------------------------------------------- before anything is signed


def test_p0_153_who_is_alone_and_says_yes_beforehand_is_told_it_all_the_same(
    tmp_path: Path, capsys: Capsys
) -> None:
    acme = Acme(tmp_path)
    cli = Cli(acme, capsys)
    cli.says("init", "--solo", "--name", "One", "--person", "me")
    cli.says("team", "add", "vision")
    model = models.tiny_onnx(acme.folder / "tiny.onnx")
    cli.says("ingest", "onnx", model, "--as", "vision/tiny", "--goldens", acme.goldens())
    cli.says("convert", version(1), "--for", TARGET)
    told = f"LOOK AT THIS FIRST, of {version(1).path(TARGET)}: {drawn(ALONE)}"
    code, out, err = cli("promote", version(1), "--to", "production", "--reason", "tested")
    assert (code, err.splitlines()[-1]) == (0, told)
    approve = ("approve", "P-1", "--meaning", "validated", "--reason", "tested", "--yes")
    code, out, err = cli(*approve)
    assert code == 0
    assert err.splitlines() == [told]
    assert "listed" in out


# -------------------------------------------------------------------- how well it answers


@pytest.mark.parametrize("rare", [1, 4])
def test_p0_154_guessing_is_to_answer_the_most_frequent_label_always(rare: int) -> None:
    """One in so many classes is no measure where nearly all rows are of one class."""

    def always(x: Array) -> dict[str, Array]:
        return {LABEL: np.zeros(len(x), dtype=np.int64) + (x[:, 0] > 99), PROBABILITIES: two(x)}

    def two(x: Array) -> Array:
        one = (x[:, 0] > 99).astype(x.dtype)
        return np.stack([1 - one, one], axis=1)

    expected = (np.arange(20) < rare).astype(np.int64)
    found = proof(always, always, rows(20), expected)
    assert found.expected is not None
    assert float(found.expected.chance) == 1 - rare / 20
    assert found.told_first[0].startswith("THE ANSWERS ARE NO BETTER THAN GUESSING")
    assert f"most frequent one would get {1 - rare / 20:.1%}" in found.told_first[0]


def test_p0_154_what_is_all_right_is_no_worse_than_guessing() -> None:
    goldens = rows(40)
    goldens = goldens[classifier(goldens)[LABEL] == 1][:8]
    found = proof(classifier, classifier, goldens, np.ones(len(goldens), dtype=np.int64))
    assert found.told_first == ()
    wrong = proof(classifier, classifier, goldens, np.arange(len(goldens)) % 2)
    assert wrong.told_first[0].startswith("THE ANSWERS ARE WRONG")


def test_p0_155_what_is_none_is_not_listed() -> None:
    source = refusing(linear(), lambda x: missing(x) | (x[:, 0] > 1e3))
    said = {one.name: one.words for one in proof(source, linear()).checks}
    assert re.fullmatch(
        r"\d+ rows with something missing are all refused by the source\.", said["missing"]
    )
    for words in said.values():
        assert not re.search(r"\b0 (rows|more|permuted|missing|unknown|fractions)", words)
    nothing = proof(linear(), linear(), plan=ProofScope(most_rows=0))
    assert {one.name for one in nothing.checks} >= {"goldens", "rounding"}


# -------------------------------------------------------------------- what goldens are taken for


def test_p0_157_labels_are_no_numbers_of_a_model_that_has_none() -> None:
    """A scaler of one column answers no labels: that its numbers are others is no fault of it."""
    goldens, labels = rows(20), np.arange(20) % 3

    def scaled(x: Array) -> dict[str, Array]:
        return {VARIABLE: x[:, :1] * 3}

    plan = ProofScope(labels_alone=True)
    assert "fits none" in proof(scaled, scaled, goldens, labels, plan=plan).told_first[0]
    known = ModelFacts(predicts=True)
    assert "WRONG" in proof(scaled, scaled, goldens, labels, known, plan).told_first[0]
    assert "WRONG" in proof(scaled, scaled, goldens, labels).told_first[0]


def test_p0_157_an_input_that_is_called_labels_is_an_input(tmp_path: Path) -> None:
    np.savez(tmp_path / "g.npz", x=rows(8), labels=np.arange(8))
    own = golden_rows.read(tmp_path / "g.npz", {"x", "labels"})
    assert (set(own.inputs), own.expected, own.called) == ({"x", "labels"}, None, None)
    other = golden_rows.read(tmp_path / "g.npz", {"x"})
    assert (set(other.inputs), other.called) == ({"x"}, "labels")
    assert other.expected is not None
    assert other.expected.tolist() == list(range(8))


@pytest.mark.parametrize("among", [0.5, np.nan])
def test_p0_157_one_fraction_among_large_ids_does_not_hide_them(among: float) -> None:
    goldens = rows(20)
    goldens[:, 1] = 1_700_000_000 + np.arange(20)
    goldens[7, 1] += among
    with pytest.raises(RefusedError) as caught:
        proof(linear(), linear(), goldens)
    assert caught.value.code == "goldens-merged"
    goldens[:, 1] = 30_000_000.5 + np.arange(20)  # 32 bits round those, and merge no ids
    assert proof(linear(), linear(), goldens).rows == 20


def test_p0_157_two_outputs_that_are_spelled_alike_are_refused_by_name() -> None:
    def both(x: Array) -> dict[str, Array]:
        return {"score\n": x[:, 0], "score ": x[:, 1]}

    with pytest.raises(RefusedError) as caught:
        proof(both, both)
    assert caught.value.code == "parity-outputs"
    assert caught.value.what == "Two outputs of the model are both shown as score."


def test_p0_157_what_was_kept_of_goldens_is_said_where_they_are_taken_in(
    tmp_path: Path, capsys: Capsys
) -> None:
    acme = Acme(tmp_path)
    cli = Cli(acme, capsys)
    cli.says("init", "--solo", "--name", "One", "--person", "me")
    cli.says("team", "add", "vision")
    model = models.tiny_onnx(acme.folder / "tiny.onnx")
    words = ("ingest", "onnx", model, "--as", "vision/tiny")
    assert "right answers" not in cli.says(*words)
    said = cli.says(*words, "--goldens", acme.goldens())
    assert "8 rows; the right answers are not known (`expected`)" in said
    with np.load(acme.goldens()) as found:
        np.savez(tmp_path / "known.npz", inputs=found["inputs"], expected=np.arange(8) % 3)
    said = cli.says(*words, "--goldens", tmp_path / "known.npz")
    assert "8 rows; `expected` is what is expected of them" in said


# -------------------------------------------------------------------- a class that nobody gets


def _merged_classes(given: Array) -> dict[str, Array]:
    """Scores of three classes; what is most of all the third is called the second."""
    found = np.stack([given[:, 0], given[:, 1], given[:, 0] + given[:, 1] - 50], axis=1)
    return {LABEL: found.argmax(axis=1), "scores": found}


def _expecting(third: int, names: tuple[str, ...] = ("0", "1", "2")) -> Sequence[str]:
    """What is told first where `third` golden rows of 40 expect what is never answered there."""
    given = rows(count=40)
    right = np.array(names)[_merged_classes(given)[LABEL]]
    right[:third] = names[2]
    known = ModelFacts(classes=names)
    return proof(_merged_classes, _merged_classes, given, right, known).told_first


def test_p0_264_a_class_that_is_expected_and_never_answered_is_told_first() -> None:
    told = "3 golden rows expect 2; the model answers none of them as expected."
    assert told in _expecting(3)
    assert "1 golden row expects 2; the model answers none of them as expected." in _expecting(1)
    assert not any("expect" in one for one in _expecting(0))


def test_p0_264_one_row_that_is_right_is_enough() -> None:
    given = rows(count=40)
    given[0, :2] = 100
    right = _merged_classes(given)[LABEL]
    right[1:4] = 2
    found = proof(_merged_classes, _merged_classes, given, right)
    assert found.verdict == "pass"
    assert not any("expect" in one for one in found.told_first)


def test_p0_264_of_many_classes_some_are_named_and_the_others_counted() -> None:
    judged = expected_answers.ExpectationResult(
        "labels", 90, 0.9, 0.9, 0.1, 0.1, 0.9, tuple((f"c{n}", 9 - n) for n in range(5))
    )
    (told,) = proof_words.first(judged, "", {}, ())
    assert told == (
        "9 golden rows expect c0, 8 golden rows expect c1, 7 golden rows expect c2; the model "
        "answers none of them as expected, and the same holds for 2 more labels."
    )
    (told,) = proof_words.first(replace(judged, missed=judged.missed[:1]), "", {}, ["c0"])
    assert "answered on no row" in told  # said once
