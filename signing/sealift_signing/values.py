"""`dataclass`, as the standard library has it, made in a sixth of the time.

A command loads a hundred and more of them before it does anything. The library writes and compiles
six methods for each; that was a fifth of the time a command took. Here `__init__` alone is
compiled, and the others are closures that do the same. What is not plainly frozen the library
makes itself. Python 3.13 compiles all six at once, and gains less from it.
"""

from __future__ import annotations

import dataclasses
import reprlib
import sys
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass

    __all__ = ["dataclass"]

    Fields = Sequence[dataclasses.Field[Any]]

_ASIDE = ("ClassVar", "InitVar", "KW_ONLY")
"""Annotations that are no fields like others."""
_OWN = ("__delattr__", "__eq__", "__hash__", "__init__", "__repr__", "__setattr__")
"""What is made here; the library knows what to do with a class that has one of its own."""


class _Absent:
    def __repr__(self) -> str:
        return "<factory>"


_ABSENT = _Absent()
"""Stands in a signature for what a factory makes up for."""

if not TYPE_CHECKING:

    def dataclass(kind: type | None = None, /, **options: bool) -> Any:  # noqa: ANN401 - a class
        """A dataclass: the same as `dataclasses.dataclass`, whose options it takes."""
        if kind is None:
            return lambda kind: dataclass(kind, **options)
        if options == {"frozen": True} and _is_plain(kind):
            return _frozen(kind)
        return dataclasses.dataclass(**options)(kind)


def _is_plain(kind: type) -> bool:
    """Whether all that is to be made for `kind` is what `_frozen` makes."""
    own = vars(kind)
    notes = own.get("__annotations__", {})
    return (
        own.get("__doc__") is not None  # the library would make one from the signature
        and not any(dataclasses.is_dataclass(one) for one in kind.__mro__[1:])
        and not any(name in own for name in _OWN)
        and not any(word in str(note) for note in notes.values() for word in _ASIDE)
        and not any(name == "self" or name.startswith("_") for name in notes)
        and all(map(_is_plain_field, own.values()))
    )


def _is_plain_field(value: object) -> bool:
    """Whether `value`, if it is said of a field, says only what it is by default."""
    if not isinstance(value, dataclasses.Field):
        return True
    usual = value.init and value.repr and value.compare and value.hash is None
    return usual and value.kw_only is dataclasses.MISSING


def _frozen(kind: type) -> type:
    made: type[Any] = dataclasses.dataclass(init=False, repr=False, eq=False)(kind)
    said = made.__dataclass_params__
    said.init = said.repr = said.eq = said.frozen = True
    fields = dataclasses.fields(made)
    names = [one.name for one in fields]
    values = _values(names)
    for method in (
        _init(made, fields),
        _repr(names),
        *_compared(values),
        *_unchanged(made, frozenset(names)),
    ):
        method.__module__ = made.__module__
        method.__qualname__ = f"{made.__qualname__}.{method.__name__}"
        setattr(made, method.__name__, method)
    return made


def _init(kind: type, fields: Fields) -> Callable[..., None]:
    given: dict[str, object] = {"_set": object.__setattr__, "_absent": _ABSENT}
    arguments, lines = ["self"], []
    for number, one in enumerate(fields):
        value = one.name
        if one.default_factory is not dataclasses.MISSING:
            given[f"_f{number}"] = one.default_factory
            arguments.append(f"{one.name}=_absent")
            value = f"_f{number}() if {one.name} is _absent else {one.name}"
        elif one.default is not dataclasses.MISSING:
            given[f"_d{number}"] = one.default
            arguments.append(f"{one.name}=_d{number}")
        else:
            arguments.append(one.name)
        lines.append(f"_set(self, {one.name!r}, {value})")
    if hasattr(kind, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n  ".join(lines or ["pass"])
    text = f"def make({', '.join(given)}):\n def __init__({', '.join(arguments)}):\n  {body}\n"
    there: dict[str, Any] = {}
    module = vars(sys.modules[kind.__module__])
    exec(f"{text} return __init__", module, there)  # noqa: S102 - names of our fields, as written
    method: Callable[..., None] = there["make"](**given)
    method.__annotations__ = {**{one.name: one.type for one in fields}, "return": None}
    return method


def _values(names: Sequence[str]) -> Callable[[object], tuple[object, ...]]:
    """What gives the values of an object's fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _repr(names: Sequence[str]) -> Callable[..., str]:
    @reprlib.recursive_repr()
    def __repr__(self: object) -> str:  # noqa: N807 - it becomes a method
        said = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{type(self).__qualname__}({said})"

    return __repr__


def _compared(values: Callable[[object], tuple[object, ...]]) -> tuple[Callable[..., Any], ...]:
    def __eq__(self: object, other: object) -> bool:  # noqa: N807 - it becomes a method
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    def __hash__(self: object) -> int:  # noqa: N807 - likewise
        return hash(values(self))

    return __eq__, __hash__


def _unchanged(kind: type[Any], names: frozenset[str]) -> tuple[Callable[..., None], ...]:
    def __setattr__(self: object, name: str, value: object) -> None:  # noqa: N807 - as above
        if type(self) is kind or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(kind, self).__setattr__(name, value)

    def __delattr__(self: object, name: str) -> None:  # noqa: N807 - as above
        if type(self) is kind or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(kind, self).__delattr__(name)

    return __setattr__, __delattr__
