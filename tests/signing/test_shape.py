"""A document's type is its specification: reader, writer and schema agree on it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealift_signing import canonical, shape
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.shape import Distinct, Opaque
from sealift_signing.vocabulary import Between, Count, Name, Sentence, Sha256


@dataclass(frozen=True)
class Part:
    name: Name
    size: Count


@dataclass(frozen=True)
class Whole:
    format: Literal[1]
    requires: tuple[str, ...]
    title: Sentence
    final: bool
    grade: Annotated[int, Between(1, 5)]
    kind: Literal["one", "two"]
    digest: Sha256 | None
    parts: Annotated[tuple[Part, ...], Distinct(by="name")]
    names: Annotated[tuple[Name, ...], Distinct()]
    notes: Mapping[Name, Sentence]
    index: Mapping[Name, Part]
    rest: Opaque


WHOLE = Whole(
    format=1,
    requires=(),
    title="A title.",
    final=True,
    grade=3,
    kind="one",
    digest=None,
    parts=(Part("a", 1), Part("b", 2)),
    names=("x", "y"),
    notes={"n": "A note."},
    index={"a": Part("a", 1)},
    rest={"any": [1, "thing", True]},
)
SCHEMA = shape.schema(Whole, title="Whole")
TEXT = st.from_regex(r"[ -~]{1,20}", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)
WHOLES = st.builds(
    Whole,
    format=st.just(1),
    requires=st.just(()),
    title=TEXT,
    final=st.booleans(),
    grade=st.integers(1, 5),
    kind=st.sampled_from(["one", "two"]),
    digest=st.none() | st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    parts=st.lists(st.builds(Part, NAMES, st.integers(0, 2**53)), unique_by=lambda p: p.name).map(
        tuple
    ),
    names=st.lists(NAMES, unique=True).map(tuple),
    notes=st.dictionaries(NAMES, TEXT, max_size=3),
    index=st.dictionaries(NAMES, st.builds(Part, NAMES, st.integers(0, 9)), max_size=3),
    rest=st.recursive(st.booleans() | TEXT, lambda inner: st.lists(inner, max_size=3)),
)


def changed(**members: Any) -> bytes:  # noqa: ANN401 - any member, wrong ones among them
    """The document with other members; one that is `...` is left out."""
    value = {**shape.to_json(WHOLE), **members}
    return canonical.encode({name: item for name, item in value.items() if item is not ...})


def fits(data: bytes) -> bool:
    """Whether the JSON Schema takes `data`."""
    value = canonical.decode(data, what="it")
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(value)


@given(WHOLES)
@settings(suppress_health_check=[HealthCheck.too_slow])  # how busy a machine is is no fault
def test_what_is_written_is_read_back(document: Whole) -> None:
    assert shape.read(Whole, shape.write(document), what="it") == document


@given(WHOLES)
def test_the_schema_takes_what_is_written(document: Whole) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(
        canonical.decode(shape.write(document), what="it")
    )


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_what_may_be_absent_is_left_out() -> None:
    assert b"digest" not in shape.write(WHOLE)
    assert b'"digest":"' in shape.write(replace(WHOLE, digest="a" * 64))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"title": ...}, "lacks 'title'"),
    ({"extra": 1}, "a member 'extra' that is not known"),
    ({"title": 5}, "it.title: expected a string"),
    ({"title": ""}, "it.title: expected text"),
    ({"final": 1}, "it.final: expected true or false"),
    ({"grade": True}, "it.grade: expected an integer"),
    ({"grade": "3"}, "it.grade: expected an integer"),
    ({"grade": 6}, "it.grade: expected a number from 1 to 5"),
    ({"grade": 0}, "it.grade: expected a number from 1 to 5"),
    ({"kind": "three"}, "it.kind: expected 'one' or 'two'"),
    ({"format": True}, "it.format: expected 1"),
    ({"digest": "A" * 64}, "it.digest: expected a SHA-256"),
    ({"parts": {}}, "it.parts: expected an array"),
    ({"parts": ["a"]}, "it.parts[0]: expected an object"),
    ({"parts": [{"name": "a"}]}, "it.parts[0] lacks 'size'"),
    ({"parts": [{"name": "a", "size": -1}]}, "it.parts[0].size: expected a number from 0"),
    ({"notes": []}, "it.notes: expected an object"),
    ({"notes": {"N": "x"}}, "it.notes: expected a name"),
    ({"notes": {"n": 1}}, "it.notes.n: expected a string"),
    ({"index": {"n": {"name": "a"}}}, "it.index.n lacks 'size'"),
    ({"names": ["x", "x"]}, "it.names: 'x' is there twice"),
]


@pytest.mark.parametrize("members,sentence", WRONG)
def test_a_wrong_member_is_refused_and_named(members: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MalformedError) as error:
        shape.read(Whole, changed(**members), what="it")
    assert error.value.code == "bad-shape"
    assert sentence in error.value.what


@pytest.mark.parametrize("members,sentence", WRONG)
def test_the_schema_refuses_what_the_reader_refuses(members: dict[str, Any], sentence: str) -> None:
    # JSON Schema cannot tell `true` from the constant 1 in every implementation; this one can.
    assert fits(changed())
    assert not fits(changed(**members))


def test_two_parts_of_one_name_are_refused() -> None:
    twice = [{"name": "a", "size": 1}, {"name": "a", "size": 2}]
    with pytest.raises(MalformedError, match=r"it\.parts: 'a' is there twice"):
        shape.read(Whole, changed(parts=twice), what="it")


@pytest.mark.parametrize("data", [b"[]", b'"x"', b"1", b"true"])
def test_a_document_is_an_object(data: bytes) -> None:
    with pytest.raises(MalformedError, match="expected an object"):
        shape.read(Whole, data, what="it")


@pytest.mark.parametrize("requires", [..., "x", [1]])
def test_a_document_says_what_it_requires(requires: object) -> None:
    with pytest.raises(MalformedError, match="does not say what it requires"):
        shape.read(Whole, changed(requires=requires), what="it")


@pytest.mark.parametrize(
    "members,needs",
    [
        ({"requires": ["time-travel"]}, "the feature 'time-travel'"),
        ({"format": 2}, "format 2"),
        (
            {"requires": ["z", "a"], "format": 9, "unheard-of": 1},
            "format 9 and the features 'a', 'z'",
        ),
    ],
)
def test_a_newer_document_is_refused_with_what_to_do(members: dict[str, Any], needs: str) -> None:
    with pytest.raises(RefusedError) as error:
        shape.read(Whole, changed(**members), what="it")
    assert error.value.code == "format-unknown"
    assert needs in error.value.what
    assert "update Sealift" in error.value.next_step


def test_an_error_quotes_no_megabytes() -> None:
    with pytest.raises(MalformedError) as error:
        shape.read(Whole, changed(**{"x" * 1_000_000: 1}), what="it")
    assert len(error.value.what) < 200
    with pytest.raises(RefusedError) as refusal:
        shape.read(Whole, changed(requires=["x" * 1_000_000]), what="it")
    assert len(refusal.value.what) < 200


def test_a_type_that_no_document_may_have_is_a_mistake_of_ours() -> None:
    @dataclass(frozen=True)
    class Odd:
        weight: float

    with pytest.raises(TypeError, match="float"):
        shape.from_json(Odd, {"weight": 1}, what="it")
