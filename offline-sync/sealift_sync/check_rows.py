"""Rows of inputs, what a variant must answer to them, and how far each number may be off.

The hub's proof makes them and names them in its evidence; a site asks its own runtime the same
rows. A file of check rows is its header, a line feed, and the tensors in the order of the header:
every input, then every output, one of numbers followed by what each may be off. They are
little-endian and in C order, with nothing between them and nothing behind. All of it is read and
compared in plain Python, because a site has no NumPy of its own.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import Annotated, Any, ClassVar, Literal, get_args

from sealift_signing import features, shape
from sealift_signing.drawing import word
from sealift_signing.errors import MalformedError, shown
from sealift_signing.shape import Distinct
from sealift_signing.vocabulary import Between, Count, Sentence

FEATURE = features.CHECK_ROWS.spelled
"""What a transfer requires of its reader, if a file of check rows is in it."""
MOST_ROWS = 64
LARGEST = 64 * 1024 * 1024
"""Bytes of a file of check rows."""
MOST_VALUES = 2_000_000
"""Answers, and texts of inputs: each of them is looked at by itself, in some microseconds."""
LARGEST_HEADER = 1024 * 1024
"""Bytes of its first line."""
MOST_OF_ANSWER, SMALL = 0.1, 1e-6
"""No more than such a part of an output's largest answer may be allowed anywhere in it, or this
where all are about nothing. What a proof allows stays some hundred times below."""
LOOK = 16384
"""Values that are compared before anybody looks at a clock."""
LONGEST_LABEL = 40
"""Characters of a label that are told."""

Dtype = Literal[
    "float64",
    "float32",
    "float16",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
    "text",
]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
_CODES: Mapping[str, str] = dict(zip(DTYPES[:-1], "dfebhiqBHIQ?", strict=True))
"""The letter of `struct` for each; a text is its length and its UTF-8."""
_LENGTH = struct.Struct("<I")
_NOT_NUMBERS = frozenset({"bool", "text"})

Value = float | int | str
Size = Annotated[int, Between(1)]


@dataclass(frozen=True)
class CheckInput:
    """An input of the model, for all rows."""

    name: Sentence
    dtype: Dtype
    shape: tuple[Size, ...]
    """Its first number is that of the rows."""


@dataclass(frozen=True)
class CheckOutput:
    """An output of the model, for all rows."""

    name: Sentence
    dtype: Dtype
    shape: tuple[Size, ...]
    """Its first number is that of the rows."""
    kind: Literal["labels", "numbers"]
    """Labels are equal; numbers are off by no more than the tensor that follows, of float64."""
    free: tuple[Count, ...]
    """Rows, from 0, whose labels may differ: the source itself is undecided there."""
    shown: bool
    """Whether its answers may be told: false where they may be values of the row itself."""


@dataclass(frozen=True)
class CheckRows:
    """The header of a file of check rows."""

    DOCUMENT: ClassVar[str] = "check-rows"

    format: Literal[1]
    requires: tuple[str, ...]
    rows: Annotated[int, Between(1, MOST_ROWS)]
    alone: bool
    """Whether the model takes one row at a time."""
    inputs: Annotated[tuple[CheckInput, ...], Distinct(by="name")]
    outputs: Annotated[tuple[CheckOutput, ...], Distinct(by="name")]


@dataclass(frozen=True)
class Tensor:
    """Values of one type, little-endian and in C order.

    Attributes:
        shape: its first number is that of the rows.
    """

    dtype: Dtype
    shape: tuple[int, ...]
    data: bytes

    def values(self) -> Iterator[Value]:
        """Every value, in C order."""
        if self.dtype == "text":
            return _texts(self.data)
        return (one for (one,) in struct.iter_unpack(f"<{_CODES[self.dtype]}", self.data))

    @property
    def words(self) -> str:
        """What it is: `float32 of 64 by 10`."""
        return f"{self.dtype} of {' by '.join(map(str, self.shape)) or 'one'}"


@dataclass(frozen=True)
class GivenInput:
    """An input, by its name in the model."""

    name: str
    tensor: Tensor


@dataclass(frozen=True)
class ExpectedOutput:
    """An output, by its name in the model.

    Attributes:
        allowed: of numbers, the largest absolute difference of each.
        free: rows, from 0, whose labels may differ.
        shown: whether its answers may be told.
    """

    name: str
    tensor: Tensor
    kind: Literal["labels", "numbers"]
    allowed: Tensor | None = None
    free: tuple[int, ...] = ()
    shown: bool = False


@dataclass(frozen=True)
class CheckRowsContent:
    """All of a file of check rows."""

    rows: int
    alone: bool
    inputs: tuple[GivenInput, ...]
    outputs: tuple[ExpectedOutput, ...]

    @property
    def question(self) -> dict[str, Any]:
        """What a runtime is asked, but for the rows, as `answering` reads it."""
        inputs = [
            {"name": one.name, "dtype": one.tensor.dtype, "shape": one.tensor.shape}
            for one in self.inputs
        ]
        return {"alone": self.alone, "inputs": inputs}


@dataclass(frozen=True)
class Difference:
    """Where an answer is not the one that is expected.

    Attributes:
        row: from 1; None where all of the output is another.
        output: its name.
        place: of the value in its row, from 0.
        expected: empty where that may not be told.
        answered: how far it is off, or that it is another one, where `expected` may not be told.
        allowed: how far it might have been off; empty of labels.
    """

    row: int | None
    output: str
    place: tuple[int, ...]
    expected: str
    answered: str
    allowed: str = ""

    @property
    def words(self) -> str:
        """It, in one sentence without its full stop; no value of a row is told."""
        where = "" if self.row is None else f"row {self.row}, "
        place = "".join(f"[{one}]" for one in self.place)
        if not self.expected:
            most = f" where {self.allowed} is allowed" if self.allowed else ""
            return f"{where}output {word(self.output)}{place}: {self.answered}{most}"
        most = f" and at most {self.allowed} off" if self.allowed else ""
        said = f"expected {self.expected}{most}, answered {self.answered}"
        return f"{where}output {word(self.output)}{place}: {said}"


def tensor(dtype: Dtype, sizes: Sequence[int], values: Iterable[Value]) -> Tensor:
    """The tensor of these values, in C order.

    Raises:
        MalformedError: they are not so many, or one of them has no spelling in `dtype`.
    """
    try:
        if dtype == "text":
            data = b"".join(_LENGTH.pack(len(text)) + text for text in map(_utf8, values))
        else:
            found = list(values)
            data = struct.pack(f"<{len(found)}{_CODES[dtype]}", *found)
    except (struct.error, OverflowError, UnicodeError, AttributeError) as bad:
        raise _bad(f"a value is not a {dtype}") from bad
    made = Tensor(dtype, tuple(sizes), data)
    check_tensor(made)
    return made


def check_tensor(one: Tensor) -> None:
    """Check that the bytes of a tensor are those of so many values of its type.

    Raises:
        MalformedError: they are not.
    """
    if _end(one.data, 0, one.dtype, one.shape) != len(one.data):
        raise _bad("a tensor is longer than its shape says")


def pack(content: CheckRowsContent) -> bytes:
    """The bytes of a file of check rows.

    Raises:
        MalformedError: `content` is none that `unpack` would take.
    """
    header = CheckRows(
        format=1,
        requires=(),
        rows=content.rows,
        alone=content.alone,
        inputs=tuple(
            CheckInput(one.name, one.tensor.dtype, one.tensor.shape) for one in content.inputs
        ),
        outputs=tuple(
            CheckOutput(one.name, one.tensor.dtype, one.tensor.shape, one.kind, one.free, one.shown)
            for one in content.outputs
        ),
    )
    tensors = [one.tensor for one in content.inputs]
    for output in content.outputs:
        tensors += [output.tensor] if output.allowed is None else [output.tensor, output.allowed]
    data = b"".join((shape.write(header), b"\n", *(one.data for one in tensors)))
    if unpack(data) != content:
        raise _bad("what it holds is not what its header says")
    return data


def unpack(data: bytes, *, what: str = "a file of check rows") -> CheckRowsContent:
    """What a file of check rows holds; `what` names it in errors.

    Raises:
        MalformedError: it is none, or not all of one, or more than one.
        RefusedError: it needs newer software.
    """
    if len(data) > LARGEST:
        raise _bad(f"it has more than {LARGEST:,} bytes", what)
    line = data.find(b"\n", 0, LARGEST_HEADER + 1)
    if line < 0:
        raise _bad("it has no header", what)
    header = shape.read(CheckRows, data[:line], what=what)
    _check_header(header, what)
    return _Reading(data, line + 1, what).content(header)


def compared(content: CheckRowsContent) -> int:
    """How many answers are compared, those in rows that are free not among them."""
    return sum(
        math.prod(one.tensor.shape) // content.rows * (content.rows - len(one.free))
        for one in content.outputs
    )


def differences(
    expected: CheckRowsContent,
    answered: Mapping[str, Tensor],
    look: Callable[[], None] = lambda: None,
) -> tuple[Difference, ...]:
    """What was answered otherwise than expected: the first value of each row and output.

    What is answered besides is not looked at; `answered` holds whole tensors (`check_tensor`).

    Args:
        expected: what the file of check rows holds.
        answered: by the output's name.
        look: called after some thousand values each; it may raise, to stop it.
    """
    found: list[Difference] = []
    for output in expected.outputs:
        answer = answered.get(output.name)
        if answer is None:
            found.append(Difference(None, output.name, (), output.tensor.words, "nothing"))
        elif answer.shape != output.tensor.shape or not _same_type(output, answer):
            found.append(Difference(None, output.name, (), output.tensor.words, answer.words))
        else:
            found += _differing(output, answer, look)
    return tuple(found)


def _same_type(output: ExpectedOutput, answer: Tensor) -> bool:
    """Numbers are compared as numbers, however many bits a runtime gives them."""
    dtypes = {output.tensor.dtype, answer.dtype}
    floats = output.kind == "numbers" and all(one.startswith("float") for one in dtypes)
    return floats or len(dtypes) == 1


def _differing(
    output: ExpectedOutput, answer: Tensor, look: Callable[[], None]
) -> Iterator[Difference]:
    """The first value of each row that differs."""
    width = math.prod(output.tensor.shape[1:])
    most = output.allowed.values() if output.allowed else repeat(0.0)
    seen = -1
    values = zip(output.tensor.values(), answer.values(), most, strict=False)
    for number, (wanted, got, off) in enumerate(values):
        row, place = divmod(number, width)
        if not number % LOOK:
            look()
        if row == seen or row in output.free or _is_right(wanted, got, off):
            continue
        seen = row
        where = _place(place, output.tensor.shape[1:])
        allowed = _told(off) if output.allowed else ""
        both = (_told(wanted), _told(got)) if output.shown else ("", _off(output.kind, wanted, got))
        yield Difference(row + 1, output.name, where, *both, allowed)


def _is_right(wanted: Value, got: Value, most: Value) -> bool:
    if wanted == got:
        return True  # infinity too, whose difference to itself is no number
    if isinstance(wanted, str) or isinstance(got, str) or isinstance(most, str):
        return False
    if math.isnan(wanted):
        return math.isnan(got)
    return abs(wanted - got) <= most  # of what is no number, never


def _off(kind: str, wanted: Value, got: Value) -> str:
    """How far an answer is off, without either: they may be values of the row."""
    if kind == "labels" or isinstance(wanted, str) or isinstance(got, str):
        return "another one"
    away = abs(wanted - got)
    return f"off by {_told(away)}" if math.isfinite(away) else "off by a number that is not finite"


def _told(value: Value) -> str:
    if isinstance(value, str):
        return shown(value, LONGEST_LABEL)
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _place(number: int, sizes: Sequence[int]) -> tuple[int, ...]:
    found: list[int] = []
    for size in reversed(sizes):
        number, at = divmod(number, size)
        found.append(at)
    return tuple(reversed(found))


def _largest(one: Tensor) -> float:
    """The largest number, without its sign; 0 where none is finite."""
    numbers = (float(value) for value in one.values() if not isinstance(value, str))
    return max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)


def _check_header(header: CheckRows, what: str) -> None:
    if not (header.inputs and header.outputs):
        raise _bad("it has no inputs, or no outputs", what)
    tensors: list[CheckInput | CheckOutput] = [*header.inputs, *header.outputs]
    for one in tensors:
        if one.shape[:1] != (header.rows,):
            raise _bad(f"{shown(one.name)} is not of {header.rows} rows", what)
    looked_at = [one for one in tensors if one.dtype == "text" or isinstance(one, CheckOutput)]
    if sum(math.prod(one.shape) for one in looked_at) > MOST_VALUES:
        raise _bad(f"it has more than {MOST_VALUES:,} answers and texts", what)
    for output in header.outputs:
        if output.kind == "numbers" and (output.free or output.dtype in _NOT_NUMBERS):
            raise _bad(f"{shown(output.name)} is declared as numbers and is not", what)
        free = output.free
        if any(one >= header.rows for one in free) or any(a >= b for a, b in pairwise(free)):
            raise _bad(f"the rows that are free in {shown(output.name)} are not in order", what)
        if len(free) == header.rows:
            raise _bad(f"every row is free in {shown(output.name)}", what)


class _Reading:
    """Reads tensors, one after the other, out of the bytes of a file."""

    def __init__(self, data: bytes, at: int, what: str) -> None:
        self._data = data
        self._at = at
        self._what = what

    def content(self, header: CheckRows) -> CheckRowsContent:
        read = self._next
        inputs = tuple(GivenInput(one.name, read(one.dtype, one.shape)) for one in header.inputs)
        outputs = tuple(self._expected(one) for one in header.outputs)
        if self._at != len(self._data):
            raise _bad("it is longer than its header says", self._what)
        return CheckRowsContent(header.rows, header.alone, inputs, outputs)

    def _expected(self, one: CheckOutput) -> ExpectedOutput:
        values = self._next(one.dtype, one.shape)
        if one.kind == "labels":
            return ExpectedOutput(one.name, values, one.kind, free=one.free, shown=one.shown)
        allowed = self._next("float64", one.shape)
        # A width without end would let anything pass.
        if not all(isinstance(off, float) and 0 <= off < math.inf for off in allowed.values()):
            raise _bad(f"what {shown(one.name)} may be off by is not a number", self._what)
        if _largest(allowed) > max(MOST_OF_ANSWER * _largest(values), SMALL):
            raise _bad(f"in {shown(one.name)} nearly anything would be right", self._what)
        return ExpectedOutput(one.name, values, one.kind, allowed, shown=one.shown)

    def _next(self, dtype: Dtype, sizes: tuple[int, ...]) -> Tensor:
        end = _end(self._data, self._at, dtype, sizes, self._what)
        data, self._at = self._data[self._at : end], end
        return Tensor(dtype, sizes, data)


def _end(
    data: bytes, at: int, dtype: Dtype, sizes: Sequence[int], what: str = "a tensor of check rows"
) -> int:
    """Where a tensor ends that begins at `at`.

    Raises:
        MalformedError: it does not end within `data`, or is none of its type.
    """
    count = math.prod(sizes)
    if dtype != "text":
        end = at + count * struct.calcsize(f"<{_CODES[dtype]}")
        if end > len(data):
            raise _bad("it is shorter than its header says", what)
        if dtype == "bool" and data[at:end].strip(b"\0\1"):
            raise _bad("a value is neither true nor false", what)
        return end
    if count > (len(data) - at) // _LENGTH.size:  # each has a length at least
        raise _bad("it is shorter than its header says", what)
    for _ in range(count):
        at = _end_of_text(data, at, what)
    return at


def _end_of_text(data: bytes, at: int, what: str) -> int:
    begins = at + _LENGTH.size
    if begins > len(data):
        raise _bad("it is shorter than its header says", what)
    end = begins + _LENGTH.unpack_from(data, at)[0]
    if end > len(data):
        raise _bad("it is shorter than its header says", what)
    try:
        data[begins:end].decode()
    except UnicodeDecodeError as bad:
        raise _bad("a text in it is not UTF-8", what) from bad
    return int(end)


def _texts(data: bytes) -> Iterator[str]:
    at = 0
    while at < len(data):
        begins = at + _LENGTH.size
        at = begins + _LENGTH.unpack_from(data, at)[0]
        yield data[begins:at].decode()


def _utf8(text: Value) -> bytes:
    if not isinstance(text, str):
        raise _bad(f"{shown(text)} is not a text")
    return text.encode()


def _bad(why: str, what: str = "a file of check rows") -> MalformedError:
    return MalformedError(
        "bad-check-rows",
        f"{what[0].upper()}{what[1:]} cannot be read: {why}.",
        subject=what,
        next_step="Have the bundle copied or exported again; if that changes nothing, tell the "
        "hub's administrators.",
    )
