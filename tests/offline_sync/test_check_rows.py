"""Files of check rows: one spelling, bounded, and compared value by value."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from sealift_signing.errors import MalformedError, SealiftError
from sealift_sync import check_rows
from sealift_sync.check_rows import CheckRowsContent, ExpectedOutput, GivenInput, Tensor, tensor

CONTENT = CheckRowsContent(
    rows=3,
    alone=False,
    inputs=(
        GivenInput("pixels", tensor("float32", (3, 2), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])),
        GivenInput("where", tensor("text", (3, 1), ["", "Zürich", "a\nb"])),
        GivenInput("is new", tensor("bool", (3,), [True, False, True])),
    ),
    outputs=(
        ExpectedOutput(
            "label", tensor("int64", (3,), [7, -(2**63), 9]), "labels", free=(2,), shown=True
        ),
        ExpectedOutput(
            "scores",
            tensor("float32", (3, 2), [0.25, math.nan, math.inf, -math.inf, 0.5, 0.5]),
            "numbers",
            tensor("float64", (3, 2), [1e-6, 1e-6, 1e-6, 1e-6, 0.0, 1e-6]),
            shown=True,
        ),
        ExpectedOutput("name", tensor("text", (3,), ["cat", "dog", "owl"]), "labels", shown=True),
    ),
)
DATA = check_rows.pack(CONTENT)


def spelled(change: dict[str, Any], rest: bytes | None = None) -> bytes:
    """The file with other members in its header, and perhaps other tensors."""
    line, _, tensors = DATA.partition(b"\n")
    header = json.loads(line) | change
    said = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return said.encode() + b"\n" + (tensors if rest is None else rest)


def outputs(**change: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The header's outputs, the second of them changed."""
    found = json.loads(DATA.partition(b"\n")[0])["outputs"]
    found[1] |= change
    return {"outputs": found}


def answered(**change: Tensor) -> dict[str, Tensor]:
    return {one.name: one.tensor for one in CONTENT.outputs} | change


def scores(*values: float) -> Tensor:
    return tensor("float32", (3, 2), values)


def test_p0_180_what_is_packed_is_unpacked_and_nothing_else_is() -> None:
    assert check_rows.unpack(DATA) == CONTENT
    assert [*CONTENT.inputs[1].tensor.values()] == ["", "Zürich", "a\nb"]
    for end in range(len(DATA)):
        with pytest.raises(MalformedError):
            check_rows.unpack(DATA[:end])
    for more in (b"\0", b"\n", DATA):
        with pytest.raises(MalformedError, match="longer than its header"):
            check_rows.unpack(DATA + more)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 0},
        {"rows": 65},
        {"rows": 2},
        {"rows": True},
        {"inputs": []},
        {"outputs": []},
        {"requires": ["more"]},
        {"format": 2},
        {"alone": 1},
        outputs(dtype="bfloat16"),
        outputs(dtype="text"),
        outputs(dtype="bool"),
        outputs(kind="numbers", free=[0]),
        outputs(shape=[]),
        outputs(shape=[3, 0]),
        outputs(shape=[3, -2]),
        outputs(shape=[3, 2**53, 2**53, 2**53]),
        outputs(shape=[3, 3]),
        outputs(name="label"),
        outputs(kind="labels", free=[3]),
        outputs(kind="labels", free=[1, 0]),
        outputs(kind="labels", free=[1, 1]),
    ],
    ids=str,
)
def test_p0_180_a_header_that_says_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SealiftError) as error:
        check_rows.unpack(spelled(change))
    assert error.value.code in {"bad-check-rows", "bad-shape", "format-unknown"}


@pytest.mark.parametrize("off", [math.inf, math.nan, -1e-9])
def test_p0_180_a_width_that_lets_anything_pass_is_refused(off: float) -> None:
    wide = tensor("float64", (3, 2), [off] + [0.0] * 5)
    loose = replace(CONTENT.outputs[1], allowed=wide)
    with pytest.raises(MalformedError, match="may be off"):
        check_rows.pack(replace(CONTENT, outputs=(CONTENT.outputs[0], loose)))


