"""Goldens: from a file or an input example, kept in one layout."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealift_registry.intake.goldens import GoldensRecord, from_file, from_input_example
from sealift_signing import shape
from sealift_signing.errors import NotFoundError, RefusedError


def saved(folder: Path, **arrays: np.ndarray[Any, Any]) -> Path:
    np.savez(folder / "given.npz", allow_pickle=True, **arrays)
    return folder / "given.npz"


def test_a_file_with_labels(trained: Callable[[str], Path], tmp_path: Path) -> None:
    record = from_file(trained("digits.npz"), tmp_path / "kept.npz")
    assert (record.rows, record.has_answers, record.origin) == (20, True, "file")
    assert [(one.name, one.dtype, one.shape) for one in record.arrays] == [
        ("inputs", "float32", (20, 64)),
        ("labels", "int64", (20,)),
    ]
    content = (tmp_path / "kept.npz").read_bytes()
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    assert record.size == len(content)
    with np.load(trained("digits.npz")) as given, np.load(tmp_path / "kept.npz") as kept:
        assert (given["inputs"] == kept["inputs"]).all()
    assert shape.read(GoldensRecord, shape.write(record), what="it") == record


@pytest.mark.parametrize(
    "expected", [np.zeros(5), np.zeros((5, 2)), np.array(["a", "b", "a", "b", "c"])]
)
def test_p0_42_what_is_expected_is_kept_with_the_inputs(
    tmp_path: Path, expected: np.ndarray[Any, Any]
) -> None:
    given = saved(tmp_path, inputs=np.zeros((5, 2)), expected=expected)
    record = from_file(given, tmp_path / "kept.npz")
    assert record.has_answers
    with np.load(tmp_path / "kept.npz") as kept:
        assert kept["expected"].tolist() == expected.tolist()


def test_the_same_goldens_make_the_same_bytes(tmp_path: Path) -> None:
    rows = np.arange(20.0).reshape(5, 4)
    one = from_file(saved(tmp_path, b=rows, a=rows), tmp_path / "1.npz")
    np.savez_compressed(tmp_path / "given.npz", a=np.asfortranarray(rows), b=rows)
    two = from_file(tmp_path / "given.npz", tmp_path / "2.npz")
    assert one == two


@pytest.mark.parametrize(
    "arrays, code",
    [
        ({"inputs": np.zeros((4, 2))}, "goldens-rows"),
        ({"inputs": np.array(0.0)}, "goldens-rows"),
        ({"labels": np.zeros(5)}, "goldens-no-inputs"),
        ({"inputs": np.array(["a"] * 5)}, "goldens-not-numbers"),
        ({"inputs": np.array([object()] * 5)}, "goldens-unreadable"),
        ({"inputs": np.zeros((5, 2)), "labels": np.zeros(6)}, "goldens-uneven"),
        ({"inputs": np.zeros((5, 2)), "labels": np.zeros((5, 1))}, "goldens-labels"),
        ({"inputs": np.zeros((5, 2)), "expected": np.array([["a"]] * 5)}, "goldens-labels"),
        (
            {"inputs": np.zeros((5, 2)), "labels": np.zeros(5), "expected": np.zeros(5)},
            "goldens-labels",
        ),
        ({"expected": np.zeros(5)}, "goldens-no-inputs"),
    ],
)
def test_files_that_are_no_goldens(
    tmp_path: Path, arrays: dict[str, np.ndarray[Any, Any]], code: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        from_file(saved(tmp_path, **arrays), tmp_path / "kept.npz")
    assert caught.value.code == code
    assert "--goldens" in caught.value.next_step
    assert not (tmp_path / "kept.npz").exists()


def test_p0_157_each_fault_of_goldens_has_an_advice_of_its_own(tmp_path: Path) -> None:
    ten: dict[str, dict[str, Any]] = {
        "too few": {"inputs": np.zeros((4, 2))},
        "no inputs": {"labels": np.zeros(5)},
        "texts": {"inputs": np.array(["a"] * 5)},
        "objects": {"inputs": np.array([object()] * 5)},
        "uneven": {"inputs": np.zeros((5, 2)), "labels": np.zeros(6)},
        "wide labels": {"inputs": np.zeros((5, 2)), "labels": np.zeros((5, 1))},
        "two": {"inputs": np.zeros((5, 2)), "labels": np.zeros(5), "expected": np.zeros(5)},
    }
    advice = {}
    for name, arrays in ten.items():
        with pytest.raises(RefusedError) as caught:
            from_file(saved(tmp_path, **arrays), tmp_path / "kept.npz")
        advice[caught.value.next_step] = name
    assert sorted(advice.values()) == sorted(ten)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_files_that_are_no_archives(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "given.npz").write_bytes(content)
    with pytest.raises(RefusedError):
        from_file(tmp_path / "given.npz", tmp_path / "kept.npz")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        from_file(tmp_path / "absent.npz", tmp_path / "kept.npz")


@pytest.mark.parametrize(
    "said, names",
    [
        ({"inputs": [[1.5, 2]] * 5}, ["inputs"]),
        ([[1.5, None]] * 5, ["inputs"]),
        ({"columns": ["a", "b"], "data": [[1, 2]] * 6}, ["inputs"]),
        ({"dataframe_split": {"columns": ["a"], "data": [[1]] * 6}}, ["inputs"]),
        ({"inputs": {"x": [[1.0]] * 5, "y": [1] * 5}}, ["x", "y"]),
    ],
)
def test_the_ways_mlflow_writes_examples(tmp_path: Path, said: object, names: list[str]) -> None:
    (tmp_path / "input_example.json").write_text(json.dumps(said))
    record = from_input_example(tmp_path, tmp_path / "kept.npz")
    assert [one.name for one in record.arrays] == names
    assert record.origin == "input example"


@pytest.mark.parametrize(
    "said, code",
    [
        (None, "goldens-missing"),
        ("{", "goldens-unreadable"),
        ('{"inputs": [["a"], ["b"], ["c"], ["d"], ["e"]]}', "goldens-not-numbers"),
        ('{"inputs": [[1], [2, 3], [4], [5], [6]]}', "goldens-not-numbers"),
        ('{"inputs": [[1], [2]]}', "goldens-rows"),
        ('{"messages": "hello"}', "goldens-rows"),
        ('"text"', "goldens-not-numbers"),
    ],
)
def test_examples_that_do_not_serve(tmp_path: Path, said: str | None, code: str) -> None:
    if said is not None:
        (tmp_path / "input_example.json").write_text(said)
    with pytest.raises(NotFoundError) as caught:
        from_input_example(tmp_path, tmp_path / "kept.npz")
    assert caught.value.code == code


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for given in (pipe, tmp_path):
        with pytest.raises(RefusedError, match="not a file of goldens"):
            from_file(given, tmp_path / "target")
