"""Free texts, found by the types of documents; and reading as if each had been written by an enemy.

Whatever is read is read by `shape`. So every value that may hold somebody's words is exchanged
there for hostile ones, after it was verified: as if whoever signed it had written them.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Union, get_args, get_origin, get_type_hints
from unittest import mock

import sealift_registry
import sealift_signing
import sealift_sync
from sealift_registry.audit import edge
from sealift_registry.catalog import kept_statements
from sealift_signing import shape
from sealift_signing.vocabulary import SENTENCE, Between, Spelling

PACKAGES = (sealift_signing, sealift_sync, sealift_registry)
UNREAD = ("sealift_registry.demo", "__main__")
Hint = Any
"""A type hint."""


def documents() -> Iterator[type[Any]]:
    """Every dataclass of ours of which some member's spelling has a rule: parts of documents."""
    seen = set()
    for module in _modules():
        for kind in vars(module).values():
            if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in seen:
                seen.add(kind)
                if any(_has_rule(hint) for hint in _hints(kind).values()):
                    yield kind


def _modules() -> Iterator[types.ModuleType]:
    for package in PACKAGES:
        for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not any(part in one.name for part in UNREAD):
                yield importlib.import_module(one.name)


def free() -> set[str]:
    """Every member that may hold anybody's words, as `Approval.reason`."""
    return {
        f"{kind.__name__}.{name}"
        for kind in documents()
        for name, hint in _hints(kind).items()
        if _is_free(hint)
    }


def endless() -> set[str]:
    """Those of them of which no rule says how long they may be."""
    return {
        f"{kind.__name__}.{name}"
        for kind in documents()
        for name, hint in _hints(kind).items()
        if _is_endless(hint)
    }


def _hints(kind: type[Any]) -> dict[str, Hint]:
    try:
        hints = get_type_hints(kind, include_extras=True)
    except (NameError, TypeError):  # names that only a type checker imports: no document has such
        return {}
    return {one.name: hints[one.name] for one in dataclasses.fields(kind)}


def _has_rule(hint: Hint) -> bool:
    rules = getattr(hint, "__metadata__", ())
    return any(isinstance(one, Spelling | Between) for one in rules) or any(
        map(_has_rule, get_args(hint))
    )


def _is_free(hint: Hint) -> bool:
    """Whether somewhere in it is a sentence, or a string of no rule."""
    if hint is str or SENTENCE in getattr(hint, "__metadata__", ()):
        return True
    if hasattr(hint, "__metadata__") and hint.__origin__ is str:
        return False  # another rule
    return any(map(_is_free, get_args(hint)))  # the words of a Literal are no types


def _is_endless(hint: Hint) -> bool:
    if hasattr(hint, "__metadata__") and hint.__origin__ is str:
        return False
    if hint is str:
        return True
    return any(map(_is_endless, get_args(hint)))


def _is_sentence(hint: Hint) -> bool:
    return SENTENCE in getattr(hint, "__metadata__", ())


@contextmanager
def planted(words: Callable[[str, str], str], but: Collection[str] = ()) -> Iterator[set[str]]:
    """While this lasts, each free text that is read is what `words` makes of its name and itself.

    Yields:
        The names of those that were read.
    """
    plain, seen = shape._dataclass_reader, set[str]()

    def reader(kind: type[Any]) -> Callable[[object, str], object]:
        read = plain(kind)
        names = {n: h for n, h in _hints(kind).items() if _is_free(h)}
        names = {n: h for n, h in names.items() if f"{kind.__name__}.{n}" not in but}

        def planting(value: object, where: str) -> object:
            found: Any = read(value, where)
            said = {}
            for name, hint in names.items():
                field = f"{kind.__name__}.{name}"
                said[name] = _exchanged(hint, getattr(found, name), field, words)
                if said[name] != getattr(found, name):
                    seen.add(field)
            return dataclasses.replace(found, **said)

        return planting

    _forget()
    try:
        with mock.patch.object(shape, "_dataclass_reader", reader):
            yield seen
    finally:
        _forget()


def _forget() -> None:
    """Have everything read anew that this process keeps as it read it."""
    for kept in (shape._reader, kept_statements._read, edge._read):
        kept.cache_clear()


def _exchanged(hint: Hint, value: object, field: str, words: Callable[[str, str], str]) -> Any:  # noqa: ANN401 - any member
    if not _is_free(hint) or value is None:
        return value
    origin: Any = get_origin(hint)
    inner = get_args(hint)
    if origin in {Union, types.UnionType}:
        (inner_hint,) = (one for one in inner if one is not type(None))
        return _exchanged(inner_hint, value, field, words)
    if isinstance(value, str):
        return words(field, value)
    if isinstance(value, tuple):
        item = get_args(hint.__origin__ if hasattr(hint, "__metadata__") else hint)[0]
        if not value and _is_sentence(item):
            return (words(field, ""),)
        return tuple(_exchanged(item, one, field, words) for one in value)
    if isinstance(value, Mapping):
        return {
            _exchanged(inner[0], name, field, words): _exchanged(inner[1], one, field, words)
            for name, one in value.items()
        }
    raise TypeError(field)
