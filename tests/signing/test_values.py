"""A frozen dataclass of ours is what the standard library makes of the same class."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sealift_signing import values

ROOT = Path(__file__).parents[2]
Make = Callable[..., Any]
Kind = Any
"""A class that a test makes, by one or by the other."""


def one(make: Make) -> Kind:
    @make(frozen=True)
    class Box:
        """One field."""

        a: object

    return Box


def many(make: Make) -> Kind:
    @make(frozen=True)
    class Box:
        """Some with defaults."""

        a: object
        b: int = 2
        c: list[int] = field(default_factory=list)

        def __post_init__(self) -> None:
            if self.a is None:
                raise ValueError(self.b)

        @property
        def both(self) -> object:
            return (self.a, self.b)

    return Box


def none(make: Make) -> Kind:
    @make(frozen=True)
    class Box:
        """No field."""

    return Box


def own(make: Make) -> Kind:
    @make(frozen=True)
    class Box:
        """Has methods of its own."""

        a: object
        b: int = 2

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self))

        def __hash__(self) -> int:
            return 5

        def __repr__(self) -> str:
            return "a box"

    return Box


def inherited(make: Make) -> Kind:
    @make(frozen=True)
    class Base:
        """A base."""

        a: object

    @make(frozen=True)
    class Box(Base):
        """Inherits."""

        b: int = 2

    return Box


def odd(make: Make) -> Kind:
    @make(frozen=True)
    class Box:
        a: object
        b: int = field(default=2, repr=False, compare=False)
        k: ClassVar[int] = 5
        _c: int = 3

    return Box


def ordered(make: Make) -> Kind:
    @make(frozen=True, order=True)
    class Box:
        """In an order."""

        a: object
        b: int = 2

    return Box


def changing(make: Make) -> Kind:
    @make
    class Box:
        """Not frozen."""

        a: object
        b: int = 2

    return Box


EVERY = [one, many, none, own, inherited, odd, ordered, changing]
FAST = [one, many, none]
Body = Callable[[Make], Kind]


def outcome(act: Callable[[Kind], object], thing: Kind) -> object:
    """What it gives, or the error that it raises."""
    try:
        return act(thing)
    except Exception as bad:  # noqa: BLE001 - whatever it is, it is compared
        return type(bad), str(bad)


def arguments(kind: Kind) -> tuple[tuple[int, ...], ...]:
    most = sum(one.init for one in dataclasses.fields(kind))
    return tuple((1, 7)[:most] if n else (3,)[:most] for n in (0, 1))


def set_to(thing: Kind, name: str) -> object:
    setattr(thing, name, 5)
    return vars(thing)


def without(thing: Kind, name: str) -> object:
    delattr(thing, name)
    return vars(thing)


ACTS: list[Callable[[Kind], object]] = [
    repr,
    hash,
    dataclasses.asdict,
    lambda x: [x == type(x)(*args) for args in arguments(type(x))],
    lambda x: (x == 5, x.__eq__(5), x != 5),
    lambda x: vars(dataclasses.replace(x)),
    lambda x: vars(copy.deepcopy(x)),
    lambda x: set_to(x, "a"),
    lambda x: set_to(x, "new"),
    lambda x: without(x, "a"),
    lambda x: without(x, "new"),
    lambda x: x < copy.copy(x),
    lambda x: vars(type(x)()),
    lambda x: vars(type(x)(1, 2, 3, 4, 5)),
    lambda x: vars(type(x)(a=None)),
    lambda x: vars(type(x)(b=None)),
]
"""What somebody does with an object, or wants to."""


@pytest.mark.parametrize("body", EVERY)
def test_f1_46_a_dataclass_is_the_librarys(body: Body) -> None:
    mine, theirs = body(values.dataclass), body(dataclasses.dataclass)
    assert mine is not theirs
    for told in (
        lambda kind: kind.__doc__,
        lambda kind: str(kind.__dataclass_params__),
        lambda kind: list(map(str, dataclasses.fields(kind))),
        lambda kind: str(inspect.signature(kind)),
        lambda kind: kind.__init__.__annotations__,
        lambda kind: kind.__match_args__,
    ):
        assert told(mine) == told(theirs)
    for args in arguments(mine):
        assert vars(mine(*args)) == vars(theirs(*args))
        for act in ACTS:
            assert outcome(act, mine(*args)) == outcome(act, theirs(*args))


@pytest.mark.parametrize("body", FAST)
def test_f1_47_its_methods_are_its_own_and_a_subclass_may_have_more(body: Body) -> None:
    mine, theirs = body(values.dataclass), body(dataclasses.dataclass)
    for name in ("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__"):
        a, b = vars(mine)[name], vars(theirs)[name]
        assert (a.__name__, a.__qualname__, a.__module__) == (
            b.__name__,
            b.__qualname__,
            b.__module__,
        )
    for kind in (mine, theirs):
        more = type("More", (kind,), {})(*arguments(kind)[1])
        more.other = 5
        assert more.other == 5
        del more.other
        if dataclasses.fields(kind):
            with pytest.raises(FrozenInstanceError, match="cannot assign to field 'a'"):
                more.a = 5


@dataclasses.dataclass(frozen=True)
class Theirs:
    """At the top of a module, where it can be pickled."""

    a: object = None


@values.dataclass(frozen=True)
class Mine:
    """Likewise."""

    a: object = None


def test_f1_48_it_is_copied_and_kept_like_any_other() -> None:
    nan = float("nan")
    for kind in (Theirs, Mine):
        assert kind(nan) == kind(nan)
        assert pickle.loads(pickle.dumps(kind(5))) == kind(5)  # noqa: S301 - our own
        within = kind([])
        within.a.append(within)  # type: ignore[attr-defined]
        assert repr(within) == f"{kind.__name__}(a=[...])"
    mine: object = Mine()
    assert mine != Theirs()


def test_f1_49_every_dataclass_that_a_command_loads_is_made_so() -> None:
    """Else what a command loads takes a fifth longer, and nobody notices."""
    folders = ("migrations", "offline-sync", "registry", "signing")
    files = [one for folder in folders for one in (ROOT / folder).rglob("*.py")]
    assert len(files) > 200
    found = [
        str(one.relative_to(ROOT))
        for one in files
        if re.search(r"(?m)^from dataclasses import .*\bdataclass\b", one.read_text("utf-8"))
    ]
    assert found == []
