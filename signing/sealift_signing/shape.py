"""The one way in and out of a document: frozen dataclasses ⇄ canonical JSON ⇄ JSON Schema.

A document's type is its specification. `read` refuses whatever the type does not say (an unknown
member, a missing one, a wrong spelling); `write` is its inverse; `schema` prints the same rules for
readers in other languages, so docs/reference/formats.md cannot drift from the code.

Types understood: str, int, bool, Literal, `Annotated` with a rule of `vocabulary`, `X | None` (the
member may be absent), `tuple[X, ...]`, `Mapping[K, X]`, other dataclasses, and `Opaque`
(any canonical JSON, carried and not interpreted).
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Protocol,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from sealift_signing import canonical
from sealift_signing.canonical import Json
from sealift_signing.errors import MalformedError, RefusedError, shown
from sealift_signing.vocabulary import Between, Spelling

FEATURES_READ: frozenset[str] = frozenset()
"""What a document may list under `requires` and still be read by this software. None yet."""


@dataclasses.dataclass(frozen=True)
class _AnyJson:
    """The mark of `Opaque`."""


@dataclasses.dataclass(frozen=True)
class Distinct:
    """A rule for a tuple: no item (or, with `by`, no value of that member) comes twice."""

    by: str = ""


Opaque = Annotated[Any, _AnyJson()]


class Dataclass(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


D = TypeVar("D", bound=Dataclass)


def read(kind: type[D], data: bytes, *, what: str) -> D:
    """The document of type `kind` that `data` spells; `what` names it in errors.

    Raises:
        MalformedError: not canonical JSON, or not of this shape.
        RefusedError: it requires a feature, or has a format, that this software does not know.
    """
    value = canonical.decode(data, what=what)
    if not isinstance(value, Mapping):
        raise _wrong(what, "an object", value)
    return from_json(kind, value, what=what)


def write(document: Dataclass) -> bytes:
    """The canonical bytes of `document`."""
    return canonical.encode(to_json(document))


def from_json(kind: type[D], value: Mapping[str, Json], *, what: str) -> D:
    """As `read`, from a value that is already parsed."""
    if "requires" in {field.name for field in dataclasses.fields(kind)}:
        _check_skew(value, what)
    return cast("D", _read(kind, value, what))


def to_json(document: Dataclass) -> dict[str, Json]:
    """The JSON object of `document`; members that are None are left out."""
    members: dict[str, Json] = {}
    for field in dataclasses.fields(document):
        value = getattr(document, field.name)
        if value is not None:
            members[field.name] = _write(value)
    return members


def schema(kind: type[Dataclass], *, title: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of documents of type `kind`."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": title, **_schema(kind)}


def _check_skew(value: Mapping[str, Json], what: str) -> None:
    """Said before anything else is looked at: this software is too old for that document."""
    required = value.get("requires")
    if not isinstance(required, list | tuple) or not all(isinstance(x, str) for x in required):
        raise MalformedError("bad-shape", f"{what} does not say what it requires.", subject=what)
    unknown = sorted(set(cast("list[str]", required)) - FEATURES_READ)
    if unknown or value.get("format") != 1:
        needs = (
            f"the feature {shown(unknown[0])}"
            if unknown
            else f"format {shown(value.get('format'))}"
        )
        raise RefusedError(
            "format-unknown",
            f"{what} needs {needs}, which this version of Sealift does not read.",
            subject=what,
            next_step="Update Sealift here, or ask the sender to export for this version.",
        )


@cache
def _members(kind: type[Dataclass]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _wrong(where: str, wanted: str, value: object) -> MalformedError:
    return MalformedError(
        "bad-shape", f"{where}: expected {wanted}, found {shown(value)}.", subject=where
    )


def _read(hint: Any, value: object, where: str) -> object:  # noqa: ANN401 - a type hint is Any
    origin = get_origin(hint)
    reader = _READERS.get(origin)
    if reader is not None:
        return reader(hint, value, where)
    if dataclasses.is_dataclass(hint):
        return _read_dataclass(cast("type[Dataclass]", hint), value, where)
    return _read_plain(hint, value, where)


def _read_plain(hint: Any, value: object, where: str) -> object:  # noqa: ANN401 - as above
    wanted = {str: "a string", int: "an integer", bool: "true or false"}.get(hint)
    if wanted is None:
        msg = f"{hint!r} is no type a document may have"
        raise TypeError(msg)
    if type(value) is not hint:  # bool is an int to isinstance, and True is no version
        raise _wrong(where, wanted, value)
    return value


def _read_optional(hint: Any, value: object, where: str) -> object:  # noqa: ANN401 - as above
    (inner,) = (arm for arm in get_args(hint) if arm is not type(None))
    return _read(inner, value, where)


def _read_literal(hint: Any, value: object, where: str) -> object:  # noqa: ANN401 - as above
    if not any(value == arm and type(value) is type(arm) for arm in get_args(hint)):
        raise _wrong(where, " or ".join(map(repr, get_args(hint))), value)
    return value


def _read_tuple(hint: Any, value: object, where: str) -> object:  # noqa: ANN401 - as above
    if not isinstance(value, list | tuple):
        raise _wrong(where, "an array", value)
    inner, _ = get_args(hint)
    return tuple(_read(inner, item, f"{where}[{n}]") for n, item in enumerate(value))


def _read_mapping(hint: Any, value: object, where: str) -> object:  # noqa: ANN401 - as above
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object", value)
    key, inner = get_args(hint)
    return {
        cast("str", _read(key, name, where)): _read(inner, item, f"{where}.{name}")
        for name, item in value.items()
    }


def _read_annotated(hint: Any, value: object, where: str) -> object:  # noqa: ANN401 - as above
    inner, *rules = get_args(hint)
    if any(isinstance(rule, _AnyJson) for rule in rules):
        return value
    found = _read(inner, value, where)
    for rule in rules:
        if isinstance(rule, Spelling) and not rule.matches(cast("str", found)):
            raise _wrong(where, rule.words, found)
        if isinstance(rule, Between) and not rule.least <= cast("int", found) <= rule.most:
            raise _wrong(where, f"a number from {rule.least} to {rule.most}", found)
        if isinstance(rule, Distinct):
            _check_distinct(rule, cast("tuple[object, ...]", found), where)
    return found


_READERS: dict[Any, Callable[[Any, object, str], object]] = {
    Annotated: _read_annotated,
    Union: _read_optional,
    types.UnionType: _read_optional,
    Literal: _read_literal,
    tuple: _read_tuple,
    Mapping: _read_mapping,
}


def _check_distinct(rule: Distinct, items: tuple[object, ...], where: str) -> None:
    seen = set()
    for item in items:
        mark = getattr(item, rule.by) if rule.by else item
        if mark in seen:
            raise MalformedError(
                "bad-shape", f"{where}: {shown(mark)} is there twice.", subject=where
            )
        seen.add(mark)


def _read_dataclass(kind: type[Dataclass], value: object, where: str) -> object:
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object", value)
    hints = _members(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise MalformedError(
            "bad-shape",
            f"{where} has a member {shown(unknown[0])} that is not known.",
            subject=where,
        )
    missing = sorted(
        name
        for name, field in fields.items()
        if name not in value and not _may_be_absent(hints[field.name])
    )
    if missing:
        raise MalformedError("bad-shape", f"{where} lacks {missing[0]!r}.", subject=where)
    given = {name: _read(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    absent = dict.fromkeys(set(fields) - set(value))
    return kind(**given, **absent)


def _may_be_absent(hint: Any) -> bool:  # noqa: ANN401 - a type hint is Any
    return get_origin(hint) in {Union, types.UnionType} and type(None) in get_args(hint)


def _write(value: object) -> Json:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    if isinstance(value, Mapping):
        return {str(name): _write(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_write(item) for item in value]
    return cast("Json", value)


def _schema(hint: Any) -> dict[str, Any]:  # noqa: ANN401 - a type hint is Any
    schemas: dict[Any, Callable[[Any], dict[str, Any]]] = {
        Annotated: _schema_annotated,
        Union: _schema_optional,
        types.UnionType: _schema_optional,
        Literal: lambda hint: {"enum": list(get_args(hint))},
        tuple: lambda hint: {"type": "array", "items": _schema(get_args(hint)[0])},
        Mapping: _schema_mapping,
    }
    origin = get_origin(hint)
    if origin in schemas:
        return schemas[origin](hint)
    if dataclasses.is_dataclass(hint):
        return _schema_dataclass(cast("type[Dataclass]", hint))
    return {"type": {str: "string", int: "integer", bool: "boolean"}[hint]}


def _schema_dataclass(kind: type[Dataclass]) -> dict[str, Any]:
    hints = _members(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    return {
        "type": "object",
        "properties": {name: _schema(hints[name]) for name in names},
        "required": [name for name in names if not _may_be_absent(hints[name])],
        "additionalProperties": False,
    }


def _schema_optional(hint: Any) -> dict[str, Any]:  # noqa: ANN401 - a type hint is Any
    return _schema(next(arm for arm in get_args(hint) if arm is not type(None)))


def _schema_mapping(hint: Any) -> dict[str, Any]:  # noqa: ANN401 - a type hint is Any
    key, inner = get_args(hint)
    names = {"propertyNames": _schema(key)} if get_origin(key) is Annotated else {}
    return {"type": "object", **names, "additionalProperties": _schema(inner)}


def _schema_annotated(hint: Any) -> dict[str, Any]:  # noqa: ANN401 - a type hint is Any
    inner, *rules = get_args(hint)
    if any(isinstance(rule, _AnyJson) for rule in rules):
        return {"description": "any JSON, carried and not interpreted"}
    said = _schema(inner)
    for rule in rules:
        if isinstance(rule, Spelling):
            pattern = rule.pattern.replace(r"\Z", "$")  # Python's; JSON Schema speaks ECMA-262
            said |= {"pattern": f"^(?:{pattern})$", "description": rule.words}
        if isinstance(rule, Between):
            said |= {"minimum": rule.least, "maximum": rule.most}
        if isinstance(rule, Distinct):  # with `by`, JSON Schema can say only this much of it
            said["uniqueItems"] = True
    return said