def test_p0_180_many_texts_are_not_looked_for_in_a_few_bytes() -> None:
    """A shape of 2^53 texts in a file of a hundred bytes costs nothing."""
    one = {"name": "x", "dtype": "text", "shape": [3, 2**53]}
    with pytest.raises(MalformedError, match="more than 2,000,000 answers and texts"):
        check_rows.unpack(spelled({"inputs": [one]}, b"\0" * 4000))
    with pytest.raises(MalformedError, match="shorter"):
        check_rows.unpack(spelled({"inputs": [one | {"shape": [3, 500_000]}]}, b"\0" * 4000))
    with pytest.raises(MalformedError, match="UTF-8"):
        check_rows.unpack(spelled({"inputs": [one | {"shape": [3]}]}, b"\1\0\0\0\xff" * 3))


def test_p0_180_a_file_is_no_larger_than_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_rows, "LARGEST", len(DATA) - 1)
    with pytest.raises(MalformedError, match="more than"):
        check_rows.pack(CONTENT)


def test_p0_180_no_bytes_are_packed_that_are_not_of_their_shape() -> None:
    for bad in (Tensor("float32", (3, 2), b"\0" * 20), Tensor("bool", (3,), b"\0\1\2")):
        with pytest.raises(MalformedError):
            check_rows.pack(replace(CONTENT, inputs=(GivenInput("x", bad),)))
    for dtype, value in (("int8", 128), ("float16", 1e9), ("text", 1), ("int64", "x")):
        with pytest.raises(MalformedError):
            tensor(dtype, (1,), [value])  # type: ignore[arg-type]  # that is what is tried


def test_p0_181_what_is_expected_is_no_difference() -> None:
    assert check_rows.differences(CONTENT, answered()) == ()
    near = scores(0.25 + 1e-7, math.nan, math.inf, -math.inf, 0.5, 0.5 + 1e-7)
    free = tensor("int64", (3,), [7, -(2**63), 1])
    assert check_rows.differences(CONTENT, answered(scores=near, label=free, more=near)) == ()


@pytest.mark.parametrize(
    "values,words",
    [
        ((0.2501, math.nan, math.inf, -math.inf, 0.5, 0.5), "row 1, output scores[0]"),
        ((math.nan, math.nan, math.inf, -math.inf, 0.5, 0.5), "row 1, output scores[0]"),
        ((0.25, 0.0, math.inf, -math.inf, 0.5, 0.5), "row 1, output scores[1]"),
        ((0.25, math.nan, -math.inf, -math.inf, 0.5, 0.5), "row 2, output scores[0]"),
        ((0.25, math.nan, math.inf, 3e38, 0.5, 0.5), "row 2, output scores[1]"),
        ((0.25, math.nan, math.inf, -math.inf, 0.5000001, 0.5), "row 3, output scores[0]"),
    ],
)
def test_p0_181_each_number_has_a_width_of_its_own(values: tuple[float, ...], words: str) -> None:
    (found,) = check_rows.differences(CONTENT, answered(scores=scores(*values)))
    assert found.words.startswith(words)


def test_p0_181_labels_are_equal_where_no_row_is_free() -> None:
    label = tensor("int64", (3,), [8, -(2**63), 1])
    name = tensor("text", (3,), ["cat", "dog", "\x1b[2Jowl" * 9])
    found = check_rows.differences(CONTENT, answered(label=label, name=name))
    assert [one.words for one in found] == [
        "row 1, output label: expected 7, answered 8",
        r"row 3, output name: expected 'owl', answered '\x1b[2Jowl\x1b[2Jowl\x1b[2Jowl\x1b[2Jo…",
    ]


def test_p0_181_another_shape_or_type_or_nothing_is_a_difference() -> None:
    wide = tensor("float64", (3, 2), [0.25, math.nan, math.inf, -math.inf, 0.5, 0.5])
    assert check_rows.differences(CONTENT, answered(scores=wide)) == ()
    whole = tensor("int64", (3, 2), [0, 0, 0, 0, 0, 0])
    (found,) = check_rows.differences(CONTENT, answered(scores=whole))
    assert found.words == "output scores: expected float32 of 3 by 2, answered int64 of 3 by 2"
    (found,) = check_rows.differences(CONTENT, answered(label=tensor("int32", (3,), [7, 0, 9])))
    assert found.answered == "int32 of 3"
    short = tensor("int64", (2,), [7, -(2**63)])
    (found,) = check_rows.differences(CONTENT, answered(label=short))
    assert found.row is None
    named = answered()
    del named["name"]
    (found,) = check_rows.differences(CONTENT, named)
    assert found.answered == "nothing"


