"""What the proof tells people, and what it may not tell; and that it counts nothing for shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry import summary
from sealift_registry.frameworks.framework import LABEL, PROBABILITIES, Array
from sealift_registry.frameworks.known import CONVERTERS
from sealift_registry.proof.proving import Plan
from sealift_registry.proof.tally import MOST_KEPT, Tally
from sealift_registry.proof.telling import ALONE
from sealift_registry.trust.drafting import draft
from sealift_signing import gate
from sealift_signing.drawing import drawn
from tests import models
from tests.registry.hub_fixture import TARGET, Acme, version
from tests.registry.proof_models import classifier, linear, missing, proof, refusing, rows
from tests.registry.test_hub_cli import Capsys, Cli

COPY = Plan(as_it_is=True)


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
        _, _, version_lines = summary.of(hub, promotions, connection, str(version(1)))
    return {
        "approve": words,
        "promotion": summary.standing_lines(acme.standing(number)),
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
    passed = [line for line in said["version"] if line.lstrip().startswith("pass")]
    assert passed
    assert not [line for line in passed if ALONE in line]


def test_p0_156_of_rows_that_the_variant_refuses_some_hundreds_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A variant of a large model that takes nothing would fill the memory with its rows."""
    kept: list[int] = []
    refused = Tally.refused

    def watched(self: Tally, *given: Any) -> None:  # noqa: ANN401 - as it is given them
        refused(self, *given)
        kept.append(len(self.differing))

    monkeypatch.setattr(Tally, "refused", watched)
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
    model = acme.folder / "tiny.onnx"
    models.tiny_onnx(model)
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
    assert f"most frequent is right in {1 - rare / 20:.1%}" in found.told_first[0]


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
    nothing = proof(linear(), linear(), plan=Plan(most_rows=0))
    assert {one.name for one in nothing.checks} >= {"goldens", "rounding"}
