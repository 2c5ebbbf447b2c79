"""RFC 8785, the part of it we use: one value, one spelling, and every other refused."""

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_signing import canonical
from sealift_signing.canonical import Json
from sealift_signing.errors import MalformedError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=25,
)


def refused(data: bytes) -> str:
    """The code of the refusal to read `data`."""
    with pytest.raises(MalformedError) as error:
        canonical.decode(data, what="the document")
    assert error.value.subject == "the document"
    assert error.value.what.startswith("the document ")
    return error.value.code


@given(VALUES)
def test_what_is_written_is_read_back(value: Json) -> None:
    assert canonical.decode(canonical.encode(value), what="it") == value


@given(VALUES)
def test_every_other_json_of_the_value_is_refused(value: Json) -> None:
    data = canonical.encode(value)
    for other in (json.dumps(value, indent=1).encode(), data + b"\n", b" " + data):
        if other != data:
            assert refused(other) in {"json-not-canonical", "json-number"}


@given(st.dictionaries(TEXT, st.integers(0, 9), min_size=2, max_size=8))
def test_members_are_sorted_by_their_utf_16_units(value: dict[str, int]) -> None:
    names = list(json.loads(canonical.encode(value)))
    assert names == sorted(value, key=lambda name: name.encode("utf-16-be"))


def test_the_sorting_example_of_rfc_8785() -> None:
    # §3.2.3: as code points, the emoji would come after the Hebrew letter U+FB33.
    names = ["€", "\r", "\ufb33", "1", "😀", "\x80", "ö"]
    data = canonical.encode(dict.fromkeys(names, 1))
    assert list(json.loads(data)) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]


def test_only_what_must_be_escaped_is_escaped() -> None:
    # RFC 8785 §3.2.2.2
    text = '\x00\x1f\b\t\n\f\r"\\/\x7fé \u2028'
    assert canonical.encode(text) == (
        '"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\/\x7fé \u2028"'.encode()
    )


@pytest.mark.parametrize(
    "data,code",
    [
        (b"", "json-unreadable"),
        (b"{", "json-unreadable"),
        (b"\xff", "json-unreadable"),
        (b"\xef\xbb\xbf1", "json-unreadable"),
        (b"{} {}", "json-unreadable"),
        (b'"\n"', "json-unreadable"),
        (b"01", "json-unreadable"),
        (b"1" * 5000, "json-unreadable"),
        (b"[" * 100_000, "json-unreadable"),
        (b"null", "json-not-canonical"),
        (b'{"a":null}', "json-not-canonical"),
        (b'{"b":1,"a":1}', "json-not-canonical"),
        (b'{"a": 1}', "json-not-canonical"),
        (b'"\\u0041"', "json-not-canonical"),
        (b'"\\/"', "json-not-canonical"),
        (b'"\\u001F"', "json-not-canonical"),
        (b'"\\ud800"', "json-not-canonical"),
        (b'{"\\udfff":1}', "json-not-canonical"),
        (b"-0", "json-not-canonical"),
        (b"1.0", "json-number"),
        (b"1e3", "json-number"),
        (b"NaN", "json-number"),
        (b"-Infinity", "json-number"),
        (b"9007199254740993", "json-number"),
        (b"-9007199254740993", "json-number"),
        (b'{"a":1,"a":1}', "json-duplicate"),
        (b'[{"x":{"a":1,"\\u0061":2}}]', "json-duplicate"),
        (b"[" * 66 + b"]" * 66, "json-too-deep"),
    ],
)
def test_another_spelling_is_refused(data: bytes, code: str) -> None:
    assert refused(data) == code


@pytest.mark.parametrize("data", [b"9007199254740992", b"-9007199254740992", b"0", b"true", b"[]"])
def test_the_edges_of_what_is_read(data: bytes) -> None:
    assert canonical.encode(canonical.decode(data, what="it")) == data


def test_nesting_is_read_to_its_limit() -> None:
    data = b"[" * 65 + b"]" * 65
    assert canonical.encode(canonical.decode(data, what="it")) == data


@pytest.mark.parametrize("inner", [b'"a"', b"1", b"true"])
def test_a_value_that_holds_none_is_as_deep_as_one_that_does(inner: bytes) -> None:
    data = b'{"a":' * 64 + inner + b"}" * 64
    assert canonical.encode(canonical.decode(data, what="it")) == data
    assert refused(b"[%b]" % data) == "json-too-deep"


def test_true_is_not_one() -> None:
    assert canonical.decode(b"true", what="it") is True
    assert canonical.encode(1) == b"1"


@pytest.mark.parametrize("value", [None, 1.5, float("nan"), b"x", {1: 2}, {"a": [None]}, 2**53 + 1])
def test_what_has_no_spelling_is_not_written(value: object) -> None:
    with pytest.raises(MalformedError):
        canonical.encode(cast("Json", value))


@pytest.mark.timeout(20)
def test_a_duplicate_at_the_end_of_a_large_object_is_found_quickly() -> None:
    members = b",".join(b'"%06d":1' % n for n in range(200_000))
    assert refused(b"{%b,%b}" % (members, b'"199999":1')) == "json-duplicate"
