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

from sealift_signing import canonical, features
from sealift_signing.canonical import Json
from sealift_signing.errors import MalformedError, RefusedError, shown
from sealift_signing.vocabulary import Between, MomentSpelling, Name, Spelling


@dataclasses.dataclass(frozen=True)
class _AnyJson:
    """The mark of `Opaque`."""


@dataclasses.dataclass(frozen=True)
class Distinct:
    """A rule for a tuple: no item (or, with `by`, no value of that member) comes twice."""

    by: str = ""


Opaque = Annotated[Any, _AnyJson()]


@dataclasses.dataclass(frozen=True)
class Largest:
    """A rule for any JSON: so many bytes, canonically spelled, and no more."""

    size: int


LARGEST_MORE = 64 * 1024
More = Annotated[Mapping[Name, Opaque], Largest(LARGEST_MORE)]
"""What informs may say besides: kept and shown by every reader, and no rule ever goes by it."""


_OURS = "urn:sealift:"


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
    return from_json(kind, parsed(data, what=what), what=what)


def parsed(data: bytes, *, what: str) -> Mapping[str, Json]:
    """The object that `data` spells; nothing is known yet of its members.

    Raises:
        MalformedError: not canonical JSON, or no object.
    """
    value = canonical.decode(data, what=what)
    if not isinstance(value, Mapping):
        raise _wrong(what, "an object", value)
    return value


def write(document: Dataclass) -> bytes:
    """The canonical bytes of `document`."""
    return canonical.encode(to_json(document))


def from_json(kind: type[D], value: Mapping[str, Json], *, what: str) -> D:
    """As `read`, from a value that is already parsed."""
    if "requires" in _field_hints(kind):
        _check_skew(document_name(kind), value, what)
    return cast("D", _reader(kind)(value, what))


def to_json(document: Dataclass) -> dict[str, Json]:
    """The JSON object of `document`; members that are None are left out."""
    values = ((name, getattr(document, name)) for name in _field_hints(type(document)))
    return {name: _write(value) for name, value in values if value is not None}


def schema(kind: type[Dataclass], *, title: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of documents of type `kind`."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": title, **_schema(kind)}


def document_name(kind: type[Dataclass]) -> str:
    """What this kind of document is called, in features and to people; empty where it has none."""
    return getattr(kind, "DOCUMENT", "") or statement_name(getattr(kind, "PREDICATE_TYPE", ""))


def statement_name(predicate_type: str) -> str:
    """What a statement of this type is called: `receipt` of `urn:sealift:receipt:1`."""
    return predicate_type.removeprefix(_OURS).partition(":")[0]


def _check_skew(document: str, value: Mapping[str, Json], what: str) -> None:
    """Said before anything else is looked at: this software is too old for that document."""
    required = value.get("requires")
    if not isinstance(required, list | tuple) or not all(isinstance(x, str) for x in required):
        raise MalformedError("bad-shape", f"{what} does not say what it requires.", subject=what)
    unknown = features.unknown(document, cast("list[str]", required))
    other = value.get("format") != features.FORMAT
    if not unknown and not other:
        return
    needs = [f"format {shown(value.get('format'))}"] if other else []
    if unknown:
        called = "the feature" if len(unknown) == 1 else "the features"
        needs.append(f"{called} {features.with_releases(unknown)}")
    raise RefusedError(
        "format-unknown",
        f"{what} needs {' and '.join(needs)}, which this version of Sealift does not read.",
        subject=what,
        next_step="Ask whoever sent it, in another way, whether that is so: who wrote it was not "
        "looked at yet. Then update Sealift here, or have them export for this version.",
    )