def test_p0_181_a_difference_tells_no_input() -> None:
    wrong = answered(scores=scores(9, 9, 9, 9, 9, 9), label=tensor("int64", (3,), [1, 1, 1]))
    told = " ".join(one.words for one in check_rows.differences(CONTENT, wrong))
    assert "9" in told
    assert not any(word in told for word in ("pixels", "where", "Zürich", "is new"))


def test_p0_229_what_may_be_a_value_of_the_row_is_not_told() -> None:
    """Where a model transforms, what is expected is the row itself."""
    whole = ExpectedOutput("count", tensor("int64", (3,), [70, 71, 72]), "labels")
    text = ExpectedOutput("name", tensor("text", (3,), ["Anna", "Bert", "Carla"]), "labels")
    incomes = tensor("float32", (3, 2), [52_017, 1, 2, 3, 4, math.nan])
    near = tensor("float64", (3, 2), [0.25] * 6)
    numbers = ExpectedOutput("scaled", incomes, "numbers", near)
    content = replace(CONTENT, outputs=(whole, text, numbers))
    assert check_rows.unpack(check_rows.pack(content)) == content
    answers = {
        "count": tensor("int64", (3,), [70, 99, 72]),
        "name": tensor("text", (3,), ["Anna", "Bert", "Carlos"]),
        "scaled": tensor("float32", (3, 2), [52_117, 1, 2, math.inf, 4, 5]),
    }
    assert [one.words for one in check_rows.differences(content, answers)] == [
        "row 2, output count: another one",
        "row 3, output name: another one",
        "row 1, output scaled[0]: off by 100 where 0.25 is allowed",
        "row 2, output scaled[1]: off by a number that is not finite where 0.25 is allowed",
        "row 3, output scaled[1]: off by a number that is not finite where 0.25 is allowed",
    ]


@pytest.mark.parametrize("off", [1e308, 0.06])
def test_p0_230_what_lets_nearly_anything_pass_is_no_check(off: float) -> None:
    wide = tensor("float64", (3, 2), [0.0] * 5 + [off])
    loose = replace(CONTENT.outputs[1], allowed=wide)
    with pytest.raises(MalformedError, match="nearly anything would be right"):
        check_rows.pack(replace(CONTENT, outputs=(loose,)))
    free = replace(CONTENT.outputs[0], free=(0, 1, 2))
    with pytest.raises(MalformedError, match="every row is free in 'label'"):
        check_rows.pack(replace(CONTENT, outputs=(free,)))


@pytest.mark.parametrize("value", [0.0, 1e-9, -5.0, math.nan])
def test_p0_230_an_output_that_is_one_number_everywhere_can_be_checked(value: float) -> None:
    same = tensor("float32", (3, 2), [value] * 6)
    near = tensor("float64", (3, 2), [5e-7] * 6)
    content = replace(CONTENT, outputs=(ExpectedOutput("score", same, "numbers", near),))
    assert check_rows.unpack(check_rows.pack(content)) == content


def test_p0_231_a_file_holds_no_more_answers_than_are_compared_in_some_seconds() -> None:
    most = check_rows.MOST_VALUES // 3
    one = ExpectedOutput("label", tensor("uint8", (3, most), bytes(3 * most)), "labels")
    assert check_rows.pack(replace(CONTENT, inputs=CONTENT.inputs[:1], outputs=(one,)))
    more = replace(one, tensor=tensor("uint8", (3, most + 1), bytes(3 * most + 3)))
    with pytest.raises(MalformedError, match="more than 2,000,000 answers"):
        check_rows.pack(replace(CONTENT, outputs=(more,)))


def test_p0_231_whoever_compares_may_be_stopped() -> None:
    class StopError(Exception):
        pass

    looked = 0

    def look() -> None:
        nonlocal looked
        looked += 1
        if looked == 3:
            raise StopError

    many = ExpectedOutput("label", tensor("uint8", (3, 100_000), bytes(300_000)), "labels")
    content = replace(CONTENT, outputs=(many,))
    with pytest.raises(StopError):
        check_rows.differences(content, {"label": many.tensor}, look)
    assert check_rows.compared(content) == 300_000
    assert check_rows.compared(CONTENT) == 2 + 6 + 3
