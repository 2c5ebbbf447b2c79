"""Evidence is read by people: one, none and many are each said as one says them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_registry.frameworks.framework import ModelFolder
from sealift_registry.intake import scan_worker
from sealift_registry.proof import proof_words
from sealift_registry.proof.tally import KindTally, RowTally
from sealift_signing.vocabulary import counted

SIDE_FILES = ("MLmodel", "conda.yaml")


@pytest.mark.parametrize(
    "beside, words",
    [
        (0, "No other files lie beside the model."),
        (1, "1 known file lies beside the model."),
        (2, "2 known files lie beside the model."),
    ],
)
def test_f2_700_what_lies_beside_a_model_is_counted_as_people_count(
    tmp_path: Path, beside: int, words: str
) -> None:
    for name in SIDE_FILES:
        (tmp_path / name).write_text("flavors: {}\n")
    found = ModelFolder("onnx", ("model.onnx",), (), SIDE_FILES[:beside])
    assert scan_worker._side_files(tmp_path, found) == words


@pytest.mark.parametrize(
    "kinds, words",
    [
        (KindTally(ran=1), "1 golden row: it is answered alike."),
        (KindTally(ran=2), "2 golden rows: all are answered alike."),
        (KindTally(ran=2, wrong=1), "2 golden rows: 1 is answered differently."),
        (KindTally(ran=3, wrong=2), "3 golden rows: 2 are answered differently."),
        (KindTally(dropped=1), "1 golden row is refused by the source."),
        (KindTally(dropped=2), "2 golden rows are all refused by the source."),
        (
            KindTally(ran=2, dropped=1, left_out=1),
            (
                "2 golden rows: all are answered alike; 1 more is refused by the source; "
                "there was no time for 1 more."
            ),
        ),
        (KindTally(left_out=1), "There was no time for 1 golden row."),
    ],
)
def test_f2_701_rows_of_a_proof_are_counted_as_people_count(kinds: KindTally, words: str) -> None:
    (check,) = proof_words.rows_checks(RowTally(kinds={"goldens": kinds}))
    assert check.words == words


def test_f2_702_a_number_has_its_noun() -> None:
    said = [counted(0, "file"), counted(1, "file"), counted(2_000, "entry", "entries")]
    assert said == ["0 files", "1 file", "2,000 entries"]