@cache
def _field_hints(kind: type[Dataclass]) -> dict[str, Any]:
    """The members of a document, in their order, each with its type."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _wrong(where: str, wanted: str, value: object) -> MalformedError:
    return MalformedError(
        "bad-shape", f"{where}: expected {wanted}, found {shown(value)}.", subject=where
    )


Reader = Callable[[object, str], object]
"""Reads one value, which stands at the place that errors name."""


@cache
def _reader(hint: Any) -> Reader:  # noqa: ANN401 - a type hint is Any
    """What reads a value of that type: made once, since a log entry alone has some thirty."""
    make = _MAKERS.get(get_origin(hint))
    if make is not None:
        return make(hint)
    if dataclasses.is_dataclass(hint):
        return _dataclass_reader(cast("type[Dataclass]", hint))
    return _plain_reader(hint)


def _plain_reader(hint: Any) -> Reader:  # noqa: ANN401 - as above
    wanted = {str: "a string", int: "an integer", bool: "true or false"}.get(hint)
    if wanted is None:
        msg = f"{hint!r} is no type a document may have"
        raise TypeError(msg)

    def read(value: object, where: str) -> object:
        if type(value) is not hint:  # bool is an int to isinstance, and True is no version
            raise _wrong(where, wanted, value)
        return value

    return read


def _optional_reader(hint: Any) -> Reader:  # noqa: ANN401 - as above
    (inner,) = (arm for arm in get_args(hint) if arm is not type(None))
    return _reader(inner)


def _literal_reader(hint: Any) -> Reader:  # noqa: ANN401 - as above
    arms = get_args(hint)

    def read(value: object, where: str) -> object:
        if not any(value == arm and type(value) is type(arm) for arm in arms):
            raise _wrong(where, " or ".join(map(repr, arms)), value)
        return value

    return read


def _tuple_reader(hint: Any) -> Reader:  # noqa: ANN401 - as above
    inner = _reader(get_args(hint)[0])

    def read(value: object, where: str) -> object:
        if not isinstance(value, list | tuple):
            raise _wrong(where, "an array", value)
        return tuple([inner(item, f"{where}[{n}]") for n, item in enumerate(value)])

    return read


def _mapping_reader(hint: Any) -> Reader:  # noqa: ANN401 - as above
    key, inner = map(_reader, get_args(hint))

    def read(value: object, where: str) -> object:
        if not isinstance(value, Mapping):
            raise _wrong(where, "an object", value)
        return {key(name, where): inner(item, f"{where}.{name}") for name, item in value.items()}

    return read


def _annotated_reader(hint: Any) -> Reader:  # noqa: ANN401 - as above
    inner, *rules = get_args(hint)
    if any(isinstance(rule, _AnyJson) for rule in rules):
        return lambda value, _where: value
    plain = _reader(inner)
    checks = [_CHECKS[type(rule)](rule) for rule in rules]

    def read(value: object, where: str) -> object:
        found = plain(value, where)
        for check in checks:
            check(found, where)
        return found

    return read


_MAKERS: dict[Any, Callable[[Any], Reader]] = {
    Annotated: _annotated_reader,
    Union: _optional_reader,
    types.UnionType: _optional_reader,
    Literal: _literal_reader,
    tuple: _tuple_reader,
    Mapping: _mapping_reader,
}


def _spelling_check(rule: Spelling) -> Callable[[Any, str], None]:
    def check(text: str, where: str) -> None:
        if not rule.matches(text):
            raise _wrong(where, rule.words, text)

    return check


def _between_check(rule: Between) -> Callable[[Any, str], None]:
    def check(number: int, where: str) -> None:
        if not rule.least <= number <= rule.most:
            raise _wrong(where, f"a number from {rule.least} to {rule.most}", number)

    return check


def _distinct_check(rule: Distinct) -> Callable[[Any, str], None]:
    def check(items: tuple[object, ...], where: str) -> None:
        seen = set()
        for item in items:
            mark = getattr(item, rule.by) if rule.by else item
            if mark in seen:
                raise MalformedError(
                    "bad-shape", f"{where}: {shown(mark)} is there twice.", subject=where
                )
            seen.add(mark)

    return check


def _largest_check(rule: Largest) -> Callable[[Any, str], None]:
    def check(value: Any, where: str) -> None:  # noqa: ANN401 - any JSON
        if len(canonical.encode(value)) > rule.size:
            raise MalformedError(
                "bad-shape", f"{where} is longer than {rule.size:,} bytes.", subject=where
            )

    return check


_CHECKS: dict[type, Callable[[Any], Callable[[Any, str], None]]] = {
    Spelling: _spelling_check,
    MomentSpelling: _spelling_check,
    Between: _between_check,
    Distinct: _distinct_check,
    Largest: _largest_check,
}


def _dataclass_reader(kind: type[Dataclass]) -> Reader:
    readers = {name: _reader(hint) for name, hint in _field_hints(kind).items()}
    optional = [name for name, hint in _field_hints(kind).items() if _may_be_absent(hint)]
    needed = readers.keys() - set(optional)
    absent: dict[str, object] = dict.fromkeys(optional)

    def read(value: object, where: str) -> object:
        if not isinstance(value, Mapping):
            raise _wrong(where, "an object", value)
        if unknown := value.keys() - readers.keys():
            raise MalformedError(
                "bad-shape",
                f"{where} has a member {shown(min(unknown))} that is not known.",
                subject=where,
            )
        if missing := needed - value.keys():
            raise MalformedError("bad-shape", f"{where} lacks {min(missing)!r}.", subject=where)
        given = {name: readers[name](item, f"{where}.{name}") for name, item in value.items()}
        return kind(**(absent | given))

    return read


def _may_be_absent(hint: Any) -> bool:  # noqa: ANN401 - a type hint is Any
    return get_origin(hint) in {Union, types.UnionType} and type(None) in get_args(hint)


def _write(value: object) -> Json:
    if isinstance(value, (str, int)):  # most of them, and bool is an int
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    if isinstance(value, (dict, Mapping)):
        return {str(name): _write(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
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
    hints = _field_hints(kind)
    return {
        "type": "object",
        "properties": {name: _schema(hint) for name, hint in hints.items()},
        "required": [name for name, hint in hints.items() if not _may_be_absent(hint)],
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
        if isinstance(rule, Largest):  # JSON Schema has no word for it
            said["description"] = f"at most {rule.size:,} bytes"
        if isinstance(rule, Distinct):  # with `by`, JSON Schema can say only this much of it
            said["uniqueItems"] = True
    return said
